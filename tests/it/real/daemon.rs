//! The daemon between the two systems: the real program, in a folder of its own, ended as roughly as the test wants.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value as Json;
use tempfile::TempDir;

/// The files of the repository that keep the two systems in step.
const FILES: [&str; 3] = [
    "connectors/tryton.yaml",
    "connectors/cap-odata.yaml",
    "mappings/tryton-party--odata-customer.yaml",
];
/// The mapping's name.
pub const MAPPING: &str = "tryton-party--odata-customer";

/// A folder with everything a daemon needs.
pub struct Place {
    folder: TempDir,
}

impl Place {
    /// Lays the folder out, for systems at these addresses. Both are asked every second what changed.
    pub fn new(erp: &str, crm: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in FILES {
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
            let (slow, fast) = ("poll: { tryton: 60s, odata: 60s }", "poll: { tryton: 1s, odata: 1s }");
            assert!(!file.starts_with("mappings") || text.contains(slow));
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.replace(slow, fast)).unwrap();
        }
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
            bind = "127.0.0.1:0"
            [log]
            format = "json"
            level = "info,syncline=debug"
            [systems.tryton]
            connector = "tryton"
            settings = {{ base_url = "{erp}", database = "erp" }}
            credentials = {{ user = "syncline", password = "erp-secret" }}
            allow_networks = ["127.0.0.0/8"]
            [systems.odata]
            connector = "cap-odata"
            settings = {{ base_url = "{crm}" }}
            credentials = {{ user = "syncline", password = "crm-secret" }}
            allow_networks = ["127.0.0.0/8"]
            "#
        );
        fs::create_dir_all(folder.path().join("config")).unwrap();
        fs::write(folder.path().join("config/dev.toml"), settings).unwrap();
        Self { folder }
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
