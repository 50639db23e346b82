//! Our own data: links, events, changes, runs, failures, drift, tokens. The only user of sqlx for it.
//!
//! One [`Store`] stands before SQLite or PostgreSQL; both behave alike, and one suite in `tests/it/store` runs on both.
//! SQL stands beside the function that runs it.
//!
//! Two roads lead into the database. What happens often (events, intents, outcomes) goes through the writer, which
//! merges what many callers submit at the same time into one durable transaction ([`Store::receive`],
//! [`Store::intend`], [`Store::commit`]). Everything else is a short transaction of its own.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use tokio::sync::Notify;

use crate::clock::Clock;

pub mod connect;
pub mod error;
pub mod key;
pub mod migrate;

pub mod event;

pub mod change;
pub mod lock;

pub mod link;
pub mod write;

pub mod conflict;
pub mod drift;
pub mod failure;
pub mod ignore;
pub mod run;
pub mod scan;
pub mod scope;
pub mod subscription;
pub mod suggestion;

pub mod api_request;
pub mod api_token;
pub mod audit;
pub mod cursor;
pub mod job;
pub mod lease;
pub mod moved;
pub mod notice;
pub mod quota;
pub mod recover;
pub mod session;
pub mod token;
pub mod user;

pub mod health;
pub mod presence;
pub mod prune;

pub mod op;

mod bulk;
mod decide;
mod engine;
mod seal;
mod sqlite;
mod writer;

pub use connect::{Access, Options, Synchronous};
pub use error::Error;
pub use key::Keys;
pub use op::Op;
pub use scope::Scope;

use engine::Engine;
use seal::Sealer;

/// The most rows a page holds.
pub const PAGE_MAX: u32 = 1_000;

/// A page of a list that begins with the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Only rows with a smaller id: the last id of the page before.
    pub before: Option<i64>,
    /// The most rows wanted; at most [`PAGE_MAX`] are given.
    pub limit: u32,
}

impl Page {
    /// The first page of `limit` rows.
    #[must_use]
    pub const fn first(limit: u32) -> Self {
        Self { before: None, limit }
    }

    /// The most rows it holds.
    const fn rows(self) -> usize {
        let limit = if self.limit > PAGE_MAX { PAGE_MAX } else { self.limit };
        if limit == 0 { 1 } else { limit as usize }
    }
}

/// Our own data. Clones share one database.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    /// What is seen of it; everything where nothing is said.
    scope: Option<Arc<Scope>>,
}

struct Inner {
    engine: Engine,
    sealer: Sealer,
    keys: Keys,
    clock: Clock,
    node: String,
    /// The file, on SQLite.
    database: Option<std::path::PathBuf>,
    /// This opening of the store; leases belong to it, so that a restarted node does not take over its own old ones.
    holder: String,
    epochs: AtomicI64,
    writer: writer::Handle,
    enqueued: Arc<Notify>,
    /// Held open as long as the store: the daemon's lock on a SQLite file.
    _lock: Option<std::fs::File>,
    /// What tells that this command is at work.
    _presence: Option<presence::Presence>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("node", &self.inner.node)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// The key for fingerprints of values.
    #[must_use]
    pub fn fingerprint_key(&self) -> &[u8; 32] {
        self.inner.keys.fingerprint()
    }

    /// The name of this node, as runs and writes carry it.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.inner.node
    }

    /// The clock that stamps what is stored.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Waits until a change is enqueued or woken by this process. Other nodes' changes come up by asking
    /// [`Store::next_change_at`] from time to time.
    pub async fn change_enqueued(&self) {
        self.inner.enqueued.notified().await;
    }

    /// Waits until the database has failed in a way that only a new start mends, and tells how. From then on nothing is
    /// stored any more, so that nothing is acknowledged that may not be there: whoever runs the store has to end.
    pub async fn broken(&self) -> Error {
        self.inner.engine.broken().await
    }

    /// Ends the writer after what was submitted, and closes every connection.
    pub async fn close(&self) {
        self.inner.writer.close().await;
        self.inner.engine.close().await;
    }

    fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    fn sealer(&self) -> &Sealer {
        &self.inner.sealer
    }

    fn now(&self) -> i64 {
        self.inner.clock.now_millis()
    }

    /// A number that no other lease of this holder has.
    fn next_epoch(&self) -> i64 {
        self.inner.epochs.fetch_add(1, Ordering::Relaxed)
    }
}

/// What the functions that carry out a submission need to know.
struct Context<'a> {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    now: i64,
    sealer: &'a Sealer,
    holder: &'a str,
    node: &'a str,
}
