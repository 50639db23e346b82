//! Why records drifted: what the inbox, the failures and the last report say about them, looked up in bulk.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{Context, planning::is_parked};
use crate::{
    core::{
        diff::Changed,
        drift::{self, Evidence, Failed, Item, Told},
        plan::Plan,
        record::RecordKey,
        status::{DriftOutcome, EventStatus, Side, Sides},
    },
    store::{
        self, Op,
        drift::{DriftKey, DriftPast, NewDrift},
        event::LastEvent,
        failure::Failure,
    },
    sync::record::{Pair, Planned, Synced},
};

/// One planned record.
#[derive(Debug, Clone)]
pub(super) struct Case<'a> {
    key: &'a RecordKey,
    plan: Option<&'a Plan>,
    pair: &'a Pair,
}

impl<'a> Case<'a> {
    pub(super) fn of(key: &'a RecordKey, planned: &'a Planned) -> Self {
        Self {
            key,
            plan: Some(&planned.plan),
            pair: &planned.pair,
        }
    }

    pub(super) fn settled(key: &'a RecordKey, synced: &'a Synced) -> Self {
        Self {
            key,
            plan: synced.plan.as_ref(),
            pair: &synced.pair,
        }
    }

    /// The keys its failures and events may stand under.
    pub(super) fn keys(&self) -> impl Iterator<Item = RecordKey> {
        self.pair.keys(self.key)
    }

    /// Whether the record of a linked pair changed on this side.
    fn changed(&self, side: Side) -> bool {
        let decisions = self.plan.map_or(&[][..], |plan| &plan.decisions);
        let is_it = |changed| matches!(changed, Changed::Both) || changed == Changed::One(side);
        self.pair.synced_at.is_some() && decisions.iter().any(|one| is_it(one.changed))
    }
}

/// What is known about a chunk of records.
pub(super) struct Known {
    /// Unresolved failures.
    pub(super) failures: HashMap<RecordKey, Failure>,
    /// The last event about each changed record.
    events: HashMap<RecordKey, LastEvent>,
    /// How each side is listened to.
    watched: Sides<Watched>,
}

/// How we learn what changes on a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watched {
    /// It pushes.
    Pushed,
    /// It is asked; what changed before this time has been shown.
    Polled(Option<DateTime<Utc>>),
    /// Not at all.
    Unwatched,
}

/// Looks up what is known about these records.
pub(super) async fn gather(context: &Context, cases: &[Case<'_>]) -> Result<Known, store::Error> {
    let store = context.engine.store();
    let mut known = Known {
        failures: HashMap::new(),
        events: HashMap::new(),
        watched: Sides {
            left: Watched::Unwatched,
            right: Watched::Unwatched,
        },
    };
    for side in [Side::Left, Side::Right] {
        let of_side = |case: &Case<'_>| case.keys().find(|key| key.side == side).map(|key| key.record_id);
        let ids: Vec<String> = cases.iter().filter_map(of_side).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for failure in store.open_failures(&context.name, side, &ids).await? {
            known.failures.insert(failure.key.clone(), failure);
        }
        let changed = cases.iter().filter(|case| case.changed(side));
        let ids: Vec<&str> = changed.filter_map(|case| case.pair.ids.get(side).as_deref()).collect();
        if ids.is_empty() {
            continue;
        }
        let end = context.mapping.end(side);
        for (id, last) in store.last_events(&end.system, &end.object, &ids).await? {
            known
                .events
                .insert(RecordKey::new(context.name.clone(), side, id), last);
        }
        *known.watched.get_mut(side) = watched(context, side).await?;
    }
    Ok(known)
}

async fn watched(context: &Context, side: Side) -> Result<Watched, store::Error> {
    let mapping = &context.mapping;
    let system = context.engine.end(mapping, side);
    if system.is_ok_and(|system| system.sends_events()) {
        return Ok(Watched::Pushed);
    }
    if mapping.poll.get(side).is_none() {
        return Ok(Watched::Unwatched);
    }
    let cursor = context.engine.store().cursor(&mapping.name, side).await?;
    Ok(Watched::Polled(cursor.and_then(|cursor| cursor.value.parse().ok())))
}

/// The drift items of one record.
pub(super) struct Items {
    pub(super) found: Vec<Item>,
    past: Option<DriftPast>,
    failure_id: Option<i64>,
}

impl Items {
    /// What stores them.
    pub(super) fn into_ops(self, context: &Context, outcome: DriftOutcome) -> impl Iterator<Item = Op> {
        let (run_id, mapping) = (context.run_id, context.name.clone());
        self.found.into_iter().map(move |item| {
            Op::AddDrift(NewDrift {
                run_id,
                mapping: mapping.clone(),
                situation: item.situation,
                cause: item.cause,
                field: item.field,
                left_id: item.ids.left,
                right_id: item.ids.right,
                left_value: item.values.left,
                right_value: item.values.right,
                sensitive: item.sensitive,
                first_seen_at: self.past.map(|past| past.first_seen_at),
                age_runs: self.past.map_or(1, |past| past.age_runs + 1),
                last_changed_side: item.last_changed,
                outcome: if item.is_ignored {
                    DriftOutcome::Ignored
                } else {
                    outcome
                },
                note: Some(item.note),
                failure_id: self.failure_id,
                event_id: item.event_id,
            })
        })
    }
}

impl Known {
    /// The failures of one record, whichever side they stand under.
    pub(super) fn failures_of<'k>(&'k self, case: &Case<'_>) -> impl Iterator<Item = &'k Failure> {
        let keys: Vec<RecordKey> = case.keys().collect();
        keys.into_iter().filter_map(|key| self.failures.get(&key))
    }

    /// What resolves the failures of one record: both sides are as the mapping wants them.
    pub(super) fn resolved(&self, case: &Case<'_>) -> impl Iterator<Item = Op> {
        self.failures_of(case).map(|failure| Op::Resolve(failure.key.clone()))
    }

    fn evidence(&self, case: &Case<'_>) -> Evidence {
        let failure = self.failures_of(case).last();
        let mut evidence = Evidence {
            was_linked: case.pair.synced_at.is_some(),
            failure: failure.map(|failure| Failed {
                failure_id: failure.failure_id,
                class: failure.class,
                event_id: failure.event_id,
            }),
            updated_at: case.pair.updated_at,
            ..Evidence::default()
        };
        for key in case.keys().filter(|key| case.changed(key.side)) {
            *evidence.told.get_mut(key.side) = self.told(case, &key);
        }
        evidence
    }

    /// What was told of a changed record since it was last in sync. An event whose work is done found the pair in step, or
    /// brought it there (our own writes come back as events, too): what differs now changed after it.
    fn told(&self, case: &Case<'_>, key: &RecordKey) -> Told {
        let since = case.pair.synced_at;
        let last = self.events.get(key).filter(|last| Some(last.received_at) >= since);
        match last {
            Some(last) if last.status == EventStatus::Failed => return Told::Failed(last.event_id),
            Some(last) if matches!(last.status, EventStatus::Received | EventStatus::Queued) => return Told::Pending,
            _ => {}
        }
        let changed_at = *case.pair.updated_at.get(key.side);
        match (*self.watched.get(key.side), changed_at) {
            (Watched::Pushed, _) => Told::Nothing,
            (Watched::Unwatched, _) => Told::Unwatched,
            (Watched::Polled(Some(_)), None) => Told::Unknown,
            (Watched::Polled(Some(shown)), Some(at)) if at < shown => Told::Nothing,
            // Not asked yet, or not since.
            (Watched::Polled(None), _) | (Watched::Polled(Some(_)), Some(_)) => Told::Pending,
        }
    }

    /// The drift items of each record, and whether it is parked.
    pub(super) async fn items(
        &self,
        context: &Context,
        cases: &[Case<'_>],
    ) -> Result<Vec<(Items, bool)>, store::Error> {
        let mut found = Vec::with_capacity(cases.len());
        for case in cases {
            let evidence = self.evidence(case);
            let drifted = case
                .plan
                .map(|plan| drift::items(&context.mapping, plan, &case.pair.ids, evidence))
                .unwrap_or_default();
            let items = Items {
                found: drifted,
                past: None,
                failure_id: evidence.failure.map(|failure| failure.failure_id),
            };
            let is_parked = self.failures_of(case).any(|failure| is_parked(Some(failure.status)));
            found.push((items, is_parked));
        }
        let keys: Vec<DriftKey> = found
            .iter()
            .flat_map(|(items, _)| items.found.iter().map(key))
            .collect();
        if keys.is_empty() {
            return Ok(found);
        }
        let past = context
            .engine
            .store()
            .drift_history(&context.name, context.run_id, &keys)
            .await?;
        for (items, _) in &mut found {
            // All items of one record were found first at the same time, unless a field joined later.
            let known = items.found.iter().filter_map(|item| past.get(&key(item)));
            items.past = known.min_by_key(|past| past.first_seen_at).copied();
        }
        Ok(found)
    }
}

fn key(item: &Item) -> DriftKey {
    DriftKey {
        left_id: item.ids.left.clone(),
        right_id: item.ids.right.clone(),
        field: item.field.clone(),
    }
}
