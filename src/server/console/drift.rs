//! Drift reports: the list of them, and one with its charts and differences.

use askama::Template;
use axum::{Json, response::Response};

use super::{
    advice, chart,
    frame::{Frame, Page},
    markup::{self, Markup},
};
use crate::{
    core::status::{Cause, DriftOutcome, Side, Sides, Situation},
    report::{Format, View},
    server::{
        api::{self, drift::Report},
        error::Result,
        extract::{Asked, Id, State},
        page,
        state::App,
    },
};

/// The most bars of one chart.
const BARS: usize = 12;

#[derive(Template)]
#[template(path = "drift_list.html")]
pub struct List {
    f: Frame,
    reports: Vec<Report>,
    mappings: Vec<String>,
}

/// `GET /drift`
pub async fn list(State(app): State<App>, f: Frame) -> Result<Page<List>> {
    let Json(reports) = api::drift::list(State(app.clone()), Asked(f.asked()?)).await?;
    Ok(Page(List {
        mappings: names(&app),
        f,
        reports,
    }))
}

/// The names of the mappings, for filters.
pub fn names(app: &App) -> Vec<String> {
    app.mappings().map(|mapping| mapping.name.clone()).collect()
}

#[derive(Template)]
#[template(path = "drift.html")]
pub struct ReportPage {
    f: Frame,
    report: Report,
    numbers: Vec<(&'static str, u64)>,
    systems: Sides<String>,
    fields: Vec<Bar>,
    causes: Vec<Bar>,
    situations: Vec<Bar>,
    ages: Vec<Bar>,
    items: page::Page<Item>,
    export: String,
}

/// One bar of a chart, with the filter that shows what it counts.
pub struct Bar {
    pub name: String,
    pub means: &'static str,
    pub next: &'static str,
    pub count: u64,
    pub drawn: Markup,
    pub filter: String,
}

/// One difference with its values side by side, what differs marked.
pub struct Item {
    pub view: View,
    pub left: Markup,
    pub right: Markup,
}

/// `GET /drift/{run_id}`
pub async fn get(State(app): State<App>, f: Frame, Id(id): Id) -> Result<Page<ReportPage>> {
    let Json(report) = api::drift::get(State(app.clone()), Id(id)).await?;
    let Json(found) = api::drift::items(State(app.clone()), f.caller()?, Id(id), Asked(f.asked()?)).await?;
    let items = found.map(item);
    let language = f.language;
    let fields = report
        .fields()
        .into_iter()
        .map(|(field, count)| (field.clone(), count, f.with("field", &field), "", ""));
    let fields = bars(fields.collect());
    let causes = report.causes().into_iter().map(|(cause, count)| {
        let (means, next) = (advice::cause(cause, language), advice::next_step(cause, language));
        (
            f.word(cause.as_str()),
            count,
            f.with("cause", cause.as_str()),
            means,
            next,
        )
    });
    let causes = bars(causes.collect());
    let situations = report.situations().into_iter().map(|(situation, count)| {
        let means = advice::situation(situation, language);
        (
            f.word(situation.as_str()),
            count,
            f.with("situation", situation.as_str()),
            means,
            "",
        )
    });
    let situations = bars(situations.collect());
    Ok(Page(ReportPage {
        systems: systems(&app, &report.mapping),
        ages: ages(&f, &report),
        numbers: numbers(&f, &report),
        export: f.query_without(&["format"]),
        fields,
        causes,
        situations,
        report,
        items,
        f,
    }))
}

/// What the sides of a mapping are called; one that was taken away has no better names.
pub fn systems(app: &App, mapping: &str) -> Sides<String> {
    let mapping = app.mapping(mapping);
    Sides::of(|side: Side| mapping.map_or_else(|| side.to_string(), |mapping| mapping.end(side).system.clone()))
}

fn item(view: View) -> Item {
    let (left, right) = markup::pair(view.left_value.as_deref(), view.right_value.as_deref());
    Item { view, left, right }
}

fn bars(counts: Vec<(String, u64, String, &'static str, &'static str)>) -> Vec<Bar> {
    let longest = counts.iter().map(|(_, count, ..)| *count).max().unwrap_or_default();
    let bar = |(name, count, filter, means, next): (String, u64, String, _, _)| Bar {
        name: markup::clipped(&name, 60),
        means,
        next,
        count,
        drawn: chart::bar(count, longest),
        // A name that is too long for an address is none that a filter needs.
        filter: if filter.len() > 1_000 { String::new() } else { filter },
    };
    counts.into_iter().take(BARS).map(bar).collect()
}

/// How old the differences are: what the report before did not have, had, and had once.
fn ages(f: &Frame, report: &Report) -> Vec<Bar> {
    let Some(since) = report.report.as_ref().and_then(|report| report.since) else {
        return Vec::new();
    };
    let t = f.t;
    let counts = [
        (t.new_since, since.new),
        (t.still_there, since.still),
        (t.back_again, since.returned),
        (t.gone_since, since.gone),
    ];
    let rows = counts.into_iter().filter(|(_, count)| *count > 0);
    bars(
        rows.map(|(name, count)| (name.to_owned(), count, String::new(), "", ""))
            .collect(),
    )
}

fn numbers(f: &Frame, report: &Report) -> Vec<(&'static str, u64)> {
    let t = f.t;
    let Some(report) = &report.report else {
        return vec![(t.drifted, report.drifted)];
    };
    let numbers = &report.numbers;
    vec![
        (t.compared, numbers.compared),
        (t.in_step, numbers.in_step),
        (t.drifted, numbers.drifted),
        (t.differences, numbers.items),
        (t.repaired, numbers.repaired),
        (t.repair_failed, numbers.failed),
        (t.conflicts, numbers.conflicts),
        (t.left_alone, numbers.ignored),
    ]
}

/// `GET /drift/{run_id}/export`: the file of the API.
pub async fn export(State(app): State<App>, f: Frame, id: Id) -> Result<Response> {
    let asked = Asked(f.read(&[])?);
    api::export::get(State(app), f.caller()?, id, asked).await
}
