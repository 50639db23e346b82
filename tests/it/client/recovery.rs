//! An outage of half an hour in virtual time, and what a system gets when it is back: as many requests as before, not all that
//! waited at once.

use std::{
    future::ready,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use syncline::{
    client::System,
    core::retry,
    seam::{self, Answer, Bug, Pending, Point, Request, Unanswered},
};
use tokio::time::{Instant, sleep};

use super::{Sample, account, get};
use crate::support::rig::{Budget, Chance, report};

/// Records that are looked at again and again, as settings have it where nothing is said.
const RECORDS: u64 = 80;
const RETRY_FIRST: Duration = Duration::from_secs(2);
const RETRY_LONGEST: Duration = Duration::from_hours(1);
/// Each is looked at once in this time, on average.
const GAP_MS: u64 = 60_000;
/// What requests are counted in: so short that all records at once would be twice the usual number.
const WINDOW: Duration = Duration::from_secs(60);
const OUTAGE: Duration = Duration::from_mins(30);
const REST: Duration = Duration::from_secs(120);
/// How long an answer takes.
const FLIGHT: Duration = Duration::from_millis(100);

/// What the system does now.
const WELL: u8 = 0;
const GONE: u8 = 1;
const BROKEN: u8 = 2;
const RESTING: u8 = 3;

/// A system in a simulated network, which remembers when it was asked.
struct Sky {
    state: AtomicU8,
    chance: Mutex<Chance>,
    began: Instant,
    asked: Mutex<Vec<Duration>>,
}

impl seam::World for Sky {
    fn draw(&self) -> u64 {
        self.chance.lock().unwrap().next()
    }

    fn pass(&self, _: Point) -> Pending<()> {
        Box::pin(ready(()))
    }

    fn exchange(&self, _: Request) -> Pending<Result<Answer, Unanswered>> {
        let state = self.state.load(Ordering::SeqCst);
        self.asked.lock().unwrap().push(self.began.elapsed());
        let answer = |status, headers: &[(&str, &str)]| Answer {
            status,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
                .collect(),
            body: account(7).to_string().into_bytes(),
        };
        let answer = match state {
            WELL => Ok(answer(200, &[("content-type", "application/json")])),
            BROKEN => Ok(answer(500, &[])),
            RESTING => Ok(answer(503, &[("retry-after", "120")])),
            _ => Err(Unanswered::NotSent),
        };
        Box::pin(async move {
            sleep(FLIGHT).await;
            answer
        })
    }

    fn has_bug(&self, _: Bug) -> bool {
        false
    }
}

impl Sky {
    /// Requests of each window between two moments.
    fn windows(&self, from: Duration, to: Duration) -> Vec<usize> {
        let asked = self.asked.lock().unwrap();
        let count = usize::try_from(to.saturating_sub(from).as_millis() / WINDOW.as_millis()).unwrap();
        let mut windows = vec![0; count];
        for at in asked.iter().filter(|at| **at >= from) {
            let place = usize::try_from(at.saturating_sub(from).as_millis() / WINDOW.as_millis()).unwrap();
            if let Some(window) = windows.get_mut(place) {
                *window += 1;
            }
        }
        windows
    }

    /// Nobody asked within a rest that was asked for between two moments.
    fn was_left_alone(&self, from: Duration, to: Duration, told: &str) {
        let asked = self.asked.lock().unwrap();
        let asked: Vec<_> = asked.iter().filter(|at| (from..to).contains(*at)).collect();
        assert!(asked.len() > 5, "it is tried again: {asked:?}; {told}");
        // Those on their way while it asks for a rest cannot know.
        let is_early = |at: &Duration| {
            let mut rests = asked.iter().map(|one| at.saturating_sub(**one));
            rests.any(|since| (FLIGHT..FLIGHT + REST).contains(&since))
        };
        let early: Vec<_> = asked.iter().filter(|at| is_early(at)).collect();
        assert!(
            early.is_empty(),
            "it was asked within its rest: {early:?} of {asked:?}; {told}"
        );
    }
}

/// One record: looked at every other minute; what fails is tried again with growing waits, as the work on changes does.
async fn look(system: System, mut chance: Chance) {
    let mut attempt = 0;
    loop {
        let wait = match get(&system).await {
            Ok(_) => {
                attempt = 0;
                Duration::from_millis(chance.below(2 * GAP_MS))
            }
            Err(fault) => {
                let wait = retry::delay(attempt, RETRY_FIRST, RETRY_LONGEST, chance.next());
                attempt += 1;
                wait.max(fault.retry_after.unwrap_or_default())
            }
        };
        sleep(wait).await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_a_system_gets_no_more_requests_than_before_it() {
    let mut budget = Budget::new(1, 200);
    let mut chance = budget.chance();
    let (mut most, mut during) = (0.0_f64, 0);
    while budget.goes_on() {
        for outage in [GONE, BROKEN, RESTING] {
            let sky = Arc::new(Sky {
                state: AtomicU8::new(WELL),
                chance: Mutex::new(Chance::new(chance.next())),
                began: Instant::now(),
                asked: Mutex::default(),
            });
            let _simulated = seam::simulate(sky.clone());
            let system = Sample::new()
                .limited(json!({ "concurrency": 8 }))
                .at_url("http://127.0.0.1:1");
            let tasks: Vec<_> = (0..RECORDS)
                .map(|_| tokio::spawn(look(system.clone(), Chance::new(chance.next()))))
                .collect();
            sleep(Duration::from_mins(1)).await;
            let steady = sky.began.elapsed();
            sleep(Duration::from_mins(10)).await;
            let lost = sky.began.elapsed();
            sky.state.store(outage, Ordering::SeqCst);
            sleep(OUTAGE).await;
            let back = sky.began.elapsed();
            sky.state.store(WELL, Ordering::SeqCst);
            sleep(Duration::from_mins(66)).await;
            let end = sky.began.elapsed();
            tasks.iter().for_each(tokio::task::JoinHandle::abort);

            let told = || format!("outage {outage}; {}", budget.replay());
            let well = sky.windows(steady, lost);
            let usual = float(well.iter().sum()) / float(well.len());
            let outside = sky.windows(lost, back);
            let requests: usize = outside.iter().sum();
            let share = float(requests) / (usual * float(outside.len()));
            assert!(
                share <= 0.1,
                "{requests} requests in the outage, {share:.3} of what is usual; {}",
                told()
            );
            let after = sky.windows(back, end);
            let peak = float(after.iter().copied().max().unwrap()) / usual;
            assert!(peak <= 1.5, "{peak:.2} times the usual in a window; {}", told());
            let last = float(after.iter().rev().take(5).sum()) / 5.0 / usual;
            assert!(last > 0.9, "only {last:.2} of the usual came back; {}", told());
            if outage == RESTING {
                sky.was_left_alone(lost, back, &told());
            }
            (most, during) = (most.max(peak), during.max(requests));
        }
    }
    report(&format!(
        "{} outages of half an hour: at most {during} requests in one, and at most {most:.2} times the usual number in {WINDOW:?} after it",
        budget.done() * 3
    ));
}

fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}
