//! Records that belong to a record: contacts of a customer, mapped to flat fields of an account.

use std::time::Duration;

use syncline::{
    core::status::{RunKind, RunStatus, Side, Trigger},
    sandbox::{
        fault::{Fault, Order},
        seed::Plan,
    },
    sync::poll,
};

use super::{CUSTOMERS, World, quietly};

const PAGE: &str = r#"page: { offset: 0, send: { query: offset }, size: "{{ settings.page_size }}", total: total }"#;
const NOTE: &str = "  - { erp: note, crm: Description, empty: clear, conflict: manual, sensitive: yes }\n";
const EMAIL: &str = "  - { erp: email, crm: Email, compare: email, sensitive: yes }\n  - { erp: phone, crm: Phone, compare: phone, sensitive: yes }\n  - { erp: status";
const CREATE: &str = "create: { crm: yes, erp: no }";
const GET: &str = "    get: { get: \"/customers/{{ id }}\" }\n";
const FIND: &str = "    find:\n      get: /contacts\n";
const RULE: &str =
    "  - { erp: tax_id, crm: VatNumber, compare: alphanumeric }\n  - { erp: email, crm: Email, compare: email }\n";

/// Customers with their contacts in them, of which the one for billing is an account's address and description.
async fn world(mapping: &[(&str, &str)]) -> World {
    let parts = format!("{GET}    parts: {{ contacts: {{ object: contact, parent: customer_id, needs: email }} }}\n");
    let of_parents = format!(
        "    of_parents:\n      get: /contacts\n      query: {{ customer_id: \"{{{{ ids | join(',') }}}}\", limit: \"{{{{ page.size }}}}\" }}\n      \
         records: data\n      {PAGE}\n{FIND}"
    );
    let email = "  - { erp: \"contacts[role=billing].email\", crm: Email, compare: email, empty: clear }\n  - { erp: \
                 \"contacts[role=billing].last_name\", crm: Description }\n  - { erp: status";
    let mut edits = vec![
        (GET, parts.as_str()),
        (FIND, of_parents.as_str()),
        (EMAIL, email),
        (NOTE, ""),
        (RULE, "  - { erp: tax_id, crm: VatNumber, compare: alphanumeric }\n"),
        (CREATE, "create: { crm: yes, erp: yes }"),
        ("prefer: erp", "poll: { erp: 60s }\nprefer: erp"),
    ];
    edits.extend_from_slice(mapping);
    World::new(Plan::default(), &edits).await
}

impl World {
    fn contact(&self, customer: &str, role: &str, name: &str, email: &str) -> String {
        let json = format!(r#"{{"customer_id":{customer},"role":"{role}","last_name":"{name}","email":"{email}"}}"#);
        self.systems.erp.create("contact", &json, &quietly()).unwrap().id
    }

    /// Role, name and e-mail of each contact of a customer.
    fn contacts(&self, customer: &str) -> Vec<(String, String, String)> {
        let found = self.systems.erp.find("contact", "customer_id", customer).unwrap();
        let read = |json: &str| {
            let contact: serde_json::Value = serde_json::from_str(json).unwrap();
            let text = |name: &str| contact[name].as_str().unwrap_or_default().to_owned();
            (text("role"), text("last_name"), text("email"))
        };
        found.iter().map(|one| read(&one.json)).collect()
    }

    async fn partner(&self, customer: &str) -> serde_json::Value {
        let link = self.link_of(customer).await.unwrap();
        self.account_now(&link.link.right_id)
    }
}

fn billing(name: &str, email: &str) -> (String, String, String) {
    ("billing".to_owned(), name.to_owned(), email.to_owned())
}

#[tokio::test]
async fn parts_are_read_with_their_records_and_written_back_to_them() {
    let world = world(&[]).await;
    let customer = world.customers(0, 3).swap_remove(1);
    world.contact(&customer, "sales", "Lima", "lima@example.com");
    world.contact(&customer, "billing", "Reis", "reis@example.com");
    world.full().await;
    let account = world.partner(&customer).await;
    assert_eq!(
        (&account["Email"], &account["Description"]),
        (&"reis@example.com".into(), &"Reis".into())
    );
    let link = world.link_of(&customer).await.unwrap().link.right_id;
    world.edit_account(&link, r#"{"Email":"new@example.com"}"#);
    world.reconcile().await;
    let sales = ("sales".to_owned(), "Lima".to_owned(), "lima@example.com".to_owned());
    assert_eq!(
        world.contacts(&customer),
        [sales.clone(), billing("Reis", "new@example.com")]
    );
    // What is cleared is removed, and nothing else.
    world.edit_account(&link, r#"{"Email":null,"Description":null}"#);
    world.event(Side::Right, &link).await;
    world.drain().await;
    assert_eq!(world.contacts(&customer), [sales]);
    let last = world.reconcile().await;
    assert_eq!((last.status, last.counters.updated), (RunStatus::Succeeded, 0));
}

#[tokio::test]
async fn a_record_that_is_made_gets_its_parts_in_the_same_run_and_is_told_as_made() {
    let world = world(&[]).await;
    let account =
        world.account(r#"{"Name":"Acme","Email":"reis@acme.example","Description":"Reis","Status":"Active"}"#);
    let report = world.full().await;
    assert_eq!(report.status, RunStatus::Succeeded, "{:?}", world.failures().await);
    assert_eq!((report.counters.created, report.counters.updated), (1, 0));
    let customer = world
        .store()
        .link_by(CUSTOMERS, Side::Right, &account)
        .await
        .unwrap()
        .unwrap()
        .link
        .left_id;
    assert_eq!(world.contacts(&customer), [billing("Reis", "reis@acme.example")]);
    let again = world.reconcile().await;
    assert_eq!((again.counters.created, again.counters.updated), (0, 0));
    // The next one comes by an event.
    let account = world.account(r#"{"Name":"Beta","Email":"b@beta.example","Description":"Boa","Status":"Active"}"#);
    world.event(Side::Right, &account).await;
    world.drain().await;
    let customer = world
        .store()
        .link_by(CUSTOMERS, Side::Right, &account)
        .await
        .unwrap()
        .unwrap()
        .link
        .left_id;
    assert_eq!(world.contacts(&customer), [billing("Boa", "b@beta.example")]);
}

#[tokio::test]
async fn a_part_that_is_refused_fails_its_record_which_is_made_once_and_whole_later() {
    let world = world(&[]).await;
    let refuse = Order::next(4, Fault::status(422)).on("POST", "/api/contacts");
    world.systems.erp.faults().order(refuse).unwrap();
    let account =
        world.account(r#"{"Name":"Acme","Email":"reis@acme.example","Description":"Reis","Status":"Active"}"#);
    let report = world.full().await;
    assert_eq!((report.counters.created, report.counters.failed), (1, 1));
    assert_eq!(world.failures().await.len(), 1);
    world.systems.erp.faults().clear();
    let report = world.reconcile().await;
    assert_eq!((report.counters.created, report.counters.updated), (0, 1));
    let customer = world
        .store()
        .link_by(CUSTOMERS, Side::Right, &account)
        .await
        .unwrap()
        .unwrap()
        .link
        .left_id;
    assert_eq!(world.contacts(&customer), [billing("Reis", "reis@acme.example")]);
    assert_eq!(world.systems.erp.all("customer").unwrap().len(), 1);
    assert!(world.failures().await.is_empty());
}

#[tokio::test]
async fn a_part_whose_answer_was_lost_is_not_made_twice() {
    for fault in [Fault::DropAnswer, Fault::DropBeforeCommit] {
        let world = world(&[]).await;
        let customer = world.customers(0, 1).swap_remove(0);
        world.full().await;
        let account = world.link_of(&customer).await.unwrap().link.right_id;
        world.edit_account(&account, r#"{"Email":"reis@example.com","Description":"Reis"}"#);
        let lose = Order::next(1, fault).on("POST", "/api/contacts");
        world.systems.erp.faults().order(lose).unwrap();
        world.event(Side::Right, &account).await;
        for _ in 0..4 {
            world.drain().await;
            world.advance(Duration::from_secs(20));
        }
        world.advance(Duration::from_mins(10));
        world.drain().await;
        world.reconcile().await;
        assert_eq!(world.contacts(&customer), [billing("Reis", "reis@example.com")]);
        assert_eq!(world.systems.erp.history().creates_of("contact").len(), 1);
    }
}

#[tokio::test]
async fn a_part_is_not_sent_again_while_the_first_request_may_be_under_way() {
    let world = world(&[]).await;
    let customer = world.customers(0, 1).swap_remove(0);
    world.full().await;
    let account = world.link_of(&customer).await.unwrap().link.right_id;
    world.edit_account(&account, r#"{"Email":"reis@example.com","Description":"Reis"}"#);
    let lose = Order::next(1, Fault::DropBeforeCommit).on("POST", "/api/contacts");
    world.systems.erp.faults().order(lose).unwrap();
    world.event(Side::Right, &account).await;
    world.drain().await;
    let sent = || world.systems.erp.history().requests_to("POST", "/api/contacts").len();
    let first = sent();
    world.advance(Duration::from_secs(30));
    world.event(Side::Right, &account).await;
    world.drain().await;
    assert_eq!(sent(), first, "it may still arrive");
    world.advance(Duration::from_mins(5));
    world.event(Side::Right, &account).await;
    world.drain().await;
    assert_eq!(world.contacts(&customer), [billing("Reis", "reis@example.com")]);
}

#[tokio::test]
async fn a_change_of_a_part_alone_is_found_by_polls_and_by_incremental_reconciliations() {
    let world = world(&[]).await;
    let customer = world.customers(0, 2).swap_remove(1);
    let contact = world.contact(&customer, "billing", "Reis", "reis@example.com");
    world.full().await;
    let edit = |json: &str| world.systems.erp.patch("contact", &contact, json, &quietly()).unwrap();
    edit(r#"{"email":"one@example.com"}"#);
    let mapping = world.mapping(CUSTOMERS);
    poll::poll(&world.engine, &mapping, Side::Left, Trigger::Schedule)
        .await
        .unwrap();
    world.drain().await;
    assert_eq!(world.partner(&customer).await["Email"], "one@example.com");
    poll::poll(&world.engine, &mapping, Side::Left, Trigger::Schedule)
        .await
        .unwrap();
    assert_eq!(world.store().queue_stats().await.unwrap().depth, 0, "it came up again");
    edit(r#"{"email":"two@example.com"}"#);
    world.run(CUSTOMERS, RunKind::Incremental, true).await;
    assert_eq!(world.partner(&customer).await["Email"], "two@example.com");
}

#[tokio::test]
async fn parts_that_no_mapping_asks_for_cost_no_request_and_a_listing_asks_once_a_hundred_records() {
    let parts = ("  - { erp: \"contacts[role=billing].email\"", "  - { erp: email");
    let other = (
        "  - { erp: \"contacts[role=billing].last_name\", crm: Description }\n",
        "",
    );
    let plain = world(&[]).await;
    plain.customers(0, 150);
    plain.full().await;
    plain.systems.erp.history().clear();
    plain.reconcile().await;
    let asked = plain.systems.erp.history().requests_to("GET", "/api/contacts").len();
    assert_eq!(asked, 2);
    let without = world(&[parts, other]).await;
    without.customers(0, 5);
    without.full().await;
    assert_eq!(
        without.systems.erp.history().requests_to("GET", "/api/contacts").len(),
        0
    );
}
