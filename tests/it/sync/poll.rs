//! Asking a system what changed, and what the runs of polls and events count.

use syncline::{
    core::status::{RunKind, RunStatus, Side, Trigger},
    sandbox::{
        fault::{Fault, Order},
        seed::Plan,
    },
    store::{Page, run::RunFilter},
    sync::{Error, poll},
};

use super::{CUSTOMERS, World};

/// The CRM is polled.
const POLLED: (&str, &str) = ("prefer: erp", "poll: { crm: 60s }\nprefer: erp");

async fn poll_crm(world: &World) {
    let mapping = world.mapping(CUSTOMERS);
    poll::poll(&world.engine, &mapping, Side::Right, Trigger::Person)
        .await
        .unwrap();
}

async fn requests(world: &World, kind: RunKind) -> u64 {
    let filter = RunFilter {
        kind: Some(kind),
        ..RunFilter::default()
    };
    let runs = world.store().runs(&filter, Page::first(10)).await.unwrap();
    assert!(!runs.is_empty(), "there is no run of this kind");
    assert!(
        runs.iter()
            .all(|run| (run.counters.requests == 0) == (run.counters.bytes == 0))
    );
    runs.iter().map(|run| run.counters.requests).sum()
}

#[tokio::test]
async fn records_made_in_a_batch_without_a_version_come_up_by_a_poll_once() {
    let world = World::new(Plan::default(), &[POLLED]).await;
    world.customers(0, 20);
    world.full().await;
    assert!(
        world.links().await.iter().any(|link| link.right_version.is_none()),
        "the batch showed no versions"
    );
    poll_crm(&world).await;
    world.drain().await;
    assert!(world.links().await.iter().all(|link| link.right_version.is_some()));
    poll_crm(&world).await;
    assert_eq!(
        world.store().queue_stats().await.unwrap().depth,
        0,
        "they came up again"
    );
}

#[tokio::test]
async fn runs_of_polls_and_events_count_their_requests() {
    let world = World::new(Plan::default(), &[POLLED]).await;
    let customer = world.customers(0, 2).swap_remove(0);
    world.full().await;
    let account = world.link_of(&customer).await.unwrap().link.right_id;
    world.systems.erp.history().clear();
    world.systems.crm.history().clear();
    world.edit_customer(&customer, r#"{"name":"Renamed"}"#);
    world.event(Side::Left, &customer).await;
    world.drain().await;
    let sent = world.systems.erp.history().requests().len() + world.systems.crm.history().requests().len();
    assert_eq!(requests(&world, RunKind::Event).await, sent as u64);
    world.systems.crm.history().clear();
    world.edit_account(&account, r#"{"Phone":"+55 51 3000-0000"}"#);
    poll_crm(&world).await;
    let sent = world.systems.crm.history().requests().len();
    assert_eq!(requests(&world, RunKind::Poll).await, sent as u64);
}

/// A world whose ERP is polled and has `count` customers on several pages, all of them news.
async fn polled_erp(count: u32) -> World {
    let world = World::new(Plan::default(), &[("prefer: erp", "poll: { erp: 60s }\nprefer: erp")]).await;
    world.customers(0, count);
    world
}

/// As the scheduler polls.
async fn poll_erp_again(world: &World) -> u64 {
    let mapping = world.mapping(CUSTOMERS);
    let polled = poll::poll(&world.engine, &mapping, Side::Left, Trigger::Schedule).await;
    polled.unwrap();
    world.store().queue_stats().await.unwrap().depth
}

#[tokio::test]
async fn records_without_a_version_that_the_overlap_brings_again_are_queued_only_where_they_changed() {
    let world = polled_erp(20).await;
    world.full().await;
    // Outside of the mapping: it is never linked.
    world.customer(r#"{"kind":"supplier","status":"active","name":"Supplier","tax_id":"BR 20.000.001/0001-95"}"#);
    assert_eq!(poll_erp_again(&world).await, 1, "what is as it was agreed is no news");
    world.drain().await;
    assert_eq!(poll_erp_again(&world).await, 0, "the last poll brought it, too");
    let customer = world.links().await[3].link.left_id.clone();
    world.edit_customer(&customer, r#"{"name":"Renamed"}"#);
    assert_eq!(poll_erp_again(&world).await, 1);
    world.drain().await;
    assert_eq!(poll_erp_again(&world).await, 0);
    world.edit_customer(&customer, r#"{"name":"Company 3"}"#);
    assert_eq!(
        poll_erp_again(&world).await,
        1,
        "it came back to what it was, and that is a change"
    );
    world.drain().await;
    let account = world.link_of(&customer).await.unwrap().link.right_id;
    assert_eq!(
        world.account_now(&account)["Name"],
        world.customer_now(&customer)["name"]
    );
    poll_erp(&world).await.unwrap();
    assert_eq!(
        world.store().queue_stats().await.unwrap().depth,
        1,
        "whoever asks gets a look at what is in no link"
    );
}

#[tokio::test]
async fn a_record_that_failed_is_not_tried_again_by_every_poll_that_brings_it_unchanged() {
    let world = polled_erp(2).await;
    world.full().await;
    let customer = world.links().await[0].link.left_id.clone();
    world.edit_customer(&customer, r#"{"tax_id":"12"}"#);
    assert_eq!(poll_erp_again(&world).await, 1);
    world.drain().await;
    assert_eq!(world.failures().await.len(), 1);
    assert_eq!(poll_erp_again(&world).await, 0);
}

async fn poll_erp(world: &World) -> Result<u64, Error> {
    poll::poll(&world.engine, &world.mapping(CUSTOMERS), Side::Left, Trigger::Person).await
}

#[tokio::test]
async fn what_a_changing_list_passes_over_while_it_is_polled_is_read_in_another_pass() {
    let world = polled_erp(250).await;
    // The second page of the first pass; the first request tries out whether the ERP heeds the question.
    let listing = ("GET", "/api/customers");
    let shift = Order::next(1, Fault::ShiftListing).on(listing.0, listing.1);
    poll_erp(&world).await.unwrap();
    let depth = world.store().queue_stats().await.unwrap().depth;
    assert_eq!(depth, 250);
    world.systems.erp.history().clear();
    world.systems.erp.faults().order(shift.after(1)).unwrap();
    let read = poll_erp(&world).await.unwrap();
    assert_eq!(read, 500, "two passes over 250 records");
}

#[tokio::test]
async fn a_list_that_changes_under_every_pass_keeps_the_cursor_where_it_was() {
    let world = polled_erp(250).await;
    poll_erp(&world).await.unwrap();
    let cursor = async || {
        world
            .store()
            .cursor(CUSTOMERS, Side::Left)
            .await
            .unwrap()
            .unwrap()
            .value
    };
    let before = cursor().await;
    world.advance(std::time::Duration::from_mins(1));
    // The second page of every pass: each order sees only what those before it have let through.
    for pass in 1..=4 {
        let shift = Order::next(1, Fault::ShiftListing).on("GET", "/api/customers");
        world.systems.erp.faults().order(shift.after(pass)).unwrap();
    }
    let error = poll_erp(&world).await.unwrap_err();
    assert!(matches!(&error, Error::Shifted(system) if system == "erp"), "{error}");
    assert_eq!(cursor().await, before, "the next poll reads the same again");
    let filter = RunFilter {
        kind: Some(RunKind::Poll),
        ..RunFilter::default()
    };
    let runs = world.store().runs(&filter, Page::first(1)).await.unwrap();
    assert_eq!(runs[0].status, RunStatus::Failed);
    world.advance(std::time::Duration::from_mins(1));
    assert_eq!(poll_erp(&world).await.unwrap(), 250);
    assert_ne!(cursor().await, before);
}
