use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use super::*;
use crate::sandbox::fault::{Fault, Order};
use crate::sandbox::history::Outcome;
use crate::sandbox::office::Edit;
use crate::sandbox::webhook::{Delivering, SubscribeError};
use crate::sandbox::{crm, erp};

fn quick() -> Delivering {
    Delivering {
        attempts_max: 3,
        first_pause: Duration::from_millis(1),
        concurrency: 1,
        ..Delivering::default()
    }
}

async fn start() -> (erp::Handle, Receiver) {
    let options = erp::Options {
        plan: plan(10),
        delivering: quick(),
        ..erp::Options::default()
    };
    let erp = erp::start(options).await.unwrap();
    let receiver = Receiver::start().await;
    erp.subscribe(&receiver.url, &"secret".into()).unwrap();
    (erp, receiver)
}

fn touch(erp: &erp::Handle, ids: impl IntoIterator<Item = u32>) {
    for id in ids {
        erp.patch("customer", &id.to_string(), r#"{"note":"x"}"#, &Edit::by("user:anna"))
            .unwrap();
    }
}

#[tokio::test]
async fn every_write_sends_a_signed_event_and_a_silent_one_none() {
    let (erp, receiver) = start().await;
    erp_caller(&erp).patch("/api/customers/7", r#"{"note":"a"}"#).await;
    erp.patch("customer", "8", r#"{"note":"b"}"#, &Edit::by("user:anna").silently())
        .unwrap();
    erp.create(
        "contact",
        r#"{"customer_id":7,"last_name":"A"}"#,
        &Edit::by("user:anna"),
    )
    .unwrap();
    erp.webhooks_settled().await;
    let taken = receiver.taken();
    let shown: Vec<_> = taken
        .iter()
        .map(|(_, body)| (body["type"].clone(), body["actor"].clone()))
        .collect();
    let expected = [
        (json!("customer.updated"), json!("key:integration")),
        (json!("contact.created"), json!("user:anna")),
    ];
    assert_eq!(shown, expected);

    let (headers, body) = receiver.taken.lock().unwrap()[0].clone();
    let header = headers["nordwind-signature"].to_str().unwrap();
    let (time, signature) = header.split_once(",v1=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
    mac.update(format!("{}.{body}", time.strip_prefix("t=").unwrap()).as_bytes());
    assert_eq!(signature, hex::encode(mac.finalize().into_bytes()));
}

#[tokio::test]
async fn a_refused_event_is_sent_again_and_given_up_after_the_last_attempt() {
    let (erp, receiver) = start().await;
    receiver.answer_first(&[500, 503]);
    touch(&erp, [1]);
    erp.webhooks_settled().await;
    receiver.answer_first(&[500, 500, 500]);
    touch(&erp, [2]);
    erp.webhooks_settled().await;
    let ends: Vec<_> = erp
        .history()
        .deliveries()
        .iter()
        .map(|end| (end.outcome, end.attempts, end.status))
        .collect();
    assert_eq!(
        ends,
        [(Outcome::Delivered, 3, Some(200)), (Outcome::GaveUp, 3, Some(500))]
    );
    let ids: Vec<_> = receiver.taken().iter().map(|(_, body)| body["id"].clone()).collect();
    assert_eq!((ids.len(), &ids[0]), (6, &ids[2]));
}

#[tokio::test]
async fn a_receiver_that_says_gone_hears_nothing_more() {
    let (erp, receiver) = start().await;
    receiver.answer_first(&[410]);
    touch(&erp, [1]);
    erp.webhooks_settled().await;
    touch(&erp, [2, 3]);
    erp.webhooks_settled().await;
    assert_eq!(receiver.taken().len(), 1);
}

#[tokio::test]
async fn ordered_events_are_lost_doubled_and_reordered() {
    let (erp, receiver) = start().await;
    let order = |order| erp.faults().order(order).unwrap();
    order(Order::next(1, Fault::LoseWebhook).about("customer").after(1));
    touch(&erp, [1, 2, 3]);
    erp.webhooks_settled().await;
    assert_eq!(receiver.object_ids(), [1, 3]);
    order(Order::next(1, Fault::DoubleWebhook));
    touch(&erp, [4, 5]);
    erp.webhooks_settled().await;
    let mut doubled = receiver.object_ids().split_off(2);
    doubled.sort_unstable();
    assert_eq!(doubled, [4, 4, 5]);
    order(Order::next(1, Fault::ReorderWebhook));
    touch(&erp, [6, 7, 8]);
    erp.webhooks_settled().await;
    let mut late = receiver.object_ids().split_off(5);
    assert_eq!(late.first(), Some(&7), "{late:?}");
    late.sort_unstable();
    assert_eq!(late, [6, 7, 8]);
    assert_eq!(erp.history().counts().webhooks_lost, 1);
}

#[tokio::test]
async fn a_delayed_event_does_not_hold_up_the_others() {
    let (erp, receiver) = start().await;
    erp.faults()
        .order(Order::next(1, Fault::DelayWebhook { ms: 1000 }))
        .unwrap();
    touch(&erp, [1, 2, 3]);
    erp.webhooks_settled().await;
    assert_eq!(receiver.object_ids(), [2, 3, 1]);
}

#[tokio::test]
async fn a_crm_message_carries_many_events_under_one_standard_webhooks_signature() {
    let options = crm::Options {
        plan: plan(30),
        delivering: quick(),
        ..crm::Options::default()
    };
    let crm = crm::start(options).await.unwrap();
    let receiver = Receiver::start().await;
    let short = crm.subscribe(&receiver.url, &"whsec_%%%".into());
    assert!(matches!(short, Err(SubscribeError::Secret(_))));
    let tls = crm.subscribe("https://example.com/", &"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into());
    assert!(matches!(tls, Err(SubscribeError::Url(_))));
    crm.subscribe(&receiver.url, &"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into())
        .unwrap();
    for account in crm.all("account").unwrap().iter().take(20) {
        crm.patch("account", &account.id, r#"{"Description":"x"}"#, &Edit::by("user:anna"))
            .unwrap();
    }
    crm.webhooks_settled().await;
    let taken = receiver.taken();
    let events: Vec<_> = taken
        .iter()
        .flat_map(|(_, body)| body["events"].as_array().unwrap().clone())
        .collect();
    assert_eq!(events.len(), 20);
    assert!(taken.len() < 20, "{} messages for 20 events", taken.len());
    assert_eq!(
        (&events[0]["type"], &events[0]["entity"], &events[0]["mergedInto"]),
        (&json!("updated"), &json!("account"), &Value::Null)
    );
    let (headers, _) = &taken[0];
    assert!(headers["webhook-id"].to_str().unwrap().starts_with("msg_EV-"));
    assert!(headers["webhook-signature"].to_str().unwrap().starts_with("v1,"));
}

#[tokio::test]
async fn receivers_are_kept_by_http_and_an_address_counts_once() {
    let (erp, receiver) = start().await;
    let operator = Caller::new(erp.base_url());
    let body = json!({ "url": receiver.url, "secret": "other" }).to_string();
    assert_eq!(operator.post("/_sandbox/webhooks", &body).await.status, 204);
    assert_eq!(
        operator.get("/_sandbox/webhooks").await.json(),
        json!({ "urls": [receiver.url] })
    );
    touch(&erp, [1]);
    erp.webhooks_settled().await;
    assert_eq!(receiver.taken().len(), 1);
    let url = json!({ "url": receiver.url }).to_string();
    assert_eq!(operator.send("DELETE", "/_sandbox/webhooks", &url).await.status, 204);
    touch(&erp, [2]);
    erp.webhooks_settled().await;
    assert_eq!(receiver.taken().len(), 1);
}
