//! `syncline drift items`: the differences of a report.

use super::{ReportArg, report_of};
use crate::{
    cli::{
        Exit,
        context::Context,
        error::Result,
        list::{Rows, look, maybe, time},
    },
    clock::Clock,
    core::{
        period::Period,
        status::{Cause, DriftOutcome, Role, Side, Situation},
    },
    report::{View, words},
    store::{Store, drift::DriftFilter},
};

/// The differences of a report, both values side by side.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline drift items                                 the newest report
  syncline drift items customer-account --field name   one field of the last report of a mapping
  syncline drift items 17 --side right --older-than 7d --json
  syncline drift items 17 --limit 1000 --before 8123   the next page: before the last id of the page before")]
pub(super) struct Args {
    /// The report: the id of its run, or a mapping for its last one
    #[arg(value_name = "REPORT|MAPPING")]
    report: Option<ReportArg>,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    rows: Rows,
}

/// Which differences.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Filters {
    /// With this situation
    #[arg(long)]
    situation: Option<Situation>,
    /// With this cause
    #[arg(long)]
    cause: Option<Cause>,
    /// Of this field
    #[arg(long)]
    field: Option<String>,
    /// With this outcome
    #[arg(long)]
    outcome: Option<DriftOutcome>,
    /// Of this record, on either side
    #[arg(long)]
    record: Option<String>,
    /// Where this side changed last: left or right
    #[arg(long)]
    side: Option<Side>,
    /// First seen longer ago than this (12h, 7d)
    #[arg(long, value_name = "TIME")]
    older_than: Option<Period>,
}

impl Filters {
    /// Whether any is given.
    pub(super) const fn is_any(&self) -> bool {
        self.situation.is_some()
            || self.cause.is_some()
            || self.field.is_some()
            || self.outcome.is_some()
            || self.record.is_some()
            || self.side.is_some()
            || self.older_than.is_some()
    }

    pub(super) fn of(&self, clock: &Clock) -> DriftFilter {
        DriftFilter {
            situation: self.situation,
            cause: self.cause,
            field: self.field.clone(),
            outcome: self.outcome,
            record_id: self.record.clone(),
            side: self.side,
            first_seen_by: self.older_than.map(|period| clock.now() - period.duration()),
        }
    }
}

pub(super) async fn run(context: &Context, args: &Args) -> Result {
    let store = look(context).await?;
    let report = report_of(&store, args.report.as_ref()).await?;
    list(context, &store, report.run_id, &args.filters, args.rows).await
}

pub(super) async fn list(context: &Context, store: &Store, run_id: i64, filters: &Filters, rows: Rows) -> Result {
    let filter = filters.of(&context.clock);
    let found = store.drift(run_id, &filter, rows.page()).await?;
    let is_full = found.len() >= rows.page().limit as usize;
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
        "changed",
        "since",
        "runs",
        "outcome",
        "evidence",
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
            maybe(item.last_changed_side),
            time(item.first_seen_at),
            item.age_runs.to_string(),
            item.outcome.to_string(),
            words::evidence(&[("event", item.event_id), ("failure", item.failure_id)]),
            maybe(item.note.as_ref()),
        ]
    })?;
    if is_full && let Some(last) = views.last() {
        let count = store.drift_count(run_id, &filter).await?;
        context
            .output
            .talk(format!("{count} in all; the next page: --before {}", last.drift_id));
    }
    Ok(Exit::Done)
}
