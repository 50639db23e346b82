//! What the API answers when it does not do what was asked: problem details (RFC 9457), without internals.

use std::{borrow::Cow, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::request::{RequestId, dress};
use crate::{
    core::{fault::Fault, status::FailureClass},
    store, sync,
};

/// A refusal, as its reader sees it. What else is known goes to the log, under the same request id.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: Cow<'static, str>,
    retry_after: Option<Duration>,
}

/// The answer of a handler.
pub type Result<T> = std::result::Result<T, Problem>;

/// The members of the JSON object (RFC 9457 section 3.1), with our request id beside them.
#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    request_id: &'a str,
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $code:literal, $title:literal;)+) => {
        impl Problem {$(
            $(#[$doc])*
            pub fn $name(detail: impl Into<Cow<'static, str>>) -> Self {
                Self::new(StatusCode::$status, $code, $title, detail.into())
            }
        )+}
    };
}

problems! {
    /// Nobody has proved who is asking.
    unauthenticated = UNAUTHORIZED, "unauthenticated", "Who are you?";
    /// The role of whoever asks does not include this.
    forbidden = FORBIDDEN, "forbidden", "Your role does not include this";
    /// There is no such thing.
    not_found = NOT_FOUND, "not_found", "There is no such thing";
    /// There is such a thing, but not with this method.
    method_not_allowed = METHOD_NOT_ALLOWED, "method_not_allowed", "Not with this method";
    /// The state of the thing does not allow it.
    conflict = CONFLICT, "conflict", "The present state does not allow this";
    /// The request cannot be read.
    malformed = BAD_REQUEST, "malformed", "The request cannot be read";
    /// The request can be read and makes no sense.
    invalid = UNPROCESSABLE_ENTITY, "invalid", "The request makes no sense";
    /// The body is larger than allowed.
    too_large = PAYLOAD_TOO_LARGE, "too_large", "The body is too large";
    /// The body is of another type than asked for.
    unsupported_media_type = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body is of another type";
    /// Too many requests.
    too_many_requests = TOO_MANY_REQUESTS, "too_many_requests", "Too many requests";
    /// The request took too long to arrive.
    timed_out = REQUEST_TIMEOUT, "timed_out", "The request took too long to arrive";
    /// Another system did not do its part.
    upstream = BAD_GATEWAY, "upstream", "Another system did not do its part";
    /// Nothing can be stored or read now.
    unavailable = SERVICE_UNAVAILABLE, "unavailable", "Not now";
    /// Something that should not happen.
    internal = INTERNAL_SERVER_ERROR, "internal", "Our fault";
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: Cow<'static, str>) -> Self {
        Self {
            status,
            code,
            title,
            detail,
            retry_after: None,
        }
    }

    /// The same problem, with the time after which another try makes sense.
    #[must_use]
    pub const fn after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The kind of refusal, as programs know it.
    pub(super) const fn code(&self) -> &'static str {
        self.code
    }

    /// What was refused, for its reader.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// After how many seconds another try makes sense.
    pub(super) fn seconds(&self) -> Option<u64> {
        let wait = self.retry_after?;
        Some((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))
    }

    /// The answer, complete with the id of the request it answers.
    pub(super) fn respond(&self, request_id: &str, mut response: Response) -> Response {
        let document = Document {
            r#type: format!("urn:syncline:problem:{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            request_id,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.remove(header::CONTENT_LENGTH);
        if let Some(seconds) = self.seconds() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"syncline\""),
            );
        }
        *response.body_mut() = body.into();
        response
    }
}

impl Problem {
    /// The whole answer, where no rim completes it.
    pub(super) fn alone(self, id: &RequestId) -> Response {
        let mut response = self.respond(&id.0, Response::default());
        dress(response.headers_mut(), id);
        response
    }
}

/// The rim of the server completes the answer, since it knows the id of the request.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What the store says about itself is for our log; the caller learns whether to try again.
impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Full | store::Error::Busy { .. } | store::Error::Gone { .. } | store::Error::Closed => {
                tracing::warn!(%error, "the store could not serve a request");
                Self::unavailable("the store cannot serve this request now").after(Duration::from_secs(5))
            }
            store::Error::Conflict { what } => Self::conflict(format!("`{what}` exists already")),
            error => {
                tracing::error!(%error, "the store failed a request");
                Self::internal("the store failed; the log says more under this request id")
            }
        }
    }
}

/// A fault names no secret and no personal data, so its words are for the caller too.
impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let text = match &fault.hint {
            Some(hint) => format!("{fault}: {hint}"),
            None => fault.to_string(),
        };
        match fault.class {
            FailureClass::Transient => {
                Self::unavailable(text).after(fault.retry_after.unwrap_or(Duration::from_secs(5)))
            }
            _ => Self::upstream(text),
        }
    }
}

impl From<sync::Error> for Problem {
    fn from(error: sync::Error) -> Self {
        match error {
            sync::Error::Store(error) => error.into(),
            sync::Error::Fault(fault) => fault.into(),
            sync::Error::UnknownMapping(_) | sync::Error::UnknownRun(_) => Self::not_found(error.to_string()),
            sync::Error::Busy(_) | sync::Error::NotHeld(_) | sync::Error::NotIncremental(..) => {
                Self::conflict(error.to_string())
            }
            sync::Error::Shutdown => Self::unavailable(error.to_string()).after(Duration::from_secs(5)),
            sync::Error::Lost(_) | sync::Error::OutOfTime(_) | sync::Error::Shifted(_) => {
                Self::unavailable(error.to_string())
            }
            sync::Error::Scan(_) | sync::Error::Broken => {
                tracing::error!(%error, "a reconciliation could not go on");
                Self::internal("the work could not be begun; the log says more under this request id")
            }
        }
    }
}
