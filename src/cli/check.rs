//! `syncline check`: everything that is wrong with what people wrote, in one go.

use std::path::{Path, PathBuf};

use super::{
    Exit,
    context::{Context, block_on},
    error::{Error, Result},
    output::{self, count},
    project::{Survey, is_same_file, survey},
};
use crate::{catalog::diagnostic::Diagnostic, rehearsal};

/// Settings, connectors, mappings and cases: everything that is wrong, in one go.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline check                               every file of the project
  syncline check mappings/contact.yaml         only what is wrong in this one; the others are read all the same
  syncline --env prod check                    against the systems of another environment
  syncline check --json | jq -r .message       one problem a line, for programs

Exit code 1 if anything is wrong. A secret that this machine does not have is a warning: files are often checked elsewhere.")]
pub struct Args {
    /// Only what is wrong in these files
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    context.in_project()?;
    let mut survey = survey(context);
    let of_connectors = block_on(async { Ok(rehearsal::run(&survey.catalog, None).await) })?;
    let problems = of_connectors.iter().flat_map(|(_, report)| &report.problems);
    survey.diagnostics.extend(problems.cloned());
    // How the cases of mappings are written was looked at when they were read; here only what comes of them is new.
    let reports: Vec<_> = of_connectors
        .into_iter()
        .chain(survey.catalog.run_cases(None))
        .collect();
    let cases: usize = reports.iter().map(|(_, report)| report.outcomes.len()).sum();
    for (_, report) in reports {
        survey
            .diagnostics
            .extend(report.outcomes.into_iter().flat_map(|outcome| outcome.misses));
    }
    crate::catalog::diagnostic::sort(&mut survey.diagnostics);
    if !args.files.is_empty() {
        keep_only(context, &args.files, &mut survey)?;
    }
    let errors = survey.diagnostics.iter().filter(|problem| problem.is_error()).count();
    show(context, &survey.diagnostics)?;
    overlays(context, &survey)?;
    context.output.line(closing(&survey, cases, errors))?;
    if survey.settings.is_some() && errors == 0 && mappings(&survey) == 0 {
        context
            .output
            .talk("hint: there is no mapping yet: write mappings/NAME.yaml (docs/mappings.md), or let `syncline init FOLDER` lay out a whole example");
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Found })
}

fn show(context: &Context, diagnostics: &[Diagnostic]) -> Result<()> {
    let style = output::style(&std::io::stdout());
    for diagnostic in diagnostics {
        context.output.line(diagnostic.render(style))?;
        context.output.json(diagnostic)?;
    }
    Ok(())
}

/// Says what is laid over which file: what it means cannot be seen from the file alone.
fn overlays(context: &Context, survey: &Survey) -> Result<()> {
    for (overlay, definition) in &survey.catalog.overlays {
        context.output.line(format!("{overlay} is laid over {definition}"))?;
    }
    Ok(())
}

fn closing(survey: &Survey, cases: usize, errors: usize) -> String {
    let warnings = survey.diagnostics.len() - errors;
    let counted = format!(
        "{}, {}, {}",
        count(files_in(survey, &survey.folders.connectors), "connector"),
        count(mappings(survey), "mapping"),
        count(cases, "case")
    );
    let verdict = match (errors, warnings) {
        (0, 0) => "all well".to_owned(),
        (0, warnings) => format!("no errors, {}", count(warnings, "warning")),
        (errors, 0) => count(errors, "error"),
        (errors, warnings) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    };
    format!("{counted}: {verdict}")
}

/// Mappings that were read, those that are wrong included.
fn mappings(survey: &Survey) -> usize {
    files_in(survey, &survey.folders.mappings)
}

/// Definitions of a folder, without cases.
fn files_in(survey: &Survey, folder: &Path) -> usize {
    let is_counted = |file: &&String| {
        let is_definition = !file.ends_with(".test.yaml") && !file.ends_with(".overlay.yaml");
        is_definition && Path::new(file).parent() == Some(folder)
    };
    survey.catalog.files.keys().filter(is_counted).count()
}

/// Keeps what is wrong in the files that were named. A name that is no file of the project is a mistake of its own: nothing
/// found in it would look like nothing wrong.
fn keep_only(context: &Context, wanted: &[PathBuf], survey: &mut Survey) -> Result<()> {
    let source = &context.source;
    let settings = ["default.toml".to_owned(), format!("{}.toml", source.environment)];
    let settings = settings.map(|name| source.folder.join(name));
    for file in wanted {
        let mut known = survey.catalog.files.keys().map(Path::new);
        let is_known = known.any(|known| is_same_file(known, file))
            || settings.iter().any(|known| is_same_file(known, file))
            || survey
                .diagnostics
                .iter()
                .any(|one| is_same_file(Path::new(&one.file), file));
        if !is_known {
            let hint = format!(
                "connectors are read from {}, mappings and cases from {}, settings from {}",
                survey.folders.connectors.display(),
                survey.folders.mappings.display(),
                source.folder.display()
            );
            return Err(Error::usage(format!("{} is no file of this project", file.display())).with_hint(hint));
        }
    }
    survey.diagnostics.retain(|one| {
        let file = Path::new(&one.file);
        wanted.iter().any(|wanted| is_same_file(file, wanted))
    });
    Ok(())
}
