//! Webhooks: what both sides of each keep to, all of them and one alone, to hand over.

use askama::Template;
use axum::{Json, response::Response};

use super::frame::{Frame, Page};
use crate::server::{
    api::webhook::{self, Contract},
    error::Result,
    extract::{State, Within},
    state::App,
};

#[derive(Template)]
#[template(path = "webhooks.html")]
pub struct List {
    f: Frame,
    contracts: Vec<Contract>,
}

#[derive(Template)]
#[template(path = "webhook.html")]
pub struct One {
    f: Frame,
    contract: Contract,
}

/// `GET /webhooks`
pub async fn list(State(app): State<App>, f: Frame) -> Page<List> {
    let contracts = webhook::contracts(&app);
    Page(List { f, contracts })
}

/// `GET /webhooks.md`
pub async fn markdown(State(app): State<App>) -> Response {
    webhook::text("all", &webhook::contracts(&app))
}

/// `GET /webhooks/incoming/{system}`
pub async fn incoming(app: State<App>, f: Frame, system: Within<String>) -> Result<Page<One>> {
    let Json(contract) = webhook::incoming(app, system).await?;
    Ok(Page(One { f, contract }))
}

/// `GET /webhooks/outgoing/{target}`
pub async fn outgoing(app: State<App>, f: Frame, target: Within<String>) -> Result<Page<One>> {
    let Json(contract) = webhook::outgoing(app, target).await?;
    Ok(Page(One { f, contract }))
}
