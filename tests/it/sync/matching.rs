//! What belongs together: normalizers on every road, and suggestions that link nothing by themselves.

use syncline::{
    core::status::{DriftOutcome, Side, Situation, SuggestionStatus},
    sandbox::seed::Plan,
    server::settling::{self, Decided},
    store::{
        Page,
        drift::DriftFilter,
        suggestion::{Suggestion, SuggestionFilter},
    },
};

use super::{CUSTOMERS, World};

const BY_TAX_ID: &str = "  - { erp: tax_id, crm: VatNumber, compare: alphanumeric }\n";
const NORMALIZED: &str = "  - { erp: tax_id, crm: VatNumber, normalize: [tax_id], country: BR }\n";

/// The customers' mapping with suggestions by name, and no match rule that would couple by anything else.
async fn suggesting() -> World {
    let create = "create: { crm: yes, erp: no }";
    let suggest = format!("suggest: {{ fields: [{{ erp: name, crm: Name }}], at_least: 0.85 }}\n{create}");
    World::new(Plan::default(), &[(BY_TAX_ID, NORMALIZED), (create, &suggest)]).await
}

async fn suggestions(world: &World) -> Vec<Suggestion> {
    let filter = SuggestionFilter::default();
    world.store().suggestions(&filter, Page::first(10)).await.unwrap()
}

fn customer(tax_id: &str, name: &str) -> String {
    format!(r#"{{"kind":"customer","status":"active","name":"{name}","tax_id":"{tax_id}"}}"#)
}

#[tokio::test]
async fn records_match_by_what_normalizers_leave_in_listings_and_in_searches() {
    let world = World::new(Plan::default(), &[(BY_TAX_ID, NORMALIZED)]).await;
    let account = |vat: &str| world.account(&format!(r#"{{"Name":"Theirs","VatNumber":"{vat}","Status":"Active"}}"#));
    let listed = world.customer(&customer("BR 11.222.333/0001-81", "Listed"));
    let partner = account("BR11222333000181");
    world.full().await;
    assert_eq!(world.link_of(&listed).await.unwrap().link.right_id, partner);
    // One record alone: the other system knows literal values only, and is asked for the usual spellings.
    let searched = world.customer(&customer("BR 19.131.243/0001-97", "Searched"));
    let partner = account("BR19131243000197");
    world.event(Side::Left, &searched).await;
    world.drain().await;
    assert_eq!(world.link_of(&searched).await.unwrap().link.right_id, partner);
    assert_eq!(world.account_count(), 2, "none is made twice");
}

#[tokio::test]
async fn a_suggestion_links_nothing_and_keeps_a_second_record_from_being_made() {
    let world = suggesting().await;
    let customer = world.customer(&customer("BR 11.222.333/0001-81", "Zeder Druck GmbH"));
    let account = world.account(r#"{"Name":"Zeder Durck","Status":"Active"}"#);
    let report = world.full().await;
    assert_eq!((report.counters.linked, report.counters.created), (0, 0));
    let found = suggestions(&world).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].left_id.as_str(), found[0].right_id.as_str()),
        (customer.as_str(), account.as_str())
    );
    assert!((850..1_000).contains(&found[0].score));
    assert_eq!(found[0].compared[0].left, "Zeder Druck GmbH");
    // Not by an event either, nor by the next reconciliation.
    world.event(Side::Left, &customer).await;
    world.drain().await;
    world.reconcile().await;
    assert!(world.links().await.is_empty());
    assert_eq!((world.account_count(), suggestions(&world).await.len()), (1, 1));
}

#[tokio::test]
async fn an_accepted_suggestion_is_linked_and_compared_on_the_normal_road() {
    let world = suggesting().await;
    let customer = world.customer(&customer("BR 11.222.333/0001-81", "Zeder Druck GmbH"));
    let account = world.account(r#"{"Name":"Zeder Durck","Status":"Active"}"#);
    world.full().await;
    let id = suggestions(&world).await[0].suggestion_id;
    let accepted = settling::accept_suggestion(world.store(), id, "user:ana")
        .await
        .unwrap();
    assert_eq!(accepted, Decided::Made);
    world.drain().await;
    assert_eq!(world.link_of(&customer).await.unwrap().link.right_id, account);
    assert_eq!(
        world.account_now(&account)["Name"],
        "Zeder Druck GmbH",
        "as at any first match"
    );
    assert_eq!(suggestions(&world).await[0].status, SuggestionStatus::Linked);
    let again = settling::accept_suggestion(world.store(), id, "user:ana")
        .await
        .unwrap();
    assert_eq!(again, Decided::Settled);
    let audits = world.store().audits(Page::first(10)).await.unwrap();
    assert!(
        audits
            .iter()
            .any(|one| one.entry.action == "suggestion.accept" && one.entry.actor == "user:ana")
    );
    // Whoever parts the pair again is not overruled by what was accepted once.
    let link_id = world.link_of(&customer).await.unwrap().link.link_id;
    syncline::server::decision::end_link(world.store(), link_id, "user:ana")
        .await
        .unwrap();
    world.edit_account(&account, r#"{"VatNumber":null}"#);
    world.edit_customer(&customer, r#"{"tax_id":"BR 19.131.243/0001-97"}"#);
    world.reconcile().await;
    assert_ne!(
        world.link_of(&customer).await.map(|one| one.link.right_id),
        Some(account)
    );
}

#[tokio::test]
async fn a_rejected_suggestion_is_not_made_again_and_the_record_gets_its_partner() {
    let world = suggesting().await;
    let customer = world.customer(&customer("BR 11.222.333/0001-81", "Zeder Druck GmbH"));
    let account = world.account(r#"{"Name":"Zeder Durck","Status":"Active"}"#);
    world.full().await;
    let id = suggestions(&world).await[0].suggestion_id;
    settling::reject_suggestion(world.store(), id, "user:ana")
        .await
        .unwrap();
    world.drain().await;
    let partner = world.link_of(&customer).await.unwrap().link.right_id;
    assert_ne!(partner, account);
    world.reconcile().await;
    assert_eq!(suggestions(&world).await[0].status, SuggestionStatus::Rejected);
}

#[tokio::test]
async fn a_record_that_waits_for_an_answer_says_so_in_the_report() {
    let world = suggesting().await;
    world.customers(20, 1);
    world.full().await;
    world.customer(&customer("BR 11.222.333/0001-81", "Zeder Druck GmbH"));
    world.account(r#"{"Name":"Zeder Durck","Status":"Active"}"#);
    let report = world.reconcile().await;
    let filter = DriftFilter {
        situation: Some(Situation::Absent),
        ..DriftFilter::default()
    };
    let items = world
        .store()
        .drift(report.run_id, &filter, Page::first(10))
        .await
        .unwrap();
    assert_eq!(items.len(), 2, "one of each side: {items:?}");
    assert!(items.iter().all(|item| item.outcome == DriftOutcome::Reported));
    assert!(
        items.iter().any(|item| item
            .note
            .as_ref()
            .is_some_and(|note| note.contains("syncline suggestions"))),
        "{items:?}"
    );
    assert_eq!(world.links().await.len(), 1);
    assert_eq!(world.mapping(CUSTOMERS).suggest.as_ref().unwrap().at_least, 850);
}
