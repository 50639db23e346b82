//! Any `Retry-After` is read or ignored, and is never longer than a day.
#![no_main]

use syncline::core::retry::{WAIT_MAX, parse_retry_after};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let now = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap_or_default();
    assert!(parse_retry_after(text, now).is_none_or(|wait| wait <= WAIT_MAX));
});
