//! The last reports, and whether one of them is above a threshold.

use std::collections::BTreeMap;

use super::Args;
use crate::{
    cli::{
        Exit,
        context::Context,
        error::Result,
        list::{check_mapping, time},
    },
    core::period::Share,
    report::Overview,
    store::Store,
};

pub(super) async fn run(context: &Context, store: &Store, args: &Args) -> Result {
    let found = store.drift_reports(args.mapping.as_deref(), args.rows.page()).await?;
    check_mapping(context, args.mapping.as_deref(), found.is_empty())?;
    let reports: Vec<Overview> = found.into_iter().map(Overview::from).collect();
    let head = ["run", "mapping", "when", "match", "drifted", "situations", "causes"];
    context.output.rows(&head, &reports, |report| {
        vec![
            report.run_id.to_string(),
            report.mapping.clone(),
            time(report.created_at),
            format!("{:.2} %", report.match_percent),
            report.drifted.to_string(),
            counts(&report.situations()),
            counts(&report.causes()),
        ]
    })?;
    Ok(args
        .threshold
        .map_or(Exit::Done, |threshold| judge(context, &reports, threshold)))
}

pub(super) fn counts<T: ToString>(counts: &[(T, u64)]) -> String {
    let parts: Vec<_> = counts
        .iter()
        .map(|(name, count)| format!("{} {count}", name.to_string()))
        .collect();
    parts.join(", ")
}

/// Looks at the last report of everything of every mapping; the list begins with the newest.
fn judge(context: &Context, reports: &[Overview], threshold: Share) -> Exit {
    let mut last: BTreeMap<&str, &Overview> = BTreeMap::new();
    let is_whole = |report: &&Overview| report.summary.as_ref().is_none_or(|summary| summary.since.is_none());
    for report in reports.iter().filter(is_whole) {
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
