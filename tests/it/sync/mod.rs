//! The roads as a whole: both sandbox systems over real HTTP, a real database, and nothing in between but Syncline.

mod again;
mod conflict;
mod continued;
mod deadline;
mod decision;
mod denied;
mod echo;
mod evidence;
mod failure;
mod first;
mod gap;
mod held;
mod incremental;
mod lines;
mod made;
mod matching;
mod oracle;
mod part;
mod poison;
mod poll;
mod promise;
mod rail;
mod reconcile;
mod record;
mod renamed;
mod unknown;

use std::{path::Path, sync::Arc, time::Duration};

use secrecy::ExposeSecret as _;
use syncline::{
    catalog::load::{Catalog, Sources, SystemDecl},
    core::{
        mapping::Mapping,
        record::RecordKey,
        status::{ChangeOrigin, EventKind, RunKind, Side, Trigger},
    },
    sandbox::{Edit, history::Commit, pair, seed::Plan},
    settings::{self, Source, Variables},
    store::{
        Page, Store,
        change::NewChange,
        event::NewEvent,
        failure::{Failure, FailureFilter},
        link::StoredLink,
    },
    sync::{
        Engine,
        reconcile::{self as road, Report, Request},
    },
    worker::{assembly, change},
};
use tokio_util::sync::CancellationToken;

use crate::support::database::Database;

/// The mapping that most tests are about.
const CUSTOMERS: &str = "customer-account";

/// What an edit of the settings replaces: their end.
const SETTINGS: &str = "end of the settings";

/// Both systems and an engine between them.
struct World {
    systems: pair::Handle,
    database: Database,
    engine: Engine,
}

impl World {
    /// Empty systems, the shipped mappings.
    async fn empty() -> Self {
        Self::new(Plan::default(), &[]).await
    }

    /// Systems with records; `edits` replace texts of connectors and mappings.
    async fn new(plan: Plan, edits: &[(&str, &str)]) -> Self {
        Self::on(Database::sqlite(), plan, edits).await
    }

    async fn on(database: Database, plan: Plan, edits: &[(&str, &str)]) -> Self {
        let systems = pair::start(pair::Options {
            plan,
            ..pair::Options::default()
        })
        .await
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = database.open().await;
        let engine = engine(folder.path(), &systems, store, &database, edits);
        Self {
            systems,
            database,
            engine,
        }
    }

    /// The same systems and data, with other texts of connectors and mappings, as after a change and a restart.
    fn remap(&mut self, edits: &[(&str, &str)]) {
        let folder = tempfile::tempdir().unwrap();
        let store = self.engine.store().clone();
        self.engine = engine(folder.path(), &self.systems, store, &self.database, edits);
    }

    fn store(&self) -> &Store {
        self.engine.store()
    }

    fn mapping(&self, name: &str) -> Arc<Mapping> {
        self.engine.mapping(name).unwrap().clone()
    }

    async fn run(&self, name: &str, kind: RunKind, repair: bool) -> Report {
        let request = Request {
            kind,
            trigger: Trigger::Person,
            repair,
        };
        let mapping = self.mapping(name);
        road::reconcile(&self.engine, &mapping, request, &CancellationToken::new())
            .await
            .unwrap()
    }

    /// A first sync of the customers.
    async fn full(&self) -> Report {
        self.run(CUSTOMERS, RunKind::Full, true).await
    }

    /// A reconciliation of the customers that repairs.
    async fn reconcile(&self) -> Report {
        self.run(CUSTOMERS, RunKind::Reconcile, true).await
    }

    /// Works on everything that is due.
    async fn drain(&self) -> u64 {
        change::drain(&self.engine, change::Limits::default()).await
    }

    fn customer(&self, json: &str) -> String {
        self.systems.erp.create("customer", json, &quietly()).unwrap().id
    }

    fn account(&self, json: &str) -> String {
        self.systems.crm.create("account", json, &quietly()).unwrap().id
    }

    /// Customers with tax ids that differ, from `from` on.
    fn customers(&self, from: u32, count: u32) -> Vec<String> {
        let one = |n: u32| self.customer(&customer_json(n));
        (from..from + count).map(one).collect()
    }

    fn edit_customer(&self, id: &str, json: &str) {
        self.systems.erp.patch("customer", id, json, &quietly()).unwrap();
    }

    fn edit_account(&self, id: &str, json: &str) {
        self.systems.crm.patch("account", id, json, &quietly()).unwrap();
    }

    fn customer_now(&self, id: &str) -> serde_json::Value {
        serde_json::from_str(&self.systems.erp.read("customer", id).unwrap().json).unwrap()
    }

    fn account_now(&self, id: &str) -> serde_json::Value {
        serde_json::from_str(&self.systems.crm.read("account", id).unwrap().json).unwrap()
    }

    fn account_count(&self) -> usize {
        self.systems.crm.all("account").unwrap().len()
    }

    /// Everything that Syncline wrote to either system.
    fn our_writes(&self) -> Vec<Commit> {
        let mut writes = self.systems.crm.history().commits_where(|one| one.request.is_some());
        writes.extend(self.systems.erp.history().commits_where(|one| one.request.is_some()));
        writes
    }

    async fn links(&self) -> Vec<StoredLink> {
        self.store().links_after(CUSTOMERS, 0, 1_000).await.unwrap()
    }

    async fn link_of(&self, customer: &str) -> Option<StoredLink> {
        self.store().link_by(CUSTOMERS, Side::Left, customer).await.unwrap()
    }

    async fn failures(&self) -> Vec<Failure> {
        let filter = FailureFilter::default();
        self.store().failures(&filter, Page::first(100)).await.unwrap()
    }

    /// A record comes up by an event, and is worked on as soon as somebody drains.
    async fn event(&self, side: Side, record_id: &str) {
        self.told(side, record_id, EventKind::Updated, None).await;
    }

    /// An event says that an account lives on as another one.
    async fn merged(&self, from: &str, into: &str) {
        self.told(Side::Right, from, EventKind::Merged, Some(into)).await;
    }

    async fn told(&self, side: Side, record_id: &str, kind: EventKind, merged_into: Option<&str>) {
        let mapping = self.mapping(CUSTOMERS);
        let end = mapping.end(side);
        let key = RecordKey::new(CUSTOMERS, side, record_id);
        let merged_into = merged_into.map(str::to_owned);
        let mut change = NewChange::new(key, ChangeOrigin::Event, kind);
        change.merged_into.clone_from(&merged_into);
        let event = NewEvent {
            system: end.system.as_str().into(),
            external_id: rand::random::<u64>().to_string(),
            object: end.object.clone(),
            record_id: Some(record_id.to_owned()),
            kind,
            own: false,
            merged_into,
            version: None,
            occurred_at: None,
            request_id: "r".to_owned(),
            payload: None,
            changes: vec![change],
        };
        self.store().receive(vec![event]).await.unwrap();
    }

    /// Lets the manual clock of Syncline move on.
    fn advance(&self, by: Duration) {
        self.database.advance(by);
    }
}

fn customer_json(n: u32) -> String {
    format!(r#"{{"kind":"customer","status":"active","name":"Company {n}","tax_id":"BR 10.000.{n:03}/0001-95"}}"#)
}

/// Somebody else's edit that no webhook tells of.
fn quietly() -> Edit {
    Edit::by("user:ana").silently()
}

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).unwrap()
}

fn engine(folder: &Path, systems: &pair::Handle, store: Store, database: &Database, edits: &[(&str, &str)]) -> Engine {
    for kind in ["connectors", "mappings"] {
        std::fs::create_dir_all(folder.join(kind)).unwrap();
    }
    let mut found = Vec::new();
    for name in [
        "connectors/sandbox-erp.yaml",
        "connectors/sandbox-crm.yaml",
        "mappings/contact.yaml",
        "mappings/customer-account.yaml",
    ] {
        let mut text = shipped(name);
        for (old, new) in edits {
            found.extend(text.contains(old).then_some(*old));
            text = text.replace(old, new);
        }
        std::fs::write(folder.join(name), text).unwrap();
    }
    for (old, _) in edits.iter().filter(|(old, _)| *old != SETTINGS) {
        assert!(found.contains(old), "no file has `{old}`");
    }
    let toml = format!(
        "[systems.erp]\nconnector = \"sandbox-erp\"\nsettings = {{ base_url = \"{}\" }}\n\
         credentials = {{ api_key = \"{}\" }}\nallow_networks = [\"127.0.0.0/8\"]\n\
         [systems.crm]\nconnector = \"sandbox-crm\"\nsettings = {{ base_url = \"{}\" }}\n\
         credentials = {{ client_id = \"{}\", client_secret = \"{}\" }}\nallow_networks = [\"127.0.0.0/8\"]\n",
        systems.erp.base_url(),
        systems.erp.api_key().expose_secret(),
        systems.crm.base_url(),
        systems.crm.client_id(),
        systems.crm.client_secret().expose_secret(),
    );
    let more = edits
        .iter()
        .find(|(old, _)| *old == SETTINGS)
        .map_or("", |(_, more)| more);
    std::fs::write(folder.join("dev.toml"), format!("{toml}{more}")).unwrap();
    let source = Source {
        folder: folder.to_owned(),
        environment: "dev".to_owned(),
        variables: Variables::from_iter([]),
    };
    let settings = settings::load(&source, database.clock().now()).unwrap().0;
    let declare = |(name, system): (&String, &settings::System)| {
        let declared = SystemDecl {
            connector: system.connector.clone(),
            settings: system.settings.clone(),
            credentials: system.credentials.keys().cloned().collect(),
            webhook_secrets: 1,
            origin: "the test".to_owned(),
            ..SystemDecl::default()
        };
        (name.clone(), declared)
    };
    let declared = settings.systems.iter().map(declare).collect();
    let loaded = Catalog::load(&Sources {
        connectors_dir: &folder.join("connectors"),
        mappings_dir: &folder.join("mappings"),
        systems: &declared,
    });
    assert!(loaded.is_ok(), "{:?}", loaded.diagnostics);
    assembly::engine(&settings, &loaded.catalog, store, database.clock().clone()).unwrap()
}
