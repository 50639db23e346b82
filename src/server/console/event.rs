//! Events: what other systems pushed, and what became of it.

use askama::Template;
use axum::{Json, response::Response};

use super::{
    form::Form,
    frame::{self, Done, Frame, Page},
};
use crate::{
    core::status::EventStatus,
    server::{
        api::{self, event::View},
        error::Result,
        extract::{Asked, Id, State},
        page,
        state::App,
    },
};

#[derive(Template)]
#[template(path = "events.html")]
pub struct List {
    f: Frame,
    rows: page::Page<View>,
    systems: Vec<String>,
}

/// `GET /events`
pub async fn list(State(app): State<App>, f: Frame) -> Result<Page<List>> {
    let Json(rows) = api::event::list(State(app.clone()), Asked(f.asked()?)).await?;
    Ok(Page(List {
        systems: app.systems().map(|(name, _)| name.clone()).collect(),
        f,
        rows,
    }))
}

#[derive(Template)]
#[template(path = "event.html")]
pub struct One {
    f: Frame,
    event: View,
}

/// `GET /events/{id}`
pub async fn get(State(app): State<App>, f: Frame, id: Id) -> Result<Page<One>> {
    let Json(event) = api::event::get(State(app), id).await?;
    Ok(Page(One { f, event }))
}

/// `POST /events/{id}/reprocess`
pub async fn reprocess(State(app): State<App>, f: Frame, id: Id, sent: Form) -> Result<Response> {
    api::event::reprocess(State(app), f.caller()?, id).await?;
    Ok(frame::back(&sent, Done::Reprocess))
}
