//! Decisions of people on their way: conflicts, ignore rules, pending deletes.

use std::time::Duration;

use syncline::{
    core::status::{ConflictStatus, DriftOutcome, LinkStatus, MissingDecision, Side, Sides, Situation},
    server::settling::{self, Decided},
    store::{
        Page,
        conflict::{Conflict, ConflictFilter, Resolution},
        drift::{Drift, DriftFilter},
        ignore::NewIgnoreRule,
    },
    sync::reconcile::Report,
};

use super::{CUSTOMERS, World, quietly};

const DAY: Duration = Duration::from_hours(24);

/// A linked pair with a conflict in `note`, which only a person may decide: its customer and its account.
async fn conflict() -> (World, String, String) {
    let world = World::empty().await;
    let customer = world.customers(0, 10).swap_remove(0);
    world.full().await;
    let account = world.link_of(&customer).await.unwrap().link.right_id;
    world.edit_customer(&customer, r#"{"note":"pays late"}"#);
    world.edit_account(&account, r#"{"Description":"pays early"}"#);
    world.reconcile().await;
    (world, customer, account)
}

async fn only(world: &World) -> Conflict {
    let found = world
        .store()
        .conflicts(&ConflictFilter::default(), Page::first(10))
        .await
        .unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap()
}

async fn resolve(world: &World, resolution: Resolution, seen: Option<&str>) -> Decided {
    let mapping = world.mapping(CUSTOMERS);
    let id = only(world).await.conflict_id;
    let decision = (&resolution, seen);
    settling::resolve_conflict(world.store(), Some(&mapping), id, decision, "user:ana")
        .await
        .unwrap()
}

#[tokio::test]
async fn a_value_that_a_person_sets_is_written_to_both_sides() {
    let (world, customer, account) = conflict().await;
    assert_eq!(
        resolve(&world, Resolution::Set("pays".to_owned()), None).await,
        Decided::Made
    );
    world.drain().await;
    assert_eq!(world.customer_now(&customer)["note"], "pays");
    assert_eq!(world.account_now(&account)["Description"], "pays");
    assert_eq!(only(&world).await.status, ConflictStatus::Resolved);
    assert!(world.failures().await.is_empty());
    let writes = world.our_writes().len();
    world.reconcile().await;
    assert_eq!(world.our_writes().len(), writes, "it is agreed");
}

#[tokio::test]
async fn an_empty_side_that_a_person_takes_clears_the_other() {
    let world = World::empty().await;
    let customer = world.customers(0, 10).swap_remove(0);
    world.edit_customer(&customer, r#"{"note":"agreed"}"#);
    world.full().await;
    let account = world.link_of(&customer).await.unwrap().link.right_id;
    world.edit_customer(&customer, r#"{"note":"pays late"}"#);
    world.edit_account(&account, r#"{"Description":null}"#);
    world.reconcile().await;
    assert_eq!(
        resolve(&world, Resolution::Take(Side::Right), None).await,
        Decided::Made
    );
    world.drain().await;
    assert!(
        world.customer_now(&customer)["note"]
            .as_str()
            .unwrap_or_default()
            .is_empty()
    );
}

#[tokio::test]
async fn a_decision_about_values_that_nobody_sees_any_more_is_refused() {
    let (world, customer, account) = conflict().await;
    let seen = only(&world).await.seen();
    // Somebody goes on before the person has decided, and a reconciliation sees it.
    world.edit_customer(&customer, r#"{"note":"pays never"}"#);
    world.reconcile().await;
    let late = resolve(&world, Resolution::Take(Side::Left), Some(&seen)).await;
    assert_eq!(late, Decided::Changed);
    let now = only(&world).await;
    assert_eq!(
        (now.status, now.left_value.as_deref()),
        (ConflictStatus::Open, Some("pays never"))
    );
    // Somebody goes on after the person has decided, and nobody has seen it yet.
    assert_eq!(
        resolve(&world, Resolution::Take(Side::Left), Some(&now.seen())).await,
        Decided::Made
    );
    world.edit_account(&account, r#"{"Description":"paid"}"#);
    world.drain().await;
    assert_eq!(
        world.account_now(&account)["Description"],
        "paid",
        "it is not written over"
    );
    let open = only(&world).await;
    assert_eq!(
        (open.status, open.right_value.as_deref()),
        (ConflictStatus::Open, Some("paid"))
    );
    assert_eq!(open.winner, None);
}

#[tokio::test]
async fn an_ignored_conflict_is_counted_and_comes_back_when_a_side_changes() {
    let (world, customer, account) = conflict().await;
    assert_eq!(resolve(&world, Resolution::Ignore, None).await, Decided::Made);
    world.drain().await;
    let report = world.reconcile().await;
    assert_eq!(numbers(&world, &report).await.ignored, 1);
    assert_eq!(only(&world).await.status, ConflictStatus::Ignored);
    assert_eq!(world.account_now(&account)["Description"], "pays early");
    // One side changes: it is an edit like any other.
    world.edit_customer(&customer, r#"{"note":"pays in May"}"#);
    world.reconcile().await;
    assert_eq!(world.account_now(&account)["Description"], "pays in May");
    assert_eq!(only(&world).await.status, ConflictStatus::Resolved);
}

#[tokio::test]
async fn what_cannot_be_decided_says_what_can() {
    let (world, ..) = conflict().await;
    let link = world.links().await[0].link.link_id;
    let refused = settling::decide_missing(
        world.store(),
        Sides::default(),
        link,
        MissingDecision::Delete,
        "user:ana",
    );
    assert!(matches!(refused.await.unwrap(), Decided::Refused(why) if why.contains("no pending delete")));
}

async fn numbers(world: &World, report: &Report) -> syncline::core::drift::Numbers {
    let stored = world.store().drift_summary(report.run_id).await.unwrap().unwrap();
    let report: syncline::core::drift::Report = serde_json::from_str(&stored.report.unwrap()).unwrap();
    report.numbers
}

async fn items(world: &World, report: &Report) -> Vec<Drift> {
    let filter = DriftFilter::default();
    world
        .store()
        .drift(report.run_id, &filter, Page::first(10))
        .await
        .unwrap()
}

/// A rule for a day about these records.
async fn ignore(world: &World, record: Option<&str>, field: Option<&str>, situation: Option<Situation>) {
    let now = world.engine.clock().now();
    let rule = NewIgnoreRule {
        mapping: CUSTOMERS.into(),
        record: record.map(|id| (Side::Left, id.to_owned())),
        field: field.map(ToOwned::to_owned),
        situation,
        until: now + DAY,
        reason: "until the merger is through".to_owned(),
        owner: "user:ana".to_owned(),
    };
    settling::ignore(world.store(), &rule, now).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_field_under_an_ignore_rule_is_left_alone_on_every_road_and_comes_back_after_its_end() {
    let world = World::empty().await;
    let customer = world.customers(0, 10).swap_remove(0);
    world.full().await;
    let account = world.link_of(&customer).await.unwrap().link.right_id;
    ignore(&world, Some(&customer), Some("name"), None).await;
    world.edit_customer(&customer, r#"{"name":"Renamed","note":"pays late"}"#);
    world.event(Side::Left, &customer).await;
    world.drain().await;
    let now = world.account_now(&account);
    assert_eq!(
        (&now["Name"], &now["Description"]),
        (&"Company 0".into(), &"pays late".into())
    );
    let report = world.reconcile().await;
    let found = items(&world, &report).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].field.as_deref(), found[0].outcome),
        (Some("name"), DriftOutcome::Ignored)
    );
    let numbers = numbers(&world, &report).await;
    assert_eq!((numbers.ignored, numbers.drifted, numbers.items), (1, 0, 0));
    assert_eq!(numbers.match_score, 10_000);
    world.advance(DAY);
    let report = world.reconcile().await;
    assert_eq!(world.account_now(&account)["Name"], "Renamed");
    assert_eq!(items(&world, &report).await[0].outcome, DriftOutcome::Repaired);
}

#[tokio::test]
async fn records_in_an_ignored_situation_are_not_made() {
    let world = World::empty().await;
    world.customers(0, 5);
    world.full().await;
    ignore(&world, None, None, Some(Situation::Absent)).await;
    let customer = world.customers(5, 1).remove(0);
    let report = world.reconcile().await;
    assert_eq!((report.counters.created, world.account_count()), (0, 5));
    let numbers = numbers(&world, &report).await;
    assert_eq!((numbers.ignored, numbers.drifted, numbers.missing_right), (1, 0, 0));
    world.event(Side::Left, &customer).await;
    world.drain().await;
    assert_eq!(world.account_count(), 5, "not by an event either");
    world.advance(DAY);
    world.reconcile().await;
    assert_eq!(world.account_count(), 6);
}

/// Linked customers, one of whose accounts is deleted: the customer, its account, and the link.
async fn deleted() -> (World, String, String, i64) {
    let world = World::empty().await;
    let customer = world.customers(0, 10).swap_remove(0);
    world.full().await;
    let link = world.link_of(&customer).await.unwrap().link;
    world.systems.crm.delete("account", &link.right_id, &quietly()).unwrap();
    world.reconcile().await;
    (world, customer, link.right_id, link.link_id)
}

async fn decide(world: &World, link_id: i64, decision: MissingDecision) {
    let decided = settling::decide_missing(world.store(), Sides::default(), link_id, decision, "user:ana").await;
    assert_eq!(decided.unwrap(), Decided::Made);
}

#[tokio::test]
async fn a_confirmed_delete_deletes_the_record_that_is_left_and_ends_the_link() {
    let (world, customer, _, link_id) = deleted().await;
    decide(&world, link_id, MissingDecision::Delete).await;
    world.drain().await;
    assert!(world.systems.erp.read("customer", &customer).is_err());
    assert!(world.failures().await.is_empty());
    let link = world.store().link(link_id).await.unwrap().unwrap();
    assert_eq!(link.link.status, LinkStatus::Ended);
    assert_eq!(
        world
            .store()
            .pending_deletes(None, Page::first(10))
            .await
            .unwrap()
            .len(),
        0
    );
}

#[tokio::test]
async fn a_record_that_a_person_wants_back_is_made_again() {
    let (world, customer, account, link_id) = deleted().await;
    decide(&world, link_id, MissingDecision::Recreate).await;
    world.drain().await;
    let link = world.link_of(&customer).await.unwrap();
    assert_ne!(link.link.right_id, account);
    assert_eq!((link.link.status, world.account_count()), (LinkStatus::Linked, 10));
    assert_eq!(world.account_now(&link.link.right_id)["Name"], "Company 0");
}

#[tokio::test]
async fn a_record_that_is_kept_stays_without_a_partner_and_is_counted_apart() {
    let (world, customer, _, link_id) = deleted().await;
    decide(&world, link_id, MissingDecision::Keep).await;
    world.drain().await;
    let report = world.reconcile().await;
    assert_eq!(world.account_count(), 9);
    assert!(world.systems.erp.read("customer", &customer).is_ok());
    assert!(
        world
            .store()
            .pending_deletes(None, Page::first(10))
            .await
            .unwrap()
            .is_empty()
    );
    let numbers = numbers(&world, &report).await;
    assert_eq!((numbers.ignored, numbers.drifted), (1, 0));
}

#[tokio::test]
async fn a_pending_delete_heals_by_itself_when_the_record_is_back_whatever_was_decided() {
    for by_event in [true, false] {
        let world = World::empty().await;
        let customer = world.customers(0, 10).swap_remove(0);
        world.full().await;
        let link = world.link_of(&customer).await.unwrap().link;
        // Taken for gone, and there all the same: as after a restore in the other system.
        let gone = syncline::store::Op::MarkMissing {
            link_id: link.link_id,
            side: Side::Right,
        };
        world.store().commit(vec![gone]).await.unwrap();
        decide(&world, link.link_id, MissingDecision::Delete).await;
        if by_event {
            world.event(Side::Right, &link.right_id).await;
            world.drain().await;
        } else {
            world.reconcile().await;
        }
        let healed = world.link_of(&customer).await.unwrap();
        assert_eq!(
            (healed.link.status, healed.link.decided),
            (LinkStatus::Linked, None),
            "by event: {by_event}"
        );
        assert!(
            world.systems.erp.read("customer", &customer).is_ok(),
            "nothing is deleted"
        );
        assert!(
            world
                .store()
                .pending_deletes(None, Page::first(10))
                .await
                .unwrap()
                .is_empty()
        );
    }
}
