//! `syncline completions`: for the shells that know how to complete.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Exit, error::Result};

/// Completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  syncline completions bash > /etc/bash_completion.d/syncline")]
pub struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "syncline", &mut script);
    std::io::Write::write_all(&mut std::io::stdout().lock(), &script)?;
    Ok(Exit::Done)
}
