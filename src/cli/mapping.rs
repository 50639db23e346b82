//! `syncline mapping`: mapping files.

use clap::Subcommand;

use super::{context::Context, error::Result, merged};
use crate::catalog::overlay::Kind;

/// Mappings: what each says, with what is laid over it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  syncline mapping show customer-account       the file with its overlay; lines of the overlay say where they stand")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// One mapping as it is used: the file with what is laid over it
    Show {
        /// The mapping
        #[arg(value_name = "NAME")]
        name: String,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    match &args.action {
        Action::Show { name } => merged::show(context, Kind::Mapping, name),
    }
}
