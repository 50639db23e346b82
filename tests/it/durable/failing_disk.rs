//! Disks that fail and fill up: nothing is acknowledged that may not be there, and work goes on when they are well again.

use std::{collections::BTreeSet, os::unix::process::ExitStatusExt as _};

use super::inbox::{self, BROKEN, Outcome, Task, UNOPENED};
use crate::support::{
    disk::{ALL, Disk, Order, SYNC, WRITE},
    rig::{Budget, report},
};

/// Events that a process is given while its disk fails.
const EVENTS: u64 = 200;

/// A process on a disk whose calls in `range` fail; what it left is checked, and a process on a sound disk goes on.
fn fail(disk: &Disk, order: Order, kinds: u64, at: u64, for_calls: u64) -> Result<Outcome, String> {
    disk.clear();
    disk.order(order, at..=at.saturating_add(for_calls - 1), kinds, 0);
    let task = Task::new(disk, 0, EVENTS);
    let mut command = task.command();
    disk.attach(&mut command);
    let outcome = inbox::run(command, |_| {});
    let database = disk.data().join("syncline.db");
    inbox::check(&database, &outcome.acknowledged)?;
    if !matches!(outcome.code(), Some(0 | BROKEN | UNOPENED)) {
        return Err(format!("it ended badly: {outcome:?}"));
    }
    if outcome.code() == Some(0) && outcome.acknowledged.len() as u64 + outcome.refused != EVENTS {
        return Err(format!("some events got no answer: {outcome:?}"));
    }
    let after = inbox::run(Task::new(disk, EVENTS, 20).command(), |_| {});
    if after.code() != Some(0) || after.acknowledged.len() != 20 {
        return Err(format!("it does not go on when the disk is well again: {after:?}"));
    }
    let all = outcome.acknowledged.union(&after.acknowledged).cloned().collect();
    inbox::check(&database, &all)?;
    Ok(outcome)
}

/// How many calls a run makes on a sound disk.
fn calls_of_a_run(disk: &Disk) -> u64 {
    disk.order(Order::None, 1..=1, ALL, 0);
    let mut command = Task::new(disk, 0, EVENTS).command();
    disk.attach(&mut command);
    assert_eq!(inbox::run(command, |_| {}).code(), Some(0));
    disk.calls()
}

/// The call to strike in this round, from 1: each of them once in as many rounds, begun at a place of chance and spread over the
/// run, so that a short night looks everywhere and another night elsewhere.
fn call(budget: &Budget, calls: u64) -> u64 {
    let from = budget.chance().below(calls);
    // About the golden section; without a divisor in common, each place comes once.
    let is_coprime =
        |step: &u64| (2..=*step).all(|divisor| !step.is_multiple_of(divisor) || !calls.is_multiple_of(divisor));
    let step = (calls * 618 / 1_000..calls).find(is_coprime).unwrap_or(1);
    1 + (from + (budget.done() - 1) * step) % calls
}

#[test]
fn every_call_is_struck_once_before_one_is_struck_again() {
    for calls in 1..200 {
        let mut budget = Budget::new(calls, calls);
        let mut struck = BTreeSet::new();
        while budget.goes_on() {
            struck.insert(call(&budget, calls));
        }
        if !budget.is_nightly() || budget.done() == calls {
            assert_eq!(struck, (1..=calls).collect(), "{calls} calls");
        }
    }
}

#[test]
fn a_call_that_fails_costs_no_acknowledged_event() {
    let Some(disk) = Disk::new() else { return };
    let calls = calls_of_a_run(&disk);
    let mut budget = Budget::new(12, calls);
    let mut struck = 0;
    while budget.goes_on() {
        let at = call(&budget, calls);
        for order in [Order::Eio, Order::Enospc, Order::Short] {
            let outcome = fail(&disk, order, ALL, at, 1)
                .unwrap_or_else(|error| panic!("{order:?} at call {at}: {error}; {}", budget.replay()));
            struck += disk.struck();
            if order == Order::Short {
                assert_eq!(
                    outcome.code(),
                    Some(0),
                    "a short write is finished by another: {outcome:?}"
                );
                assert_eq!(outcome.refused, 0, "{outcome:?}");
            }
        }
    }
    assert!(struck > 0, "no call ever failed");
    report(&format!(
        "{} of {calls} calls failed, one in each run: with an error, for want of space, and half done; no acknowledged event lost",
        budget.done(),
    ));
}

#[test]
fn a_process_killed_at_any_call_loses_no_acknowledged_event() {
    let Some(disk) = Disk::new() else { return };
    let mut budget = Budget::new(12, 10_000);
    let mut chance = budget.chance();
    let (mut from, mut acknowledged) = (0, BTreeSet::new());
    while budget.goes_on() {
        let at = 1 + chance.below(400);
        disk.order(Order::Kill, at..=at, ALL, 0);
        let mut command = Task::new(&disk, from, EVENTS).command();
        disk.attach(&mut command);
        let outcome = inbox::run(command, |_| {});
        from += EVENTS;
        acknowledged.extend(outcome.acknowledged);
        if outcome.status.signal() != Some(9) || acknowledged.len() > 20_000 {
            disk.clear();
            acknowledged.clear();
            continue;
        }
        inbox::check(&disk.data().join("syncline.db"), &acknowledged)
            .unwrap_or_else(|error| panic!("{error}; {}", budget.replay()));
    }
}

#[test]
fn a_disk_that_stays_broken_stops_every_acknowledgement() {
    let Some(disk) = Disk::new() else { return };
    let calls = calls_of_a_run(&disk);
    let mut budget = Budget::new(6, 100);
    let mut chance = budget.chance();
    let mut struck = 0;
    while budget.goes_on() {
        let at = calls / 4 + chance.below(calls / 2);
        let outcome = fail(&disk, Order::Eio, ALL, at, u64::MAX)
            .unwrap_or_else(|error| panic!("from call {at}: {error}; {}", budget.replay()));
        // On a busy machine more events share a commit, and the run may be over before that call.
        if disk.calls() < at {
            continue;
        }
        assert_eq!(outcome.acknowledged_late, 0, "{outcome:?}");
        // Or it came after the last event, when the database was closed.
        if outcome.acknowledged.len() as u64 == EVENTS {
            continue;
        }
        struck += 1;
        assert_eq!(
            outcome.code(),
            Some(BROKEN),
            "a supervisor has to start it anew: {outcome:?}"
        );
    }
    assert!(struck > 0, "the disk never failed");
}

#[test]
fn after_one_failed_sync_nothing_more_is_acknowledged() {
    let Some(disk) = Disk::new() else { return };
    let mut budget = Budget::new(6, 100);
    let mut chance = budget.chance();
    while budget.goes_on() {
        // The first syncs are those of the migrations.
        let at = 10 + chance.below(40);
        let outcome = fail(&disk, Order::Eio, SYNC, at, 1)
            .unwrap_or_else(|error| panic!("sync {at}: {error}; {}", budget.replay()));
        if outcome.refused > 0 {
            assert_eq!(outcome.acknowledged_late, 0, "{outcome:?}");
            assert_eq!(outcome.code(), Some(BROKEN), "{outcome:?}");
        }
    }
}

#[test]
fn work_goes_on_by_itself_when_a_full_disk_has_space_again() {
    let Some(disk) = Disk::new() else { return };
    let mut budget = Budget::new(3, 100);
    let mut chance = budget.chance();
    while budget.goes_on() {
        disk.clear();
        let from = 600 + chance.below(300);
        disk.order(Order::Enospc, from..=u64::MAX, WRITE, 0);
        let task = Task {
            is_stubborn: true,
            ..Task::new(&disk, 0, EVENTS)
        };
        let mut command = task.command();
        disk.attach(&mut command);
        let mut refusals = 0;
        let outcome = inbox::run(command, |said| {
            refusals += u64::from(said.starts_with("refused"));
            if refusals == 20 {
                disk.order(Order::None, 1..=1, ALL, 0);
            }
        });
        assert!(refusals >= 20, "the disk was never full: {outcome:?}");
        assert_eq!(outcome.code(), Some(0), "{outcome:?}; {}", budget.replay());
        assert_eq!(outcome.acknowledged.len() as u64, EVENTS, "{outcome:?}");
        inbox::check(&disk.data().join("syncline.db"), &outcome.acknowledged)
            .unwrap_or_else(|error| panic!("{error}; {}", budget.replay()));
    }
}
