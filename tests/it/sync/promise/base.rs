//! What both sides agreed on: hashes that give nothing away, and nothing that is done where they are lost.

use syncline::{
    core::status::{Cause, FailureClass, RunStatus, Side},
    store::{
        Page,
        conflict::{ConflictFilter, Resolution},
    },
};

use super::{World, account_of, linked, told_of};

#[tokio::test]
async fn the_database_holds_no_personal_data_of_pairs_that_agree() {
    let world = World::empty().await;
    let json = r#"{"kind":"customer","status":"active","name":"Zacharias Zwetschge","tax_id":"BR 10.000.000/0001-95",
        "email":"zwetschge@canary.example","phone":"+55 11 98765-4321","note":"pays in plums"}"#;
    let customer = world.customer(json);
    world.full().await;
    world.edit_customer(&customer, r#"{"phone":"+55 11 91234-5678","note":"pays in prunes"}"#);
    told_of(&world, Side::Left, &customer).await;
    let account = world.account_now(&account_of(&world, &customer).await);
    assert_eq!(account["Description"], "pays in prunes", "it was synchronized");
    let path = world.database.path().unwrap();
    for end in ["", "-wal"] {
        let mut name = path.clone().into_os_string();
        name.push(end);
        let bytes = std::fs::read(name).unwrap();
        for value in ["Zwetschge", "canary.example", "98765", "91234", "plums", "prunes"] {
            let found = bytes.windows(value.len()).any(|window| window == value.as_bytes());
            assert!(!found, "`{value}` stands in the database{end}");
        }
    }
}

#[tokio::test]
async fn a_lost_or_unreadable_base_overwrites_nothing_and_a_person_decides() {
    for lost in ["x''", "x'0102'"] {
        let (world, customers) = linked(10, "").await;
        let account = account_of(&world, &customers[0]).await;
        world.edit_account(&account, r#"{"Name":"Theirs"}"#);
        world.database.raw(format!("update link set base = {lost}")).await;
        // By an event, by a reconciliation, and by one more, when the other fields are agreed anew.
        told_of(&world, Side::Right, &account).await;
        for _ in 0..2 {
            let report = world.reconcile().await;
            assert_eq!((report.counters.updated, report.counters.conflicts), (0, 1));
        }
        assert_eq!(world.customer_now(&customers[0])["name"], "Company 0");
        assert_eq!(world.account_now(&account)["Name"], "Theirs");
        assert_eq!(world.failures().await[0].class, FailureClass::Conflict);
        let open = world
            .store()
            .conflicts(&ConflictFilter::default(), Page::first(10))
            .await
            .unwrap();
        let decided = world
            .store()
            .resolve_conflict(&open[0], &Resolution::Take(Side::Right), "ana", Vec::new())
            .await;
        assert!(decided.unwrap());
        world.reconcile().await;
        assert_eq!(world.customer_now(&customers[0])["name"], "Theirs");
        assert!(world.failures().await.is_empty());
        assert_eq!(world.reconcile().await.counters.conflicts, 0);
    }
}

#[tokio::test]
async fn a_changed_definition_is_settled_by_prefer_within_the_guard_rails() {
    let (mut world, customers) = linked(10, "").await;
    let account = account_of(&world, &customers[0]).await;
    world.edit_account(&account, r#"{"Name":"Theirs"}"#);
    world.remap(&[(
        "{ erp: name, crm: Name }",
        "{ erp: name, crm: Name, compare: caseless }",
    )]);
    let report = world.reconcile().await;
    assert_eq!(report.status, RunStatus::Succeeded, "{:?}", report.note);
    let items = super::items(&world, report.run_id).await;
    assert_eq!(items.len(), 1, "where both sides agree nothing is said: {items:?}");
    assert_eq!(items[0].cause, Cause::MappingChanged);
    assert_eq!(world.account_now(&account)["Name"], "Company 0");
}
