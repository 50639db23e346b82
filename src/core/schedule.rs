//! When daily work is due, in the local time of the people who wait for it.
//!
//! The promise: one run for each local date. A time that the clocks skip runs at the first instant after the gap; a time
//! that comes twice runs the first time only; dates missed while the daemon was down are made up for by one run.
//! A date that does not exist in a zone (Apia skipped 2011-12-30) has no run.

use chrono::{DateTime, Days, MappedLocalTime, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// A time of day at which something is done once a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Daily {
    /// Local time of day.
    pub at: NaiveTime,
    /// The zone it is meant in.
    pub timezone: Tz,
}

/// A run that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The local date the run is for; together with the job's name its identity.
    pub date: NaiveDate,
    /// Whether at least one earlier date was missed, or this one is more than an hour late.
    pub late: bool,
}

/// The longest gap a zone's clocks were ever set over is a day (dates skipped at the date line).
const GAP_MINUTES_MAX: i64 = 25 * 60;

impl Daily {
    /// The instant of this date's run; `None` where the zone skipped the whole date.
    #[must_use]
    pub fn instant(&self, date: NaiveDate) -> Option<DateTime<Utc>> {
        let wanted = date.and_time(self.at);
        let skipped = match self.timezone.from_local_datetime(&wanted) {
            MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => return Some(at.with_timezone(&Utc)),
            MappedLocalTime::None => wanted,
        };
        (1..=GAP_MINUTES_MAX)
            .filter_map(|minutes| skipped.checked_add_signed(TimeDelta::minutes(minutes)))
            .take_while(|local| local.date() == date)
            .find_map(|local| self.timezone.from_local_datetime(&local).earliest())
            .map(|at| at.with_timezone(&Utc))
    }

    /// The latest date whose run has come by `now`.
    #[must_use]
    pub fn latest(&self, now: DateTime<Utc>) -> Option<NaiveDate> {
        let today = now.with_timezone(&self.timezone).date_naive();
        (0..3)
            .filter_map(|back| today.checked_sub_days(Days::new(back)))
            .find(|date| self.instant(*date).is_some_and(|at| at <= now))
    }

    /// The run that is due at `now`, if the last one was for `last`. Several missed dates are one run, for the latest.
    ///
    /// Without a last run nothing is missed: the caller keeps [`Daily::latest`] as the date to count from.
    #[must_use]
    pub fn due(&self, now: DateTime<Utc>, last: Option<NaiveDate>) -> Option<Due> {
        let last = last?;
        let date = self.latest(now)?;
        if date <= last {
            return None;
        }
        let missed = last
            .succ_opt()
            .is_some_and(|next| next < date && self.instant(next).is_some());
        let late = self.instant(date).is_some_and(|at| now - at > TimeDelta::hours(1));
        Some(Due {
            date,
            late: missed || late,
        })
    }

    /// The next instant after `now` at which a run comes.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let today = now.with_timezone(&self.timezone).date_naive();
        (0..4)
            .filter_map(|ahead| today.checked_add_days(Days::new(ahead)))
            .filter_map(|date| self.instant(date))
            .find(|at| *at > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daily(at: &str, timezone: &str) -> Daily {
        Daily {
            at: NaiveTime::parse_from_str(at, "%H:%M").unwrap(),
            timezone: timezone.parse().unwrap(),
        }
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_skipped_time_runs_at_the_first_instant_after_the_gap() {
        let berlin = daily("02:30", "Europe/Berlin");
        assert_eq!(berlin.instant(date("2026-03-29")), Some(utc("2026-03-29T01:00:00Z")));
        let sao_paulo = daily("00:00", "America/Sao_Paulo");
        assert_eq!(sao_paulo.instant(date("2018-11-04")), Some(utc("2018-11-04T03:00:00Z")));
        let lord_howe = daily("02:15", "Australia/Lord_Howe");
        assert_eq!(lord_howe.instant(date("2026-10-04")), Some(utc("2026-10-03T15:30:00Z")));
    }

    #[test]
    fn a_time_that_comes_twice_runs_once() {
        let berlin = daily("02:30", "Europe/Berlin");
        let first = utc("2026-10-25T00:30:00Z");
        assert_eq!(berlin.instant(date("2026-10-25")), Some(first));
        let second = first + TimeDelta::hours(1);
        assert_eq!(berlin.due(second, Some(date("2026-10-25"))), None);
    }

    #[test]
    fn a_date_that_the_zone_skipped_has_no_run_and_is_not_missed() {
        let apia = daily("12:00", "Pacific/Apia");
        assert_eq!(apia.instant(date("2011-12-30")), None);
        let due = apia.due(utc("2011-12-30T22:00:01Z"), Some(date("2011-12-29")));
        assert_eq!(
            due,
            Some(Due {
                date: date("2011-12-31"),
                late: false
            })
        );
    }

    #[test]
    fn dates_missed_while_down_are_made_up_for_by_one_run() {
        let job = daily("02:00", "UTC");
        let due = job.due(utc("2026-05-05T09:00:00Z"), Some(date("2026-05-01")));
        assert_eq!(
            due,
            Some(Due {
                date: date("2026-05-05"),
                late: true
            })
        );
        assert_eq!(job.due(utc("2026-05-05T09:00:00Z"), Some(date("2026-05-05"))), None);
    }

    #[test]
    fn a_clock_set_back_runs_nothing_a_second_time() {
        let job = daily("02:00", "UTC");
        assert_eq!(job.due(utc("2026-05-03T03:00:00Z"), Some(date("2026-05-05"))), None);
    }

    #[test]
    fn nothing_is_due_before_the_first_date_is_known() {
        assert_eq!(daily("02:00", "UTC").due(utc("2026-05-03T03:00:00Z"), None), None);
    }

    #[test]
    fn every_date_of_a_century_has_one_instant_and_they_never_go_back() {
        for zone in [
            "Europe/Berlin",
            "America/Sao_Paulo",
            "Australia/Lord_Howe",
            "America/New_York",
            "Africa/Cairo",
        ] {
            for at in ["00:00", "00:30", "02:30", "23:59"] {
                let job = daily(at, zone);
                let mut before = DateTime::<Utc>::MIN_UTC;
                for day in date("1970-01-01")
                    .iter_days()
                    .take_while(|day| *day < date("2037-12-31"))
                {
                    let instant = job.instant(day).unwrap_or_else(|| panic!("{zone} {at} {day}"));
                    assert!(instant > before, "{zone} {at} {day}");
                    assert_eq!(job.latest(instant), Some(day), "{zone} {at} {day}");
                    before = instant;
                }
            }
        }
    }
}
