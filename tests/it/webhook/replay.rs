//! Requests that somebody kept and sends again under new ids, which senders such as GitHub or Shopify do not sign. An event is
//! a hint where to look: what is found to be as it should is not written again, and the same hint after a real change counts.

use futures_util::future::join_all;
use serde_json::Value as Json;

use super::sign;
use crate::{
    daemon::site::until,
    support::{
        house::{House, PERSON, Plot, doubled, inverted},
        http::Connection,
        rig::{Budget, Chance, report},
    },
};

/// How the ERP of a house signs.
const SECRET: &str = "house-erp-webhook-secret";
/// Customers that are told of.
const CUSTOMERS: usize = 8;

/// A house whose ERP signs the body alone: neither a time nor the id of the event, which stands in a header.
fn plot(more: &str) -> Plot {
    let verify = "verify: { hmac: sha256, header: Nordwind-Signature, format: csv_kv, tag: v1, timestamp: { tag: t }, tolerance: 5m }";
    let connector = "connectors/sandbox-erp.yaml";
    let own = r#"  own: "{{ event.actor == settings.integration_actor }}""#;
    Plot {
        edits: vec![
            (
                connector,
                verify.to_owned(),
                "verify: { hmac: sha256, header: X-Signature }".to_owned(),
            ),
            (
                connector,
                r#"id: "{{ event.id }}""#.to_owned(),
                r#"id: "{{ headers['x-delivery'] }}""#.to_owned(),
            ),
            (connector, own.to_owned(), format!("{own}{more}")),
        ],
        ..Plot::default()
    }
}

/// An event as it was sent, and as somebody may send it again.
#[derive(Clone)]
struct Kept {
    body: String,
    signature: String,
}

impl Kept {
    fn new(body: String) -> Self {
        let signature = sign(SECRET, body.as_bytes());
        Self { body, signature }
    }

    /// That something happened to this customer: the same, byte for byte, whenever it does.
    fn hint(customer: &str) -> Self {
        Self::new(format!(
            r#"{{"type":"customer.updated","object":"customer","object_id":{customer},"actor":"{PERSON}"}}"#
        ))
    }

    /// What the customer is like now, and since when.
    fn whole(house: &House, customer: &str) -> Self {
        let record: Json = serde_json::from_str(&house.systems.erp.read("customer", customer).unwrap().json).unwrap();
        Self::new(format!(
            r#"{{"type":"customer.updated","object":"customer","object_id":{customer},"actor":"{PERSON}","record":{record}}}"#
        ))
    }

    /// Sends it under an id that nobody has sent yet.
    async fn send(&self, connection: &mut Connection, id: &str) {
        let headers = [("X-Signature", self.signature.as_str()), ("X-Delivery", id)];
        let answer = connection.post("/webhooks/erp", &headers, self.body.as_bytes()).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "stored\n"), "{id}");
    }
}

/// Sends each of these `copies` times under new ids, by several senders at once; how many were sent.
async fn send_again(house: &House, kept: &[Kept], copies: usize, wave: &str) -> usize {
    join_all(kept.iter().enumerate().map(|(number, event)| async move {
        let mut connection = Connection::new(&house.address);
        for copy in 0..copies {
            let id = format!("{wave}-{number}-{copy}");
            event.send(&mut connection, &id).await;
        }
    }))
    .await;
    kept.len() * copies
}

/// Waits until nothing that was taken in is left to be done.
async fn worked_off(house: &House) {
    until("all events are worked off", async || {
        let open = "select (select count(*) from event where status in ('received', 'queued')) + (select count(*) from change)";
        (house.number(open) == 0).then_some(())
    })
    .await;
}

/// How many requests the CRM got that would write, refused or not.
fn writes(house: &House) -> usize {
    let requests = house.systems.crm.history().requests();
    let is_write = |method: &str, path: &str| method != "GET" && !path.starts_with("/oauth");
    requests
        .iter()
        .filter(|request| is_write(&request.method, &request.path))
        .count()
}

/// Renames every customer, each by a name of its own that grows.
fn rename_all(house: &House, customers: &[String], round: u64) {
    for (number, customer) in customers.iter().enumerate() {
        house.rename(customer, &format!("Replayed {number}-{round}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_request_under_new_ids_writes_nothing_and_the_same_bytes_after_a_real_change_do() {
    let mut budget = Budget::new(3, 1_250);
    let house = House::build(&plot("")).await;
    house.start().await;
    let mut customers = house.customers();
    customers.truncate(CUSTOMERS);
    let kept: Vec<Kept> = customers.iter().map(|customer| Kept::hint(customer)).collect();
    let (mut changes, mut replays) = (0, 0);
    while budget.goes_on() {
        let round = budget.done();
        let since = house.systems.crm.history().counts().commits;
        rename_all(&house, &customers, round);
        changes += send_again(&house, &kept, 1, &format!("real-{round}")).await;
        house.settled().await;
        worked_off(&house).await;
        let written = house.written(since).len();
        assert_eq!(
            written,
            CUSTOMERS,
            "each real change takes effect once; {}",
            budget.replay()
        );
        let (since, asked) = (house.systems.crm.history().counts().commits, writes(&house));
        for wave in 0..2 {
            replays += send_again(&house, &kept, 10, &format!("kept-{round}-{wave}")).await;
            worked_off(&house).await;
        }
        assert!(
            house.written(since).is_empty(),
            "a replay was written; {}",
            budget.replay()
        );
        assert_eq!(
            writes(&house),
            asked,
            "a write was tried for a replay; {}",
            budget.replay()
        );
    }
    let written = house.written(0);
    assert_eq!(doubled(&written, false), Vec::<String>::new());
    assert_eq!(inverted(&written), Vec::<String>::new());
    let stored = house.number("select count(*) from event where system = 'erp'");
    assert_eq!(usize::try_from(stored).unwrap(), changes + replays);
    report(&format!(
        "{replays} replays under new ids wrote nothing; {changes} events with the same bytes took effect once each"
    ));
}

/// Where the record is in the request it is not read: what is older than what is known, and what is as old, is dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_kept_requests_that_carry_the_record_none_brings_an_older_value_back() {
    let budget = Budget::new(1, 1);
    let mut chance = budget.chance();
    let more = "\n  record: \"{{ event.record | default(none) }}\"\n  version: \"{{ event.record.updated | default(none) }}\"\n  complete: yes";
    let house = House::build(&plot(more)).await;
    house.start().await;
    let mut customers = house.customers();
    customers.truncate(CUSTOMERS);
    let mut kept = Vec::new();
    for round in 1..=3 {
        rename_all(&house, &customers, round);
        let now: Vec<Kept> = customers.iter().map(|id| Kept::whole(&house, id)).collect();
        send_again(&house, &now, 1, &format!("real-{round}")).await;
        house.settled().await;
        worked_off(&house).await;
        kept.extend(now);
    }
    let (commits, asked) = (house.written(0).len(), writes(&house));
    shuffle(&mut kept, &mut chance);
    let replays = send_again(&house, &kept, 10, "kept").await;
    worked_off(&house).await;
    assert_eq!(
        house.written(0).len(),
        commits,
        "a replay was written; {}",
        budget.replay()
    );
    assert_eq!(
        writes(&house),
        asked,
        "a write was tried for a replay; {}",
        budget.replay()
    );
    assert_eq!(doubled(&house.written(0), false), Vec::<String>::new());
    report(&format!("{replays} replays of whole records wrote nothing"));
}

fn shuffle(all: &mut [Kept], chance: &mut Chance) {
    for end in (1..all.len()).rev() {
        all.swap(end, usize::try_from(chance.below(end as u64 + 1)).unwrap());
    }
}
