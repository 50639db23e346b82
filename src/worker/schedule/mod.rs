//! What goes on by the clock: polls, daily reconciliations and making up for days missed, events that no change came of,
//! and clearing away what has been kept long enough.
//!
//! `tokio-cron-scheduler` wakes this room; what is due is decided by [`crate::core::schedule`] from what the store has on
//! record, so that no restart, clock change or second node runs a day twice or not at all.

mod daily;
mod inbox;
mod lease;
mod poll;
mod prune;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::lease::Leadership;
use super::Signs;
use crate::{
    core::{mapping::Mapping, status::Side},
    store::{self, prune::Retention},
    sync::Engine,
};

/// How often what is due is looked at: every five seconds.
const LOOK: &str = "*/5 * * * * *";
/// How far the clock may move against the time that has really passed before nothing is cleared away by it.
const CLOCK_SHIFT_MAX: Duration = Duration::from_hours(1);
/// How often it is looked whether mappings are stopped.
const STOPS_EVERY: Duration = Duration::from_secs(15);

/// What the schedule may do.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether this node polls and reconciles.
    pub is_enabled: bool,
    /// Whether a reconciliation that fell into downtime is made up for.
    pub has_catch_up: bool,
    /// How long a node may be silent before others take over.
    pub lease: Duration,
    /// How long what is running may take to end at shutdown.
    pub grace: Duration,
    /// How long things are kept.
    pub retention: Retention,
}

/// Runs the schedule until `shutdown`, then lets what is running end within its grace.
pub async fn run(
    engine: Engine,
    options: Options,
    signs: Signs,
    shutdown: CancellationToken,
) -> Result<(), JobSchedulerError> {
    let grace = options.grace;
    let state = Arc::new(State::new(engine, options, signs, shutdown.clone()));
    let looker = Arc::clone(&state);
    let mut scheduler = JobScheduler::new().await?;
    let look = Job::new_async(LOOK, move |_, _| {
        let state = Arc::clone(&looker);
        Box::pin(async move { state.look().await })
    })?;
    scheduler.add(look).await?;
    scheduler.start().await?;
    shutdown.cancelled().await;
    scheduler.shutdown().await?;
    state.tracker.close();
    if tokio::time::timeout(grace, state.tracker.wait()).await.is_err() {
        tracing::warn!(
            runs = state.tracker.len(),
            "runs outlived limits.shutdown_grace and are given up; the next start goes on with them"
        );
        state.given_up.cancel();
        state.tracker.wait().await;
    }
    state.keeping.give_back(state.engine.store()).await;
    state.leading.give_back(state.engine.store()).await;
    Ok(())
}

struct State {
    engine: Engine,
    options: Options,
    signs: Signs,
    tracker: TaskTracker,
    /// The node that polls and reconciles by the clock.
    leading: Leadership,
    /// The node that keeps house: events without a change, retention.
    keeping: Leadership,
    /// One look at a time: a slow one must not be overtaken by the next.
    looking: tokio::sync::Mutex<()>,
    /// What this node is at, by name, so that nothing is begun twice.
    running: Mutex<HashSet<String>>,
    /// When something was last tried that did not go well, and how often in a row.
    failed: Mutex<HashMap<String, (Instant, u32)>>,
    /// When it was last looked whether mappings are stopped.
    stops_seen: Mutex<Option<Instant>>,
    started: (Instant, DateTime<Utc>),
    shutdown: CancellationToken,
    /// What has not ended when the grace is over is dropped where it stands.
    given_up: CancellationToken,
}

impl State {
    fn new(engine: Engine, options: Options, signs: Signs, shutdown: CancellationToken) -> Self {
        let started = (Instant::now(), engine.clock().now());
        Self {
            engine,
            options,
            signs,
            tracker: TaskTracker::new(),
            leading: Leadership::of("schedule"),
            keeping: Leadership::of("housekeeping"),
            looking: tokio::sync::Mutex::default(),
            running: Mutex::default(),
            failed: Mutex::default(),
            stops_seen: Mutex::default(),
            started,
            shutdown,
            given_up: CancellationToken::new(),
        }
    }

    /// Starts everything that is due.
    async fn look(self: &Arc<Self>) {
        let Ok(_looking) = self.looking.try_lock() else { return };
        if self.shutdown.is_cancelled() {
            return;
        }
        if let Err(error) = self.look_for_stops().await {
            tracing::error!(%error, "cannot look whether mappings are stopped");
        }
        if let Err(error) = self.lead().await {
            tracing::error!(%error, "cannot look at the schedule");
        }
        if let Err(error) = self.keep_house().await {
            tracing::error!(%error, "cannot look at events that wait, or clear old data away");
        }
    }

    /// Takes note of mappings that the last reconciliation has stopped, on whichever node or at whichever command line that was.
    async fn look_for_stops(&self) -> Result<(), store::Error> {
        let is_due = lock(&self.stops_seen).is_none_or(|at| at.elapsed() >= STOPS_EVERY);
        if is_due {
            self.note_stops().await?;
        }
        Ok(())
    }

    /// The same, at once.
    async fn note_stops(&self) -> Result<(), store::Error> {
        let reports = self.engine.store().last_reports().await?;
        let stopped = reports
            .into_iter()
            .filter_map(|(mapping, report)| Some((mapping, report.summary.stopped?)));
        self.signs
            .pauses
            .stop(stopped.filter(|(mapping, _)| self.engine.mapping(mapping).is_some()));
        *lock(&self.stops_seen) = Some(Instant::now());
        Ok(())
    }

    async fn lead(self: &Arc<Self>) -> Result<(), store::Error> {
        let store = self.engine.store();
        if !self.options.is_enabled || !self.leading.hold(store, self.options.lease).await? {
            return Ok(());
        }
        let now = self.engine.clock().now();
        let mappings: Vec<Arc<Mapping>> = self.engine.mappings().cloned().collect();
        for mapping in mappings {
            // A reconciliation is how a stopped mapping comes to be well again.
            let is_stopped = self.signs.pauses.is_stopped(&mapping.name);
            if self.signs.pauses.is_paused(&mapping.name) && !is_stopped {
                continue;
            }
            for side in [Side::Left, Side::Right].into_iter().filter(|_| !is_stopped) {
                if self.poll_is_due(&mapping, side, now).await? {
                    self.start_poll(&mapping, side);
                }
            }
            if let Some(due) = self.claim_reconciliation(&mapping, now).await? {
                self.start_reconciliation(&mapping, due);
            } else if !is_stopped && self.incremental_is_due(&mapping, now).await? {
                self.start_incremental(&mapping);
            }
        }
        Ok(())
    }

    async fn keep_house(self: &Arc<Self>) -> Result<(), store::Error> {
        let store = self.engine.store();
        if !self.keeping.hold(store, self.options.lease).await? {
            return Ok(());
        }
        self.work_through_inbox().await?;
        self.prune_daily().await
    }

    /// Begins `work` unless the work of this name is under way here. It ends by itself, or at the latest when the grace
    /// of the shutdown is over.
    fn begin(self: &Arc<Self>, name: String, work: impl Future<Output = ()> + Send + 'static) {
        if !lock(&self.running).insert(name.clone()) {
            return;
        }
        let state = Arc::clone(self);
        self.tracker.spawn(async move {
            // Also when the work breaks off, its name is free again.
            let _running = Running { state: &state, name };
            state.given_up.run_until_cancelled(work).await;
        });
    }

    fn is_running(&self, name: &str) -> bool {
        lock(&self.running).contains(name)
    }

    /// Whether `wait` has passed since this last failed.
    fn may_try(&self, name: &str, wait: Duration) -> bool {
        lock(&self.failed).get(name).is_none_or(|(at, _)| at.elapsed() >= wait)
    }

    /// Takes note of a failure; how many there have been in a row.
    fn note_failure(&self, name: &str) -> u32 {
        let mut failed = lock(&self.failed);
        let entry = failed.entry(name.to_owned()).or_insert((Instant::now(), 0));
        *entry = (Instant::now(), entry.1.saturating_add(1));
        entry.1
    }

    fn note_success(&self, name: &str) {
        lock(&self.failed).remove(name);
    }

    /// Whether the clock has been moved since the start: by more than any correction, against the time that has passed.
    fn is_clock_moved(&self, now: DateTime<Utc>) -> bool {
        let passed = (now - self.started.1).num_milliseconds();
        let really = i64::try_from(self.started.0.elapsed().as_millis()).unwrap_or(i64::MAX);
        passed.abs_diff(really) > u64::try_from(CLOCK_SHIFT_MAX.as_millis()).unwrap_or(u64::MAX)
    }
}

struct Running<'a> {
    state: &'a State,
    name: String,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        lock(&self.state.running).remove(&self.name);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
