//! `syncline test`: the cases beside mappings and connectors, through the planner and the client that the daemon uses.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    Exit,
    context::{Context, block_on},
    error::Result,
    output::{self, count},
    project::{Survey, run_cases, survey, unknown},
};
use crate::catalog::case::{self, Difference};

/// The cases beside mappings and connectors, through the planner and the client that the daemon uses.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline test                         every case
  syncline test customer-account        those of one mapping
  syncline test salesforce              those of one connector
  syncline test --json | jq 'select(.holds | not)'

A case that fails shows what it expected (-) and what came (+); of a mapping, also why the planner decided so. Exit code 1
if one fails. docs/mappings.md and docs/connectors.md say how cases are written. Nothing is sent to any system.")]
pub struct Args {
    /// Only the cases of these mappings and connectors
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// One case, for programs.
#[derive(Serialize)]
struct View<'a> {
    /// The mapping or connector.
    of: &'a str,
    case: &'a str,
    file: &'a str,
    line: Option<usize>,
    holds: bool,
    differences: &'a [Difference],
    /// What is wrong in the case itself, or why the planner decided otherwise.
    problems: Vec<&'a str>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    context.in_project()?;
    let survey = survey(context);
    let names = chosen(&survey, &args.names)?;
    let mut tally = Tally::default();
    let reports = block_on(async {
        let mut reports = Vec::new();
        for name in &names {
            reports.extend(run_cases(&survey.catalog, Some(name)).await);
        }
        Ok(reports)
    })?;
    for (name, report) in &reports {
        tally.definitions += 1;
        show(context, name, report, &mut tally)?;
    }
    let broken = broken(context, &survey, &names)?;
    context.output.line(tally.closing())?;
    if broken > 0 {
        context
            .output
            .talk("hint: what is wrong above keeps other cases from being run");
    }
    if tally.cases == 0 && broken == 0 {
        context
            .output
            .talk("hint: cases stand beside their mapping or connector, in mappings/<name>.test.yaml");
    }
    let is_ok = tally.failed == 0 && broken == 0;
    Ok(if is_ok { Exit::Done } else { Exit::Found })
}

#[derive(Default)]
struct Tally {
    definitions: usize,
    cases: usize,
    failed: usize,
}

impl Tally {
    fn closing(&self) -> String {
        let ran = format!(
            "{} of {}",
            count(self.cases, "case"),
            count(self.definitions, "definition")
        );
        match self.failed {
            0 => format!("{ran}: all hold"),
            1 => format!("{ran}: 1 fails"),
            failed => format!("{ran}: {failed} fail"),
        }
    }
}

/// The mappings and connectors whose cases are to be run.
fn chosen(survey: &Survey, wanted: &[String]) -> Result<Vec<String>> {
    let known = || survey.catalog.files.keys().filter_map(|file| name_of(file));
    if wanted.is_empty() {
        let catalog = &survey.catalog;
        let names: BTreeSet<&String> = catalog.cases().keys().chain(catalog.connector_cases().keys()).collect();
        return Ok(names.into_iter().cloned().collect());
    }
    for name in wanted {
        if !known().any(|known| known == name) {
            return Err(unknown("mapping or connector", name, known()));
        }
    }
    Ok(wanted.to_vec())
}

/// The mapping or connector that a file of the catalog declares.
fn name_of(file: &str) -> Option<&str> {
    let name = std::path::Path::new(file).file_name()?.to_str()?;
    let name = name.strip_suffix(".yaml")?;
    (!name.contains('.')).then_some(name)
}

fn show(context: &Context, of: &str, report: &case::Report, tally: &mut Tally) -> Result<()> {
    context.output.line(format!("{of}  ({})", report.file))?;
    for outcome in &report.outcomes {
        tally.cases += 1;
        let holds = outcome.misses.is_empty();
        tally.failed += usize::from(!holds);
        let line = outcome
            .misses
            .first()
            .and_then(|miss| miss.place.as_ref())
            .map(|place| place.line);
        context.output.json(&View {
            of,
            case: &outcome.name,
            file: &report.file,
            line,
            holds,
            differences: &outcome.differences,
            problems: outcome.misses.iter().map(|miss| miss.message.as_str()).collect(),
        })?;
        if holds {
            context.output.line(format!("  ✓ {}", outcome.name))?;
        } else {
            failing(context, report, outcome, line)?;
        }
    }
    for problem in &report.problems {
        tally.failed += usize::from(problem.is_error());
        context.output.json(problem)?;
        context.output.line(problem.render(output::style(&std::io::stdout())))?;
    }
    Ok(())
}

/// What a failing case expected, and what came.
fn failing(context: &Context, report: &case::Report, outcome: &case::Outcome, line: Option<usize>) -> Result<()> {
    let place = line.map_or_else(String::new, |line| format!("  ({}:{line})", report.file));
    context.output.line(format!("  ✗ {}{place}", outcome.name))?;
    for difference in &outcome.differences {
        context.output.line(format!("      {}", difference.what))?;
        context.output.line(format!(
            "        - {}",
            difference.expected.as_deref().unwrap_or("nothing")
        ))?;
        context.output.line(format!(
            "        + {}",
            difference.found.as_deref().unwrap_or("nothing")
        ))?;
    }
    if outcome.differences.is_empty() {
        for miss in &outcome.misses {
            context.output.line(format!("      {}", miss.message))?;
        }
    }
    if let Some(hint) = outcome.misses.iter().find_map(|miss| miss.hint.as_deref()) {
        context.output.line(format!("      {hint}"))?;
    }
    Ok(())
}

/// Shows what keeps a wanted definition's cases from being run; how many such problems there are.
fn broken(context: &Context, survey: &Survey, names: &[String]) -> Result<usize> {
    let is_concerned = |file: &str| name_of(file).is_some_and(|name| names.iter().any(|wanted| wanted == name));
    let problems = survey
        .diagnostics
        .iter()
        .filter(|problem| problem.is_error() && is_concerned(&problem.file));
    let mut count = 0;
    for problem in problems {
        count += 1;
        context.output.json(problem)?;
        context.output.line(problem.render(output::style(&std::io::stdout())))?;
    }
    Ok(count)
}
