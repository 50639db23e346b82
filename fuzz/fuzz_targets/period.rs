//! Periods, rates and shares print what they read; daily times have an instant that never goes back.
#![no_main]

use syncline::core::{
    period::{Period, Rate, Share},
    schedule::Daily,
};

libfuzzer_sys::fuzz_target!(|input: (&str, u32, i32, u8)| {
    let (text, seconds, day, zone) = input;
    if let Ok(period) = text.parse::<Period>() {
        assert_eq!(period.to_string().parse(), Ok(period));
    }
    if let Ok(rate) = text.parse::<Rate>() {
        assert_eq!(rate.to_string().parse(), Ok(rate));
    }
    if let Ok(share) = text.parse::<Share>() {
        assert_eq!(share.to_string().parse(), Ok(share));
        let _ = share.of(u64::from(seconds));
    }
    let zones = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Cairo"];
    let (Some(at), Some(date)) = (
        chrono::NaiveTime::from_num_seconds_from_midnight_opt(seconds % 86_400, 0),
        chrono::NaiveDate::from_num_days_from_ce_opt(day),
    ) else {
        return;
    };
    let Ok(timezone) = zones[usize::from(zone) % zones.len()].parse() else { return };
    let daily = Daily { at, timezone };
    let next = date.succ_opt().and_then(|date| daily.instant(date));
    if let (Some(first), Some(next)) = (daily.instant(date), next) {
        assert!(first < next);
        assert!(daily.latest(first).is_some());
    }
});
