//! One record, now, because a person waits for it: the same planner and the same leases as on every other road.

use std::{sync::Arc, time::Duration};

use super::{
    Engine,
    fetch::Look,
    record::{self, Deletes, Ending, Synced, Terms},
};
use crate::{
    client::{Meter, Road},
    core::{
        mapping::Mapping,
        record::RecordKey,
        status::{ChangeOrigin, EventKind, FailureStatus, RunKind, RunStatus, Side, Trigger},
    },
    store::{self, Op, audit::NewAudit, change::NewChange, failure::NewFailure, run::NewRun},
};

/// How long the record stays leased.
const LEASE: Duration = Duration::from_mins(4);

/// What came of it.
#[derive(Debug)]
pub struct Done {
    /// The run.
    pub run_id: i64,
    /// What was decided and done.
    pub synced: Synced,
}

/// Looks at one record and does what its plan says; `None` where somebody works on it this moment.
pub async fn now(
    engine: &Engine,
    mapping: &Mapping,
    side: Side,
    record_id: &str,
    actor: &str,
) -> Result<Option<Done>, store::Error> {
    let store = engine.store();
    let name: Arc<str> = Arc::from(mapping.name.as_str());
    let key = RecordKey::new(Arc::clone(&name), side, record_id);
    let mut records = vec![key.clone()];
    if let Some(stored) = store.link_by(&name, side, record_id).await? {
        records.push(RecordKey::new(
            Arc::clone(&name),
            side.other(),
            stored.link.id(side.other()),
        ));
    }
    let Some(guard) = store.lock(&records, LEASE).await? else {
        return Ok(None);
    };
    let run = NewRun {
        kind: RunKind::Manual,
        mapping: Some(name),
        trigger: Trigger::Person,
        note: Some(format!("{key}, for {actor}")),
        job_key: None,
    };
    let run_id = store.start_run(&run).await?;
    let meter: Arc<Meter> = Arc::default();
    let work = Box::pin(record::sync(
        engine,
        mapping,
        Look::at(key.clone()),
        guard.records(),
        Terms {
            road: Road::Manual,
            run_id: Some(run_id),
            deletes: Deletes::Weighed,
        },
    ));
    let mut synced = meter.measure(work).await?;
    (synced.counters.requests, synced.counters.bytes) = meter.take();
    let mut ops = std::mem::take(&mut synced.ops);
    ops.extend(ended(&key, run_id, &synced));
    ops.push(Op::AddCounters {
        run_id,
        counters: synced.counters,
    });
    ops.push(Op::Audit(NewAudit {
        actor: actor.to_owned(),
        action: "record.sync".to_owned(),
        subject: key.to_string(),
        detail: None,
    }));
    ops.push(Op::Unlock(guard));
    record::store_all(engine, ops).await?;
    let status = match synced.ending {
        Ending::Failed(_) => RunStatus::Partial,
        Ending::Settled | Ending::Waiting(_) => RunStatus::Succeeded,
    };
    store.finish_run(run_id, status, None).await?;
    Ok(Some(Done { run_id, synced }))
}

/// What is stored about the ending.
fn ended(key: &RecordKey, run_id: i64, synced: &Synced) -> Vec<Op> {
    match &synced.ending {
        Ending::Settled => synced.pair.keys(key).map(Op::Resolve).collect(),
        // Into the dirty set, where it waits for its parent.
        Ending::Waiting(_) => {
            let change = NewChange::new(key.clone(), ChangeOrigin::Manual, EventKind::Updated);
            vec![Op::Enqueue(change)]
        }
        Ending::Failed(faults) => faults.first().map_or_else(Vec::new, |fault| {
            vec![Op::Fail(NewFailure {
                run_id: Some(run_id),
                key: key.clone(),
                left_id: synced.pair.ids.left.clone(),
                right_id: synced.pair.ids.right.clone(),
                fault: fault.clone(),
                status: FailureStatus::Open,
                next_attempt_at: None,
                event_id: None,
            })]
        }),
    }
}
