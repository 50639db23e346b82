//! Drift reports: what a reconciliation found, why, and what became of it.

use axum::{Extension, Json, extract::State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    core::{
        drift::Summary,
        status::{Cause, DriftOutcome, Role, Side, Situation},
    },
    server::{
        auth::Caller,
        error::{Problem, Result},
        extract::{Asked, Id},
        page::{Page, Wanted},
        state::App,
    },
    store::drift::{Drift, DriftFilter, DriftSummary},
};

/// What stands where a viewer may not see a value.
pub const MASKED: &str = "•••";
/// The most reports of one answer.
const REPORTS_MAX: u32 = 365;
/// How many reports there are where nothing is said.
const REPORTS_DEFAULT: u32 = 30;

/// The totals of one report.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The run that made it.
    pub run_id: i64,
    /// The mapping.
    pub mapping: String,
    /// When the comparison ended.
    pub created_at: DateTime<Utc>,
    /// The share of compared cells that were equal, in percent.
    pub match_percent: f64,
    /// Records in a situation other than in sync.
    pub drifted: u64,
    /// Totals, and counts by situation, by field and by cause; null where a newer Syncline wrote it.
    pub summary: Option<Summary>,
}

impl From<DriftSummary> for Report {
    fn from(stored: DriftSummary) -> Self {
        let summary: Option<Summary> = serde_json::from_str(&stored.summary).ok();
        let hundredths = summary.as_ref().map_or(0, Summary::match_score);
        Self {
            run_id: stored.run_id,
            mapping: stored.mapping,
            created_at: stored.created_at,
            match_percent: u32::try_from(hundredths).map_or(0.0, f64::from) / 100.0,
            drifted: summary.as_ref().map_or(0, Summary::drifted),
            summary,
        }
    }
}

/// One difference.
#[derive(Debug, Clone, Serialize)]
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
        }
    }
}

/// A value as `role` may see it: whoever only looks does not see personal data.
pub(super) fn mask(value: Option<String>, is_sensitive: bool, role: Role) -> Option<String> {
    match value {
        Some(_) if is_sensitive && role < Role::Operator => Some(MASKED.to_owned()),
        value => value,
    }
}

/// Which reports are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Query {
    mapping: Option<String>,
    limit: Option<u32>,
}

/// `GET /drift`: the last reports, newest first, which is the trend.
pub(super) async fn list(State(app): State<App>, Asked(query): Asked<Query>) -> Result<Json<Vec<Report>>> {
    let limit = query.limit.unwrap_or(REPORTS_DEFAULT);
    if limit == 0 || limit > REPORTS_MAX {
        return Err(Problem::invalid(format!("`limit` is from 1 to {REPORTS_MAX}")));
    }
    let reports = app.store().drift_trend(query.mapping.as_deref(), limit).await?;
    Ok(Json(reports.into_iter().map(Report::from).collect()))
}

/// `GET /drift/{run_id}`
pub(super) async fn get(State(app): State<App>, Id(id): Id) -> Result<Json<Report>> {
    let report = app.store().drift_summary(id).await?;
    report.map(|report| Json(report.into())).ok_or_else(|| unknown(id))
}

/// Which items are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ItemQuery {
    limit: Option<u32>,
    cursor: Option<String>,
    situation: Option<Situation>,
    cause: Option<Cause>,
    field: Option<String>,
    outcome: Option<DriftOutcome>,
    record_id: Option<String>,
}

/// `GET /drift/{run_id}/items`
pub(super) async fn items(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Asked(query): Asked<ItemQuery>,
) -> Result<Json<Page<View>>> {
    let wanted = Wanted::of(query.limit, query.cursor.as_deref())?;
    if app.store().run(id).await?.is_none() {
        return Err(unknown(id));
    }
    let filter = DriftFilter {
        situation: query.situation,
        cause: query.cause,
        field: query.field,
        outcome: query.outcome,
        record_id: query.record_id,
    };
    let found = app.store().drift(id, &filter, wanted.page()).await?;
    Ok(Json(wanted.of_items(
        found,
        |item| item.drift_id,
        |item| View::of(item, caller.role),
    )))
}

fn unknown(id: i64) -> Problem {
    Problem::not_found(format!("run {id} has no drift report"))
}
