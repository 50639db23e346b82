//! One record, from a look at both sides to what is stored about it: every road's last mile.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Engine,
    apply::{self, Applied, Done},
    fetch::{self, Fetched},
};
use crate::{
    client::Road,
    core::{
        diff::{Context, Settlement},
        fault::Fault,
        mapping::{Mapping, convert::Awaited},
        plan::{self, Plan},
        record::RecordKey,
        retry,
        status::{ConflictStatus, EventStatus, FailureClass, FailureStatus, Side, Sides, Situation, Stage},
    },
    store::{
        self, Op,
        change::{Change, Claim},
        conflict::{ClosedConflicts, NewConflict},
        event::FinishedEvent,
        failure::NewFailure,
        run::Counters,
        scan::Candidates,
    },
};

/// How often a pair that changes while it is being written is read again at once.
const ROUNDS_MAX: u32 = 3;
/// Tries of a transient failure before it waits for a person.
const ATTEMPTS_MAX: u32 = 20;
/// The first wait after a transient failure.
const RETRY_BASE: Duration = Duration::from_secs(2);
/// The longest wait after a transient failure.
const RETRY_CAP: Duration = Duration::from_hours(1);
/// The wait while credentials are wrong.
const AUTH_WAIT: Duration = Duration::from_mins(5);

/// What became of one record.
#[derive(Debug)]
pub struct Synced {
    /// What has to be stored, in one submission.
    pub ops: Vec<Op>,
    /// What was decided last.
    pub plan: Option<Plan>,
    /// Ids of both records, where they are known.
    pub ids: (Option<String>, Option<String>),
    /// What it counts for in the run.
    pub counters: Counters,
    /// How it ended.
    pub ending: Ending,
}

/// How the work on one record ended.
#[derive(Debug)]
pub enum Ending {
    /// Both sides are as the mapping wants them.
    Settled,
    /// It waits for a record of another mapping to be linked.
    Waiting(Awaited),
    /// It failed; the faults say why, the first decides what follows.
    Failed(Vec<Fault>),
}

pub use fetch::Error;

/// What would be done about one record.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Ids of both records, where they are known.
    pub ids: Sides<Option<String>>,
    /// When the pair was last in sync; none where it is not linked.
    pub synced_at: Option<DateTime<Utc>>,
}

/// Looks at one record and tells what would be done about it: the dry run. It touches nothing.
pub async fn plan(
    engine: &Engine,
    mapping: &Mapping,
    side: Side,
    record_id: &str,
    known: Option<&Candidates>,
    road: Road,
) -> Result<Planned, Error> {
    let key = RecordKey::new(mapping.name.as_str(), side, record_id);
    let fetched = fetch::pair(engine, mapping, side, record_id, known, road).await?;
    let settled = settlements(engine, mapping, &fetched).await?;
    let context = Context {
        mapping,
        key: engine.key(),
        references: &fetched.references,
        settled: &settled,
    };
    let (left, right) = ids(&key, &fetched);
    Ok(Planned {
        plan: plan::build(context, fetched.input()),
        ids: Sides { left, right },
        synced_at: fetched
            .link
            .as_ref()
            .map(|stored| stored.last_synced_at.unwrap_or(stored.created_at)),
    })
}

/// Looks at one record and does what its plan says.
pub async fn sync(
    engine: &Engine,
    mapping: &Mapping,
    key: &RecordKey,
    road: Road,
    run_id: Option<i64>,
) -> Result<Synced, store::Error> {
    sync_with(engine, mapping, key, None, road, run_id).await
}

/// As [`sync`], with the partner that a complete listing has for an unlinked record.
pub async fn sync_with(
    engine: &Engine,
    mapping: &Mapping,
    key: &RecordKey,
    known: Option<&Candidates>,
    road: Road,
    run_id: Option<i64>,
) -> Result<Synced, store::Error> {
    let mut ops = Vec::new();
    for round in 1..=ROUNDS_MAX {
        let fetched = match fetch::pair(engine, mapping, key.side, &key.record_id, known, road).await {
            Ok(fetched) => fetched,
            Err(Error::Store(error)) => return Err(error),
            Err(Error::Fault(fault)) => return Ok(failed(ops, None, (None, None), vec![fault])),
        };
        let settled = settlements(engine, mapping, &fetched).await?;
        let context = Context {
            mapping,
            key: engine.key(),
            references: &fetched.references,
            settled: &settled,
        };
        let plan = plan::build(context, fetched.input());
        let ids = ids(key, &fetched);
        if let Some(awaited) = plan.awaited.clone() {
            let ending = Ending::Waiting(awaited);
            return Ok(Synced {
                ops,
                plan: Some(plan),
                ids,
                counters: Counters::default(),
                ending,
            });
        }
        match apply::carry_out(engine, mapping, run_id, key, &fetched, &plan).await? {
            Applied::Done(done) => return Ok(finished(mapping, run_id, ops, plan, ids, done)),
            Applied::Again { ops: more, .. } if round < ROUNDS_MAX => ops.extend(more),
            Applied::Again { ops: more, fault } | Applied::Failed { ops: more, fault } => {
                ops.extend(more);
                return Ok(failed(ops, Some(plan), ids, vec![fault]));
            }
        }
    }
    let fault = Fault::new(
        "SY005",
        FailureClass::Transient,
        Stage::Write,
        "the records keep changing while they are written",
    );
    Ok(failed(ops, None, (None, None), vec![fault]))
}

fn ids(key: &RecordKey, fetched: &Fetched) -> (Option<String>, Option<String>) {
    let id = |side: Side| {
        let read = fetched.records.get(side).record().map(|record| record.id.clone());
        let linked = || fetched.link.as_ref().map(|stored| stored.link.id(side).to_owned());
        read.or_else(linked)
            .or_else(|| (key.side == side).then(|| key.record_id.clone()))
    };
    (id(Side::Left), id(Side::Right))
}

/// What persons decided about the pair's conflicts.
async fn settlements(
    engine: &Engine,
    mapping: &Mapping,
    fetched: &Fetched,
) -> Result<BTreeMap<String, Settlement>, store::Error> {
    let Some(stored) = &fetched.link else {
        return Ok(BTreeMap::new());
    };
    let conflicts = engine
        .store()
        .conflicts_of(&mapping.name, &stored.link.left_id, &stored.link.right_id)
        .await?;
    let settlement = |conflict: store::conflict::Conflict| match (conflict.status, conflict.winner) {
        (ConflictStatus::Resolved, Some(side)) => Some((conflict.field, Settlement::Take(side))),
        (ConflictStatus::Ignored, _) => Some((conflict.field, Settlement::Accept)),
        _ => None,
    };
    Ok(conflicts.into_iter().filter_map(settlement).collect())
}

fn failed(ops: Vec<Op>, plan: Option<Plan>, ids: (Option<String>, Option<String>), faults: Vec<Fault>) -> Synced {
    let counters = Counters {
        failed: 1,
        ..Counters::default()
    };
    Synced {
        ops,
        plan,
        ids,
        counters,
        ending: Ending::Failed(faults),
    }
}

fn finished(
    mapping: &Mapping,
    run_id: Option<i64>,
    mut ops: Vec<Op>,
    plan: Plan,
    ids: (Option<String>, Option<String>),
    done: Done,
) -> Synced {
    ops.extend(done.ops);
    let mut counters = Counters {
        read: 1,
        linked: done.linked,
        created: done.created,
        updated: done.updated,
        deleted: done.deleted,
        conflicts: plan.conflicts().count() as u64,
        ..Counters::default()
    };
    if plan.writes.is_empty() {
        let is_outside = plan.situation == Situation::Filtered;
        *(if is_outside {
            &mut counters.skipped
        } else {
            &mut counters.unchanged
        }) += 1;
    }
    if let (Some(left_id), Some(right_id)) = (&ids.0, &ids.1) {
        conflicts(mapping, run_id, &plan, left_id, right_id, &mut ops);
    }
    let ending = if plan.faults.is_empty() {
        Ending::Settled
    } else {
        Ending::Failed(plan.faults.clone())
    };
    if matches!(ending, Ending::Failed(_)) {
        counters.failed = 1;
    }
    Synced {
        ops,
        plan: Some(plan),
        ids,
        counters,
        ending,
    }
}

/// Opens what a person has to decide, and closes what is settled.
fn conflicts(mapping: &Mapping, run_id: Option<i64>, plan: &Plan, left_id: &str, right_id: &str, ops: &mut Vec<Op>) {
    let name: Arc<str> = Arc::from(mapping.name.as_str());
    for decision in &plan.decisions {
        let Some(field) = mapping.fields.get(decision.field) else {
            continue;
        };
        let is_open = decision.verdict == crate::core::diff::Verdict::Conflict;
        if is_open {
            let shown = |side: Side| decision.values.get(side).as_ref().map(crate::core::drift::shown);
            ops.push(Op::OpenConflict(NewConflict {
                mapping: Arc::clone(&name),
                left_id: left_id.to_owned(),
                right_id: right_id.to_owned(),
                field: field.name.clone(),
                left_value: shown(Side::Left),
                right_value: shown(Side::Right),
                sensitive: field.sensitive,
                run_id,
            }));
        } else {
            ops.push(Op::CloseConflicts(ClosedConflicts {
                mapping: Arc::clone(&name),
                left_id: left_id.to_owned(),
                right_id: right_id.to_owned(),
                field: Some(field.name.clone()),
            }));
        }
    }
}

/// The ending of a record that took too long.
#[must_use]
pub fn timed_out(limit: Duration) -> Synced {
    let fault = Fault::new(
        "SY006",
        FailureClass::Transient,
        Stage::Fetch,
        format!("the work on this record took longer than {} s", limit.as_secs()),
    );
    failed(Vec::new(), None, (None, None), vec![fault])
}

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
            ops.push(Op::Resolve(change.key.clone()));
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
    let now = engine.clock().now();
    let wait = match fault.class {
        FailureClass::Transient if change.attempts < ATTEMPTS_MAX => {
            let jittered = retry::delay(change.attempts, RETRY_BASE, RETRY_CAP, rand::random());
            Some(fault.retry_after.unwrap_or_default().max(jittered))
        }
        FailureClass::Auth => Some(AUTH_WAIT),
        _ => None,
    };
    let next_attempt_at = wait
        .and_then(|wait| TimeDelta::from_std(wait).ok())
        .map(|wait| now + wait);
    let status = match (next_attempt_at, fault.class) {
        (Some(_), _) => FailureStatus::Retrying,
        (None, FailureClass::Rejected | FailureClass::Transient) => {
            let before = engine.store().open_failure(&change.key).await?;
            let is_again = before.is_some_and(|before| before.code == fault.code);
            if is_again || fault.class == FailureClass::Transient {
                FailureStatus::Parked
            } else {
                FailureStatus::Open
            }
        }
        (None, _) => FailureStatus::Open,
    };
    ops.push(Op::Fail(NewFailure {
        run_id,
        key: change.key.clone(),
        left_id: synced.ids.0.clone(),
        right_id: synced.ids.1.clone(),
        fault: fault.clone(),
        status,
        next_attempt_at,
        event_id: change.event_id,
    }));
    Ok(if let Some(not_before) = next_attempt_at {
        ops.push(Op::RetryChange { claim, not_before });
        EventStatus::Queued
    } else {
        ops.push(Op::CompleteChange(claim));
        EventStatus::Failed
    })
}
