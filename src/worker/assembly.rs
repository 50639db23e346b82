//! From settings and catalog to an engine that can work.

use std::{collections::BTreeMap, sync::Arc};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::quota::SharedQuota;
use crate::{
    catalog::load::Catalog,
    client::{self, Kept, Pending, System, Token, TokenStore},
    clock::Clock,
    core::value::Value,
    settings::{self, Settings},
    store::Store,
    sync::{Engine, Limits},
};

/// Why the parts do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system names a connector that is not loaded.
    #[error("system `{system}` is a `{connector}`, and there is no such connector")]
    NoConnector {
        /// The system.
        system: String,
        /// The connector it names.
        connector: String,
    },
    /// A secret is not where the settings say.
    #[error("system `{system}`: credential `{credential}`: {source}")]
    Secret {
        /// The system.
        system: String,
        /// The credential's name.
        credential: String,
        /// Why it could not be read.
        source: settings::ReadError,
    },
    /// A system's settings do not fit its connector.
    #[error("system `{system}`: {source}")]
    System {
        /// The system.
        system: String,
        /// What does not fit.
        source: client::ConfigError,
    },
}

/// An engine over the systems of `settings` and the mappings of `catalog`.
pub fn engine(settings: &Settings, catalog: &Catalog, store: Store, clock: Clock) -> Result<Engine, Error> {
    let mut systems = BTreeMap::new();
    for (name, given) in &settings.systems {
        systems.insert(
            name.clone(),
            Arc::new(system(settings, catalog, &store, &clock, name, given)?),
        );
    }
    let limits = &settings.limits;
    let limits = Limits {
        in_flight: limits.in_flight_max,
        attempts_max: limits.attempts_max,
        retry_first: limits.retry_first.duration(),
        retry_longest: limits.retry_longest.duration(),
        run_time_max: limits.run_time_max.duration(),
        chunk: limits.chunk_records,
        chunks_in_flight: limits.chunks_in_flight_max,
        scan_memory_max: limits.reconcile_memory_max,
    };
    Ok(Engine::new(store, systems, catalog.mappings.clone(), limits, clock))
}

/// One system of `settings`; nothing is sent yet.
pub fn system(
    settings: &Settings,
    catalog: &Catalog,
    store: &Store,
    clock: &Clock,
    name: &str,
    given: &settings::System,
) -> Result<System, Error> {
    let connector = catalog.connector_of(name).cloned().ok_or_else(|| Error::NoConnector {
        system: name.to_owned(),
        connector: given.connector.clone(),
    })?;
    let mut credentials = BTreeMap::new();
    for (credential, reference) in &given.credentials {
        let secret = reference.read(&settings.variables).map_err(|source| Error::Secret {
            system: name.to_owned(),
            credential: credential.clone(),
            source,
        })?;
        credentials.insert(credential.clone(), secret);
    }
    let config = client::Config {
        name: name.to_owned(),
        connector,
        settings: given
            .settings
            .iter()
            .map(|(key, value)| (key.clone(), Value::from(value.clone())))
            .collect(),
        credentials,
        defaults: settings.requests.limits(),
        limits: given.limits.clone(),
        network: client::guard::Policy {
            allow: given.allow_networks.clone(),
            proxy: None,
        },
        tokens: Arc::new(Tokens(store.clone())),
        quota: Arc::new(SharedQuota::new(store.clone())),
        clock: clock.clone(),
    };
    System::new(config).map_err(|source| Error::System {
        system: name.to_owned(),
        source,
    })
}

/// Keeps the client's tokens in our own store, sealed. Trouble there costs another sign-in and nothing else.
struct Tokens(Store);

/// A token as it is sealed.
#[derive(Default, Serialize, Deserialize)]
struct Sealed {
    headers: Vec<(String, String)>,
    got_with: String,
}

impl TokenStore for Tokens {
    fn load<'a>(&'a self, system: &'a str) -> Pending<'a, Option<Kept>> {
        Box::pin(async move {
            let stored = self.0.load_token(system).await;
            let stored = stored
                .inspect_err(|error| tracing::warn!(%error, system, "cannot read a stored token"))
                .ok()??;
            // One of another form is nobody's token, but has a version that the next one replaces.
            let sealed: Sealed = serde_json::from_str(stored.secret.expose_secret()).unwrap_or_default();
            let headers = sealed
                .headers
                .into_iter()
                .map(|(name, value)| (name, SecretString::from(value)));
            Some(Kept {
                token: Token {
                    headers: headers.collect(),
                    renew_at: stored.expires_at,
                    got_with: sealed.got_with,
                },
                version: stored.version,
            })
        })
    }

    fn save<'a>(&'a self, system: &'a str, token: &'a Token, replaces: Option<i64>) -> Pending<'a, Option<i64>> {
        Box::pin(async move {
            let headers = token
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), value.expose_secret().to_owned()));
            let sealed = Sealed {
                headers: headers.collect(),
                got_with: token.got_with.clone(),
            };
            let secret = SecretString::from(serde_json::to_string(&sealed).unwrap_or_default());
            let saved = self.0.save_token(system, &secret, token.renew_at, replaces).await;
            saved
                .inspect_err(|error| tracing::warn!(%error, system, "cannot keep a token"))
                .unwrap_or_default()
        })
    }
}
