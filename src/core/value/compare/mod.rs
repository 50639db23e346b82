//! When two values mean the same.
//!
//! - **Numbers** are equal when they are numerically equal, whatever their scale and form: `5`, `5.0` and `5e0`;
//!   integers beyond 2⁵³ and numbers beyond every type are compared by their digits. A kind `decimal(2)` rounds both
//!   sides to that scale first (half to even): 1.005 and 1.00 are then the same. Without a declared scale nothing is
//!   rounded: 1.005 and 1.01 differ, because a scale that happens to be visible in one value is no promise of its
//!   system.
//! - **Datetimes** are equal when they are the same instant, at the coarser precision: a declared one
//!   (`datetime(ms)`), else the coarser of what the two values show (whole seconds, milliseconds, microseconds). A date
//!   is never equal to a datetime.
//! - **Texts** are compared as [`Compare`] says. There is no Unicode normalization: `é` as one character and as two are
//!   different texts.
//! - **Lists** are equal item by item, **maps** member by member; inside them texts are compared in the same way.
//! - Null equals only null; an empty text is a value.

use std::borrow::Cow;

use chrono::{DateTime, FixedOffset, SubsecRound, Timelike, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Map, Value,
    kind::{Kind, Precision},
    number,
};

/// How texts are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// Every character counts.
    #[default]
    Exact,
    /// White space at both ends does not count.
    Trimmed,
    /// Neither does upper or lower case.
    Caseless,
    /// Only letters and digits count, without their case: tax ids, product codes.
    Alphanumeric,
    /// Only the digits 0 to 9 count.
    Digits,
    /// Telephone numbers: digits, with a leading `+` where the number is international (`00` is one).
    Phone,
    /// Email addresses: trimmed, without case.
    Email,
}

impl Compare {
    /// Every way, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Exact,
        Self::Trimmed,
        Self::Caseless,
        Self::Alphanumeric,
        Self::Digits,
        Self::Phone,
        Self::Email,
    ];

    /// The name in definition files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Trimmed => "trimmed",
            Self::Caseless => "caseless",
            Self::Alphanumeric => "alphanumeric",
            Self::Digits => "digits",
            Self::Phone => "phone",
            Self::Email => "email",
        }
    }

    /// The part of a text that counts.
    #[must_use]
    pub fn text(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Exact => Cow::Borrowed(text),
            Self::Trimmed => Cow::Borrowed(trimmed(text)),
            Self::Caseless | Self::Email => Cow::Owned(fold(trimmed(text))),
            Self::Alphanumeric => Cow::Owned(
                fold(text)
                    .chars()
                    .filter(|c| c.is_alphanumeric())
                    .flat_map(char::to_uppercase)
                    .collect(),
            ),
            Self::Digits => Cow::Owned(text.chars().filter(char::is_ascii_digit).collect()),
            Self::Phone => Cow::Owned(phone(text)),
        }
    }
}

impl std::fmt::Display for Compare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no [`Compare`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no way to compare; there are exact, trimmed, caseless, alphanumeric, digits, phone and email")]
pub struct ParseError {
    text: String,
}

impl std::str::FromStr for Compare {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL
            .into_iter()
            .find(|compare| compare.name() == text)
            .ok_or_else(|| ParseError {
                text: text.chars().take(40).collect(),
            })
    }
}

/// As [`str::trim`], which looks at whole characters where one look at a byte mostly tells that there is nothing to be trimmed.
fn trimmed(text: &str) -> &str {
    let is_plain = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    if is_plain(text.as_bytes().first()) && is_plain(text.as_bytes().last()) {
        text
    } else {
        text.trim()
    }
}

/// Text without case: lower case of upper case, so that `ß` and `SS`, `ς` and `σ` meet.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

/// The digits of a telephone number, behind a `+` where it is international. The `(0)` of `+49 (0) 30` is no digit of
/// an international number; what follows a letter (`ext. 12`) is no part of the number.
fn phone(text: &str) -> String {
    let text = text.trim_start_matches(|c: char| !(c.is_ascii_digit() || c == '+'));
    let number = text
        .find(char::is_alphabetic)
        .and_then(|end| text.get(..end))
        .unwrap_or(text);
    let digits = |number: &str| number.chars().filter(char::is_ascii_digit).collect::<String>();
    // By the digits alone, so that the normal form of a number is the normal form of its normal form.
    let is_international = number.starts_with('+') || digits(number).starts_with("00");
    let number = if is_international {
        number.replace("(0)", "")
    } else {
        number.to_owned()
    };
    let digits = digits(&number);
    if is_international {
        format!("+{}", digits.trim_start_matches('0'))
    } else {
        digits
    }
}

/// Whether two values of a kind mean the same; the rules are those of this module.
#[must_use]
pub fn equal(left: &Value, right: &Value, kind: Kind, compare: Compare) -> bool {
    let mut open = vec![(left, right)];
    while let Some(pair) = open.pop() {
        match pair {
            (Value::List(left), Value::List(right)) => {
                if left.len() != right.len() {
                    return false;
                }
                open.extend(left.iter().zip(right));
            }
            (Value::Map(left), Value::Map(right)) => {
                if left.len() != right.len() || !left.keys().eq(right.keys()) {
                    return false;
                }
                open.extend(left.values().zip(right.values()));
            }
            (left, right) if scalars_equal(left, right, kind, compare) => {}
            _ => return false,
        }
    }
    true
}

fn scalars_equal(left: &Value, right: &Value, kind: Kind, compare: Compare) -> bool {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => left == right || compare.text(left) == compare.text(right),
        (Value::DateTime(left), Value::DateTime(right)) => {
            let precision = declared(kind).or_else(|| coarser(visible(left), visible(right)));
            instant(left, precision) == instant(right, precision)
        }
        (left, right) => left == right || scalar(left, kind, compare) == scalar(right, kind, compare),
    }
}

/// The one form of all values that mean the same, for hashing and joining. Where a datetime has no declared precision
/// it is that of the whole second, so that both sides of [`equal`] values have one form; two values that differ only
/// behind the second then share it too.
#[must_use]
pub fn normalize(value: &Value, kind: Kind, compare: Compare) -> Value {
    normalize_at(value, kind, compare, 0)
}

/// Deeper than any document that is read ([`super::json::Limits::DEPTH_MAX`]); what is below is taken as it is.
const DEPTH_MAX: usize = 160;

fn normalize_at(value: &Value, kind: Kind, compare: Compare, depth: usize) -> Value {
    match value {
        _ if depth > DEPTH_MAX => value.clone(),
        Value::List(list) => Value::List(
            list.iter()
                .map(|item| normalize_at(item, kind, compare, depth + 1))
                .collect(),
        ),
        Value::Map(map) => {
            let normal =
                |(key, member): (&String, &Value)| (key.clone(), normalize_at(member, kind, compare, depth + 1));
            Value::Map(map.iter().map(normal).collect::<Map>())
        }
        leaf => scalar(leaf, kind, compare),
    }
}

fn scalar(value: &Value, kind: Kind, compare: Compare) -> Value {
    match value {
        Value::Int(int) => whole(*int, kind, compare),
        Value::Text(text) => Value::Text(compare.text(text).into_owned()),
        Value::Decimal(decimal) => {
            let rounded = match kind {
                Kind::Decimal { scale: Some(scale) } => decimal.round_dp(scale),
                _ => *decimal,
            };
            match number::canonical_decimal(rounded) {
                Value::Int(int) => whole(int, kind, compare),
                decimal => decimal,
            }
        }
        Value::Number(text) => Value::Number(number::canonical(text).into()),
        Value::DateTime(datetime) => {
            let precision = declared(kind).unwrap_or(Precision::Seconds);
            Value::DateTime(instant(datetime, Some(precision)).fixed_offset())
        }
        other => other.clone(),
    }
}

/// A whole number, however it was spelled; in a loose comparison its text, since one system holds ids and codes as
/// numbers and the other as texts.
fn whole(int: i64, kind: Kind, compare: Compare) -> Value {
    if compare != Compare::Exact && matches!(kind, Kind::Any | Kind::Text) {
        Value::Text(compare.text(&int.to_string()).into_owned())
    } else {
        Value::Int(int)
    }
}

/// Which of two instants is later, at the coarser of the precisions that they show: a system that cuts its times off must
/// not seem to be earlier than it was.
#[must_use]
pub fn later(left: DateTime<Utc>, right: DateTime<Utc>) -> std::cmp::Ordering {
    let (left, right) = (left.fixed_offset(), right.fixed_offset());
    let precision = coarser(visible(&left), visible(&right));
    instant(&left, precision).cmp(&instant(&right, precision))
}

const fn declared(kind: Kind) -> Option<Precision> {
    match kind {
        Kind::DateTime { precision } => precision,
        _ => None,
    }
}

/// The precision that a datetime shows; `None` where it is finer than all that can be declared.
fn visible(datetime: &DateTime<FixedOffset>) -> Option<Precision> {
    [Precision::Seconds, Precision::Millis, Precision::Micros]
        .into_iter()
        .find(|precision| datetime.nanosecond().is_multiple_of(precision.nanos()))
}

fn coarser(left: Option<Precision>, right: Option<Precision>) -> Option<Precision> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (left, right) => left.or(right),
    }
}

fn instant(datetime: &DateTime<FixedOffset>, precision: Option<Precision>) -> DateTime<Utc> {
    let digits = match precision {
        Some(Precision::Seconds) => 0,
        Some(Precision::Millis) => 3,
        Some(Precision::Micros) => 6,
        None => 9,
    };
    datetime.with_timezone(&Utc).trunc_subsecs(digits)
}

#[cfg(test)]
mod tests;
