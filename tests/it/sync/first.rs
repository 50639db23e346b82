//! The first sync.

use syncline::{
    core::status::{FailureClass, RunKind, RunStatus},
    sandbox::{
        fault::{Fault, Order},
        seed::Plan,
    },
};

use super::{CUSTOMERS, World};
use crate::support::database::Database;

fn plan() -> Plan {
    Plan {
        companies: 120,
        overlap: 0.5,
        crm_only: 5,
        contacts: 1,
        ..Plan::default()
    }
}

async fn matches_before_it_creates(database: Database) {
    let world = World::on(database, plan(), &[]).await;
    let overlap = world.systems.overlap;
    let report = world.full().await;
    assert_eq!(report.status, RunStatus::Succeeded, "{:?}", report.note);
    let missing = u64::from(overlap.customers - overlap.shared);
    assert_eq!(report.counters.created, missing);
    assert_eq!(report.counters.linked, u64::from(overlap.customers));
    assert_eq!(world.systems.crm.history().creates_of("account").len() as u64, missing);
    world.systems.crm.history().clear();
    world.systems.erp.history().clear();
    let second = world.reconcile().await;
    assert_eq!(second.status, RunStatus::Succeeded, "{:?}", second.note);
    assert!(world.our_writes().is_empty(), "planning after applying writes nothing");
    assert_eq!(second.counters.linked, 0);
}

#[tokio::test]
async fn first_sync_matches_before_it_creates_and_a_second_look_writes_nothing() {
    matches_before_it_creates(Database::sqlite()).await;
}

#[tokio::test]
async fn first_sync_on_postgres_matches_before_it_creates_and_a_second_look_writes_nothing() {
    if let Some(database) = Database::postgres().await {
        matches_before_it_creates(database).await;
    }
}

#[tokio::test]
async fn a_quiet_reconciliation_reads_no_record_by_itself() {
    let world = World::new(plan(), &[]).await;
    world.full().await;
    world.reconcile().await;
    world.systems.crm.history().clear();
    world.systems.erp.history().clear();
    let report = world.run(CUSTOMERS, RunKind::Reconcile, true).await;
    let mut requests = world.systems.erp.history().requests();
    requests.extend(world.systems.crm.history().requests());
    let singles: Vec<String> = requests
        .into_iter()
        .map(|request| request.path)
        .filter(|path| path.starts_with("/api/customers/") || path.starts_with("/api/v2/accounts/ACC-000001"))
        .collect();
    assert!(singles.is_empty(), "{singles:?}");
    assert!(report.counters.requests > 0 && report.counters.bytes > 0);
}

#[tokio::test]
async fn records_are_made_in_batches() {
    let world = World::empty().await;
    world.customers(0, 150);
    let report = world.full().await;
    assert_eq!(report.counters.created, 150);
    assert_eq!(world.account_count(), 150);
    let batches = world
        .systems
        .crm
        .history()
        .requests_to("POST", "/api/v2/accounts/batch");
    assert_eq!(batches.len(), 2, "the hundred that were searched for, and the rest");
}

#[tokio::test]
async fn results_of_a_batch_in_any_order_belong_to_their_records() {
    let world = World::empty().await;
    world.customers(0, 40);
    let shuffle = Order::next(1, Fault::ShuffleBatch).on("POST", "/api/v2/accounts/batch");
    world.systems.crm.faults().order(shuffle).unwrap();
    world.full().await;
    for link in world.links().await {
        let (left, right) = (
            world.customer_now(&link.link.left_id),
            world.account_now(&link.link.right_id),
        );
        assert_eq!(left["name"], right["Name"]);
    }
    assert_eq!(world.links().await.len(), 40);
}

#[tokio::test]
async fn one_bad_record_of_a_batch_fails_alone() {
    let world = World::empty().await;
    world.customers(0, 30);
    let bad = world.customer(r#"{"kind":"customer","name":"Bad","tax_id":"12"}"#);
    let report = world.full().await;
    assert_eq!(report.status, RunStatus::Partial);
    assert_eq!((report.counters.created, report.counters.failed), (30, 1));
    let failures = world.failures().await;
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].key.record_id, bad);
    assert_eq!(failures[0].class, FailureClass::Rejected);
    assert!(failures[0].message.contains("INVALID_VAT"), "{}", failures[0].message);
}

#[tokio::test]
async fn a_batch_refused_as_a_whole_is_cut_until_its_records_pass() {
    let world = World::empty().await;
    world.customers(0, 8);
    let refuse = Order::next(1, Fault::status(413)).on("POST", "/api/v2/accounts/batch");
    world.systems.crm.faults().order(refuse).unwrap();
    let report = world.full().await;
    assert_eq!((report.counters.created, report.counters.failed), (8, 0));
    assert_eq!(world.account_count(), 8);
}

#[tokio::test]
async fn two_records_that_match_one_partner_are_ambiguous_and_neither_is_linked_or_made() {
    let world = World::empty().await;
    let json = r#"{"kind":"customer","name":"Twin","tax_id":"BR 12.345.678/0001-95"}"#;
    let twins = [world.customer(json), world.customer(json)];
    world.account(r#"{"Name":"Twin","VatNumber":"BR12345678000195","Status":"Active"}"#);
    let report = world.full().await;
    assert_eq!((report.counters.linked, report.counters.created), (0, 0));
    assert_eq!(world.account_count(), 1);
    let failures = world.failures().await;
    for twin in &twins {
        let failure = failures.iter().find(|one| one.key.record_id == *twin).unwrap();
        assert_eq!(failure.class, FailureClass::Ambiguous);
    }
}

#[tokio::test]
async fn a_record_whose_only_match_is_linked_is_reported_and_not_made() {
    let world = World::empty().await;
    world.customers(1, 1);
    world.full().await;
    world.customers(1, 1);
    let report = world.reconcile().await;
    assert_eq!((report.counters.linked, report.counters.created), (0, 0));
    assert_eq!(world.failures().await[0].code, "PL002");
}

#[tokio::test]
async fn children_wait_for_their_parents_and_are_made_as_soon_as_these_link() {
    let world = World::empty().await;
    let customers = world.customers(0, 3);
    for customer in &customers {
        let json = format!(r#"{{"customer_id":{customer},"first_name":"Ana","last_name":"Souza"}}"#);
        world.systems.erp.create("contact", &json, &super::quietly()).unwrap();
    }
    let report = world.run("contact", RunKind::Full, true).await;
    assert_eq!(report.counters.created, 0);
    let stats = world.store().queue_stats().await.unwrap();
    assert_eq!(stats.waiting, 3);
    world.full().await;
    world.drain().await;
    assert_eq!(world.store().queue_stats().await.unwrap().depth, 0);
    assert_eq!(
        world.systems.crm.all("contact").unwrap().len(),
        3,
        "{:?}",
        world.failures().await
    );
}

#[tokio::test]
async fn a_first_listing_that_hides_what_is_there_makes_nothing_twice() {
    for fault in [Fault::EmptyListing, Fault::CutListing] {
        let plan = Plan {
            companies: 700,
            overlap: 0.4,
            contacts: 1,
            ..Plan::default()
        };
        let world = World::new(plan, &[]).await;
        let overlap = world.systems.overlap;
        let hide = Order::next(1, fault.clone()).on("GET", "/api/v2/accounts");
        world.systems.crm.faults().order(hide).unwrap();
        let report = world.full().await;
        let missing = u64::from(overlap.customers - overlap.shared);
        assert_eq!(report.counters.created, missing, "{fault:?}");
        assert_eq!(report.counters.linked, u64::from(overlap.customers), "{fault:?}");
        let note = report.note.unwrap_or_default();
        assert!(note.contains("did not come to its end"), "{fault:?}: {note}");
    }
}

#[tokio::test]
async fn a_listing_that_shows_no_partners_is_believed_after_a_hundred_searches() {
    let world = World::new(Plan::default(), &[]).await;
    let count = 1_000;
    world.customers(0, count);
    let report = world.full().await;
    assert_eq!(
        (report.status, report.counters.created),
        (RunStatus::Succeeded, u64::from(count))
    );
    let asked = world.systems.crm.history().requests_to("GET", "/api/v2/accounts");
    let is_search = |query: &String| query.contains("VatNumber=");
    let searches = asked
        .iter()
        .filter(|one| one.query.as_ref().is_some_and(is_search))
        .count();
    assert!((100..110).contains(&searches), "{searches} searches");
}
