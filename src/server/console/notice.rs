//! Notices: what people and programs were told, and what became of it.

use askama::Template;
use axum::{Json, response::Response};

use super::{
    form::Form,
    frame::{self, Done, Frame, Page},
};
use crate::{
    core::status::{DeliveryStatus, NoticeCondition},
    server::{
        api::{self, notice::View},
        error::Result,
        extract::{Asked, Id, State},
        page,
        state::App,
    },
};

#[derive(Template)]
#[template(path = "notices.html")]
pub struct List {
    f: Frame,
    rows: page::Page<View>,
}

impl List {
    /// Whether a target did not get it.
    fn is_dead(notice: &View) -> bool {
        notice.deliveries.iter().any(|one| one.status == DeliveryStatus::Dead)
    }
}

/// `GET /notices`
pub async fn list(State(app): State<App>, f: Frame) -> Result<Page<List>> {
    let Json(rows) = api::notice::list(State(app), Asked(f.asked()?)).await?;
    Ok(Page(List { f, rows }))
}

/// `POST /notices/{id}/resend`
pub async fn resend(State(app): State<App>, f: Frame, id: Id, sent: Form) -> Result<Response> {
    api::notice::resend(State(app), f.caller()?, id).await?;
    Ok(frame::back(&sent, Done::Resent))
}
