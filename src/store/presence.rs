//! Which commands are at work: what one leaves behind that was killed is told from what one is still doing.
//!
//! The daemon of a node knows its own past by the node's name. Of commands there may be several at once, so that each has a
//! name of its own (`<node>-cli/<number>`), which its runs, intents and leases carry, and a sign of life: on SQLite a locked
//! file beside the database, which the system lets go of when the process ends, however it ends; on PostgreSQL a lease that is
//! renewed.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Access, Store,
    connect::holders,
    engine::{Durability, FromRow, Row, Unread, args},
    error::Error,
};

/// How long a command on PostgreSQL is believed to be alive without a word from it.
const ALIVE: Duration = Duration::from_mins(1);
/// What the names of commands hold between the node and their number.
const INFIX: &str = "-cli";

/// A name for one process of a node's commands: a daemon of the node that starts or stops must not take its runs and leases
/// for its own.
#[must_use]
pub fn command_name(node: &str) -> String {
    format!("{node}{INFIX}/{:016x}", rand::random::<u64>())
}

/// Whether a name is that of a command; older versions gave all commands of a node one name.
pub(super) fn is_command(name: &str) -> bool {
    name.ends_with(INFIX) || name.rsplit_once('/').is_some_and(|(node, _)| node.ends_with(INFIX))
}

/// The sign of life of a command on SQLite; it goes with the process.
pub(super) struct Presence {
    path: PathBuf,
    _file: fs::File,
}

impl Presence {
    /// Begins to be there.
    pub(super) fn begin(database: &Path, name: &str) -> std::io::Result<Self> {
        let path = file_of(database, name);
        let file = fs::File::create(&path)?;
        file.lock()?;
        Ok(Self { path, _file: file })
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // One that stays behind is not locked, and is taken away by the next command.
        let _ = fs::remove_file(&self.path);
    }
}

fn file_of(database: &Path, name: &str) -> PathBuf {
    let number = name.rsplit('/').next().unwrap_or(name);
    let mut path = database.as_os_str().to_owned();
    path.push(format!("-command-{number}"));
    PathBuf::from(path)
}

/// Whether the process behind a file is there.
fn is_there(path: &Path) -> bool {
    let Ok(file) = fs::File::open(path) else {
        return false;
    };
    // What cannot be tried is left alone.
    !matches!(file.try_lock_shared(), Ok(()))
}

struct Name(String);

impl FromRow for Name {
    const TABLE: &'static str = "run";
    const KEY: &'static str = "node";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self(row.get("node")?))
    }
}

impl Store {
    /// Commands that ended in the middle of a run or a write, by the name that these carry.
    pub async fn dead_commands(&self) -> Result<Vec<String>, Error> {
        let sql =
            "select node from run where status = 'running' union select node from write where status = 'intended'";
        let names = self.engine().rows::<Name>(sql, args![]).await?;
        let mut dead = Vec::new();
        for Name(name) in names {
            if is_command(&name) && name != self.node() && !self.is_alive(&name).await? {
                dead.push(name);
            }
        }
        Ok(dead)
    }

    async fn is_alive(&self, name: &str) -> Result<bool, Error> {
        if let Some(database) = &self.inner.database {
            return Ok(is_there(&file_of(database, name)));
        }
        let sql = "select count(*) as number from lease where name = $1 and until > $2";
        let lease = lease_of(name);
        Ok(self.engine().count(sql, args![&lease, self.now()]).await? > 0)
    }

    /// Lets go of what a dead command held, and forgets it.
    pub async fn bury_command(&self, name: &str) -> Result<(), Error> {
        let prefix = holders(name, Access::Shared);
        let mut tx = self.engine().begin(Durability::Relaxed).await?;
        super::lease::free(&mut tx, &prefix, &self.inner.holder).await?;
        tx.execute("delete from lease where name = $1", args![&lease_of(name)])
            .await?;
        tx.commit().await?;
        if let Some(database) = &self.inner.database {
            // It is only a file without meaning from here on.
            let _ = fs::remove_file(file_of(database, name));
        }
        Ok(())
    }

    /// Gives signs of life from here on, where a file does not do: on PostgreSQL.
    pub(super) async fn say_alive(&self) -> Result<(), Error> {
        if self.inner.database.is_some() {
            return Ok(());
        }
        let name = lease_of(self.node());
        self.acquire_lease(&name, ALIVE).await?;
        let store = self.clone();
        // It ends with the command's runtime, and the lease runs out soon after.
        drop(tokio::spawn(async move {
            loop {
                tokio::time::sleep(ALIVE / 4).await;
                if let Err(error) = store.acquire_lease(&name, ALIVE).await {
                    tracing::warn!(%error, "cannot say that this command is alive");
                }
            }
        }));
        Ok(())
    }
}

fn lease_of(name: &str) -> String {
    format!("command/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_from_a_daemon_by_its_name() {
        assert!(is_command(&command_name("office")));
        assert!(is_command("office-cli"), "as older versions named them");
        assert!(!is_command("office") && !is_command("office/cli"));
    }

    #[test]
    fn a_command_is_there_as_long_as_its_process_holds_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("syncline.db");
        let name = command_name("office");
        let presence = Presence::begin(&database, &name).unwrap();
        assert!(is_there(&file_of(&database, &name)));
        drop(presence);
        assert!(!is_there(&file_of(&database, &name)));
        // As a killed process leaves it.
        fs::write(file_of(&database, &name), "").unwrap();
        assert!(!is_there(&file_of(&database, &name)));
    }
}
