//! Conflicts: fields that both sides changed, where a person decides.

use askama::Template;
use axum::{Json, response::Response};

use super::{
    drift,
    form::Form,
    frame::{self, Done, Frame, Page},
    markup::{self, Markup},
    query,
};
use crate::{
    core::status::{ConflictStatus, Side, Sides},
    server::{
        api::{self, conflict::View},
        error::Result,
        extract::{Asked, Id, State},
        page,
        state::App,
    },
};

#[derive(Template)]
#[template(path = "conflicts.html")]
pub struct List {
    f: Frame,
    rows: page::Page<Row>,
    mappings: Vec<String>,
}

/// One conflict with its values side by side.
pub struct Row {
    pub view: View,
    pub systems: Sides<String>,
    pub left: Markup,
    pub right: Markup,
}

fn row(app: &App, view: View) -> Row {
    let (left, right) = markup::pair(view.left_value.as_deref(), view.right_value.as_deref());
    Row {
        systems: drift::systems(app, &view.mapping),
        view,
        left,
        right,
    }
}

/// `GET /conflicts`
pub async fn list(State(app): State<App>, f: Frame) -> Result<Page<List>> {
    let Json(found) = api::conflict::list(State(app.clone()), f.caller()?, Asked(f.asked()?)).await?;
    let rows = found.map(|view| row(&app, view));
    Ok(Page(List {
        mappings: drift::names(&app),
        f,
        rows,
    }))
}

#[derive(Template)]
#[template(path = "conflict.html")]
pub struct One {
    f: Frame,
    row: Row,
}

/// `GET /conflicts/{id}`
pub async fn get(State(app): State<App>, f: Frame, id: Id) -> Result<Page<One>> {
    let Json(view) = api::conflict::get(State(app.clone()), f.caller()?, id).await?;
    Ok(Page(One {
        row: row(&app, view),
        f,
    }))
}

/// `POST /conflicts/{id}/resolve`: a side's value counts, or a third one.
pub async fn resolve(State(app): State<App>, f: Frame, id: Id, sent: Form) -> Result<Response> {
    let value = sent.get("winner").is_none().then(|| sent.text("value"));
    let decision = serde_json::json!({ "winner": sent.get("winner"), "value": value, "seen": sent.get("seen") });
    api::conflict::resolve(State(app), f.caller()?, id, query::body(decision)?).await?;
    Ok(frame::back(&sent, Done::Decided))
}

/// `POST /conflicts/{id}/ignore`: until a side changes.
pub async fn ignore(State(app): State<App>, f: Frame, id: Id, sent: Form) -> Result<Response> {
    let seen = query::body(serde_json::json!({ "seen": sent.get("seen") }))?;
    api::conflict::ignore(State(app), f.caller()?, id, seen).await?;
    Ok(frame::back(&sent, Done::Decided))
}
