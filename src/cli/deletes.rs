//! `syncline deletes`: links whose one record is gone, where a person decides.

use super::{
    context::{Context, block_on},
    error::Result,
    links,
    list::{Rows, look},
};
use crate::server::api::link::View;

/// Pending deletes: links whose one record is gone, where a person decides what follows.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline deletes
  syncline deletes --mapping customer-account

A record that reappears leaves the list by itself. `syncline links end ID` accepts that one is gone and keeps the other.")]
pub struct Args {
    /// Of this mapping
    #[arg(long)]
    mapping: Option<String>,
    #[command(flatten)]
    rows: Rows,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    block_on(async {
        let pending = look(context)
            .await?
            .pending_deletes(args.mapping.as_deref(), args.rows.page())
            .await?;
        links::rows(context, pending.into_iter().map(View::from).collect())
    })
}
