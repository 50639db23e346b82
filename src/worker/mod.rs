//! The work that goes on by itself: changes from the dirty set, what the schedule asks for, events that wait for someone,
//! and telling people what has changed.

pub mod assembly;
pub mod change;
pub mod hear;
pub mod notify;
pub mod pause;
pub mod pulse;
pub mod quota;
pub mod recover;
pub mod schedule;
pub mod subscription;
#[cfg(test)]
mod tests;
mod token;

use crate::metrics::Metrics;

/// What the work tells those who watch it. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Signs {
    /// Whether the work on changes goes on.
    pub pulse: pulse::Pulse,
    /// Which mappings rest.
    pub pauses: pause::Pauses,
    /// The counters.
    pub metrics: Metrics,
}
