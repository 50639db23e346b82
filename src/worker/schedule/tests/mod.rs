//! The daily work across downtime, clocks that are set, and nodes that come and go.

mod clock;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::{Options, State, lock};
use crate::{
    clock::Clock,
    core::{
        mapping::Mapping,
        status::{EventKind, EventStatus, Trigger},
    },
    store::{
        self, Access, Keys, Page, Store,
        event::{EventFilter, NewEvent},
        prune::Retention,
    },
    sync::{Engine, Limits},
    worker::{Signs, tests::shipped},
};

/// Every day at 02:00 in São Paulo.
fn mapping() -> Arc<Mapping> {
    Arc::clone(&shipped().mappings["customer-account"])
}

/// A node on the database in this folder.
struct Node {
    state: Arc<State>,
    mapping: Arc<Mapping>,
}

impl Node {
    async fn start(folder: &Path, name: &str, access: Access) -> Self {
        let options = store::Options {
            access,
            node: name.to_owned(),
            ..store::Options::new(
                format!("sqlite://{}", folder.join("syncline.db").display()),
                Keys::derive(&[7; 32]),
            )
        };
        let store = Store::open(&options).await.unwrap();
        let engine = Engine::new(
            store,
            BTreeMap::new(),
            BTreeMap::new(),
            Limits::default(),
            Clock::system(),
        );
        let options = Options {
            is_enabled: true,
            has_catch_up: true,
            lease: Duration::from_mins(1),
            grace: Duration::from_secs(1),
            retention: Retention::default(),
        };
        Self {
            state: Arc::new(State::new(engine, options, Signs::default(), CancellationToken::new())),
            mapping: mapping(),
        }
    }

    /// A look at this time: the run that begins, which ends at once.
    async fn look(&self, now: DateTime<Utc>) -> Option<(NaiveDate, Trigger)> {
        let due = self.state.claim_reconciliation(&self.mapping, now).await.unwrap()?;
        let name = super::daily::job(&self.mapping);
        let is_done = self.state.do_day(&name, due.date, |_| async { true }).await.unwrap();
        is_done.then_some((due.date, due.trigger))
    }

    /// Looks every ten minutes for so long; the runs that begin.
    async fn watch(&self, from: DateTime<Utc>, hours: i64) -> Vec<(NaiveDate, Trigger)> {
        let mut runs = Vec::new();
        for minutes in (0..hours * 60).step_by(10) {
            runs.extend(self.look(from + TimeDelta::minutes(minutes)).await);
        }
        runs
    }
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn dates(runs: &[(NaiveDate, Trigger)]) -> Vec<String> {
    runs.iter().map(|(date, _)| date.to_string()).collect()
}

fn catch_ups(runs: &[(NaiveDate, Trigger)]) -> usize {
    runs.iter().filter(|(_, trigger)| *trigger == Trigger::CatchUp).count()
}

/// How far clocks are set at once.
const STEPS: [TimeDelta; 5] = [
    TimeDelta::seconds(-1),
    TimeDelta::hours(-1),
    TimeDelta::days(-2),
    TimeDelta::hours(1),
    TimeDelta::days(365),
];

/// 14:00 in São Paulo, where the clocks have not been set since 2019.
const START: &str = "2026-06-01T17:00:00Z";

#[tokio::test]
async fn a_clock_that_is_set_costs_no_day_and_runs_none_twice() {
    for step in STEPS {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::start(folder.path(), "north", Access::Daemon).await;
        let mut runs = node.watch(utc(START), 72).await;
        assert_eq!(dates(&runs), ["2026-06-02", "2026-06-03", "2026-06-04"], "{step}");
        let set = utc(START) + TimeDelta::hours(72) + step;
        runs.extend(node.watch(set, 120).await);
        let all = dates(&runs);
        let once: BTreeSet<&String> = all.iter().collect();
        assert_eq!(once.len(), all.len(), "{step}: a day was run twice: {all:?}");
        assert!(catch_ups(&runs) <= 1, "{step}: {runs:?}");
        // Whatever date the clock shows at the end, that day's run was made.
        let last = (set + TimeDelta::hours(119)).date_naive().to_string();
        assert_eq!(all.last(), Some(&last), "{step}: {all:?}");
    }
}

#[tokio::test]
async fn a_clock_that_was_a_year_ahead_and_is_set_right_goes_on_with_the_day_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path(), "north", Access::Daemon).await;
    node.watch(utc(START), 24).await;
    node.watch(utc(START) + TimeDelta::days(366), 24).await;
    let runs = node.watch(utc(START) + TimeDelta::days(2), 48).await;
    assert_eq!(dates(&runs), ["2026-06-04", "2026-06-05"]);
}

#[tokio::test]
async fn days_missed_while_down_are_made_up_for_by_one_run() {
    for (hours, missed) in [(1, 0), (11, 0), (14, 1), (73, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::start(folder.path(), "north", Access::Daemon).await;
        node.watch(utc(START), 24).await;
        node.state.engine.store().close().await;
        drop(node);
        let node = Node::start(folder.path(), "north", Access::Daemon).await;
        let back = utc(START) + TimeDelta::hours(24 + hours);
        let runs = node.watch(back, 1).await;
        assert_eq!(
            (runs.len(), catch_ups(&runs)),
            (missed, missed),
            "down for {hours} h: {runs:?}"
        );
        let runs = node.watch(back + TimeDelta::hours(1), 23).await;
        assert_eq!((runs.len(), catch_ups(&runs)), (1, 0), "down for {hours} h: {runs:?}");
    }
}

#[tokio::test]
async fn a_run_that_lasts_longer_than_a_day_is_not_joined_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path(), "north", Access::Daemon).await;
    node.watch(utc(START), 24).await;
    let job = super::daily::job(&node.mapping);
    lock(&node.state.running).insert(job.clone());
    assert_eq!(node.watch(utc(START) + TimeDelta::hours(24), 48).await, []);
    lock(&node.state.running).remove(&job);
    let runs = node.watch(utc(START) + TimeDelta::hours(72), 24).await;
    assert_eq!(
        dates(&runs),
        ["2026-06-04", "2026-06-05"],
        "the day that is over is made up for, and then the next"
    );
}

#[tokio::test]
async fn of_two_nodes_one_does_each_day() {
    let folder = tempfile::tempdir().unwrap();
    let north = Node::start(folder.path(), "north", Access::Daemon).await;
    let south = Node::start(folder.path(), "south", Access::Shared).await;
    let mut runs = Vec::new();
    for minutes in (0..24 * 5 * 60).step_by(10) {
        let now = utc(START) + TimeDelta::minutes(minutes);
        // Both look at the same time.
        let (one, other) = tokio::join!(north.look(now), south.look(now));
        runs.extend(one.into_iter().chain(other));
    }
    let days = ["2026-06-02", "2026-06-03", "2026-06-04", "2026-06-05", "2026-06-06"];
    assert_eq!(dates(&runs), days);
}

#[tokio::test]
async fn a_day_that_another_node_ended_in_the_meantime_is_not_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let north = Node::start(folder.path(), "north", Access::Daemon).await;
    let south = Node::start(folder.path(), "south", Access::Shared).await;
    north.watch(utc(START), 1).await;
    let (name, night) = (super::daily::job(&north.mapping), utc(START) + TimeDelta::hours(13));
    let due = north
        .state
        .claim_reconciliation(&north.mapping, night)
        .await
        .unwrap()
        .unwrap();
    let seen = south.state.claim_reconciliation(&south.mapping, night).await.unwrap();
    assert!(
        seen.is_some(),
        "to the other node it looks cut off until it has the lease"
    );
    assert!(north.state.do_day(&name, due.date, |_| async { true }).await.unwrap());
    let again = south
        .state
        .do_day(&name, due.date, |_| async { panic!("done twice") })
        .await;
    assert!(!again.unwrap());
}

#[tokio::test]
async fn an_event_that_is_ignored_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path(), "north", Access::Daemon).await;
    let event = NewEvent {
        system: "crm".into(),
        external_id: "E-1".to_owned(),
        object: "Kontakt".to_owned(),
        record_id: Some("7".to_owned()),
        kind: EventKind::Updated,
        own: false,
        merged_into: None,
        version: None,
        occurred_at: None,
        request_id: "r".to_owned(),
        payload: None,
        changes: Vec::new(),
    };
    let store = node.state.engine.store();
    store.receive(vec![event]).await.unwrap();
    node.state.work_through_inbox().await.unwrap();
    let stored = store.events(&EventFilter::default(), Page::first(1)).await.unwrap();
    assert_eq!(stored[0].status, EventStatus::Ignored);
    assert_eq!(
        stored[0].last_error.as_deref(),
        Some("there is no system `crm` any more")
    );
}
