//! What is measured against what, and what is to be reached.

mod event;
mod export;
mod intake;
mod large;
mod latency;
mod record;
mod start;

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

use crate::{Args, Group, product, program::syncline, report::Report, server::Server, subject::Task};

/// Runs every group that is asked for.
pub fn all(args: &Args, report: &mut Report) -> Result<()> {
    type Measure = fn(&Args, &mut Report) -> Result<()>;
    let groups: [(Group, Measure); 10] = [
        (Group::Intake, intake::measure),
        (Group::Listing, record::listing),
        (Group::First, record::first),
        (Group::Quiet, record::quiet),
        (Group::Large, large::million),
        (Group::Huge, large::ten_million),
        (Group::Event, event::measure),
        (Group::Latency, latency::measure),
        (Group::Start, start::measure),
        (Group::Export, export::measure),
    ];
    for (group, measure) in groups {
        if args.has(group) {
            eprintln!("{group:?}");
            measure(args, report)?;
        }
    }
    Ok(())
}

/// A folder for the files of one group, on the disk that the build is on: a memory file system would sync nothing.
struct Stage {
    folder: tempfile::TempDir,
    turns: Cell<u32>,
}

impl Stage {
    fn new() -> Result<Self> {
        Ok(Self {
            folder: tempfile::Builder::new()
                .prefix("syncline-bench-")
                .tempdir_in(env!("CARGO_TARGET_TMPDIR"))?,
            turns: Cell::new(0),
        })
    }

    /// A new folder with Syncline's files for the systems of `server`.
    fn turn(&self, server: Option<&Server>, is_batching: bool) -> Result<PathBuf> {
        self.turns.set(self.turns.get() + 1);
        let folder = self.folder.path().join(self.turns.get().to_string());
        fs::create_dir_all(&folder)?;
        let url = server.map_or_else(|| "http://127.0.0.1:9".to_owned(), Server::url);
        product::write_files(&folder, &url, is_batching)?;
        Ok(folder)
    }

    /// The task with a new folder and an empty SQLite database.
    fn set(&self, task: &Task, server: &Server, is_batching: bool) -> Result<Task> {
        let folder = self.turn(Some(server), is_batching)?;
        Ok(Task {
            url: server.url(),
            store: sqlite(&folder),
            folder,
            ..task.clone()
        })
    }
}

fn sqlite(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("syncline.db").display())
}
