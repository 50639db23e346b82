//! `syncline record`: cases out of what a live system answers, with personal data replaced.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    Exit,
    connector::reach,
    context::Context,
    error::{Error, Result},
    output::{count, print},
    project::unknown,
};
use crate::{
    client::System,
    core::value::{Map, Value},
    rehearsal::{
        self,
        record::{self, Recorded, Treatment},
    },
    settings::Settings,
    telemetry::harmless,
};

/// Cases out of what a live system answers: pages, records and searches, with personal data replaced. Nothing is written to the
/// system.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline record crm                          every object that can be listed, into connectors/<connector>.recorded.test.yaml
  syncline record crm account --records 5      one object, up to five records of its first page
  syncline record crm account --out -          to look at it first

Names, e-mail addresses, telephone and tax numbers, addresses and free texts are replaced by made-up values of the same shape;
equal values stay equal. Ids, numbers, dates and texts from lists (states, currencies) are kept. Secrets and tokens are never
written. What was replaced and what was kept is listed: look over the file before you give it away. `syncline test` plays it.")]
pub struct Args {
    /// The system, as the settings name it
    system: String,
    /// The object, as the connector names it; without it, every one that can be listed
    object: Option<String>,
    /// The most records kept of a page
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    records: u16,
    /// Where to; `-` prints it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What was recorded, for programs.
#[derive(Serialize)]
struct View<'a> {
    file: Option<&'a Path>,
    cases: usize,
    places: Vec<Line>,
}

/// What was done to the values at one place.
#[derive(Serialize)]
struct Line {
    place: String,
    values: usize,
    replaced_as: Option<Treatment>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    reach::with_system(context, &args.system, async |system, _, settings| {
        Box::pin(record(context, settings, system, args)).await
    })
}

async fn record(context: &Context, settings: &Settings, system: &System, args: &Args) -> Result {
    let connector = system.connector().clone();
    let file = args.out.clone().unwrap_or_else(|| {
        let name = format!("{}.recorded.test.yaml", connector.name);
        settings.folders.connectors.join(name)
    });
    let is_printed = file == Path::new("-");
    if !is_printed && file.exists() {
        return Err(Error::failed(format!("{} is there already", file.display()))
            .with_hint("name another file with --out, or remove this one"));
    }
    let recorded = Box::pin(recorded(settings, system, args)).await?;
    let title = format!("Recorded of a {}; personal data is made up.", connector.name);
    let text = recorded.file(&title);
    let played = Box::pin(rehearsal::play(
        &file.display().to_string(),
        text.as_bytes(),
        &connector,
    ))
    .await;
    if is_printed {
        print(text.trim_end())?;
    } else {
        std::fs::write(&file, &text)
            .map_err(|error| Error::failed(format!("{} cannot be written: {error}", file.display())))?;
    }
    show(context, &recorded, (!is_printed).then_some(file.as_path()))?;
    if played.is_ok() {
        return Ok(Exit::Done);
    }
    let failing: Vec<&str> = played
        .outcomes
        .iter()
        .filter(|outcome| !outcome.misses.is_empty())
        .map(|outcome| outcome.name.as_str())
        .collect();
    let what = if failing.is_empty() {
        "the file cannot be played".to_owned()
    } else {
        failing.join(", ")
    };
    Err(Error::found(format!("recorded, but not played the same again: {what}"))
        .with_hint("`syncline test` shows what differs"))
}

/// Asks the system.
async fn recorded(settings: &Settings, system: &System, args: &Args) -> Result<Recorded> {
    let connector = system.connector();
    let objects = &connector.objects;
    let chosen: Vec<_> = match &args.object {
        Some(name) => match objects.get(name) {
            Some(object) => vec![object],
            None => return Err(unknown("object", name, objects.keys().map(String::as_str))),
        },
        None => objects.values().filter(|object| object.list.is_some()).collect(),
    };
    let given = settings.systems.get(&args.system).map(|given| &given.settings);
    let given: Map = given
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), Value::from(value)))
        .collect();
    let known = std::fs::read(
        settings
            .folders
            .connectors
            .join(format!("{}.test.yaml", connector.name)),
    )
    .ok();
    let mut recorded = record::begin(connector, &given, known.as_deref(), rand::random()).map_err(told)?;
    for object in chosen {
        Box::pin(recorded.object(system, object, usize::from(args.records)))
            .await
            .map_err(told)?;
    }
    Ok(recorded)
}

fn told(error: record::Error) -> Error {
    let hint = match &error {
        record::Error::Fault(fault) => fault.hint.clone(),
        record::Error::NoLogin => {
            Some("write a case with `login: {}` and a made-up answer beside the connector first".to_owned())
        }
        record::Error::NoList(_) => Some("name an object that can be listed".to_owned()),
        record::Error::Unreadable { .. } => {
            Some("write the case by hand: `syncline connector try` shows what is answered".to_owned())
        }
        record::Error::Config(_) => None,
    };
    let told = Error::found(error);
    match hint {
        Some(hint) => told.with_hint(hint),
        None => told,
    }
}

fn show(context: &Context, recorded: &Recorded, file: Option<&Path>) -> Result<()> {
    let out = context.output;
    let cases = recorded.form.cases.len();
    let done = recorded.mask.done();
    let places = done.iter().map(|(place, done)| Line {
        place: place.clone(),
        values: done.values,
        replaced_as: Some(done.treatment).filter(|treatment| *treatment != Treatment::Kept),
    });
    let view = View {
        file,
        cases,
        places: places.collect(),
    };
    // A file on stdout is data of its own.
    if file.is_some() {
        out.json(&view)?;
    }
    let listed = |is_replaced: bool| {
        let lines = view.places.iter();
        let lines = lines.filter(move |line| line.replaced_as.is_some() == is_replaced);
        lines.map(|line| match line.replaced_as {
            Some(treatment) => format!("  {} ({treatment}, {})", line.place, count(line.values, "value")),
            None => format!("  {}", line.place),
        })
    };
    out.talk("replaced:");
    listed(true).for_each(|line| out.talk(harmless(&line)));
    out.talk("texts that were kept, as harmless by their name or look:");
    listed(false).for_each(|line| out.talk(harmless(&line)));
    if let Some(file) = file {
        out.line(format!("{}: {}", file.display(), count(cases, "case")))?;
        out.talk("look over it before you give it away; `syncline test` plays it");
    }
    Ok(())
}
