//! What every simulated life begins with: settings, definitions, a database, and the parts of a daemon.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use syncline::{
    catalog::load::{Catalog, Sources, SystemDecl},
    clock::Clock,
    core::{
        value::{Map, Value},
        webhook::Secret,
    },
    server::{App, Hook, Parts},
    settings::{self, Settings, Source, Variables},
    store::{Access, Keys, Options, Store, Synchronous},
    sync::Engine,
    worker::assembly,
};
use tokio_util::sync::CancellationToken;

use super::world::{CONCURRENCY, CRM, ERP};
use crate::support::database::opened;

/// How the ERP signs.
pub const ERP_HOOK: &str = "simulated-erp-webhook-secret";
/// How the CRM signs.
pub const CRM_HOOK: &str = "whsec_c2ltdWxhdGVkLWNybS13ZWJob29rLXNlY3JldC0wMDE=";
/// The mapping.
pub const MAPPING: &str = "pair";

/// How the mapping of a seed is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// `conflict:`
    pub conflict: &'static str,
    /// `situations: missing:`
    pub missing: &'static str,
    /// Whether new accounts become customers.
    pub creates_left: bool,
}

/// The mappings that seeds choose from.
pub const VARIANTS: [Variant; 4] = [
    Variant {
        conflict: "newest",
        missing: "report",
        creates_left: false,
    },
    Variant {
        conflict: "manual",
        missing: "delete",
        creates_left: true,
    },
    Variant {
        conflict: "erp",
        missing: "recreate",
        creates_left: true,
    },
    Variant {
        conflict: "newest",
        missing: "delete",
        creates_left: true,
    },
];

impl Variant {
    fn mapping(self) -> String {
        let Self {
            conflict,
            missing,
            creates_left,
        } = self;
        let creates_left = if creates_left { "yes" } else { "no" };
        format!(
            "mapping: {MAPPING}
between: {{ erp: customer, crm: account }}
match:
  - {{ erp: tax_id, crm: VatNumber, compare: alphanumeric }}
fields:
  - {{ erp: name, crm: Name }}
  - {{ erp: tax_id, crm: VatNumber, compare: alphanumeric }}
  - {{ erp: phone, crm: Phone }}
  - {{ erp: note, crm: Description, empty: clear, conflict: manual }}
  - {{ erp: address.city, crm: BillingCity, empty: clear }}
  - {{ erp: credit_limit, crm: CreditLimit, type: decimal(2), wins: erp }}
filter: {{ erp: \"{{{{ erp.kind == 'customer' }}}}\" }}
prefer: erp
conflict: {conflict}
create: {{ crm: yes, erp: {creates_left} }}
situations: {{ missing: {missing} }}
reconcile: {{ limits: {{ delete: 1000, change: 1000 }} }}
loop: {{ writes: 1000 }}
"
        )
    }
}

/// Everything that does not change from life to life and from seed to seed.
pub struct Scene {
    settings: Arc<Settings>,
    catalogs: Vec<Catalog>,
    /// A migrated database without anything in it.
    database: Vec<u8>,
}

/// The one scene of this process.
pub fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(Scene::build)
}

impl Scene {
    fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let catalogs = VARIANTS
            .iter()
            .map(|variant| catalog(folder.path(), &settings, *variant));
        Self {
            catalogs: catalogs.collect(),
            database: database(folder.path()),
            settings: Arc::new(settings),
        }
    }

    /// A new database in `folder`.
    pub fn lay_down(&self, folder: &Path) -> PathBuf {
        let path = folder.join("syncline.db");
        fs::write(&path, &self.database).unwrap();
        path
    }

    /// What a daemon opens.
    pub async fn open(path: &Path, clock: &Clock) -> Result<Store, syncline::store::Error> {
        opened(&options(path, clock)).await
    }

    /// The engine of a daemon.
    pub fn engine(&self, variant: usize, store: Store, clock: &Clock) -> Engine {
        assembly::engine(&self.settings, &self.catalogs[variant], store, clock.clone()).unwrap()
    }

    /// The server of a daemon.
    pub fn app(&self, variant: usize, engine: &Engine) -> App {
        let catalog = &self.catalogs[variant];
        let mut hooks = BTreeMap::new();
        for (name, text) in [("erp", ERP_HOOK), ("crm", CRM_HOOK)] {
            let connector = catalog.connector_of(name).unwrap();
            let definition = connector.webhooks.clone().unwrap();
            let secret = Secret::parse(definition.recipe(), &text.into()).unwrap();
            let given = self.settings.systems[name].settings.iter();
            let given: Map = given
                .map(|(key, value)| (key.clone(), Value::from(value.clone())))
                .collect();
            let given = Arc::new(Value::Map(given));
            let hook = Hook::new(name, definition, vec![secret], given, &catalog.mappings);
            hooks.insert(name.to_owned(), hook);
        }
        App::new(Parts {
            engine: engine.clone(),
            settings: Arc::clone(&self.settings),
            hooks,
            metrics: engine.metrics().clone(),
            shutdown: CancellationToken::new(),
        })
    }
}

fn options(path: &Path, clock: &Clock) -> Options {
    Options {
        access: Access::Daemon,
        node: "sim".to_owned(),
        clock: clock.clone(),
        // Power is lost elsewhere, in `durable::power`.
        sqlite_synchronous: Synchronous::Normal,
        ..Options::new(format!("sqlite://{}", path.display()), Keys::derive(&[7; 32]))
    }
}

fn database(folder: &Path) -> Vec<u8> {
    let path = folder.join("template.db");
    // In a thread of its own: this one is simulated by now, or in a runtime.
    let built = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let store = Store::open(&options(&path, &Clock::system())).await.unwrap();
            store.close().await;
        });
        fs::read(&path).unwrap()
    });
    built.join().unwrap()
}

fn settings(folder: &Path) -> Settings {
    let toml = format!(
        r#"
        [limits]
        retry_first = "2s"
        retry_longest = "1m"
        attempts_max = 12
        [systems.erp]
        connector = "sandbox-erp"
        settings = {{ base_url = "{ERP}", page_size = 3, integration_actor = "key:integration" }}
        credentials = {{ api_key = "nw_sandbox_key" }}
        limits = {{ concurrency = {CONCURRENCY} }}
        webhook_secrets = ["{ERP_HOOK}"]
        allow_networks = ["127.0.0.0/8"]
        [systems.crm]
        connector = "sandbox-crm"
        settings = {{ base_url = "{CRM}", page_size = 3, integration_actor = "client:syncline" }}
        credentials = {{ client_id = "syncline", client_secret = "acme_sandbox_secret" }}
        limits = {{ concurrency = {CONCURRENCY} }}
        webhook_secrets = ["{CRM_HOOK}"]
        allow_networks = ["127.0.0.0/8"]
        "#
    );
    fs::write(folder.join("dev.toml"), toml).unwrap();
    let source = Source {
        folder: folder.to_owned(),
        environment: "dev".to_owned(),
        variables: Variables::from_iter([]),
    };
    settings::load(&source, Clock::system().now()).unwrap().0
}

fn catalog(folder: &Path, settings: &Settings, variant: Variant) -> Catalog {
    let mappings = folder.join("mappings");
    fs::create_dir_all(&mappings).unwrap();
    fs::write(mappings.join(format!("{MAPPING}.yaml")), variant.mapping()).unwrap();
    let declare = |(name, system): (&String, &settings::System)| {
        let declared = SystemDecl {
            connector: system.connector.clone(),
            settings: system.settings.clone(),
            credentials: system.credentials.keys().cloned().collect(),
            webhook_secrets: 1,
            origin: "the simulation".to_owned(),
            ..SystemDecl::default()
        };
        (name.clone(), declared)
    };
    let loaded = Catalog::load(&Sources {
        connectors_dir: &Path::new(env!("CARGO_MANIFEST_DIR")).join("connectors"),
        mappings_dir: &mappings,
        systems: &settings.systems.iter().map(declare).collect(),
    });
    assert!(loaded.is_ok(), "{:?}", loaded.diagnostics);
    loaded.catalog
}
