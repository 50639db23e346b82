//! Rounds: floor and candidate take turns, so that both see the same weather; the middle one counts.

use anyhow::Result;

pub use crate::report::median;
use crate::subject::{self, Outcome, Task};

/// The outcomes of one subject, a round each.
#[derive(Debug, Clone, Default)]
pub struct Rounds(pub Vec<Outcome>);

/// Lets every task have its turn, `rounds` times. `before` sets the stage for one turn.
pub fn take_turns(tasks: &[Task], rounds: usize, mut before: impl FnMut(&Task) -> Result<Task>) -> Result<Vec<Rounds>> {
    let mut taken = vec![Rounds::default(); tasks.len()];
    for round in 0..rounds {
        for (task, turns) in tasks.iter().zip(&mut taken) {
            let outcome = subject::run(&before(task)?)?;
            eprintln!(
                "    round {} {:?}: {:.2} s, {:.2} s of processor time",
                round + 1,
                task.name,
                outcome.seconds,
                outcome.cpu_seconds
            );
            turns.0.push(outcome);
        }
    }
    Ok(taken)
}

impl Rounds {
    /// Things done a second.
    pub fn rate(&self) -> f64 {
        median(self.0.iter().map(|one| one.count as f64 / one.seconds))
    }

    /// How much faster this is than `floor`, round by round.
    pub fn ratio(&self, floor: &Self) -> f64 {
        median(
            self.0
                .iter()
                .zip(&floor.0)
                .map(|(one, floor)| floor.seconds * one.count as f64 / one.seconds / floor.count as f64),
        )
    }

    /// The same by processor time.
    pub fn cpu_ratio(&self, floor: &Self) -> f64 {
        let cost = |one: &Outcome| one.cpu_seconds / one.count as f64;
        median(self.0.iter().zip(&floor.0).map(|(one, floor)| cost(floor) / cost(one)))
    }

    /// The most memory any round used, in MiB.
    pub fn peak_mib(&self) -> f64 {
        self.0.iter().map(|one| one.memory.peak_mib).fold(0.0, f64::max)
    }

    /// What the last round said.
    pub fn note(&self) -> &str {
        self.0.last().map_or("", |one| one.note.as_str())
    }
}
