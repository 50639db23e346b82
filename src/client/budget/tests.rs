use chrono::DateTime;

use super::*;
use crate::core::{breaker, period::Share};

fn budget(limits: &Limits) -> Arc<Budget> {
    counted(limits, &Clock::manual(DateTime::UNIX_EPOCH))
}

fn counted(limits: &Limits, clock: &Clock) -> Arc<Budget> {
    let quota = Arc::new(OwnQuota::new(clock.clone()));
    Budget::new("crm", limits, quota, clock.clone())
}

#[tokio::test]
async fn a_reconciliation_leaves_a_place_for_events_and_events_go_first() {
    let budget = budget(&Limits {
        concurrency: 2,
        ..Limits::default()
    });
    let reconciling = budget.admit(Road::Reconcile).await.unwrap();
    let waiting = tokio::spawn({
        let budget = budget.clone();
        async move { budget.admit(Road::Reconcile).await.map(drop) }
    });
    tokio::task::yield_now().await;
    let event = budget.admit(Road::Event).await.unwrap();
    assert!(!waiting.is_finished());
    event.alive();
    reconciling.alive();
    assert_eq!(waiting.await.unwrap(), Ok(()));
    assert_eq!(budget.usage().in_flight, 0);
}

#[tokio::test]
async fn a_waiter_that_gives_up_leaks_no_place() {
    let budget = budget(&Limits {
        concurrency: 1,
        ..Limits::default()
    });
    let held = budget.admit(Road::Event).await.unwrap();
    for _ in 0..10 {
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.admit(Road::Event).await.map(drop) }
        });
        tokio::task::yield_now().await;
        waiting.abort();
        let _ = waiting.await;
    }
    held.alive();
    drop(budget.admit(Road::Event).await.unwrap());
    assert_eq!(budget.usage().in_flight, 0);
}

#[tokio::test]
async fn a_long_rest_is_told_and_a_short_one_is_waited_for() {
    let budget = budget(&Limits::default());
    budget.pause(Duration::from_millis(10));
    let before = Instant::now();
    drop(budget.admit(Road::Event).await.unwrap());
    assert!(before.elapsed() >= Duration::from_millis(10));
    budget.pause(Duration::from_secs(20));
    assert!(matches!(budget.admit(Road::Event).await, Err(Hold::Paused(_))));
    assert_eq!(budget.usage().in_flight, 0);
}

#[tokio::test]
async fn the_reserve_of_the_daily_quota_is_for_events_alone() {
    let clock = Clock::manual(DateTime::UNIX_EPOCH);
    let limits = Limits {
        daily: Some(10),
        reserve: Share::Percent(20_000),
        ..Limits::default()
    };
    let budget = counted(&limits, &clock);
    for _ in 0..8 {
        budget.admit(Road::Reconcile).await.unwrap().alive();
    }
    assert!(matches!(budget.admit(Road::Reconcile).await, Err(Hold::Daily(_))));
    assert!(matches!(budget.admit(Road::Manual).await, Err(Hold::Daily(_))));
    for _ in 0..2 {
        budget.admit(Road::Event).await.unwrap().alive();
    }
    let Err(Hold::Daily(wait)) = budget.admit(Road::Event).await else {
        panic!("the quota is used up");
    };
    assert_eq!(wait, Duration::from_secs(24 * 3_600));
    clock.set(DateTime::UNIX_EPOCH + wait);
    budget.admit(Road::Reconcile).await.unwrap().alive();
    assert_eq!(budget.usage().daily_used, 1);
}

#[tokio::test]
async fn a_dead_system_is_left_alone_and_found_again_by_one_probe() {
    let budget = budget(&Limits {
        concurrency: 64,
        breaker: breaker::Settings {
            rest: Duration::ZERO,
            ..breaker::Settings::default()
        },
        ..Limits::default()
    });
    for _ in 0..5 {
        budget.admit(Road::Event).await.unwrap().dead();
    }
    assert!(budget.usage().circuit.is_open());
    let probe = budget.admit(Road::Event).await.unwrap();
    assert!(matches!(budget.admit(Road::Event).await, Err(Hold::Circuit(_))));
    probe.alive();
    assert!(!budget.usage().circuit.is_open());
    budget.admit(Road::Event).await.unwrap().alive();
}
