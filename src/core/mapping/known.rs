//! What a mapping may refer to: systems with their objects and fields, and the other mappings.
//!
//! The catalog fills this in, so that a mapping is checked against connectors without reaching for them itself.

use std::collections::BTreeMap;

use super::End;
use crate::core::{
    connector::form::Access,
    path::{Path, Segment},
    status::{Side, Sides},
    tenant::Tenant,
    value::kind::Kind,
};

/// Everything a mapping may refer to.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Systems by name. Empty: no environment is given, and system names are not checked.
    pub systems: BTreeMap<String, System>,
    /// The ends of every mapping, by name.
    pub mappings: BTreeMap<String, Sides<End>>,
}

/// A system, as far as mappings care.
#[derive(Debug, Clone, Default)]
pub struct System {
    /// Its connector's name.
    pub connector: String,
    /// Whose it is.
    pub tenant: Option<Tenant>,
    /// Its objects; `None` where the connector itself is wrong, so that no misleading problems follow from it.
    pub objects: Option<BTreeMap<String, Object>>,
}

/// An object, as far as mappings care.
#[derive(Debug, Clone, Default)]
pub struct Object {
    /// Declared fields.
    pub fields: BTreeMap<String, Field>,
    /// Whether there are no others.
    pub closed: bool,
    /// What the connector can do with it.
    pub can: Operations,
    /// Fields that records can be found by.
    pub find: Vec<String>,
    /// Records of other objects that stand in a record as lists, by name.
    pub parts: BTreeMap<String, Part>,
}

/// Records of another object that stand in a record as a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    /// The object that they are.
    pub object: String,
    /// Declared fields of it.
    pub fields: BTreeMap<String, Field>,
    /// Whether there are no others.
    pub closed: bool,
    /// What the connector can do with it.
    pub can: Operations,
}

/// What is known of the field that a path leads to.
#[derive(Debug, Clone, PartialEq)]
pub enum Place<'a> {
    /// It is declared.
    Field(&'a Field),
    /// The list of a part.
    Part(&'a Part),
    /// A field of a part, by its name there, that is not declared.
    InPart(&'a Part, String),
    /// It is not declared.
    Unknown,
}

impl Object {
    /// The part that a path leads to or through, with where it stands.
    #[must_use]
    pub fn part_of(&self, path: &Path) -> Option<(Path, &Part)> {
        let name = path.root()?;
        Some((Path::of_key(name), self.parts.get(name)?))
    }

    /// What is known of the field at a path.
    #[must_use]
    pub fn place(&self, path: &Path) -> Place<'_> {
        if let Some(field) = self.fields.get(&path.to_string()) {
            return Place::Field(field);
        }
        let Some((_, part)) = self.part_of(path) else {
            return Place::Unknown;
        };
        let Some((Segment::Index(_) | Segment::Item { .. }, inner)) =
            path.segments().get(1..).and_then(<[_]>::split_first)
        else {
            return Place::Part(part);
        };
        let inner = Path::of(inner.to_vec()).to_string();
        part.fields.get(&inner).map_or(Place::InPart(part, inner), Place::Field)
    }
}

/// A declared field.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its kind.
    pub kind: Kind,
    /// What may be done with it.
    pub access: Access,
    /// Whether it holds personal data.
    pub sensitive: bool,
}

/// What a connector can do with an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Operations {
    /// List all records.
    pub list: bool,
    /// List the records that changed since a time.
    pub changed: bool,
    /// Read one record.
    pub get: bool,
    /// Make a record.
    pub create: bool,
    /// Change a record.
    pub update: bool,
    /// Remove a record.
    pub delete: bool,
}

impl Known {
    /// The object at one end, where it is known and sound.
    #[must_use]
    pub fn object(&self, end: &End) -> Option<&Object> {
        self.systems.get(&end.system)?.objects.as_ref()?.get(&end.object)
    }

    /// Whose a system is.
    #[must_use]
    pub fn tenant_of(&self, system: &str) -> Option<&Tenant> {
        self.systems.get(system)?.tenant.as_ref()
    }

    /// The side of mapping `name` that `system` is on.
    #[must_use]
    pub fn side_of_system(&self, name: &str, system: &str) -> Option<Side> {
        self.mappings.get(name)?.side_of_system(system)
    }
}
