//! The roads: they bring records to the planner and carry its plan out.
//!
//! Every road has one shape: [`fetch`] both sides and the link → [`crate::core::plan::build`] decides → [`apply`] writes, with an
//! intent stored before each request and the outcome after it → the result is on record. A signal (an event, a poll, a
//! person) only says which record to look at.

pub mod apply;

pub mod fetch;
pub mod manual;
pub mod poll;
pub mod reconcile;

pub mod record;
pub mod reprocess;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    client::System,
    clock::Clock,
    core::{
        fault::Fault,
        mapping::Mapping,
        status::{FailureClass, Side, Stage},
        value::fingerprint::Key,
    },
    store::{self, Store},
};

/// Everything a road needs. Clones share it.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    systems: BTreeMap<String, Arc<System>>,
    mappings: BTreeMap<String, Arc<Mapping>>,
    key: Key,
    clock: Clock,
}

impl Engine {
    /// An engine over these systems and mappings.
    #[must_use]
    pub fn new(
        store: Store,
        systems: BTreeMap<String, Arc<System>>,
        mappings: BTreeMap<String, Arc<Mapping>>,
        clock: Clock,
    ) -> Self {
        let key = Key::new(*store.fingerprint_key());
        Self {
            inner: Arc::new(Inner {
                store,
                systems,
                mappings,
                key,
                clock,
            }),
        }
    }

    /// Our own data.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The key of all fingerprints.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.inner.key
    }

    /// A mapping by name.
    #[must_use]
    pub fn mapping(&self, name: &str) -> Option<&Arc<Mapping>> {
        self.inner.mappings.get(name)
    }

    /// Every mapping.
    pub fn mappings(&self) -> impl Iterator<Item = &Arc<Mapping>> {
        self.inner.mappings.values()
    }

    /// A system by name.
    #[must_use]
    pub fn system(&self, name: &str) -> Option<&Arc<System>> {
        self.inner.systems.get(name)
    }

    /// Every system.
    pub fn systems(&self) -> impl Iterator<Item = (&str, &Arc<System>)> {
        self.inner.systems.iter().map(|(name, system)| (name.as_str(), system))
    }

    /// The system on one side of a mapping.
    pub fn end(&self, mapping: &Mapping, side: Side) -> Result<&Arc<System>, Fault> {
        let name = &mapping.end(side).system;
        self.system(name).ok_or_else(|| {
            Fault::new(
                "SY001",
                FailureClass::Rejected,
                Stage::Fetch,
                format!("system `{name}` is not configured"),
            )
            .with_hint(format!("add `[systems.{name}]` to the configuration"))
        })
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("mappings", &self.inner.mappings.keys())
            .finish_non_exhaustive()
    }
}

/// Why a road could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Our own store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Something wrong with a system or a record that ends the whole run.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The mapping is not loaded.
    #[error("there is no mapping `{0}`")]
    UnknownMapping(String),
    /// The scratch file of a reconciliation.
    #[error(transparent)]
    Scan(store::scan::Error),
    /// The daemon is shutting down; the work goes on in a later run.
    #[error("interrupted by the shutdown")]
    Shutdown,
    /// Another node or task is at it.
    #[error("mapping `{0}` is being worked on already")]
    Busy(String),
}
