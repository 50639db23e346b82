//! `syncline connector`: connector files.

mod show;

use clap::Subcommand;

use super::{context::Context, error::Result};

/// Connectors: what each says, with what is laid over it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline connector show salesforce           the file with its overlay; lines of the overlay say where they stand
  syncline connector show salesforce > copy.yaml")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// One connector as it is used: the file with what is laid over it
    Show(show::Args),
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    match &args.action {
        Action::Show(args) => show::run(context, args),
    }
}
