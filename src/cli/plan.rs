//! `syncline plan`: the dry run, through the planner that the daemon uses.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Exit,
    context::{Context, block_on},
    decided,
    error::{Error, Result},
    list::maybe,
    output, progress,
    reconcile::{Numbers, next_steps},
    work::{RecordArg, Work},
};
use crate::{
    client::Road,
    core::{
        mapping::Mapping,
        status::{Cause, Role, RunKind, Situation, Trigger},
    },
    server::api::drift::View,
    store::{Page, Store, drift::DriftFilter, link::LinkFilter},
    sync::{
        reconcile::{self, Report, Request},
        record,
    },
};

/// The dry run: what would be done, and why. Nothing is written to a system, no link and no cursor moves.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline plan customer-account --record erp:7    one record, field by field, with reasons
  syncline plan customer-account                   everything, compared and not repaired
  syncline plan customer-account --json | jq .summary

The comparison of everything is kept as a report-only run with its drift report; `syncline drift ID` shows all of it.
After a change to the mapping it says first what that would do to how many records.")]
pub struct Args {
    /// The mapping
    mapping: String,
    /// One record, on either side
    #[arg(long, value_name = "SYSTEM:ID")]
    record: Option<RecordArg>,
    /// The most differences shown
    #[arg(long, value_name = "COUNT", default_value_t = 20, conflicts_with = "record", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

/// What would be done about everything.
#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    numbers: Numbers,
    situations: Vec<Line>,
    /// Of fields whose definition has changed, the pairs that differ under the new one.
    mapping_changed: BTreeMap<String, u64>,
    /// Why a reconciliation would repair nothing until a person says so.
    held: Option<String>,
    items: Vec<View>,
}

#[derive(Serialize)]
struct Line {
    situation: Situation,
    records: u64,
    /// What the mapping says to do about them.
    action: &'static str,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        let work = Work::open(context).await?;
        let done = match &args.record {
            Some(record) => one(context, &work, args, record).await,
            None => everything(context, &work, args).await,
        };
        work.close().await;
        done
    })
}

async fn one(context: &Context, work: &Work, args: &Args, wanted: &RecordArg) -> Result {
    let mapping = work.mapping(&args.mapping)?;
    let (side, id) = wanted.of(&mapping)?;
    let planned = Box::pin(record::plan(&work.engine, &mapping, side, id, Road::Manual))
        .await
        .map_err(super::sync::told)?;
    if planned.plan.situation == Situation::Gone && planned.pair.synced_at.is_none() {
        let end = mapping.end(side);
        return Err(
            Error::failed(format!("there is no {} `{id}` in {}", end.object, end.system))
                .with_hint("an id is written as the system itself writes it, `CRM-000123` rather than `123`"),
        );
    }
    let (left, right) = (planned.pair.ids.left.as_deref(), planned.pair.ids.right.as_deref());
    decided::View::of(&mapping, &planned.plan, left, right).show(context, true)?;
    context.output.talk("nothing was written: this was a dry run");
    Ok(Exit::Done)
}

async fn everything(context: &Context, work: &Work, args: &Args) -> Result {
    let mapping = work.mapping(&args.mapping)?;
    let request = Request {
        kind: RunKind::Reconcile,
        trigger: Trigger::Person,
        repair: false,
    };
    let report = progress::reconcile(context, &work.engine, &mapping, request).await?;
    let store = work.engine.store();
    let found = store
        .drift(report.run_id, &DriftFilter::default(), Page::first(args.limit))
        .await?;
    // Whoever may read the settings and the key of the store may see what is in it.
    let items = found.into_iter().map(|item| View::of(item, Role::Admin)).collect();
    let linked = LinkFilter {
        mapping: Some(mapping.name.clone()),
        status: None,
        ..LinkFilter::default()
    };
    let whole = Whole {
        numbers: Numbers::of(&mapping, &report),
        situations: situations(&mapping, &report),
        mapping_changed: mapping_changed(store, &report).await?,
        held: reconcile::would_hold(&mapping, &report.summary, store.link_count(&linked).await?),
        items,
    };
    show(context, &mapping, &report, &whole)?;
    Ok(Exit::Done)
}

/// Counts what the new definitions of fields bring up.
async fn mapping_changed(store: &Store, report: &Report) -> Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    if !report.summary.causes.contains_key(&Cause::MappingChanged) {
        return Ok(counts);
    }
    for field in report.summary.fields.keys() {
        let filter = DriftFilter {
            cause: Some(Cause::MappingChanged),
            field: Some(field.clone()),
            ..DriftFilter::default()
        };
        let count = store.drift_count(report.run_id, &filter).await?;
        if count > 0 {
            counts.insert(field.clone(), count);
        }
    }
    Ok(counts)
}

fn situations(mapping: &Mapping, report: &Report) -> Vec<Line> {
    let lines = report.summary.situations.iter().map(|(situation, records)| Line {
        situation: *situation,
        records: *records,
        action: action(mapping, *situation),
    });
    lines.collect()
}

/// What the mapping says to do in a situation.
fn action(mapping: &Mapping, situation: Situation) -> &'static str {
    use crate::core::mapping::{Choice, Filtered, Missing};
    let actions = &mapping.actions;
    match situation {
        Situation::InSync => "nothing",
        Situation::Differs if actions.differs == Choice::Act => "sync",
        Situation::UnlinkedMatch if actions.unlinked_match == Choice::Act => "link, then sync",
        Situation::Absent if actions.absent == Choice::Act => "create, where the mapping allows it",
        Situation::Missing => match actions.missing {
            Missing::Report => "report as a pending delete",
            Missing::Recreate => "make the partner again",
            Missing::Delete => "delete the record that is left",
            Missing::Archive => "archive the record that is left",
            Missing::Unlink => "end the link",
        },
        Situation::Filtered => match actions.filtered {
            Filtered::Report => "leave alone",
            Filtered::Unlink => "end the link",
            Filtered::Sync => "sync all the same",
        },
        Situation::Gone => "remove the link",
        Situation::Waiting => "wait for the parent",
        _ => "report",
    }
}

/// What a reconciliation with this mapping would write, and whether it would be let loose.
fn consequences(context: &Context, mapping: &Mapping, report: &Report, whole: &Whole) -> Result<()> {
    let (out, planned) = (context.output, report.summary.planned);
    out.line("")?;
    out.line(format!(
        "a reconciliation would create {}, change {} and delete {}",
        count(planned.creates, "record"),
        count(planned.updates, "record"),
        count(planned.deletes, "record")
    ))?;
    for (field, pairs) in &whole.mapping_changed {
        let name = &mapping.name;
        out.line(format!(
            "  `{field}` has a new definition in `{name}`: {} differ under it",
            count(*pairs, "pair")
        ))?;
    }
    if let Some(held) = &whole.held {
        out.line(format!("it would be held: {held}"))?;
    }
    Ok(())
}

fn count(number: u64, what: &str) -> String {
    output::count(usize::try_from(number).unwrap_or(usize::MAX), what)
}

fn show(context: &Context, mapping: &Mapping, report: &Report, whole: &Whole) -> Result<()> {
    let out = context.output;
    out.json(whole)?;
    if out.is_json() {
        return Ok(());
    }
    whole.numbers.show(context)?;
    out.rows(
        &["situation", "records", "what would be done"],
        &whole.situations,
        |line| {
            vec![
                line.situation.to_string(),
                line.records.to_string(),
                line.action.to_owned(),
            ]
        },
    )?;
    consequences(context, mapping, report, whole)?;
    if !whole.items.is_empty() {
        let head = [
            "situation",
            "cause",
            "field",
            mapping.ends.left.system.as_str(),
            mapping.ends.right.system.as_str(),
            "left value",
            "right value",
            "why",
        ];
        out.line("")?;
        out.rows(&head, &whole.items, |item| {
            vec![
                item.situation.to_string(),
                item.cause.to_string(),
                maybe(item.field.as_ref()),
                maybe(item.left_id.as_ref()),
                maybe(item.right_id.as_ref()),
                maybe(item.left_value.as_ref()),
                maybe(item.right_value.as_ref()),
                maybe(item.note.as_ref()),
            ]
        })?;
    }
    next_steps(context, report);
    out.talk("nothing was written: this was a dry run");
    Ok(())
}
