//! How fast Syncline is, as ratios to the least that the same work could cost: `cargo bench -- --help`.
//!
//! Every floor and every part of Syncline runs in a process of its own and takes turns with the others; load and the
//! systems that are read and written run in this one. The table goes to the terminal, the JSON to `target/bench/`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and times are far from where floating point loses anything that matters"
)]

mod generated;
mod load;
mod machine;
mod measure;
mod postgres;
mod product;
mod program;
mod record;
mod report;
mod rounds;
mod server;
mod subject;

use anyhow::Result;
use clap::Parser as _;

use report::Report;

/// As in the product, and for the floors too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure Syncline against floors of the same work
#[derive(Debug, Clone, clap::Parser)]
pub struct Args {
    /// Records on each side
    #[arg(long, default_value_t = 200_000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(100..))]
    records: usize,
    /// How often floor and candidate take turns
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of load in one round of the intake
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Small and short: 20,000 records, one round, one second, unless said otherwise
    #[arg(long)]
    quick: bool,
    /// Only these groups
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Group>,
    /// A PostgreSQL to use instead of one started for the purpose
    #[arg(long, env = "TEST_POSTGRES_URL", hide_env_values = true)]
    postgres: Option<String>,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Group {
    /// Webhooks in.
    Intake,
    /// Listings.
    Listing,
    /// First syncs.
    First,
    /// Reconciliation of pairs that agree.
    Quiet,
    /// Reconciliation of a million pairs, a few of which differ, and the join alone.
    Large,
    /// The same with ten times as many; only where it is asked for by name, since it takes half an hour.
    Huge,
    /// Single changes.
    Event,
    /// The same over a slow network.
    Latency,
    /// Start-up and idle memory.
    Start,
    /// Drift reports as files.
    Export,
}

impl Args {
    fn has(&self, group: Group) -> bool {
        self.only.contains(&group) || self.only.is_empty() && group != Group::Huge
    }

    fn quickened(mut self) -> Self {
        if self.quick {
            let usual = Self::parse_from(["speed"]);
            if self.records == usual.records {
                self.records = 20_000;
            }
            if self.rounds == usual.rounds {
                self.rounds = 1;
            }
            if (self.seconds - usual.seconds).abs() < f64::EPSILON {
                self.seconds = 1.0;
            }
        }
        self
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(subject::ARGUMENT) {
        return subject::be(&arguments.next().unwrap_or_default());
    }
    let args = Args::parse().quickened();
    let now = syncline::clock::Clock::system().now();
    let mut report = Report::new("speed", now.format("%Y-%m-%d %H:%M UTC").to_string());
    measure::all(&args, &mut report)?;
    report.finish()
}
