//! How long a rig runs, and the seed that replays it.

use std::time::{Duration, Instant};

/// Chance that is the same for the same seed.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// True in `share` of 100 cases.
    pub fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[usize::try_from(self.below(among.len() as u64)).unwrap()]
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

/// What a rig may spend: a few rounds with every commit, many in `just nightly`.
#[derive(Debug)]
pub struct Budget {
    seed: u64,
    done: u64,
    rounds: u64,
    until: Option<Instant>,
}

impl Budget {
    /// `rounds` rounds; in a nightly run as many as fit its seconds, at most `nightly`.
    pub fn new(rounds: u64, nightly: u64) -> Self {
        let until = number("SYNCLINE_NIGHTLY_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
        Self {
            seed: number("SYNCLINE_SEED").unwrap_or(1),
            done: 0,
            rounds: if until.is_some() { nightly } else { rounds },
            until,
        }
    }

    /// Chance for this run.
    pub fn chance(&self) -> Chance {
        Chance::new(self.seed)
    }

    /// Whether this is a nightly run.
    pub fn is_nightly(&self) -> bool {
        self.until.is_some()
    }

    /// Rounds so far.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Counts a round, and says whether there is one more.
    pub fn goes_on(&mut self) -> bool {
        let is_over = self.done >= self.rounds || self.until.is_some_and(|until| Instant::now() >= until);
        self.done += u64::from(!is_over);
        !is_over
    }

    /// What to say when a round fails.
    pub fn replay(&self) -> String {
        format!("round {}: replay it with SYNCLINE_SEED={}", self.done, self.seed)
    }
}

/// Tells whoever runs the rig what it did.
#[expect(clippy::print_stdout, reason = "figures for whoever runs the rig")]
pub fn report(text: &str) {
    println!("{text}");
}

/// A number given by the environment.
#[expect(clippy::disallowed_methods, reason = "tests have no settings")]
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not `{text}`")),
    )
}
