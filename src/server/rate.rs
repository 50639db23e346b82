//! How many requests one token may make: a sustained rate, and a burst after a rest (the generic cell rate algorithm).

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::core::period::Rate;

/// More tokens than this are not remembered at once; those at rest are forgotten first.
const REMEMBERED_MAX: usize = 10_000;

/// The rate of every token.
#[derive(Debug)]
pub struct Rates {
    burst: i64,
    /// How long one request uses up, in microseconds.
    interval: i64,
    /// When a token will be at rest again, in microseconds.
    rested_at: Mutex<HashMap<i64, i64>>,
}

/// What became of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How many requests fit at once.
    pub limit: u32,
    /// How many more would fit now.
    pub remaining: u32,
    /// When the token will be at rest again.
    pub reset: Duration,
    /// For a request that does not fit: when it will.
    pub retry_after: Option<Duration>,
}

impl Rates {
    /// A sustained `rate`, and `burst` requests at once after a rest.
    #[must_use]
    pub fn new(rate: Rate, burst: u32) -> Self {
        let interval = rate.per.as_micros() / u128::from(rate.count.max(1));
        Self {
            burst: i64::from(burst.max(1)),
            interval: i64::try_from(interval).unwrap_or(i64::MAX / 1_000_000).max(1),
            rested_at: Mutex::default(),
        }
    }

    /// Takes the place of `cost` requests of `token` at `now` (microseconds), if there is so much.
    pub fn take(&self, token: i64, cost: u32, now: i64) -> Verdict {
        let mut tokens = self.rested_at.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= REMEMBERED_MAX {
            tokens.retain(|_, rested_at| *rested_at > now);
        }
        let whole = self.burst.saturating_mul(self.interval);
        // Nobody can be further ahead than one burst, unless the clock was set back.
        let before = tokens
            .get(&token)
            .copied()
            .filter(|at| at.saturating_sub(now) <= whole)
            .unwrap_or(now)
            .max(now);
        let cost = i64::from(cost).min(self.burst);
        let after = before.saturating_add(cost.saturating_mul(self.interval));
        let over = after.saturating_sub(now).saturating_sub(whole);
        let rested_at = if over > 0 { before } else { after };
        tokens.insert(token, rested_at);
        let free = whole.saturating_sub(rested_at.saturating_sub(now));
        Verdict {
            limit: u32::try_from(self.burst).unwrap_or(u32::MAX),
            remaining: u32::try_from(free / self.interval).unwrap_or(0),
            reset: micros(rested_at.saturating_sub(now)),
            retry_after: (over > 0).then(|| micros(over)),
        }
    }
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> Rates {
        Rates::new("10/s".parse().unwrap(), 3)
    }

    #[test]
    fn a_burst_passes_and_the_next_request_is_told_when_it_fits() {
        let rates = rates();
        for remaining in [2, 1, 0] {
            let verdict = rates.take(1, 1, 0);
            assert_eq!((verdict.remaining, verdict.retry_after), (remaining, None));
        }
        let refused = rates.take(1, 1, 0);
        assert_eq!(refused.retry_after, Some(Duration::from_millis(100)));
        assert_eq!(rates.take(1, 1, 99_999).retry_after, Some(Duration::from_micros(1)));
        assert_eq!(rates.take(1, 1, 100_000).retry_after, None);
    }

    #[test]
    fn tokens_do_not_use_up_each_other() {
        let rates = rates();
        for _ in 0..4 {
            rates.take(1, 1, 0);
        }
        assert_eq!(rates.take(2, 1, 0).remaining, 2);
    }

    #[test]
    fn expensive_requests_take_more_and_never_more_than_a_burst() {
        let rates = rates();
        assert_eq!(rates.take(1, 2, 0).remaining, 1);
        assert!(rates.take(1, 2, 0).retry_after.is_some());
        assert_eq!(rates.take(2, 99, 0).retry_after, None);
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let rates = rates();
        rates.take(1, 3, 1_000_000_000);
        assert_eq!(rates.take(1, 1, 0).retry_after, None);
    }
}
