//! Situations, and what the mapping says is to be done about them.

use syncline::{
    core::status::{Cause, DriftOutcome, LinkStatus, Side, Situation, Trigger},
    sandbox::fault::{Fault, Order},
    store::Page,
    sync::poll,
};

use super::{CUSTOMERS, World, account_of, items, linked, quietly};

/// Ten linked pairs, the account of the first of which is gone.
async fn missing(action: &str) -> (World, String, String) {
    let (world, customers) = linked(10, &format!("situations: {{ missing: {action} }}")).await;
    let account = account_of(&world, &customers[0]).await;
    world.systems.crm.delete("account", &account, &quietly()).unwrap();
    (world, customers[0].clone(), account)
}

#[tokio::test]
async fn where_both_records_are_gone_the_link_is_removed() {
    let (world, customer, _) = missing("report").await;
    world.systems.erp.delete("customer", &customer, &quietly()).unwrap();
    let report = world.reconcile().await;
    assert_eq!(report.summary.situations[&Situation::Gone], 1);
    assert!(world.link_of(&customer).await.is_none());
}

#[tokio::test]
async fn a_missing_partner_is_made_again_where_the_mapping_says_so() {
    let (world, customer, account) = missing("recreate").await;
    assert_eq!(world.reconcile().await.counters.created, 1);
    let again = account_of(&world, &customer).await;
    assert_ne!(again, account);
    assert_eq!(world.account_now(&again)["Name"], "Company 0");
}

#[tokio::test]
async fn a_missing_partner_is_unlinked_where_the_mapping_says_so() {
    let (world, customer, _) = missing("unlink").await;
    let report = world.reconcile().await;
    assert_eq!((report.counters.created, report.counters.deleted), (0, 0));
    assert!(world.link_of(&customer).await.is_none());
    assert_eq!(world.customer_now(&customer)["name"], "Company 0");
}

#[tokio::test]
async fn a_record_whose_partner_is_gone_is_archived_where_the_mapping_says_so() {
    let mut world = World::empty().await;
    let customer = world.customers(0, 10).remove(0);
    world.full().await;
    let archive = "situations: { missing: archive }\narchive: { erp: { name: Closed } }\nprefer: erp ";
    world.remap(&[("prefer: erp ", archive)]);
    let account = account_of(&world, &customer).await;
    world.systems.crm.delete("account", &account, &quietly()).unwrap();
    let report = world.reconcile().await;
    assert_eq!(
        (
            report.counters.created,
            report.counters.updated,
            report.counters.deleted
        ),
        (0, 1, 0)
    );
    assert_eq!(world.customer_now(&customer)["name"], "Closed");
    assert!(world.link_of(&customer).await.is_none());
    // It stays as it is, although the mapping makes accounts for customers without one.
    let report = world.reconcile().await;
    assert_eq!((report.counters.created, report.counters.updated), (0, 0));
    // Taken out of the archive, it takes part again.
    world.edit_customer(&customer, r#"{"name":"Open again"}"#);
    assert_eq!(world.reconcile().await.counters.created, 1);
}

#[tokio::test]
async fn a_delete_travels_only_where_the_mapping_says_so() {
    let (world, customer, _) = missing("delete").await;
    assert_eq!(world.reconcile().await.counters.deleted, 1);
    assert!(world.systems.erp.read("customer", &customer).is_err());
    assert!(world.link_of(&customer).await.is_none());
    assert_eq!(world.systems.erp.all("customer").unwrap().len(), 9);
}

#[tokio::test]
async fn a_delete_is_never_believed_from_an_incomplete_or_incremental_read() {
    let (world, customers) = linked(10, "situations: { missing: delete }").await;
    let on_accounts = |fault| Order::next(1, fault).on("GET", "/api/v2/accounts");
    let faults = world.systems.crm.faults();
    for fault in [Fault::EmptyListing, Fault::CutListing] {
        faults.order(on_accounts(fault)).unwrap();
        assert_eq!(world.reconcile().await.counters.deleted, 0);
    }
    faults.order(on_accounts(Fault::EmptyListing)).unwrap();
    let mapping = world.mapping(CUSTOMERS);
    // What changed since is nothing: that proves nothing about what did not change.
    poll::poll(&world.engine, &mapping, Side::Right, Trigger::Person)
        .await
        .ok();
    world.drain().await;
    assert_eq!(world.systems.erp.all("customer").unwrap().len(), 10);
    for customer in &customers {
        assert_eq!(world.link_of(customer).await.unwrap().link.status, LinkStatus::Linked);
    }
}

#[tokio::test]
async fn a_record_that_reappears_leaves_the_list_of_pending_deletes_by_itself() {
    let (world, customers) = linked(10, "").await;
    let account = account_of(&world, &customers[0]).await;
    let gone = format!(
        "update link set status = 'pending_delete', missing_side = 'right', missing_since = 1 where right_id = '{account}'"
    );
    world.database.raw(gone).await;
    let pending = async || {
        let listed = world.store().pending_deletes(Some(CUSTOMERS), Page::first(10)).await;
        listed.unwrap().len()
    };
    assert_eq!(pending().await, 1);
    world.reconcile().await;
    assert_eq!(pending().await, 0);
    assert_eq!(
        world.link_of(&customers[0]).await.unwrap().link.status,
        LinkStatus::Linked
    );
}

#[tokio::test]
async fn a_linked_record_that_leaves_the_filter_is_reported_and_nothing_travels() {
    let (world, customers) = linked(10, "").await;
    let account = account_of(&world, &customers[0]).await;
    world.edit_customer(&customers[0], r#"{"kind":"supplier","name":"A supplier now"}"#);
    let report = world.reconcile().await;
    let items = items(&world, report.run_id).await;
    assert_eq!(
        (items[0].situation, items[0].cause),
        (Situation::Filtered, Cause::Filtered)
    );
    assert_eq!(items[0].outcome, DriftOutcome::Reported);
    assert_eq!(world.account_now(&account)["Name"], "Company 0");
    assert!(world.link_of(&customers[0]).await.is_some(), "the link stays");
}

#[tokio::test]
async fn a_record_that_may_not_be_made_is_reported_and_not_called_repaired() {
    let (world, _) = linked(10, "").await;
    world.account(r#"{"Name":"Only here","VatNumber":"BR10000999000195","Status":"Active"}"#);
    for _ in 0..2 {
        let report = world.reconcile().await;
        let items = items(&world, report.run_id).await;
        assert_eq!(
            (items[0].situation, items[0].outcome),
            (Situation::Absent, DriftOutcome::Reported),
            "{items:?}"
        );
    }
    assert_eq!(world.systems.erp.all("customer").unwrap().len(), 10);
}
