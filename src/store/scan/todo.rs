//! What the plans leave to be done, and what was made and not read back yet.

use rusqlite::params;

use super::{
    Error, Scan,
    find::{Candidates, Matching, Unlinked, listed},
    number, side,
};
use crate::core::status::Side;

/// One record that has to be worked on.
#[derive(Debug, Clone, PartialEq)]
pub struct Todo {
    /// Its number.
    pub todo_id: i64,
    /// The record's side.
    pub side: Side,
    /// The record and its partner, as they were listed; neither where the record is linked.
    pub found: Unlinked,
}

/// One record that has to be worked on, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTodo {
    /// The record's side.
    pub side: Side,
    /// The record.
    pub id: String,
    /// Whether its plan settles something, and does not only put it on record.
    pub acts: bool,
}

impl Scan {
    /// Remembers that records have to be worked on.
    pub async fn add_todos(&self, todos: Vec<NewTodo>) -> Result<(), Error> {
        if todos.is_empty() {
            return Ok(());
        }
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            {
                let sql = "insert into todo (side, id, acts) values (?, ?, ?)";
                let mut insert = transaction.prepare_cached(sql)?;
                for todo in &todos {
                    insert.execute(params![number(todo.side), todo.id, todo.acts])?;
                }
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    /// Records after `todo_id` whose plans settle something, with the numbers of their todos.
    pub async fn acting(&self, after: i64, limit: u32) -> Result<Vec<(i64, Side, String)>, Error> {
        self.with(move |connection| {
            let sql = "select todo_id, side, id from todo where todo_id > ? and acts order by todo_id limit ?";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map(params![after, limit], |row| {
                Ok((row.get(0)?, side(row.get(1)?), row.get(2)?))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// What has to be worked on after `todo_id`, with what the listings have for it.
    pub async fn todos(&self, after: i64, limit: u32) -> Result<Vec<Todo>, Error> {
        self.with(move |connection| {
            let sql = "select todo_id, todo.side, todo.id, row.id is not null, coalesce(row.keys is not null, 0) from todo \
                left join row on row.side = todo.side and row.id = todo.id and not row.outside \
                where todo_id > ? order by todo_id limit ?";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map(params![after, limit], |row| {
                Ok(Todo {
                    todo_id: row.get(0)?,
                    side: side(row.get(1)?),
                    found: Unlinked {
                        id: row.get(2)?,
                        is_listed: row.get(3)?,
                        record: None,
                        candidates: Candidates::None,
                        partner: None,
                        has_keys: row.get(4)?,
                    },
                })
            })?;
            let mut todos: Vec<Todo> = rows.collect::<Result<_, _>>()?;
            let mut matching = Matching::new(connection)?;
            for todo in &mut todos {
                let found = &mut todo.found;
                if !found.is_listed {
                    continue;
                }
                found.record = listed(connection, todo.side, &found.id)?;
                found.candidates = matching.candidates(todo.side, &found.id)?;
                if let Candidates::One(partner) = &found.candidates {
                    found.partner = listed(connection, todo.side.other(), partner)?;
                }
            }
            Ok(todos)
        })
        .await
    }

    /// Remembers records that were made and whose answer did not show them: what was sent is taken for what is there until
    /// they are read. Their digests are as in [`super::Row::digest`].
    pub async fn add_made(&self, made: Vec<(Side, String, Option<u64>)>) -> Result<(), Error> {
        if made.is_empty() {
            return Ok(());
        }
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            {
                let sql = "insert or replace into made (side, id, digest) values (?, ?, ?)";
                let mut insert = transaction.prepare_cached(sql)?;
                for (side, id, digest) in &made {
                    insert.execute(params![number(*side), id, digest.map(u64::cast_signed)])?;
                }
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    /// How many records of one side were made and not read yet.
    pub async fn made_count(&self, side: Side) -> Result<u64, Error> {
        self.with(move |connection| {
            let sql = "select count(*) from made where side = ?";
            let count = connection.query_row(sql, [number(side)], |row| row.get::<_, i64>(0))?;
            Ok(count.cast_unsigned())
        })
        .await
    }

    /// Ids of at most `limit` records of one side that were made and not read yet, after `id`.
    pub async fn made(&self, side: Side, after: &str, limit: u32) -> Result<Vec<String>, Error> {
        let after = after.to_owned();
        self.with(move |connection| {
            let sql = "select id from made where side = ? and id > ? order by id limit ?";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map(params![number(side), after, limit], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Which of these read records were made and look otherwise than they were sent: their places in the list.
    pub async fn unlike_sent(&self, side: Side, read: Vec<(String, Option<u64>)>) -> Result<Vec<usize>, Error> {
        self.with(move |connection| {
            let sql = "select 1 from made where side = ? and id = ? and digest is not ?";
            let mut select = connection.prepare_cached(sql)?;
            let mut unlike = Vec::new();
            for (place, (id, digest)) in read.iter().enumerate() {
                if select.exists(params![number(side), id, digest.map(u64::cast_signed)])? {
                    unlike.push(place);
                }
            }
            Ok(unlike)
        })
        .await
    }
}
