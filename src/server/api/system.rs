//! Systems: how they are configured, and how requests to them stand. Secrets have dates and owners here, and nothing else.

use axum::Json;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use crate::{
    client::{System, Usage},
    core::breaker::Circuit,
    server::{
        error::Problem,
        extract::State,
        state::{App, Pause},
    },
    settings,
};

/// A system.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "System")]
pub struct View {
    /// Its name.
    pub name: String,
    /// What kind of system it is.
    pub connector: String,
    /// Whether it sends us webhooks, and where to.
    pub webhook_url: Option<String>,
    /// How many webhook secrets are accepted.
    pub webhook_secrets: usize,
    /// Who answers for the secrets.
    pub secret_owner: Option<String>,
    /// By when they are to be replaced.
    pub secret_rotate_by: Option<NaiveDate>,
    /// How many days are left until then.
    pub secret_rotation_due_days: Option<i64>,
    /// How we prove who we are, as its connector names it (`database` where it is one); nothing for a system that no connector is
    /// loaded for.
    pub auth: Option<&'static str>,
    /// Subscriptions to its pushes, as they were last seen; nothing where its connector has none.
    pub subscriptions: Option<Vec<Subscription>>,
    /// How requests to it stand; nothing for a system that no connector is loaded for.
    pub requests: Option<Requests>,
    /// Mappings of the system that rest.
    pub paused: Vec<Pause>,
}

/// A subscription to the pushes of a system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Subscription {
    /// What it is subscribed to.
    pub topic: String,
    /// When it ends; the daemon renews it before.
    pub expires_at: Option<DateTime<Utc>>,
}

/// How requests to a system stand on this node.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "SystemRequests")]
pub struct Requests {
    /// Whether they go: `closed`, `half_open` (one tries whether the system is back) or `open` (nothing is sent).
    pub circuit: &'static str,
    /// Until when nothing is sent.
    pub circuit_open_until: Option<DateTime<Utc>>,
    /// Until when the system is given the rest that it asked for.
    pub rests_until: Option<DateTime<Utc>>,
    /// On their way.
    pub in_flight: u32,
    /// How many may be on their way at once, now.
    pub in_flight_max: u32,
    /// Requests of this node within this minute.
    pub this_minute: u64,
    /// How many may go in a minute, where there is a rate.
    pub per_minute_max: Option<u64>,
    /// The daily quota, where there is one.
    pub daily: Option<Daily>,
    /// When the token is renewed, where it ends and this node has used it.
    pub token_renews_at: Option<DateTime<Utc>>,
}

/// A daily quota, counted for all nodes.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "DailyQuota")]
pub struct Daily {
    /// Requests of the last 24 hours, with what nodes have taken and not sent yet.
    pub used: u64,
    /// The quota.
    pub limit: u64,
    /// The part of it that only live events may use.
    pub reserve: u64,
}

/// `GET /systems`
pub(in crate::server) async fn list(State(app): State<App>) -> Result<Json<Vec<View>>, Problem> {
    let mut views = Vec::new();
    let pauses = app.pauses();
    for (name, given) in app.systems() {
        let mut view = view(&app, name, given, &pauses);
        if let Some(system) = app.engine().system(name) {
            view.auth = Some(auth(system));
            view.subscriptions = subscriptions(&app, system).await?;
            view.requests = Some(requests(&app, system).await?);
        }
        views.push(view);
    }
    Ok(Json(views))
}

fn view(app: &App, name: &str, given: &settings::System, pauses: &[Pause]) -> View {
    let today = app.clock().now().date_naive();
    let is_its = |pause: &&Pause| {
        app.mapping(&pause.mapping)
            .is_some_and(|mapping| mapping.ends.side_of_system(name).is_some())
    };
    View {
        name: name.to_owned(),
        connector: given.connector.clone(),
        webhook_url: app.hook(name).map(|_| app.public_address(&format!("/webhooks/{name}"))),
        webhook_secrets: given.webhook_secrets.len(),
        secret_owner: given.secret_owner.clone(),
        secret_rotate_by: given.secret_rotate_by,
        secret_rotation_due_days: given.secret_rotate_by.map(|date| (date - today).num_days()),
        auth: None,
        subscriptions: None,
        requests: None,
        paused: pauses.iter().filter(is_its).cloned().collect(),
    }
}

/// How we prove who we are.
fn auth(system: &System) -> &'static str {
    let connector = system.connector();
    if connector.database.is_some() {
        "database"
    } else {
        connector.auth.as_str()
    }
}

async fn subscriptions(app: &App, system: &System) -> Result<Option<Vec<Subscription>>, Problem> {
    if system.subscriptions().is_none() {
        return Ok(None);
    }
    let kept = app.store().subscriptions(system.name()).await?.into_iter();
    let kept = kept.map(|kept| Subscription {
        topic: kept.topic,
        expires_at: kept.expires_at,
    });
    Ok(Some(kept.collect()))
}

async fn requests(app: &App, system: &System) -> Result<Requests, Problem> {
    let usage = system.usage();
    let now = app.clock().now();
    app.hour().sample(now, system.name(), &usage);
    let this_minute = app.hour().requests(now, system.name());
    let after = |rest| now + TimeDelta::from_std(rest).unwrap_or_default();
    let (circuit, circuit_open_until) = match usage.circuit {
        Circuit::Closed => ("closed", None),
        Circuit::HalfOpen => ("half_open", None),
        Circuit::Open { rest } => ("open", Some(after(rest))),
    };
    Ok(Requests {
        circuit,
        circuit_open_until,
        rests_until: usage.paused_for.map(after),
        in_flight: usage.in_flight,
        in_flight_max: usage.concurrency,
        this_minute: this_minute.last().map_or(0, |minute| minute.count),
        per_minute_max: usage.per_minute_max,
        daily: daily(app, system, &usage).await?,
        token_renews_at: system.token_renews_at(),
    })
}

async fn daily(app: &App, system: &System, usage: &Usage) -> Result<Option<Daily>, Problem> {
    let Some(limit) = usage.daily_max else {
        return Ok(None);
    };
    Ok(Some(Daily {
        used: app.store().quota_spent(system.name()).await?,
        limit,
        reserve: usage.daily_reserve,
    }))
}
