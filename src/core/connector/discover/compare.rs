//! The fields of a system beside those of its connector, and the fields that records have.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::{Described, FIELDS_MAX};
use crate::core::{
    connector::{Field, Object, Source},
    path::{Path, Segment},
    value::{Map, Value, kind::Kind, spelling::Spelling},
};

/// Members of members that are fields of their own.
const DEPTH_MAX: usize = 2;

/// How a field stands on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is there as the connector says.
    Same,
    /// The system has it, and the connector does not say so.
    New,
    /// Both have it, and not as the same kind.
    Changed,
    /// The system does not have it.
    Gone,
    /// No record that was looked at has it: it may be empty in all of them.
    Unseen,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::New => "new",
            Self::Changed => "changed",
            Self::Gone => "gone",
            Self::Unseen => "unseen",
        })
    }
}

/// One field on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Its path in a record.
    pub path: String,
    /// Its kind by the connector.
    pub here: Option<String>,
    /// Its kind by the system.
    pub there: Option<String>,
    /// How it stands.
    pub standing: Standing,
    /// Whether the system sets it itself.
    pub is_read_only: bool,
}

/// Compares the fields of an object with those that its system has. `is_whole` says whether these are all there are.
#[must_use]
pub fn compare(object: &Object, there: &[Described], is_whole: bool) -> Vec<Compared> {
    compare_with(object, there, is_whole, &[])
}

/// The same, where records have the fields `besides` too.
#[must_use]
pub fn compare_with(object: &Object, there: &[Described], is_whole: bool, besides: &[Path]) -> Vec<Compared> {
    let mut compared: Vec<Compared> = object.fields.iter().map(|field| one(field, there, is_whole)).collect();
    for (field, found) in object.fields.iter().zip(&mut compared) {
        // Every record has them, whatever is said of it.
        let is_known = is_own(object, &field.path) || besides.iter().any(|path| path.contains(&field.path));
        if found.standing == Standing::Gone && is_known {
            found.standing = Standing::Same;
        }
    }
    for described in there {
        let Ok(path) = Path::parse(&described.path) else {
            continue;
        };
        // What is inside of a field, or around one, is told with that field.
        let is_told = object
            .fields
            .iter()
            .any(|field| field.path.contains(&path) || path.contains(&field.path));
        let is_own = is_own(object, &path);
        if !is_told {
            compared.push(Compared {
                path: described.path.clone(),
                here: is_own.then(|| Kind::Any.to_string()),
                there: Some(described.kind.clone()),
                standing: if is_own { Standing::Same } else { Standing::New },
                is_read_only: described.is_read_only,
            });
        }
    }
    compared.sort_by(|one, other| one.path.cmp(&other.path));
    compared
}

/// Whether a path is that of an id, of a time of change or of the version.
fn is_own(object: &Object, path: &Path) -> bool {
    let is_version = matches!(&object.version, Some(Source::Path(version)) if version == path);
    is_version || object.id.contains(path) || object.updated_at.paths().contains(path)
}

fn one(field: &Field, there: &[Described], is_whole: bool) -> Compared {
    let paths = there
        .iter()
        .filter_map(|described| Some((Path::parse(&described.path).ok()?, described)));
    let near: Vec<(Path, &Described)> = paths
        .filter(|(path, _)| field.path.contains(path) || path.contains(&field.path) || is_item_of(path, &field.path))
        .collect();
    let exact = near
        .iter()
        .find(|(path, _)| *path == field.path)
        .map(|(_, described)| *described);
    let standing = match exact {
        // What a field's own templates take apart has the form that they say.
        Some(described) if field.wrapper.read.is_none() && !agrees(field.kind, &described.kind, is_whole) => {
            Standing::Changed
        }
        Some(_) => Standing::Same,
        None if !near.is_empty() => Standing::Same,
        None if is_whole => Standing::Gone,
        None => Standing::Unseen,
    };
    Compared {
        path: field.name.clone(),
        here: Some(field.kind.to_string()),
        there: exact.map(|described| described.kind.clone()),
        standing,
        is_read_only: exact.is_some_and(|described| described.is_read_only),
    }
}

/// Whether a field leads through an item of the list at `list`.
fn is_item_of(list: &Path, field: &Path) -> bool {
    let own = field.segments();
    own.starts_with(list.segments())
        && own
            .get(list.segments().len())
            .is_some_and(|step| !matches!(step, Segment::Key(_)))
}

/// Whether a value of the kind that the system says can be what the connector says. Of records it is known already whether their
/// values are of the connector's kind.
fn agrees(here: Kind, there: &str, is_said: bool) -> bool {
    let Ok(there) = there.parse::<Kind>() else { return true };
    match (here, there) {
        (Kind::Any, _) | (_, Kind::Any) => true,
        (here, there) if !is_said => here == there,
        // Numbers and truth values are texts in many systems, and ids are numbers in many others.
        (Kind::Text, Kind::Integer | Kind::Decimal { .. } | Kind::Date | Kind::DateTime { .. })
        | (_, Kind::Text)
        | (Kind::Decimal { .. } | Kind::Integer, Kind::Integer | Kind::Decimal { .. })
        | (Kind::Boolean, Kind::Integer)
        | (Kind::DateTime { .. }, Kind::Integer | Kind::DateTime { .. }) => true,
        (here, there) => here == there,
    }
}

/// The fields that records have, each of the kind that fits all of them. What is a record is what the connector's own types made
/// of it.
#[must_use]
pub fn seen<'a>(object: &Object, records: impl Iterator<Item = &'a Map>) -> Vec<Described> {
    let mut found: BTreeMap<String, Seen> = BTreeMap::new();
    for record in records {
        walk(object, record, &mut Vec::new(), &mut found);
    }
    let described = found.into_iter().map(|(path, seen)| Described {
        path,
        kind: seen.kind.unwrap_or_default().to_string(),
        ..Described::default()
    });
    described.collect()
}

#[derive(Default)]
struct Seen {
    kind: Option<Kind>,
}

fn walk(object: &Object, record: &Map, above: &mut Vec<Segment>, found: &mut BTreeMap<String, Seen>) {
    for (key, value) in record {
        above.push(Segment::Key(key.as_str().into()));
        let path = Path::of(above.clone());
        let is_field = object.field_at(&path).is_some();
        match value {
            Value::Map(members) if !is_field && !members.is_empty() && above.len() < DEPTH_MAX => {
                walk(object, members, above, found);
            }
            _ => {
                let name = path.to_string();
                if found.len() < FIELDS_MAX || found.contains_key(&name) {
                    found.entry(name).or_default().add(value, object.kind(&path));
                }
            }
        }
        above.pop();
    }
}

impl Seen {
    fn add(&mut self, value: &Value, declared: Kind) {
        if value.is_null() || value.as_str() == Some("") {
            return;
        }
        // A value that its declared kind takes is of that kind.
        let fits = declared != Kind::Any && declared.read(value, &Spelling::default()).is_ok();
        let own = if fits { declared } else { kind_of(value) };
        self.kind = Some(match self.kind {
            None => own,
            Some(known) if known == own => own,
            Some(Kind::Decimal { .. } | Kind::Integer) if matches!(own, Kind::Integer | Kind::Decimal { .. }) => {
                Kind::Decimal { scale: None }
            }
            Some(Kind::Date | Kind::DateTime { .. } | Kind::Text)
                if matches!(own, Kind::Text | Kind::Date | Kind::DateTime { .. }) =>
            {
                Kind::Text
            }
            Some(_) => Kind::Any,
        });
    }
}

fn kind_of(value: &Value) -> Kind {
    match value {
        Value::Null => Kind::Any,
        Value::Text(text) => {
            let of = |kind: Kind| kind.read(value, &Spelling::default()).is_ok();
            if text.len() == 10 && of(Kind::Date) {
                Kind::Date
            } else if text.len() > 10 && number_free(text) && of(Kind::DateTime { precision: None }) {
                Kind::DateTime { precision: None }
            } else {
                Kind::Text
            }
        }
        other => Kind::of(other),
    }
}

/// Whether a text is no number: long digits are ids, and no times.
fn number_free(text: &str) -> bool {
    Value::number(text).is_none()
}
