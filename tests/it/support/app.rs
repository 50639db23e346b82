//! The whole server over a real socket and a real SQLite store.

use std::{collections::BTreeMap, sync::Arc};

use secrecy::{ExposeSecret, SecretString};
use syncline::{
    clock::Clock,
    core::{
        problem::Problems,
        status::Role,
        value::Value,
        webhook::{
            Secret,
            event::{Definition, form::WebhooksForm},
        },
    },
    metrics::Metrics,
    server::{self, App, Hook, Parts, auth, listen},
    settings::{self, Settings, Source, Variables},
    store::{Access, Keys, Options, Store},
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
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
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
    );
    std::fs::write(folder.path().join("dev.toml"), text).unwrap();
    let source = Source {
        folder: folder.path().to_owned(),
        environment: "dev".to_owned(),
        variables: Variables::from_iter([("CANARY".to_owned(), "canary-variable".to_owned())]),
    };
    settings::load(&source, Clock::system().now()).unwrap().0
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

/// The definition of the tests' webhooks.
pub fn definition() -> Arc<Definition> {
    let form: WebhooksForm = serde_json::from_str(WEBHOOKS).unwrap();
    let mut problems = Problems::new();
    let objects = std::iter::once("account").collect();
    let definition = Definition::compile(&form, "/webhooks", &objects, &mut problems);
    Arc::new(definition.unwrap_or_else(|| panic!("{:?}", problems.into_vec())))
}

impl TestApp {
    /// A server over an empty store.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// A server over an empty store, with settings laid over the tests'.
    pub async fn start_with(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let options = Options {
            access: Access::Daemon,
            ..Options::new(
                format!("sqlite://{}", folder.path().join("syncline.db").display()),
                Keys::derive(&[7; 32]),
            )
        };
        let store = Store::open(&options).await.unwrap();
        let settings = Arc::new(settings(more));
        let definition = definition();
        let text: SecretString = settings.systems["crm"].webhook_secrets[0]
            .secret
            .read(&settings.variables)
            .unwrap();
        let secret = Secret::parse(definition.recipe(), &text).unwrap();
        let mappings = BTreeMap::new();
        let hook = Hook::new("crm", definition, vec![secret], Arc::new(Value::Null), &mappings);
        let app = App::new(Parts {
            store: store.clone(),
            settings,
            mappings,
            hooks: BTreeMap::from([("crm".to_owned(), hook)]),
            metrics: Metrics::new(),
            clock: clock.clone(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shutdown = CancellationToken::new();
        let router = server::router(app.clone());
        let limits = listen::Limits {
            body_bytes_max: 8 << 20,
            ..listen::Limits::default()
        };
        tokio::spawn(listen::serve(listener, router, limits, shutdown.clone()));
        Self {
            address,
            store,
            app,
            clock,
            shutdown,
            _folder: folder,
        }
    }

    /// A new token with this role.
    pub async fn token(&self, role: Role) -> String {
        let issued = auth::issue(&self.store, role.as_str(), role, None).await.unwrap();
        issued.token.expose_secret().to_owned()
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
