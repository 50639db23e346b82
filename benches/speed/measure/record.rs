//! Whole objects: listings, first syncs, reconciliations of pairs that agree.

use anyhow::Result;

use super::Stage;
use crate::{
    Args,
    report::{Report, Row, Wanted},
    rounds::{Rounds, take_turns},
    server::Server,
    subject::{Name, Task},
};

/// The number of records that memory is compared with: a tenth.
const FEWER: usize = 10;

pub(super) fn task(name: Name, records: usize) -> Task {
    Task {
        name,
        records,
        ..Task::default()
    }
}

/// Floor (d) and Syncline's listings.
pub fn listing(args: &Args, report: &mut Report) -> Result<()> {
    let group = "listing, 15 fields, pages of 1,000";
    let (stage, server) = (Stage::new()?, Server::start(args.records, 0)?);
    let names = [Name::Pull, Name::List, Name::ListMapped];
    let tasks = names.map(|name| task(name, args.records));
    let taken = take_turns(&tasks, args.rounds, |task| stage.set(task, &server, false))?;
    let [floor, whole, mapped] = taken.as_slice() else {
        anyhow::bail!("a turn is missing")
    };
    report.add(Row::new(
        group,
        "floor (d): pulled and parsed",
        floor.rate(),
        "records/s",
    ));
    let against = |what, one: &Rounds| {
        Row::new(group, what, one.rate(), "records/s").against(one.ratio(floor), one.cpu_ratio(floor))
    };
    report.add(against("Syncline, whole records, of (d)", whole));
    report.add(against("Syncline through the mapping, hashed, of (d)", mapped).ratio_wanted(Wanted::AtLeast(0.6)));
    report.add(memory(group, "the same, memory at its peak", mapped));
    Ok(())
}

pub(super) fn memory(group: &str, what: &str, rounds: &Rounds) -> Row {
    Row::new(group, what, rounds.peak_mib(), "MiB").value_wanted(Wanted::AtMost(150.0))
}

/// Floor (e) and Syncline's first sync into an empty system, and into one that has 80 % already.
pub fn first(args: &Args, report: &mut Report) -> Result<()> {
    let (stage, server) = (Stage::new()?, Server::start(args.records, 0)?);
    let first = First { args, stage, server };
    first.in_batches(report)?;
    first.matching(report)?;
    first.singly(report)
}

struct First<'a> {
    args: &'a Args,
    stage: Stage,
    server: Server,
}

impl First<'_> {
    const GROUP: &'static str = "first sync, eight fields mapped";

    /// Lets these subjects sync into a system with the first `there` records.
    fn turns(&self, names: &[Name], is_batching: bool, there: usize) -> Result<Vec<Rounds>> {
        let tasks: Vec<Task> = names.iter().map(|name| task(*name, self.args.records)).collect();
        take_turns(&tasks, self.args.rounds, |task| {
            self.server.reset_right(there);
            self.stage.set(task, &self.server, is_batching)
        })
    }

    fn floor(what: &str, floor: &Rounds) -> Row {
        Row::new(Self::GROUP, what, floor.rate(), "records/s")
    }

    fn own(what: &str, own: &Rounds, floor: &Rounds, wanted: f64) -> Row {
        Row::new(Self::GROUP, what, own.rate(), "records/s")
            .against(own.ratio(floor), own.cpu_ratio(floor))
            .ratio_wanted(Wanted::AtLeast(wanted))
            .note(own.note())
    }

    fn in_batches(&self, report: &mut Report) -> Result<()> {
        let taken = self.turns(&[Name::MoveBatches, Name::Reconcile], true, 0)?;
        let [floor, own] = taken.as_slice() else {
            anyhow::bail!("a turn is missing")
        };
        report.add(Self::floor("floor (e): batches of 200, nothing kept", floor));
        let what = "Syncline, batches, links and bases durable, of (e)";
        report.add(Self::own(what, own, floor, 0.5));
        report.add(memory(Self::GROUP, "the same, memory at its peak", own));
        let fewer = self.args.records / FEWER;
        let server = Server::start(fewer, 0)?;
        let small = take_turns(&[task(Name::Reconcile, fewer)], 1, |task| {
            self.stage.set(task, &server, true)
        })?;
        if let [small] = small.as_slice() {
            report.add(memory(Self::GROUP, "memory with a tenth of the records", small));
        }
        Ok(())
    }

    fn matching(&self, report: &mut Report) -> Result<()> {
        let matching = self.turns(&[Name::Reconcile], true, self.args.records / 5 * 4)?;
        if let [matching] = matching.as_slice() {
            let row = Self::floor("Syncline, 80 % there already and matched", matching);
            report.add(row.note(matching.note()));
        }
        Ok(())
    }

    fn singly(&self, report: &mut Report) -> Result<()> {
        let taken = self.turns(&[Name::MoveSingly, Name::Reconcile], false, 0)?;
        let [floor, own] = taken.as_slice() else {
            anyhow::bail!("a turn is missing")
        };
        report.add(Self::floor("floor (e): one a call, 32 in flight", floor));
        report.add(Self::own("Syncline, one a call, 32 in flight, of (e)", own, floor, 0.6));
        Ok(())
    }
}

/// Pairs that agree, against reading both listings.
pub fn quiet(args: &Args, report: &mut Report) -> Result<()> {
    let group = "reconciliation of pairs that agree";
    let (stage, server) = (Stage::new()?, Server::start(args.records, args.records)?);
    let tasks = [
        task(Name::ListBoth, args.records),
        Task {
            linked: args.records,
            ..task(Name::Reconcile, args.records)
        },
    ];
    let taken = take_turns(&tasks, args.rounds, |task| stage.set(task, &server, true))?;
    let [reading, own] = taken.as_slice() else {
        anyhow::bail!("a turn is missing")
    };
    report.add(Row::new(
        group,
        "both listings read alone",
        reading.rate() / 2.0,
        "pairs/s",
    ));
    report.add(Row::new(group, "Syncline", own.rate(), "pairs/s").note(own.note()));
    let times = rounds_times(own, reading);
    report.add(Row::new(group, "the time of reading alone", times, "times").value_wanted(Wanted::AtMost(1.6)));
    report.add(memory(group, "memory at its peak", own));
    Ok(())
}

pub(super) fn rounds_times(own: &Rounds, reading: &Rounds) -> f64 {
    crate::rounds::median(
        own.0
            .iter()
            .zip(&reading.0)
            .map(|(own, reading)| own.seconds / reading.seconds),
    )
}
