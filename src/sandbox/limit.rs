//! The rate limit of a system: a bucket of tokens, and a `Retry-After` that says when the next one is there.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::clock::Clock;

/// How many requests a system takes.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Sustained, a second.
    pub per_second: u32,
    /// At once after a pause.
    pub burst: u32,
    /// How the refusal says when to come again.
    pub retry_after: RetryAfter,
}

/// The forms of `Retry-After` (RFC 9110, 10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// Not sent.
    Silent,
    /// Whole seconds.
    Seconds,
    /// An HTTP date.
    Date,
}

/// What is left of the bucket, in millionths of a request.
#[derive(Debug)]
pub(crate) struct Limit {
    rate: Option<Rate>,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    millionths: u64,
    at_micros: i64,
}

impl Limit {
    pub(crate) fn new(rate: Option<Rate>, clock: &Clock) -> Self {
        let full = rate.map_or(0, |rate| u64::from(rate.burst.max(1)) * 1_000_000);
        let bucket = Bucket {
            millionths: full,
            at_micros: clock.micros(),
        };
        Self {
            rate,
            bucket: Mutex::new(bucket),
        }
    }

    /// Takes one request from the bucket; when it is empty, the `Retry-After` to answer with (none if silent).
    pub(crate) fn take(&self, clock: &Clock) -> Result<(), Option<String>> {
        let Some(rate) = self.rate else {
            return Ok(());
        };
        let per_second = u64::from(rate.per_second.max(1));
        let now = clock.micros();
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = u64::try_from(now.saturating_sub(bucket.at_micros)).unwrap_or_default();
        bucket.at_micros = bucket.at_micros.max(now);
        let full = u64::from(rate.burst.max(1)) * 1_000_000;
        bucket.millionths = bucket
            .millionths
            .saturating_add(passed.saturating_mul(per_second))
            .min(full);
        if let Some(left) = bucket.millionths.checked_sub(1_000_000) {
            bucket.millionths = left;
            return Ok(());
        }
        let seconds = (1_000_000 - bucket.millionths)
            .div_ceil(per_second)
            .div_ceil(1_000_000)
            .max(1);
        Err(say(rate.retry_after, now, seconds))
    }
}

fn say(form: RetryAfter, now_micros: i64, seconds: u64) -> Option<String> {
    match form {
        RetryAfter::Silent => None,
        RetryAfter::Seconds => Some(seconds.to_string()),
        RetryAfter::Date => {
            let now = Duration::from_micros(u64::try_from(now_micros).unwrap_or_default());
            // A date has no fractions: one second more, or it could be over already.
            let then = SystemTime::UNIX_EPOCH + now + Duration::from_secs(seconds + 1);
            Some(httpdate::fmt_http_date(then))
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn limit(retry_after: RetryAfter, clock: &Clock) -> Limit {
        let rate = Rate {
            per_second: 2,
            burst: 3,
            retry_after,
        };
        Limit::new(Some(rate), clock)
    }

    #[test]
    fn a_burst_passes_and_the_next_is_told_when_to_come_again() {
        let clock = Clock::fixed_at(DateTime::UNIX_EPOCH);
        let limit = limit(RetryAfter::Seconds, &clock);
        assert!((0..3).all(|_| limit.take(&clock).is_ok()));
        assert_eq!(limit.take(&clock), Err(Some("1".into())));
        clock.advance(Duration::from_secs(1));
        assert!(limit.take(&clock).is_ok() && limit.take(&clock).is_ok());
        assert!(limit.take(&clock).is_err());
    }

    #[test]
    fn the_date_form_lies_in_the_future() {
        let clock = Clock::fixed_at(DateTime::UNIX_EPOCH);
        let limit = limit(RetryAfter::Date, &clock);
        (0..3).for_each(|_| limit.take(&clock).unwrap());
        assert_eq!(limit.take(&clock), Err(Some("Thu, 01 Jan 1970 00:00:02 GMT".into())));
    }
}
