//! One record and its fields, against the systems.

use syncline::core::status::Side;

use super::{account_of, linked, told_of};

#[tokio::test]
async fn however_often_and_late_events_come_the_present_state_counts() {
    let (world, customers) = linked(1, "").await;
    let customer = &customers[0];
    for name in ["First", "Second", "Third"] {
        world.edit_customer(customer, &format!(r#"{{"name":"{name}"}}"#));
    }
    world.systems.crm.history().clear();
    for _ in 0..3 {
        told_of(&world, Side::Left, customer).await;
    }
    let account = account_of(&world, customer).await;
    assert_eq!(world.account_now(&account)["Name"], "Third");
    let writes = world.systems.crm.history().writes_to_record("account", &account);
    assert_eq!(writes.len(), 1, "one change, however many events told of it");
}

#[tokio::test]
async fn only_fields_that_changed_are_written() {
    let (world, customers) = linked(1, "").await;
    let account = account_of(&world, &customers[0]).await;
    // Nobody told of this edit: what is written must not carry the old value along.
    world.edit_account(&account, r#"{"ExternalKey":"kept","Phone":"+55 11 4002-0000"}"#);
    world.edit_customer(&customers[0], r#"{"name":"Renamed"}"#);
    told_of(&world, Side::Left, &customers[0]).await;
    let now = world.account_now(&account);
    assert_eq!((&now["Name"], &now["ExternalKey"]), (&"Renamed".into(), &"kept".into()));
    assert_eq!(now["Phone"], "+55 11 4002-0000");
    assert_eq!(world.customer_now(&customers[0])["phone"], "+55 11 4002-0000");
}

#[tokio::test]
async fn an_emptied_value_clears_the_other_side_only_where_the_field_says_so() {
    let (world, customers) = linked(1, "").await;
    let full = r#"{"phone":"+55 11 4002-8922","address":{"city":"Recife"}}"#;
    world.edit_customer(&customers[0], full);
    told_of(&world, Side::Left, &customers[0]).await;
    let account = account_of(&world, &customers[0]).await;
    assert_eq!(world.account_now(&account)["BillingCity"], "Recife");
    world.edit_customer(&customers[0], r#"{"phone":null,"address":{"city":null}}"#);
    told_of(&world, Side::Left, &customers[0]).await;
    let now = world.account_now(&account);
    assert!(now["BillingCity"].is_null(), "the mapping says `empty: clear`");
    assert_eq!(now["Phone"], "+55 11 4002-8922", "the mapping does not say so");
}

#[tokio::test]
async fn a_clock_that_jumps_stops_no_work_and_repeats_none() {
    let (world, customers) = linked(2, "").await;
    let day = std::time::Duration::from_hours(24);
    let clock = world.database.clock();
    clock.set(clock.now() + 400 * day);
    world.edit_customer(&customers[0], r#"{"name":"From next year"}"#);
    told_of(&world, Side::Left, &customers[0]).await;
    clock.set(clock.now() - 800 * day);
    world.edit_customer(&customers[1], r#"{"name":"From last year"}"#);
    told_of(&world, Side::Left, &customers[1]).await;
    for (customer, name) in customers.iter().zip(["From next year", "From last year"]) {
        assert_eq!(world.account_now(&account_of(&world, customer).await)["Name"], name);
    }
    world.systems.crm.history().clear();
    assert_eq!(world.reconcile().await.counters.updated, 0);
    assert!(world.systems.crm.history().writes_to("account").is_empty());
    assert!(world.failures().await.is_empty());
}
