//! `syncline drift`: what reconciliations found, why, and what became of it.

use std::collections::BTreeMap;

use super::{
    Exit,
    context::{Context, block_on},
    error::{Error, Result},
    list::{Rows, look, maybe, time},
};
use crate::{
    core::{
        period::Share,
        status::{Cause, DriftOutcome, Role, Situation},
    },
    server::api::drift::{Report, View},
    store::{Store, drift::DriftFilter},
};

/// Drift reports: what reconciliations found, why, and what became of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline drift                                   the last reports
  syncline drift 17                                every difference of one report, both values side by side
  syncline drift 17 --cause event_missed --json
  syncline drift --mapping customer-account --threshold 1%     exit code 1 if its last report is above that")]
pub struct Args {
    /// The report (the id of its run)
    run: Option<i64>,
    /// Of this mapping
    #[arg(long, conflicts_with = "run")]
    mapping: Option<String>,
    /// Exit code 1 if the last report of a mapping has more drifted records than this (50, or 1%)
    #[arg(long, value_name = "SHARE", conflicts_with = "run")]
    threshold: Option<Share>,
    /// With this situation
    #[arg(long, requires = "run")]
    situation: Option<Situation>,
    /// With this cause
    #[arg(long, requires = "run")]
    cause: Option<Cause>,
    /// Of this field
    #[arg(long, requires = "run")]
    field: Option<String>,
    /// With this outcome
    #[arg(long, requires = "run")]
    outcome: Option<DriftOutcome>,
    /// Of this record, on either side
    #[arg(long, requires = "run")]
    record: Option<String>,
    #[command(flatten)]
    rows: Rows,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        let store = look(context).await?;
        match args.run {
            Some(run_id) => items(context, &store, run_id, args).await,
            None => reports(context, &store, args).await,
        }
    })
}

async fn reports(context: &Context, store: &Store, args: &Args) -> Result {
    let found = store
        .drift_trend(args.mapping.as_deref(), args.rows.page().limit)
        .await?;
    let reports: Vec<Report> = found.into_iter().map(Report::from).collect();
    let head = ["run", "mapping", "when", "match", "drifted", "situations", "causes"];
    context.output.rows(&head, &reports, |report| {
        let summary = report.summary.clone().unwrap_or_default();
        vec![
            report.run_id.to_string(),
            report.mapping.clone(),
            time(report.created_at),
            format!("{:.2} %", report.match_percent),
            report.drifted.to_string(),
            counts(
                summary
                    .situations
                    .iter()
                    .filter(|(situation, _)| **situation != Situation::InSync),
            ),
            counts(summary.causes.iter()),
        ]
    })?;
    Ok(args
        .threshold
        .map_or(Exit::Done, |threshold| judge(context, &reports, threshold)))
}

fn counts<'a, T: ToString + 'a>(counts: impl Iterator<Item = (&'a T, &'a u64)>) -> String {
    let parts: Vec<_> = counts
        .map(|(name, count)| format!("{} {count}", name.to_string()))
        .collect();
    parts.join(", ")
}

/// Looks at the last report of every mapping; the list begins with the newest.
fn judge(context: &Context, reports: &[Report], threshold: Share) -> Exit {
    let mut last: BTreeMap<&str, &Report> = BTreeMap::new();
    for report in reports {
        last.entry(&report.mapping).or_insert(report);
    }
    let mut exit = Exit::Done;
    for report in last.values() {
        let records = report
            .summary
            .as_ref()
            .map_or(0, |summary| summary.left_records.max(summary.right_records));
        if report.drifted > threshold.of(records) {
            let (mapping, drifted) = (&report.mapping, report.drifted);
            context.output.talk(format!(
                "{mapping}: {drifted} of {records} records drifted, more than {threshold}"
            ));
            exit = Exit::Found;
        }
    }
    exit
}

async fn items(context: &Context, store: &Store, run_id: i64, args: &Args) -> Result {
    if store.drift_summary(run_id).await?.is_none() {
        return Err(
            Error::failed(format!("run {run_id} has no drift report")).with_hint("`syncline drift` lists the reports")
        );
    }
    let filter = DriftFilter {
        situation: args.situation,
        cause: args.cause,
        field: args.field.clone(),
        outcome: args.outcome,
        record_id: args.record.clone(),
    };
    let found = store.drift(run_id, &filter, args.rows.page()).await?;
    // Whoever may read the settings and the key of the store may see what is in it.
    let views: Vec<View> = found.into_iter().map(|item| View::of(item, Role::Admin)).collect();
    let head = [
        "id",
        "situation",
        "cause",
        "field",
        "left",
        "right",
        "left value",
        "right value",
        "since",
        "runs",
        "outcome",
        "why",
    ];
    context.output.rows(&head, &views, |item| {
        vec![
            item.drift_id.to_string(),
            item.situation.to_string(),
            item.cause.to_string(),
            maybe(item.field.as_ref()),
            maybe(item.left_id.as_ref()),
            maybe(item.right_id.as_ref()),
            maybe(item.left_value.as_ref()),
            maybe(item.right_value.as_ref()),
            time(item.first_seen_at),
            item.age_runs.to_string(),
            item.outcome.to_string(),
            maybe(item.note.as_ref()),
        ]
    })?;
    Ok(Exit::Done)
}
