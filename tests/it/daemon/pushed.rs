//! Events that carry the whole record, over HTTP and in any order.

use serde_json::Value as Json;

use super::site::until;
use crate::support::house::{House, PERSON, Plot, Sender};

/// The ERP's events carry the customer, and when it changed is its version.
fn plot() -> Plot {
    let own = r#"  own: "{{ event.actor == settings.integration_actor }}""#;
    let complete = format!(
        "{own}\n  record: \"{{{{ event.record | default(none) }}}}\"\n  version: \"{{{{ event.record.updated | default(none) }}}}\"\n  complete: yes"
    );
    Plot {
        edits: vec![("connectors/sandbox-erp.yaml", own.to_owned(), complete)],
        ..Plot::default()
    }
}

/// An event with the customer as it is now.
fn event(house: &House, id: &str, customer: &str) -> String {
    let record: Json = serde_json::from_str(&house.systems.erp.read("customer", customer).unwrap().json).unwrap();
    serde_json::json!({
        "id": id, "type": "customer.updated", "occurred_at": "2026-03-01T09:15:27.482913+00:00",
        "object": "customer", "object_id": customer.parse::<u64>().unwrap(), "actor": PERSON, "record": record,
    })
    .to_string()
}

/// A house whose first customer is linked.
async fn linked() -> (House, Sender, String) {
    let house = House::build(&plot()).await;
    house.start().await;
    let customer = house.customers().swap_remove(0);
    let mut sender = Sender::new(&house.address);
    house.rename(&customer, "Linked");
    sender.deliver("first", &customer).await;
    house.settled().await;
    until("the work on it is done", async || {
        (house.number("select count(*) from change") == 0).then_some(())
    })
    .await;
    (house, sender, customer)
}

fn reads(house: &House, customer: &str) -> usize {
    let path = format!("/api/customers/{customer}");
    house.systems.erp.history().requests_to("GET", &path).len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complete_push_is_applied_without_reading_and_an_older_one_after_it_is_dropped_as_stale() {
    let (house, mut sender, customer) = linked().await;
    let read = reads(&house, &customer);
    house.rename(&customer, "Second");
    let second = event(&house, "second", &customer);
    house.rename(&customer, "Third");
    let third = event(&house, "third", &customer);
    assert!(sender.send_body(&third).await);
    house.settled().await;
    let since = house.systems.crm.history().commits().len();
    assert!(sender.send_body(&second).await);
    until("the older one is dropped", async || {
        let dropped = "select count(*) from event where external_id = 'second' and status = 'ignored' \
                       and last_error like 'stale: it carries version%'";
        (house.number(dropped) == 1).then_some(())
    })
    .await;
    assert!(house.written(since).is_empty(), "the older one was applied");
    assert_eq!(reads(&house, &customer), read, "the record was read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_pushes_that_come_in_the_wrong_order_the_newest_wins() {
    let (house, mut sender, customer) = linked().await;
    let names = ["One", "Two", "Three", "Four"];
    let mut events = Vec::new();
    for name in names {
        house.rename(&customer, name);
        events.push(event(&house, name, &customer));
    }
    for body in events.iter().rev() {
        assert!(sender.send_body(body).await);
    }
    until("all are worked on", async || {
        let open = "select count(*) from event where status in ('received', 'queued')";
        (house.number(open) == 0).then_some(())
    })
    .await;
    house.settled().await;
    let written: Vec<String> = house
        .written(0)
        .into_iter()
        .filter_map(|commit| commit.after.map(|json| json.to_string()))
        .collect();
    for older in ["One", "Two", "Three"] {
        let name = format!("\"Name\":\"{older}\"");
        assert!(
            written.iter().all(|json| !json.contains(&name)),
            "`{older}` was written"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_cannot_be_put_in_order_is_read_as_without_a_payload() {
    let (house, mut sender, customer) = linked().await;
    let read = reads(&house, &customer);
    house.rename(&customer, "Now");
    let event = event(&house, "unordered", &customer);
    let mut event: Json = serde_json::from_str(&event).unwrap();
    event["record"]["name"] = "Made up".into();
    event["record"]["updated"] = "some time".into();
    assert!(sender.send_body(&event.to_string()).await);
    house.settled().await;
    assert!(reads(&house, &customer) > read, "it was believed");
}
