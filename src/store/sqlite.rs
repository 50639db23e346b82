//! The connection that writes to SQLite: one for the whole process, used in place.
//!
//! A statement takes microseconds, a commit waits for the disk. So statements run where they are asked for, without a
//! way to another thread and back, and what may wait (begin, commit) moves off to a thread where waiting is no harm. One
//! connection also means one page cache: two that write in turn would each throw theirs away at every turn.

use std::{path::PathBuf, sync::Arc};

use rusqlite::{
    CachedStatement, Connection, OpenFlags,
    hooks::Wal,
    types::{ToSqlOutput, Value, ValueRef},
};
use tokio::sync::OwnedMutexGuard;

use super::{
    bulk::Changed,
    connect::Synchronous,
    engine::{Arg, Args, Broken, Durability, Row, WAIT_MAX, without_nul},
    error::Error,
};
use crate::seam;

/// Prepared statements that are kept.
const STATEMENTS_MAX: usize = 400;
/// Kibibytes of pages that are kept in memory.
const CACHE_KIB: i64 = 16 * 1_024;
/// The same where rows are only gone through.
const READING_CACHE_KIB: i64 = 2 * 1_024;
/// Pages in the log before they go to the database: the larger, the fewer are written twice.
const CHECKPOINT_PAGES: i32 = 4_000;

/// How the connection is opened, at its first use.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    pub path: PathBuf,
    pub is_daemon: bool,
    pub is_reading: bool,
    pub pages_max: Option<u64>,
    pub synchronous: Synchronous,
}

/// The connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    opening: Opening,
    state: State,
    durability: Durability,
    broken: Broken,
}

#[derive(Debug)]
enum State {
    Unopened,
    Open(Connection),
    Closed,
}

impl Writer {
    pub const fn new(opening: Opening, broken: Broken) -> Self {
        Self {
            opening,
            state: State::Unopened,
            durability: Durability::Durable,
            broken,
        }
    }

    /// Closes it for good; SQLite moves its log into the database then.
    pub fn close(&mut self) {
        self.state = State::Closed;
    }

    /// Lets go of a connection that does not know where it stands; the next use opens another.
    fn forget(&mut self) {
        if matches!(self.state, State::Open(_)) {
            self.state = State::Unopened;
        }
    }

    fn connection(&mut self) -> Result<&Connection, Error> {
        if matches!(self.state, State::Unopened) {
            let opened = open(&self.opening).map_err(|error| Error::of_sqlite("connect", &error));
            self.state = State::Open(self.broken.note(opened)?);
            self.durability = Durability::Durable;
        }
        match &self.state {
            State::Open(connection) => Ok(connection),
            State::Unopened | State::Closed => Err(Error::Closed),
        }
    }

    /// Begins a transaction; may wait for another process.
    fn begin(&mut self, durability: Durability) -> Result<(), Error> {
        self.broken.check()?;
        self.connection()?;
        if self.durability != durability {
            let level = level(durability, self.opening.synchronous);
            let set = self.connection()?.pragma_update(None, "synchronous", level);
            set.map_err(|error| Error::of_sqlite("pragma synchronous", &error))?;
            // At once: were it noted only after a `begin` that fails, a durable commit could pass unsynced.
            self.durability = durability;
        }
        self.run("begin immediate")
    }

    /// What a statement returns outside of a transaction.
    pub fn rows(&mut self, sql: &str, args: Args<'_>) -> Result<Vec<Row>, Error> {
        let prepared = self.connection()?.prepare_cached(&sql.replace('$', "?"));
        let found = prepared.and_then(|statement| read(statement, std::iter::once(args)));
        found.map_err(|error| Error::of_sqlite(sql, &error))
    }

    fn run(&mut self, sql: &'static str) -> Result<(), Error> {
        let ran = run(self.connection()?, sql);
        self.broken.note(ran)
    }
}

/// What SQLite calls it.
const fn level(durability: Durability, synchronous: Synchronous) -> &'static str {
    match (durability, synchronous) {
        (Durability::Durable, Synchronous::Full) => "full",
        (Durability::Relaxed, _) | (Durability::Durable, Synchronous::Normal) => "normal",
    }
}

fn open(opening: &Opening) -> rusqlite::Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    flags |= if opening.is_reading {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE
    };
    if opening.is_daemon {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let connection = Connection::open_with_flags(&opening.path, flags)?;
    connection.busy_timeout(WAIT_MAX)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    if opening.is_daemon {
        connection.pragma_update(None, "journal_mode", "wal")?;
    }
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", level(Durability::Durable, opening.synchronous))?;
    let cache = if opening.is_reading {
        READING_CACHE_KIB
    } else {
        CACHE_KIB
    };
    connection.pragma_update(None, "cache_size", -cache)?;
    connection.wal_hook(Some(move_log));
    if let Some(pages) = opening.pages_max {
        connection.pragma_update(None, "max_page_count", i64::try_from(pages).unwrap_or(i64::MAX))?;
    }
    Ok(connection)
}

/// Moves the log into the database once it is long, after a commit. SQLite's own way does the same and says nothing of a
/// disk that fails at it, after which the database is not to be trusted. That another one moves it, or that there is no space
/// for it now, does no harm: it is tried again after the next commit, and what was committed stands in the log.
fn move_log(log: &Wal, pages: i32) -> rusqlite::Result<()> {
    if pages < CHECKPOINT_PAGES {
        return Ok(());
    }
    match log.checkpoint() {
        Err(error) if Error::of_sqlite("checkpoint", &error).is_fatal() => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn run(connection: &Connection, sql: &'static str) -> Result<(), Error> {
    let ran = connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.raw_execute());
    ran.map(drop).map_err(|error| Error::of_sqlite(sql, &error))
}

/// A writing transaction; dropped without `commit` it is rolled back.
///
/// When the disk is full SQLite may end a transaction by itself, and a connection that does not know where it stands is
/// closed rather than used again.
pub(super) struct SqliteTx {
    writer: Option<OwnedMutexGuard<Writer>>,
    may_wait: bool,
}

impl SqliteTx {
    /// Begins a transaction. With `may_wait` this thread is one that may wait for the disk.
    pub async fn begin(
        mut writer: OwnedMutexGuard<Writer>,
        durability: Durability,
        may_wait: bool,
    ) -> Result<Self, Error> {
        // Whoever asks may go away meanwhile: what has begun is a transaction, and ends as one that is dropped.
        let begin = move || {
            writer.begin(durability).map(|()| Self {
                writer: Some(writer),
                may_wait,
            })
        };
        if may_wait { begin() } else { aside(begin).await }
    }

    /// What a statement returns.
    pub fn rows(&mut self, sql: &str, args: Args<'_>) -> Result<Vec<Row>, Error> {
        self.rows_each(sql, std::iter::once(args))
    }

    /// What a statement returns for each of many sets of values.
    pub fn rows_each<'q>(&mut self, sql: &str, sets: impl IntoIterator<Item = Args<'q>>) -> Result<Vec<Row>, Error> {
        let (connection, broken) = self.connection()?;
        let found = prepare(connection, sql).and_then(|statement| read(statement, sets));
        broken.note(found.map_err(|error| Error::of_sqlite(sql, &error)))
    }

    /// How many rows a statement changes.
    pub fn execute(&mut self, sql: &str, args: Args<'_>) -> Result<u64, Error> {
        let changed = self.execute_each(sql, std::iter::once(args))?;
        Ok(changed.into_iter().map(|changed| changed.rows).sum())
    }

    /// What a statement does for each of many sets of values.
    pub fn execute_each<'q>(
        &mut self,
        sql: &str,
        sets: impl IntoIterator<Item = Args<'q>>,
    ) -> Result<Vec<Changed>, Error> {
        let (connection, broken) = self.connection()?;
        let changed = prepare(connection, sql).and_then(|statement| change(connection, statement, sets));
        broken.note(changed.map_err(|error| Error::of_sqlite(sql, &error)))
    }

    pub async fn commit(self) -> Result<(), Error> {
        self.end("commit").await
    }

    pub async fn rollback(self) -> Result<(), Error> {
        self.end("rollback").await
    }

    async fn end(mut self, sql: &'static str) -> Result<(), Error> {
        let Some(mut writer) = self.writer.take() else {
            return Ok(());
        };
        let mut end = move || {
            let ended = writer.run(sql);
            if ended.is_err() {
                writer.forget();
            }
            ended
        };
        if self.may_wait { end() } else { aside(end).await }
    }

    fn connection(&mut self) -> Result<(&Connection, Broken), Error> {
        let writer = self.writer.as_mut().ok_or(Error::Closed)?;
        let broken = writer.broken.clone();
        Ok((writer.connection()?, broken))
    }
}

/// `$2` would be the name of a parameter that is counted where it first stands; `?2` is the second one.
fn prepare<'c>(connection: &'c Connection, sql: &str) -> rusqlite::Result<CachedStatement<'c>> {
    connection.prepare_cached(&sql.replace('$', "?"))
}

fn read<'q>(
    mut statement: CachedStatement<'_>,
    sets: impl IntoIterator<Item = Args<'q>>,
) -> rusqlite::Result<Vec<Row>> {
    let columns: Arc<[Box<str>]> = statement.column_names().into_iter().map(Box::from).collect();
    let mut found = Vec::new();
    for args in sets {
        bind(&mut statement, args)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            let values = (0..columns.len()).map(|index| row.get::<_, Value>(index));
            found.push(Row::Local(LocalRow {
                columns: Arc::clone(&columns),
                values: values.collect::<Result<_, _>>()?,
            }));
        }
    }
    Ok(found)
}

fn change<'q>(
    connection: &Connection,
    mut statement: CachedStatement<'_>,
    sets: impl IntoIterator<Item = Args<'q>>,
) -> rusqlite::Result<Vec<Changed>> {
    let mut changed = Vec::new();
    for args in sets {
        bind(&mut statement, args)?;
        changed.push(Changed {
            rows: u64::try_from(statement.raw_execute()?).unwrap_or_default(),
            id: connection.last_insert_rowid(),
        });
    }
    Ok(changed)
}

impl Drop for SqliteTx {
    fn drop(&mut self) {
        if let Some(writer) = &mut self.writer
            && writer.run("rollback").is_err()
        {
            writer.forget();
        }
    }
}

/// Runs what may wait where waiting is no harm.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    seam::aside(work).await.ok_or(Error::Closed)?
}

fn bind(statement: &mut CachedStatement<'_>, args: Args<'_>) -> rusqlite::Result<()> {
    for (index, arg) in (1_usize..).zip(args) {
        match arg {
            Arg::Int(value) => statement.raw_bind_parameter(index, value),
            Arg::Bool(value) => statement.raw_bind_parameter(index, value),
            Arg::Text(value) => statement.raw_bind_parameter(index, value.map(without_nul)),
            Arg::Bytes(value) => statement.raw_bind_parameter(index, value.as_deref().map(Blob)),
        }?;
    }
    Ok(())
}

/// Bytes that are bound without a copy of ours.
struct Blob<'a>(&'a [u8]);

impl rusqlite::ToSql for Blob<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0)))
    }
}

/// A row that was read by the connection that writes.
#[derive(Debug)]
pub(super) struct LocalRow {
    columns: Arc<[Box<str>]>,
    values: Vec<Value>,
}

impl LocalRow {
    /// The value of a column.
    pub fn value(&self, column: &str) -> Option<&Value> {
        let index = self.columns.iter().position(|name| **name == *column)?;
        self.values.get(index)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Mutex;

    use super::*;
    use crate::store::engine::args;

    fn writer(folder: &tempfile::TempDir) -> Arc<Mutex<Writer>> {
        let opening = Opening {
            path: folder.path().join("test.db"),
            is_daemon: true,
            is_reading: false,
            pages_max: None,
            synchronous: Synchronous::Full,
        };
        Arc::new(Mutex::new(Writer::new(opening, Broken::default())))
    }

    async fn begin(writer: &Arc<Mutex<Writer>>, durability: Durability) -> SqliteTx {
        let writer = Arc::clone(writer).lock_owned().await;
        SqliteTx::begin(writer, durability, false).await.unwrap()
    }

    fn level(tx: &mut SqliteTx) -> Option<Value> {
        let rows = tx.rows("pragma synchronous", Vec::new()).unwrap();
        let [Row::Local(row)] = rows.as_slice() else {
            panic!("{} rows", rows.len());
        };
        row.value("synchronous").cloned()
    }

    #[tokio::test]
    async fn every_transaction_is_as_durable_as_it_was_asked_to_be() {
        const FULL: i64 = 2;
        const NORMAL: i64 = 1;
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        for (durability, expected) in [
            (Durability::Durable, FULL),
            (Durability::Relaxed, NORMAL),
            (Durability::Relaxed, NORMAL),
            (Durability::Durable, FULL),
        ] {
            let mut tx = begin(&writer, durability).await;
            assert_eq!(level(&mut tx), Some(Value::Integer(expected)));
            tx.commit().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_long_log_is_moved_into_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        let size = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().len();
        let mut tx = begin(&writer, Durability::Relaxed).await;
        tx.execute("create table t (a blob)", Vec::new()).unwrap();
        tx.commit().await.unwrap();
        for _ in 0..3 {
            let mut tx = begin(&writer, Durability::Relaxed).await;
            let sql = "insert into t select zeroblob(4096) from (with recursive n(i) as \
                       (select 1 union all select i + 1 from n where i < 3000) select i from n)";
            tx.execute(sql, Vec::new()).unwrap();
            tx.commit().await.unwrap();
        }
        assert!(size("test.db") > 4_096 * 3_000);
        let log = size("test.db-wal");
        assert!(log < 4_200 * 2 * 6_200, "the log is used again: {log}");
    }

    #[tokio::test]
    async fn a_value_goes_to_the_placeholder_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let mut tx = begin(&writer(&folder), Durability::Durable).await;
        let rows = tx.rows("select $2 as second, $1 as first", args!["one", 2_i64]);
        let rows = rows.unwrap();
        let [Row::Local(row)] = rows.as_slice() else {
            panic!("{} rows", rows.len());
        };
        assert_eq!(row.value("first"), Some(&Value::Text("one".to_owned())));
        assert_eq!(row.value("second"), Some(&Value::Integer(2)));
    }

    #[tokio::test]
    async fn a_relaxed_transaction_that_cannot_begin_leaves_the_next_one_durable() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        begin(&writer, Durability::Durable).await.commit().await.unwrap();
        let other = Connection::open(folder.path().join("test.db")).unwrap();
        other.execute_batch("begin immediate").unwrap();
        {
            let mut held = writer.lock().await;
            held.connection()
                .unwrap()
                .busy_timeout(std::time::Duration::ZERO)
                .unwrap();
            assert!(matches!(held.begin(Durability::Relaxed), Err(Error::Busy { .. })));
        }
        other.execute_batch("rollback").unwrap();
        let mut tx = begin(&writer, Durability::Durable).await;
        assert_eq!(level(&mut tx), Some(Value::Integer(2)));
    }

    #[tokio::test]
    async fn a_transaction_that_is_dropped_or_given_up_while_it_begins_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        let mut tx = begin(&writer, Durability::Durable).await;
        tx.execute("create table t (a integer)", Vec::new()).unwrap();
        tx.commit().await.unwrap();
        let mut tx = begin(&writer, Durability::Durable).await;
        tx.execute("insert into t values (1)", Vec::new()).unwrap();
        drop(tx);
        let guard = Arc::clone(&writer).lock_owned().await;
        let given_up = tokio::spawn(SqliteTx::begin(guard, Durability::Durable, false));
        tokio::task::yield_now().await;
        given_up.abort();
        let _ = given_up.await;
        let mut tx = begin(&writer, Durability::Durable).await;
        assert!(tx.rows("select a from t", Vec::new()).unwrap().is_empty());
    }
}
