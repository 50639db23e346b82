//! Asking a system what changed, and what the runs of polls and events count.

use syncline::{
    core::status::{RunKind, Side, Trigger},
    store::{Page, run::RunFilter},
    sync::poll,
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
    let world = World::new(syncline::sandbox::seed::Plan::default(), &[POLLED]).await;
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
    let world = World::new(syncline::sandbox::seed::Plan::default(), &[POLLED]).await;
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
