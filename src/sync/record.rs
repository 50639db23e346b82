//! One record, from a look at both sides to what is stored about it: every road's last mile.

use std::{collections::HashSet, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Engine,
    apply::{self, Applied, Done, Work},
    fetch::{self, Fetched, Look},
};
use crate::{
    client::Road,
    core::{
        diff::Verdict,
        fault::Fault,
        mapping::{Mapping, convert::Awaited},
        plan::Plan,
        record::{Record, RecordKey},
        retry,
        status::{EventStatus, FailureClass, FailureStatus, Side, Sides, Situation, Stage, WriteKind},
    },
    seam::{self, Bug},
    store::{
        self, Op,
        change::{Change, Claim},
        conflict::{ClosedConflicts, NewConflict},
        event::FinishedEvent,
        failure::NewFailure,
        run::Counters,
    },
};

/// How often a pair that changes while it is being written is read again at once.
const ROUNDS_MAX: u32 = 3;
/// How long a partner that was found stays leased: longer than the work on a record may take.
const PARTNER_LEASE: Duration = Duration::from_mins(4);
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
    /// When the pair was last in sync before; none where it was not linked.
    pub synced_at: Option<DateTime<Utc>>,
    /// What it counts for in the run.
    pub counters: Counters,
    /// How it ended.
    pub ending: Ending,
    /// A record that was made and that no answer has shown.
    pub unread: Option<(Side, Record)>,
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
    /// Which records were read, or listed, just now.
    pub seen: Sides<bool>,
    /// When the pair was last in sync; none where it is not linked.
    pub synced_at: Option<DateTime<Utc>>,
}

/// Looks at one record and tells what would be done about it: the dry run. It touches nothing.
pub async fn plan(
    engine: &Engine,
    mapping: &Mapping,
    side: Side,
    record_id: &str,
    road: Road,
) -> Result<Planned, Error> {
    let look = Look::at(RecordKey::new(mapping.name.as_str(), side, record_id));
    let planned = plan_all(engine, mapping, &[look], road).await?;
    planned
        .into_iter()
        .next()
        .unwrap_or_else(|| Err(vanished()))
        .map_err(Error::Fault)
}

/// Looks at records and tells what would be done about each, in the order given. It touches nothing.
pub async fn plan_all(
    engine: &Engine,
    mapping: &Mapping,
    looks: &[Look],
    road: Road,
) -> Result<Vec<Result<Planned, Fault>>, store::Error> {
    let read = read(engine, mapping, looks, road).await?;
    let planned = |(look, one): (&Look, Result<(Fetched, Plan), Fault>)| {
        let (fetched, plan) = one?;
        Ok(Planned {
            plan,
            ids: fetched.ids(&look.key),
            seen: Sides::of(|side| fetched.records.get(side).record().is_some()),
            synced_at: synced_at(&fetched),
        })
    };
    Ok(looks.iter().zip(read).map(planned).collect())
}

/// Fetches and plans. A record that was listed some time ago is only linked or made from that; before one is changed or
/// a difference is reported, both are read again.
async fn read(
    engine: &Engine,
    mapping: &Mapping,
    looks: &[Look],
    road: Road,
) -> Result<Vec<Result<(Fetched, Plan), Fault>>, store::Error> {
    let planned = |fetched: Result<Fetched, Fault>| {
        let fetched = fetched?;
        let plan = fetched.plan(engine, mapping);
        Ok((fetched, plan))
    };
    let fetched = fetch::many(engine, mapping, looks, road).await?;
    let mut read: Vec<Result<(Fetched, Plan), Fault>> = fetched.into_iter().map(planned).collect();
    let stale: Vec<usize> = read
        .iter()
        .enumerate()
        .filter_map(|(at, one)| {
            one.as_ref()
                .is_ok_and(|(fetched, plan)| is_stale(fetched, plan))
                .then_some(at)
        })
        .collect();
    let again: Vec<Look> = stale.iter().filter_map(|at| looks.get(*at)).map(unlisted).collect();
    if again.is_empty() {
        return Ok(read);
    }
    let fetched = fetch::many(engine, mapping, &again, road).await?;
    for (at, fetched) in stale.into_iter().zip(fetched) {
        if let Some(slot) = read.get_mut(at) {
            *slot = planned(fetched);
        }
    }
    Ok(read)
}

/// Whether a plan says more than a listing may say.
fn is_stale(fetched: &Fetched, plan: &Plan) -> bool {
    let changes = plan.writes.iter().any(|write| write.kind != WriteKind::Create);
    fetched.is_listed && (changes || plan.conflicts().next().is_some())
}

/// The same record, with its partners as listed, to be read anew.
fn unlisted(look: &Look) -> Look {
    let mut look = look.clone();
    if let Some(listed) = &mut look.listed {
        listed.record = None;
        listed.partner = None;
    }
    look
}

fn synced_at(fetched: &Fetched) -> Option<DateTime<Utc>> {
    let stored = fetched.link.as_ref()?;
    Some(stored.last_synced_at.unwrap_or(stored.created_at))
}

/// Looks at one record and does what its plan says. `leased` are the records that the caller has the lease of.
pub async fn sync(
    engine: &Engine,
    mapping: &Mapping,
    key: &RecordKey,
    leased: &[RecordKey],
    (road, run_id): (Road, Option<i64>),
) -> Result<Synced, store::Error> {
    let looks = vec![Look::at(key.clone())];
    let synced = sync_all(engine, mapping, looks, leased, (road, run_id)).await?;
    Ok(synced
        .into_iter()
        .next()
        .unwrap_or_else(|| failed(Vec::new(), None, Sides::default(), vec![vanished()])))
}

fn vanished() -> Fault {
    Fault::new(
        "SY013",
        FailureClass::Bug,
        Stage::Map,
        "a record got lost between two steps",
    )
    .with_hint("this is a fault of Syncline: report it with the log of this time")
}

/// Looks at records and does what their plans say; what became of each, in the order given. What has to be stored about
/// them is the caller's to commit. `leased` are the records that the caller has the leases of.
pub async fn sync_all(
    engine: &Engine,
    mapping: &Mapping,
    mut looks: Vec<Look>,
    leased: &[RecordKey],
    (road, run_id): (Road, Option<i64>),
) -> Result<Vec<Synced>, store::Error> {
    let mut leased: HashSet<RecordKey> = leased.iter().cloned().collect();
    let mut synced: Vec<Option<Synced>> = looks.iter().map(|_| None).collect();
    let mut earlier: Vec<Vec<Op>> = looks.iter().map(|_| Vec::new()).collect();
    let mut open: Vec<usize> = (0..looks.len()).collect();
    for round in 1..=ROUNDS_MAX {
        if open.is_empty() {
            break;
        }
        let read = read(engine, mapping, &looks, road).await?;
        let mut round = Round {
            engine,
            mapping,
            run_id,
            is_last: round == ROUNDS_MAX,
            leased: &mut leased,
            synced: &mut synced,
            earlier: &mut earlier,
        };
        let again = round.carry_out(&open, &looks, read, road).await?;
        (open, looks) = again.into_iter().unzip();
    }
    let lost = || failed(Vec::new(), None, Sides::default(), vec![vanished()]);
    Ok(synced.into_iter().map(|one| one.unwrap_or_else(lost)).collect())
}

/// A record that was read and planned: its place, what was asked, and what came of it.
type Ready<'l> = (usize, &'l Look, Fetched, Plan);

fn partner_at_work() -> Fault {
    Fault::new(
        "SY012",
        FailureClass::Transient,
        Stage::Link,
        "the partner is being worked on at the same time",
    )
    .with_hint("somebody else worked on the same records; they are looked at again")
}

/// One round of a chunk: everything planned is carried out, and what changed in between is left for the next.
struct Round<'a> {
    engine: &'a Engine,
    mapping: &'a Mapping,
    run_id: Option<i64>,
    is_last: bool,
    /// Records that nobody else works on.
    leased: &'a mut HashSet<RecordKey>,
    synced: &'a mut [Option<Synced>],
    earlier: &'a mut [Vec<Op>],
}

impl Round<'_> {
    /// Carries out what was read; the records (with their places) that have to be read again.
    async fn carry_out(
        &mut self,
        places: &[usize],
        looks: &[Look],
        read: Vec<Result<(Fetched, Plan), Fault>>,
        road: Road,
    ) -> Result<Vec<(usize, Look)>, store::Error> {
        let mut ready = Vec::with_capacity(read.len());
        for ((place, look), one) in places.iter().zip(looks).zip(read) {
            match one {
                Err(fault) => self.end(*place, |ops| failed(ops, None, Sides::default(), vec![fault])),
                Ok((fetched, plan)) => match plan.awaited.clone() {
                    Some(awaited) => self.end(*place, |ops| waiting(ops, look, &fetched, plan, awaited)),
                    None => ready.push((*place, look, fetched, plan)),
                },
            }
        }
        let ready = self.with_partners(ready).await?;
        let works: Vec<Work<'_>> = ready
            .iter()
            .map(|(_, look, fetched, plan)| Work {
                key: &look.key,
                fetched,
                plan,
            })
            .collect();
        let applied = apply::carry_out(self.engine, self.mapping, self.run_id, &works, road).await?;
        let mut again = Vec::new();
        for ((place, look, fetched, plan), applied) in ready.into_iter().zip(applied) {
            let ids = fetched.ids(&look.key);
            match applied {
                Applied::Done(done) => {
                    let (mapping, run_id, at) = (self.mapping, self.run_id, synced_at(&fetched));
                    self.end(place, |ops| finished(mapping, run_id, ops, plan, (ids, at), done));
                }
                Applied::Again { ops: more, .. } if !self.is_last => {
                    // At once, so that the next round finds what was agreed in this one.
                    self.engine.store().commit(more).await?;
                    again.push((place, Look::at(look.key.clone())));
                }
                Applied::Again { ops: more, fault } | Applied::Failed { ops: more, fault } => {
                    self.keep(place, more);
                    let at = synced_at(&fetched);
                    self.end(place, |ops| Synced {
                        synced_at: at,
                        ..failed(ops, Some(plan), ids, vec![fault])
                    });
                }
            }
        }
        Ok(again)
    }

    /// Leases the partners that were found for unlinked records: until both are linked, somebody may be at work on the
    /// partner by itself, and find this record for it. What is worked on elsewhere is left for later.
    async fn with_partners<'l>(&mut self, ready: Vec<Ready<'l>>) -> Result<Vec<Ready<'l>>, store::Error> {
        let partner = |(_, look, fetched, _): &Ready<'_>| {
            let side = look.key.side.other();
            let record = fetched.records.get(side).record().filter(|_| fetched.link.is_none())?;
            Some(RecordKey::new(self.mapping.name.as_str(), side, record.id.clone()))
        };
        let partners: Vec<Option<RecordKey>> = ready.iter().map(partner).collect();
        let missing = partners.iter().flatten().filter(|key| !self.leased.contains(*key));
        let sets: Vec<Vec<RecordKey>> = missing.map(|key| vec![key.clone()]).collect();
        if sets.is_empty() || seam::has_bug(Bug::PartnerNotLeased) {
            return Ok(ready);
        }
        let guards = self.engine.store().lock_sets(&sets, PARTNER_LEASE).await?;
        let mut kept = Vec::with_capacity(ready.len());
        for (one, partner) in ready.into_iter().zip(partners) {
            let guard = guards.iter().find(|guard| guard.records().first() == partner.as_ref());
            if let (Some(guard), Some(key)) = (guard, &partner)
                && self.leased.insert(key.clone())
            {
                self.keep(one.0, vec![Op::Unlock(guard.clone())]);
            } else if partner.is_some_and(|key| !self.leased.contains(&key)) {
                let (place, look, fetched, plan) = one;
                let ids = fetched.ids(&look.key);
                self.end(place, |ops| failed(ops, Some(plan), ids, vec![partner_at_work()]));
                continue;
            }
            kept.push(one);
        }
        Ok(kept)
    }

    fn keep(&mut self, place: usize, ops: Vec<Op>) {
        if let Some(earlier) = self.earlier.get_mut(place) {
            earlier.extend(ops);
        }
    }

    fn end(&mut self, place: usize, end: impl FnOnce(Vec<Op>) -> Synced) {
        let ops = self.earlier.get_mut(place).map(std::mem::take).unwrap_or_default();
        if let Some(slot) = self.synced.get_mut(place) {
            *slot = Some(end(ops));
        }
    }
}

fn waiting(ops: Vec<Op>, look: &Look, fetched: &Fetched, plan: Plan, awaited: Awaited) -> Synced {
    let ids = fetched.ids(&look.key);
    Synced {
        ops,
        plan: Some(plan),
        ids: (ids.left, ids.right),
        synced_at: synced_at(fetched),
        counters: Counters::default(),
        ending: Ending::Waiting(awaited),
        unread: None,
    }
}

fn failed(ops: Vec<Op>, plan: Option<Plan>, ids: Sides<Option<String>>, faults: Vec<Fault>) -> Synced {
    let counters = Counters {
        failed: 1,
        ..Counters::default()
    };
    Synced {
        ops,
        plan,
        ids: (ids.left, ids.right),
        synced_at: None,
        counters,
        ending: Ending::Failed(faults),
        unread: None,
    }
}

fn finished(
    mapping: &Mapping,
    run_id: Option<i64>,
    mut ops: Vec<Op>,
    plan: Plan,
    (ids, synced_at): (Sides<Option<String>>, Option<DateTime<Utc>>),
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
    if let (Some(left_id), Some(right_id)) = (&ids.left, &ids.right)
        && synced_at.is_some()
    {
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
        ids: (ids.left, ids.right),
        synced_at,
        counters,
        ending,
        unread: done.unread,
    }
}

/// Opens what a person has to decide, and closes what is settled.
fn conflicts(mapping: &Mapping, run_id: Option<i64>, plan: &Plan, left_id: &str, right_id: &str, ops: &mut Vec<Op>) {
    let name: Arc<str> = Arc::from(mapping.name.as_str());
    let closed = |field: Option<String>| {
        Op::CloseConflicts(ClosedConflicts {
            mapping: Arc::clone(&name),
            left_id: left_id.to_owned(),
            right_id: right_id.to_owned(),
            field,
        })
    };
    if plan.conflicts().next().is_none() {
        ops.extend((!plan.decisions.is_empty()).then(|| closed(None)));
        return;
    }
    for decision in &plan.decisions {
        let Some(field) = mapping.fields.get(decision.field) else {
            continue;
        };
        if decision.verdict != Verdict::Conflict {
            ops.push(closed(Some(field.name.clone())));
            continue;
        }
        if seam::has_bug(Bug::ConflictNotListed) {
            continue;
        }
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
    failed(Vec::new(), None, Sides::default(), vec![fault])
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
    let next_attempt_at = next_attempt(engine, fault, change.attempts);
    let before = match next_attempt_at {
        None => engine.store().open_failure(&change.key).await?,
        Some(_) => None,
    };
    ops.push(Op::Fail(NewFailure {
        run_id,
        key: change.key.clone(),
        left_id: synced.ids.0.clone(),
        right_id: synced.ids.1.clone(),
        fault: fault.clone(),
        status: standing(
            fault,
            next_attempt_at,
            before.as_ref().map(|before| before.code.as_str()),
        ),
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

/// When a record that failed is tried again by itself; `attempts` are the tries before.
pub(super) fn next_attempt(engine: &Engine, fault: &Fault, attempts: u32) -> Option<DateTime<Utc>> {
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
pub(super) fn standing(
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
