//! Daily times against Python's zoneinfo: `tests/data/daily_instants.txt`, made once.
//!
//! A line is a date and, for 00:00, 00:30, 02:30 and 23:59, the seconds from that date's midnight in UTC to the instant
//! that the local time has there: the first of two, the end of a gap, `-` where the date was skipped.

use chrono::{NaiveDate, NaiveTime};
use syncline::core::schedule::Daily;

#[test]
fn daily_times_fall_where_another_library_puts_them() {
    let text = include_str!("../../data/daily_instants.txt");
    let times =
        [(0, 0), (0, 30), (2, 30), (23, 59)].map(|(hour, minute)| NaiveTime::from_hms_opt(hour, minute, 0).unwrap());
    let (mut zone, mut checked, mut differences) = (None, 0, Vec::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("# ") {
            zone = Some(name.parse().unwrap());
            continue;
        }
        let mut words = line.split(' ');
        let date = NaiveDate::parse_from_str(words.next().unwrap(), "%Y%m%d").unwrap();
        let midnight = date.and_time(NaiveTime::MIN).and_utc().timestamp();
        for (at, word) in times.iter().zip(words) {
            let daily = Daily {
                at: *at,
                timezone: zone.unwrap(),
            };
            let expected = word.parse::<i64>().ok().map(|seconds| midnight + seconds);
            let found = daily.instant(date).map(|instant| instant.timestamp());
            checked += 1;
            if found != expected {
                differences.push(format!("{} {date} {at}: {found:?}, not {expected:?}", zone.unwrap()));
            }
        }
    }
    assert!(checked > 9_000, "{checked}");
    assert!(
        differences.is_empty(),
        "{} of {checked}: {differences:#?}",
        differences.len()
    );
}
