//! The CRM's webhooks: up to 50 events a request, signed by Standard Webhooks 1.0.0.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use super::timestamp;
use crate::sandbox::history::Kind;
use crate::sandbox::webhook::{Dialect, Event, Seal};

/// See the module.
pub(super) const DIALECT: Dialect = Dialect {
    batch_max: 50,
    event_id,
    body,
    key,
    headers,
};

#[derive(Serialize)]
struct Body<'a> {
    events: Vec<Item<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    id: String,
    time: String,
    r#type: Kind,
    entity: &'a str,
    entity_id: &'a str,
    actor: &'a str,
    merged_into: Option<&'a str>,
}

/// The bytes behind `whsec_` (the prefix may be missing).
fn key(secret: &str) -> Option<Vec<u8>> {
    STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).ok()
}

fn event_id(event: &Event) -> String {
    format!("EV-{:X}", event.at.timestamp_micros())
}

fn body(events: &[Event]) -> String {
    let items = events.iter().map(|event| Item {
        id: event_id(event),
        time: timestamp(&event.at),
        r#type: event.kind,
        entity: event.object,
        entity_id: &event.record_id,
        actor: &event.actor,
        merged_into: event.into.as_deref(),
    });
    let body = Body {
        events: items.collect(),
    };
    serde_json::to_string(&body).unwrap_or_default()
}

fn headers(seal: &Seal<'_>) -> Vec<(&'static str, String)> {
    let seconds = seal.at.timestamp();
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(seal.key) else {
        return Vec::new();
    };
    mac.update(format!("{}.{seconds}.", seal.message_id).as_bytes());
    mac.update(seal.body.as_bytes());
    let digest = STANDARD.encode(mac.finalize().into_bytes());
    vec![
        ("webhook-id", seal.message_id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", format!("v1,{digest}")),
    ]
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn the_signature_is_the_one_of_the_published_vector() {
        // github.com/standard-webhooks/standard-webhooks, libraries/rust/src/lib.rs
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let seal = Seal {
            key: &key,
            message_id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            at: DateTime::from_timestamp(1_614_265_330, 0).unwrap(),
            body: r#"{"test": 2432232314}"#,
        };
        let signature = headers(&seal).pop().unwrap();
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature, ("webhook-signature", expected.to_owned()));
    }
}
