//! `syncline drift explain`: one record's whole story in order of time.

use std::sync::Arc;

use super::names;
use crate::{
    cli::{
        Exit,
        context::Context,
        decided,
        error::{Error, Result},
        list::time,
        project::unknown,
        sync,
        work::Work,
    },
    client::Road,
    core::{
        mapping::Mapping,
        status::{Role, Side, Sides},
    },
    report::story::{self, Entry, Story},
    store::{Access, Store},
    sync::record,
    telemetry::harmless,
};

/// One record's whole story in order of time: events, runs, writes, failures, conflicts, and what reports found.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline drift explain erp:7                    by its id in one system
  syncline drift explain ACC-000055               by an id of either system
  syncline drift explain '12.345.678/0001-95'     by a value that a report has shown of it
  syncline drift explain erp:7 --now              and what both systems have at this moment")]
pub(super) struct Args {
    /// SYSTEM:ID, an id of either side, or a value that a report has shown
    record: String,
    /// Only in this mapping
    #[arg(long)]
    mapping: Option<String>,
    /// Reads both systems, too, and says what would be done now; nothing is written
    #[arg(long)]
    now: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result {
    let settings = context.settings()?;
    let catalog = context.loaded(&settings).catalog;
    let mappings: Vec<&Arc<Mapping>> = match &args.mapping {
        None => catalog.in_order().collect(),
        Some(name) => {
            let known = catalog.in_order().map(|mapping| mapping.name.as_str());
            let known: Vec<&str> = known.collect();
            let found: Vec<_> = catalog.in_order().filter(|mapping| mapping.name == *name).collect();
            if found.is_empty() {
                return Err(unknown("mapping", name, known.into_iter()));
            }
            found
        }
    };
    let store = context.store(&settings, Access::Read).await?;
    let found = find(&store, &mappings, &args.record).await?;
    if found.is_empty() {
        return Err(Error::failed(format!("nothing is on record about `{}`", args.record)).with_hint(
            "write the id as the system itself writes it; `syncline plan MAPPING --record SYSTEM:ID` reads a record that nothing has happened to yet",
        ));
    }
    for (mapping, side, id) in &found {
        // Whoever may read the settings and the key of the store may see what is in it.
        let story = story::tell(&store, mapping, *side, id, Role::Admin).await?;
        show(context, mapping, &story)?;
        if args.now {
            Box::pin(now(context, mapping, *side, id)).await?;
        }
    }
    Ok(Exit::Done)
}

type Found<'a> = (&'a Arc<Mapping>, Side, String);

/// The records that are meant, each once.
async fn find<'a>(store: &Store, mappings: &[&'a Arc<Mapping>], text: &str) -> Result<Vec<Found<'a>>> {
    let mut found: Vec<Found<'a>> = Vec::new();
    for mapping in mappings {
        // With a system's name in front the side is said, and the record may be one that nothing has happened to.
        let named = text
            .split_once(':')
            .and_then(|(system, id)| Some((mapping.ends.side_of_system(system)?, id.to_owned())));
        if let Some((side, id)) = named {
            let known = story::find(store, mapping, &id).await?;
            if known.contains(&(side, id.clone())) {
                found.push((mapping, side, id));
            }
            continue;
        }
        let records = story::find(store, mapping, text).await?;
        found.extend(records.into_iter().map(|(side, id)| (*mapping, side, id)));
    }
    Ok(found)
}

fn show(context: &Context, mapping: &Mapping, story: &Story) -> Result<()> {
    let out = context.output;
    out.json(story)?;
    if out.is_json() {
        return Ok(());
    }
    let names = names(mapping);
    let id = |id: &Option<String>| id.as_deref().map_or_else(|| "–".to_owned(), harmless);
    let link = story
        .link
        .map_or_else(|| "not linked".to_owned(), |status| status.to_string());
    out.line(format!(
        "{}  {}:{} ↔ {}:{}  {link}",
        story.mapping,
        names.left,
        id(&story.left.id),
        names.right,
        id(&story.right.id)
    ))?;
    for entry in &story.entries {
        out.line(told(entry))?;
        if let Some(values) = values(entry, &names) {
            out.line(format!("{:31}{}", "", harmless(&values)))?;
        }
    }
    if let Some(next) = story.next_step() {
        out.line(format!("next: {}", harmless(next)))?;
    }
    Ok(())
}

fn told(entry: &Entry) -> String {
    format!(
        "  {}  {:8} {:>6}  {}",
        time(entry.at),
        entry.kind.as_str(),
        entry.id,
        harmless(&entry.text)
    )
}

fn values(entry: &Entry, names: &Sides<String>) -> Option<String> {
    let value = |name: &String, value: &Option<String>| Some(format!("{name}: {}", value.as_ref()?));
    let both = [
        value(&names.left, &entry.left_value),
        value(&names.right, &entry.right_value),
    ];
    let told: Vec<String> = both.into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join("   "))
}

/// What both systems have now, and what would be done about it.
async fn now(context: &Context, mapping: &Mapping, side: Side, id: &str) -> Result<()> {
    let work = Work::open(context).await?;
    let planned = Box::pin(record::plan(&work.engine, mapping, side, id, Road::Manual)).await;
    let shown = match planned {
        Ok(planned) => {
            let ids = &planned.pair.ids;
            let (left, right) = (ids.left.as_deref(), ids.right.as_deref());
            let view = decided::View::of(mapping, &planned.plan, left, right);
            context
                .output
                .line("now:")
                .map_err(Error::from)
                .and_then(|()| view.show(context, true))
        }
        Err(error) => Err(sync::told(error)),
    };
    work.close().await;
    shown
}
