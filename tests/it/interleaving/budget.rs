//! Places in flight, the circuit breaker and the daily quota, shared by tasks that may give up at any step.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use shuttle::future::{spawn, yield_now};
use syncline::{
    client::{Grant, OwnQuota, Pending, QuotaError, QuotaStore, Road, System},
    clock::Clock,
    core::breaker::Circuit,
    seam::Bug,
};

use super::{NOWHERE, Sky, all, every_schedule, json, within};
use crate::{
    client::{Sample, account, get},
    support::database::start_of_test,
};

/// Two may be in flight; five ask, of which two give up after a while.
async fn places(lies: bool) {
    let sky = Sky::new(lies.then_some(Bug::ConcurrencyIgnored), |_| json(200, &account(7)));
    let _simulated = sky.simulate();
    let system = Sample::new().limited(json!({ "concurrency": 2 })).at_url(NOWHERE);
    let ask = |road: Road, turns: Option<u64>| {
        let system = system.clone();
        spawn(async move {
            let asked = system.get("account", "7", road);
            match turns {
                Some(turns) => drop(within(turns, asked).await),
                None => assert!(asked.await.unwrap().is_some()),
            }
        })
    };
    let tasks = vec![
        ask(Road::Event, Some(2)),
        ask(Road::Reconcile, None),
        ask(Road::Event, None),
        ask(Road::Poll, Some(5)),
        ask(Road::Event, None),
    ];
    all(tasks).await;
    assert!(sky.most() <= 2, "{} were in flight", sky.most());
    assert_eq!(system.usage().in_flight, 0, "every place is given back");
    assert!(get(&system).await.unwrap().is_some());
}

#[test]
fn a_place_in_flight_is_neither_lost_nor_given_twice() {
    every_schedule("places in flight", 10, |lies| Box::pin(places(lies)));
}

/// A system whose circuit has opened, and whose rest is over.
async fn rested(sky: &Sky) -> System {
    let mut sample = Sample::new();
    sample.defaults.attempts_max = 1;
    let system = sample.at_url(NOWHERE);
    while !matches!(system.usage().circuit, Circuit::Open { .. }) {
        get(&system).await.unwrap_err();
    }
    tokio::time::advance(Duration::from_secs(10)).await;
    sky.forget();
    system
}

/// Three ask at once, one of which gives up: as long as nobody has been answered one request is on its way.
async fn probes(lies: bool) {
    let is_well = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_well);
    let sky = Sky::new(None, move |_| {
        if asked.load(Ordering::SeqCst) {
            json(200, &account(7))
        } else {
            json(500, &json!({}))
        }
    });
    let _simulated = sky.simulate();
    let system = rested(&sky).await;
    // Two that do not know of each other send two probes.
    let other = if lies { rested(&sky).await } else { system.clone() };
    let tasks = vec![(system.clone(), Some(3)), (system.clone(), None), (other, None)];
    let tasks = tasks.into_iter().map(|(system, turns)| {
        spawn(async move {
            match turns {
                Some(turns) => drop(within(turns, get(&system)).await),
                None => drop(get(&system).await.unwrap_err()),
            }
        })
    });
    all(tasks.collect()).await;
    assert!(sky.most() <= 1, "{} probes were on their way at once", sky.most());
    let answered = sky.answered();
    assert!(
        answered <= 1,
        "{answered} were answered, and the first said that it is dead"
    );
    is_well.store(true, Ordering::SeqCst);
    tokio::time::advance(Duration::from_mins(5)).await;
    assert!(
        get(&system).await.unwrap().is_some(),
        "a probe that was given up stands in nobody's way"
    );
    assert_eq!(system.usage().circuit, Circuit::Closed);
}

#[test]
fn a_system_that_was_dead_gets_one_probe_at_a_time() {
    every_schedule("the circuit breaker", 10, |lies| Box::pin(probes(lies)));
}

/// A count that two nodes share, and that takes its time.
struct Shared(OwnQuota);

impl QuotaStore for Shared {
    fn take<'a>(&'a self, system: &'a str, wanted: u64, max: u64) -> Pending<'a, Result<Grant, QuotaError>> {
        Box::pin(async move {
            yield_now().await;
            let grant = self.0.take(system, wanted, max).await;
            yield_now().await;
            grant
        })
    }

    fn give_back<'a>(&'a self, system: &'a str, hour: i64, unused: u64) -> Pending<'a, ()> {
        Box::pin(async move {
            yield_now().await;
            self.0.give_back(system, hour, unused).await;
        })
    }
}

/// Two nodes with three tasks each, and a quota of four.
async fn quota(lies: bool) {
    let sky = Sky::new(None, |_| json(200, &account(7)));
    let _simulated = sky.simulate();
    let clock = Clock::manual(start_of_test());
    let shared = || Arc::new(Shared(OwnQuota::new(clock.clone())));
    let one = shared();
    let nodes = [0, 1].map(|_| {
        let mut sample = Sample::new().limited(json!({ "daily": 4, "reserve": 0 }));
        // Each for itself they spend it twice.
        sample.quota = Some(if lies { shared() } else { one.clone() });
        sample.at_url(NOWHERE)
    });
    let tasks = (0..6).map(|number| {
        let system = nodes[number % 2].clone();
        spawn(async move { get(&system).await.is_ok() })
    });
    let answered = all(tasks.collect()).await.into_iter().filter(|is_ok| *is_ok).count();
    assert_eq!((sky.asked(), answered), (4, 4), "the quota is spent, and no more");
}

#[test]
fn a_daily_quota_is_spent_to_the_last_request_and_never_overdrawn() {
    every_schedule("the daily quota", 6, |lies| Box::pin(quota(lies)));
}
