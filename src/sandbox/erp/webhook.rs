//! The ERP's webhooks: one event a request, signed as Stripe signs (`t=…,v1=…` over `t.body`).

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use super::timestamp;
use crate::sandbox::history::Kind;
use crate::sandbox::webhook::{Dialect, Event, Seal};

/// See the module.
pub(super) const DIALECT: Dialect = Dialect {
    batch_max: 1,
    event_id,
    body,
    key: |secret| Some(secret.as_bytes().to_vec()),
    headers,
};

#[derive(Serialize)]
struct Body<'a> {
    id: String,
    r#type: String,
    occurred_at: String,
    object: &'a str,
    object_id: u64,
    actor: &'a str,
}

fn event_id(event: &Event) -> String {
    format!("evt_{:x}", event.at.timestamp_micros())
}

fn body(events: &[Event]) -> String {
    let body = events.first().map(|event| Body {
        id: event_id(event),
        r#type: format!("{}.{}", event.object, verb(event.kind)),
        occurred_at: timestamp(&event.at),
        object: event.object,
        object_id: event.number,
        actor: &event.actor,
    });
    serde_json::to_string(&body).unwrap_or_default()
}

fn verb(kind: Kind) -> &'static str {
    match kind {
        Kind::Created => "created",
        Kind::Updated => "updated",
        Kind::Deleted | Kind::Merged => "deleted",
    }
}

fn headers(seal: &Seal<'_>) -> Vec<(&'static str, String)> {
    let seconds = seal.at.timestamp();
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(seal.key) else {
        return Vec::new();
    };
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(seal.body.as_bytes());
    let digest = hex::encode(mac.finalize().into_bytes());
    vec![("nordwind-signature", format!("t={seconds},v1={digest}"))]
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn the_signature_is_the_one_that_openssl_gives() {
        // printf '1767600000.{"a":1}' | openssl dgst -sha256 -hmac secret
        let seal = Seal {
            key: b"secret",
            message_id: "ignored",
            at: DateTime::from_timestamp(1_767_600_000, 0).unwrap(),
            body: r#"{"a":1}"#,
        };
        let expected = "75ef4ed709e4ac7108c39bb3714441b8a193aed3c5858f1f729ff4c16ad3a5ad";
        let headers = headers(&seal);
        assert_eq!(headers, [("nordwind-signature", format!("t=1767600000,v1={expected}"))]);
    }
}
