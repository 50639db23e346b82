//! The kind of value that a field is declared to hold, and the way there from what a system sends.

use std::{fmt, str::FromStr};

use chrono::{DateTime, FixedOffset, NaiveDate};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    Redacted, Value, number,
    spelling::{BooleanForm, DecimalForm, Spelling},
};

/// What a field holds. A list or map is only known to be one: its items and members stay as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, JsonSchema)]
#[schemars(with = "String", extend("pattern" = PATTERN))]
pub enum Kind {
    /// Taken as it comes.
    #[default]
    Any,
    /// Text; a number is taken as its digits.
    Text,
    /// A whole number.
    Integer,
    /// An exact decimal.
    Decimal {
        /// Digits behind the point that count: values are compared after rounding to them (half to even), and written
        /// with them. Without it every digit counts.
        scale: Option<u32>,
    },
    /// True or false.
    Boolean,
    /// A day of the calendar.
    Date,
    /// A point in time.
    DateTime {
        /// The part of the second that counts in comparisons. Without it, the coarser of the two values compared.
        precision: Option<Precision>,
    },
    /// A list.
    List,
    /// A map.
    Map,
}

const PATTERN: &str =
    r"^(any|text|integer|decimal(\(([0-9]|1[0-9]|2[0-8])\))?|boolean|date|datetime(\((s|ms|us)\))?|list|map)$";

/// The part of the second that a datetime is exact to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// Whole seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
}

impl Precision {
    /// Nanoseconds in one unit.
    pub(super) const fn nanos(self) -> u32 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Millis => 1_000_000,
            Self::Micros => 1_000,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "s",
            Self::Millis => "ms",
            Self::Micros => "us",
        })
    }
}

impl FromStr for Precision {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "s" => Ok(Self::Seconds),
            "ms" => Ok(Self::Millis),
            "us" => Ok(Self::Micros),
            _ => Err(ParseError::new(text)),
        }
    }
}

/// A text that names no [`Kind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no kind of value; there are {}", Kind::NAMES.join(", "))]
pub struct ParseError {
    text: String,
}

impl ParseError {
    fn new(text: &str) -> Self {
        Self {
            text: text.chars().take(40).collect(),
        }
    }
}

/// A value that is not of the kind its field is declared to have. What the value says is not in here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}{}", reason.map(|reason| format!(": {reason}")).unwrap_or_default())]
pub struct Mismatch {
    /// The declared kind.
    pub expected: Kind,
    /// What was there instead, as its shape.
    pub found: String,
    /// Why it could not be read, where the shape does not tell.
    pub reason: Option<&'static str>,
}

/// The largest scale that a decimal can be declared with.
const SCALE_MAX: u32 = Decimal::MAX_SCALE;

impl Kind {
    /// What a value is by itself; a missing one could be text.
    #[must_use]
    pub const fn of(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Self::Boolean,
            Value::Int(_) => Self::Integer,
            Value::Decimal(_) | Value::Number(_) => Self::Decimal { scale: None },
            Value::Date(_) => Self::Date,
            Value::DateTime(_) => Self::DateTime { precision: None },
            Value::List(_) => Self::List,
            Value::Map(_) => Self::Map,
            Value::Null | Value::Text(_) => Self::Text,
        }
    }

    /// How each kind is named, for messages.
    pub const NAMES: [&'static str; 12] = [
        "any",
        "text",
        "integer",
        "decimal",
        "decimal(2)",
        "boolean",
        "date",
        "datetime",
        "datetime(s)",
        "datetime(ms)",
        "list",
        "map",
    ];

    /// Reads what a system sent as this kind. Null, and what the spelling counts as null, is null in every kind.
    pub fn read(self, value: &Value, spelling: &Spelling) -> Result<Value, Mismatch> {
        let is_false = self == Self::Boolean && *value == Value::Bool(false);
        if value.is_null() || (self != Self::Any && !is_false && spelling.is_null(value)) {
            return Ok(Value::Null);
        }
        let read = match self {
            Self::Any => Ok(value.clone()),
            Self::Text => read_text(value),
            Self::Integer => read_integer(value),
            Self::Decimal { .. } => read_decimal(value).map(Value::Decimal),
            Self::Boolean => read_boolean(value).map(Value::Bool),
            Self::Date => read_date(value, spelling).map(Value::Date),
            Self::DateTime { .. } => read_datetime(value, spelling).map(Value::DateTime),
            Self::List if value.as_list().is_some() => Ok(value.clone()),
            Self::Map if value.as_map().is_some() => Ok(value.clone()),
            Self::List | Self::Map => Err(None),
        };
        read.map_err(|reason| Mismatch {
            expected: self,
            found: Redacted(value).to_string(),
            reason,
        })
    }

    /// Writes a value of this kind as the system spells it. What is of another kind is written by its own.
    #[must_use]
    pub fn write(self, value: &Value, spelling: &Spelling) -> Value {
        match value {
            Value::Null => spelling.null.clone(),
            Value::Bool(truth) => match spelling.boolean {
                BooleanForm::Literal => Value::Bool(*truth),
                BooleanForm::Number => Value::Int(i64::from(*truth)),
                BooleanForm::Text => Value::Text(truth.to_string()),
            },
            Value::Int(int) => match self {
                Self::Decimal { .. } => self.write_decimal(Decimal::from(*int), spelling),
                _ => Value::Int(*int),
            },
            Value::Decimal(decimal) => self.write_decimal(*decimal, spelling),
            Value::Date(date) => Value::Text(spelling.write_date(*date)),
            Value::DateTime(datetime) => spelling.write_datetime(datetime),
            Value::List(list) => Value::List(list.iter().map(|item| Self::Any.write(item, spelling)).collect()),
            Value::Map(map) => Value::Map(
                map.iter()
                    .map(|(key, member)| (key.clone(), Self::Any.write(member, spelling)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    fn write_decimal(self, mut decimal: Decimal, spelling: &Spelling) -> Value {
        if let Self::Decimal { scale: Some(scale) } = self {
            decimal = decimal.round_dp(scale);
            decimal.rescale(scale);
        }
        match (spelling.decimal, self) {
            (DecimalForm::Text, Self::Decimal { .. }) => Value::Text(decimal.to_string()),
            _ => Value::Decimal(decimal),
        }
    }
}

/// The reason, where the shape of the value does not tell.
type Read<T> = Result<T, Option<&'static str>>;

fn read_text(value: &Value) -> Read<Value> {
    match value {
        Value::Bool(_) => Err(None),
        scalar => scalar.to_text().map(Value::Text).ok_or(None),
    }
}

fn read_integer(value: &Value) -> Read<Value> {
    let number = match value {
        Value::Int(_) => return Ok(value.clone()),
        Value::Decimal(decimal) => Some(*decimal),
        Value::Text(text) => match number::parse(text.trim()) {
            Some(Value::Int(int)) => return Ok(Value::Int(int)),
            Some(Value::Decimal(decimal)) => Some(decimal),
            Some(_) => return Err(Some("out of range")),
            None => return Err(Some("not written as a number")),
        },
        Value::Number(_) => return Err(Some("out of range")),
        _ => return Err(None),
    };
    match number.map(number::canonical_decimal) {
        Some(Value::Decimal(decimal)) if decimal.scale() > 0 => Err(Some("it has a fractional part")),
        Some(whole) => Ok(whole),
        None => Err(None),
    }
}

fn read_decimal(value: &Value) -> Read<Decimal> {
    match value {
        Value::Int(int) => Ok(Decimal::from(*int)),
        Value::Decimal(decimal) => Ok(*decimal),
        Value::Number(_) => Err(Some("more than 28 digits")),
        Value::Text(text) => match number::parse(text.trim()) {
            Some(Value::Text(_)) | None => Err(Some("not written as a number")),
            Some(number) => read_decimal(&number),
        },
        _ => Err(None),
    }
}

fn read_boolean(value: &Value) -> Read<bool> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::Int(0) => Ok(false),
        Value::Int(1) => Ok(true),
        Value::Int(_) => Err(Some("only 0 and 1 are booleans")),
        Value::Text(text) => match text.trim() {
            "0" => Ok(false),
            "1" => Ok(true),
            word if word.eq_ignore_ascii_case("true") => Ok(true),
            word if word.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(Some("only `true`, `false`, `1` and `0` are booleans")),
        },
        _ => Err(None),
    }
}

fn read_date(value: &Value, spelling: &Spelling) -> Read<NaiveDate> {
    match value {
        Value::Date(date) => Ok(*date),
        Value::DateTime(_) => Err(Some("a datetime is not a date; say which zone's day is meant")),
        Value::Text(text) => spelling.read_date(text).ok_or_else(|| {
            Some(match spelling.read_datetime(text) {
                Ok(_) => "a datetime is not a date; say which zone's day is meant",
                Err(_) => "not written as a date",
            })
        }),
        _ => Err(None),
    }
}

fn read_datetime(value: &Value, spelling: &Spelling) -> Read<DateTime<FixedOffset>> {
    match value {
        Value::DateTime(datetime) => Ok(*datetime),
        Value::Date(_) => Err(Some("a date is not a datetime")),
        Value::Text(text) => spelling.read_datetime(text).map_err(Some),
        Value::Int(count) => spelling.read_epoch(*count).map_err(Some),
        _ => Err(None),
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Text => f.write_str("text"),
            Self::Integer => f.write_str("integer"),
            Self::Decimal { scale: None } => f.write_str("decimal"),
            Self::Decimal { scale: Some(scale) } => write!(f, "decimal({scale})"),
            Self::Boolean => f.write_str("boolean"),
            Self::Date => f.write_str("date"),
            Self::DateTime { precision: None } => f.write_str("datetime"),
            Self::DateTime {
                precision: Some(precision),
            } => write!(f, "datetime({precision})"),
            Self::List => f.write_str("list"),
            Self::Map => f.write_str("map"),
        }
    }
}

impl FromStr for Kind {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let fail = || ParseError::new(text);
        let (name, option) = match text.strip_suffix(')').and_then(|text| text.split_once('(')) {
            Some((name, option)) => (name, Some(option)),
            None => (text, None),
        };
        match (name, option) {
            ("any", None) => Ok(Self::Any),
            ("text", None) => Ok(Self::Text),
            ("integer", None) => Ok(Self::Integer),
            ("boolean", None) => Ok(Self::Boolean),
            ("date", None) => Ok(Self::Date),
            ("list", None) => Ok(Self::List),
            ("map", None) => Ok(Self::Map),
            ("decimal", None) => Ok(Self::Decimal { scale: None }),
            ("decimal", Some(scale)) => match scale.parse() {
                Ok(digits) if digits <= SCALE_MAX && !scale.starts_with('+') => {
                    Ok(Self::Decimal { scale: Some(digits) })
                }
                _ => Err(fail()),
            },
            ("datetime", None) => Ok(Self::DateTime { precision: None }),
            ("datetime", Some(precision)) => match precision.parse() {
                Ok(precision) => Ok(Self::DateTime {
                    precision: Some(precision),
                }),
                Err(ParseError { .. }) => Err(fail()),
            },
            _ => Err(fail()),
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
