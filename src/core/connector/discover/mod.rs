//! What a system says it has, compared with what its connector says: fields that are new there, gone, or of another kind.
//!
//! A description names every field there is. Records do not: many systems leave out what is empty, so that what no record has is
//! only unseen.

mod compare;

use std::collections::BTreeMap;

pub use self::compare::{Compared, Standing, compare, compare_with, seen};
use super::{
    Connector,
    call::Context,
    request::{BuildError, Call, Request, parse_base},
};
use crate::core::{
    expr::{Scope, Template},
    path::Path,
    value::{Value, kind::Kind},
};

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
    /// Where the path of the request begins, if not at the system's address.
    pub base_url: Option<Template>,
    /// Fields that records have and the description does not name.
    pub besides: Vec<Path>,
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
    /// A field's name, or its path in a record; in a map, its key where nothing is said.
    pub name: Option<Said>,
    /// The word for its type.
    pub kind: Option<Said>,
    /// The kinds that the system's words mean.
    pub kinds: BTreeMap<String, Kind>,
    /// Whether the field is never written.
    pub read_only: Option<Said>,
}

/// What is said of a field: its name, its type, a right.
#[derive(Debug)]
pub enum Said {
    /// Where it is.
    Path(Path),
    /// How it is put together from `field` and, in a map, `key`.
    Template(Template),
}

impl Said {
    fn of(&self, key: Option<&str>, field: &Value) -> Option<Value> {
        match self {
            Self::Path(path) => path.get(field).cloned(),
            Self::Template(template) => {
                let scope = Scope::new()
                    .with("field", field.clone())
                    .with("key", key.unwrap_or_default());
                // What it asks for and is not there says nothing.
                template.find(&scope).ok()?
            }
        }
    }
}

impl Discover {
    /// The request about an object.
    pub fn call(&self, context: &Context<'_>, object: &str) -> Result<Call, BuildError> {
        let mut scope = Scope::new().with("object", self.names.get(object).map_or(object, String::as_str));
        scope.set("settings", context.settings.clone());
        let base = match &self.base_url {
            None => context.base.clone(),
            Some(template) => {
                let text = template.text(&scope, |text| text).ok().flatten().unwrap_or_default();
                parse_base(&text)?
            }
        };
        // What signs the request is meant for the system alone.
        if base.origin() != context.base.origin() {
            return Err(BuildError::Path);
        }
        let context = Context {
            base: &base,
            ..*context
        };
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
        let read = named.into_iter().flat_map(|(key, field)| self.each(key, field));
        Some(read.take(FIELDS_MAX).collect())
    }

    /// The fields that one entry stands for: mostly one.
    fn each(&self, key: Option<&str>, field: &Value) -> Vec<Described> {
        let word = self.kind.as_ref().and_then(|kind| kind.of(key, field)?.to_text());
        let word = word.unwrap_or_default();
        let known = self
            .kinds
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(&word))
            .map(|(_, kind)| kind.to_string());
        let kind = known
            .or_else(|| kind_of_word(&word))
            .unwrap_or_else(|| Kind::Any.to_string());
        let is_read_only = self
            .read_only
            .as_ref()
            .and_then(|said| said.of(key, field))
            .is_some_and(|value| is_true(&value));
        let described = self.paths(key, field).into_iter().map(|path| Described {
            path: path.to_string(),
            kind: kind.clone(),
            is_read_only,
            ..Described::default()
        });
        described.collect()
    }

    fn paths(&self, key: Option<&str>, field: &Value) -> Vec<Path> {
        let Some(name) = &self.name else {
            return key.map(Path::of_key).into_iter().collect();
        };
        let told = match name.of(key, field) {
            Some(Value::List(several)) => several,
            Some(one) => vec![one],
            None => Vec::new(),
        };
        let texts = told
            .into_iter()
            .filter_map(|one| one.to_text().filter(|text| !text.is_empty()));
        match name {
            Said::Path(_) => texts.map(|text| Path::of_key(&text)).collect(),
            Said::Template(_) => texts.filter_map(|text| Path::parse(&text).ok()).collect(),
        }
    }
}

/// Whether a value says yes, as systems put it.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => *truth,
        Value::Int(int) => *int != 0,
        Value::Text(text) => matches!(text.to_ascii_lowercase().as_str(), "true" | "1" | "yes"),
        _ => false,
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
