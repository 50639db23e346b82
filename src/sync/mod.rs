//! The roads: they bring records to the planner and carry its plan out.
//!
//! Every road has one shape: [`fetch`] both sides and the link → [`crate::core::plan::build`] decides → [`apply`] writes, with an
//! intent stored before each request and the outcome after it → the result is on record. A signal (an event, a poll, a
//! person) only says which record to look at.

pub mod apply;

pub mod fetch;
pub mod manual;
pub mod poll;
pub mod pushed;
pub mod reconcile;

pub mod record;
pub mod reprocess;
mod suggest;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use crate::{
    client::System,
    clock::Clock,
    core::{
        fault::Fault,
        mapping::Mapping,
        status::{FailureClass, Side, Stage},
        value::fingerprint::Key,
    },
    metrics::Metrics,
    store::{self, Store},
};

/// Bounds of the work, as the settings have them.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests of one piece of work in flight at once; the budget of a system may allow fewer.
    pub in_flight: usize,
    /// Records that are planned, written and stored together.
    pub chunk: u32,
    /// Chunks at work at once.
    pub chunks_in_flight: usize,
    /// Memory that comparing two systems may take, in bytes; the rest is in a scratch file.
    pub scan_memory_max: u64,
    /// How often a transient failure is tried before it waits for a person.
    pub attempts_max: u32,
    /// The wait after a first failure.
    pub retry_first: Duration,
    /// The longest wait between two tries.
    pub retry_longest: Duration,
    /// How long one run may take.
    pub run_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight: 32,
            chunk: 400,
            chunks_in_flight: 4,
            scan_memory_max: 16 << 20,
            attempts_max: 12,
            retry_first: Duration::from_secs(2),
            retry_longest: Duration::from_hours(1),
            run_time_max: Duration::from_hours(12),
        }
    }
}

/// Everything a road needs. Clones share it.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    systems: BTreeMap<String, Arc<System>>,
    mappings: BTreeMap<String, Arc<Mapping>>,
    /// Mappings that others refer to.
    parents: BTreeSet<String>,
    limits: Limits,
    key: Key,
    clock: Clock,
    metrics: Metrics,
    last_polls: poll::LastPolls,
}

impl Engine {
    /// An engine over these systems and mappings.
    #[must_use]
    pub fn new(
        store: Store,
        systems: BTreeMap<String, Arc<System>>,
        mappings: BTreeMap<String, Arc<Mapping>>,
        limits: Limits,
        clock: Clock,
    ) -> Self {
        let parents = mappings
            .values()
            .flat_map(|mapping| mapping.references().map(ToOwned::to_owned).collect::<Vec<_>>())
            .collect();
        let key = Key::new(*store.fingerprint_key());
        Self {
            inner: Arc::new(Inner {
                store,
                systems,
                mappings,
                parents,
                limits,
                key,
                clock,
                metrics: Metrics::new(),
                last_polls: poll::LastPolls::default(),
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

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// What the last polls brought.
    fn last_polls(&self) -> &poll::LastPolls {
        &self.inner.last_polls
    }

    /// The key of all fingerprints.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.inner.key
    }

    /// Bounds of the work.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Whether records of other mappings may wait for links of this one.
    #[must_use]
    pub fn is_parent(&self, mapping: &str) -> bool {
        self.inner.parents.contains(mapping)
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

    /// The mappings that an object of a system takes part in, and on which side.
    pub fn ends_of<'a>(&'a self, system: &'a str, object: &'a str) -> impl Iterator<Item = (&'a Arc<Mapping>, Side)> {
        ends(self.mappings(), system).filter(move |(mapping, side)| mapping.end(*side).object == object)
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

/// The mappings that a system takes part in, and on which side.
pub fn ends<'a>(
    mappings: impl Iterator<Item = &'a Arc<Mapping>>,
    system: &'a str,
) -> impl Iterator<Item = (&'a Arc<Mapping>, Side)> {
    let both = |mapping| [(mapping, Side::Left), (mapping, Side::Right)];
    mappings
        .flat_map(both)
        .filter(move |(mapping, side)| mapping.end(*side).system == system)
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("mappings", &self.inner.mappings.keys())
            .finish_non_exhaustive()
    }
}

/// The fault of a record that somebody else has worked on in between.
fn overtaken(what: impl Into<String>) -> Fault {
    Fault::new("SY012", FailureClass::Transient, Stage::Link, what)
        .with_hint("somebody else worked on the same records; they are looked at again")
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
    /// Records changed places in a listing each time it was read: some may have been passed over.
    #[error(
        "`{0}` moved records from page to page while they were read, each time: what came is looked at, and the next poll reads them again"
    )]
    Shifted(String),
    /// Another node or task is at it.
    #[error("mapping `{0}` is being worked on already")]
    Busy(String),
    /// Another node has taken the work over, because this one was silent for too long.
    #[error("another node has taken over the work on mapping `{0}`")]
    Lost(String),
    /// The run took longer than it may.
    #[error(
        "the run took longer than {} s (`limits.run_time_max`): what it did stands, the next one goes on with the rest",
        .0.as_secs()
    )]
    OutOfTime(Duration),
    /// A part of the work panicked; the log says where.
    #[error("a part of the work broke off")]
    Broken,
    /// There is no such run.
    #[error("there is no run {0}")]
    UnknownRun(i64),
    /// What changed alone can be compared only after everything was.
    #[error("{0}: reconcile mapping `{1}` as a whole first")]
    NotIncremental(&'static str, String),
    /// Only a held run can be released.
    #[error("run {0} is not held")]
    NotHeld(i64),
}
