//! `syncline drift show`: a report at a glance.

use std::io;

use super::{ReportArg, grouped, list::counts, none_yet, systems};
use crate::{
    cli::{Exit, context::Context, error::Result, list::time},
    core::{
        drift::{Oldest, Report, Summary},
        status::{Cause, RunStatus, Sides},
    },
    report::{Overview, words},
    store::{Access, Store, run::Run},
    telemetry::harmless,
};

/// A report at a glance, with what to do next.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline drift show                       the last report of every mapping
  syncline drift show customer-account      the last report of one
  syncline drift show 17 --json             any report, as JSON")]
pub(super) struct Args {
    /// The report: the id of its run, or a mapping for its last one
    #[arg(value_name = "REPORT|MAPPING")]
    report: Option<ReportArg>,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result {
    let settings = context.settings()?;
    let store = context.store(&settings, Access::Read).await?;
    let reports = match &args.report {
        Some(report) => vec![report.read(&store).await?],
        None => last_of_each(&store).await?,
    };
    if reports.is_empty() {
        return Err(none_yet("there is no drift report yet"));
    }
    for report in reports {
        let names = systems(context, &settings, &report.mapping);
        show(context, &store, &report, &names).await?;
    }
    Ok(Exit::Done)
}

/// The last report of every mapping that had one lately.
async fn last_of_each(store: &Store) -> Result<Vec<Overview>> {
    let mut reports: Vec<Overview> = Vec::new();
    for stored in store.drift_trend(None, 1_000).await? {
        if reports.iter().all(|known| known.mapping != stored.mapping) {
            reports.push(stored.into());
        }
    }
    reports.sort_by(|one, other| one.mapping.cmp(&other.mapping));
    Ok(reports)
}

async fn show(context: &Context, store: &Store, report: &Overview, names: &Sides<String>) -> Result<()> {
    let out = context.output;
    out.json(report)?;
    if out.is_json() {
        return Ok(());
    }
    let run = store.run(report.run_id).await?;
    let before = store
        .drift_trend_before(Some(&report.mapping), Some(report.run_id), 1)
        .await?;
    let before = before.into_iter().next().map(Overview::from);
    let glance = Glance {
        report,
        run: run.as_ref(),
        before: before.as_ref(),
        names,
    };
    for line in glance.lines() {
        out.line(line)?;
    }
    next_steps(context, report, run.as_ref())?;
    Ok(())
}

struct Glance<'a> {
    report: &'a Overview,
    run: Option<&'a Run>,
    before: Option<&'a Overview>,
    names: &'a Sides<String>,
}

impl Glance<'_> {
    fn lines(&self) -> Vec<String> {
        let report = self.report;
        let run = self
            .run
            .map(|run| format!(" ({}, {})", run.kind, run.status))
            .unwrap_or_default();
        let mut lines = vec![
            format!(
                "{}: report {} of {}{run}",
                report.mapping,
                report.run_id,
                time(report.created_at)
            ),
            line(
                "match score",
                format!("{:.2} %{}", report.match_percent, self.against()),
            ),
        ];
        if let Some(note) = self.run.and_then(|run| run.note.as_ref()) {
            lines.push(line("note", harmless(note)));
        }
        if let Some(report) = &report.report {
            lines.extend(self.numbers(report));
        }
        // Where only what changed was compared, the note says so.
        let is_short = |summary: &Summary| !summary.complete && summary.since.is_none();
        if report.summary.as_ref().is_some_and(is_short) {
            lines.push(line(
                "incomplete",
                "a listing did not come to its end: missing records were left alone",
            ));
        }
        for (what, counts) in [
            ("by situation", counts(&report.situations())),
            ("by cause", counts(&report.causes())),
            (
                "worst fields",
                counts(report.fields().get(..8).unwrap_or(&report.fields())),
            ),
        ] {
            if !counts.is_empty() {
                lines.push(line(what, harmless(&counts)));
            }
        }
        for new in report.new_fields() {
            let told = format!("{} {}: {}", new.system, new.object, new.told());
            lines.push(line("new fields", harmless(&told)));
        }
        lines.extend(self.oldest());
        for (value, times) in report.unmapped().iter().take(5) {
            lines.push(line("no partner", format!("{} ({times} ×)", harmless(value))));
        }
        lines
    }

    /// How the score stands against the report before.
    fn against(&self) -> String {
        let Some(before) = self.before else {
            return String::new();
        };
        let change = self.report.match_percent - before.match_percent;
        let sign = if change > 0.004 {
            "▲ "
        } else if change < -0.004 {
            "▼ "
        } else {
            return format!("   as in report {}", before.run_id);
        };
        format!("   {sign}{:.2} since report {}", change.abs(), before.run_id)
    }

    fn numbers(&self, report: &Report) -> Vec<String> {
        let numbers = &report.numbers;
        let told = |number: u64| grouped(number);
        let filtered = match numbers.filtered {
            0 => String::new(),
            filtered => format!(", {} filtered", told(filtered)),
        };
        let (compared, in_step, drifted) = (told(numbers.compared), told(numbers.in_step), told(numbers.drifted));
        let (missing_left, missing_right) = (told(numbers.missing_left), told(numbers.missing_right));
        let (conflicts, ignored, in_flux) = (told(numbers.conflicts), told(numbers.ignored), told(numbers.in_flux));
        let (items, repaired, failed) = (told(numbers.items), told(numbers.repaired), told(numbers.failed));
        let Sides { left, right } = self.names;
        let mut lines = vec![
            line(
                "compared",
                format!("{compared}: {in_step} in step, {drifted} drifted{filtered}"),
            ),
            line(
                "missing",
                format!("{missing_left} in {left}, {missing_right} in {right}"),
            ),
            line(
                "to decide",
                format!("{conflicts} in conflict, {ignored} ignored; {in_flux} in flux"),
            ),
            line("differences", format!("{items}: {repaired} repaired, {failed} failed")),
        ];
        if let Some(since) = report.since {
            let (new, still) = (told(since.new), told(since.still));
            let (returned, gone) = (told(since.returned), told(since.gone));
            let text = format!("{new} new, {still} still there, {returned} back again, {gone} gone");
            lines.push(line("since last", text));
        }
        lines
    }

    fn oldest(&self) -> Vec<String> {
        let oldest = self.report.report.iter().flat_map(|report| &report.oldest);
        let old = oldest.filter(|item| item.age_runs > 1).take(3);
        old.map(|item| line("oldest", harmless(&told(item)))).collect()
    }
}

fn told(item: &Oldest) -> String {
    let id = |id: &Option<String>| id.clone().unwrap_or_else(|| "–".to_owned());
    format!(
        "{} ↔ {}, {}: since {}, in {} reports, {}",
        id(&item.left_id),
        id(&item.right_id),
        item.field.as_deref().unwrap_or_else(|| item.situation.as_str()),
        time(item.first_seen_at),
        item.age_runs,
        item.cause
    )
}

fn line(what: &str, text: impl AsRef<str>) -> String {
    let text = text.as_ref();
    format!("  {what:12}  {text}")
}

/// What a person may want to do about a report.
fn next_steps(context: &Context, report: &Overview, run: Option<&Run>) -> io::Result<()> {
    let id = report.run_id;
    let mut steps = Vec::new();
    if run.is_some_and(|run| run.status == RunStatus::Held) {
        steps.push((
            format!("syncline runs release {id}"),
            "do all the same what this run planned",
        ));
    }
    for (cause, _) in report
        .causes()
        .into_iter()
        .filter(|(cause, _)| *cause != Cause::Unknown)
        .take(3)
    {
        steps.push((
            format!("syncline drift items {id} --cause {cause}"),
            words::next_step(cause),
        ));
    }
    if report.report.as_ref().is_some_and(|report| report.numbers.failed > 0) {
        steps.push((
            format!("syncline failures --run {id}"),
            "what failed, and what to do about it",
        ));
    }
    if report.drifted > 0 {
        steps.push((
            format!("syncline drift export {id} --format xlsx --out drift-{id}.xlsx"),
            "the whole list as a spreadsheet",
        ));
    }
    let new = report.new_fields().iter();
    steps.extend(new.map(|new| (new.next_step(), "the new fields, with their types")));
    if steps.is_empty() {
        return Ok(());
    }
    context.output.line("next:")?;
    for (command, why) in steps {
        context.output.line(format!("  {command}\n      {why}"))?;
    }
    Ok(())
}
