//! What is stored about how the work on a claimed change ended, and what happens next to a record that failed.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Ending, Pair, Synced};
use crate::{
    core::{
        fault::Fault,
        record::RecordKey,
        retry,
        status::{EventStatus, FailureClass, FailureStatus, WriteKind, WriteStatus},
    },
    seam::{self, Bug},
    store::{
        self, Op,
        change::{Change, Claim},
        event::FinishedEvent,
        failure::NewFailure,
    },
    sync::Engine,
};

/// The wait while credentials are wrong.
const AUTH_WAIT: Duration = Duration::from_mins(5);

/// What is stored about the ending of a claimed change, beside what the work itself left.
pub async fn conclude(
    engine: &Engine,
    change: &Change,
    run_id: Option<i64>,
    synced: &Synced,
    took: Duration,
) -> Result<Vec<Op>, store::Error> {
    let claim = change.claim();
    let mut ops = Vec::new();
    let (status, error) = match &synced.ending {
        Ending::Settled => {
            ops.extend(pair(change, synced).keys(&change.key).map(Op::Resolve));
            ops.push(Op::CompleteChange(claim));
            (EventStatus::Done, None)
        }
        Ending::Waiting(awaited) => {
            let parent = RecordKey::new(awaited.mapping.as_str(), awaited.side, awaited.id.clone());
            ops.push(Op::WaitChange { claim, parent });
            (EventStatus::Queued, None)
        }
        Ending::Failed(faults) => {
            let status = failure(engine, change, run_id, synced, faults, claim, &mut ops).await?;
            (status, faults.first().map(ToString::to_string))
        }
    };
    if let Some(event_id) = change.event_id {
        let processing_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        ops.push(Op::FinishEvent(FinishedEvent {
            event_id,
            change: Some(change.key.clone()),
            status,
            last_error: error,
            processing_ms,
        }));
    }
    Ok(ops)
}

/// The record and its partner: a change that failed before anything was read knows them by its lease.
fn pair(change: &Change, synced: &Synced) -> Pair {
    let mut pair = synced.pair.clone();
    if let Some((left, right)) = &change.pair {
        pair.ids.left.get_or_insert_with(|| left.clone());
        pair.ids.right.get_or_insert_with(|| right.clone());
    }
    pair
}

async fn failure(
    engine: &Engine,
    change: &Change,
    run_id: Option<i64>,
    synced: &Synced,
    faults: &[Fault],
    claim: Claim,
    ops: &mut Vec<Op>,
) -> Result<EventStatus, store::Error> {
    let Some(fault) = faults.first() else {
        return Ok(EventStatus::Failed);
    };
    let next_attempt_at = next_attempt(engine, fault, change.attempts);
    let pair = pair(change, synced);
    let mut code_before = None;
    if next_attempt_at.is_none() {
        for key in pair.keys(&change.key) {
            let before = engine.store().open_failure(&key).await?;
            code_before = code_before.or(before.map(|before| before.code));
        }
    }
    ops.push(Op::Fail(NewFailure {
        run_id,
        key: change.key.clone(),
        left_id: pair.ids.left,
        right_id: pair.ids.right,
        fault: fault.clone(),
        status: standing(fault, next_attempt_at, code_before.as_deref()),
        next_attempt_at,
        event_id: change.event_id,
    }));
    if seam::has_bug(Bug::FailureNotRecorded) {
        ops.pop();
    }
    let next_attempt_at = next_attempt_at.filter(|_| !seam::has_bug(Bug::RetryForgotten));
    Ok(if let Some(not_before) = next_attempt_at {
        ops.push(Op::RetryChange { claim, not_before });
        EventStatus::Queued
    } else {
        ops.push(Op::CompleteChange(claim));
        EventStatus::Failed
    })
}

/// Stores what came of the work on a record. Where somebody else has taken the record over meanwhile, what became of our writes is
/// stored all the same: they were sent.
pub async fn store_all(engine: &Engine, ops: Vec<Op>) -> Result<(), store::Error> {
    let outcomes = outcomes(&ops);
    let stored = engine.store().commit(ops).await;
    if matches!(stored, Err(store::Error::Conflict { .. } | store::Error::LeaseLost)) {
        engine.store().commit(outcomes).await?;
    }
    stored
}

/// What became of writes whose pair could not be stored with them: it was linked elsewhere, or its lease was lost. A record that
/// was made then belongs to nothing that we know of; whoever looks at the pair next has to look for it before another one is made,
/// as after a crash.
fn outcomes(ops: &[Op]) -> Vec<Op> {
    let outcome = |op: &Op| {
        let Op::FinishWrite(ended) = op else { return None };
        let mut ended = ended.clone();
        if ended.kind == WriteKind::Create && ended.status == WriteStatus::Succeeded {
            ended.status = WriteStatus::Unknown;
        }
        Some(Op::FinishWrite(ended))
    };
    ops.iter().filter_map(outcome).collect()
}

/// When a record that failed is tried again by itself; `attempts` are the tries before.
pub(in crate::sync) fn next_attempt(engine: &Engine, fault: &Fault, attempts: u32) -> Option<DateTime<Utc>> {
    let limits = engine.limits();
    let wait = match fault.class {
        FailureClass::Transient if attempts < limits.attempts_max => {
            let jittered = retry::delay(attempts, limits.retry_first, limits.retry_longest, seam::number());
            fault.retry_after.unwrap_or_default().max(jittered)
        }
        FailureClass::Auth => AUTH_WAIT,
        _ => return None,
    };
    Some(engine.clock().now() + TimeDelta::from_std(wait).ok()?)
}

/// How a failure stands: the same rejection twice in a row is parked until a person reprocesses the record.
pub(in crate::sync) fn standing(
    fault: &Fault,
    next_attempt_at: Option<DateTime<Utc>>,
    code_before: Option<&str>,
) -> FailureStatus {
    match (next_attempt_at, fault.class) {
        (Some(_), _) => FailureStatus::Retrying,
        (None, FailureClass::Transient) => FailureStatus::Parked,
        (None, FailureClass::Rejected) if code_before == Some(fault.code) => FailureStatus::Parked,
        (None, _) => FailureStatus::Open,
    }
}
