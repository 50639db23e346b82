//! Refusals in the CRM's words.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use crate::sandbox::edge::json;
use crate::sandbox::refusal::{Reason, Refusal};

/// The answer that says no.
pub(super) fn answer(refusal: &Refusal) -> Response {
    let (status, _) = spelling(refusal);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(
        status,
        serde_json::to_string(&ErrorBody::of(refusal)).unwrap_or_default(),
    );
    if refusal.reason == Reason::Unauthorized {
        let challenge = HeaderValue::from_static("Bearer realm=\"acme\", error=\"invalid_token\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// What stands in it, and in the results of a batch.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorBody<'a> {
    code: &'a str,
    message: &'a str,
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_into: Option<&'a str>,
}

impl<'a> ErrorBody<'a> {
    pub(super) fn of(refusal: &'a Refusal) -> Self {
        let merged_into = match &refusal.reason {
            Reason::Merged(into) => Some(into.as_str()),
            _ => None,
        };
        Self {
            code: spelling(refusal).1,
            message: &refusal.message,
            field: refusal.field.as_deref(),
            merged_into,
        }
    }
}

/// Status and code of a refusal.
pub(super) fn spelling(refusal: &Refusal) -> (u16, &str) {
    match &refusal.reason {
        Reason::MalformedJson => (400, "MALFORMED_JSON"),
        Reason::Invalid => (400, invalid(refusal.field.as_deref())),
        Reason::Required => (400, "REQUIRED"),
        Reason::TooLong => (400, "TOO_LONG"),
        Reason::UnknownField => (400, "UNKNOWN_FIELD"),
        Reason::UnknownReference => (400, "UNKNOWN_REFERENCE"),
        Reason::UnknownParameter => (400, "UNKNOWN_PARAMETER"),
        Reason::InvalidCursor => (400, "INVALID_CURSOR"),
        Reason::Duplicate => (409, "DUPLICATE"),
        Reason::IdempotencyMismatch => (409, "IDEMPOTENCY_MISMATCH"),
        Reason::InUse => (409, "IN_USE"),
        Reason::NotFound => (404, "NOT_FOUND"),
        Reason::Merged(_) => (404, "MERGED"),
        Reason::Stale => (412, "STALE"),
        Reason::IfMatchRequired => (428, "IF_MATCH_REQUIRED"),
        Reason::TooLarge => (413, "TOO_LARGE"),
        Reason::Unauthorized => (401, "INVALID_TOKEN"),
        Reason::Ordered {
            status,
            code: Some(code),
        } => (*status, code),
        Reason::RateLimited | Reason::Ordered { status: 429, .. } => (429, "REQUEST_LIMIT"),
        Reason::Ordered { status, .. } => (*status, "UNAVAILABLE"),
        Reason::HistoryFull => (507, "SANDBOX_HISTORY_FULL"),
    }
}

fn invalid(field: Option<&str>) -> &'static str {
    match field {
        Some("VatNumber") => "INVALID_VAT",
        Some("Email") => "INVALID_EMAIL",
        Some("Status") => "INVALID_STATUS",
        _ => "INVALID_VALUE",
    }
}
