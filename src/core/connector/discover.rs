//! What a system says it has, compared with what its connector says: fields that are new there, gone, or of another kind.
//!
//! A description names every field there is. Records do not: many systems leave out what is empty, so that what no record has is
//! only unseen.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::{Connector, Field, Object, call::Context, request::BuildError, request::Call, request::Request};
use crate::core::{
    expr::Scope,
    path::{Path, Segment},
    value::{Map, Value, kind::Kind, spelling::Spelling},
};

/// Members of members that are fields of their own.
const DEPTH_MAX: usize = 2;
/// How many fields of one object are told.
const FIELDS_MAX: usize = 1_000;

/// A field as a system describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// Its path in a record.
    pub path: String,
    /// Its kind, as a connector's field says it (`decimal(2)`).
    pub kind: String,
    /// The system sets it itself.
    pub is_read_only: bool,
    /// Only a new record can have it.
    pub is_create_only: bool,
    /// A new record must have it.
    pub is_required: bool,
    /// The values that it may have, where there are few.
    pub options: Vec<String>,
    /// Whether times are seconds since 1970.
    pub is_epoch: bool,
}

/// Where a system of this kind says what its objects have.
#[derive(Debug)]
pub struct Discover {
    /// The request; knows `object`, the system's own name of the object.
    pub request: Request,
    /// What is answered.
    pub answer: Description,
    /// The system's own names of objects, where they are others than in the file.
    pub names: BTreeMap<String, String>,
}

/// What a description is.
#[derive(Debug)]
pub enum Description {
    /// An OpenAPI description of everything.
    OpenApi,
    /// OData metadata of everything.
    OData,
    /// A list or map of one object's fields.
    Fields(FieldList),
}

/// Where the parts of a field are in a list or map of fields.
#[derive(Debug)]
pub struct FieldList {
    /// Where the list or map is.
    pub fields: Path,
    /// Where a field's name is; in a map, its key.
    pub name: Option<Path>,
    /// Where the word for its type is.
    pub kind: Option<Path>,
    /// The kinds that the system's words mean.
    pub kinds: BTreeMap<String, Kind>,
    /// Where it says that the field is never written.
    pub read_only: Option<Path>,
}

impl Discover {
    /// The request about an object.
    pub fn call(&self, context: &Context<'_>, object: &str) -> Result<Call, BuildError> {
        let mut scope = Scope::new().with("object", self.names.get(object).map_or(object, String::as_str));
        scope.set("settings", context.settings.clone());
        let mut call = context.within(&self.request, &scope)?;
        // It only asks.
        call.is_repeatable = true;
        Ok(call)
    }
}

impl FieldList {
    /// The fields in an answer; none where there is no list of them.
    #[must_use]
    pub fn read(&self, body: &Value) -> Option<Vec<Described>> {
        let named: Vec<(Option<&str>, &Value)> = match self.fields.get(body)? {
            Value::Map(members) => members
                .iter()
                .map(|(name, field)| (Some(name.as_str()), field))
                .collect(),
            Value::List(items) => items.iter().map(|field| (None, field)).collect(),
            _ => return None,
        };
        let read = named.into_iter().filter_map(|(key, field)| self.one(key, field));
        Some(read.take(FIELDS_MAX).collect())
    }

    fn one(&self, key: Option<&str>, field: &Value) -> Option<Described> {
        let name = match &self.name {
            Some(path) => path.get(field)?.to_text()?,
            None => key?.to_owned(),
        };
        let word = self
            .kind
            .as_ref()
            .and_then(|path| path.get(field)?.to_text())
            .unwrap_or_default();
        let known = self
            .kinds
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(&word))
            .map(|(_, kind)| kind.to_string());
        let is_read_only = self
            .read_only
            .as_ref()
            .and_then(|path| path.get(field))
            .is_some_and(|value| value.as_bool() == Some(true));
        Some(Described {
            path: Path::of_key(&name).to_string(),
            kind: known
                .or_else(|| kind_of_word(&word))
                .unwrap_or_else(|| Kind::Any.to_string()),
            is_read_only,
            ..Described::default()
        })
    }
}

/// The kind that a system's word for a type usually means.
fn kind_of_word(word: &str) -> Option<String> {
    let folded: String = word
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase();
    let kind = match folded.as_str() {
        "string" | "text" | "char" | "varchar" | "textarea" | "email" | "phone" | "url" | "picklist" | "id"
        | "uuid" | "select" | "selection" | "enum" | "enumeration" | "html" | "reference" | "phonenumber" => "text",
        "int" | "integer" | "long" | "bigint" | "smallint" => "integer",
        "double" | "float" | "decimal" | "currency" | "money" | "monetary" | "percent" | "numeric" => "decimal",
        "bool" | "boolean" | "bit" | "check" | "checkbox" => "boolean",
        "date" => "date",
        "datetime" | "timestamp" | "timestamptz" => "datetime",
        "array" | "list" | "multiselect" | "one2many" | "many2many" => "list",
        "object" | "map" | "json" | "jsonb" => "map",
        _ => return None,
    };
    Some(kind.to_owned())
}

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
    let mut compared: Vec<Compared> = object.fields.iter().map(|field| one(field, there, is_whole)).collect();
    for described in there {
        let Ok(path) = Path::parse(&described.path) else {
            continue;
        };
        // What is inside of a field, or around one, is told with that field.
        let is_told = object
            .fields
            .iter()
            .any(|field| field.path.contains(&path) || path.contains(&field.path));
        let is_own = object.id.contains(&path) || object.updated_at.paths().contains(&path);
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

impl Connector {
    /// How a system of this kind says what an object has, where it does.
    #[must_use]
    pub fn describes(&self, object: &str) -> Option<&Discover> {
        let discover = self.discover.as_ref()?;
        let is_known =
            matches!(discover.answer, Description::OpenApi | Description::OData) || self.objects.contains_key(object);
        is_known.then_some(discover)
    }
}
