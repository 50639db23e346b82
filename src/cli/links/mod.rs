//! `syncline links`: which records are known to be the same thing.

mod file;
mod pair;

use std::sync::Arc;

use clap::{Args as _, Subcommand};

use super::{
    Exit,
    context::{Context, block_on},
    error::{Error, Result},
    list::{Rows, check_mapping, decide, decided, look, maybe_time, time},
    project::unknown,
};
use crate::{
    core::{
        mapping::Mapping,
        problem::nearest,
        status::{LinkStatus, Side},
    },
    server::{api::link::View, decision},
    settings::Settings,
    store::link::LinkFilter,
};

/// Links: which records are known to be the same thing.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  syncline links --mapping customer-account
  syncline links find customer-account left 4711                 the link of one record
  syncline links export customer-account --out links.csv         all of a mapping, for a look or for another environment
  syncline links import customer-account links.csv --dry-run     what would become of each line
  syncline links unlink 12                                       the pair is not the same thing; both records stay
  syncline links relink customer-account erp:7 crm:ACC-9         erp:7 belongs to ACC-9, whatever it was linked to
  syncline links merge customer-account crm:ACC-7 crm:ACC-9      ACC-7 became ACC-9: its link moves

Nothing is written to a system: the next look compares what both records hold (`syncline plan MAPPING` shows it).
Every decision stands in the audit."
)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Whatever is no subcommand: most likely a mapping
    #[arg(hide = true)]
    word: Option<String>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Args)]
struct List {
    /// Of this mapping
    #[arg(long)]
    mapping: Option<String>,
    /// That stand so
    #[arg(long)]
    status: Option<LinkStatus>,
    #[command(flatten)]
    rows: Rows,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The links of a mapping, newest first, as without a word
    List(List),
    /// The living link of one record
    Find {
        /// The mapping
        mapping: String,
        /// The side the record is on: left or right
        side: Side,
        /// The record's id
        record: String,
    },
    /// All living links of a mapping as a file
    Export(file::Export),
    /// Take over links from a file, with what became of each line
    Import(file::Import),
    /// End a link; both records stay as they are
    #[command(alias = "end")]
    Unlink {
        /// Its id
        id: i64,
    },
    /// Link two records, whatever they were linked to
    Relink(pair::Relink),
    /// A record became another one: its link moves
    Merge(pair::Merge),
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        match &args.action {
            None if args.word.is_some() => Err(no_action(args.word.as_deref().unwrap_or_default())),
            None => list(context, &args.list).await,
            Some(Action::List(args)) => list(context, args).await,
            Some(Action::Find { mapping, side, record }) => {
                let link = look(context).await?.link_by(mapping, *side, record).await?;
                let exit = if link.is_some() { Exit::Done } else { Exit::Found };
                rows(context, link.into_iter().map(View::from).collect())?;
                Ok(exit)
            }
            Some(Action::Export(args)) => file::export(context, args).await,
            Some(Action::Import(args)) => file::import(context, args).await,
            Some(Action::Unlink { id }) => {
                let (store, _) = decide(context).await?;
                let outcome = decision::end_link(&store, *id, &context.actor()).await?;
                decided(context, outcome, &format!("link {id}"), "ended")
            }
            Some(Action::Relink(args)) => pair::relink(context, args).await,
            Some(Action::Merge(args)) => pair::merge(context, args).await,
        }
    })
}

/// A word in the place of a subcommand.
fn no_action(word: &str) -> Error {
    let names = Args::augment_args(clap::Command::new("links"));
    let names: Vec<&str> = names.get_subcommands().map(clap::Command::get_name).collect();
    let error = Error::usage(format!("`links` has no subcommand `{word}`"));
    match nearest(word, names) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error.with_hint(format!(
            "for the links of a mapping: `syncline links list --mapping {word}`"
        )),
    }
}

async fn list(context: &Context, args: &List) -> Result {
    let filter = LinkFilter {
        mapping: args.mapping.clone(),
        status: args.status,
        ..LinkFilter::default()
    };
    let links = look(context).await?.links(&filter, args.rows.page()).await?;
    check_mapping(context, args.mapping.as_deref(), links.is_empty())?;
    rows(context, links.into_iter().map(View::from).collect())
}

/// A mapping of the project, whether or not its systems can be reached.
fn mapping(context: &Context, settings: &Settings, name: &str) -> Result<Arc<Mapping>> {
    let catalog = context.loaded(settings).catalog;
    let found = catalog.in_order().find(|mapping| mapping.name == name).cloned();
    found.ok_or_else(|| {
        let names: Vec<&str> = catalog.in_order().map(|mapping| mapping.name.as_str()).collect();
        unknown("mapping", name, names.into_iter())
    })
}

/// A decision that cannot be made as things stand.
fn refused(message: String, hint: String) -> Error {
    Error::failed(message).with_hint(hint)
}

/// A table of links, also for pending deletes.
#[expect(clippy::needless_pass_by_value, reason = "the views are made for this table")]
pub(super) fn rows(context: &Context, views: Vec<View>) -> Result {
    let head = [
        "id",
        "mapping",
        "left",
        "right",
        "status",
        "gone",
        "since",
        "last in sync",
        "linked",
    ];
    context.output.rows(&head, &views, |link| {
        vec![
            link.link_id.to_string(),
            link.mapping.clone(),
            link.left_id.clone(),
            link.right_id.clone(),
            link.status.to_string(),
            link.missing_side.map(|side| side.to_string()).unwrap_or_default(),
            maybe_time(link.missing_since),
            maybe_time(link.last_synced_at),
            time(link.created_at),
        ]
    })?;
    Ok(Exit::Done)
}
