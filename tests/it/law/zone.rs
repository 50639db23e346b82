//! Daily times in every zone and on every day from 1970 to 2037, against Python's zoneinfo: another library, with another way to
//! the same answer. `daily.rs` has a few of them written down, for machines without Python or with another edition of the zones.

use std::{
    io::{BufRead as _, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::{IANA_TZDB_VERSION, TZ_VARIANTS, Tz};
use syncline::core::schedule::{Daily, Due};

use crate::support::rig::{Budget, Chance, report};

/// Says its edition of the zones, and of each zone that is named the seconds from a date's midnight in UTC to 00:00, 00:30, 02:30
/// and 23:59 there, for the dates on which they are not as on the day before: the first of two, the end of a gap to the next
/// whole minute, `-` where the date was skipped; `?` where the zone is not known.
const ORACLE: &str = r##"
import sys, zoneinfo
from datetime import date, datetime, time, timedelta, timezone

def edition():
    for folder in zoneinfo.TZPATH:
        try:
            with open(folder + "/tzdata.zi") as file:
                return file.readline().split()[-1]
        except OSError:
            pass
    try:
        import tzdata
        return tzdata.IANA_VERSION
    except ImportError:
        return "unknown"

UTC, SECOND = timezone.utc, timedelta(seconds=1)
TIMES = [time(0, 0), time(0, 30), time(2, 30), time(23, 59)]

def gap_end(wall):
    low, high = sorted([wall.astimezone(UTC), wall.replace(fold=1).astimezone(UTC)])
    before = low.astimezone(wall.tzinfo).utcoffset()
    while high - low > SECOND:
        middle = low + (high - low) // 2
        middle -= timedelta(microseconds=middle.microsecond)
        if middle.astimezone(wall.tzinfo).utcoffset() == before:
            low = middle
        else:
            high = middle
    local = high.astimezone(wall.tzinfo)
    if local.second:
        high += timedelta(seconds=60 - local.second)
    return high if high.astimezone(wall.tzinfo).date() == wall.date() else None

def seconds(zone, day, at):
    wall = datetime.combine(day, at, zone)
    first, second = wall.utcoffset(), wall.replace(fold=1).utcoffset()
    if first >= second:
        return at.hour * 3600 + at.minute * 60 - int(first.total_seconds())
    end = gap_end(wall)
    if end is None:
        return "-"
    return int((end - datetime.combine(day, time(0), UTC)).total_seconds())

print(edition())
for name in sys.argv[1:]:
    print("#", name)
    try:
        zone = zoneinfo.ZoneInfo(name)
    except Exception:
        print("?")
        continue
    last, day = None, date(1970, 1, 1)
    while day.year < 2038:
        now = [seconds(zone, day, at) for at in TIMES]
        if now != last:
            print(day.strftime("%Y%m%d"), *now, flush=False)
        last, day = now, day + timedelta(days=1)
print("#")
"##;

/// Zones that are looked at whatever chance says: a gap at midnight, one of half an hour, and a date that was skipped.
const ALWAYS: [&str; 3] = ["America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia"];
/// Zones of a commit.
const FEW: u64 = 4;

/// All zones, those of [`ALWAYS`] first and the others in an order of chance.
fn zones(chance: &mut Chance) -> Vec<Tz> {
    let mut others: Vec<Tz> = TZ_VARIANTS
        .into_iter()
        .filter(|zone| !ALWAYS.contains(&zone.name()))
        .collect();
    for place in (1..others.len()).rev() {
        others.swap(place, usize::try_from(chance.below(place as u64 + 1)).unwrap());
    }
    let mut zones: Vec<Tz> = ALWAYS.iter().map(|name| name.parse().unwrap()).collect();
    zones.append(&mut others);
    zones
}

/// The oracle at work.
struct Oracle {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// The line that was read and belongs to the next zone.
    ahead: Option<String>,
}

/// What it says of one date on, until it says something else.
#[derive(Debug, Clone)]
struct Told {
    from: NaiveDate,
    seconds: Vec<Option<i64>>,
}

impl Oracle {
    /// None where there is no Python, or where its zones are of another edition: then there would be differences that are none.
    fn start(zones: &[Tz]) -> Option<Self> {
        let names = zones.iter().map(|zone| zone.name());
        let child = Command::new("python3")
            .args(["-c", ORACLE])
            .args(names)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn();
        let Ok(mut child) = child else {
            assert!(std::env::var_os("CI").is_none(), "Python 3 must be there in CI");
            report("skipped: install Python 3 to run this test");
            return None;
        };
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let edition = lines.next().unwrap().unwrap();
        let mut oracle = Self {
            child,
            lines,
            ahead: None,
        };
        if edition != IANA_TZDB_VERSION {
            report(&format!(
                "skipped: the zones of this machine are of {edition}, and those of this build of {IANA_TZDB_VERSION}"
            ));
            return None;
        }
        oracle.ahead = oracle.line();
        Some(oracle)
    }

    fn line(&mut self) -> Option<String> {
        self.lines.next().map(Result::unwrap)
    }

    /// What it says of a zone; nothing where it does not know it.
    fn zone(&mut self, zone: Tz) -> Vec<Told> {
        let head = self.ahead.take();
        assert_eq!(head, Some(format!("# {}", zone.name())));
        let mut told = Vec::new();
        while let Some(line) = self.line() {
            if line.starts_with('#') {
                self.ahead = Some(line);
                break;
            }
            let mut words = line.split(' ');
            let Ok(from) = NaiveDate::parse_from_str(words.next().unwrap(), "%Y%m%d") else {
                continue;
            };
            let seconds = words.map(|word| word.parse().ok()).collect();
            told.push(Told { from, seconds });
        }
        told
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It may still be at work where the time was up.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Holds one zone against what the oracle says; how many times were compared, and what differs.
fn compare(zone: Tz, told: &[Told]) -> (u64, Vec<String>) {
    let times =
        [(0, 0), (0, 30), (2, 30), (23, 59)].map(|(hour, minute)| NaiveTime::from_hms_opt(hour, minute, 0).unwrap());
    let (mut compared, mut differences) = (0, Vec::new());
    let mut before: Option<(NaiveDate, DateTime<Utc>)> = None;
    let mut at = 0;
    let (first, end) = (told[0].from, NaiveDate::from_ymd_opt(2038, 1, 1).unwrap());
    for date in first.iter_days().take_while(|date| *date < end) {
        if told.get(at + 1).is_some_and(|next| next.from == date) {
            at += 1;
        }
        let midnight = date.and_time(NaiveTime::MIN).and_utc().timestamp();
        for (time, seconds) in times.iter().zip(&told[at].seconds) {
            let daily = Daily {
                at: *time,
                timezone: zone,
            };
            let expected = seconds.map(|seconds| midnight + seconds);
            let found = daily.instant(date).map(|instant| instant.timestamp());
            compared += 1;
            if found != expected {
                differences.push(format!("{zone} {date} {time}: {found:?}, not {expected:?}"));
            }
        }
        // One run for each date that there is: when its time comes, the last one was that of the date before.
        let daily = Daily {
            at: times[0],
            timezone: zone,
        };
        if let Some(instant) = daily.instant(date) {
            let due = daily.due(instant, before.map(|(date, _)| date));
            let is_next = before.is_none_or(|(_, last)| daily.next(last) == Some(instant));
            if before.is_some() && (due != Some(Due { date, late: false }) || !is_next) {
                differences.push(format!("{zone} {date}: {due:?} at {instant}, after {before:?}"));
            }
            before = Some((date, instant));
        }
    }
    (compared, differences)
}

#[test]
fn daily_times_fall_where_another_library_puts_them_in_every_zone_and_on_every_day() {
    let mut budget = Budget::new(FEW, TZ_VARIANTS.len() as u64);
    let mut zones = zones(&mut budget.chance());
    if !budget.is_nightly() {
        zones.truncate(usize::try_from(FEW).unwrap());
    }
    let Some(mut oracle) = Oracle::start(&zones) else {
        return;
    };
    let (mut compared, mut unknown, mut differences) = (0, Vec::new(), Vec::new());
    for zone in zones {
        if !budget.goes_on() {
            break;
        }
        let told = oracle.zone(zone);
        if told.is_empty() {
            unknown.push(zone.name());
            continue;
        }
        let (count, differing) = compare(zone, &told);
        compared += count;
        differences.extend(differing);
    }
    report(&format!(
        "{} zones, {compared} daily times: {} differences; not known to Python: {unknown:?}",
        budget.done(),
        differences.len()
    ));
    assert!(
        differences.is_empty(),
        "{:#?}; {}",
        &differences[..differences.len().min(20)],
        budget.replay()
    );
    assert!(
        compared >= 3 * 4 * 24_837,
        "the zones that are always looked at: {compared}"
    );
}
