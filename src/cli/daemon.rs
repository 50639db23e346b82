//! Everything that runs while Syncline runs: the server, the work on changes, the schedule.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use chrono::TimeDelta;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::error::{Error, Result};
use crate::{
    catalog::load::Catalog,
    clock::Clock,
    core::{breaker, value::Value, webhook::Secret},
    metrics::{Circuit, Metrics},
    server::{self, App, Hook, Parts, console::user, listen},
    settings::{self, Settings},
    store::{Store, prune::Retention},
    sync::Engine,
    worker::{Signs, assembly, change, hear, notify::Notifier, pause::Pauses, quota, recover, schedule, subscription},
};

/// How often the queue and the rotation dates are looked at for the metrics.
const OBSERVE: Duration = Duration::from_secs(5);

/// How long the work on changes may stand still before the daemon counts as dead: longer than any time-out in it.
const STANDSTILL_MAX: Duration = Duration::from_mins(5);

/// How long the work on changes may stand still before requests are better sent elsewhere.
const UNREADY_AFTER: Duration = Duration::from_secs(90);
/// Payloads may hold personal data: they go sooner than the events that brought them.
const PAYLOADS_KEPT: Duration = Duration::from_hours(7 * 24);

/// The running daemon.
pub(super) struct Daemon {
    /// What works on records.
    pub(super) engine: Engine,
    /// Where it listens.
    pub(super) address: SocketAddr,
    settings: Arc<Settings>,
    app: App,
    signs: Signs,
    /// Nothing new is begun any more.
    stopping: CancellationToken,
    /// The server ends: last, so that `/readyz` says what is going on.
    closing: CancellationToken,
    server: JoinHandle<()>,
    tasks: Vec<JoinHandle<()>>,
}

impl Daemon {
    /// Starts everything. The listener is bound before, so that a taken port is told at once.
    pub(super) async fn start(
        settings: Arc<Settings>,
        catalog: &Catalog,
        store: Store,
        clock: Clock,
        listener: TcpListener,
    ) -> Result<Self> {
        let address = listener.local_addr()?;
        let engine = assembly::engine(&settings, catalog, store, clock)?;
        recover::recover(&engine).await?;
        let limits = &settings.limits;
        let signs = Signs {
            pauses: Pauses::new(limits.retry_first.duration(), limits.retry_longest.duration()),
            metrics: engine.metrics().clone(),
            ..Signs::default()
        };
        remember_drift(&engine, &signs.metrics).await?;
        let (stopping, closing) = (CancellationToken::new(), CancellationToken::new());
        let app = App::new(Parts {
            engine: engine.clone(),
            hooks: hooks(&settings, catalog)?,
            metrics: signs.metrics.clone(),
            settings: Arc::clone(&settings),
            shutdown: stopping.clone(),
        });
        let server = tokio::spawn(serve(
            listener,
            app.clone(),
            Arc::clone(&settings),
            stopping.clone(),
            closing.clone(),
        ));
        let work = change::work(engine.clone(), work_limits(limits), signs.clone(), stopping.clone());
        let observing = observe(app.clone(), engine.clone(), signs.clone(), stopping.clone());
        let schedule = keep_schedule(
            engine.clone(),
            schedule_options(&settings),
            signs.clone(),
            stopping.clone(),
        );
        let notifier = Notifier::new(engine.clone(), Arc::clone(&settings), signs.clone())?;
        let tasks = vec![
            tokio::spawn(guarded(stopping.clone(), notifier.run(stopping.clone()))),
            tokio::spawn(guarded(stopping.clone(), work)),
            tokio::spawn(guarded(stopping.clone(), observing)),
            tokio::spawn(guarded(stopping.clone(), schedule)),
            tokio::spawn(guarded(
                stopping.clone(),
                subscription::run(engine.clone(), Arc::clone(&settings), stopping.clone()),
            )),
            tokio::spawn(guarded(stopping.clone(), hear::run(engine.clone(), stopping.clone()))),
            tokio::spawn(guarded(
                stopping.clone(),
                watch(engine.store().clone(), stopping.clone()),
            )),
        ];
        Ok(Self {
            engine,
            address,
            settings,
            app,
            signs,
            stopping,
            closing,
            server,
            tasks,
        })
    }

    /// Begins nothing new, lets what is under way finish, and closes the store.
    pub(super) async fn stop(self) {
        self.app.stop();
        self.stopping.cancel();
        for task in self.tasks {
            joined(task).await;
        }
        self.closing.cancel();
        joined(self.server).await;
        self.app.finish().await;
        quota::give_back(&self.engine).await;
        let store = self.engine.store();
        if let Err(error) = store.close_crashed_runs(store.node(), recover::CUT_OFF).await {
            tracing::warn!(%error, "runs that were given up stay open until the next start");
        }
        store.close().await;
    }

    /// A link by which the first administrator of the console sets their password, where there is nobody yet.
    pub(super) async fn first_sign_in(&self) -> Result<Option<user::Link>> {
        Ok(user::first(self.engine.store(), &self.settings).await?)
    }

    /// A token that ends the daemon's parts.
    pub(super) const fn shutdown(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Waits until a part of the daemon broke off, which ends the others.
    pub(super) async fn broke(&self) {
        self.stopping.cancelled().await;
    }

    /// Whether the work on changes goes on.
    pub(super) fn is_alive(&self) -> bool {
        self.signs.pulse.age() < STANDSTILL_MAX
    }
}

/// Runs a part of the daemon; when it ends, however it ends, the daemon does.
async fn guarded(stopping: CancellationToken, part: impl Future<Output = ()>) {
    let _guard = stopping.drop_guard();
    part.await;
}

/// Ends the daemon when its database has failed: what is there is known only after a new start has read it.
async fn watch(store: Store, stopping: CancellationToken) {
    tokio::select! {
        error = store.broken() => tracing::error!(%error, "the database failed; ending, to be started anew"),
        () = stopping.cancelled() => {}
    }
}

async fn joined(task: JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!(%error, "a part of the daemon broke off");
    }
}

fn work_limits(limits: &settings::Limits) -> change::Limits {
    change::Limits {
        in_flight: limits.in_flight_max,
        lease: limits.lease.duration(),
        grace: limits.shutdown_grace.duration(),
        change_time_max: limits.change_time_max.duration(),
        ..change::Limits::default()
    }
}

async fn serve(
    listener: TcpListener,
    app: App,
    settings: Arc<Settings>,
    stopping: CancellationToken,
    closing: CancellationToken,
) {
    let server = &settings.server;
    let limits = listen::Limits {
        header_timeout: server.head_timeout.duration(),
        body_idle_timeout: server.body_timeout.duration(),
        request_timeout: server.request_timeout.duration(),
        shutdown_grace: settings.limits.shutdown_grace.duration(),
        connections_max: server.connections_max,
        keep_alive_timeout: server.keep_alive_timeout.duration(),
        write_stall_timeout: server.write_timeout.duration(),
        header_bytes_max: server.head_bytes_max,
        headers_max: server.headers_max,
        body_bytes_max: server.webhook_body_bytes_max.max(server.api_body_bytes_max),
    };
    if let Err(error) = listen::serve(listener, server::router(app), limits, closing).await {
        tracing::error!(%error, "the server broke off");
        stopping.cancel();
    }
}

/// Looks at everything that is measured rather than counted, and says whether the work goes on.
async fn observe(app: App, engine: Engine, signs: Signs, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        app.observe().await;
        for (name, system) in engine.systems() {
            let usage = system.usage();
            let circuit = match usage.circuit {
                breaker::Circuit::Closed => Circuit::Closed,
                breaker::Circuit::HalfOpen => Circuit::HalfOpen,
                breaker::Circuit::Open { .. } => Circuit::Open,
            };
            signs
                .metrics
                .set_budget(name, usage.in_flight.into(), usage.daily_used, circuit);
        }
        app.set_pauses(pauses(&engine, &signs));
        for mapping in engine.mappings() {
            let is_paused = signs.pauses.is_paused(&mapping.name);
            signs.metrics.set_paused(&mapping.name, is_paused);
        }
        let stands_still = signs.pulse.age() > UNREADY_AFTER;
        let reason = || "the work on changes stands still; the log says why".to_owned();
        app.set_unready("work", stands_still.then(reason));
        tokio::select! {
            () = tokio::time::sleep(OBSERVE) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// The mappings that rest, for those who ask for the systems.
fn pauses(engine: &Engine, signs: &Signs) -> Vec<server::Pause> {
    let now = engine.clock().now();
    let all = signs.pauses.all().into_iter();
    all.map(|paused| server::Pause {
        mapping: paused.mapping,
        reason: paused.reason,
        since: now - TimeDelta::from_std(paused.lasts).unwrap_or_default(),
    })
    .collect()
}

/// The metrics of drift are those of the last reconciliation, also when that was before the start.
async fn remember_drift(engine: &Engine, metrics: &Metrics) -> Result<()> {
    for mapping in engine.mappings() {
        let last = engine.store().drift_trend(Some(&mapping.name), 1).await?;
        let summary = last.first().and_then(|last| serde_json::from_str(&last.summary).ok());
        if let Some(summary) = summary {
            metrics.set_summary(&mapping.name, &summary);
        }
    }
    Ok(())
}

async fn keep_schedule(engine: Engine, options: schedule::Options, signs: Signs, shutdown: CancellationToken) {
    if let Err(error) = schedule::run(engine, options, signs, shutdown.clone()).await {
        tracing::error!(%error, "the schedule broke off");
        shutdown.cancel();
    }
}

fn schedule_options(settings: &Settings) -> schedule::Options {
    let (limits, kept) = (&settings.limits, &settings.retention);
    let (events, runs) = (kept.events.duration(), kept.runs.duration());
    schedule::Options {
        is_enabled: settings.schedule.enabled,
        has_catch_up: settings.schedule.catch_up,
        lease: limits.lease.duration(),
        grace: limits.shutdown_grace.duration(),
        retention: Retention {
            payloads: events.min(PAYLOADS_KEPT),
            events,
            writes: events,
            runs,
            settled: runs,
            audits: kept.audit.duration(),
            notices: runs,
            ..Retention::default()
        },
    }
}

/// The webhooks of every system that sends some.
fn hooks(settings: &Settings, catalog: &Catalog) -> Result<BTreeMap<String, Hook>> {
    let mut hooks = BTreeMap::new();
    for (name, system) in &settings.systems {
        let Some(connector) = catalog.connector_of(name) else {
            continue;
        };
        let Some(definition) = connector.webhooks.clone() else {
            continue;
        };
        let mut secrets = Vec::new();
        for given in &system.webhook_secrets {
            let text = given.secret.read(&settings.variables)?;
            let secret = Secret::parse(definition.recipe(), &text)
                .map_err(|error| Error::failed(format!("webhook secret of system `{name}`: {error}")))?;
            secrets.push(secret.until(given.not_after));
        }
        let given = connector.settings_of(|key| system.settings.get(key).cloned().map(Value::from));
        let given = given.map_err(|key| Error::failed(format!("system `{name}`: setting `{key}` is missing")))?;
        let hook = Hook::new(
            name,
            definition,
            secrets,
            Arc::new(Value::Map(given)),
            &catalog.mappings,
        );
        let hook = if connector.makes_secrets() {
            hook.with_made_secrets()
        } else {
            hook
        };
        hooks.insert(name.clone(), hook);
    }
    Ok(hooks)
}
