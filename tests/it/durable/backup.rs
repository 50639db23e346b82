//! Backups that are taken while events come in, and daemons that go on from them.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use super::inbox;
use crate::support::{
    house::{House, Plot, Sender, doubled, inverted},
    node::PATIENCE,
    rig::{Budget, report},
};

const SENDERS: usize = 8;

/// How far a sender is.
#[derive(Debug, Default)]
struct Count {
    begun: AtomicU64,
    acknowledged: AtomicU64,
}

/// Edits customers without end and tells of it.
async fn send(house: &House, number: usize, customers: &[String], count: &Count) {
    let mut sender = Sender::new(&house.address);
    loop {
        let made = count.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let event = format!("evt-{number}-{made}");
        let place = usize::try_from(made).unwrap() % (customers.len() + 1);
        if let Some(id) = customers.get(place) {
            house.rename(id, &format!("Name {event}"));
            sender.deliver(&event, id).await;
        } else {
            let id = house.add_customer(number as u64 * 1_000_000 + made);
            sender.deliver(&event, &id).await;
        }
        count.acknowledged.store(made, Ordering::Release);
    }
}

/// Backs a database up: as the documentation says, by SQLite's own shell, where that is wanted and installed; tells how it was done.
async fn back_up(database: &Path, into: &Path, is_by_shell: bool) -> &'static str {
    let (database, into) = (database.to_owned(), into.to_owned());
    let work = move || {
        let mut shell = Command::new("sqlite3");
        shell.arg(&database).arg(format!(".backup {}", into.display()));
        if is_by_shell && let Ok(done) = shell.output() {
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            return "sqlite3 .backup";
        }
        vacuum(&database, &into);
        "vacuum into"
    };
    let done = tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(work)).await;
    done.expect("a backup ends although events come in").unwrap()
}

/// Backs a database up as one who knows SQL may.
fn vacuum(database: &Path, into: &Path) {
    let connection = rusqlite::Connection::open(database).unwrap();
    connection.busy_timeout(PATIENCE).unwrap();
    connection.execute("vacuum into ?1", [into.to_str().unwrap()]).unwrap();
}

/// The numbers of one sender's events in a database.
fn numbers(database: &Path, sender: usize) -> BTreeSet<u64> {
    let connection = rusqlite::Connection::open(database).unwrap();
    let prefix = format!("evt-{sender}-");
    let mut statement = connection.prepare("select external_id from event").unwrap();
    let ids = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    ids.map(Result::unwrap)
        .filter_map(|id| id.strip_prefix(&prefix).map(|number| number.parse().unwrap()))
        .collect()
}

/// Looks at a backup: of the events of a round, whose numbers begin after `start`, it has all up to `before`, and no later one
/// without those before it.
fn check(backup: &Path, start: [u64; SENDERS], before: [u64; SENDERS]) -> Result<(), String> {
    let acknowledged = (0..SENDERS)
        .flat_map(|sender| (start[sender] + 1..=before[sender]).map(move |made| format!("evt-{sender}-{made}")));
    inbox::check(backup, &acknowledged.collect())?;
    for (sender, start) in start.into_iter().enumerate() {
        let found = numbers(backup, sender).split_off(&(start + 1));
        let newest = found.last().copied().unwrap_or(start);
        // Each sender waits for the answer to one event before it sends the next.
        if found != (start + 1..=newest).collect::<BTreeSet<_>>() {
            return Err(format!(
                "sender {sender} has a later event without an earlier one: {found:?}"
            ));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_taken_under_load_has_all_that_was_acknowledged_before_and_the_daemon_goes_on_from_it() {
    let mut budget = Budget::new(2, 60);
    let mut chance = budget.chance();
    let house = House::build(&Plot {
        companies: 40,
        ..Plot::default()
    })
    .await;
    house.start().await;
    let customers = house.customers();
    let share = customers.len() / SENDERS;
    let counts: [Count; SENDERS] = Default::default();
    let (mut slowest, mut ways) = (Duration::ZERO, BTreeSet::new());
    while budget.goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let backup = folder.path().join("backup.db");
        let traffic = customers
            .chunks(share)
            .zip(&counts)
            .enumerate()
            .map(|(number, (own, count))| send(&house, number, own, count));
        // What came before this round is not in a database that was restored since.
        let start = counts.each_ref().map(|count| count.begun.load(Ordering::Acquire));
        let wait = Duration::from_millis(100 + chance.below(400));
        let is_by_shell = budget.done() % 2 == 1;
        let backed_up = async {
            tokio::time::sleep(wait).await;
            let before = counts
                .each_ref()
                .map(|count| count.acknowledged.load(Ordering::Acquire));
            let since = Instant::now();
            let way = back_up(house.database(), &backup, is_by_shell).await;
            (before, way, since.elapsed())
        };
        let (before, way, took) = tokio::select! {
            done = backed_up => done,
            _ = join_all(traffic) => unreachable!("senders never end"),
        };
        slowest = slowest.max(took);
        ways.insert(way);
        house.ask_to_end();
        house.ended().await;
        check(&backup, start, before).unwrap_or_else(|error| panic!("{way}: {error}; {}", budget.replay()));
        restore(&house, &backup);
        house.start().await;
        let mut sender = Sender::new(&house.address);
        for id in house.customers() {
            sender.deliver(&format!("again-{}-{id}", budget.done()), &id).await;
        }
        house.settled().await;
    }
    let written = house.written(0);
    assert_eq!(doubled(&written, false), Vec::<String>::new(), "{}", budget.replay());
    assert_eq!(inverted(&written), Vec::<String>::new(), "{}", budget.replay());
    report(&format!(
        "{} backups under load ({ways:?}), the slowest in {slowest:?}, and as many daemons that went on from them: {} writes, none \
         doubled",
        budget.done(),
        written.len()
    ));
}

/// Puts a backup in the place of the database.
fn restore(house: &House, backup: &Path) {
    for end in ["-wal", "-shm"] {
        // A daemon that has ended in order leaves none.
        let _ = fs::remove_file(format!("{}{end}", house.database().display()));
    }
    fs::copy(backup, house.database()).unwrap();
}
