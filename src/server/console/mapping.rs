//! One mapping: how it stands, what it maps, and what was done for it.

use askama::Template;
use axum::response::Response;

use super::{
    chart,
    form::Form,
    frame::{self, Done, Frame, Page},
    markup::Markup,
    overview::{self, Seen, Standing},
    query,
};
use crate::{
    core::{mapping::Flow, status::Side},
    report::{Overview as Report, overview::Point},
    server::{
        api::{self, mapping::View, run},
        error::Result,
        extract::{State, Within},
        state::App,
    },
    store::{Page as Rows, run::RunFilter},
};

/// Reports of the trend.
const TREND: u32 = 90;
/// Runs that are shown.
const RUNS: u32 = 10;

#[derive(Template)]
#[template(path = "mapping.html")]
pub struct MappingPage {
    f: Frame,
    view: View,
    standing: Standing,
    fields: Vec<Field>,
    /// Pairs that the last reconciliation compared.
    pairs: Option<u64>,
    points: Vec<Point>,
    trend: Markup,
    runs: Vec<run::View>,
}

/// One field.
struct Field {
    name: String,
    left: String,
    way: &'static str,
    right: String,
    sensitive: bool,
}

/// `GET /mappings/{name}`
pub async fn page(State(app): State<App>, f: Frame, Within(name): Within<String>) -> Result<Page<MappingPage>> {
    let mapping = api::mapping::named(&app, &name)?;
    let store = app.store();
    let reports = store.drift_trend(Some(&name), TREND).await?;
    let reports: Vec<Report> = reports.into_iter().map(Report::from).collect();
    let points: Vec<Point> = reports.iter().map(Point::from).collect();
    // Counting millions of links takes longer than a page may.
    let pairs = reports
        .first()
        .and_then(|report| report.summary.as_ref())
        .map(|summary| summary.pairs);
    let fields = mapping.fields.iter().map(|field| {
        let path = |side: Side| {
            field
                .paths
                .get(side)
                .as_ref()
                .map_or_else(String::new, ToString::to_string)
        };
        Field {
            name: field.name.clone(),
            left: path(Side::Left),
            way: match field.flow {
                Flow::Both => "↔",
                Flow::To(Side::Right) => "→",
                Flow::To(Side::Left) => "←",
            },
            right: path(Side::Right),
            sensitive: field.sensitive,
        }
    });
    let of_mapping = RunFilter {
        mapping: Some(name.clone()),
        ..RunFilter::default()
    };
    let runs = store.runs(&of_mapping, Rows::first(RUNS)).await?;
    let (trend, now) = (chart::trend(&points, f.t.drift_over_time, f.language), f.now);
    Ok(Page(MappingPage {
        f,
        view: View::from(&*mapping),
        standing: overview::standing(&app, &mapping, &Seen::now(&app).await?, now).await?,
        fields: fields.collect(),
        pairs,
        points,
        trend,
        runs: runs.into_iter().map(run::View::from).collect(),
    }))
}

/// `POST /mappings/{name}/reconcile`: begins a reconciliation, and leads to its run.
pub async fn reconcile(State(app): State<App>, f: Frame, name: Within<String>, sent: Form) -> Result<Response> {
    let wish = serde_json::json!({
        "kind": sent.get("kind").unwrap_or("reconcile"), "repair": sent.get("repair").is_some(),
    });
    let (_, _, begun) = api::mapping::reconcile(State(app), f.caller()?, name, query::body(wish)?).await?;
    let address = format!("{}/runs/{}", super::MOUNT, begun.run_id);
    Ok(frame::to(&address, Some(Done::Begun)))
}
