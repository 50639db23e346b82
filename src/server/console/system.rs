//! Systems: who answers for their secrets and until when, and how requests to them stand.

use askama::Template;
use axum::Json;

use super::frame::{Frame, Page};
use crate::server::{
    api::{self, system::View},
    error::Result,
    extract::State,
    state::App,
};

#[derive(Template)]
#[template(path = "systems.html")]
pub struct List {
    f: Frame,
    systems: Vec<View>,
}

impl List {
    /// What the state of a circuit means for requests.
    fn circuit(state: &str) -> &'static str {
        match state {
            "closed" => "requests_go",
            "half_open" => "one_tries",
            _ => "nothing_is_sent",
        }
    }
}

/// `GET /systems`
pub async fn list(State(app): State<App>, f: Frame) -> Result<Page<List>> {
    let Json(systems) = api::system::list(State(app)).await?;
    Ok(Page(List { f, systems }))
}
