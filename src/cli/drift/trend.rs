//! `syncline drift trend`: whether it is getting better.

use super::{no_report, none_yet};
use crate::{
    cli::{
        Exit,
        context::Context,
        error::Result,
        list::{look, maybe, time},
    },
    report::{Overview, overview::Point},
};

/// Whether it is getting better: the last reports, point by point, newest first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline drift trend customer-account
  syncline drift trend customer-account --limit 90 --json | jq -r '[.created_at, .match_percent] | @csv'")]
pub(super) struct Args {
    /// The mapping; all of them where none is named
    mapping: Option<String>,
    /// The most reports
    #[arg(long, default_value_t = 30, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=365))]
    limit: u32,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result {
    let store = look(context).await?;
    let reports = store.drift_trend(args.mapping.as_deref(), args.limit).await?;
    if reports.is_empty() {
        return Err(match &args.mapping {
            Some(mapping) => no_report(&store, mapping).await?,
            None => none_yet("there is no drift report yet"),
        });
    }
    let points: Vec<Point> = reports
        .into_iter()
        .map(|stored| Point::from(&Overview::from(stored)))
        .collect();
    let head = [
        "run", "mapping", "when", "match", "", "compared", "drifted", "new", "gone", "repaired",
    ];
    context.output.rows(&head, &points, |point| {
        vec![
            point.run_id.to_string(),
            point.mapping.clone(),
            time(point.created_at),
            format!("{:.2} %", point.match_percent),
            bar(point.match_percent),
            point.compared.to_string(),
            point.drifted.to_string(),
            maybe(point.new),
            maybe(point.gone),
            point.repaired.to_string(),
        ]
    })?;
    Ok(Exit::Done)
}

/// The match score as a bar: every block is a tenth.
fn bar(percent: f64) -> String {
    let full = (1..=10).filter(|tenth| percent >= f64::from(*tenth) * 10.0).count();
    format!("{}{}", "█".repeat(full), "░".repeat(10 - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_only_at_a_hundred() {
        assert_eq!(bar(100.0), "██████████");
        assert_eq!(bar(99.99), "█████████░");
        assert_eq!(bar(0.0), "░░░░░░░░░░");
    }
}
