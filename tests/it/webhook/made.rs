//! Pushes that are signed with the secret which their system made for the subscription.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use syncline::{
    clock::Clock,
    core::{connector::subscription::MadeSecret, value::Value},
    server::Hook,
    store::{Page, event::EventFilter, subscription::KeptSubscription},
};

use super::definition;
use crate::support::{
    app::{Setup, TestApp},
    http,
};

fn start() -> DateTime<Utc> {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

async fn started(clock: &Clock) -> TestApp {
    let verify = json!({ "verify": { "hmac": "sha256", "header": "X-Signature", "format": "named_bytes" } });
    let definition = Arc::new(definition(&verify).unwrap());
    let hook = Hook::new("crm", definition, Vec::new(), Arc::new(Value::Null), &BTreeMap::new());
    let mut setup = Setup::new("");
    setup.clock = clock.clone();
    setup.hooks = BTreeMap::from([("crm".to_owned(), hook.with_made_secrets())]);
    setup.start().await
}

/// The status of the answer to an event that is signed for a subscription.
async fn push(app: &TestApp, event: &str, (subscription, key): (&str, &str)) -> u16 {
    let event = json!({ "id": event, "entity": "account", "record": "ACC-1" });
    let body = serde_json::to_vec(&json!({ "events": [event] })).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(&body);
    let code = mac.finalize().into_bytes();
    let signature = BASE64_STANDARD.encode([subscription.as_bytes(), b":", code.as_slice()].concat());
    let headers = [
        ("X-Signature", signature.as_str()),
        ("Content-Type", "application/json"),
    ];
    http::send(&app.address, "POST", "/webhooks/crm", &headers, &body)
        .await
        .status
}

async fn keep(app: &TestApp, all: &[(&str, &str)]) {
    let kept: Vec<KeptSubscription> = all
        .iter()
        .map(|(id, key)| KeptSubscription {
            remote_id: (*id).to_owned(),
            topic: format!("topic of {id}"),
            expires_at: None,
            secret: Some(MadeSecret::from((*key).to_owned())),
        })
        .collect();
    app.store.keep_subscriptions("crm", &kept).await.unwrap();
}

#[tokio::test]
async fn a_push_counts_with_the_secret_of_its_subscription_while_there_is_one() {
    let clock = Clock::manual(start());
    let app = started(&clock).await;
    let (first, second) = (("w1", "key of the first"), ("w2", "key of the second"));
    assert_eq!(push(&app, "before", first).await, 401, "nothing is subscribed to");
    // Made by whoever keeps the subscriptions, on this node or another.
    keep(&app, &[first, second]).await;
    clock.set(start() + Duration::from_secs(2));
    assert_eq!(push(&app, "1", first).await, 200);
    assert_eq!(push(&app, "2", second).await, 200);
    for forged in [("w2", first.1), ("w3", first.1), ("w1", "a guess")] {
        assert_eq!(push(&app, "forged", forged).await, 401, "{forged:?}");
    }
    keep(&app, &[second]).await;
    clock.set(start() + Duration::from_secs(70));
    assert_eq!(push(&app, "after", first).await, 401, "it was taken back");
    assert_eq!(push(&app, "3", second).await, 200);
    let stored = app
        .store
        .events(&EventFilter::default(), Page::first(10))
        .await
        .unwrap();
    let ids: Vec<&str> = stored.iter().map(|event| event.external_id.as_str()).collect();
    assert_eq!(ids, ["3", "2", "1"]);
}

#[tokio::test]
async fn a_secret_that_was_made_a_moment_ago_is_looked_up_and_not_for_every_stranger() {
    let clock = Clock::manual(start());
    let app = started(&clock).await;
    let one = ("w1", "key of the first");
    assert_eq!(push(&app, "a", ("w1", "a guess")).await, 401);
    keep(&app, &[one]).await;
    assert_eq!(
        push(&app, "b", one).await,
        401,
        "strangers can make us look once a second"
    );
    clock.set(start() + Duration::from_secs(1));
    assert_eq!(push(&app, "b", one).await, 200, "the sender tries again");
}
