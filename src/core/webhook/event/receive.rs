//! A request from the first look at it to its events, in the one order that is safe: a handshake that nobody signs, the proof,
//! a signed handshake, the events. Nothing of a body is believed, and but for an unsigned handshake nothing of it is parsed,
//! before the proof.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{BodyFormat, Definition, Malformed, Pushed, Reply};
use crate::core::{
    value::{Value, json, xml},
    webhook::{Incoming, Rejection, Secret, verify},
};

/// What a request comes to.
#[derive(Debug)]
pub enum Arrival {
    /// Its events, in its order.
    Events(Vec<Pushed>),
    /// It makes sure that somebody listens, and is answered with this.
    Handshake(Reply),
}

/// Why a request is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It did not prove where it comes from.
    #[error(transparent)]
    Unverified(#[from] Rejection),
    /// Its body cannot be read.
    #[error("the body is not the JSON it should be: {0}")]
    Json(#[from] json::Error),
    /// Its body cannot be read.
    #[error("the body is not the XML it should be: {0}")]
    Xml(#[from] xml::Error),
    /// It cannot be read as events.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl Definition {
    /// Receives a request that was signed with any of `secrets`, if it was, at `now`.
    pub fn receive(
        &self,
        request: &Incoming<'_>,
        secrets: &[Secret],
        settings: &Arc<Value>,
        now: DateTime<Utc>,
        limits: &json::Limits,
    ) -> Result<Arrival, Refusal> {
        let parse = || -> Result<Value, Refusal> {
            Ok(match (request.body, &self.body) {
                ([], _) => Value::Null,
                (body, BodyFormat::Json) => json::parse(body, limits)?,
                (body, BodyFormat::Xml(namespaces)) => xml::parse(body, namespaces, limits)?.into_document(),
            })
        };
        if self.has_unsigned_handshake()
            && let Some(reply) = self.greeting(request, parse().unwrap_or_default(), settings)
        {
            return Ok(Arrival::Handshake(reply));
        }
        verify(self.recipe(), secrets, request, now)?;
        let body = parse();
        if self.has_signed_handshake() {
            let body = body.as_ref().map_or(Value::Null, Value::clone);
            if let Some(reply) = self.greeting(request, body, settings) {
                return Ok(Arrival::Handshake(reply));
            }
        }
        Ok(Arrival::Events(self.read(request, &Arc::new(body?), settings)?))
    }

    /// The answer to a handshake; none where the request is no handshake. What cannot be read is none either.
    fn greeting(&self, request: &Incoming<'_>, body: Value, settings: &Arc<Value>) -> Option<Reply> {
        self.handshake(request, &Arc::new(body), settings).ok().flatten()
    }
}
