//! The one place that reads the wall clock, so that everything else can be given another time.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// Tells the time: the system's, or one that is set by hand.
#[derive(Debug, Clone, Default)]
pub struct Clock(Source);

#[derive(Debug, Clone, Default)]
enum Source {
    #[default]
    System,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Manual(Arc<AtomicI64>),
    /// Milliseconds since 1970-01-01T00:00:00Z at an instant of the runtime.
    Following(i64, Instant),
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `at` until it is moved; clones move together.
    #[must_use]
    pub fn manual(at: DateTime<Utc>) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(at.timestamp_millis()))))
    }

    /// A clock that shows `at` now and moves with the time of the runtime, which a test may hold or let jump.
    #[must_use]
    pub fn following(at: DateTime<Utc>) -> Self {
        Self(Source::Following(at.timestamp_millis(), Instant::now()))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "this is the clock that the lint points to")]
            Source::System => Utc::now(),
            Source::Manual(millis) => {
                DateTime::from_timestamp_millis(millis.load(Ordering::SeqCst)).unwrap_or_default()
            }
            Source::Following(from, since) => {
                let passed = i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX);
                DateTime::from_timestamp_millis(from.saturating_add(passed)).unwrap_or_default()
            }
        }
    }

    /// The time now in milliseconds since 1970-01-01T00:00:00Z, as it is stored.
    #[must_use]
    pub fn now_millis(&self) -> i64 {
        self.now().timestamp_millis()
    }

    /// Moves a manual clock to `at`; every other clock stays as it is.
    pub fn set(&self, at: DateTime<Utc>) {
        if let Source::Manual(millis) = &self.0 {
            millis.store(at.timestamp_millis(), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_manual_clock_move_together() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let other = clock.clone();
        clock.set(DateTime::from_timestamp_millis(5).unwrap());
        assert_eq!(other.now_millis(), 5);
    }
}
