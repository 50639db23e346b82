//! What an answer means.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One rule that says what an answer means.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorRuleForm {
    /// Expression; `status`, `headers` (lower-case names), `body`, `operation` (`list`, `find`, `get`, `create`, `update`,
    /// `delete`, `batch`, `login`, `subscribe`) and `settings` are known. What it asks for and is not there makes it not fit. In a
    /// listing, `body` is the answer without its records.
    pub when: String,
    /// What the answer means.
    pub then: ErrorMeaning,
    /// Template of the message for people; knows what `when` knows. Keep personal data out of it.
    #[serde(default)]
    pub message: Option<String>,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorMeaning {
    /// It is none: go on.
    Ok,
    /// Too many requests: the whole system slows down.
    Throttle,
    /// Nothing was done, and it passes by itself: try again.
    Retry,
    /// The record exists already (on create).
    Exists,
    /// There is no such record.
    Missing,
    /// The record changed in between: read again.
    Stale,
    /// The token or session ended: sign in again, then repeat once.
    Reauthenticate,
    /// Credentials are wrong or rights are missing.
    Denied,
    /// The system says no to this record.
    Reject,
}
