//! Webhooks over a real socket: what is stored, what is acknowledged, and what a stranger gets to see.

use std::{collections::BTreeMap, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use syncline::{
    core::{
        mapping::Mapping,
        problem::Problems,
        record::RecordKey,
        status::{ChangeOrigin, EventKind, EventStatus, Side},
        value::Value,
        webhook::{
            Recipe, Secret,
            event::{Definition, form::WebhooksForm},
            form::VerifyForm,
        },
    },
    server::Hook,
    store::{Op, Page, change::NewChange, event::EventFilter},
};

use crate::support::{
    app::{Setup, TestApp},
    http::{self, Answer},
};

mod address;
mod answer;
mod framing;
mod hostile;
mod made;
mod mutation;
mod order;
mod replay;
mod rotate;
mod settle;
mod size;
mod soap;
mod vector;
mod wycheproof;

/// A recipe as a connector would have it.
fn recipe(form: &serde_json::Value) -> Recipe {
    let form: VerifyForm = serde_json::from_value(form.clone()).unwrap();
    let mut problems = Problems::new();
    let recipe = Recipe::compile(&form, "/verify", &mut problems);
    recipe.unwrap_or_else(|| panic!("{:?}", problems.into_vec()))
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

async fn push(app: &TestApp, body: &serde_json::Value) -> Answer {
    let body = serde_json::to_vec(body).unwrap();
    push_raw(app, &body, &sign("canary-hook-secret", &body), &[]).await
}

async fn push_raw(app: &TestApp, body: &[u8], signature: &str, more: &[(&str, &str)]) -> Answer {
    let mut headers = vec![("X-Signature", signature), ("Content-Type", "application/json")];
    headers.extend(more);
    http::send(&app.address, "POST", "/webhooks/crm", &headers, body).await
}

fn events(count: usize) -> serde_json::Value {
    let events: Vec<_> = (0..count)
        .map(|number| json!({ "id": format!("E-{number}"), "entity": "account", "record": "ACC-1", "type": "updated" }))
        .collect();
    json!({ "events": events })
}

/// The tests' webhooks, with more said of them.
fn definition(more: &serde_json::Value) -> Result<Definition, Problems> {
    let mut said = json!({
        "verify": { "hmac": "sha256", "header": "X-Signature" },
        "events": "{{ body.events }}",
        "id": "{{ event.id }}",
        "object": "{{ event.entity }}",
        "record_id": "{{ event.record }}",
    });
    said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let form: WebhooksForm = serde_json::from_value(said).unwrap();
    let mut problems = Problems::new();
    let objects = std::iter::once("account").collect();
    Definition::compile(&form, "/webhooks", &objects, &mut problems).ok_or(problems)
}

fn hook(definition: Definition, mappings: &BTreeMap<String, Arc<Mapping>>) -> Hook {
    let secret = Secret::parse(definition.recipe(), &"canary-hook-secret".into()).unwrap();
    let settings = Arc::new(Value::Null);
    Hook::new("crm", Arc::new(definition), vec![secret], settings, mappings)
}

#[tokio::test]
async fn a_signed_event_is_stored_before_it_is_acknowledged() {
    let app = TestApp::start().await;
    let answer = push(&app, &events(3)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let stored = app
        .store
        .events(&EventFilter::default(), Page::first(10))
        .await
        .unwrap();
    assert_eq!(stored.len(), 3);
    assert_eq!(stored[0].record_id.as_deref(), Some("ACC-1"));
    assert_eq!(Some(stored[0].request_id.as_str()), answer.header("x-request-id"));
}

#[tokio::test]
async fn a_duplicate_is_acknowledged_and_changes_nothing() {
    let app = TestApp::start().await;
    assert_eq!(push(&app, &events(1)).await.text(), "stored\n");
    let again = push(&app, &events(1)).await;
    assert_eq!((again.status, again.text().as_str()), (200, "known\n"));
    assert_eq!(
        app.store
            .events(&EventFilter::default(), Page::first(10))
            .await
            .unwrap()
            .len(),
        1
    );
    let metrics = app.get("/metrics", "").await.text();
    assert!(
        metrics.contains("syncline_intake_total{system=\"crm\",result=\"duplicate\"} 1"),
        "{metrics}"
    );
    assert!(metrics.contains("syncline_events_total{system=\"crm\"} 1"), "{metrics}");
}

#[tokio::test]
async fn an_event_about_several_records_is_stored_as_one_of_each_and_known_again() {
    let app = TestApp::start().await;
    let event = json!({ "id": "E-1", "entity": "account", "record": ["ACC-1", ["ACC-2", "ACC-3"]], "type": "updated" });
    let body = json!({ "events": [event] });
    assert_eq!(push(&app, &body).await.text(), "stored\n");
    let stored = async || {
        let events = app
            .store
            .events(&EventFilter::default(), Page::first(10))
            .await
            .unwrap();
        let mut told: Vec<_> = events
            .into_iter()
            .map(|event| (event.external_id, event.record_id.unwrap()))
            .collect();
        told.sort();
        told
    };
    let each = ["1", "2", "3"].map(|number| (format!("E-1/ACC-{number}"), format!("ACC-{number}")));
    assert_eq!(stored().await, each);
    assert_eq!(push(&app, &body).await.text(), "known\n");
    assert_eq!(stored().await, each);
}

#[tokio::test]
async fn our_own_echo_is_stored_and_ignored() {
    let app = TestApp::start().await;
    let mut body = events(1);
    body["events"][0]["actor"] = json!("client:syncline");
    assert_eq!(push(&app, &body).await.status, 200);
    let stored = app.store.events(&EventFilter::default(), Page::first(1)).await.unwrap();
    assert_eq!((stored[0].own, stored[0].status), (true, EventStatus::Ignored));
}

#[tokio::test]
async fn strangers_all_get_the_same_answer_and_nothing_is_stored() {
    let app = TestApp::start().await;
    let body = serde_json::to_vec(&events(1)).unwrap();
    let good = sign("canary-hook-secret", &body);
    let mut answers = Vec::new();
    for signature in [
        "",
        "00",
        "zz",
        &good[1..],
        &sign("another", &body),
        &format!("{good}00"),
    ] {
        answers.push(push_raw(&app, &body, signature, &[]).await);
    }
    answers.push(http::send(&app.address, "GET", "/webhooks/crm", &[], b"").await);
    answers.push(push_raw(&app, b"not json", &good, &[]).await);
    for answer in &answers {
        assert_eq!((answer.status, answer.text().as_str()), (401, "not verified\n"));
    }
    assert!(
        app.store
            .events(&EventFilter::default(), Page::first(1))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn nobody_learns_which_systems_there_are() {
    let app = TestApp::start_with("[server]\nwebhook_body_bytes_max = 1000").await;
    let large = vec![b'x'; 1_001];
    for (body, more) in [
        (&b"{}"[..], &[][..]),
        (&large, &[]),
        (b"{}", &[("Content-Encoding", "gzip")]),
    ] {
        let headers = [&[("X-Signature", "00"), ("X-Request-Id", "r-1")][..], more].concat();
        let known = http::send(&app.address, "POST", "/webhooks/crm", &headers, body).await;
        let unknown = http::send(&app.address, "POST", "/webhooks/erp", &headers, body).await;
        let all = |answer: &Answer| {
            let headers = answer.headers.iter().filter(|(name, _)| name != "date").cloned();
            (answer.status, headers.collect::<Vec<_>>(), answer.text())
        };
        assert_eq!(all(&known), all(&unknown));
        assert!(known.status >= 400, "{}", known.status);
    }
}

#[tokio::test]
async fn a_signed_body_that_is_not_what_was_agreed_says_so_to_its_sender() {
    let app = TestApp::start().await;
    for (body, part) in [
        (&b"<html>"[..], "not the JSON it should be"),
        (b"{}", "no `events`"),
        (b"{\"events\":[{}]}", "event 0 has no `object`"),
        (b"{\"events\":[],\"events\":[]}", "duplicate key"),
    ] {
        let answer = push_raw(&app, body, &sign("canary-hook-secret", body), &[]).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(part), "{}", answer.text());
    }
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let answer = push_raw(&app, deep.as_bytes(), &sign("canary-hook-secret", deep.as_bytes()), &[]).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn a_large_or_coded_body_is_refused_before_it_is_verified() {
    let app = TestApp::start_with("[server]\nwebhook_body_bytes_max = 1000").await;
    let large = vec![b'x'; 1_001];
    assert_eq!(
        push_raw(&app, &large, &sign("canary-hook-secret", &large), &[])
            .await
            .status,
        413
    );
    let fits = vec![b'x'; 1_000];
    assert_eq!(
        push_raw(&app, &fits, &sign("canary-hook-secret", &fits), &[])
            .await
            .status,
        400
    );
    let coded = push_raw(
        &app,
        b"{}",
        &sign("canary-hook-secret", b"{}"),
        &[("Content-Encoding", "gzip")],
    )
    .await;
    assert_eq!(coded.status, 415);
}

#[tokio::test]
async fn a_handshake_is_answered_with_what_it_asks_for() {
    let app = TestApp::start().await;
    let answer = push(&app, &json!({ "challenge": "abc" })).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "abc"));
    let body = b"{\"challenge\":\"abc\"}";
    assert_eq!(push_raw(&app, body, "00", &[]).await.status, 401);
}

#[tokio::test]
async fn a_full_queue_or_a_store_that_is_gone_sends_the_sender_away_for_a_while() {
    let app = TestApp::start_with("[limits]\nqueue_max = 1").await;
    let key = RecordKey::new("customer-account", Side::Left, "7");
    let change = NewChange::new(key, ChangeOrigin::Manual, EventKind::Updated);
    app.store.commit(vec![Op::Enqueue(change)]).await.unwrap();
    app.app.observe().await;
    let full = push(&app, &events(1)).await;
    assert_eq!((full.status, full.header("retry-after")), (503, Some("5")));

    let app = TestApp::start().await;
    app.app.stop();
    let stopping = push(&app, &events(1)).await;
    assert_eq!((stopping.status, stopping.header("retry-after")), (503, Some("5")));

    let app = TestApp::start().await;
    app.store.close().await;
    let gone = push(&app, &events(1)).await;
    assert_eq!((gone.status, gone.header("retry-after")), (503, Some("5")));
    assert_eq!(app.get("/readyz", "").await.status, 503);
    assert_eq!(app.get("/healthz", "").await.status, 200);
}

#[tokio::test]
async fn a_full_store_sends_the_sender_away_for_a_while_and_loses_nothing_that_was_acknowledged() {
    let setup = Setup {
        store_bytes_max: Some(800 * 1024),
        ..Setup::new("")
    };
    let app = setup.start().await;
    let mut acknowledged = 0;
    let refused = loop {
        let batch: Vec<_> = (0..500)
            .map(|number| json!({ "id": format!("{acknowledged}-{number}"), "entity": "account", "record": "ACC-1" }))
            .collect();
        let answer = push(&app, &json!({ "events": batch })).await;
        if answer.status != 200 {
            break answer;
        }
        acknowledged += 500;
        assert!(acknowledged < 50_000, "the store never got full");
    };
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(
        refused
            .header("retry-after")
            .is_some_and(|seconds| seconds.parse::<u32>().is_ok())
    );
    assert!(acknowledged > 0);
    let since = app.clock.now() - chrono::TimeDelta::days(1);
    let stored = app.store.event_count("crm", "account", "ACC-1", since).await.unwrap();
    assert_eq!(stored, acknowledged);
}
