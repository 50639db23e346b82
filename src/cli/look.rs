//! `syncline look`: one record as its system answers it, and as its connector reads it.

use serde::Serialize;

use super::{
    Exit,
    context::{Context, block_on},
    doctor::Scratch,
    error::{Error, Result},
    output::print,
    project::{broken_connector, unknown},
};
use crate::{
    client::{Exchanged, Sample, System, Text},
    core::{connector::Object, record::Record, value::json},
    settings::Settings,
    store::{Access, Store},
    telemetry::harmless,
    worker::assembly,
};

/// One record as its system answers it, and as its connector reads it. Nothing is written.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline look crm account                    the first record of the list
  syncline look crm account ACC-000123         this one, by `get:`
  syncline look crm account --json | jq -r .exchanged[0].answer.text

It shows what was asked, what was answered (secrets masked, 4,000 characters at most), and each field with the type that the
connector gives it. Values are those of a real record: mind who sees them. Exit code 1 if there is no record, or it cannot be read.")]
pub struct Args {
    /// The system, as the settings name it
    system: String,
    /// The object, as the connector names it
    object: String,
    /// The record's id; without it, the first record of the list
    id: Option<String>,
}

/// What a look shows.
#[derive(Debug, Serialize)]
struct View<'a> {
    exchanged: &'a [Exchanged],
    record: Option<Read>,
    error: Option<String>,
    hint: Option<&'a str>,
}

/// A record as the connector reads it.
#[derive(Debug, Serialize)]
struct Read {
    id: String,
    version: Option<String>,
    updated_at: Option<String>,
    fields: Vec<Line>,
    /// Members that no field of the connector is about.
    undescribed: Vec<String>,
}

/// One field.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    /// As JSON; none where the record does not have it.
    value: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    with_store(context, async |settings, store| {
        look(context, settings, store, args).await
    })
}

/// Runs `work` with a store that it may keep tokens in: our own, where there is one, since tokens that people have signed in for
/// are in it.
pub(super) fn with_store<T>(context: &Context, work: impl AsyncFnOnce(&Settings, &Store) -> Result<T>) -> Result<T> {
    block_on(async {
        let settings = context.settings()?;
        let scratch = Scratch::open(context).await?;
        let own = context.store(&settings, Access::Shared).await.ok();
        let done = Box::pin(work(&settings, own.as_ref().unwrap_or_else(|| scratch.store()))).await;
        if let Some(own) = own {
            own.close().await;
        }
        scratch.close().await;
        done
    })
}

async fn look(context: &Context, settings: &Settings, store: &Store, args: &Args) -> Result {
    let system = system(context, settings, store, &args.system)?;
    let objects = &system.connector().objects;
    let Some(object) = objects.get(&args.object) else {
        return Err(unknown("object", &args.object, objects.keys().map(String::as_str)));
    };
    let sample = Box::pin(system.sample(&args.object, args.id.as_deref())).await;
    system.give_back_quota().await;
    show(context, object, &sample)
}

/// One system of the settings, and what is loaded beside it.
pub(super) fn system(context: &Context, settings: &Settings, store: &Store, name: &str) -> Result<System> {
    let Some(given) = settings.systems.get(name) else {
        return Err(unknown("system", name, settings.systems.keys().map(String::as_str)));
    };
    let loaded = context.loaded(settings);
    match assembly::system(settings, &loaded.catalog, store, &context.clock, name, given) {
        Ok(system) => Ok(system),
        Err(assembly::Error::NoConnector { connector, .. }) => {
            let (found, next) = broken_connector(&loaded, &connector);
            Err(Error::found(found).with_hint(next))
        }
        Err(error) => Err(Error::from(error).with_hint("`syncline check` says what the connector needs")),
    }
}

fn show(context: &Context, object: &Object, sample: &Sample) -> Result {
    let found = sample.record.as_ref();
    let fault = found.err();
    let view = View {
        exchanged: &sample.exchanged,
        record: found
            .ok()
            .and_then(Option::as_ref)
            .map(|record| Read::of(object, record)),
        error: fault.map(ToString::to_string),
        hint: fault.and_then(|fault| fault.hint.as_deref()),
    };
    let out = context.output;
    out.json(&view)?;
    if !out.is_json() {
        view.exchanged.iter().try_for_each(exchange)?;
        match &view.record {
            Some(record) => record.print(context)?,
            None if view.error.is_none() => print("no record")?,
            None => {}
        }
    }
    match (&view.record, fault) {
        (Some(_), _) => Ok(Exit::Done),
        (None, Some(fault)) if !out.is_json() => {
            let error = Error::found(fault);
            Err(match &fault.hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            })
        }
        (None, _) => Ok(Exit::Found),
    }
}

fn exchange(one: &Exchanged) -> std::io::Result<()> {
    print(harmless(&format!("{} {}", one.method, one.url)))?;
    for (name, value) in &one.headers {
        print(harmless(&format!("  {name}: {value}")))?;
    }
    one.body.iter().try_for_each(text)?;
    let kind = one.content_type.as_deref().unwrap_or("no content type");
    print(harmless(&format!(
        "→ {}, {kind}, {} bytes",
        one.status, one.answer.bytes
    )))?;
    text(&one.answer)
}

/// A body, line by line, as harmless text.
fn text(text: &Text) -> std::io::Result<()> {
    for line in text.text.lines() {
        print(format!("  {}", harmless(&line.replace('\t', "  "))))?;
    }
    if text.is_cut {
        print(format!("  … (cut; {} bytes in all)", text.bytes))?;
    }
    Ok(())
}

impl Read {
    fn of(object: &Object, record: &Record) -> Self {
        let fields = object.fields.iter().map(|field| Line {
            name: field.name.clone(),
            kind: field.kind.to_string(),
            value: field.path.get_in(&record.fields).map(json::to_string),
        });
        let described = |name: &str| {
            object.fields.iter().any(|field| {
                let path = field.path.to_string();
                path.strip_prefix(name)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            })
        };
        Self {
            id: record.id.clone(),
            version: record.version.clone(),
            updated_at: record.updated_at.map(|at| at.to_rfc3339()),
            fields: fields.collect(),
            undescribed: record.fields.keys().filter(|name| !described(name)).cloned().collect(),
        }
    }

    fn print(&self, context: &Context) -> Result<()> {
        let out = context.output;
        let updated_at = self.updated_at.as_deref().unwrap_or("none");
        print(harmless(&format!(
            "record {}, version {}, changed {updated_at}",
            self.id,
            self.version.as_deref().unwrap_or("none")
        )))?;
        let rows: Vec<Vec<String>> = self.fields.iter().map(Line::cells).collect();
        out.aligned(&rows)?;
        if !self.undescribed.is_empty() {
            let names = self.undescribed.join(", ");
            print(harmless(&format!("beside these, as they are in JSON: {names}")))?;
        }
        Ok(())
    }
}

impl Line {
    fn cells(&self) -> Vec<String> {
        let value = self.value.clone().unwrap_or_else(|| "— not in the record".to_owned());
        vec![self.name.clone(), self.kind.clone(), value]
    }
}
