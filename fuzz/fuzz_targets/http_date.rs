//! A date in any of the three styles of HTTP is read as the very second, whatever the clock says, and one gone by is no wait.
#![no_main]

use std::time::Duration;

use syncline::core::retry::{WAIT_MAX, parse_retry_after};

/// The first and the last second that all three styles can say: the oldest one has two digits for the year.
const SPAN: (i64, i64) = (0, 3_155_759_999);

libfuzzer_sys::fuzz_target!(|input: (u32, i32, &str)| {
    let (at, ahead, rest) = input;
    let now = i64::from(at).clamp(SPAN.0, SPAN.1);
    let then = (now + i64::from(ahead) % 100_000).clamp(SPAN.0, SPAN.1);
    let (Some(now), Some(date)) = (chrono::DateTime::from_timestamp(now, 0), chrono::DateTime::from_timestamp(then, 0)) else {
        return;
    };
    let wait = u64::try_from(date.timestamp() - now.timestamp()).unwrap_or(0);
    let expected = Some(Duration::from_secs(wait).min(WAIT_MAX));
    for style in ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"] {
        let text = date.format(style).to_string();
        assert_eq!(parse_retry_after(&text, now), expected, "{text} at {now}");
        // More than the date is no date.
        let more = format!("{text}{rest}");
        if !rest.trim().is_empty() {
            assert!(parse_retry_after(&more, now).is_none_or(|wait| wait <= WAIT_MAX), "{more:?}");
        }
    }
});
