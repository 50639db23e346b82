//! The scratch file of one reconciliation: what both listings and the links look like, in a form small enough to join.
//!
//! It lives in a temporary SQLite file that only its owner may read, that has no name any more once it is open (where the
//! system allows that), is never synced to disk, and is gone when the scan is dropped; memory stays the same whatever the
//! number of records. Records without a link are kept whole, since they are planned from the listing; of linked ones only
//! hashes are kept. All calls block for a moment: they run on tokio's blocking threads.

mod find;
mod todo;

#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc};

use chrono::DateTime;
use parking::Shared;
use rusqlite::{Connection, params};

use crate::{
    core::{record::Record, status::Side, value::packed},
    seam,
};

pub use find::{Candidates, Suspect, Unlinked};
pub use todo::Todo;

/// Why the scratch file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite's own words.
    #[error("the scratch file of the reconciliation: {0}")]
    Sql(#[from] rusqlite::Error),
    /// The folder for temporary files cannot be used.
    #[error("cannot make the scratch file of the reconciliation: {0}")]
    File(#[from] std::io::Error),
    /// The thread that used the file broke off.
    #[error("the scratch file of the reconciliation is no longer usable")]
    Broken,
}

/// One listed record.
#[derive(Debug, Clone)]
pub struct Row {
    /// The record; kept only where it is in no link.
    pub record: Record,
    /// A hash a field, in the mapping's order; `None` where a value could not be read.
    pub hashes: Option<Vec<u8>>,
    /// Whether it does not pass the mapping's filter.
    pub is_outside: bool,
    /// A hash for each match rule, where the record has a value for it.
    pub match_keys: Vec<Option<u64>>,
}

/// One link.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The link.
    pub link_id: i64,
    /// Id of the left record.
    pub left_id: String,
    /// Id of the right record.
    pub right_id: String,
    /// The agreed hashes of the left side, as in [`Row::hashes`]; `None` where not every field has a base.
    pub left_agreed: Option<Vec<u8>>,
    /// The agreed hashes of the right side.
    pub right_agreed: Option<Vec<u8>>,
}

/// How many records and links there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Listed left records.
    pub left: u64,
    /// Listed right records.
    pub right: u64,
    /// Links.
    pub pairs: u64,
}

/// The scratch file.
#[derive(Clone)]
pub struct Scan {
    connection: Arc<Shared>,
}

mod parking {
    //! One connection for all calls, together with the file that goes when it goes.

    use std::sync::{Mutex, MutexGuard};

    pub(super) struct Shared {
        connection: Mutex<rusqlite::Connection>,
        _file: Option<tempfile::TempPath>,
    }

    impl Shared {
        pub(super) const fn new(connection: rusqlite::Connection, file: Option<tempfile::TempPath>) -> Self {
            Self {
                connection: Mutex::new(connection),
                _file: file,
            }
        }

        pub(super) fn lock(&self) -> Result<MutexGuard<'_, rusqlite::Connection>, super::Error> {
            self.connection.lock().map_err(|_| super::Error::Broken)
        }
    }
}

const TABLES: &str = "
    pragma journal_mode = off;
    pragma synchronous = off;
    pragma locking_mode = exclusive;
    pragma temp_store = file;
    create table row (side integer not null, id text not null, hashes blob, outside integer not null, keys blob,
        version text, updated_at integer, data blob, primary key (side, id)) without rowid;
    create table rule (side integer not null, rule integer not null, hash integer not null, id text not null,
        linked integer not null, primary key (side, rule, hash, id)) without rowid;
    create table pair (link_id integer primary key, left_id text not null, right_id text not null,
        left_agreed blob, right_agreed blob);
    create index pair_left on pair (left_id);
    create index pair_right on pair (right_id);
    create table todo (todo_id integer primary key, side integer not null, id text not null);
    create table made (side integer not null, id text not null, hashes blob, primary key (side, id)) without rowid;
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

/// The column of `pair` with the ids of one side.
const fn column(side: Side) -> &'static str {
    match side {
        Side::Left => "left_id",
        Side::Right => "right_id",
    }
}

/// A removed name leaves the file to whoever has it open, and to nobody else.
fn forget_name(file: tempfile::TempPath) -> Option<tempfile::TempPath> {
    if cfg!(unix) {
        // Where it cannot be removed now, it is removed with the scan.
        std::fs::remove_file(&file).err().map(|_| file)
    } else {
        Some(file)
    }
}

impl Scan {
    /// A new scratch file in `folder`, or in the system's folder for temporary files. No more than `memory_max` bytes of it are
    /// kept in memory.
    pub async fn create(folder: Option<&Path>, memory_max: u64) -> Result<Self, Error> {
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_path_buf);
        blocking(move || {
            let file = tempfile::Builder::new()
                .prefix("syncline-scan-")
                .tempfile_in(folder)?
                .into_temp_path();
            let connection = Connection::open(&file)?;
            let kibibytes = i64::try_from(memory_max >> 10).unwrap_or(i64::MAX).max(1);
            connection.pragma_update(None, "cache_size", -kibibytes)?;
            connection.execute_batch(TABLES)?;
            Ok(Self {
                connection: Arc::new(Shared::new(connection, forget_name(file))),
            })
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = Arc::clone(&self.connection);
        blocking(move || work(&mut *shared.lock()?)).await
    }

    /// Adds listed records of one side, after the links. A record that a listing repeats counts once, as it came last.
    pub async fn add(&self, side: Side, rows: Vec<Row>) -> Result<(), Error> {
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            {
                let insert = "insert or replace into row (side, id, hashes, outside, keys, version, updated_at, data) \
                    values (?, ?, ?, ?, ?, ?, ?, ?)";
                let mut insert = transaction.prepare_cached(insert)?;
                let linked = format!("select 1 from pair where {} = ?", column(side));
                let mut linked = transaction.prepare_cached(&linked)?;
                let mut data = Vec::new();
                for row in &rows {
                    let record = &row.record;
                    data.clear();
                    let is_kept = !row.is_outside && !linked.exists([&record.id])?;
                    if is_kept {
                        packed::pack(&record.fields, &mut data);
                    }
                    insert.execute(params![
                        number(side),
                        record.id,
                        row.hashes,
                        row.is_outside,
                        keys(&row.match_keys),
                        record.version.as_ref().filter(|_| is_kept),
                        record.updated_at.map(|time| time.timestamp_micros()),
                        is_kept.then_some(&data),
                    ])?;
                }
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    /// Adds links.
    pub async fn add_pairs(&self, pairs: Vec<Pair>) -> Result<(), Error> {
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            {
                let insert = "insert or replace into pair (link_id, left_id, right_id, left_agreed, right_agreed) \
                    values (?, ?, ?, ?, ?)";
                let mut insert = transaction.prepare_cached(insert)?;
                for pair in &pairs {
                    let (left, right) = (&pair.left_agreed, &pair.right_agreed);
                    insert.execute(params![pair.link_id, pair.left_id, pair.right_id, left, right])?;
                }
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    /// How many records and links there are.
    pub async fn counts(&self) -> Result<Counts, Error> {
        self.with(|connection| {
            let count = |sql: &str| {
                connection
                    .query_row(sql, [], |row| row.get::<_, i64>(0))
                    .map(i64::cast_unsigned)
            };
            Ok(Counts {
                left: count("select count(*) from row where side = 0")?,
                right: count("select count(*) from row where side = 1")?,
                pairs: count("select count(*) from pair")?,
            })
        })
        .await
    }
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
