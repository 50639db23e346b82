//! What became of one record: the plan, what it counts for, and what has to be stored.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::{
    core::{
        diff::{Decision, Reason, Verdict},
        drift,
        fault::Fault,
        mapping::{Mapping, convert::Awaited},
        plan::{LinkStep, Plan},
        record::{Record, RecordKey},
        status::{FailureClass, Side, Sides, Situation, Stage},
    },
    seam::{self, Bug},
    store::{
        Op,
        conflict::{ClosedConflicts, NewConflict},
        link::{Agreement, SyncedLink},
        run::Counters,
    },
    sync::{apply::Done, fetch::Fetched},
};

/// What is known of a record and its partner beside what they hold.
#[derive(Debug, Clone, Default)]
pub struct Pair {
    /// Ids of both records, where they are known.
    pub ids: Sides<Option<String>>,
    /// When the pair was last in sync before; none where it was not linked.
    pub synced_at: Option<DateTime<Utc>>,
    /// When each record changed last, as its system says.
    pub updated_at: Sides<Option<DateTime<Utc>>>,
    /// Which records were read, or listed, just now.
    pub seen: Sides<bool>,
}

impl Pair {
    pub(super) fn of(fetched: &Fetched, key: &RecordKey) -> Self {
        let link = fetched.link.as_ref();
        Self {
            ids: fetched.ids(key),
            synced_at: link.map(|stored| stored.last_synced_at.unwrap_or(stored.created_at)),
            updated_at: Sides::of(|side| fetched.records.get(side).record()?.updated_at),
            seen: Sides::of(|side| fetched.records.get(side).record().is_some()),
        }
    }

    /// The keys of both records, as far as they are known; of the one that was looked at in any case.
    pub fn keys(&self, own: &RecordKey) -> impl Iterator<Item = RecordKey> {
        [Side::Left, Side::Right].into_iter().filter_map(|side| {
            let looked_at = || (own.side == side).then(|| own.record_id.clone());
            let id = self.ids.get(side).clone().or_else(looked_at)?;
            Some(RecordKey::new(Arc::clone(&own.mapping), side, id))
        })
    }
}

/// What would be done about one record.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The record and its partner.
    pub pair: Pair,
}

impl Planned {
    pub(super) fn of(fetched: &Fetched, key: &RecordKey, plan: Plan) -> Self {
        Self {
            plan,
            pair: Pair::of(fetched, key),
        }
    }
}

/// What became of one record.
#[derive(Debug)]
pub struct Synced {
    /// What has to be stored, in one submission.
    pub ops: Vec<Op>,
    /// What was decided last.
    pub plan: Option<Plan>,
    /// The record and its partner.
    pub pair: Pair,
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

impl Synced {
    pub(super) fn waiting(ops: Vec<Op>, pair: Pair, plan: Plan, awaited: Awaited) -> Self {
        Self {
            ops,
            plan: Some(plan),
            pair,
            counters: Counters::default(),
            ending: Ending::Waiting(awaited),
            unread: None,
        }
    }

    /// A record that failed before anything was decided about it.
    #[must_use]
    pub fn unplanned(ops: Vec<Op>, fault: Fault) -> Self {
        Self::failed(ops, None, Pair::default(), fault)
    }

    pub(super) fn failed(ops: Vec<Op>, plan: Option<Plan>, pair: Pair, fault: Fault) -> Self {
        let counters = Counters {
            failed: 1,
            ..Counters::default()
        };
        Self {
            ops,
            plan,
            pair,
            counters,
            ending: Ending::Failed(vec![fault]),
            unread: None,
        }
    }

    /// The ending of a record that none was stored of: never, unless we are wrong.
    pub(super) fn vanished() -> Self {
        Self::unplanned(Vec::new(), vanished())
    }

    pub(super) fn finished(
        mapping: &Mapping,
        run_id: Option<i64>,
        mut ops: Vec<Op>,
        plan: Plan,
        pair: Pair,
        done: Done,
    ) -> Self {
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
        if let (Some(left_id), Some(right_id)) = (&pair.ids.left, &pair.ids.right)
            && pair.synced_at.is_some()
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
        Self {
            ops,
            plan: Some(plan),
            pair,
            counters,
            ending,
            unread: done.unread,
        }
    }
}

impl Synced {
    /// Takes into account that the record was made before, and this is about what belongs to it: what was decided then is what
    /// happened to the pair, unless the rest failed.
    pub(super) fn begun(&mut self, plan: Plan, pair: Pair, counters: &Counters) {
        if matches!(self.ending, Ending::Settled) {
            self.plan = Some(plan);
            self.pair = pair;
            self.counters = Counters {
                read: self.counters.read,
                conflicts: self.counters.conflicts,
                ..Counters::default()
            };
        }
        self.counters.add(counters);
    }
}

/// Remembers the states of a pair that is in step, where they are not those that its link knows: after a batch that showed
/// no versions, an echo, or an edit of something that is not mapped. Polls and pushes of the same states then say nothing new.
pub(super) fn seen(fetched: &Fetched, plan: &Plan) -> Option<Op> {
    let stored = fetched.link.as_ref()?;
    if plan.situation != Situation::InSync || plan.link != LinkStep::Keep {
        return None;
    }
    let (left, right) = (fetched.records.left.record()?, fetched.records.right.record()?);
    let is_known = stored.left_version == left.version
        && stored.right_version == right.version
        && is_same_time(stored.left_updated_at, left.updated_at)
        && is_same_time(stored.right_updated_at, right.updated_at);
    (!is_known).then(|| {
        Op::SyncLink(SyncedLink {
            link_id: stored.link.link_id,
            agreement: Agreement {
                base: stored.link.base.clone(),
                left_version: left.version.clone(),
                right_version: right.version.clone(),
                left_updated_at: left.updated_at,
                right_updated_at: right.updated_at,
            },
        })
    })
}

/// Whether a link keeps this time: the store keeps milliseconds, and systems tell microseconds.
pub(in crate::sync) fn is_same_time(kept: Option<DateTime<Utc>>, told: Option<DateTime<Utc>>) -> bool {
    let millis = |time: DateTime<Utc>| time.timestamp_millis();
    kept.map(millis) == told.map(millis)
}

/// Opens what a person has to decide, and closes what is settled.
fn conflicts(mapping: &Mapping, run_id: Option<i64>, plan: &Plan, left_id: &str, right_id: &str, ops: &mut Vec<Op>) {
    let name: Arc<str> = Arc::from(mapping.name.as_str());
    let closed = |field: Option<String>, is_accepted: bool| {
        Op::CloseConflicts(ClosedConflicts {
            mapping: Arc::clone(&name),
            left_id: left_id.to_owned(),
            right_id: right_id.to_owned(),
            field,
            is_accepted,
        })
    };
    let is_plain = |decision: &Decision| {
        decision.reason != Reason::Accepted && !matches!(decision.verdict, Verdict::Conflict | Verdict::Ignored)
    };
    if plan.decisions.iter().all(is_plain) {
        ops.extend((!plan.decisions.is_empty()).then(|| closed(None, false)));
        return;
    }
    for decision in &plan.decisions {
        let Some(field) = mapping.fields.get(decision.field) else {
            continue;
        };
        match decision.verdict {
            // An ignore rule ends, and then the conflict is there again.
            Verdict::Ignored => continue,
            Verdict::Conflict if seam::has_bug(Bug::ConflictNotListed) => continue,
            Verdict::Conflict => {}
            _ => {
                let is_accepted = decision.reason == Reason::Accepted;
                ops.push(closed(Some(field.name.clone()), is_accepted));
                continue;
            }
        }
        let shown = |side: Side| decision.values.get(side).as_ref().map(drift::shown);
        ops.push(Op::OpenConflict(NewConflict {
            mapping: Arc::clone(&name),
            left_id: left_id.to_owned(),
            right_id: right_id.to_owned(),
            field: field.name.clone(),
            left_value: shown(Side::Left),
            right_value: shown(Side::Right),
            hashes: decision.hashes,
            sensitive: field.sensitive,
            run_id,
        }));
    }
}

pub(super) fn vanished() -> Fault {
    Fault::new(
        "SY013",
        FailureClass::Bug,
        Stage::Map,
        "a record got lost between two steps",
    )
    .with_hint("this is a fault of Syncline: report it with the log of this time")
}
