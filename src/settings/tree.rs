//! Reads merged layers into the typed form, and says exactly where that fails.
//!
//! Serde's own errors are texts; here each keeps the path and the allowed names, so that a problem can name the key, the
//! file or variable it came from, and the nearest thing that would be right.

use std::fmt;

use config::{Value, ValueKind};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, IntoDeserializer, Visitor, value::StrDeserializer},
    forward_to_deserialize_any,
};

/// How the `config` crate marks values that variables gave.
pub(super) const ENVIRONMENT: &str = "the environment";

/// Why a tree is not what the form asks for, and where.
#[derive(Debug)]
pub(super) struct Error {
    /// The steps from the root to the place, outermost last.
    steps: Vec<String>,
    pub(super) flaw: Flaw,
}

#[derive(Debug)]
pub(super) enum Flaw {
    /// The table at the place has a key that nobody knows.
    UnknownKey {
        key: String,
        allowed: &'static [&'static str],
    },
    /// The table at the place lacks a key.
    MissingKey(&'static str),
    /// The value is none of the allowed names.
    UnknownName {
        name: String,
        allowed: &'static [&'static str],
    },
    /// The value is wrong in another way.
    Value(String),
}

impl Error {
    /// The place, from the root.
    pub(super) fn path(&self) -> Vec<String> {
        let mut path: Vec<_> = self.steps.iter().rev().cloned().collect();
        match &self.flaw {
            Flaw::UnknownKey { key, .. } => path.push(key.clone()),
            Flaw::MissingKey(key) => path.push((*key).to_owned()),
            Flaw::UnknownName { .. } | Flaw::Value(_) => {}
        }
        path
    }

    fn new(flaw: Flaw) -> Self {
        Self {
            steps: Vec::new(),
            flaw,
        }
    }

    fn under(mut self, step: impl Into<String>) -> Self {
        self.steps.push(step.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.flaw {
            Flaw::UnknownKey { key, .. } => write!(f, "unknown key `{key}`"),
            Flaw::MissingKey(key) => write!(f, "`{key}` is missing"),
            Flaw::UnknownName { name, .. } => write!(f, "`{name}` is not allowed here"),
            Flaw::Value(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Flaw::Value(message.to_string()))
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("{} is not {}", shown(&found), plain(expected)))
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("{} is not {}", shown(&found), plain(expected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Flaw::UnknownKey {
            key: field.to_owned(),
            allowed: expected,
        })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Flaw::MissingKey(field))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Flaw::UnknownName {
            name: variant.to_owned(),
            allowed: expected,
        })
    }
}

/// What was found. A text is not repeated: it may be a secret in the wrong place.
fn shown(found: &de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Str(_) => "a text".to_owned(),
        de::Unexpected::Map => "a table".to_owned(),
        de::Unexpected::Seq => "a list".to_owned(),
        de::Unexpected::Signed(number) => format!("`{number}`"),
        de::Unexpected::Unsigned(number) => format!("`{number}`"),
        de::Unexpected::Bool(value) => format!("`{value}`"),
        other => other.to_string(),
    }
}

/// What was expected, in words of people who write settings.
fn plain(expected: &dyn de::Expected) -> String {
    let expected = expected.to_string();
    match expected.as_str() {
        "u16" | "u32" | "u64" | "usize" => "a whole number of zero or more".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a string" => "a text".to_owned(),
        "a map" => "a table".to_owned(),
        "a sequence" => "a list".to_owned(),
        _ if expected.starts_with("struct ") => "a section".to_owned(),
        _ => expected,
    }
}

/// Reads `value` as a `T`.
pub(super) fn read<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, Error> {
    T::deserialize(Node(value))
}

struct Node<'a>(&'a Value);

impl<'a> Node<'a> {
    /// The text of a value that a variable gave: variables know no numbers and no lists, so these are read where the form
    /// asks for them.
    fn variable_text(&self) -> Option<&'a str> {
        match &self.0.kind {
            ValueKind::String(text) if self.0.origin() == Some(ENVIRONMENT) => Some(text),
            _ => None,
        }
    }
}

macro_rules! from_variable {
    ($($method:ident $visit:ident $kind:ty),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.variable_text().map(|text| text.replace('_', "").parse::<$kind>()) {
                Some(Ok(value)) => visitor.$visit(value),
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.kind {
            ValueKind::Nil => visitor.visit_unit(),
            ValueKind::Boolean(value) => visitor.visit_bool(*value),
            ValueKind::I64(value) => visitor.visit_i64(*value),
            ValueKind::I128(value) => visitor.visit_i128(*value),
            ValueKind::U64(value) => visitor.visit_u64(*value),
            ValueKind::U128(value) => visitor.visit_u128(*value),
            ValueKind::Float(value) => visitor.visit_f64(*value),
            ValueKind::String(value) => visitor.visit_borrowed_str(value),
            ValueKind::Array(values) => visitor.visit_seq(Items {
                rest: values.iter().enumerate(),
            }),
            ValueKind::Table(table) => {
                let mut entries: Vec<_> = table.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                visitor.visit_map(Entries {
                    rest: entries.into_iter(),
                    value: None,
                })
            }
        }
    }

    from_variable! {
        deserialize_bool visit_bool bool,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_i64 visit_i64 i64,
        deserialize_f64 visit_f64 f64,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.kind {
            ValueKind::Nil => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.variable_text() {
            Some(text) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                visitor.visit_seq(de::value::SeqDeserializer::new(parts))
            }
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.0.kind {
            ValueKind::String(name) => {
                let name: StrDeserializer<'_, Error> = name.as_str().into_deserializer();
                visitor.visit_enum(name)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u128 f32 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct
        identifier ignored_any
    }
}

struct Items<'a> {
    rest: std::iter::Enumerate<std::slice::Iter<'a, Value>>,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some((index, value)) = self.rest.next() else {
            return Ok(None);
        };
        seed.deserialize(Node(value))
            .map(Some)
            .map_err(|error| error.under(index.to_string()))
    }
}

struct Entries<'a> {
    rest: std::vec::IntoIter<(&'a String, &'a Value)>,
    value: Option<(&'a String, &'a Value)>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.value = self.rest.next();
        match self.value {
            Some((key, _)) => {
                let key: StrDeserializer<'_, Error> = key.as_str().into_deserializer();
                seed.deserialize(key).map(Some)
            }
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (key, value) = self
            .value
            .take()
            .ok_or_else(|| de::Error::custom("a value was asked for before its key"))?;
        seed.deserialize(Node(value)).map_err(|error| error.under(key))
    }
}
