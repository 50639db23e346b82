//! Webhooks: what both sides of each keep to.

use askama::Template;
use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::frame::{Frame, Page};
use crate::server::{
    api::webhook::{self, Contract},
    extract::State,
    state::App,
};

#[derive(Template)]
#[template(path = "webhooks.html")]
pub struct List {
    f: Frame,
    contracts: Vec<Contract>,
}

/// `GET /webhooks`
pub async fn list(State(app): State<App>, f: Frame) -> Page<List> {
    let contracts = webhook::contracts(&app);
    Page(List { f, contracts })
}

/// `GET /webhooks.md`
pub async fn markdown(State(app): State<App>) -> Response {
    let text = webhook::markdown(&webhook::contracts(&app));
    let markdown = HeaderValue::from_static("text/markdown; charset=utf-8");
    let file = HeaderValue::from_static("attachment; filename=\"webhooks.md\"");
    let headers = [(header::CONTENT_TYPE, markdown), (header::CONTENT_DISPOSITION, file)];
    (headers, text).into_response()
}
