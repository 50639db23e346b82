//! The inbox: every push of another system, stored before it is acknowledged.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};

use super::{
    Context, Page, Store,
    bulk::{Bulk, Filter, LIST_MAX, in_list, without_repeats},
    change::{self, NewChange},
    engine::{Args, FromRow, Row, Tx, Unread, args},
    error::Error,
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
    /// The record it lives on as, after a merge.
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
    /// The record it lives on as, after a merge.
    pub merged_into: Option<String>,
    /// The version the payload carries.
    pub version: Option<String>,
    /// How it stands.
    pub status: EventStatus,
    /// How often it was processed.
    pub attempts: u64,
    /// Why it failed last.
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
        let mut wanted = Filter::new();
        wanted.maybe("system =", filter.system.as_deref());
        wanted.maybe("object =", filter.object.as_deref());
        wanted.maybe("record_id =", filter.record_id.as_deref());
        wanted.maybe("status =", filter.status);
        wanted.maybe("received_at >=", filter.since);
        let (sql, args) = wanted.page(SELECT, "event_id", page);
        self.engine().rows(sql, args).await
    }

    /// One event.
    pub async fn event(&self, event_id: i64) -> Result<Option<Event>, Error> {
        let sql = format!("{SELECT} where event_id = $1");
        self.engine().row(sql, args![event_id]).await
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
            let list = in_list(ids, &mut args);
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

/// An event by the key that makes it unique.
struct Identity {
    event_id: i64,
    key: (String, String),
}

impl FromRow for Identity {
    const TABLE: &'static str = "event";
    const KEY: &'static str = "event_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            event_id: row.get("event_id")?,
            key: (row.get("system")?, row.get("external_id")?),
        })
    }
}

const INSERT: Bulk = Bulk {
    head: "insert into event (system, external_id, object, record_id, kind, own, merged_into, version, status, \
           occurred_at, received_at, request_id, payload)",
    tail: "on conflict (system, external_id) do nothing returning event_id, system, external_id",
};

const FIND: Bulk = Bulk {
    head: "select event_id, system, external_id from event where (system, external_id) in (",
    tail: ")",
};

/// Stores events and the changes they bring; the answers stand in the order of the events.
pub(super) async fn receive(tx: &mut Tx, context: &Context<'_>, events: &[&NewEvent]) -> Result<Vec<Received>, Error> {
    let rows = events
        .iter()
        .map(|event| insert_args(context, event))
        .collect::<Result<Vec<_>, _>>()?;
    let inserted = INSERT.rows::<Identity>(tx, rows).await?;
    let mut fresh = by_key(inserted);
    let mut stored = HashMap::new();
    let mut answers = Vec::with_capacity(events.len());
    let mut changes = Vec::new();
    for event in events {
        let key = event_key(event);
        // The first of two with one key in this batch is the stored one.
        let answer = fresh.remove(&key).inspect(|event_id| {
            changes.extend(event.changes.iter().map(|change| NewChange {
                event_id: Some(*event_id),
                ..change.clone()
            }));
            stored.insert(key, *event_id);
        });
        answers.push(answer);
    }
    change::enqueue(tx, context, &changes.iter().collect::<Vec<_>>()).await?;
    expect_each(tx, &changes).await?;
    duplicates(tx, events, answers, stored).await
}

/// Remembers the changes of events that brought several, so that none of them speaks for the others.
async fn expect_each(tx: &mut Tx, changes: &[NewChange]) -> Result<(), Error> {
    let of_several = changes
        .chunk_by(|a, b| a.event_id == b.event_id)
        .filter(|of_one| of_one.len() > 1);
    let ends = of_several.flatten().filter_map(|change| {
        let event_id = change.event_id?;
        Some((event_id, &*change.key.mapping, change.key.side))
    });
    expect(tx, ends.collect()).await
}

/// Remembers the changes of an event: its id, the mapping and the side of each.
async fn expect(tx: &mut Tx, ends: Vec<(i64, &str, Side)>) -> Result<(), Error> {
    const EXPECT: Bulk = Bulk {
        head: "insert into event_change (event_id, mapping, side, status)",
        tail: "on conflict (event_id, mapping, side) do nothing",
    };
    let rows = ends
        .into_iter()
        .map(|(event_id, mapping, side)| args![event_id, mapping, side, EventStatus::Queued]);
    EXPECT.execute(tx, rows.collect()).await?;
    Ok(())
}

/// An event that was received turns into changes, which are enqueued beside this.
#[derive(Debug, Clone)]
pub struct QueuedEvent {
    /// The event.
    pub event_id: i64,
    /// The mapping and side of each change.
    pub ends: Vec<(Arc<str>, Side)>,
}

/// Stores which changes received events have turned into.
pub(super) async fn queue(tx: &mut Tx, events: &[&QueuedEvent]) -> Result<(), Error> {
    const QUEUE: Bulk = Bulk {
        head: "update event set status = 'queued' where status = 'received' and event_id in (",
        tail: ")",
    };
    let several = events.iter().filter(|event| event.ends.len() > 1);
    let ends = several.flat_map(|event| {
        let ends = event.ends.iter();
        ends.map(|(mapping, side)| (event.event_id, &**mapping, *side))
    });
    expect(tx, ends.collect()).await?;
    QUEUE
        .execute(tx, events.iter().map(|event| args![event.event_id]).collect())
        .await?;
    Ok(())
}

fn insert_args<'q>(context: &Context<'_>, event: &'q NewEvent) -> Result<Args<'q>, Error> {
    let row = payload_row(&event.system, &event.external_id);
    let payload = event
        .payload
        .as_ref()
        .map(|plain| context.sealer.seal(payload_place(&row), plain))
        .transpose()?;
    let status = match (event.changes.is_empty(), event.own) {
        (false, _) => EventStatus::Queued,
        (true, true) => EventStatus::Ignored,
        (true, false) => EventStatus::Received,
    };
    Ok(args![
        &event.system,
        &event.external_id,
        &event.object,
        &event.record_id,
        event.kind,
        event.own,
        &event.merged_into,
        &event.version,
        status,
        event.occurred_at,
        context.now,
        &event.request_id,
        payload,
    ])
}

/// Fills in the ids of events that were stored before.
async fn duplicates(
    tx: &mut Tx,
    events: &[&NewEvent],
    answers: Vec<Option<i64>>,
    mut known: HashMap<(String, String), i64>,
) -> Result<Vec<Received>, Error> {
    let unknown = events
        .iter()
        .zip(&answers)
        .filter(|(event, answer)| answer.is_none() && !known.contains_key(&event_key(event)))
        .map(|(event, _)| args![&event.system, &event.external_id])
        .collect::<Vec<_>>();
    known.extend(by_key(FIND.rows::<Identity>(tx, unknown).await?));
    events
        .iter()
        .zip(answers)
        .map(|(event, answer)| {
            answer.map(Received::Stored).map_or_else(
                || {
                    known
                        .get(&event_key(event))
                        .map(|event_id| Received::Duplicate(*event_id))
                        .ok_or_else(|| Error::Busy {
                            what: "the first of two equal events is being stored or pruned".into(),
                        })
                },
                Ok,
            )
        })
        .collect()
}

fn by_key(rows: Vec<Identity>) -> HashMap<(String, String), i64> {
    rows.into_iter().map(|row| (row.key, row.event_id)).collect()
}

/// The key as it is stored.
fn event_key(event: &NewEvent) -> (String, String) {
    let stored = |text: &str| text.replace('\0', "\u{fffd}");
    (stored(&event.system), stored(&event.external_id))
}

/// Puts events back into the queue because a person says so; what went wrong before stays on record until then.
pub(super) async fn requeue(tx: &mut Tx, event_ids: &[i64]) -> Result<(), Error> {
    const REQUEUE: Bulk = Bulk {
        head: "update event set status = 'queued' where status in ('received', 'failed') and event_id in (",
        tail: ")",
    };
    REQUEUE
        .execute(tx, event_ids.iter().map(|event_id| args![*event_id]).collect())
        .await?;
    Ok(())
}

/// Stores outcomes.
pub(super) async fn finish(tx: &mut Tx, context: &Context<'_>, outcomes: &[&FinishedEvent]) -> Result<(), Error> {
    const CHANGE: Bulk = Bulk {
        head: "update event_change set status = v.column2 from (",
        tail: ") as v join event_change as own on own.event_id = v.column1 and own.mapping = v.column3 \
               and own.side = v.column4 \
               join event as last on last.event_id = v.column1 \
               join event as e on e.system = last.system and e.object = last.object \
               and e.record_id = last.record_id and (e.event_id = last.event_id \
               or (e.event_id < last.event_id and e.status = 'queued')) \
               where event_change.event_id = e.event_id and event_change.mapping = v.column3 \
               and event_change.side = v.column4",
    };
    // Of the statuses that a change leaves, the last in the alphabet is that of the whole: done, failed, queued.
    const EVENT: Bulk = Bulk {
        head: "update event set attempts = event.attempts + 1, processed_at = v.column4, processing_ms = v.column5, \
               status = coalesce((select max(c.status) from event_change as c where c.event_id = event.event_id), \
               v.column2), last_error = case when v.column3 is null and exists (select 1 from event_change as c \
               where c.event_id = event.event_id and c.status <> 'done') then event.last_error else v.column3 end \
               from (",
        tail: ") as v where event.event_id = v.column1",
    };
    const EARLIER: Bulk = Bulk {
        head: "update event set attempts = event.attempts + 1, processed_at = v.column4, processing_ms = v.column5, \
               status = coalesce((select max(c.status) from event_change as c where c.event_id = event.event_id), \
               v.column2), last_error = case when v.column3 is null and exists (select 1 from event_change as c \
               where c.event_id = event.event_id and c.status <> 'done') then event.last_error else v.column3 end \
               from (",
        tail: ") as v join event as last on last.event_id = v.column1 \
               where event.system = last.system and event.object = last.object and event.record_id = last.record_id \
               and event.event_id < last.event_id and event.status = 'queued'",
    };
    let of_changes = outcomes.iter().filter_map(|outcome| {
        let key = outcome.change.as_ref()?;
        // For the event as a whole, a change that needed nothing is one that is done.
        let status = match outcome.status {
            EventStatus::Ignored => EventStatus::Done,
            other => other,
        };
        Some(args![outcome.event_id, status, &key.mapping, key.side])
    });
    CHANGE.execute(tx, of_changes.collect()).await?;
    // One statement touches an event once, however many of its changes end in this submission.
    for group in without_repeats(outcomes, |outcome| outcome.event_id) {
        let rows = || {
            group
                .iter()
                .map(|outcome| {
                    args![
                        outcome.event_id,
                        outcome.status,
                        &outcome.last_error,
                        context.now,
                        super::engine::int(outcome.processing_ms),
                    ]
                })
                .collect::<Vec<_>>()
        };
        EVENT.execute(tx, rows()).await?;
        EARLIER.execute(tx, rows()).await?;
    }
    Ok(())
}
