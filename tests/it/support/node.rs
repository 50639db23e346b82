//! One daemon as a process of its own, that may be killed and started again.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use super::{disk::Disk, http, rig::report};

/// How long something may take that is only waited for; not a promise.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A folder with the settings of a daemon, and the daemon when it runs.
pub struct Node {
    /// Where it listens, the same after every start.
    pub address: String,
    folder: PathBuf,
    daemon: Mutex<Option<Child>>,
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            report(&format!("what {} said last:\n{}", self.folder.display(), self.log()));
        }
        if let Some(mut daemon) = self.daemon.get_mut().unwrap().take() {
            // It may have ended by itself.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

impl Node {
    /// A node whose settings are written later; it keeps everything of its own in `folder`.
    pub fn new(folder: &Path) -> Self {
        // Free a moment ago; the address has to be the same after every start.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            address: free.local_addr().unwrap().to_string(),
            folder: folder.to_owned(),
            daemon: Mutex::new(None),
        }
    }

    /// Writes its settings.
    pub fn configure(&self, toml: &str) {
        fs::create_dir_all(self.folder.join("config")).unwrap();
        fs::write(self.folder.join("config/dev.toml"), toml).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))
            .unwrap();
        command
            .arg("--config-dir")
            .arg(self.folder.join("config"))
            .arg("run")
            .env_remove("SYNCLINE_ENV")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        command
    }

    /// Starts the daemon, perhaps with its database on a disk that fails to order, and does not wait for it.
    pub fn spawn(&self, disk: Option<&Disk>) {
        let mut command = self.command();
        if let Some(disk) = disk {
            disk.attach(&mut command);
        }
        *self.daemon.lock().unwrap() = Some(command.spawn().unwrap());
    }

    /// Waits until the daemon that was started is ready; tells how long that took.
    pub async fn ready(&self) -> Duration {
        let since = Instant::now();
        while !self.is_ready().await {
            let ended = self.daemon.lock().unwrap().as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the daemon ended: {ended:?}\n{}", self.log());
            assert!(since.elapsed() < PATIENCE, "the daemon is not ready\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        since.elapsed()
    }

    async fn is_ready(&self) -> bool {
        if tokio::net::TcpStream::connect(&self.address).await.is_err() {
            return false;
        }
        http::send(&self.address, "GET", "/readyz", &[], b"").await.status == 200
    }

    /// Whether the daemon has not ended.
    pub fn is_running(&self) -> bool {
        let mut daemon = self.daemon.lock().unwrap();
        daemon
            .as_mut()
            .is_some_and(|daemon| daemon.try_wait().unwrap().is_none())
    }

    /// Asks the daemon to end, by SIGTERM.
    pub fn ask_to_end(&self) {
        let id = self.daemon.lock().unwrap().as_ref().unwrap().id();
        let status = Command::new("kill").args(["-TERM", &id.to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Ends the daemon by SIGKILL; tells how it ended, which it may have done before.
    pub fn kill(&self) -> ExitStatus {
        let mut daemon = self.daemon.lock().unwrap().take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap()
    }

    /// Waits until the daemon ends by itself.
    pub async fn ended(&self) -> ExitStatus {
        let since = Instant::now();
        loop {
            let ended = self.daemon.lock().unwrap().as_mut().unwrap().try_wait().unwrap();
            if let Some(status) = ended {
                *self.daemon.lock().unwrap() = None;
                return status;
            }
            assert!(since.elapsed() < PATIENCE, "the daemon does not end\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What the daemon said last.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines = text.lines().collect::<Vec<_>>();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}
