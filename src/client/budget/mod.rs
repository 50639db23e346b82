//! The budget towards one system, shared by every road: how many requests at once, how fast, how many a day, and
//! whether at all.
//!
//! Live events go first: they have their part of the daily quota to themselves, one place in flight that a
//! reconciliation never takes, and the front of the queue.

mod daily;
mod permit;
mod road;

use std::{
    collections::VecDeque,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter, clock::Clock as _};
use tokio::{sync::oneshot, time::Instant};

use self::{daily::Daily, permit::Ticket};
pub use self::{
    daily::{Grant, OwnQuota, QuotaError, QuotaStore},
    road::Road,
};
use super::deadline;
use crate::{
    clock::Clock,
    core::{
        breaker::{Admission, Breaker, Circuit},
        connector::Limits,
        pace::Pace,
        retry,
    },
    seam::{self, Bug},
};
pub(super) use permit::Permit;

/// Why a request may not go now. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// The system does not answer and is left alone.
    Circuit(Duration),
    /// The system asked for a rest.
    Paused(Duration),
    /// The daily quota is used up, or what is left of it is kept for live events.
    Daily(Duration),
    /// Nobody can say how much of the daily quota is left.
    Uncounted(Duration),
    /// The work that it is for has taken as long as it may: so long.
    OutOfTime(Duration),
}

impl Hold {
    /// When to come back.
    pub(super) const fn wait(self) -> Duration {
        match self {
            Self::Circuit(wait) | Self::Paused(wait) | Self::Daily(wait) | Self::Uncounted(wait) => wait,
            Self::OutOfTime(_) => Duration::ZERO,
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
    /// How many may go in a minute, where there is a rate.
    pub per_minute_max: Option<u64>,
    /// Requests of the last 24 hours, where there is a daily quota: of all nodes, as far as we have heard.
    pub daily_used: u64,
    /// The daily quota.
    pub daily_max: Option<u64>,
    /// The part of it that only live events may use.
    pub daily_reserve: u64,
    /// How the circuit breaker stands.
    pub circuit: Circuit,
    /// How long the system is still given a rest.
    pub paused_for: Option<Duration>,
}

/// The budget of one system.
pub(super) struct Budget {
    rate: Option<DefaultDirectRateLimiter>,
    per_minute_max: Option<u64>,
    daily: Option<Daily>,
    state: Mutex<State>,
    started: Instant,
}

struct State {
    pace: Pace,
    in_flight: u32,
    queues: [VecDeque<oneshot::Sender<()>>; Road::COUNT],
    paused_until: Option<Instant>,
    breaker: Breaker,
    retries: retry::Budget,
    usage: Usage,
}

impl Budget {
    pub(super) fn new(system: &str, limits: &Limits, quota: Arc<dyn QuotaStore>, clock: Clock) -> Arc<Self> {
        let daily = |max| Daily::new(system, max, limits.reserve.of(max), quota, clock);
        Arc::new(Self {
            daily: limits.daily.map(daily),
            rate: limits.rate.and_then(|rate| limiter(rate.count, rate.per, limits.burst)),
            per_minute_max: limits.rate.and_then(|rate| per_minute(rate.count, rate.per)),
            state: Mutex::new(State {
                pace: Pace::new(limits.concurrency),
                in_flight: 0,
                queues: Default::default(),
                paused_until: None,
                breaker: Breaker::new(limits.breaker),
                retries: retry::Budget::new(),
                usage: Usage::default(),
            }),
            started: Instant::now(),
        })
    }

    /// Waits for a place, and for the rate; refuses where that would take longer than the road has patience, or than the work
    /// that asks may take.
    pub(super) async fn admit(self: &Arc<Self>, road: Road) -> Result<Permit, Hold> {
        let Some(deadline) = deadline::current() else {
            return self.wait_for(road).await;
        };
        let late = Hold::OutOfTime(deadline.given);
        if deadline.is_over() {
            return Err(late);
        }
        tokio::time::timeout_at(deadline.at, self.wait_for(road))
            .await
            .unwrap_or(Err(late))
    }

    async fn wait_for(self: &Arc<Self>, road: Road) -> Result<Permit, Hold> {
        let mut has_quota = false;
        loop {
            // Nothing is held while resting, so that nobody with less patience waits behind it.
            self.rest(road).await?;
            let mut permit = self.place(road).await;
            if !self.rest_left().is_zero() {
                continue;
            }
            permit.admitted(self.check()?);
            if let Some(daily) = self.daily.as_ref().filter(|_| !has_quota) {
                daily.take(road).await?;
            }
            has_quota = true;
            self.keep_rate().await;
            // The system may have asked for a rest while this one waited for its turn.
            if self.rest_left().is_zero() {
                self.state().usage.requests += 1;
                return Ok(permit);
            }
        }
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

    /// Gives back what is left of the last block of the daily quota.
    pub(super) async fn give_back(&self) {
        if let Some(daily) = &self.daily {
            daily.give_back().await;
        }
    }

    pub(super) fn usage(&self) -> Usage {
        let rest = self.rest_left();
        let state = self.state();
        Usage {
            in_flight: state.in_flight,
            concurrency: state.pace.limit(),
            per_minute_max: self.per_minute_max,
            daily_used: self.daily.as_ref().map_or(0, Daily::spent),
            daily_max: self.daily.as_ref().map(Daily::max),
            daily_reserve: self.daily.as_ref().map_or(0, Daily::reserve),
            circuit: state.breaker.circuit(self.started.elapsed()),
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
            Ticket::new(self, receiver).taken().await;
        }
        Permit::new(self.clone())
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

    fn check(&self) -> Result<Admission, Hold> {
        match self.state().breaker.admit(self.started.elapsed()) {
            Admission::Wait(wait) => Err(Hold::Circuit(wait)),
            admission => Ok(admission),
        }
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
        seam::preempt();
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

fn per_minute(count: u32, per: Duration) -> Option<u64> {
    const MINUTE_MILLIS: u128 = 60_000;
    let all = (u128::from(count) * MINUTE_MILLIS).checked_div(per.as_millis())?;
    u64::try_from(all).ok()
}

#[cfg(test)]
mod tests;
