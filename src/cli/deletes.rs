//! `syncline deletes`: links whose one record is gone, where a person decides.

use super::{
    context::{Context, block_on},
    error::Result,
    links,
    list::{Rows, check_mapping, look},
};
use crate::server::api::link::View;

/// Pending deletes: links whose one record is gone, where a person decides what follows.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline deletes
  syncline deletes --mapping customer-account

A record that reappears leaves the list by itself. `syncline links end ID` parts the pair and
touches neither system; the record that is left then counts as a new one, and gets a new partner
where the mapping creates them.")]
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
        check_mapping(context, args.mapping.as_deref(), pending.is_empty())?;
        links::rows(context, pending.into_iter().map(View::from).collect())
    })
}
