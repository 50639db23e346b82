//! A daily quota: requests of the last 24 hours, counted by the hour, and handed out in portions.
//!
//! Some vendors count by the calendar day of their own time zone, others over the last 24 hours. Who keeps the second keeps
//! the first as well.

use std::collections::BTreeMap;

/// Hours that count, the present one included.
pub const HOURS: i64 = 24;
const HOUR_MILLIS: i64 = 3_600_000;

/// The hour of a time, both since 1970-01-01T00:00:00Z.
#[must_use]
pub const fn hour_of(millis: i64) -> i64 {
    millis.div_euclid(HOUR_MILLIS)
}

/// The oldest hour that counts in this one.
#[must_use]
pub const fn oldest(hour: i64) -> i64 {
    hour.saturating_sub(HOURS - 1)
}

/// Milliseconds from a time until what was spent in `hour` counts no more.
#[must_use]
pub fn forgotten_in(hour: i64, now_millis: i64) -> u64 {
    let ends = hour.saturating_add(HOURS).saturating_mul(HOUR_MILLIS);
    ends.saturating_sub(now_millis).max(0).unsigned_abs()
}

/// How much of `wanted` is handed out where `spent` of `max` is spent. The portions get smaller towards the end, so that no
/// node sits on what another one needs.
#[must_use]
pub fn portion(wanted: u64, spent: u64, max: u64) -> u64 {
    let left = max.saturating_sub(spent);
    wanted.min(left.div_ceil(8))
}

/// What one process has spent.
#[derive(Debug, Clone, Default)]
pub struct Window {
    hours: BTreeMap<i64, u64>,
}

impl Window {
    /// What is spent by this hour.
    pub fn spent(&mut self, hour: i64) -> u64 {
        let oldest = oldest(hour);
        self.hours.retain(|hour, _| *hour >= oldest);
        self.hours.values().sum()
    }

    /// The oldest hour in which something was spent.
    #[must_use]
    pub fn first(&self) -> Option<i64> {
        self.hours.keys().next().copied()
    }

    /// Counts requests of this hour.
    pub fn add(&mut self, hour: i64, requests: u64) {
        let spent = self.hours.entry(hour).or_default();
        *spent = spent.saturating_add(requests);
    }

    /// Takes back what was counted and not sent.
    pub fn give_back(&mut self, hour: i64, requests: u64) {
        if let Some(spent) = self.hours.get_mut(&hour) {
            *spent = spent.saturating_sub(requests);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn portions_never_come_to_more_than_there_is(max in 0_u64..100_000, wants in proptest::collection::vec(1_u64..5_000, 0..200)) {
            let mut spent = 0;
            for wanted in wants {
                let given = portion(wanted, spent, max);
                prop_assert!(given <= wanted);
                prop_assert!(given > 0 || spent >= max);
                spent += given;
                prop_assert!(spent <= max);
            }
        }
    }

    #[test]
    fn what_is_a_day_old_counts_no_more() {
        let mut window = Window::default();
        window.add(100, 7);
        window.add(101, 3);
        window.give_back(101, 1);
        assert_eq!(window.spent(123), 9);
        assert_eq!(window.spent(124), 2);
        assert_eq!(forgotten_in(100, 100 * HOUR_MILLIS), 24 * 3_600_000);
        assert_eq!(forgotten_in(i64::MAX, i64::MIN), i64::MAX.unsigned_abs());
    }
}
