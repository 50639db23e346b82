//! Two sandbox systems and `syncline run` between them, as a process of its own that may be killed and started again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::Mutex,
    time::{Duration, Instant},
};

use secrecy::ExposeSecret as _;
use syncline::sandbox::{Edit, history::Commit, history::Kind, pair, seed::Plan};
use tempfile::TempDir;

pub use super::sender::Sender;
use super::{
    disk::Disk,
    node::{Node, PATIENCE},
    sender::ERP_HOOK,
};

/// How the CRM signs.
const CRM_HOOK: &str = "whsec_aG91c2UtY3JtLXdlYmhvb2stc2VjcmV0LTAwMDE=";
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
    /// More limits, laid over those that suit a rig.
    pub limits: Vec<(&'static str, &'static str)>,
    /// Where the daemon keeps its data, where that is no file.
    pub store: Option<String>,
}

impl Default for Plot {
    fn default() -> Self {
        Self {
            companies: 20,
            erp_url: None,
            crm_url: None,
            edits: Vec::new(),
            settings: String::new(),
            limits: Vec::new(),
            store: None,
        }
    }
}

/// The systems, the files, and the daemon between them.
pub struct House {
    // Dropped first, which ends the daemon while its folder is still there.
    node: Node,
    pub systems: pair::Handle,
    /// Where the daemon listens.
    pub address: String,
    plot: Plot,
    folder: TempDir,
    database: PathBuf,
    /// Customers that were changed here: the others differ as the sandbox's people left them.
    touched: Mutex<BTreeSet<String>>,
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
        let data = disk.map_or_else(|| folder.path().to_owned(), Disk::data);
        let node = Node::new(&folder.path().join("house"));
        let house = Self {
            systems,
            address: node.address.clone(),
            plot: plot.clone(),
            database: data.join("syncline.db"),
            folder,
            touched: Mutex::default(),
            node,
        };
        house.write_files();
        house.node.configure(&house.settings("house", &house.address));
        house
    }

    /// Another daemon over the same database, not started yet.
    pub fn beside(&self, name: &str) -> Node {
        let node = Node::new(&self.folder.path().join(name));
        node.configure(&self.settings(name, &node.address));
        node
    }

    fn write_files(&self) {
        let folder = self.folder.path();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in [
            "connectors/sandbox-erp.yaml",
            "connectors/sandbox-crm.yaml",
            "mappings/customer-account.yaml",
        ] {
            let mut text = fs::read_to_string(root.join(name)).unwrap();
            for (_, from, to) in self.plot.edits.iter().filter(|(file, ..)| *file == name) {
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
    }

    /// The settings of one node.
    fn settings(&self, name: &str, address: &str) -> String {
        let (folder, plot) = (self.folder.path(), &self.plot);
        let file = || format!("sqlite://{}", self.database.display());
        let mut limits = BTreeMap::from([
            ("retry_first", "\"100ms\""),
            ("retry_longest", "\"2s\""),
            ("attempts_max", "50"),
        ]);
        limits.extend(plot.limits.iter().copied());
        let limits = limits.into_iter().map(|(key, value)| format!("{key} = {value}\n"));
        format!(
            r#"
            [node]
            name = "{name}"
            [store]
            url = "{url}"
            [keys]
            data = {{ file = "{folder}/data.key" }}
            [folders]
            connectors = "{folder}/connectors"
            mappings = "{folder}/mappings"
            [server]
            bind = "{address}"
            public_url = "http://{address}"
            [limits]
            {limits}
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
            url = plot.store.clone().unwrap_or_else(file),
            folder = folder.display(),
            limits = limits.collect::<String>(),
            erp = plot.erp_url.as_deref().unwrap_or(self.systems.erp.base_url()),
            crm = plot.crm_url.as_deref().unwrap_or(self.systems.crm.base_url()),
            api_key = self.systems.erp.api_key().expose_secret(),
            client_id = self.systems.crm.client_id(),
            client_secret = self.systems.crm.client_secret().expose_secret(),
            more = plot.settings,
        )
    }

    /// Starts the daemon and waits until it is ready; tells how long that took.
    pub async fn start(&self) -> Duration {
        self.start_on(None).await
    }

    /// The same with the database on a disk that fails to order.
    pub async fn start_on(&self, disk: Option<&Disk>) -> Duration {
        self.node.spawn(disk);
        self.node.ready().await
    }

    /// The daemon.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Asks the daemon to end, by SIGTERM.
    pub fn ask_to_end(&self) {
        self.node.ask_to_end();
    }

    /// Ends the daemon by SIGKILL; tells how it ended, which it may have done before.
    pub fn kill(&self) -> ExitStatus {
        self.node.kill()
    }

    /// Waits until the daemon ends by itself.
    pub async fn ended(&self) -> ExitStatus {
        self.node.ended().await
    }

    /// What the daemon said last.
    pub fn log(&self) -> String {
        self.node.log()
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
