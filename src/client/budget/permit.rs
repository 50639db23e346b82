//! The right to a place in flight, and to one request.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Budget;
use crate::core::breaker::{Admission, Signal};

/// A place in the queue. Dropped while its place is on the way, it gives the place back.
pub(super) struct Ticket<'a> {
    budget: &'a Budget,
    receiver: Option<oneshot::Receiver<()>>,
}

impl<'a> Ticket<'a> {
    pub(super) const fn new(budget: &'a Budget, receiver: oneshot::Receiver<()>) -> Self {
        Self {
            budget,
            receiver: Some(receiver),
        }
    }

    /// Waits for the place.
    pub(super) async fn taken(mut self) {
        if let Some(receiver) = &mut self.receiver {
            // The sender lives in the queue of the budget we borrow, so it is never dropped unused.
            let _ = receiver.await;
        }
        self.receiver = None;
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let was_given = self.receiver.as_mut().is_some_and(|receiver| {
            receiver.close();
            receiver.try_recv().is_ok()
        });
        if was_given {
            self.budget.release();
        }
    }
}

/// The right to one request. Dropped without a word, nothing was learned about the system.
pub(in crate::client) struct Permit {
    budget: Arc<Budget>,
    admission: Admission,
    epoch: u64,
    is_done: bool,
}

impl Permit {
    /// A place; whether it may be used is not known yet.
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        let epoch = budget.state().pace.epoch();
        Self {
            budget,
            admission: Admission::Go,
            epoch,
            is_done: false,
        }
    }

    /// The breaker has let it go.
    pub(super) const fn admitted(&mut self, admission: Admission) {
        self.admission = admission;
    }

    /// The system answered and is well.
    pub(in crate::client) fn alive(mut self) {
        self.budget.state().pace.rise();
        self.record(Signal::Alive);
    }

    /// The system answered that it has too much to do.
    pub(in crate::client) fn throttled(mut self) {
        let mut state = self.budget.state();
        state.pace.fall(self.epoch);
        state.usage.throttled += 1;
        drop(state);
        self.record(Signal::Alive);
    }

    /// The system did not answer, or said that it is broken.
    pub(in crate::client) fn dead(mut self) {
        let mut state = self.budget.state();
        state.pace.fall(self.epoch);
        state.usage.dead += 1;
        drop(state);
        self.record(Signal::Dead);
    }

    fn record(&mut self, signal: Signal) {
        self.is_done = true;
        let now = self.budget.started.elapsed();
        self.budget.state().breaker.record(self.admission, signal, now);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.is_done {
            self.record(Signal::Nothing);
        }
        self.budget.release();
    }
}
