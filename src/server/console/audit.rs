//! The audit: who did what.

use askama::Template;
use axum::Json;

use super::frame::{Frame, Page};
use crate::server::{
    api::{self, audit::View},
    error::Result,
    extract::{Asked, State},
    page,
    state::App,
};

#[derive(Template)]
#[template(path = "audit.html")]
pub struct List {
    f: Frame,
    rows: page::Page<View>,
}

/// `GET /audit`
pub async fn list(State(app): State<App>, f: Frame) -> Result<Page<List>> {
    let Json(rows) = api::audit::list(State(app), Asked(f.asked()?)).await?;
    Ok(Page(List { f, rows }))
}
