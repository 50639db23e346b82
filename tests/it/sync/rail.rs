//! The guard rail of a day, where the mapping deletes: a system that hides its records from us says of each that is asked for,
//! event after event, that it is gone.

use std::time::Duration;

use syncline::{
    core::status::{FailureClass, FailureStatus, RunStatus, Side},
    sandbox::{
        fault::{Fault, Order},
        seed::Plan,
    },
    store::failure::FailureFilter,
    sync::reprocess,
};

use super::{World, quietly};

/// Linked pairs; more than may go in a day.
const COUNT: u32 = 14;

/// Linked pairs under a mapping that deletes the record whose partner is gone, as far as `limit` allows, and their accounts.
async fn world(limit: &str) -> (World, Vec<String>) {
    let limits = format!("limits: {{ {limit}change: 25% }}");
    let edits = [
        ("prefer: erp", "situations: { missing: delete }\nprefer: erp"),
        ("limits: { delete: 1%, change: 25% }", limits.as_str()),
    ];
    let world = World::new(Plan::default(), &edits).await;
    let customers = world.customers(0, COUNT);
    world.full().await;
    let mut accounts = Vec::new();
    for customer in &customers {
        accounts.push(world.link_of(customer).await.unwrap().link.right_id);
    }
    (world, accounts)
}

impl World {
    /// As after a right was taken away: each account that is asked for is said to be none.
    fn hides_accounts(&self) {
        let none = Order::share(1.0, Fault::status(404)).on("GET", "/api/v2/accounts/");
        self.systems.crm.faults().order(none).unwrap();
    }

    /// Events about all of these accounts, worked through side by side.
    async fn told_of(&self, accounts: &[String]) {
        for account in accounts {
            self.event(Side::Right, account).await;
        }
        self.drain().await;
    }

    fn customers_left(&self) -> usize {
        self.systems.erp.all("customer").unwrap().len()
    }

    /// How many records were stopped, where no other failure stands.
    async fn stopped(&self) -> usize {
        let failures = self.failures().await;
        for one in &failures {
            assert_eq!(
                (one.code.as_str(), one.class, one.status),
                ("SY007", FailureClass::Held, FailureStatus::Open),
                "{one:?}"
            );
        }
        failures.len()
    }
}

#[tokio::test]
async fn events_of_a_system_that_hides_its_records_delete_no_more_than_the_mapping_allows_in_a_day() {
    for (limit, most) in [("delete: 3, ", 3), ("delete: 0, ", 0), ("delete: 1%, ", 10), ("", 10)] {
        let (world, accounts) = world(limit).await;
        world.hides_accounts();
        world.told_of(&accounts).await;
        let left = COUNT as usize - most;
        assert_eq!((world.customers_left(), world.stopped().await), (left, left), "{limit}");
        // Again and again, and nothing more.
        world.told_of(&accounts).await;
        assert_eq!((world.customers_left(), world.stopped().await), (left, left), "{limit}");
        let failure = world.failures().await.remove(0);
        assert!(
            failure.message.contains("`crm` says that the record is gone"),
            "{failure:?}"
        );
        assert_eq!(
            failure.hint.as_deref().map(|hint| hint.contains("reprocess")),
            Some(true)
        );
        // Shown again, it is as if nothing had been.
        world.systems.crm.faults().clear();
        world.told_of(&accounts).await;
        assert_eq!(world.stopped().await, 0, "{limit}");
    }
}

#[tokio::test]
async fn a_record_that_is_stopped_again_and_again_is_no_loop_and_can_still_be_released() {
    let (world, accounts) = world("delete: 0, ").await;
    world.systems.crm.delete("account", &accounts[0], &quietly()).unwrap();
    // More often than a record may be written.
    for _ in 0..15 {
        world.told_of(&accounts[..1]).await;
        assert_eq!((world.customers_left(), world.stopped().await), (COUNT as usize, 1));
    }
    let all = FailureFilter::default();
    assert_eq!(reprocess::reprocess(world.store(), &all, "ana").await.unwrap(), 1);
    world.drain().await;
    assert_eq!((world.customers_left(), world.stopped().await), (COUNT as usize - 1, 0));
}

#[tokio::test]
async fn what_was_stopped_is_deleted_where_a_person_says_so_and_counts_for_nothing() {
    let (world, accounts) = world("delete: 3, ").await;
    for account in &accounts[..6] {
        world.systems.crm.delete("account", account, &quietly()).unwrap();
    }
    world.told_of(&accounts[..6]).await;
    assert_eq!((world.customers_left(), world.stopped().await), (11, 3));
    let all = FailureFilter::default();
    assert_eq!(reprocess::reprocess(world.store(), &all, "ana").await.unwrap(), 3);
    world.drain().await;
    assert_eq!((world.customers_left(), world.stopped().await), (8, 0));
    // A day later three more may go: the released ones are not among them.
    world.advance(Duration::from_hours(23));
    for account in &accounts[6..9] {
        world.systems.crm.delete("account", account, &quietly()).unwrap();
    }
    world.told_of(&accounts[6..7]).await;
    assert_eq!((world.customers_left(), world.stopped().await), (8, 1), "not over yet");
    world.advance(Duration::from_hours(2));
    world.told_of(&accounts[6..9]).await;
    assert_eq!((world.customers_left(), world.stopped().await), (5, 0));
}

#[tokio::test]
async fn a_record_that_failed_for_another_reason_is_not_let_through_by_reprocessing_it() {
    let (world, accounts) = world("delete: 0, ").await;
    let fail = Order::next(1, Fault::status(400)).on("GET", "/api/v2/accounts/");
    world.systems.crm.faults().order(fail).unwrap();
    world.told_of(&accounts[..1]).await;
    assert_ne!(world.failures().await[0].code, "SY007");
    world.hides_accounts();
    let all = FailureFilter::default();
    assert_eq!(reprocess::reprocess(world.store(), &all, "ana").await.unwrap(), 1);
    world.drain().await;
    assert_eq!((world.customers_left(), world.stopped().await), (COUNT as usize, 1));
}

#[tokio::test]
async fn the_next_reconciliation_weighs_what_was_stopped_together() {
    let (world, accounts) = world("delete: 2, ").await;
    for account in &accounts[..4] {
        world.systems.crm.delete("account", account, &quietly()).unwrap();
    }
    world.told_of(&accounts[..4]).await;
    assert_eq!((world.customers_left(), world.stopped().await), (12, 2));
    let report = world.reconcile().await;
    assert_eq!((report.status, report.counters.deleted), (RunStatus::Succeeded, 2));
    assert_eq!((world.customers_left(), world.stopped().await), (10, 0));
    for account in &accounts[4..9] {
        world.systems.crm.delete("account", account, &quietly()).unwrap();
    }
    world.told_of(&accounts[4..9]).await;
    assert_eq!(
        world.stopped().await,
        5,
        "what a reconciliation deleted has used up nothing, two had gone before"
    );
    assert_eq!(world.reconcile().await.status, RunStatus::Held);
    assert_eq!(world.customers_left(), 10);
}
