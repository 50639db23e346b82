//! Runs that are held, released and discarded.

use syncline::{
    core::status::{DriftOutcome, RunStatus},
    store::{Page, drift::DriftFilter},
    sync::{Error, reconcile},
};
use tokio_util::sync::CancellationToken;

use super::World;

/// Ten linked pairs, five of which were renamed: more than a quarter.
async fn world() -> (World, i64) {
    let world = World::empty().await;
    let customers = world.customers(0, 10);
    world.full().await;
    for customer in &customers[..5] {
        world.edit_customer(customer, r#"{"name":"Renamed"}"#);
    }
    let report = world.reconcile().await;
    assert_eq!(report.status, RunStatus::Held, "{:?}", report.note);
    (world, report.run_id)
}

async fn outcomes(world: &World, run_id: i64) -> Vec<DriftOutcome> {
    let filter = DriftFilter::default();
    let items = world.store().drift(run_id, &filter, Page::first(100)).await;
    items.unwrap().into_iter().map(|item| item.outcome).collect()
}

fn renamed(world: &World) -> usize {
    let accounts = world.systems.crm.all("account").unwrap();
    accounts
        .iter()
        .filter(|account| account.json.contains("Renamed"))
        .count()
}

#[tokio::test]
async fn a_held_run_repairs_nothing_until_it_is_released() {
    let (world, run_id) = world().await;
    assert_eq!(renamed(&world), 0);
    let report = reconcile::release(&world.engine, run_id, "ana", &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!((report.run_id, report.status), (run_id, RunStatus::Succeeded));
    assert_eq!(renamed(&world), 5);
    let run = world.store().run(run_id).await.unwrap().unwrap();
    assert_eq!(run.released_by.as_deref(), Some("ana"));
}

#[tokio::test]
async fn a_released_run_that_would_do_more_than_announced_is_held_again() {
    let (world, run_id) = world().await;
    for link in world.links().await {
        world.edit_customer(&link.link.left_id, r#"{"name":"Renamed"}"#);
    }
    let report = reconcile::release(&world.engine, run_id, "ana", &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(report.status, RunStatus::Held);
    assert!(report.note.unwrap().contains("5 were released"));
    assert_eq!(renamed(&world), 0);
}

#[tokio::test]
async fn a_discarded_run_cannot_be_released() {
    let (world, run_id) = world().await;
    assert!(world.store().discard_run(run_id, "ana", Vec::new()).await.unwrap());
    let refused = reconcile::release(&world.engine, run_id, "ana", &CancellationToken::new()).await;
    assert!(
        matches!(refused, Err(Error::NotHeld(id)) if id == run_id),
        "{refused:?}"
    );
    assert_eq!(renamed(&world), 0);
}

#[tokio::test]
async fn the_report_of_a_held_run_says_of_every_item_that_it_waits_until_the_run_is_released() {
    let (world, run_id) = world().await;
    assert_eq!(outcomes(&world, run_id).await, [DriftOutcome::Held; 5]);
    reconcile::release(&world.engine, run_id, "ana", &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(outcomes(&world, run_id).await, [DriftOutcome::Repaired; 5]);
}

#[tokio::test]
async fn what_a_release_would_not_settle_does_not_wait_for_it() {
    let (world, _) = world().await;
    // The last customer is not among those that were renamed.
    let links = world.links().await.into_iter().map(|stored| stored.link);
    let link = links.max_by_key(|link| link.left_id.parse::<u64>().unwrap()).unwrap();
    world.edit_customer(&link.left_id, r#"{"note":"pays late"}"#);
    world.edit_account(&link.right_id, r#"{"Description":"pays early"}"#);
    let report = world.reconcile().await;
    assert_eq!(report.status, RunStatus::Held);
    let items = world
        .store()
        .drift(report.run_id, &DriftFilter::default(), Page::first(100))
        .await
        .unwrap();
    let of_conflict: Vec<_> = items
        .iter()
        .filter(|item| item.field.as_deref() == Some("note"))
        .map(|item| item.outcome)
        .collect();
    assert_eq!(of_conflict, [DriftOutcome::Reported]);
}

#[tokio::test]
async fn the_report_of_a_discarded_run_waits_for_nothing() {
    let (world, run_id) = world().await;
    world.store().discard_run(run_id, "ana", Vec::new()).await.unwrap();
    assert_eq!(outcomes(&world, run_id).await, [DriftOutcome::Reported; 5]);
}
