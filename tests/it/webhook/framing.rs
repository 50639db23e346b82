//! Requests of which two readers may not see the same end. Whatever is read of them, nothing is taken in that would be a body
//! to a proxy in front of us.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use syncline::{
    server::listen,
    store::{Page, event::EventFilter},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{hostile::raw, sign};
use crate::support::app::{Setup, TestApp};

/// How long a connection may stay without a request: what comes after an answer is there at once or never.
const SHORT: Duration = Duration::from_millis(300);

async fn start() -> TestApp {
    Setup {
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
    .await
}

/// The ids of the events that were stored.
async fn stored(app: &TestApp) -> Vec<String> {
    let events = app.store.events(&EventFilter::default(), Page::first(1_000)).await;
    let mut ids: Vec<String> = events.unwrap().into_iter().map(|event| event.external_id).collect();
    ids.sort();
    ids
}

fn body(id: &str) -> String {
    json!({ "events": [{ "id": id, "entity": "account", "record": "A", "type": "updated" }] }).to_string()
}

fn signature(body: &str) -> String {
    format!("x-signature: {}", sign("canary-hook-secret", body.as_bytes()))
}

/// A request that is in order, and taken wherever it is seen as one.
fn request(id: &str) -> String {
    let body = body(id);
    let (signature, length) = (signature(&body), body.len());
    format!("POST /webhooks/crm HTTP/1.1\r\nhost: x\r\n{signature}\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// One chunk and the last one.
fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

fn accepted(answer: &str) -> usize {
    answer.matches("HTTP/1.1 2").count()
}

#[tokio::test]
async fn requests_on_one_connection_that_are_in_order_are_both_taken() {
    let app = start().await;
    let answer = raw(&app, [request("first"), request("second")].concat().as_bytes()).await;
    assert_eq!(accepted(&answer), 2, "{answer}");
    assert_eq!(stored(&app).await, ["first", "second"]);
}

/// Heads that say in two ways where the body ends, each with a body that is signed by one of them; what follows is a request
/// to that reader and part of the body to the other.
fn disputed() -> Vec<String> {
    let outer = body("outer");
    let inner = request("inner");
    let signed = signature(&outer);
    let head = |lines: &str| format!("POST /webhooks/crm HTTP/1.1\r\nhost: x\r\n{signed}\r\n{lines}\r\n\r\n");
    let (short, all) = (outer.len(), outer.len() + inner.len());
    let in_chunks = [chunked(&outer), inner.clone()].concat();
    let chunks = in_chunks.len();
    let mut all_of_them = Vec::new();
    for lines in [
        format!("content-length: {chunks}\r\ntransfer-encoding: chunked"),
        format!("transfer-encoding: chunked\r\ncontent-length: {chunks}"),
        format!("transfer-encoding: CHUNKED\r\ncontent-length: {chunks}"),
        format!("transfer-encoding:\tchunked\r\ncontent-length: {chunks}"),
        format!("content-length: {chunks}\r\ntransfer-encoding: identity, chunked"),
        format!("content-length: {chunks}\r\ntransfer-encoding: identity\r\ntransfer-encoding: chunked"),
        format!("content-length: {chunks}\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity"),
        format!("content-length: {chunks}\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked"),
        format!("content-length: {chunks}\r\ntransfer-encoding : chunked"),
        format!("content-length: {chunks}\r\n transfer-encoding: chunked"),
        format!("content-length: {chunks}\r\nx: y\r\n\ttransfer-encoding: chunked"),
        format!("content-length: {chunks}\r\ntransfer-encoding: \x0bchunked"),
        format!("content-length: {chunks}\r\ntransfer-encoding: chunked\0"),
        format!("content-length: {chunks}\r\ntransfer-encoding: xchunked"),
        format!("content-length: {chunks}\r\ntransfer_encoding: chunked"),
        format!("content-length: {chunks}\r\nx: y\rtransfer-encoding: chunked"),
    ] {
        all_of_them.push(head(&lines) + &in_chunks);
    }
    for lines in [
        format!("content-length: {short}\r\ncontent-length: {all}"),
        format!("content-length: {all}\r\ncontent-length: {short}"),
        format!("content-length: {short}, {all}"),
        format!("content-length: +{short}"),
        format!("content-length: 0x{short:x}"),
        format!("content-length: {short} {all}"),
        format!("content-length: -{short}"),
        format!("content-length : {short}"),
        format!("content-length: {}", u128::from(u64::MAX) + 1 + short as u128),
    ] {
        all_of_them.push(head(&lines) + &outer + &inner);
    }
    // Lengths of chunks that some read as a number and others do not.
    let length = outer.len();
    for size in [
        format!("0x{length:x}"),
        format!("+{length:x}"),
        format!("-{length:x}"),
        format!("1{length:016x}"),
        format!("{length:x}\x0b"),
    ] {
        let chunk = format!("{size}\r\n{outer}\r\n0\r\n\r\n{inner}");
        all_of_them.push(head("transfer-encoding: chunked") + &chunk);
    }
    all_of_them
}

#[tokio::test]
async fn of_a_body_that_ends_in_two_places_nothing_is_taken_behind_the_first() {
    let app = start().await;
    let disputed = disputed();
    let answers = join_all(disputed.iter().map(|request| raw(&app, request.as_bytes()))).await;
    for (request, answer) in disputed.iter().zip(&answers) {
        assert!(accepted(answer) <= 1, "{request:?}: {answer}");
    }
    let stored = stored(&app).await;
    assert!(!stored.contains(&"inner".to_owned()), "{stored:?}");
}

#[tokio::test]
async fn a_body_that_was_refused_unread_is_no_request() {
    let app = start().await;
    let inner = request("inner");
    // A short one may be read with its head, a long one is longer than anything that is read at once.
    for body in [inner.clone(), inner.repeat(5_000)] {
        for (target, line, status) in [
            ("/webhooks/crm", "content-encoding: gzip", "415"),
            ("/webhooks/crm", "x-signature: 00", "401"),
            ("/nowhere", "x: y", "4"),
            ("/healthz", "x: y", "4"),
            ("/api/v1/systems", "x: y", "4"),
        ] {
            let length = body.len();
            let head = format!("POST {target} HTTP/1.1\r\nhost: x\r\n{line}\r\ncontent-length: {length}\r\n\r\n");
            let answer = until_refused(&app, (head + &body).as_bytes()).await;
            let expected = format!("HTTP/1.1 {status}");
            assert!(answer.starts_with(&expected), "{target} {line}: {answer}");
            assert_eq!(accepted(&answer), 0, "{target} {line}: {answer}");
        }
    }
    assert!(stored(&app).await.is_empty());
    assert_eq!(
        accepted(&raw(&app, inner.as_bytes()).await),
        1,
        "it was no good request"
    );
}

/// All that comes back; the server may close before it has read everything.
async fn until_refused(app: &TestApp, request: &[u8]) -> String {
    let stream = TcpStream::connect(&app.address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let mut answer = Vec::new();
    let exchange = async {
        let write = async {
            let _ = writer.write_all(request).await;
        };
        let read = async {
            // A reset is a close, too.
            let _ = reader.read_to_end(&mut answer).await;
        };
        tokio::join!(write, read);
    };
    let closed = tokio::time::timeout(Duration::from_secs(20), exchange).await;
    closed.expect("the connection stays open");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_stands_twice_in_a_head_is_read_as_one_or_refused() {
    let app = start().await;
    let mut expected = Vec::new();
    for (index, (lines, is_chunked)) in [
        (
            "content-type: application/json\r\ncontent-type: multipart/form-data",
            false,
        ),
        (
            "content-type: multipart/form-data\r\ncontent-type: application/json",
            false,
        ),
        (
            "content-type: application/json\r\ncontent-type: application/json",
            false,
        ),
        ("content-length: LENGTH", false),
        ("content-length: LENGTH, LENGTH", false),
        ("transfer-encoding: chunked", true),
        ("x-signature: 00", false),
        ("SIGNATURE", false),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("twice-{index}");
        let body = body(&id);
        let signature = signature(&body);
        let (framing, sent) = if is_chunked {
            ("transfer-encoding: chunked".to_owned(), chunked(&body))
        } else {
            (format!("content-length: {}", body.len()), body.clone())
        };
        let lines = lines
            .replace("LENGTH", &body.len().to_string())
            .replace("SIGNATURE", &signature);
        let head = format!("POST /webhooks/crm HTTP/1.1\r\nhost: x\r\n{signature}\r\n{framing}\r\n{lines}\r\n\r\n");
        let answer = raw(&app, (head + &sent).as_bytes()).await;
        if lines.starts_with("content-type") {
            // What a body calls itself decides nothing, be it once or twice.
            assert_eq!(accepted(&answer), 1, "{lines}: {answer}");
        }
        if lines.starts_with("x-signature") {
            // Which of the two the sender meant would be a guess.
            assert!(answer.starts_with("HTTP/1.1 401"), "{lines}: {answer}");
        }
        let is_known = accepted(&answer) == 1 || answer.starts_with("HTTP/1.1 4");
        assert!(is_known, "{lines}: {answer}");
        expected.extend((accepted(&answer) == 1).then_some(id));
    }
    assert_eq!(stored(&app).await, expected);
}

/// Frames of HTTP/2: settings, then what floods servers that speak it.
fn flood() -> Vec<u8> {
    let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    };
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    for stream in 0..10_000 {
        let stream = 2 * stream + 1;
        // Headers, more of them without an end, data without a byte, and a reset.
        bytes.extend(frame(1, 0, stream, b"\x82"));
        bytes.extend(frame(9, 0, stream, b"\x84"));
        bytes.extend(frame(0, 0, stream, b""));
        bytes.extend(frame(3, 0, stream, &[0, 0, 0, 8]));
    }
    bytes
}

#[tokio::test]
async fn nobody_is_spoken_http_2_with_so_its_floods_end_at_the_first_line() {
    let app = start().await;
    let flood = flood();
    for _ in 0..20 {
        let answer = until_refused(&app, &flood).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(accepted(&raw(&app, request("after").as_bytes()).await), 1);
}
