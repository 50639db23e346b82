//! Pending deletes: links whose one record is gone, where a person decides what follows.

use axum::{Extension, Json, extract::State, http::StatusCode};
use serde::Deserialize;

use super::{audit, decided, link::View};
use crate::{
    core::status::LinkStatus,
    server::{
        auth::Caller,
        decision,
        error::{Problem, Result},
        extract::{Asked, Id},
        page::{Page, Wanted},
        state::App,
    },
};

/// Which pending deletes are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    mapping: Option<String>,
}

/// `GET /deletes`
pub(super) async fn list(State(app): State<App>, Asked(query): Asked<Query>) -> Result<Json<Page<View>>> {
    let wanted = Wanted::of(query.limit, query.cursor.as_deref())?;
    let found = app
        .store()
        .pending_deletes(query.mapping.as_deref(), wanted.page())
        .await?;
    Ok(Json(wanted.of_items(found, |link| link.link.link_id, View::from)))
}

/// `POST /deletes/{id}/unlink`: the record that is left stays, and no longer belongs to the one that is gone.
pub(super) async fn unlink(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<StatusCode> {
    let link = app.store().link(id).await?;
    if link.is_some_and(|link| link.link.status == LinkStatus::Linked) {
        return Err(Problem::conflict(format!("link {id} is no pending delete")));
    }
    let outcome = decision::end_link(app.store(), id, &audit::actor(&caller)).await?;
    decided(outcome, StatusCode::NO_CONTENT, &format!("pending delete {id}"))
}
