//! A circuit breaker as a pure state machine: a dead system is left alone, and found again by a single probe.
//!
//! ```text
//! closed --(failures in a row)--> open --(rest over)--> half open --(probe succeeds)--> closed
//!                                  ^                        |
//!                                  +-----(probe fails)------+
//! ```
//!
//! Times are offsets from any fixed start on a clock that never goes back.

use std::time::Duration;

/// How a breaker reacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Failures in a row that open it.
    pub failures: u32,
    /// The first rest; each failed probe doubles it.
    pub rest: Duration,
    /// The longest rest.
    pub rest_max: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            failures: 5,
            rest: Duration::from_secs(5),
            rest_max: Duration::from_mins(2),
        }
    }
}

/// Whether a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Go,
    /// It may, as the one probe: its result decides.
    Probe,
    /// It may not; ask again after this time.
    Wait(Duration),
}

/// What became of a request, as far as the system's health is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The system answered and is well, whatever it said.
    Alive,
    /// No connection, no answer in time, or an answer that says "I am broken".
    Dead,
    /// Nothing was learned (the request was not sent, or was given up by us).
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Duration, rest: Duration },
    HalfOpen { rest: Duration },
}

/// The breaker of one system.
#[derive(Debug, Clone)]
pub struct Breaker {
    settings: Settings,
    state: State,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::Closed { failures: 0 },
        }
    }

    /// Asks for a request to go at the time `now`. After [`Admission::Probe`] a [`Breaker::record`] must follow.
    pub fn admit(&mut self, now: Duration) -> Admission {
        match self.state {
            State::Closed { .. } => Admission::Go,
            State::Open { until, rest } if now >= until => {
                self.state = State::HalfOpen { rest };
                Admission::Probe
            }
            State::Open { until, .. } => Admission::Wait(until.saturating_sub(now)),
            // A probe is on its way; its answer will not take longer than the first rest.
            State::HalfOpen { .. } => Admission::Wait(self.settings.rest),
        }
    }

    /// Takes note of what became of a request that ended at the time `now`.
    pub fn record(&mut self, admission: Admission, signal: Signal, now: Duration) {
        self.state = match (self.state, admission, signal) {
            (State::HalfOpen { .. }, Admission::Probe, Signal::Alive) | (State::Closed { .. }, _, Signal::Alive) => {
                State::Closed { failures: 0 }
            }
            (State::HalfOpen { rest }, Admission::Probe, Signal::Dead) => {
                let rest = rest.saturating_mul(2).min(self.settings.rest_max);
                State::Open {
                    until: now.saturating_add(rest),
                    rest,
                }
            }
            // A probe that taught nothing leaves room for the next one at once.
            (State::HalfOpen { rest }, Admission::Probe, Signal::Nothing) => State::Open { until: now, rest },
            (State::Closed { failures }, _, Signal::Dead) if failures.saturating_add(1) >= self.settings.failures => {
                State::Open {
                    until: now.saturating_add(self.settings.rest),
                    rest: self.settings.rest,
                }
            }
            (State::Closed { failures }, _, Signal::Dead) => State::Closed {
                failures: failures.saturating_add(1),
            },
            // Requests that were on their way when it opened decide nothing any more.
            (state, _, _) => state,
        };
    }

    /// Whether requests are held back.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    /// How it stands at the time `now`.
    #[must_use]
    pub const fn circuit(&self, now: Duration) -> Circuit {
        match self.state {
            State::Closed { .. } => Circuit::Closed,
            State::Open { until, .. } => Circuit::Open {
                rest: until.saturating_sub(now),
            },
            State::HalfOpen { .. } => Circuit::HalfOpen,
        }
    }
}

/// How a breaker stands, for those who look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Circuit {
    /// Requests go.
    #[default]
    Closed,
    /// Nothing is sent before this time is over; then one request tries the system.
    Open {
        /// The time that is left.
        rest: Duration,
    },
    /// The one request that tries the system is on its way.
    HalfOpen,
}

impl Circuit {
    /// Whether requests are held back.
    #[must_use]
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Closed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(Settings::default());
        for _ in 0..5 {
            let admission = breaker.admit(Duration::ZERO);
            breaker.record(admission, Signal::Dead, Duration::ZERO);
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_not_after_scattered_ones() {
        let mut breaker = Breaker::new(Settings::default());
        for signal in [Signal::Dead, Signal::Dead, Signal::Dead, Signal::Dead, Signal::Alive].repeat(10) {
            assert_eq!(breaker.admit(Duration::ZERO), Admission::Go);
            breaker.record(Admission::Go, signal, Duration::ZERO);
        }
        assert!(!breaker.is_open());
        assert!(opened().is_open());
    }

    #[test]
    fn open_and_half_open_are_told_apart_and_how_long_it_rests() {
        let mut breaker = opened();
        assert_eq!(breaker.circuit(SECOND), Circuit::Open { rest: 4 * SECOND });
        assert_eq!(breaker.circuit(9 * SECOND), Circuit::Open { rest: Duration::ZERO });
        assert_eq!(breaker.admit(5 * SECOND), Admission::Probe);
        assert_eq!(breaker.circuit(5 * SECOND), Circuit::HalfOpen);
        breaker.record(Admission::Probe, Signal::Alive, 6 * SECOND);
        assert_eq!(breaker.circuit(6 * SECOND), Circuit::Closed);
    }

    #[test]
    fn while_half_open_exactly_one_probe_goes() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(SECOND), Admission::Wait(4 * SECOND));
        assert_eq!(breaker.admit(5 * SECOND), Admission::Probe);
        assert_eq!(breaker.admit(5 * SECOND), Admission::Wait(5 * SECOND));
        breaker.record(Admission::Probe, Signal::Alive, 6 * SECOND);
        assert_eq!(breaker.admit(6 * SECOND), Admission::Go);
    }

    #[test]
    fn each_failed_probe_doubles_the_rest_up_to_its_end() {
        let mut breaker = opened();
        let mut now = 5 * SECOND;
        for rest in [10, 20, 40, 80, 120, 120] {
            assert_eq!(breaker.admit(now), Admission::Probe);
            breaker.record(Admission::Probe, Signal::Dead, now);
            assert_eq!(breaker.admit(now), Admission::Wait(rest * SECOND));
            now += rest * SECOND;
        }
    }

    #[test]
    fn an_answer_to_an_old_request_does_not_close_it() {
        let mut breaker = opened();
        breaker.record(Admission::Go, Signal::Alive, SECOND);
        assert!(breaker.is_open());
    }

    #[test]
    fn a_probe_that_was_given_up_leaves_room_for_another() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(5 * SECOND), Admission::Probe);
        breaker.record(Admission::Probe, Signal::Nothing, 5 * SECOND);
        assert_eq!(breaker.admit(5 * SECOND), Admission::Probe);
    }

    proptest! {
        #[test]
        fn there_is_never_more_than_one_probe(steps in proptest::collection::vec((0_u8..4, 0_u64..200), 0..200)) {
            let mut breaker = Breaker::new(Settings::default());
            let (mut now, mut flying): (Duration, Vec<Admission>) = (Duration::ZERO, Vec::new());
            for (what, seconds) in steps {
                now += Duration::from_secs(seconds);
                if what == 0 {
                    match breaker.admit(now) {
                        Admission::Wait(_) => {}
                        admission => flying.push(admission),
                    }
                } else if let Some(admission) = flying.pop() {
                    let signal = [Signal::Alive, Signal::Dead, Signal::Nothing][usize::from(what) - 1];
                    breaker.record(admission, signal, now);
                }
                prop_assert!(flying.iter().filter(|admission| **admission == Admission::Probe).count() <= 1);
            }
        }
    }
}
