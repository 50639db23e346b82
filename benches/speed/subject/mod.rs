//! What is measured, each in a process of its own: the floors and Syncline, told apart by nothing but their code.

mod floor;
mod intake;
mod join;
mod pull;
mod work;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

pub use self::join::write_files as write_join_files;
use crate::machine::{self, Memory};

/// The first argument of a process that is a subject.
pub const ARGUMENT: &str = "--subject";

/// What a subject is to do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Task {
    /// Which subject.
    pub name: Name,
    /// Where both systems are.
    pub url: String,
    /// Where Syncline's files are.
    pub folder: PathBuf,
    /// The database to use.
    pub store: String,
    /// Records there are.
    pub records: usize,
    /// Records that are linked before.
    pub linked: usize,
}

/// Every subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    /// Floor (a): checks the signature and stores nothing.
    #[default]
    IntakeBare,
    /// Floor (b): one writer thread, SQLite.
    IntakeSqlite,
    /// Floor (c): one writer, PostgreSQL.
    IntakePostgres,
    /// Syncline's webhooks.
    Intake,
    /// Floor (d): pulls pages and parses them.
    Pull,
    /// Floor (e): pulls, maps, writes in batches.
    MoveBatches,
    /// Floor (e): pulls, maps, writes one by one with 32 in flight.
    MoveSingly,
    /// Floor of the event road: reads both records, writes one, with 32 in flight.
    Touch,
    /// Syncline's listing, whole records.
    List,
    /// Syncline's listing through the mapping, hashed for comparison.
    ListMapped,
    /// Syncline reads both listings and does nothing.
    ListBoth,
    /// Floor: pulls the pages of both sides at once and parses them.
    PullBoth,
    /// Floor: joins two files of records in memory and compares them.
    HashJoin,
    /// Syncline joins the compact rows of as many records with as many links.
    Join,
    /// Links what both systems have, and measures nothing.
    Link,
    /// Syncline's reconciliation of what [`Name::Link`] linked.
    Compare,
    /// Syncline's reconciliation: a first sync, a match or a quiet one, as the systems stand.
    Reconcile,
    /// Syncline's worker, from a full dirty set to an empty one.
    Work,
    /// Syncline's webhooks and worker together, until told to end.
    Daemon,
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// How long the work took, set-up aside.
    pub seconds: f64,
    /// How much was done.
    pub count: u64,
    /// Processor time of the work, set-up aside.
    pub cpu_seconds: f64,
    /// Memory at the end.
    pub memory: Memory,
    /// What else there is to say.
    pub note: String,
}

/// A stop watch that also sees processor time.
pub struct Watch {
    started: std::time::Instant,
    cpu_seconds: f64,
}

impl Watch {
    /// Starts now.
    pub fn start() -> Result<Self> {
        Ok(Self {
            cpu_seconds: machine::cpu_seconds(std::process::id())?,
            started: std::time::Instant::now(),
        })
    }

    /// Stops now.
    pub fn stop(self, count: u64, note: impl Into<String>) -> Result<Outcome> {
        let seconds = self.started.elapsed().as_secs_f64();
        Ok(Outcome {
            seconds,
            count,
            cpu_seconds: machine::cpu_seconds(std::process::id())? - self.cpu_seconds,
            memory: machine::memory(std::process::id())?,
            note: note.into(),
        })
    }
}

/// Is a subject: the other end of [`Running`].
pub fn be(task: &str) -> Result<()> {
    let task: Task = serde_json::from_str(task)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(perform(&task))?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

async fn perform(task: &Task) -> Result<Outcome> {
    match task.name {
        Name::IntakeBare => intake::bare().await,
        Name::IntakeSqlite => intake::sqlite(task).await,
        Name::IntakePostgres => intake::postgres(task).await,
        Name::Intake => intake::syncline(task, false).await,
        Name::Daemon => intake::syncline(task, true).await,
        Name::Pull => floor::pull(task).await,
        Name::MoveBatches => floor::move_batches(task).await,
        Name::MoveSingly => floor::move_singly(task).await,
        Name::Touch => floor::touch(task).await,
        Name::List => pull::list(task).await,
        Name::ListMapped => pull::list_mapped(task).await,
        Name::ListBoth => pull::list_both(task).await,
        Name::PullBoth => floor::pull_both(task).await,
        Name::HashJoin => join::floor(task),
        Name::Join => join::own(task).await,
        Name::Link => work::link(task).await,
        Name::Compare | Name::Reconcile => work::reconcile(task).await,
        Name::Work => work::work(task).await,
    }
}

/// Tells the parent where this subject listens, and waits until it is told to end.
pub async fn listen_until_told(address: std::net::SocketAddr) -> Result<()> {
    println!("{address}");
    std::io::stdout().flush()?;
    let told = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    told.await??;
    Ok(())
}

/// A subject at work.
pub struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    /// Starts a subject.
    pub fn start(task: &Task) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(ARGUMENT)
            .arg(serde_json::to_string(task)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("no output of the subject")?;
        Ok(Self {
            child,
            output: BufReader::new(output),
        })
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// One line of what it says.
    pub fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("the subject ended without a word: its error stands above");
        }
        Ok(line.trim().to_owned())
    }

    /// Tells it to end, and waits for its outcome.
    pub fn end(mut self) -> Result<Outcome> {
        drop(self.child.stdin.take());
        let line = self.line()?;
        let ended = self.child.wait()?;
        ensure!(ended.success(), "the subject ended with {ended}");
        serde_json::from_str(&line).with_context(|| format!("the subject said: {line}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a subject and waits for its outcome.
pub fn run(task: &Task) -> Result<Outcome> {
    Running::start(task)?.end()
}
