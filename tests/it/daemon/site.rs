//! A place where the real daemon runs: two sandbox systems in this process, a folder with settings, connectors and mappings.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, SqliteConnection};
use syncline::sandbox::{pair, seed::Plan};

/// The longest wait for something that a working daemon does at once; only a broken one ever waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

const ERP_HOOK: &str = "sandbox-erp-webhook-secret";
const CRM_HOOK: &str = "whsec_c2FuZGJveC1jcm0td2ViaG9vay1zZWNyZXQ=";

/// Two systems and the daemon's folder.
pub struct Site {
    pub systems: pair::Handle,
    folder: tempfile::TempDir,
}

impl Site {
    /// Systems with a few companies, and the shipped connectors and mappings.
    pub async fn new() -> Self {
        Self::with("").await
    }

    /// As [`Site::new`], with more settings (TOML).
    pub async fn with(more: &str) -> Self {
        let plan = Plan {
            companies: 20,
            overlap: 0.5,
            crm_only: 2,
            contacts: 0,
            ..Plan::default()
        };
        let options = pair::Options {
            plan,
            ..pair::Options::default()
        };
        let site = Self {
            systems: pair::start(options).await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in ["config", "connectors", "mappings"] {
            fs::create_dir(site.path(folder)).unwrap();
        }
        for file in [
            "connectors/sandbox-erp.yaml",
            "connectors/sandbox-crm.yaml",
            "mappings/customer-account.yaml",
        ] {
            fs::copy(here.join(file), site.path(file)).unwrap();
        }
        site.configure(more);
        site
    }

    /// A file or folder of the place.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the settings anew, with `more` at their end.
    pub fn configure(&self, more: &str) {
        let (erp, crm) = (&self.systems.erp, &self.systems.crm);
        let text = format!(
            r#"
            server.bind = "127.0.0.1:0"
            [systems.erp]
            connector = "sandbox-erp"
            settings = {{ base_url = "{}" }}
            credentials = {{ api_key = "{}" }}
            webhook_secrets = ["{ERP_HOOK}"]
            allow_networks = ["127.0.0.0/8"]
            [systems.crm]
            connector = "sandbox-crm"
            settings = {{ base_url = "{}" }}
            credentials = {{ client_id = "{}", client_secret = "{}" }}
            webhook_secrets = ["{CRM_HOOK}"]
            allow_networks = ["127.0.0.0/8"]
            {more}
            "#,
            erp.base_url(),
            erp.api_key().expose_secret(),
            crm.base_url(),
            crm.client_id(),
            crm.client_secret().expose_secret(),
        );
        fs::write(self.path("config/dev.toml"), text).unwrap();
    }

    /// Waits until so many accounts were made.
    pub async fn accounts_made(&self, count: usize) {
        until("the accounts are made", async || {
            let made = self.systems.crm.history().creates_of("account").len();
            (made >= count).then_some(())
        })
        .await;
    }

    /// Waits until no record is left to be looked at.
    pub async fn settled(&self) {
        until("nothing is left to do", async || {
            self.number("select count(*) from change")
                .await
                .filter(|count| *count == 0)
        })
        .await;
    }

    /// Runs SQL past the daemon.
    pub async fn sql(&self, sql: &str) {
        let mut connection = self.connect().await;
        connection
            .execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
            .await
            .unwrap();
        connection.close().await.unwrap();
    }

    /// Reads one number past the daemon.
    pub async fn number(&self, sql: &str) -> Option<i64> {
        let mut connection = self.connect().await;
        let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_optional(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        number
    }

    async fn connect(&self) -> SqliteConnection {
        let url = format!("sqlite://{}", self.path("data/syncline.db").display());
        SqliteConnection::connect(&url).await.unwrap()
    }

    /// A command of the real binary in this place.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        command.current_dir(self.folder.path()).env_clear().args(args);
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> (ExitStatus, String, String) {
        let done = self.command(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (done.status, text(done.stdout), text(done.stderr))
    }

    /// What a command lists as JSON.
    pub fn json(&self, args: &[&str]) -> Vec<Json> {
        let (status, stdout, stderr) = self.run(&[&["--json"], args].concat());
        assert!(status.success(), "{args:?}: {stderr}");
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Starts the daemon and waits until it is ready.
    pub fn start(&self) -> Running {
        let mut running = self.spawn();
        let ready = running.wait_for("ready");
        ready["address"].as_str().unwrap().clone_into(&mut running.address);
        running
    }

    /// Starts the daemon.
    pub fn spawn(&self) -> Running {
        let mut command = self.command(&["run"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, lines) = channel();
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line.clone());
                // Nobody may be left who waits for lines.
                let _ = sender.send(line);
            }
        });
        Running {
            child,
            address: String::new(),
            lines,
            log,
        }
    }

    /// Lets both systems push their changes to `running`.
    pub fn subscribe(&self, running: &Running) {
        let hook = |system: &str| format!("http://{}/webhooks/{system}", running.address);
        let erp = SecretString::from(ERP_HOOK);
        self.systems.erp.subscribe(&hook("erp"), &erp).unwrap();
        let crm = SecretString::from(CRM_HOOK);
        self.systems.crm.subscribe(&hook("crm"), &crm).unwrap();
    }
}

/// A customer as the ERP takes it, like no other.
pub fn customer(number: u32) -> String {
    format!(
        r#"{{"name":"Kundin {number}","kind":"customer","status":"active","tax_id":"BR{number:014}","email":"k{number}@new.example"}}"#
    )
}

/// A daemon that runs. Dropped, it is killed.
pub struct Running {
    pub child: Child,
    pub address: String,
    lines: Receiver<String>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// The next record of the log with this message.
    pub fn wait_for(&mut self, message: &str) -> Json {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("`{message}` never came:\n{}", self.log());
            };
            if let Ok(record) = serde_json::from_str::<Json>(&line)
                && record["message"].as_str().is_some_and(|text| text.starts_with(message))
            {
                return record;
            }
        }
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Sends a signal: `TERM`, `INT`, `HUP`, `KILL`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Kills it, and waits until it is gone.
    pub async fn kill(self) {
        self.signal("KILL");
        self.end().await;
    }

    /// Waits until it has ended.
    pub async fn end(mut self) -> (ExitStatus, String) {
        let ended = until("the daemon ends", async || self.child.try_wait().unwrap()).await;
        (ended, self.log())
    }
}

/// Asks again until there is an answer.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked)
        .await
        .unwrap_or_else(|_| panic!("waited too long until {what}"))
}
