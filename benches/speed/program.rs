//! The real program, as it is started in production.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

/// A command of the program, in a folder with its files.
pub fn syncline(folder: &Path, command: &str) -> Command {
    let mut process = Command::new(env!("CARGO_BIN_EXE_syncline"));
    process.current_dir(folder).env_clear().arg(command);
    process.env("SYNCLINE__SERVER__BIND", "127.0.0.1:0");
    process.env("SYNCLINE__LOG__FORMAT", "json");
    process
}

/// A running daemon; ends when it is dropped.
pub struct Daemon {
    /// Its process.
    pub child: Child,
    /// How long it took until it was ready.
    pub took: Duration,
    /// Where it listens.
    pub address: String,
}

impl Daemon {
    /// Starts `syncline run`, and waits until it says that it is ready.
    pub fn start(mut command: Command) -> Result<Self> {
        let started = Instant::now();
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let log = child.stderr.take().context("no log of the daemon")?;
        let mut daemon = Self {
            child,
            took: Duration::ZERO,
            address: String::new(),
        };
        let mut said = String::new();
        let mut log = BufReader::new(log);
        loop {
            let before = said.len();
            if log.read_line(&mut said)? == 0 {
                anyhow::bail!("the daemon ended: {said}");
            }
            let line = said.get(before..).unwrap_or_default();
            if line.contains(r#""message":"ready"#) {
                daemon.took = started.elapsed();
                daemon.address = address(line).with_context(|| format!("no address in {line}"))?;
                break;
            }
        }
        // Read to its end, so that the daemon can go on to write.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(daemon)
    }
}

/// The address in the line that says that a daemon is ready.
fn address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once(r#""address":""#)?;
    Some(rest.split('"').next()?.to_owned())
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has ended already where it could not start.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
