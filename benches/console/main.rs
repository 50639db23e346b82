//! How long the pages of the console take over a large store, and how large they are: `cargo bench --bench console -- --help`.
//!
//! The real program runs over a store that was filled past it; whoever looks is signed in and reads every page over the
//! loopback, so that the time is the server's and that of the way. Then webhooks come in, with and without somebody who looks.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and times are far from where floating point loses anything that matters"
)]

mod fill;
mod hook;
mod page;
mod visitor;

#[expect(dead_code, reason = "shared with the other bench, which uses the rest of it")]
#[path = "../speed/load.rs"]
mod load;
#[expect(dead_code, reason = "shared with the other bench, which uses the rest of it")]
#[path = "../speed/machine.rs"]
mod machine;
#[path = "../speed/postgres.rs"]
mod postgres;
#[expect(dead_code, reason = "shared with the other bench, which uses the rest of it")]
#[path = "../speed/product.rs"]
mod product;
#[path = "../speed/program.rs"]
mod program;
#[expect(dead_code, reason = "shared with the other bench, which uses the rest of it")]
#[path = "../speed/record.rs"]
mod record;
#[expect(dead_code, reason = "shared with the other bench, which uses the rest of it")]
#[path = "../speed/report.rs"]
mod report;

use std::{fs, io::Write as _, process::Stdio, time::Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;

use fill::Database;
use postgres::Postgres;
use program::{Daemon, syncline};
use report::Report;
use visitor::Visitor;

/// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The password of whoever looks.
const PASSWORD: &str = "correct horse battery";

/// Measure the pages of the console over a large store
#[derive(Debug, Clone, clap::Parser)]
pub struct Args {
    /// Links in the store
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(i64).range(1_000..))]
    links: i64,
    /// Runs, and as many failures and entries of the audit
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(i64).range(200..))]
    runs: i64,
    /// Differences in the last report
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(i64).range(1_000..))]
    items: i64,
    /// Events of the last ten hours
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(i64).range(1_000..))]
    events: i64,
    /// How often each page is asked for
    #[arg(long, default_value_t = 40)]
    rounds: usize,
    /// Seconds of webhooks in one turn, three with somebody who looks and three without; 0 leaves them out
    #[arg(long, default_value_t = 5)]
    seconds: usize,
    /// Only this database
    #[arg(long, value_enum)]
    only: Option<Which>,
    /// A PostgreSQL to use instead of one started for the purpose
    #[arg(long, env = "TEST_POSTGRES_URL", hide_env_values = true)]
    postgres: Option<String>,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// A database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Which {
    /// A SQLite file.
    Sqlite,
    /// PostgreSQL.
    Postgresql,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let now = syncline::clock::Clock::system().now();
    let mut report = Report::new("console", now.format("%Y-%m-%d %H:%M UTC").to_string());
    for which in [Which::Sqlite, Which::Postgresql] {
        if args.only.is_none_or(|only| only == which) {
            measure(which, &args, &mut report)?;
        }
    }
    report.finish()
}

/// Fills a database, starts the program over it, and looks.
fn measure(which: Which, args: &Args, report: &mut Report) -> Result<()> {
    let folder = tempfile::Builder::new()
        .prefix("syncline-bench-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (folder, group) = (folder.path(), format!("{which:?}"));
    product::write_files(folder, "http://127.0.0.1:9", false)?;
    let mut config = fs::OpenOptions::new()
        .append(true)
        .open(folder.join("config/dev.toml"))?;
    config.write_all(SETTINGS.as_bytes())?;
    let cluster = match which {
        Which::Sqlite => None,
        Which::Postgresql => Postgres::start(args.postgres.clone())?,
    };
    if cluster.is_none() && which == Which::Postgresql {
        eprintln!("{group}: left out, none is installed");
        return Ok(());
    }
    let url = cluster.as_ref().map(Postgres::database).transpose()?;
    let command = |name: &str| {
        let mut command = syncline(folder, name);
        if let Some(url) = &url {
            command.env("SYNCLINE__STORE__URL", url);
        }
        command
    };
    let migrated = command("migrate").stdout(Stdio::null()).status()?;
    ensure!(migrated.success(), "`syncline migrate` ended with {migrated}");
    let started = Instant::now();
    let mut database = match &url {
        None => Database::sqlite(&folder.join("data/syncline.db"))?,
        Some(url) => Database::postgres(url)?,
    };
    let ids = fill::all(&mut database, args)?;
    drop(database);
    eprintln!("{group}: filled in {:.0} s", started.elapsed().as_secs_f64());
    admit(&command)?;
    let daemon = Daemon::start(command("run"))?;
    let mut visitor = Visitor::sign_in(&daemon.address, "bench", PASSWORD)?;
    page::measure(&mut visitor, &ids, args, (&group, report))?;
    hook::measure(&daemon.address, &mut visitor, &ids, args, (&group, report))
}

/// Nobody is slowed down, and nothing begins by itself.
const SETTINGS: &str = "[server]\napi_rate = \"100000/s\"\napi_burst = 1000000\napi_heavy_rate = \"100000/s\"\n\
    api_heavy_burst = 1000000\n[schedule]\nenabled = false\n";

/// Adds whoever looks.
fn admit(command: &impl Fn(&str) -> std::process::Command) -> Result<()> {
    let added = command("user")
        .args(["add", "bench", "--role", "admin"])
        .stdout(Stdio::null())
        .status()?;
    ensure!(added.success(), "`syncline user add` ended with {added}");
    let mut child = command("user")
        .args(["password", "bench"])
        .stdin(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().context("no input")?;
    writeln!(input, "{PASSWORD}")?;
    drop(input);
    let set = child.wait()?;
    ensure!(set.success(), "`syncline user password` ended with {set}");
    Ok(())
}
