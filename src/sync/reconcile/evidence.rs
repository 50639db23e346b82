//! Why records drifted: what the inbox, the failures and the last report say about them, looked up in bulk.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{Context, planning::is_parked};
use crate::{
    core::{
        diff,
        drift::{self, Evidence, Item},
        plan::Plan,
        record::RecordKey,
        status::{DriftOutcome, Side, Sides},
    },
    store::{
        self, Op,
        drift::{DriftKey, DriftPast, NewDrift},
        failure::Failure,
    },
    sync::record::{Planned, Synced},
};

/// One planned record.
#[derive(Debug, Clone)]
pub(super) struct Case<'a> {
    key: &'a RecordKey,
    plan: Option<&'a Plan>,
    ids: Sides<Option<String>>,
    synced_at: Option<DateTime<Utc>>,
}

impl<'a> Case<'a> {
    pub(super) fn of(key: &'a RecordKey, planned: &'a Planned) -> Self {
        Self {
            key,
            plan: Some(&planned.plan),
            ids: planned.ids.clone(),
            synced_at: planned.synced_at,
        }
    }

    pub(super) fn settled(key: &'a RecordKey, synced: &'a Synced) -> Self {
        let (left, right) = synced.ids.clone();
        Self {
            key,
            plan: synced.plan.as_ref(),
            ids: Sides { left, right },
            synced_at: synced.synced_at,
        }
    }

    /// The keys its failures and events may stand under.
    pub(super) fn keys(&self) -> impl Iterator<Item = RecordKey> {
        [Side::Left, Side::Right].into_iter().filter_map(|side| {
            let own = || (self.key.side == side).then(|| self.key.record_id.clone());
            let id = self.ids.get(side).clone().or_else(own)?;
            Some(RecordKey::new(self.key.mapping.clone(), side, id))
        })
    }

    /// Whether the record of a linked pair changed on this side.
    fn changed(&self, side: Side) -> bool {
        let decisions = self.plan.map_or(&[][..], |plan| &plan.decisions);
        self.synced_at.is_some() && decisions.iter().any(|one| one.changed == diff::Changed::One(side))
    }
}

/// What is known about a chunk of records.
pub(super) struct Known {
    /// Unresolved failures.
    pub(super) failures: HashMap<RecordKey, Failure>,
    /// When the last event about a changed record came.
    events: HashMap<RecordKey, DateTime<Utc>>,
}

/// Looks up what is known about these records.
pub(super) async fn gather(context: &Context, cases: &[Case<'_>]) -> Result<Known, store::Error> {
    let store = context.engine.store();
    let mut known = Known {
        failures: HashMap::new(),
        events: HashMap::new(),
    };
    for side in [Side::Left, Side::Right] {
        let of_side = |case: &Case<'_>| case.keys().find(|key| key.side == side).map(|key| key.record_id);
        let ids: Vec<String> = cases.iter().filter_map(of_side).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for failure in store.open_failures(&context.name, side, &ids).await? {
            known.failures.insert(failure.key.clone(), failure);
        }
        let changed = cases.iter().filter(|case| case.changed(side));
        let ids: Vec<&str> = changed.filter_map(|case| case.ids.get(side).as_deref()).collect();
        let end = context.mapping.end(side);
        for (id, at) in store.last_events(&end.system, &end.object, &ids).await? {
            known.events.insert(RecordKey::new(context.name.clone(), side, id), at);
        }
    }
    Ok(known)
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
                outcome,
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

    fn evidence(&self, context: &Context, case: &Case<'_>) -> Evidence {
        let mut evidence = Evidence {
            was_linked: case.synced_at.is_some(),
            failure: self
                .failures_of(case)
                .last()
                .map(|failure| (failure.failure_id, failure.class)),
            ..Evidence::default()
        };
        for key in case.keys() {
            if !case.changed(key.side) {
                continue;
            }
            let system = context.engine.end(&context.mapping, key.side);
            evidence.expects_events |= system.is_ok_and(|system| system.sends_events());
            let last = self.events.get(&key);
            evidence.event_arrived |= last.zip(case.synced_at).is_some_and(|(at, since)| *at >= since);
        }
        evidence
    }

    /// The drift items of each record, and whether it is parked.
    pub(super) async fn items(
        &self,
        context: &Context,
        cases: &[Case<'_>],
    ) -> Result<Vec<(Items, bool)>, store::Error> {
        let mut found = Vec::with_capacity(cases.len());
        for case in cases {
            let evidence = self.evidence(context, case);
            let drifted = case
                .plan
                .map(|plan| drift::items(&context.mapping, plan, &case.ids, evidence))
                .unwrap_or_default();
            let items = Items {
                found: drifted,
                past: None,
                failure_id: evidence.failure.map(|(id, _)| id),
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
