//! Runs that are held, released and discarded.

use syncline::{
    core::status::RunStatus,
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
    assert!(world.store().discard_run(run_id, "ana").await.unwrap());
    let refused = reconcile::release(&world.engine, run_id, "ana", &CancellationToken::new()).await;
    assert!(
        matches!(refused, Err(Error::NotHeld(id)) if id == run_id),
        "{refused:?}"
    );
    assert_eq!(renamed(&world), 0);
}
