//! Reconciliation of what is linked.

use syncline::{
    core::status::{Cause, FailureStatus, LinkStatus, RunKind, RunStatus, Side},
    sandbox::fault::{Fault, Order},
    store::{
        Page,
        conflict::{ConflictFilter, Resolution},
        drift::DriftFilter,
    },
    sync::reprocess,
};

use super::{CUSTOMERS, World};

async fn causes(world: &World, run_id: i64) -> Vec<Cause> {
    let items = world
        .store()
        .drift(run_id, &DriftFilter::default(), Page::first(100))
        .await;
    items.unwrap().into_iter().map(|item| item.cause).collect()
}

#[tokio::test]
async fn an_edit_that_nobody_told_of_is_found_and_repaired() {
    let world = World::empty().await;
    let customers = world.customers(0, 10);
    world.full().await;
    world.edit_customer(&customers[3], r#"{"name":"Renamed"}"#);
    let report = world.reconcile().await;
    assert_eq!(report.counters.updated, 1);
    assert_eq!(causes(&world, report.run_id).await, [Cause::EventMissed]);
    let link = world.link_of(&customers[3]).await.unwrap();
    assert_eq!(world.account_now(&link.link.right_id)["Name"], "Renamed");
    world.systems.crm.history().clear();
    assert_eq!(world.reconcile().await.counters.updated, 0);
    assert!(world.our_writes().iter().all(|one| one.object != "account"));
}

#[tokio::test]
async fn an_edit_on_the_wrong_side_is_written_back() {
    let world = World::empty().await;
    let customers = world.customers(0, 10);
    world.edit_customer(&customers[0], r#"{"credit_limit":100.50}"#);
    world.full().await;
    let link = world.link_of(&customers[0]).await.unwrap();
    world.edit_account(&link.link.right_id, r#"{"CreditLimit":"999.00"}"#);
    let report = world.reconcile().await;
    assert_eq!(causes(&world, report.run_id).await, [Cause::EditedOnWrongSide]);
    assert_eq!(world.account_now(&link.link.right_id)["CreditLimit"], "100.50");
}

#[tokio::test]
async fn a_conflict_for_a_person_leaves_both_sides_until_it_is_decided() {
    let world = World::empty().await;
    let customers = world.customers(0, 10);
    world.full().await;
    let link = world.link_of(&customers[0]).await.unwrap().link;
    world.edit_customer(&link.left_id, r#"{"note":"pays late"}"#);
    world.edit_account(&link.right_id, r#"{"Description":"pays early"}"#);
    let report = world.reconcile().await;
    assert_eq!(report.counters.updated, 0);
    let conflicts = world
        .store()
        .conflicts(&ConflictFilter::default(), Page::first(10))
        .await
        .unwrap();
    assert_eq!(conflicts.len(), 1);
    let side = Side::Left;
    assert!(
        world
            .store()
            .resolve_conflict(&conflicts[0], &Resolution::Take(side), "ana", Vec::new())
            .await
            .unwrap()
    );
    world.reconcile().await;
    assert_eq!(world.account_now(&link.right_id)["Description"], "pays late");
    assert!(
        world.failures().await.is_empty(),
        "a later success resolves the failure"
    );
}

#[tokio::test]
async fn a_delete_is_reported_and_no_record_is_touched() {
    let world = World::empty().await;
    let customers = world.customers(0, 10);
    world.full().await;
    let link = world.link_of(&customers[0]).await.unwrap().link;
    world
        .systems
        .crm
        .delete("account", &link.right_id, &super::quietly())
        .unwrap();
    let report = world.reconcile().await;
    assert_eq!(causes(&world, report.run_id).await, [Cause::Deleted]);
    assert_eq!(report.counters.deleted, 0);
    assert_eq!(
        world.link_of(&customers[0]).await.unwrap().link.status,
        LinkStatus::PendingDelete
    );
    assert_eq!(world.account_count(), 9, "it is not made again");
}

#[tokio::test]
async fn a_listing_that_lies_short_deletes_nothing_and_makes_nothing() {
    let world = World::empty().await;
    world.customers(0, 10);
    world.full().await;
    let extra = world.customers(50, 1);
    world.account(r#"{"Name":"Company 50","VatNumber":"BR10000050000195","Status":"Active"}"#);
    let empty = Order::next(1, Fault::EmptyListing).on("GET", "/api/v2/accounts");
    world.systems.crm.faults().order(empty).unwrap();
    let report = world.reconcile().await;
    assert_eq!((report.counters.created, report.counters.deleted), (0, 0));
    assert_eq!(world.account_count(), 11);
    assert!(
        world
            .links()
            .await
            .iter()
            .all(|one| one.link.status == LinkStatus::Linked)
    );
    assert!(
        world.link_of(&extra[0]).await.is_some(),
        "its partner was found by a search"
    );
}

#[tokio::test]
async fn a_changed_definition_without_a_base_is_reported_as_such_and_never_overwrites_beyond_the_guard_rails() {
    let mut world = World::empty().await;
    let customers = world.customers(0, 10);
    world.full().await;
    for link in world.links().await {
        world.edit_account(&link.link.right_id, r#"{"Name":"Theirs"}"#);
    }
    world.remap(&[(
        "{ erp: name, crm: Name }",
        "{ erp: name, crm: Name, compare: caseless }",
    )]);
    let report = world.reconcile().await;
    assert_eq!(report.status, RunStatus::Held, "{:?}", report.note);
    assert!(
        causes(&world, report.run_id)
            .await
            .iter()
            .all(|cause| *cause == Cause::MappingChanged)
    );
    let link = world.link_of(&customers[0]).await.unwrap().link;
    assert_eq!(world.account_now(&link.right_id)["Name"], "Theirs");
}

#[tokio::test]
async fn a_record_refused_twice_is_parked_and_a_reprocess_after_its_correction_resolves_it() {
    let world = World::empty().await;
    let customers = world.customers(0, 10);
    world.full().await;
    world.edit_customer(&customers[0], r#"{"tax_id":"12"}"#);
    world.reconcile().await;
    assert_eq!(world.failures().await[0].status, FailureStatus::Open);
    world.reconcile().await;
    assert_eq!(world.failures().await[0].status, FailureStatus::Parked);
    world.systems.crm.history().clear();
    world.reconcile().await;
    assert!(
        world
            .systems
            .crm
            .history()
            .requests()
            .iter()
            .all(|one| one.method != "PATCH")
    );
    world.edit_customer(&customers[0], r#"{"tax_id":"BR 99.888.777/0001-66"}"#);
    let all = syncline::store::failure::FailureFilter::default();
    assert_eq!(
        reprocess::reprocess(world.engine.store(), &all, "ana").await.unwrap(),
        1
    );
    world.drain().await;
    assert!(world.failures().await.is_empty());
}

#[tokio::test]
async fn reporting_only_changes_neither_system_nor_links() {
    let world = World::empty().await;
    world.customers(0, 5);
    let report = world.run(CUSTOMERS, RunKind::Reconcile, false).await;
    assert_eq!(report.summary.planned.creates, 5);
    assert!(world.links().await.is_empty());
    assert_eq!(world.account_count(), 0);
}

/// A world whose mapping reads a field that no customer has, and where all are said to have had it at the first look.
async fn with_a_field_that_is_gone() -> (World, Vec<String>) {
    let mut world = World::empty().await;
    let customers = world.customers(0, 10);
    world.remap(&[
        ("      tax_id: text\n", "      tax_id: text\n      nick: text\n"),
        (
            "{ erp: address.city, crm: BillingCity, empty: clear }",
            "{ erp: nick, crm: BillingCity }",
        ),
    ]);
    let first = world.full().await;
    let mut summary = first.summary.clone();
    let all = summary.left_shape["name"];
    assert_eq!((all.fitted, summary.left_shape["nick"].had), (10, 0));
    summary.left_shape.insert("nick".to_owned(), all);
    let told = serde_json::to_string(&summary).unwrap();
    let saved = world.store().save_drift_summary(first.run_id, CUSTOMERS, &told).await;
    saved.unwrap();
    world.edit_customer(&customers[3], r#"{"name":"Renamed"}"#);
    (world, customers)
}

#[tokio::test]
async fn a_field_that_is_gone_stops_the_mapping_before_anything_is_written_until_the_mapping_is_corrected() {
    let (mut world, _) = with_a_field_that_is_gone().await;
    for _ in 0..2 {
        let stopped = world.reconcile().await;
        assert_eq!((stopped.status, stopped.counters.updated), (RunStatus::Failed, 0));
        let note = stopped.note.unwrap();
        assert!(
            note.contains("[SY060] field `nick` of erp customer is gone") && note.contains("--full"),
            "{note}"
        );
    }
    let changed = world.run(CUSTOMERS, RunKind::Incremental, true).await;
    assert_eq!(
        changed.status,
        RunStatus::Failed,
        "a look at what changed cannot know better"
    );
    world.remap(&[]);
    let well = world.reconcile().await;
    assert_eq!((well.status, well.summary.stopped), (RunStatus::Succeeded, None));
    assert_eq!(well.counters.updated, 1);
}

#[tokio::test]
async fn a_field_that_a_system_newly_answers_is_told_once_and_stops_nothing() {
    let mut world = World::empty().await;
    let customers = world.customers(0, 10);
    // Nothing names this field of the system any more.
    world.remap(&[("      payment_days: integer\n", "")]);
    let first = world.full().await;
    assert!(first.summary.new_fields.is_empty(), "at the first look everything is");
    // As if another one had been all there was.
    let mut before = serde_json::to_value(&first.summary).unwrap();
    assert!(before["left_known"].as_array().unwrap().len() > 10);
    before["left_known"] = serde_json::json!([7]);
    let saved = world
        .store()
        .save_drift_summary(first.run_id, CUSTOMERS, &before.to_string())
        .await;
    saved.unwrap();
    world.edit_customer(&customers[3], r#"{"name":"Renamed"}"#);
    let told = world.reconcile().await;
    assert_eq!((told.status, told.counters.updated), (RunStatus::Succeeded, 1));
    let new = &told.summary.new_fields;
    assert_eq!(new.len(), 1, "what connector or mapping names is none: {new:?}");
    assert_eq!(
        (new[0].side, new[0].fields.as_slice()),
        (Side::Left, &["payment_days".to_owned()][..])
    );
    assert_eq!(new[0].next_step(), "syncline connector discover erp customer");
    let later = world.run(CUSTOMERS, RunKind::Incremental, true).await;
    assert!(later.summary.new_fields.is_empty());
    let again = world.reconcile().await;
    assert!(again.summary.new_fields.is_empty(), "once");
}

#[tokio::test]
async fn whoever_asks_for_a_full_look_takes_the_fields_as_they_are() {
    let (world, _) = with_a_field_that_is_gone().await;
    assert_eq!(world.reconcile().await.status, RunStatus::Failed);
    let taken = world.full().await;
    assert_eq!((taken.status, taken.summary.stopped), (RunStatus::Succeeded, None));
    assert_eq!(world.reconcile().await.status, RunStatus::Succeeded, "and it stays so");
}

#[tokio::test]
async fn a_field_whose_values_are_all_of_another_type_stops_the_mapping() {
    let mut world = World::empty().await;
    let customers = world.customers(0, 12);
    world.full().await;
    world.remap(&[
        ("      name: text\n", "      name: integer\n"),
        ("      Name: text\n", "      Name: integer\n"),
    ]);
    world.edit_customer(&customers[3], r#"{"tax_id":"BR 99.000.003/0001-95"}"#);
    let stopped = world.reconcile().await;
    assert_eq!((stopped.status, stopped.counters.updated), (RunStatus::Failed, 0));
    let note = stopped.note.unwrap();
    assert!(
        note.contains("field `name` of erp customer is of another type"),
        "{note}"
    );
    world.remap(&[]);
    let well = world.reconcile().await;
    assert_eq!(well.status, RunStatus::Succeeded, "{:?}", well.note);
}
