//! A new release over the database of an old one, ended in the middle of its migrations: started again it goes on, and nothing is
//! lost.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fs,
    path::Path,
    time::{Duration, Instant},
};

use syncline::store::{Error, Store, migrate};

use super::inbox::{self, Outcome, POWER_LOSS, Task};
use crate::support::{
    database::Database,
    disk::{ALL, Disk, Order},
    node::PATIENCE,
    rig::{Budget, report},
};

/// Rows of each kind that the old release has stored.
const ROWS: i64 = 200;

/// What the first release stored; every later one has these columns, too.
const STORED: &str = "
    insert into run (kind, mapping, trigger, status, started_at, node, note, job_key)
        select 'reconcile', 'contact', 'schedule', 'succeeded', 1, 'north', 'kept', 'key-' || i from numbers;
    insert into event (system, external_id, object, record_id, kind, own, status, received_at, request_id)
        select 'crm', 'E-' || i, 'account', 'A-' || i, 'updated', IS_OWN, 'queued', 1, 'r-' || i from numbers;
    insert into link (mapping, left_id, right_id, base, status, created_at, updated_at)
        select 'contact', 'L-' || i, 'A-' || i, BASE, 'linked', 1, 1 from numbers;
    insert into change (mapping, side, record_id, origin, kind, priority, not_before, first_at, updated_at)
        select 'contact', 'right', 'A-' || i, 'event', 'updated', 0, 1, 1, 1 from numbers;
    drop table numbers;
";

/// The rows for SQLite or PostgreSQL.
fn rows(is_sqlite: bool) -> String {
    let (numbers, base, is_own) = if is_sqlite {
        let from = "with recursive n (i) as (select 1 union all select i + 1 from n where i < ROWS) select i from n";
        (format!("create table numbers as {from}"), "x'00'", "0")
    } else {
        let from = "select i from generate_series(1, ROWS) as i";
        (format!("create table numbers as {from}"), "'\\x00'", "false")
    };
    let stored = STORED.replace("BASE", base).replace("IS_OWN", is_own);
    format!("{numbers};{stored}").replace("ROWS", &ROWS.to_string())
}

/// The events of the old release.
fn events() -> BTreeSet<String> {
    (1..=ROWS).map(|number| format!("E-{number}")).collect()
}

/// The file of a release that knew the first `known` migrations.
async fn old_file(known: usize) -> Vec<u8> {
    let database = Database::sqlite();
    database.migrate_to(known).await;
    database.raw(format!("pragma journal_mode = wal;{}", rows(true))).await;
    fs::read(database.path().unwrap()).unwrap()
}

/// Looks at what is on a disk: how far it is migrated, once all that the old release stored was found.
fn look(disk: &Disk, acknowledged: &BTreeSet<String>) -> Result<i64, String> {
    let database = disk.data().join("syncline.db");
    inbox::check(&database, acknowledged)?;
    let copy = inbox::copied(&database);
    let (version, kept) = counted(&copy.path().join("copy.db")).map_err(|error| error.to_string())?;
    if kept != [ROWS; 3] {
        return Err(format!(
            "runs, links and changes of the old release: {kept:?} of {ROWS} each"
        ));
    }
    Ok(version)
}

/// How far a database is migrated, and how many rows of the old release are in it.
fn counted(database: &Path) -> rusqlite::Result<(i64, [i64; 3])> {
    let connection = rusqlite::Connection::open(database)?;
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get(0));
    let kept = [
        number("select count(*) from run where note = 'kept'")?,
        number("select count(*) from link where mapping = 'contact'")?,
        number("select count(*) from change where mapping = 'contact'")?,
    ];
    Ok((number("select max(version) from _sqlx_migrations where success")?, kept))
}

/// The new release, which migrates and takes a few events in.
fn migrate(disk: &Disk, has_power: bool) -> Outcome {
    let task = Task::new(disk, 0, 5);
    let mut command = task.command();
    if has_power {
        disk.attach_with_power(&mut command);
    } else {
        disk.attach(&mut command);
    }
    inbox::run(command, |_| {})
}

/// How many calls the new release makes over the file of an old one.
fn calls(disk: &Disk, file: &[u8]) -> u64 {
    disk.clear();
    fs::write(disk.data().join("syncline.db"), file).unwrap();
    disk.order(Order::None, 1..=1, ALL, 0);
    assert_eq!(migrate(disk, false).code(), Some(0));
    disk.calls()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_ends_at_any_call_of_a_migration_leaves_what_the_next_one_migrates_with_nothing_lost() {
    let Some(disk) = Disk::new() else { return };
    let newest = usize::try_from(migrate::newest()).unwrap();
    let mut files = BTreeMap::new();
    for known in [1, newest] {
        files.insert(known, old_file(known).await);
    }
    let (most, least) = (calls(&disk, &files[&1]), calls(&disk, &files[&newest]));
    let mut budget = Budget::new(newest as u64 - 1, 20_000);
    let mut chance = budget.chance();
    let (mut struck, mut deaths) = (BTreeSet::new(), 0);
    while budget.goes_on() {
        let known = 1 + usize::try_from(budget.done() - 1).unwrap() % (newest - 1);
        if let Entry::Vacant(place) = files.entry(known) {
            place.insert(old_file(known).await);
        }
        disk.clear();
        fs::write(disk.data().join("syncline.db"), &files[&known]).unwrap();
        // About as many calls as there are steps left; one that is never reached ends nothing.
        let left = (newest - known) as u64;
        let range = least + (most - least) * left / (newest as u64 - 1);
        let (mut acknowledged, has_power) = (events(), chance.percent(50));
        let order = if has_power { Order::PowerLoss } else { Order::Kill };
        for _ in 0..=chance.below(3) {
            let at = 1 + chance.below(range);
            disk.order(order, at..=at, ALL, chance.next());
            let outcome = migrate(&disk, has_power);
            let told = |error: &str| {
                format!(
                    "{order:?} at {at} of {range}, from version {known}: {error}; {}",
                    budget.replay()
                )
            };
            let is_expected = matches!(outcome.code(), None | Some(0 | POWER_LOSS));
            assert!(is_expected, "{}", told(&format!("{outcome:?}")));
            acknowledged.extend(outcome.acknowledged);
            let version = look(&disk, &acknowledged).unwrap_or_else(|error| panic!("{}", told(&error)));
            if outcome.status.code() != Some(0) {
                deaths += 1;
                struck.insert(version);
            }
        }
        disk.order(Order::None, 1..=1, ALL, 0);
        let outcome = inbox::run(Task::new(&disk, 100, 5).command(), |_| {});
        assert_eq!(outcome.code(), Some(0), "{outcome:?}; {}", budget.replay());
        assert_eq!(outcome.acknowledged.len(), 5, "it does not go on: {outcome:?}");
        acknowledged.extend(outcome.acknowledged);
        let version = look(&disk, &acknowledged).unwrap_or_else(|error| panic!("{error}; {}", budget.replay()));
        assert_eq!(version, migrate::newest(), "{}", budget.replay());
    }
    let within = struck.iter().filter(|version| **version < migrate::newest()).count();
    assert!(within > 0, "nothing ended while it migrated: {struck:?}");
    report(&format!(
        "{} databases of old releases, {deaths} ends of the process, in {within} of {} steps; none lost a row, each was migrated",
        budget.done(),
        newest - 1
    ));
}

/// Lets the transaction of one migration wait after its last statement and before its end.
fn stall(version: i64) -> String {
    format!(
        "create or replace function stall() returns trigger language plpgsql as $$ begin \
         if new.version = {version} then perform pg_sleep(600); end if; return new; end $$"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_ends_in_any_step_of_a_migration_leaves_what_the_next_start_migrates() {
    let Some(database) = Database::postgres().await else {
        return;
    };
    database.migrate_to(1).await;
    database.raw(rows(false)).await;
    database.raw(stall(0)).await;
    database
        .raw("create trigger stall before insert on _sqlx_migrations for each row execute function stall()")
        .await;
    let name = database.url().rsplit('=').next().unwrap();
    let stalled = format!(
        "select cast(count(*) as text) from pg_stat_activity where application_name = '{name}' and wait_event = 'PgSleep'"
    );
    let version = "select cast(max(version) as text) from _sqlx_migrations where success";
    for step in 2..=migrate::newest() {
        database.raw(stall(step)).await;
        let options = database.options();
        let opening = tokio::spawn(async move { Store::open(&options).await });
        let since = Instant::now();
        while database.raw_text(stalled.clone()).await.as_deref() != Some("1") {
            assert!(
                !opening.is_finished(),
                "it did not come to step {step}: {:?}",
                opening.await
            );
            assert!(since.elapsed() < PATIENCE, "it does not come to step {step}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        database.cut_connections().await;
        let ended = opening.await.unwrap();
        assert!(matches!(ended, Err(Error::Gone { .. })), "step {step}: {ended:?}");
        let reached = database.raw_text(version).await;
        assert_eq!(reached, Some((step - 1).to_string()), "nothing of step {step} is left");
    }
    database
        .raw("drop trigger stall on _sqlx_migrations; drop function stall")
        .await;
    database.open().await.close().await;
    assert_eq!(database.raw_text(version).await, Some(migrate::newest().to_string()));
    for table in ["run", "event", "link", "change"] {
        let count = format!("select cast(count(*) as text) from {table}");
        assert_eq!(database.raw_text(count).await, Some(ROWS.to_string()), "{table}");
    }
}
