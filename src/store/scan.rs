//! The scratch file of one reconciliation: what both listings and the links look like, in a form small enough to join.
//!
//! It lives in a temporary SQLite file that nobody else sees, is never synced to disk, and is gone when the scan is
//! dropped; memory stays the same whatever the number of records. All calls block for a moment: they run on tokio's
//! blocking threads.

use std::{path::Path, sync::Arc};

use parking::Shared;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::core::status::Side;

/// Why the scratch file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite's own words; the file holds nothing but hashes and ids.
    #[error("the scratch file of the reconciliation: {0}")]
    Sql(#[from] rusqlite::Error),
    /// The folder for temporary files cannot be used.
    #[error("cannot make the scratch file of the reconciliation: {0}")]
    File(#[from] std::io::Error),
    /// The thread that used the file broke off.
    #[error("the scratch file of the reconciliation is no longer usable")]
    Broken,
}

/// One listed record.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// A hash a field, in the mapping's order; `None` where a value could not be read.
    pub hashes: Option<Vec<u8>>,
    /// Whether it does not pass the mapping's filter.
    pub is_outside: bool,
    /// A hash for each match rule, where the record has a value for it.
    pub match_keys: Vec<Option<u64>>,
}

/// One link.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The link.
    pub link_id: i64,
    /// Id of the left record.
    pub left_id: String,
    /// Id of the right record.
    pub right_id: String,
    /// The agreed hashes of the left side, as in [`Row::hashes`]; `None` where not every field has a base.
    pub left_agreed: Option<Vec<u8>>,
    /// The agreed hashes of the right side.
    pub right_agreed: Option<Vec<u8>>,
}

/// A linked pair that has to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// The link.
    pub link_id: i64,
    /// Id of the left record.
    pub left_id: String,
    /// Id of the right record.
    pub right_id: String,
    /// Whether the left listing had the record.
    pub has_left: bool,
    /// Whether the right listing had the record.
    pub has_right: bool,
}

/// What the other listing has for an unlinked record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidates {
    /// Nothing.
    None,
    /// One record, which is in no link.
    One(String),
    /// Several records.
    Several(Vec<String>),
    /// One record, which is in another link.
    Elsewhere(String),
}

/// How many records and links there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Listed left records.
    pub left: u64,
    /// Listed right records.
    pub right: u64,
    /// Links.
    pub pairs: u64,
}

/// The scratch file.
#[derive(Clone)]
pub struct Scan {
    connection: Arc<Shared>,
}

mod parking {
    //! One connection for all calls, together with the file that goes when it goes.

    use std::sync::{Mutex, MutexGuard};

    pub(super) struct Shared {
        connection: Mutex<rusqlite::Connection>,
        _file: tempfile::TempPath,
    }

    impl Shared {
        pub(super) const fn new(connection: rusqlite::Connection, file: tempfile::TempPath) -> Self {
            Self {
                connection: Mutex::new(connection),
                _file: file,
            }
        }

        pub(super) fn lock(&self) -> Result<MutexGuard<'_, rusqlite::Connection>, super::Error> {
            self.connection.lock().map_err(|_| super::Error::Broken)
        }
    }
}

const TABLES: &str = "
    pragma journal_mode = off;
    pragma synchronous = off;
    pragma temp_store = file;
    pragma cache_size = -16384;
    create table row (side integer not null, id text not null, hashes blob, outside integer not null,
        primary key (side, id)) without rowid;
    create table rule (side integer not null, rule integer not null, hash integer not null, id text not null,
        primary key (side, rule, hash, id)) without rowid;
    create index rule_of on rule (side, id);
    create table pair (link_id integer primary key, left_id text not null, right_id text not null,
        left_agreed blob, right_agreed blob);
    create index pair_left on pair (left_id);
    create index pair_right on pair (right_id);
    create table todo (todo_id integer primary key, side integer not null, id text not null, partner text);
";

const fn number(side: Side) -> i64 {
    match side {
        Side::Left => 0,
        Side::Right => 1,
    }
}

impl Scan {
    /// A new scratch file in `folder`, or in the system's folder for temporary files.
    pub async fn create(folder: Option<&Path>) -> Result<Self, Error> {
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_path_buf);
        blocking(move || {
            let file = tempfile::Builder::new()
                .prefix("syncline-scan-")
                .tempfile_in(folder)?
                .into_temp_path();
            let connection = Connection::open(&file)?;
            connection.execute_batch(TABLES)?;
            Ok(Self {
                connection: Arc::new(Shared::new(connection, file)),
            })
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = Arc::clone(&self.connection);
        blocking(move || work(&mut *shared.lock()?)).await
    }

    /// Adds listed records of one side. A record that a listing repeats counts once, as it came last.
    pub async fn add(&self, side: Side, rows: Vec<Row>) -> Result<(), Error> {
        let side = number(side);
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            {
                let insert = "insert or replace into row (side, id, hashes, outside) values (?, ?, ?, ?)";
                let mut insert = transaction.prepare_cached(insert)?;
                let key = "insert or ignore into rule (side, rule, hash, id) values (?, ?, ?, ?)";
                let mut key = transaction.prepare_cached(key)?;
                for row in &rows {
                    insert.execute(params![side, row.id, row.hashes, row.is_outside])?;
                    if row.is_outside {
                        continue;
                    }
                    for (rule, hash) in (0_i64..).zip(&row.match_keys) {
                        if let Some(hash) = hash {
                            key.execute(params![side, rule, hash.cast_signed(), row.id])?;
                        }
                    }
                }
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    /// Adds links.
    pub async fn add_pairs(&self, pairs: Vec<Pair>) -> Result<(), Error> {
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            {
                let insert = "insert or replace into pair (link_id, left_id, right_id, left_agreed, right_agreed) \
                    values (?, ?, ?, ?, ?)";
                let mut insert = transaction.prepare_cached(insert)?;
                for pair in &pairs {
                    let (left, right) = (&pair.left_agreed, &pair.right_agreed);
                    insert.execute(params![pair.link_id, pair.left_id, pair.right_id, left, right])?;
                }
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    /// How many records and links there are.
    pub async fn counts(&self) -> Result<Counts, Error> {
        self.with(|connection| {
            let count = |sql: &str| {
                connection
                    .query_row(sql, [], |row| row.get::<_, i64>(0))
                    .map(i64::cast_unsigned)
            };
            Ok(Counts {
                left: count("select count(*) from row where side = 0")?,
                right: count("select count(*) from row where side = 1")?,
                pairs: count("select count(*) from pair")?,
            })
        })
        .await
    }

    /// Linked pairs after `link_id` that are not exactly as they were when both sides last agreed.
    pub async fn suspects(&self, after: i64, limit: u32) -> Result<Vec<Suspect>, Error> {
        self.with(move |connection| {
            let sql = "select p.link_id, p.left_id, p.right_id, l.id is not null, r.id is not null from pair as p \
                left join row as l on l.side = 0 and l.id = p.left_id \
                left join row as r on r.side = 1 and r.id = p.right_id \
                where p.link_id > ? and (l.id is null or r.id is null or l.outside or r.outside \
                or l.hashes is not p.left_agreed or r.hashes is not p.right_agreed \
                or l.hashes is null or r.hashes is null) order by p.link_id limit ?";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map(params![after, limit], |row| {
                Ok(Suspect {
                    link_id: row.get(0)?,
                    left_id: row.get(1)?,
                    right_id: row.get(2)?,
                    has_left: row.get(3)?,
                    has_right: row.get(4)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Listed records of one side after `id` that are in no link and pass the filter.
    pub async fn unlinked(&self, side: Side, after: &str, limit: u32) -> Result<Vec<String>, Error> {
        let after = after.to_owned();
        self.with(move |connection| {
            let column = match side {
                Side::Left => "left_id",
                Side::Right => "right_id",
            };
            let sql = format!(
                "select id from row where side = ? and id > ? and not outside \
                 and not exists (select 1 from pair where pair.{column} = row.id) order by id limit ?"
            );
            let mut select = connection.prepare_cached(&sql)?;
            let rows = select.query_map(params![number(side), after, limit], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// What the other listing has for an unlinked record of `side`: the first rule with exactly one partner wins.
    pub async fn candidates(&self, side: Side, id: &str) -> Result<Candidates, Error> {
        let id = id.to_owned();
        self.with(move |connection| {
            let sql = "select rule, hash from rule where side = ? and id = ? order by rule";
            let mut rules = connection.prepare_cached(sql)?;
            let own: Vec<(i64, i64)> = rules
                .query_map(params![number(side), id], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            let sql = "select id from rule where side = ? and rule = ? and hash = ? order by id limit 20";
            let mut partners = connection.prepare_cached(sql)?;
            let mut several = Candidates::None;
            for (rule, hash) in own {
                let found: Vec<String> = partners
                    .query_map(params![number(side.other()), rule, hash], |row| row.get(0))?
                    .collect::<Result<_, _>>()?;
                match <[String; 1]>::try_from(found) {
                    Ok([only]) => return settle(connection, side.other(), only),
                    Err(found) if found.is_empty() => {}
                    Err(found) if several == Candidates::None => several = Candidates::Several(found),
                    Err(_) => {}
                }
            }
            Ok(several)
        })
        .await
    }

    /// Remembers that a record has to be worked on.
    pub async fn add_todo(&self, side: Side, id: &str, partner: Option<&str>) -> Result<(), Error> {
        let (id, partner) = (id.to_owned(), partner.map(ToOwned::to_owned));
        self.with(move |connection| {
            let sql = "insert into todo (side, id, partner) values (?, ?, ?)";
            connection
                .prepare_cached(sql)?
                .execute(params![number(side), id, partner])?;
            Ok(())
        })
        .await
    }

    /// What has to be worked on after `todo_id`: the number, the record, and the partner found for it.
    pub async fn todos(&self, after: i64, limit: u32) -> Result<Vec<(i64, Side, String, Option<String>)>, Error> {
        self.with(move |connection| {
            let sql = "select todo_id, side, id, partner from todo where todo_id > ? order by todo_id limit ?";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map(params![after, limit], |row| {
                let side = if row.get::<_, i64>(1)? == 0 {
                    Side::Left
                } else {
                    Side::Right
                };
                Ok((row.get(0)?, side, row.get(2)?, row.get(3)?))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn settle(connection: &Connection, side: Side, id: String) -> Result<Candidates, Error> {
    let sql = match side {
        Side::Left => "select 1 from pair where left_id = ?",
        Side::Right => "select 1 from pair where right_id = ?",
    };
    let is_linked = connection
        .prepare_cached(sql)?
        .query_row([&id], |_| Ok(()))
        .optional()?
        .is_some();
    Ok(if is_linked {
        Candidates::Elsewhere(id)
    } else {
        Candidates::One(id)
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Broken)?
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, hashes: &[u8], keys: &[Option<u64>]) -> Row {
        Row {
            id: id.to_owned(),
            hashes: Some(hashes.to_vec()),
            is_outside: false,
            match_keys: keys.to_vec(),
        }
    }

    fn pair(link_id: i64, left: &str, right: &str, agreed: &[u8]) -> Pair {
        let agreed = Some(agreed.to_vec());
        let (left_agreed, right_agreed) = (agreed.clone(), agreed);
        Pair {
            link_id,
            left_id: left.to_owned(),
            right_id: right.to_owned(),
            left_agreed,
            right_agreed,
        }
    }

    #[tokio::test]
    async fn only_pairs_that_are_not_as_agreed_are_suspects() {
        let scan = Scan::create(None).await.unwrap();
        scan.add(
            Side::Left,
            vec![row("1", b"a", &[]), row("2", b"b", &[]), row("3", b"c", &[])],
        )
        .await
        .unwrap();
        scan.add(Side::Right, vec![row("A", b"a", &[]), row("B", b"x", &[])])
            .await
            .unwrap();
        let pairs = vec![
            pair(1, "1", "A", b"a"),
            pair(2, "2", "B", b"b"),
            pair(3, "3", "C", b"c"),
        ];
        scan.add_pairs(pairs).await.unwrap();
        let found: Vec<_> = scan.suspects(0, 10).await.unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|one| (one.link_id, one.has_left, one.has_right))
            .collect();
        assert_eq!(shown, [(2, true, true), (3, true, false)]);
        assert_eq!(
            scan.counts().await.unwrap(),
            Counts {
                left: 3,
                right: 2,
                pairs: 3
            }
        );
    }

    #[tokio::test]
    async fn partners_are_found_by_the_first_rule_with_exactly_one() {
        let scan = Scan::create(None).await.unwrap();
        scan.add(
            Side::Left,
            vec![row("1", b"", &[Some(7), Some(9)]), row("2", b"", &[None, Some(8)])],
        )
        .await
        .unwrap();
        let right = vec![
            row("A", b"", &[Some(7), None]),
            row("B", b"", &[Some(7), None]),
            row("C", b"", &[None, Some(9)]),
            row("D", b"", &[None, Some(8)]),
        ];
        scan.add(Side::Right, right).await.unwrap();
        assert_eq!(
            scan.candidates(Side::Left, "1").await.unwrap(),
            Candidates::One("C".into())
        );
        scan.add_pairs(vec![pair(1, "9", "D", b"")]).await.unwrap();
        assert_eq!(
            scan.candidates(Side::Left, "2").await.unwrap(),
            Candidates::Elsewhere("D".into())
        );
        assert_eq!(scan.unlinked(Side::Right, "", 10).await.unwrap(), ["A", "B", "C"]);
    }

    #[tokio::test]
    async fn a_record_that_a_listing_repeats_counts_once() {
        let scan = Scan::create(None).await.unwrap();
        scan.add(Side::Left, vec![row("1", b"a", &[]), row("1", b"b", &[])])
            .await
            .unwrap();
        assert_eq!(scan.counts().await.unwrap().left, 1);
    }
}
