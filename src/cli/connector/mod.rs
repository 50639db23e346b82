//! `syncline connector`: makes connectors, tries them, shows them, and compares them with what their systems have.

mod attempt;
mod discover;
mod import;
mod new;
mod place;
pub(super) mod reach;
mod show;

use clap::Subcommand;

use super::{context::Context, error::Result};

/// Connectors: draft one from a description, try it, and see what its system has.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  syncline connector new acme --openapi acme.yaml --object customer     a first draft from a description
  syncline connector new acme --sample customers.json                   … or from an answer that was saved
  syncline connector try crm account                                    one page and one record, as they are asked and answered
  syncline connector discover crm account                               which fields the system has, and the connector does not
  syncline connector import source-acme/manifest.yaml                   what a manifest of Airbyte says, as a connector
  syncline connector show salesforce                                    the file with its overlay, and where each line stands

Every subcommand has its own --help.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A first draft of a connector, from an OpenAPI or OData description or from sample answers
    New(new::Args),
    /// One page and one record, as they are asked for, answered and read
    Try(attempt::Args),
    /// What a system has, beside what its connector says
    Discover(discover::Args),
    /// A connector from a low-code manifest of Airbyte
    Import(import::Args),
    /// One connector as it is used: the file with what is laid over it
    Show(show::Args),
}

pub(super) fn run(context: &Context, args: &Args) -> Result {
    match &args.command {
        Command::New(args) => new::run(context, args),
        Command::Try(args) => attempt::run(context, args),
        Command::Discover(args) => discover::run(context, args),
        Command::Import(args) => import::run(context, args),
        Command::Show(args) => show::run(context, args),
    }
}
