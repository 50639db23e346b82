//! The client against a real HTTP server on 127.0.0.1.

mod answers;
mod auth;
mod bad_answer;
mod circuit;
mod code;

mod describe;
mod exact;
mod format;
mod guard;
mod inject;
mod limits;
mod login;
mod oauth2;
mod origin;
mod paging;
mod probe;
mod quota;
mod recording;
mod recovery;
mod refresh;
mod rotation;
mod secret;
mod signing;
mod subscription;
mod tls;

use std::{collections::BTreeMap, sync::Arc};

use secrecy::SecretString;
use serde_json::{Value as Json, json};
use syncline::{
    client::{Config, ConfigError, Listing, NoTokens, OwnQuota, QuotaStore, Road, System, TokenStore, guard::Policy},
    clock::Clock,
    core::{
        connector::{
            Connector, Limits,
            form::{ConnectorForm, LimitsForm},
        },
        fault::Fault,
        problem::Problems,
        record::Record,
        value::{Map, Value},
    },
};

use crate::support::{database::start_of_test, loopback::Loopback};

/// A system of one object, `account`, to be changed before it is made.
pub struct Sample {
    /// The connector; [`Sample::with`] merges into it.
    pub connector: Json,
    pub credentials: Vec<(&'static str, String)>,
    pub limits: Json,
    /// What the settings say of all systems.
    pub defaults: Limits,
    pub network: Policy,
    pub tokens: Arc<dyn TokenStore>,
    /// Its own where nothing is said.
    pub quota: Option<Arc<dyn QuotaStore>>,
    pub clock: Clock,
}

/// The system's own address in a configuration that lets it be reached.
pub fn loopback() -> Policy {
    Policy {
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        proxy: None,
    }
}

impl Sample {
    pub fn new() -> Self {
        let connector = json!({
            "connector": "sample",
            "settings": { "base_url": { "type": "url" }, "token_host": { "type": "url", "default": "http://127.0.0.1:1" } },
            "base_url": "{{ settings.base_url }}/api",
            "objects": { "account": {
                "id": "id",
                "list": { "get": "/accounts", "records": "items" },
                "find": { "get": "/accounts", "query": { "email": "{{ value }}" }, "fields": ["email"], "records": "items" },
                "get": { "get": "/accounts/{{ id }}" },
                "create": { "post": "/accounts", "body": "{{ record }}" },
                "update": { "patch": "/accounts/{{ id }}", "body": "{{ changes }}" },
                "delete": { "delete": "/accounts/{{ id }}" },
            } },
        });
        Self {
            connector,
            credentials: Vec::new(),
            limits: json!({}),
            defaults: Limits::default(),
            network: loopback(),
            tokens: Arc::new(NoTokens),
            quota: None,
            clock: Clock::manual(start_of_test()),
        }
    }

    /// The same with more in its connector.
    pub fn with(mut self, more: Json) -> Self {
        merge(&mut self.connector, more);
        self
    }

    /// The same with these limits of the system.
    pub fn limited(mut self, limits: Json) -> Self {
        self.limits = limits;
        self
    }

    pub fn credential(mut self, name: &'static str, value: &str) -> Self {
        self.credentials.push((name, value.to_owned()));
        self
    }

    pub fn at(self, server: &Loopback) -> System {
        self.at_url(&server.url())
    }

    pub fn at_url(self, url: &str) -> System {
        self.try_at(url).unwrap()
    }

    pub fn try_at(self, url: &str) -> Result<System, ConfigError> {
        let form: ConnectorForm = serde_json::from_value(self.connector).unwrap();
        let limits: LimitsForm = serde_json::from_value(self.limits).unwrap();
        let mut problems = Problems::new();
        let connector = Connector::compile(&form, &mut problems);
        let connector = connector.unwrap_or_else(|| panic!("{:#?}", problems.into_vec()));
        let secrets = self.credentials.into_iter();
        System::new(Config {
            name: "crm".to_owned(),
            connector: Arc::new(connector),
            settings: BTreeMap::from([("base_url".to_owned(), Value::from(url))]),
            credentials: secrets
                .map(|(name, value)| (name.to_owned(), SecretString::from(value)))
                .collect(),
            defaults: self.defaults,
            limits,
            unwanted_parts: std::collections::BTreeSet::new(),
            network: self.network,
            tokens: self.tokens,
            quota: self
                .quota
                .unwrap_or_else(|| Arc::new(OwnQuota::new(self.clock.clone()))),
            clock: self.clock,
        })
    }
}

/// RFC 7396.
fn merge(into: &mut Json, more: Json) {
    match (into, more) {
        (Json::Object(into), Json::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Json::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

/// All records of a listing, and whether it was complete.
pub async fn list(system: &System) -> Result<(Vec<Record>, bool), Fault> {
    let mut lister = system.list("account", Listing::default(), Road::Poll);
    let mut records = Vec::new();
    while let Some(page) = lister.next().await? {
        records.extend(page.records);
    }
    Ok((records, lister.is_complete()))
}

pub async fn get(system: &System) -> Result<Option<Record>, Fault> {
    system.get("account", "7", Road::Event).await
}

/// The fields `{"name": "Ana"}`.
pub fn ana() -> Map {
    Map::from_iter([("name".to_owned(), Value::from("Ana"))])
}

/// A record with this id.
pub fn account(id: u64) -> Json {
    json!({ "id": id, "name": format!("account {id}") })
}
