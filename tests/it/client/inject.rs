//! Values stay in their place: whatever they hold, the request asks for the same.

use serde_json::json;
use syncline::{
    client::{BatchItem, Road, System},
    core::{
        status::WriteKind,
        value::{Map, Value},
    },
};

use super::{Sample, account};
use crate::support::loopback::{Loopback, Reply, Seen};

/// What may end a header, a path, a query or a body early.
const PAYLOADS: &[&str] = &[
    "\r\nX-Evil: 1",
    "\nX-Evil: 1",
    "\r",
    "\0",
    "a\r\n b",
    "%0d%0aX-Evil: 1",
    "%0aX-Evil: 1",
    "%00",
    "/../",
    "..",
    "../..",
    "/..",
    ".",
    "./",
    "%2e%2e",
    "%2e%2e%2f",
    "..%2f",
    "..%5c",
    "\\..\\",
    "?",
    "?a=b",
    "&a=b",
    "&id=1",
    "#",
    "#x",
    ";",
    ";a=b",
    "a;b",
    "a/b",
    "//evil.example",
    "http://evil.example/",
    "@evil.example",
    ":80@evil.example",
    "a b",
    "+",
    "%",
    "%2",
    "%zz",
    "\"",
    "'",
    "<x>",
    "{{ 7 }}",
    "{% x %}",
    "${x}",
    "[0]",
    "a[]=1",
    "=",
    "ü",
    "\u{202e}",
    "\u{2028}",
    "\u{feff}",
    "\t",
    " HTTP/1.1\r\nHost: evil.example\r\n\r\nGET /",
    "\",\"admin\":true,\"x\":\"",
];

/// Every payload alone, and as attackers dress it.
fn payloads() -> Vec<String> {
    let dressed = PAYLOADS.iter().flat_map(|payload| {
        [
            (*payload).to_owned(),
            format!("7{payload}"),
            format!("{payload}7"),
            format!("a{payload}b{payload}c"),
            format!(" {payload} "),
            percent_encoding::utf8_percent_encode(payload, percent_encoding::NON_ALPHANUMERIC).to_string(),
            format!("{payload}{}", "x".repeat(300)),
        ]
    });
    let mut all: Vec<_> = dressed.collect();
    all.sort_unstable();
    all.dedup();
    all
}

async fn served() -> Loopback {
    Loopback::answering([Reply::json(200, &account(7))]).await
}

/// A system that puts a value into every place that a request has.
fn system(server: &Loopback) -> System {
    let slots = json!({ "objects": { "account": {
        "version": "header:ETag",
        "get": { "get": "/accounts/{{ id }}/x" },
        "find": { "get": "/accounts", "query": { "email": "{{ value }}", "end": "1" }, "fields": ["email"], "records": "items" },
        "update": {
            "patch": "/accounts/{{ id }}/x",
            "query": { "q": "{{ changes.name }}" },
            "headers": { "X-Name": "{{ changes.name }}" },
            "if_match": "If-Match", "idempotency": "header:Idempotency-Key",
        },
        "create": { "post": "/accounts/x", "body": null, "form": { "name": "{{ record.name }}", "end": "1" } },
        "batch": { "create": {
            "post": "/accounts/batch", "body": { "items": "{{ records }}" }, "size": 10,
            "results": "results", "index": "{{ result.index }}", "ok": "{{ result.ok }}", "id": "{{ result.id }}",
        } },
    } } });
    Sample::new().with(slots).at(server)
}

fn named(payload: &str) -> Map {
    Map::from_iter([("name".to_owned(), Value::from(payload))])
}

/// Sends a payload in every place.
async fn send_everywhere(system: &System, payload: &str) {
    let (fields, plain) = (named(payload), named("Ana"));
    let _ = system.get("account", payload, Road::Event).await;
    let _ = system
        .find("account", "email", &Value::from(payload), Road::Event)
        .await;
    let _ = system.create("account", &fields, "key", Road::Event).await;
    for (id, fields, version, key) in [
        (payload, &plain, None, "key"),
        ("7", &fields, None, "key"),
        ("7", &plain, Some(payload), "key"),
        ("7", &plain, None, payload),
    ] {
        let change = BatchItem {
            version,
            ..BatchItem::of(id, fields, key)
        };
        let _ = system.update("account", change, Road::Event).await;
    }
    let _ = system.delete("account", payload, None, "key", Road::Event).await;
    let item = BatchItem {
        id: None,
        version: None,
        fields: &fields,
        key: "key",
        current: None,
    };
    let _ = system
        .write_batch("account", WriteKind::Create, &[item, item], Road::Event)
        .await;
}

fn decoded(segment: &str) -> String {
    let text = percent_encoding::percent_decode_str(segment).decode_utf8();
    text.unwrap().into_owned()
}

/// What stands in front of `/x`, or behind `accounts/`, is the id and nothing else.
fn id_of(seen: &Seen) -> String {
    let segments: Vec<_> = seen.path().split('/').collect();
    let has_tail = seen.method != "DELETE";
    assert_eq!(segments.len(), if has_tail { 5 } else { 4 }, "{}", seen.target);
    assert_eq!(&segments[..3], ["", "api", "accounts"]);
    assert!(!has_tail || segments[4] == "x", "{}", seen.target);
    decoded(segments[3])
}

/// The request is built as the connector says, with the payload in its place at most.
fn is_as_described(seen: &Seen, payload: &str) {
    let told = format!("{payload:?}: {} {}", seen.method, seen.target);
    let names: Vec<_> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    let known = |name: &&str| {
        [
            "accept",
            "accept-encoding",
            "user-agent",
            "host",
            "content-type",
            "content-length",
            "x-name",
            "if-match",
            "idempotency-key",
        ]
        .contains(name)
    };
    assert!(names.iter().all(known), "{told}: {names:?}");
    assert!(seen.header("host").unwrap().starts_with("127.0.0.1:"), "{told}");
    assert!(
        !seen.target.contains('#') && !seen.target.contains(char::is_whitespace),
        "{told}"
    );
    match (seen.method.as_str(), seen.path()) {
        ("GET", "/api/accounts") => {
            assert_eq!(seen.query().split('&').count(), 2, "{told}");
            assert_eq!(seen.param("email").as_deref(), Some(payload), "{told}");
            assert_eq!(seen.param("end").as_deref(), Some("1"), "{told}");
        }
        ("GET" | "DELETE", _) => {
            assert_eq!((id_of(seen).as_str(), seen.query()), (payload, ""), "{told}");
        }
        ("PATCH", _) => {
            let id = id_of(seen);
            assert!(id == payload || id == "7", "{told}");
            assert!(
                seen.query().split('&').count() == 1 && seen.query().starts_with("q="),
                "{told}"
            );
            assert_eq!(seen.json().as_object().unwrap().len(), 1, "{told}");
        }
        ("POST", "/api/accounts/x") => {
            assert_eq!(seen.form().len(), 2, "{told}");
            assert_eq!(seen.form()["name"], payload, "{told}");
        }
        ("POST", "/api/accounts/batch") => {
            let items = seen.json()["items"].clone();
            assert_eq!(items, json!([{ "name": payload }, { "name": payload }]), "{told}");
        }
        _ => panic!("{told}"),
    }
}

#[tokio::test]
async fn no_value_changes_what_a_request_asks_for() {
    let server = served().await;
    let system = system(&server);
    let payloads = payloads();
    assert!(payloads.len() >= 300, "{}", payloads.len());
    let mut sent = 0;
    for payload in &payloads {
        send_everywhere(&system, payload).await;
        let seen = server.seen();
        seen[sent..].iter().for_each(|seen| is_as_described(seen, payload));
        sent = seen.len();
    }
    assert!(
        sent > payloads.len() * 5,
        "most payloads are sent, each in its place: {sent}"
    );
}
