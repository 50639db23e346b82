//! What a system is made of.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use secrecy::SecretString;

use super::{auth::TokenStore, budget::QuotaStore, guard};
use crate::{
    clock::Clock,
    core::{
        connector::{Connector, Limits, form::LimitsForm},
        value::Value,
    },
};

/// What a system is made of.
pub struct Config {
    /// Its name in the configuration.
    pub name: String,
    /// What kind of system it is.
    pub connector: Arc<Connector>,
    /// What the configuration gives it; the connector's defaults fill in the rest.
    pub settings: BTreeMap<String, Value>,
    /// Its credentials, by name.
    pub credentials: BTreeMap<String, SecretString>,
    /// The budget where neither the connector nor `limits` says otherwise.
    pub defaults: Limits,
    /// A smaller budget than the connector's.
    pub limits: LimitsForm,
    /// Parts of objects that nobody wants, by object and name: they are not read.
    pub unwanted_parts: BTreeSet<(String, String)>,
    /// Which addresses may be reached.
    pub network: guard::Policy,
    /// Keeps tokens between starts.
    pub tokens: Arc<dyn TokenStore>,
    /// Counts its daily quota, for all who share it.
    pub quota: Arc<dyn QuotaStore>,
    /// The time.
    pub clock: Clock,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Why a system cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A setting is missing.
    #[error("setting `{0}` is missing")]
    Missing(String),
    /// The base address is none.
    #[error("`base_url` does not come to an address: {0}")]
    BaseUrl(String),
    /// The time zone is none.
    #[error("`types: zone` does not come to a time zone: {0}")]
    Zone(String),
    /// The certificate that connections should show cannot be used.
    #[error("`auth: client_certificate`: {0}")]
    ClientCertificate(String),
    /// The database's address is none.
    #[error("{0}")]
    Database(String),
    /// The HTTP library refuses the settings.
    #[error("the connection cannot be set up: {0}")]
    Transport(String),
}
