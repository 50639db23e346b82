//! What handlers share.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    panic,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::http::{Uri, uri::PathAndQuery};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use super::{
    auth::Doorkeeper,
    charge::Charges,
    console::SignOn,
    hour::{Hour, Seen},
    tenancy::Owners,
    webhook::Hook,
};
use crate::{
    clock::Clock,
    core::{mapping::Mapping, tenant::Reach},
    metrics::{Metrics, Waiting},
    settings::{self, Settings},
    store::{self, Scope, Store},
    sync::Engine,
};

/// What handlers share, or as much of it as whoever asks may see. Clones are the same.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
    /// Our own data, as far as it is seen.
    store: Store,
    /// The mappings and systems that are seen; none: all of them.
    scope: Option<Arc<Scope>>,
}

/// What an [`App`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// What works on records; it brings our own data, the mappings and the time.
    pub engine: Engine,
    /// The settings.
    pub settings: Arc<Settings>,
    /// The systems that send webhooks, by name.
    pub hooks: BTreeMap<String, Hook>,
    /// The counters.
    pub metrics: Metrics,
    /// Tells long work that a request has started to come to its end.
    pub shutdown: CancellationToken,
}

/// A mapping that rests, since a system of its is down or does not let us in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Pause {
    /// The mapping.
    pub mapping: String,
    /// Why, with its code; without personal data.
    pub reason: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

struct Inner {
    parts: Parts,
    charges: Charges,
    doorkeeper: Doorkeeper,
    hour: Hour,
    tasks: TaskTracker,
    is_stopping: AtomicBool,
    is_full: AtomicBool,
    unready: Mutex<BTreeMap<&'static str, String>>,
    pauses: Mutex<Vec<Pause>>,
    public_origin: String,
    sign_on: Option<SignOn>,
    owners: Owners,
    watchers: Arc<Semaphore>,
}

/// How many pages of the console are kept right at once, while they are open.
const WATCHERS_MAX: usize = 32;

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let server = &parts.settings.server;
        let charges = Charges::new(server);
        let doorkeeper = Doorkeeper::new(server.auth_failure_rate, server.auth_failure_burst);
        let public_origin = server.public_url.as_str().trim_end_matches('/').to_owned();
        let sign_on = SignOn::of(&parts.settings, &public_origin, parts.engine.clock());
        let owners = Owners::of(&parts.settings, parts.engine.mappings());
        Self {
            store: parts.engine.store().clone(),
            scope: None,
            inner: Arc::new(Inner {
                parts,
                charges,
                doorkeeper,
                hour: Hour::default(),
                tasks: TaskTracker::new(),
                is_stopping: AtomicBool::new(false),
                is_full: AtomicBool::new(false),
                unready: Mutex::default(),
                pauses: Mutex::default(),
                public_origin,
                sign_on,
                owners,
                watchers: Arc::new(Semaphore::new(WATCHERS_MAX)),
            }),
        }
    }

    /// The same server, of which nothing is seen but what is within `reach`.
    pub(super) fn within(&self, reach: &Reach) -> Self {
        let Some(scope) = self.inner.owners.scope(reach) else {
            return self.clone();
        };
        Self {
            inner: Arc::clone(&self.inner),
            store: self.store.within(Arc::clone(&scope)),
            scope: Some(scope),
        }
    }

    /// Whether the whole house is seen.
    pub(super) fn is_house(&self) -> bool {
        self.scope.is_none()
    }

    fn sees_mapping(&self, name: &str) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.has_mapping(name))
    }

    pub(super) fn sees_system(&self, name: &str) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.has_system(name))
    }

    /// From now on `/readyz` says no, so that a load balancer sends its requests elsewhere.
    pub fn stop(&self) {
        self.inner.is_stopping.store(true, Ordering::SeqCst);
    }

    /// A part of the process says what keeps it from working, or that nothing does: `/readyz` tells it.
    pub fn set_unready(&self, part: &'static str, reason: Option<String>) {
        let mut unready = self.inner.unready.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            Some(reason) => drop(unready.insert(part, reason)),
            None => drop(unready.remove(part)),
        }
    }

    /// What parts of the process have said that keeps them from working.
    pub(super) fn unready(&self) -> Vec<String> {
        let unready = self.inner.unready.lock().unwrap_or_else(PoisonError::into_inner);
        unready.values().cloned().collect()
    }

    /// Which mappings rest now, as the work on changes says.
    pub fn set_pauses(&self, pauses: Vec<Pause>) {
        *self.inner.pauses.lock().unwrap_or_else(PoisonError::into_inner) = pauses;
    }

    /// Those that are seen.
    pub(super) fn pauses(&self) -> Vec<Pause> {
        let pauses = self.inner.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = pauses.iter().filter(|pause| self.sees_mapping(&pause.mapping));
        seen.cloned().collect()
    }

    /// Waits for the work that requests have started, for as long as the grace period lasts; it was told to end by the
    /// shutdown of [`Parts`].
    pub async fn finish(&self) {
        let tasks = &self.inner.tasks;
        tasks.close();
        let grace = self.settings().limits.shutdown_grace.duration();
        if tokio::time::timeout(grace, tasks.wait()).await.is_err() {
            tracing::warn!(
                tasks = tasks.len(),
                "work that the API has started is cut off; later runs go on with it"
            );
        }
    }

    /// Starts work that [`App::finish`] waits for.
    pub(super) fn spawn<F: Future<Output = ()> + Send + 'static>(&self, work: F) {
        self.inner.tasks.spawn(work.in_current_span());
    }

    /// Does work to its end, even if whoever asks for it hangs up.
    pub(super) async fn to_the_end<F>(&self, work: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        match self.inner.tasks.spawn(work.in_current_span()).await {
            Ok(output) => output,
            // Nobody aborts these tasks: it panicked, and the rim of the request answers for that.
            Err(error) => panic::resume_unwind(error.into_panic()),
        }
    }

    /// Looks how much waits: for the metrics, and to turn webhooks away while the queue is full; and at what the hour was like,
    /// for whoever asks. Called every few seconds.
    pub async fn observe(&self) {
        match self.store().queue_stats().await {
            Ok(stats) => {
                let age = stats
                    .oldest_at
                    .map(|at| (self.clock().now() - at).to_std().unwrap_or_default());
                self.metrics()
                    .set_queue(Waiting::Changes, stats.depth, age.unwrap_or_default());
                let is_full = stats.depth >= self.settings().limits.queue_max;
                if is_full != self.inner.is_full.swap(is_full, Ordering::SeqCst) {
                    tracing::warn!(
                        depth = stats.depth,
                        is_full,
                        "the queue has reached its limit or left it"
                    );
                }
            }
            Err(error) => tracing::warn!(%error, "the queue cannot be looked at"),
        }
        let now = self.clock().now();
        for (name, system) in self.engine().systems() {
            self.hour().sample(now, name, &system.usage());
        }
        if let Err(error) = self.hour().keep(self.engine().store(), now).await {
            tracing::warn!(%error, "what came in cannot be counted");
        }
        let today = now.date_naive();
        for (name, system) in &self.settings().systems {
            if let Some(date) = system.secret_rotate_by {
                self.metrics().set_rotation_due(name, (date - today).num_days());
            }
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.inner.is_full.load(Ordering::Relaxed)
    }

    /// The address a request was sent to, as its sender was given it: never what `Host` says.
    pub(super) fn public_url(&self, uri: &Uri) -> String {
        let path = uri.path_and_query().map_or(uri.path(), PathAndQuery::as_str);
        self.public_address(path)
    }

    /// The address of one of our paths, as others know it.
    pub(super) fn public_address(&self, path: &str) -> String {
        format!("{}{path}", self.inner.public_origin)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.inner.is_stopping.load(Ordering::SeqCst)
    }

    /// What works on records. It has the whole store and every mapping, whoever asks: it is to be given mappings that
    /// [`App::mapping`] knows, and asked for nothing else.
    pub(super) fn engine(&self) -> &Engine {
        &self.inner.parts.engine
    }

    pub(super) fn shutdown(&self) -> &CancellationToken {
        &self.inner.parts.shutdown
    }

    /// Our own data, as far as it is seen.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.inner.parts.settings
    }

    /// A mapping, if it is seen.
    pub(super) fn mapping(&self, name: &str) -> Option<&Arc<Mapping>> {
        self.engine().mapping(name).filter(|_| self.sees_mapping(name))
    }

    /// Every mapping that is seen.
    pub(super) fn mappings(&self) -> impl Iterator<Item = &Arc<Mapping>> {
        self.engine()
            .mappings()
            .filter(|mapping| self.sees_mapping(&mapping.name))
    }

    /// Every system that is seen, as the settings declare it.
    pub(super) fn systems(&self) -> impl Iterator<Item = (&String, &settings::System)> {
        self.settings()
            .systems
            .iter()
            .filter(|(name, _)| self.sees_system(name))
    }

    /// What receives the webhooks of a system, whoever sees it.
    pub(super) fn hook(&self, system: &str) -> Option<&Hook> {
        self.inner.parts.hooks.get(system)
    }

    /// Systems that send webhooks and are seen.
    pub(super) fn hooks(&self) -> impl Iterator<Item = (&String, &Hook)> {
        self.inner.parts.hooks.iter().filter(|(name, _)| self.sees_system(name))
    }

    /// Who has pages open that are kept right.
    pub(super) fn watchers(&self) -> Arc<Semaphore> {
        Arc::clone(&self.inner.watchers)
    }

    /// Whose everything is.
    pub(super) fn owners(&self) -> &Owners {
        &self.inner.owners
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.inner.parts.metrics
    }

    pub(super) fn clock(&self) -> &Clock {
        self.engine().clock()
    }

    pub(super) fn charges(&self) -> &Charges {
        &self.inner.charges
    }

    /// What came in within the last hour, as far as it is seen. It is counted once for everybody.
    pub(super) async fn seen_within_hour(&self, now: DateTime<Utc>) -> Result<Arc<Seen>, store::Error> {
        let seen = self.hour().seen(self.engine().store(), now).await?;
        if self.is_house() {
            return Ok(seen);
        }
        Ok(Arc::new(seen.of(|system| self.sees_system(system))))
    }

    /// What the last hour was like.
    pub(super) fn hour(&self) -> &Hour {
        &self.inner.hour
    }

    pub(super) fn doorkeeper(&self) -> &Doorkeeper {
        &self.inner.doorkeeper
    }

    /// Where people sign in, if that is elsewhere.
    pub(super) fn sign_on(&self) -> Option<&SignOn> {
        self.inner.sign_on.as_ref()
    }

    pub(super) fn api_body_bytes_max(&self) -> usize {
        self.settings().server.api_body_bytes_max
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}
