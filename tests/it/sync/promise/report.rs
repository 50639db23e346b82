//! What runs, failures and drift reports say.

use std::time::Duration;

use syncline::{
    core::{
        drift::Summary,
        status::{FailureClass, FailureStatus, RunKind, RunStatus, Side, Stage, Trigger},
    },
    sandbox::fault::{Fault, Order},
    store::{Page, failure::FailureFilter},
    sync::{poll, reprocess},
};

use super::{CUSTOMERS, World, account_of, items, linked, told_of};

#[tokio::test]
async fn a_difference_keeps_when_it_was_first_seen_and_grows_older_run_by_run() {
    let (world, customers) = linked(10, "").await;
    world.edit_customer(&customers[0], r#"{"name":"Renamed"}"#);
    let mut first_seen = None;
    for age in 1..=3 {
        world.advance(Duration::from_hours(24));
        let report = world.run(CUSTOMERS, RunKind::Reconcile, false).await;
        let found = items(&world, report.run_id).await;
        assert_eq!(found.len(), 1, "{found:?}");
        let item = &found[0];
        assert_eq!(
            (item.age_runs, item.last_changed_side),
            (age, Some(Side::Left)),
            "{item:?}"
        );
        assert_eq!(
            (item.left_value.as_deref(), item.right_value.as_deref()),
            (Some("Renamed"), Some("Company 0"))
        );
        assert_eq!(*first_seen.get_or_insert(item.first_seen_at), item.first_seen_at);
    }
}

#[tokio::test]
async fn a_report_has_the_score_of_equal_cells_and_counts_and_the_trend_has_its_runs() {
    let (world, customers) = linked(10, "").await;
    world.edit_customer(&customers[0], r#"{"name":"Renamed"}"#);
    let first = world.run(CUSTOMERS, RunKind::Reconcile, false).await;
    let cells = world.mapping(CUSTOMERS).fields.len() as u64 * 10;
    assert_eq!(
        (first.summary.cells, first.summary.cells_equal),
        (cells, cells - 1),
        "{:?}",
        first.summary
    );
    assert_eq!(first.summary.match_score(), (cells - 1) * 10_000 / cells);
    assert_eq!(first.summary.fields["name"], 1);
    let second = world.reconcile().await;
    let third = world.reconcile().await;
    let trend = world.store().drift_trend(Some(CUSTOMERS), 3).await.unwrap();
    let runs: Vec<i64> = trend.iter().map(|one| one.run_id).collect();
    assert_eq!(runs, [third.run_id, second.run_id, first.run_id]);
    let scores = trend
        .iter()
        .map(|one| serde_json::from_str::<Summary>(&one.summary).unwrap().match_score());
    assert_eq!(scores.collect::<Vec<_>>()[0], 10_000, "it gets better");
}

#[tokio::test]
async fn a_change_in_flight_is_not_called_drift() {
    let (world, customers) = linked(10, "").await;
    let account = account_of(&world, &customers[0]).await;
    world.edit_customer(&customers[0], r#"{"name":"On its way"}"#);
    // The listing of the CRM is as it was before the change arrived there.
    let late = Order::next(1, Fault::SlowAnswer { ms: 400 }).on("GET", "/api/v2/accounts");
    world.systems.crm.faults().order(late).unwrap();
    let arrive = async {
        let is_listed = || {
            let requests = world.systems.crm.history().requests_to("GET", "/api/v2/accounts");
            requests.iter().any(|one| one.fault.is_some() && one.actor.is_some())
        };
        while !is_listed() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        world.edit_account(&account, r#"{"Name":"On its way"}"#);
    };
    let (report, ()) = tokio::join!(world.run(CUSTOMERS, RunKind::Reconcile, false), arrive);
    assert!(items(&world, report.run_id).await.is_empty());
    assert_eq!(report.summary.drifted(), 0, "{:?}", report.summary);
}

#[tokio::test]
async fn a_run_says_who_began_it_where_when_and_what_it_cost() {
    let world = World::empty().await;
    world.customers(0, 5);
    let report = world.full().await;
    let run = world.store().run(report.run_id).await.unwrap().unwrap();
    assert_eq!((run.kind, run.trigger), (RunKind::Full, Trigger::Person));
    assert_eq!(
        (run.mapping.as_deref(), run.node.as_str(), run.status),
        (Some(CUSTOMERS), "north", RunStatus::Succeeded)
    );
    assert!(run.ended_at.unwrap() >= run.started_at);
    assert!(run.counters.requests > 2 && run.counters.bytes > 500, "{run:?}");
    assert_eq!(
        (run.counters.read, run.counters.linked, run.counters.created),
        (5, 5, 5)
    );
}

#[tokio::test]
async fn a_failure_says_everything_that_is_needed_to_act_and_no_personal_data() {
    let (world, customers) = linked(10, "").await;
    let account = account_of(&world, &customers[0]).await;
    world.edit_customer(&customers[0], r#"{"tax_id":"12-canary"}"#);
    let report = world.reconcile().await;
    let failures = world.failures().await;
    let failure = &failures[0];
    assert_eq!(failure.run_id, Some(report.run_id));
    assert_eq!(
        (failure.class, failure.stage, failure.status),
        (FailureClass::Rejected, Stage::Write, FailureStatus::Open)
    );
    assert_eq!(failure.left_id.as_deref(), Some(customers[0].as_str()));
    assert_eq!(failure.right_id.as_deref(), Some(account.as_str()));
    assert_eq!((failure.attempts, failure.http_status), (1, Some(400)), "{failure:?}");
    assert!(
        failure.message.contains("crm") && failure.message.contains("VatNumber"),
        "{failure:?}"
    );
    assert!(failure.hint.is_some(), "{failure:?}");
    assert!(!format!("{failure:?}").contains("canary"), "{failure:?}");
}

#[tokio::test]
async fn all_failures_of_a_run_are_counted_and_reprocessed_together() {
    let (world, customers) = linked(10, "").await;
    for customer in &customers[..2] {
        world.edit_customer(customer, r#"{"tax_id":"12"}"#);
    }
    let report = world.reconcile().await;
    let of_run = FailureFilter {
        run_id: Some(report.run_id),
        ..FailureFilter::default()
    };
    assert_eq!(reprocess::count(world.engine.store(), &of_run).await.unwrap(), 2);
    for (n, customer) in customers[..2].iter().enumerate() {
        world.edit_customer(customer, &format!(r#"{{"tax_id":"BR 10.000.{n:03}/0001-95"}}"#));
    }
    assert_eq!(
        reprocess::reprocess(world.engine.store(), &of_run, "ana")
            .await
            .unwrap(),
        2
    );
    world.drain().await;
    assert!(
        world.failures().await.is_empty(),
        "a later success of the same record resolves it"
    );
    let audit = world.store().audits(Page::first(10)).await.unwrap();
    assert!(
        audit
            .iter()
            .any(|audit| audit.entry.action == "failure.reprocess" && audit.entry.actor == "ana")
    );
}

#[tokio::test]
async fn a_poll_that_fails_and_a_dry_run_move_no_cursor_and_the_next_poll_looks_back() {
    let (world, customers) = linked(3, "").await;
    let mapping = world.mapping(CUSTOMERS);
    let poll = async || poll::poll(&world.engine, &mapping, Side::Left, Trigger::Person).await;
    let cursor = async || {
        let stored = world.store().cursor(CUSTOMERS, Side::Left).await.unwrap();
        stored.map(|cursor| cursor.value)
    };
    poll().await.unwrap();
    let first = cursor().await.unwrap();
    world.advance(Duration::from_mins(10));
    world.run(CUSTOMERS, RunKind::Reconcile, false).await;
    assert_eq!(cursor().await.unwrap(), first, "a dry run");
    let down = Order::next(20, Fault::status(400)).on("GET", "/api/customers");
    world.systems.erp.faults().order(down).unwrap();
    assert!(poll().await.is_err());
    assert_eq!(cursor().await.unwrap(), first, "a failure");
    world.systems.erp.faults().clear();
    world.systems.erp.history().clear();
    poll().await.unwrap();
    assert!(cursor().await.unwrap() > first);
    let asked = world.systems.erp.history().requests_to("GET", "/api/customers");
    let since = asked[0].query.clone().unwrap();
    // 09:00 is when the tests' clock begins, and where the first poll put the cursor.
    assert!(since.contains("T08%3A5") || since.contains("T08:5"), "{since}");
    told_of(&world, Side::Left, &customers[0]).await;
    assert!(world.failures().await.is_empty());
}
