//! What a crash left behind, told to the node that crashed when it starts again.

use chrono::{DateTime, Utc};

use super::{
    Access, Store,
    connect::holders,
    engine::{Durability, FromRow, Row, Unread, args},
    error::Error,
};
use crate::core::record::RecordKey;

/// A change whose processes ended while they worked on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrashedChange {
    /// The record.
    pub key: RecordKey,
    /// How often it came up since it was last completed.
    pub generation: i64,
    /// How many processes ended with it.
    pub crashes: u32,
    /// The newest event that brought it up.
    pub event_id: Option<i64>,
}

impl FromRow for CrashedChange {
    const TABLE: &'static str = "change";
    const KEY: &'static str = "record_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            key: row.key()?,
            generation: row.get("generation")?,
            crashes: u32::try_from(row.get::<i64>("crashes")?).unwrap_or(u32::MAX),
            event_id: row.get("event_id")?,
        })
    }
}

impl Store {
    /// Frees the records that earlier daemons of this node were at work on when they ended, and counts a crash for each of
    /// these changes; how many. Only the node's daemon itself may call it, at its start.
    pub async fn take_back_claims(&self) -> Result<u64, Error> {
        let mine = holders(self.node(), Access::Daemon);
        let crashed = "update change set crashes = crashes + 1, updated_at = $3 \
             where (mapping, side, record_id) in (select mapping, side, record_id from lock \
             where substr(holder, 1, length($1)) = $1 and holder <> $2)";
        let free = "delete from lock where substr(holder, 1, length($1)) = $1 and holder <> $2";
        let holder = &self.inner.holder;
        let mut tx = self.engine().begin(Durability::Durable).await?;
        let count = tx.execute(crashed, args![&mine, holder, self.now()]).await?;
        tx.execute(free, args![&mine, holder]).await?;
        tx.commit().await?;
        Ok(count)
    }

    /// Changes that at least so many processes ended with.
    pub async fn crashed_changes(&self, crashes: u32) -> Result<Vec<CrashedChange>, Error> {
        let sql = "select mapping, side, record_id, generation, crashes, event_id from change \
             where crashes >= $1 order by mapping, side, record_id limit 1000";
        self.engine().rows(sql, args![i64::from(crashes)]).await
    }

    /// Lets changes that are put off beyond `latest` be due now: no wait is so long, so their time was reckoned with a
    /// clock that was wrong. Returns how many there were.
    pub async fn pull_in_changes(&self, latest: DateTime<Utc>) -> Result<u64, Error> {
        let sql = "update change set not_before = $1 where not_before > $2";
        let count = self.engine().execute(sql, args![self.now(), latest]).await?;
        if count > 0 {
            self.inner.enqueued.notify_one();
        }
        Ok(count)
    }
}
