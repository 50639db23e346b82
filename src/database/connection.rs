//! One connection to a database, whichever it is: statements in, cells out.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Executor as _, MySql, MySqlConnection,
    PgConnection, Row as _, SqlSafeStr as _, SqliteConnection, Statement as _, Type, TypeInfo as _, ValueRef as _,
    mysql::{MySqlRow, MySqlTypeInfo},
    postgres::PgRow,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use tokio::time::Instant;

use super::Error;

/// A connection.
pub(crate) enum Connection {
    Postgres(Box<PgConnection>),
    Mysql(Box<MySqlConnection>),
    Sqlite(Box<Lite>),
}

/// A connection to a file, with the time at which its statement is stopped.
pub(crate) struct Lite {
    connection: SqliteConnection,
    until: Arc<AtomicU64>,
    started: Instant,
}

/// So many steps of SQLite's machine pass between two looks at the time.
const STEPS: i32 = 10_000;

/// A value that is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Param {
    Null,
    Int(i64),
    Text(String),
}

/// What stands in a column of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Cell {
    fn len(&self) -> usize {
        match self {
            Self::Null => 4,
            Self::Int(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// The text of a cell that holds one.
    pub(crate) fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Int(int) => Some(int.to_string()),
            Self::Real(real) => Some(real.to_string()),
            Self::Null | Self::Bytes(_) => None,
        }
    }
}

/// A column of a statement: its name, its type, and the number of that in PostgreSQL.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) oid: Option<u32>,
}

type Rows = Vec<Vec<Cell>>;

/// Binds every parameter by its own type.
macro_rules! bound {
    ($query:expr, $params:expr) => {{
        let mut query = $query;
        for param in $params {
            query = match param {
                Param::Null => query.bind(None::<String>),
                Param::Int(int) => query.bind(*int),
                Param::Text(text) => query.bind(text.clone()),
            };
        }
        query
    }};
}

/// Takes the rows of a stream as cells, up to so many bytes.
macro_rules! collected {
    ($rows:expr, $cells:path, $bytes_max:expr) => {{
        let mut rows = $rows;
        let mut found: Rows = Vec::new();
        let mut bytes = 0_u64;
        while let Some(row) = rows.try_next().await? {
            let cells = $cells(&row)?;
            bytes = bytes.saturating_add(cells.iter().map(Cell::len).sum::<usize>() as u64);
            if bytes > $bytes_max {
                return Err(Error::TooLarge($bytes_max));
            }
            found.push(cells);
        }
        Ok(found)
    }};
}

impl Connection {
    /// A connection to a file of SQLite.
    pub(super) async fn to_file(options: &SqliteConnectOptions) -> Result<Self, Error> {
        let mut connection = options.connect().await?;
        let started = Instant::now();
        let until = Arc::new(AtomicU64::new(u64::MAX));
        let looked_at = Arc::clone(&until);
        let goes_on = move || millis(started.elapsed()) < looked_at.load(Ordering::Relaxed);
        connection.lock_handle().await?.set_progress_handler(STEPS, goes_on);
        Ok(Self::Sqlite(Box::new(Lite {
            connection,
            until,
            started,
        })))
    }

    /// Statements of a file end after this time; servers were told when the connection was made.
    pub(crate) fn limit(&self, time: Duration) {
        if let Self::Sqlite(lite) = self {
            let until = millis(lite.started.elapsed()).saturating_add(millis(time));
            lite.until.store(until, Ordering::Relaxed);
        }
    }

    /// The rows of a statement, of at most so many bytes.
    pub(crate) async fn rows(&mut self, text: &str, params: &[Param], bytes_max: u64) -> Result<Rows, Error> {
        let text = AssertSqlSafe(text.to_owned());
        match self {
            Self::Postgres(connection) => {
                let query = bound!(sqlx::query(text).persistent(false), params);
                collected!(query.fetch(&mut **connection), postgres_cells, bytes_max)
            }
            Self::Mysql(connection) => {
                let query = bound!(sqlx::query(text).persistent(false), params);
                collected!(query.fetch(&mut **connection), mysql_cells, bytes_max)
            }
            Self::Sqlite(lite) => {
                let query = bound!(sqlx::query(text).persistent(false), params);
                collected!(query.fetch(&mut lite.connection), sqlite_cells, bytes_max)
            }
        }
    }

    /// Carries a statement out: how many rows it changed, and the number that a new one was given by MySQL.
    pub(crate) async fn execute(&mut self, text: &str, params: &[Param]) -> Result<(u64, u64), Error> {
        let text = AssertSqlSafe(text.to_owned());
        Ok(match self {
            Self::Postgres(connection) => {
                let query = bound!(sqlx::query(text).persistent(false), params);
                (query.execute(&mut **connection).await?.rows_affected(), 0)
            }
            Self::Mysql(connection) => {
                let query = bound!(sqlx::query(text).persistent(false), params);
                let done = query.execute(&mut **connection).await?;
                (done.rows_affected(), done.last_insert_id())
            }
            Self::Sqlite(lite) => {
                let query = bound!(sqlx::query(text).persistent(false), params);
                (query.execute(&mut lite.connection).await?.rows_affected(), 0)
            }
        })
    }

    /// Carries out statements without values, of ours.
    pub(crate) async fn run(&mut self, text: String) -> Result<(), Error> {
        let text = sqlx::raw_sql(AssertSqlSafe(text));
        match self {
            Self::Postgres(connection) => connection.execute(text).await.map(drop)?,
            Self::Mysql(connection) => connection.execute(text).await.map(drop)?,
            Self::Sqlite(lite) => lite.connection.execute(text).await.map(drop)?,
        }
        Ok(())
    }

    /// The columns of a statement.
    pub(crate) async fn columns(&mut self, text: &str) -> Result<Vec<Described>, Error> {
        let text = AssertSqlSafe(text.to_owned()).into_sql_str();
        Ok(match self {
            Self::Postgres(connection) => {
                let prepared = connection.prepare(text).await?;
                let columns = prepared.columns().iter();
                let described = |column: &sqlx::postgres::PgColumn| Described {
                    name: column.name().to_owned(),
                    kind: column.type_info().name().to_owned(),
                    oid: column.type_info().oid().map(|oid| oid.0),
                };
                columns.map(described).collect()
            }
            Self::Mysql(connection) => {
                let prepared = connection.prepare(text).await?;
                let columns = prepared.columns().iter();
                columns
                    .map(|column| plain(column.name(), mysql_kind(column.type_info())))
                    .collect()
            }
            Self::Sqlite(lite) => {
                let prepared = lite.connection.prepare(text).await?;
                let columns = prepared.columns().iter();
                columns
                    .map(|column| plain(column.name(), column.type_info().name()))
                    .collect()
            }
        })
    }

    /// Whether the other side is still there.
    pub(crate) async fn is_alive(&mut self) -> bool {
        match self {
            Self::Postgres(connection) => connection.ping().await.is_ok(),
            Self::Mysql(connection) => connection.ping().await.is_ok(),
            Self::Sqlite(_) => true,
        }
    }
}

fn plain(name: &str, kind: &str) -> Described {
    Described {
        name: name.to_owned(),
        kind: kind.to_owned(),
        oid: None,
    }
}

/// The name of a type. A text in a collation that compares bytes (`utf8mb4_bin`, which MariaDB's JSON has) is called binary there;
/// what has a collation at all is text.
fn mysql_kind(kind: &MySqlTypeInfo) -> &str {
    let name = kind.name();
    let is_called_binary = name.ends_with("BLOB") || name.ends_with("BINARY");
    if is_called_binary && <str as Type<MySql>>::compatible(kind) {
        "TEXT"
    } else {
        name
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Every column of our statements is a text there.
fn postgres_cells(row: &PgRow) -> Result<Vec<Cell>, sqlx::Error> {
    (0..row.len())
        .map(|index| Ok(row.try_get::<Option<String>, _>(index)?.map_or(Cell::Null, Cell::Text)))
        .collect()
}

/// As in PostgreSQL, whatever the collation calls it.
fn mysql_cells(row: &MySqlRow) -> Result<Vec<Cell>, sqlx::Error> {
    let text = |index| {
        let text: Option<String> = row.try_get_unchecked(index)?;
        Ok(text.map_or(Cell::Null, Cell::Text))
    };
    (0..row.len()).map(text).collect()
}

/// A file knows a type for every cell.
fn sqlite_cells(row: &SqliteRow) -> Result<Vec<Cell>, sqlx::Error> {
    let cell = |index: usize| {
        let raw = row.try_get_raw(index)?;
        if raw.is_null() {
            return Ok(Cell::Null);
        }
        let kind = raw.type_info().name().to_owned();
        Ok(match kind.as_str() {
            "INTEGER" => Cell::Int(row.try_get_unchecked(index)?),
            "REAL" => Cell::Real(row.try_get_unchecked(index)?),
            "BLOB" => Cell::Bytes(row.try_get_unchecked(index)?),
            _ => Cell::Text(row.try_get_unchecked(index)?),
        })
    };
    (0..row.len()).map(cell).collect()
}
