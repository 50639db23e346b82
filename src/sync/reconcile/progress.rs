//! How far a reconciliation is: kept while it works, stored with its run every few seconds, shown to whoever waits for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    core::mapping::Mapping,
    store::run::{Phase, Progress},
};

/// How far a reconciliation is. Clones show the same.
#[derive(Debug, Clone, Default)]
pub struct Watch(Arc<Mutex<Progress>>);

impl Watch {
    /// How far it is now.
    #[must_use]
    pub fn now(&self) -> Progress {
        *self.lock()
    }

    /// Takes note of something.
    pub(super) fn note(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.lock());
    }

    /// A new phase begins.
    pub(super) fn begin(&self, phase: Phase) {
        self.note(|progress| progress.phase = phase);
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far it is, in a line for people.
#[must_use]
pub fn told(progress: &Progress, mapping: &Mapping) -> String {
    let (left, right) = (&mapping.ends.left.system, &mapping.ends.right.system);
    line(progress, left, right)
}

/// The same where both systems are known by these names.
#[must_use]
pub fn line(progress: &Progress, left: &str, right: &str) -> String {
    match progress.phase {
        Phase::Links => format!("reading links, {} so far", progress.pairs),
        Phase::Listing => format!(
            "listing: {} records of {left}, {} of {right}, {} pairs",
            progress.left_read, progress.right_read, progress.pairs
        ),
        Phase::Comparing => format!("comparing: {} looked at again", progress.compared),
        Phase::Repairing => format!("repairing: {} of {}", progress.repaired, progress.planned),
        Phase::ReadingBack => "reading what was made".to_owned(),
    }
}
