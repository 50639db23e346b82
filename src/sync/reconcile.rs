//! Comparing both systems: what drifted, since when and why, and repairing it under guard rails.
//!
//! 1. Both listings and the links go into a scratch file, as hashes ([`crate::store::scan`]).
//! 2. Every pair that is not as it was agreed, and every record without a link, is read again from both systems and
//!    planned: only what still differs then is drift.
//! 3. If the plans stay within the mapping's guard rails they are carried out, each after one more look.
//!
//! A listing that did not come to its end proves nothing about what is missing: then pairs with a missing record are left alone.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::{
    Engine, Error,
    record::{self, Ending, Planned},
};
use crate::{
    client::{Listing, Road},
    core::{
        diff,
        drift::{self, Evidence, Item, Summary},
        fault::Fault,
        mapping::{Guard, Mapping},
        plan,
        record::{BaseField, Record, RecordKey},
        status::{DriftOutcome, FailureStatus, LinkStatus, RunKind, RunStatus, Side, Sides, Trigger, WriteKind},
        value::compare,
    },
    store::{
        self, Op,
        drift::{DriftKey, NewDrift, SettledDrift},
        failure::NewFailure,
        link::StoredLink,
        run::{Counters, NewRun},
        scan::{self, Candidates, Pair, Row, Scan, Suspect},
    },
};

/// Records, links and todos handled in one go.
const PAGE: u32 = 500;
/// Records looked at at once.
const IN_FLIGHT: usize = 16;
/// Without a limit of the mapping's own, so many deletes are let through where 1 % would be more.
const DELETES_MAX: u64 = 50;
/// How long one record stays leased while it is repaired.
const LEASE: std::time::Duration = std::time::Duration::from_mins(4);

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// `reconcile`, or `full` for the first time.
    pub kind: RunKind,
    /// Who or what asks.
    pub trigger: Trigger,
    /// Whether drift is repaired.
    pub repair: bool,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Report {
    /// The run.
    pub run_id: i64,
    /// How it ended.
    pub status: RunStatus,
    /// Why it is held or failed.
    pub note: Option<String>,
    /// The numbers.
    pub summary: Summary,
    /// What was done.
    pub counters: Counters,
}

impl From<scan::Error> for Error {
    fn from(error: scan::Error) -> Self {
        Self::Scan(error)
    }
}

/// Compares both systems of a mapping, and repairs what the request and the guard rails allow.
pub async fn reconcile(
    engine: &Engine,
    mapping: &Arc<Mapping>,
    request: Request,
    shutdown: &CancellationToken,
) -> Result<Report, Error> {
    let begun = begin(engine, mapping, request).await?;
    proceed(engine, mapping, begun, shutdown).await
}

/// A reconciliation that has its lease and its run, and has read nothing yet: whoever asks for one learns its run before it is
/// done.
#[derive(Debug)]
pub struct Begun {
    /// The run.
    pub run_id: i64,
    request: Request,
    lease: (String, i64),
}

/// Takes the lease of a mapping's reconciliation, and puts its run on record.
pub async fn begin(engine: &Engine, mapping: &Mapping, request: Request) -> Result<Begun, Error> {
    let lease = format!("reconcile/{}", mapping.name);
    let Some(epoch) = engine.store().acquire_free_lease(&lease, LEASE).await? else {
        return Err(Error::Busy(mapping.name.clone()));
    };
    let run = NewRun {
        kind: request.kind,
        mapping: Some(Arc::from(mapping.name.as_str())),
        trigger: request.trigger,
        note: None,
        job_key: None,
    };
    Ok(Begun {
        run_id: engine.store().start_run(&run).await?,
        request,
        lease: (lease, epoch),
    })
}

/// Gives up what was begun, before anything was read.
pub async fn abandon(engine: &Engine, begun: Begun) -> Result<(), store::Error> {
    let store = engine.store();
    store
        .finish_run(
            begun.run_id,
            RunStatus::Cancelled,
            Some("given up before it read anything"),
        )
        .await?;
    store.release_lease(&begun.lease.0, begun.lease.1).await
}

/// Does what was begun.
pub async fn proceed(
    engine: &Engine,
    mapping: &Arc<Mapping>,
    begun: Begun,
    shutdown: &CancellationToken,
) -> Result<Report, Error> {
    let mut work = Reconciliation {
        engine,
        mapping,
        run_id: begun.run_id,
        name: Arc::from(mapping.name.as_str()),
        request: begun.request,
        scan: Scan::create(None).await?,
        summary: Summary::default(),
        counters: Counters::default(),
        intent: Intent::default(),
        lease: begun.lease,
        shutdown,
    };
    let result = work.run().await;
    let report = work.close(result).await;
    engine.store().release_lease(&work.lease.0, work.lease.1).await?;
    report
}

/// What the plans would do, in records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Intent {
    creates: u64,
    updates: u64,
    deletes: u64,
}

struct Reconciliation<'a> {
    engine: &'a Engine,
    mapping: &'a Arc<Mapping>,
    run_id: i64,
    name: Arc<str>,
    request: Request,
    scan: Scan,
    summary: Summary,
    counters: Counters,
    intent: Intent,
    lease: (String, i64),
    shutdown: &'a CancellationToken,
}

impl Reconciliation<'_> {
    async fn run(&mut self) -> Result<(RunStatus, Option<String>), Error> {
        let (left, right) = tokio::join!(self.list(Side::Left), self.list(Side::Right));
        let complete = Sides {
            left: left?,
            right: right?,
        };
        self.links().await?;
        let counts = self.scan.counts().await?;
        self.summary.left_records = counts.left;
        self.summary.right_records = counts.right;
        self.summary.complete = complete.left && complete.right;
        self.counters.read = counts.left + counts.right;
        let suspects = self.pairs(complete).await?;
        self.summary
            .add_unchanged(counts.pairs.saturating_sub(suspects), self.mapping.fields.len() as u64);
        self.counters.unchanged += counts.pairs.saturating_sub(suspects);
        self.unlinked(Side::Left).await?;
        self.unlinked(Side::Right).await?;
        if !self.request.repair {
            return Ok((RunStatus::Succeeded, Some("reported only".to_owned())));
        }
        if let Some(reason) = held(self.mapping.reconcile.guard, self.intent, counts) {
            return Ok((RunStatus::Held, Some(reason)));
        }
        self.repair().await?;
        let status = if self.counters.failed > 0 {
            RunStatus::Partial
        } else {
            RunStatus::Succeeded
        };
        let note = (!self.summary.complete)
            .then(|| "a listing did not come to its end: missing records were left alone".to_owned());
        Ok((status, note))
    }

    /// Reads one listing into the scratch file; says whether it came to its end.
    async fn list(&self, side: Side) -> Result<bool, Error> {
        let system = self.engine.end(self.mapping, side)?;
        let mut lister = system.list(&self.mapping.end(side).object, Listing::default(), Road::Reconcile);
        while let Some(page) = lister.next().await? {
            if self.shutdown.is_cancelled() {
                return Err(Error::Shutdown);
            }
            let rows = page.records.iter().map(|record| self.row(side, record)).collect();
            self.scan.add(side, rows).await?;
        }
        Ok(lister.is_complete())
    }

    fn row(&self, side: Side, record: &Record) -> Row {
        let key = self.engine.key();
        let hashes: Option<Vec<u64>> = diff::hashes(key, self.mapping, side, record).collect();
        let match_keys = self.mapping.rules.iter().map(|rule| {
            let value = rule
                .paths
                .get(side)
                .get_in(&record.fields)
                .filter(|value| !value.is_empty())?;
            let value = rule
                .kind
                .read(value, &crate::core::value::spelling::Spelling::default())
                .ok()?;
            let value = compare::normalize(&value, rule.kind, rule.compare);
            (!value.is_empty()).then(|| key.field("match", Some(&value)))
        });
        Row {
            id: record.id.clone(),
            hashes: hashes.map(|hashes| bytes(&hashes)),
            // A record whose filter fails is looked at again, so that its failure is on record.
            is_outside: !plan::passes(self.mapping, side, record).unwrap_or(true),
            match_keys: match_keys.collect(),
        }
    }

    async fn links(&self) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let links = self.engine.store().links_after(&self.name, after, PAGE).await?;
            let Some(last) = links.last() else { return Ok(()) };
            after = last.link.link_id;
            self.scan
                .add_pairs(links.iter().map(|stored| self.pair(stored)).collect())
                .await?;
        }
    }

    fn pair(&self, stored: &StoredLink) -> Pair {
        let link = &stored.link;
        let fields: Option<Vec<BaseField>> = self
            .mapping
            .fields
            .iter()
            .map(|field| link.base.field(field.definition))
            .collect();
        // A pending delete is looked at every time: the record may be there again.
        let fields = fields.filter(|_| link.status == LinkStatus::Linked);
        let agreed = |side: Side| {
            fields
                .as_ref()
                .map(|fields| bytes(&fields.iter().map(|field| field.hash(side)).collect::<Vec<_>>()))
        };
        Pair {
            link_id: link.link_id,
            left_id: link.left_id.clone(),
            right_id: link.right_id.clone(),
            left_agreed: agreed(Side::Left),
            right_agreed: agreed(Side::Right),
        }
    }

    /// Plans every pair that is not as it was agreed; says how many there were.
    async fn pairs(&mut self, complete: Sides<bool>) -> Result<u64, Error> {
        let (mut after, mut count) = (0, 0);
        loop {
            let suspects = self.scan.suspects(after, PAGE).await?;
            let Some(last) = suspects.last() else { return Ok(count) };
            after = last.link_id;
            count += suspects.len() as u64;
            let is_believed = |one: &Suspect| (one.has_left || complete.left) && (one.has_right || complete.right);
            let looks = suspects.into_iter().filter(is_believed).map(|one| Look {
                side: Side::Left,
                id: one.left_id,
                partner: None,
            });
            self.plan_all(looks.collect()).await?;
        }
    }

    /// Plans every record of one side that is in no link.
    async fn unlinked(&mut self, side: Side) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let ids = self.scan.unlinked(side, &after, PAGE).await?;
            let Some(last) = ids.last() else { return Ok(()) };
            after.clone_from(last);
            let mut looks = Vec::with_capacity(ids.len());
            for id in ids {
                let partner = self.scan.candidates(side, &id).await?;
                // The pair was planned from its left record already.
                if side == Side::Right && matches!(partner, Candidates::One(_)) {
                    continue;
                }
                looks.push(Look {
                    side,
                    id,
                    partner: Some(partner),
                });
            }
            self.plan_all(looks).await?;
        }
    }

    async fn plan_all(&mut self, looks: Vec<Look>) -> Result<(), Error> {
        if self.shutdown.is_cancelled() {
            return Err(Error::Shutdown);
        }
        self.engine
            .store()
            .renew_lease(&self.lease.0, self.lease.1, LEASE)
            .await?;
        let (engine, mapping) = (self.engine, self.mapping);
        let planned: Vec<(Look, Result<Planned, record::Error>)> = stream::iter(looks)
            .map(|look| async move {
                let planned = record::plan(
                    engine,
                    mapping,
                    look.side,
                    &look.id,
                    look.partner.as_ref(),
                    Road::Reconcile,
                )
                .await;
                (look, planned)
            })
            .buffer_unordered(IN_FLIGHT)
            .collect()
            .await;
        let mut ops = Vec::new();
        for (look, planned) in planned {
            match planned {
                Ok(planned) => self.note(&look, &planned, &mut ops).await?,
                Err(record::Error::Store(error)) => return Err(error.into()),
                Err(record::Error::Fault(fault)) => {
                    self.counters.failed += 1;
                    let key = RecordKey::new(Arc::clone(&self.name), look.side, look.id);
                    ops.push(open_failure(self.run_id, key, (None, None), fault));
                }
            }
        }
        Ok(self.engine.store().commit(ops).await?)
    }

    /// Puts one plan into the numbers and the report, and remembers what has to be done.
    async fn note(&mut self, look: &Look, planned: &Planned, ops: &mut Vec<Op>) -> Result<(), Error> {
        let evidence = self.evidence(planned).await?;
        let items = drift::items(self.mapping, &planned.plan, &planned.ids, evidence);
        self.summary.add(&planned.plan, &items);
        let past = self.past(&items).await?;
        let failure_id = evidence.failure.map(|(id, _)| id);
        ops.extend(
            items
                .into_iter()
                .map(|item| Op::AddDrift(self.drift(item, &past, failure_id))),
        );
        for write in &planned.plan.writes {
            match write.kind {
                WriteKind::Create => self.intent.creates += 1,
                WriteKind::Update => self.intent.updates += 1,
                WriteKind::Delete => self.intent.deletes += 1,
            }
        }
        if planned.plan.link == plan::LinkStep::Keep && planned.plan.is_quiet() {
            self.counters.unchanged += 1;
            return Ok(());
        }
        let partner = match &look.partner {
            Some(Candidates::One(partner)) => Some(partner.as_str()),
            _ => None,
        };
        Ok(self.scan.add_todo(look.side, &look.id, partner).await?)
    }

    /// What inbox and failures say about a record.
    async fn evidence(&self, planned: &Planned) -> Result<Evidence, store::Error> {
        let mut evidence = Evidence {
            was_linked: planned.synced_at.is_some(),
            ..Evidence::default()
        };
        for side in [Side::Left, Side::Right] {
            let Some(id) = planned.ids.get(side) else { continue };
            let end = self.mapping.end(side);
            let key = RecordKey::new(Arc::clone(&self.name), side, id.clone());
            if let Some(failure) = self.engine.store().open_failure(&key).await? {
                evidence.failure = Some((failure.failure_id, failure.class));
            }
            let changed = planned
                .plan
                .decisions
                .iter()
                .any(|one| one.changed == diff::Changed::One(side));
            if let (true, Some(since)) = (changed, planned.synced_at) {
                evidence.expects_events |= self
                    .engine
                    .end(self.mapping, side)
                    .is_ok_and(|system| system.sends_events());
                let count = self
                    .engine
                    .store()
                    .event_count(&end.system, &end.object, id, since)
                    .await?;
                evidence.event_arrived |= count > 0;
            }
        }
        Ok(evidence)
    }

    async fn past(&self, items: &[Item]) -> Result<BTreeMap<usize, store::drift::DriftPast>, store::Error> {
        if items.is_empty() {
            return Ok(BTreeMap::new());
        }
        let keys: Vec<DriftKey> = items
            .iter()
            .map(|item| DriftKey {
                left_id: item.ids.left.clone(),
                right_id: item.ids.right.clone(),
                field: item.field.clone(),
            })
            .collect();
        let found = self
            .engine
            .store()
            .drift_history(&self.name, self.run_id, &keys)
            .await?;
        Ok(keys
            .iter()
            .enumerate()
            .filter_map(|(index, key)| Some((index, *found.get(key)?)))
            .collect())
    }

    fn drift(&self, item: Item, past: &BTreeMap<usize, store::drift::DriftPast>, failure_id: Option<i64>) -> NewDrift {
        // All items of one record were found first at the same time, unless a field joined later.
        let before = past.values().min_by_key(|past| past.first_seen_at);
        NewDrift {
            run_id: self.run_id,
            mapping: Arc::clone(&self.name),
            situation: item.situation,
            cause: item.cause,
            field: item.field,
            left_id: item.ids.left,
            right_id: item.ids.right,
            left_value: item.values.left,
            right_value: item.values.right,
            sensitive: item.sensitive,
            first_seen_at: before.map(|past| past.first_seen_at),
            age_runs: before.map_or(1, |past| past.age_runs + 1),
            last_changed_side: item.last_changed,
            outcome: DriftOutcome::Reported,
            note: Some(item.note),
            failure_id,
        }
    }

    /// Carries out what was planned, each after one more look and under a lease.
    async fn repair(&mut self) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let todos = self.scan.todos(after, PAGE).await?;
            let Some((last, ..)) = todos.last() else { return Ok(()) };
            after = *last;
            if self.shutdown.is_cancelled() {
                return Err(Error::Shutdown);
            }
            self.engine
                .store()
                .renew_lease(&self.lease.0, self.lease.1, LEASE)
                .await?;
            let (engine, mapping, run_id) = (self.engine, self.mapping, self.run_id);
            let mut repaired =
                stream::iter(todos)
                    .map(|(_, side, id, partner)| async move {
                        repair_one(engine, mapping, run_id, side, &id, partner).await
                    })
                    .buffer_unordered(IN_FLIGHT);
            while let Some(counters) = repaired.next().await {
                self.counters.add(&counters?);
            }
        }
    }

    async fn close(&self, result: Result<(RunStatus, Option<String>), Error>) -> Result<Report, Error> {
        let store = self.engine.store();
        let (status, note) = match &result {
            Ok((status, note)) => (*status, note.clone()),
            Err(error) => (RunStatus::Failed, Some(error.to_string())),
        };
        if result.is_ok() {
            let summary = serde_json::to_string(&self.summary).unwrap_or_default();
            store.save_drift_summary(self.run_id, &self.name, &summary).await?;
        }
        let counters = self.counters;
        store
            .commit(vec![Op::AddCounters {
                run_id: self.run_id,
                counters,
            }])
            .await?;
        store.finish_run(self.run_id, status, note.as_deref()).await?;
        result?;
        Ok(Report {
            run_id: self.run_id,
            status,
            note,
            summary: self.summary.clone(),
            counters,
        })
    }
}

/// One record to be planned, and the partner the scratch file has for it.
struct Look {
    side: Side,
    id: String,
    partner: Option<Candidates>,
}

/// Why a reconciliation must not repair: its plans would do more than the guard rails allow.
fn held(guard: Guard, intent: Intent, counts: scan::Counts) -> Option<String> {
    let records = counts.left.max(counts.right);
    let deletes_max = guard
        .delete
        .map_or_else(|| (records / 100).clamp(1, DELETES_MAX), |share| share.of(records));
    let checks = [
        ("delete", intent.deletes, Some(deletes_max)),
        // Where nothing is linked yet the first run changes what it must.
        (
            "change",
            intent.updates,
            (counts.pairs > 0).then(|| guard.change.of(records)),
        ),
        ("create", intent.creates, guard.create.map(|share| share.of(records))),
    ];
    let over = checks
        .into_iter()
        .find_map(|(what, count, max)| Some((what, count, max.filter(|max| count > *max)?)));
    over.map(|(what, count, max)| {
        format!("would {what} {count} records, but the mapping allows {max}: release or discard this run")
    })
}

async fn repair_one(
    engine: &Engine,
    mapping: &Mapping,
    run_id: i64,
    side: Side,
    id: &str,
    partner: Option<String>,
) -> Result<Counters, store::Error> {
    let name: Arc<str> = Arc::from(mapping.name.as_str());
    let key = RecordKey::new(Arc::clone(&name), side, id);
    let mut records = vec![key.clone()];
    records.extend(
        partner
            .as_ref()
            .map(|partner| RecordKey::new(Arc::clone(&name), side.other(), partner.clone())),
    );
    if let Some(stored) = engine.store().link_by(&name, side, id).await? {
        records.push(RecordKey::new(
            Arc::clone(&name),
            side.other(),
            stored.link.id(side.other()),
        ));
    }
    let Some(guard) = engine.store().lock(&records, LEASE).await? else {
        // Somebody works on it this moment, with the same planner.
        return Ok(Counters::default());
    };
    let partner = partner.map(Candidates::One);
    let synced = record::sync_with(engine, mapping, &key, partner.as_ref(), Road::Reconcile, Some(run_id)).await?;
    let mut ops = synced.ops;
    let outcome = match &synced.ending {
        Ending::Settled => {
            ops.push(Op::Resolve(key.clone()));
            DriftOutcome::Repaired
        }
        Ending::Waiting(_) => DriftOutcome::Reported,
        Ending::Failed(faults) => {
            let failure = |fault: &Fault| open_failure(run_id, key.clone(), synced.ids.clone(), fault.clone());
            ops.extend(faults.first().map(failure));
            DriftOutcome::Failed
        }
    };
    let wrote = synced.plan.as_ref().is_some_and(|plan| !plan.writes.is_empty());
    if wrote || outcome == DriftOutcome::Failed {
        ops.push(Op::SettleDrift(SettledDrift {
            run_id,
            left_id: synced.ids.0,
            right_id: synced.ids.1,
            outcome,
            note: None,
        }));
    }
    ops.push(Op::Unlock(guard));
    engine.store().commit(ops).await?;
    Ok(synced.counters)
}

/// A failure that waits for a person or the next look: a reconciliation does not retry by itself.
fn open_failure(
    run_id: i64,
    key: RecordKey,
    (left_id, right_id): (Option<String>, Option<String>),
    fault: Fault,
) -> Op {
    Op::Fail(NewFailure {
        run_id: Some(run_id),
        key,
        left_id,
        right_id,
        fault,
        status: FailureStatus::Open,
        next_attempt_at: None,
        event_id: None,
    })
}

fn bytes(hashes: &[u64]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::period::Share;

    const GUARD: Guard = Guard {
        delete: None,
        change: Share::Percent(25_000),
        create: None,
    };

    fn counts(records: u64, pairs: u64) -> scan::Counts {
        scan::Counts {
            left: records,
            right: records,
            pairs,
        }
    }

    #[test]
    fn a_plan_beyond_a_guard_rail_is_held_and_says_what_it_would_do() {
        let deletes = Intent {
            deletes: 11,
            ..Intent::default()
        };
        let reason = held(GUARD, deletes, counts(1_000, 1_000)).unwrap();
        assert!(
            reason.contains("delete 11 records") && reason.contains("allows 10"),
            "{reason}"
        );
        assert!(
            held(
                GUARD,
                Intent {
                    deletes: 51,
                    ..Intent::default()
                },
                counts(1_000_000, 1)
            )
            .is_some()
        );
        assert!(
            held(
                GUARD,
                Intent {
                    updates: 251,
                    ..Intent::default()
                },
                counts(1_000, 1_000)
            )
            .is_some()
        );
        assert!(
            held(
                Guard {
                    create: Some(Share::Count(5)),
                    ..GUARD
                },
                Intent {
                    creates: 6,
                    ..Intent::default()
                },
                counts(9, 9)
            )
            .is_some()
        );
    }

    #[test]
    fn a_plan_within_the_guard_rails_and_a_first_run_go_through() {
        let intent = Intent {
            creates: 5_000,
            updates: 250,
            deletes: 10,
        };
        assert_eq!(held(GUARD, intent, counts(1_000, 1_000)), None);
        assert_eq!(
            held(
                GUARD,
                Intent {
                    updates: 900,
                    ..Intent::default()
                },
                counts(1_000, 0)
            ),
            None
        );
    }
}
