//! Failures: records that could not be synchronized, and what to do about them.

use axum::{Extension, Json, http::StatusCode};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{audit, decided};
use crate::{
    core::status::{ChangeOrigin, FailureClass, FailureStatus, Side, Stage},
    server::{
        auth::Caller,
        code, decision,
        error::{Problem, Result},
        extract::{Asked, Body, Id, State},
        page::{Page, Wanted},
        state::App,
    },
    store::failure::{Failure, FailureFilter, FailureGroup, Standing},
    sync::reprocess,
};

/// A failure.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Failure")]
pub struct View {
    /// Its id.
    pub failure_id: i64,
    /// The run that failed last.
    pub run_id: Option<i64>,
    /// The mapping.
    pub mapping: String,
    /// The side the data came from.
    pub side: Side,
    /// The record.
    pub record_id: String,
    /// Id of the left record.
    pub left_id: Option<String>,
    /// Id of the right record.
    pub right_id: Option<String>,
    /// What happens next.
    pub class: FailureClass,
    /// Where on the way it failed.
    pub stage: Stage,
    /// How it stands.
    pub status: FailureStatus,
    /// The fault's code.
    pub code: String,
    /// The other side's HTTP status.
    pub http_status: Option<u16>,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The field concerned.
    pub field: Option<String>,
    /// Tries that failed.
    pub attempts: u64,
    /// When it failed first.
    pub first_at: DateTime<Utc>,
    /// When it failed last.
    pub last_at: DateTime<Utc>,
    /// When it is tried again by itself.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When it was resolved or ignored.
    pub resolved_at: Option<DateTime<Utc>>,
    /// The event that brought the record up.
    pub event_id: Option<i64>,
}

impl From<Failure> for View {
    fn from(failure: Failure) -> Self {
        Self {
            failure_id: failure.failure_id,
            run_id: failure.run_id,
            mapping: failure.key.mapping.to_string(),
            side: failure.key.side,
            record_id: failure.key.record_id,
            left_id: failure.left_id,
            right_id: failure.right_id,
            class: failure.class,
            stage: failure.stage,
            status: failure.status,
            code: failure.code,
            http_status: failure.http_status,
            message: failure.message,
            hint: failure.hint,
            field: failure.field,
            attempts: failure.attempts,
            first_at: failure.first_at,
            last_at: failure.last_at,
            next_attempt_at: failure.next_attempt_at,
            resolved_at: failure.resolved_at,
            event_id: failure.event_id,
        }
    }
}

/// Which failures are meant: those that are not settled, where nothing is said.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// Of this run.
    pub run_id: Option<i64>,
    /// Of this mapping.
    pub mapping: Option<String>,
    /// Of this record.
    pub record_id: Option<String>,
    /// Of this class.
    pub class: Option<FailureClass>,
    /// At this stage.
    pub stage: Option<Stage>,
    /// With this code.
    pub code: Option<String>,
    /// With this status.
    pub status: Option<FailureStatus>,
    /// Failed last at this time or later.
    pub since: Option<DateTime<Utc>>,
}

impl Selection {
    /// As the store asks for it.
    #[must_use]
    pub fn filter(self) -> FailureFilter {
        FailureFilter {
            run_id: self.run_id,
            mapping: self.mapping,
            record_id: self.record_id,
            class: self.class,
            stage: self.stage,
            code: self.code,
            standing: self.status.map_or(Standing::Unresolved, Standing::Only),
            since: self.since,
        }
    }
}

/// Which failures are listed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    run_id: Option<i64>,
    mapping: Option<String>,
    record_id: Option<String>,
    class: Option<FailureClass>,
    stage: Option<Stage>,
    code: Option<String>,
    status: Option<FailureStatus>,
    since: Option<DateTime<Utc>>,
}

/// `GET /failures`
pub(in crate::server) async fn list(State(app): State<App>, Asked(query): Asked<Query>) -> Result<Json<Page<View>>> {
    let wanted = Wanted::of(query.limit, query.cursor.as_deref())?;
    let selection = Selection {
        run_id: query.run_id,
        mapping: query.mapping,
        record_id: query.record_id,
        class: query.class,
        stage: query.stage,
        code: query.code,
        status: query.status,
        since: query.since,
    };
    let found = app.store().failures(&selection.filter(), wanted.page()).await?;
    Ok(Json(wanted.of_items(found, |failure| failure.failure_id, View::from)))
}

/// `GET /failures/{id}`
pub(in crate::server) async fn get(State(app): State<App>, Id(id): Id) -> Result<Json<View>> {
    let failure = app.store().failure(id).await?;
    failure.map(|failure| Json(failure.into())).ok_or_else(|| unknown(id))
}

/// By what failures are counted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct GroupQuery {
    by: By,
    mapping: Option<String>,
    run_id: Option<i64>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum By {
    Mapping,
    #[default]
    Class,
    Stage,
    Code,
    Status,
}

/// How many failures of a kind there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "FailureGroup")]
pub struct Group {
    /// The kind's name.
    pub name: String,
    /// How many.
    pub count: u64,
    /// What happened, where the kind is a code.
    pub means: Option<&'static str>,
    /// What to do about it, where the kind is a code.
    pub next: Option<&'static str>,
}

impl From<(String, u64)> for Group {
    fn from((name, count): (String, u64)) -> Self {
        let meaning = code::meaning(&name);
        Self {
            name,
            count,
            means: meaning.map(|meaning| meaning.means),
            next: meaning.map(|meaning| meaning.next),
        }
    }
}

/// `GET /failures/groups`
pub(in crate::server) async fn groups(
    State(app): State<App>,
    Asked(query): Asked<GroupQuery>,
) -> Result<Json<Vec<Group>>> {
    let group = match query.by {
        By::Mapping => FailureGroup::Mapping,
        By::Class => FailureGroup::Class,
        By::Stage => FailureGroup::Stage,
        By::Code => FailureGroup::Code,
        By::Status => FailureGroup::Status,
    };
    let filter = FailureFilter {
        mapping: query.mapping,
        run_id: query.run_id,
        ..FailureFilter::default()
    };
    let groups = app.store().failure_groups(&filter, group).await?;
    Ok(Json(groups.into_iter().map(Group::from).collect()))
}

/// `POST /failures/{id}/ignore`
pub(in crate::server) async fn ignore(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<StatusCode> {
    let outcome = decision::ignore_failure(app.store(), id, &audit::actor(&caller)).await?;
    decided(outcome, StatusCode::NO_CONTENT, &format!("failure {id}"))
}

/// `POST /failures/{id}/reprocess`
pub(in crate::server) async fn reprocess(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<StatusCode> {
    let outcome = decision::reprocess_failure(app.store(), id, &audit::actor(&caller)).await?;
    decided(outcome, StatusCode::ACCEPTED, &format!("failure {id}"))
}

/// Which failures are to be worked on again, and how many its caller has seen that these are.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct Reprocess {
    filter: Selection,
    confirm: Option<u64>,
}

/// How many failures are meant, and whether they are being worked on again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reprocessed {
    /// How many.
    pub count: u64,
    /// Whether anything was done: not before the count is confirmed.
    pub is_reprocessed: bool,
}

/// `POST /failures/reprocess`: without `confirm` it only counts.
pub(in crate::server) async fn reprocess_all(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<Reprocess>,
) -> Result<(StatusCode, Json<Reprocessed>)> {
    let filter = asked.filter.filter();
    let count = reprocess::count(app.store(), &filter).await?;
    let (status, count, is_reprocessed) = match asked.confirm {
        None => (StatusCode::OK, count, false),
        Some(confirmed) if confirmed == count => {
            let count = reprocess::reprocess(app.store(), &filter, &audit::actor(&caller)).await?;
            (StatusCode::ACCEPTED, count, true)
        }
        Some(confirmed) => {
            return Err(Problem::conflict(format!(
                "`confirm` is {confirmed}, and now there are {count}: look again, and confirm that number"
            )));
        }
    };
    let answer = Reprocessed { count, is_reprocessed };
    Ok((status, Json(answer)))
}

/// How far what was asked to be worked on again is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reprocessing {
    /// Records that wait for it, or are being worked on.
    pub left: u64,
}

/// `GET /failures/reprocess`
pub(in crate::server) async fn reprocessing(State(app): State<App>) -> Result<Json<Reprocessing>> {
    let left = app.store().change_count(ChangeOrigin::Reprocess).await?;
    Ok(Json(Reprocessing { left }))
}

fn unknown(id: i64) -> Problem {
    Problem::not_found(format!("there is no failure {id}"))
}
