//! What tasks and nodes share, under the orders in which their steps can come.
//!
//! The simulation plays the whole daemon and lets tasks take turns where they wait. Here few tasks do one thing, thousands of
//! times, and shuttle says at every step who goes on: also between two locks that one task takes one after the other, as
//! threads on two processors would. Who waits for ever is found as well: when nobody can go on, the schedule fails. Every
//! model is told a lie once, to prove that it sees it.

mod budget;
mod store;
mod token;

use std::{
    panic::{self, catch_unwind},
    sync::{
        Arc, Mutex, Once,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value as Json;
use shuttle::{
    Config, FailurePersistence, Runner,
    future::{JoinHandle, yield_now},
    scheduler::{PctScheduler, RandomScheduler},
};
use syncline::seam::{self, Answer, Bug, Pending, Point, Request, Simulated, Unanswered};

use crate::support::rig::{self, Budget, Chance};

/// Nobody is asked there: the world answers.
const NOWHERE: &str = "http://127.0.0.1:1";
/// Schedules of a round.
const ROUND: usize = 50;
/// Schedules within which a lie has to be seen.
const LIE: usize = 2_000;
/// How often PCT changes its mind about who is most important.
const CHANGES: usize = 3;
/// Of one task: a page of SQLite and the futures of the client live on it.
const STACK: usize = 4 << 20;

/// One thing that tasks share. It is told whether to lie, and fails where a promise is broken.
type Model = fn(bool) -> Pending<()>;

/// Plays a model under many schedules, and one that lies until that is seen.
fn every_schedule(name: &str, rounds: u64, model: Model) {
    let mut budget = Budget::new(rounds, 20_000);
    let mut chance = budget.chance();
    while budget.goes_on() {
        let seed = chance.next();
        let is_random = budget.done() % 2 == 1;
        let is_well = play(seed, ROUND, is_random, FailurePersistence::Print, model, false);
        assert!(is_well, "{name}: a schedule breaks a promise; {}", budget.replay());
    }
    let seed = chance.next();
    let is_seen = !play(seed, LIE, true, FailurePersistence::None, model, true);
    assert!(is_seen, "{name}: a lie is not seen in {LIE} schedules");
    rig::report(&format!("{name}: {} schedules", budget.done() * ROUND as u64));
}

/// Has shuttle tell its schedules where a model panics, and nothing where another test does.
fn tell_of_models_alone() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = Arc::new(panic::take_hook());
        let own = Arc::clone(&before);
        panic::set_hook(Box::new(move |panic| own(panic)));
        // Its first run sets a hook around ours.
        shuttle::check_random(|| {}, 1);
        let shuttles = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if TIME.with_borrow(Option::is_some) {
                shuttles(panic);
            } else {
                before(panic);
            }
        }));
    });
}

/// Whether every schedule went well.
fn play(seed: u64, count: usize, is_random: bool, persistence: FailurePersistence, model: Model, lies: bool) -> bool {
    tell_of_models_alone();
    let mut config = Config::new();
    config.stack_size = STACK;
    config.failure_persistence = persistence;
    let story = move || {
        let time = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let time = Arc::new(time);
        let _within = time.enter();
        TIME.set(Some(Arc::clone(&time)));
        shuttle::future::block_on(model(lies));
    };
    let played = catch_unwind(|| {
        if is_random {
            Runner::new(RandomScheduler::new_from_seed(seed, count), config).run(story)
        } else {
            Runner::new(PctScheduler::new_from_seed(seed, CHANGES, count), config).run(story)
        }
    });
    TIME.set(None);
    played.is_ok()
}

thread_local! {
    static TIME: std::cell::RefCell<Option<Arc<tokio::runtime::Runtime>>> = const { std::cell::RefCell::new(None) };
}

/// From now on time passes while others work: without it nobody who sleeps wakes up.
fn let_time_pass() {
    let time = TIME.with_borrow(Clone::clone).unwrap();
    drop(shuttle::future::spawn(async move {
        loop {
            time.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
            yield_now().await;
        }
    }));
}

/// Lets others go first, so often.
async fn steps(count: u64) {
    for _ in 0..count {
        yield_now().await;
    }
}

async fn all<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut done = Vec::with_capacity(tasks.len());
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}

/// Does it, or gives up after so many turns of others.
async fn within<T>(turns: u64, work: impl Future<Output = T>) -> Option<T> {
    let work = std::pin::pin!(work);
    let turns = std::pin::pin!(steps(turns));
    match futures_util::future::select(work, turns).await {
        futures_util::future::Either::Left((done, _)) => Some(done),
        futures_util::future::Either::Right(_) => None,
    }
}

/// A system in the simulated network: what it answers, and how many asked at once.
#[derive(Clone)]
struct Sky(Arc<Inner>);

struct Inner {
    answer: Box<dyn Fn(&Request) -> Answer + Send + Sync>,
    chance: Mutex<Chance>,
    bug: Option<Bug>,
    asked: AtomicUsize,
    answered: AtomicUsize,
    busy: AtomicUsize,
    most: AtomicUsize,
}

/// A request on its way, also where whoever asked gives up.
struct Flight(Arc<Inner>);

impl Flight {
    fn begin(inner: &Arc<Inner>) -> Self {
        inner.asked.fetch_add(1, Ordering::SeqCst);
        let busy = inner.busy.fetch_add(1, Ordering::SeqCst) + 1;
        inner.most.fetch_max(busy, Ordering::SeqCst);
        Self(Arc::clone(inner))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Sky {
    fn new(bug: Option<Bug>, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            answer: Box::new(answer),
            chance: Mutex::new(Chance::new(1)),
            bug,
            asked: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }))
    }

    /// Without a system.
    fn empty(bug: Option<Bug>) -> Self {
        Self::new(bug, |request| panic!("nobody asks for {}", request.url))
    }

    fn simulate(&self) -> Simulated {
        seam::simulate(Arc::new(self.clone()))
    }

    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    fn answered(&self) -> usize {
        self.0.answered.load(Ordering::SeqCst)
    }

    /// The most requests that were in flight at once.
    fn most(&self) -> usize {
        self.0.most.load(Ordering::SeqCst)
    }

    /// Counts anew.
    fn forget(&self) {
        self.0.asked.store(0, Ordering::SeqCst);
        self.0.answered.store(0, Ordering::SeqCst);
        self.0.most.store(0, Ordering::SeqCst);
    }
}

impl seam::World for Sky {
    fn draw(&self) -> u64 {
        self.0.chance.lock().unwrap().next()
    }

    fn pass(&self, _: Point) -> Pending<()> {
        Box::pin(yield_now())
    }

    fn exchange(&self, request: Request) -> Pending<Result<Answer, Unanswered>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let _flight = Flight::begin(&inner);
            yield_now().await;
            let answer = (inner.answer)(&request);
            yield_now().await;
            inner.answered.fetch_add(1, Ordering::SeqCst);
            Ok(answer)
        })
    }

    fn has_bug(&self, bug: Bug) -> bool {
        self.0.bug == Some(bug)
    }

    fn preempt(&self) {
        shuttle::thread::yield_now();
    }

    fn spawn(&self, task: Pending<()>) {
        drop(shuttle::future::spawn(task));
    }
}

fn json(status: u16, body: &Json) -> Answer {
    Answer {
        status,
        headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
        body: body.to_string().into_bytes(),
    }
}
