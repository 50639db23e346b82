//! Records that belong to another one, and stand in it as a list: contacts of a party, addresses, lines of an order.
//!
//! A mapping sees one record. Reading puts the records that belong to it into it, each with its own id ([`embed`]); writing takes
//! them out again, and finds out which of them have to be made, changed and removed ([`steps`]).

use std::collections::HashMap;

use super::Object;
use crate::core::{
    path::Path,
    record::Record,
    value::{Map, Value},
};

/// So many parents are asked about at once.
pub const PARENTS_MAX: usize = 100;

/// Records of another object that belong to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The name of the list in which they stand.
    pub name: String,
    /// Where the list stands.
    pub path: Path,
    /// The object that they are.
    pub object: String,
    /// Where they have the id of the record that they belong to.
    pub parent: Path,
    /// Where they have what there is none of them without.
    pub needs: Option<Path>,
}

/// One write that a list of parts comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A record is made.
    Create(Map),
    /// A record is changed.
    Update {
        /// Its id.
        id: String,
        /// The version that was read, where it has one.
        version: Option<String>,
        /// What changes.
        changes: Map,
        /// The record as it was read.
        before: Map,
    },
    /// A record is removed.
    Delete {
        /// Its id.
        id: String,
        /// The version that was read, where it has one.
        version: Option<String>,
    },
}

/// A record that belongs to none of those that were asked about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a record of `{object}` belongs to none of the records that were asked about: look at `parent:` and `of_parents:`"
)]
pub struct Stray {
    object: String,
}

/// Puts the records that belong to each of `records` into it. One that none belongs to gets an empty list: it was asked about. A record
/// has changed when one of its parts has.
pub fn embed(part: &Part, records: &mut [Record], children: Vec<Record>) -> Result<(), Stray> {
    let places: HashMap<String, usize> = records
        .iter()
        .enumerate()
        .map(|(at, record)| (record.id.clone(), at))
        .collect();
    let mut lists: Vec<Vec<Value>> = records.iter().map(|_| Vec::new()).collect();
    for child in children {
        let parent = part.parent.get_in(&child.fields).and_then(Value::to_text);
        let at = parent.and_then(|parent| places.get(&parent).copied());
        let (Some(list), Some(record)) = (
            at.and_then(|at| lists.get_mut(at)),
            at.and_then(|at| records.get_mut(at)),
        ) else {
            return Err(Stray {
                object: part.object.clone(),
            });
        };
        record.updated_at = record.updated_at.max(child.updated_at);
        list.push(Value::Map(child.fields));
    }
    for (record, list) in records.iter_mut().zip(lists) {
        record.fields.insert(part.name.clone(), Value::List(list));
    }
    Ok(())
}

/// What has to be done so that the parts of the record `parent`, which are as in `current`, become those of `wanted`. A part of `wanted`
/// without an id is new, one of `current` that is not in `wanted` is removed. Nothing is removed before everything else is there.
#[must_use]
pub fn steps(part: &Part, child: &Object, parent: &str, wanted: &[Value], current: &[Value]) -> Vec<Step> {
    let known: HashMap<String, &Map> = current
        .iter()
        .filter_map(Value::as_map)
        .filter_map(|map| Some((child.id_of(map)?, map)))
        .collect();
    let (mut updates, mut creates, mut deletes) = (Vec::new(), Vec::new(), Vec::new());
    let mut kept = Vec::new();
    for item in wanted.iter().filter_map(Value::as_map) {
        let is_there = part.needs.as_ref().is_none_or(|needs| has(needs, item));
        let before = child.id_of(item).and_then(|id| Some((known.get(&id).copied()?, id)));
        match before {
            Some((before, id)) if is_there || !part.needs.as_ref().is_some_and(|needs| has(needs, before)) => {
                let changes = changes(item, before);
                kept.push(id.clone());
                if !changes.is_empty() {
                    updates.push(Step::Update {
                        id,
                        version: child.version_of(before, &Map::new()),
                        changes,
                        before: before.clone(),
                    });
                }
            }
            None if is_there => creates.push(Step::Create(new(part, child, parent, item))),
            // What was cleared is removed below.
            Some(_) | None => {}
        }
    }
    for map in current.iter().filter_map(Value::as_map) {
        if let Some(id) = child.id_of(map).filter(|id| !kept.contains(id)) {
            deletes.push(Step::Delete {
                id,
                version: child.version_of(map, &Map::new()),
            });
        }
    }
    updates.into_iter().chain(creates).chain(deletes).collect()
}

fn has(path: &Path, item: &Map) -> bool {
    path.get_in(item).is_some_and(|value| !value.is_empty())
}

fn changes(item: &Map, before: &Map) -> Map {
    let changed = item.iter().filter(|(name, value)| before.get(*name) != Some(*value));
    changed.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A part as it is made: what is wanted of it, and whom it belongs to.
fn new(part: &Part, child: &Object, parent: &str, item: &Map) -> Map {
    let given = item.iter().filter(|(_, value)| !value.is_null());
    let mut fields: Map = given.map(|(name, value)| (name.clone(), value.clone())).collect();
    let id = child.typed_id(&part.parent, parent);
    // At worst something else stands in the way of the path; the system then says that the parent is missing.
    let _ = part.parent.set_in(&mut fields, id);
    fields
}
