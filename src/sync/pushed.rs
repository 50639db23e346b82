//! Events that carry the whole record: then it is not read, unless what came may not be the last word.
//!
//! A push is believed only where it is newer than what the link of its record knows, and only together with every other push
//! of the record that waits: they come in any order. Whatever cannot be put in order is read, as without a payload.

use std::cmp::Ordering;

use super::Engine;
use crate::{
    client::System,
    core::{
        mapping::Mapping,
        record::Record,
        status::{ChangeOrigin, EventKind, EventStatus, LinkStatus, Side},
        value::{Map, Value, json},
        version::State,
    },
    store::{
        self, Op, Page,
        change::Change,
        event::{Event, EventFilter, FinishedEvent},
        link::StoredLink,
    },
};

/// The most waiting pushes of one record that are weighed against each other; one that changes so fast is read.
const EVENTS_MAX: u32 = 50;

/// What the pushes of a record are worth.
#[derive(Debug)]
pub enum Word {
    /// Nothing that can be relied on: the record is read.
    Read,
    /// One is newer than what is known, and than all others.
    News(News),
    /// None is newer than what is known.
    Stale(Vec<Stale>),
}

/// The newest push of a record.
#[derive(Debug)]
pub struct News {
    /// The record, as it was pushed.
    pub record: Record,
    /// Pushes that are older.
    pub stale: Vec<Stale>,
}

/// A push that is not newer than what is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// The event.
    pub event_id: i64,
    /// Why it is not applied.
    pub reason: String,
}

/// Weighs the pushes that brought a change up.
pub async fn weigh(engine: &Engine, mapping: &Mapping, change: &Change) -> Result<Word, store::Error> {
    let side = change.key.side;
    let end = mapping.end(side);
    let Some(system) = engine.system(&end.system) else {
        return Ok(Word::Read);
    };
    let connector = system.connector();
    let is_complete = connector
        .webhooks
        .as_ref()
        .is_some_and(|webhooks| webhooks.is_complete());
    if !is_complete || change.origin != ChangeOrigin::Event {
        return Ok(Word::Read);
    }
    let store = engine.store();
    let link = store.link_by(&mapping.name, side, &change.key.record_id).await?;
    let Some(link) = link.filter(|link| link.link.status == LinkStatus::Linked) else {
        return Ok(Word::Read);
    };
    let filter = EventFilter {
        system: Some(end.system.clone()),
        object: Some(end.object.clone()),
        record_id: Some(change.key.record_id.clone()),
        status: Some(EventStatus::Queued),
        since: None,
    };
    let events = store.events(&filter, Page::first(EVENTS_MAX)).await?;
    // Somebody else wants the record looked at, too: a poll, a person, a parent that was linked.
    if i64::try_from(events.len()).ok() != Some(change.generation) {
        return Ok(Word::Read);
    }
    let mut pushes = Vec::with_capacity(events.len());
    for event in events {
        let Some(push) = push(engine, system, event).await? else {
            return Ok(Word::Read);
        };
        pushes.push(push);
    }
    Ok(judge(known(&link, side), pushes))
}

/// An event and the record it carries.
struct Push {
    event: Event,
    record: Record,
}

async fn push(engine: &Engine, system: &System, event: Event) -> Result<Option<Push>, store::Error> {
    if !matches!(event.kind, EventKind::Created | EventKind::Updated) {
        return Ok(None);
    }
    let Some(payload) = engine.store().event_payload(event.event_id).await? else {
        return Ok(None);
    };
    let fields: Map = match json::parse(&payload, &json::Limits::default()) {
        Ok(Value::Map(fields)) => fields,
        _ => return Ok(None),
    };
    let record = system.pushed(&event.object, fields);
    let Some(mut record) = record.filter(|record| Some(&record.id) == event.record_id.as_ref()) else {
        return Ok(None);
    };
    record.version = record.version.or_else(|| event.version.clone());
    Ok(Some(Push { event, record }))
}

fn state(record: &Record) -> State<'_> {
    State {
        version: record.version.as_deref(),
        updated_at: record.updated_at,
    }
}

fn known(link: &StoredLink, side: Side) -> State<'_> {
    let (version, updated_at) = match side {
        Side::Left => (&link.left_version, link.left_updated_at),
        Side::Right => (&link.right_version, link.right_updated_at),
    };
    State {
        version: version.as_deref(),
        updated_at,
    }
}

fn judge(known: State<'_>, pushes: Vec<Push>) -> Word {
    let mut newest: Option<Push> = None;
    let mut stale = Vec::new();
    for push in pushes {
        match state(&push.record).compare(known) {
            None => return Word::Read,
            Some(Ordering::Less | Ordering::Equal) => {
                stale.push(outdated(&push, known));
                continue;
            }
            Some(Ordering::Greater) => {}
        }
        let Some(best) = newest.take() else {
            newest = Some(push);
            continue;
        };
        let (newer, older) = match state(&push.record).compare(state(&best.record)) {
            None => return Word::Read,
            Some(Ordering::Greater) => (push, best),
            Some(Ordering::Less | Ordering::Equal) => (best, push),
        };
        stale.push(outdated(&older, state(&newer.record)));
        newest = Some(newer);
    }
    match newest {
        None => Word::Stale(stale),
        Some(push) => Word::News(News {
            record: push.record,
            stale,
        }),
    }
}

fn outdated(push: &Push, than: State<'_>) -> Stale {
    let shown = |state: State<'_>| match (state.version, state.updated_at) {
        (Some(version), _) => format!("version {version}"),
        (None, Some(at)) => format!("the state of {}", at.to_rfc3339()),
        (None, None) => "an unknown state".to_owned(),
    };
    let (own, than) = (shown(state(&push.record)), shown(than));
    Stale {
        event_id: push.event.event_id,
        reason: format!("stale: it carries {own}, and {than} is known; nothing of it was applied"),
    }
}

/// Stores that a push was not applied, and why.
pub fn dropped<'a>(change: &'a Change, stale: &'a [Stale]) -> impl Iterator<Item = Op> + 'a {
    stale.iter().map(|one| {
        Op::FinishEvent(FinishedEvent {
            event_id: one.event_id,
            change: Some(change.key.clone()),
            status: EventStatus::Ignored,
            last_error: Some(one.reason.clone()),
            processing_ms: 0,
        })
    })
}
