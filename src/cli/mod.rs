//! The command line: one file a command. Data goes to stdout, talk to stderr; [`Exit`] says how it ended.

mod context;
mod error;
mod list;
mod merged;
mod output;
mod place;
mod project;

mod auth;
mod check;
mod completions;
mod config;
mod conflicts;
mod connector;
mod daemon;
mod decided;
mod deletes;
mod demo;
mod doctor;
mod drift;
mod events;
mod failures;
mod ignore;
mod init;
mod links;
mod mapping;
mod migrate;
mod notices;
mod plan;
mod preview;
mod progress;
mod reconcile;
mod record;
mod reprocess;
mod run;
mod runs;
mod sandbox;
mod schema;
mod subscriptions;
mod suggestions;
mod sync;
mod test;
mod token;
mod user;
mod work;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};

use context::Context;
pub use error::{Error, Exit};
use output::complain;

/// Keeps two business systems in agreement: webhooks within seconds, a daily reconciliation that finds and explains
/// drift, and every run on record.
#[derive(Debug, Parser)]
#[command(name = "syncline", version, max_term_width = 110, after_help = EXAMPLE)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLE: &str = "\
Examples:
  syncline demo                       see it work, in a minute, without any set-up
  syncline init my-sync               the files of a first project
  syncline check                      everything that is wrong in settings, connectors and mappings
  syncline --env prod run             the daemon, as a service runs it
  syncline runs                       what was executed, and what came of it
  syncline drift                      what the last reconciliations found, and why

Exit codes: 0 done, 1 problems found or drift above the threshold, 2 wrong usage, 3 could not run";

/// What every command understands.
#[derive(Debug, clap::Args)]
struct Global {
    /// The environment whose settings are used
    #[arg(long, global = true, env = "SYNCLINE_ENV", default_value = crate::settings::DEV, value_name = "NAME")]
    env: String,
    /// The folder with default.toml and <env>.toml
    #[arg(
        long,
        global = true,
        env = "SYNCLINE_CONFIG_DIR",
        default_value = "config",
        value_name = "FOLDER"
    )]
    config_dir: PathBuf,
    /// Data as JSON, one value a line
    #[arg(long, global = true)]
    json: bool,
    /// No talk on stderr, errors excepted
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The daemon: takes webhooks, keeps the systems in agreement, reconciles by schedule
    Run(run::Args),
    /// Settings, connectors, mappings and cases: everything that is wrong, in one go
    Check(check::Args),
    /// The cases beside the mappings, through the planner that the daemon uses
    Test(test::Args),
    /// The dry run: what would be done, and why
    Plan(plan::Args),
    /// One live record through its mapping, both ways, beside its partner
    Preview(preview::Args),
    /// One record now, or everything that changed since the last look
    Sync(sync::Args),
    /// Compare both systems of a mapping now, say what drifted and why, and repair it
    Reconcile(reconcile::Args),
    /// Drift reports: what reconciliations found, why, and what became of it
    Drift(drift::Args),
    /// Runs: what was executed, and what came of it
    Runs(runs::Args),
    /// Failures: records that could not be synchronized, why, and what to do next
    Failures(failures::Args),
    /// Look at failed records again
    Reprocess(reprocess::Args),
    /// Links: which records are known to be the same thing
    Links(links::Args),
    /// Pending deletes: links whose one record is gone
    Deletes(deletes::Args),
    /// Conflicts: fields that both sides changed
    Conflicts(conflicts::Args),
    /// Suggestions: similar records that no rule couples
    Suggestions(suggestions::Args),
    /// Ignore rules: differences that are left alone until a date
    Ignore(ignore::Args),
    /// Events: what other systems pushed, and what became of it
    Events(events::Args),
    /// Notices: what people and programs were told, what waits, and what was given up
    Notices(notices::Args),
    /// Bring the database to the form this version needs
    Migrate(migrate::Args),
    /// The JSON Schemas of settings, connectors, mappings and notices
    Schema(schema::Args),
    /// Try everything that Syncline needs, and say what to do about what is found
    Doctor(doctor::Args),
    /// Connectors: draft one from a description, try it, and see what its system has
    Connector(connector::Args),
    /// Mappings: what each says, with what is laid over it
    Mapping(mapping::Args),
    /// Cases out of what a live system answers, with personal data replaced
    Record(record::Args),
    /// The files of a first project, for the two sandbox systems
    Init(init::Args),
    /// Two invented business systems to try mappings on
    Sandbox(sandbox::Args),
    /// See it work: two systems, live sync, lost webhooks, and a reconciliation that finds and repairs the drift
    Demo(demo::Args),
    /// Subscriptions: what other systems push to us
    Subscriptions(subscriptions::Args),
    /// Sign in to other systems, and see what ends when
    Auth(auth::Args),
    /// Tokens of the API
    Token(token::Args),
    /// People who sign in at the console
    User(user::Args),
    /// Settings: show them with where each comes from, or make a data key
    Config(config::Args),
    /// Completions for a shell
    Completions(completions::Args),
}

impl Cli {
    /// Runs the command; the result is the process's exit code.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let context = Context::new(&self.global);
        let Some(command) = self.command else {
            // Whoever asks for nothing wants to know what can be asked for.
            let help = Self::command().render_help();
            let _ = output::print(help.to_string().trim_end());
            return ExitCode::SUCCESS;
        };
        match command.run(&context) {
            Ok(exit) => ExitCode::from(exit.code()),
            Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
            Err(error) => {
                if context.output.is_json() {
                    let hint = error.hint();
                    let _ = context
                        .output
                        .json(&serde_json::json!({ "error": error.to_string(), "hint": hint }));
                }
                complain(format!("error: {error}"));
                if let Some(hint) = error.hint() {
                    complain(format!("hint: {hint}"));
                }
                ExitCode::from(error.exit().code())
            }
        }
    }
}

impl Command {
    fn run(self, context: &Context) -> error::Result {
        match self {
            Self::Run(args) => run::run(context, &args),
            Self::Check(args) => check::run(context, &args),
            Self::Test(args) => test::run(context, &args),
            Self::Plan(args) => plan::run(context, &args),
            Self::Preview(args) => preview::run(context, &args),
            Self::Sync(args) => sync::run(context, &args),
            Self::Reconcile(args) => reconcile::run(context, &args),
            Self::Reprocess(args) => reprocess::run(context, &args),
            Self::Doctor(args) => doctor::run(context, &args),
            Self::Connector(args) => connector::run(context, &args),
            Self::Mapping(args) => mapping::run(context, &args),
            Self::Record(args) => record::run(context, &args),
            Self::Init(args) => init::run(context, &args),
            Self::Sandbox(args) => sandbox::run(context, &args),
            Self::Demo(args) => context::block_on(demo::run(context, &args)),
            Self::Drift(args) => drift::run(context, &args),
            Self::Runs(args) => runs::run(context, &args),
            Self::Failures(args) => failures::run(context, &args),
            Self::Links(args) => links::run(context, &args),
            Self::Deletes(args) => deletes::run(context, &args),
            Self::Conflicts(args) => conflicts::run(context, &args),
            Self::Suggestions(args) => suggestions::run(context, &args),
            Self::Ignore(args) => ignore::run(context, &args),
            Self::Events(args) => events::run(context, &args),
            Self::Notices(args) => notices::run(context, &args),
            Self::Migrate(args) => migrate::run(context, &args),
            Self::Subscriptions(args) => subscriptions::run(context, &args),
            Self::Auth(args) => auth::run(context, &args),
            Self::Token(args) => token::run(context, &args),
            Self::User(args) => user::run(context, &args),
            Self::Config(args) => config::run(context, &args),
            Self::Schema(args) => schema::run(context, &args),
            Self::Completions(args) => completions::run(&args),
        }
    }
}
