//! The circuit of a system that is dead, as the system itself sees it: how many requests it gets, and when.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use syncline::{
    client::System,
    core::{breaker::Circuit, fault::Fault, record::Record},
};
use tokio::task::JoinHandle;

use super::{Sample, account, get};
use crate::support::{
    loopback::{Loopback, Reply},
    rig::{Budget, report},
};

const CONCURRENCY: usize = 8;
/// As [`syncline::core::breaker::Settings`] has them where nothing is said.
const FAILURES: usize = 5;
const REST: Duration = Duration::from_secs(5);
const REST_MAX: Duration = Duration::from_mins(2);

/// What the system does now.
const DEAD: u8 = 0;
const SILENT: u8 = 1;
const WELL: u8 = 2;

struct Patient {
    system: System,
    server: Loopback,
    state: Arc<AtomicU8>,
}

impl Patient {
    async fn new() -> Self {
        let state = Arc::new(AtomicU8::new(DEAD));
        let asked = Arc::clone(&state);
        let server = Loopback::start(move |_| match asked.load(Ordering::SeqCst) {
            DEAD => Reply::status(500),
            SILENT => Reply::silence(),
            _ => Reply::json(200, &account(7)),
        })
        .await;
        let mut sample = Sample::new().limited(json!({ "concurrency": CONCURRENCY }));
        sample.defaults.attempts_max = 1;
        Self {
            system: sample.at(&server),
            server,
            state,
        }
    }

    fn is(&self, state: u8) {
        self.state.store(state, Ordering::SeqCst);
    }

    fn ask(&self) -> JoinHandle<Result<Option<Record>, Fault>> {
        let system = self.system.clone();
        tokio::spawn(async move { get(&system).await })
    }

    /// Asks so often at once; how many were answered, and how many requests that were.
    async fn rush(&self, count: u64) -> (usize, usize) {
        self.server.forget();
        let tasks: Vec<_> = (0..count).map(|_| self.ask()).collect();
        let mut answered = 0;
        for task in tasks {
            answered += usize::from(task.await.unwrap().is_ok());
        }
        (answered, self.server.seen().len())
    }

    fn circuit(&self) -> Circuit {
        self.system.usage().circuit
    }
}

/// Lets time go on without anybody waiting for it.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

impl Patient {
    /// The one probe does not come back for as long as others ask.
    async fn lose_the_probe(&self, many: u64, told: &str) {
        self.is(SILENT);
        self.server.forget();
        let probe = self.ask();
        while self.server.seen().is_empty() {
            assert!(!probe.is_finished(), "the probe is sent; {told}");
            tokio::task::yield_now().await;
        }
        assert_eq!(self.circuit(), Circuit::HalfOpen, "{told}");
        let others: Vec<_> = (0..many).map(|_| self.ask()).collect();
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        assert_eq!(self.server.seen().len(), 1, "the probe is on its way; {told}");
        // Who asked for it gives up: nothing was learned, and the next one that still waits is the probe.
        self.is(DEAD);
        probe.abort();
        probe.await.unwrap_err();
        for other in others {
            other.await.unwrap().unwrap_err();
        }
        match self.server.seen().len() {
            1 => assert_eq!(self.rush(many).await, (0, 1), "{told}"),
            requests => assert_eq!(requests, 2, "{told}"),
        }
    }
}

#[tokio::test]
async fn a_dead_system_gets_few_requests_and_then_one_at_a_time_until_it_is_well() {
    let mut budget = Budget::new(8, 100_000);
    let mut chance = budget.chance();
    let (mut probes, mut asked) = (0, 0);
    while budget.goes_on() {
        let patient = Patient::new().await;
        let (answered, requests) = patient.rush(64).await;
        let most = FAILURES + CONCURRENCY;
        assert!(
            answered == 0 && (FAILURES..=most).contains(&requests),
            "{requests} requests before it opened; {}",
            budget.replay()
        );
        let mut rest = REST;
        for _ in 0..=chance.below(4) {
            let told = format!("rest {rest:?}; {}", budget.replay());
            assert!(matches!(patient.circuit(), Circuit::Open { .. }), "{told}");
            assert_eq!(patient.rush(8).await, (0, 0), "it rests; {told}");
            pass(rest).await;
            let many = 2 + chance.below(62);
            (probes, asked) = (probes + 1, asked + many);
            match chance.below(3) {
                0 => patient.lose_the_probe(many, &told).await,
                1 => {
                    patient.is(DEAD);
                    assert_eq!(patient.rush(many).await, (0, 1), "{told}");
                }
                _ => {
                    patient.is(WELL);
                    let (answered, requests) = patient.rush(many).await;
                    assert!(
                        answered > 0 && answered == requests,
                        "{answered} of {requests} were answered; {told}"
                    );
                    assert_eq!(patient.circuit(), Circuit::Closed, "{told}");
                    assert_eq!(patient.rush(8).await, (8, 8), "{told}");
                    patient.is(DEAD);
                    assert_eq!(patient.rush(64).await.0, 0, "{told}");
                    rest = REST;
                    continue;
                }
            }
            rest = (rest * 2).min(REST_MAX);
        }
    }
    report(&format!(
        "{} systems died, were tried again {probes} times while {asked} wanted to ask: never more than one request at once",
        budget.done()
    ));
}
