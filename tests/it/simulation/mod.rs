//! The whole daemon in one seeded simulation: two systems, lossy webhooks, a bad network, edits on both sides, and crashes
//! between any two steps.
//!
//! Nothing of Syncline is replaced but what it stands on: the runtime has one thread and its time jumps, chance comes from
//! the seed, requests go to the sandbox systems by a call instead of a socket. One seed is one history, always the same.

mod check;
mod scene;
mod story;
mod world;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use story::{Told, play};
use syncline::seam::Bug;

/// Seeds of a commit, unless `SYNCLINE_SIM_SEEDS` says another number.
const SEEDS: u64 = 2_000;
/// Seeds of a night, if there is time for them.
const NIGHTLY: u64 = 50_000;

fn number(name: &str) -> Option<u64> {
    text(name)?.parse().ok()
}

#[expect(
    clippy::print_stdout,
    reason = "figures, and the history of a seed, for whoever runs it with --nocapture"
)]
fn tell(what: &str) {
    println!("{what}");
}

#[expect(clippy::disallowed_methods, reason = "tests have no settings")]
fn text(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[test]
fn one_seed_has_one_history() {
    for seed in 0..12 {
        let (first, second) = (play(seed, None, true), play(seed, None, true));
        if first.trace != second.trace {
            let same = first
                .log
                .lines()
                .zip(second.log.lines())
                .take_while(|(a, b)| a == b)
                .count();
            let around = |told: &Told| {
                told.log
                    .lines()
                    .skip(same.saturating_sub(12))
                    .take(16)
                    .collect::<Vec<_>>()
                    .join("\n")
            };
            panic!(
                "seed {seed} has two histories:\n{}\n--- or ---\n{}",
                around(&first),
                around(&second)
            );
        }
    }
}

/// Plays seeds, with a bug in the program if one is named, until `enough` of them have broken a promise.
fn play_all(from: u64, seeds: u64, bug: Option<Bug>, enough: usize) -> Vec<(u64, Told)> {
    let next = AtomicU64::new(from);
    let broken = Mutex::new(Vec::new());
    let sums = Mutex::new((0, 0, 0));
    let started = Instant::now();
    let until = number("SYNCLINE_NIGHTLY_SECONDS").map(|seconds| started + Duration::from_secs(seconds));
    std::thread::scope(|scope| {
        // A history waits for its disk and for the thread that writes; two to a core keep it busy.
        for _ in 0..2 * std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_late = bug.is_none() && until.is_some_and(|until| Instant::now() >= until);
                    if seed >= from + seeds || is_late || broken.lock().unwrap().len() >= enough {
                        return;
                    }
                    let told = play(seed, bug, number("SYNCLINE_SIM_TOLD").is_some());
                    let mut sums = sums.lock().unwrap();
                    sums.0 += told.edits;
                    sums.1 += told.crashes;
                    sums.2 += told.steps;
                    if !told.violations.is_empty() {
                        broken.lock().unwrap().push((seed, told));
                    }
                }
            });
        }
    });
    let (edits, crashes, steps) = sums.into_inner().unwrap();
    let played = next.into_inner().min(from + seeds) - from;
    let took = started.elapsed().as_secs_f32();
    tell(&format!(
        "{played} seeds in {took:.1} s: {edits} edits, {crashes} crashes, {steps} steps"
    ));
    let mut broken = broken.into_inner().unwrap();
    broken.sort_by_key(|(seed, _)| *seed);
    broken
}

#[test]
fn every_promise_holds_in_every_simulated_history() {
    let from = number("SYNCLINE_SIM_FROM").unwrap_or(0);
    let usual = if number("SYNCLINE_NIGHTLY_SECONDS").is_some() {
        NIGHTLY
    } else {
        SEEDS
    };
    let seeds = number("SYNCLINE_SIM_SEEDS").unwrap_or(usual);
    let broken = play_all(from, seeds, None, 8);
    let mut said = String::new();
    for (seed, told) in &broken {
        if !told.log.is_empty() {
            tell(&told.log);
        }
        let _cannot_fail = write!(
            said,
            "\nseed {seed}:\n  {}\n  replay it: SYNCLINE_SIM_FROM={seed} SYNCLINE_SIM_SEEDS=1 SYNCLINE_SIM_TOLD=1 cargo test \
             --test it every_promise_holds_in_every -- --nocapture",
            told.violations.join("\n  ")
        );
    }
    assert!(broken.is_empty(), "{said}");
}

/// Within how many seeds each planted bug has to be found: with every commit, and in a night.
const FOUND_WITHIN: (u64, u64) = (400, 20_000);

/// The seeds that showed each bug last (`tests/data/planted.txt`), where the search begins; none for a bug that is hard to see
/// and searched for at night alone.
fn shown_by() -> BTreeMap<String, Option<u64>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/planted.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let pair = |line: &str| {
        let (bug, seed) = line.split_once(' ').unwrap();
        (bug.to_owned(), seed.parse().ok())
    };
    lines.map(pair).collect()
}

/// Without it a quiet simulation would prove nothing.
#[test]
fn every_planted_bug_is_found() {
    let (only, is_nightly) = (text("SYNCLINE_SIM_BUG"), number("SYNCLINE_NIGHTLY_SECONDS").is_some());
    let within = if is_nightly { FOUND_WITHIN.1 } else { FOUND_WITHIN.0 };
    let shown_by = shown_by();
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        let name = format!("{bug:?}");
        let is_meant = only.as_ref().is_none_or(|only| *only == name);
        let first = shown_by.get(&name).copied().unwrap_or(Some(0));
        if !is_meant || (first.is_none() && !is_nightly && only.is_none()) {
            continue;
        }
        let mut found = play_all(first.unwrap_or_default(), 1, Some(*bug), 1);
        if found.is_empty() {
            found = play_all(0, within, Some(*bug), 1);
        }
        match found.first() {
            Some((seed, told)) => tell(&format!("{name} {seed}: {}", told.violations[0])),
            None => missed.push(*bug),
        }
    }
    assert_eq!(missed, [], "these bugs were not found within {within} seeds");
}
