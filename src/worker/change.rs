//! Works through the dirty set: claim → commit → act → record.
//!
//! Changes of one link never run at the same time (the claim leases both records); changes of different links do, up to a
//! limit. A panic in one change is caught, recorded as a failure and stops nobody else.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    client::Road,
    core::{
        fault::Fault,
        mapping::Mapping,
        record::RecordKey,
        status::{ChangeOrigin, EventKind, FailureClass, FailureStatus, RunKind, RunStatus, Stage, Trigger},
    },
    store::{
        self, Op,
        change::{Change, ClaimRequest, NewChange},
        failure::NewFailure,
        run::{Counters, NewRun},
    },
    sync::{Engine, record},
};

/// Limits of the work on changes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Changes worked on at once.
    pub in_flight: usize,
    /// How long one change may take.
    pub change_time_max: Duration,
    /// The longest time between two looks at the dirty set: other nodes' changes come up by looking.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight: 64,
            change_time_max: Duration::from_mins(2),
            idle: Duration::from_secs(2),
        }
    }
}

/// The wait after our own store refused something.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// Events of a mapping share a run for so long.
const RUN_LENGTH: TimeDelta = TimeDelta::hours(1);

/// Works until `shutdown`, then lets what is in flight finish.
pub async fn work(engine: Engine, limits: Limits, shutdown: CancellationToken) {
    let mut worker = Worker {
        engine,
        limits,
        tasks: JoinSet::new(),
        changes: HashMap::new(),
        runs: HashMap::new(),
    };
    while !shutdown.is_cancelled() {
        let claimed = worker.claim().await;
        if claimed == 0 {
            worker.rest(&shutdown).await;
        }
    }
    while let Some(ended) = worker.tasks.join_next_with_id().await {
        worker.ended(ended).await;
    }
    worker.close_runs().await;
}

/// Works until the dirty set has nothing that is due, then returns how many changes were worked on: for commands and tests.
pub async fn drain(engine: &Engine, limits: Limits) -> u64 {
    let mut worker = Worker {
        engine: engine.clone(),
        limits,
        tasks: JoinSet::new(),
        changes: HashMap::new(),
        runs: HashMap::new(),
    };
    let mut count = 0;
    loop {
        let claimed = worker.claim().await;
        count += claimed as u64;
        match worker.tasks.join_next_with_id().await {
            Some(ended) => worker.ended(ended).await,
            None if claimed == 0 => break,
            None => {}
        }
    }
    worker.close_runs().await;
    count
}

struct Worker {
    engine: Engine,
    limits: Limits,
    tasks: JoinSet<Result<Counters, store::Error>>,
    changes: HashMap<Id, (Change, Option<i64>)>,
    runs: HashMap<(Arc<str>, RunKind), Run>,
}

struct Run {
    id: i64,
    opened_at: chrono::DateTime<chrono::Utc>,
    failed: bool,
}

impl Worker {
    /// Claims what there is room for, and starts on it.
    async fn claim(&mut self) -> usize {
        let room = self.limits.in_flight.saturating_sub(self.tasks.len());
        let request = ClaimRequest {
            limit: u32::try_from(room).unwrap_or(u32::MAX),
            ttl: self.limits.change_time_max * 2,
            paused: Vec::new(),
        };
        if room == 0 {
            return 0;
        }
        let changes = match self.engine.store().claim_changes(&request).await {
            Ok(changes) => changes,
            Err(error) => {
                tracing::error!(%error, "cannot claim changes");
                tokio::time::sleep(STORE_WAIT).await;
                return 0;
            }
        };
        let count = changes.len();
        for change in changes {
            let run_id = self.run(&change).await;
            let (engine, limits, started) = (self.engine.clone(), self.limits, change.clone());
            let task = self
                .tasks
                .spawn(async move { process(&engine, limits, &started, run_id).await });
            self.changes.insert(task.id(), (change, run_id));
        }
        count
    }

    /// Waits until there is something to do: a task ended, a change came, one is due, or it is time to look again.
    async fn rest(&mut self, shutdown: &CancellationToken) {
        let next = self.engine.store().next_change_at().await.ok().flatten();
        let until = next
            .and_then(|at| (at - self.engine.clock().now()).to_std().ok())
            .unwrap_or(self.limits.idle);
        // A change that is due but leased by somebody else must not make this loop spin.
        let wait = until.clamp(Duration::from_millis(20), self.limits.idle);
        tokio::select! {
            Some(ended) = self.tasks.join_next_with_id() => self.ended(ended).await,
            () = self.engine.store().change_enqueued(), if self.tasks.len() < self.limits.in_flight => {}
            () = tokio::time::sleep(wait) => {}
            () = shutdown.cancelled() => {}
        }
    }

    async fn ended(&mut self, ended: Result<(Id, Result<Counters, store::Error>), JoinError>) {
        let (id, error) = match ended {
            Ok((id, Ok(counters))) => {
                if let Some((change, _)) = self.changes.remove(&id)
                    && let Some(run) = self.runs.get_mut(&(Arc::clone(&change.key.mapping), kind(&change)))
                {
                    run.failed |= counters.failed > 0;
                }
                return;
            }
            Ok((id, Err(error))) => (id, Trouble::Store(error)),
            Err(error) => (error.id(), Trouble::Panic),
        };
        let Some((change, run_id)) = self.changes.remove(&id) else {
            return;
        };
        if let Err(error) = give_back(&self.engine, &change, run_id, error).await {
            // The lease runs out, and the change is claimed again.
            tracing::error!(%error, record = %change.key, "cannot give a change back");
        }
    }

    /// The run that the work on a change counts for.
    async fn run(&mut self, change: &Change) -> Option<i64> {
        let key = (Arc::clone(&change.key.mapping), kind(change));
        let now = self.engine.clock().now();
        if let Some(run) = self.runs.get(&key) {
            if now - run.opened_at < RUN_LENGTH {
                return Some(run.id);
            }
            self.close_run(&key).await;
        }
        let run = NewRun {
            kind: key.1,
            mapping: Some(Arc::clone(&key.0)),
            trigger: if key.1 == RunKind::Event {
                Trigger::Webhook
            } else {
                Trigger::Person
            },
            note: None,
            job_key: None,
        };
        let run_id = self.engine.store().start_run(&run).await.ok()?;
        self.runs.insert(
            key,
            Run {
                id: run_id,
                opened_at: now,
                failed: false,
            },
        );
        Some(run_id)
    }

    async fn close_run(&mut self, key: &(Arc<str>, RunKind)) {
        let Some(run) = self.runs.remove(key) else { return };
        let status = if run.failed {
            RunStatus::Partial
        } else {
            RunStatus::Succeeded
        };
        if let Err(error) = self.engine.store().finish_run(run.id, status, None).await {
            tracing::error!(%error, run_id = run.id, "cannot close a run");
        }
    }

    async fn close_runs(&mut self) {
        let keys: Vec<_> = self.runs.keys().cloned().collect();
        for key in keys {
            self.close_run(&key).await;
        }
    }
}

/// The kind of run that a change counts for.
const fn kind(change: &Change) -> RunKind {
    match change.origin {
        ChangeOrigin::Event | ChangeOrigin::Parent => RunKind::Event,
        ChangeOrigin::Poll => RunKind::Poll,
        ChangeOrigin::Reconcile => RunKind::Reconcile,
        ChangeOrigin::Manual => RunKind::Manual,
        ChangeOrigin::Reprocess => RunKind::Reprocess,
    }
}

enum Trouble {
    Store(store::Error),
    Panic,
}

/// Gives a change back after trouble of our own.
async fn give_back(
    engine: &Engine,
    change: &Change,
    run_id: Option<i64>,
    trouble: Trouble,
) -> Result<(), store::Error> {
    let not_before = engine.clock().now() + TimeDelta::seconds(5);
    let retry = Op::RetryChange {
        claim: change.claim(),
        not_before,
    };
    let ops = match trouble {
        Trouble::Store(store::Error::LeaseLost) => return Ok(()),
        Trouble::Store(error) => {
            tracing::error!(%error, record = %change.key, "the outcome of a change could not be stored");
            vec![retry]
        }
        Trouble::Panic => {
            let fault = Fault::new(
                "SY010",
                FailureClass::Bug,
                Stage::Map,
                "the work on this record broke off",
            )
            .with_hint("this is a fault of Syncline: report it with the log of this time, then reprocess");
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
            vec![Op::Fail(failure), Op::CompleteChange(change.claim())]
        }
    };
    engine.store().commit(ops).await
}

async fn process(
    engine: &Engine,
    limits: Limits,
    change: &Change,
    run_id: Option<i64>,
) -> Result<Counters, store::Error> {
    let Some(mapping) = engine.mapping(&change.key.mapping).cloned() else {
        tracing::warn!(record = %change.key, "dropped a change of a mapping that is not loaded");
        engine.store().commit(vec![Op::CompleteChange(change.claim())]).await?;
        return Ok(Counters::default());
    };
    if change.kind == EventKind::Merged && merge(engine, &mapping, change).await? {
        return Ok(Counters::default());
    }
    let started = Instant::now();
    let road = if change.origin == ChangeOrigin::Event {
        Road::Event
    } else {
        Road::Manual
    };
    let work = record::sync(engine, &mapping, &change.key, road, run_id);
    let synced = match tokio::time::timeout(limits.change_time_max, work).await {
        Ok(synced) => synced?,
        Err(_) => record::timed_out(limits.change_time_max),
    };
    let mut ops = record::conclude(engine, change, run_id, &synced, started.elapsed()).await?;
    let counters = synced.counters;
    ops.splice(0..0, synced.ops);
    ops.extend(run_id.map(|run_id| Op::AddCounters { run_id, counters }));
    engine.store().commit(ops).await?;
    Ok(counters)
}

/// Moves the link of a merged record to the one it lives on as; says whether that settled the change.
async fn merge(engine: &Engine, mapping: &Mapping, change: &Change) -> Result<bool, store::Error> {
    let (side, Some(survivor)) = (change.key.side, &change.merged_into) else {
        return Ok(false);
    };
    let Some(stored) = engine
        .store()
        .link_by(&mapping.name, side, &change.key.record_id)
        .await?
    else {
        return Ok(false);
    };
    let link_id = stored.link.link_id;
    let is_taken = engine.store().link_by(&mapping.name, side, survivor).await?.is_some();
    let step = if is_taken {
        // Both partners stand for one record now: the survivor keeps its own, the other is looked at anew.
        Op::EndLink { link_id }
    } else {
        Op::MoveLink {
            link_id,
            side,
            record_id: survivor.clone(),
        }
    };
    let again = |side, id: &str| {
        let key = RecordKey::new(Arc::clone(&change.key.mapping), side, id);
        Op::Enqueue(NewChange::new(key, change.origin, EventKind::Updated))
    };
    let partner = again(side.other(), stored.link.id(side.other()));
    engine
        .store()
        .commit(vec![
            step,
            again(side, survivor),
            partner,
            Op::CompleteChange(change.claim()),
        ])
        .await?;
    Ok(true)
}
