//! Gaps: a place in a listing that a system no longer knows, and a time that its list of changes does not reach back to. They are
//! told, nothing is deleted or made for them, and the next comparison of everything closes them.

use std::time::Duration;

use syncline::{
    core::status::{RunKind, RunStatus, Side, Trigger},
    sandbox::{
        fault::{Fault, Order},
        seed::Plan,
    },
    store::{
        Page,
        run::{Run, RunFilter},
    },
    sync::{
        Error, poll,
        reconcile::{self, Request},
    },
};
use tokio_util::sync::CancellationToken;

use super::{CUSTOMERS, World};

const DAY: Duration = Duration::from_hours(24);

/// The CRM is polled, lists five records a page, and knows for a month what changed.
const EDITS: &[(&str, &str)] = &[
    ("prefer: erp ", "poll: { crm: 60s }\nprefer: erp "),
    (
        "default: 200, title: Records a page",
        "default: 5, title: Records a page",
    ),
    (
        "      page: { cursor: meta.next, send: { query: cursor }, size: \"{{ settings.page_size }}\" }\n",
        "      page: { cursor: meta.next, send: { query: cursor }, size: \"{{ settings.page_size }}\" }\n      reaches: 30d\n",
    ),
];

/// Thirty linked pairs, compared once, on a clock that is right.
async fn world() -> (World, Vec<String>) {
    let world = World::new(Plan::default(), EDITS).await;
    let ahead = syncline::clock::Clock::system().now() - world.database.clock().now();
    world.advance(ahead.to_std().unwrap());
    let customers = world.customers(0, 30);
    world.full().await;
    (world, customers)
}

/// Everybody's clock moves on.
fn later(world: &World, by: Duration) {
    world.advance(by);
    world.systems.erp.clock().advance(by);
    world.systems.crm.clock().advance(by);
}

async fn last(world: &World, kind: RunKind) -> Run {
    let filter = RunFilter {
        kind: Some(kind),
        ..RunFilter::default()
    };
    world.store().runs(&filter, Page::first(1)).await.unwrap().remove(0)
}

async fn compare(world: &World, kind: RunKind) -> Result<reconcile::Report, Error> {
    let request = Request {
        kind,
        trigger: Trigger::Person,
        repair: true,
    };
    let mapping = world.mapping(CUSTOMERS);
    reconcile::reconcile(&world.engine, &mapping, request, &CancellationToken::new()).await
}

async fn poll_crm(world: &World) -> Result<u64, Error> {
    poll::poll(&world.engine, &world.mapping(CUSTOMERS), Side::Right, Trigger::Schedule).await
}

/// Stops a reconciliation while it lists the CRM.
async fn cut_off(world: &World) -> i64 {
    let stop = CancellationToken::new();
    let mapping = world.mapping(CUSTOMERS);
    let request = Request {
        kind: RunKind::Reconcile,
        trigger: Trigger::Person,
        repair: true,
    };
    let begun = reconcile::begin(&world.engine, &mapping, request).await.unwrap();
    let (run_id, watch) = (begun.run_id, begun.watch());
    let mut work = Box::pin(reconcile::proceed(&world.engine, &mapping, begun, &stop));
    let due = async {
        while watch.now().right_read < 10 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = &mut work => panic!("it came to its end: {ended:?}"),
        () = due => {}
    }
    stop.cancel();
    let ended = work.await;
    assert!(matches!(ended, Err(Error::Shutdown)), "{ended:?}");
    run_id
}

#[tokio::test]
async fn a_listing_whose_place_the_system_has_forgotten_is_told_and_everything_is_listed_anew() {
    let (world, customers) = world().await;
    let run_id = cut_off(&world).await;
    // Meanwhile the cursor runs out, and somebody edits what was listed already.
    let account = world.link_of(&customers[0]).await.unwrap().link.right_id;
    world.edit_account(&account, r#"{"Name":"Edited meanwhile"}"#);
    world.systems.erp.history().clear();
    world.systems.crm.history().clear();
    let expired = Fault::Status {
        status: 400,
        retry_after_s: None,
        code: Some("INVALID_CURSOR".to_owned()),
    };
    let order = Order::next(1, expired).on("GET", "/api/v2/accounts");
    world.systems.crm.faults().order(order).unwrap();
    let refused = compare(&world, RunKind::Reconcile).await;
    assert!(matches!(&refused, Err(Error::Fault(_))), "{refused:?}");
    let asked = world.systems.crm.history().requests_to("GET", "/api/v2/accounts");
    let went_on = asked[0].query.as_ref().is_some_and(|query| query.contains("cursor="));
    assert!(went_on, "it went on with the listing where it was: {asked:?}");
    let run = last(&world, RunKind::Reconcile).await;
    assert_eq!((run.run_id, run.status), (run_id, RunStatus::Failed));
    let note = run.note.unwrap_or_default();
    assert!(note.contains("INVALID_CURSOR"), "{note}");
    assert_eq!(world.our_writes().len(), 0, "nothing is done for half a listing");
    // The next one does not ask for that place again.
    let report = compare(&world, RunKind::Reconcile).await.unwrap();
    assert!(report.run_id != run_id && !report.is_continued);
    assert_eq!(report.status, RunStatus::Succeeded, "{:?}", report.note);
    assert!(report.summary.complete && report.summary.right_records == 30);
    assert_eq!(world.customer_now(&customers[0])["name"], "Edited meanwhile");
}

#[tokio::test]
async fn a_comparison_of_what_changed_asks_for_one_of_everything_where_the_list_of_changes_does_not_reach_back() {
    let (world, customers) = world().await;
    let account = world.link_of(&customers[0]).await.unwrap().link.right_id;
    later(&world, DAY);
    world.edit_account(&account, r#"{"Name":"Edited long ago"}"#);
    later(&world, 40 * DAY);
    let refused = compare(&world, RunKind::Incremental).await.unwrap_err();
    assert!(matches!(refused, Error::NotIncremental(..)), "{refused:?}");
    let run = last(&world, RunKind::Incremental).await;
    assert_eq!(run.status, RunStatus::Failed);
    let note = run.note.unwrap_or_default();
    assert!(note.contains("as a whole"), "{note}");
    compare(&world, RunKind::Reconcile).await.unwrap();
    assert_eq!(world.customer_now(&customers[0])["name"], "Edited long ago");
    // From then on it goes on from there.
    later(&world, DAY);
    compare(&world, RunKind::Incremental).await.unwrap();
}

#[tokio::test]
async fn a_poll_tells_of_the_time_that_the_list_of_changes_does_not_reach_back_to() {
    let (world, customers) = world().await;
    poll_crm(&world).await.unwrap();
    assert_eq!(
        last(&world, RunKind::Poll).await.note.as_deref(),
        Some("crm asked what changed")
    );
    let account = world.link_of(&customers[0]).await.unwrap().link.right_id;
    later(&world, DAY);
    world.edit_account(&account, r#"{"Name":"Edited long ago"}"#);
    later(&world, 40 * DAY);
    poll_crm(&world).await.unwrap();
    let run = last(&world, RunKind::Poll).await;
    assert_eq!(run.status, RunStatus::Succeeded);
    let note = run.note.unwrap_or_default();
    assert!(
        note.contains("30d") && note.contains("syncline reconcile customer-account"),
        "{note}"
    );
    // It is told once: the next poll reaches back to this one.
    later(&world, Duration::from_mins(5));
    poll_crm(&world).await.unwrap();
    assert_eq!(
        last(&world, RunKind::Poll).await.note.as_deref(),
        Some("crm asked what changed")
    );
}

#[tokio::test]
async fn a_poll_that_the_system_refuses_moves_no_cursor_and_what_it_hides_is_found_by_a_comparison() {
    let (world, customers) = world().await;
    poll_crm(&world).await.unwrap();
    let cursor = async || {
        let cursor = world.store().cursor(CUSTOMERS, Side::Right).await.unwrap();
        cursor.unwrap().value
    };
    let before = cursor().await;
    let account = world.link_of(&customers[0]).await.unwrap().link.right_id;
    world.edit_account(&account, r#"{"Name":"Edited meanwhile"}"#);
    later(&world, Duration::from_mins(10));
    let gone = Order::next(1, Fault::status(410)).on("GET", "/api/v2/accounts");
    world.systems.crm.faults().order(gone).unwrap();
    let refused = poll_crm(&world).await;
    assert!(matches!(&refused, Err(Error::Fault(_))), "{refused:?}");
    let run = last(&world, RunKind::Poll).await;
    assert_eq!(run.status, RunStatus::Failed);
    assert!(run.note.is_some_and(|note| note.contains("410")));
    assert_eq!(cursor().await, before, "the next poll asks for the same time again");
    let report = compare(&world, RunKind::Reconcile).await.unwrap();
    assert_eq!(report.counters.deleted, 0);
    assert_eq!(world.customer_now(&customers[0])["name"], "Edited meanwhile");
}
