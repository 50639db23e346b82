//! Works through the dirty set: claim → commit → act → record.
//!
//! Changes of one link never run at the same time (the claim leases both records); changes of different links do, up to a
//! limit. A panic in one change is caught, recorded as a failure and stops nobody else.

mod crowd;
mod moved;
mod process;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::TimeDelta;
use tokio::{
    task::{Id, JoinError, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use self::{
    crowd::Crowd,
    process::{Trouble, Worked, give_back, process},
};
use super::Signs;
use crate::{
    core::{
        record::RecordKey,
        status::{ChangeOrigin, RunKind, RunStatus, Trigger},
    },
    seam::{self, Bug},
    store::{
        self, Op,
        change::{Change, ClaimRequest},
        run::NewRun,
    },
    sync::Engine,
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
    /// How long a record stays ours without a word from us; renewed while it is being worked on.
    pub lease: Duration,
    /// How long what is in flight may take to end at shutdown.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight: 64,
            change_time_max: Duration::from_mins(2),
            idle: Duration::from_secs(2),
            lease: Duration::from_mins(1),
            grace: Duration::from_secs(25),
        }
    }
}

/// The wait after our own store refused something.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// Events of a mapping share a run for so long.
const RUN_LENGTH: TimeDelta = TimeDelta::hours(1);

/// Works until `shutdown`, then lets what is in flight finish within its grace, and gives the rest back.
pub async fn work(engine: Engine, limits: Limits, signs: Signs, shutdown: CancellationToken) {
    let mut worker = Worker::new(engine, limits, signs);
    while !shutdown.is_cancelled() {
        worker.signs.pulse.beat();
        worker.renew().await;
        let claimed = worker.claim().await;
        if claimed == 0 {
            worker.close_ended_runs().await;
            worker.rest(&shutdown).await;
        }
    }
    worker.finish().await;
    worker.close_runs().await;
}

/// Works until the dirty set has nothing that is due, then returns how many changes were worked on: for commands and tests.
pub async fn drain(engine: &Engine, limits: Limits) -> u64 {
    let mut worker = Worker::new(engine.clone(), limits, Signs::default());
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
    signs: Signs,
    tasks: JoinSet<Result<Worked, store::Error>>,
    changes: HashMap<Id, (Change, Option<i64>)>,
    /// Records that are being worked on here: a clock set forward ends their leases before their work.
    busy: HashSet<RecordKey>,
    /// Whether the last claim gave changes back untouched. That they are free again is no news to the one who gave them back.
    has_passed_over: bool,
    runs: HashMap<(Arc<str>, RunKind), Run>,
    /// Mappings that this node does not have; others may.
    unknown: HashSet<Arc<str>>,
    crowd: Crowd,
    renewed_at: Instant,
}

struct Run {
    id: i64,
    opened_at: chrono::DateTime<chrono::Utc>,
    started: Instant,
    failed: bool,
}

impl Worker {
    fn new(engine: Engine, limits: Limits, signs: Signs) -> Self {
        Self {
            crowd: Crowd::new(engine.mappings(), limits.in_flight),
            engine,
            limits,
            signs,
            tasks: JoinSet::new(),
            changes: HashMap::new(),
            busy: HashSet::new(),
            has_passed_over: false,
            runs: HashMap::new(),
            unknown: HashSet::new(),
            renewed_at: Instant::now(),
        }
    }

    /// Lengthens the leases of what is being worked on.
    async fn renew(&mut self) {
        if self.changes.is_empty() || self.renewed_at.elapsed() < self.limits.lease / 3 {
            return;
        }
        self.renewed_at = Instant::now();
        let guards: Vec<_> = self.changes.values().map(|(change, _)| change.guard.clone()).collect();
        // One that is lost is told when its outcome is stored.
        if let Err(error) = self.engine.store().renew_locks(&guards, self.limits.lease).await {
            tracing::warn!(%error, "cannot lengthen the leases of the work in flight");
        }
    }

    /// Lets what is in flight end; what does not end in time is given up and its changes are given back. A write that was
    /// under way then has an intent without an outcome, so whoever looks at the record next reads before it writes.
    async fn finish(&mut self) {
        let all_ended = tokio::time::timeout(self.limits.grace, async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                self.ended(ended).await;
            }
        });
        if all_ended.await.is_ok() {
            return;
        }
        tracing::warn!(
            changes = self.changes.len(),
            "work outlived limits.shutdown_grace and is given back; it goes on at the next start"
        );
        self.tasks.shutdown().await;
        for (change, _) in std::mem::take(&mut self.changes).into_values() {
            // One by one: a change that ended while it was given up has no lease any more.
            self.leave(&change).await;
        }
    }

    /// Claims what there is room for, and starts on it.
    async fn claim(&mut self) -> usize {
        // Outcomes are stored in groups, so that changes end together: one claim fills the room of them all.
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.ended(ended).await;
        }
        self.has_passed_over = false;
        let room = self.limits.in_flight.saturating_sub(self.tasks.len());
        if room == 0 {
            return 0;
        }
        let mut count = 0;
        if let Some(paused) = self.signs.pauses.next_try() {
            let others = self.engine.mappings().map(|mapping| &mapping.name);
            let others = others
                .filter(|name| **name != paused)
                .map(|name| Arc::from(name.as_str()));
            count += self.claim_but(others.collect(), 1).await;
        }
        let paused = self
            .signs
            .pauses
            .all()
            .into_iter()
            .map(|pause| Arc::from(pause.mapping));
        let left_alone = paused.chain(self.crowded()).collect();
        count + self.claim_but(left_alone, room - count.min(room)).await
    }

    /// Mappings whose work has to wait because a system of theirs takes most of the room: one that hangs must not stop the
    /// work on others.
    fn crowded(&self) -> Vec<Arc<str>> {
        self.crowd
            .crowded(self.changes.values().map(|(change, _)| &change.key.mapping))
    }

    /// Claims changes of all but these mappings, and starts on them.
    async fn claim_but(&mut self, mut paused: Vec<Arc<str>>, room: usize) -> usize {
        if room == 0 {
            return 0;
        }
        paused.extend(self.unknown.iter().cloned());
        let request = ClaimRequest {
            limit: u32::try_from(room).unwrap_or(u32::MAX),
            ttl: self.limits.lease,
            paused,
        };
        let changes = match self.engine.store().claim_changes(&request).await {
            Ok(changes) => changes,
            Err(error) => {
                tracing::error!(%error, "cannot claim changes");
                tokio::time::sleep(STORE_WAIT).await;
                return 0;
            }
        };
        let mut count = 0;
        for change in changes {
            count += usize::from(self.begin(change).await);
        }
        count
    }

    /// Starts on a claimed change; false where it cannot be worked on here now.
    async fn begin(&mut self, change: Change) -> bool {
        let mapping = &change.key.mapping;
        if self.engine.mapping(mapping).is_none() {
            tracing::warn!(%mapping, "changes of a mapping that is not loaded wait until a node has it");
            self.unknown.insert(Arc::clone(mapping));
            self.leave(&change).await;
            return false;
        }
        let is_busy = change.guard.records().iter().any(|record| self.busy.contains(record));
        if is_busy || self.crowded().contains(&change.key.mapping) {
            self.has_passed_over = true;
            self.leave(&change).await;
            return false;
        }
        if seam::has_bug(Bug::BusyDropped) && seam::number().is_multiple_of(20) {
            let dropped = vec![Op::CompleteChange(change.claim())];
            drop(self.engine.store().commit(dropped).await);
            return false;
        }
        self.busy.extend(change.guard.records().iter().cloned());
        let run_id = self.run(&change).await;
        let span = tracing::info_span!(
            "change",
            record = %change.key,
            event_id = change.event_id,
            run_id,
        );
        let (engine, limits, metrics, started) = (
            self.engine.clone(),
            self.limits,
            self.signs.metrics.clone(),
            change.clone(),
        );
        let work = async move { process(&engine, limits, &metrics, &started, run_id).await };
        let task = self.tasks.spawn(work.instrument(span));
        self.changes.insert(task.id(), (change, run_id));
        true
    }

    /// Gives a claimed change back untouched.
    async fn leave(&self, change: &Change) {
        match self
            .engine
            .store()
            .commit(vec![Op::ReleaseChange(change.claim())])
            .await
        {
            Ok(()) | Err(store::Error::LeaseLost) => {}
            Err(error) => tracing::error!(%error, record = %change.key, "cannot give a change back"),
        }
    }

    /// Waits until there is something to do: a task ended, a change came, one is due, or it is time to look again.
    async fn rest(&mut self, shutdown: &CancellationToken) {
        let next = self.engine.store().next_change_at().await.ok().flatten();
        let until = next
            .and_then(|at| (at - self.engine.clock().now()).to_std().ok())
            .unwrap_or(self.limits.idle);
        // A change that is due but leased by somebody else, or paused, must not make this loop spin.
        let is_resting = !self.unknown.is_empty() || !self.signs.pauses.all().is_empty() || !self.crowded().is_empty();
        let least = Duration::from_millis(if is_resting { 250 } else { 20 });
        let mut wait = until.clamp(least, self.limits.idle.max(least));
        if !self.changes.is_empty() {
            // Leases are lengthened between two looks.
            wait = wait.min(self.limits.lease / 3);
        }
        let hears = self.tasks.len() < self.limits.in_flight && !self.has_passed_over;
        tokio::select! {
            biased;
            Some(ended) = self.tasks.join_next_with_id() => self.ended(ended).await,
            () = self.engine.store().change_enqueued(), if hears => {}
            () = tokio::time::sleep(wait) => {}
            () = shutdown.cancelled() => {}
        }
    }

    async fn ended(&mut self, ended: Result<(Id, Result<Worked, store::Error>), JoinError>) {
        let (id, ended) = match ended {
            Ok((id, ended)) => (id, ended.map_err(Trouble::Store)),
            Err(error) => (error.id(), Err(Trouble::Panic)),
        };
        let Some((change, run_id)) = self.changes.remove(&id) else {
            return;
        };
        for record in change.guard.records() {
            self.busy.remove(record);
        }
        let trouble = match ended {
            Ok(worked) => return self.worked(&change, &worked),
            Err(trouble) => trouble,
        };
        if let Err(error) = give_back(&self.engine, &change, run_id, trouble).await {
            // The lease runs out, and the change is claimed again.
            tracing::error!(%error, record = %change.key, "cannot give a change back");
        }
    }

    fn worked(&mut self, change: &Change, worked: &Worked) {
        let mapping = &change.key.mapping;
        if let Some(fault) = &worked.pause {
            return self.signs.pauses.pause(mapping, fault);
        }
        self.signs.pauses.resume(mapping);
        if let Some(run) = self.runs.get_mut(&(Arc::clone(mapping), kind(change))) {
            run.failed |= worked.counters.failed > 0;
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
            trigger: match key.1 {
                RunKind::Event => Trigger::Webhook,
                RunKind::Poll | RunKind::Reconcile | RunKind::Incremental | RunKind::Full => Trigger::Schedule,
                RunKind::Reprocess | RunKind::Manual => Trigger::Person,
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
                started: Instant::now(),
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
        let took = run.started.elapsed();
        self.signs.metrics.run_ended(key.1, &key.0, status, took);
        if let Err(error) = self.engine.store().finish_run(run.id, status, None).await {
            tracing::error!(%error, run_id = run.id, "cannot close a run");
        }
    }

    /// Closes the runs that are over while nothing is worked on: of what a person asked for at once, so that whoever waits
    /// sees that it is done; of all else after their time.
    async fn close_ended_runs(&mut self) {
        if !self.tasks.is_empty() {
            return;
        }
        let now = self.engine.clock().now();
        let is_over = |kind: RunKind, run: &Run| {
            matches!(kind, RunKind::Manual | RunKind::Reprocess) || now - run.opened_at >= RUN_LENGTH
        };
        let over = self.runs.iter().filter(|((_, kind), run)| is_over(*kind, run));
        let over: Vec<_> = over.map(|(key, _)| key.clone()).collect();
        for key in over {
            self.close_run(&key).await;
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
