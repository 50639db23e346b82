//! Settings as they were loaded, secrets masked.

use askama::Template;

use super::frame::{Frame, Page};
use crate::{
    server::{error::Result, extract::State, state::App},
    settings::Entry,
};

/// The most settings of one page: systems may have many.
const ENTRIES_MAX: usize = 400;

#[derive(Template)]
#[template(path = "settings.html")]
pub struct List {
    f: Frame,
    environment: String,
    entries: Vec<Entry>,
}

/// `GET /settings`, with `q` as a part of the key.
pub async fn list(State(app): State<App>, f: Frame) -> Result<Page<List>> {
    let settings = app.settings();
    let wanted = f.param("key");
    let entries = settings.shown.iter().filter(|entry| entry.key.contains(wanted));
    Ok(Page(List {
        environment: settings.environment.clone(),
        entries: entries.take(ENTRIES_MAX).cloned().collect(),
        f,
    }))
}
