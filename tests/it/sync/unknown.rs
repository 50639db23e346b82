//! Writes whose answer was lost.

use std::time::Duration;

use syncline::{
    core::status::{RunStatus, Side},
    sandbox::{
        fault::{Fault, Order},
        seed::Plan,
    },
    store::write::Write,
};

use super::{CUSTOMERS, World};

/// Writes of linked customers that have no outcome.
async fn open_writes(world: &World) -> Vec<Write> {
    let links = world.links().await;
    let ids: Vec<&str> = links.iter().map(|stored| stored.link.left_id.as_str()).collect();
    world.store().open_writes(CUSTOMERS, Side::Left, &ids).await.unwrap()
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_is_read_back_and_nothing_is_made_twice() {
    let world = World::empty().await;
    world.customers(0, 20);
    let lose = Order::next(1, Fault::DropAnswer).on("POST", "/api/v2/accounts/batch");
    world.systems.crm.faults().order(lose).unwrap();
    let report = world.full().await;
    assert_eq!(report.status, RunStatus::Partial);
    assert_eq!(world.account_count(), 20);
    world.advance(Duration::from_mins(2));
    let second = world.reconcile().await;
    assert_eq!(second.counters.created, 0);
    assert_eq!(world.account_count(), 20);
    assert_eq!(world.links().await.len(), 20);
    let open = open_writes(&world).await;
    assert!(open.is_empty(), "every write has its outcome: {open:?}");
    assert!(
        world.failures().await.is_empty(),
        "a later success resolves the failures"
    );
}

#[tokio::test]
async fn a_batch_that_never_arrived_is_made_once_it_is_certain_that_it_did_not() {
    let world = World::empty().await;
    world.customers(0, 20);
    let lose = Order::next(1, Fault::DropBeforeCommit).on("POST", "/api/v2/accounts/batch");
    world.systems.crm.faults().order(lose).unwrap();
    world.full().await;
    assert_eq!(world.account_count(), 0);
    world.advance(Duration::from_mins(2));
    world.reconcile().await;
    assert_eq!(world.account_count(), 20);
    assert_eq!(world.links().await.len(), 20);
}

#[tokio::test]
async fn a_single_create_whose_answer_was_lost_is_not_made_twice() {
    let world = World::empty().await;
    let customer = world.customers(0, 1);
    let lose = Order::next(1, Fault::DropAnswer).on("POST", "/api/v2/accounts");
    world.systems.crm.faults().order(lose).unwrap();
    world.full().await;
    world.advance(Duration::from_mins(2));
    world.reconcile().await;
    assert_eq!(world.account_count(), 1);
    assert!(world.link_of(&customer[0]).await.is_some());
}

#[tokio::test]
async fn a_crash_after_the_request_leaves_an_intent_that_is_read_back() {
    let world = World::empty().await;
    let customer = world.customers(0, 1);
    world.full().await;
    // As after a crash between the answer and our commit: the intent without an outcome, no link.
    world
        .database
        .raw("update write set status = 'intended', ended_at = null, record_id = null")
        .await;
    world.database.raw("update link set status = 'ended'").await;
    world.reconcile().await;
    assert_eq!(world.account_count(), 1);
    assert!(world.link_of(&customer[0]).await.is_some());
    let open = open_writes(&world).await;
    assert!(open.is_empty(), "{open:?}");
}

#[tokio::test]
async fn too_many_requests_and_a_sick_system_cost_time_and_no_record() {
    let world = World::empty().await;
    world.customers(0, 20);
    let faults = world.systems.crm.faults();
    let busy = Fault::Status {
        status: 429,
        retry_after_s: Some(0),
        code: None,
    };
    faults
        .order(Order::next(1, busy).on("POST", "/api/v2/accounts/batch"))
        .unwrap();
    let report = world.full().await;
    assert_eq!(report.counters.created, 20);
    world.customers(30, 5);
    faults
        .order(Order::next(1, Fault::status(503)).on("POST", "/api/v2/accounts/batch"))
        .unwrap();
    world.reconcile().await;
    world.advance(Duration::from_mins(5));
    world.drain().await;
    assert_eq!(world.account_count(), 25);
    assert_eq!(world.links().await.len(), 25);
    assert!(world.failures().await.is_empty(), "{:?}", world.failures().await);
}

#[tokio::test]
async fn a_batch_of_creates_that_nothing_can_find_again_is_not_sent_once_more_with_keys_it_never_carried() {
    let world = World::empty().await;
    for n in 0..20 {
        // Nothing to match by.
        world.customer(&format!(
            r#"{{"kind":"customer","status":"active","name":"Only a name {n}"}}"#
        ));
    }
    let lose = Order::next(1, Fault::DropAnswer).on("POST", "/api/v2/accounts/batch");
    world.systems.crm.faults().order(lose).unwrap();
    world.full().await;
    assert_eq!(world.account_count(), 20);
    world.advance(Duration::from_mins(2));
    world.reconcile().await;
    assert_eq!(world.account_count(), 20, "nothing is made twice");
    let failures = world.failures().await;
    assert!(
        !failures.is_empty() && failures.iter().all(|failure| failure.code == "SY003"),
        "{failures:?}"
    );
}

#[tokio::test]
async fn a_value_that_comes_back_is_written_though_the_system_remembers_the_key_of_the_first_time() {
    let update = r#"update: { patch: "/accounts/{{ id }}", body: "{{ changes }}", headers:"#;
    let keyed = r#"update: { patch: "/accounts/{{ id }}", body: "{{ changes }}", idempotency: "header:Idempotency-Key", headers:"#;
    let world = World::new(Plan::default(), &[(update, keyed)]).await;
    let customer = world.customers(0, 1).remove(0);
    world.full().await;
    let account = world.link_of(&customer).await.unwrap().link.right_id;
    for name in ["Alpha", "Beta", "Alpha"] {
        world.edit_customer(&customer, &format!(r#"{{"name":"{name}"}}"#));
        world.advance(Duration::from_mins(2));
        world.reconcile().await;
        assert_eq!(world.account_now(&account)["Name"], name);
    }
}

#[tokio::test]
async fn what_was_filled_in_a_pair_that_was_just_matched_does_not_win_over_what_a_person_changes_next() {
    let world = World::empty().await;
    // Enough pairs for the guard rails to let two changes through.
    world.customers(10, 20);
    world.full().await;
    let customer =
        world.customer(r#"{"kind":"customer","status":"active","name":"Company","tax_id":"BR 10.000.001/0001-95"}"#);
    let account = world.account(r#"{"Name":"Firma","VatNumber":"BR 10.000.001/0001-95","BillingCity":"City 5"}"#);
    // The city is filled in over there; the name, which goes the other way, is refused.
    let refuse = Order::next(1, Fault::status(422)).on("PATCH", "/api/v2/accounts");
    world.systems.crm.faults().order(refuse).unwrap();
    world.reconcile().await;
    assert_eq!(world.customer_now(&customer)["address"]["city"], "City 5");
    assert_eq!(world.account_now(&account)["Name"], "Firma");
    world.edit_account(&account, r#"{"BillingCity":"City 7"}"#);
    world.advance(Duration::from_mins(2));
    world.reconcile().await;
    assert_eq!(world.account_now(&account)["BillingCity"], "City 7");
    assert_eq!(world.customer_now(&customer)["address"]["city"], "City 7");
    assert_eq!(world.account_now(&account)["Name"], "Company");
}

#[tokio::test]
async fn what_was_made_before_a_crash_does_not_win_over_what_a_person_changed_since() {
    let world = World::empty().await;
    let mut customers = world.customers(0, 2);
    customers.push(world.customer(
        r#"{"kind":"customer","status":"active","name":"Company 9","tax_id":"BR 10.000.009/0001-95","note":"Call back"}"#,
    ));
    world.full().await;
    let mut accounts = Vec::new();
    for customer in &customers {
        accounts.push(world.link_of(customer).await.unwrap().link.right_id);
    }
    // As after a crash between the answer and our commit.
    let open = "update write set status = 'intended', ended_at = null, record_id = null";
    world.database.raw(open).await;
    world.database.raw("update link set status = 'ended'").await;
    world.edit_account(&accounts[0], r#"{"Name":"Renamed over there"}"#);
    world.edit_customer(&customers[1], r#"{"name":"Renamed here"}"#);
    world.edit_customer(&customers[2], r#"{"note":null}"#);
    world.reconcile().await;
    assert_eq!(world.account_count(), 3);
    for (place, name) in [(0, "Renamed over there"), (1, "Renamed here")] {
        assert_eq!(world.customer_now(&customers[place])["name"], name);
        assert_eq!(world.account_now(&accounts[place])["Name"], name);
    }
    assert_eq!(world.customer_now(&customers[2])["note"], serde_json::Value::Null);
    assert_eq!(world.account_now(&accounts[2])["Description"], serde_json::Value::Null);
    assert!(open_writes(&world).await.is_empty());
    assert!(world.failures().await.is_empty());
}
