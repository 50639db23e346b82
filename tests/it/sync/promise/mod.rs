//! Promises of the design that none of the other tests here is about, each in the name of its test.

mod answer;
mod base;
mod guard;
mod record;
mod report;
mod situation;

use syncline::{
    core::{
        record::RecordKey,
        status::{ChangeOrigin, EventKind, Side},
    },
    store::{
        Op, Page,
        change::NewChange,
        drift::{Drift, DriftFilter},
    },
};

use super::{CUSTOMERS, World, quietly};

/// The line of the customers' mapping that tests put situations and limits behind.
const POLICY: &str = "conflict: newest\n";

/// The customers' mapping with more keys.
fn with(keys: &str) -> (&'static str, String) {
    (POLICY, format!("{POLICY}{keys}\n"))
}

/// Linked customers under a mapping with more keys.
async fn linked(count: u32, keys: &str) -> (World, Vec<String>) {
    let mut world = World::empty().await;
    let customers = world.customers(0, count);
    world.full().await;
    let (from, to) = with(keys);
    world.remap(&[(from, to.as_str())]);
    (world, customers)
}

/// What an event does: the record is looked at.
async fn told_of(world: &World, side: Side, id: &str) {
    let key = RecordKey::new(CUSTOMERS, side, id);
    let change = NewChange::new(key, ChangeOrigin::Event, EventKind::Updated);
    world.store().commit(vec![Op::Enqueue(change)]).await.unwrap();
    world.drain().await;
}

/// The account of a customer.
async fn account_of(world: &World, customer: &str) -> String {
    world.link_of(customer).await.unwrap().link.right_id
}

/// The differences of a run, newest first.
async fn items(world: &World, run_id: i64) -> Vec<Drift> {
    let page = Page::first(100);
    world
        .store()
        .drift(run_id, &DriftFilter::default(), page)
        .await
        .unwrap()
}
