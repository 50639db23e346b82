//! Failures of pairs: one difference is one failure, whichever side it came up on.

use syncline::{
    core::{
        fault::Fault,
        record::RecordKey,
        status::{FailureClass, FailureStatus, RunKind, Side, Stage},
    },
    sandbox::fault,
    store::{Op, failure::NewFailure},
};

use super::{CUSTOMERS, World};

/// A pair that is dirty on both sides, and whose customer the CRM refuses.
async fn refused() -> (World, String, String) {
    let world = World::empty().await;
    let customer = world.customers(0, 10).swap_remove(0);
    world.full().await;
    let account = world.link_of(&customer).await.unwrap().link.right_id;
    world.edit_customer(&customer, r#"{"tax_id":"12"}"#);
    (world, customer, account)
}

#[tokio::test]
async fn a_pair_that_is_dirty_on_both_sides_has_one_failure_and_one_success_resolves_it() {
    let (world, customer, account) = refused().await;
    world.event(Side::Left, &customer).await;
    world.event(Side::Right, &account).await;
    world.drain().await;
    let failures = world.failures().await;
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0].status, FailureStatus::Parked, "the same refusal twice");
    world.reconcile().await;
    assert_eq!(world.failures().await.len(), 1);
    world.edit_customer(&customer, r#"{"tax_id":"BR 99.888.777/0001-66"}"#);
    world.event(Side::Right, &account).await;
    world.drain().await;
    assert_eq!(world.failures().await, []);
}

#[tokio::test]
async fn a_pair_that_cannot_be_read_has_one_failure() {
    let (world, customer, account) = refused().await;
    let down = fault::Order::next(100, fault::Fault::status(500));
    world.systems.crm.faults().order(down).unwrap();
    world.event(Side::Left, &customer).await;
    world.event(Side::Right, &account).await;
    world.drain().await;
    let failures = world.failures().await;
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0].class, FailureClass::Transient);
}

#[tokio::test]
async fn two_failures_of_one_pair_that_an_older_version_left_behind_become_one() {
    let (world, customer, account) = refused().await;
    let old = |side, id: &str| {
        Op::Fail(NewFailure {
            run_id: None,
            key: RecordKey::new(CUSTOMERS, side, id),
            left_id: None,
            right_id: None,
            fault: Fault::new("RQ400", FailureClass::Rejected, Stage::Write, "no"),
            status: FailureStatus::Open,
            next_attempt_at: None,
            event_id: None,
        })
    };
    let both = vec![old(Side::Left, &customer), old(Side::Right, &account)];
    world.store().commit(both).await.unwrap();
    assert_eq!(world.failures().await.len(), 2);
    world.event(Side::Left, &customer).await;
    world.drain().await;
    assert_eq!(world.failures().await.len(), 1);
}

#[tokio::test]
async fn a_failure_of_a_pair_that_agrees_by_now_is_resolved_by_the_next_reconciliation() {
    for (times, status, repair) in [
        (1, FailureStatus::Open, true),
        (2, FailureStatus::Parked, true),
        (1, FailureStatus::Open, false),
    ] {
        let (world, customer, _) = refused().await;
        let before = world.customer_now(&customer);
        for _ in 0..times {
            world.event(Side::Left, &customer).await;
            world.drain().await;
        }
        assert_eq!(world.failures().await[0].status, status);
        world.run(CUSTOMERS, RunKind::Reconcile, repair).await;
        assert_eq!(world.failures().await.len(), 1, "both sides still differ");
        // Taken back, and nothing tells of it: by the hashes the pair is as it was agreed.
        let fields = serde_json::json!({ "tax_id": "BR 10.000.000/0001-95" });
        world.edit_customer(&customer, &fields.to_string());
        assert_ne!(world.customer_now(&customer)["tax_id"], before["tax_id"]);
        let report = world.run(CUSTOMERS, RunKind::Reconcile, repair).await;
        assert_eq!(world.failures().await, []);
        assert_eq!((report.counters.unchanged, report.counters.failed), (10, 0));
    }
}
