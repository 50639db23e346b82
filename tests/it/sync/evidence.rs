//! Why records drifted: the cause is what the inbox, the failures and the polls prove, and `unknown` only where nothing does.

use std::time::Duration;

use syncline::{
    core::status::{Cause, Side},
    store::{
        Page,
        drift::{Drift, DriftFilter},
    },
    sync::poll,
};

use super::{CUSTOMERS, World};

/// Ten linked pairs, and the first of their customers.
async fn world() -> (World, String) {
    let world = World::empty().await;
    let customer = world.customers(0, 10).swap_remove(0);
    world.full().await;
    world.advance(Duration::from_mins(1));
    (world, customer)
}

async fn found(world: &World) -> Vec<Drift> {
    let report = world.reconcile().await;
    let filter = DriftFilter::default();
    world
        .store()
        .drift(report.run_id, &filter, Page::first(100))
        .await
        .unwrap()
}

async fn causes(world: &World) -> Vec<Cause> {
    found(world).await.into_iter().map(|item| item.cause).collect()
}

#[tokio::test]
async fn an_event_that_was_worked_on_does_not_speak_for_a_later_edit() {
    let (world, customer) = world().await;
    // Such as the echo of our own write: it finds nothing to do.
    world.event(Side::Left, &customer).await;
    world.drain().await;
    world.edit_customer(&customer, r#"{"name":"Renamed"}"#);
    assert_eq!(causes(&world).await, [Cause::EventMissed]);
}

#[tokio::test]
async fn an_event_that_came_and_failed_is_told_with_its_failure() {
    let (world, customer) = world().await;
    world.edit_customer(&customer, r#"{"tax_id":"12"}"#);
    world.event(Side::Left, &customer).await;
    world.drain().await;
    let failure = world.failures().await.remove(0);
    let items = found(&world).await;
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!(
        (items[0].cause, items[0].failure_id),
        (Cause::EventFailed, Some(failure.failure_id))
    );
}

#[tokio::test]
async fn a_write_that_failed_without_an_event_is_told_from_one_that_was_told_of() {
    let (world, customer) = world().await;
    world.edit_customer(&customer, r#"{"tax_id":"12"}"#);
    assert_eq!(causes(&world).await, [Cause::EventMissed]);
    assert_eq!(
        causes(&world).await,
        [Cause::WriteFailed],
        "now it is known that it was tried"
    );
}

#[tokio::test]
async fn an_event_that_waits_is_no_event_that_was_missed() {
    let (world, customer) = world().await;
    world.edit_customer(&customer, r#"{"name":"Renamed"}"#);
    world.event(Side::Left, &customer).await;
    assert_eq!(causes(&world).await, [Cause::Pending]);
}

#[tokio::test]
async fn an_edit_on_both_sides_that_the_policy_settles_is_a_conflict() {
    let (world, customer) = world().await;
    let link = world.link_of(&customer).await.unwrap().link;
    world.edit_customer(&link.left_id, r#"{"name":"Theirs"}"#);
    world.edit_account(&link.right_id, r#"{"Name":"Ours"}"#);
    assert_eq!(causes(&world).await, [Cause::Conflict]);
}

#[tokio::test]
async fn a_side_that_neither_pushes_nor_is_polled_is_unwatched_and_a_polled_one_is_asked_next() {
    let (mut world, customer) = world().await;
    let text = super::shipped("connectors/sandbox-erp.yaml");
    let webhooks = text.get(text.find("\nwebhooks:").unwrap()..).unwrap();
    world.remap(&[(webhooks, "\n")]);
    world.edit_customer(&customer, r#"{"name":"Once"}"#);
    assert_eq!(causes(&world).await, [Cause::Unwatched]);
    world.remap(&[(webhooks, "\n"), ("prefer: erp", "poll: { erp: 60s }\nprefer: erp")]);
    world.edit_customer(&customer, r#"{"name":"Twice"}"#);
    assert_eq!(causes(&world).await, [Cause::Pending], "no poll has been made yet");
}

#[tokio::test]
async fn an_edit_that_a_poll_did_not_show_was_missed() {
    let (mut world, customer) = world().await;
    let text = super::shipped("connectors/sandbox-erp.yaml");
    let webhooks = text.get(text.find("\nwebhooks:").unwrap()..).unwrap();
    world.remap(&[(webhooks, "\n"), ("prefer: erp", "poll: { erp: 60s }\nprefer: erp")]);
    world.edit_customer(&customer, r#"{"name":"Renamed"}"#);
    // The cursor is set to a time after the edit, as by a poll that the system did not show the edit to.
    let later = world.systems.erp.clock().now() + Duration::from_hours(1);
    world.advance((later - world.store().clock().now()).to_std().unwrap_or_default());
    let mapping = world.mapping(CUSTOMERS);
    let trigger = syncline::core::status::Trigger::Person;
    poll::poll(&world.engine, &mapping, Side::Left, trigger).await.unwrap();
    assert_eq!(causes(&world).await, [Cause::EventMissed]);
}
