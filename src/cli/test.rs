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
use crate::catalog::{
    case::{self, Difference, mapping::coverage::Coverage},
    load::definition_of,
    overlay,
};

/// The cases beside mappings and connectors, through the planner and the client that the daemon uses.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline test                         every case
  syncline test customer-account        those of one mapping
  syncline test salesforce              those of one connector
  syncline test --json | jq 'select(.holds | not)'
  syncline test --coverage              and which parts of the mappings no case touches
  syncline test --min-coverage 90       exit code 1 where the cases of a mapping touch less

A case that fails shows what it expected (-) and what came (+); of a mapping, also why the planner decided so. Exit code 1
if one fails. docs/mappings.md and docs/connectors.md say how cases are written. Nothing is sent to any system.")]
pub struct Args {
    /// Only the cases of these mappings and connectors
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Also tells which fields, values, conditions and filters of mappings no case touches
    #[arg(long)]
    coverage: bool,
    /// The least share of a mapping that its cases must touch; also of those without cases
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,
}

/// How much of a mapping its cases touch, for programs.
#[derive(Serialize)]
struct Covered<'a> {
    mapping: &'a str,
    percent: usize,
    #[serde(flatten)]
    coverage: Coverage,
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
    let lacking = cover(context, &survey, args)?;
    context.output.line(tally.closing())?;
    for name in &lacking {
        context.output.talk(format!(
            "hint: write cases of `{name}`, or ask for less with --min-coverage"
        ));
    }
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
    let is_ok = tally.failed == 0 && broken == 0 && lacking.is_empty();
    Ok(if is_ok { Exit::Done } else { Exit::Found })
}

/// Shows how much of each mapping its cases touch, where that was asked for; those that are touched too little.
fn cover<'s>(context: &Context, survey: &'s Survey, args: &Args) -> Result<Vec<&'s str>> {
    let mut lacking = Vec::new();
    if !args.coverage && args.min_coverage.is_none() {
        return Ok(lacking);
    }
    let is_wanted = |name: &str| args.names.is_empty() || args.names.iter().any(|wanted| wanted == name);
    for name in survey.catalog.mapping_names().filter(|name| is_wanted(name)) {
        let Some(coverage) = survey.catalog.coverage(name) else {
            continue;
        };
        let percent = coverage.percent();
        let is_lacking = args.min_coverage.is_some_and(|least| percent < usize::from(least));
        context.output.line(format!(
            "{name}: its cases touch {} of {} parts ({percent} %)",
            coverage.touched, coverage.parts
        ))?;
        if args.coverage || is_lacking {
            for part in &coverage.untouched {
                context.output.line(format!("  untouched: {part}"))?;
            }
        }
        context.output.json(&Covered {
            mapping: name,
            percent,
            coverage,
        })?;
        if is_lacking {
            lacking.push(name);
        }
    }
    Ok(lacking)
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
        let cases = catalog.cases().keys().chain(catalog.connector_cases().keys());
        let names: BTreeSet<&str> = cases.map(|cases| definition_of(cases)).collect();
        return Ok(names.into_iter().map(str::to_owned).collect());
    }
    for name in wanted {
        if !known().any(|known| known == name) {
            return Err(unknown("mapping or connector", name, known()));
        }
    }
    Ok(wanted.to_vec())
}

/// The mapping or connector that a file of the catalog declares, or is laid over.
fn name_of(file: &str) -> Option<&str> {
    let name = std::path::Path::new(file).file_name()?.to_str()?;
    let name = name.strip_suffix(".yaml")?;
    let name = overlay::of(name).unwrap_or(name);
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
