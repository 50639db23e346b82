//! The budget towards one system, shared by every road: how many requests at once, how fast, how many a day, and
//! whether at all.
//!
//! Live events go first: they have their part of the daily quota to themselves, one place in flight that a
//! reconciliation never takes, and the front of the queue.

use std::{
    collections::VecDeque,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter, clock::Clock as _};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    clock::Clock,
    core::{
        breaker::{Admission, Breaker, Signal},
        connector::Limits,
        pace::Pace,
        retry,
    },
    seam::{self, Bug},
};

/// What a request is made for. The order is the order of going first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Road {
    /// A live event.
    Event,
    /// A person who waits.
    Manual,
    /// A poll for changes.
    Poll,
    /// A reconciliation, which has all night.
    Reconcile,
}

impl Road {
    const COUNT: usize = 4;

    /// The longest wait that is taken inside of a call; beyond it the caller is told to come back.
    pub(super) const fn patience(self) -> Duration {
        match self {
            Self::Event | Self::Manual => Duration::from_secs(5),
            Self::Poll => Duration::from_secs(30),
            Self::Reconcile => Duration::from_mins(5),
        }
    }

    const fn queue(self) -> usize {
        match self {
            Self::Event => 0,
            Self::Manual => 1,
            Self::Poll => 2,
            Self::Reconcile => 3,
        }
    }
}

/// Why a request may not go now. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// The system does not answer and is left alone.
    Circuit(Duration),
    /// The system asked for a rest.
    Paused(Duration),
    /// The daily quota is used up, or what is left of it is kept for live events.
    Daily(Duration),
}

impl Hold {
    /// When to come back.
    pub(super) const fn wait(self) -> Duration {
        match self {
            Self::Circuit(wait) | Self::Paused(wait) | Self::Daily(wait) => wait,
        }
    }
}

/// How a system's budget stands, for metrics, runs and `doctor`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests sent since the start.
    pub requests: u64,
    /// Of these, those sent again.
    pub retries: u64,
    /// Answers that said "too many requests".
    pub throttled: u64,
    /// Requests that found the system dead (no connection, no answer, 5xx).
    pub dead: u64,
    /// Bytes of bodies sent.
    pub bytes_sent: u64,
    /// Bytes of bodies received, decoded.
    pub bytes_received: u64,
    /// Requests in flight.
    pub in_flight: u32,
    /// How many may be in flight now.
    pub concurrency: u32,
    /// Requests of the last 24 hours, where there is a daily quota.
    pub daily_used: u64,
    /// The daily quota.
    pub daily_max: Option<u64>,
    /// Whether the circuit breaker holds requests back.
    pub is_circuit_open: bool,
    /// How long the system is still given a rest.
    pub paused_for: Option<Duration>,
}

/// The budget of one system.
pub(super) struct Budget {
    rate: Option<DefaultDirectRateLimiter>,
    state: Mutex<State>,
    clock: Clock,
    started: Instant,
}

struct State {
    pace: Pace,
    in_flight: u32,
    queues: [VecDeque<oneshot::Sender<()>>; Road::COUNT],
    paused_until: Option<Instant>,
    breaker: Breaker,
    retries: retry::Budget,
    daily: Daily,
    usage: Usage,
}

/// Requests by hour, over the last 24.
struct Daily {
    max: Option<u64>,
    reserve: u64,
    hours: VecDeque<(i64, u64)>,
}

const HOUR_MILLIS: i64 = 3_600_000;

impl Daily {
    fn used(&mut self, now_millis: i64) -> u64 {
        let oldest = now_millis.div_euclid(HOUR_MILLIS) - 23;
        while self.hours.front().is_some_and(|(hour, _)| *hour < oldest) {
            self.hours.pop_front();
        }
        self.hours.iter().map(|(_, count)| count).sum()
    }

    /// Counts one request, or says how long until the oldest hour is forgotten.
    fn take(&mut self, road: Road, now_millis: i64) -> Result<(), Duration> {
        let Some(max) = self.max else { return Ok(()) };
        let used = self.used(now_millis);
        let max = if road == Road::Event {
            max
        } else {
            max.saturating_sub(self.reserve)
        };
        let hour = now_millis.div_euclid(HOUR_MILLIS);
        if used >= max {
            let frees = self.hours.front().map_or(hour + 1, |(oldest, _)| oldest + 24);
            let wait = frees.saturating_mul(HOUR_MILLIS).saturating_sub(now_millis).max(1_000);
            return Err(Duration::from_millis(wait.unsigned_abs()));
        }
        match self.hours.back_mut() {
            Some((last, count)) if *last == hour => *count += 1,
            _ => self.hours.push_back((hour, 1)),
        }
        Ok(())
    }
}

impl Budget {
    pub(super) fn new(limits: &Limits, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            rate: limits.rate.and_then(|rate| limiter(rate.count, rate.per, limits.burst)),
            state: Mutex::new(State {
                pace: Pace::new(limits.concurrency),
                in_flight: 0,
                queues: Default::default(),
                paused_until: None,
                breaker: Breaker::new(limits.breaker),
                retries: retry::Budget::new(),
                daily: Daily {
                    max: limits.daily,
                    reserve: limits.daily.map_or(0, |daily| limits.reserve.of(daily)),
                    hours: VecDeque::new(),
                },
                usage: Usage::default(),
            }),
            clock,
            started: Instant::now(),
        })
    }

    /// Waits for a place, and for the rate; refuses where that would take longer than the road has patience.
    pub(super) async fn admit(self: &Arc<Self>, road: Road) -> Result<Permit, Hold> {
        let mut permit = loop {
            // Nothing is held while resting, so that nobody with less patience waits behind it.
            self.rest(road).await?;
            let permit = self.place(road).await;
            if self.rest_left().is_zero() {
                break permit;
            }
        };
        permit.admission = self.check(road)?;
        self.keep_rate().await;
        self.state().usage.requests += 1;
        Ok(permit)
    }

    /// The whole system rests: nothing more is sent before the time is over.
    pub(super) fn pause(&self, wait: Duration) {
        if seam::has_bug(Bug::RestIgnored) {
            return;
        }
        let until = Instant::now() + wait.min(retry::WAIT_MAX);
        let mut state = self.state();
        state.paused_until = state.paused_until.max(Some(until));
    }

    /// Takes one retry out of the budget of retries, where there is one.
    pub(super) fn may_retry(&self) -> bool {
        let mut state = self.state();
        let may = state.retries.spend();
        state.usage.retries += u64::from(may);
        may
    }

    /// Counts a first attempt.
    pub(super) fn earn_retries(&self) {
        self.state().retries.earn();
    }

    /// Counts the bytes of one exchange.
    pub(super) fn count_bytes(&self, sent: usize, received: usize) {
        let mut state = self.state();
        state.usage.bytes_sent += sent as u64;
        state.usage.bytes_received += received as u64;
    }

    pub(super) fn usage(&self) -> Usage {
        let now = self.clock.now_millis();
        let rest = self.rest_left();
        let mut state = self.state();
        let daily_used = state.daily.used(now);
        Usage {
            in_flight: state.in_flight,
            concurrency: state.pace.limit(),
            daily_used,
            daily_max: state.daily.max,
            is_circuit_open: state.breaker.is_open(),
            paused_for: (!rest.is_zero()).then_some(rest),
            ..state.usage.clone()
        }
    }

    async fn place(self: &Arc<Self>, road: Road) -> Permit {
        let ticket = {
            let mut state = self.state();
            if state.queues.iter().take(road.queue() + 1).all(VecDeque::is_empty) && state.has_place(road) {
                state.in_flight += 1;
                None
            } else {
                let (sender, receiver) = oneshot::channel();
                if let Some(queue) = state.queues.get_mut(road.queue()) {
                    queue.push_back(sender);
                }
                Some(receiver)
            }
        };
        if let Some(receiver) = ticket {
            Ticket {
                budget: self,
                receiver: Some(receiver),
            }
            .taken()
            .await;
        }
        Permit {
            budget: self.clone(),
            admission: Admission::Go,
            epoch: self.state().pace.epoch(),
            is_done: false,
        }
    }

    fn rest_left(&self) -> Duration {
        let until = self.state().paused_until;
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    async fn rest(&self, road: Road) -> Result<(), Hold> {
        loop {
            let wait = self.rest_left();
            if wait.is_zero() {
                return Ok(());
            }
            if wait > road.patience() {
                return Err(Hold::Paused(wait));
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn check(&self, road: Road) -> Result<Admission, Hold> {
        let now = self.started.elapsed();
        let today = self.clock.now_millis();
        let mut state = self.state();
        let admission = state.breaker.admit(now);
        if let Admission::Wait(wait) = admission {
            return Err(Hold::Circuit(wait));
        }
        if let Err(wait) = state.daily.take(road, today) {
            state.breaker.record(admission, Signal::Nothing, now);
            return Err(Hold::Daily(wait));
        }
        Ok(admission)
    }

    async fn keep_rate(&self) {
        let Some(rate) = &self.rate else { return };
        while let Err(not_until) = rate.check() {
            let wait = not_until.wait_time_from(governor::clock::DefaultClock::default().now());
            tokio::time::sleep(wait).await;
        }
    }

    fn release(&self) {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.hand_out();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counters stay usable whatever happened to a thread that held them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_place(&self, road: Road) -> bool {
        let limit = self.pace.limit();
        let limit = if road == Road::Reconcile {
            limit.saturating_sub(1).max(1)
        } else {
            limit
        };
        self.in_flight < limit || seam::has_bug(Bug::ConcurrencyIgnored)
    }

    /// Gives free places to those who wait, in the order of the roads.
    fn hand_out(&mut self) {
        for road in [Road::Event, Road::Manual, Road::Poll, Road::Reconcile] {
            while self.has_place(road) {
                let Some(sender) = self.queues.get_mut(road.queue()).and_then(VecDeque::pop_front) else {
                    break;
                };
                // One that no longer waits is passed over.
                if sender.send(()).is_ok() {
                    self.in_flight += 1;
                }
            }
        }
    }
}

fn limiter(count: u32, per: Duration, burst: Option<u32>) -> Option<DefaultDirectRateLimiter> {
    let quota = Quota::with_period(per.checked_div(count)?)?;
    let burst = NonZeroU32::new(burst.unwrap_or(count))?;
    Some(RateLimiter::direct(quota.allow_burst(burst)))
}

/// A place in the queue. Dropped while its place is on the way, it gives the place back.
struct Ticket<'a> {
    budget: &'a Budget,
    receiver: Option<oneshot::Receiver<()>>,
}

impl Ticket<'_> {
    async fn taken(mut self) {
        if let Some(receiver) = &mut self.receiver {
            // The sender lives in the queue of the budget we borrow, so it is never dropped unused.
            let _ = receiver.await;
        }
        self.receiver = None;
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let was_given = self.receiver.as_mut().is_some_and(|receiver| {
            receiver.close();
            receiver.try_recv().is_ok()
        });
        if was_given {
            self.budget.release();
        }
    }
}

/// The right to one request. Dropped without a word, nothing was learned about the system.
pub(super) struct Permit {
    budget: Arc<Budget>,
    admission: Admission,
    epoch: u64,
    is_done: bool,
}

impl Permit {
    /// The system answered and is well.
    pub(super) fn alive(mut self) {
        self.budget.state().pace.rise();
        self.record(Signal::Alive);
    }

    /// The system answered that it has too much to do.
    pub(super) fn throttled(mut self) {
        let mut state = self.budget.state();
        state.pace.fall(self.epoch);
        state.usage.throttled += 1;
        drop(state);
        self.record(Signal::Alive);
    }

    /// The system did not answer, or said that it is broken.
    pub(super) fn dead(mut self) {
        let mut state = self.budget.state();
        state.pace.fall(self.epoch);
        state.usage.dead += 1;
        drop(state);
        self.record(Signal::Dead);
    }

    fn record(&mut self, signal: Signal) {
        self.is_done = true;
        let now = self.budget.started.elapsed();
        self.budget.state().breaker.record(self.admission, signal, now);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.is_done {
            self.record(Signal::Nothing);
        }
        self.budget.release();
    }
}

#[cfg(test)]
mod tests;
