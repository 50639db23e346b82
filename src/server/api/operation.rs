//! How things went: what came in within the last hour and how long it took, and what was used of each system's limits.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    client::System,
    core::{quota, spread::Spread},
    server::{
        error::Result,
        extract::State,
        hour::{MINUTES, Seen},
        state::App,
    },
};

/// Minutes that latencies are told of together.
pub const SPAN: i64 = 5;

/// How things went.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Operations")]
pub struct View {
    /// The beginning of the first minute that is counted.
    pub since: DateTime<Utc>,
    /// Events of all nodes that came in within the hour.
    pub events: u64,
    /// By the minute, the oldest first.
    pub minutes: Vec<u64>,
    /// By the system that sent them.
    pub systems: Vec<SystemView>,
    /// From the receipt of these events until their effect was done.
    pub done: Percentiles,
    /// How long processing them took.
    pub processing: Percentiles,
    /// The same, five minutes at a time, the oldest first.
    pub latencies: Vec<LatencyView>,
    /// What was used of the limits of each system.
    pub budgets: Vec<BudgetView>,
}

/// What came in from one system.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "OperationsSystem")]
pub struct SystemView {
    /// The system.
    pub system: String,
    /// Events within the hour.
    pub events: u64,
    /// By the minute, the oldest first.
    pub minutes: Vec<u64>,
}

/// How long things took, in milliseconds; null where there was nothing. They are counted in buckets, so that these are near and
/// not exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Percentiles {
    /// How many are counted.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_ms: Option<u64>,
    /// All but five of a hundred took no longer.
    pub p95_ms: Option<u64>,
    /// All but one of a hundred took no longer.
    pub p99_ms: Option<u64>,
}

impl From<&Spread> for Percentiles {
    fn from(spread: &Spread) -> Self {
        Self {
            count: spread.count(),
            p50_ms: spread.percentile(50),
            p95_ms: spread.percentile(95),
            p99_ms: spread.percentile(99),
        }
    }
}

/// How long it took with events that came in within five minutes.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Latencies")]
pub struct LatencyView {
    /// The beginning of the five minutes.
    pub since: DateTime<Utc>,
    /// From receipt until the effect was done.
    pub done: Percentiles,
    /// Processing.
    pub processing: Percentiles,
}

/// What was used of the limits of one system.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "BudgetUse")]
pub struct BudgetView {
    /// The system.
    pub system: String,
    /// Requests of this node within each minute of the hour, the oldest first.
    pub requests: Vec<u64>,
    /// How many may go in a minute; null where its connector names no rate.
    pub per_minute_max: Option<u64>,
    /// The most that were seen on their way at once.
    pub in_flight: u32,
    /// How many may be on their way at once, now.
    pub in_flight_max: u32,
    /// The daily quota, where there is one.
    pub daily: Option<DailyView>,
}

/// What was used of a daily quota, by all nodes.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "DailyUse")]
pub struct DailyView {
    /// The quota.
    pub limit: u64,
    /// The part of it that only live events may use.
    pub reserve: u64,
    /// Requests of the last 24 hours, with what nodes have taken and not sent yet.
    pub used: u64,
    /// The beginning of the first hour.
    pub since: DateTime<Utc>,
    /// By the hour, the oldest first.
    pub hours: Vec<u64>,
}

/// `GET /operations`
pub(in crate::server) async fn get(State(app): State<App>) -> Result<Json<View>> {
    let now = app.clock().now();
    let seen = app.seen_within_hour(now).await?;
    let mut budgets = Vec::new();
    for (name, _) in app.systems() {
        if let Some(system) = app.engine().system(name) {
            budgets.push(budget(&app, name, system, now).await?);
        }
    }
    let whole = seen.within(seen.first, MINUTES, None);
    let latencies = (0..MINUTES / SPAN).map(|part| latency(&seen, seen.first.saturating_add(part * SPAN)));
    Ok(Json(View {
        since: time(seen.first, 60),
        events: whole.count,
        minutes: seen.by_minute(None),
        systems: systems(&app, &seen),
        done: Percentiles::from(&whole.done),
        processing: Percentiles::from(&whole.processing),
        latencies: latencies.collect(),
        budgets,
    }))
}

/// Systems that sent something, and those that could have.
fn systems(app: &App, seen: &Seen) -> Vec<SystemView> {
    let sent = seen.minutes.values().flat_map(|systems| systems.keys());
    let names: BTreeSet<&String> = sent.chain(app.hooks().map(|(name, _)| name)).collect();
    let view = |name: &String| {
        let minutes = seen.by_minute(Some(name));
        SystemView {
            system: name.clone(),
            events: minutes.iter().fold(0, |sum, count| sum.saturating_add(*count)),
            minutes,
        }
    };
    names.into_iter().map(view).collect()
}

fn latency(seen: &Seen, first: i64) -> LatencyView {
    let events = seen.within(first, SPAN, None);
    LatencyView {
        since: time(first, 60),
        done: Percentiles::from(&events.done),
        processing: Percentiles::from(&events.processing),
    }
}

async fn budget(app: &App, name: &str, system: &System, now: DateTime<Utc>) -> Result<BudgetView> {
    let usage = system.usage();
    app.hour().sample(now, name, &usage);
    let requests = app.hour().requests(now, name);
    let daily = match usage.daily_max {
        None => None,
        Some(limit) => Some(daily(app, name, limit, usage.daily_reserve).await?),
    };
    Ok(BudgetView {
        system: name.to_owned(),
        in_flight: requests.iter().map(|one| one.in_flight).max().unwrap_or_default(),
        requests: requests.iter().map(|one| one.count).collect(),
        per_minute_max: usage.per_minute_max,
        in_flight_max: usage.concurrency,
        daily,
    })
}

/// What was taken of a quota.
async fn daily(app: &App, system: &str, limit: u64, reserve: u64) -> Result<DailyView> {
    let this = quota::hour_of(app.clock().now().timestamp_millis());
    let first = quota::oldest(this);
    let taken: BTreeMap<i64, u64> = app.store().quota_hours(system).await?.into_iter().collect();
    let of = |hour| taken.get(&hour).copied().unwrap_or_default();
    Ok(DailyView {
        limit,
        reserve,
        used: taken.values().fold(0, |sum, hour| sum.saturating_add(*hour)),
        since: time(first, 3_600),
        hours: (first..=this).map(of).collect(),
    })
}

/// The beginning of a minute or an hour, counted since 1970-01-01T00:00:00Z.
fn time(number: i64, seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(number.saturating_mul(seconds), 0).unwrap_or_default()
}
