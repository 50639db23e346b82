//! Events: what other systems pushed, and what became of it. Payloads are never shown.

use axum::{Extension, Json, http::StatusCode};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::audit;
use crate::{
    core::status::{EventKind, EventStatus},
    server::{
        auth::Caller,
        decision::{self, Reprocessed},
        error::{Problem, Result},
        extract::{Asked, Id, State},
        page::{Page, Wanted},
        state::App,
    },
    store::event::{Event, EventFilter},
};

/// An event.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct View {
    /// Its id.
    pub event_id: i64,
    /// The system that sent it.
    pub system: String,
    /// The sender's id of it.
    pub external_id: String,
    /// The object concerned.
    pub object: String,
    /// The record concerned; null where everything is to be read again.
    pub record_id: Option<String>,
    /// What is said to have happened.
    pub kind: EventKind,
    /// Whether our own integration user caused it.
    pub own: bool,
    /// The record it lives on as, after a merge.
    pub merged_into: Option<String>,
    /// How it stands.
    pub status: EventStatus,
    /// How often it was processed.
    pub attempts: u64,
    /// Why it failed last.
    pub last_error: Option<String>,
    /// When the sender says it happened.
    pub occurred_at: Option<DateTime<Utc>>,
    /// When it was stored.
    pub received_at: DateTime<Utc>,
    /// When it was last processed.
    pub processed_at: Option<DateTime<Utc>>,
    /// How long that took, in milliseconds.
    pub processing_ms: Option<u64>,
    /// The request that brought it.
    pub request_id: String,
}

impl From<Event> for View {
    fn from(event: Event) -> Self {
        Self {
            event_id: event.event_id,
            system: event.system.to_string(),
            external_id: event.external_id,
            object: event.object,
            record_id: event.record_id,
            kind: event.kind,
            own: event.own,
            merged_into: event.merged_into,
            status: event.status,
            attempts: event.attempts,
            last_error: event.last_error,
            occurred_at: event.occurred_at,
            received_at: event.received_at,
            processed_at: event.processed_at,
            processing_ms: event.processing_ms,
            request_id: event.request_id,
        }
    }
}

/// Which events are asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    system: Option<String>,
    object: Option<String>,
    record_id: Option<String>,
    status: Option<EventStatus>,
    since: Option<DateTime<Utc>>,
}

/// `GET /events`
pub(in crate::server) async fn list(State(app): State<App>, Asked(query): Asked<Query>) -> Result<Json<Page<View>>> {
    let wanted = Wanted::of(query.limit, query.cursor.as_deref())?;
    let filter = EventFilter {
        system: query.system,
        object: query.object,
        record_id: query.record_id,
        status: query.status,
        since: query.since,
    };
    let found = app.store().events(&filter, wanted.page()).await?;
    Ok(Json(wanted.of_items(found, |event| event.event_id, View::from)))
}

/// `GET /events/{id}`
pub(in crate::server) async fn get(State(app): State<App>, Id(id): Id) -> Result<Json<View>> {
    let event = app.store().event(id).await?;
    event
        .map(|event| Json(event.into()))
        .ok_or_else(|| Problem::not_found(format!("there is no event {id}")))
}

/// `POST /events/{id}/reprocess`: an event with an error, or one that nobody has looked at, is worked on again.
pub(in crate::server) async fn reprocess(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<StatusCode> {
    match decision::reprocess_event(app.engine(), app.store(), id, &audit::actor(&caller)).await? {
        Reprocessed::Begun => Ok(StatusCode::ACCEPTED),
        Reprocessed::Unknown => Err(Problem::not_found(format!("there is no event {id}"))),
        Reprocessed::NoError(status) => Err(Problem::conflict(format!(
            "event {id} is `{status}`: only an event with an error is worked on again"
        ))),
        Reprocessed::Nowhere => Err(Problem::conflict(format!(
            "event {id} concerns nothing that a mapping has: no record, or an object without a mapping"
        ))),
    }
}
