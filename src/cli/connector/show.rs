//! `syncline connector show`: a connector as it is used.

use crate::{
    catalog::overlay::Kind,
    cli::{context::Context, error::Result, merged},
};

/// One connector as it is used: the file with what is laid over it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The connector
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    merged::show(context, Kind::Connector, &args.name)
}
