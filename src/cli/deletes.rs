//! `syncline deletes`: links whose one record is gone, where a person decides.

use clap::Subcommand;

use super::{
    Exit,
    context::{Context, block_on},
    error::Result,
    list::{Rows, check_mapping, decide, decided, look, maybe, maybe_time},
};
use crate::{
    core::status::{LinkStatus, MissingDecision, Sides},
    server::{api::link::View, settling},
    store::link::LinkFilter,
};

/// Pending deletes: links whose one record is gone, where a person decides what follows.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  syncline deletes --mapping customer-account
  syncline deletes confirm 12        the delete was meant: the record that is left is deleted, too
  syncline deletes recreate 12       it was not: the record that is gone is made again
  syncline deletes keep 12           the record that is left stays, without a partner

A record that reappears leaves the list by itself, and no decision about it is carried out then. `syncline links
unlink ID` parts the pair: the record that is left then counts as a new one, and gets a new partner where the
mapping creates them."
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
    /// Also those that somebody has decided to keep
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    rows: Rows,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Pending deletes, newest first, as without a word
    List(List),
    /// Delete the record that is left, too
    Confirm {
        /// The link
        id: i64,
    },
    /// Make the record that is gone again
    Recreate {
        /// The link
        id: i64,
    },
    /// Keep the record that is left, without a partner
    Keep {
        /// The link
        id: i64,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        match &args.action {
            None => list(context, &args.list).await,
            Some(Action::List(args)) => list(context, args).await,
            Some(Action::Confirm { id }) => decide_for(context, *id, MissingDecision::Delete).await,
            Some(Action::Recreate { id }) => decide_for(context, *id, MissingDecision::Recreate).await,
            Some(Action::Keep { id }) => decide_for(context, *id, MissingDecision::Keep).await,
        }
    })
}

async fn decide_for(context: &Context, id: i64, decision: MissingDecision) -> Result {
    let (store, settings) = decide(context).await?;
    let catalog = context.loaded(&settings).catalog;
    let stored = store.link(id).await?;
    let mapping = stored.and_then(|stored| catalog.mappings.get(&*stored.mapping).cloned());
    let objects = Sides::of(|side| catalog.object(mapping.as_ref()?.end(side)));
    let outcome = settling::decide_missing(&store, objects, id, decision, &context.actor()).await?;
    let done = match decision {
        MissingDecision::Delete => "the record that is left is deleted at the next look",
        MissingDecision::Recreate => "the record that is gone is made again at the next look",
        MissingDecision::Keep => "the record that is left stays",
    };
    decided(context, outcome, &format!("pending delete {id}"), done)
}

async fn list(context: &Context, args: &List) -> Result {
    let filter = LinkFilter {
        mapping: args.mapping.clone(),
        status: Some(LinkStatus::PendingDelete),
        is_undecided: !args.all,
    };
    let pending = look(context).await?.links(&filter, args.rows.page()).await?;
    check_mapping(context, args.mapping.as_deref(), pending.is_empty())?;
    let views: Vec<View> = pending.into_iter().map(View::from).collect();
    let now = context.clock.now();
    let head = ["id", "mapping", "left", "right", "gone", "since", "days", "decided"];
    context.output.rows(&head, &views, |link| {
        vec![
            link.link_id.to_string(),
            link.mapping.clone(),
            link.left_id.clone(),
            link.right_id.clone(),
            maybe(link.missing_side),
            maybe_time(link.missing_since),
            maybe(link.missing_since.map(|since| (now - since).num_days())),
            maybe(link.decision),
        ]
    })?;
    Ok(Exit::Done)
}
