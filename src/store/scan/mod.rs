//! The scratch files of one reconciliation: what both listings and the links look like, in a form small enough to join.
//!
//! Of a record that is most likely linked (the ids of all links stand in a filter of fixed size) 32 bytes go into a sorter, and its
//! id and match keys into a heap; so do 32 bytes for each side of every link. Sorted by a hash of the ids, each side is
//! joined by itself: what comes out are the pairs that are not as they were agreed. Records without a link are kept whole, in a
//! small SQLite file, since they are planned from the listing; so is what the plans leave to be done.
//!
//! The files lie in a folder that only its owner may read, are never synced to disk, and are gone when the scan is dropped,
//! unless it is kept for a later process to go on with ([`Scan::keep`], or a process that was killed); memory stays the same
//! whatever the number of records. All calls block for a moment: they run on tokio's blocking threads.

mod filter;
mod find;
mod heap;
mod join;
mod saved;
mod sorter;
mod todo;

#[cfg(test)]
mod tests;

use std::{fs::File, path::Path, sync::Arc};

use chrono::DateTime;
use filter::Filter;
use heap::Heap;
use join::Half;
use parking::{Folder, Shared};
use rusqlite::{Connection, params};
use sorter::Sorter;

use crate::{
    core::{
        record::Record,
        status::{Side, Sides},
        value::packed,
    },
    seam,
};

pub use find::{Candidates, Found, Suspect, Unlinked};
pub use saved::{Done, Listed};
pub use todo::{NewTodo, Todo};

/// Why the scratch files could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite's own words.
    #[error("the scratch files of the reconciliation: {0}")]
    Sql(#[from] rusqlite::Error),
    /// The folder for temporary files cannot be used.
    #[error("cannot make the scratch files of the reconciliation in `{folder}`: {source}")]
    Folder {
        /// The folder.
        folder: String,
        /// The system's own words.
        source: std::io::Error,
    },
    /// They cannot be written or read: the disk is full or broken.
    #[error("cannot use the scratch files of the reconciliation, in the folder for temporary files: {0}")]
    File(#[from] std::io::Error),
    /// The thread that used the files broke off.
    #[error("the scratch files of the reconciliation are no longer usable")]
    Broken,
}

/// One listed record.
#[derive(Debug, Clone)]
pub struct Row {
    /// The record; its fields are needed only where it is in no link.
    pub record: Record,
    /// A keyed hash of its id.
    pub print: u128,
    /// A digest of the hashes of all its fields; `None` where a value could not be read.
    pub digest: Option<u64>,
    /// Whether it does not pass the mapping's filter.
    pub is_outside: bool,
    /// A hash for each match rule, where the record has a value for it.
    pub match_keys: Vec<Option<u64>>,
}

/// One link.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// The link.
    pub link_id: i64,
    /// The ids of both records, as [`Row::print`] has them.
    pub prints: Sides<u128>,
    /// What both sides agreed on, as [`Row::digest`] has it; `None` where not every field has a base.
    pub agreed: Sides<Option<u64>>,
}

/// Tells records that are most likely linked from the others, wherever they are read.
#[derive(Debug, Clone)]
pub struct Sieve {
    side: Side,
    linked: Arc<Filter>,
}

/// Listed records of one side, told apart.
#[derive(Debug)]
pub struct Sifted {
    side: Side,
    /// Those that are most likely linked, without their fields: nothing but ids and hashes is kept of them.
    linked: Vec<Row>,
    unlinked: Vec<Row>,
}

impl Sieve {
    /// Tells these records apart.
    #[must_use]
    pub fn sift(&self, rows: impl Iterator<Item = Row>) -> Sifted {
        let mut sifted = Sifted {
            side: self.side,
            linked: Vec::with_capacity(rows.size_hint().0),
            unlinked: Vec::new(),
        };
        for mut row in rows {
            if self.linked.may_have(row.print) {
                row.record.fields.clear();
                sifted.linked.push(row);
            } else {
                sifted.unlinked.push(row);
            }
        }
        sifted
    }
}

/// How many records and links there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Listed left records.
    pub left: u64,
    /// Listed right records.
    pub right: u64,
    /// Links.
    pub pairs: u64,
}

/// The scratch files.
#[derive(Clone)]
pub struct Scan {
    shared: Arc<Shared>,
}

mod parking {
    //! What all calls share, each part for one of them at a time, together with the folder that goes when it goes.

    use std::{
        path::{Path, PathBuf},
        sync::{
            Mutex, MutexGuard,
            atomic::{AtomicBool, Ordering},
        },
    };

    use super::{Error, Half, Side, Sides};

    pub(super) struct Shared {
        tables: Mutex<rusqlite::Connection>,
        halves: Sides<Mutex<Half>>,
        // Behind the files in it, so that it goes when they are closed.
        folder: Folder,
    }

    /// The folder of the files; it goes when this goes, unless it is kept.
    pub(super) struct Folder {
        path: PathBuf,
        is_kept: AtomicBool,
    }

    impl Folder {
        pub(super) const fn of(path: PathBuf) -> Self {
            Self {
                path,
                is_kept: AtomicBool::new(false),
            }
        }

        pub(super) fn path(&self) -> &Path {
            &self.path
        }

        pub(super) fn keep(&self, is_kept: bool) {
            self.is_kept.store(is_kept, Ordering::Relaxed);
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            if !self.is_kept.load(Ordering::Relaxed) {
                // Where it cannot be removed, it is a temporary file like any other.
                let _ = std::fs::remove_dir_all(&self.path);
            }
        }
    }

    impl Shared {
        pub(super) const fn new(tables: rusqlite::Connection, left: Half, right: Half, folder: Folder) -> Self {
            Self {
                tables: Mutex::new(tables),
                halves: Sides {
                    left: Mutex::new(left),
                    right: Mutex::new(right),
                },
                folder,
            }
        }

        pub(super) fn tables(&self) -> Result<MutexGuard<'_, rusqlite::Connection>, Error> {
            self.tables.lock().map_err(|_| Error::Broken)
        }

        pub(super) fn half(&self, side: Side) -> Result<MutexGuard<'_, Half>, Error> {
            self.halves.get(side).lock().map_err(|_| Error::Broken)
        }

        pub(super) const fn folder(&self) -> &Folder {
            &self.folder
        }
    }
}

/// A process that is killed leaves files that another one can go on with; a machine that goes down need not.
const SETTINGS: &str = "
    pragma locking_mode = exclusive;
    pragma journal_mode = wal;
    pragma synchronous = off;
    pragma temp_store = file;
";

const TABLES: &str = "
    create table row (side integer not null, id text not null, outside integer not null, keys blob,
        version text, updated_at integer, data blob, primary key (side, id)) without rowid;
    create table rule (side integer not null, rule integer not null, hash integer not null, id text not null,
        linked integer not null, primary key (side, rule, hash, id)) without rowid;
    create table suspect (link_id integer primary key, missing integer not null);
    create table settled (side integer not null, id text not null, primary key (side, id)) without rowid;
    create table saved (name text primary key, value text not null) without rowid;
    create table todo (todo_id integer primary key, side integer not null, id text not null, acts integer not null);
    create table made (side integer not null, id text not null, digest integer, primary key (side, id)) without rowid;
";

const fn number(side: Side) -> i64 {
    match side {
        Side::Left => 0,
        Side::Right => 1,
    }
}

const fn side(number: i64) -> Side {
    if number == 0 { Side::Left } else { Side::Right }
}

/// How much of the memory each part may have.
struct Shares {
    tables: u64,
    filter: u64,
    sorter: u64,
}

impl Shares {
    const fn of(memory_max: u64) -> Self {
        Self {
            tables: memory_max / 4,
            filter: memory_max / 8,
            sorter: memory_max / 4,
        }
    }
}

/// What the names of all folders begin with.
const PREFIX: &str = "syncline-scan-";

/// Nobody but the owner looks into the folder.
#[cfg(unix)]
fn private(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(std::fs::Permissions::from_mode(0o700));
}

#[cfg(not(unix))]
const fn private(_: &mut tempfile::Builder<'_, '_>) {}

fn file_of(folder: &Path, side: Side, what: &str) -> std::path::PathBuf {
    folder.join(format!("{}-{what}", number(side)))
}

fn tables(folder: &Path, shares: &Shares) -> Result<Connection, Error> {
    let tables = Connection::open(folder.join("tables"))?;
    let kibibytes = i64::try_from(shares.tables >> 10).unwrap_or(i64::MAX).max(1);
    tables.execute_batch(SETTINGS)?;
    tables.pragma_update(None, "cache_size", -kibibytes)?;
    Ok(tables)
}

impl Scan {
    /// New scratch files in `folder`, or in the system's folder for temporary files, for about so many links. No more than
    /// `memory_max` bytes of it are kept in memory.
    pub async fn create(folder: Option<&Path>, links: u64, memory_max: u64) -> Result<Self, Error> {
        let parent = folder.map_or_else(std::env::temp_dir, Path::to_path_buf);
        blocking(move || {
            let unusable = |source| Error::Folder {
                folder: parent.display().to_string(),
                source,
            };
            let mut builder = tempfile::Builder::new();
            builder.prefix(PREFIX);
            private(&mut builder);
            let folder = Folder::of(builder.tempdir_in(&parent).map_err(unusable)?.keep());
            let shares = Shares::of(memory_max);
            let half = |side: Side| {
                let file = |what: &str| {
                    let name = file_of(folder.path(), side, what);
                    File::options().read(true).write(true).create_new(true).open(name)
                };
                Ok::<Half, Error>(Half::new(
                    side,
                    Filter::new(links, shares.filter),
                    Sorter::new(file("sorted").map_err(unusable)?, shares.sorter),
                    Heap::new(file("ids").map_err(unusable)?),
                ))
            };
            let (left, right) = (half(Side::Left)?, half(Side::Right)?);
            let tables = tables(folder.path(), &shares)?;
            tables.execute_batch(TABLES)?;
            Ok(Self {
                shared: Arc::new(Shared::new(tables, left, right, folder)),
            })
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = Arc::clone(&self.shared);
        blocking(move || work(&mut *shared.tables()?)).await
    }

    /// Adds links, before any record is added.
    pub async fn add_pairs(&self, pairs: impl FnOnce() -> Vec<Pair> + Send + 'static) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let pairs = pairs();
            for side in [Side::Left, Side::Right] {
                let mut half = shared.half(side)?;
                pairs.iter().try_for_each(|pair| half.add_pair(pair))?;
            }
            Ok(())
        })
        .await
    }

    /// What tells records of one side apart, once all links are in.
    pub async fn sieve(&self, side: Side) -> Result<Sieve, Error> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let linked = Arc::clone(shared.half(side)?.linked());
            Ok(Sieve { side, linked })
        })
        .await
    }

    /// Adds listed records of one side. A record that a listing repeats counts once, as it came last. Says whether so much has
    /// come since they were last saved that it should be done now.
    pub async fn add(&self, rows: Sifted) -> Result<bool, Error> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let is_filling = {
                let mut half = shared.half(rows.side)?;
                rows.linked.iter().try_for_each(|row| half.add_record(row))?;
                half.is_filling()
            };
            if !rows.unlinked.is_empty() {
                keep(&mut *shared.tables()?, rows.side, &rows.unlinked)?;
            }
            Ok(is_filling)
        })
        .await
    }

    /// Joins both listings with the links, once all of them are in, and makes what is in no link searchable by match keys.
    pub async fn join(&self) -> Result<Counts, Error> {
        let join = |side: Side| {
            let shared = Arc::clone(&self.shared);
            blocking(move || shared.half(side)?.join(&join::Tables(&shared)))
        };
        let (left, right) = tokio::join!(join(Side::Left), join(Side::Right));
        left?;
        right?;
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            join::index_keys(&shared)?;
            let of_pairs = |side| Ok::<_, Error>(shared.half(side)?.records);
            let (left, right, pairs) = (
                of_pairs(Side::Left)?,
                of_pairs(Side::Right)?,
                shared.half(Side::Left)?.pairs,
            );
            let tables = shared.tables()?;
            let unlinked = |side: Side| {
                let sql = "select count(*) from row where side = ?";
                tables.query_row(sql, [number(side)], |row| row.get::<_, i64>(0).map(i64::cast_unsigned))
            };
            Ok(Counts {
                left: left + unlinked(Side::Left)?,
                right: right + unlinked(Side::Right)?,
                pairs,
            })
        })
        .await
    }
}

/// Keeps records that are in no link, whole.
fn keep(tables: &mut Connection, side: Side, rows: &[Row]) -> Result<(), Error> {
    let transaction = tables.transaction()?;
    {
        let sql = "insert or replace into row (side, id, outside, keys, version, updated_at, data) values (?, ?, ?, ?, ?, ?, ?)";
        let mut insert = transaction.prepare_cached(sql)?;
        let mut data = Vec::new();
        for row in rows {
            let (record, is_kept) = (&row.record, !row.is_outside);
            data.clear();
            if is_kept {
                packed::pack(&record.fields, &mut data);
            }
            insert.execute(params![
                number(side),
                record.id,
                row.is_outside,
                keys(&row.match_keys),
                record.version.as_ref().filter(|_| is_kept),
                record.updated_at.map(|time| time.timestamp_micros()),
                is_kept.then_some(&data),
            ])?;
        }
    }
    Ok(transaction.commit()?)
}

/// Match keys as bytes: for each the number of its rule and its hash; nothing where there is none.
fn keys(match_keys: &[Option<u64>]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for (rule, hash) in (0_u16..).zip(match_keys) {
        if let Some(hash) = hash {
            bytes.extend(rule.to_le_bytes());
            bytes.extend(hash.to_le_bytes());
        }
    }
    (!bytes.is_empty()).then_some(bytes)
}

/// The record that [`Scan::add`] kept.
fn record(id: String, version: Option<String>, updated_at: Option<i64>, data: Option<Vec<u8>>) -> Option<Record> {
    Some(Record {
        id,
        fields: packed::unpack(&data?)?,
        version,
        updated_at: updated_at.and_then(DateTime::from_timestamp_micros),
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    seam::aside(work).await.ok_or(Error::Broken)?
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan").finish_non_exhaustive()
    }
}
