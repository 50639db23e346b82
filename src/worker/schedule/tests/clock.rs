//! The daily work while the clock is set around its very hour, and while it runs too fast or too slow.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::{Node, START, STEPS, catch_ups, mapping, utc};
use crate::{
    core::{schedule::Daily, status::Trigger},
    store::Access,
};

/// The dates whose time came while the clock went on from look to look; of several in one leap the last one, which makes up for
/// the others.
fn due(walls: &[DateTime<Utc>]) -> BTreeSet<NaiveDate> {
    let reconcile = mapping().reconcile;
    let daily = Daily {
        at: reconcile.at.unwrap(),
        timezone: reconcile.timezone,
    };
    let came = |pair: &[DateTime<Utc>]| {
        let latest = daily.latest(pair[1])?;
        (daily.instant(latest)? > pair[0]).then_some(latest)
    };
    walls.windows(2).filter_map(came).collect()
}

/// What a node does that looks at these times.
async fn runs(walls: &[DateTime<Utc>]) -> Vec<(NaiveDate, Trigger)> {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path(), "north", Access::Daemon).await;
    let mut runs = Vec::new();
    for wall in walls {
        runs.extend(node.look(*wall).await);
    }
    runs
}

/// That each date that was due was run, once.
fn check(walls: &[DateTime<Utc>], runs: &[(NaiveDate, Trigger)], catch_ups_max: usize, what: &str) {
    let dates: Vec<NaiveDate> = runs.iter().map(|(date, _)| *date).collect();
    let once: BTreeSet<NaiveDate> = dates.iter().copied().collect();
    assert_eq!(once.len(), dates.len(), "{what}: a day was run twice: {dates:?}");
    assert_eq!(once, due(walls), "{what}");
    assert!(catch_ups(runs) <= catch_ups_max, "{what}: {runs:?}");
}

#[tokio::test]
async fn a_clock_that_is_set_at_the_hour_of_the_run_costs_no_day_and_runs_none_twice() {
    let (start, night) = (utc(START), utc(START) + TimeDelta::hours(36));
    // Twice an hour, and every minute around the run of the second night.
    let mut looks: Vec<DateTime<Utc>> = (0..=216).map(|half| start + TimeDelta::minutes(30 * half)).collect();
    looks.extend((-10..=10).map(|minute| night + TimeDelta::minutes(minute)));
    looks.sort();
    looks.dedup();
    for step in STEPS {
        for set in [-30, 0, 30, 2_400].map(|seconds| night + TimeDelta::seconds(seconds)) {
            let wall = |real: &DateTime<Utc>| if *real < set { *real } else { *real + step };
            let walls: Vec<DateTime<Utc>> = looks.iter().map(wall).collect();
            check(&walls, &runs(&walls).await, 1, &format!("set by {step} at {set}"));
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_smeared_or_runs_too_fast_or_too_slow_costs_no_day_and_makes_up_for_none() {
    let day = TimeDelta::days(1).num_milliseconds();
    // A second in a day, as a leap second is smeared, and minutes in a day, as a clock without a reference drifts.
    for gained in [1_000, -1_000, 300_000, -300_000, 3_600_000, -3_600_000] {
        let wall = |minutes: i64| {
            let real = minutes * 60_000;
            utc(START) + TimeDelta::milliseconds(real + real * gained / day)
        };
        let walls: Vec<DateTime<Utc>> = (0..6 * 24 * 6).map(|look| wall(look * 10)).collect();
        let runs = runs(&walls).await;
        check(&walls, &runs, 0, &format!("{gained} ms a day"));
        assert!(runs.len() >= 5, "{gained} ms a day: {runs:?}");
    }
}
