//! What one node sees and no other can.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{
    core::status::NoticeCondition,
    store::{
        Store,
        engine::{Durability, FromRow, Row, Unread, args, int},
        error::Error,
    },
};

/// A mapping that rests, or a system that does not answer, as one node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// The condition.
    pub condition: NoticeCondition,
    /// The mapping or system.
    pub subject: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why, with its code; without personal data.
    pub reason: Option<String>,
}

impl FromRow for Sign {
    const TABLE: &'static str = "notice_sign";
    const KEY: &'static str = "subject";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            condition: row.get("condition")?,
            subject: row.get("subject")?,
            since: row.time("since")?,
            reason: row.get("reason")?,
        })
    }
}

impl Store {
    /// Stores what this node sees now, in the place of what it saw before.
    pub async fn put_notice_signs(&self, signs: &[Sign]) -> Result<(), Error> {
        let (now, node) = (self.now(), self.node());
        let mut tx = self.engine().begin(Durability::Relaxed).await?;
        tx.execute("delete from notice_sign where node = $1", args![node])
            .await?;
        for sign in signs {
            let sql = "insert into notice_sign (node, condition, subject, since, reason, seen_at) \
                 values ($1, $2, $3, $4, $5, $6) on conflict (node, condition, subject) do nothing";
            let args = args![node, sign.condition, &sign.subject, sign.since, &sign.reason, now];
            tx.execute(sql, args).await?;
        }
        tx.commit().await
    }

    /// What the nodes see that have said so within `fresh`; the longest first.
    pub async fn notice_signs(&self, fresh: Duration) -> Result<Vec<Sign>, Error> {
        let sql = "select condition, subject, since, reason from notice_sign where seen_at > $1 order by since";
        let from = self.now().saturating_sub(int(fresh.as_millis()));
        self.engine().rows(sql, args![from]).await
    }
}
