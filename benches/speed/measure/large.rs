//! Reconciliations of systems too large for memory, in which a few records differ: time, memory and requests.

use anyhow::{Context as _, Result, ensure};

use super::{
    Stage,
    record::{memory, rounds_times, task},
    sqlite,
};
use crate::{
    Args,
    generated::differences,
    report::{Report, Row, Wanted},
    rounds::{Rounds, take_turns},
    server::Server,
    subject::{self, Name, Task},
};

/// Records on each side, and ten times as many.
const MILLION: usize = 1_000_000;
/// Records on a page.
const PAGE: usize = 1_000;

/// A million pairs, a tenth of them for the comparison of time and memory, and the join alone.
pub fn million(args: &Args, report: &mut Report) -> Result<()> {
    let records = if args.quick { args.records } else { MILLION };
    let group = "reconciliation, 0.1 % different, 0.05 % missing on each side";
    pairs(args, report, group, records)?;
    join(args, report, records)
}

/// Ten million pairs.
pub fn ten_million(args: &Args, report: &mut Report) -> Result<()> {
    let records = if args.quick { args.records * 10 } else { 10 * MILLION };
    let args = Args {
        rounds: 1,
        ..args.clone()
    };
    pairs(&args, report, "the same with ten times as many", records)
}

fn pairs(args: &Args, report: &mut Report, group: &str, records: usize) -> Result<()> {
    let (stage, server) = (Stage::new()?, Server::generating(records)?);
    // What is linked is prepared once, and copied for every round.
    let prepared = stage.set(&task(Name::Link, records), &server, true)?;
    subject::run(&prepared)?;
    let tasks = [Name::PullBoth, Name::ListBoth, Name::Compare].map(|name| task(name, records));
    let mut requests = Vec::new();
    let taken = take_turns(&tasks, args.rounds, |task| {
        requests.push(server.take_requests());
        server.regenerate(records);
        let set = stage.set(task, &server, true)?;
        if task.name == Name::Compare {
            for ending in ["", "-wal"] {
                let name = format!("syncline.db{ending}");
                let (from, to) = (prepared.folder.join(&name), set.folder.join(&name));
                if from.exists() {
                    std::fs::copy(&from, &to).context("the prepared database is copied")?;
                }
            }
            ensure!(set.store == sqlite(&set.folder), "the database is in the folder");
        }
        Ok::<Task, anyhow::Error>(set)
    })?;
    requests.push(server.take_requests());
    let [floor, reading, own] = taken.as_slice() else {
        anyhow::bail!("a turn is missing")
    };
    let seconds = |one: &Rounds| crate::rounds::median(one.0.iter().map(|outcome| outcome.seconds));
    let show = |what: &str, one: &Rounds| {
        let rate = records as f64 / seconds(one);
        Row::new(group, what, rate, "pairs/s").note(format!("{:.1} s; {}", seconds(one), one.note()))
    };
    report.add(show("floor: both listings read and parsed, plain Rust", floor));
    report.add(show("both listings read and parsed by Syncline", reading));
    report.add(show(&format!("Syncline, {records} pairs"), own));
    let within = |times| Row::new(group, "", times, "times").value_wanted(Wanted::AtMost(1.5));
    let named = |mut row: Row, what: &str| {
        what.clone_into(&mut row.what);
        row
    };
    report.add(named(
        within(rounds_times(own, reading)),
        "the time of Syncline's own reading",
    ));
    report.add(named(
        within(rounds_times(own, floor)),
        "the time of the floor's reading",
    ));
    report.add(memory(group, "memory at its peak", own));
    let pages = 2 * (records / PAGE) + 2;
    let allowed = pages + 2 * differences(records) * 2;
    let most = requests.last().copied().unwrap_or_default() as f64;
    let row = Row::new(group, "requests to both systems", most, "").value_wanted(Wanted::AtMost(allowed as f64));
    report.add(row.note(format!("{pages} pages, {} differences", differences(records))));
    Ok(())
}

/// The join alone, against a hash join in memory.
fn join(args: &Args, report: &mut Report, records: usize) -> Result<()> {
    let group = "the join and comparison alone";
    let (stage, server) = (Stage::new()?, Server::start(0, 0)?);
    let files = stage.turn(None, false)?;
    subject::write_join_files(&files, records)?;
    let tasks = [Name::HashJoin, Name::Join].map(|name| task(name, records));
    let taken = take_turns(&tasks, args.rounds, |task| {
        let set = stage.set(task, &server, false)?;
        Ok(Task {
            folder: files.clone(),
            ..set
        })
    })?;
    let [floor, own] = taken.as_slice() else {
        anyhow::bail!("a turn is missing")
    };
    report.add(
        Row::new(
            group,
            "floor: hash join of parsed records in memory",
            floor.rate(),
            "pairs/s",
        )
        .note(format!("{:.0} MiB", floor.peak_mib())),
    );
    report.add(
        Row::new(group, "Syncline, spilled to disk", own.rate(), "pairs/s").note(format!("{:.0} MiB", own.peak_mib())),
    );
    let times = Row::new(group, "the time of the floor", rounds_times(own, floor), "times");
    report.add(times.value_wanted(Wanted::AtMost(1.3)));
    Ok(())
}
