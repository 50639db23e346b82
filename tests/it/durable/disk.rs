//! The rig itself: does it see what SQLite does, and is its power loss one?

use std::collections::BTreeSet;

use super::inbox::{self, Task};
use crate::support::disk::{ALL, Disk, OPEN, Order, SYNC, WRITE};

#[test]
fn the_failing_disk_sees_every_call_of_the_store() {
    let Some(disk) = Disk::new() else { return };
    disk.order(Order::None, 1..=u64::MAX, ALL, 0);
    let task = Task {
        at_once: 1,
        ..Task::new(&disk, 0, 50)
    };
    let mut command = task.command();
    disk.attach(&mut command);
    let outcome = inbox::run(command, |_| {});
    assert_eq!(outcome.code(), Some(0), "{}", outcome.errors);
    assert_eq!(outcome.acknowledged.len(), 50);
    assert!(
        disk.calls_of(OPEN) >= 3,
        "the database, its log and the lock are opened"
    );
    assert!(
        disk.calls_of(SYNC) >= 50,
        "{} syncs for 50 commits",
        disk.calls_of(SYNC)
    );
    // An event, its payload of most of a page, its change, and their indexes.
    assert!(
        disk.calls_of(WRITE) >= 200,
        "{} writes for 50 commits",
        disk.calls_of(WRITE)
    );
    inbox::check(&disk.data().join("syncline.db"), &outcome.acknowledged).unwrap();
}

#[test]
fn the_checker_sees_a_lost_event() {
    let Some(disk) = Disk::new() else { return };
    let outcome = inbox::run(Task::new(&disk, 0, 3).command(), |_| {});
    let database = disk.data().join("syncline.db");
    inbox::check(&database, &outcome.acknowledged).unwrap();
    let more = outcome.acknowledged.iter().cloned().chain(["99".to_owned()]);
    let error = inbox::check(&database, &more.collect::<BTreeSet<_>>()).unwrap_err();
    assert!(error.contains("1 acknowledged events lost"), "{error}");
}
