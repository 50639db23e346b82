//! Requests that mean harm: nothing of them is stored, and nothing is learnt from the answers.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use serde_json::json;
use syncline::{
    core::{
        problem::Problems,
        value::Value,
        webhook::{Secret, event::Definition},
    },
    server::{Hook, listen},
    store::{Page, event::EventFilter},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use super::{events, push, push_raw, sign};
use crate::support::{
    app::{Setup, TestApp, definition},
    http,
    rig::{Budget, report},
};

async fn stored(app: &TestApp) -> usize {
    let filter = EventFilter::default();
    app.store.events(&filter, Page::first(1_000)).await.unwrap().len()
}

/// A system whose webhooks have these secrets.
fn hook(name: &str, definition: &Arc<Definition>, secrets: Vec<Secret>) -> (String, Hook) {
    let hook = Hook::new(
        name,
        Arc::clone(definition),
        secrets,
        Arc::new(Value::Null),
        &BTreeMap::new(),
    );
    (name.to_owned(), hook)
}

#[tokio::test]
async fn whatever_cannot_be_verified_is_turned_away_with_one_answer() {
    let mut setup = Setup::new("");
    let definition = definition();
    let secret = |text: &str| Secret::parse(definition.recipe(), &text.into());
    assert!(secret("").is_err(), "an empty secret keeps the daemon from starting");
    let ended = setup.clock.now() - chrono::TimeDelta::seconds(1);
    let expired = secret("canary-hook-secret").unwrap().until(Some(ended));
    setup.hooks.extend([
        hook("without", &definition, Vec::new()),
        hook("expired", &definition, vec![expired]),
    ]);
    let app = setup.start().await;
    let body = serde_json::to_vec(&events(1)).unwrap();
    let good = sign("canary-hook-secret", &body);
    for (system, signature) in [
        ("without", Some(good.as_str())),
        ("expired", Some(&good)),
        ("nobody", Some(&good)),
        ("..%2fcrm", Some(&good)),
        ("crm", Some("00")),
        ("crm", None),
    ] {
        let headers: Vec<_> = signature
            .map(|signature| ("X-Signature", signature))
            .into_iter()
            .collect();
        let answer = http::send(&app.address, "POST", &format!("/webhooks/{system}"), &headers, &body).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (401, "not verified\n"),
            "{system}"
        );
    }
    assert_eq!(stored(&app).await, 0);
}

#[tokio::test]
async fn what_a_body_calls_itself_decides_nothing() {
    let app = TestApp::start().await;
    let send = |body: Vec<u8>, kind: &'static str| {
        let (app, signature) = (&app, sign("canary-hook-secret", &body));
        async move {
            let headers = [("X-Signature", signature.as_str()), ("Content-Type", kind)];
            http::send(&app.address, "POST", "/webhooks/crm", &headers, &body)
                .await
                .status
        }
    };
    let kinds = [
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "text/html",
        "application/octet-stream",
        "application/json, multipart/form-data",
    ];
    for (index, kind) in kinds.into_iter().enumerate() {
        let event = json!({ "events": [{ "id": format!("K-{index}"), "entity": "account", "record": "A", "type": "updated" }] });
        assert_eq!(send(serde_json::to_vec(&event).unwrap(), kind).await, 200, "{kind}");
        for other in [
            &b"--x\r\nContent-Disposition: form-data; name=\"events\"\r\n\r\n[]\r\n--x--\r\n"[..],
            b"events=%5B%5D",
            b"<events/>",
            b"\xef\xbb\xbf{\"events\":[]}x",
            b"{\"events\":[]}{\"events\":[]}",
        ] {
            assert_eq!(send(other.to_vec(), kind).await, 400, "{kind}");
        }
    }
    assert_eq!(stored(&app).await, kinds.len());
}

/// All that comes back on one connection.
pub(super) async fn raw(app: &TestApp, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(&app.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(Duration::from_secs(20), reading)
        .await
        .expect("the connection stays open");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn no_second_request_is_smuggled_in_a_body() {
    let app = Setup {
        limits: listen::Limits {
            body_bytes_max: 8 << 20,
            header_timeout: SHORT,
            body_idle_timeout: SHORT,
            keep_alive_timeout: SHORT,
            ..listen::Limits::default()
        },
        ..Setup::new("")
    }
    .start()
    .await;
    let body = serde_json::to_vec(&events(1)).unwrap();
    let signature = sign("canary-hook-secret", &body);
    let inner = format!(
        "POST /webhooks/crm HTTP/1.1\r\nhost: x\r\nx-signature: {signature}\r\ncontent-length: {}\r\n\r\n{}",
        body.len(),
        String::from_utf8_lossy(&body)
    );
    let chunked = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
    for lengths in [
        format!("content-length: 0\r\ncontent-length: {}", inner.len()),
        format!("content-length: {}\r\ncontent-length: 0", inner.len()),
        format!("content-length: 0, {}", inner.len()),
        format!("content-length: +{}", inner.len()),
        "transfer-encoding: chunked, identity".to_owned(),
        "transfer-encoding: xchunked".to_owned(),
    ] {
        let request = format!("POST /webhooks/crm HTTP/1.1\r\nhost: x\r\n{lengths}\r\n\r\n{inner}");
        let answer = raw(&app, request.as_bytes()).await;
        assert!(!answer.contains("HTTP/1.1 200"), "{lengths}: {answer}");
    }
    // Both lengths at once: the chunks count, all of them are one body, and that is not signed.
    let request = format!(
        "POST /webhooks/crm HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n{chunked}"
    );
    let answer = raw(&app, request.as_bytes()).await;
    assert!(!answer.contains("HTTP/1.1 200"), "{answer}");
    assert_eq!(stored(&app).await, 0);
}

#[tokio::test]
async fn an_address_that_is_signed_is_ours_whatever_the_request_says() {
    let form = json!({
        "verify": { "hmac": "sha256", "header": "X-Signature", "message": ["method", { "url_decoded": ":/?" }, "body"] },
        "object": "account",
        "kind": "reread",
    });
    let mut problems = Problems::new();
    let objects = std::iter::once("account").collect();
    let definition = Definition::compile(
        &serde_json::from_value(form).unwrap(),
        "/webhooks",
        &objects,
        &mut problems,
    );
    let definition = Arc::new(definition.unwrap_or_else(|| panic!("{:?}", problems.into_vec())));
    let mut setup = Setup::new("[server]\npublic_url = \"https://sync.example.com\"");
    let secret = Secret::parse(definition.recipe(), &"secret".into()).unwrap();
    setup.hooks.extend([hook("hub", &definition, vec![secret])]);
    let app = setup.start().await;
    let signed_for = |origin: &str| sign("secret", format!("POST{origin}/webhooks/hub{{}}").as_bytes());
    let spoofs: &[(&str, &str)] = &[
        ("X-Forwarded-Host", "evil.example.com"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("Forwarded", "host=evil.example.com;proto=http"),
        ("X-Original-URL", "/webhooks/other"),
    ];
    for (origin, status) in [
        ("https://sync.example.com", 200),
        ("http://evil.example.com", 401),
        ("https://evil.example.com", 401),
        (&*format!("http://{}", app.address), 401),
    ] {
        let signature = signed_for(origin);
        let headers = [&[("X-Signature", signature.as_str())][..], spoofs].concat();
        let answer = http::send(&app.address, "POST", "/webhooks/hub", &headers, b"{}").await;
        assert_eq!(answer.status, status, "{origin}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_batch_is_stored_whole_or_not_at_all() {
    let app = TestApp::start().await;
    assert_eq!(push(&app, &events(1_000)).await.status, 200);
    assert_eq!(stored(&app).await, 1_000);
    let too_many = push(&app, &events(1_001)).await;
    assert_eq!(too_many.status, 400);
    let half = json!({ "events": [{ "id": "new", "entity": "account", "record": "A" }, { "id": "bad" }] });
    assert_eq!(push(&app, &half).await.status, 400);
    let filter = EventFilter {
        record_id: Some("A".into()),
        ..EventFilter::default()
    };
    assert!(app.store.events(&filter, Page::first(1)).await.unwrap().is_empty());
}

/// How long slow clients have in these tests.
const SHORT: Duration = Duration::from_millis(300);

/// How far good requests are apart: 200 a second.
const GOOD_PACE: Duration = Duration::from_millis(5);

/// Heads that promise more than ever comes.
const STALLED: [&[u8]; 3] = [
    b"",
    b"POST /webhooks/crm HTTP/1.1\r\nhost: x\r\nx-sig",
    b"POST /webhooks/crm HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{\"events\":",
];

/// In a night with the limits that users have, and 2,000 of each kind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_closed_and_cost_nobody_else_anything() {
    let is_nightly = Budget::new(1, 1).is_nightly();
    let count = if is_nightly { 2_000 } else { 50 };
    let limits = if is_nightly {
        listen::Limits {
            connections_max: 8_192,
            ..listen::Limits::default()
        }
    } else {
        listen::Limits {
            header_timeout: SHORT,
            body_idle_timeout: SHORT,
            ..listen::Limits::default()
        }
    };
    let app = Setup {
        limits,
        ..Setup::new("")
    }
    .start()
    .await;
    let began = Instant::now();
    let mut slow = JoinSet::new();
    for head in STALLED {
        for _ in 0..count {
            let mut stream = TcpStream::connect(&app.address).await.unwrap();
            stream.write_all(head).await.unwrap();
            slow.spawn(until_closed(stream));
        }
    }
    // Good requests come at their pace until the last of the slow clients is gone.
    let (mut good, mut times, mut under_way) = (0, Vec::new(), FuturesUnordered::new());
    let mut pace = tokio::time::interval(GOOD_PACE);
    let sending = Instant::now();
    while !slow.is_empty() || good < 200 || !under_way.is_empty() {
        tokio::select! {
            _ = pace.tick(), if !slow.is_empty() || good < 200 => {
                under_way.push(push_good(&app, good));
                good += 1;
            }
            Some(time) = under_way.next() => times.push(time),
            Some(closed) = slow.join_next() => {
                let answer = closed.unwrap();
                assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
            }
        }
    }
    let rate = good as u128 * 1_000 / sending.elapsed().as_millis().max(1);
    let metrics = app.get("/metrics", "").await.text();
    let line = format!("syncline_events_total{{system=\"crm\"}} {good}\n");
    assert!(metrics.contains(&line), "{line}{metrics}");
    times.sort();
    report(&format!(
        "{} slow clients closed within {:?}, {good} good requests meanwhile at {rate} a second, none failed, p99 {:?}",
        count * STALLED.len(),
        began.elapsed(),
        times[times.len() * 99 / 100]
    ));
}

/// What a client gets that waits until it is closed.
async fn until_closed(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
    let _ = closed.expect("a slow client is still connected");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends an event that has to be taken; how long that took.
async fn push_good(app: &TestApp, number: usize) -> Duration {
    let event = json!({ "id": format!("G-{number}"), "entity": "account", "record": "A", "type": "updated" });
    let body = serde_json::to_vec(&json!({ "events": [event] })).unwrap();
    let sent = Instant::now();
    let answer = push_raw(app, &body, &sign("canary-hook-secret", &body), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    sent.elapsed()
}

#[tokio::test]
async fn what_the_listener_refuses_is_a_problem_with_an_id_too() {
    let app = Setup {
        limits: listen::Limits {
            body_bytes_max: 100,
            header_timeout: SHORT,
            body_idle_timeout: SHORT,
            keep_alive_timeout: SHORT,
            ..listen::Limits::default()
        },
        ..Setup::new("")
    }
    .start()
    .await;
    let head = "POST /api/v1/failures/reprocess HTTP/1.1\r\nhost: x\r\nx-request-id: mine-1\r\n";
    for (length, status, code) in [(101, 413, "too_large"), (50, 408, "timed_out")] {
        let token = app.token(syncline::core::status::Role::Admin).await;
        let request = format!("{head}authorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n{{");
        let answer = raw(&app, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        for part in ["application/problem+json", "x-request-id: mine-1", "connection: close"] {
            assert!(answer.to_lowercase().contains(part), "{part}: {answer}");
        }
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
    }
}

#[tokio::test]
async fn the_depth_and_the_values_of_a_webhook_are_bounded_by_the_settings() {
    let app = TestApp::start_with("[server]\nwebhook_depth_max = 3\nwebhook_values_max = 40").await;
    assert_eq!(push(&app, &events(1)).await.status, 200);
    let mut deep = events(1);
    deep["events"][0]["more"] = json!({ "a": 1 });
    assert_eq!(push(&app, &deep).await.status, 400);
    assert_eq!(push(&app, &events(20)).await.status, 400);
    assert_eq!(stored(&app).await, 1);
}
