//! Answers remembered by `Idempotency-Key`, so that a request sent again does its work once.

use std::collections::{HashMap, VecDeque};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;

use crate::sandbox::edge::json;
use crate::sandbox::refusal::{Reason, Refusal};

/// How many answers are remembered; the oldest is forgotten first.
const REMEMBERED_MAX: usize = 10_000;
/// How long a key may be.
const KEY_CHARS_MAX: usize = 200;

/// An answer, before it is one of HTTP.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: String,
    pub(super) version: Option<u64>,
    pub(super) location: Option<String>,
}

impl Answer {
    pub(super) fn into_response(self) -> Response {
        let mut response = json(self.status, self.body);
        let etag = self.version.map(etag).and_then(|etag| HeaderValue::try_from(etag).ok());
        let location = self.location.and_then(|location| HeaderValue::try_from(location).ok());
        let headers = [(header::ETAG, etag), (header::LOCATION, location)];
        response
            .headers_mut()
            .extend(headers.into_iter().filter_map(|(name, value)| Some((name, value?))));
        response
    }
}

/// The entity tag of a version.
pub(super) fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

/// What a request with a key asked for, and what it was answered.
#[derive(Debug)]
struct Entry {
    path: String,
    body: Bytes,
    answer: Answer,
}

/// The remembered answers.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    entries: HashMap<String, Entry>,
    order: VecDeque<String>,
}

impl Remembered {
    /// The answer given before to the same request; refused when the key came with another one.
    pub(super) fn recall(&self, key: &str, path: &str, body: &[u8]) -> Result<Option<Answer>, Refusal> {
        let Some(entry) = self.entries.get(key) else {
            return Ok(None);
        };
        if entry.path == path && entry.body == body {
            return Ok(Some(entry.answer.clone()));
        }
        let message = format!("the idempotency key {key} was used for another request");
        Err(Refusal::new(Reason::IdempotencyMismatch, message))
    }

    pub(super) fn keep(&mut self, key: String, path: String, body: Bytes, answer: Answer) {
        if self.order.len() >= REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.entries.insert(key, Entry { path, body, answer });
    }
}

/// The key of a request, if it has one that can be used.
pub(super) fn key(headers: &HeaderMap) -> Option<String> {
    let key = headers.get("idempotency-key")?.to_str().ok()?;
    (!key.is_empty() && key.len() <= KEY_CHARS_MAX).then(|| key.to_owned())
}
