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
    core::{
        mapping::{Field as Pair, Flow, Mapping},
        status::Side,
    },
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

impl Field {
    /// The pairs of a mapping, those of lines behind their list.
    fn all(mapping: &Mapping) -> Vec<Self> {
        let mut all = Vec::with_capacity(mapping.fields.len());
        for field in &mapping.fields {
            all.push(Self::of(field, None));
            all.extend(field.inner().iter().map(|inner| Self::of(inner, Some(field))));
        }
        all
    }

    /// A pair, or one of the pairs of a list's lines.
    fn of(pair: &Pair, list: Option<&Pair>) -> Self {
        let path = |pair: &Pair, side: Side| pair.paths.get(side).as_ref().map(ToString::to_string);
        let place = |side: Side| {
            let own = path(pair, side).unwrap_or_default();
            match list.and_then(|list| path(list, side)) {
                Some(list) => format!("{list}[].{own}"),
                None => own,
            }
        };
        Self {
            name: pair.name.clone(),
            left: place(Side::Left),
            way: match pair.flow {
                Flow::Both => "↔",
                Flow::To(Side::Right) => "→",
                Flow::To(Side::Left) => "←",
            },
            right: place(Side::Right),
            sensitive: pair.sensitive,
        }
    }
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
    let fields = Field::all(&mapping);
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
        fields,
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
