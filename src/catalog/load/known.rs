//! What mappings may refer to, as far as it could be read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value as Json;

use super::{SystemDecl, document::Definition};
use crate::core::{
    connector::{self, Connector},
    mapping::{
        End,
        form::MappingForm,
        known::{Field, Known, Object, Operations, System},
    },
    status::Sides,
};

pub(super) struct Gathered {
    pub(super) known: Known,
    /// Mappings that are there, but cannot be told what they are between.
    pub(super) unreadable: BTreeSet<String>,
}

pub(super) fn gather(
    systems: &BTreeMap<String, SystemDecl>,
    connectors: &BTreeMap<String, Arc<Connector>>,
    mappings: &BTreeMap<String, Definition<MappingForm>>,
) -> Gathered {
    let systems = systems.iter().map(|(name, declared)| {
        // A connector that is wrong or not there is told where it is; of its objects nothing is known.
        let connector = connectors.get(&declared.connector);
        let system = System {
            connector: declared.connector.clone(),
            objects: connector.map(|connector| objects(connector)),
        };
        (name.clone(), system)
    });
    let mut gathered = Gathered {
        known: Known {
            systems: systems.collect(),
            mappings: BTreeMap::new(),
        },
        unreadable: BTreeSet::new(),
    };
    for (name, mapping) in mappings {
        match mapping.form.as_ref().and_then(ends) {
            Some(ends) => drop(gathered.known.mappings.insert(name.clone(), ends)),
            None => drop(gathered.unreadable.insert(name.clone())),
        }
    }
    gathered
}

/// What a mapping is between, where both ends can be read.
fn ends(form: &MappingForm) -> Option<Sides<End>> {
    let mut ends = form.between.iter().map(|(system, object)| match object {
        Json::String(object) => Some(End {
            system: system.clone(),
            object: object.clone(),
        }),
        _ => None,
    });
    let both = Sides {
        left: ends.next()??,
        right: ends.next()??,
    };
    ends.next().is_none().then_some(both)
}

fn objects(connector: &Connector) -> BTreeMap<String, Object> {
    let objects = connector.objects.iter();
    objects
        .map(|(name, declared)| (name.clone(), object(declared)))
        .collect()
}

fn object(declared: &connector::Object) -> Object {
    let fields = declared.fields.iter().map(|field| {
        let known = Field {
            kind: field.kind,
            access: field.access,
            sensitive: field.is_sensitive,
        };
        (field.path.to_string(), known)
    });
    Object {
        fields: fields.collect(),
        closed: declared.is_closed,
        can: Operations {
            list: declared.list.is_some(),
            changed: declared.lists_changes(),
            get: declared.get.is_some(),
            create: declared.create.is_some(),
            update: declared.update.is_some(),
            delete: declared.delete.is_some(),
        },
        find: declared.find.as_ref().map_or_else(Vec::new, |find| find.fields.clone()),
    }
}
