//! The settings as they are written: one struct a section. `config/default.toml` holds the defaults and says the same
//! to people, so no default stands here.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value as Json;
use url::Url;

use super::{
    notify::Notify,
    oidc::Oidc,
    secret::{Reference, Variables, WebhookSecret},
    show::Entry,
};
use crate::core::{
    connector::{self, form::LimitsForm},
    period::{Period, Rate},
    tenant::Tenant,
};

/// Every setting of one environment.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The environment these settings are of: `dev`, `staging`, `prod`.
    #[serde(skip)]
    pub environment: String,
    /// The variables that references are read from.
    #[serde(skip)]
    pub variables: Variables,
    /// Every setting as it was loaded, secrets masked, for people.
    #[serde(skip)]
    pub shown: Vec<Entry>,
    /// This process.
    pub node: Node,
    /// Where Syncline keeps its own data.
    pub store: Store,
    /// What encrypts and hashes it.
    pub keys: Keys,
    /// The HTTP server.
    pub server: Server,
    /// The pages for people.
    pub console: Console,
    /// What is logged, and how.
    pub log: Log,
    /// Where definitions are.
    pub folders: Folders,
    /// Bounds of the work.
    pub limits: Limits,
    /// Bounds of requests to other systems, where neither a connector nor a system's `limits` says otherwise.
    pub requests: Requests,
    /// How long things are kept.
    pub retention: Retention,
    /// What this node does by itself.
    pub schedule: Schedule,
    /// What people and programs are told of, and how.
    pub notify: Notify,
    /// The systems of this environment, by name.
    #[serde(default)]
    pub systems: BTreeMap<String, System>,
}

/// This process.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The name in runs and leases; empty: the machine's host name.
    pub name: String,
}

/// Where Syncline keeps its own data.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// `sqlite://path` or `postgres://user@host/database`; may be a reference, since it may hold a password.
    pub url: Reference,
    /// Connections to PostgreSQL, or readers of SQLite, at most.
    #[schemars(range(min = 1, max = 1000))]
    pub connections_max: u32,
}

/// What encrypts and hashes stored data.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// 32 bytes, base64 or hex.
    pub data: Reference,
}

/// The HTTP server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on.
    #[serde(deserialize_with = "bind")]
    #[schemars(with = "String")]
    pub bind: SocketAddr,
    /// The address that other systems were given, without a path.
    #[schemars(with = "String", url)]
    #[serde(deserialize_with = "address")]
    pub public_url: Url,
    /// Connections at once.
    #[schemars(range(min = 1))]
    pub connections_max: usize,
    /// How long a request's head may take.
    pub head_timeout: Period,
    /// How long its body may take.
    pub body_timeout: Period,
    /// How long a connection may live in all.
    pub request_timeout: Period,
    /// How long a connection may rest between two requests.
    pub keep_alive_timeout: Period,
    /// How long a client may take nothing of an answer.
    pub write_timeout: Period,
    /// The largest head of a request, in bytes.
    #[schemars(range(min = 8192))]
    pub head_bytes_max: usize,
    /// Headers of a request.
    #[schemars(range(min = 1))]
    pub headers_max: usize,
    /// The largest webhook, in bytes.
    #[schemars(range(min = 1))]
    pub webhook_body_bytes_max: usize,
    /// Lists and maps within one another in a webhook.
    #[schemars(range(min = 1, max = 128))]
    pub webhook_depth_max: usize,
    /// Values in a webhook.
    #[schemars(range(min = 1))]
    pub webhook_values_max: usize,
    /// The largest request to the API, in bytes.
    #[schemars(range(min = 1))]
    pub api_body_bytes_max: usize,
    /// Requests to the API that one token may make.
    pub api_rate: Rate,
    /// Requests that one token may make at once after a rest.
    #[schemars(range(min = 1))]
    pub api_burst: u32,
    /// Of these, such as read very much or ask other systems: exports, searches, plans.
    pub api_heavy_rate: Rate,
    /// Such requests at once after a rest.
    #[schemars(range(min = 1))]
    pub api_heavy_burst: u32,
    /// Requests that all tokens and people of one tenant may make together.
    pub api_tenant_rate: Rate,
    /// Requests that they may make at once after a rest.
    #[schemars(range(min = 1))]
    pub api_tenant_burst: u32,
    /// Of these, such as read very much or ask other systems.
    pub api_tenant_heavy_rate: Rate,
    /// Such requests at once after a rest.
    #[schemars(range(min = 1))]
    pub api_tenant_heavy_burst: u32,
    /// When personal data is shown to those whose role includes it.
    pub sensitive_values: SensitiveValues,
    /// Wrong tokens that one address may send.
    pub auth_failure_rate: Rate,
    /// Wrong tokens that one address may send at once after a rest.
    #[schemars(range(min = 1))]
    pub auth_failure_burst: u32,
}

/// When personal data is shown to those whose role includes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SensitiveValues {
    /// Wherever they look.
    Role,
    /// One record at a time, for a reason that stands in the audit.
    Reason,
}

/// The pages for people.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Console {
    /// Whether they are served.
    pub enabled: bool,
    /// How long a session may rest before its person signs in again.
    pub session_idle: Period,
    /// How long a session may last in all.
    pub session_longest: Period,
    /// How long a link that sets a password may be used.
    pub link_lasts: Period,
    /// The OpenID provider that people sign in at.
    #[serde(default)]
    pub oidc: Option<Oidc>,
}

impl Console {
    /// Whether people with a password may sign in.
    #[must_use]
    pub fn has_local_users(&self) -> bool {
        self.oidc.as_ref().is_none_or(|oidc| oidc.local_users)
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The shape of a line.
    pub format: LogFormat,
    /// A level or a filter.
    pub level: String,
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Human on a terminal, JSON elsewhere.
    Auto,
    /// For eyes.
    Human,
    /// For programs.
    Json,
}

/// Where definitions are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Folders {
    /// Connectors.
    pub connectors: PathBuf,
    /// Mappings.
    pub mappings: PathBuf,
}

/// Bounds of the work.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Changes worked on at once.
    #[schemars(range(min = 1))]
    pub in_flight_max: usize,
    /// Events and changes that may wait before webhooks are answered 503.
    #[schemars(range(min = 1))]
    pub queue_max: u64,
    /// How long the work on one change may take.
    pub change_time_max: Period,
    /// Records that a reconciliation plans, writes and stores together.
    #[schemars(range(min = 1, max = 10_000))]
    pub chunk_records: u32,
    /// Such chunks at work at once.
    #[schemars(range(min = 1, max = 64))]
    pub chunks_in_flight_max: usize,
    /// Memory that comparing two systems may take, in bytes.
    #[schemars(range(min = 1_048_576))]
    pub reconcile_memory_max: u64,
    /// How often a change is tried before it waits for a person.
    #[schemars(range(min = 1))]
    pub attempts_max: u32,
    /// The wait after a first failure.
    pub retry_first: Period,
    /// The longest wait between two tries.
    pub retry_longest: Period,
    /// How long one run may take.
    pub run_time_max: Period,
    /// How long a node may be silent before others take over its work.
    pub lease: Period,
    /// How long work in flight may take to end after SIGTERM.
    pub shutdown_grace: Period,
}

/// Bounds of requests to other systems.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    /// Requests to one system at once.
    #[schemars(range(min = 1))]
    pub concurrency: u32,
    /// How long one request may take.
    pub timeout: Period,
    /// How long a connection may take to stand.
    pub connect_timeout: Period,
    /// How long an answer may stand still.
    pub idle_timeout: Period,
    /// The largest answer, in decoded bytes.
    #[schemars(range(min = 1))]
    pub body_bytes_max: u64,
    /// Lists and maps within one another in an answer.
    #[schemars(range(min = 1, max = 128))]
    pub depth_max: usize,
    /// Pages of one listing.
    #[schemars(range(min = 1))]
    pub pages_max: u32,
    /// How often one request is sent, before the change it is for counts as tried.
    #[schemars(range(min = 1, max = 100))]
    pub attempts_max: u32,
}

impl Requests {
    /// The budget of a system that says nothing of its own.
    #[must_use]
    pub fn limits(&self) -> connector::Limits {
        connector::Limits {
            concurrency: self.concurrency,
            timeout: self.timeout.duration(),
            connect_timeout: self.connect_timeout.duration(),
            idle_timeout: self.idle_timeout.duration(),
            body_bytes_max: self.body_bytes_max,
            depth_max: self.depth_max,
            pages_max: self.pages_max,
            attempts_max: self.attempts_max,
            ..connector::Limits::default()
        }
    }
}

/// How long things are kept.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Processed events.
    pub events: Period,
    /// Runs, and the failures and drift reports that belong to them.
    pub runs: Period,
    /// The audit.
    pub audit: Period,
}

/// What this node does by itself.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Whether this node runs reconciliations and polls.
    pub enabled: bool,
    /// Whether a reconciliation that fell into downtime is made up for at the next start.
    pub catch_up: bool,
}

/// A named instance of a connector.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// The connector's name.
    pub connector: String,
    /// Whose it is; none: the house's, which nobody sees who is limited to tenants.
    #[serde(default)]
    pub tenant: Option<Tenant>,
    /// What the connector asks for under `settings:`.
    #[serde(default)]
    pub settings: BTreeMap<String, Json>,
    /// What its `auth:` asks for.
    #[serde(default)]
    pub credentials: BTreeMap<String, Reference>,
    /// What its webhooks are signed with; any that is still valid may have signed.
    #[serde(default)]
    pub webhook_secrets: Vec<WebhookSecret>,
    /// Who answers for the secrets.
    #[serde(default)]
    pub secret_owner: Option<String>,
    /// By when the secrets are to be replaced.
    #[serde(default, deserialize_with = "date")]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub secret_rotate_by: Option<NaiveDate>,
    /// A smaller budget than the connector's.
    #[serde(default)]
    pub limits: LimitsForm,
    /// Private networks that requests to this system may enter.
    #[serde(default, deserialize_with = "networks")]
    #[schemars(with = "Vec<String>")]
    pub allow_networks: Vec<IpNet>,
}

fn bind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map_err(|_| D::Error::custom(format!("`{text}` is no address and port such as `127.0.0.1:8320`")))
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    let url = Url::parse(&text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
    });
    url.ok_or_else(|| {
        D::Error::custom(format!(
            "`{text}` is no address such as `https://sync.example.com`, without a path"
        ))
    })
}

fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.parse() {
        Ok(date) => Ok(Some(date)),
        Err(_) => Err(D::Error::custom(format!("`{text}` is no date such as `2027-03-01`"))),
    }
}

pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    Vec::<String>::deserialize(deserializer)?
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|_| D::Error::custom(format!("`{text}` is no network such as `10.20.0.0/16`")))
        })
        .collect()
}

/// A point in time, `2026-12-31T00:00:00Z`.
pub(super) fn moment<E: serde::de::Error>(text: &str) -> Result<DateTime<Utc>, E> {
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.to_utc())
        .map_err(|_| E::custom(format!("`{text}` is no time such as `2026-12-31T00:00:00Z`")))
}
