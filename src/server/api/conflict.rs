//! Conflicts: fields that both sides changed, where a person decides.

use axum::{Extension, Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{audit, decided, drift::mask, mapping};
use crate::{
    core::status::{ConflictStatus, Role, Side},
    server::{
        auth::Caller,
        decision,
        error::{Problem, Result},
        extract::{Asked, Body, Id},
        page::{Page, Wanted},
        state::App,
    },
    store::conflict::{Conflict, ConflictFilter},
};

/// A conflict.
#[derive(Debug, Clone, Serialize)]
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
    /// When the decision had taken effect.
    pub applied_at: Option<DateTime<Utc>>,
}

impl View {
    /// What `role` may see of a conflict.
    #[must_use]
    pub fn of(conflict: Conflict, role: Role) -> Self {
        let shown = |value: Option<String>| mask(value, conflict.sensitive, role);
        Self {
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
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    mapping: Option<String>,
    status: Option<ConflictStatus>,
    record_id: Option<String>,
}

/// `GET /conflicts`
pub(super) async fn list(
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
        |item| View::of(item, caller.role),
    )))
}

/// `GET /conflicts/{id}`
pub(super) async fn get(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<Json<View>> {
    let conflict = app.store().conflict(id).await?;
    conflict
        .map(|conflict| Json(View::of(conflict, caller.role)))
        .ok_or_else(|| unknown(id))
}

/// How a conflict is decided.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decision {
    /// `left`, `right`, or the name of the system whose value counts.
    winner: String,
}

/// `POST /conflicts/{id}/resolve`
pub(super) async fn resolve(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Body(decision): Body<Decision>,
) -> Result<StatusCode> {
    let conflict = app.store().conflict(id).await?.ok_or_else(|| unknown(id))?;
    let winner = side(&app, &conflict.mapping, &decision.winner)?;
    let outcome = decision::resolve_conflict(app.store(), id, winner, &audit::actor(&caller)).await?;
    decided(outcome, StatusCode::ACCEPTED, &format!("conflict {id}"))
}

/// `POST /conflicts/{id}/ignore`
pub(super) async fn ignore(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<StatusCode> {
    let outcome = decision::ignore_conflict(app.store(), id, &audit::actor(&caller)).await?;
    decided(outcome, StatusCode::NO_CONTENT, &format!("conflict {id}"))
}

/// The side that a word names. A conflict may be older than the present mappings.
fn side(app: &App, mapping: &str, word: &str) -> Result<Side> {
    let Some(mapping) = app.mapping(mapping) else {
        return word
            .parse()
            .map_err(|_| Problem::invalid("`winner` is `left` or `right`"));
    };
    mapping::side(mapping, word).ok_or_else(|| {
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
