//! The daemon between two systems: the real program, in a folder of its own, ended as roughly as the test wants.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use tempfile::TempDir;

use super::http;

/// The longest wait for anything. A slow machine takes its time; only a fault takes all of it.
const LIMIT: Duration = Duration::from_secs(120);
/// How often an observable is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A folder with everything a daemon needs.
pub struct Place {
    folder: TempDir,
    /// Where the daemon listens.
    pub address: String,
}

impl Place {
    /// Lays the folder out: connectors and mappings by where they stand in the repository and their texts, and the systems (TOML).
    pub fn lay_out(files: &[(&str, String)], systems: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let name = Path::new(file).file_name().unwrap();
            let kind = if file.contains("connectors/") {
                "connectors"
            } else {
                "mappings"
            };
            let path = folder.path().join(kind).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        // Free a moment ago; the address has to be the same after every start.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        let place = folder.path().display();
        let settings = format!(
            r#"
            [node]
            name = "real"
            [store]
            url = "sqlite://{place}/syncline.db"
            [keys]
            data = {{ file = "{place}/data.key" }}
            [folders]
            connectors = "{place}/connectors"
            mappings = "{place}/mappings"
            [server]
            bind = "{address}"
            public_url = "http://{address}"
            [log]
            format = "json"
            level = "info,syncline=debug"
            {systems}
            "#
        );
        fs::create_dir_all(folder.path().join("config")).unwrap();
        fs::write(folder.path().join("config/dev.toml"), settings).unwrap();
        Self { folder, address }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the daemon.
    pub fn start(&self) -> Daemon {
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let child = self
            .command(&["run"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Daemon { child }
    }

    /// Waits until the daemon takes requests.
    pub async fn ready(&self) {
        let since = Instant::now();
        loop {
            let listens = tokio::net::TcpStream::connect(&self.address).await.is_ok();
            if listens && http::send(&self.address, "GET", "/readyz", &[], b"").await.status == 200 {
                return;
            }
            assert!(since.elapsed() < LIMIT, "the daemon is not ready\n{}", self.log_end());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until something holds.
    pub async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let since = Instant::now();
        while !holds() {
            self.pause(since, what).await;
        }
    }

    /// Waits a moment for something that has been looked for since then.
    pub async fn pause(&self, since: Instant, what: &str) {
        assert!(since.elapsed() < LIMIT, "not yet: {what}\n{}", self.log_end());
        tokio::time::sleep(LOOK).await;
    }

    /// Runs a command beside the daemon; what it printed, one JSON value a line.
    pub fn ask(&self, arguments: &[&str]) -> Vec<Json> {
        let output = self.command(arguments).arg("--json").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        // Code 1 says that something was found, which is not for this place to judge.
        let is_done = matches!(output.status.code(), Some(0 | 1));
        assert!(
            is_done,
            "{arguments:?}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The end of the daemon's log, for a test that failed.
    pub fn log_end(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("daemon.log")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        command
            .env_clear()
            .current_dir(self.folder.path())
            .arg("--config-dir")
            .arg(self.folder.path().join("config"))
            .args(arguments);
        command
    }
}

/// The text of a file of this repository.
pub fn text_of(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// A running daemon.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// `kill -9`: it gets no chance to put anything in order.
    pub fn kill(mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "the daemon ended by itself");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(mut self) {
        let asked = Command::new("kill")
            .arg("-TERM")
            .arg(self.child.id().to_string())
            .status();
        assert!(asked.unwrap().success());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "the daemon ended with {status}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
