//! The whole server over a real socket and a real SQLite store.

use std::{collections::BTreeMap, sync::Arc};

use secrecy::{ExposeSecret, SecretString};
use syncline::{
    catalog::load::{Catalog, Sources, SystemDecl},
    clock::Clock,
    core::{
        problem::Problems,
        status::Role,
        tenant::Reach,
        value::Value,
        webhook::{
            Secret,
            event::{Definition, form::WebhooksForm},
        },
    },
    metrics::Metrics,
    sandbox::pair,
    server::{self, App, Hook, Parts, auth, listen},
    settings::{self, Settings, Source, Variables},
    store::{Access, Keys, Options, Store},
    sync::{Engine, Limits},
    worker::assembly,
};
use tokio_util::sync::CancellationToken;

use super::http::{self, Answer};

/// What may never be seen anywhere.
pub const CANARIES: [&str; 4] = [
    "canary-client-secret",
    "canary-hook-secret",
    "canary-store-key",
    "canary-variable",
];

/// A running server.
pub struct TestApp {
    pub address: String,
    pub store: Store,
    pub app: App,
    pub clock: Clock,
    shutdown: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// The settings of the tests, laid over by `more` (TOML).
pub fn settings(more: &str) -> Settings {
    settings_of(&format!(
        r#"
        [systems.crm]
        connector = "acme-crm"
        settings = {{ base_url = "http://127.0.0.1:1" }}
        credentials = {{ client_id = "syncline", client_secret = "canary-client-secret" }}
        webhook_secrets = ["canary-hook-secret"]
        secret_owner = "it@example.com"
        secret_rotate_by = 2027-03-01
        {more}
        "#
    ))
}

/// The settings that `text` (TOML) gives.
fn settings_of(text: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("dev.toml"), text).unwrap();
    let source = Source {
        folder: folder.path().to_owned(),
        environment: "dev".to_owned(),
        variables: Variables::from_iter([("CANARY".to_owned(), "canary-variable".to_owned())]),
    };
    settings::load(&source, Clock::system().now()).unwrap().0
}

/// Settings between the two systems of the sandbox, laid over by `more` (TOML), and the shipped definitions for them.
fn between(systems: &pair::Handle, more: &str) -> (Settings, Catalog) {
    let root = env!("CARGO_MANIFEST_DIR");
    let settings = settings_of(&format!(
        r#"
        [folders]
        connectors = "{root}/connectors"
        mappings = "{root}/mappings"
        [systems.erp]
        connector = "sandbox-erp"
        settings = {{ base_url = "{}" }}
        credentials = {{ api_key = "{}" }}
        allow_networks = ["127.0.0.0/8"]
        [systems.crm]
        connector = "sandbox-crm"
        settings = {{ base_url = "{}" }}
        credentials = {{ client_id = "{}", client_secret = "{}" }}
        allow_networks = ["127.0.0.0/8"]
        {more}
        "#,
        systems.erp.base_url(),
        systems.erp.api_key().expose_secret(),
        systems.crm.base_url(),
        systems.crm.client_id(),
        systems.crm.client_secret().expose_secret(),
    ));
    let catalog = catalog(&settings);
    (settings, catalog)
}

/// The definitions of these settings, for their systems.
fn catalog(settings: &Settings) -> Catalog {
    let declare = |(name, system): (&String, &settings::System)| {
        let declared = SystemDecl {
            connector: system.connector.clone(),
            tenant: system.tenant.clone(),
            settings: system.settings.clone(),
            credentials: system.credentials.keys().cloned().collect(),
            ..SystemDecl::default()
        };
        (name.clone(), declared)
    };
    let loaded = Catalog::load(&Sources {
        connectors_dir: &settings.folders.connectors,
        mappings_dir: &settings.folders.mappings,
        systems: &settings.systems.iter().map(declare).collect(),
    });
    loaded.catalog
}

/// How the tests' sender signs: a plain HMAC of the body in a header.
const WEBHOOKS: &str = r#"{
    "verify": { "hmac": "sha256", "header": "X-Signature" },
    "events": "{{ body.events }}",
    "id": "{{ event.id }}",
    "object": "{{ event.entity }}",
    "record_id": "{{ event.record }}",
    "kind": "{{ event.type }}",
    "own": "{{ event.actor == 'client:syncline' }}",
    "handshake": { "when": "{{ 'challenge' in body }}", "answer": { "body": "{{ body.challenge }}" } }
}"#;

/// A limit to these tenants.
pub fn within(tenants: &[&str]) -> Reach {
    Reach::Tenants(tenants.iter().map(|name| name.parse().unwrap()).collect())
}

/// The definition of the tests' webhooks.
pub fn definition() -> Arc<Definition> {
    let form: WebhooksForm = serde_json::from_str(WEBHOOKS).unwrap();
    let mut problems = Problems::new();
    let objects = std::iter::once("account").collect();
    let definition = Definition::compile(&form, "/webhooks", &objects, &mut problems);
    Arc::new(definition.unwrap_or_else(|| panic!("{:?}", problems.into_vec())))
}

/// What receives the webhooks of a system of the tests.
pub fn hook(system: &str) -> Hook {
    let definition = definition();
    let text: SecretString = "canary-hook-secret".into();
    let secret = Secret::parse(definition.recipe(), &text).unwrap();
    Hook::new(
        system,
        definition,
        vec![secret],
        Arc::new(Value::Null),
        &BTreeMap::new(),
    )
}

/// How a test wants its server.
pub struct Setup {
    pub settings: Settings,
    /// The shipped definitions, where there are systems to synchronize.
    pub catalog: Option<Catalog>,
    pub clock: Clock,
    pub limits: listen::Limits,
    /// Systems that send webhooks, by name.
    pub hooks: BTreeMap<String, Hook>,
    /// The most bytes the database may grow to.
    pub store_bytes_max: Option<u64>,
    /// The store, where it is not a new SQLite file.
    pub store: Option<Store>,
}

impl Setup {
    /// Nothing but one system that sends webhooks, with settings (TOML) laid over the tests'.
    pub fn new(more: &str) -> Self {
        let settings = settings(more);
        Self {
            settings,
            catalog: None,
            clock: Clock::system(),
            limits: listen::Limits {
                body_bytes_max: 8 << 20,
                ..listen::Limits::default()
            },
            hooks: BTreeMap::from([("crm".to_owned(), hook("crm"))]),
            store_bytes_max: None,
            store: None,
        }
    }

    /// A server between the two systems of the sandbox.
    pub fn between(systems: &pair::Handle) -> Self {
        let (settings, catalog) = between(systems, "");
        Self {
            settings,
            catalog: Some(catalog),
            hooks: BTreeMap::new(),
            ..Self::new("")
        }
    }

    /// A server by settings (TOML) that name the folders of its definitions; nothing sends it webhooks.
    pub fn by(settings: &str) -> Self {
        let settings = settings_of(settings);
        Self {
            catalog: Some(catalog(&settings)),
            settings,
            hooks: BTreeMap::new(),
            ..Self::new("")
        }
    }

    /// Starts it over an empty store.
    pub async fn start(self) -> TestApp {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            access: Access::Daemon,
            clock: self.clock.clone(),
            sqlite_bytes_max: self.store_bytes_max,
            ..Options::new(
                format!("sqlite://{}", folder.path().join("syncline.db").display()),
                Keys::derive(&[7; 32]),
            )
        };
        let store = match self.store {
            Some(store) => store,
            None => Store::open(&options).await.unwrap(),
        };
        let engine = match &self.catalog {
            Some(catalog) => assembly::engine(&self.settings, catalog, store.clone(), self.clock.clone()).unwrap(),
            None => Engine::new(
                store.clone(),
                BTreeMap::new(),
                BTreeMap::new(),
                Limits::default(),
                self.clock.clone(),
            ),
        };
        let shutdown = CancellationToken::new();
        let app = App::new(Parts {
            engine,
            settings: Arc::new(self.settings),
            hooks: self.hooks,
            metrics: Metrics::new(),
            shutdown: shutdown.clone(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = server::router(app.clone());
        tokio::spawn(listen::serve(listener, router, self.limits, shutdown.clone()));
        TestApp {
            address,
            store,
            app,
            clock: self.clock,
            shutdown,
            _folder: folder,
        }
    }
}

impl TestApp {
    /// A server over an empty store.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// A server over an empty store, with settings laid over the tests'.
    pub async fn start_with(more: &str) -> Self {
        Setup::new(more).start().await
    }

    /// A new token with this role.
    pub async fn token(&self, role: Role) -> String {
        let issued = auth::issue(&self.store, role.as_str(), role, None).await.unwrap();
        issued.token.expose_secret().to_owned()
    }

    /// A new token with this role that is limited to these tenants.
    pub async fn token_within(&self, role: Role, tenants: &[&str]) -> String {
        let reach = within(tenants);
        let issued = auth::issue_within(&self.store, &tenants.join(","), (role, &reach), None, |_| Vec::new()).await;
        issued.unwrap().token.expose_secret().to_owned()
    }

    /// One request to the API; `token` may be empty.
    pub async fn call(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("Content-Type", "application/json")];
        if !token.is_empty() {
            headers.push(("Authorization", bearer.as_str()));
        }
        http::send(&self.address, method, path, &headers, body.as_bytes()).await
    }

    /// One look at the API.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.call("GET", path, token, "").await
    }
}
