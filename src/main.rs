//! The command line of Syncline: parse arguments, run, map the result to an exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    syncline::cli::Cli::parse().run()
}
