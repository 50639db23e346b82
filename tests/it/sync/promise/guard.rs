//! Guard rails, against the systems: what goes beyond them is not done at all.

use syncline::core::status::RunStatus;

use super::{World, account_of, linked, quietly, with};

#[tokio::test]
async fn more_deletes_than_the_limit_are_held_and_none_is_done() {
    let (world, customers) = linked(10, "situations: { missing: delete }").await;
    for customer in &customers[..3] {
        let account = account_of(&world, customer).await;
        world.systems.crm.delete("account", &account, &quietly()).unwrap();
    }
    let report = world.reconcile().await;
    assert_eq!(report.status, RunStatus::Held);
    assert!(report.note.unwrap().contains("delete 3 records"));
    assert_eq!(world.systems.erp.all("customer").unwrap().len(), 10);
    assert_eq!(report.summary.planned.deletes, 3, "the report says what was planned");
}

#[tokio::test]
async fn more_new_records_than_the_limit_are_held_and_none_is_made() {
    let limits = "limits: { delete: 1%, change: 25% }";
    let (from, to) = (limits, limits.replace("25%", "25%, create: 2"));
    let world = World::new(syncline::sandbox::seed::Plan::default(), &[(from, to.as_str())]).await;
    world.customers(0, 3);
    assert_eq!(world.reconcile().await.status, RunStatus::Held);
    assert_eq!(world.account_count(), 0);
    assert!(world.links().await.is_empty());
}

#[tokio::test]
async fn a_mapping_that_only_reports_differences_changes_nothing() {
    let (world, customers) = linked(10, "situations: { differs: report }").await;
    world.edit_customer(&customers[0], r#"{"name":"Renamed"}"#);
    assert_eq!(world.reconcile().await.counters.updated, 0);
    let account = account_of(&world, &customers[0]).await;
    assert_eq!(world.account_now(&account)["Name"], "Company 0");
}

#[tokio::test]
async fn a_mapping_that_only_reports_matches_links_nothing() {
    let (from, to) = with("situations: { unlinked_match: report, absent: report }");
    let world = World::new(syncline::sandbox::seed::Plan::default(), &[(from, to.as_str())]).await;
    world.customers(0, 2);
    world.account(r#"{"Name":"Company 0","VatNumber":"BR10000000000195","Status":"Active"}"#);
    let report = world.reconcile().await;
    assert_eq!(
        (report.counters.linked, report.counters.created),
        (0, 0),
        "{:?}",
        report.summary
    );
    assert!(world.links().await.is_empty());
    assert_eq!(world.account_count(), 1);
}
