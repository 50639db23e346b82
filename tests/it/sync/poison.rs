//! Records that cannot be worked on: they are set aside, and everything else goes on.

use std::time::Duration;

use syncline::{
    core::status::{FailureStatus, Side},
    sandbox::fault::{Fault, Order},
};

use super::World;

const RECORDS: u32 = 200;

/// Linked customers that were all renamed, which events have told of.
async fn renamed() -> (World, Vec<String>) {
    let world = World::empty().await;
    let customers = world.customers(0, RECORDS);
    world.full().await;
    for customer in &customers {
        world.edit_customer(customer, r#"{"name":"Renamed"}"#);
        world.event(Side::Left, customer).await;
    }
    (world, customers)
}

fn always(fault: Fault, method: &str, path: &str) -> Order {
    Order::share(1.0, fault).on(method, path)
}

fn renamed_accounts(world: &World) -> usize {
    let accounts = world.systems.crm.all("account").unwrap();
    accounts
        .iter()
        .filter(|account| account.json.contains("Renamed"))
        .count()
}

#[tokio::test]
async fn one_in_a_hundred_that_cannot_be_read_and_one_that_is_always_refused_stop_nobody_and_end_parked() {
    let (world, customers) = renamed().await;
    // Their paths begin no other's: a fault strikes everything that begins so.
    let (unreadable, refused) = (&customers[98..100], &customers[100..102]);
    for customer in unreadable {
        let order = always(Fault::TruncatedJson, "GET", &format!("/api/customers/{customer}"));
        world.systems.erp.faults().order(order).unwrap();
    }
    for customer in refused {
        let account = world.link_of(customer).await.unwrap().link.right_id;
        let order = always(Fault::status(400), "PATCH", &format!("/api/v2/accounts/{account}"));
        world.systems.crm.faults().order(order).unwrap();
    }
    world.drain().await;
    assert_eq!(
        renamed_accounts(&world),
        customers.len() - 4,
        "the others are done at the first go"
    );
    // Whatever is tried again by itself comes to an end.
    for _ in 0..=world.engine.limits().attempts_max {
        world.advance(Duration::from_hours(2));
        world.drain().await;
    }
    assert_eq!(world.store().queue_stats().await.unwrap().depth, 0);
    let failures = world.failures().await;
    assert_eq!(failures.len(), 4, "{failures:?}");
    for failure in failures {
        let of = |ids: &[String]| ids.contains(&failure.key.record_id);
        assert!(of(unreadable) || of(refused), "{failure:?}");
        assert!(
            [FailureStatus::Parked, FailureStatus::Open].contains(&failure.status),
            "{failure:?}"
        );
        assert_eq!(failure.next_attempt_at, None);
    }
}

#[tokio::test]
async fn a_record_is_not_tried_again_before_the_other_side_allows_it() {
    let world = World::empty().await;
    let customer = world.customers(0, 1).swap_remove(0);
    world.full().await;
    world.edit_customer(&customer, r#"{"name":"Renamed"}"#);
    let account = world.link_of(&customer).await.unwrap().link.right_id;
    let busy = Fault::Status {
        status: 503,
        retry_after_s: Some(600),
        code: None,
    };
    let path = format!("/api/v2/accounts/{account}");
    world.systems.crm.faults().order(always(busy, "PATCH", &path)).unwrap();
    world.event(Side::Left, &customer).await;
    world.drain().await;
    let failure = world.failures().await.swap_remove(0);
    let wait = failure.next_attempt_at.unwrap() - world.store().clock().now();
    assert!(wait >= chrono::TimeDelta::seconds(600), "{wait}");
    world.advance(Duration::from_secs(599));
    assert_eq!(world.drain().await, 0);
}
