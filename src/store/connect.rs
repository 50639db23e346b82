//! Opening the database: addresses, connections, the daemon's lock, the check of the data key.

use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    str::FromStr as _,
    sync::{Arc, atomic::AtomicI64},
};

use sqlx::{
    ConnectOptions as _, Connection as _,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{Mutex, Notify};

use super::{
    Inner, Store,
    engine::{Broken, Durability, Engine, FromRow, Row, SqliteEngine, Unread, WAIT_MAX, args},
    error::Error,
    key::Keys,
    migrate,
    presence::{self, Presence},
    seal::{Place, Sealer},
    sqlite::{Opening, Writer},
    writer,
};
use crate::{clock::Clock, seam};

/// How a process uses the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The daemon: migrates, and is alone on a SQLite file.
    Daemon,
    /// A command that writes beside the daemon.
    Shared,
    /// A command that only reads.
    Read,
}

/// How far a durable commit has come on SQLite when it counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// On the disk: it survives a power loss.
    #[default]
    Full,
    /// With the operating system: a power loss may undo it. No setting leads here; the rigs open with it to prove that
    /// they see what it loses.
    Normal,
}

/// What is needed to open the store.
#[derive(Debug, Clone)]
pub struct Options {
    /// `sqlite://path/to/file.db` or `postgres://…`.
    pub url: String,
    /// The name of this node.
    pub node: String,
    /// The keys of the database.
    pub keys: Keys,
    /// How the database is used.
    pub access: Access,
    /// Connections that read at the same time on SQLite.
    pub sqlite_read_connections: u32,
    /// The most bytes a SQLite file may grow to; none for as much as the disk has.
    pub sqlite_bytes_max: Option<u64>,
    /// How far a durable commit has come on SQLite when it counts as done.
    pub sqlite_synchronous: Synchronous,
    /// Connections to PostgreSQL.
    pub postgres_connections: u32,
    /// Submissions that may wait for the writer; beyond it [`Store::receive`] answers [`Error::Busy`].
    pub queue_max: usize,
    /// Stamps what is stored.
    pub clock: Clock,
}

impl Options {
    /// The usual options for the database at `url`.
    pub fn new(url: impl Into<String>, keys: Keys) -> Self {
        Self {
            url: url.into(),
            node: "local".into(),
            keys,
            access: Access::Daemon,
            sqlite_read_connections: 4,
            sqlite_bytes_max: None,
            sqlite_synchronous: Synchronous::Full,
            postgres_connections: 10,
            queue_max: 4_096,
            clock: Clock::system(),
        }
    }
}

impl Store {
    /// Opens the database; the daemon also creates and migrates it.
    pub async fn open(options: &Options) -> Result<Self, Error> {
        let (engine, lock) = if let Some(path) = sqlite_path(&options.url) {
            let lock = prepare(&path, options)?;
            (Engine::Sqlite(open_sqlite(&path, options)), lock)
        } else {
            (Engine::Postgres(open_postgres(options).await?), None)
        };
        match options.access {
            Access::Daemon => {
                if let Some(path) = sqlite_path(&options.url) {
                    // A command may be at work beside us: nobody writes to the log meanwhile.
                    let tx = engine.begin(Durability::Durable).await?;
                    let settled = settle_log(&path);
                    tx.rollback().await;
                    settled?;
                }
                migrate::run(&engine).await?;
            }
            Access::Shared | Access::Read => migrate::check(&engine).await?,
        }
        let sealer = Sealer::new(&options.keys);
        check_key(&engine, &sealer, options.access).await?;
        let store = Self::new(options, engine, sealer, lock)?;
        if options.access == Access::Shared && presence::is_command(&options.node) {
            store.say_alive().await?;
        }
        Ok(store)
    }

    fn new(options: &Options, engine: Engine, sealer: Sealer, lock: Option<fs::File>) -> Result<Self, Error> {
        let holder = format!("{}{:016x}", holders(&options.node, options.access), seam::number());
        let database = sqlite_path(&options.url);
        let presence = match &database {
            Some(path) if presence::is_command(&options.node) && options.access == Access::Shared => {
                Some(Presence::begin(path, &options.node).map_err(|error| file_error(path, &error))?)
            }
            _ => None,
        };
        let enqueued = Arc::new(Notify::new());
        let worker = writer::Worker {
            engine: engine.clone(),
            sealer: sealer.clone(),
            clock: options.clock.clone(),
            node: options.node.clone(),
            holder: holder.clone(),
            enqueued: Arc::clone(&enqueued),
            own: Mutex::default(),
        };
        Ok(Self {
            scope: None,
            inner: Arc::new(Inner {
                engine,
                sealer,
                keys: options.keys.clone(),
                clock: options.clock.clone(),
                node: options.node.clone(),
                database,
                holder,
                epochs: AtomicI64::new(1),
                writer: writer::start(worker, options.queue_max)?,
                enqueued,
                _lock: lock,
                _presence: presence,
            }),
        })
    }
}

/// What the names of all processes of a node that use the database alike begin with, as holders of leases.
pub(super) fn holders(node: &str, access: Access) -> String {
    let role = if access == Access::Daemon { "daemon" } else { "command" };
    format!("{node}/{role}/")
}

/// The file of a SQLite address; none for other addresses.
pub(super) fn sqlite_path(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))?;
    let path = rest.split('?').next().unwrap_or(rest);
    Some(PathBuf::from(path))
}

/// Looks after the folder, the file and the daemon's lock, before SQLite does.
fn prepare(path: &Path, options: &Options) -> Result<Option<fs::File>, Error> {
    if path.as_os_str().is_empty() || path.as_os_str() == ":memory:" {
        return Err(Error::Url {
            why: "it names no file".into(),
        });
    }
    if options.access != Access::Daemon {
        return if path.exists() {
            Ok(None)
        } else {
            Err(Error::Absent { path: path.into() })
        };
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| file_error(folder, &error))?;
    }
    lock(path, &options.node).map(Some)
}

/// Writes the log that was left behind over itself, and syncs it.
///
/// It may hold what its process could not sync: that can be read now, since the system still has it in memory and counts
/// it as written, but a power loss would take it away, and with it everything that is written behind it. Written again it
/// reaches the disk.
fn settle_log(database: &Path) -> Result<(), Error> {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    let path = PathBuf::from(name);
    let settle = || -> std::io::Result<()> {
        let mut log = fs::OpenOptions::new().read(true).write(true).open(&path)?;
        let mut block = vec![0; 1 << 20];
        loop {
            let length = log.read(&mut block)?;
            let Some(read) = block.get(..length).filter(|read| !read.is_empty()) else {
                return log.sync_all();
            };
            log.seek(SeekFrom::Current(-i64::try_from(length).unwrap_or_default()))?;
            log.write_all(read)?;
        }
    };
    match settle() {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file_error(&path, &error)),
        _ => Ok(()),
    }
}

/// Takes the lock file beside the database; the system gives it back when the process ends, however it ends.
fn lock(database: &Path, node: &str) -> Result<fs::File, Error> {
    let mut name = database.as_os_str().to_owned();
    name.push("-lock");
    let path = PathBuf::from(name);
    let mut file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| file_error(&path, &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut by = String::new();
            let read = (&file).take(200).read_to_string(&mut by);
            return Err(Error::Locked {
                path: database.into(),
                by: match read {
                    Ok(length) if length > 0 => by.trim().to_owned(),
                    _ => "another daemon".into(),
                },
            });
        }
        Err(fs::TryLockError::Error(error)) => return Err(file_error(&path, &error)),
    }
    // Only for the message above; the lock itself does not depend on it.
    let _ = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "process {} (node {node})", std::process::id()));
    Ok(file)
}

/// Whether a daemon holds the lock file beside the database.
pub(super) fn is_locked(database: &Path) -> bool {
    let mut name = database.as_os_str().to_owned();
    name.push("-lock");
    let Ok(file) = fs::File::open(PathBuf::from(name)) else {
        return false;
    };
    // Given back at once, when the file is closed.
    matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock))
}

fn file_error(path: &Path, error: &std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return Error::Full;
    }
    Error::File {
        path: path.into(),
        why: error.to_string(),
    }
}

fn open_sqlite(path: &Path, options: &Options) -> SqliteEngine {
    let mut common = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(WAIT_MAX)
        .statement_cache_capacity(400);
    common = match options.access {
        Access::Daemon => common.create_if_missing(true).journal_mode(SqliteJournalMode::Wal),
        Access::Shared => common,
        Access::Read => common.read_only(true),
    };
    let pages_max = options.sqlite_bytes_max.map(|bytes| (bytes / SQLITE_PAGE_BYTES).max(1));
    if let Some(pages) = pages_max {
        common = common.pragma("max_page_count", pages.to_string());
    }
    let broken = Broken::default();
    let opening = Opening {
        path: path.to_path_buf(),
        is_daemon: options.access == Access::Daemon,
        is_reading: options.access == Access::Read,
        pages_max,
        synchronous: options.sqlite_synchronous,
    };
    let here = seam::is_simulated().then(|| Arc::new(Mutex::new(Writer::new(opening.clone(), broken.clone()))));
    let reading = Opening {
        is_daemon: false,
        is_reading: true,
        ..opening.clone()
    };
    SqliteEngine {
        bulk: [reading.clone(), reading].map(|one| Arc::new(Mutex::new(Writer::new(one, broken.clone())))),
        here,
        read: SqlitePoolOptions::new()
            .max_connections(options.sqlite_read_connections.max(1))
            .acquire_timeout(WAIT_MAX)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(common.synchronous(match options.sqlite_synchronous {
                Synchronous::Full => SqliteSynchronous::Full,
                Synchronous::Normal => SqliteSynchronous::Normal,
            })),
        writer: Arc::new(Mutex::new(Writer::new(opening, broken.clone()))),
        broken,
    }
}

/// SQLite's default.
const SQLITE_PAGE_BYTES: u64 = 4_096;

async fn open_postgres(options: &Options) -> Result<sqlx::PgPool, Error> {
    if !options.url.starts_with("postgres://") && !options.url.starts_with("postgresql://") {
        return Err(Error::Url {
            why: "it begins with neither `sqlite://` nor `postgres://`".into(),
        });
    }
    let connect = PgConnectOptions::from_str(&options.url).map_err(|error| Error::of("connect", &error))?;
    let place = format!(
        "`{}` at {}:{}",
        connect.get_database().unwrap_or_default(),
        connect.get_host(),
        connect.get_port()
    );
    // Once by hand: the pool would try again until its time is up, and not say why.
    let first = tokio::time::timeout(WAIT_MAX, connect.connect())
        .await
        .map_err(|_| Error::Gone {
            what: "no answer".into(),
        })
        .and_then(|connected| connected.map_err(|error| Error::of("connect", &error)))
        .map_err(|error| error.at(&place))?;
    // A connection that does not end well has ended, too.
    let _ = first.close().await;
    Ok(PgPoolOptions::new()
        .max_connections(options.postgres_connections.max(2))
        .acquire_timeout(WAIT_MAX)
        .connect_lazy_with(connect.statement_cache_capacity(400)))
}

struct KeyCheck(String);

impl FromRow for KeyCheck {
    const TABLE: &'static str = "meta";
    const KEY: &'static str = "value";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        row.get("value").map(Self)
    }
}

const KEY_CHECK: Place<'static> = Place {
    table: "meta",
    column: "value",
    row: "key_check",
};

/// Opens the value that the database's first daemon sealed; who cannot has another key.
async fn check_key(engine: &Engine, sealer: &Sealer, access: Access) -> Result<(), Error> {
    let read = "select value from meta where key = 'key_check'";
    let mut found = engine.row::<KeyCheck>(read, args![]).await?;
    if found.is_none() && access == Access::Daemon {
        let sealed = hex::encode(sealer.seal(KEY_CHECK, b"syncline")?);
        let write = "insert into meta (key, value) values ('key_check', $1) on conflict (key) do nothing";
        engine.execute(write, args![sealed]).await?;
        found = engine.row::<KeyCheck>(read, args![]).await?;
    }
    let Some(KeyCheck(text)) = found else {
        return Ok(());
    };
    hex::decode(text)
        .ok()
        .and_then(|sealed| sealer.open(KEY_CHECK, &sealed).ok())
        .map(|_| ())
        .ok_or(Error::WrongKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_address_names_its_file() {
        for (url, path) in [
            ("sqlite://data/syncline.db", "data/syncline.db"),
            ("sqlite:///var/lib/s.db?mode=rwc", "/var/lib/s.db"),
            ("sqlite:s.db", "s.db"),
        ] {
            assert_eq!(sqlite_path(url), Some(PathBuf::from(path)));
        }
        assert_eq!(sqlite_path("postgres://host/name"), None);
    }
}
