//! The inbox: every push of another system, stored before it is acknowledged.

pub mod minute;
mod receive;
mod step;

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};

pub(super) use self::{
    receive::{receive, receive_at_once},
    step::{finish, queue, requeue},
};
use super::{
    Page, Store,
    bulk::{Filter, LIST_MAX},
    change::NewChange,
    engine::{FromRow, Row, Unread, args},
    error::Error,
    scope::newest,
    seal::Place,
};
use crate::core::{
    record::RecordKey,
    status::{EventKind, EventStatus, Side},
};

/// A push to be stored.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The system that sent it.
    pub system: Arc<str>,
    /// The sender's id of the event; a second one with the same id is a duplicate.
    pub external_id: String,
    /// The object concerned.
    pub object: String,
    /// The record concerned; none when the event says "read again".
    pub record_id: Option<String>,
    /// What is said to have happened.
    pub kind: EventKind,
    /// Whether our own integration user caused it.
    pub own: bool,
    /// The record it lives on as, after a merge or under a new id.
    pub merged_into: Option<String>,
    /// The version the payload carries.
    pub version: Option<String>,
    /// When the sender says it happened.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The request that brought it.
    pub request_id: String,
    /// The raw payload, kept sealed; none where the record is read anyway.
    pub payload: Option<Vec<u8>>,
    /// Changes to enqueue with it, in the same transaction, unless it is a duplicate. The event is `queued` then,
    /// `ignored` without changes if it is our own, and `received` otherwise.
    pub changes: Vec<NewChange>,
}

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// Stored with this id.
    Stored(i64),
    /// Stored before, with this id.
    Duplicate(i64),
}

/// A stored push, without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Our id of it.
    pub event_id: i64,
    /// The system that sent it.
    pub system: Arc<str>,
    /// The sender's id of it.
    pub external_id: String,
    /// The object concerned.
    pub object: String,
    /// The record concerned.
    pub record_id: Option<String>,
    /// What is said to have happened.
    pub kind: EventKind,
    /// Whether our own integration user caused it.
    pub own: bool,
    /// The record it lives on as, after a merge or under a new id.
    pub merged_into: Option<String>,
    /// The version the payload carries.
    pub version: Option<String>,
    /// How it stands.
    pub status: EventStatus,
    /// How often it was processed.
    pub attempts: u64,
    /// Why it failed last, or is ignored.
    pub last_error: Option<String>,
    /// When the sender says it happened.
    pub occurred_at: Option<DateTime<Utc>>,
    /// When it was stored.
    pub received_at: DateTime<Utc>,
    /// When it was last processed.
    pub processed_at: Option<DateTime<Utc>>,
    /// How long that took, in milliseconds.
    pub processing_ms: Option<u64>,
    /// The request that brought it.
    pub request_id: String,
}

/// The outcome of processing an event.
#[derive(Debug, Clone)]
pub struct FinishedEvent {
    /// The event. Earlier ones of the same record that still are `queued` share its outcome, since one look at the
    /// record answers all of them.
    pub event_id: i64,
    /// The change that ended. Where the event brought changes of several mappings, it is done when all of them are, and
    /// failed when one is; none where the outcome is that of the event as a whole.
    pub change: Option<RecordKey>,
    /// How it stands now; `Queued` when it is tried again.
    pub status: EventStatus,
    /// Why it failed.
    pub last_error: Option<String>,
    /// How long processing took, in milliseconds.
    pub processing_ms: u64,
}

/// An event that was received turns into changes, which are enqueued beside this.
#[derive(Debug, Clone)]
pub struct QueuedEvent {
    /// The event.
    pub event_id: i64,
    /// The mapping and side of each change.
    pub ends: Vec<(Arc<str>, Side)>,
}

/// Which events to list.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of this system.
    pub system: Option<String>,
    /// Of this object.
    pub object: Option<String>,
    /// Of this record.
    pub record_id: Option<String>,
    /// That stand so.
    pub status: Option<EventStatus>,
    /// Received at this time or later.
    pub since: Option<DateTime<Utc>>,
}

const SELECT: &str = "select event_id, system, external_id, object, record_id, kind, own, merged_into, version, \
     status, attempts, last_error, occurred_at, received_at, processed_at, processing_ms, request_id from event";

impl FromRow for Event {
    const TABLE: &'static str = "event";
    const KEY: &'static str = "event_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            event_id: row.get("event_id")?,
            system: row.shared("system")?,
            external_id: row.get("external_id")?,
            object: row.get("object")?,
            record_id: row.get("record_id")?,
            kind: row.get("kind")?,
            own: row.get("own")?,
            merged_into: row.get("merged_into")?,
            version: row.get("version")?,
            status: row.get("status")?,
            attempts: row.count("attempts")?,
            last_error: row.get("last_error")?,
            occurred_at: row.maybe_time("occurred_at")?,
            received_at: row.time("received_at")?,
            processed_at: row.maybe_time("processed_at")?,
            processing_ms: row
                .get::<Option<i64>>("processing_ms")?
                .and_then(|millis| u64::try_from(millis).ok()),
            request_id: row.get("request_id")?,
        })
    }
}

impl Store {
    /// Events that fit `filter`, newest first.
    pub async fn events(&self, filter: &EventFilter, page: Page) -> Result<Vec<Event>, Error> {
        let mut found = Vec::new();
        for system in self.asked_systems(filter.system.as_deref()) {
            let mut wanted = Filter::new();
            wanted.maybe("system =", system);
            wanted.maybe("object =", filter.object.as_deref());
            wanted.maybe("record_id =", filter.record_id.as_deref());
            wanted.maybe("status =", filter.status);
            wanted.maybe("received_at >=", filter.since);
            let (sql, args) = wanted.page(SELECT, "event_id", page);
            found.extend(self.engine().rows::<Event>(sql, args).await?);
        }
        Ok(newest(found, page, |event| event.event_id))
    }

    /// One event.
    pub async fn event(&self, event_id: i64) -> Result<Option<Event>, Error> {
        let sql = format!("{SELECT} where event_id = $1");
        let found = self.engine().row::<Event>(sql, args![event_id]).await?;
        Ok(found.filter(|event| self.sees_system(&event.system)))
    }

    /// Events that nobody has looked at since they were stored, oldest first.
    pub async fn events_received(&self, limit: u32) -> Result<Vec<Event>, Error> {
        let sql = format!("{SELECT} where status = 'received' order by event_id limit $1");
        self.engine().rows(sql, args![i64::from(limit)]).await
    }

    /// The payload of an event, opened; none when none was kept or it has been pruned.
    pub async fn event_payload(&self, event_id: i64) -> Result<Option<Vec<u8>>, Error> {
        let sql = "select system, external_id, payload from event where event_id = $1";
        let Some(found) = self.engine().row::<SealedPayload>(sql, args![event_id]).await? else {
            return Ok(None);
        };
        let row = payload_row(&found.system, &found.external_id);
        found
            .payload
            .map(|sealed| self.sealer().open(payload_place(&row), &sealed))
            .transpose()
    }

    /// How many events arrived of a record since `since`: tells a lost event from one that failed.
    pub async fn event_count(
        &self,
        system: &str,
        object: &str,
        record_id: &str,
        since: DateTime<Utc>,
    ) -> Result<u64, Error> {
        let sql = "select count(*) as number from event \
             where system = $1 and object = $2 and record_id = $3 and received_at >= $4";
        self.engine().count(sql, args![system, object, record_id, since]).await
    }

    /// The last event about each of these records that was no echo of our own; those without one are missing in the answer.
    pub async fn last_events(
        &self,
        system: &str,
        object: &str,
        record_ids: &[&str],
    ) -> Result<HashMap<String, LastEvent>, Error> {
        let mut found = HashMap::new();
        for ids in record_ids.chunks(LIST_MAX) {
            let mut args = args![system, object];
            let list = self.engine().in_list(ids, &mut args);
            let sql = format!(
                "select event_id, record_id, status, received_at from event where event_id in \
                 (select max(event_id) from event where system = $1 and object = $2 and not own \
                 and record_id in {list} group by record_id)"
            );
            let rows = self.engine().rows::<Last>(sql, args).await?;
            found.extend(rows.into_iter().map(|Last(id, last)| (id, last)));
        }
        Ok(found)
    }
}

/// The last event about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastEvent {
    /// Our id of it.
    pub event_id: i64,
    /// How it stands.
    pub status: EventStatus,
    /// When it was stored.
    pub received_at: DateTime<Utc>,
}

struct Last(String, LastEvent);

impl FromRow for Last {
    const TABLE: &'static str = "event";
    const KEY: &'static str = "record_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        let last = LastEvent {
            event_id: row.get("event_id")?,
            status: row.get("status")?,
            received_at: row.time("received_at")?,
        };
        Ok(Self(row.get("record_id")?, last))
    }
}

struct SealedPayload {
    system: String,
    external_id: String,
    payload: Option<Vec<u8>>,
}

impl FromRow for SealedPayload {
    const TABLE: &'static str = "event";
    const KEY: &'static str = "external_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            system: row.get("system")?,
            external_id: row.get("external_id")?,
            payload: row.get("payload")?,
        })
    }
}

fn payload_row(system: &str, external_id: &str) -> String {
    format!("{system}/{external_id}")
}

const fn payload_place(row: &str) -> Place<'_> {
    Place {
        table: "event",
        column: "payload",
        row,
    }
}
