//! Failures: records that could not be synchronized, why, and what to do about them.

use askama::Template;
use axum::{
    Json,
    response::{IntoResponse, Response},
};

use super::{
    chart, drift,
    form::Form,
    frame::{self, Done, Frame, Page},
    markup::Markup,
    query,
};
use crate::{
    core::status::{FailureClass, FailureStatus, Stage},
    server::{
        api::{
            self,
            failure::{Group, View},
        },
        error::Result,
        extract::{Asked, Id, State},
        page,
        state::App,
    },
};

/// The most kinds of failures that are counted.
const GROUPS: usize = 15;

#[derive(Template)]
#[template(path = "failures.html")]
pub struct List {
    f: Frame,
    rows: page::Page<View>,
    codes: Vec<Group>,
    classes: Vec<Group>,
    mappings: Vec<String>,
    /// How many wait to be worked on again.
    left: u64,
    /// Of how many that were asked for on this page.
    asked: u64,
}

impl List {
    /// How many of those that were asked for are done.
    fn done(&self) -> u64 {
        self.asked.saturating_sub(self.left)
    }

    fn bar(groups: &[Group], one: &Group) -> Markup {
        let longest = groups.iter().map(|group| group.count).max().unwrap_or_default();
        chart::bar(one.count, longest)
    }
}

/// `GET /failures`
pub async fn list(State(app): State<App>, f: Frame) -> Result<Page<List>> {
    let Json(rows) = api::failure::list(State(app.clone()), Asked(f.asked()?)).await?;
    let Json(reprocessing) = api::failure::reprocessing(State(app.clone())).await?;
    Ok(Page(List {
        left: reprocessing.left,
        asked: f.param("of").parse().unwrap_or_default(),
        codes: groups(&app, &f, "code").await?,
        classes: groups(&app, &f, "class").await?,
        mappings: drift::names(&app),
        f,
        rows,
    }))
}

async fn groups(app: &App, f: &Frame, by: &str) -> Result<Vec<Group>> {
    let asked = query::asked([("by", by), ("mapping", f.param("mapping"))])?;
    let Json(mut groups) = api::failure::groups(State(app.clone()), Asked(asked)).await?;
    groups.truncate(GROUPS);
    Ok(groups)
}

#[derive(Template)]
#[template(path = "failure.html")]
pub struct One {
    f: Frame,
    failure: View,
}

/// `GET /failures/{id}`
pub async fn get(State(app): State<App>, f: Frame, id: Id) -> Result<Page<One>> {
    let Json(failure) = api::failure::get(State(app), id).await?;
    Ok(Page(One { f, failure }))
}

/// `POST /failures/{id}/reprocess`
pub async fn reprocess(State(app): State<App>, f: Frame, id: Id, sent: Form) -> Result<Response> {
    api::failure::reprocess(State(app), f.caller()?, id).await?;
    Ok(frame::back(&sent, Done::Reprocess))
}

/// `POST /failures/{id}/ignore`
pub async fn ignore(State(app): State<App>, f: Frame, id: Id, sent: Form) -> Result<Response> {
    api::failure::ignore(State(app), f.caller()?, id).await?;
    Ok(frame::back(&sent, Done::FailureIgnored))
}

#[derive(Template)]
#[template(path = "reprocess.html")]
struct Confirm {
    f: Frame,
    count: u64,
    /// The filter, as it was sent.
    wish: Vec<(String, String)>,
}

/// What of a list of failures says which are meant.
const SELECTION: [&str; 8] = [
    "run_id",
    "mapping",
    "record_id",
    "class",
    "stage",
    "code",
    "status",
    "since",
];

/// `POST /failures/reprocess`: first it says how many these are; confirmed with that number it does it.
pub async fn reprocess_all(State(app): State<App>, f: Frame, sent: Form) -> Result<Response> {
    let wish: Vec<(String, String)> = sent
        .pairs()
        .filter(|(name, _)| SELECTION.contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut filter = serde_json::Map::new();
    for (name, value) in &wish {
        let value = match (name.as_str(), value.parse::<i64>()) {
            ("run_id", Ok(id)) => id.into(),
            _ => value.as_str().into(),
        };
        filter.insert(name.clone(), value);
    }
    let confirm = sent.get("confirm").and_then(|count| count.parse::<u64>().ok());
    let body = query::body(serde_json::json!({ "filter": filter, "confirm": confirm }))?;
    let (_, Json(answer)) = api::failure::reprocess_all(State(app), f.caller()?, body).await?;
    if answer.is_reprocessed {
        return Ok(frame::back_of(&sent, Done::Reprocess, answer.count));
    }
    let count = answer.count;
    Ok(Page(Confirm { f, count, wish }).into_response())
}
