//! Single changes: how many a second the worker gets done, and how long one takes from the webhook to the write.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Stage;
use crate::{
    Args,
    load::{Sender, share_of},
    report::{Report, Row, Wanted},
    rounds::take_turns,
    server::Server,
    subject::{Name, Running, Task},
};

const GROUP: &str = "changes one by one";
/// Changes that the worker is measured with, at most.
const CHANGES_MAX: usize = 20_000;
/// Events a second.
const RATE: usize = 500;

/// The worker against a loop that reads both records and writes one.
pub fn measure(args: &Args, report: &mut Report) -> Result<()> {
    let records = args.records.min(CHANGES_MAX);
    let (stage, server) = (Stage::new()?, Server::start(records, records)?);
    for number in 1..=records {
        server.edit_left(number, 1);
    }
    let tasks = [Name::Touch, Name::Work].map(|name| Task {
        name,
        records,
        linked: if name == Name::Work { records } else { 0 },
        ..Task::default()
    });
    let taken = take_turns(&tasks, args.rounds, |task| {
        server.reset_right(records);
        stage.set(task, &server, false)
    })?;
    let [floor, own] = taken.as_slice() else {
        anyhow::bail!("a turn is missing")
    };
    report.add(Row::new(
        GROUP,
        "floor: two reads and a write, 32 in flight",
        floor.rate(),
        "changes/s",
    ));
    let row = Row::new(
        GROUP,
        "Syncline's worker, intents and outcomes durable",
        own.rate(),
        "changes/s",
    );
    report.add(row.against(own.ratio(floor), own.cpu_ratio(floor)));
    way(args, report)
}

/// From the webhook to the write, with 500 events a second.
fn way(args: &Args, report: &mut Report) -> Result<()> {
    let count = (args.seconds * 2.0 * RATE as f64) as usize;
    let (stage, server) = (Stage::new()?, Server::start(count, count)?);
    let task = Task {
        name: Name::Daemon,
        records: count,
        linked: count,
        ..Task::default()
    };
    let mut running = Running::start(&stage.set(&task, &server, false)?)?;
    let sender = Sender::new(running.line()?, count)?;
    let edited = server.clone();
    let sent = sender.steady(RATE, count, move |number| edited.edit_left(number, 1))?;
    let mut done: Vec<Option<Instant>> = vec![None; count];
    let end = Instant::now() + Duration::from_secs(30);
    while done.iter().any(Option::is_none) && Instant::now() < end {
        for (number, at) in server.take_writes() {
            if let Some(slot) = done.get_mut(number - 1) {
                *slot = slot.or(Some(at));
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut took: Vec<Duration> = sent
        .iter()
        .zip(&done)
        .filter_map(|(sent, done)| Some(done.as_ref()?.saturating_duration_since(*sent)))
        .collect();
    running.end()?;
    ensure!(took.len() == count, "{} of {count} events led to a write", took.len());
    took.sort_unstable();
    let millis = |share| share_of(&took, share).as_secs_f64() * 1e3;
    let row = |what: &str, share| Row::new(GROUP, what, millis(share), "ms");
    report.add(row("webhook in to write done, 500 events/s, p50", 0.5).value_wanted(Wanted::AtMost(20.0)));
    report.add(row("the same, p99", 0.99).value_wanted(Wanted::AtMost(100.0)));
    Ok(())
}
