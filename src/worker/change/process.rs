//! One change, from the claim to what is stored about it.

use std::{sync::Arc, time::Instant};

use chrono::TimeDelta;

use super::{
    Limits,
    moved::{Moved, moved},
};
use crate::{
    client::{self, Meter, Road},
    core::{
        fault::Fault,
        mapping::Mapping,
        status::{ChangeOrigin, EventStatus, FailureClass, FailureStatus, Side, Stage},
    },
    metrics::Metrics,
    store::{self, Op, change::Change, event::FinishedEvent, failure::NewFailure, run::Counters},
    sync::{
        Engine,
        fetch::Look,
        pushed::{self, News, Stale, Word},
        record::{self, Deletes, Ending, Synced, Terms},
    },
};

/// The wait before a change is tried again whose outcome our own store refused.
const STORE_WAIT: TimeDelta = TimeDelta::seconds(5);

/// The wait for the answer to a create, before a record is looked at again that it may have made.
const MADE_WAIT: TimeDelta = TimeDelta::seconds(1);

/// What became of a change.
#[derive(Debug, Default)]
pub(super) struct Worked {
    /// What it counts for in its run.
    pub(super) counters: Counters,
    /// The fault of a system, not of the record: the change was given back, and its mapping is to rest.
    pub(super) pause: Option<Fault>,
}

/// Looks at the record, does what its plan says, and stores what came of it.
pub(super) async fn process(
    engine: &Engine,
    limits: Limits,
    metrics: &Metrics,
    change: &Change,
    run_id: Option<i64>,
) -> Result<Worked, store::Error> {
    let Some(mapping) = engine.mapping(&change.key.mapping).cloned() else {
        engine.store().commit(vec![Op::ReleaseChange(change.claim())]).await?;
        return Ok(Worked::default());
    };
    let started = Instant::now();
    let faulty = match moved(engine, &mapping, change).await? {
        Moved::Settled(mut ops) => {
            ops.push(Op::CompleteChange(change.claim()));
            ops.extend(finished(change, EventStatus::Done, None, started));
            engine.store().commit(ops).await?;
            return Ok(Worked::default());
        }
        Moved::Unread(fault) => Some(fault),
        Moved::Look => None,
    };
    let news = match pushed::weigh(engine, &mapping, change).await? {
        Word::Read => None,
        Word::News(news) => Some(news),
        Word::Stale(stale) => return drop_all(engine, change, run_id, &stale).await,
    };
    let meter: Arc<Meter> = Arc::default();
    let work = meter.measure(look_at(engine, &mapping, change, news.as_ref(), run_id));
    let mut synced = match faulty {
        Some(fault) => Synced::unplanned(Vec::new(), fault),
        None => client::within(limits.change_time_max, work).await?,
    };
    (synced.counters.requests, synced.counters.bytes) = meter.take();
    if let Some(fault) = of_a_system(engine, &mapping, &synced) {
        let mut ops = synced.ops;
        ops.push(Op::ReleaseChange(change.claim()));
        ops.extend(finished(change, EventStatus::Queued, Some(fault.to_string()), started));
        let counters = Counters {
            requests: synced.counters.requests,
            bytes: synced.counters.bytes,
            ..Counters::default()
        };
        ops.extend(run_id.map(|run_id| Op::AddCounters { run_id, counters }));
        record::store_all(engine, ops).await?;
        return Ok(Worked {
            counters,
            pause: Some(fault),
        });
    }
    if is_nowhere(change, &synced) && may_come_up(engine, change).await? {
        let mut ops = synced.ops;
        ops.push(Op::RetryChange {
            claim: change.claim(),
            not_before: engine.clock().now() + MADE_WAIT,
        });
        ops.extend(finished(change, EventStatus::Queued, None, started));
        record::store_all(engine, ops).await?;
        return Ok(Worked::default());
    }
    if let Ending::Failed(faults) = &synced.ending
        && let Some(fault) = faults.first()
    {
        metrics.failure(&mapping.name, fault.class);
        tracing::info!(%fault, "not synchronized");
    }
    let mut ops = record::conclude(engine, change, run_id, &synced, started.elapsed()).await?;
    let counters = synced.counters;
    ops.splice(0..0, synced.ops);
    if let Some(news) = &news {
        ops.extend(pushed::dropped(change, &news.stale));
    }
    ops.extend(run_id.map(|run_id| Op::AddCounters { run_id, counters }));
    record::store_all(engine, ops).await?;
    Ok(Worked { counters, pause: None })
}

/// Looks at the record, as it was pushed where that is the last word.
async fn look_at(
    engine: &Engine,
    mapping: &Mapping,
    change: &Change,
    news: Option<&News>,
    run_id: Option<i64>,
) -> Result<Synced, store::Error> {
    let road = if change.origin == ChangeOrigin::Event {
        Road::Event
    } else {
        Road::Manual
    };
    let look = Look {
        pushed: news.map(|news| news.record.clone()),
        ..Look::at(change.key.clone())
    };
    let deletes = match change.origin {
        ChangeOrigin::Event | ChangeOrigin::Parent | ChangeOrigin::Poll => Deletes::Counted,
        ChangeOrigin::Reprocess => Deletes::Reprocessed,
        ChangeOrigin::Reconcile | ChangeOrigin::Manual => Deletes::Weighed,
    };
    let terms = Terms { road, run_id, deletes };
    record::sync(engine, mapping, look, change.guard.records(), terms).await
}

/// Whether the record is not there, and was never known.
fn is_nowhere(change: &Change, synced: &Synced) -> bool {
    let pair = &synced.pair;
    matches!(synced.ending, Ending::Settled)
        && pair.synced_at.is_none()
        && !*pair.seen.get(change.key.side)
        && pair.ids.get(change.key.side.other()).is_none()
}

/// Whether a record that is not there may be one that we have made ourselves: somebody removed it before the answer to our create
/// was stored, and the pair is linked, or will be, as if it were there. Asked in this order, since both are stored together.
async fn may_come_up(engine: &Engine, change: &Change) -> Result<bool, store::Error> {
    let (store, key) = (engine.store(), &change.key);
    Ok(store.is_making(&key.mapping, key.side, change.first_at).await?
        || store.link_by(&key.mapping, key.side, &key.record_id).await?.is_some())
}

/// Ends a change whose every push is older than what is known.
async fn drop_all(
    engine: &Engine,
    change: &Change,
    run_id: Option<i64>,
    stale: &[Stale],
) -> Result<Worked, store::Error> {
    let counters = Counters {
        skipped: 1,
        ..Counters::default()
    };
    let mut ops: Vec<Op> = pushed::dropped(change, stale).collect();
    ops.push(Op::CompleteChange(change.claim()));
    ops.extend(run_id.map(|run_id| Op::AddCounters { run_id, counters }));
    engine.store().commit(ops).await?;
    Ok(Worked { counters, pause: None })
}

/// The fault that says nothing about the record: a system is down, or does not let us in.
fn of_a_system(engine: &Engine, mapping: &Mapping, synced: &Synced) -> Option<Fault> {
    let Ending::Failed(faults) = &synced.ending else {
        return None;
    };
    let fault = faults.first()?;
    let is_down = || {
        [Side::Left, Side::Right]
            .iter()
            .filter_map(|side| engine.end(mapping, *side).ok())
            .any(|system| system.usage().circuit.is_open())
    };
    let is_of_a_system = match fault.class {
        FailureClass::Auth => true,
        FailureClass::Transient => is_down(),
        _ => false,
    };
    is_of_a_system.then(|| fault.clone())
}

fn finished(change: &Change, status: EventStatus, last_error: Option<String>, started: Instant) -> Option<Op> {
    let outcome = FinishedEvent {
        event_id: change.event_id?,
        change: Some(change.key.clone()),
        status,
        last_error,
        processing_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    Some(Op::FinishEvent(outcome))
}

/// What went wrong on our own side.
pub(super) enum Trouble {
    /// The outcome could not be stored.
    Store(store::Error),
    /// The work broke off.
    Panic,
}

/// Gives a change back after trouble of our own.
pub(super) async fn give_back(
    engine: &Engine,
    change: &Change,
    run_id: Option<i64>,
    trouble: Trouble,
) -> Result<(), store::Error> {
    let ops = match trouble {
        Trouble::Store(store::Error::LeaseLost) => return Ok(()),
        Trouble::Store(error) => {
            tracing::error!(%error, record = %change.key, "the outcome of a change could not be stored");
            vec![Op::RetryChange {
                claim: change.claim(),
                not_before: engine.clock().now() + STORE_WAIT,
            }]
        }
        Trouble::Panic => broken_off(change, run_id),
    };
    engine.store().commit(ops).await
}

fn broken_off(change: &Change, run_id: Option<i64>) -> Vec<Op> {
    let fault = Fault::new(
        "SY010",
        FailureClass::Bug,
        Stage::Map,
        "the work on this record broke off",
    )
    .with_hint("this is a fault of Syncline: report it with the log of this time, then reprocess");
    let last_error = Some(fault.to_string());
    let failure = NewFailure {
        run_id,
        key: change.key.clone(),
        left_id: None,
        right_id: None,
        fault,
        status: FailureStatus::Parked,
        next_attempt_at: None,
        event_id: change.event_id,
    };
    let mut ops = vec![Op::Fail(failure), Op::CompleteChange(change.claim())];
    ops.extend(finished(change, EventStatus::Failed, last_error, Instant::now()));
    ops
}
