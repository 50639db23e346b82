//! Whose every mapping and system is, and what of them somebody may see who is limited to tenants.
//!
//! ```text
//!   who asks (token, person) ─▶ reach: their tenants ─▶ scope: their mappings and systems ─▶ the server, narrowed to it
//! ```
//!
//! This is decided once a request, at the door. Behind it a handler takes [`State`](super::extract::State), which is the server as
//! far as whoever asks may see it: its lists and look-ups know nothing else, so that no handler can forget to ask.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    core::{
        mapping::Mapping,
        status::Side,
        tenant::{Reach, Tenant, of_mapping},
    },
    settings::Settings,
    store::Scope,
};

/// Whose every mapping and system is; none: the house's.
#[derive(Debug, Default)]
pub struct Owners {
    mappings: BTreeMap<String, Option<Tenant>>,
    systems: BTreeMap<String, Option<Tenant>>,
}

impl Owners {
    /// Those of the systems of the settings, and of the mappings between them.
    #[must_use]
    pub fn of<'a>(settings: &Settings, mappings: impl Iterator<Item = &'a Arc<Mapping>>) -> Self {
        let systems = settings.systems.iter();
        let systems = systems.map(|(name, system)| (name.clone(), system.tenant.clone()));
        let between = |mapping: &'a Arc<Mapping>| {
            let [left, right] = [Side::Left, Side::Right].map(|side| mapping.end(side).system.as_str());
            (mapping.name.as_str(), [left, right])
        };
        Self::new(systems.collect(), mappings.map(between))
    }

    /// Those of systems, and of the mappings between two of them.
    #[must_use]
    pub fn new<'a>(
        systems: BTreeMap<String, Option<Tenant>>,
        mappings: impl Iterator<Item = (&'a str, [&'a str; 2])>,
    ) -> Self {
        let tenant = |system: &str| systems.get(system).and_then(Option::as_ref);
        let owned = mappings.map(|(name, [left, right])| {
            // No mapping between two tenants is loaded; if one was, the house alone would see it.
            let owner = of_mapping(tenant(left), tenant(right)).ok().flatten();
            (name.to_owned(), owner.cloned())
        });
        Self {
            mappings: owned.collect(),
            systems,
        }
    }

    /// What somebody may see; none: everything.
    #[must_use]
    pub fn scope(&self, reach: &Reach) -> Option<Arc<Scope>> {
        if reach.is_house() {
            return None;
        }
        let within = |owned: &BTreeMap<String, Option<Tenant>>| {
            let owned = owned.iter().filter(|(_, owner)| reach.includes(owner.as_ref()));
            owned.map(|(name, _)| name.clone()).collect()
        };
        Some(Arc::new(Scope {
            mappings: within(&self.mappings),
            systems: within(&self.systems),
        }))
    }

    /// Every tenant that anything belongs to.
    #[must_use]
    pub fn tenants(&self) -> BTreeSet<Tenant> {
        self.systems.values().flatten().cloned().collect()
    }
}
