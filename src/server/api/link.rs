//! Links: which records are known to be the same thing.

use axum::{Extension, Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{audit, decided};
use crate::{
    core::status::{LinkStatus, Side},
    server::{
        auth::Caller,
        decision,
        error::{Problem, Result},
        extract::{Asked, Id},
        page::{Page, Wanted},
        state::App,
    },
    store::link::{LinkFilter, StoredLink},
};

/// A link.
#[derive(Debug, Clone, Serialize)]
pub struct View {
    /// Its id.
    pub link_id: i64,
    /// The mapping.
    pub mapping: String,
    /// Id of the left record.
    pub left_id: String,
    /// Id of the right record.
    pub right_id: String,
    /// How it stands.
    pub status: LinkStatus,
    /// The side whose record is gone, while a decision is pending.
    pub missing_side: Option<Side>,
    /// Since when it is gone.
    pub missing_since: Option<DateTime<Utc>>,
    /// When both were last in sync.
    pub last_synced_at: Option<DateTime<Utc>>,
    /// When the pair was linked.
    pub created_at: DateTime<Utc>,
}

impl From<StoredLink> for View {
    fn from(stored: StoredLink) -> Self {
        let (missing_side, missing_since) = stored.missing.unzip();
        Self {
            link_id: stored.link.link_id,
            mapping: stored.mapping.to_string(),
            left_id: stored.link.left_id,
            right_id: stored.link.right_id,
            status: stored.link.status,
            missing_side,
            missing_since,
            last_synced_at: stored.last_synced_at,
            created_at: stored.created_at,
        }
    }
}

/// Which links are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    mapping: Option<String>,
    status: Option<LinkStatus>,
    side: Option<Side>,
    record_id: Option<String>,
}

/// `GET /links`; with `mapping`, `side` and `record_id`: the living link of that record.
pub(super) async fn list(State(app): State<App>, Asked(query): Asked<Query>) -> Result<Json<Page<View>>> {
    if let Some(record_id) = &query.record_id {
        let (Some(mapping), Some(side)) = (&query.mapping, query.side) else {
            return Err(Problem::invalid("`record_id` needs `mapping` and `side` beside it"));
        };
        let found = app.store().link_by(mapping, side, record_id).await?;
        return Ok(Json(Page {
            items: found.into_iter().map(View::from).collect(),
            next: None,
        }));
    }
    let wanted = Wanted::of(query.limit, query.cursor.as_deref())?;
    let filter = LinkFilter {
        mapping: query.mapping,
        status: query.status,
    };
    let found = app.store().links(&filter, wanted.page()).await?;
    Ok(Json(wanted.of_items(found, |link| link.link.link_id, View::from)))
}

/// `GET /links/{id}`
pub(super) async fn get(State(app): State<App>, Id(id): Id) -> Result<Json<View>> {
    let link = app.store().link(id).await?;
    link.map(|link| Json(link.into())).ok_or_else(|| unknown(id))
}

/// `DELETE /links/{id}`: the pair is no longer known to be the same thing; both records stay as they are.
pub(super) async fn end(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<StatusCode> {
    let outcome = decision::end_link(app.store(), id, &audit::actor(&caller)).await?;
    decided(outcome, StatusCode::NO_CONTENT, &format!("link {id}"))
}

fn unknown(id: i64) -> Problem {
    Problem::not_found(format!("there is no link {id}"))
}
