//! `syncline doctor`: tries everything that Syncline needs, and says what to do about what it finds.

mod own;
mod system;

use serde::Serialize;

use super::{
    Exit,
    context::{Context, block_on},
    error::Result,
    output::count,
};
use crate::settings::{self, Settings};

/// Tries everything that Syncline needs, and says what to do about what it finds.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline doctor                     settings, database, keys, files, every system, webhooks, schedule
  syncline doctor crm                 only what concerns this system
  syncline --env prod doctor --json | jq 'select(.state == \"wrong\")'

Nothing is changed: systems are signed in to and one page of each mapped object is read. Exit code 1 if something is wrong.")]
pub struct Args {
    /// Only these systems
    #[arg(value_name = "SYSTEM")]
    systems: Vec<String>,
}

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// As it should be.
    Good,
    /// Works, and deserves a look.
    Notable,
    /// Does not work.
    Wrong,
}

/// One thing that was tried.
#[derive(Debug, Serialize)]
struct Finding {
    state: State,
    /// What was tried: `settings`, `database`, `system crm`.
    part: String,
    found: String,
    /// What to do next.
    next: Option<String>,
}

impl Finding {
    fn good(part: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            state: State::Good,
            part: part.into(),
            found: found.into(),
            next: None,
        }
    }

    fn notable(part: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            state: State::Notable,
            ..Self::good(part, found)
        }
    }

    fn wrong(part: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            state: State::Wrong,
            ..Self::good(part, found)
        }
    }

    fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    const fn mark(&self) -> &'static str {
        match self.state {
            State::Good => "✓",
            State::Notable => "!",
            State::Wrong => "✗",
        }
    }
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    context.in_project()?;
    block_on(async {
        let mut findings = Vec::new();
        match settings::load(&context.source, context.clock.now()) {
            Ok((settings, warnings)) => {
                findings.extend(own::settings(context, &settings, &warnings));
                known(&settings, &args.systems)?;
                examine(context, &settings, &args.systems, &mut findings).await?;
            }
            Err(problems) => findings.push(own::wrong_settings(context, &problems)),
        }
        show(context, &findings)
    })
}

/// Refuses names of systems that are not there.
fn known(settings: &Settings, wanted: &[String]) -> Result<()> {
    let names = || settings.systems.keys().map(String::as_str);
    match wanted.iter().find(|name| !settings.systems.contains_key(*name)) {
        Some(name) => Err(super::project::unknown("system", name, names())),
        None => Ok(()),
    }
}

async fn examine(context: &Context, settings: &Settings, wanted: &[String], findings: &mut Vec<Finding>) -> Result<()> {
    let loaded = context.loaded(settings);
    if wanted.is_empty() {
        findings.push(own::catalog(&loaded));
        findings.extend(own::database(context, settings).await);
        findings.extend(own::schedule(settings, &loaded.catalog));
        findings.extend(own::webhooks(settings));
    }
    let chosen = settings
        .systems
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.contains(name));
    let scratch = system::Scratch::open(context).await?;
    for (name, given) in chosen {
        context.output.talk(format!("trying {name} …"));
        let mut tried = system::examine(context, settings, &loaded.catalog, &scratch, name, given).await;
        findings.append(&mut tried);
    }
    scratch.close().await;
    Ok(())
}

fn show(context: &Context, findings: &[Finding]) -> Result {
    let out = context.output;
    out.rows(&["", "what", "found", "next"], findings, |finding| {
        vec![
            finding.mark().to_owned(),
            finding.part.clone(),
            finding.found.clone(),
            finding.next.clone().unwrap_or_default(),
        ]
    })?;
    let of = |state: State| findings.iter().filter(|finding| finding.state == state).count();
    let (wrong, notable) = (of(State::Wrong), of(State::Notable));
    let verdict = match (wrong, notable) {
        (0, 0) => "everything is well".to_owned(),
        (0, notable) => format!("nothing is wrong, {} to look at", count(notable, "thing")),
        (wrong, _) => format!("{} wrong", count(wrong, "thing")),
    };
    out.line(verdict)?;
    Ok(if wrong == 0 { Exit::Done } else { Exit::Found })
}
