//! How many requests somebody may make: a sustained rate, and a burst after a rest (the generic cell rate algorithm).
//!
//! Who asks too much is remembered, and nobody can make us remember without end: what was not seen for the longest is
//! forgotten, in bulk.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    mem,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::core::period::Rate;

/// How many are remembered at least; twice as many at most.
const REMEMBERED: usize = 10_000;

/// A map that forgets: when its young half is full, the old half goes.
#[derive(Debug)]
pub struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// The value of a key, unless it is forgotten.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Remembers a value.
    pub fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= REMEMBERED && !self.young.contains_key(&key) {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

/// The rate of everybody, by `K`.
#[derive(Debug)]
pub struct Rates<K> {
    burst: i64,
    /// How long one request uses up, in microseconds.
    interval: i64,
    /// When somebody will be at rest again, in microseconds.
    rested_at: Mutex<Recent<K, i64>>,
}

/// What became of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How many requests fit at once.
    pub limit: u32,
    /// In which time as many are free again.
    pub window: Duration,
    /// How many more would fit now.
    pub remaining: u32,
    /// When whoever asked will be at rest again.
    pub reset: Duration,
    /// For a request that does not fit: when it will.
    pub retry_after: Option<Duration>,
}

impl<K: Eq + Hash> Rates<K> {
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

    /// Takes the place of `cost` requests of `who` at `now` (microseconds), if there is so much.
    pub fn take(&self, who: K, cost: u32, now: i64) -> Verdict {
        let mut recent = self.rested_at.lock().unwrap_or_else(PoisonError::into_inner);
        let (verdict, rested_at) = self.judge(recent.get(&who).copied(), cost, now);
        recent.insert(who, rested_at);
        verdict
    }

    /// What [`Rates::take`] would say; nothing is taken.
    pub fn look(&self, who: &K, cost: u32, now: i64) -> Verdict {
        let recent = self.rested_at.lock().unwrap_or_else(PoisonError::into_inner);
        self.judge(recent.get(who).copied(), cost, now).0
    }

    fn judge(&self, rested_at: Option<i64>, cost: u32, now: i64) -> (Verdict, i64) {
        let whole = self.burst.saturating_mul(self.interval);
        // Nobody can be further ahead than one burst, unless the clock was set back.
        let before = rested_at
            .filter(|at| at.saturating_sub(now) <= whole)
            .unwrap_or(now)
            .max(now);
        let cost = i64::from(cost).min(self.burst);
        let after = before.saturating_add(cost.saturating_mul(self.interval));
        let over = after.saturating_sub(now).saturating_sub(whole);
        let rested_at = if over > 0 { before } else { after };
        let free = whole.saturating_sub(rested_at.saturating_sub(now));
        let verdict = Verdict {
            limit: u32::try_from(self.burst).unwrap_or(u32::MAX),
            window: micros(whole),
            remaining: u32::try_from(free / self.interval).unwrap_or(0),
            reset: micros(rested_at.saturating_sub(now)),
            retry_after: (over > 0).then(|| micros(over)),
        };
        (verdict, rested_at)
    }
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> Rates<i64> {
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

    #[test]
    fn a_look_takes_nothing() {
        let rates = rates();
        for _ in 0..9 {
            assert_eq!(rates.look(&1, 3, 0).retry_after, None);
        }
        rates.take(1, 3, 0);
        assert!(rates.look(&1, 1, 0).retry_after.is_some());
    }

    #[test]
    fn a_crowd_is_forgotten_and_whoever_came_last_is_not() {
        let rates = rates();
        rates.take(-1, 3, 0);
        let last = i64::try_from(REMEMBERED).unwrap() * 5;
        for stranger in 0..=last {
            rates.take(stranger, 3, 0);
        }
        let recent = rates.rested_at.lock().unwrap();
        assert!(recent.young.len() + recent.old.len() <= 2 * REMEMBERED);
        assert_eq!(recent.get(&-1), None);
        drop(recent);
        assert!(rates.look(&last, 1, 0).retry_after.is_some());
    }
}
