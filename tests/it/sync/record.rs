//! One record on its way: loops, echoes, merges, dry runs.

use std::time::Duration;

use syncline::{
    client::Road,
    core::{
        record::RecordKey,
        status::{ChangeOrigin, EventKind, FailureClass, Side},
    },
    sandbox::fault::{Fault, Order},
    store::{Op, change::NewChange},
    sync::record,
};

use super::{CUSTOMERS, World};

async fn come_up(world: &World, side: Side, id: &str, kind: EventKind, into: Option<&str>) {
    let key = RecordKey::new(CUSTOMERS, side, id);
    let change = NewChange {
        merged_into: into.map(ToOwned::to_owned),
        ..NewChange::new(key, ChangeOrigin::Event, kind)
    };
    world.store().commit(vec![Op::Enqueue(change)]).await.unwrap();
    world.drain().await;
}

#[tokio::test]
async fn a_record_that_is_written_again_and_again_is_stopped_as_a_loop() {
    let world = World::empty().await;
    let customer = world.customers(0, 1).remove(0);
    world.full().await;
    let writes = world.mapping(CUSTOMERS).breaker.writes;
    for n in 0..=writes {
        world.edit_customer(&customer, &format!(r#"{{"name":"Name {n}"}}"#));
        world.advance(Duration::from_secs(1));
        come_up(&world, Side::Left, &customer, EventKind::Updated, None).await;
    }
    let failures = world.failures().await;
    assert_eq!(failures[0].class, FailureClass::Held);
    assert_eq!(failures[0].code, "SY004");
}

#[tokio::test]
async fn an_echo_of_our_own_write_ends_at_a_plan_with_nothing_to_do() {
    let world = World::empty().await;
    let customer = world.customers(0, 1).remove(0);
    world.full().await;
    world.systems.crm.history().clear();
    world.systems.erp.history().clear();
    let account = world.link_of(&customer).await.unwrap().link.right_id;
    come_up(&world, Side::Right, &account, EventKind::Updated, None).await;
    assert!(world.our_writes().is_empty());
}

#[tokio::test]
async fn a_merge_moves_the_link_to_the_surviving_record() {
    let world = World::empty().await;
    let customer = world.customers(0, 1).remove(0);
    world.full().await;
    let old = world.link_of(&customer).await.unwrap().link.right_id;
    let survivor = world.account(r#"{"Name":"Company 0","VatNumber":"BR10000000000195","Status":"Active"}"#);
    world.systems.crm.delete("account", &old, &super::quietly()).unwrap();
    come_up(&world, Side::Right, &old, EventKind::Merged, Some(&survivor)).await;
    assert_eq!(world.link_of(&customer).await.unwrap().link.right_id, survivor);
    assert_eq!(world.account_count(), 1);
}

#[tokio::test]
async fn a_dry_run_of_one_record_touches_nothing() {
    let world = World::empty().await;
    let customer = world.customers(0, 1).remove(0);
    let mapping = world.mapping(CUSTOMERS);
    let planned = record::plan(&world.engine, &mapping, Side::Left, &customer, Road::Manual)
        .await
        .unwrap();
    assert_eq!(planned.plan.writes.len(), 1);
    assert_eq!(world.account_count(), 0);
    assert!(world.links().await.is_empty());
    assert!(world.our_writes().is_empty());
}

#[tokio::test]
async fn a_live_record_that_shares_its_match_with_another_one_is_ambiguous() {
    let world = World::empty().await;
    let json = r#"{"kind":"customer","name":"Twin","tax_id":"BR 12.345.678/0001-95"}"#;
    let (one, _) = (world.customer(json), world.customer(json));
    world.account(r#"{"Name":"Twin","VatNumber":"BR12345678000195","Status":"Active"}"#);
    come_up(&world, Side::Left, &one, EventKind::Created, None).await;
    assert!(world.links().await.is_empty());
    assert_eq!(world.failures().await[0].class, FailureClass::Ambiguous);
}

#[tokio::test]
async fn an_update_that_is_answered_with_the_old_value_is_a_refusal_and_agrees_nothing() {
    let world = World::empty().await;
    let customer = world.customers(0, 1).remove(0);
    world.full().await;
    let account = world.link_of(&customer).await.unwrap().link.right_id;
    let keep = Order::next(1, Fault::KeepRecord).on("PATCH", "/api/v2/accounts");
    world.systems.crm.faults().order(keep).unwrap();
    world.edit_customer(&customer, r#"{"name":"Renamed"}"#);
    come_up(&world, Side::Left, &customer, EventKind::Updated, None).await;
    let failures = world.failures().await;
    assert_eq!(failures.len(), 1);
    assert_eq!(
        (failures[0].code.as_str(), failures[0].field.as_deref()),
        ("SY014", Some("name"))
    );
    assert!(
        failures[0].message.contains("kept the old value of `Name`"),
        "{failures:?}"
    );
    assert_eq!(world.account_now(&account)["Name"], "Company 0");
    world.reconcile().await;
    assert_eq!(
        world.account_now(&account)["Name"],
        "Renamed",
        "it is still to be written"
    );
    assert_eq!(world.customer_now(&customer)["name"], "Renamed");
    assert_eq!(world.failures().await, []);
}
