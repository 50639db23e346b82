//! One difference, as a role may see it.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    core::status::{Cause, DriftOutcome, Role, Side, Situation},
    store::drift::Drift,
};

/// What stands where a viewer may not see a value.
pub const MASKED: &str = "•••";

/// One difference.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Difference")]
pub struct View {
    /// Its id.
    pub drift_id: i64,
    /// The run that found it.
    pub run_id: i64,
    /// The mapping.
    pub mapping: String,
    /// What was found.
    pub situation: Situation,
    /// Why.
    pub cause: Cause,
    /// The field that differs; null for what concerns the whole record.
    pub field: Option<String>,
    /// Id of the left record.
    pub left_id: Option<String>,
    /// Id of the right record.
    pub right_id: Option<String>,
    /// The left value; masked for viewers where it is sensitive.
    pub left_value: Option<String>,
    /// The right value; masked for viewers where it is sensitive.
    pub right_value: Option<String>,
    /// Whether the values are personal data.
    pub sensitive: bool,
    /// When it was first seen.
    pub first_seen_at: DateTime<Utc>,
    /// How many runs in a row have found it.
    pub age_runs: u32,
    /// The side that changed last.
    pub last_changed_side: Option<Side>,
    /// What became of it.
    pub outcome: DriftOutcome,
    /// A remark.
    pub note: Option<String>,
    /// The failure that explains it.
    pub failure_id: Option<i64>,
    /// The event that tells of the change, or brought the failure up.
    pub event_id: Option<i64>,
    /// The run in which the failure happened last.
    pub cause_run_id: Option<i64>,
}

impl View {
    /// What `role` may see of an item.
    #[must_use]
    pub fn of(item: Drift, role: Role) -> Self {
        let shown = |value: Option<String>| mask(value, item.sensitive, role);
        Self {
            drift_id: item.drift_id,
            run_id: item.run_id,
            mapping: item.mapping.to_string(),
            situation: item.situation,
            cause: item.cause,
            field: item.field,
            left_id: item.left_id,
            right_id: item.right_id,
            left_value: shown(item.left_value),
            right_value: shown(item.right_value),
            sensitive: item.sensitive,
            first_seen_at: item.first_seen_at,
            age_runs: item.age_runs,
            last_changed_side: item.last_changed_side,
            outcome: item.outcome,
            note: item.note,
            failure_id: item.failure_id,
            event_id: item.event_id,
            cause_run_id: item.cause_run_id,
        }
    }
}

/// A value as `role` may see it: whoever only looks does not see personal data.
#[must_use]
pub fn mask(value: Option<String>, is_sensitive: bool, role: Role) -> Option<String> {
    match value {
        Some(_) if is_sensitive && role < Role::Analyst => Some(MASKED.to_owned()),
        value => value,
    }
}
