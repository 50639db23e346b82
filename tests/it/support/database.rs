//! A database of its own for every test: a SQLite file in a temporary folder, or a schema in PostgreSQL.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeZone as _, Utc};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection, migrate::Migrator};
use syncline::{
    clock::Clock,
    store::{self, Access, Keys, Options, Store},
};
use tempfile::TempDir;

/// A database that no other test sees; gone when dropped.
pub struct Database {
    url: String,
    place: Place,
    clock: Clock,
}

enum Place {
    Folder(TempDir),
    Schema { admin: String, name: String },
}

/// A transaction that keeps everybody else from writing until it is dropped.
pub struct Blocked {
    _connection: Raw,
}

enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// The store of a daemon, where the one before it may just have been dropped.
///
/// A test beside this one that starts a program holds every file of this process until that program runs, and so the lock of
/// a store that is gone: what is locked by nobody else is free in a moment.
pub async fn opened(options: &Options) -> Result<Store, store::Error> {
    let given_up_at = Instant::now() + Duration::from_secs(30);
    loop {
        match Store::open(options).await {
            Err(store::Error::Locked { .. }) if Instant::now() < given_up_at => std::thread::yield_now(),
            other => return other,
        }
    }
}

/// When the tests' clock stands still.
pub fn start_of_test() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 2, 9, 0, 0).unwrap()
}

impl Database {
    /// A SQLite file.
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            url: format!("sqlite://{}", folder.path().join("syncline.db").display()),
            place: Place::Folder(folder),
            clock: Clock::manual(start_of_test()),
        }
    }

    /// A schema in the PostgreSQL of `TEST_POSTGRES_URL`. None, and a line that says so, where the variable is missing;
    /// with `CI` set that is a failure.
    #[expect(clippy::disallowed_methods, reason = "tests have no settings")]
    #[expect(
        clippy::print_stdout,
        reason = "whoever runs the tests has to see that one was skipped"
    )]
    pub async fn postgres() -> Option<Self> {
        let Ok(admin) = std::env::var("TEST_POSTGRES_URL") else {
            assert!(std::env::var_os("CI").is_none(), "TEST_POSTGRES_URL must be set in CI");
            println!("skipped: set TEST_POSTGRES_URL to run this test on PostgreSQL");
            return None;
        };
        let name = format!("test_{:016x}", rand::random::<u64>());
        let mut connection = PgConnection::connect(&admin).await.unwrap();
        let create = AssertSqlSafe(format!("create schema {name}"));
        sqlx::query(create).execute(&mut connection).await.unwrap();
        let separator = if admin.contains('?') { '&' } else { '?' };
        Some(Self {
            url: format!("{admin}{separator}options=-csearch_path%3D{name}&application_name={name}"),
            place: Place::Schema { admin, name },
            clock: Clock::manual(start_of_test()),
        })
    }

    /// The clock of every store opened here.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.clock.set(self.clock.now() + by);
    }

    /// Options of a daemon on this database.
    pub fn options(&self) -> Options {
        Options {
            node: "north".into(),
            clock: self.clock.clone(),
            ..Options::new(&self.url, Keys::derive(&[7; 32]))
        }
    }

    /// The store as the daemon opens it.
    pub async fn open(&self) -> Store {
        opened(&self.options()).await.unwrap()
    }

    /// The store as another node, or on SQLite another process, opens it beside the daemon.
    pub async fn open_beside(&self, node: &str) -> Store {
        let options = Options {
            node: node.into(),
            access: Access::Shared,
            ..self.options()
        };
        Store::open(&options).await.unwrap()
    }

    /// Another empty database of the same engine.
    pub async fn another(&self) -> Option<Self> {
        match self.place {
            Place::Folder(_) => Some(Self::sqlite()),
            Place::Schema { .. } => Self::postgres().await,
        }
    }

    /// Makes the tables as a release made them that knew the first `count` migrations. Tells whether there is a later one.
    pub async fn migrate_to(&self, count: usize) -> bool {
        let engine = if self.path().is_some() { "sqlite" } else { "postgres" };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        let known = tempfile::tempdir().unwrap();
        for file in files.iter().take(count) {
            fs::copy(file, known.path().join(file.file_name().unwrap())).unwrap();
        }
        let migrator = Migrator::new(known.path()).await.unwrap();
        match self.connect().await {
            Raw::Sqlite(mut connection) => {
                migrator.run(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            Raw::Postgres(mut connection) => migrator.run(&mut connection).await.unwrap(),
        }
        count < files.len()
    }

    /// Runs SQL past the store.
    pub async fn raw(&self, sql: impl Into<String>) {
        let sql = AssertSqlSafe(sql.into());
        match self.connect().await {
            // Closed, not dropped: a dropped one goes on in a thread of its own, and may hold its locks for a while.
            Raw::Sqlite(mut connection) => {
                connection.execute(sqlx::raw_sql(sql)).await.unwrap();
                connection.close().await.unwrap();
            }
            Raw::Postgres(mut connection) => {
                connection.execute(sqlx::raw_sql(sql)).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    /// Reads one text past the store.
    pub async fn raw_text(&self, sql: impl Into<String>) -> Option<String> {
        let sql = AssertSqlSafe(sql.into());
        match self.connect().await {
            Raw::Sqlite(mut connection) => sqlx::query_scalar(sql).fetch_optional(&mut connection).await.unwrap(),
            Raw::Postgres(mut connection) => sqlx::query_scalar(sql).fetch_optional(&mut connection).await.unwrap(),
        }
    }

    /// How the database would carry a statement out, whatever its parameters; on PostgreSQL by an index wherever there is one, since
    /// tables of a test are small.
    pub async fn plan(&self, sql: &str) -> String {
        let parameters = (1..100)
            .take_while(|number| sql.contains(&format!("${number}")))
            .count();
        match self.connect().await {
            Raw::Sqlite(mut connection) => {
                let explain = AssertSqlSafe(format!("explain query plan {sql}"));
                let rows = connection.fetch_all(sqlx::raw_sql(explain)).await.unwrap();
                let lines: Vec<String> = rows.iter().map(|row| sqlx::Row::get(row, 3)).collect();
                lines.join("\n")
            }
            Raw::Postgres(mut connection) => {
                let nulls = vec!["null"; parameters].join(", ");
                let call = if nulls.is_empty() {
                    String::new()
                } else {
                    format!("({nulls})")
                };
                let prepare = format!(
                    "set enable_seqscan = off; set plan_cache_mode = force_generic_plan; prepare looked_at as {sql}"
                );
                connection.execute(sqlx::raw_sql(AssertSqlSafe(prepare))).await.unwrap();
                let explain = AssertSqlSafe(format!("explain execute looked_at{call}"));
                let rows = connection.fetch_all(sqlx::raw_sql(explain)).await.unwrap();
                let lines: Vec<String> = rows.iter().map(|row| sqlx::Row::get(row, 0)).collect();
                lines.join("\n")
            }
        }
    }

    /// Keeps the store from storing until the answer is dropped.
    pub async fn block(&self) -> Blocked {
        let mut raw = self.connect().await;
        match &mut raw {
            Raw::Sqlite(connection) => connection.execute("begin immediate").await.map(drop).unwrap(),
            Raw::Postgres(connection) => {
                connection.execute("begin").await.unwrap();
                let lock = "lock table event, write, link, change, audit in exclusive mode";
                connection.execute(lock).await.map(drop).unwrap();
            }
        }
        Blocked { _connection: raw }
    }

    /// Ends every connection to the schema, as a restart of PostgreSQL does.
    pub async fn cut_connections(&self) {
        let Place::Schema { admin, name } = &self.place else {
            return;
        };
        let mut connection = PgConnection::connect(admin).await.unwrap();
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1";
        sqlx::query(cut).bind(name).execute(&mut connection).await.unwrap();
    }

    /// The SQLite file.
    pub fn path(&self) -> Option<PathBuf> {
        match &self.place {
            Place::Folder(folder) => Some(folder.path().join("syncline.db")),
            Place::Schema { .. } => None,
        }
    }

    /// The address of the database.
    pub fn url(&self) -> &str {
        &self.url
    }

    async fn connect(&self) -> Raw {
        match self.place {
            Place::Folder(_) => {
                let url = format!("{}?mode=rwc", self.url);
                Raw::Sqlite(SqliteConnection::connect(&url).await.unwrap())
            }
            Place::Schema { .. } => Raw::Postgres(PgConnection::connect(&self.url).await.unwrap()),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Place::Schema { admin, name } = &self.place else {
            return;
        };
        let (admin, sql) = (admin.clone(), AssertSqlSafe(format!("drop schema {name} cascade")));
        let drop_schema = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&admin).await?;
                sqlx::query("set lock_timeout = '5s'").execute(&mut connection).await?;
                sqlx::query(sql).execute(&mut connection).await
            })
        };
        // A schema that stays behind harms nobody.
        drop(std::thread::spawn(move || drop_schema().map(drop)).join());
    }
}
