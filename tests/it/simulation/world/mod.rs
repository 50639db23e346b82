//! The world around a simulated daemon: chance, time, a bad network, both systems, and the end of the process.

mod network;
mod weather;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard},
    task::{Poll, Waker},
};

use chrono::{DateTime, TimeDelta, Utc};
use syncline::{
    sandbox::{clock::Clock as SandboxClock, crm, erp, fault::Fault},
    seam::{self, Answer, Bug, Pending, Point, Request, Unanswered},
};
use tokio::{sync::Notify, time::Instant};

use crate::support::rig::Chance;

use weather::Garbled;

pub use weather::Weather;

/// Where the ERP is believed to be.
pub const ERP: &str = "http://127.0.0.1:1";
/// Where the CRM is believed to be.
pub const CRM: &str = "http://127.0.0.1:2";

/// How many requests each system is configured to take at once.
pub const CONCURRENCY: u32 = 4;

/// A request that arrives when its sender has long gone.
#[derive(Debug, Clone)]
pub struct Late {
    /// When, in milliseconds since the start.
    pub at: i64,
    request: Request,
}

struct State {
    chance: Chance,
    /// The chance of garbled answers; none where all that comes is as it was sent.
    garbling: Option<Chance>,
    trace: DefaultHasher,
    log: Option<String>,
    steps: u64,
    /// Steps until the process ends.
    fuse: Option<u64>,
    is_over: bool,
    waker: Option<Waker>,
    /// Milliseconds since the start of the simulation at which this life began, and the instant of that.
    born: (i64, Option<Instant>),
    weather: Weather,
    late: Vec<Late>,
    /// Writes in flight by address, and requests in flight by system.
    writing: BTreeMap<String, u32>,
    asking: BTreeMap<&'static str, u32>,
    /// Since when each system wants to rest, and until when.
    resting: BTreeMap<&'static str, (i64, i64)>,
    /// Records that were written, and companies of which one was made, without an answer; true where the next look at them did not say what became of it.
    doubted: BTreeMap<String, bool>,
    /// What is to happen to the next listing of the ERP (true) or the CRM.
    spoiled: Option<(bool, Fault)>,
    spoilings: u64,
    violations: Vec<String>,
    bug: Option<Bug>,
}

/// Everything around the daemon. Clones are the same.
#[derive(Clone)]
pub struct Sim(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    erp: erp::Handle,
    crm: crm::Handle,
    start: DateTime<Utc>,
    clock: SandboxClock,
    news: Notify,
}

impl Sim {
    /// A world that `seed` decides, with a bug in the program if one is named.
    pub fn new(seed: u64, bug: Option<Bug>, is_told: bool) -> Self {
        let start = DateTime::from_timestamp(1_772_442_000, 0).unwrap();
        let clock = SandboxClock::fixed_at(start);
        let mut chance = Chance::new(seed);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (erp, crm) = {
            let _within = runtime.enter();
            let erp = erp::Options {
                seed: chance.next(),
                page_max: 3,
                clock: clock.clone(),
                ..erp::Options::default()
            };
            let crm = crm::Options {
                seed: chance.next(),
                page_max: 3,
                clock: clock.clone(),
                ..crm::Options::default()
            };
            (erp::quiet(erp, ERP), crm::quiet(crm, CRM))
        };
        let state = State {
            chance,
            garbling: Garbled::chance(seed),
            trace: DefaultHasher::new(),
            log: is_told.then(String::new),
            steps: 0,
            fuse: None,
            is_over: false,
            waker: None,
            born: (0, None),
            weather: Weather::default(),
            late: Vec::new(),
            writing: BTreeMap::new(),
            asking: BTreeMap::new(),
            resting: BTreeMap::new(),
            doubted: BTreeMap::new(),
            spoiled: None,
            spoilings: 0,
            violations: Vec::new(),
            bug,
        };
        Self(Arc::new(Inner {
            state: Mutex::new(state),
            erp,
            crm,
            start,
            clock,
            news: Notify::new(),
        }))
    }

    pub fn erp(&self) -> &erp::Handle {
        &self.0.erp
    }

    pub fn crm(&self) -> &crm::Handle {
        &self.0.crm
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    /// A number below `end`.
    pub fn below(&self, end: u64) -> u64 {
        self.state().chance.below(end)
    }

    /// True in `share` of 100 cases.
    pub fn percent(&self, share: u64) -> bool {
        self.state().chance.percent(share)
    }

    /// When the simulation starts.
    pub fn start(&self) -> DateTime<Utc> {
        self.0.start
    }

    /// Milliseconds since the start of the simulation.
    pub fn now(&self) -> i64 {
        let (millis, born) = self.state().born;
        let passed = born.map_or(0, |born| i64::try_from(born.elapsed().as_millis()).unwrap());
        millis + passed
    }

    /// The same as a time; the systems' clock shows it from then on.
    pub fn time(&self) -> DateTime<Utc> {
        let time = self.0.start + TimeDelta::milliseconds(self.now());
        if let Ok(behind) = (time - self.0.clock.now()).to_std() {
            self.0.clock.advance(behind);
        }
        time
    }

    /// Begins a life of the daemon, which ends after `fuse` steps if it is given. Within the runtime of that life.
    pub fn begin(&self, fuse: Option<u64>) {
        let mut state = self.state();
        state.fuse = fuse;
        state.is_over = false;
        state.waker = None;
        state.born.1 = Some(Instant::now());
        state.writing.clear();
        state.asking.clear();
        state.resting.clear();
    }

    /// Ends a life; the next one begins `pause` milliseconds later. Within the runtime of that life.
    pub fn end(&self, pause: i64) {
        let now = self.now();
        self.state().born = (now + pause, None);
    }

    /// From now on the process does not end any more and the weather is fine.
    pub fn calm(&self) {
        let mut state = self.state();
        state.fuse = None;
        state.spoiled = None;
        state.weather = Weather::default();
    }

    /// Spoils the next listing of one of the systems.
    pub fn spoil_listing(&self, of_erp: bool, fault: Fault) {
        let mut state = self.state();
        state.spoiled = Some((of_erp, fault));
        state.spoilings += 1;
    }

    /// How many listings were made to lie so far.
    pub fn spoilings(&self) -> u64 {
        self.state().spoilings
    }

    /// Whether the next listing of a system is going to lie.
    pub fn is_spoiled(&self, of_erp: bool) -> bool {
        self.state()
            .spoiled
            .as_ref()
            .is_some_and(|(spoiled, _)| *spoiled == of_erp)
    }

    pub fn set_weather(&self, weather: Weather) {
        self.state().weather = weather;
    }

    /// Waits until the process ends.
    pub async fn over(&self) {
        std::future::poll_fn(|context| {
            let mut state = self.state();
            if state.is_over {
                return Poll::Ready(());
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Requests that are due to arrive late by now.
    pub fn late_due(&self, now: i64) -> Vec<Late> {
        let mut state = self.state();
        let (due, later) = std::mem::take(&mut state.late)
            .into_iter()
            .partition(|late| late.at <= now);
        state.late = later;
        due
    }

    /// When the next request arrives late.
    pub fn next_late(&self) -> Option<i64> {
        self.state().late.iter().map(|late| late.at).min()
    }

    /// Lets a late request arrive.
    pub async fn arrive(&self, late: Late) {
        self.note(&format!("late {} {}", late.request.method, late.request.url));
        let _nobody_waits = self.perform(&late.request).await;
    }

    /// Waits until a system may have committed something.
    pub async fn news(&self) {
        self.0.news.notified().await;
    }

    /// Whether nobody told Syncline what became of one of its updates of a record, not even the next look at it.
    pub fn is_doubted(&self, id: &str) -> bool {
        self.state().doubted.contains_key(id)
    }

    /// What the checks that are made on the way found.
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// Says that a promise was broken.
    pub fn accuse(&self, what: String) {
        self.note(&format!("VIOLATION {what}"));
        self.state().violations.push(what);
    }

    /// The hash of everything that happened so far.
    pub fn trace(&self) -> u64 {
        self.state().trace.finish()
    }

    /// Everything that happened, where it is told.
    pub fn told(&self) -> String {
        self.state().log.clone().unwrap_or_default()
    }

    /// How many steps there were.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// Puts a line into the trace.
    pub fn note(&self, line: &str) {
        let now = self.now();
        let mut state = self.state();
        (now, line).hash(&mut state.trace);
        if let Some(log) = &mut state.log {
            let _cannot_fail = writeln!(log, "{:>9}.{:03} {line}", now / 1000, now % 1000);
        }
    }

    /// Takes a step; false where the process ended with it or before.
    fn step(&self, what: &str) -> bool {
        if self.state().is_over {
            return false;
        }
        self.note(what);
        let mut state = self.state();
        state.steps += 1;
        match &mut state.fuse {
            Some(0) => {
                state.is_over = true;
                if let Some(waker) = state.waker.take() {
                    waker.wake();
                }
                drop(state);
                self.note("the process ends");
                return false;
            }
            Some(left) => *left -= 1,
            None => {}
        }
        true
    }

    /// Goes on if the process lives; sometimes only after everybody else had a turn.
    async fn alive(&self, what: &str) {
        if !self.step(what) {
            std::future::pending::<()>().await;
        }
        if self.percent(20) {
            tokio::task::yield_now().await;
            if self.state().is_over {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl seam::World for Sim {
    fn draw(&self) -> u64 {
        self.state().chance.next()
    }

    fn pass(&self, point: Point) -> Pending<()> {
        let sim = self.clone();
        Box::pin(async move { sim.alive(&format!("{point:?}")).await })
    }

    fn exchange(&self, request: Request) -> Pending<Result<Answer, Unanswered>> {
        Box::pin(self.clone().travel(request))
    }

    fn has_bug(&self, bug: Bug) -> bool {
        self.state().bug == Some(bug)
    }
}
