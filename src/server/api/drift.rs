//! Drift reports: what a reconciliation found, why, and what became of it.

use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;

pub use crate::report::{MASKED, Overview as Report, View, mask, overview::Point};
use crate::{
    core::status::{Cause, DriftOutcome, Side, Situation},
    server::{
        auth::Caller,
        error::{Problem, Result},
        extract::{Asked, Id, State},
        page::{Page, Wanted},
        state::App,
    },
    store::drift::DriftFilter,
};

/// The most reports of one answer.
const REPORTS_MAX: u32 = 365;
/// How many reports there are where nothing is said.
const REPORTS_DEFAULT: u32 = 30;

/// Which reports are asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct Query {
    mapping: Option<String>,
    #[schemars(range(min = 1, max = 365))]
    limit: Option<u32>,
}

/// `GET /drift`: the last reports, newest first, which is the trend.
pub(in crate::server) async fn list(State(app): State<App>, Asked(query): Asked<Query>) -> Result<Json<Vec<Report>>> {
    Ok(Json(reports(&app, &query).await?))
}

async fn reports(app: &App, query: &Query) -> Result<Vec<Report>> {
    let limit = query.limit.unwrap_or(REPORTS_DEFAULT);
    if limit == 0 || limit > REPORTS_MAX {
        return Err(Problem::invalid(format!("`limit` is from 1 to {REPORTS_MAX}")));
    }
    let reports = app.store().drift_trend(query.mapping.as_deref(), limit).await?;
    Ok(reports.into_iter().map(Report::from).collect())
}

/// `GET /drift/{run_id}`
pub(in crate::server) async fn get(State(app): State<App>, Id(id): Id) -> Result<Json<Report>> {
    let report = app.store().drift_summary(id).await?;
    report.map(|report| Json(report.into())).ok_or_else(|| unknown(id))
}

/// Which items are asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct ItemQuery {
    limit: Option<u32>,
    cursor: Option<String>,
    situation: Option<Situation>,
    cause: Option<Cause>,
    field: Option<String>,
    outcome: Option<DriftOutcome>,
    record_id: Option<String>,
    side: Option<Side>,
    first_seen_until: Option<DateTime<Utc>>,
}

/// `GET /drift/{run_id}/items`
pub(in crate::server) async fn items(
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
        side: query.side,
        first_seen_by: query.first_seen_until,
    };
    let found = app.store().drift(id, &filter, wanted.page()).await?;
    Ok(Json(wanted.of_items(
        found,
        |item| item.drift_id,
        |item| View::of(item, caller.sight),
    )))
}

/// `GET /drift/trend`: the last reports as points, newest first.
pub(in crate::server) async fn trend(State(app): State<App>, Asked(query): Asked<Query>) -> Result<Json<Vec<Point>>> {
    let reports = reports(&app, &query).await?;
    Ok(Json(reports.iter().map(Point::from).collect()))
}

fn unknown(id: i64) -> Problem {
    Problem::not_found(format!("run {id} has no drift report"))
}
