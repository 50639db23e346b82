//! A PostgreSQL of our own, with everything that makes it durable switched on, where one is installed.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use sqlx::{Connection as _, Executor as _};

/// A cluster, or the one that was given; ours ends when it is dropped.
pub struct Postgres {
    url: String,
    own: Option<Cluster>,
    databases: std::cell::Cell<u32>,
}

struct Cluster {
    programs: PathBuf,
    data: PathBuf,
    is_root: bool,
    _folder: tempfile::TempDir,
}

impl Postgres {
    /// The server at `given`, else a new one; none where PostgreSQL is not installed.
    pub fn start(given: Option<String>) -> Result<Option<Self>> {
        if let Some(url) = given {
            return Ok(Some(Self {
                url,
                own: None,
                databases: std::cell::Cell::new(0),
            }));
        }
        let Some(programs) = programs() else { return Ok(None) };
        let folder = tempfile::Builder::new().prefix("syncline-bench-pg-").tempdir()?;
        let data = folder.path().join("data");
        fs::create_dir(&data)?;
        let is_root = fs::metadata("/proc/self")?.uid() == 0;
        if is_root {
            // PostgreSQL refuses to run as root.
            let (user, group) = ids_of("postgres").context("PostgreSQL is installed, but has no user `postgres`")?;
            for path in [folder.path(), &data] {
                chown(path, Some(user), Some(group))?;
            }
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let cluster = Cluster {
            programs,
            data,
            is_root,
            _folder: folder,
        };
        cluster.run(
            "initdb",
            [
                "--username",
                "syncline",
                "--auth",
                "trust",
                "--encoding",
                "UTF8",
                "--locale",
                "C",
            ],
        )?;
        let options = format!("-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories=");
        let log = cluster.data.join("log");
        cluster.run(
            "pg_ctl",
            [
                OsStr::new("--wait"),
                OsStr::new("--log"),
                log.as_os_str(),
                OsStr::new("--options"),
                OsStr::new(&options),
                OsStr::new("start"),
            ],
        )?;
        Ok(Some(Self {
            url: format!("postgres://syncline@127.0.0.1:{port}/postgres"),
            own: Some(cluster),
            databases: std::cell::Cell::new(0),
        }))
    }

    /// The address of a new, empty database.
    pub fn database(&self) -> Result<String> {
        let number = self.databases.get();
        self.databases.set(number + 1);
        let name = name_of(number);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut connection = sqlx::PgConnection::connect(&self.url).await?;
            connection
                .execute(sqlx::AssertSqlSafe(format!("create database {name}")))
                .await?;
            anyhow::Ok(())
        })?;
        let server = self
            .url
            .rsplit_once('/')
            .map_or(self.url.as_str(), |(server, _)| server);
        Ok(format!("{server}/{name}"))
    }

    /// Whether it is a cluster of our own.
    pub const fn is_own(&self) -> bool {
        self.own.is_some()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.is_own() || self.databases.get() == 0 {
            return;
        }
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        // On a server that goes on, a database that stays behind is only large.
        let _ = runtime.block_on(async {
            let mut connection = sqlx::PgConnection::connect(&self.url).await?;
            for number in 0..self.databases.get() {
                let drop = format!("drop database if exists {} with (force)", name_of(number));
                connection.execute(sqlx::AssertSqlSafe(drop)).await?;
            }
            anyhow::Ok(())
        });
    }
}

/// The name of a database of this process.
fn name_of(number: u32) -> String {
    format!("bench_{}_{number}", std::process::id())
}

impl Cluster {
    fn run<A: AsRef<OsStr>>(&self, program: &str, arguments: impl IntoIterator<Item = A>) -> Result<()> {
        let program = self.programs.join(program);
        let mut command = if self.is_root {
            let mut command = Command::new("runuser");
            command.args(["--user", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.arg("--pgdata").arg(&self.data).args(arguments).current_dir("/");
        let done = command.stdout(std::process::Stdio::null()).status()?;
        ensure!(done.success(), "{command:?} ended with {done}");
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The folder goes in any case.
        let _ = self.run("pg_ctl", ["--mode", "immediate", "stop"]);
    }
}

/// The folder with `initdb` and `pg_ctl`; Debian keeps them out of the path.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin"));
    let usual = ["/usr/bin", "/usr/local/bin", "/usr/local/pgsql/bin"]
        .into_iter()
        .map(PathBuf::from);
    debian
        .chain(usual)
        .find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
}

fn ids_of(user: &str) -> Option<(u32, u32)> {
    let users = fs::read_to_string(Path::new("/etc/passwd")).ok()?;
    let line = users.lines().find(|line| line.split(':').next() == Some(user))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
