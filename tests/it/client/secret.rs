//! Secrets in nothing that is told.

use std::fmt::Write as _;

use base64::Engine as _;
use serde_json::json;
use syncline::client::Road;

use super::{Sample, ana};
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
