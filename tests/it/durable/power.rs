//! Power losses at random points: what was not synced is gone, in part and torn.

use std::collections::BTreeSet;

use super::inbox::{self, Outcome, POWER_LOSS, Task};
use crate::support::{
    disk::{ALL, Disk, Order, SYNC},
    rig::{Budget, Chance, report},
};

/// Power losses before the folder is emptied: the first ones hit the creation of the database, the later ones its growth.
const LIVES: u64 = 25;
/// Events that a process is given before its power goes.
const EVENTS: u64 = 40;

/// A folder whose process loses its power again and again.
struct Victim {
    disk: Disk,
    is_normal: bool,
    chance: Chance,
    lives: u64,
    next: u64,
    acknowledged: BTreeSet<String>,
    /// Calls that a process makes when nothing happens to it.
    calls: u64,
}

impl Victim {
    fn new(disk: Disk, is_normal: bool, chance: Chance) -> Self {
        Self {
            disk,
            is_normal,
            chance,
            lives: 0,
            next: 0,
            acknowledged: BTreeSet::new(),
            calls: 400,
        }
    }

    /// A process whose disk fails at one sync. It ends; the system takes what it could not write for written.
    fn fail_a_sync(&mut self) {
        // The first syncs of a new database are those of its migrations.
        let at = 1 + self.chance.below(30);
        self.disk.order(Order::Eio, at..=at, SYNC, 0);
        let outcome = self.live();
        self.acknowledged.extend(outcome.acknowledged);
    }

    /// One process that loses its power at a random call; tells what was lost.
    fn lose_power(&mut self) -> Result<(), String> {
        if self.lives == LIVES {
            self.disk.clear();
            self.acknowledged.clear();
            self.lives = 0;
        }
        self.lives += 1;
        let at = 1 + self.chance.below(self.calls * 5 / 4);
        self.disk.order(Order::PowerLoss, at..=at, ALL, self.chance.next());
        let outcome = self.live();
        match outcome.code() {
            Some(POWER_LOSS) => {}
            Some(0) => self.calls = self.disk.calls(),
            _ => return Err(format!("the store does not start any more: {outcome:?}")),
        }
        self.acknowledged.extend(outcome.acknowledged);
        inbox::check(&self.disk.data().join("syncline.db"), &self.acknowledged)
    }

    fn live(&mut self) -> Outcome {
        let task = Task {
            is_normal: self.is_normal,
            at_once: 1 + self.chance.below(6),
            payload_bytes: usize::try_from(self.chance.below(6_000)).unwrap(),
            ..Task::new(&self.disk, self.next, EVENTS)
        };
        self.next += EVENTS;
        let mut command = task.command();
        self.disk.attach_with_power(&mut command);
        inbox::run(command, |_| {})
    }
}

#[test]
fn no_acknowledged_event_is_lost_when_the_power_goes() {
    let Some(disk) = Disk::new() else { return };
    let mut budget = Budget::new(60, 10_000);
    let mut victim = Victim::new(disk, false, budget.chance());
    while budget.goes_on() {
        if let Err(lost) = victim.lose_power() {
            panic!("{lost}; {}", budget.replay());
        }
    }
    report(&format!(
        "{} power losses, {} events handed in, no acknowledged one lost",
        budget.done(),
        victim.next
    ));
}

/// What one process could not write must not take with it what the next one acknowledges.
#[test]
fn a_failed_sync_before_a_restart_loses_nothing_when_the_power_goes_later() {
    let Some(disk) = Disk::new() else { return };
    let mut budget = Budget::new(30, 3_000);
    let mut victim = Victim::new(disk, false, budget.chance());
    while budget.goes_on() {
        victim.fail_a_sync();
        if let Err(lost) = victim.lose_power() {
            panic!("{lost}; {}", budget.replay());
        }
    }
}

/// The proof that the first of these sees what it is for.
#[test]
fn without_a_full_sync_the_power_loss_is_seen() {
    let Some(disk) = Disk::new() else { return };
    let mut budget = Budget::new(60, 200);
    let mut victim = Victim::new(disk, true, budget.chance());
    while budget.goes_on() {
        if let Err(lost) = victim.lose_power() {
            assert!(lost.contains("acknowledged events lost"), "{lost}");
            report(&format!("without a full sync: seen at power loss {}", budget.done()));
            return;
        }
    }
    panic!(
        "{} power losses without a full sync, and nothing was lost",
        budget.done()
    );
}
