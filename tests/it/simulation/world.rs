//! The world around a simulated daemon: chance, time, a bad network, both systems, and the end of the process.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard},
    task::{Poll, Waker},
    time::Duration,
};

use axum::{body::Body, http};
use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::BodyExt as _;
use syncline::{
    sandbox::{clock::Clock as SandboxClock, crm, erp},
    seam::{self, Answer, Bug, Pending, Point, Request, Unanswered},
};
use tokio::{sync::Notify, time::Instant};

use crate::support::rig::Chance;

/// Where the ERP is believed to be.
pub const ERP: &str = "http://127.0.0.1:1";
/// Where the CRM is believed to be.
pub const CRM: &str = "http://127.0.0.1:2";

/// How many requests each system is configured to take at once.
pub const CONCURRENCY: u32 = 4;

/// How bad the network and the systems are, in percent of the requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weather {
    /// No connection.
    pub refused: u64,
    /// The connection breaks before the system got the request.
    pub lost: u64,
    /// The connection breaks after the system did what was asked.
    pub unanswered: u64,
    /// The system does what was asked after the caller has given up.
    pub late: u64,
    /// The system asks for a rest.
    pub throttled: u64,
    /// The system fails before it does anything.
    pub failing: u64,
    /// The system does what was asked and says that it failed.
    pub confused: u64,
}

impl Weather {
    /// Everything goes wrong at times.
    pub const RAIN: Self = Self {
        refused: 3,
        lost: 3,
        unanswered: 6,
        late: 2,
        throttled: 2,
        failing: 3,
        confused: 2,
    };
    /// Most of the writes are in doubt.
    pub const STORM: Self = Self {
        refused: 8,
        lost: 8,
        unanswered: 25,
        late: 6,
        throttled: 3,
        failing: 6,
        confused: 6,
    };
}

/// A request that arrives when its sender has long gone.
#[derive(Debug, Clone)]
pub struct Late {
    /// When, in milliseconds since the start.
    pub at: i64,
    request: Request,
}

struct State {
    chance: Chance,
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
    /// Until when a system wants to be left alone.
    resting: BTreeMap<&'static str, i64>,
    /// Records that were written without an answer; true where the next look at them did not say what became of it.
    doubted: BTreeMap<String, bool>,
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
        state.weather = Weather::default();
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

    /// Lets a system carry out a request; none where it drops the connection.
    async fn perform(&self, request: &Request) -> Option<Answer> {
        // The systems' clock is set.
        let _now = self.time();
        let mut asked = http::Request::builder().method(request.method).uri(&request.url);
        for (name, value) in &request.headers {
            asked = asked.header(name, value.as_slice());
        }
        let asked = asked.body(Body::from(request.body.clone())).unwrap();
        let answered = if request.url.starts_with(ERP) {
            self.0.erp.ask(asked).await
        } else {
            self.0.crm.ask(asked).await
        };
        self.0.news.notify_one();
        let (parts, body) = answered?.into_parts();
        let body = body.collect().await.ok()?.to_bytes().to_vec();
        let headers = parts.headers.iter();
        Some(Answer {
            status: parts.status.as_u16(),
            headers: headers
                .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                .collect(),
            body,
        })
    }

    async fn travel(self, request: Request) -> Result<Answer, Unanswered> {
        let name = if request.url.starts_with(ERP) { "erp" } else { "crm" };
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let path = request.url.replace(ERP, "erp").replace(CRM, "crm");
        let line = format!("{} {path} {body}", request.method);
        self.alive(&line).await;
        let mut underway = self.departs(name, &request);
        let fate = Fate::draw(&mut self.state(), &request);
        let latency = 1 + self.below(40);
        tokio::time::sleep(Duration::from_millis(latency)).await;
        let outcome = self.carry(fate, &request).await;
        let told = match &outcome {
            Ok(answer) => format!(
                "{} {} {}",
                answer.status,
                path,
                String::from_utf8_lossy(&answer.body[..answer.body.len().min(400)])
            ),
            Err(why) => format!("{why:?} {path}"),
        };
        let told = if path.ends_with("/oauth/token") { path } else { told };
        self.alive(&told).await;
        let latency = 1 + self.below(20);
        tokio::time::sleep(Duration::from_millis(latency)).await;
        self.heard(name, &outcome);
        if self.state().is_over {
            std::future::pending::<()>().await;
        }
        let is_answered = outcome.as_ref().is_ok_and(|answer| answer.status < 500);
        underway.is_answered = is_answered;
        if request.method == "GET" {
            self.looked(&record_of(&request.url), is_answered);
        }
        outcome
    }

    /// The first look after an update without an answer says what became of it, or nothing does.
    fn looked(&self, id: &str, is_answered: bool) {
        let mut state = self.state();
        match state.doubted.get_mut(id) {
            Some(false) if is_answered => drop(state.doubted.remove(id)),
            Some(is_lasting) => *is_lasting = true,
            None => {}
        }
    }

    async fn carry(&self, fate: Fate, request: &Request) -> Result<Answer, Unanswered> {
        match fate {
            Fate::Good => self.perform(request).await.ok_or(Unanswered::Broken),
            Fate::Refused => Err(Unanswered::NotSent),
            Fate::Lost => Err(Unanswered::Broken),
            Fate::Unanswered => {
                let _nobody_hears = self.perform(request).await;
                Err(Unanswered::Broken)
            }
            Fate::Late => {
                let after = 32_000 + i64::try_from(self.below(20_000)).unwrap();
                let at = self.now() + after;
                self.state().doubted.insert(record_of(&request.url), true);
                self.state().late.push(Late {
                    at,
                    request: request.clone(),
                });
                // The caller gives up before.
                tokio::time::sleep(Duration::from_mins(10)).await;
                Err(Unanswered::Broken)
            }
            Fate::Throttled => {
                let seconds = 1 + self.below(20);
                Ok(plain(429, &[("retry-after", &seconds.to_string())]))
            }
            Fate::Failing => Ok(plain(503, &[])),
            Fate::Confused => {
                let _nobody_hears = self.perform(request).await;
                Ok(plain(500, &[]))
            }
        }
    }

    /// Counts a request that leaves, and checks what has to hold of all that are under way.
    fn departs(&self, name: &'static str, request: &Request) -> Underway {
        let now = self.now();
        let mut found = Vec::new();
        let is_write = matches!(request.method, "PATCH" | "DELETE");
        {
            let mut state = self.state();
            let asking = state.asking.entry(name).or_default();
            *asking += 1;
            if *asking > CONCURRENCY {
                found.push(format!(
                    "{asking} requests at once to {name}, which allows {CONCURRENCY}"
                ));
            }
            if is_write {
                let writing = state.writing.entry(request.url.clone()).or_default();
                *writing += 1;
                if *writing > 1 {
                    found.push(format!("{writing} writes at once to {}", request.url));
                }
            }
            let until = state.resting.get(name).copied().unwrap_or_default();
            if now < until {
                found.push(format!("{name} was asked {} ms before it wanted to be", until - now));
            }
        }
        for what in found {
            self.accuse(what);
        }
        Underway {
            sim: self.clone(),
            name,
            write: is_write.then(|| request.url.clone()),
            is_answered: false,
        }
    }

    /// From now on the caller knows when a system wants to be asked again.
    fn heard(&self, name: &'static str, outcome: &Result<Answer, Unanswered>) {
        let Ok(answer) = outcome else { return };
        let wait = answer.headers.iter().find(|(name, _)| name == "retry-after");
        let wait = wait.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse::<i64>().ok());
        if let Some(seconds) = wait.filter(|_| answer.status == 429) {
            let until = self.now() + seconds * 1000;
            let mut state = self.state();
            let known = state.resting.entry(name).or_default();
            *known = until.max(*known);
        }
    }
}

/// A request that its caller waits for.
struct Underway {
    sim: Sim,
    name: &'static str,
    write: Option<String>,
    is_answered: bool,
}

impl Drop for Underway {
    fn drop(&mut self) {
        let mut state = self.sim.state();
        if let Some(url) = self.write.as_ref().filter(|_| !self.is_answered) {
            let is_over = state.is_over;
            *state.doubted.entry(record_of(url)).or_default() |= is_over;
        }
        if let Some(asking) = state.asking.get_mut(self.name) {
            *asking = asking.saturating_sub(1);
        }
        if let Some(writing) = self.write.as_ref().and_then(|url| state.writing.get_mut(url)) {
            *writing = writing.saturating_sub(1);
        }
    }
}

/// The last part of an address: the id of a record, where it names one.
fn record_of(url: &str) -> String {
    url.rsplit('/').next().unwrap_or_default().to_owned()
}

fn plain(status: u16, headers: &[(&str, &str)]) -> Answer {
    let header = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    Answer {
        status,
        headers: headers.iter().map(header).collect(),
        body: b"{}".to_vec(),
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Good,
    Refused,
    Lost,
    Unanswered,
    Late,
    Throttled,
    Failing,
    Confused,
}

impl Fate {
    fn draw(state: &mut State, request: &Request) -> Self {
        let weather = state.weather;
        let mut drawn = state.chance.below(100);
        // An update that arrives after a newer one wins over it at a system that checks no versions: nothing that a caller
        // does can prevent that.
        let is_unchecked = request.url.starts_with(ERP) && request.method == "PATCH";
        let late = if is_unchecked { 0 } else { weather.late };
        for (share, fate) in [
            (weather.refused, Self::Refused),
            (weather.lost, Self::Lost),
            (weather.unanswered, Self::Unanswered),
            (late, Self::Late),
            (weather.throttled, Self::Throttled),
            (weather.failing, Self::Failing),
            (weather.confused, Self::Confused),
        ] {
            if drawn < share {
                return fate;
            }
            drawn -= share;
        }
        Self::Good
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
