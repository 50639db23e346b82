//! `syncline ignore`: differences that people have chosen to leave, until a date.

use std::sync::Arc;

use clap::Subcommand;

use super::{
    Exit,
    context::{Context, block_on},
    error::{Error, Result},
    list::{Rows, check_mapping, decide, decided, look, maybe, time},
    project::unknown,
    work::RecordArg,
};
use crate::{
    core::{mapping::Mapping, status::Situation},
    server::{api::ignore::View, settling},
    store::ignore::{IgnoreFilter, NewIgnoreRule},
};

/// Ignore rules: differences that people have chosen to leave, until a date.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  syncline ignore                                  rules in force, and when they end
  syncline ignore add --mapping customer-account --record erp:7 --field name --until 2026-12-31 \\
      --reason 'renamed in the CRM until the merger is through'
  syncline ignore add --mapping customer-account --situation absent --until 2026-12-31 --reason 'import to come'
  syncline ignore remove 3                         it is drift again

What a rule covers is counted apart as `ignored` in reports and is not repaired, on any road; other fields of the
same record go on. After its end it is drift again by itself."
)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Args)]
struct List {
    /// Of this mapping
    #[arg(long)]
    mapping: Option<String>,
    /// Also those that have ended or were removed
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    rows: Rows,
}

#[derive(Debug, clap::Args)]
struct Add {
    /// The mapping
    #[arg(long)]
    mapping: String,
    /// This record, and its partner; all where none is named
    #[arg(long, value_name = "SYSTEM:ID")]
    record: Option<RecordArg>,
    /// This field, by its name in reports; all, and records as a whole, where none is named
    #[arg(long)]
    field: Option<String>,
    /// In this situation only
    #[arg(long)]
    situation: Option<Situation>,
    /// Through the end of this date (UTC), or until a time as in 2026-12-31T12:00:00Z
    #[arg(long, value_name = "DATE")]
    until: String,
    /// Why: for whoever reads it when the rule ends
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Rules in force, newest first, as without a word
    List(List),
    /// Leave something alone until a date
    Add(Add),
    /// Take a rule away before its end
    Remove {
        /// Its id
        id: i64,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        match &args.action {
            None => list(context, &args.list).await,
            Some(Action::List(args)) => list(context, args).await,
            Some(Action::Add(args)) => add(context, args).await,
            Some(Action::Remove { id }) => {
                let (store, _) = decide(context).await?;
                let outcome = settling::stop_ignoring(&store, *id, &context.actor()).await?;
                decided(
                    context,
                    outcome,
                    &format!("ignore rule {id}"),
                    "removed; what it covered is drift again",
                )
            }
        }
    })
}

async fn add(context: &Context, args: &Add) -> Result {
    let (store, settings) = decide(context).await?;
    let catalog = context.loaded(&settings).catalog;
    let mapping = catalog
        .mappings
        .get(&args.mapping)
        .ok_or_else(|| unknown("mapping", &args.mapping, catalog.mappings.keys().map(String::as_str)))?;
    if let Some(field) = &args.field {
        check_field(mapping, field)?;
    }
    let record = args.record.as_ref().map(|record| record.of(mapping)).transpose()?;
    let rule = NewIgnoreRule {
        mapping: Arc::from(mapping.name.as_str()),
        record: record.map(|(side, id)| (side, id.to_owned())),
        field: args.field.clone(),
        situation: args.situation,
        until: settling::until(&args.until).map_err(Error::usage)?,
        reason: args.reason.clone(),
        owner: context.actor(),
    };
    let now = context.clock.now();
    let id = settling::ignore(&store, &rule, now).await?.map_err(Error::usage)?;
    if let Some(stored) = store.ignore_rule(id).await? {
        context.output.json(&View::of(stored, now))?;
    }
    context
        .output
        .talk(format!("ignore rule {id}: in force until {}", time(rule.until)));
    Ok(Exit::Done)
}

fn check_field(mapping: &Mapping, field: &str) -> Result<()> {
    let names = || mapping.fields.iter().map(|field| field.name.as_str());
    if names().any(|name| name == field) {
        return Ok(());
    }
    Err(unknown("field", field, names()))
}

async fn list(context: &Context, args: &List) -> Result {
    let filter = IgnoreFilter {
        mapping: args.mapping.clone(),
        with_ended: args.all,
    };
    let rules = look(context).await?.ignore_rules(&filter, args.rows.page()).await?;
    check_mapping(context, args.mapping.as_deref(), rules.is_empty())?;
    let now = context.clock.now();
    let views: Vec<View> = rules.into_iter().map(|rule| View::of(rule, now)).collect();
    let head = [
        "id",
        "mapping",
        "record",
        "field",
        "situation",
        "until",
        "state",
        "owner",
        "reason",
    ];
    context.output.rows(&head, &views, |rule| {
        let record = rule.side.zip(rule.record_id.as_ref());
        vec![
            rule.ignore_rule_id.to_string(),
            rule.mapping.clone(),
            maybe(record.map(|(side, id)| format!("{side}/{id}"))),
            maybe(rule.field.as_ref()),
            maybe(rule.situation),
            time(rule.until),
            rule.state.to_owned(),
            rule.owner.clone(),
            rule.reason.clone(),
        ]
    })?;
    Ok(Exit::Done)
}
