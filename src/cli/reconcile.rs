//! `syncline reconcile`: compares both systems of a mapping now, says what drifted and why, and repairs it.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use super::{
    Exit,
    context::{Context, block_on},
    error::{Error, Result},
    progress,
    work::Work,
};
use crate::{
    core::{
        drift::Summary,
        mapping::Mapping,
        period::Share,
        status::{RunKind, RunStatus, Trigger},
    },
    store::run::Counters,
    sync::reconcile::{Report, Request},
    telemetry::harmless,
};

/// Compares both systems of a mapping now, says what drifted and why, and repairs it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline reconcile customer-account                   compare, explain, repair
  syncline reconcile customer-account --report-only     compare and explain
  syncline reconcile --all --fail-above 1% --json       every mapping, parents first; for a monitor

A plan beyond the mapping's limits repairs nothing: the run is held until `syncline runs release ID` or `discard ID`.
Exit code 1 if a run is held, a record failed, or more drifted than --fail-above allows.")]
pub struct Args {
    /// The mappings
    #[arg(value_name = "MAPPING", required_unless_present = "all")]
    mappings: Vec<String>,
    /// Every mapping of this environment, each after those it refers to
    #[arg(long, conflicts_with = "mappings")]
    all: bool,
    /// A first or complete look, on record as such
    #[arg(long, conflicts_with = "incremental")]
    full: bool,
    /// Only what changed since the last reconciliation, where a system can tell
    #[arg(long)]
    incremental: bool,
    /// Repair nothing
    #[arg(long)]
    report_only: bool,
    /// Exit code 1 if more records drifted than this (50, or 1%)
    #[arg(long, value_name = "SHARE")]
    fail_above: Option<Share>,
}

/// The numbers of a reconciliation, for programs and for people.
#[derive(Serialize)]
pub(super) struct Numbers {
    run_id: i64,
    mapping: String,
    status: RunStatus,
    note: Option<String>,
    match_percent: f64,
    drifted: u64,
    summary: Summary,
    counters: Counters,
    #[serde(skip)]
    systems: [String; 2],
    #[serde(skip)]
    score: u64,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        let work = Work::open(context).await?;
        let done = each(context, args, &work).await;
        work.close().await;
        done
    })
}

async fn each(context: &Context, args: &Args, work: &Work) -> Result {
    let mappings = if args.all {
        work.in_order()
    } else {
        args.mappings
            .iter()
            .map(|name| work.mapping(name))
            .collect::<Result<Vec<_>>>()?
    };
    if mappings.is_empty() {
        return Err(Error::failed("there is no mapping to reconcile")
            .with_hint("`syncline check` says which mappings can be used"));
    }
    let mut exit = Exit::Done;
    for mapping in &mappings {
        if one(context, args, work, mapping).await? == Exit::Found {
            exit = Exit::Found;
        }
    }
    Ok(exit)
}

async fn one(context: &Context, args: &Args, work: &Work, mapping: &Arc<Mapping>) -> Result {
    let request = Request {
        kind: match (args.full, args.incremental) {
            (true, _) => RunKind::Full,
            (_, true) => RunKind::Incremental,
            _ => RunKind::Reconcile,
        },
        trigger: Trigger::Person,
        repair: mapping.reconcile.repair && !args.report_only,
    };
    let report = progress::reconcile(context, &work.engine, mapping, request).await?;
    told(context, mapping, &report, args.fail_above)
}

/// Shows a report with what to do next; the exit code that follows from it.
pub(super) fn told(context: &Context, mapping: &Mapping, report: &Report, fail_above: Option<Share>) -> Result {
    let numbers = Numbers::of(mapping, report);
    context.output.json(&numbers)?;
    numbers.show(context)?;
    next_steps(context, report);
    let records = report.summary.left_records.max(report.summary.right_records);
    let is_above = fail_above.is_some_and(|share| report.summary.drifted() > share.of(records));
    if is_above {
        let (name, drifted) = (&mapping.name, report.summary.drifted());
        let share = fail_above.map(|share| share.to_string()).unwrap_or_default();
        context.output.talk(format!(
            "{name}: {drifted} of {records} records drifted, more than {share}"
        ));
    }
    let needs_a_person = matches!(report.status, RunStatus::Held | RunStatus::Partial | RunStatus::Failed);
    Ok(if is_above || needs_a_person {
        Exit::Found
    } else {
        Exit::Done
    })
}

impl Numbers {
    /// The numbers of a report.
    pub(super) fn of(mapping: &Mapping, report: &Report) -> Self {
        let score = report.summary.match_score();
        Self {
            run_id: report.run_id,
            mapping: mapping.name.clone(),
            status: report.status,
            note: report.note.clone(),
            match_percent: f64::from(u32::try_from(score).unwrap_or(u32::MAX)) / 100.0,
            drifted: report.summary.drifted(),
            summary: report.summary.clone(),
            counters: report.counters,
            systems: [mapping.ends.left.system.clone(), mapping.ends.right.system.clone()],
            score,
        }
    }

    /// Shows them to a person.
    pub(super) fn show(&self, context: &Context) -> Result<()> {
        let (out, summary, done) = (context.output, &self.summary, &self.counters);
        let [left, right] = &self.systems;
        out.line(format!("{}: {} (run {})", self.mapping, self.status, self.run_id))?;
        if let Some(note) = &self.note {
            out.line(format!("  {note}"))?;
        }
        let score = if summary.pairs == 0 {
            "no pairs to score".to_owned()
        } else {
            format!("match score {}.{:02} %", self.score / 100, self.score % 100)
        };
        out.line(format!(
            "  {} records in {left}, {} in {right}; {score}, {} drifted",
            summary.left_records, summary.right_records, self.drifted
        ))?;
        if !summary.complete && summary.since.is_none() {
            out.line("  incomplete: a listing did not come to its end: missing records were left alone")?;
        }
        for (what, counts) in [
            ("situation", counted(&summary.situations)),
            ("cause", counted(&summary.causes)),
            ("field", counted(&summary.fields)),
            ("value without a partner in `values`", counted(&summary.unmapped)),
        ] {
            if !counts.is_empty() {
                out.line(format!("  by {what}: {counts}"))?;
            }
        }
        for new in &summary.new_fields {
            let (system, object) = (&new.system, &new.object);
            out.line(format!("  new in {system} {object}: {}", harmless(&new.told())))?;
        }
        let did = [
            done.linked,
            done.created,
            done.updated,
            done.deleted,
            done.conflicts,
            done.failed,
        ];
        if did.iter().all(|count| *count == 0) {
            return Ok(());
        }
        out.line(format!(
            "  done: {} linked, {} created, {} updated, {} deleted, {} unchanged, {} conflicts, {} failed",
            done.linked, done.created, done.updated, done.deleted, done.unchanged, done.conflicts, done.failed
        ))?;
        Ok(())
    }
}

/// The largest counts first.
fn counted<T: ToString>(counts: &BTreeMap<T, u64>) -> String {
    const SHOWN: usize = 12;
    let mut sorted: Vec<(String, u64)> = counts.iter().map(|(name, count)| (name.to_string(), *count)).collect();
    sorted.sort_by_key(|one| std::cmp::Reverse(one.1));
    let mut parts: Vec<String> = sorted
        .iter()
        .take(SHOWN)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    if sorted.len() > SHOWN {
        parts.push(format!("{} more", sorted.len() - SHOWN));
    }
    parts.join(", ")
}

/// What a person may want to do about a report.
pub(super) fn next_steps(context: &Context, report: &Report) {
    let run = report.run_id;
    let mut steps = Vec::new();
    if report.status == RunStatus::Held {
        steps.push(format!("syncline runs release {run}    do it all the same"));
        steps.push(format!("syncline runs discard {run}    leave everything as it is"));
    }
    if report.summary.drifted() > 0 {
        steps.push(format!(
            "syncline drift {run}           every difference, both values side by side"
        ));
    }
    if report.counters.failed > 0 {
        steps.push(format!(
            "syncline failures --run {run}  what failed, and what to do about it"
        ));
    }
    if report.counters.conflicts > 0 {
        steps.push("syncline conflicts         fields that a person decides".to_owned());
    }
    for new in &report.summary.new_fields {
        steps.push(format!("{}    its new fields, with their types", new.next_step()));
    }
    if !steps.is_empty() {
        context.output.talk(format!("next:\n  {}", steps.join("\n  ")));
    }
}
