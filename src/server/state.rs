//! What handlers share.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::http::{Uri, uri::PathAndQuery};

use super::{rate::Rates, webhook::Hook};
use crate::{
    clock::Clock,
    core::mapping::Mapping,
    metrics::{Metrics, Waiting},
    settings::Settings,
    store::Store,
};

/// What handlers share. Clones are the same.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

/// What an [`App`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// Our own data.
    pub store: Store,
    /// The settings.
    pub settings: Arc<Settings>,
    /// The mappings, by name.
    pub mappings: BTreeMap<String, Arc<Mapping>>,
    /// The systems that send webhooks, by name.
    pub hooks: BTreeMap<String, Hook>,
    /// The counters.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
}

struct Inner {
    parts: Parts,
    rates: Rates,
    is_stopping: AtomicBool,
    is_full: AtomicBool,
    unready: Mutex<BTreeMap<&'static str, String>>,
    public_origin: String,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let server = &parts.settings.server;
        let rates = Rates::new(server.api_rate, server.api_burst);
        let public_origin = server.public_url.as_str().trim_end_matches('/').to_owned();
        Self {
            inner: Arc::new(Inner {
                parts,
                rates,
                is_stopping: AtomicBool::new(false),
                is_full: AtomicBool::new(false),
                unready: Mutex::default(),
                public_origin,
            }),
        }
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

    /// Looks how much waits: for the metrics, and to turn webhooks away while the queue is full. Called every few seconds.
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
        let today = self.clock().now().date_naive();
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

    pub(super) fn store(&self) -> &Store {
        &self.inner.parts.store
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.inner.parts.settings
    }

    pub(super) fn mappings(&self) -> &BTreeMap<String, Arc<Mapping>> {
        &self.inner.parts.mappings
    }

    pub(super) fn hook(&self, system: &str) -> Option<&Hook> {
        self.inner.parts.hooks.get(system)
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.inner.parts.metrics
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.inner.parts.clock
    }

    pub(super) fn rates(&self) -> &Rates {
        &self.inner.rates
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
