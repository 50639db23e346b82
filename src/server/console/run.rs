//! Runs: what was executed and what came of it, and those that wait for a person.

use askama::Template;
use axum::{Json, response::Response};

use super::{
    drift,
    form::Form,
    frame::{self, Done, Frame, Page},
    markup,
};
use crate::{
    core::status::{RunKind, RunStatus},
    server::{
        api::{self, drift::Report, run::View},
        error::Result,
        extract::{Asked, Id, State},
        page,
        state::App,
    },
    store::run::Phase,
};

#[derive(Template)]
#[template(path = "runs.html")]
pub struct List {
    f: Frame,
    rows: page::Page<View>,
    mappings: Vec<String>,
}

/// `GET /runs`
pub async fn list(State(app): State<App>, f: Frame) -> Result<Page<List>> {
    let Json(rows) = api::run::list(State(app.clone()), Asked(f.asked()?)).await?;
    Ok(Page(List {
        mappings: drift::names(&app),
        f,
        rows,
    }))
}

#[derive(Template)]
#[template(path = "held.html")]
pub struct Held {
    f: Frame,
    rows: page::Page<View>,
    /// What each would do, in the order of the rows.
    reports: Vec<Option<Report>>,
}

/// `GET /held`: runs that a guard rail has stopped.
pub async fn held(State(app): State<App>, f: Frame) -> Result<Page<Held>> {
    let query = f.read(&[("limit", "20"), ("status", "held")])?;
    let Json(rows) = api::run::list(State(app.clone()), Asked(query)).await?;
    let mut reports = Vec::with_capacity(rows.items.len());
    for run in &rows.items {
        reports.push(app.store().drift_summary(run.run_id).await?.map(Report::from));
    }
    Ok(Page(Held { f, rows, reports }))
}

#[derive(Template)]
#[template(path = "run.html")]
pub struct One {
    f: Frame,
    run: View,
    lasted: Option<String>,
    report: Option<Report>,
    counters: Vec<(&'static str, u64)>,
}

impl One {
    /// What a run is at, by its name.
    fn phase(run: &View) -> &'static str {
        match run.progress.unwrap_or_default().phase {
            Phase::Links => "links",
            Phase::Listing => "listing",
            Phase::Comparing => "comparing",
            Phase::Repairing => "repairing",
            Phase::ReadingBack => "reading_back",
        }
    }
}

/// `GET /runs/{id}`
pub async fn get(State(app): State<App>, f: Frame, Id(id): Id) -> Result<Page<One>> {
    let Json(run) = api::run::get(State(app.clone()), Id(id)).await?;
    let report = app.store().drift_summary(id).await?;
    Ok(Page(One {
        lasted: run.ended_at.map(|end| markup::span(end - run.started_at)),
        counters: counters(&f, &run),
        report: report.map(Into::into),
        f,
        run,
    }))
}

fn counters(f: &Frame, run: &View) -> Vec<(&'static str, u64)> {
    let (t, counters) = (f.t, &run.counters);
    let all = [
        (t.count_requests, counters.requests),
        (t.count_read, counters.read),
        (t.count_linked, counters.linked),
        (t.count_created, counters.created),
        (t.count_updated, counters.updated),
        (t.count_deleted, counters.deleted),
        (t.count_unchanged, counters.unchanged),
        (t.count_skipped, counters.skipped),
        (t.conflicts, counters.conflicts),
        (t.failures, counters.failed),
    ];
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// `POST /runs/{id}/release`
pub async fn release(State(app): State<App>, f: Frame, Id(id): Id) -> Result<Response> {
    let _ = api::run::release(State(app), f.caller()?, Id(id)).await?;
    Ok(frame::to(&format!("{}/runs/{id}", super::MOUNT), Some(Done::Released)))
}

/// `POST /runs/{id}/discard`
pub async fn discard(State(app): State<App>, f: Frame, id: Id, sent: Form) -> Result<Response> {
    api::run::discard(State(app), f.caller()?, id).await?;
    Ok(frame::back(&sent, Done::Discarded))
}
