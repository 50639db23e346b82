//! `syncline links`: which records are known to be the same thing.

use clap::Subcommand;

use super::{
    Exit,
    context::{Context, block_on},
    error::Result,
    list::{Rows, decide, look, maybe_time, time, told},
};
use crate::{
    core::status::{LinkStatus, Side},
    server::{api::link::View, decision},
    store::link::LinkFilter,
};

/// Links: which records are known to be the same thing.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  syncline links --mapping customer-account
  syncline links find customer-account left 4711     the link of one record
  syncline links end 12                              the pair is not the same thing; both records stay"
)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
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
    /// The living link of one record
    Find {
        /// The mapping
        mapping: String,
        /// The side the record is on: left or right
        side: Side,
        /// The record's id
        record: String,
    },
    /// End a link; both records stay as they are
    End {
        /// Its id
        id: i64,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        match &args.action {
            None => {
                let filter = LinkFilter {
                    mapping: args.mapping.clone(),
                    status: args.status,
                };
                let links = look(context).await?.links(&filter, args.rows.page()).await?;
                rows(context, links.into_iter().map(View::from).collect())
            }
            Some(Action::Find { mapping, side, record }) => {
                let link = look(context).await?.link_by(mapping, *side, record).await?;
                let exit = if link.is_some() { Exit::Done } else { Exit::Found };
                rows(context, link.into_iter().map(View::from).collect())?;
                Ok(exit)
            }
            Some(Action::End { id }) => {
                let (store, _) = decide(context).await?;
                let outcome = decision::end_link(&store, *id, &context.actor()).await?;
                told(context, outcome, &format!("link {id}"), "ended")
            }
        }
    })
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
