//! What a simulation takes hold of: chance, threads, the network, and the points at which a process may end.
//!
//! `tests/it/simulation` runs the whole daemon on one thread, driven by one seed, and gives this thread a [`World`]. Every
//! other thread, and every release, has none: there each function is the plain thing, and no bug is ever planted.

use std::{future::Future, pin::Pin};

/// A future that a world answers with.
pub type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A point that work passes, and at which a process may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Point {
    /// A transaction is about to begin.
    Begin,
    /// A transaction is on the disk.
    Committed,
    /// Everything that a piece of work submitted to the store is stored, and nobody has been told.
    Stored,
}

/// A request to another system.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// The whole address.
    pub url: String,
    /// Headers by name.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer to it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers by name.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// There was no connection: nothing was sent.
    NotSent,
    /// The connection broke after the request was sent.
    Broken,
}

/// Everything around a daemon that is simulated.
pub trait World: Send + Sync {
    /// The next number of chance.
    fn draw(&self) -> u64;
    /// Ends when the work may go on; never, where the process ended here.
    fn pass(&self, point: Point) -> Pending<()>;
    /// Carries a request to its system.
    fn exchange(&self, request: Request) -> Pending<Result<Answer, Unanswered>>;
    /// Whether this bug is in the program, to prove that the simulation sees it.
    fn has_bug(&self, bug: Bug) -> bool;
    /// Before a lock is taken that other threads may take between this thread's last one and this: the moment to let them.
    fn preempt(&self) {}
    /// Runs a task beside the one that asks.
    fn spawn(&self, task: Pending<()>) {
        drop(tokio::spawn(task));
    }
}

/// Bugs that a simulation plants to prove that it sees them. No release has any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bug {
    /// A webhook is acknowledged before it is stored.
    AckBeforeCommit,
    /// An event is stored under an id of its own making, so that no duplicate is known.
    EventIdForgotten,
    /// Every event counts as an echo of our own.
    OwnTooBroad,
    /// A change that comes up while its record is being worked on is dropped.
    BusyDropped,
    /// A change that came up again during the work is taken for done.
    GenerationIgnored,
    /// Leases are given to whoever asks.
    LeaseIgnored,
    /// The partner that was found for an unlinked record is not leased.
    PartnerNotLeased,
    /// A start does not settle what the last process left behind.
    RecoverySkipped,
    /// The outcome of a write is not stored.
    OutcomeForgotten,
    /// The intent of a write is stored after it was sent.
    IntentAfterWrite,
    /// A create whose outcome nobody knows is sent again.
    BlindResend,
    /// A record without a link is believed to have no partner.
    PartnerNotSearched,
    /// A request that may have done its work is sent again.
    CreateRepeated,
    /// A write without an answer counts as not done.
    UnknownTakenForFailed,
    /// What both sides agreed on is not stored after a write.
    BaseNotStored,
    /// What both sides agree on is stored before the write that brings it about.
    BaseBeforeWrite,
    /// An update does not name the version that it changes.
    VersionNotSent,
    /// An update that was refused as stale counts as done.
    StaleTakenForDone,
    /// A record that could not be read counts as gone.
    ErrorTakenForGone,
    /// A poll takes in the first page only.
    PollForgetsPages,
    /// Where both sides changed, the left one wins whatever the mapping says.
    ConflictTakesLeft,
    /// A conflict is left alone and not put on record.
    ConflictNotListed,
    /// A failure is not put on record.
    FailureNotRecorded,
    /// A record that failed for now is not tried again.
    RetryForgotten,
    /// A system that asked for a rest is asked on.
    RestIgnored,
    /// There is no limit to the requests in flight.
    ConcurrencyIgnored,
    /// The outcomes of a batch are given to the wrong records.
    OutcomesSwapped,
    /// A listing that did not come to its end counts as complete.
    ShortListingBelieved,
    /// A record that is gone is not marked as missing.
    MissingNotMarked,
    /// Of a plan with two writes only the first is carried out.
    HalfPlan,
    /// When a plan ends early, what it did write is not agreed.
    PartNotAgreed,
    /// A matched pair is linked only after all of its writes.
    LinkedAfterWrites,
    /// A record that is made anew gets the idempotency key of the first one.
    KeyUsedAgain,
    /// Whether a write without an answer went through is not looked at.
    NotLookedBack,
}

impl Bug {
    /// Every bug there is.
    pub const ALL: &[Self] = &[
        Self::AckBeforeCommit,
        Self::EventIdForgotten,
        Self::OwnTooBroad,
        Self::BusyDropped,
        Self::GenerationIgnored,
        Self::LeaseIgnored,
        Self::PartnerNotLeased,
        Self::RecoverySkipped,
        Self::OutcomeForgotten,
        Self::IntentAfterWrite,
        Self::BlindResend,
        Self::PartnerNotSearched,
        Self::CreateRepeated,
        Self::UnknownTakenForFailed,
        Self::BaseNotStored,
        Self::BaseBeforeWrite,
        Self::VersionNotSent,
        Self::StaleTakenForDone,
        Self::ErrorTakenForGone,
        Self::PollForgetsPages,
        Self::ConflictTakesLeft,
        Self::ConflictNotListed,
        Self::FailureNotRecorded,
        Self::RetryForgotten,
        Self::RestIgnored,
        Self::ConcurrencyIgnored,
        Self::OutcomesSwapped,
        Self::ShortListingBelieved,
        Self::MissingNotMarked,
        Self::HalfPlan,
        Self::PartNotAgreed,
        Self::LinkedAfterWrites,
        Self::KeyUsedAgain,
        Self::NotLookedBack,
    ];
}

#[cfg(any(debug_assertions, feature = "simulation"))]
mod active {
    use std::{cell::RefCell, sync::Arc};

    use super::{Bug, Point, World};

    thread_local! {
        static WORLD: RefCell<Option<Arc<dyn World>>> = const { RefCell::new(None) };
    }

    /// Ends the simulation of this thread when dropped.
    #[derive(Debug)]
    #[must_use]
    pub struct Simulated(());

    impl Drop for Simulated {
        fn drop(&mut self) {
            WORLD.set(None);
        }
    }

    /// Puts `world` around everything that runs on this thread from now on.
    pub fn simulate(world: Arc<dyn World>) -> Simulated {
        WORLD.set(Some(world));
        Simulated(())
    }

    /// The world around this thread, where it is simulated.
    #[must_use]
    pub fn world() -> Option<Arc<dyn World>> {
        WORLD.with_borrow(Clone::clone)
    }

    /// Passes a point.
    pub async fn pass(point: Point) {
        if let Some(world) = world() {
            world.pass(point).await;
        }
    }

    /// Lets other threads through before a lock is taken.
    pub fn preempt() {
        if let Some(world) = world() {
            world.preempt();
        }
    }

    /// Whether this bug is planted.
    #[must_use]
    pub fn has_bug(bug: Bug) -> bool {
        WORLD.with_borrow(|world| world.as_ref().is_some_and(|world| world.has_bug(bug)))
    }
}

#[cfg(not(any(debug_assertions, feature = "simulation")))]
mod active {
    use std::sync::Arc;

    use super::{Bug, Point, World};

    /// None: a release is not simulated.
    #[must_use]
    pub const fn world() -> Option<Arc<dyn World>> {
        None
    }

    /// Passes a point.
    pub async fn pass(_: Point) {}

    /// Nothing: threads of a release need no help to run into each other.
    pub const fn preempt() {}

    /// No.
    #[must_use]
    pub const fn has_bug(_: Bug) -> bool {
        false
    }
}

pub use active::*;

/// Whether this thread is simulated.
#[must_use]
pub fn is_simulated() -> bool {
    world().is_some()
}

/// A number of chance.
#[must_use]
pub fn number() -> u64 {
    world().map_or_else(rand::random, |world| world.draw())
}

/// A number of chance from `from` to `to`.
#[must_use]
pub fn between(from: u32, to: u32) -> u32 {
    let drawn = number() % (u64::from(to.saturating_sub(from)) + 1);
    from.saturating_add(u32::try_from(drawn).unwrap_or_default())
}

/// Runs a task beside the one that asks.
pub fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    match world() {
        Some(world) => world.spawn(Box::pin(task)),
        None => drop(tokio::spawn(task)),
    }
}

/// Runs what may wait for a disk where waiting is no harm; none where that thread broke off.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    if is_simulated() {
        return Some(work());
    }
    tokio::task::spawn_blocking(work).await.ok()
}
