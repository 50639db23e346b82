//! Subscriptions to other systems' pushes, as they were last seen or made.

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;

use super::{
    Store,
    engine::{Durability, FromRow, Row, Unread, args},
    error::Error,
    seal::Place,
};
use crate::core::connector::subscription::MadeSecret;

/// A subscription as it was last seen or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSubscription {
    /// The system's id of it.
    pub remote_id: String,
    /// What it is subscribed to.
    pub topic: String,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// The secret that the system made for it. It is sealed at rest.
    pub secret: Option<MadeSecret>,
}

struct Kept {
    subscription: KeptSubscription,
    sealed: Option<Vec<u8>>,
}

impl FromRow for Kept {
    const TABLE: &'static str = "subscription";
    const KEY: &'static str = "remote_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            subscription: KeptSubscription {
                remote_id: row.get("remote_id")?,
                topic: row.get("topic")?,
                expires_at: row.maybe_time("expires_at")?,
                secret: None,
            },
            sealed: row.get("secret")?,
        })
    }
}

/// What names the row: neither part ends where the other begins.
fn row_of(system: &str, remote_id: &str) -> String {
    format!("{}/{system}/{remote_id}", system.len())
}

const fn place(row: &str) -> Place<'_> {
    Place {
        table: "subscription",
        column: "secret",
        row,
    }
}

impl Store {
    /// The subscriptions of a system, by topic. A secret that does not open any more counts as unknown.
    pub async fn subscriptions(&self, system: &str) -> Result<Vec<KeptSubscription>, Error> {
        let sql =
            "select remote_id, topic, expires_at, secret from subscription where system = $1 order by topic, remote_id";
        let rows = self.engine().rows::<Kept>(sql, args![system]).await?;
        let opened = rows.into_iter().map(|Kept { subscription, sealed }| {
            let row = row_of(system, &subscription.remote_id);
            let text = self.sealer().open_text(place(&row), sealed.as_deref());
            KeptSubscription {
                secret: text.ok().flatten().map(MadeSecret::from),
                ..subscription
            }
        });
        Ok(opened.collect())
    }

    /// Keeps these as all subscriptions of a system.
    pub async fn keep_subscriptions(&self, system: &str, all: &[KeptSubscription]) -> Result<(), Error> {
        let now = self.now();
        let mut tx = self.engine().begin(Durability::Durable).await?;
        tx.execute("delete from subscription where system = $1", args![system])
            .await?;
        for one in all {
            let sql = "insert into subscription (system, remote_id, topic, expires_at, seen_at, secret) \
                 values ($1, $2, $3, $4, $5, $6) on conflict (system, remote_id) do nothing";
            let row = row_of(system, &one.remote_id);
            let secret = one.secret.as_ref().map(|secret| secret.text().expose_secret());
            let sealed = self.sealer().seal_text(place(&row), secret)?;
            tx.execute(
                sql,
                args![system, &one.remote_id, &one.topic, one.expires_at, now, sealed],
            )
            .await?;
        }
        tx.commit().await
    }
}
