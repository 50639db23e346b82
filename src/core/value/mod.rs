//! The one value that everything else speaks about: what JSON can say, with exact numbers, dates and datetimes.
//!
//! Three states are different everywhere: *absent* is a missing key or [`Option::None`] and never a variant, *null* is
//! [`Value::Null`], anything else is a value. Numbers never pass through binary floating point: [`json`] reads them
//! from their digits. [`kind`] turns what a system sends into the kind a field is declared to have, [`compare`] says
//! when two values mean the same, [`fingerprint`] hashes that meaning.

pub mod compare;
pub mod fingerprint;
pub mod json;
pub mod kind;
pub mod packed;
pub mod projection;
pub mod spelling;
pub mod table;
pub mod xml;
pub mod xml_rpc;

mod number;
mod serial;

#[cfg(test)]
pub(crate) mod sample;

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, FixedOffset, NaiveDate, SecondsFormat};
use rust_decimal::Decimal;

/// Members of a record or of any other structure, in the order of their names.
pub type Map = BTreeMap<String, Value>;

/// One value. `==` is structural (`Int(5)` is not `Decimal(5.0)`); [`compare::equal`] compares by meaning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Value {
    /// Cleared: sent, and empty.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// An exact decimal of up to 28 digits; its scale (`1.50`) is kept.
    Decimal(Decimal),
    /// A JSON number that neither of the above can hold; its text is kept exactly.
    Number(Box<str>),
    /// Text.
    Text(String),
    /// A day of the calendar, without time or zone.
    Date(NaiveDate),
    /// A point in time; the offset it came with is kept.
    DateTime(DateTime<FixedOffset>),
    /// Values in an order.
    List(Vec<Value>),
    /// Named values.
    Map(Map),
}

/// Whether a text is nothing but white space. Most begin with a letter, which one byte tells.
pub(crate) fn is_blank(text: &str) -> bool {
    !text.as_bytes().first().is_some_and(u8::is_ascii_graphic) && text.trim_start().is_empty()
}

impl Value {
    /// The word for this kind of value in messages.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::Decimal(_) => "decimal",
            Self::Number(_) => "number",
            Self::Text(_) => "text",
            Self::Date(_) => "date",
            Self::DateTime(_) => "datetime",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// The text, where it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The members, where it is a map.
    #[must_use]
    pub const fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The items, where it is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The truth value, where it is one; nothing else counts as true or false.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The whole number, where it is one.
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            _ => None,
        }
    }

    /// Whether it is null.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it says nothing: null, text without anything but white space, an empty list or map.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => is_blank(text),
            Self::List(list) => list.is_empty(),
            Self::Map(map) => map.is_empty(),
            _ => false,
        }
    }

    /// Whether it is a list or a map.
    #[must_use]
    pub const fn is_structure(&self) -> bool {
        matches!(self, Self::List(_) | Self::Map(_))
    }

    /// The plain text of a scalar, as ids and templates use it: null is empty, dates are ISO 8601, datetimes RFC 3339.
    /// `None` for lists and maps.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        Some(match self {
            Self::Null => String::new(),
            Self::Bool(truth) => truth.to_string(),
            Self::Int(int) => int.to_string(),
            Self::Decimal(decimal) => decimal.to_string(),
            Self::Number(text) => text.to_string(),
            Self::Text(text) => text.clone(),
            Self::Date(date) => date.to_string(),
            Self::DateTime(datetime) => datetime.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            Self::List(_) | Self::Map(_) => return None,
        })
    }

    /// The number that these characters spell: an integer or decimal where it fits exactly, else [`Value::Number`].
    /// `None` where they are no JSON number.
    #[must_use]
    pub fn number(text: &str) -> Option<Self> {
        number::parse(text)
    }

    /// Whether lists and maps nest deeper than `levels`; a scalar has no level. Needs no stack itself.
    #[must_use]
    pub fn is_deeper_than(&self, levels: usize) -> bool {
        let mut open = vec![(self, 0_usize)];
        while let Some((value, level)) = open.pop() {
            if !value.is_structure() {
                continue;
            }
            if level >= levels {
                return true;
            }
            match value {
                Self::List(list) => open.extend(list.iter().map(|item| (item, level + 1))),
                Self::Map(map) => open.extend(map.values().map(|member| (member, level + 1))),
                _ => {}
            }
        }
        false
    }
}

/// Lays changes over a record: members of maps on both sides one by one, everything else in its place.
pub fn lay_over(fields: &mut Map, changes: &Map) {
    for (name, change) in changes {
        match (fields.get_mut(name), change) {
            (Some(Value::Map(fields)), Value::Map(changes)) => lay_over(fields, changes),
            _ => drop(fields.insert(name.clone(), change.clone())),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<Decimal> for Value {
    fn from(decimal: Decimal) -> Self {
        Self::Decimal(decimal)
    }
}

impl From<NaiveDate> for Value {
    fn from(date: NaiveDate) -> Self {
        Self::Date(date)
    }
}

impl From<DateTime<FixedOffset>> for Value {
    fn from(datetime: DateTime<FixedOffset>) -> Self {
        Self::DateTime(datetime)
    }
}

impl From<Vec<Value>> for Value {
    fn from(list: Vec<Value>) -> Self {
        Self::List(list)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

/// Shows what a value looks like and never what it says: for logs and errors.
pub struct Redacted<'a>(pub &'a Value);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Text(text) => write!(f, "text of {} characters", text.chars().count()),
            Value::List(list) => write!(f, "list of {}", list.len()),
            Value::Map(map) => write!(f, "map of {}", map.len()),
            scalar => f.write_str(scalar.type_name()),
        }
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emptiness_is_null_blank_text_and_structures_without_content() {
        for (text, empty) in [
            ("null", true),
            (r#"" \t""#, true),
            ("[]", true),
            ("{}", true),
            ("0", false),
            ("false", false),
            ("[null]", false),
            (r#""x""#, false),
        ] {
            let value = json::parse(text.as_bytes(), &json::Limits::default()).unwrap();
            assert_eq!(value.is_empty(), empty, "{text}");
        }
    }

    #[test]
    fn redacted_shows_the_shape_and_nothing_else() {
        let secret = Value::from("geheim");
        assert_eq!(Redacted(&secret).to_string(), "text of 6 characters");
        assert_eq!(format!("{:?}", Redacted(&Value::List(vec![secret]))), "list of 1");
    }

    #[test]
    fn depth_is_measured_without_a_stack() {
        let mut deep = Value::Null;
        for _ in 0..3 {
            deep = Value::List(vec![deep]);
        }
        assert!(deep.is_deeper_than(2));
        assert!(!deep.is_deeper_than(3));
        assert!(!Value::Int(1).is_deeper_than(0));
    }

    #[test]
    fn a_value_is_small() {
        assert!(size_of::<Value>() <= 32, "{}", size_of::<Value>());
    }
}
