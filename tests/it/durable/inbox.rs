//! A process that takes events in, prints what it acknowledges, and may be killed at any time; and the checker of what
//! it leaves.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use syncline::{
    core::{
        record::RecordKey,
        status::{ChangeOrigin, EventKind, Side},
    },
    store::{Error, Keys, Options, Store, Synchronous, change::NewChange, event::NewEvent},
};

use crate::support::disk::Disk;

/// The exit status of a process that gave up its database.
pub const BROKEN: i32 = 4;
/// The exit status of a process that could not open its database.
pub const UNOPENED: i32 = 3;
/// The exit status that a power loss leaves.
pub const POWER_LOSS: i32 = 137;

const VARIABLE: &str = "SYNCLINE_TEST_INBOX";

/// What the process is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    pub url: String,
    /// The number of the first event.
    pub from: u64,
    /// How many.
    pub count: u64,
    /// How many are sent at the same time.
    pub at_once: u64,
    pub payload_bytes: usize,
    /// Whether a commit need not be on the disk.
    pub is_normal: bool,
    /// Whether an event that is refused is sent again until it is taken.
    pub is_stubborn: bool,
}

impl Task {
    pub fn new(disk: &Disk, from: u64, count: u64) -> Self {
        Self {
            url: disk.url(),
            from,
            count,
            at_once: 4,
            payload_bytes: 3_000,
            is_normal: false,
            is_stubborn: false,
        }
    }

    /// The process, not started yet.
    pub fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "durable::inbox::child", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, serde_json::to_string(self).unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// What a process said before it ended.
#[derive(Debug)]
pub struct Outcome {
    pub acknowledged: BTreeSet<String>,
    /// Events sent after one had been refused, and acknowledged.
    pub acknowledged_late: u64,
    pub refused: u64,
    pub status: ExitStatus,
    pub errors: String,
}

impl Outcome {
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// Starts the process and reads what it says until it ends; `heard` is told every line.
pub fn run(mut command: Command, mut heard: impl FnMut(&str)) -> Outcome {
    let mut child = command.spawn().unwrap();
    let errors = read_errors(&mut child);
    let (mut acknowledged, mut refused, mut after) = (BTreeSet::new(), 0, 0);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The test harness may have begun the line.
        let Some((_, said)) = line.split_once("@ ") else {
            continue;
        };
        if let Some(id) = said.strip_prefix("acknowledged ") {
            acknowledged.insert(id.to_owned());
        } else {
            refused += u64::from(said.starts_with("refused "));
            after += u64::from(said.starts_with("late "));
        }
        heard(said);
    }
    Outcome {
        acknowledged,
        acknowledged_late: after,
        refused,
        status: child.wait().unwrap(),
        errors: errors.join().unwrap(),
    }
}

fn read_errors(child: &mut Child) -> std::thread::JoinHandle<String> {
    let mut errors = child.stderr.take().unwrap();
    std::thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut errors, &mut text).map_or_else(|error| error.to_string(), |_| text)
    })
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever listens may be gone.
    let _ = writeln!(out, "@ {text}").and_then(|()| out.flush());
}

/// The process itself: a test that does nothing unless it was started by [`Task::command`].
#[test]
#[expect(clippy::disallowed_methods, reason = "it is told by its parent what to do")]
fn child() {
    let Ok(task) = std::env::var(VARIABLE) else { return };
    let task: Task = serde_json::from_str(&task).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let code = runtime.block_on(work(Arc::new(task)));
    std::process::exit(code);
}

async fn work(task: Arc<Task>) -> i32 {
    let options = Options {
        sqlite_synchronous: if task.is_normal {
            Synchronous::Normal
        } else {
            Synchronous::Full
        },
        ..Options::new(&task.url, Keys::derive(&[7; 32]))
    };
    let store = match Store::open(&options).await {
        Ok(store) => store,
        Err(error) => {
            say(&format!("unopened {error}"));
            return UNOPENED;
        }
    };
    say("open");
    let progress = Arc::new(Progress {
        next: AtomicU64::new(task.from),
        has_refused: AtomicBool::new(false),
    });
    let senders = (0..task.at_once).map(|_| {
        let (store, task, progress) = (store.clone(), Arc::clone(&task), Arc::clone(&progress));
        tokio::spawn(send(store, task, progress))
    });
    let all = futures_util::future::join_all(senders);
    let code = tokio::select! {
        biased;
        error = store.broken() => {
            say(&format!("broken {error}"));
            BROKEN
        }
        _ = all => 0,
    };
    if code == 0 {
        store.close().await;
        say("done");
    }
    code
}

/// What the senders share.
struct Progress {
    next: AtomicU64,
    has_refused: AtomicBool,
}

async fn send(store: Store, task: Arc<Task>, progress: Arc<Progress>) {
    loop {
        let number = progress.next.fetch_add(1, Ordering::Relaxed);
        if number >= task.from + task.count {
            return;
        }
        loop {
            let is_late = progress.has_refused.load(Ordering::SeqCst);
            match store.receive(vec![event(number, task.payload_bytes)]).await {
                Ok(_) => {
                    say(&format!("acknowledged {number}"));
                    if is_late {
                        say(&format!("late {number}"));
                    }
                }
                Err(error) => {
                    progress.has_refused.store(true, Ordering::SeqCst);
                    say(&format!("refused {error}"));
                    if task.is_stubborn && matches!(error, Error::Full | Error::Busy { .. }) {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        continue;
                    }
                }
            }
            break;
        }
    }
}

fn event(number: u64, payload_bytes: usize) -> NewEvent {
    let record_id = format!("A-{number}");
    let key = RecordKey::new(Arc::from("customer-account"), Side::Left, record_id.clone());
    NewEvent {
        system: Arc::from("crm"),
        external_id: number.to_string(),
        object: "account".into(),
        record_id: Some(record_id),
        kind: EventKind::Updated,
        own: false,
        merged_into: None,
        version: None,
        occurred_at: None,
        request_id: "request-1".into(),
        payload: Some(vec![b'x'; payload_bytes]),
        changes: vec![NewChange::new(key, ChangeOrigin::Event, EventKind::Updated)],
    }
}

/// A copy of a database as it is after a restart of the machine, in a folder of its own: looking at it changes nothing.
pub fn copied(database: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::copy(database, copy.path().join("copy.db")).unwrap();
    let beside = |name: &str| format!("{}{name}", database.display());
    for name in ["-wal", "-journal"] {
        if Path::new(&beside(name)).exists() {
            fs::copy(beside(name), copy.path().join(format!("copy.db{name}"))).unwrap();
        }
    }
    copy
}

/// Looks at a database file without touching it; tells what is wrong.
pub fn check(database: &Path, acknowledged: &BTreeSet<String>) -> Result<(), String> {
    if !database.exists() {
        return if acknowledged.is_empty() {
            Ok(())
        } else {
            Err("all acknowledged events lost: the database is gone".into())
        };
    }
    let copy = copied(database);
    look(&copy.path().join("copy.db"), acknowledged).map_err(|error| error.to_string())?
}

fn look(path: &Path, acknowledged: &BTreeSet<String>) -> rusqlite::Result<Result<(), String>> {
    let connection = rusqlite::Connection::open(path)?;
    let text = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0));
    let integrity = text("pragma integrity_check")?;
    if integrity != "ok" {
        return Ok(Err(integrity));
    }
    if text("select count(*) || '' from sqlite_schema where name = 'event'")? == "0" {
        // The power went before the first migration was done.
        return Ok(if acknowledged.is_empty() {
            Ok(())
        } else {
            Err("all acknowledged events lost: their table is gone".into())
        });
    }
    let mut statement = connection.prepare("select external_id from event")?;
    let stored = statement
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<BTreeSet<String>>>()?;
    let lost = acknowledged.difference(&stored).collect::<Vec<_>>();
    if !lost.is_empty() {
        return Ok(Err(format!("{} acknowledged events lost: {lost:?}", lost.len())));
    }
    let torn = text(
        "select count(*) || '' from event where status = 'queued' \
         and not exists (select 1 from change where change.record_id = event.record_id)",
    )?;
    if torn != "0" {
        return Ok(Err(format!("{torn} events stand there without their changes")));
    }
    Ok(Ok(()))
}
