//! Pending deletes: links whose one record is gone, where a person decides what follows.

use axum::{Json, extract::State};
use serde::Deserialize;

use super::link::View;
use crate::server::{
    error::Result,
    extract::Asked,
    page::{Page, Wanted},
    state::App,
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
