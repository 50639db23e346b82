//! A field pair as two functions: there (left to right) and back (right to left).

use std::{cell::OnceCell, collections::BTreeMap, sync::Arc};

use super::{Field, Mapping, lines::Lines};
use crate::core::{
    expr::{Scope, Template},
    fault::Fault,
    status::{FailureClass, Side, Sides, Stage},
    value::{Map, Value, compare, kind::Kind, spelling::Spelling},
};

/// How a value becomes the other side's.
#[derive(Debug)]
pub enum Convert {
    /// As it is.
    Copy,
    /// By a table of corresponding values.
    Values {
        /// For each side, what a value of that side becomes on the other.
        tables: Sides<BTreeMap<String, Value>>,
        /// What is done with a value the table does not name.
        unmapped: Unmapped,
    },
    /// Computed from the record of the other side; one way only.
    From {
        /// The side whose record is used.
        source: Side,
        /// What is computed.
        template: Template,
        /// The names the template's scope has: the systems', by side.
        names: Sides<String>,
    },
    /// The id of a record that another mapping links.
    Link {
        /// The other mapping.
        mapping: String,
        /// For each side of this mapping, the side of the other one that the same system is on.
        sides: Sides<Side>,
    },
    /// A list, line by line.
    Lines(Box<Lines>),
}

/// The default as the side it goes to spells it: it is written once, and a pair may go both ways.
fn in_spelling_of_target(default: &Value, table: &BTreeMap<String, Value>) -> Value {
    let Some(key) = default.to_text() else {
        return default.clone();
    };
    let is_known_there = table.values().any(|value| value.to_text().as_ref() == Some(&key));
    let partner = table.get(&key).filter(|_| !is_known_there);
    partner.unwrap_or(default).clone()
}

/// What is done with a value that a table does not name.
#[derive(Debug, Clone, PartialEq)]
pub enum Unmapped {
    /// The record fails.
    Error,
    /// The value travels as it is.
    Keep,
    /// The field is left out.
    Skip,
    /// This value is taken.
    Default(Value),
}

/// A record as conversions use it: borrowed, and shared with an expression only if one asks for the whole of it.
#[derive(Debug)]
pub struct Source<'a> {
    map: &'a Map,
    shared: OnceCell<Arc<Value>>,
}

impl<'a> Source<'a> {
    /// The record with these members.
    #[must_use]
    pub const fn new(map: &'a Map) -> Self {
        Self {
            map,
            shared: OnceCell::new(),
        }
    }

    /// The members.
    #[must_use]
    pub const fn map(&self) -> &'a Map {
        self.map
    }

    fn shared(&self) -> Arc<Value> {
        Arc::clone(self.shared.get_or_init(|| Arc::new(Value::Map(self.map.clone()))))
    }
}

/// Knows the links of other mappings that a record refers to. The caller has looked them up beforehand.
pub trait References {
    /// The id across from `id`, which is on `side` of `mapping`; `None` where it is not linked yet.
    fn partner(&self, mapping: &str, side: Side, id: &str) -> Option<String>;
}

/// A world without links, for mappings without references.
#[derive(Debug, Clone, Copy)]
pub struct NoReferences;

impl References for NoReferences {
    fn partner(&self, _: &str, _: Side, _: &str) -> Option<String> {
        None
    }
}

impl References for BTreeMap<(String, Side, String), String> {
    fn partner(&self, mapping: &str, side: Side, id: &str) -> Option<String> {
        self.get(&(mapping.to_owned(), side, id.to_owned())).cloned()
    }
}

/// A reference whose target is not linked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// The mapping that has to link it.
    pub mapping: String,
    /// The side of that mapping the known record is on.
    pub side: Side,
    /// The known record's id.
    pub id: String,
}

/// Why a value could not be converted.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// The value itself does not fit.
    Fault(Fault),
    /// It refers to a record that is not linked yet.
    Awaited(Awaited),
}

impl Field {
    /// The value on `side`, in the field's kind; `None` where the record does not have it.
    ///
    /// A computed pair has no value on its source side; there, what it computes stands for it. Of a list of lines this is what is
    /// mapped of it, by the names of the inner pairs.
    pub fn read(&self, side: Side, record: &Map) -> Result<Option<Value>, Fault> {
        let path = self.paths.get(side).as_ref();
        self.read_found(side, path.and_then(|path| path.get_in(record)))
    }

    /// As [`Field::read`], of what was found where the field's path leads.
    pub fn read_found(&self, side: Side, found: Option<&Value>) -> Result<Option<Value>, Fault> {
        let (Some(path), Some(value)) = (self.paths.get(side), found) else {
            return Ok(None);
        };
        if value.is_null() {
            return Ok(Some(Value::Null));
        }
        match &self.convert {
            Convert::Values { .. } | Convert::Link { .. } => return Ok(Some(value.clone())),
            Convert::Lines(lines) => return lines.read(self, side, value).map(Some),
            Convert::Copy | Convert::From { .. } => {}
        }
        self.kind
            .read(value, &Spelling::default())
            .map(Some)
            .map_err(|mismatch| {
                self.fault(
                    "MP101",
                    &format!("`{path}` is not what the mapping expects: {mismatch}"),
                )
                .with_hint("correct the record, or declare the field's type in the mapping")
            })
    }

    /// The text that was found where the field's path leads, where [`Field::read_found`] would give it as it stands: without a
    /// copy of it.
    #[must_use]
    pub fn text_found<'r>(&self, found: Option<&'r Value>) -> Option<&'r str> {
        let text = found?.as_str()?;
        let is_as_it_stands = match self.convert {
            Convert::Values { .. } | Convert::Link { .. } => true,
            Convert::Copy | Convert::From { .. } => matches!(self.kind, Kind::Any | Kind::Text),
            Convert::Lines(_) => false,
        };
        is_as_it_stands.then_some(text)
    }

    /// What the record on `from` offers to the other side, in the other side's form; `None` where it offers nothing.
    ///
    /// Of a list of lines this is what is mapped of it; [`Field::written`] makes of it what is written.
    pub fn offer(
        &self,
        mapping: &Mapping,
        from: Side,
        record: &Source<'_>,
        references: &dyn References,
    ) -> Result<Option<Value>, Refusal> {
        let map = record.map();
        let offered = match &self.convert {
            Convert::From { source, .. } if *source != from => return Ok(None),
            Convert::From { template, names, .. } => Some(self.compute(template, names.get(from), record)?),
            Convert::Copy => self.read(from, map).map_err(Refusal::Fault)?,
            Convert::Values { tables, unmapped } => match self.read(from, map).map_err(Refusal::Fault)? {
                None => None,
                Some(Value::Null) => Some(Value::Null),
                Some(value) => self
                    .look_up(&value, tables.get(from), unmapped)
                    .map_err(Refusal::Fault)?,
            },
            Convert::Link { mapping: other, sides } => match self.read(from, map).map_err(Refusal::Fault)? {
                None => None,
                Some(value) if value.is_empty() => Some(Value::Null),
                Some(value) => Some(follow(other, *sides.get(from), &value, references)?),
            },
            Convert::Lines(lines) => match self.paths.get(from).as_ref().and_then(|path| path.get_in(map)) {
                None => None,
                Some(list) => Some(lines.offer(self, mapping, from, list, references)?),
            },
        };
        offered
            .map(|value| self.fit(mapping, from.other(), value).map_err(Refusal::Fault))
            .transpose()
    }

    /// A value that a person sets for both sides, given as text in the left side's form; an empty text clears both. Where
    /// nothing declares the field's kind it is that of the values that are there.
    pub fn set(&self, mapping: &Mapping, text: &str, like: &Sides<Option<Value>>) -> Result<Sides<Value>, Refusal> {
        let refuse = |why: &str| Refusal::Fault(self.fault("MP106", why));
        let (Some(path), Some(_)) = (&self.paths.left, &self.paths.right) else {
            return Err(refuse("it is computed, so that no value can be set for both sides"));
        };
        if matches!(self.convert, Convert::From { .. } | Convert::Link { .. }) {
            return Err(refuse(
                "it refers to another record, so that no value can be set: take a side",
            ));
        }
        if matches!(self.convert, Convert::Lines(_)) {
            return Err(refuse(
                "it is a list of lines, so that no value can be set: take a side",
            ));
        }
        if text.is_empty() {
            return Ok(Sides::of(|_| Value::Null));
        }
        let declared = match self.convert {
            Convert::Copy if self.kind != Kind::Any => self.kind,
            _ => self.kinds.left,
        };
        let there = [&like.left, &like.right]
            .into_iter()
            .flatten()
            .find(|value| !value.is_null());
        let kind = match there {
            Some(there) if declared == Kind::Any => Kind::of(there),
            _ => declared,
        };
        let value = kind
            .read(&Value::Text(text.to_owned()), &Spelling::default())
            .map_err(|mismatch| refuse(&format!("the value does not fit: {mismatch}")))?;
        let mut record = Map::new();
        if path.set_in(&mut record, value.clone()).is_err() {
            return Err(refuse(
                "it stands inside a list, so that no value can be set: take a side",
            ));
        }
        let offered = self.offer(mapping, Side::Left, &Source::new(&record), &NoReferences)?;
        let right = offered.ok_or_else(|| refuse("the value has no partner on the other side"))?;
        let left = self.fit(mapping, Side::Left, value).map_err(Refusal::Fault)?;
        Ok(Sides { left, right })
    }

    /// What is written to `to` where this is offered: of a list of lines all of the list, made of the one that is there; `None`
    /// where that would change nothing. `there` is the record that is written to, if there is one.
    pub fn written(&self, to: Side, offered: Value, there: Option<&Map>) -> Result<Option<Value>, Refusal> {
        let Convert::Lines(lines) = &self.convert else {
            return Ok(Some(offered));
        };
        let path = self.paths.get(to).as_ref();
        let list = there.and_then(|record| path?.get_in(record));
        lines.written(self, to, &offered, list).map_err(Refusal::Fault)
    }

    /// Whether what is offered to `side` means the same as what is there.
    #[must_use]
    pub fn agrees(&self, side: Side, offered: Option<&Value>, there: Option<&Value>) -> bool {
        let is_empty = |value: Option<&Value>| value.is_none_or(Value::is_empty);
        match (offered, there) {
            (Some(offered), Some(there)) => {
                (offered.is_empty() && there.is_empty())
                    || compare::equal(offered, there, self.kind_on(side), self.compare)
            }
            (offered, there) => is_empty(offered) && is_empty(there),
        }
    }

    /// The records that the value on `side` refers to: by which mapping, on which side of that one, and their ids.
    #[must_use]
    pub fn refers(&self, side: Side, record: &Map) -> Vec<(&str, Side, String)> {
        let Some(value) = self.paths.get(side).as_ref().and_then(|path| path.get_in(record)) else {
            return Vec::new();
        };
        match &self.convert {
            Convert::Link { mapping, sides } => {
                let id = value.to_text().filter(|id| !id.is_empty());
                id.map(|id| (mapping.as_str(), *sides.get(side), id))
                    .into_iter()
                    .collect()
            }
            Convert::Lines(lines) => lines.refers(side, value),
            Convert::Copy | Convert::Values { .. } | Convert::From { .. } => Vec::new(),
        }
    }

    fn compute(&self, template: &Template, name: &str, record: &Source<'_>) -> Result<Value, Refusal> {
        let mut scope = Scope::new();
        scope.set(name, record.shared());
        template.eval(&scope).map_err(|fault| {
            let fault = self
                .fault("MP102", &format!("cannot compute it: {fault}"))
                .with_hint("make the expression hold for such records, with `default(…)` or a condition");
            Refusal::Fault(fault)
        })
    }

    fn look_up(
        &self,
        value: &Value,
        table: &BTreeMap<String, Value>,
        unmapped: &Unmapped,
    ) -> Result<Option<Value>, Fault> {
        let Some(key) = value.to_text() else {
            return Err(self.fault(
                "MP103",
                &format!("{} cannot be looked up in `values`", value.type_name()),
            ));
        };
        if let Some(found) = table.get(&key) {
            return Ok(Some(found.clone()));
        }
        match unmapped {
            Unmapped::Keep => Ok(Some(value.clone())),
            Unmapped::Skip => Ok(None),
            Unmapped::Default(default) => Ok(Some(in_spelling_of_target(default, table))),
            Unmapped::Error => {
                let shown: String = if self.sensitive {
                    "…".to_owned()
                } else {
                    key.chars().take(80).collect()
                };
                Err(self
                    .fault("MP103", &format!("value `{shown}` has no partner in `values`"))
                    .with_hint("add it to `values:`, or say what to do with such values by `on_unmapped:`"))
            }
        }
    }

    /// Brings a value into the kind that the connector declares on `side`.
    fn fit(&self, mapping: &Mapping, side: Side, value: Value) -> Result<Value, Fault> {
        if value.is_null() {
            return Ok(value);
        }
        let fitted = self.kinds.get(side).read(&value, &Spelling::default());
        fitted.map_err(|mismatch| {
            let system = &mapping.end(side).system;
            self.fault(
                "MP104",
                &format!("the value does not fit the field in {system}: {mismatch}"),
            )
            .with_hint("convert it by `values:` or `from:`, or declare another `type:`")
        })
    }

    pub(super) fn fault(&self, code: &'static str, message: &str) -> Fault {
        Fault::new(
            code,
            FailureClass::Mapping,
            Stage::Map,
            format!("field `{}`: {message}", self.name),
        )
        .with_field(self.name.clone())
    }
}

fn follow(mapping: &str, side: Side, value: &Value, references: &dyn References) -> Result<Value, Refusal> {
    let id = value.to_text().unwrap_or_default();
    references.partner(mapping, side, &id).map(Value::Text).ok_or_else(|| {
        Refusal::Awaited(Awaited {
            mapping: mapping.to_owned(),
            side,
            id,
        })
    })
}
