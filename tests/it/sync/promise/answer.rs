//! Whatever a system answers instead of a record: a stored failure that says what to do, and nothing is lost.

use std::time::Duration;

use syncline::{
    core::status::{FailureClass, FailureStatus, Side},
    sandbox::fault::{Fault, Order},
};

use super::{World, account_of, linked, told_of};

/// The customer's new name has arrived, and no failure is left.
async fn has_arrived(world: &World, customer: &str) -> bool {
    let account = world.account_now(&account_of(world, customer).await);
    account["Name"] == "Renamed" && world.failures().await.is_empty()
}

#[tokio::test]
async fn a_spoilt_answer_is_a_stored_failure_with_what_to_do_and_the_change_goes_on_later() {
    for fault in [
        Fault::Html,
        Fault::TruncatedJson,
        Fault::CutBody,
        Fault::DeepJson { depth: 10_000 },
        Fault::EnormousBody { bytes: 64 << 20 },
        Fault::DropBeforeCommit,
        Fault::status(500),
    ] {
        let (world, customers) = linked(1, "").await;
        let customer = &customers[0];
        world.edit_customer(customer, r#"{"name":"Renamed"}"#);
        let order = Order::next(50, fault.clone()).on("GET", &format!("/api/customers/{customer}"));
        world.systems.erp.faults().order(order).unwrap();
        told_of(&world, Side::Left, customer).await;
        let failures = world.failures().await;
        assert_eq!(failures.len(), 1, "{fault:?}");
        let failure = &failures[0];
        assert!(
            failure.message.contains("system `erp`") && failure.message.contains("customer"),
            "{fault:?}: it names the system and the object: {failure:?}"
        );
        assert!(failure.hint.is_some(), "{fault:?}: {failure:?}");
        world.systems.erp.faults().clear();
        if failure.status == FailureStatus::Retrying {
            assert!(failure.next_attempt_at.is_some(), "{fault:?}: {failure:?}");
            // A system that failed so often may be left alone for a while, by the machine's own time.
            for _ in 0..300 {
                world.advance(Duration::from_hours(1));
                world.drain().await;
                if has_arrived(&world, customer).await {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        } else {
            told_of(&world, Side::Left, customer).await;
        }
        assert!(
            has_arrived(&world, customer).await,
            "{fault:?}: {:?}",
            world.failures().await
        );
    }
}

#[tokio::test]
async fn a_wrong_content_type_is_no_reason_to_refuse_a_right_answer() {
    let (world, customers) = linked(1, "").await;
    world.edit_customer(&customers[0], r#"{"name":"Renamed"}"#);
    let order = Order::next(5, Fault::WrongContentType).on("GET", "/api/customers/");
    world.systems.erp.faults().order(order).unwrap();
    told_of(&world, Side::Left, &customers[0]).await;
    assert!(has_arrived(&world, &customers[0]).await, "{:?}", world.failures().await);
}

#[tokio::test]
async fn a_value_that_the_mapping_does_not_know_is_a_failure_of_its_record_alone() {
    let (mut world, customers) = linked(2, "").await;
    world.remap(&[("blocked: Inactive, ", "")]);
    world.edit_customer(&customers[0], r#"{"status":"blocked","name":"Renamed"}"#);
    world.edit_customer(&customers[1], r#"{"name":"Renamed"}"#);
    for customer in &customers {
        told_of(&world, Side::Left, customer).await;
    }
    let failures = world.failures().await;
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(
        (failures[0].class, failures[0].field.as_deref()),
        (FailureClass::Mapping, Some("status"))
    );
    assert!(
        failures[0].message.contains("`blocked`") && failures[0].hint.is_some(),
        "{failures:?}"
    );
    let names = async |customer: &str| world.account_now(&account_of(&world, customer).await)["Name"].clone();
    assert_eq!(
        (names(&customers[0]).await, names(&customers[1]).await),
        ("Company 0".into(), "Renamed".into())
    );
}

#[tokio::test]
async fn a_number_beyond_what_its_field_takes_is_a_failure_that_names_the_field() {
    let (mut world, customers) = linked(1, "").await;
    world.remap(&[(
        "credit_limit, crm: CreditLimit, type: decimal(2)",
        "credit_limit, crm: CreditLimit, type: integer",
    )]);
    world.edit_customer(&customers[0], r#"{"credit_limit":10.50}"#);
    told_of(&world, Side::Left, &customers[0]).await;
    let failures = world.failures().await;
    assert_eq!(
        (failures[0].class, failures[0].field.as_deref()),
        (FailureClass::Mapping, Some("credit_limit")),
        "{failures:?}"
    );
}
