//! Two sandbox systems and `syncline run` between them, as a process of its own that may be killed and started again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use syncline::sandbox::{Edit, history::Commit, history::Kind, pair, seed::Plan};
use tempfile::TempDir;

use super::{
    disk::Disk,
    http::{self, Connection},
    rig::report,
};

/// How the ERP signs.
const ERP_HOOK: &str = "house-erp-webhook-secret";
/// How the CRM signs.
const CRM_HOOK: &str = "whsec_aG91c2UtY3JtLXdlYmhvb2stc2VjcmV0LTAwMDE=";
/// How long something may take that is only waited for; not a promise.
const PATIENCE: Duration = Duration::from_secs(120);
/// Who edits.
pub const PERSON: &str = "user:ana";

/// What a house is built with.
#[derive(Debug, Clone)]
pub struct Plot {
    pub companies: u32,
    /// Where the daemon believes the ERP is; itself without a proxy.
    pub erp_url: Option<String>,
    /// Where the daemon believes the CRM is.
    pub crm_url: Option<String>,
    /// Changes to the shipped files: file, what stands there, what is to.
    pub edits: Vec<(&'static str, String, String)>,
    /// More settings (TOML).
    pub settings: String,
}

impl Default for Plot {
    fn default() -> Self {
        Self {
            companies: 20,
            erp_url: None,
            crm_url: None,
            edits: Vec::new(),
            settings: String::new(),
        }
    }
}

/// The systems, the files, and the daemon when it runs.
pub struct House {
    pub systems: pair::Handle,
    /// Where the daemon listens.
    pub address: String,
    folder: TempDir,
    database: PathBuf,
    /// Customers that were changed here: the others differ as the sandbox's people left them.
    touched: Mutex<BTreeSet<String>>,
    daemon: Mutex<Option<Child>>,
}

impl Drop for House {
    fn drop(&mut self) {
        if std::thread::panicking() {
            report(&format!("what the daemon said last:\n{}", self.log()));
        }
        if let Some(mut daemon) = self.daemon.get_mut().unwrap().take() {
            // It may have ended by itself.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Both systems over the same companies.
pub async fn systems(companies: u32) -> pair::Handle {
    let plan = Plan {
        companies,
        overlap: 1.0,
        ..Plan::default()
    };
    pair::start(pair::Options {
        plan,
        ..pair::Options::default()
    })
    .await
    .unwrap()
}

impl House {
    /// Systems with related records, and the files of a daemon between them that is not started yet.
    pub async fn build(plot: &Plot) -> Self {
        Self::build_around(systems(plot.companies).await, plot, None)
    }

    /// The same around systems that run already; with the database on a disk that fails to order.
    pub fn build_around(systems: pair::Handle, plot: &Plot, disk: Option<&Disk>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Free a moment ago; the address has to be the same after every start.
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .to_string();
        let data = disk.map_or_else(|| folder.path().to_owned(), Disk::data);
        let house = Self {
            systems,
            address,
            database: data.join("syncline.db"),
            folder,
            touched: Mutex::default(),
            daemon: Mutex::new(None),
        };
        house.write_files(plot);
        house
    }

    fn write_files(&self, plot: &Plot) {
        let folder = self.folder.path();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in [
            "connectors/sandbox-erp.yaml",
            "connectors/sandbox-crm.yaml",
            "mappings/customer-account.yaml",
        ] {
            let mut text = fs::read_to_string(root.join(name)).unwrap();
            for (_, from, to) in plot.edits.iter().filter(|(file, ..)| *file == name) {
                assert!(text.contains(from.as_str()), "{name} does not say `{from}`");
                text = text.replace(from, to);
            }
            if name.starts_with("mappings/") {
                // A rig edits one record more often than the people for whom this limit was made.
                text.push_str("\nloop: { writes: 1000000, within: 5m }\n");
            }
            fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
            fs::write(folder.join(name), text).unwrap();
        }
        let toml = format!(
            r#"
            [node]
            name = "house"
            [store]
            url = "sqlite://{database}"
            [keys]
            data = {{ file = "{folder}/data.key" }}
            [folders]
            connectors = "{folder}/connectors"
            mappings = "{folder}/mappings"
            [server]
            bind = "{address}"
            public_url = "http://{address}"
            [limits]
            retry_first = "100ms"
            retry_longest = "2s"
            attempts_max = 50
            [schedule]
            enabled = false
            [systems.erp]
            connector = "sandbox-erp"
            settings = {{ base_url = "{erp}" }}
            credentials = {{ api_key = "{api_key}" }}
            webhook_secrets = ["{ERP_HOOK}"]
            allow_networks = ["127.0.0.0/8"]
            [systems.crm]
            connector = "sandbox-crm"
            settings = {{ base_url = "{crm}" }}
            credentials = {{ client_id = "{client_id}", client_secret = "{client_secret}" }}
            webhook_secrets = ["{CRM_HOOK}"]
            allow_networks = ["127.0.0.0/8"]
            {more}
            "#,
            database = self.database.display(),
            folder = folder.display(),
            address = self.address,
            erp = plot.erp_url.as_deref().unwrap_or(self.systems.erp.base_url()),
            crm = plot.crm_url.as_deref().unwrap_or(self.systems.crm.base_url()),
            api_key = self.systems.erp.api_key().expose_secret(),
            client_id = self.systems.crm.client_id(),
            client_secret = self.systems.crm.client_secret().expose_secret(),
            more = plot.settings,
        );
        fs::create_dir_all(folder.join("config")).unwrap();
        fs::write(folder.join("config/dev.toml"), toml).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        command
            .arg("--config-dir")
            .arg(self.folder.path().join("config"))
            .arg("run")
            .env_remove("SYNCLINE_ENV")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        command
    }

    /// Starts the daemon and waits until it is ready; tells how long that took.
    pub async fn start(&self) -> Duration {
        self.start_on(None).await
    }

    /// The same with the database on a disk that fails to order.
    pub async fn start_on(&self, disk: Option<&Disk>) -> Duration {
        let mut command = self.command();
        if let Some(disk) = disk {
            disk.attach(&mut command);
        }
        let started = Instant::now();
        *self.daemon.lock().unwrap() = Some(command.spawn().unwrap());
        while !self.is_ready().await {
            let ended = self.daemon.lock().unwrap().as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the daemon ended: {ended:?}\n{}", self.log());
            assert!(started.elapsed() < PATIENCE, "the daemon is not ready\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        started.elapsed()
    }

    async fn is_ready(&self) -> bool {
        if tokio::net::TcpStream::connect(&self.address).await.is_err() {
            return false;
        }
        http::send(&self.address, "GET", "/readyz", &[], b"").await.status == 200
    }

    /// Asks the daemon to end, by SIGTERM.
    pub fn ask_to_end(&self) {
        let id = self.daemon.lock().unwrap().as_ref().unwrap().id();
        let status = Command::new("kill").args(["-TERM", &id.to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Ends the daemon by SIGKILL.
    pub fn kill(&self) {
        let mut daemon = self.daemon.lock().unwrap().take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
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
        let text = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines = text.lines().collect::<Vec<_>>();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Customers of the ERP that the CRM is to know, by id.
    pub fn customers(&self) -> Vec<String> {
        let all = self.systems.erp.all("customer").unwrap();
        let is_customer = |json: &str| json.contains(r#""kind":"customer""#);
        all.into_iter()
            .filter(|snapshot| is_customer(&snapshot.json))
            .map(|snapshot| snapshot.id)
            .collect()
    }

    /// Renames a customer in the ERP without telling anybody.
    pub fn rename(&self, id: &str, name: &str) {
        self.touched.lock().unwrap().insert(id.to_owned());
        let patch = serde_json::json!({ "name": name }).to_string();
        let edit = Edit::by(PERSON).silently();
        self.systems.erp.patch("customer", id, &patch, &edit).unwrap();
    }

    /// Makes a customer in the ERP without telling anybody; `number` makes it unique.
    pub fn add_customer(&self, number: u64) -> String {
        let json = serde_json::json!({
            "kind": "customer", "status": "active", "name": format!("New {number}"), "tax_id": tax_id(number),
            "email": format!("new{number}@example.com"),
        });
        let edit = Edit::by(PERSON).silently();
        let made = self.systems.erp.create("customer", &json.to_string(), &edit).unwrap();
        self.touched.lock().unwrap().insert(made.id.clone());
        made.id
    }

    /// Waits until the CRM says what the ERP says about every customer that was changed here; panics when that takes for ever.
    pub async fn settled(&self) {
        let since = Instant::now();
        while let Some(difference) = self.difference() {
            assert!(
                since.elapsed() < PATIENCE,
                "the systems do not agree: {difference}\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A changed customer of which the two systems do not say the same.
    fn difference(&self) -> Option<String> {
        let names = |system: &str, all: Vec<syncline::sandbox::Snapshot>, name: &str, key: &str| {
            let mut by_key = BTreeMap::new();
            for snapshot in all {
                let record: serde_json::Value = serde_json::from_str(&snapshot.json).unwrap();
                if record["kind"] == "supplier" {
                    continue;
                }
                let key = record[key]
                    .as_str()
                    .unwrap_or_default()
                    .replace(['.', '/', '-', ' '], "");
                // Those without a tax id are told apart by their name alone.
                let key = if key.is_empty() {
                    format!("{system} {}", snapshot.id)
                } else {
                    key
                };
                by_key.insert(key, record[name].as_str().unwrap_or_default().to_owned());
            }
            by_key
        };
        let touched = self.touched.lock().unwrap().clone();
        let changed = self.systems.erp.all("customer").unwrap();
        let changed = changed
            .into_iter()
            .filter(|snapshot| touched.contains(&snapshot.id))
            .collect();
        let erp = names("erp", changed, "name", "tax_id");
        let crm = names("crm", self.systems.crm.all("account").unwrap(), "Name", "VatNumber");
        erp.into_iter()
            .filter(|(key, _)| !key.starts_with("erp "))
            .find(|(key, name)| crm.get(key) != Some(name))
            .map(|(key, name)| format!("{key} is `{name}` in the ERP and {:?} in the CRM", crm.get(&key)))
    }

    /// What Syncline wrote into the CRM since commit number `since`.
    pub fn written(&self, since: usize) -> Vec<Commit> {
        let actor = format!("client:{}", self.systems.crm.client_id());
        let history = self.systems.crm.history();
        history.commits_where(|commit| commit.actor == actor && commit.number >= since)
    }

    /// Asks the daemon's database one number, past the daemon.
    pub fn number(&self, sql: &str) -> i64 {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = rusqlite::Connection::open_with_flags(&self.database, flags).unwrap();
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// The database file.
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// Acknowledged events that the inbox does not have.
    pub fn lost(&self, acknowledged: &BTreeSet<String>) -> Vec<String> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = rusqlite::Connection::open_with_flags(&self.database, flags).unwrap();
        let mut statement = connection.prepare("select external_id from event").unwrap();
        let stored = statement.query_map([], |row| row.get(0)).unwrap();
        let stored = stored.collect::<rusqlite::Result<BTreeSet<String>>>().unwrap();
        acknowledged.difference(&stored).cloned().collect()
    }
}

/// A tax id that both systems take, of its own for each number.
pub fn tax_id(number: u64) -> String {
    format!("DE{number:09}")
}

/// Names that were written more than once, and records that were made more than once. A write that changes nothing is
/// counted too, except by `may_repeat`: where writing the same again is how a lost answer is found out.
pub fn doubled(commits: &[Commit], may_repeat: bool) -> Vec<String> {
    let (mut made, mut named, mut doubled) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for commit in commits {
        let field = |json: &Option<syncline::sandbox::history::Json>, name: &str| {
            let record: serde_json::Value = serde_json::from_str(json.as_deref().unwrap_or("null")).unwrap();
            record[name].as_str().unwrap_or_default().to_owned()
        };
        let name = field(&commit.after, "Name");
        if commit.kind == Kind::Created && !made.insert(field(&commit.after, "VatNumber")) {
            doubled.push(format!("{} was made twice: {name}", commit.id));
        }
        let is_renamed = field(&commit.before, "Name") != name;
        if is_renamed && !named.insert((commit.id.clone(), name.clone())) {
            doubled.push(format!("{} was given the name `{name}` twice", commit.id));
        }
        let is_idle = content(commit.before.as_deref()) == content(commit.after.as_deref());
        if !may_repeat && commit.kind == Kind::Updated && is_idle {
            doubled.push(format!("{} was written without a change: `{name}`", commit.id));
        }
    }
    doubled
}

/// Names that came to a record after a later one: each ends with a number that grows from edit to edit of one record.
pub fn inverted(commits: &[Commit]) -> Vec<String> {
    let (mut newest, mut inverted) = (BTreeMap::new(), Vec::new());
    for commit in commits {
        let record: serde_json::Value = serde_json::from_str(commit.after.as_deref().unwrap_or("null")).unwrap();
        let name = record["Name"].as_str().unwrap_or_default();
        let number = name.rsplit('-').next().and_then(|number| number.parse::<u64>().ok());
        let Some(number) = number else { continue };
        let before = newest.insert(commit.id.clone(), number);
        if before.is_some_and(|before| before > number) {
            inverted.push(format!("{} was given `{name}` after number {before:?}", commit.id));
        }
    }
    inverted
}

/// A record without what every write changes.
fn content(json: Option<&str>) -> serde_json::Value {
    let mut record: serde_json::Value = serde_json::from_str(json.unwrap_or("null")).unwrap();
    for name in ["Version", "ModifiedAt"] {
        if let Some(value) = record.get_mut(name) {
            *value = serde_json::Value::Null;
        }
    }
    record
}

/// Sends the ERP's events as the ERP would, and knows which were acknowledged.
pub struct Sender {
    connection: Connection,
    pub acknowledged: BTreeSet<String>,
}

impl Sender {
    pub fn new(address: &str) -> Self {
        Self {
            connection: Connection::new(address),
            acknowledged: BTreeSet::new(),
        }
    }

    /// Sends an event once; true when it was acknowledged.
    pub async fn send(&mut self, event_id: &str, customer: &str) -> bool {
        let is_acknowledged = self.send_body(&Self::event(event_id, customer)).await;
        if is_acknowledged {
            self.acknowledged.insert(event_id.to_owned());
        }
        is_acknowledged
    }

    fn event(event_id: &str, customer: &str) -> String {
        format!(
            r#"{{"id":"{event_id}","type":"customer.updated","occurred_at":"2026-03-01T09:15:27.482913+00:00","object":"customer","object_id":{customer},"actor":"{PERSON}"}}"#
        )
    }

    /// Sends a body once; true when it was acknowledged.
    pub async fn send_body(&mut self, body: &str) -> bool {
        let signature = sign(body.as_bytes());
        let headers = [
            ("Content-Type", "application/json"),
            ("Nordwind-Signature", signature.as_str()),
        ];
        let answer = self.connection.post("/webhooks/erp", &headers, body.as_bytes()).await;
        answer.is_ok_and(|answer| (200..300).contains(&answer.status))
    }

    /// Sends an event until it is acknowledged, as senders do.
    pub async fn deliver(&mut self, event_id: &str, customer: &str) {
        let since = Instant::now();
        while !self.send(event_id, customer).await {
            assert!(since.elapsed() < PATIENCE, "`{event_id}` is not taken");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the sender has a clock of its own")]
fn sign(body: &[u8]) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let mut mac = Hmac::<Sha256>::new_from_slice(SecretString::from(ERP_HOOK).expose_secret().as_bytes()).unwrap();
    mac.update(format!("{now}.").as_bytes());
    mac.update(body);
    format!("t={now},v1={}", hex::encode(mac.finalize().into_bytes()))
}
