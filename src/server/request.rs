//! The rim around every request: an id in and out, a span for the log, panics caught, headers that keep browsers safe.

use std::{any::Any, panic::AssertUnwindSafe};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use tracing::Instrument;

use super::{error::Problem, state::App};
use crate::telemetry::harmless;

/// The header that carries the id of a request, both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id we take from a caller.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// What names one request in logs, rows and answers.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

impl RequestId {
    /// The caller's id where it gave a plain one, else a new one.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        Self::given(headers).unwrap_or_else(Self::new)
    }

    /// The caller's id where it gave a plain one.
    pub(super) fn given(headers: &HeaderMap) -> Option<Self> {
        let given = headers.get(REQUEST_ID)?.to_str().ok()?;
        let is_plain = !given.is_empty()
            && given.len() <= REQUEST_ID_BYTES_MAX
            && given
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
        is_plain.then(|| Self(given.to_owned()))
    }

    /// A new id.
    pub(super) fn new() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }
}

/// Runs one request inside the rim.
pub(super) async fn rim(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    let span = tracing::info_span!("request", request_id = %id.0, method = %request.method(), route);
    request.extensions_mut().insert(id.clone());
    let answered = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .instrument(span.clone())
        .await;
    let mut response = answered.unwrap_or_else(|panic| span.in_scope(|| after_panic(&*panic)));
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = problem.respond(&id.0, response);
    }
    app.metrics().request(&route, response.status().as_u16());
    span.in_scope(|| tracing::debug!(status = response.status().as_u16(), "answered"));
    dress(response.headers_mut(), &id);
    response
}

/// What a panic is answered with: nothing of it leaves the house.
pub(super) fn after_panic(panic: &(dyn Any + Send)) -> Response {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    tracing::error!(message = %harmless(message), "a request handler panicked");
    Problem::internal("the log says more under this request id").into_response()
}

/// Headers of every answer.
pub(super) fn dress(headers: &mut HeaderMap, id: &RequestId) {
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(given: Option<&str>) -> String {
        let mut headers = HeaderMap::new();
        if let Some(given) = given {
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(given.as_bytes()).unwrap());
        }
        RequestId::of(&headers).0
    }

    #[test]
    fn a_plain_id_of_the_caller_is_kept_and_any_other_replaced() {
        assert_eq!(id_of(Some("req-1.a_b:c")), "req-1.a_b:c");
        for bad in [
            None,
            Some(""),
            Some("a b"),
            Some("a\tb"),
            Some("é"),
            Some(&*"x".repeat(65)),
        ] {
            let id = id_of(bad);
            assert_eq!(id.len(), 36, "{bad:?}");
            assert_ne!(id_of(bad), id);
        }
    }
}
