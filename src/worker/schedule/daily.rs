//! Daily reconciliations: one for each local date, made up for once after downtime, and again if it was cut off.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Days, NaiveDate, Utc};
use tokio_util::sync::CancellationToken;

use super::{State, lease::until_lost};
use crate::{
    core::{
        mapping::Mapping,
        schedule::Daily,
        status::{RunKind, RunStatus, Trigger},
    },
    store,
    sync::{self, reconcile},
};

/// How often a day's reconciliation is tried that a system keeps from being done.
const TRIES_MAX: u32 = 3;
/// The wait between these tries.
const TRY_WAIT: Duration = Duration::from_mins(15);

/// A reconciliation that is to be done now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) date: NaiveDate,
    pub(super) trigger: Trigger,
}

pub(super) fn job(mapping: &Mapping) -> String {
    format!("reconcile/{}", mapping.name)
}

fn incremental(mapping: &Mapping) -> String {
    format!("incremental/{}", mapping.name)
}

impl State {
    /// Claims the day's reconciliation of a mapping if it is due, or the last one if it was cut off.
    pub(super) async fn claim_reconciliation(
        &self,
        mapping: &Mapping,
        now: DateTime<Utc>,
    ) -> Result<Option<Due>, store::Error> {
        let job = job(mapping);
        let Some(at) = mapping.reconcile.at.filter(|_| !self.is_running(&job)) else {
            return Ok(None);
        };
        let daily = Daily {
            at,
            timezone: mapping.reconcile.timezone,
        };
        let (store, Some(latest)) = (self.engine.store(), daily.latest(now)) else {
            return Ok(None);
        };
        let Some(last) = store.last_job(&job).await? else {
            // Nothing was missed before the first start: count from here.
            return self.skip(&job, latest).await.map(|()| None);
        };
        if latest
            .checked_add_days(Days::new(2))
            .is_some_and(|soon| last.date > soon)
        {
            tracing::warn!(mapping = mapping.name, date = %last.date, "was reconciled on a day to come: the clock was wrong; counting from today");
            store.unclaim_job(&job, last.date).await?;
            return self.skip(&job, latest).await.map(|()| None);
        }
        if !last.is_ended && last.date >= latest {
            let due = Due {
                date: last.date,
                trigger: Trigger::CatchUp,
            };
            return Ok(self.may_try(&job, TRY_WAIT).then_some(due));
        }
        let Some(due) = daily.due(now, Some(last.date)) else {
            return Ok(None);
        };
        if due.late && !self.options.has_catch_up {
            tracing::info!(mapping = mapping.name, date = %due.date, "a reconciliation fell into downtime, and schedule.catch_up is off");
            return self.skip(&job, due.date).await.map(|()| None);
        }
        let trigger = if due.late { Trigger::CatchUp } else { Trigger::Schedule };
        let is_claimed = store.claim_job(&job, due.date).await?;
        Ok(is_claimed.then_some(Due {
            date: due.date,
            trigger,
        }))
    }

    /// Whether what changed is to be compared alone again: so long after the last comparison of either kind.
    pub(super) async fn incremental_is_due(&self, mapping: &Mapping, now: DateTime<Utc>) -> Result<bool, store::Error> {
        let Some(period) = mapping.reconcile.incremental else {
            return Ok(false);
        };
        let name = incremental(mapping);
        if self.is_running(&job(mapping)) || self.is_running(&name) || !self.may_try(&name, period.duration()) {
            return Ok(false);
        }
        let last = reconcile::last_compared(&self.engine, mapping).await?;
        // A clock set back must not stop it until it has caught up; before everything was compared there is nothing to add.
        Ok(last.is_some_and(|last| now < last || (now - last).num_milliseconds() >= period.millis()))
    }

    pub(super) fn start_incremental(self: &Arc<Self>, mapping: &Arc<Mapping>) {
        let (state, mapping) = (Arc::clone(self), Arc::clone(mapping));
        let name = incremental(&mapping);
        self.begin(name.clone(), async move {
            let stop = state.shutdown.child_token();
            if state
                .compare(&mapping, RunKind::Incremental, Trigger::Schedule, stop)
                .await
            {
                state.note_success(&name);
            } else {
                state.note_failure(&name);
            }
        });
    }

    /// Counts a date as done.
    async fn skip(&self, job: &str, date: NaiveDate) -> Result<(), store::Error> {
        self.engine.store().skip_job(job, date).await
    }

    pub(super) fn start_reconciliation(self: &Arc<Self>, mapping: &Arc<Mapping>, due: Due) {
        let (state, mapping) = (Arc::clone(self), Arc::clone(mapping));
        let name = job(&mapping);
        self.begin(name.clone(), async move {
            let work = |stop| Box::pin(state.reconcile_until(&mapping, due.trigger, stop));
            if let Err(error) = state.do_day(&name, due.date, work).await {
                tracing::error!(%error, mapping = mapping.name, "a reconciliation cannot be begun");
            }
        });
    }

    /// Does the work of a day, whose end is told by whether it is done, on the one node that has its lease; whether it
    /// was this one. A day that another node ended between the look at it and the lease is not done again. `work` gets what asks it
    /// to come to an end: at shutdown, and where the lease is lost.
    pub(super) async fn do_day<W: Future<Output = bool>>(
        &self,
        job: &str,
        date: NaiveDate,
        work: impl FnOnce(CancellationToken) -> W,
    ) -> Result<bool, store::Error> {
        let store = self.engine.store();
        let lease = format!("job/{job}");
        let stop = self.shutdown.child_token();
        let work = Box::pin(async {
            let is_ended = |last: store::job::Job| last.date > date || last.is_ended;
            if store.last_job(job).await?.is_some_and(is_ended) {
                return Ok(false);
            }
            let is_done = work(stop.clone()).await;
            if is_done || !stop.is_cancelled() {
                self.conclude(job, date, is_done).await;
            }
            Ok(true)
        });
        let held = until_lost(store, &lease, self.options.lease, &stop, work);
        held.await?.unwrap_or(Ok(false))
    }

    /// Counts the day as done, unless it has to be tried again.
    async fn conclude(&self, job: &str, date: NaiveDate, is_done: bool) {
        if !is_done && self.note_failure(job) < TRIES_MAX {
            return;
        }
        self.note_success(job);
        if let Err(error) = self.engine.store().finish_job(job, date).await {
            tracing::error!(%error, job, "cannot be stored as done: it is done once more");
        }
    }

    /// Reconciles; whether it came to its end, whatever that was.
    pub(super) async fn reconcile(&self, mapping: &Arc<Mapping>, trigger: Trigger) -> bool {
        self.reconcile_until(mapping, trigger, self.shutdown.child_token())
            .await
    }

    /// As [`State::reconcile`], until `stop`.
    async fn reconcile_until(&self, mapping: &Arc<Mapping>, trigger: Trigger, stop: CancellationToken) -> bool {
        self.compare(mapping, RunKind::Reconcile, trigger, stop).await
    }

    async fn compare(&self, mapping: &Arc<Mapping>, kind: RunKind, trigger: Trigger, stop: CancellationToken) -> bool {
        let request = reconcile::Request {
            kind,
            trigger,
            repair: mapping.reconcile.repair,
        };
        let started = std::time::Instant::now();
        let result = Box::pin(reconcile::reconcile(&self.engine, mapping, request, &stop)).await;
        let status = result.as_ref().map_or(RunStatus::Failed, |report| report.status);
        self.signs
            .metrics
            .run_ended(kind, &mapping.name, status, started.elapsed());
        if let Err(error) = self.note_stops().await {
            tracing::error!(%error, "cannot look whether mappings are stopped");
        }
        match result {
            Ok(report) => {
                let summary = &report.summary;
                if kind != RunKind::Incremental {
                    self.signs.metrics.set_summary(&mapping.name, summary);
                }
                tracing::info!(mapping = mapping.name, run_id = report.run_id, drifted = summary.drifted(), status = %report.status, "reconciled");
                true
            }
            Err(sync::Error::Busy(_)) => {
                tracing::info!(mapping = mapping.name, "is being reconciled already");
                false
            }
            Err(error) => {
                self.pause_if_refused(mapping, &error);
                tracing::error!(%error, mapping = mapping.name, "a reconciliation failed");
                false
            }
        }
    }
}
