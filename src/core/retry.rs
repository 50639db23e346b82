//! When to try again: full jitter, what `Retry-After` says, and a budget so that retries never become the load.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The longest wait that is believed, whatever the other side says.
pub const WAIT_MAX: Duration = Duration::from_hours(24);

/// The longest `Retry-After` that is looked at: an HTTP date has 29 characters.
const RETRY_AFTER_BYTES_MAX: usize = 64;

/// How long to wait before the retry number `attempt` (0 for the first): evenly spread over `0..=min(cap, base·2^attempt)`.
///
/// Full jitter, as in "Exponential Backoff And Jitter" of the AWS architecture blog. `random` is any 64 random bits.
#[must_use]
pub fn delay(attempt: u32, base: Duration, cap: Duration, random: u64) -> Duration {
    let factor = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
    let ceiling = base
        .checked_mul(factor)
        .map_or(cap, |delay| delay.min(cap))
        .min(WAIT_MAX);
    let span = ceiling.as_nanos().saturating_add(1);
    // The high half of the product is `random` scaled to the span; `span` is far below 2^64.
    let nanos = (u128::from(random) * span) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Reads `Retry-After` (RFC 9110, section 10.2.3): whole seconds or an HTTP date; a date gone by is no wait.
///
/// `None` for anything else. Saturates at [`WAIT_MAX`].
#[must_use]
pub fn parse_retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    if text.is_empty() || text.len() > RETRY_AFTER_BYTES_MAX {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits for a number are many seconds all the same.
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(WAIT_MAX));
    }
    let date: DateTime<Utc> = httpdate::parse_http_date(text).ok()?.into();
    let wait = date.signed_duration_since(now).to_std().unwrap_or_default();
    Some(wait.min(WAIT_MAX))
}

/// Allows retries as a part of the traffic: every request adds a tenth of a retry, up to a reserve.
///
/// In an outage of any length the retries stay at about a tenth of the requests.
#[derive(Debug, Clone)]
pub struct Budget {
    /// Tenths of a retry in hand.
    tenths: u32,
}

impl Budget {
    /// Retries that may follow one another at once after a rest.
    const RESERVE: u32 = 10;

    /// A full budget.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            tenths: Self::RESERVE * 10,
        }
    }

    /// Counts a request that is no retry.
    pub fn earn(&mut self) {
        self.tenths = (self.tenths + 1).min(Self::RESERVE * 10);
    }

    /// Takes one retry out, where there is one.
    pub fn spend(&mut self) -> bool {
        let Some(rest) = self.tenths.checked_sub(10) else {
            return false;
        };
        self.tenths = rest;
        true
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_445_412_420, 0).unwrap()
    }

    proptest! {
        #[test]
        fn a_delay_never_passes_its_ceiling(attempt: u32, base in 0_u64..100_000, cap in 0_u64..1_000_000_000, random: u64) {
            let (base, cap) = (Duration::from_millis(base), Duration::from_millis(cap));
            let delay = delay(attempt, base, cap, random);
            prop_assert!(delay <= cap && delay <= WAIT_MAX);
            if attempt < 20 {
                prop_assert!(delay <= base * (1 << attempt));
            }
        }

        #[test]
        fn reading_retry_after_never_panics(text in ".{0,80}") {
            if let Some(wait) = parse_retry_after(&text, now()) {
                prop_assert!(wait <= WAIT_MAX);
            }
        }
    }

    #[test]
    fn a_delay_uses_the_whole_span() {
        let (base, cap) = (Duration::from_secs(1), Duration::from_mins(1));
        assert_eq!(delay(3, base, cap, 0), Duration::ZERO);
        assert_eq!(delay(3, base, cap, u64::MAX), Duration::from_secs(8));
        assert_eq!(delay(3, base, cap, u64::MAX >> 1).as_millis(), 4_000);
        assert_eq!(delay(31, base, cap, u64::MAX), cap);
    }

    #[test]
    fn retry_after_is_read_in_every_legal_form_and_no_other() {
        let seconds = Duration::from_secs;
        for (text, expected) in [
            ("120", Some(seconds(120))),
            ("0", Some(seconds(0))),
            (" 7 ", Some(seconds(7))),
            ("86401", Some(WAIT_MAX)),
            ("99999999999999999999999999", Some(WAIT_MAX)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(seconds(60))),
            ("Wednesday, 21-Oct-15 07:28:00 GMT", Some(seconds(60))),
            ("Wed Oct 21 07:28:00 2015", Some(seconds(60))),
            ("Wed, 21 Oct 2015 07:26:00 GMT", Some(seconds(0))),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(WAIT_MAX)),
            ("", None),
            ("inf", None),
            ("1e30", None),
            ("-5", None),
            ("+5", None),
            ("1.5", None),
            ("NaN", None),
            ("0x10", None),
            ("١٢", None),
            ("soon", None),
        ] {
            assert_eq!(parse_retry_after(text, now()), expected, "{text}");
        }
        assert_eq!(parse_retry_after(&"1".repeat(1 << 20), now()), None);
    }

    #[test]
    fn retries_stay_a_tenth_of_the_traffic_in_a_long_outage() {
        let mut budget = Budget::new();
        let mut retries = 0;
        for _ in 0..10_000 {
            budget.earn();
            while budget.spend() {
                retries += 1;
            }
        }
        assert!((1_000..=1_010).contains(&retries), "{retries}");
    }
}
