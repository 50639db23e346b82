//! The real program: a drift report of many differences, taken along in every form.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::{Stage, syncline};
use crate::{
    Args, machine,
    report::{Report, Row, Wanted},
    rounds::median,
};

const GROUP: &str = "export of a drift report";
/// The most differences, unless fewer records are asked for.
const ITEMS_MAX: usize = 100_000;
/// How often memory is looked at while it works.
const GLANCE: Duration = Duration::from_millis(10);

/// JSON Lines, CSV, spreadsheet and page of 100,000 differences; and a tenth of it, to see whether memory grows.
pub fn measure(args: &Args, report: &mut Report) -> Result<()> {
    let stage = Stage::new()?;
    let folder = stage.turn(None, false)?;
    let migrated = syncline(&folder, "migrate").stdout(Stdio::null()).status()?;
    ensure!(migrated.success(), "`syncline migrate` ended with {migrated}");
    let items = args.records.min(ITEMS_MAX);
    for (run_id, items) in [(1, items), (2, items / 10)] {
        find(&folder.join("data/syncline.db"), run_id, items)?;
    }
    for format in ["jsonl", "csv", "html", "xlsx"] {
        let all = taken(&folder, 1, format, args.rounds)?;
        let tenth = taken(&folder, 2, format, 1)?;
        let what = format!("{items} differences as {format}");
        let seconds = Row::new(GROUP, &what, all.seconds, "s");
        let memory = Row::new(GROUP, &format!("{what}, memory at its peak"), all.peak_mib, "MiB")
            .note(format!("{:.0} MiB for a tenth", tenth.peak_mib));
        if format == "xlsx" {
            report.add(seconds.value_wanted(Wanted::AtMost(5.0)));
            report.add(memory.value_wanted(Wanted::AtMost(100.0)));
        } else {
            report.add(seconds);
            report.add(memory);
        }
    }
    Ok(())
}

struct Taken {
    seconds: f64,
    peak_mib: f64,
}

/// Exports a report, `rounds` times.
fn taken(folder: &Path, run_id: i64, format: &str, rounds: usize) -> Result<Taken> {
    let (mut seconds, mut peak_mib) = (Vec::new(), 0.0_f64);
    for _ in 0..rounds {
        let started = Instant::now();
        let mut child = syncline(folder, "drift")
            .args(["export", &run_id.to_string(), "--quiet"])
            .args(["--format", format, "--out", &format!("report.{format}")])
            .spawn()?;
        let ended = loop {
            if let Some(ended) = child.try_wait()? {
                break ended;
            }
            // It may end between the two looks.
            peak_mib = peak_mib.max(machine::memory(child.id()).unwrap_or_default().peak_mib);
            std::thread::sleep(GLANCE);
        };
        ensure!(ended.success(), "`syncline drift export` ended with {ended}");
        seconds.push(started.elapsed().as_secs_f64());
    }
    Ok(Taken {
        seconds: median(seconds.into_iter()),
        peak_mib,
    })
}

/// Writes a report past the program, as if a reconciliation had made it.
fn find(database: &Path, run_id: i64, items: usize) -> Result<()> {
    let mut connection = rusqlite::Connection::open(database)?;
    let transaction = connection.transaction()?;
    let insert = "with recursive n (i) as (select 1 union all select i + 1 from n where i < ?2) \
        insert into drift (run_id, mapping, situation, cause, field, left_id, right_id, left_value, right_value, \
        sensitive, first_seen_at, age_runs, last_changed_side, outcome, note) \
        select ?1, 'item', 'differs', 'event_missed', 'name', cast(i as text), 'R' || i, 'Customer ' || i || ' Ltda', \
        'Customer ' || i || ' SA', 0, 1764000000000 + i, 1 + i % 9, 'left', 'repaired', 'only left changed' from n";
    transaction.execute(insert, [run_id, i64::try_from(items)?])?;
    let report =
        "insert into drift_summary (run_id, mapping, summary, created_at) values (?1, 'item', ?2, 1764100000000)";
    let summary = serde_json::to_string(&syncline::core::drift::Summary::default())?;
    transaction.execute(report, rusqlite::params![run_id, summary])?;
    transaction.commit()?;
    Ok(())
}
