//! Cursors: how far a poll has read. Moved only by a submission that also holds what was read.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    Context, Store,
    bulk::{Bulk, without_repeats},
    engine::{FromRow, Row, Tx, Unread, args},
    error::Error,
};
use crate::core::status::Side;

/// How far a side of a mapping was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The place, in the poll's own form.
    pub value: String,
    /// When it was moved there.
    pub updated_at: DateTime<Utc>,
}

/// A cursor's new place.
#[derive(Debug, Clone)]
pub struct MovedCursor {
    /// The mapping.
    pub mapping: Arc<str>,
    /// The side that is polled.
    pub side: Side,
    /// The place, in the poll's own form.
    pub value: String,
}

impl FromRow for Cursor {
    const TABLE: &'static str = "cursor";
    const KEY: &'static str = "value";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            value: row.get("value")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

impl Store {
    /// How far a side was read; none before the first poll.
    pub async fn cursor(&self, mapping: &str, side: Side) -> Result<Option<Cursor>, Error> {
        let sql = "select value, updated_at from cursor where mapping = $1 and side = $2";
        self.engine().row(sql, args![mapping, side]).await
    }

    /// Forgets how far a side was read, so that the next poll begins anew.
    pub async fn reset_cursor(&self, mapping: &str, side: Side) -> Result<(), Error> {
        let sql = "delete from cursor where mapping = $1 and side = $2";
        self.engine().execute(sql, args![mapping, side]).await.map(drop)
    }
}

/// Moves cursors.
pub(super) async fn set(tx: &mut Tx, context: &Context<'_>, cursors: &[&MovedCursor]) -> Result<(), Error> {
    const SET: Bulk = Bulk {
        head: "insert into cursor (mapping, side, value, updated_at)",
        tail: "on conflict (mapping, side) do update set value = excluded.value, updated_at = excluded.updated_at",
    };
    for group in without_repeats(cursors, |cursor| (&cursor.mapping, cursor.side)) {
        let rows = group
            .iter()
            .map(|cursor| args![&cursor.mapping, cursor.side, &cursor.value, context.now]);
        SET.execute(tx, rows.collect()).await?;
    }
    Ok(())
}
