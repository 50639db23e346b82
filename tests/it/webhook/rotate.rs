//! A secret that is changed while events come, and requests that somebody kept and sends again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde_json::json;
use syncline::{
    clock::Clock,
    core::{value::Value, webhook::Secret},
    server::Hook,
};

use super::sign;
use crate::support::{
    app::{self, Setup, TestApp},
    http::Connection,
    rig::Budget,
};

/// Who sends at the same time.
const SENDERS: u64 = 8;
const OLD: &str = "canary-hook-secret";
const NEW: &str = "canary-hook-secret-of-tomorrow";

fn start() -> DateTime<Utc> {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

/// A server whose system has two secrets, the first of them until `end`.
async fn rotating(clock: &Clock, end: DateTime<Utc>) -> TestApp {
    let mut setup = Setup::new("");
    setup.clock = clock.clone();
    let definition = app::definition();
    let secret = |text: &str| Secret::parse(definition.recipe(), &text.into()).unwrap();
    let secrets = vec![secret(OLD).until(Some(end)), secret(NEW)];
    let hook = Hook::new(
        "crm",
        Arc::clone(&definition),
        secrets,
        Arc::new(Value::Null),
        &BTreeMap::new(),
    );
    setup.hooks = BTreeMap::from([("crm".to_owned(), hook)]);
    setup.start().await
}

fn body(id: &str) -> Vec<u8> {
    let event = json!({ "id": id, "entity": "account", "record": "ACC-1", "type": "updated" });
    serde_json::to_vec(&json!({ "events": [event] })).unwrap()
}

async fn post(connection: &mut Connection, secret: &str, body: &[u8]) -> (u16, String) {
    let signature = sign(secret, body);
    let headers = [
        ("X-Signature", signature.as_str()),
        ("Content-Type", "application/json"),
    ];
    let answer = connection.post("/webhooks/crm", &headers, body).await.unwrap();
    (answer.status, answer.text())
}

/// What all senders get for `count` events each, signed with the one and the other secret in turns.
async fn answers(app: &TestApp, phase: &str, count: u64) -> Vec<(&'static str, u16)> {
    let sender = |number: u64| async move {
        let mut connection = Connection::new(&app.address);
        let mut answers = Vec::new();
        for event in 0..count {
            let secret = if event % 2 == 0 { OLD } else { NEW };
            let (status, _) = post(&mut connection, secret, &body(&format!("{phase}-{number}-{event}"))).await;
            answers.push((secret, status));
        }
        answers
    };
    join_all((0..SENDERS).map(sender)).await.concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_secret_is_changed_nothing_is_refused_and_after_its_end_the_old_one_opens_nothing() {
    let clock = Clock::manual(start());
    let end = start() + Duration::from_hours(1);
    let app = rotating(&clock, end).await;
    let count = if Budget::new(1, 1).is_nightly() { 2_500 } else { 30 };
    for (phase, at) in [("before", start()), ("end", end)] {
        clock.set(at);
        let answers = answers(&app, phase, count).await;
        assert!(answers.iter().all(|(_, status)| *status == 200), "{phase}");
    }
    clock.set(end + Duration::from_secs(1));
    for (secret, status) in answers(&app, "after", count).await {
        assert_eq!(status, if secret == OLD { 401 } else { 200 }, "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_kept_and_sends_again_has_no_second_effect_and_what_only_looks_alike_is_taken() {
    let clock = Clock::manual(start());
    let app = rotating(&clock, start()).await;
    let count = if Budget::new(1, 1).is_nightly() { 100_000 } else { 400 };
    let share = count / SENDERS;
    let send_all = |expected: &'static str| {
        let app = &app;
        join_all((0..SENDERS).map(move |number| async move {
            let mut connection = Connection::new(&app.address);
            for event in 0..share {
                let (status, said) = post(&mut connection, NEW, &body(&format!("kept-{number}-{event}"))).await;
                assert_eq!((status, said.trim()), (200, expected));
            }
        }))
    };
    send_all("stored").await;
    for later in [
        Duration::ZERO,
        Duration::from_hours(1),
        Duration::from_hours(74),
        Duration::from_hours(29 * 24),
    ] {
        clock.set(start() + later);
        send_all("known").await;
    }
    let metrics = app.get("/metrics", "").await.text();
    let line = format!("syncline_events_total{{system=\"crm\"}} {}", share * SENDERS);
    assert!(metrics.contains(&line), "{line}: {metrics}");
    // The same in all but the id: a second change that really happened.
    let mut connection = Connection::new(&app.address);
    for number in 0..share {
        let (_, said) = post(&mut connection, NEW, &body(&format!("alike-{number}"))).await;
        assert_eq!(said.trim(), "stored");
    }
}
