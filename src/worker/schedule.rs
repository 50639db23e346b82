//! What the schedule asks for: polls, daily reconciliations, and making up for days missed.
//!
//! `tokio-cron-scheduler` wakes this room; what is due is decided by [`crate::core::schedule`] from what the store has on
//! record, so that no restart, clock change or second node runs a day twice or not at all.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    core::{
        mapping::Mapping,
        schedule::Daily,
        status::{RunKind, Side, Trigger},
    },
    store,
    sync::{self, Engine, poll, reconcile},
};

/// How often what is due is looked at: every five seconds.
const LOOK: &str = "*/5 * * * * *";
/// One look at the schedule at a time, among all nodes.
const LEASE: &str = "schedule";
const LEASE_LENGTH: Duration = Duration::from_mins(1);

/// Runs the schedule until `shutdown`, then lets what is running finish.
pub async fn run(engine: Engine, shutdown: CancellationToken) -> Result<(), JobSchedulerError> {
    let tracker = TaskTracker::new();
    let state = Arc::new(State {
        engine,
        tracker: tracker.clone(),
        polled: Mutex::default(),
        shutdown: shutdown.clone(),
    });
    let mut scheduler = JobScheduler::new().await?;
    let look = Job::new_async(LOOK, move |_, _| {
        let state = Arc::clone(&state);
        Box::pin(async move {
            if let Err(error) = look(&state).await {
                tracing::error!(%error, "cannot look at the schedule");
            }
        })
    })?;
    scheduler.add(look).await?;
    scheduler.start().await?;
    shutdown.cancelled().await;
    scheduler.shutdown().await?;
    tracker.close();
    tracker.wait().await;
    Ok(())
}

struct State {
    engine: Engine,
    tracker: TaskTracker,
    /// When each side was last asked what changed, by this node.
    polled: Mutex<HashMap<(String, Side), DateTime<Utc>>>,
    shutdown: CancellationToken,
}

/// Starts everything that is due.
async fn look(state: &Arc<State>) -> Result<(), store::Error> {
    let engine = &state.engine;
    if state.shutdown.is_cancelled() || engine.store().acquire_lease(LEASE, LEASE_LENGTH).await?.is_none() {
        return Ok(());
    }
    let now = engine.clock().now();
    let mappings: Vec<Arc<Mapping>> = engine.mappings().cloned().collect();
    for mapping in mappings {
        for side in [Side::Left, Side::Right] {
            let due = poll_is_due(state, &mapping, side, now).await;
            if due {
                start_poll(state, Arc::clone(&mapping), side);
            }
        }
        if let Some(trigger) = claim_reconciliation(engine, &mapping, now).await? {
            start_reconciliation(state, mapping, trigger);
        }
    }
    Ok(())
}

async fn poll_is_due(state: &State, mapping: &Mapping, side: Side, now: DateTime<Utc>) -> bool {
    let Some(period) = mapping.poll.get(side) else {
        return false;
    };
    let mut polled = state.polled.lock().await;
    let last = polled
        .entry((mapping.name.clone(), side))
        .or_insert(DateTime::UNIX_EPOCH);
    // A clock set back must not stop polling until it has caught up.
    let is_due = now < *last || (now - *last).num_milliseconds() >= period.millis();
    if is_due {
        *last = now;
    }
    is_due
}

/// Claims the day's reconciliation of a mapping if it is due.
async fn claim_reconciliation(
    engine: &Engine,
    mapping: &Mapping,
    now: DateTime<Utc>,
) -> Result<Option<Trigger>, store::Error> {
    let Some(at) = mapping.reconcile.at else {
        return Ok(None);
    };
    let daily = Daily {
        at,
        timezone: mapping.reconcile.timezone,
    };
    let job = format!("reconcile/{}", mapping.name);
    let last = engine.store().last_job_date(&job).await?;
    if last.is_none() {
        // Nothing was missed before the first start: count from here.
        if let Some(date) = daily.latest(now) {
            engine.store().claim_job(&job, date).await?;
        }
        return Ok(None);
    }
    let Some(due) = daily.due(now, last) else {
        return Ok(None);
    };
    let claimed = engine.store().claim_job(&job, due.date).await?;
    Ok(claimed.then_some(if due.late { Trigger::CatchUp } else { Trigger::Schedule }))
}

fn start_poll(state: &State, mapping: Arc<Mapping>, side: Side) {
    let engine = state.engine.clone();
    state.tracker.spawn(async move {
        let lease = format!("poll/{}/{side}", mapping.name);
        let Ok(Some(epoch)) = engine.store().acquire_lease(&lease, LEASE_LENGTH).await else { return };
        if let Err(error) = poll::poll(&engine, &mapping, side, Trigger::Schedule).await {
            tracing::warn!(%error, mapping = mapping.name, %side, "a poll failed; the next one asks for the same time again");
        }
        if let Err(error) = engine.store().release_lease(&lease, epoch).await {
            tracing::warn!(%error, "cannot give a lease back");
        }
    });
}

fn start_reconciliation(state: &State, mapping: Arc<Mapping>, trigger: Trigger) {
    let engine = state.engine.clone();
    let shutdown = state.shutdown.clone();
    state.tracker.spawn(async move {
        let request = reconcile::Request {
            kind: RunKind::Reconcile,
            trigger,
            repair: mapping.reconcile.repair,
        };
        match reconcile::reconcile(&engine, &mapping, request, &shutdown).await {
            Ok(report) => tracing::info!(
                mapping = mapping.name,
                run_id = report.run_id,
                drifted = report.summary.drifted(),
                "reconciled"
            ),
            Err(sync::Error::Busy(_)) => tracing::info!(mapping = mapping.name, "is being reconciled already"),
            Err(error) => tracing::error!(%error, mapping = mapping.name, "a reconciliation failed"),
        }
    });
}
