//! The clock of a sandbox system: unique stamps, and time that a test moves without waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// Tells the time of one system; clones share it.
///
/// Every stamp is later than the one before, by a microsecond at least, so no two commits of a system have the same
/// time even when the machine's clock stands still or is set back.
#[derive(Clone, Debug)]
pub struct Clock(Arc<State>);

#[derive(Debug)]
struct State {
    /// Where a clock that does not follow the machine started, in microseconds since 1970.
    fixed: Option<i64>,
    /// What has been added by [`Clock::advance`], in microseconds.
    offset: AtomicI64,
    /// The last stamp given, in microseconds since 1970.
    last: AtomicI64,
}

impl Clock {
    /// A clock that follows the machine's.
    pub fn wall() -> Self {
        Self::with(None)
    }

    /// A clock that stands at `at` and moves only by its own stamps and by [`Clock::advance`].
    pub fn fixed_at(at: DateTime<Utc>) -> Self {
        Self::with(Some(at.timestamp_micros()))
    }

    fn with(fixed: Option<i64>) -> Self {
        Self(Arc::new(State {
            fixed,
            offset: AtomicI64::new(0),
            last: AtomicI64::new(i64::MIN),
        }))
    }

    /// The time now; two readings may be equal.
    pub fn now(&self) -> DateTime<Utc> {
        from_micros(self.micros())
    }

    /// The time for a commit: later than every stamp before.
    pub fn stamp(&self) -> DateTime<Utc> {
        let now = self.micros();
        let next = |last: i64| now.max(last.saturating_add(1));
        let last = self
            .0
            .last
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(next(last)))
            .unwrap_or(now);
        from_micros(next(last))
    }

    /// Moves the clock on: tokens expire and rate limits refill without waiting.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.0.offset.fetch_add(micros, Ordering::SeqCst);
    }

    /// Microseconds since 1970, read without making a stamp.
    pub(crate) fn micros(&self) -> i64 {
        let base = self.0.fixed.unwrap_or_else(wall_micros);
        let shown = base.saturating_add(self.0.offset.load(Ordering::SeqCst));
        // A stamp that ran ahead is the present: otherwise a reader would see records of the future.
        shown.max(self.0.last.load(Ordering::SeqCst))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::wall()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "another company's software keeps its own time; this is the one place it reads it"
)]
fn wall_micros() -> i64 {
    Utc::now().timestamp_micros()
}

fn from_micros(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_of_a_standing_clock_still_increase() {
        let start = DateTime::from_timestamp(1_767_600_000, 0).unwrap();
        let clock = Clock::fixed_at(start);
        let stamps: Vec<_> = (0..1000).map(|_| clock.stamp()).collect();
        assert!(stamps.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(stamps[0], start);
    }

    #[test]
    fn an_advanced_clock_shows_and_stamps_the_later_time() {
        let clock = Clock::fixed_at(DateTime::UNIX_EPOCH);
        clock.advance(Duration::from_mins(1));
        assert_eq!(clock.now().timestamp(), 60);
        assert_eq!(clock.stamp().timestamp(), 60);
    }
}
