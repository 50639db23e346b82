//! Suggestions: similar records that no rule couples, where a person says whether they are the same thing.

use axum::{Extension, Json, http::StatusCode};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{audit, decided, drift::mask};
use crate::{
    core::status::{Role, SuggestionStatus},
    server::{
        auth::Caller,
        error::{Problem, Result},
        extract::{Asked, Id, State},
        page::{Page, Wanted},
        settling,
        state::App,
    },
    store::suggestion::{Compared, Suggestion, SuggestionFilter},
};

/// A suggestion.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Suggestion")]
pub struct View {
    /// Its id.
    pub suggestion_id: i64,
    /// The mapping.
    pub mapping: String,
    /// Id of the left record.
    pub left_id: String,
    /// Id of the right record.
    pub right_id: String,
    /// How similar they are, 0 to 1.
    pub score: f64,
    /// What they were compared by; masked for viewers where it is sensitive.
    pub compared: Vec<Pair>,
    /// Whether the values are personal data.
    pub sensitive: bool,
    /// How it stands.
    pub status: SuggestionStatus,
    /// The run that found it last.
    pub run_id: i64,
    /// When it was found first.
    pub created_at: DateTime<Utc>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// Who decided it.
    pub decided_by: Option<String>,
}

/// Two values, side by side.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "ComparedField")]
pub struct Pair {
    /// The field.
    pub field: String,
    /// The left value.
    pub left: Option<String>,
    /// The right value.
    pub right: Option<String>,
}

impl View {
    /// What `role` may see of a suggestion.
    #[must_use]
    pub fn of(suggestion: Suggestion, role: Role) -> Self {
        let shown = |value: String| mask((!value.is_empty()).then_some(value), suggestion.sensitive, role);
        let pair = |Compared { field, left, right }| Pair {
            field,
            left: shown(left),
            right: shown(right),
        };
        Self {
            suggestion_id: suggestion.suggestion_id,
            mapping: suggestion.mapping.to_string(),
            left_id: suggestion.left_id,
            right_id: suggestion.right_id,
            score: f64::from(suggestion.score) / 1_000.0,
            compared: suggestion.compared.into_iter().map(pair).collect(),
            sensitive: suggestion.sensitive,
            status: suggestion.status,
            run_id: suggestion.run_id,
            created_at: suggestion.created_at,
            decided_at: suggestion.decided_at,
            decided_by: suggestion.decided_by,
        }
    }
}

/// Which suggestions are asked for: open ones, where nothing is said.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    mapping: Option<String>,
    status: Option<SuggestionStatus>,
    record_id: Option<String>,
}

/// `GET /suggestions`
pub(in crate::server) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<Query>,
) -> Result<Json<Page<View>>> {
    let wanted = Wanted::of(query.limit, query.cursor.as_deref())?;
    let filter = SuggestionFilter {
        mapping: query.mapping,
        status: Some(query.status.unwrap_or(SuggestionStatus::Open)),
        record_id: query.record_id,
    };
    let found = app.store().suggestions(&filter, wanted.page()).await?;
    Ok(Json(wanted.of_items(
        found,
        |item| item.suggestion_id,
        |item| View::of(item, caller.sight),
    )))
}

/// `GET /suggestions/{id}`
pub(in crate::server) async fn get(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<Json<View>> {
    let suggestion = app.store().suggestion(id).await?;
    suggestion
        .map(|suggestion| Json(View::of(suggestion, caller.sight)))
        .ok_or_else(|| Problem::not_found(format!("there is no suggestion {id}")))
}

/// `POST /suggestions/{id}/accept`: they are the same thing.
pub(in crate::server) async fn accept(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<StatusCode> {
    let accepted = settling::accept_suggestion(app.store(), id, &audit::actor(&caller)).await?;
    decided(accepted, StatusCode::ACCEPTED, &format!("suggestion {id}"))
}

/// `POST /suggestions/{id}/reject`: they are not the same thing.
pub(in crate::server) async fn reject(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<StatusCode> {
    let outcome = settling::reject_suggestion(app.store(), id, &audit::actor(&caller)).await?;
    decided(outcome, StatusCode::NO_CONTENT, &format!("suggestion {id}"))
}
