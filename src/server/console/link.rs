//! Links: which records are known to be the same thing.

use askama::Template;
use axum::{Json, response::Response};

use super::{
    drift,
    form::Form,
    frame::{self, Done, Frame, Page},
};
use crate::{
    core::status::{LinkStatus, Side, Sides},
    server::{
        api::{self, link::View},
        error::Result,
        extract::{Asked, Id, State},
        page,
        state::App,
    },
};

#[derive(Template)]
#[template(path = "links.html")]
pub struct List {
    f: Frame,
    rows: page::Page<Row>,
    mappings: Vec<String>,
}

/// One link.
pub struct Row {
    pub view: View,
    pub systems: Sides<String>,
}

/// `GET /links`
pub async fn list(State(app): State<App>, f: Frame) -> Result<Page<List>> {
    let Json(found) = api::link::list(State(app.clone()), Asked(f.asked()?)).await?;
    let rows = found.map(|view| Row {
        systems: drift::systems(&app, &view.mapping),
        view,
    });
    Ok(Page(List {
        mappings: drift::names(&app),
        f,
        rows,
    }))
}

/// `POST /links/{id}/end`: the pair is no longer known to be the same thing.
pub async fn end(State(app): State<App>, f: Frame, id: Id, sent: Form) -> Result<Response> {
    api::link::end(State(app), f.caller()?, id).await?;
    Ok(frame::back(&sent, Done::Unlinked))
}
