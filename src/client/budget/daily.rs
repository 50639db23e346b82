//! The daily quota of one system, shared by everybody who spends it.
//!
//! Requests are taken from a [`QuotaStore`] in blocks, so that it is asked rarely: a first block of one, each next one twice
//! as large, up to a hundredth of the quota. What is left of a block goes back with the first question after its hour, and at the end.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Hold, Road};
use crate::{
    client::auth::Pending,
    clock::Clock,
    core::quota::{self, Window},
    seam,
};

/// What a [`QuotaStore`] has given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Requests that may be sent; none where the quota is spent.
    pub granted: u64,
    /// What is spent with them, by everybody.
    pub spent: u64,
    /// The hour they are counted in, since 1970-01-01T00:00:00Z.
    pub hour: i64,
    /// When the oldest of what is spent counts no more.
    pub frees_in: Duration,
}

/// The count of a quota cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct QuotaError(pub String);

/// Counts the requests of the last 24 hours, for all processes that share a system.
pub trait QuotaStore: Send + Sync {
    /// Takes up to `wanted` requests as long as no more than `max` are spent with them.
    fn take<'a>(&'a self, system: &'a str, wanted: u64, max: u64) -> Pending<'a, Result<Grant, QuotaError>>;
    /// Gives back what was taken in an hour and not sent.
    fn give_back<'a>(&'a self, system: &'a str, hour: i64, unused: u64) -> Pending<'a, ()>;
}

/// Counts what this one system in this one process spends, and forgets it at the end.
#[derive(Debug)]
pub struct OwnQuota {
    clock: Clock,
    window: Mutex<Window>,
}

impl OwnQuota {
    /// Nothing is spent.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            window: Mutex::default(),
        }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QuotaStore for OwnQuota {
    fn take<'a>(&'a self, _: &'a str, wanted: u64, max: u64) -> Pending<'a, Result<Grant, QuotaError>> {
        let now = self.clock.now_millis();
        let hour = quota::hour_of(now);
        let mut window = self.window();
        let spent = window.spent(hour);
        let granted = quota::portion(wanted, spent, max);
        window.add(hour, granted);
        let grant = Grant {
            granted,
            spent: spent.saturating_add(granted),
            hour,
            frees_in: Duration::from_millis(quota::forgotten_in(window.first().unwrap_or(hour), now)),
        };
        Box::pin(std::future::ready(Ok(grant)))
    }

    fn give_back<'a>(&'a self, _: &'a str, hour: i64, unused: u64) -> Pending<'a, ()> {
        self.window().give_back(hour, unused);
        Box::pin(std::future::ready(()))
    }
}

/// How long a "no" is believed before the store is asked again: others may give back what they did not need.
const REFUSED: Duration = Duration::from_secs(10);
/// How long an answer of the store is waited for: what waits holds a place in flight.
const ASK_MAX: Duration = Duration::from_secs(5);
/// How long to wait where the count cannot be asked for.
const UNKNOWN: Duration = Duration::from_secs(5);

/// The quota as one process spends it.
pub(super) struct Daily {
    system: String,
    max: u64,
    reserve: u64,
    block_max: u64,
    store: Arc<dyn QuotaStore>,
    clock: Clock,
    hand: Mutex<Hand>,
    /// One asks, the others wait for what comes of it.
    asking: tokio::sync::Mutex<()>,
}

/// What is at hand.
#[derive(Debug, Clone, Copy, Default)]
struct Hand {
    /// For whoever comes first.
    common: u64,
    /// For live events alone.
    reserved: u64,
    /// The hour they were taken in: by our clock, and as the store counts.
    hour: i64,
    counted_in: i64,
    /// How many were taken last.
    block: u64,
    /// What was spent by everybody when we last heard of it, with what is at hand.
    spent: u64,
    /// The last "no", for others than events and for events.
    refused: [Option<Refusal>; 2],
}

#[derive(Debug, Clone, Copy)]
struct Refusal {
    at_millis: i64,
    frees_in: Duration,
}

impl Refusal {
    /// The wait that is left, while it is believed.
    fn wait(&self, now_millis: i64) -> Option<Duration> {
        let passed = now_millis.checked_sub(self.at_millis)?;
        let passed = Duration::from_millis(u64::try_from(passed).ok()?);
        (passed < REFUSED.min(self.frees_in)).then(|| self.frees_in.saturating_sub(passed))
    }
}

impl Hand {
    const fn unused(&self) -> u64 {
        self.common.saturating_add(self.reserved)
    }

    fn spend(&mut self, is_event: bool) -> bool {
        let pile = if self.common > 0 {
            &mut self.common
        } else if is_event && self.reserved > 0 {
            &mut self.reserved
        } else {
            return false;
        };
        *pile -= 1;
        true
    }
}

impl Daily {
    pub(super) fn new(system: &str, max: u64, reserve: u64, store: Arc<dyn QuotaStore>, clock: Clock) -> Self {
        Self {
            system: system.to_owned(),
            max,
            reserve: reserve.min(max),
            block_max: (max / 100).max(1),
            store,
            clock,
            hand: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    pub(super) const fn max(&self) -> u64 {
        self.max
    }

    pub(super) const fn reserve(&self) -> u64 {
        self.reserve
    }

    /// What is spent by everybody, as far as we have heard.
    pub(super) fn spent(&self) -> u64 {
        let hand = self.hand();
        hand.spent.saturating_sub(hand.unused())
    }

    /// Takes one request, or says when to come back.
    pub(super) async fn take(&self, road: Road) -> Result<(), Hold> {
        let is_event = road == Road::Event;
        if let Some(known) = self.at_hand(is_event) {
            return known;
        }
        let _turn = self.asking.lock().await;
        if let Some(known) = self.at_hand(is_event) {
            return known;
        }
        if self.hand().hour != quota::hour_of(self.clock.now_millis()) {
            self.give_back().await;
        }
        let wanted = self.hand().block.saturating_mul(2).clamp(1, self.block_max);
        // Whatever is spent, the reserve is left to events: on every node, since all are counted together.
        let max = if is_event { self.max } else { self.max - self.reserve };
        self.put(self.ask(wanted, max).await?, is_event)
    }

    async fn ask(&self, wanted: u64, max: u64) -> Result<Grant, Hold> {
        let asked = tokio::time::timeout(ASK_MAX, self.store.take(&self.system, wanted, max)).await;
        let grant = asked.unwrap_or_else(|_| Err(QuotaError("no answer in time".to_owned())));
        grant.map_err(|error| {
            tracing::warn!(system = self.system, %error, "the daily quota cannot be asked for: nothing is sent");
            Hold::Uncounted(UNKNOWN)
        })
    }

    /// Spends what is at hand, or repeats a "no" that is still believed.
    fn at_hand(&self, is_event: bool) -> Option<Result<(), Hold>> {
        let now = self.clock.now_millis();
        let mut hand = self.hand();
        // What was taken in another hour would be counted there.
        if hand.hour == quota::hour_of(now) && hand.spend(is_event) {
            return Some(Ok(()));
        }
        let refused = hand.refused.get(usize::from(is_event)).copied().flatten()?;
        refused.wait(now).map(|wait| Err(Hold::Daily(wait)))
    }

    fn put(&self, grant: Grant, is_event: bool) -> Result<(), Hold> {
        let now = self.clock.now_millis();
        let mut hand = self.hand();
        hand.spent = grant.spent;
        hand.counted_in = grant.hour;
        hand.hour = quota::hour_of(now);
        hand.block = grant.granted;
        if is_event {
            hand.reserved += grant.granted;
        } else {
            hand.common += grant.granted;
        }
        if hand.spend(is_event) {
            return Ok(());
        }
        let frees_in = grant.frees_in.max(Duration::from_secs(1));
        if let Some(refused) = hand.refused.get_mut(usize::from(is_event)) {
            *refused = Some(Refusal {
                at_millis: now,
                frees_in,
            });
        }
        Err(Hold::Daily(frees_in))
    }

    /// Gives back what is at hand.
    pub(super) async fn give_back(&self) {
        let (hour, unused) = {
            let mut hand = self.hand();
            let unused = hand.unused();
            hand.spent = hand.spent.saturating_sub(unused);
            (hand.common, hand.reserved) = (0, 0);
            (hand.counted_in, unused)
        };
        if unused > 0 {
            self.store.give_back(&self.system, hour, unused).await;
        }
    }

    fn hand(&self) -> MutexGuard<'_, Hand> {
        seam::preempt();
        // Numbers stay usable whatever happened to a thread that held them.
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
