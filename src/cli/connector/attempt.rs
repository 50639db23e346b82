//! `syncline connector try`: one page and one record as a system answers them, and as its connector reads them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::reach;
use crate::{
    cli::{
        Exit,
        context::Context,
        doctor::advice,
        error::{Error, Result},
        output::{count, print},
    },
    client::{Exchanged, Sample, Seen, System, Text},
    core::{connector::Object, record::Record, value::json},
    settings,
    telemetry::harmless,
};

/// Tries a connector on its system: signs in, reads one page and one record, and shows what was asked and answered. Nothing is
/// written.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline connector try crm                         the first object that can be listed
  syncline connector try crm account                 the first page, and its first record by `get:`
  syncline connector try crm account ACC-000123      this record alone
  syncline connector try crm account --json | jq -r .exchanged[0].answer.text

It shows what was asked, what was answered (secrets masked, 4,000 characters at most), each field with the type that the
connector gives it, and what the system says of its own limits. Values are those of a real record: mind who sees them. Exit code
1 if there is no record, or it cannot be read; what to do next stands below.")]
pub struct Args {
    /// The system, as the settings name it
    system: String,
    /// The object, as the connector names it
    object: Option<String>,
    /// The record's id; without it, the first record of the list
    id: Option<String>,
}

/// What a look shows.
#[derive(Debug, Serialize)]
struct View<'a> {
    object: &'a str,
    exchanged: &'a [Exchanged],
    /// The first page, where it was read.
    page: Option<Page>,
    record: Option<Read>,
    error: Option<String>,
    /// What to do about it.
    hint: Option<String>,
}

/// A first page.
#[derive(Debug, Serialize)]
struct Page {
    records: usize,
    has_more: bool,
    /// The headers in which the system tells about its own limits.
    limits: BTreeMap<String, String>,
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
    reach::with_system(context, &args.system, async |system, given, _settings| {
        let name = reach::object(system, args.object.as_deref())?;
        let sample = Box::pin(system.sample(name, args.id.as_deref())).await;
        let object = reach::known(system, name)?;
        show(context, system, given, object, &sample)
    })
}

fn show(context: &Context, system: &System, given: &settings::System, object: &Object, sample: &Sample) -> Result {
    let trouble = sample.record.as_ref().err();
    let record = sample.record.as_ref().ok().and_then(Option::as_ref);
    let view = View {
        object: &object.name,
        exchanged: &sample.exchanged,
        page: sample.page.as_ref().map(Page::of),
        record: record.map(|record| Read::of(object, record)),
        error: trouble.map(|trouble| trouble.fault.to_string()),
        hint: trouble.map(|trouble| advice::next(system, given, &object.name, trouble)),
    };
    let out = context.output;
    out.json(&view)?;
    if !out.is_json() {
        view.exchanged.iter().try_for_each(exchange)?;
        if let Some(page) = &view.page {
            page.print(&object.name)?;
        }
        match &view.record {
            Some(record) => record.print(context)?,
            None if view.error.is_none() => print("no record")?,
            None => {}
        }
    }
    match (&view.record, &view.error, view.hint) {
        (Some(_), ..) => Ok(Exit::Done),
        (None, Some(error), hint) if !out.is_json() => Err(Error::found(error).with_hint(hint.unwrap_or_default())),
        (None, ..) => Ok(Exit::Found),
    }
}

impl Page {
    fn of(seen: &Seen) -> Self {
        Self {
            records: seen.records,
            has_more: seen.has_more,
            limits: seen.limits.iter().cloned().collect(),
        }
    }

    fn print(&self, object: &str) -> std::io::Result<()> {
        let more = if self.has_more { "more follow" } else { "and no more" };
        print(harmless(&format!(
            "page of {object}: {}, {more}",
            count(self.records, "record")
        )))?;
        let told: Vec<String> = self
            .limits
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        if told.is_empty() {
            Ok(())
        } else {
            print(harmless(&format!("rate limit: {}", told.join(", "))))
        }
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
