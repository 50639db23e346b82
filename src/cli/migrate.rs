//! `syncline migrate`: brings the database to the form this version needs.

use super::{
    Exit,
    context::{Context, block_on},
    error::Result,
};
use crate::store::{Access, migrate};

/// Brings the database to the form this version needs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  syncline --env prod migrate

The daemon does the same at its start; run it by hand where the daemon's user may not change tables, or to see how long it
takes. A migration that was interrupted goes on with the next call.")]
pub struct Args {}

pub(super) fn run(context: &Context, _: &Args) -> Result {
    block_on(async {
        let settings = context.settings()?;
        let store = context.store(&settings, Access::Daemon).await?;
        let (kind, version) = (store.kind(), migrate::newest());
        store.close().await;
        context
            .output
            .json(&serde_json::json!({ "database": kind, "version": version }))?;
        context.output.line(format!("{kind}: version {version}"))?;
        Ok(Exit::Done)
    })
}
