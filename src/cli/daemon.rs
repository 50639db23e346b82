//! Everything that runs while Syncline runs: the server, the work on changes, the schedule.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::error::{Error, Result};
use crate::{
    catalog::load::Catalog,
    clock::Clock,
    core::{
        value::{Map, Value},
        webhook::Secret,
    },
    metrics::Metrics,
    server::{self, App, Hook, Parts, listen},
    settings::Settings,
    store::Store,
    sync::Engine,
    worker::{assembly, change, schedule},
};

/// How often the queue and the rotation dates are looked at for the metrics.
const OBSERVE: Duration = Duration::from_secs(5);

/// The running daemon.
pub(super) struct Daemon {
    /// What works on records.
    pub(super) engine: Engine,
    /// Where it listens.
    pub(super) address: SocketAddr,
    app: App,
    shutdown: CancellationToken,
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
        store.close_crashed_runs(store.node()).await?;
        store.free_crashed_leases().await?;
        let engine = assembly::engine(&settings, catalog, store.clone(), clock.clone())?;
        let app = App::new(Parts {
            store,
            hooks: hooks(&settings, catalog)?,
            mappings: catalog.mappings.clone(),
            metrics: Metrics::new(),
            settings: Arc::clone(&settings),
            clock,
        });
        let shutdown = CancellationToken::new();
        let mut tasks = vec![
            tokio::spawn(serve(listener, app.clone(), settings, shutdown.clone())),
            tokio::spawn(change::work(
                engine.clone(),
                change::Limits::default(),
                shutdown.clone(),
            )),
            tokio::spawn(observe(app.clone(), shutdown.clone())),
        ];
        tasks.push(tokio::spawn(keep_schedule(engine.clone(), shutdown.clone())));
        Ok(Self {
            engine,
            address,
            app,
            shutdown,
            tasks,
        })
    }

    /// Says no to new work, lets what is under way finish, and closes the store.
    pub(super) async fn stop(self) {
        self.app.stop();
        self.shutdown.cancel();
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a part of the daemon broke off");
            }
        }
        self.engine.store().close().await;
    }

    /// A token that ends the daemon's parts.
    pub(super) fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }
}

async fn serve(listener: TcpListener, app: App, settings: Arc<Settings>, shutdown: CancellationToken) {
    let server = &settings.server;
    let limits = listen::Limits {
        header_timeout: server.head_timeout.duration(),
        body_idle_timeout: server.body_timeout.duration(),
        request_timeout: server.request_timeout.duration(),
        connections_max: server.connections_max,
        body_bytes_max: server.webhook_body_bytes_max.max(server.api_body_bytes_max),
        ..listen::Limits::default()
    };
    if let Err(error) = listen::serve(listener, server::router(app), limits, shutdown.clone()).await {
        tracing::error!(%error, "the server broke off");
        shutdown.cancel();
    }
}

async fn observe(app: App, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        app.observe().await;
        tokio::select! {
            () = tokio::time::sleep(OBSERVE) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

async fn keep_schedule(engine: Engine, shutdown: CancellationToken) {
    if let Err(error) = schedule::run(engine, shutdown.clone()).await {
        tracing::error!(%error, "the schedule broke off");
        shutdown.cancel();
    }
}

/// The webhooks of every system that sends some.
fn hooks(settings: &Settings, catalog: &Catalog) -> Result<BTreeMap<String, Hook>> {
    let mut hooks = BTreeMap::new();
    for (name, system) in &settings.systems {
        let Some(definition) = catalog
            .connector_of(name)
            .and_then(|connector| connector.webhooks.clone())
        else {
            continue;
        };
        let mut secrets = Vec::new();
        for given in &system.webhook_secrets {
            let text = given.secret.read(&settings.variables)?;
            let secret = Secret::parse(definition.recipe(), &text)
                .map_err(|error| Error::failed(format!("webhook secret of system `{name}`: {error}")))?;
            secrets.push(secret.until(given.not_after));
        }
        let given: Map = system
            .settings
            .iter()
            .map(|(key, value)| (key.clone(), Value::from(value.clone())))
            .collect();
        let hook = Hook::new(
            name,
            definition,
            secrets,
            Arc::new(Value::Map(given)),
            &catalog.mappings,
        );
        hooks.insert(name.clone(), hook);
    }
    Ok(hooks)
}
