//! Pending deletes: links whose one record is gone, where a person decides what follows.

use askama::Template;
use axum::{Json, response::Response};

use super::{
    drift,
    form::Form,
    frame::{self, Done, Frame, Page},
};
use crate::{
    core::status::{Side, Sides},
    server::{
        api::{self, link::View},
        error::{Problem, Result},
        extract::{Asked, Id, State, Within},
        page,
        state::App,
    },
};

#[derive(Template)]
#[template(path = "deletes.html")]
pub struct List {
    f: Frame,
    rows: page::Page<Row>,
    mappings: Vec<String>,
}

/// One link whose one record is gone.
pub struct Row {
    pub view: View,
    pub systems: Sides<String>,
}

/// `GET /deletes`
pub async fn list(State(app): State<App>, f: Frame) -> Result<Page<List>> {
    let Json(found) = api::delete::list(State(app.clone()), Asked(f.asked()?)).await?;
    let row = |view: View| Row {
        systems: drift::systems(&app, &view.mapping),
        view,
    };
    let rows = found.map(row);
    Ok(Page(List {
        mappings: drift::names(&app),
        f,
        rows,
    }))
}

/// `POST /deletes/{id}/{decision}`
pub async fn decide(
    State(app): State<App>,
    f: Frame,
    Within((id, decision)): Within<(i64, String)>,
    sent: Form,
) -> Result<Response> {
    let (app, caller, id) = (State(app), f.caller()?, Id(id));
    match decision.as_str() {
        "confirm" => api::delete::confirm(app, caller, id).await,
        "recreate" => api::delete::recreate(app, caller, id).await,
        "keep" => api::delete::keep(app, caller, id).await,
        "unlink" => api::delete::unlink(app, caller, id).await,
        _ => Err(Problem::not_found(
            "a pending delete is confirmed, kept, unlinked, or its record made again",
        )),
    }?;
    Ok(frame::back(&sent, Done::Decided))
}
