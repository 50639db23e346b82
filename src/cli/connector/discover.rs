//! `syncline connector discover`: what a system has, beside what its connector says.

use std::{fs, path::PathBuf};

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::reach;
use crate::{
    catalog::yaml::{Content, Document, NodeId, Tree},
    cli::{
        Exit,
        context::Context,
        error::{Error, Result},
        output::{count, print},
    },
    client::System,
    core::connector::{
        Object,
        discover::{Compared, Described, Standing, compare_with, seen},
    },
    draft,
    rehearsal::described,
    telemetry::harmless,
};

/// What a system has: each field with its type, beside what the connector says of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline connector discover crm                  the objects, and how many fields are new, changed or gone
  syncline connector discover crm account          every field of one object
  syncline connector discover crm account --write  put the new ones into the connector's file

Where the connector says under `discover:` how its system describes itself, that is asked; a database is asked for its columns.
Otherwise up to 1,000 records are looked at: a field that none of them has is `unseen` and may only be empty. Exit code 1 if a
field of the connector is gone or of another type.")]
pub struct Args {
    /// The system, as the settings name it
    system: String,
    /// The object, as the connector names it; without it, all of them
    object: Option<String>,
    /// Put new fields into the connector's file
    #[arg(long, requires = "object")]
    write: bool,
}

/// How an object stands.
struct Report<'a> {
    object: &'a Object,
    fields: Vec<Compared>,
    source: &'static str,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    object: &'a str,
    /// `description`, `columns` or `records`.
    from: &'a str,
    #[serde(flatten)]
    field: &'a Compared,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    reach::with_system(context, &args.system, async |system, given, _settings| {
        let names: Vec<&str> = match &args.object {
            Some(name) => vec![reach::known(system, name)?.name.as_str()],
            None => system.connector().objects.keys().map(String::as_str).collect(),
        };
        let mut reports = Vec::new();
        for name in names {
            context.output.talk(format!("looking at {name} …"));
            reports.push(look(system, reach::known(system, name)?).await?);
        }
        if args.object.is_some() {
            reports.iter().try_for_each(|report| fields(context, report))?;
        } else {
            overview(context, &reports)?;
        }
        if args.write {
            let folder = context.settings()?.folders.connectors;
            let path = folder.join(format!("{}.yaml", given.connector));
            reports.iter().try_for_each(|report| put(context, &path, report))?;
        } else {
            reports
                .iter()
                .filter(|_| args.object.is_some())
                .try_for_each(|report| paste(context, report))?;
        }
        let is_wrong = |field: &Compared| matches!(field.standing, Standing::Gone | Standing::Changed);
        let found = reports.iter().flat_map(|report| &report.fields).any(is_wrong);
        Ok(if found { Exit::Found } else { Exit::Done })
    })
}

async fn look<'a>(system: &System, object: &'a Object) -> Result<Report<'a>> {
    let failed = |fault: crate::core::fault::Fault| {
        let error = Error::found(&fault);
        match fault.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    };
    let found = Box::pin(system.describe(&object.name)).await.map_err(failed)?;
    let discover = system.connector().discover.as_ref();
    let besides = discover.map_or(&[][..], |discover| &discover.besides);
    let report = |fields: &[Described], is_whole: bool, source| Report {
        object,
        fields: compare_with(object, fields, is_whole, besides),
        source,
    };
    if let Some(found) = found {
        let is_database = system.connector().database.is_some();
        let fields = described(system, object, found)
            .map_err(|error| Error::found(format!("the description of `{}`: {error}", system.name())))?;
        if let Some(fields) = fields {
            return Ok(report(
                &fields,
                true,
                if is_database { "columns" } else { "description" },
            ));
        }
    }
    let records = Box::pin(system.some_records(&object.name)).await.map_err(failed)?;
    let fields = seen(object, records.iter().map(|record| &record.fields));
    Ok(report(&fields, false, "records"))
}

fn overview(context: &Context, reports: &[Report<'_>]) -> Result<()> {
    #[derive(Serialize)]
    struct Row<'a> {
        object: &'a str,
        from: &'a str,
        fields: usize,
        new: usize,
        changed: usize,
        gone: usize,
        unseen: usize,
    }
    let rows: Vec<Row<'_>> = reports
        .iter()
        .map(|report| {
            let number = |standing: Standing| report.fields.iter().filter(|field| field.standing == standing).count();
            Row {
                object: &report.object.name,
                from: report.source,
                fields: report.fields.len(),
                new: number(Standing::New),
                changed: number(Standing::Changed),
                gone: number(Standing::Gone),
                unseen: number(Standing::Unseen),
            }
        })
        .collect();
    context.output.rows(
        &["object", "from", "fields", "new", "changed", "gone", "unseen"],
        &rows,
        |row| {
            let numbers = [row.fields, row.new, row.changed, row.gone, row.unseen].map(|number| number.to_string());
            [row.object.to_owned(), row.from.to_owned()]
                .into_iter()
                .chain(numbers)
                .collect()
        },
    )?;
    Ok(())
}

fn fields(context: &Context, report: &Report<'_>) -> Result<()> {
    let lines: Vec<Line<'_>> = report
        .fields
        .iter()
        .map(|field| Line {
            object: &report.object.name,
            from: report.source,
            field,
        })
        .collect();
    context
        .output
        .rows(&["field", "here", "there", "standing"], &lines, |line| {
            let field = line.field;
            let word = |kind: &Option<String>| kind.clone().unwrap_or_else(|| "—".to_owned());
            vec![
                field.path.clone(),
                word(&field.here),
                word(&field.there),
                field.standing.to_string(),
            ]
        })?;
    Ok(())
}

/// The new fields, as they stand in a connector.
fn news(report: &Report<'_>) -> Map<String, Json> {
    let new = report.fields.iter().filter(|field| field.standing == Standing::New);
    let described = new.map(|field| {
        let kind = field.there.clone().unwrap_or_else(|| "any".to_owned());
        let is_personal = draft::is_personal(&field.path) && kind == "text";
        let value = match (field.is_read_only, is_personal) {
            (false, false) => json!(kind),
            (true, false) => json!({ "type": kind, "access": "read_only" }),
            (false, true) => json!({ "type": kind, "sensitive": true }),
            (true, true) => json!({ "type": kind, "access": "read_only", "sensitive": true }),
        };
        (field.path.clone(), value)
    });
    described.collect()
}

fn paste(context: &Context, report: &Report<'_>) -> Result<()> {
    let new = news(report);
    if context.output.is_json() || new.is_empty() {
        return Ok(());
    }
    print(format!(
        "\nto paste under `objects.{}.fields` (or --write):",
        report.object.name
    ))?;
    print(harmless_lines(&draft::fragment(&new, 6)))?;
    Ok(())
}

fn harmless_lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

/// Puts the new fields behind the last one of the object; the rest of the file stays as it is, comments included.
fn put(context: &Context, path: &PathBuf, report: &Report<'_>) -> Result<()> {
    let new = news(report);
    if new.is_empty() {
        context.output.talk("nothing new: the file stays as it is");
        return Ok(());
    }
    let shown = path.display();
    let by_hand = || {
        Error::failed(format!(
            "{shown}: the fields of `{}` do not stand one a line",
            report.object.name
        ))
        .with_hint("paste them by hand: call it without --write")
    };
    let text = fs::read_to_string(path).map_err(|error| Error::failed(format!("{shown} cannot be read: {error}")))?;
    let document = Document::read(text.as_bytes());
    let tree = document.body.map_err(|_| by_hand())?;
    let (at, indent) = end_of_fields(&tree, &report.object.name).ok_or_else(by_hand)?;
    let mut changed = text.get(..at).unwrap_or_default().to_owned();
    if !changed.ends_with('\n') {
        changed.push('\n');
    }
    changed.push_str(&draft::fragment(&new, indent));
    changed.push_str(text.get(at..).unwrap_or_default());
    if Document::read(changed.as_bytes())
        .flaws
        .iter()
        .any(|flaw| flaw.problem.severity == crate::core::problem::Severity::Error)
    {
        return Err(by_hand());
    }
    replace(path, &changed).map_err(|error| Error::failed(format!("{shown} cannot be written: {error}")))?;
    context.output.talk(format!(
        "{shown}: {} added; `syncline check` reads it again",
        count(new.len(), "field")
    ));
    Ok(())
}

/// The file is whole at every moment: a daemon may read it meanwhile.
fn replace(path: &PathBuf, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(std::path::Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder)?;
    fs::write(file.path(), text)?;
    fs::set_permissions(file.path(), fs::metadata(path)?.permissions())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The byte behind the line of an object's last field, and the column in which fields begin; `None` where they do not stand one
/// a line.
fn end_of_fields(tree: &Tree, object: &str) -> Option<(usize, usize)> {
    let objects = tree.child(NodeId::ROOT, "objects")?;
    let fields = tree.child(tree.child(objects, object)?, "fields")?;
    let Content::Map(members) = &tree.node(fields).content else {
        return None;
    };
    let last = tree.node(*members.last()?);
    let key = last.key.as_ref()?;
    let source = tree.source();
    let start = source.position(key.span.start);
    let line = source.line(start.line);
    let lead = source.text().get(line.start..key.span.start)?;
    let first = tree.node(*members.first()?).key.as_ref()?.span.start;
    let is_flow = source.text().get(..first)?.trim_end().ends_with('{');
    if !lead.chars().all(|c| c == ' ') || lead.is_empty() || is_flow {
        return None;
    }
    let end = source.line(source.position(last.span.end).line).end;
    let behind = source
        .text()
        .get(end..)?
        .find('\n')
        .map_or(source.text().len(), |at| end + at + 1);
    Some((behind, lead.len()))
}
