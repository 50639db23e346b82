//! `syncline drift`: what reconciliations found, why, and what became of it.

mod explain;
mod export;
mod items;
mod list;
mod show;
mod trend;

use std::str::FromStr;

use super::{
    context::{Context, block_on},
    error::{Error, Result},
    list::{Rows, look},
    project::unknown,
};
use crate::{
    core::{mapping::Mapping, period::Share, status::Sides},
    report::Overview,
    settings::Settings,
    store::Store,
};
use items::Filters;

/// Drift reports: what reconciliations found, why, and what became of it.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_precedence_over_arg = true,
    after_help = "\
Examples:
  syncline drift                                   the last reports
  syncline drift show customer-account             the last report of a mapping at a glance, with what to do next
  syncline drift items 17 --cause event_missed     its differences, both values side by side
  syncline drift trend customer-account            whether it is getting better
  syncline drift export 17 --format xlsx --out drift.xlsx
  syncline drift explain erp:7                     everything that happened to one record
  syncline drift --mapping customer-account --threshold 1%     exit code 1 if its last report is above that

docs/drift-reports.md explains every number, situation and cause."
)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// The report (the id of its run): its differences, as `items` shows them
    run: Option<i64>,
    /// Of this mapping
    #[arg(long, conflicts_with = "run")]
    mapping: Option<String>,
    /// Exit code 1 if the last report of a mapping has more drifted records than this (50, or 1%)
    #[arg(long, value_name = "SHARE", conflicts_with = "run")]
    threshold: Option<Share>,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    rows: Rows,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// A report at a glance, with what to do next
    Show(show::Args),
    /// The differences of a report, both values side by side
    Items(items::Args),
    /// Whether it is getting better: the last reports, point by point
    Trend(trend::Args),
    /// A report as a file: JSON Lines, CSV, a spreadsheet, or a page for mail
    Export(export::Args),
    /// One record's whole story in order of time
    Explain(explain::Args),
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        match &args.action {
            Some(Action::Show(args)) => show::run(context, args).await,
            Some(Action::Items(args)) => items::run(context, args).await,
            Some(Action::Trend(args)) => trend::run(context, args).await,
            Some(Action::Export(args)) => export::run(context, args).await,
            Some(Action::Explain(args)) => Box::pin(explain::run(context, args)).await,
            None => {
                let store = look(context).await?;
                match args.run {
                    Some(run_id) => {
                        let report = ReportArg::Run(run_id).read(&store).await?;
                        items::list(context, &store, report.run_id, &args.filters, args.rows).await
                    }
                    None if args.filters.is_any() => {
                        Err(Error::usage("this filter is one of differences, not of reports")
                            .with_hint("`syncline drift items` lists the differences of the newest report"))
                    }
                    None => list::run(context, &store, args).await,
                }
            }
        }
    })
}

/// A report as it is named on the command line: by its run, or the last one of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ReportArg {
    Run(i64),
    Mapping(String),
}

impl FromStr for ReportArg {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Mapping(text.to_owned()), Self::Run))
    }
}

impl ReportArg {
    async fn read(&self, store: &Store) -> Result<Overview> {
        match self {
            Self::Run(run_id) => {
                let found = store.drift_summary(*run_id).await?;
                found.map(Overview::from).ok_or_else(|| {
                    Error::failed(format!("run {run_id} has no drift report"))
                        .with_hint("`syncline drift` lists the reports")
                })
            }
            Self::Mapping(name) => {
                let found = store.drift_trend(Some(name), 1).await?;
                let Some(last) = found.into_iter().next() else {
                    return Err(no_report(store, name).await?);
                };
                Ok(last.into())
            }
        }
    }
}

/// The report that is named, or the newest one.
async fn report_of(store: &Store, named: Option<&ReportArg>) -> Result<Overview> {
    if let Some(named) = named {
        return named.read(store).await;
    }
    let newest = store.drift_trend(None, 1).await?;
    newest
        .into_iter()
        .next()
        .map(Overview::from)
        .ok_or_else(|| none_yet("there is no drift report yet"))
}

async fn no_report(store: &Store, mapping: &str) -> Result<Error> {
    let reports = store.drift_trend(None, 1_000).await?;
    let mut names: Vec<&str> = reports.iter().map(|report| report.mapping.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    Ok(if names.is_empty() {
        none_yet(format!("there is no drift report of `{mapping}` yet"))
    } else {
        unknown("mapping with a report", mapping, names.into_iter())
    })
}

fn none_yet(message: impl Into<String>) -> Error {
    Error::failed(message.into())
        .with_hint("`syncline reconcile MAPPING --report-only` makes one without repairing anything")
}

/// What people call both sides of a mapping: its systems, or left and right where its file is not there or not right.
fn systems(context: &Context, settings: &Settings, mapping: &str) -> Sides<String> {
    let catalog = context.loaded(settings).catalog;
    let known = catalog.in_order().find(|known| known.name == mapping);
    known.map_or_else(
        || Sides {
            left: "left".to_owned(),
            right: "right".to_owned(),
        },
        |mapping| names(mapping),
    )
}

fn names(mapping: &Mapping) -> Sides<String> {
    Sides::of(|side| mapping.end(side).system.clone())
}

/// A count with its thousands apart: `12,345`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_named_by_its_run_or_its_mapping() {
        assert_eq!("17".parse(), Ok(ReportArg::Run(17)));
        assert_eq!("contact".parse(), Ok(ReportArg::Mapping("contact".to_owned())));
    }

    #[test]
    fn thousands_stand_apart() {
        let told: Vec<String> = [0, 999, 1_000, 1_234_567].map(grouped).to_vec();
        assert_eq!(told, ["0", "999", "1,000", "1,234,567"]);
    }
}
