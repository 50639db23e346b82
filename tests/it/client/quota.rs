//! The daily quota of a system, shared by nodes and kept across restarts.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::json;
use syncline::{
    client::{Grant, Pending, QuotaError, QuotaStore, Road, System},
    core::{fault::Fault, status::FailureClass},
    worker::quota::SharedQuota,
};

use super::{Sample, account};
use crate::support::{
    database::Database,
    loopback::{Loopback, Reply},
};

const DAILY: usize = 400;
const RESERVE: usize = 40;

fn sample() -> Sample {
    Sample::new().limited(json!({ "daily": DAILY, "reserve": "10%" }))
}

async fn served() -> Loopback {
    Loopback::answering([Reply::json(200, &account(7))]).await
}

async fn ask(system: &System, road: Road) -> Result<(), Fault> {
    system.get("account", "7", road).await.map(drop)
}

/// Sends until the quota says no; how many went.
async fn spend(system: &System, road: Road) -> usize {
    for sent in 0..=DAILY {
        if let Err(fault) = ask(system, road).await {
            assert_eq!((fault.code, fault.class), ("RQ012", FailureClass::Transient), "{fault}");
            return sent;
        }
    }
    panic!("the quota has no end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_never_send_more_than_the_quota_together_and_leave_the_reserve_to_events() {
    let database = Database::sqlite();
    let _made = database.open().await;
    let server = served().await;
    let mut nodes = Vec::new();
    for name in ["north", "south"] {
        let mut sample = sample();
        sample.quota = Some(Arc::new(SharedQuota::new(database.open_beside(name).await)));
        sample.clock = database.clock().clone();
        nodes.push(sample.at(&server));
    }
    let [north, south] = [nodes[0].clone(), nodes[1].clone()];
    let (one, other) = tokio::join!(spend(&north, Road::Reconcile), spend(&south, Road::Poll));
    assert!(one > 0 && other > 0, "{one} and {other}");
    assert_eq!(one + other, DAILY - RESERVE);
    assert_eq!(ask(&north, Road::Manual).await.unwrap_err().code, "RQ012");
    let (one, other) = tokio::join!(spend(&north, Road::Event), spend(&south, Road::Event));
    assert_eq!(one + other, RESERVE);
    assert_eq!(server.seen().len(), DAILY);
    assert_eq!(north.usage().daily_max, Some(DAILY as u64));
    assert_eq!(north.usage().daily_reserve, RESERVE as u64);
}

#[tokio::test]
async fn a_restart_forgets_nothing_and_a_crash_costs_a_block_at_most() {
    let database = Database::sqlite();
    let _made = database.open().await;
    let server = served().await;
    let start = async || {
        let mut sample = sample();
        let store = database.open_beside("north").await;
        sample.quota = Some(Arc::new(SharedQuota::new(store.clone())));
        sample.clock = database.clock().clone();
        (sample.at(&server), store)
    };
    let (system, store) = start().await;
    for _ in 0..100 {
        ask(&system, Road::Reconcile).await.unwrap();
    }
    system.give_back_quota().await;
    assert_eq!(store.quota_spent("crm").await.unwrap(), 100);
    store.close().await;
    let (system, store) = start().await;
    for _ in 0..100 {
        ask(&system, Road::Reconcile).await.unwrap();
    }
    // It dies: nothing is given back.
    drop(system);
    let lost = usize::try_from(store.quota_spent("crm").await.unwrap()).unwrap() - 200;
    assert!(lost < DAILY / 100, "{lost}");
    store.close().await;
    let (system, store) = start().await;
    assert_eq!(spend(&system, Road::Reconcile).await, DAILY - RESERVE - 200 - lost);
    database.clock().set(database.clock().now() + TimeDelta::hours(24));
    assert_eq!(spend(&system, Road::Event).await, DAILY);
    store.close().await;
}

#[tokio::test]
async fn many_requests_cost_few_commits() {
    struct Counting(Arc<dyn QuotaStore>, std::sync::atomic::AtomicUsize);
    impl QuotaStore for Counting {
        fn take<'a>(&'a self, system: &'a str, wanted: u64, max: u64) -> Pending<'a, Result<Grant, QuotaError>> {
            self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            self.0.take(system, wanted, max)
        }
        fn give_back<'a>(&'a self, system: &'a str, hour: i64, unused: u64) -> Pending<'a, ()> {
            self.0.give_back(system, hour, unused)
        }
    }
    let server = served().await;
    let mut sample = Sample::new().limited(json!({ "daily": 10_000 }));
    let own = syncline::client::OwnQuota::new(sample.clock.clone());
    let counting = Arc::new(Counting(Arc::new(own), 0.into()));
    sample.quota = Some(Arc::clone(&counting) as Arc<dyn QuotaStore>);
    let system = sample.at(&server);
    for _ in 0..500 {
        ask(&system, Road::Poll).await.unwrap();
    }
    let asked = counting.1.load(std::sync::atomic::Ordering::SeqCst);
    assert!(asked <= 12, "{asked}");
}

#[tokio::test]
async fn where_the_count_cannot_be_asked_for_nothing_is_sent_and_the_reason_is_told() {
    struct Gone;
    impl QuotaStore for Gone {
        fn take<'a>(&'a self, _: &'a str, _: u64, _: u64) -> Pending<'a, Result<Grant, QuotaError>> {
            let error = QuotaError("the database is gone".to_owned());
            Box::pin(std::future::ready(Err(error)))
        }
        fn give_back<'a>(&'a self, _: &'a str, _: i64, _: u64) -> Pending<'a, ()> {
            Box::pin(std::future::ready(()))
        }
    }
    let server = served().await;
    let mut sample = sample();
    sample.quota = Some(Arc::new(Gone));
    let fault = ask(&sample.at(&server), Road::Event).await.unwrap_err();
    assert_eq!((fault.code, fault.class), ("RQ013", FailureClass::Transient), "{fault}");
    assert!(fault.retry_after.is_some() && fault.hint.is_some());
    assert_eq!(server.connects(), 0);
}
