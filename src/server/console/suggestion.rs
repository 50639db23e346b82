//! Suggestions: similar records that no rule couples, where a person says whether they are the same thing.

use askama::Template;
use axum::{Json, response::Response};

use super::{
    drift,
    form::Form,
    frame::{self, Done, Frame, Page},
};
use crate::{
    core::status::{Side, Sides, SuggestionStatus},
    server::{
        api::{self, suggestion::View},
        error::Result,
        extract::{Asked, Id, State},
        page,
        state::App,
    },
};

#[derive(Template)]
#[template(path = "suggestions.html")]
pub struct List {
    f: Frame,
    rows: page::Page<Row>,
    mappings: Vec<String>,
}

/// One pair.
pub struct Row {
    pub view: View,
    pub systems: Sides<String>,
    /// How similar they are, in percent.
    pub percent: String,
}

/// `GET /suggestions`
pub async fn list(State(app): State<App>, f: Frame) -> Result<Page<List>> {
    let Json(found) = api::suggestion::list(State(app.clone()), f.caller()?, Asked(f.asked()?)).await?;
    let row = |view: View| Row {
        systems: drift::systems(&app, &view.mapping),
        percent: format!("{:.0} %", view.score * 100.0),
        view,
    };
    let rows = found.map(row);
    Ok(Page(List {
        mappings: drift::names(&app),
        f,
        rows,
    }))
}

/// `POST /suggestions/{id}/accept`
pub async fn accept(State(app): State<App>, f: Frame, id: Id, sent: Form) -> Result<Response> {
    api::suggestion::accept(State(app), f.caller()?, id).await?;
    Ok(frame::back(&sent, Done::Decided))
}

/// `POST /suggestions/{id}/reject`
pub async fn reject(State(app): State<App>, f: Frame, id: Id, sent: Form) -> Result<Response> {
    api::suggestion::reject(State(app), f.caller()?, id).await?;
    Ok(frame::back(&sent, Done::Decided))
}
