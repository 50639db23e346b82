//! Secrets in nothing that is told, and values that stay in their place.

use std::fmt::Write as _;

use base64::Engine as _;
use serde_json::json;
use syncline::{
    client::Road,
    core::value::{Map, Value},
};

use super::{Sample, account, ana};
use crate::support::loopback::{Loopback, Reply};

const SECRET: &str = "c4nary/+ & Zürich";

/// The secret as a careless system may repeat it.
fn spellings() -> Vec<String> {
    vec![
        SECRET.to_owned(),
        percent_encoding::utf8_percent_encode(SECRET, percent_encoding::NON_ALPHANUMERIC).to_string(),
        url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect(),
        base64::prelude::BASE64_STANDARD.encode(SECRET),
        base64::prelude::BASE64_STANDARD.encode(format!("user:{SECRET}")),
        hex::encode(SECRET),
        hex::encode_upper(SECRET),
    ]
}

fn signed(auth: serde_json::Value) -> Sample {
    Sample::new()
        .with(json!({ "credentials": ["secret"], "auth": auth }))
        .credential("secret", SECRET)
}

#[tokio::test]
async fn a_secret_that_a_system_repeats_is_in_no_fault_in_any_spelling() {
    let mut said = String::new();
    for spelling in spellings() {
        for place in ["header", "query"] {
            for status in [400, 401, 403, 409, 422, 500] {
                let reply = Reply::json(status, &json!({ "message": format!("bad key ({spelling})") }));
                let server = Loopback::answering([reply]).await;
                let mut key = json!({ "value": "{{ credentials.secret }}" });
                key[place] = json!("key");
                // A header carries no letter beyond ASCII as text; this system takes bytes.
                let system = signed(json!({ "api_key": key })).at(&server);
                let refused = system.create("account", &ana(), "key", Road::Event).await.unwrap_err();
                write!(
                    said,
                    "{} {:?} {:?} {system:?}",
                    refused.fault, refused, refused.fault.hint
                )
                .unwrap();
            }
        }
    }
    for spelling in spellings() {
        assert!(!said.contains(&spelling), "{spelling} in {said}");
    }
}

#[tokio::test]
async fn a_query_with_a_secret_is_in_no_fault_of_the_connection() {
    for url in ["http://127.0.0.1:1", "http://10.0.0.1", "http://nowhere.invalid"] {
        let system = signed(json!({ "api_key": { "query": "key", "value": "{{ credentials.secret }}" } })).at_url(url);
        let refused = system.create("account", &ana(), "key", Road::Event).await.unwrap_err();
        let said = format!("{} {refused:?}", refused.fault);
        assert!(!said.contains("key=") && !said.contains("c4nary"), "{said}");
    }
}

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

#[tokio::test]
async fn no_value_changes_what_a_request_asks_for() {
    let server = Loopback::answering([Reply::json(200, &account(7))]).await;
    let system = Sample::new()
        .with(json!({ "objects": { "account": {
            "update": {
                "patch": "/accounts/{{ id }}/x", "query": { "q": "{{ changes.name }}" }, "headers": { "X-Name": "{{ changes.name }}" },
                "idempotency": "header:Idempotency-Key",
            },
            "create": { "post": "/accounts/x", "body": null, "form": { "name": "{{ record.name }}", "end": "1" } },
        } } }))
        .at(&server);
    for payload in PAYLOADS {
        let fields = Map::from_iter([("name".to_owned(), Value::from(*payload))]);
        let before = server.seen().len();
        let _ = system
            .update("account", payload, &fields, None, payload, Road::Event)
            .await;
        let _ = system
            .update("account", payload, &ana(), None, "key", Road::Event)
            .await;
        let _ = system.create("account", &fields, "key", Road::Event).await;
        let seen = server.seen();
        for seen in &seen[before..] {
            assert_eq!(seen.header("x-evil"), None, "{payload:?}");
            assert!(seen.header("host").unwrap().starts_with("127.0.0.1:"), "{payload:?}");
            match seen.method.as_str() {
                "PATCH" => {
                    let segments: Vec<_> = seen.path().split('/').collect();
                    assert_eq!(segments.len(), 5, "{payload:?}: {}", seen.target);
                    let id = percent_encoding::percent_decode_str(segments[3]).decode_utf8().unwrap();
                    assert_eq!(id, *payload);
                    assert_eq!((segments[2], segments[4]), ("accounts", "x"));
                    assert!(
                        seen.query().split('&').count() == 1 && seen.query().starts_with("q="),
                        "{}",
                        seen.target
                    );
                    assert!(seen.json().as_object().unwrap().len() == 1, "{payload:?}");
                }
                "POST" => {
                    assert_eq!(seen.target, "/api/accounts/x");
                    assert_eq!(seen.form().len(), 2, "{payload:?}");
                    assert_eq!(seen.form()["name"], *payload);
                }
                other => panic!("{payload:?} made a {other}"),
            }
        }
    }
    assert!(
        server.seen().len() > PAYLOADS.len() * 3 / 2,
        "most payloads are sent, each in its place"
    );
}
