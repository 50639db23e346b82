//! Ignore rules: differences that people have chosen to leave, until a date.

use askama::Template;
use axum::{Json, response::Response};

use super::{
    drift,
    form::Form,
    frame::{self, Done, Frame, Page},
    query,
};
use crate::{
    core::status::{Side, Situation},
    server::{
        api::{self, ignore::View},
        error::Result,
        extract::{Asked, Id, State},
        page,
        state::App,
    },
};

#[derive(Template)]
#[template(path = "ignore.html")]
pub struct List {
    f: Frame,
    rows: page::Page<View>,
    mappings: Vec<String>,
}

/// `GET /ignore`; parameters `new_…` fill the form for a new rule.
pub async fn list(State(app): State<App>, f: Frame) -> Result<Page<List>> {
    let asked = ["mapping", "all", "cursor"].map(|name| (name, f.param(name)));
    let asked = query::asked(asked.into_iter().chain([("limit", "50")]))?;
    let Json(rows) = api::ignore::list(State(app.clone()), Asked(asked)).await?;
    Ok(Page(List {
        mappings: drift::names(&app),
        f,
        rows,
    }))
}

/// `POST /ignore`
pub async fn add(State(app): State<App>, f: Frame, sent: Form) -> Result<Response> {
    let wish = serde_json::json!({
        "mapping": sent.text("mapping"), "side": sent.get("record_id").and(sent.get("side")),
        "record_id": sent.get("record_id"), "field": sent.get("field"), "situation": sent.get("situation"),
        "until": sent.text("until"), "reason": sent.text("reason"),
    });
    let _ = api::ignore::add(State(app), f.caller()?, query::body(wish)?).await?;
    Ok(frame::to(&format!("{}/ignore", super::MOUNT), Some(Done::Ignored)))
}

/// `POST /ignore/{id}/remove`
pub async fn remove(State(app): State<App>, f: Frame, id: Id, sent: Form) -> Result<Response> {
    api::ignore::remove(State(app), f.caller()?, id).await?;
    Ok(frame::back(&sent, Done::Unignored))
}
