//! The dirty set: records that have to be looked at, one row a record, however often they came up.
//!
//! ```text
//!             enqueue                claim (lock)              complete, generation unchanged
//!   (nothing) ───────▶ due ────────────────────────▶ at work ─────────────────────────────────▶ (nothing)
//!                       ▲ ▲                             │ │ complete, generation moved; release; lease ran out
//!                       │ └─────────────────────────────┘ │
//!                       │ wake, enqueue                   │ retry: due later;   wait: until the parent links
//!                       └──────────────── waiting ◀───────┘
//! ```

mod claim;
mod step;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use self::claim::FREE;
pub(super) use self::step::{
    ENQUEUE, complete, enqueue, enqueue_args, enqueue_waiting, retry, serialize_parents, wait, wake,
};
use super::{
    Store,
    bulk::Filter,
    engine::{Args, FromRow, Number, Row, Unread, args},
    error::Error,
    lock::Guard,
};
use crate::core::{
    record::RecordKey,
    status::{ChangeOrigin, EventKind},
};

/// A record to be looked at.
#[derive(Debug, Clone)]
pub struct NewChange {
    /// The record.
    pub key: RecordKey,
    /// What brought it up.
    pub origin: ChangeOrigin,
    /// What is said to have happened to it.
    pub kind: EventKind,
    /// The record it lives on as, after a merge or under a new id.
    pub merged_into: Option<String>,
    /// Smaller is sooner; live events are 0.
    pub priority: i64,
    /// Not looked at before this time; none for at once.
    pub not_before: Option<DateTime<Utc>>,
    /// The run that brought it up.
    pub run_id: Option<i64>,
    /// The event that brought it up; set by the store for changes of a [`super::event::NewEvent`].
    pub event_id: Option<i64>,
}

impl NewChange {
    /// A change to be looked at at once.
    #[must_use]
    pub const fn new(key: RecordKey, origin: ChangeOrigin, kind: EventKind) -> Self {
        Self {
            key,
            origin,
            kind,
            merged_into: None,
            priority: 0,
            not_before: None,
            run_id: None,
            event_id: None,
        }
    }
}

/// A claimed change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The record.
    pub key: RecordKey,
    /// What brought it up last.
    pub origin: ChangeOrigin,
    /// What is said to have happened to it.
    pub kind: EventKind,
    /// The record it lives on as, after a merge or under a new id.
    pub merged_into: Option<String>,
    /// How often it came up since it was last completed.
    pub generation: i64,
    /// Smaller is sooner.
    pub priority: i64,
    /// Tries that failed.
    pub attempts: u32,
    /// The run that brought it up last.
    pub run_id: Option<i64>,
    /// The newest event that brought it up.
    pub event_id: Option<i64>,
    /// When it first came up.
    pub first_at: DateTime<Utc>,
    /// Ids of the pair (left, right) if the record is linked; both records are locked then.
    pub pair: Option<(String, String)>,
    /// The lease on the record and on its partner.
    pub guard: Guard,
}

impl Change {
    /// What is needed to end the work on it.
    #[must_use]
    pub fn claim(&self) -> Claim {
        Claim {
            key: self.key.clone(),
            generation: self.generation,
            guard: self.guard.clone(),
        }
    }
}

/// The right to end the work on a change; every way to end it gives the lease back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The record.
    pub key: RecordKey,
    /// The generation that was looked at.
    pub generation: i64,
    /// The lease.
    pub guard: Guard,
}

/// Which changes to claim.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// The most changes wanted.
    pub limit: u32,
    /// How long the lease lasts.
    pub ttl: Duration,
    /// Mappings to leave alone, because a system of theirs is paused.
    pub paused: Vec<Arc<str>>,
}

/// How the queue stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Changes there are.
    pub depth: u64,
    /// Those that wait for a parent.
    pub waiting: u64,
    /// Those that are due, whether at work or not.
    pub due: u64,
    /// When the oldest that waits for no parent came up.
    pub oldest_at: Option<DateTime<Utc>>,
}

impl QueueStats {
    /// Both together.
    fn and(self, other: &Self) -> Self {
        Self {
            depth: self.depth + other.depth,
            waiting: self.waiting + other.waiting,
            due: self.due + other.due,
            oldest_at: self.oldest_at.into_iter().chain(other.oldest_at).min(),
        }
    }
}

impl FromRow for QueueStats {
    const TABLE: &'static str = "change";
    const KEY: &'static str = "depth";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            depth: row.count("depth")?,
            waiting: row.count("waiting")?,
            due: row.count("due")?,
            oldest_at: row.maybe_time("oldest_at")?,
        })
    }
}

impl Store {
    /// When the next free change is due; none when there is none. Priority by priority, along the index that claims go by.
    pub async fn next_change_at(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let sql = format!(
            "select c.not_before as number from change as c where c.waiting_mapping is null and c.priority = $2 and {FREE} \
             order by c.not_before limit 1"
        );
        let (mut next, mut after) = (None, i64::MIN);
        while let Some(priority) = self.next_priority(after).await? {
            let due = self
                .engine()
                .row::<Number>(sql.clone(), args![self.now(), priority])
                .await?;
            next = due.map(|millis| millis.0).into_iter().chain(next).min();
            after = priority;
        }
        Ok(next.and_then(DateTime::from_timestamp_millis))
    }

    /// Takes the changes of a mapping out of the dirty set without looking at them, when the mapping was removed; how
    /// many.
    pub async fn drop_changes(&self, mapping: &str) -> Result<u64, Error> {
        let sql = "delete from change where mapping = $1";
        self.engine().execute(sql, args![mapping]).await
    }

    /// How many changes wait, or are worked on, that this brought up last.
    pub async fn change_count(&self, origin: ChangeOrigin) -> Result<u64, Error> {
        let mut count = 0;
        for mapping in self.asked_mappings(None) {
            let mut wanted = Filter::new();
            wanted.maybe("mapping =", mapping);
            wanted.and("origin =", origin);
            let sql = format!("select count(*) as number from change{}", wanted.clause());
            count += self.engine().count(sql, wanted.args).await?;
        }
        Ok(count)
    }

    /// How the queue stands.
    pub async fn queue_stats(&self) -> Result<QueueStats, Error> {
        const SELECT: &str = "select count(*) as depth, count(waiting_mapping) as waiting, \
             coalesce(sum(case when waiting_mapping is null and not_before <= $1 then 1 else 0 end), 0) as due, \
             min(case when waiting_mapping is null then first_at end) as oldest_at from change";
        let mut stats = QueueStats::default();
        for mapping in self.asked_mappings(None) {
            let mut args = args![self.now()];
            let mut sql = SELECT.to_owned();
            if let Some(mapping) = mapping {
                args.push(mapping.into());
                sql.push_str(" where mapping = $2");
            }
            let found = self.engine().row::<QueueStats>(sql, args).await?;
            stats = stats.and(&found.unwrap_or_default());
        }
        Ok(stats)
    }
}

pub(in crate::store) fn key_args(key: &RecordKey) -> Args<'_> {
    args![&key.mapping, key.side, &key.record_id]
}
