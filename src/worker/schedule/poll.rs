//! Polls: sides that push nothing are asked what changed.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::{State, lease::while_held};
use crate::{
    core::{
        mapping::Mapping,
        status::{FailureClass, RunKind, RunStatus, Side, Trigger},
    },
    store,
    sync::{self, poll},
};

fn name(mapping: &Mapping, side: Side) -> String {
    format!("poll/{}/{side}", mapping.name)
}

impl State {
    /// Whether a side is to be asked again. What nodes share is when a poll last went well; one that failed is tried
    /// again after the same time.
    pub(super) async fn poll_is_due(
        &self,
        mapping: &Mapping,
        side: Side,
        now: DateTime<Utc>,
    ) -> Result<bool, store::Error> {
        let Some(period) = mapping.poll.get(side) else {
            return Ok(false);
        };
        let name = name(mapping, side);
        if self.is_running(&name) || !self.may_try(&name, period.duration()) {
            return Ok(false);
        }
        let last = self.engine.store().cursor(&mapping.name, side).await?;
        let is_due = |last: DateTime<Utc>| {
            // A clock set back must not stop polling until it has caught up.
            now < last || (now - last).num_milliseconds() >= period.millis()
        };
        Ok(last.is_none_or(|cursor| is_due(cursor.updated_at)))
    }

    pub(super) fn start_poll(self: &Arc<Self>, mapping: &Arc<Mapping>, side: Side) {
        let (state, mapping) = (Arc::clone(self), Arc::clone(mapping));
        let name = name(&mapping, side);
        self.begin(name, async move {
            state.poll(&mapping, side, Trigger::Schedule).await;
        });
    }

    /// Asks a side what changed; whether that went well.
    pub(super) async fn poll(&self, mapping: &Mapping, side: Side, trigger: Trigger) -> bool {
        let name = name(mapping, side);
        let started = std::time::Instant::now();
        let asked = Box::pin(poll::poll(&self.engine, mapping, side, trigger));
        let result = match while_held(self.engine.store(), &name, self.options.lease, asked).await {
            Ok(Some(result)) => result.map(drop),
            // Another node asks, or has taken over.
            Ok(None) => return false,
            Err(error) => Err(error.into()),
        };
        let status = if result.is_ok() {
            RunStatus::Succeeded
        } else {
            RunStatus::Failed
        };
        self.signs
            .metrics
            .run_ended(RunKind::Poll, &mapping.name, status, started.elapsed());
        match result {
            Ok(()) => {
                self.note_success(&name);
                true
            }
            Err(error) => {
                self.note_failure(&name);
                self.pause_if_refused(mapping, &error);
                tracing::warn!(%error, mapping = mapping.name, %side, "a poll failed; the next one asks for the same time again");
                false
            }
        }
    }

    /// Lets a mapping rest whose system does not let us in.
    pub(super) fn pause_if_refused(&self, mapping: &Mapping, error: &sync::Error) {
        if let sync::Error::Fault(fault) = error
            && fault.class == FailureClass::Auth
        {
            self.signs.pauses.pause(&mapping.name, fault);
        }
    }
}

/// The shortest wait between two tries of work that an event asked for.
pub(super) const AGAIN: Duration = Duration::from_mins(1);
