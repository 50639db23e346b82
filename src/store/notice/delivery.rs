//! Deliveries: each notice to each target, until it is taken or given up.
//!
//! ```text
//!   pending ──claim──▶ being sent ──▶ sent
//!      ▲                   │
//!      │◀── failed, later ─┤
//!      │                   └────────▶ dead ──resend──▶ pending
//!      └── claimed and never ended: due again when the claim is over
//! ```

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{
    core::{notice::Letter, status::DeliveryStatus},
    store::{
        Op, Store,
        engine::{FromRow, Number, Row, Unread, args, int},
        error::Error,
    },
};

/// How a notice stands with one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Our id of it.
    pub notice_delivery_id: i64,
    /// The notice.
    pub notice_id: i64,
    /// The target's name.
    pub target: String,
    /// How it stands.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: u64,
    /// When it is tried next; of no meaning once it is sent or dead.
    pub next_attempt_at: DateTime<Utc>,
    /// When it was last tried.
    pub last_attempt_at: Option<DateTime<Utc>>,
    /// Why that did not go well.
    pub last_error: Option<String>,
    /// When it was taken or given up.
    pub ended_at: Option<DateTime<Utc>>,
}

impl FromRow for Delivery {
    const TABLE: &'static str = "notice_delivery";
    const KEY: &'static str = "notice_delivery_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            notice_delivery_id: row.get("notice_delivery_id")?,
            notice_id: row.get("notice_id")?,
            target: row.get("target")?,
            status: row.get("status")?,
            attempts: row.count("attempts")?,
            next_attempt_at: row.time("next_attempt_at")?,
            last_attempt_at: row.maybe_time("last_attempt_at")?,
            last_error: row.get("last_error")?,
            ended_at: row.maybe_time("ended_at")?,
        })
    }
}

/// A delivery that was claimed, with all that is needed to send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueDelivery {
    /// Our id of it.
    pub notice_delivery_id: i64,
    /// The target's name.
    pub target: String,
    /// The number of this try, from 1.
    pub attempt: u64,
    /// Until when it is tried.
    pub until: DateTime<Utc>,
    /// Names the notice.
    pub event_id: String,
    /// The document that programs get.
    pub payload: String,
    /// What people get.
    pub letter: Letter,
    /// When the change was seen.
    pub occurred_at: DateTime<Utc>,
}

impl FromRow for DueDelivery {
    const TABLE: &'static str = "notice_delivery";
    const KEY: &'static str = "notice_delivery_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            notice_delivery_id: row.get("notice_delivery_id")?,
            target: row.get("target")?,
            attempt: row.count("attempts")?,
            until: row.time("until")?,
            event_id: row.get("event_id")?,
            payload: row.get("payload")?,
            letter: Letter {
                subject: row.get("letter_subject")?,
                body: row.get("letter_body")?,
            },
            occurred_at: row.time("occurred_at")?,
        })
    }
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedDelivery {
    /// The delivery.
    pub notice_delivery_id: i64,
    /// The try: a claim that was over in the meantime decides nothing any more.
    pub attempt: u64,
    /// How it stands.
    pub status: DeliveryStatus,
    /// When it is tried next, if it is pending.
    pub next_attempt_at: DateTime<Utc>,
    /// Why it did not go well.
    pub last_error: Option<String>,
}

/// How a target is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetStats {
    /// The target's name.
    pub target: String,
    /// Deliveries that are to be sent.
    pub pending: u64,
    /// Of these, those that were tried without success.
    pub failing: u64,
    /// Deliveries that were given up.
    pub dead: u64,
    /// Why the last one of these did not go well.
    pub last_error: Option<String>,
}

impl FromRow for TargetStats {
    const TABLE: &'static str = "notice_delivery";
    const KEY: &'static str = "target";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            target: row.get("target")?,
            pending: row.count("pending")?,
            failing: row.count("failing")?,
            dead: row.count("dead")?,
            last_error: row.get("last_error")?,
        })
    }
}

impl Store {
    /// Claims deliveries that are due, each for as long as `ttl`, and counts a try of each. What was told first about a thing
    /// is sent first: a later notice about it waits.
    pub async fn claim_notices(&self, limit: u32, ttl: Duration) -> Result<Vec<DueDelivery>, Error> {
        let due = "select d.notice_delivery_id from notice_delivery as d join notice as n on n.notice_id = d.notice_id \
             where d.status = 'pending' and d.next_attempt_at <= $1 and not exists (\
             select 1 from notice_delivery as e join notice as m on m.notice_id = e.notice_id \
             where e.status = 'pending' and e.target = d.target and e.notice_delivery_id < d.notice_delivery_id \
             and m.condition = n.condition and m.subject = n.subject) \
             order by d.notice_delivery_id limit $3";
        // Two nodes must not take the same row; SQLite has one writer.
        let lock = self.engine().pick("", " for update of d skip locked");
        let sql = format!(
            "update notice_delivery set attempts = attempts + 1, last_attempt_at = $1, next_attempt_at = $2 \
             where notice_delivery_id in ({due}{lock}) returning notice_delivery_id as number"
        );
        let now = self.now();
        let args = args![now, now.saturating_add(int(ttl.as_millis())), i64::from(limit)];
        let mut claimed = Vec::new();
        for Number(id) in self.engine().write::<Number>(sql, args).await? {
            let sql = "select d.notice_delivery_id, d.target, d.attempts, d.until, n.event_id, n.payload, \
                 n.letter_subject, n.letter_body, n.occurred_at from notice_delivery as d join notice as n on n.notice_id = d.notice_id \
                 where d.notice_delivery_id = $1";
            claimed.extend(self.engine().row::<DueDelivery>(sql, args![id]).await?);
        }
        claimed.sort_by_key(|delivery| delivery.notice_delivery_id);
        Ok(claimed)
    }

    /// Stores what became of a try; whether it still was ours.
    pub async fn finish_notice(&self, finished: &FinishedDelivery) -> Result<bool, Error> {
        let sql = "update notice_delivery set status = $3, next_attempt_at = $4, last_error = $5, \
             ended_at = case when $3 = 'pending' then null else cast($6 as bigint) end \
             where notice_delivery_id = $1 and attempts = $2 and status = 'pending'";
        let args = args![
            finished.notice_delivery_id,
            int(finished.attempt),
            finished.status,
            finished.next_attempt_at,
            &finished.last_error,
            self.now()
        ];
        Ok(self.engine().execute(sql, args).await? > 0)
    }

    /// The deliveries of a notice, by target.
    pub async fn notice_deliveries(&self, notice_id: i64) -> Result<Vec<Delivery>, Error> {
        let sql = "select notice_delivery_id, notice_id, target, status, attempts, next_attempt_at, last_attempt_at, \
             last_error, ended_at from notice_delivery where notice_id = $1 order by target";
        self.engine().rows(sql, args![notice_id]).await
    }

    /// Has what was given up sent again, from now on for as long as `kept`: of one notice or of all, to one target or to all;
    /// how many deliveries. `with` says what goes with so many.
    pub async fn resend_notices(
        &self,
        notice_id: Option<i64>,
        target: Option<&str>,
        kept: Duration,
        with: impl FnOnce(u64) -> Vec<Op> + Send,
    ) -> Result<u64, Error> {
        let sql = "update notice_delivery set status = 'pending', attempts = 0, next_attempt_at = $1, until = $2, \
             ended_at = null where status = 'dead' and notice_id = coalesce($3, notice_id) \
             and target = coalesce($4, target)";
        let now = self.now();
        let args = args![now, now.saturating_add(int(kept.as_millis())), notice_id, target];
        self.decide(sql, args, with).await
    }

    /// How every target is doing that is owed something.
    pub async fn notice_targets(&self) -> Result<Vec<TargetStats>, Error> {
        let sql = "select d.target, \
             cast(sum(case when d.status = 'pending' then 1 else 0 end) as bigint) as pending, \
             cast(sum(case when d.status = 'pending' and d.last_error is not null then 1 else 0 end) as bigint) as failing, \
             cast(sum(case when d.status = 'dead' then 1 else 0 end) as bigint) as dead, \
             (select e.last_error from notice_delivery as e where e.target = d.target and e.status <> 'sent' \
             and e.last_error is not null order by e.last_attempt_at desc limit 1) as last_error \
             from notice_delivery as d where d.status in ('pending', 'dead') group by d.target order by d.target";
        self.engine().rows(sql, args![]).await
    }
}
