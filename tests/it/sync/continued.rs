//! Reconciliations that are stopped or killed, and go on where they were.

use std::time::Duration;

use syncline::{
    core::status::{DriftOutcome, RunKind, RunStatus, Trigger},
    sandbox::seed::Plan,
    store::{
        Page,
        drift::{Drift, DriftFilter},
        run::{Phase, Progress},
    },
    sync::{
        Error,
        reconcile::{self as road, Report, Request},
    },
};
use tokio_util::sync::CancellationToken;

use super::{CUSTOMERS, SETTINGS, World};

/// Customers of a world.
const CUSTOMERS_COUNT: u32 = 40;

/// Pages of five records, and one record at a time.
const STEPS: &[(&str, &str)] = &[
    (
        "default: 200, title: Records a page",
        "default: 5, title: Records a page",
    ),
    (SETTINGS, "[limits]\nchunk_records = 1\nchunks_in_flight_max = 1\n"),
];

/// Forty linked pairs, so many of which were renamed since, and one customer that is new.
async fn world_with(renamed: usize) -> World {
    let world = World::new(Plan::default(), STEPS).await;
    let customers = world.customers(0, CUSTOMERS_COUNT);
    world.full().await;
    world.systems.crm.history().clear();
    for customer in &customers[..renamed] {
        world.edit_customer(customer, r#"{"name":"Renamed"}"#);
    }
    world.customers(CUSTOMERS_COUNT, 1);
    world
}

/// So many were renamed that everything is planned before anything is repaired.
const MANY: usize = 10;
/// So few that no guard rail can be met.
const FEW: usize = 3;

async fn world() -> World {
    world_with(MANY).await
}

const REQUEST: Request = Request {
    kind: RunKind::Reconcile,
    trigger: Trigger::Person,
    repair: true,
};

/// How a reconciliation is ended.
#[derive(Debug, Clone, Copy)]
enum End {
    /// It is asked to end.
    Stopped,
    /// Nobody is asked anything.
    Killed,
}

/// Reconciles until it is so far, and ends it then.
async fn cut_off(world: &World, request: Request, end: End, is_due: impl Fn(&Progress) -> bool) -> i64 {
    let shutdown = CancellationToken::new();
    let mapping = world.mapping(CUSTOMERS);
    let begun = road::begin(&world.engine, &mapping, request).await.unwrap();
    let (run_id, watch) = (begun.run_id, begun.watch());
    let mut work = Box::pin(road::proceed(&world.engine, &mapping, begun, &shutdown));
    let due = async {
        while !is_due(&watch.now()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = &mut work => panic!("it came to its end: {ended:?}"),
        () = due => {}
    }
    match end {
        End::Stopped => {
            shutdown.cancel();
            let ended = work.await;
            assert!(matches!(ended, Err(Error::Shutdown)), "{ended:?}");
        }
        End::Killed => {
            // Nothing is cleared up; the leases run out.
            drop(work);
            let store = world.store();
            store.close_crashed_runs(store.node(), "killed").await.unwrap();
            world.advance(Duration::from_mins(10));
        }
    }
    run_id
}

/// Reconciles to the end: what it did, and the requests it took.
async fn to_the_end(world: &World) -> (Report, u64) {
    let before = requests(world);
    let report = world.reconcile().await;
    (report, requests(world) - before)
}

fn requests(world: &World) -> u64 {
    let usage = |name: &str| world.engine.system(name).unwrap().usage().requests;
    usage("erp") + usage("crm")
}

/// What stands in both systems and in the report is what one reconciliation does, nothing twice and nothing left out.
async fn check(world: &World, run_id: i64, renamed: usize) {
    let accounts = world.systems.crm.all("account").unwrap();
    assert_eq!(accounts.len(), CUSTOMERS_COUNT as usize + 1);
    assert_eq!(
        accounts.iter().filter(|one| one.json.contains("Renamed")).count(),
        renamed
    );
    let mut written: Vec<String> = world
        .systems
        .crm
        .history()
        .commits_where(|one| one.request.is_some())
        .into_iter()
        .map(|one| one.id)
        .collect();
    written.sort();
    let count = written.len();
    written.dedup();
    let changed = renamed + 1;
    assert_eq!(
        (count, written.len()),
        (changed, changed),
        "each record is written once"
    );
    let items = world
        .store()
        .drift(run_id, &DriftFilter::default(), Page::first(100))
        .await
        .unwrap();
    assert_eq!(items.len(), changed, "{items:#?}");
    let is_repaired = |item: &Drift| item.outcome == DriftOutcome::Repaired;
    assert!(items.iter().all(is_repaired), "{items:#?}");
    assert_eq!(world.reconcile().await.summary.drifted(), 0);
}

async fn goes_on(renamed: usize, end: End, is_due: impl Fn(&Progress) -> bool) {
    let whole = world_with(renamed).await;
    let (_, anew) = to_the_end(&whole).await;
    let world = world_with(renamed).await;
    let run_id = cut_off(&world, REQUEST, end, is_due).await;
    let (report, requests) = to_the_end(&world).await;
    assert_eq!(
        (report.run_id, report.status),
        (run_id, RunStatus::Succeeded),
        "{:?}",
        report.note
    );
    assert!(requests < anew, "{requests} requests where {anew} are needed anew");
    assert_eq!(report.counters.updated + report.counters.created, renamed as u64 + 1);
    check(&world, run_id, renamed).await;
}

#[tokio::test]
async fn a_reconciliation_that_is_stopped_while_it_lists_goes_on_with_the_listing() {
    goes_on(MANY, End::Stopped, |progress| progress.left_read >= 20).await;
}

#[tokio::test]
async fn a_reconciliation_that_is_stopped_while_it_compares_does_not_list_again() {
    goes_on(MANY, End::Stopped, |progress| {
        progress.phase == Phase::Comparing && progress.compared >= 3
    })
    .await;
}

#[tokio::test]
async fn a_reconciliation_that_is_killed_while_it_compares_does_not_list_again() {
    goes_on(MANY, End::Killed, |progress| {
        progress.phase == Phase::Comparing && progress.compared >= 3
    })
    .await;
}

#[tokio::test]
async fn a_reconciliation_that_is_stopped_while_it_repairs_does_the_rest() {
    goes_on(MANY, End::Stopped, |progress| {
        progress.phase == Phase::Repairing && progress.repaired >= 4
    })
    .await;
}

#[tokio::test]
async fn a_reconciliation_that_repairs_at_once_and_is_cut_off_does_the_rest() {
    let is_due = |progress: &Progress| progress.phase == Phase::Repairing && progress.repaired >= 2;
    goes_on(FEW, End::Stopped, is_due).await;
    // A write may be under way: what it wrote is found when its pair is looked at again.
    let world = world_with(FEW).await;
    let run_id = cut_off(&world, REQUEST, End::Killed, is_due).await;
    assert_eq!(world.reconcile().await.run_id, run_id);
    assert_eq!(world.account_count(), CUSTOMERS_COUNT as usize + 1);
    let report = world.reconcile().await;
    assert_eq!((report.summary.drifted(), report.counters.updated), (0, 0));
}

#[tokio::test]
async fn a_difference_is_looked_at_once_where_no_guard_rail_can_be_met() {
    let world = world_with(FEW).await;
    let (report, with_differences) = to_the_end(&world).await;
    assert_eq!(report.counters.updated, FEW as u64);
    let (_, without) = to_the_end(&world).await;
    // Two reads and a write for each that differs; for the new one a look for its partner, the write, and at most one more.
    let most = 3 * FEW as u64 + 3;
    assert!(with_differences - without <= most, "{with_differences} and {without}");
}

#[tokio::test]
async fn a_first_sync_that_is_stopped_goes_on_with_what_is_left() {
    let world = World::new(Plan::default(), STEPS).await;
    world.customers(0, CUSTOMERS_COUNT);
    let request = Request {
        kind: RunKind::Full,
        ..REQUEST
    };
    let run_id = cut_off(&world, request, End::Stopped, |progress| progress.repaired >= 10).await;
    let made = world.account_count();
    assert!((10..CUSTOMERS_COUNT as usize).contains(&made), "{made}");
    let report = world.full().await;
    assert_eq!(report.run_id, run_id);
    assert_eq!(report.counters.created, u64::from(CUSTOMERS_COUNT));
    assert_eq!(world.account_count(), CUSTOMERS_COUNT as usize);
    assert_eq!(world.our_writes().len(), CUSTOMERS_COUNT as usize);
    assert_eq!(world.reconcile().await.summary.drifted(), 0);
}

#[tokio::test]
async fn what_is_gone_on_with_is_shown_by_the_run() {
    let world = world().await;
    let run_id = cut_off(&world, REQUEST, End::Stopped, |progress| progress.repaired >= 1).await;
    let shown = world.store().run(run_id).await.unwrap().unwrap();
    assert_eq!(shown.status, RunStatus::Cancelled);
    let progress = shown.progress.unwrap();
    assert_eq!(
        (progress.phase, progress.planned, progress.continued),
        (Phase::Repairing, 11, 0)
    );
    to_the_end(&world).await;
    let progress = world.store().run(run_id).await.unwrap().unwrap().progress.unwrap();
    assert_eq!((progress.repaired, progress.continued), (11, 1));
}

#[tokio::test]
async fn a_mapping_that_was_changed_meanwhile_is_reconciled_anew() {
    let mut world = world().await;
    let run_id = cut_off(&world, REQUEST, End::Stopped, |progress| progress.repaired >= 1).await;
    world.remap(&[
        STEPS[0],
        STEPS[1],
        (
            "{ erp: name, crm: Name }",
            "{ erp: name, crm: Name, compare: caseless }",
        ),
    ]);
    assert_ne!(world.reconcile().await.run_id, run_id);
}

#[tokio::test]
async fn what_a_person_changes_before_what_was_made_is_read_back_is_a_change() {
    let world = World::empty().await;
    let customers = world.customers(0, 20);
    let is_due = |progress: &Progress| progress.phase == Phase::ReadingBack;
    cut_off(&world, REQUEST, End::Killed, is_due).await;
    world.systems.crm.clock().advance(Duration::from_mins(10));
    let account = world.link_of(&customers[3]).await.unwrap().link.right_id;
    world.edit_account(&account, r#"{"BillingCity":"Recife"}"#);
    world.reconcile().await;
    world.reconcile().await;
    assert_eq!(world.customer_now(&customers[3])["address"]["city"], "Recife");
}
