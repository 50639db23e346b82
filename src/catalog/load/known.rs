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
        known::{Field, Known, Object, Operations, Part, System},
    },
    problem::{Problem, nearest},
    status::Sides,
};

pub(super) struct Gathered {
    pub(super) known: Known,
    /// The same without systems, for mappings between systems of another environment.
    pub(super) elsewhere: Known,
    /// Mappings that are there, but cannot be told what they are between.
    pub(super) unreadable: BTreeSet<String>,
}

impl Gathered {
    /// That a mapping is between systems of another environment, where it is: neither has a name like one of this
    /// environment's, so that none is misspelt.
    pub(super) fn of_elsewhere(&self, mapping: &str) -> Option<Problem> {
        let ends = self.known.mappings.get(mapping)?;
        let (left, right) = (&ends.left.system, &ends.right.system);
        let is_like_one = |name: &String| nearest(name, self.known.systems.keys().map(String::as_str)).is_some();
        if self.known.systems.is_empty() || is_like_one(left) || is_like_one(right) {
            return None;
        }
        let message = format!("the mapping is not used: this environment has neither a system `{left}` nor `{right}`");
        let problem = Problem::warning("CT010", "/between", message);
        Some(problem.with_hint("systems are declared under `[systems.<name>]` in the configuration"))
    }
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
            tenant: declared.tenant.clone(),
            objects: connector.map(|connector| objects(connector)),
        };
        (name.clone(), system)
    });
    let mut readable = BTreeMap::new();
    let mut unreadable = BTreeSet::new();
    for (name, mapping) in mappings {
        match mapping.form.as_ref().and_then(ends) {
            Some(ends) => drop(readable.insert(name.clone(), ends)),
            None => drop(unreadable.insert(name.clone())),
        }
    }
    Gathered {
        elsewhere: Known {
            systems: BTreeMap::new(),
            mappings: readable.clone(),
        },
        known: Known {
            systems: systems.collect(),
            mappings: readable,
        },
        unreadable,
    }
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
        .map(|(name, declared)| (name.clone(), object(connector, declared)))
        .collect()
}

fn object(connector: &Connector, declared: &connector::Object) -> Object {
    Object {
        fields: fields(declared),
        closed: declared.is_closed,
        can: operations(declared),
        find: declared.find.as_ref().map_or_else(Vec::new, |find| find.fields.clone()),
        parts: parts(connector, declared),
    }
}

fn parts(connector: &Connector, declared: &connector::Object) -> BTreeMap<String, Part> {
    let part = |part: &connector::part::Part| {
        let child = connector.objects.get(&part.object)?;
        let known = Part {
            object: part.object.clone(),
            fields: fields(child),
            closed: child.is_closed,
            can: operations(child),
        };
        Some((part.name.clone(), known))
    };
    declared.parts.iter().filter_map(part).collect()
}

fn operations(declared: &connector::Object) -> Operations {
    Operations {
        list: declared.list.is_some(),
        changed: declared.lists_changes(),
        get: declared.get.is_some(),
        create: declared.create.is_some(),
        update: declared.update.is_some(),
        delete: declared.delete.is_some(),
    }
}

fn fields(declared: &connector::Object) -> BTreeMap<String, Field> {
    let fields = declared.fields.iter().map(|field| {
        let known = Field {
            kind: field.kind,
            access: field.access,
            sensitive: field.is_sensitive,
        };
        (field.path.to_string(), known)
    });
    fields.collect()
}
