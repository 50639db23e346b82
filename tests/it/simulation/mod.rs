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
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Mutex,
    time::{Duration, Instant},
};

use story::{Told, play};
use syncline::seam::Bug;

use crate::support::rig::{Budget, Chance};

/// Seeds of a commit, unless `SYNCLINE_SIM_SEEDS` says another number.
const SEEDS: u64 = 2_000;
/// Seeds of a night, if there is time for them.
const NIGHTLY: u64 = 50_000;
/// How many of them are played twice: with every commit, and in a night.
const TWICE: (u64, u64) = (12, 1_000);

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

/// Lines of a file of tests that say something.
fn lines_of(name: &str) -> Vec<String> {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(str::to_owned).collect()
}

/// The seed that a run begins with: the one that it is told, else the first of all; in a night one that the night's own seed
/// says, so that no two nights play the same histories.
fn first_seed(told: Option<u64>, night: Option<Chance>) -> u64 {
    told.or_else(|| night.map(|mut chance| chance.below(1 << 40)))
        .unwrap_or(0)
}

/// The same, as the environment says.
fn begins_at() -> u64 {
    let budget = Budget::new(SEEDS, NIGHTLY);
    let night = budget.is_nightly().then(|| budget.chance());
    first_seed(number("SYNCLINE_SIM_FROM"), night)
}

/// When the night is over.
fn dawn() -> Option<Instant> {
    number("SYNCLINE_NIGHTLY_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds))
}

#[test]
fn every_night_plays_histories_of_its_own_and_every_commit_the_same() {
    let night = |seed| first_seed(None, Some(Chance::new(seed)));
    assert_eq!(first_seed(None, None), 0);
    assert_eq!(
        first_seed(Some(7), Some(Chance::new(1))),
        7,
        "a seed to be replayed is played"
    );
    assert_eq!(night(1), night(1));
    let nights: BTreeSet<u64> = (1..=50).map(night).collect();
    let mut last = SEEDS;
    for first in nights {
        assert!(first >= last, "{first} and those behind it were played already");
        last = first + NIGHTLY;
    }
}

#[test]
fn one_seed_has_one_history() {
    let first = begins_at();
    let mut budget = Budget::new(TWICE.0, TWICE.1);
    while budget.goes_on() {
        let seed = first + budget.done() - 1;
        let (once, again) = (play(seed, None, true), play(seed, None, true));
        if once.trace != again.trace {
            let same = once
                .log
                .lines()
                .zip(again.log.lines())
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
                "seed {seed} has two histories (SYNCLINE_SIM_FROM={seed}):\n{}\n--- or ---\n{}",
                around(&once),
                around(&again)
            );
        }
    }
    tell(&format!("{} seeds from {first} on, each played twice", budget.done()));
}

/// What came of seeds that were played.
struct Played {
    broken: Vec<(u64, Told)>,
    /// How many were played.
    seeds: u64,
    /// Whether time was up before all of them were.
    is_cut_off: bool,
}

/// Plays seeds, with a bug in the program if one is named, until `enough` of them have broken a promise or time is up.
fn play_all(
    seeds: impl Iterator<Item = u64> + Send,
    bug: Option<Bug>,
    enough: usize,
    until: Option<Instant>,
) -> Played {
    let left = Mutex::new(seeds);
    let broken = Mutex::new(Vec::new());
    let sums = Mutex::new((0, 0, 0, 0));
    let started = Instant::now();
    std::thread::scope(|scope| {
        // A history waits for its disk and for the thread that writes; two to a core keep it busy.
        for _ in 0..2 * std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let is_late = until.is_some_and(|until| Instant::now() >= until);
                    if is_late || broken.lock().unwrap().len() >= enough {
                        return;
                    }
                    let Some(seed) = left.lock().unwrap().next() else {
                        return;
                    };
                    let told = play(seed, bug, number("SYNCLINE_SIM_TOLD").is_some());
                    let mut sums = sums.lock().unwrap();
                    sums.0 += 1;
                    sums.1 += told.edits;
                    sums.2 += told.crashes;
                    sums.3 += told.steps;
                    if !told.violations.is_empty() {
                        broken.lock().unwrap().push((seed, told));
                    }
                }
            });
        }
    });
    let (seeds, edits, crashes, steps) = sums.into_inner().unwrap();
    let took = started.elapsed().as_secs_f32();
    tell(&format!(
        "{seeds} seeds in {took:.1} s: {edits} edits, {crashes} crashes, {steps} steps"
    ));
    let mut broken = broken.into_inner().unwrap();
    broken.sort_by_key(|(seed, _)| *seed);
    Played {
        is_cut_off: broken.len() < enough && left.into_inner().unwrap().next().is_some(),
        broken,
        seeds,
    }
}

/// The seeds that broke a promise once (`tests/data/seeds.txt`): they are played before any other.
fn once_broken() -> Vec<u64> {
    let seed = |line: String| {
        line.parse()
            .unwrap_or_else(|_| panic!("tests/data/seeds.txt: `{line}` is no seed"))
    };
    lines_of("seeds.txt").into_iter().map(seed).collect()
}

#[test]
fn every_promise_holds_in_every_simulated_history() {
    let (from, until) = (begins_at(), dawn());
    let usual = if until.is_some() { NIGHTLY } else { SEEDS };
    let count = number("SYNCLINE_SIM_SEEDS").unwrap_or(usual);
    // A seed that is to be replayed is played alone.
    let is_replay = number("SYNCLINE_SIM_FROM").is_some();
    let old = if is_replay { Vec::new() } else { once_broken() };
    let new = (from..from + count).filter(|seed| !old.contains(seed));
    tell(&format!(
        "seeds {from} to {}, and {} that broke a promise once",
        from + count,
        old.len()
    ));
    let played = play_all(old.iter().copied().chain(new), None, 8, until);
    if played.is_cut_off {
        tell(&format!("the night was over after {} seeds", played.seeds));
    }
    let mut said = String::new();
    for (seed, told) in &played.broken {
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
    assert!(
        played.broken.is_empty(),
        "{said}\nput them into tests/data/seeds.txt when they are mended"
    );
}

/// Within how many seeds each planted bug has to be found: with every commit, and in a night.
const FOUND_WITHIN: (u64, u64) = (400, 20_000);

/// The seeds that showed each bug last (`tests/data/planted.txt`), where the search begins; none for a bug that is hard to see
/// and searched for at night alone.
fn shown_by() -> BTreeMap<String, Option<u64>> {
    let pair = |line: String| {
        let (bug, seed) = line.split_once(' ').unwrap();
        (bug.to_owned(), seed.parse().ok())
    };
    lines_of("planted.txt").into_iter().map(pair).collect()
}

/// The bugs that are searched for, each with the seed that showed it last; those that are found at once come first, so that the
/// rest of a night is for the others.
fn planted(is_nightly: bool) -> Vec<(Bug, Option<u64>)> {
    let (only, shown_by) = (text("SYNCLINE_SIM_BUG"), shown_by());
    let mut planted = Vec::new();
    for bug in Bug::ALL {
        let name = format!("{bug:?}");
        let is_meant = only.as_ref().is_none_or(|only| *only == name);
        let first = shown_by.get(&name).copied().unwrap_or(Some(0));
        if is_meant && (first.is_some() || is_nightly || only.is_some()) {
            planted.push((*bug, first));
        }
    }
    planted.sort_by_key(|(_, first)| first.is_none());
    planted
}

/// Without it a quiet simulation would prove nothing.
#[test]
fn every_planted_bug_is_found() {
    let (from, dawn) = (begins_at(), dawn());
    let is_nightly = dawn.is_some();
    let within = if is_nightly { FOUND_WITHIN.1 } else { FOUND_WITHIN.0 };
    let planted = planted(is_nightly);
    assert!(!planted.is_empty(), "there is no such bug");
    let (mut missed, mut unfinished) = (Vec::new(), Vec::new());
    for (at, (bug, first)) in planted.iter().enumerate() {
        // Each of those that are left may take an equal share of what is left of the night.
        let share = |dawn: Instant| {
            let bugs = u32::try_from(planted.len() - at).unwrap();
            Instant::now() + dawn.saturating_duration_since(Instant::now()) / bugs
        };
        let seeds = first.iter().copied().chain(from..from + within);
        let played = play_all(seeds, Some(*bug), 1, dawn.map(share));
        match played.broken.first() {
            Some((seed, told)) => tell(&format!("{bug:?} {seed}: {}", told.violations[0])),
            None if played.is_cut_off => unfinished.push(format!("{bug:?} ({} seeds)", played.seeds)),
            None => missed.push(*bug),
        }
    }
    if !unfinished.is_empty() {
        let unfinished = unfinished.join(", ");
        tell(&format!(
            "the night was over before these bugs were found: {unfinished}"
        ));
    }
    assert_eq!(
        missed,
        [],
        "these bugs were not found within {within} seeds from {from} on"
    );
}
