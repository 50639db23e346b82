//! Subscriptions to other systems' pushes, as they were last seen or made.

use chrono::{DateTime, Utc};

use super::{
    Store,
    engine::{Durability, FromRow, Row, Unread, args},
    error::Error,
};

/// A subscription as it was last seen or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSubscription {
    /// The system's id of it.
    pub remote_id: String,
    /// What it is subscribed to.
    pub topic: String,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
}

struct Kept(KeptSubscription);

impl FromRow for Kept {
    const TABLE: &'static str = "subscription";
    const KEY: &'static str = "remote_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self(KeptSubscription {
            remote_id: row.get("remote_id")?,
            topic: row.get("topic")?,
            expires_at: row.maybe_time("expires_at")?,
        }))
    }
}

impl Store {
    /// The subscriptions of a system, by topic.
    pub async fn subscriptions(&self, system: &str) -> Result<Vec<KeptSubscription>, Error> {
        let sql = "select remote_id, topic, expires_at from subscription where system = $1 order by topic, remote_id";
        let rows = self.engine().rows::<Kept>(sql, args![system]).await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// Keeps these as all subscriptions of a system.
    pub async fn keep_subscriptions(&self, system: &str, all: &[KeptSubscription]) -> Result<(), Error> {
        let now = self.now();
        let mut tx = self.engine().begin(Durability::Durable).await?;
        tx.execute("delete from subscription where system = $1", args![system])
            .await?;
        for one in all {
            let sql = "insert into subscription (system, remote_id, topic, expires_at, seen_at) values ($1, $2, $3, $4, $5) \
                 on conflict (system, remote_id) do nothing";
            tx.execute(sql, args![system, &one.remote_id, &one.topic, one.expires_at, now])
                .await?;
        }
        tx.commit().await
    }
}
