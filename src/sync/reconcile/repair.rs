//! Carrying out what was planned, chunk by chunk: each record is leased and looked at once more, the writes of a chunk go
//! out together, and what came of them is stored in one durable commit.

use std::collections::HashMap;

use super::{
    Chunks, Context, LEASE, PLANNED, Tally,
    evidence::{self, Case, Known},
    listing, planning,
};
use crate::{
    client::Road,
    core::{
        fault::Fault,
        plan::Plan,
        record::RecordKey,
        status::{ChangeOrigin, DriftOutcome, EventKind, RunKind, Side, Sides},
    },
    store::{
        self, Op,
        change::NewChange,
        drift::SettledDrift,
        failure::{Failure, NewFailure},
        lock::Guard,
        scan::Candidates,
    },
    sync::{
        Error,
        fetch::Look,
        overtaken,
        record::{self, Deletes, Ending, Pair, Synced, Terms},
    },
};

/// Changes that a reconciliation leaves to be looked at stand behind live events.
const PRIORITY: i64 = 10;

/// Whether the report has the differences already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drift {
    /// They are added now, with what became of them; of a first sync, which is no report of differences, only what it could
    /// not settle.
    First,
    /// They are added now, with what became of them.
    New,
    /// They are in it; what became of them is added.
    Known,
}

/// Which records the listings have not shown, by the record that is looked at.
pub(super) type Unshown = HashMap<RecordKey, Hidden>;

/// What the listings have not shown of a record and its partner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hidden {
    /// The sides.
    pub sides: Sides<bool>,
    /// Whether the two are linked. A partner that was linked since says nothing of a listing: it may have been made since.
    pub is_linked: bool,
}

/// The listings that were short: they have not shown a record that is there.
pub(super) fn short<'p>(unshown: &Unshown, read: impl Iterator<Item = (&'p RecordKey, &'p Pair)>) -> Sides<bool> {
    let mut short = Sides::default();
    for (key, pair) in read {
        if let Some(Hidden { sides, is_linked }) = unshown.get(key)
            && *is_linked == pair.synced_at.is_some()
        {
            short.left |= sides.left && pair.seen.left;
            short.right |= sides.right && pair.seen.right;
        }
    }
    short
}

/// Says in the report of a run that is held what waits for its release.
pub(super) async fn hold(context: &Context) -> Result<(), Error> {
    let mut after = 0;
    loop {
        let acting = context.scan.acting(after, context.chunk()).await?;
        let Some((last, ..)) = acting.last() else { return Ok(()) };
        after = *last;
        let held = acting.into_iter().map(|(_, side, id)| {
            let (left_id, right_id) = match side {
                Side::Left => (Some(id), None),
                Side::Right => (None, Some(id)),
            };
            Op::SettleDrift(SettledDrift {
                run_id: context.run_id,
                left_id,
                right_id,
                outcome: DriftOutcome::Held,
                note: None,
            })
        });
        context.engine.store().commit(held.collect()).await?;
    }
}

/// Carries out what was planned.
pub(super) async fn todos(context: &Context, tally: &mut Tally, complete: Sides<bool>) -> Result<(), Error> {
    let mut chunks = Chunks::saving(context, PLANNED, complete);
    let result = begin(context, tally, complete, &mut chunks).await;
    chunks.end(tally, result).await
}

async fn begin(context: &Context, tally: &mut Tally, complete: Sides<bool>, chunks: &mut Chunks) -> Result<(), Error> {
    let mut after = 0;
    loop {
        context.go_on()?;
        let todos = context.scan.todos(after, context.chunk()).await?;
        let Some(last) = todos.last() else { return Ok(()) };
        after = last.todo_id;
        let done = todos.iter().map(|todo| todo.todo_id).collect();
        let looks = todos
            .into_iter()
            .map(|todo| planning::look(context, todo.side, todo.found, complete))
            .collect();
        let own = context.clone();
        chunks
            .begin(context, tally, async move {
                let mut tally = settle(&own, looks, Drift::Known, &Unshown::new()).await?;
                tally.done.todos = done;
                Ok(tally)
            })
            .await?;
    }
}

/// Looks at records under a lease and does what their plans say.
pub(super) async fn settle(
    context: &Context,
    looks: Vec<Look>,
    drift: Drift,
    unshown: &Unshown,
) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    let (looks, guards, busy) = lock(context, looks).await?;
    // Somebody works on them this moment, with the same planner.
    tally.counters.skipped += busy;
    let keys: Vec<RecordKey> = looks.iter().map(|look| look.key.clone()).collect();
    let (engine, mapping, run_id) = (&context.engine, &context.mapping, context.run_id);
    let leased: Vec<RecordKey> = guards.iter().flat_map(Guard::records).cloned().collect();
    let terms = Terms {
        road: Road::Reconcile,
        run_id: Some(run_id),
        deletes: Deletes::Weighed,
    };
    let mut synced = match record::sync_all(engine, mapping, looks, &leased, terms).await {
        Ok(synced) => synced,
        Err(error) => {
            engine.store().unlock(&guards).await?;
            return Err(error.into());
        }
    };
    let cases: Vec<Case<'_>> = keys
        .iter()
        .zip(&synced)
        .map(|(key, one)| Case::settled(key, one))
        .collect();
    tally.short = short(unshown, keys.iter().zip(synced.iter().map(|one| &one.pair)));
    let known = evidence::gather(context, &cases).await?;
    let mut items = match drift {
        Drift::First | Drift::New => known
            .items(context, &cases)
            .await?
            .into_iter()
            .map(|(items, _)| Some(items))
            .collect(),
        Drift::Known => Vec::new(),
    };
    items.resize_with(keys.len(), || None);
    let mut units = Vec::with_capacity(keys.len());
    for (((key, one), items), guard) in keys.iter().zip(&mut synced).zip(items).zip(guards) {
        let mut unit = Unit {
            key: key.clone(),
            guard,
            ops: std::mem::take(&mut one.ops),
        };
        let outcome = conclude(context, key, one, &known, &mut unit.ops);
        if let (Some(items), Some(plan)) = (items, &one.plan) {
            tally.summary.add(plan, &items.found);
            if drift == Drift::New || context.request.kind != RunKind::Full || outcome != DriftOutcome::Repaired {
                unit.ops.extend(items.into_ops(context, outcome));
            }
        }
        if drift == Drift::Known {
            unit.ops.extend(settled_drift(context, one, outcome));
        }
        let mut counters = one.counters;
        counters.read = 0;
        tally.counters.add(&counters);
        units.push(unit);
    }
    remember_unread(context, &synced).await?;
    tally.counters.failed += commit(context, units).await?;
    Ok(tally)
}

/// Leases the records, with their partners; those that were had, in one order with their leases, and how many were not.
async fn lock(context: &Context, looks: Vec<Look>) -> Result<(Vec<Look>, Vec<Guard>, u64), store::Error> {
    let partners = partners(context, &looks).await?;
    let mut sets = Vec::with_capacity(looks.len());
    for look in &looks {
        let mut set = vec![look.key.clone()];
        set.extend(partners.get(&look.key).cloned());
        set.sort();
        sets.push(set);
    }
    let guards = context.engine.store().lock_sets(&sets, LEASE).await?;
    let mut guards: HashMap<Vec<RecordKey>, Guard> = guards
        .into_iter()
        .map(|guard| (guard.records().to_vec(), guard))
        .collect();
    let count = looks.len();
    let (mut had, mut held) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (look, set) in looks.into_iter().zip(sets) {
        if let Some(guard) = guards.remove(&set) {
            had.push(look);
            held.push(guard);
        }
    }
    let busy = (count - had.len()) as u64;
    Ok((had, held, busy))
}

/// The partners of records: those they are linked to, else those that were found for them.
async fn partners(context: &Context, looks: &[Look]) -> Result<HashMap<RecordKey, RecordKey>, store::Error> {
    let mut partners = HashMap::new();
    for look in looks {
        if let Some(Candidates::One(id)) = look.listed.as_ref().map(|listed| &listed.candidates) {
            let partner = RecordKey::new(context.name.clone(), look.key.side.other(), id.clone());
            partners.insert(look.key.clone(), partner);
        }
    }
    for side in [Side::Left, Side::Right] {
        let of_side = looks.iter().filter(|look| look.key.side == side);
        let ids: Vec<&str> = of_side.map(|look| look.key.record_id.as_str()).collect();
        for stored in context.engine.store().links_by(&context.name, side, &ids).await? {
            let key = |side: Side| RecordKey::new(context.name.clone(), side, stored.link.id(side));
            partners.insert(key(side), key(side.other()));
        }
    }
    Ok(partners)
}

/// What is stored about one record, with its lease.
struct Unit {
    key: RecordKey,
    guard: Guard,
    ops: Vec<Op>,
}

/// Adds what follows from how the work on a record ended.
fn conclude(context: &Context, key: &RecordKey, synced: &Synced, known: &Known, ops: &mut Vec<Op>) -> DriftOutcome {
    match &synced.ending {
        Ending::Settled => {
            ops.extend(known.resolved(&Case::settled(key, synced)));
            if synced.plan.as_ref().is_some_and(Plan::acts) {
                DriftOutcome::Repaired
            } else {
                DriftOutcome::Reported
            }
        }
        Ending::Waiting(awaited) => {
            let change = NewChange {
                priority: PRIORITY,
                run_id: Some(context.run_id),
                ..NewChange::new(key.clone(), ChangeOrigin::Reconcile, EventKind::Updated)
            };
            let parent = RecordKey::new(awaited.mapping.as_str(), awaited.side, awaited.id.clone());
            ops.push(Op::EnqueueWaiting { change, parent });
            DriftOutcome::Reported
        }
        Ending::Failed(faults) => {
            if let Some(fault) = faults.first() {
                fail(
                    context,
                    key,
                    synced.pair.ids.clone(),
                    fault.clone(),
                    &known.failures,
                    ops,
                );
            }
            DriftOutcome::Failed
        }
    }
}

fn settled_drift(context: &Context, synced: &Synced, outcome: DriftOutcome) -> Option<Op> {
    let wrote = synced.plan.as_ref().is_some_and(|plan| !plan.writes.is_empty());
    let Sides {
        left: left_id,
        right: right_id,
    } = synced.pair.ids.clone();
    // What was made has no right id in the report, and what is linked now had none either.
    let is_absent = synced.pair.synced_at.is_none();
    let ids = match synced
        .plan
        .as_ref()
        .map(|plan| plan.writes.first().map(|write| write.to))
    {
        Some(Some(Side::Left)) if is_absent => (None, right_id),
        Some(Some(Side::Right)) if is_absent => (left_id, None),
        _ => (left_id, right_id),
    };
    let is_told = wrote || synced.counters.linked > 0 || outcome == DriftOutcome::Failed;
    is_told.then_some(Op::SettleDrift(SettledDrift {
        run_id: context.run_id,
        left_id: ids.0,
        right_id: ids.1,
        outcome,
        note: None,
    }))
}

/// Puts a failure on record. What may pass by itself is tried again by the work on changes.
pub(super) fn fail(
    context: &Context,
    key: &RecordKey,
    ids: Sides<Option<String>>,
    fault: Fault,
    before: &HashMap<RecordKey, Failure>,
    ops: &mut Vec<Op>,
) {
    let before = before.get(key);
    let attempts = before.map_or(0, |before| u32::try_from(before.attempts).unwrap_or(u32::MAX));
    let next_attempt_at = record::next_attempt(&context.engine, &fault, attempts);
    let status = record::standing(&fault, next_attempt_at, before.map(|before| before.code.as_str()));
    ops.extend(next_attempt_at.map(|at| {
        Op::Enqueue(NewChange {
            priority: PRIORITY,
            not_before: Some(at),
            run_id: Some(context.run_id),
            ..NewChange::new(key.clone(), ChangeOrigin::Reconcile, EventKind::Updated)
        })
    }));
    ops.push(Op::Fail(NewFailure {
        run_id: Some(context.run_id),
        key: key.clone(),
        left_id: ids.left,
        right_id: ids.right,
        fault,
        status,
        next_attempt_at,
        event_id: None,
    }));
}

/// Remembers what was made and not shown, to be read before the run ends.
async fn remember_unread(context: &Context, synced: &[Synced]) -> Result<(), Error> {
    let unread = synced.iter().filter_map(|one| one.unread.as_ref());
    let key = context.engine.key();
    let made = unread.map(|(side, record)| {
        let digest = listing::digest(key, &context.mapping, *side, record);
        (*side, record.id.clone(), digest)
    });
    Ok(context.scan.add_made(made.collect()).await?)
}

/// Stores a chunk in one durable commit. Where one record's part is refused (somebody linked it meanwhile, or took its
/// lease over), the others are stored all the same, and of that one the outcomes of its writes. Returns how many were refused.
async fn commit(context: &Context, units: Vec<Unit>) -> Result<u64, Error> {
    let store = context.engine.store();
    let all = units
        .iter()
        .flat_map(|unit| unit.ops.iter().cloned().chain([Op::Unlock(unit.guard.clone())]));
    match store.commit(all.collect()).await {
        Ok(()) => return Ok(0),
        Err(store::Error::Conflict { .. } | store::Error::LeaseLost) => {}
        Err(error) => return Err(error.into()),
    }
    let mut refused = 0;
    for unit in units {
        let mut ops = unit.ops;
        ops.push(Op::Unlock(unit.guard.clone()));
        match record::store_all(&context.engine, ops).await {
            Ok(()) => {}
            Err(error @ (store::Error::Conflict { .. } | store::Error::LeaseLost)) => {
                refused += 1;
                let mut ops = Vec::new();
                let fault = overtaken(error.to_string());
                fail(context, &unit.key, Sides::default(), fault, &HashMap::new(), &mut ops);
                store.commit(ops).await?;
                store.unlock(&[unit.guard]).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(refused)
}
