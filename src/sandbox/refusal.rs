//! Why a system says no, before it is put into that system's own words.

/// A request or an edit that a system does not accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What kind of no.
    pub reason: Reason,
    /// The field it is about, in the spelling of the system.
    pub field: Option<String>,
    /// For people.
    pub message: String,
}

/// The kinds of no; each system has its own status and code for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The body is not the JSON that was asked for.
    MalformedJson,
    /// A value that the field cannot hold.
    Invalid,
    /// A field that may not be empty.
    Required,
    /// A text over the field's limit.
    TooLong,
    /// A field the object does not have.
    UnknownField,
    /// A reference to a record that is not there.
    UnknownReference,
    /// A query parameter the listing does not have.
    UnknownParameter,
    /// A cursor this system did not give.
    InvalidCursor,
    /// Another record has the unique value.
    Duplicate,
    /// Other records refer to it.
    InUse,
    /// No such record, object or path.
    NotFound,
    /// The record was merged into this one.
    Merged(String),
    /// The version in `If-Match` is not the current one.
    Stale,
    /// The system wants `If-Match` and did not get it.
    IfMatchRequired,
    /// An idempotency key came again with another body.
    IdempotencyMismatch,
    /// A body or a batch over the limit.
    TooLarge,
    /// No credentials, or old ones.
    Unauthorized,
    /// The rate limit is used up.
    RateLimited,
    /// An ordered fault: this status, and this code if one was ordered.
    Ordered {
        /// The HTTP status.
        status: u16,
        /// The error code to answer with, instead of the one for this status.
        code: Option<String>,
    },
    /// The sandbox itself cannot go on: its history has reached its limit.
    HistoryFull,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            field: None,
            message: message.into(),
        }
    }

    pub(crate) fn field(reason: Reason, field: &str, message: impl Into<String>) -> Self {
        Self {
            reason,
            field: Some(field.to_owned()),
            message: message.into(),
        }
    }

    pub(crate) fn not_found(object: &str, id: &str) -> Self {
        Self::new(Reason::NotFound, format!("there is no {object} {id}"))
    }
}
