//! What a request is made for.

use std::time::Duration;

/// What a request is made for. The order is the order of going first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Road {
    /// A live event.
    Event,
    /// A person who waits.
    Manual,
    /// A poll for changes.
    Poll,
    /// A reconciliation, which has all night.
    Reconcile,
}

impl Road {
    pub(super) const COUNT: usize = 4;

    /// The longest wait that is taken inside of a call; beyond it the caller is told to come back.
    pub(in crate::client) const fn patience(self) -> Duration {
        match self {
            Self::Event | Self::Manual => Duration::from_secs(5),
            Self::Poll => Duration::from_secs(30),
            Self::Reconcile => Duration::from_mins(5),
        }
    }

    pub(super) const fn queue(self) -> usize {
        match self {
            Self::Event => 0,
            Self::Manual => 1,
            Self::Poll => 2,
            Self::Reconcile => 3,
        }
    }
}
