//! Whoever sends the events of the ERP.

use std::{collections::BTreeSet, time::Duration, time::Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use super::{house::PERSON, http::Connection, node::PATIENCE};

/// How the ERP signs.
pub const ERP_HOOK: &str = "house-erp-webhook-secret";

/// Sends the ERP's events as the ERP would, and knows which were acknowledged.
pub struct Sender {
    connection: Connection,
    pub acknowledged: BTreeSet<String>,
}

impl Sender {
    pub fn new(address: &str) -> Self {
        Self {
            connection: Connection::new(address),
            acknowledged: BTreeSet::new(),
        }
    }

    /// Sends an event once; true when it was acknowledged.
    pub async fn send(&mut self, event_id: &str, customer: &str) -> bool {
        let is_acknowledged = self.send_body(&Self::event(event_id, customer)).await;
        if is_acknowledged {
            self.acknowledged.insert(event_id.to_owned());
        }
        is_acknowledged
    }

    fn event(event_id: &str, customer: &str) -> String {
        format!(
            r#"{{"id":"{event_id}","type":"customer.updated","occurred_at":"2026-03-01T09:15:27.482913+00:00","object":"customer","object_id":{customer},"actor":"{PERSON}"}}"#
        )
    }

    /// Sends a body once; true when it was acknowledged.
    pub async fn send_body(&mut self, body: &str) -> bool {
        let signature = sign(body.as_bytes());
        let headers = [
            ("Content-Type", "application/json"),
            ("Nordwind-Signature", signature.as_str()),
        ];
        let answer = self.connection.post("/webhooks/erp", &headers, body.as_bytes()).await;
        answer.is_ok_and(|answer| (200..300).contains(&answer.status))
    }

    /// Sends an event until it is acknowledged, as senders do.
    pub async fn deliver(&mut self, event_id: &str, customer: &str) {
        let since = Instant::now();
        while !self.send(event_id, customer).await {
            assert!(since.elapsed() < PATIENCE, "`{event_id}` is not taken");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the sender has a clock of its own")]
fn sign(body: &[u8]) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let mut mac = Hmac::<Sha256>::new_from_slice(SecretString::from(ERP_HOOK).expose_secret().as_bytes()).unwrap();
    mac.update(format!("{now}.").as_bytes());
    mac.update(body);
    format!("t={now},v1={}", hex::encode(mac.finalize().into_bytes()))
}
