//! Comparisons of what changed alone, between the comparisons of everything.

use std::time::Duration;

use syncline::{
    core::status::{RunKind, RunStatus, Situation, Trigger},
    store::{Page, drift::DriftFilter},
    sync::{
        Error,
        reconcile::{self, Request},
    },
};
use tokio_util::sync::CancellationToken;

use super::{CUSTOMERS, World, customer_json};

/// Everybody's clock moves on.
fn later(world: &World) {
    const HOUR: Duration = Duration::from_hours(1);
    world.advance(HOUR);
    world.systems.erp.clock().advance(HOUR);
    world.systems.crm.clock().advance(HOUR);
}

/// Ten linked pairs, compared as a whole a while ago; nothing changed since.
async fn world() -> (World, Vec<String>) {
    let world = World::empty().await;
    let ahead = syncline::clock::Clock::system().now() - world.database.clock().now();
    world.advance(ahead.to_std().unwrap());
    let customers = world.customers(0, 10);
    later(&world);
    world.full().await;
    later(&world);
    world.reconcile().await;
    later(&world);
    (world, customers)
}

async fn incremental(world: &World) -> reconcile::Report {
    world.run(CUSTOMERS, RunKind::Incremental, true).await
}

async fn situations(world: &World, run_id: i64) -> Vec<Situation> {
    let filter = DriftFilter::default();
    let items = world.store().drift(run_id, &filter, Page::first(100)).await;
    items.unwrap().into_iter().map(|item| item.situation).collect()
}

#[tokio::test]
async fn only_what_changed_on_either_side_is_read_compared_and_repaired() {
    let (world, customers) = world().await;
    let quiet = incremental(&world).await;
    assert_eq!((quiet.summary.left_records, quiet.summary.right_records), (0, 0));
    assert_eq!((quiet.summary.pairs, quiet.summary.drifted()), (0, 0));
    later(&world);
    world.edit_customer(&customers[3], r#"{"name":"Renamed"}"#);
    let account = world.link_of(&customers[5]).await.unwrap().link.right_id;
    world.edit_account(&account, r#"{"BillingCity":"Natal"}"#);
    let report = incremental(&world).await;
    assert_eq!((report.summary.left_records, report.summary.right_records), (1, 1));
    assert_eq!((report.summary.pairs, report.counters.updated), (2, 2));
    assert_eq!(situations(&world, report.run_id).await, [Situation::Differs; 2]);
    let renamed = world.link_of(&customers[3]).await.unwrap().link.right_id;
    assert_eq!(world.account_now(&renamed)["Name"], "Renamed");
    assert_eq!(world.customer_now(&customers[5])["address"]["city"], "Natal");
}

#[tokio::test]
async fn the_report_says_that_it_was_incremental_and_since_when() {
    let (world, _) = world().await;
    let report = incremental(&world).await;
    assert_eq!(report.status, RunStatus::Succeeded);
    assert!(report.summary.since.is_some() && !report.summary.complete);
    let note = report.note.unwrap();
    assert!(note.starts_with("incremental: only records changed since "), "{note}");
    let run = world.store().run(report.run_id).await.unwrap().unwrap();
    assert_eq!(run.kind, RunKind::Incremental);
}

#[tokio::test]
async fn what_an_incremental_look_does_not_show_is_never_taken_for_gone() {
    let (world, customers) = world().await;
    let gone = world.link_of(&customers[0]).await.unwrap().link.right_id;
    world.systems.crm.delete("account", &gone, &super::quietly()).unwrap();
    let report = incremental(&world).await;
    assert_eq!(report.summary.drifted(), 0, "nothing that changed shows it");
    assert!(situations(&world, report.run_id).await.is_empty());
    // Asked for the one record, its own system says that it is gone.
    later(&world);
    world.edit_customer(&customers[0], r#"{"name":"Renamed"}"#);
    let report = incremental(&world).await;
    assert_eq!(situations(&world, report.run_id).await, [Situation::Missing]);
}

#[tokio::test]
async fn a_new_record_is_linked_to_its_partner_whether_that_changed_or_not() {
    let (world, _) = world().await;
    let account = |n: u32| {
        let json = format!(r#"{{"Name":"Company {n}","VatNumber":"BR10000{n:03}000195","Status":"Active"}}"#);
        world.account(&json)
    };
    let old = account(20);
    later(&world);
    later(&world);
    world.reconcile().await;
    later(&world);
    let new = account(21);
    let customers: Vec<String> = (20..23).map(|n| world.customer(&customer_json(n))).collect();
    let report = incremental(&world).await;
    assert_eq!(report.counters.created, 1, "{:?}", report.counters);
    for (customer, account) in customers.iter().zip([old, new]) {
        let link = world.link_of(customer).await;
        assert_eq!(link.map(|link| link.link.right_id), Some(account));
    }
    let unlinked =
        [Situation::UnlinkedMatch, Situation::Absent].map(|one| report.summary.situations.get(&one).copied());
    assert_eq!(unlinked, [Some(2), Some(1)]);
    assert_eq!(world.reconcile().await.summary.drifted(), 0);
}

#[tokio::test]
async fn ages_go_on_from_the_last_report_about_everything() {
    let (world, customers) = world().await;
    let link = world.link_of(&customers[0]).await.unwrap().link;
    world.edit_customer(&link.left_id, r#"{"note":"pays late"}"#);
    world.edit_account(&link.right_id, r#"{"Description":"pays early"}"#);
    world.reconcile().await;
    later(&world);
    incremental(&world).await;
    let last = world.reconcile().await;
    let filter = DriftFilter::default();
    let items = world.store().drift(last.run_id, &filter, Page::first(10)).await;
    let ages: Vec<_> = items.unwrap().into_iter().map(|item| item.age_runs).collect();
    assert_eq!(ages, [2]);
}

#[tokio::test]
async fn before_everything_was_compared_once_there_is_nothing_to_go_on_from() {
    let world = World::empty().await;
    let request = Request {
        kind: RunKind::Incremental,
        trigger: Trigger::Person,
        repair: true,
    };
    let mapping = world.mapping(CUSTOMERS);
    let refused = reconcile::reconcile(&world.engine, &mapping, request, &CancellationToken::new()).await;
    assert!(matches!(refused, Err(Error::NotIncremental(..))), "{refused:?}");
}
