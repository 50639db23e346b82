//! From settings and catalog to an engine that can work.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{quota::SharedQuota, token::Tokens};
use crate::{
    catalog::load::Catalog,
    client::{self, System},
    clock::Clock,
    core::{
        status::Side,
        value::{Value, projection::Projection},
    },
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
        unwanted_parts: unwanted_parts(catalog, name),
        defaults: settings.requests.limits(),
        limits: given.limits.clone(),
        network: client::guard::Policy {
            allow: given.allow_networks.clone(),
            proxy: None,
        },
        tokens: tokens(store),
        quota: Arc::new(SharedQuota::new(store.clone())),
        clock: clock.clone(),
    };
    System::new(config).map_err(|source| Error::System {
        system: name.to_owned(),
        source,
    })
}

/// Parts that no mapping of their object asks for: reading them costs a request a record. Of an object that is in no mapping, who
/// looks at it sees everything.
fn unwanted_parts(catalog: &Catalog, system: &str) -> BTreeSet<(String, String)> {
    let Some(connector) = catalog.connector_of(system) else {
        return BTreeSet::new();
    };
    let mut wanted: BTreeMap<&str, Vec<Projection>> = BTreeMap::new();
    for mapping in catalog.mappings.values() {
        for side in [Side::Left, Side::Right] {
            let end = mapping.end(side);
            if end.system == system {
                wanted.entry(&end.object).or_default().push(mapping.wanted(side));
            }
        }
    }
    let mut unwanted = BTreeSet::new();
    for object in connector.objects.values() {
        let Some(wanted) = wanted.get(object.name.as_str()) else {
            continue;
        };
        let parts = object
            .parts
            .iter()
            .filter(|part| !wanted.iter().any(|wanted| wanted.touches(&part.path)));
        unwanted.extend(parts.map(|part| (object.name.clone(), part.name.clone())));
    }
    unwanted
}

/// What keeps the tokens of all systems, in this store.
#[must_use]
pub fn tokens(store: &Store) -> Arc<dyn client::TokenStore> {
    Arc::new(Tokens::new(store.clone()))
}
