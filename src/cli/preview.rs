//! `syncline preview`: one live record through its mapping, both ways, beside its partner.

use serde::Serialize;

use super::{
    Exit,
    context::{Context, block_on},
    decided::Head,
    error::{Error, Result},
    sync::told,
    work::{RecordArg, Work},
};
use crate::{
    client::Road,
    core::{
        drift::shown,
        fault::Fault,
        mapping::{Mapping, convert::Refusal},
        matching::Rule,
        preview::{Preview, Way},
        status::{FailureClass, Side, Sides, Situation},
        value::Value,
    },
    sync::record::{self, Previewed, Rules},
};

/// One live record through its mapping, both ways, beside its partner. Nothing is written.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline preview customer-account erp:7                  by its id in one system
  syncline preview customer-account ACC-000055             by an id of either side
  syncline preview customer-account 'ana@example.com'      by the value of a match field
  syncline preview customer-account 7 --side erp --json | jq '.fields[] | select(.to_right.error)'

Every field of the mapping: the value as the connector reads it, what it becomes on the other side, what the partner has there, and
what would be written or why nothing is. The partner is the linked record, or the one that the match rules find. `plan --record` tells
what would be done with less about each field. Values are those of real records: mind who sees them. Exit code 1 if a value
cannot be converted.")]
pub struct Args {
    /// The mapping
    mapping: String,
    /// SYSTEM:ID, an id of either side, or the value of a match field
    #[arg(value_name = "ID|KEY")]
    record: String,
    /// Which side the record is on: `left`, `right`, or the system
    #[arg(long, value_name = "SIDE")]
    side: Option<String>,
}

/// What a preview shows.
#[derive(Serialize)]
struct View {
    #[serde(flatten)]
    head: Head,
    fields: Vec<Line>,
}

/// One field.
#[derive(Serialize)]
struct Line {
    field: String,
    /// The values as their connectors read them.
    left: Option<String>,
    right: Option<String>,
    to_left: Towards,
    to_right: Towards,
}

/// What comes of a field on one side.
#[derive(Serialize)]
struct Towards {
    /// What the other side's value is here.
    mapped: Option<String>,
    /// What would be written; an empty text clears the field.
    written: Option<String>,
    why: String,
    /// Why the value cannot be converted.
    error: Option<String>,
    hint: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        let work = Work::open(context).await?;
        let done = Box::pin(preview(context, &work, args)).await;
        work.close().await;
        done
    })
}

async fn preview(context: &Context, work: &Work, args: &Args) -> Result {
    let mapping = work.mapping(&args.mapping)?;
    let (side, id) = find(work, &mapping, args).await?;
    let previewed = Box::pin(record::preview(&work.engine, &mapping, side, &id, Road::Manual))
        .await
        .map_err(told)?;
    if previewed.planned.plan.situation == Situation::Gone && previewed.planned.pair.synced_at.is_none() {
        return Err(nowhere(&mapping, &[side], &args.record));
    }
    let view = View::of(&mapping, &previewed);
    view.show(context)?;
    context.output.talk("nothing was written");
    let is_whole = view
        .fields
        .iter()
        .all(|line| line.to_left.error.is_none() && line.to_right.error.is_none());
    Ok(if is_whole { Exit::Done } else { Exit::Found })
}

/// The record that is meant: by its id, or else by the value of a match field.
async fn find(work: &Work, mapping: &Mapping, args: &Args) -> Result<(Side, String)> {
    let sides = match &args.side {
        None => vec![Side::Left, Side::Right],
        Some(word) => vec![mapping.side_named(word).ok_or_else(|| no_side(mapping, word))?],
    };
    if let Ok(named) = args.record.parse::<RecordArg>()
        && let Ok((side, id)) = named.of(mapping)
        && sides.contains(&side)
    {
        return Ok((side, id.to_owned()));
    }
    if let [side] = sides.as_slice()
        && work
            .engine
            .store()
            .link_by(&mapping.name, *side, &args.record)
            .await?
            .is_some()
    {
        return Ok((*side, args.record.clone()));
    }
    let mut refused = None;
    let mut found = Vec::new();
    for side in &sides {
        match by_id(work, mapping, *side, &args.record).await {
            Ok(true) => found.push((*side, args.record.clone())),
            Ok(false) => {}
            // A text that is no id of this system at all may be one of the other, or a key.
            Err(fault) if fault.class == FailureClass::Rejected => refused = refused.or(Some(fault)),
            Err(fault) => return Err(told(fault.into())),
        }
    }
    if found.is_empty() {
        found = keyed(work, mapping, &sides, &args.record).await?;
    }
    match (found.as_slice(), refused) {
        ([only], _) => Ok(only.clone()),
        ([], Some(fault)) => Err(told(fault.into())),
        ([], None) => Err(nowhere(mapping, &sides, &args.record)),
        (several, _) => Err(several_fit(mapping, several, &args.record)),
    }
}

async fn by_id(work: &Work, mapping: &Mapping, side: Side, id: &str) -> std::result::Result<bool, Fault> {
    let system = work.engine.end(mapping, side)?;
    let object = &mapping.end(side).object;
    Ok(system.get(object, id, Road::Manual).await?.is_some())
}

/// The records with this value in a match field. Of a pair whose both records have it, the left one stands for both.
async fn keyed(work: &Work, mapping: &Mapping, sides: &[Side], key: &str) -> Result<Vec<(Side, String)>> {
    let value = Value::from(key);
    for side in sides {
        let rules = (Rules::UntilFound, |_: &Rule| true);
        let ids = record::with_value(&work.engine, mapping, (*side, &value), Road::Manual, rules)
            .await
            .map_err(told)?;
        if !ids.is_empty() {
            return Ok(ids.into_iter().map(|id| (*side, id)).collect());
        }
    }
    Ok(Vec::new())
}

fn no_side(mapping: &Mapping, word: &str) -> Error {
    let names = [Side::Left, Side::Right].map(|side| mapping.end(side).system.as_str());
    Error::usage(format!("mapping `{}` has no side `{word}`", mapping.name))
        .with_hint(format!("say `left` ({}) or `right` ({})", names[0], names[1]))
}

fn nowhere(mapping: &Mapping, sides: &[Side], text: &str) -> Error {
    let ends: Vec<String> = sides
        .iter()
        .map(|side| format!("{} in {}", mapping.end(*side).object, mapping.end(*side).system))
        .collect();
    Error::failed(format!("there is no {} with the id or key `{text}`", ends.join(" and no ")))
        .with_hint("write an id as the system itself writes it; a key is the value of a field under `match:` that the connector can `find` by")
}

fn several_fit(mapping: &Mapping, found: &[(Side, String)], text: &str) -> Error {
    let shown: Vec<String> = found
        .iter()
        .take(5)
        .map(|(side, id)| format!("{}:{id}", mapping.end(*side).system))
        .collect();
    Error::usage(format!("`{text}` may be {}", shown.join(" or "))).with_hint("name one of them")
}

impl View {
    fn of(mapping: &Mapping, previewed: &Previewed) -> Self {
        let planned = &previewed.planned;
        let Sides { left, right } = &planned.pair.ids;
        Self {
            head: Head::of(mapping, &planned.plan, left.as_deref(), right.as_deref()),
            fields: previewed.fields.iter().map(Line::of).collect(),
        }
    }

    fn show(&self, context: &Context) -> Result<()> {
        let out = context.output;
        out.json(self)?;
        if out.is_json() {
            return Ok(());
        }
        out.line(self.head.line())?;
        self.table(context, Side::Right)?;
        self.table(context, Side::Left)
    }

    /// What becomes of each field on one side.
    fn table(&self, context: &Context, to: Side) -> Result<()> {
        let out = context.output;
        let (from, target) = match to {
            Side::Left => (&self.head.right, &self.head.left),
            Side::Right => (&self.head.left, &self.head.right),
        };
        let head = [
            "field".to_owned(),
            from.system.clone(),
            format!("as {}", target.system),
            format!("{} now", target.system),
            "written".to_owned(),
            "why".to_owned(),
        ];
        out.line("")?;
        out.line(format!("{} → {}", from.system, target.system))?;
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        out.rows(&head, &self.fields, |line| line.cells(to))?;
        for line in &self.fields {
            if let Some(hint) = &line.towards(to).hint {
                out.line(format!("hint: {}: {hint}", line.field))?;
            }
        }
        Ok(())
    }
}

impl Line {
    fn of(preview: &Preview) -> Self {
        let Sides { left, right } = &preview.values;
        Self {
            field: preview.field.clone(),
            left: left.as_ref().map(shown),
            right: right.as_ref().map(shown),
            to_left: Towards::of(&preview.towards.left),
            to_right: Towards::of(&preview.towards.right),
        }
    }

    const fn towards(&self, side: Side) -> &Towards {
        match side {
            Side::Left => &self.to_left,
            Side::Right => &self.to_right,
        }
    }

    fn cells(&self, to: Side) -> Vec<String> {
        let (from, there) = match to {
            Side::Left => (&self.right, &self.left),
            Side::Right => (&self.left, &self.right),
        };
        let towards = self.towards(to);
        let cell = |value: &Option<String>| value.clone().unwrap_or_default();
        let written = match &towards.written {
            Some(value) if value.is_empty() => "(cleared)".to_owned(),
            Some(value) => value.clone(),
            None if towards.error.is_some() => "✗".to_owned(),
            None => "—".to_owned(),
        };
        vec![
            self.field.clone(),
            cell(from),
            cell(&towards.mapped),
            cell(there),
            written,
            towards.why.clone(),
        ]
    }
}

impl Towards {
    fn of(way: &Way) -> Self {
        let fault = match &way.refusal {
            Some(Refusal::Fault(fault)) => Some(fault),
            Some(Refusal::Awaited(_)) | None => None,
        };
        Self {
            mapped: way.mapped.as_ref().map(shown),
            written: way.written.as_ref().map(shown),
            why: way.why.clone(),
            error: fault.map(|fault| fault.message.clone()),
            hint: fault.and_then(|fault| fault.hint.clone()),
        }
    }
}
