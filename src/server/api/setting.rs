//! The settings, as they were loaded.

use axum::Json;

use crate::{
    server::{extract::State, state::App},
    settings::Entry,
};

/// `GET /settings`: every setting with where it came from, secrets masked.
pub(in crate::server) async fn list(State(app): State<App>) -> Json<Vec<Entry>> {
    Json(app.settings().shown.clone())
}
