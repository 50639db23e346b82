//! Lists of lines inside of records (order lines, addresses), mapped line by line.
//!
//! A list is one field of its mapping: it has one base, one decision, one conflict. What is compared of it, hashed and shown is what
//! the inner pairs map, each line as a map by the names of these pairs; what is written is the whole list of the side that it goes
//! to, with everything in it that no pair maps.

mod merge;

use std::collections::BTreeMap;

use super::{
    Field, Mapping,
    convert::{References, Refusal, Source},
};
use crate::core::{
    fault::Fault,
    status::{Side, Sides},
    value::{Map, Redacted, Value, compare, json},
};

/// So many lines of a list are mapped.
pub const LINES_MAX: usize = 5_000;

/// How the lines of two lists are mapped.
#[derive(Debug)]
pub struct Lines {
    /// The pairs of one line; their paths are those within a line.
    pub fields: Vec<Field>,
    /// The places in `fields` of the pairs that say which line is which; none where a line is known by its place.
    pub by: Vec<usize>,
    /// What is done with lines that only the losing side has.
    pub others: Others,
    /// The systems of the mapping, for messages.
    pub systems: Sides<String>,
}

/// What is done with lines that only the losing side has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// They are removed.
    Remove,
    /// They are kept.
    Keep,
}

/// The places of the lines, on both sides, in which two lists differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differing {
    /// Of the list that is offered.
    pub offered: Vec<usize>,
    /// Of the list that it is offered to.
    pub there: Vec<usize>,
}

impl Lines {
    /// What is mapped of a list, in its own side's form and its own order.
    pub(super) fn read(&self, list: &Field, side: Side, value: &Value) -> Result<Value, Fault> {
        let mut lines = Vec::new();
        for (place, line) in self.items(list, side, value)?.into_iter().enumerate() {
            let mut own = Map::new();
            for field in &self.fields {
                let read = field.read(side, line);
                if let Some(read) = read.map_err(|fault| self.in_line(list, side, place, fault))? {
                    own.insert(field.name.clone(), read);
                }
            }
            lines.push(Value::Map(own));
        }
        self.check_keys(list, side, &lines)?;
        Ok(Value::List(lines))
    }

    /// What a list on `from` offers to the other side, in the other side's form and its own order.
    pub(super) fn offer(
        &self,
        list: &Field,
        mapping: &Mapping,
        from: Side,
        value: &Value,
        references: &dyn References,
    ) -> Result<Value, Refusal> {
        let mut lines = Vec::new();
        let items = self.items(list, from, value).map_err(Refusal::Fault)?;
        for (place, line) in items.into_iter().enumerate() {
            let source = Source::new(line);
            let mut offered = Map::new();
            for field in self.fields.iter().filter(|field| field.flow.reaches(from.other())) {
                let value = field.offer(mapping, from, &source, references);
                let value = value.map_err(|refusal| match refusal {
                    Refusal::Fault(fault) => Refusal::Fault(self.in_line(list, from, place, fault)),
                    awaited @ Refusal::Awaited(_) => awaited,
                })?;
                if let Some(value) = value {
                    offered.insert(field.name.clone(), value);
                }
            }
            lines.push(Value::Map(offered));
        }
        self.check_keys(list, from.other(), &lines).map_err(Refusal::Fault)?;
        Ok(Value::List(lines))
    }

    /// One form of all lists that mean the same, for hashing: what counts of each line, in the order of the keys.
    #[must_use]
    pub fn normalize(&self, side: Side, read: &Value) -> Value {
        let mut lines: Vec<(Option<String>, Value)> = Vec::new();
        for line in maps(read) {
            let counting = self.counting().filter_map(|field| {
                let value = line.get(&field.name).filter(|value| !value.is_empty())?;
                let normal = compare::normalize(value, field.kind_on(side), field.compare);
                Some((field.name.clone(), normal))
            });
            lines.push((self.key(side, line), Value::Map(counting.collect())));
        }
        if !self.by.is_empty() {
            lines.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        Value::List(lines.into_iter().map(|(_, line)| line).collect())
    }

    /// The lines in which what is offered to `side` differs from what is there; both as they were read or offered.
    #[must_use]
    pub fn differing(&self, side: Side, offered: &Value, there: &Value) -> Differing {
        let own: BTreeMap<String, (usize, &Map)> = maps(there)
            .enumerate()
            .map(|(place, line)| (self.tag(side, place, line), (place, line)))
            .collect();
        let mut differing = Differing::default();
        let mut is_equal = vec![false; own.len()];
        for (place, line) in maps(offered).enumerate() {
            match own.get(&self.tag(side, place, line)) {
                Some((at, other)) if self.agree(side, line, other) => {
                    if let Some(equal) = is_equal.get_mut(*at) {
                        *equal = true;
                    }
                }
                _ => differing.offered.push(place),
            }
        }
        let others = is_equal.iter().enumerate().filter(|(_, is_equal)| !**is_equal);
        differing.there = others.map(|(place, _)| place).collect();
        differing
    }

    /// Whether two lists have the same lines but for the order of keyed ones, and each value of the one passes `test` with that
    /// of the other; both as they were read on `side`.
    #[must_use]
    pub fn all(&self, side: Side, one: &Value, other: &Value, test: impl Fn(&Field, &Value, &Value) -> bool) -> bool {
        let others: BTreeMap<String, &Map> = maps(other)
            .enumerate()
            .map(|(place, line)| (self.tag(side, place, line), line))
            .collect();
        maps(one).count() == others.len()
            && maps(one).enumerate().all(|(place, line)| {
                let Some(other) = others.get(&self.tag(side, place, line)) else {
                    return false;
                };
                self.counting()
                    .all(|field| match (line.get(&field.name), other.get(&field.name)) {
                        (Some(one), Some(other)) => test(field, one, other),
                        (one, other) => field.agrees(side, one, other),
                    })
            })
    }

    /// The records that the lines of a list refer to.
    pub(super) fn refers(&self, side: Side, value: &Value) -> Vec<(&str, Side, String)> {
        let lines = maps(value).take(LINES_MAX);
        lines
            .flat_map(|line| self.fields.iter().flat_map(move |field| field.refers(side, line)))
            .collect()
    }

    /// The pairs that count: what is written with new lines only is not compared.
    fn counting(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| !field.create_only)
    }

    /// Whether a line that is offered means the same as the one that is there.
    fn agree(&self, side: Side, offered: &Map, there: &Map) -> bool {
        self.counting()
            .all(|field| field.agrees(side, offered.get(&field.name), there.get(&field.name)))
    }

    /// The lines as they stand in the record.
    fn items<'v>(&self, list: &Field, side: Side, value: &'v Value) -> Result<Vec<&'v Map>, Fault> {
        if value.is_empty() {
            return Ok(Vec::new());
        }
        let system = self.systems.get(side);
        let refuse = |why: &str| {
            list.fault("MP107", why)
                .with_hint("map it as one value, without `fields:`, or correct the record")
        };
        let Some(items) = value.as_list() else {
            return Err(refuse(&format!("in {system} it is no list, but {}", Redacted(value))));
        };
        if items.len() > LINES_MAX {
            let why = format!(
                "in {system} it has {} lines, and no more than {LINES_MAX} are mapped",
                items.len()
            );
            return Err(refuse(&why));
        }
        let line = |(place, item): (usize, &'v Value)| {
            item.as_map().ok_or_else(|| {
                let found = Redacted(item);
                refuse(&format!(
                    "line {} in {system} is no map of fields, but {found}",
                    place + 1
                ))
            })
        };
        items.iter().enumerate().map(line).collect()
    }

    /// That every line has a key of its own, where lines are known by keys.
    fn check_keys(&self, list: &Field, side: Side, lines: &[Value]) -> Result<(), Fault> {
        if self.by.is_empty() {
            return Ok(());
        }
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (place, line) in lines.iter().enumerate() {
            let Some(key) = line.as_map().and_then(|line| self.key(side, line)) else {
                return Err(self.untold(list, side, &format!("line {} has no key", place + 1)));
            };
            if let Some(first) = seen.insert(key, place) {
                let why = format!("lines {} and {} have the same key", first + 1, place + 1);
                return Err(self.untold(list, side, &why));
            }
        }
        Ok(())
    }

    fn untold(&self, list: &Field, side: Side, why: &str) -> Fault {
        let names = self.by.iter().filter_map(|place| self.fields.get(*place));
        let names: Vec<String> = names.map(|field| format!("`{}`", field.name)).collect();
        let system = self.systems.get(side);
        list.fault("MP108", &format!("in {system} {why} ({})", names.join(", ")))
            .with_hint(
                "correct the record, name under `by:` what tells its lines apart, or leave `by:` out: lines are then known by their place",
            )
    }

    /// What tells a line from the others.
    fn tag(&self, side: Side, place: usize, line: &Map) -> String {
        if self.by.is_empty() {
            return place.to_string();
        }
        self.key(side, line).unwrap_or_default()
    }

    /// The key of a line in one form; none where nothing of it is there.
    fn key(&self, side: Side, line: &Map) -> Option<String> {
        let parts = self.by.iter().filter_map(|place| self.fields.get(*place));
        let parts: Vec<Value> = parts
            .map(|field| {
                let value = line.get(&field.name).filter(|value| !value.is_empty());
                let normal = value.map(|value| compare::normalize(value, field.kind_on(side), field.compare));
                normal.filter(|normal| !normal.is_empty()).unwrap_or_default()
            })
            .collect();
        let is_there = parts.iter().any(|part| !part.is_null());
        is_there.then(|| json::to_string(&Value::List(parts)))
    }

    /// The same fault, of the list, with the line that it is about.
    fn in_line(&self, list: &Field, side: Side, place: usize, fault: Fault) -> Fault {
        let system = self.systems.get(side);
        let message = format!(
            "field `{}`: line {} in {system}: {}",
            list.name,
            place + 1,
            fault.message
        );
        Fault {
            message,
            field: Some(list.name.clone()),
            ..fault
        }
    }
}

/// The lines of what was read or offered.
fn maps(value: &Value) -> impl Iterator<Item = &Map> {
    value.as_list().unwrap_or_default().iter().filter_map(Value::as_map)
}

#[cfg(test)]
mod tests;
