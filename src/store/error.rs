//! What the store answers when it cannot do what was asked.

use std::path::PathBuf;

/// Why the store could not do what was asked.
///
/// Messages say what to do next. They never carry a bound value, and the driver's own errors are not kept as sources,
/// since some of them quote values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The disk, or the space the database may use, is full. Nothing was half done.
    #[error("[ST001] the database has no space left: free or add disk space, work goes on by itself then")]
    Full,
    /// Too much at once, or another process holds the database; the same call may succeed shortly.
    #[error("[ST002] the database is busy ({what}): try again in a moment")]
    Busy {
        /// What it is busy with.
        what: String,
    },
    /// The database cannot be reached.
    #[error("[ST003] the database cannot be reached ({what}): check that it runs and that `store.url` is right")]
    Gone {
        /// What was tried.
        what: String,
    },
    /// The database file is damaged.
    #[error("[ST004] the database is damaged ({what}): stop Syncline and restore it from a backup")]
    Corrupt {
        /// What the database says.
        what: String,
    },
    /// A row that must be unique exists already; the submission was not stored.
    #[error("[ST005] `{what}` exists already: read the present state and decide again")]
    Conflict {
        /// The table or constraint concerned.
        what: String,
    },
    /// The lease on a record has run out and somebody else may work on it; the submission was not stored.
    #[error("[ST006] the lease on the record has run out: leave the record to the next turn")]
    LeaseLost,
    /// Another daemon works on the same database file.
    #[error("[ST007] `{}` is in use by {by}: stop that daemon, or give this one another `store.url`", path.display())]
    Locked {
        /// The database file.
        path: PathBuf,
        /// Who holds it, as far as is known.
        by: String,
    },
    /// A newer Syncline has written this database.
    #[error("[ST008] the database is at version {found} and this Syncline knows {known}: install the newer Syncline")]
    Newer {
        /// Version of the database.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
    /// The database has not been migrated yet.
    #[error("[ST009] the database is at version {found} and this Syncline needs {known}: run `syncline migrate`")]
    Outdated {
        /// Version of the database, 0 when it is empty.
        found: i64,
        /// Version needed here.
        known: i64,
    },
    /// A migration that was run is not the one known here.
    #[error(
        "[ST010] migration {version} in the database is not the one of this Syncline: install the release that wrote it"
    )]
    Altered {
        /// The migration.
        version: i64,
    },
    /// There is no database yet.
    #[error("[ST011] there is no database at `{}`: start `syncline run` or run `syncline migrate` first", path.display())]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The database was written with another data key.
    #[error("[ST012] the database was written with another data key: give Syncline the key it was created with")]
    WrongKey,
    /// A sealed value does not open: it was changed, moved to another row, or written with another key.
    #[error("[ST013] the sealed value in {table}.{column} of row `{row}` does not open: restore it from a backup")]
    Unsealed {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
        /// Key of the row.
        row: String,
    },
    /// A stored value is none that this Syncline knows.
    #[error(
        "[ST014] {table}.{column} of row `{row}` cannot be read ({why}): correct it, or install the Syncline that wrote it"
    )]
    Value {
        /// Table.
        table: &'static str,
        /// Column.
        column: String,
        /// Key of the row.
        row: String,
        /// What is wrong with it.
        why: String,
    },
    /// The address of the database is none.
    #[error(
        "[ST015] `store.url` is no database address, since {why}: use `sqlite://path/to/file.db` or `postgres://user@host/name`"
    )]
    Url {
        /// What is wrong with it.
        why: String,
    },
    /// Something on this machine's disk beside the database failed.
    #[error(
        "[ST016] `{}` cannot be used ({why}): see that its folder is there, and that Syncline's user may write to it", path.display()
    )]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// The store has been closed.
    #[error("[ST017] the store is closed")]
    Closed,
    /// The disk under the database failed. What it holds now is known only after a new start has read it.
    #[error(
        "[ST019] the disk failed under the database ({what}): look after the disk; Syncline stores nothing until it is started anew"
    )]
    Disk {
        /// What the database says.
        what: String,
    },
    /// Anything else the database says.
    #[error("[ST018] the database refused `{statement}` (code {code}): {message}")]
    Sql {
        /// SQLSTATE or SQLite result code.
        code: String,
        /// What the database says, without values.
        message: String,
        /// The beginning of the statement; it holds no values.
        statement: String,
    },
}

impl Error {
    /// The same error, with where the database that cannot be reached was looked for.
    pub(super) fn at(self, place: &str) -> Self {
        match self {
            Self::Gone { what } => Self::Gone {
                what: format!("{place}: {what}"),
            },
            other => other,
        }
    }

    /// Whether the database is not to be trusted before it has been opened anew.
    pub(super) const fn is_fatal(&self) -> bool {
        matches!(self, Self::Disk { .. } | Self::Corrupt { .. })
    }

    /// Classifies a driver's error of the statement `sql`.
    pub(super) fn of(sql: &str, error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(inner) => Self::of_database(sql, inner.as_ref()),
            sqlx::Error::PoolTimedOut => Self::Busy {
                what: "no free connection".into(),
            },
            sqlx::Error::PoolClosed => Self::Closed,
            sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => Self::Full,
            sqlx::Error::Io(io) => Self::Gone { what: of_io(io) },
            sqlx::Error::Tls(_) => Self::Gone {
                what: "TLS could not be agreed on".into(),
            },
            sqlx::Error::Configuration(_) => Self::Url {
                why: "it does not parse".into(),
            },
            sqlx::Error::WorkerCrashed => Self::Gone {
                what: "the connection ended".into(),
            },
            other => Self::Sql {
                code: "driver".into(),
                message: without_values(other),
                statement: beginning(sql),
            },
        }
    }

    fn of_database(sql: &str, error: &dyn sqlx::error::DatabaseError) -> Self {
        let code = error.code().unwrap_or_default().into_owned();
        let what = || error.message().chars().take(200).collect::<String>();
        if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
            return match code.as_str() {
                "53100" => Self::Full,
                "23505" => Self::Conflict {
                    what: error.constraint().unwrap_or("row").to_owned(),
                },
                "40001" | "40P01" | "53300" | "55P03" | "57014" => Self::Busy { what: what() },
                "25006" => Self::Gone { what: what() },
                _ if code.starts_with("08") || code.starts_with("57P") || code.starts_with("28") || code == "3D000" => {
                    Self::Gone { what: what() }
                }
                _ if code.starts_with("XX") => Self::Corrupt { what: what() },
                // Data exceptions quote the value.
                _ if code.starts_with("22") => Self::sql(sql, code, "a value does not fit its column".into()),
                _ => Self::sql(sql, code, what()),
            };
        }
        Self::of_sqlite_code(sql, code.parse().unwrap_or_default(), error.message())
    }

    /// Classifies an error of SQLite itself.
    pub(super) fn of_sqlite(sql: &str, error: &rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(failure, message) => {
                let message = message.clone().unwrap_or_else(|| failure.to_string());
                Self::of_sqlite_code(sql, failure.extended_code, &message)
            }
            // Others may quote values.
            _ => Self::sql(sql, "driver".into(), "the driver failed".into()),
        }
    }

    fn of_sqlite_code(sql: &str, extended: i32, message: &str) -> Self {
        let what = || message.chars().take(200).collect::<String>();
        match extended & 0xff {
            5 | 6 => Self::Busy { what: what() },
            13 => Self::Full,
            // With the extended code, which tells a read from a sync.
            10 => Self::Disk {
                what: format!("{}, code {extended}", what()),
            },
            8 => Self::Gone {
                what: format!("{}: this user may not write to its file or folder", what()),
            },
            14 => Self::Gone { what: what() },
            11 | 26 => Self::Corrupt { what: what() },
            // SQLITE_CONSTRAINT_UNIQUE and SQLITE_CONSTRAINT_PRIMARYKEY.
            19 if matches!(extended, 2067 | 1555) => Self::Conflict {
                what: what().rsplit(": ").next().unwrap_or("row").to_owned(),
            },
            _ => Self::sql(sql, extended.to_string(), what()),
        }
    }

    fn sql(sql: &str, code: String, message: String) -> Self {
        Self::Sql {
            code,
            message,
            statement: beginning(sql),
        }
    }
}

/// What kept a connection from standing. A name that nobody knows has no kind of its own.
fn of_io(error: &std::io::Error) -> String {
    let kind = error.kind().to_string();
    if matches!(kind.as_str(), "uncategorized error" | "other error") {
        error.to_string().chars().take(200).collect()
    } else {
        kind
    }
}

fn beginning(sql: &str) -> String {
    sql.split_whitespace().take(6).collect::<Vec<_>>().join(" ")
}

fn without_values(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::ColumnDecode { index, .. } => format!("column {index} is of another type"),
        sqlx::Error::ColumnNotFound(name) => format!("there is no column {name}"),
        sqlx::Error::Protocol(_) => "the connection lost its place".into(),
        sqlx::Error::RowNotFound => "there is no such row".into(),
        _ => "the driver failed".into(),
    }
}
