//! A daemon that holds a secret in every slot there is, between systems that repeat whatever they are told.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;
use syncline::sandbox::{crm, erp, pair, seed::Plan};
use tempfile::TempDir;

use super::{
    hunt::Hunt,
    loud::{Given, answer, kinds},
};
use crate::{
    daemon::site::until,
    support::{http, loopback::Loopback, smtp::MailServer},
};

/// A name that may be seen: of a mapping, and of the folder of the settings. A search that does not find it sees nothing.
pub const SHOWN: &str = "shown7q2xk9vm3";
/// Mappings between the systems that repeat everything.
pub const LOUD: [(&str, &str); 4] = [
    ("refresher", "basic"),
    ("keyed", "session"),
    ("signer", "stamped"),
    ("asserted", "table"),
];
/// The private key of a client.
const KEY: &str = include_str!("../../client/pem/ec.pem");

/// The systems, the folder, and what is looked for.
pub struct Scene {
    pub hunt: Hunt,
    pub systems: pair::Handle,
    pub loud: Loopback,
    pub mail: MailServer,
    pub address: String,
    pub erp_hook: String,
    /// By system: what its webhooks prove themselves with.
    pub hooks: Vec<(&'static str, String)>,
    pub password: String,
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Scene {
    /// Lays everything out; the daemon's own data stands at `store`, or in a file here.
    pub async fn build(mut hunt: Hunt, store: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        let systems = pair::start(pair::Options {
            plan: Plan {
                companies: 20,
                overlap: 0.5,
                crm_only: 2,
                contacts: 0,
                ..Plan::default()
            },
            erp: erp::Options {
                api_key: hunt.odd("systems.erp.credentials.api_key").into(),
                ..erp::Options::default()
            },
            crm: crm::Options {
                client_secret: hunt.odd("systems.crm.credentials.client_secret").into(),
                ..crm::Options::default()
            },
        })
        .await
        .unwrap();
        let given = Given {
            access: hunt.plain("the access token of refresher"),
            refresh: hunt.plain("the next refresh token of refresher"),
            asserted: hunt.plain("the access token of asserted"),
            session: hunt.plain("the session token of session"),
            cookie: hunt.plain("the cookie of session"),
        };
        let mut scene = Self {
            erp_hook: hunt.plain("systems.erp.webhook_secrets.0"),
            password: hunt.odd("a person's password"),
            hunt,
            systems,
            loud: Loopback::start(move |seen| answer(&given, seen)).await,
            mail: MailServer::start().await,
            address,
            hooks: Vec::new(),
            folder,
            variables: Vec::new(),
        };
        scene.write_definitions();
        scene.write_settings(store);
        scene
    }

    /// A file or folder of the place.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a file that others may not read.
    fn write_secret(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let name = format!("secret/{name}");
        self.write(&name, text);
        fs::set_permissions(self.path(&name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn write_definitions(&self) {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["connectors/sandbox-erp.yaml", "connectors/sandbox-crm.yaml"] {
            self.write(name, &fs::read_to_string(root.join(name)).unwrap());
        }
        let mapping = fs::read_to_string(root.join("mappings/customer-account.yaml")).unwrap();
        let named = mapping.replace("mapping: customer-account", &format!("mapping: {SHOWN}"));
        assert_ne!(mapping, named);
        self.write(&format!("mappings/{SHOWN}.yaml"), &named);
        for (name, auth, credentials, webhooks) in kinds() {
            let mut connector = json!({
                "connector": name,
                "settings": { "base_url": { "type": "url" } },
                "base_url": "{{ settings.base_url }}",
                "credentials": credentials,
                "auth": auth,
                "objects": { "account": {
                    "id": "id",
                    "list": { "get": "/accounts", "records": "items" },
                    "find": { "get": "/accounts", "query": { "email": "{{ value }}" }, "fields": ["email"], "records": "items" },
                    "get": { "get": "/accounts/{{ id }}" },
                    "create": { "post": "/accounts", "body": "{{ record }}" },
                    "update": { "patch": "/accounts/{{ id }}", "body": "{{ changes }}" },
                } },
            });
            if !webhooks.is_null() {
                connector["webhooks"] =
                    json!({ "verify": webhooks, "object": "account", "record_id": "{{ event.id }}" });
            }
            let text = serde_json::to_string_pretty(&connector).unwrap();
            self.write(&format!("connectors/{name}.yaml"), &text);
        }
        let table = "connector: table\ndatabase: postgres\nobjects:\n  account:\n    table: account\n    owner: it@example.com\n    id: id\n    \
                     fields:\n      id: integer\n      name: text\n      email: text\n    list: { page: { size: 7 } }\n    \
                     find: { fields: [email] }\n    write: allowed\n";
        self.write("connectors/table.yaml", table);
        for (left, right) in LOUD {
            let text = format!(
                "mapping: {left}\nbetween: {{ {left}: account, {right}: account }}\n\
                 match: [ {{ {left}: email, {right}: email, compare: email }} ]\n\
                 fields: [ {{ {left}: name, {right}: name }} ]\nprefer: {left}\n"
            );
            self.write(&format!("mappings/{left}.yaml"), &text);
        }
    }

    fn write_settings(&mut self, store: Option<&str>) {
        let place = self.path("").display().to_string();
        let key: String = self.hunt.plain("keys.data") + "c4naryc4nao=";
        self.hunt
            .add("keys.data, as bytes", &BASE64_STANDARD.decode(&key).unwrap());
        self.write_secret("data.key", &key);
        let lines: Vec<&str> = KEY.lines().filter(|line| line.len() >= 32).collect();
        self.hunt.add("systems.asserted.credentials.key", lines[0].as_bytes());
        self.write_secret("ec.pem", KEY);
        let file = self.hunt.odd("systems.basic.credentials.password");
        self.write_secret("basic", &format!("{file}\n"));
        let credential = self.hunt.odd("systems.session.credentials.password");
        self.write_secret("session", &credential);
        let variable = self.hunt.odd("systems.keyed.credentials.key");
        self.variables = vec![
            ("KEYED", variable),
            ("CREDENTIALS_DIRECTORY", self.path("secret").display().to_string()),
        ];
        let own = format!("sqlite://{place}/data/syncline.db");
        let mut text = format!(
            "log = {{ format = \"json\", level = \"trace\" }}\nkeys.data = {{ file = \"{place}/secret/data.key\" }}\n\
             store.url = {store}\nfolders = {{ connectors = \"{place}/connectors\", mappings = \"{place}/mappings\" }}\n\
             limits = {{ retry_first = \"50ms\", retry_longest = \"200ms\" }}\nrequests.attempts_max = 1\nschedule.enabled = false\n\
             console.oidc = {{ issuer = \"{loud}/oidc\", client_id = \"syncline\", client_secret = {oidc}, local_users = true, \
             allow_networks = [\"127.0.0.0/8\"], roles = {{ staff = \"viewer\" }} }}\n\
             [server]\nbind = \"{address}\"\npublic_url = \"http://{address}\"\napi_burst = 100000\napi_heavy_burst = 100000\n\
             auth_failure_burst = 100000\napi_tenant_burst = 100000\napi_tenant_heavy_burst = 100000\n\
             [notify]\nafter = \"1s\"\n\
             [notify.webhooks.ops]\nurl = {{ env = \"OPS\" }}\nsecrets = [\"whsec_{new}\", {{ env = \"OLD\", \
             not_after = \"2099-01-01T00:00:00Z\" }}]\nheaders = {{ x-api-key = {header} }}\nallow_networks = [\"127.0.0.0/8\"]\n\
             [notify.mails.team]\nsmtp = \"smtp://syncline:{mail}@{smtp}\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\n",
            store = quoted(store.unwrap_or(&own)),
            loud = self.loud.url(),
            oidc = quoted(&self.hunt.odd("console.oidc.client_secret")),
            address = self.address,
            new = self.hunt.plain("notify.webhooks.ops.secrets.0"),
            header = quoted(&self.hunt.odd("notify.webhooks.ops.headers.x-api-key")),
            mail = self.hunt.plain("notify.mails.team.smtp"),
            smtp = self.mail.address(),
        );
        let old = format!("whsec_{}", self.hunt.plain("notify.webhooks.ops.secrets.1"));
        self.variables.push(("OLD", old));
        let hidden = self.hunt.plain("notify.webhooks.ops.url");
        self.variables
            .push(("OPS", format!("{}/notify/{hidden}", self.loud.url())));
        self.write_systems(&mut text);
        self.write(&format!("{SHOWN}/dev.toml"), &text);
    }

    /// Every system with its credentials and its webhook secrets.
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn write_systems(&mut self, text: &mut String) {
        use secrecy::ExposeSecret as _;
        let api_key = quoted(self.systems.erp.api_key().expose_secret());
        let client_secret = quoted(self.systems.crm.client_secret().expose_secret());
        let old = self.hunt.plain("systems.erp.webhook_secrets.1");
        let crm_hook = self.hunt.plain("systems.crm.webhook_secrets.0");
        write!(
            text,
            "[systems.erp]\nconnector = \"sandbox-erp\"\nsettings = {{ base_url = \"{}\" }}\ncredentials = {{ api_key = {api_key} }}\n\
             webhook_secrets = [\"{}\", \"{old}\"]\nallow_networks = [\"127.0.0.0/8\"]\n\
             [systems.crm]\nconnector = \"sandbox-crm\"\nsettings = {{ base_url = \"{}\" }}\n\
             credentials = {{ client_id = \"syncline\", client_secret = {client_secret} }}\nwebhook_secrets = [\"whsec_{crm_hook}\"]\n\
             allow_networks = [\"127.0.0.0/8\"]\n",
            self.systems.erp.base_url(),
            self.erp_hook,
            self.systems.crm.base_url(),
        )
        .unwrap();
        let mut secret = |slot: &str| quoted(&self.hunt.odd(&format!("systems.{slot}")));
        let credentials = [
            (
                "refresher",
                format!(
                    "client_id = \"c1\", client_secret = {}, refresh_token = {}",
                    secret("refresher.credentials.client_secret"),
                    secret("refresher.credentials.refresh_token")
                ),
            ),
            (
                "basic",
                "user = \"ana\", password = { file = \"FOLDER/secret/basic\" }".to_owned(),
            ),
            ("keyed", "key = { env = \"KEYED\" }".to_owned()),
            (
                "session",
                "user = \"ana\", password = { credential = \"session\" }".to_owned(),
            ),
            ("signer", format!("key = {}", secret("signer.credentials.key"))),
            (
                "stamped",
                format!(
                    "ck = \"public\", t = \"public\", cs = {}, ts = {}",
                    secret("stamped.credentials.cs"),
                    secret("stamped.credentials.ts")
                ),
            ),
            (
                "asserted",
                "client_id = \"c2\", key = { file = \"FOLDER/secret/ec.pem\" }".to_owned(),
            ),
        ];
        let folder = self.path("").display().to_string();
        for (name, credentials) in credentials {
            let hook = match name {
                "stamped" | "asserted" => None,
                "basic" => Some(format!("sender:{}", self.hunt.plain("systems.basic.webhook_secrets.0"))),
                name => Some(self.hunt.plain(&format!("systems.{name}.webhook_secrets.0"))),
            };
            let shown = hook.as_deref().map_or_else(String::new, quoted);
            write!(
                text,
                "[systems.{name}]\nconnector = \"{name}\"\nsettings = {{ base_url = \"{}/{name}\" }}\ncredentials = {{ {} }}\n\
                 webhook_secrets = [{shown}]\nallow_networks = [\"127.0.0.0/8\"]\nsecret_owner = \"it@example.com\"\n",
                self.loud.url(),
                credentials.replace("FOLDER", folder.trim_end_matches('/')),
            )
            .unwrap();
            self.hooks.extend(hook.map(|hook| (name, hook)));
        }
        let password = self.hunt.plain("systems.table.credentials.url");
        write!(
            text,
            "[systems.table]\nconnector = \"table\"\ncredentials = {{ url = \"postgres://reader:{password}@127.0.0.1:1/books\" }}\n\
             allow_networks = [\"127.0.0.0/8\"]\n"
        )
        .unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        command
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (*name, value)))
            .args(["--config-dir", SHOWN])
            .args(args);
        command
    }

    /// Runs a command to its end, with this on its standard input.
    pub fn run(&self, args: &[&str], input: &str) -> Output {
        let mut command = self.command(args);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Starts the daemon and waits until it is ready.
    pub async fn start(&self) -> Running {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        let mut command = self.command(&["run"]);
        let command = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let running = Running(command.spawn().unwrap());
        until("the daemon is ready", async || {
            let _listens = tokio::net::TcpStream::connect(&self.address).await.ok()?;
            let answer = http::send(&self.address, "GET", "/readyz", &[], b"").await;
            (answer.status == 200).then_some(())
        })
        .await;
        running
    }
}

/// A daemon that runs. Dropped, it is killed.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}
