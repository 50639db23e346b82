//! Waits before a retry: evenly spread, and never shorter than the other side asks for.

use std::time::Duration;

use chrono::{DateTime, Utc};
use syncline::core::retry::{WAIT_MAX, delay, parse_retry_after};

use crate::support::rig::Budget;

#[test]
fn waits_are_spread_evenly_over_their_span() {
    let budget = Budget::new(1, 1);
    let mut chance = budget.chance();
    let (base, cap) = (Duration::from_secs(2), Duration::from_hours(1));
    for attempt in [0, 3, 9, 30] {
        let ceiling = cap.min(base * 2_u32.saturating_pow(attempt)).as_secs_f64();
        let mut waits = (0..20_000)
            .map(|_| delay(attempt, base, cap, chance.next()).as_secs_f64() / ceiling)
            .collect::<Vec<_>>();
        waits.sort_by(f64::total_cmp);
        // Kolmogorov and Smirnov: the greatest distance between what was drawn and what an even spread would be.
        let count = 20_000.0;
        let distance = waits
            .iter()
            .enumerate()
            .map(|(index, wait)| {
                let below = f64::from(u32::try_from(index).unwrap()) / count;
                (wait - below).abs().max((below + 1.0 / count - wait).abs())
            })
            .fold(0.0, f64::max);
        // 1.63 / sqrt(n) is passed by one even spread in a hundred.
        assert!(
            distance < 1.63 / f64::sqrt(count),
            "attempt {attempt}: {distance}; {}",
            budget.replay()
        );
    }
}

/// Each form with the seconds it means; none where it says nothing.
const FORMS: &[(&str, Option<u64>)] = &[
    ("0", Some(0)),
    ("1", Some(1)),
    ("120", Some(120)),
    ("007", Some(7)),
    ("86400", Some(86_400)),
    ("86401", Some(86_400)),
    ("4294967296", Some(86_400)),
    ("18446744073709551615", Some(86_400)),
    ("18446744073709551616", Some(86_400)),
    ("  120\t", Some(120)),
    ("Wed, 21 Oct 2015 07:28:00 GMT", Some(60)),
    ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
    ("Wed, 21 Oct 2015 07:26:59 GMT", Some(0)),
    ("Wed, 21 Oct 2015 07:27:01 GMT", Some(1)),
    ("Thu, 22 Oct 2015 07:27:00 GMT", Some(86_400)),
    ("Fri, 23 Oct 2015 07:27:00 GMT", Some(86_400)),
    ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
    ("Fri, 31 Dec 9999 23:59:59 GMT", Some(86_400)),
    ("Wednesday, 21-Oct-15 07:28:00 GMT", Some(60)),
    ("Wed Oct 21 07:28:00 2015", Some(60)),
    ("Mon Nov  2 07:28:00 2015", Some(86_400)),
    ("", None),
    (" ", None),
    ("-5", None),
    ("+5", None),
    ("1.5", None),
    ("1,5", None),
    ("1e3", None),
    ("1e30", None),
    ("inf", None),
    ("Infinity", None),
    ("NaN", None),
    ("0x10", None),
    ("1_000", None),
    ("120s", None),
    ("120 121", None),
    ("120, 121", None),
    ("\u{661}\u{662}", None),
    ("\u{ff11}", None),
    ("soon", None),
    ("2015-10-21T07:28:00Z", None),
    ("Wed, 21 Oct 2015 07:28:00 +0200", None),
    ("Wed, 32 Oct 2015 07:28:00 GMT", None),
    ("Wed, 21 Oct 2015 25:28:00 GMT", None),
    ("21 Oct 2015", None),
];

#[test]
fn retry_after_is_believed_in_its_legal_forms_up_to_a_day() {
    let now: DateTime<Utc> = "2015-10-21T07:27:00Z".parse().unwrap();
    for (text, seconds) in FORMS {
        let expected = seconds.map(Duration::from_secs);
        assert_eq!(parse_retry_after(text, now), expected, "{text:?}");
    }
    for huge in [
        "9".repeat(1 << 20),
        " ".repeat(1 << 20),
        format!("Wed, {}", "2".repeat(1 << 20)),
    ] {
        let wait = parse_retry_after(&huge, now);
        assert!(wait.is_none_or(|wait| wait <= WAIT_MAX));
    }
}
