//! A large store, written past the program, as if a year had gone by.

use std::path::Path;

use anyhow::Result;
use sqlx::{Connection as _, Executor as _};
use syncline::{
    clock::Clock,
    core::{
        drift::{Numbers, Report, Summary},
        status::{Cause, DriftOutcome, Situation},
    },
};

use crate::{Args, page::Ids, product::MAPPING};

/// Reports in the trend.
const REPORTS: i64 = 90;
/// Conflicts and suggestions that wait.
const WAITING: i64 = 1_000;
/// Records that are gone on one side.
const GONE: i64 = 200;
/// The time that events are spread over, in milliseconds.
const SPREAD: i64 = 36_000_000;
/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// Either database, past the program.
pub enum Database {
    /// A SQLite file.
    Sqlite(rusqlite::Connection),
    /// PostgreSQL.
    Postgres(tokio::runtime::Runtime, sqlx::PgConnection),
}

impl Database {
    /// The file.
    pub fn sqlite(path: &Path) -> Result<Self> {
        let connection = rusqlite::Connection::open(path)?;
        connection.execute_batch("pragma synchronous = off")?;
        Ok(Self::Sqlite(connection))
    }

    /// The database at an address.
    pub fn postgres(url: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let connection = runtime.block_on(sqlx::PgConnection::connect(url))?;
        Ok(Self::Postgres(runtime, connection))
    }

    /// Runs a statement in which `{no}` is false and `{bytes}` the base of a link.
    fn run(&mut self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(connection) => {
                let sql = sql.replace("{no}", "0").replace("{bytes}", "zeroblob(192)");
                connection.execute_batch(&sql)?;
            }
            Self::Postgres(runtime, connection) => {
                let bytes = "decode(repeat('00', 192), 'hex')";
                let sql = sql.replace("{no}", "false").replace("{bytes}", bytes);
                runtime.block_on(connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))))?;
            }
        }
        Ok(())
    }

    /// Inserts as many rows, made of their number `i`.
    fn insert(&mut self, count: i64, into: &str, select: &str) -> Result<()> {
        let numbers = format!(
            "with recursive n (i) as (select cast(1 as bigint) union all select i + 1 from n where i < {count})"
        );
        self.run(&format!("insert into {into} {numbers} select {select} from n"))
    }
}

/// Fills every table that pages read.
pub fn all(database: &mut Database, args: &Args) -> Result<Ids> {
    let now = Clock::system().now().timestamp_millis();
    links(database, args.links, now)?;
    runs(database, args.runs, now)?;
    let run_id = args.runs;
    items(database, args.items, run_id, now)?;
    for run_id in run_id - REPORTS + 1..=run_id {
        summary(database, args, run_id, now)?;
    }
    events(database, args.events, now)?;
    decisions(database, run_id, now)?;
    database.run("analyze")?;
    Ok(Ids {
        run_id,
        drift_id: args.items / 2,
        links: args.links,
        runs: args.runs,
        events: args.events,
    })
}

fn links(database: &mut Database, count: i64, now: i64) -> Result<()> {
    database.insert(
        count,
        "link (mapping, left_id, right_id, base, status, last_synced_at, created_at, updated_at)",
        &format!("'{MAPPING}', cast(i as text), 'R' || i, {{bytes}}, 'linked', {now}, {now}, {now}"),
    )?;
    database.run(&format!(
        "update link set status = 'pending_delete', missing_side = 'right', missing_since = {now} where link_id <= {GONE}"
    ))
}

fn runs(database: &mut Database, count: i64, now: i64) -> Result<()> {
    database.insert(
        count,
        "run (kind, mapping, trigger, status, started_at, ended_at, node, requests, read, updated, unchanged)",
        &format!(
            "case when i % 3 = 0 then 'reconcile' when i % 3 = 1 then 'poll' else 'reprocess' end, '{MAPPING}', 'schedule', \
             case when i % 101 = 0 then 'partial' else 'succeeded' end, {now} - ({count} - i) * 600000, \
             {now} - ({count} - i) * 600000 + 90000, 'bench', 1200, 100000, i % 50, 99000"
        ),
    )?;
    database.insert(
        count,
        "failure (run_id, mapping, side, record_id, left_id, class, stage, status, code, message, hint, attempts, first_at, \
         last_at)",
        &format!(
            "i, '{MAPPING}', 'left', cast(i as text), cast(i as text), case when i % 5 = 0 then 'mapping' else 'rejected' end, \
             'write', case when i % 3 = 0 then 'parked' else 'open' end, case when i % 5 = 0 then 'MP004' else 'RQ004' end, \
             'system `right`, update `item`: it refused the record: the name is too long', \
             'shorten it, or cut it in the mapping', 3, {now} - i * 60000, {now} - i * 60000"
        ),
    )?;
    database.insert(
        count,
        "audit (at, actor, action, subject)",
        &format!("{now} - ({count} - i) * 600000, 'console:ana', 'failure.ignore', 'failure/' || i"),
    )
}

fn items(database: &mut Database, count: i64, run_id: i64, now: i64) -> Result<()> {
    database.insert(
        count,
        "drift (run_id, mapping, situation, cause, field, left_id, right_id, left_value, right_value, sensitive, \
         first_seen_at, age_runs, last_changed_side, outcome, note)",
        &format!(
            "{run_id}, '{MAPPING}', 'differs', case when i % 997 = 0 then 'unwatched' when i % 13 = 0 then 'conflict' \
             else 'event_missed' end, case i % 4 when 0 then 'name' when 1 then 'city' when 2 then 'status' else 'email' end, \
             cast(i as text), 'R' || i, 'Customer ' || i || ' Ltda', 'Customer ' || i || ' SA', {{no}}, {now} - i, 1 + i % 9, \
             'left', case when i % 11 = 0 then 'held' else 'reported' end, 'only left changed'"
        ),
    )
}

/// The numbers of a report. Only the last one has its items.
fn summary(database: &mut Database, args: &Args, run_id: i64, now: i64) -> Result<()> {
    let links = args.links.unsigned_abs();
    let items = args.items.unsigned_abs();
    let mut summary = Summary {
        left_records: links,
        right_records: links,
        pairs: links,
        cells: links * 8,
        cells_equal: links * 8 - items,
        complete: true,
        ..Summary::default()
    };
    summary
        .situations
        .insert(Situation::InSync, links.saturating_sub(items));
    summary.situations.insert(Situation::Differs, items);
    for (cause, count) in [
        (Cause::Unwatched, items / 997),
        (Cause::Conflict, items / 13),
        (Cause::EventMissed, items - items / 13 - items / 997),
    ] {
        summary.causes.insert(cause, count);
    }
    for field in ["name", "city", "status", "email"] {
        summary.fields.insert(field.to_owned(), items / 4);
    }
    let mut report = Report {
        numbers: Numbers {
            compared: links,
            in_step: links.saturating_sub(items),
            drifted: items,
            match_score: summary.match_score(),
            items,
            ..Numbers::default()
        },
        ..Report::default()
    };
    report.outcomes.insert(DriftOutcome::Held, items / 11);
    report.outcomes.insert(DriftOutcome::Reported, items - items / 11);
    let at = now - (args.runs - run_id) * DAY;
    // Numbers and names of our own: nothing in it has to be escaped.
    database.run(&format!(
        "insert into drift_summary (run_id, mapping, summary, report, created_at) values ({run_id}, '{MAPPING}', '{}', '{}', {at})",
        serde_json::to_string(&summary)?,
        serde_json::to_string(&report)?,
    ))
}

fn events(database: &mut Database, count: i64, now: i64) -> Result<()> {
    let received = format!("{now} - ({count} - i) * {} / 1000", SPREAD * 1_000 / count);
    database.insert(
        count,
        "event (system, external_id, object, record_id, kind, own, status, attempts, last_error, received_at, processed_at, \
         processing_ms, request_id)",
        &format!(
            "'left', 'old-' || i, 'item', cast(i as text), 'updated', {{no}}, case when i % 97 = 0 then 'failed' else 'done' end, \
             1, case when i % 97 = 0 then 'the name is too long' end, {received}, {received} + 8 + i % 400, 3 + i % 40, \
             'request-' || i"
        ),
    )
}

/// What waits for somebody's decision.
fn decisions(database: &mut Database, run_id: i64, now: i64) -> Result<()> {
    database.insert(
        WAITING,
        "conflict (mapping, left_id, right_id, field, left_value, right_value, sensitive, status, created_at, left_hash, \
         right_hash)",
        &format!("'{MAPPING}', cast(i as text), 'R' || i, 'name', 'Ana ' || i, 'Bia ' || i, {{no}}, 'open', {now}, i, -i"),
    )?;
    database.insert(
        WAITING,
        "suggestion (mapping, left_id, right_id, score, compared, sensitive, left_hash, right_hash, status, run_id, \
         created_at, seen_at)",
        &format!(
            "'{MAPPING}', 'new-' || i, 'N' || i, 900, '[{{\"field\":\"name\",\"left\":\"Ana\",\"right\":\"Anna\"}}]', {{no}}, i, \
             -i, 'open', {run_id}, {now}, {now}"
        ),
    )
}
