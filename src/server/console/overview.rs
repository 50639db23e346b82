//! The first page: how each mapping stands, and what waits for a person.

use std::collections::BTreeMap;

use askama::Template;
use chrono::{DateTime, Utc};

use super::{
    chart,
    frame::{Frame, Page},
    markup::{self, Markup},
};
use crate::{
    core::{
        mapping::Mapping,
        schedule::Daily,
        status::{ConflictStatus, DriftOutcome, LinkStatus, RunKind},
    },
    report::{Overview as Report, overview::Point},
    server::{
        error::Result,
        extract::State,
        state::{App, Pause},
    },
    store::{
        Page as Rows,
        change::QueueStats,
        conflict::ConflictFilter,
        failure::FailureFilter,
        link::LinkFilter,
        run::{Run, RunFilter},
    },
};

/// Reports of the trend.
const TREND: u32 = 30;

#[derive(Template)]
#[template(path = "overview.html")]
pub struct Overview {
    f: Frame,
    queue: QueueStats,
    lag: String,
    /// Events of the last hour.
    events: u64,
    events_spark: Markup,
    standings: Vec<Standing>,
}

impl Overview {
    fn is_all_well(&self) -> bool {
        self.queue.depth == 0
            && self
                .standings
                .iter()
                .all(|one| one.state == "healthy" && one.deletes == 0)
    }
}

/// How one mapping stands.
pub struct Standing {
    pub name: String,
    pub title: String,
    pub systems: String,
    /// `healthy`, `drifting`, `failing`, `held`, `paused` or `unseen`: the worst of what is so.
    pub state: &'static str,
    pub paused: Option<Pause>,
    pub held: Option<i64>,
    pub last: Option<Run>,
    pub next: Option<DateTime<Utc>>,
    pub failures: u64,
    pub conflicts: u64,
    pub deletes: u64,
    /// Differences of the last report that are still there.
    pub left: u64,
    pub point: Option<Point>,
    pub spark: Markup,
}

/// What is known of all mappings at once.
pub struct Seen {
    pauses: Vec<Pause>,
    /// The newest held run of each mapping.
    held: BTreeMap<String, i64>,
}

impl Seen {
    /// As it is now.
    pub async fn now(app: &App) -> Result<Self> {
        Ok(Self {
            pauses: app.pauses(),
            held: app.store().held_runs().await?.into_iter().collect(),
        })
    }
}

/// `GET /`
pub async fn page(State(app): State<App>, f: Frame) -> Result<Page<Overview>> {
    let seen = Seen::now(&app).await?;
    let mut standings = Vec::new();
    for mapping in app.mappings() {
        standings.push(standing(&app, mapping, &seen, f.now).await?);
    }
    let queue = app.store().queue_stats().await?;
    let seen = app.seen_within_hour(f.now).await?;
    let lag = queue.oldest_at.map(|at| markup::span(f.now - at)).unwrap_or_default();
    Ok(Page(Overview {
        f,
        queue,
        lag,
        events: seen.count(),
        events_spark: chart::spark(&seen.by_minute(None)),
        standings,
    }))
}

/// How a mapping stands.
pub async fn standing(app: &App, mapping: &Mapping, seen: &Seen, now: DateTime<Utc>) -> Result<Standing> {
    let (store, name) = (app.store(), Some(mapping.name.clone()));
    let reports = store.drift_trend(Some(&mapping.name), TREND).await?;
    let reports: Vec<Report> = reports.into_iter().map(Report::from).collect();
    let points: Vec<Point> = reports.iter().map(Point::from).collect();
    let failures = FailureFilter {
        mapping: name.clone(),
        ..FailureFilter::default()
    };
    let conflicts = ConflictFilter {
        mapping: name.clone(),
        status: Some(ConflictStatus::Open),
        ..ConflictFilter::default()
    };
    let deletes = LinkFilter {
        mapping: name,
        status: Some(LinkStatus::PendingDelete),
        is_undecided: true,
    };
    let daily = mapping.reconcile.at.map(|at| Daily {
        at,
        timezone: mapping.reconcile.timezone,
    });
    let mut standing = Standing {
        name: mapping.name.clone(),
        title: mapping.title.clone(),
        systems: format!("{} ↔ {}", mapping.ends.left.system, mapping.ends.right.system),
        state: "unseen",
        paused: seen.pauses.iter().find(|pause| pause.mapping == mapping.name).cloned(),
        held: seen.held.get(&mapping.name).copied(),
        last: last(app, &mapping.name).await?,
        next: daily.and_then(|daily| daily.next(now)),
        failures: store.failure_count(&failures).await?,
        conflicts: store.conflict_count(&conflicts).await?,
        deletes: store.link_count(&deletes).await?,
        left: reports.first().map_or(0, left),
        spark: chart::drift_spark(&points),
        point: points.into_iter().next(),
    };
    standing.state = state(&standing);
    Ok(standing)
}

/// The last reconciliation.
async fn last(app: &App, mapping: &str) -> Result<Option<Run>> {
    let mut last = None;
    for kind in [RunKind::Reconcile, RunKind::Full] {
        let filter = RunFilter {
            mapping: Some(mapping.to_owned()),
            kind: Some(kind),
            ..RunFilter::default()
        };
        last = last
            .into_iter()
            .chain(app.store().runs(&filter, Rows::first(1)).await?)
            .max_by_key(|run| run.run_id);
    }
    Ok(last)
}

/// Differences that nobody has repaired or chosen to leave.
fn left(report: &Report) -> u64 {
    match &report.report {
        Some(numbers) => {
            let is_left = |outcome: &DriftOutcome| !matches!(outcome, DriftOutcome::Repaired | DriftOutcome::Ignored);
            let left = numbers.outcomes.iter().filter(|(outcome, _)| is_left(outcome));
            left.map(|(_, count)| count).sum()
        }
        None => report.drifted,
    }
}

const fn state(standing: &Standing) -> &'static str {
    if standing.paused.is_some() {
        "paused"
    } else if standing.held.is_some() {
        "held"
    } else if standing.failures > 0 {
        "failing"
    } else if standing.left > 0 || standing.conflicts > 0 {
        "drifting"
    } else if standing.point.is_some() {
        "healthy"
    } else {
        "unseen"
    }
}
