//! What a later process needs to go on with the scratch files of one that was stopped or killed.

use std::{fs::File, path::Path, sync::Arc};

use rusqlite::{OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::{
    Error, PREFIX, Scan, Shares, blocking, file_of,
    filter::Filter,
    heap::Heap,
    join::{Half, SavedHalf},
    number,
    parking::{Folder, Shared},
    sorter::Sorter,
    tables,
};
use crate::core::{newcomer::Names, shape::Shape, status::Side};

/// How far a listing has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Where it goes on; none at its end.
    pub resume: Option<String>,
    /// Records read so far.
    pub records: u64,
    /// Pages read so far.
    #[serde(default)]
    pub pages: u64,
    /// What was seen of the fields that the mapping reads.
    #[serde(default)]
    pub shape: Shape,
    /// The names of its fields, mapped or not, as far as they were looked at.
    #[serde(default)]
    pub names: Names,
    /// Whether it has come to its end.
    pub is_ended: bool,
    /// Whether every record was seen, as far as the system tells.
    pub is_complete: bool,
}

/// One side as it is saved.
#[derive(Debug, Serialize, Deserialize)]
struct SavedSide {
    half: SavedHalf,
    listed: Listed,
}

/// The name of a side's row in the table of what is saved.
const fn name(side: Side) -> &'static str {
    match side {
        Side::Left => "left",
        Side::Right => "right",
    }
}

impl Scan {
    /// Where the files are.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.shared.folder().path()
    }

    /// Leaves the files for a later process when this one drops them, however that comes about.
    pub fn keep(&self) {
        self.shared.folder().keep(true);
    }

    /// Has the files removed after all.
    pub fn forget(&self) {
        self.shared.folder().keep(false);
    }

    /// The files that another process left at `path`; none where they are gone, or cannot be gone on with.
    pub async fn reopen(path: &Path, memory_max: u64) -> Option<Self> {
        let path = path.to_path_buf();
        let opened = blocking(move || open(path, memory_max)).await;
        match opened {
            Ok(scan) => scan,
            Err(error) => {
                tracing::warn!(%error, "what a reconciliation left behind cannot be gone on with: it begins anew");
                None
            }
        }
    }

    /// Removes what another process left at `path`.
    pub async fn remove(path: &Path) {
        let path = path.to_path_buf();
        let removed = blocking(move || {
            if is_ours(&path) {
                drop(Folder::of(path));
            }
            Ok(())
        });
        // What cannot be removed is a temporary file like any other.
        let _ = removed.await;
    }

    /// Saves the links, once all of them are in.
    pub async fn save_links(&self) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            for side in [Side::Left, Side::Right] {
                let mut half = shared.half(side)?;
                std::fs::write(
                    file_of(shared.folder().path(), side, "linked"),
                    half.linked().to_bytes(),
                )?;
                let saved = SavedSide {
                    half: half.save()?,
                    listed: Listed::default(),
                };
                put(&shared, name(side), &saved)?;
            }
            Ok(())
        })
        .await
    }

    /// Saves what was listed of a side, and how far that is.
    pub async fn save_listed(&self, side: Side, listed: Listed) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let half = shared.half(side)?.save()?;
            put(&shared, name(side), &SavedSide { half, listed })
        })
        .await
    }

    /// Forgets what was listed of a side, where a listing cannot be gone on with.
    pub async fn restart(&self, side: Side) -> Result<(), Error> {
        self.with(move |connection| {
            connection.execute("delete from row where side = ?", [number(side)])?;
            Ok(())
        })
        .await
    }

    /// How far the listing of a side had come when it was saved.
    pub async fn listed(&self, side: Side) -> Result<Listed, Error> {
        let saved: Option<SavedSide> = self.saved(name(side)).await?;
        Ok(saved.map(|saved| saved.listed).unwrap_or_default())
    }

    /// Saves something under a name of its own.
    pub async fn save<T: Serialize + Send + 'static>(&self, name: &'static str, value: T) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        blocking(move || put(&shared, name, &value)).await
    }

    /// What was saved under a name.
    pub async fn saved<T: for<'a> Deserialize<'a> + Send + 'static>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, Error> {
        let shared = Arc::clone(&self.shared);
        blocking(move || get(&*shared.tables()?, name)).await
    }

    /// Takes note that work is done, together with what it came to so far, under a name.
    pub async fn settle<T: Serialize + Send + 'static>(
        &self,
        done: Done,
        name: &'static str,
        value: T,
    ) -> Result<(), Error> {
        self.with(move |connection| {
            let text = serde_json::to_string(&value).map_err(std::io::Error::other)?;
            let transaction = connection.transaction()?;
            {
                let mut delete = transaction.prepare_cached("delete from todo where todo_id = ?")?;
                for todo_id in &done.todos {
                    delete.execute([todo_id])?;
                }
                let mut delete = transaction.prepare_cached("delete from suspect where link_id = ?")?;
                for link_id in &done.pairs {
                    delete.execute([link_id])?;
                }
                let mut insert =
                    transaction.prepare_cached("insert or ignore into settled (side, id) values (?, ?)")?;
                for (side, id) in &done.records {
                    insert.execute(params![number(*side), id])?;
                }
                let sql = "insert or replace into saved (name, value) values (?, ?)";
                transaction.prepare_cached(sql)?.execute(params![name, text])?;
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    /// Forgets what was planned and not finished.
    pub async fn clear_todos(&self) -> Result<(), Error> {
        self.with(|connection| Ok(connection.execute_batch("delete from todo")?))
            .await
    }
}

/// Work that is done.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// What the plans had left to be done.
    pub todos: Vec<i64>,
    /// Records without a link that were planned and carried out at once.
    pub records: Vec<(Side, String)>,
    /// Links of pairs that were planned and carried out at once.
    pub pairs: Vec<i64>,
}

impl Done {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.todos.is_empty() && self.records.is_empty() && self.pairs.is_empty()
    }
}

fn put<T: Serialize>(shared: &Shared, name: &str, value: &T) -> Result<(), Error> {
    let text = serde_json::to_string(value).map_err(std::io::Error::other)?;
    let sql = "insert or replace into saved (name, value) values (?, ?)";
    shared.tables()?.prepare_cached(sql)?.execute(params![name, text])?;
    Ok(())
}

fn get<T: for<'a> Deserialize<'a>>(tables: &rusqlite::Connection, name: &str) -> Result<Option<T>, Error> {
    let sql = "select value from saved where name = ?";
    let text: Option<String> = tables.query_row(sql, [name], |row| row.get(0)).optional()?;
    // What another version of Syncline saved is as good as nothing.
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

fn open(path: std::path::PathBuf, memory_max: u64) -> Result<Option<Scan>, Error> {
    if !is_ours(&path) {
        return Ok(None);
    }
    let folder = Folder::of(path);
    let shares = Shares::of(memory_max);
    let tables = tables(folder.path(), &shares)?;
    let half = |side: Side| {
        let Some(saved) = get::<SavedSide>(&tables, name(side))? else {
            return Ok::<Option<Half>, Error>(None);
        };
        let file = |what| {
            File::options()
                .read(true)
                .write(true)
                .open(file_of(folder.path(), side, what))
        };
        let linked = Filter::from_bytes(&std::fs::read(file_of(folder.path(), side, "linked"))?);
        Ok(Some(Half::new(
            side,
            linked,
            Sorter::resumed(file("sorted")?, shares.sorter, saved.half.runs),
            Heap::resumed(file("ids")?, saved.half.ids)?,
        )))
    };
    let (Some(left), Some(right)) = (half(Side::Left)?, half(Side::Right)?) else {
        return Ok(None);
    };
    Ok(Some(Scan {
        shared: Arc::new(Shared::new(tables, left, right, folder)),
    }))
}

/// Whether this is a folder of ours that nobody else can have written to.
fn is_ours(path: &Path) -> bool {
    let is_named = path
        .file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.starts_with(PREFIX));
    is_named && std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() && is_private(&found))
}

#[cfg(unix)]
fn is_private(found: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    found.permissions().mode().trailing_zeros() >= 6
}

#[cfg(not(unix))]
const fn is_private(_: &std::fs::Metadata) -> bool {
    true
}
