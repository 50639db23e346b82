//! `syncline doctor`: tries everything that Syncline needs, and says what to do about what it finds.

pub(super) mod advice;
mod clocks;
mod own;
mod reach;
mod show;
mod system;

use std::collections::BTreeMap;

use serde::Serialize;

pub(super) use system::Scratch;

use super::{
    context::{Context, block_on},
    error::Result,
};
use crate::{
    client::TroubleKind,
    settings::{self, Settings},
    store::Access,
};

/// Tries everything that Syncline needs, and says what to do about what it finds.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline doctor                     settings, database, keys, files, every system, webhooks, schedule
  syncline doctor crm                 only what concerns this system
  syncline --env prod doctor --json | jq 'select(.state == \"wrong\")'

Nothing is changed: systems are signed in to, the first page of each object that can be listed is read, and the filter by time
of change is tried out. Exit code 1 if something is wrong.")]
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
    /// The object of the system it is about, or `clock`, `rate limit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    found: String,
    /// What to do next.
    next: Option<String>,
    /// Why an object could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<TroubleKind>,
    /// What was measured, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    look: Option<Look>,
}

/// What was measured at one object.
#[derive(Debug, Clone, Default, Serialize)]
struct Look {
    took_ms: u64,
    /// The HTTP status.
    status: u16,
    /// Records on the first page.
    records: usize,
    has_more: bool,
    /// How far the system's clock is ahead of ours.
    clock_skew_s: Option<i64>,
    /// The headers in which the system tells about its own limits.
    limits: BTreeMap<String, String>,
    /// Whether the filter by time of change filters; absent where there is none, or it could not be tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    filters_changes: Option<bool>,
}

impl Finding {
    fn good(part: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            state: State::Good,
            part: part.into(),
            about: None,
            found: found.into(),
            next: None,
            trouble: None,
            look: None,
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

    fn about(mut self, about: impl Into<String>) -> Self {
        self.about = Some(about.into());
        self
    }

    fn with_look(mut self, look: Look) -> Self {
        self.look = Some(look);
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
        show::all(context.output, &findings)
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
        findings.push(own::catalog(&loaded).await);
        findings.extend(own::database(context, settings).await);
        findings.extend(own::schedule(settings, &loaded.catalog));
        findings.extend(own::webhooks(settings));
        findings.extend(own::notices(context, settings).await);
    }
    let chosen = settings
        .systems
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.contains(name));
    let scratch = Scratch::open(context).await?;
    // Where there is none, that was told already.
    let own = context.store(settings, Access::Read).await.ok();
    for (name, given) in chosen {
        context.output.talk(format!("trying {name} …"));
        let mut tried = system::examine(context, settings, &loaded, &scratch, name, given).await;
        findings.append(&mut tried);
        if let Some(store) = &own {
            findings.extend(system::quota(store, &loaded.catalog, settings, name, given).await);
        }
    }
    if let Some(store) = own {
        store.close().await;
    }
    scratch.close().await;
    Ok(())
}
