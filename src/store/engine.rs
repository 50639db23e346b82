//! The two databases behind one face: SQLite and PostgreSQL, one text of a statement for both.
//!
//! Statements use `$1` placeholders, `on conflict`, `returning`, row values and `values` lists, which both understand.
//! Where the databases differ, [`Engine::pick`] shows both texts side by side.

use std::{borrow::Cow, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use rusqlite::types::Value;
use sqlx::{
    Arguments as _, AssertSqlSafe, Database, Decode, PgPool, Postgres, Row as _, SqlSafeStr as _, SqlStr, Sqlite,
    SqlitePool, Type,
    error::BoxDynError,
    postgres::{PgArguments, PgRow},
    sqlite::{SqliteArguments, SqliteRow},
};
use tokio::sync::{Mutex, watch};

use super::{
    error::Error,
    sqlite::{LocalRow, SqliteTx, Writer, aside},
};
use crate::{
    core::{
        record::{Base, RecordKey},
        status::{
            Cause, ChangeOrigin, ConflictStatus, DeliveryStatus, DriftOutcome, EventKind, EventStatus, FailureClass,
            FailureStatus, LinkStatus, MissingDecision, NoticeCondition, NoticeState, Role, RunKind, RunStatus, Side,
            Situation, Stage, SuggestionStatus, Trigger, UnknownName, WriteKind, WriteStatus,
        },
        tenant::Reach,
    },
    seam::{self, Point},
};

/// How long one transaction may take before the database counts as gone.
pub(super) const TRANSACTION_MAX: Duration = Duration::from_mins(1);

/// How long a call waits for a connection, and SQLite for another process's write.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(10);

/// The database in use.
#[derive(Debug, Clone)]
pub(super) enum Engine {
    Sqlite(SqliteEngine),
    Postgres(PgPool),
}

/// SQLite: many readers, one writer.
#[derive(Debug, Clone)]
pub(super) struct SqliteEngine {
    pub read: SqlitePool,
    /// For whoever goes through many rows: they are taken as they come, where the pool hands over copies from thread to thread.
    /// Two, for both halves of a table.
    pub bulk: [Arc<Mutex<Writer>>; 2],
    /// Reads in place instead of from the pool, which has threads of its own: only in a simulation.
    pub here: Option<Arc<Mutex<Writer>>>,
    /// Whoever holds it writes alone, so that nobody polls for another's lock.
    pub writer: Arc<Mutex<Writer>>,
    /// Whether the file has failed.
    pub broken: Broken,
}

/// Remembers the first failure after which a SQLite file is not used any more.
///
/// After a failed sync the system may count what it could not write as written, and a second sync that succeeds says
/// nothing: the only way out is to end and to read what is there. PostgreSQL does the same by itself.
#[derive(Debug, Clone)]
pub(super) struct Broken(watch::Sender<Option<Error>>);

impl Default for Broken {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Broken {
    /// Refuses when there was such a failure.
    pub fn check(&self) -> Result<(), Error> {
        self.0.borrow().clone().map_or(Ok(()), Err)
    }

    /// Passes a result on, and remembers such a failure.
    pub fn note<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result
            && error.is_fatal()
        {
            self.0.send_if_modified(|first| {
                let is_first = first.is_none();
                first.get_or_insert_with(|| error.clone());
                is_first
            });
        }
        result
    }

    async fn wait(&self) -> Error {
        let mut seen = self.0.subscribe();
        let found = seen.wait_for(Option::is_some).await.map(|error| error.clone());
        // The sender lives as long as `self`.
        found.ok().flatten().unwrap_or(Error::Closed)
    }
}

/// Whether a transaction must survive a power loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    Durable,
    Relaxed,
}

impl Engine {
    /// The text for the database in use.
    pub const fn pick(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }

    /// Reads outside a transaction.
    pub async fn rows<T: FromRow>(&self, sql: impl Into<Cow<'static, str>>, args: Args<'_>) -> Result<Vec<T>, Error> {
        let sql = text(sql.into());
        // For whoever looks into what is asked; the tests of plans do.
        tracing::trace!(target: "syncline::store::statement", sql = sql.as_str(), "read");
        let rows = match self {
            Self::Sqlite(sqlite) => match &sqlite.here {
                Some(here) => sqlite.broken.note(here.lock().await.rows(sql.as_str(), args))?,
                None => sqlite.broken.note(sqlite_rows(&sqlite.read, &sql, args).await)?,
            },
            Self::Postgres(pool) => {
                let mut connection = pool.acquire().await.map_err(|error| gone(pool, &error))?;
                postgres_rows(&mut *connection, &sql, args).await?
            }
        };
        read_all(&rows)
    }

    /// Reads many rows outside a transaction, for going through a whole table.
    pub async fn bulk<T: FromRow + Send + 'static>(
        &self,
        sql: &'static str,
        args: Args<'static>,
    ) -> Result<Vec<T>, Error> {
        match self {
            Self::Sqlite(sqlite) if sqlite.here.is_none() => {
                let ([one, other], broken) = (sqlite.bulk.clone(), sqlite.broken.clone());
                let read = aside(move || {
                    let mut free = one.try_lock().or_else(|_| other.try_lock());
                    match &mut free {
                        Ok(bulk) => read_all(&bulk.rows(sql, args)?),
                        Err(_) => read_all(&one.blocking_lock().rows(sql, args)?),
                    }
                });
                broken.note(read.await)
            }
            _ => self.rows(sql, args).await,
        }
    }

    /// Reads the only row outside a transaction.
    pub async fn row<T: FromRow>(&self, sql: impl Into<Cow<'static, str>>, args: Args<'_>) -> Result<Option<T>, Error> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }

    /// Counts by a statement that calls its result `number`.
    pub async fn count(&self, sql: impl Into<Cow<'static, str>>, args: Args<'_>) -> Result<u64, Error> {
        let found = self.row::<Number>(sql, args).await?;
        Ok(found
            .and_then(|number| u64::try_from(number.0).ok())
            .unwrap_or_default())
    }

    /// Begins a writing transaction.
    pub async fn begin(&self, durability: Durability) -> Result<Tx, Error> {
        self.begin_on(durability, false).await
    }

    /// Begins a writing transaction on a thread that may wait for the disk.
    pub async fn begin_here(&self, durability: Durability) -> Result<Tx, Error> {
        self.begin_on(durability, true).await
    }

    async fn begin_on(&self, durability: Durability, may_wait: bool) -> Result<Tx, Error> {
        seam::pass(Point::Begin).await;
        match self {
            Self::Sqlite(sqlite) => {
                let writer = tokio::time::timeout(TRANSACTION_MAX, Arc::clone(&sqlite.writer).lock_owned())
                    .await
                    .map_err(|_| Error::Busy {
                        what: "another transaction is at work".into(),
                    })?;
                Ok(Tx::Sqlite(SqliteTx::begin(writer, durability, may_wait).await?))
            }
            Self::Postgres(pool) => Ok(Tx::Postgres(pool.begin().await.map_err(|error| gone(pool, &error))?)),
        }
    }

    /// Runs one statement in a durable transaction of its own and gives what it returns.
    pub async fn write<T: FromRow>(&self, sql: impl Into<Cow<'static, str>>, args: Args<'_>) -> Result<Vec<T>, Error> {
        let mut tx = self.begin(Durability::Durable).await?;
        let rows = tx.rows(sql, args).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// Runs one statement in a durable transaction of its own and tells how many rows it changed.
    pub async fn execute(&self, sql: impl Into<Cow<'static, str>>, args: Args<'_>) -> Result<u64, Error> {
        let mut tx = self.begin(Durability::Durable).await?;
        let changed = tx.execute(sql, args).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Waits for a failure after which the database is not used any more; PostgreSQL ends by itself then.
    pub async fn broken(&self) -> Error {
        match self {
            Self::Sqlite(sqlite) => sqlite.broken.wait().await,
            Self::Postgres(_) => std::future::pending().await,
        }
    }

    /// Closes every connection.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(sqlite) => {
                sqlite.read.close().await;
                for one in sqlite.bulk.iter().chain([&sqlite.writer]) {
                    let mut connection = Arc::clone(one).lock_owned().await;
                    // An error means that the process ends, and the connection with it.
                    let _ = seam::aside(move || connection.close()).await;
                }
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Tells a database that cannot be reached from one whose connections are all in use.
fn gone(pool: &PgPool, error: &sqlx::Error) -> Error {
    match error {
        sqlx::Error::PoolTimedOut if pool.size() == 0 => Error::Gone {
            what: "no connection could be made".into(),
        },
        other => Error::of("begin", other),
    }
}

/// A writing transaction; dropped without `commit` it is rolled back.
pub(super) enum Tx {
    Sqlite(SqliteTx),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Tx {
    pub async fn rows<T: FromRow>(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        args: Args<'_>,
    ) -> Result<Vec<T>, Error> {
        let sql = sql.into();
        let rows = match self {
            Self::Sqlite(tx) => tx.rows(&sql, args)?,
            Self::Postgres(tx) => postgres_rows(&mut **tx, &text(sql), args).await?,
        };
        read_all(&rows)
    }

    pub async fn execute(&mut self, sql: impl Into<Cow<'static, str>>, args: Args<'_>) -> Result<u64, Error> {
        let sql = sql.into();
        match self {
            Self::Sqlite(tx) => tx.execute(&sql, args),
            Self::Postgres(tx) => {
                let sql = text(sql);
                let bound = postgres_args(sql.as_str(), args)?;
                postgres_execute(tx, &sql, bound).await
            }
        }
    }

    pub async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await.map_err(|error| Error::of("commit", &error)),
        }?;
        seam::pass(Point::Committed).await;
        Ok(())
    }

    /// Undoes everything; a failure to do so closes the connection, which undoes it too.
    pub async fn rollback(self) {
        match self {
            Self::Sqlite(tx) => drop(tx.rollback().await),
            Self::Postgres(tx) => drop(tx.rollback().await),
        }
    }
}

/// Runs a statement on PostgreSQL; how many rows it changed.
pub(super) async fn postgres_execute(
    tx: &mut sqlx::Transaction<'static, Postgres>,
    sql: &SqlStr,
    bound: PgArguments,
) -> Result<u64, Error> {
    let done = sqlx::query_with(sql.clone(), bound).execute(&mut **tx).await;
    done.map(|done| done.rows_affected())
        .map_err(|error| Error::of(sql.as_str(), &error))
}

/// Runs a statement on PostgreSQL; what it returns.
pub(super) async fn postgres_returned<'e, T: FromRow>(
    executor: impl sqlx::Executor<'e, Database = Postgres>,
    sql: &SqlStr,
    bound: PgArguments,
) -> Result<Vec<T>, Error> {
    let rows = sqlx::query_with(sql.clone(), bound).fetch_all(executor).await;
    let rows = rows.map_err(|error| Error::of(sql.as_str(), &error))?;
    read_all(&rows.into_iter().map(Row::Postgres).collect::<Vec<_>>())
}

pub(super) fn text(sql: Cow<'static, str>) -> SqlStr {
    match sql {
        Cow::Borrowed(sql) => sql.into_sql_str(),
        // Built from fixed parts and placeholders; values are always bound.
        Cow::Owned(sql) => AssertSqlSafe(sql).into_sql_str(),
    }
}

async fn sqlite_rows<'e, E>(executor: E, sql: &SqlStr, args: Args<'_>) -> Result<Vec<Row>, Error>
where
    E: sqlx::Executor<'e, Database = Sqlite>,
{
    let rows = sqlx::query_with(sql.clone(), sqlite_args(sql.as_str(), args)?)
        .fetch_all(executor)
        .await
        .map_err(|error| Error::of(sql.as_str(), &error))?;
    Ok(rows.into_iter().map(Row::Sqlite).collect())
}

async fn postgres_rows<'e, E>(executor: E, sql: &SqlStr, args: Args<'_>) -> Result<Vec<Row>, Error>
where
    E: sqlx::Executor<'e, Database = Postgres>,
{
    let rows = sqlx::query_with(sql.clone(), postgres_args(sql.as_str(), args)?)
        .fetch_all(executor)
        .await
        .map_err(|error| Error::of(sql.as_str(), &error))?;
    Ok(rows.into_iter().map(Row::Postgres).collect())
}

/// The values of one statement, in the order of their placeholders.
pub(super) type Args<'q> = Vec<Arg<'q>>;

/// One bound value.
#[derive(Debug, Clone)]
pub(super) enum Arg<'q> {
    Int(Option<i64>),
    Bool(bool),
    Text(Option<Cow<'q, str>>),
    Bytes(Option<Cow<'q, [u8]>>),
}

/// Collects the values of a statement.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::engine::Arg::from($value)),*] };
}
pub(super) use args;

fn sqlite_args(sql: &str, args: Args<'_>) -> Result<SqliteArguments, Error> {
    let mut bound = SqliteArguments::default();
    for arg in args {
        match arg {
            Arg::Int(value) => bound.add(value),
            Arg::Bool(value) => bound.add(value),
            Arg::Text(value) => bound.add(value.map(without_nul)),
            Arg::Bytes(value) => bound.add(value.map(Cow::into_owned)),
        }
        .map_err(|_| unbound(sql))?;
    }
    Ok(bound)
}

fn postgres_args(sql: &str, args: Args<'_>) -> Result<PgArguments, Error> {
    let mut bound = PgArguments::default();
    for arg in args {
        match arg {
            Arg::Int(value) => bound.add(value),
            Arg::Bool(value) => bound.add(value),
            Arg::Text(value) => bound.add(value.map(without_nul)),
            Arg::Bytes(value) => bound.add(value.map(Cow::into_owned)),
        }
        .map_err(|_| unbound(sql))?;
    }
    Ok(bound)
}

/// PostgreSQL's text has no NUL. Both databases keep the replacement character instead, rather than lose the row.
pub(super) fn without_nul(value: Cow<'_, str>) -> Cow<'_, str> {
    if value.contains('\0') {
        Cow::Owned(value.replace('\0', "\u{fffd}"))
    } else {
        value
    }
}

pub(super) fn unbound(sql: &str) -> Error {
    Error::of(sql, &sqlx::Error::Protocol("a value cannot be bound".into()))
}

impl From<i64> for Arg<'_> {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Arg<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Arg<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<DateTime<Utc>> for Arg<'_> {
    fn from(value: DateTime<Utc>) -> Self {
        Self::Int(Some(value.timestamp_millis()))
    }
}

impl From<Option<DateTime<Utc>>> for Arg<'_> {
    fn from(value: Option<DateTime<Utc>>) -> Self {
        Self::Int(value.map(|time| time.timestamp_millis()))
    }
}

impl<'q> From<&'q str> for Arg<'q> {
    fn from(value: &'q str) -> Self {
        Self::Text(Some(Cow::Borrowed(value)))
    }
}

impl<'q> From<&'q String> for Arg<'q> {
    fn from(value: &'q String) -> Self {
        Self::Text(Some(Cow::Borrowed(value)))
    }
}

impl<'q> From<&'q Arc<str>> for Arg<'q> {
    fn from(value: &'q Arc<str>) -> Self {
        Self::Text(Some(Cow::Borrowed(value)))
    }
}

impl From<String> for Arg<'_> {
    fn from(value: String) -> Self {
        Self::Text(Some(Cow::Owned(value)))
    }
}

impl<'q> From<Option<&'q str>> for Arg<'q> {
    fn from(value: Option<&'q str>) -> Self {
        Self::Text(value.map(Cow::Borrowed))
    }
}

impl<'q> From<&'q Option<String>> for Arg<'q> {
    fn from(value: &'q Option<String>) -> Self {
        Self::Text(value.as_deref().map(Cow::Borrowed))
    }
}

impl From<Option<String>> for Arg<'_> {
    fn from(value: Option<String>) -> Self {
        Self::Text(value.map(Cow::Owned))
    }
}

impl<'q> From<&'q Option<Arc<str>>> for Arg<'q> {
    fn from(value: &'q Option<Arc<str>>) -> Self {
        Self::Text(value.as_deref().map(Cow::Borrowed))
    }
}

impl<'q> From<&'q [u8]> for Arg<'q> {
    fn from(value: &'q [u8]) -> Self {
        Self::Bytes(Some(Cow::Borrowed(value)))
    }
}

impl From<Vec<u8>> for Arg<'_> {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(Some(Cow::Owned(value)))
    }
}

impl From<Option<Vec<u8>>> for Arg<'_> {
    fn from(value: Option<Vec<u8>>) -> Self {
        Self::Bytes(value.map(Cow::Owned))
    }
}

/// Statuses are bound and read by name.
macro_rules! statuses {
    ($($name:ident),+ $(,)?) => { $(
        impl From<$name> for Arg<'_> {
            fn from(value: $name) -> Self {
                Self::Text(Some(Cow::Borrowed(value.as_str())))
            }
        }

        impl From<Option<$name>> for Arg<'_> {
            fn from(value: Option<$name>) -> Self {
                Self::Text(value.map(|value| Cow::Borrowed(value.as_str())))
            }
        }

        impl<D: Database> Type<D> for $name
        where
            str: Type<D>,
        {
            fn type_info() -> D::TypeInfo {
                <str as Type<D>>::type_info()
            }

            fn compatible(info: &D::TypeInfo) -> bool {
                <str as Type<D>>::compatible(info)
            }
        }

        impl<'r, D: Database> Decode<'r, D> for $name
        where
            &'r str: Decode<'r, D>,
        {
            fn decode(value: D::ValueRef<'r>) -> Result<Self, BoxDynError> {
                Ok(<&'r str as Decode<'r, D>>::decode(value)?.parse::<Self>()?)
            }
        }

        impl Column for $name {
            fn read(value: &Value) -> Result<Self, String> {
                match value {
                    Value::Text(text) => text.parse().map_err(|error: UnknownName| error.to_string()),
                    other => unlike(other, "text"),
                }
            }
        }
    )+ };
}

statuses!(
    Cause,
    ChangeOrigin,
    ConflictStatus,
    DeliveryStatus,
    DriftOutcome,
    EventKind,
    EventStatus,
    FailureClass,
    FailureStatus,
    LinkStatus,
    MissingDecision,
    NoticeCondition,
    NoticeState,
    Role,
    RunKind,
    RunStatus,
    Side,
    Situation,
    Stage,
    SuggestionStatus,
    Trigger,
    WriteKind,
    WriteStatus,
);

/// A row of either database.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Local(LocalRow),
    Postgres(PgRow),
}

/// What both databases can give.
pub(super) trait Column:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>
{
    /// Reads what the connection that writes to SQLite gave.
    fn read(value: &Value) -> Result<Self, String>;
}

fn unlike<T>(value: &Value, wanted: &str) -> Result<T, String> {
    Err(format!("it is {} and not {wanted}", value.data_type()))
}

impl Column for i64 {
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Integer(int) => Ok(*int),
            other => unlike(other, "an integer"),
        }
    }
}

impl Column for bool {
    fn read(value: &Value) -> Result<Self, String> {
        i64::read(value).map(|int| int != 0)
    }
}

impl Column for String {
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Text(text) => Ok(text.clone()),
            other => unlike(other, "text"),
        }
    }
}

impl Column for Vec<u8> {
    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Blob(bytes) => Ok(bytes.clone()),
            other => unlike(other, "bytes"),
        }
    }
}

impl<T: Column> Column for Option<T>
where
    Self: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>,
{
    fn read(value: &Value) -> Result<Self, String> {
        if matches!(value, Value::Null) {
            return Ok(None);
        }
        T::read(value).map(Some)
    }
}

/// A column that does not hold what its table promises.
#[derive(Debug)]
pub(super) struct Unread {
    column: String,
    why: String,
}

impl Unread {
    pub fn new(column: &str, why: impl Into<String>) -> Self {
        Self {
            column: column.into(),
            why: why.into(),
        }
    }
}

/// A value that is read from the rows of one table.
pub(super) trait FromRow: Sized {
    /// The table, for errors.
    const TABLE: &'static str;
    /// The column that names a row, for errors.
    const KEY: &'static str;

    fn from_row(row: &Row) -> Result<Self, Unread>;
}

impl Row {
    pub fn get<T: Column>(&self, column: &str) -> Result<T, Unread> {
        match self {
            Self::Local(row) => {
                let value = row
                    .value(column)
                    .ok_or_else(|| Unread::new(column, "there is no such column"))?;
                return T::read(value).map_err(|why| Unread::new(column, why));
            }
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
        .map_err(|error| match error {
            sqlx::Error::ColumnDecode { source, .. } => Unread::new(column, source.to_string()),
            other => Unread::new(column, other.to_string()),
        })
    }

    pub fn time(&self, column: &str) -> Result<DateTime<Utc>, Unread> {
        let millis = self.get::<i64>(column)?;
        DateTime::from_timestamp_millis(millis).ok_or_else(|| Unread::new(column, "it is no time"))
    }

    pub fn maybe_time(&self, column: &str) -> Result<Option<DateTime<Utc>>, Unread> {
        Ok(self
            .get::<Option<i64>>(column)?
            .and_then(DateTime::from_timestamp_millis))
    }

    pub fn shared(&self, column: &str) -> Result<Arc<str>, Unread> {
        Ok(Arc::from(self.get::<String>(column)?))
    }

    /// A count that is never negative.
    pub fn count(&self, column: &str) -> Result<u64, Unread> {
        u64::try_from(self.get::<i64>(column)?).map_err(|_| Unread::new(column, "it is negative"))
    }

    pub fn key(&self) -> Result<RecordKey, Unread> {
        Ok(RecordKey {
            mapping: self.shared("mapping")?,
            side: self.get("side")?,
            record_id: self.get("record_id")?,
        })
    }

    /// A base; one that cannot be read counts as none, never as agreement.
    pub fn base(&self, column: &str) -> Result<Base, Unread> {
        Ok(Base::from_bytes(&self.get::<Vec<u8>>(column)?).unwrap_or_default())
    }

    /// How far somebody may see; what cannot be read is an error, and never the house.
    pub fn reach(&self) -> Result<Reach, Unread> {
        const COLUMN: &str = "tenants";
        let text = self.get::<Option<String>>(COLUMN)?;
        Reach::parse(text.as_deref()).map_err(|error| Unread::new(COLUMN, error.to_string()))
    }

    fn name(&self, column: &str) -> String {
        self.get::<i64>(column)
            .map(|id| id.to_string())
            .or_else(|_| self.get::<String>(column))
            .unwrap_or_else(|_| "?".into())
    }
}

pub(super) fn read_all<T: FromRow>(rows: &[Row]) -> Result<Vec<T>, Error> {
    rows.iter()
        .map(|row| {
            T::from_row(row).map_err(|unread| Error::Value {
                table: T::TABLE,
                column: unread.column,
                row: row.name(T::KEY),
                why: unread.why,
            })
        })
        .collect()
}

/// A single number, such as a count or an id.
pub(super) struct Number(pub i64);

impl FromRow for Number {
    const TABLE: &'static str = "result";
    const KEY: &'static str = "number";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self(row.get("number")?))
    }
}

/// A count as the databases keep it.
pub(super) fn int(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
