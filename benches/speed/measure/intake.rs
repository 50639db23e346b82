//! Signed webhooks of 1.5 KB over 64 connections, durable and deduplicated before the answer.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Stage, sqlite};
use crate::{
    Args,
    load::{Seen, Sender},
    machine,
    postgres::Postgres,
    report::{Report, Row, Wanted},
    rounds::median,
    subject::{Name, Running, Task},
};

const GROUP: &str = "webhooks in, 64 connections";
const CONNECTIONS: usize = 64;
const WARM_UP: Duration = Duration::from_millis(300);

/// One receiver under load.
struct Receiver {
    running: Running,
    sender: Sender,
    turns: Vec<Turn>,
}

struct Turn {
    seen: Seen,
    /// Processor time of one request, in microseconds.
    cpu_micros: f64,
}

impl Receiver {
    fn start(task: &Task) -> Result<Self> {
        let mut running = Running::start(task)?;
        let address = running.line()?;
        let sender = Sender::new(address, task.records)?;
        sender.flood(CONNECTIONS, WARM_UP)?;
        Ok(Self {
            running,
            sender,
            turns: Vec::new(),
        })
    }

    fn turn(&mut self, time: Duration) -> Result<()> {
        let before = machine::cpu_seconds(self.running.process())?;
        let seen = self.sender.flood(CONNECTIONS, time)?;
        let used = machine::cpu_seconds(self.running.process())? - before;
        self.turns.push(Turn {
            cpu_micros: used * 1e6 / seen.count as f64,
            seen,
        });
        Ok(())
    }

    fn rate(&self) -> f64 {
        median(self.turns.iter().map(|turn| turn.seen.rate))
    }

    fn millis(&self, of: impl Fn(&Seen) -> Duration) -> f64 {
        median(self.turns.iter().map(|turn| of(&turn.seen).as_secs_f64() * 1e3))
    }

    fn row(&self, what: &str) -> Row {
        let cpu = median(self.turns.iter().map(|turn| turn.cpu_micros));
        let note = format!(
            "p50 {:.1} ms, p99 {:.1} ms, {cpu:.0} µs of processor time a request",
            self.millis(|seen| seen.p50),
            self.millis(|seen| seen.p99),
        );
        Row::new(GROUP, what, self.rate(), "/s").note(note)
    }

    fn row_against(&self, what: &str, floor: &Self) -> Row {
        let turns = || self.turns.iter().zip(&floor.turns);
        let ratio = median(turns().map(|(own, floor)| own.seen.rate / floor.seen.rate));
        let cpu = median(turns().map(|(own, floor)| floor.cpu_micros / own.cpu_micros));
        self.row(what).against(ratio, cpu).ratio_wanted(Wanted::AtLeast(0.8))
    }
}

/// Floors (a), (b), (c) and Syncline on both databases.
pub fn measure(args: &Args, report: &mut Report) -> Result<()> {
    let stage = Stage::new()?;
    let postgres = Postgres::start(args.postgres.clone())?;
    let task = |name| -> Result<Task> {
        let folder = stage.turn(None, false)?;
        Ok(Task {
            name,
            store: sqlite(&folder),
            folder,
            records: args.records,
            ..Task::default()
        })
    };
    let mut tasks = vec![task(Name::IntakeBare)?, task(Name::IntakeSqlite)?, task(Name::Intake)?];
    if let Some(postgres) = &postgres {
        for name in [Name::IntakePostgres, Name::Intake] {
            let store = postgres.database()?;
            tasks.push(Task { store, ..task(name)? });
        }
    }
    let mut receivers = tasks.iter().map(Receiver::start).collect::<Result<Vec<_>>>()?;
    for _ in 0..args.rounds {
        for receiver in &mut receivers {
            receiver.turn(Duration::from_secs_f64(args.seconds))?;
        }
    }
    show(&receivers, postgres.as_ref(), report)?;
    for receiver in receivers {
        receiver.running.end()?;
    }
    Ok(())
}

fn show(receivers: &[Receiver], postgres: Option<&Postgres>, report: &mut Report) -> Result<()> {
    let [bare, sqlite, syncline, rest @ ..] = receivers else {
        return Err(anyhow::anyhow!("a receiver is missing"));
    };
    report.add(bare.row("floor (a): signature checked, nothing stored"));
    report.add(sqlite.row("floor (b): one writer thread, SQLite"));
    report.add(syncline.row_against("Syncline on SQLite, of (b)", sqlite));
    report.add(
        Row::new(GROUP, "the same, p99", syncline.millis(|seen| seen.p99), "ms").value_wanted(Wanted::AtMost(25.0)),
    );
    let Some(postgres) = postgres else {
        report.add(
            Row::new(GROUP, "PostgreSQL", 0.0, "/s").note("skipped: neither TEST_POSTGRES_URL nor initdb was found"),
        );
        return Ok(());
    };
    let (floor, syncline) = rest
        .first()
        .zip(rest.get(1))
        .context("a receiver on PostgreSQL is missing")?;
    let whose = if postgres.is_own() {
        "started for this"
    } else {
        "as given"
    };
    report.add(floor.row("floor (c): one writer, PostgreSQL"));
    report.add(syncline.row_against(&format!("Syncline on PostgreSQL ({whose}), of (c)"), floor));
    report.add(
        Row::new(GROUP, "the same, p99", syncline.millis(|seen| seen.p99), "ms").value_wanted(Wanted::AtMost(25.0)),
    );
    Ok(())
}
