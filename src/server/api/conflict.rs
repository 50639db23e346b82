//! Conflicts: fields that both sides changed, where a person decides.

use axum::{Extension, Json, http::StatusCode};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{audit, decided, drift::mask};
use crate::{
    core::status::{ConflictStatus, Role, Side},
    server::{
        auth::Caller,
        error::{Problem, Result},
        extract::{Asked, Body, Id, State},
        page::{Page, Wanted},
        settling,
        state::App,
    },
    store::conflict::{Conflict, ConflictFilter, Resolution},
};

/// A conflict.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Conflict")]
pub struct View {
    /// Its id.
    pub conflict_id: i64,
    /// The mapping.
    pub mapping: String,
    /// Id of the left record.
    pub left_id: String,
    /// Id of the right record.
    pub right_id: String,
    /// The field.
    pub field: String,
    /// The left value; masked for viewers where it is sensitive.
    pub left_value: Option<String>,
    /// The right value; masked for viewers where it is sensitive.
    pub right_value: Option<String>,
    /// Whether the values are personal data.
    pub sensitive: bool,
    /// How it stands.
    pub status: ConflictStatus,
    /// The run that found it.
    pub run_id: Option<i64>,
    /// When it was found.
    pub created_at: DateTime<Utc>,
    /// When it was decided.
    pub resolved_at: Option<DateTime<Utc>>,
    /// Who decided it.
    pub resolved_by: Option<String>,
    /// The side whose value counts.
    pub winner: Option<Side>,
    /// The value for both sides, as decided; masked for viewers where it is sensitive.
    pub decided_value: Option<String>,
    /// A word for both values as they stand here: a decision that names it is refused where they have changed.
    pub seen: String,
    /// When the decision had taken effect.
    pub applied_at: Option<DateTime<Utc>>,
}

impl View {
    /// What `role` may see of a conflict.
    #[must_use]
    pub fn of(conflict: Conflict, role: Role) -> Self {
        let seen = conflict.seen();
        let shown = |value: Option<String>| mask(value, conflict.sensitive, role);
        Self {
            seen,
            decided_value: shown(conflict.decided_value),
            conflict_id: conflict.conflict_id,
            mapping: conflict.mapping.to_string(),
            left_id: conflict.left_id,
            right_id: conflict.right_id,
            field: conflict.field,
            left_value: shown(conflict.left_value),
            right_value: shown(conflict.right_value),
            sensitive: conflict.sensitive,
            status: conflict.status,
            run_id: conflict.run_id,
            created_at: conflict.created_at,
            resolved_at: conflict.resolved_at,
            resolved_by: conflict.resolved_by,
            winner: conflict.winner,
            applied_at: conflict.applied_at,
        }
    }
}

/// Which conflicts are asked for: open ones, where nothing is said.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    mapping: Option<String>,
    status: Option<ConflictStatus>,
    record_id: Option<String>,
}

/// `GET /conflicts`
pub(in crate::server) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<Query>,
) -> Result<Json<Page<View>>> {
    let wanted = Wanted::of(query.limit, query.cursor.as_deref())?;
    let filter = ConflictFilter {
        mapping: query.mapping,
        status: Some(query.status.unwrap_or(ConflictStatus::Open)),
        record_id: query.record_id,
    };
    let found = app.store().conflicts(&filter, wanted.page()).await?;
    Ok(Json(wanted.of_items(
        found,
        |item| item.conflict_id,
        |item| View::of(item, caller.sight),
    )))
}

/// `GET /conflicts/{id}`
pub(in crate::server) async fn get(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<Json<View>> {
    let conflict = app.store().conflict(id).await?;
    conflict
        .map(|conflict| Json(View::of(conflict, caller.sight)))
        .ok_or_else(|| unknown(id))
}

/// How a conflict is decided.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct Decision {
    /// `left`, `right`, or the name of the system whose value counts.
    winner: Option<String>,
    /// A value for both sides, in the form of the left one.
    value: Option<String>,
    /// The word for the values that the decision is about.
    seen: Option<String>,
}

/// `POST /conflicts/{id}/resolve`
pub(in crate::server) async fn resolve(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Body(decision): Body<Decision>,
) -> Result<StatusCode> {
    let (winner, value) = (decision.winner, decision.value);
    if winner.is_some() == value.is_some() {
        return Err(Problem::invalid("a decision has a `winner` or a `value`"));
    }
    let conflict = app.store().conflict(id).await?.ok_or_else(|| unknown(id))?;
    let resolution = match winner {
        Some(winner) => Resolution::Take(side(&app, &conflict.mapping, &winner)?),
        None => Resolution::Set(value.unwrap_or_default()),
    };
    decide(
        &app,
        &caller,
        &conflict,
        (&resolution, decision.seen.as_deref()),
        StatusCode::ACCEPTED,
    )
    .await
}

/// `POST /conflicts/{id}/ignore`
pub(in crate::server) async fn ignore(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Body(seen): Body<Seen>,
) -> Result<StatusCode> {
    let conflict = app.store().conflict(id).await?.ok_or_else(|| unknown(id))?;
    let decision = (&Resolution::Ignore, seen.seen.as_deref());
    decide(&app, &caller, &conflict, decision, StatusCode::NO_CONTENT).await
}

/// What the decision to ignore is about.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct Seen {
    /// The word for the values that the decision is about.
    seen: Option<String>,
}

async fn decide(
    app: &App,
    caller: &Caller,
    conflict: &Conflict,
    decision: (&Resolution, Option<&str>),
    made: StatusCode,
) -> Result<StatusCode> {
    let mapping = app.mapping(&conflict.mapping).map(|mapping| &**mapping);
    let (id, actor) = (conflict.conflict_id, audit::actor(caller));
    let outcome = settling::resolve_conflict(app.store(), mapping, id, decision, &actor).await?;
    decided(outcome, made, &format!("conflict {id}"))
}

/// The side that a word names. A conflict may be older than the present mappings.
fn side(app: &App, mapping: &str, word: &str) -> Result<Side> {
    let Some(mapping) = app.mapping(mapping) else {
        return word
            .parse()
            .map_err(|_| Problem::invalid("`winner` is `left` or `right`"));
    };
    mapping.side_named(word).ok_or_else(|| {
        Problem::invalid(format!(
            "`winner` is `{}` or `{}`",
            mapping.end(Side::Left).system,
            mapping.end(Side::Right).system
        ))
    })
}

fn unknown(id: i64) -> Problem {
    Problem::not_found(format!("there is no conflict {id}"))
}
