//! How a system spells decimals, dates, datetimes, booleans and nothing, as its connector says.

use std::{
    fmt::{self, Write as _},
    str::FromStr,
};

use chrono::{
    DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, SecondsFormat, TimeZone, Timelike, Utc,
    format::{Item, StrftimeItems},
};
use chrono_tz::Tz;

use super::{Value, kind::Precision};

/// How one system spells values. The default is what JSON APIs mostly do.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spelling {
    /// Zone of datetimes that carry none. Without it such a datetime is refused.
    pub zone: Option<Tz>,
    /// How decimals are written; both forms are read.
    pub decimal: DecimalForm,
    /// How booleans are written; all forms are read.
    pub boolean: BooleanForm,
    /// How datetimes are written, and how those are read that are not RFC 3339.
    pub datetime: DateTimeForm,
    /// How dates are written, and read beside ISO 8601.
    pub date: DateForm,
    /// Values that mean null in a field of a declared kind (`false`, `""`). In a boolean field `false` stays `false`.
    pub empty: Vec<Value>,
    /// What null is written as.
    pub null: Value,
}

/// A text that names no form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct ParseError {
    text: String,
    expected: &'static str,
}

/// How decimals are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DecimalForm {
    /// As a JSON number, with all digits.
    #[default]
    Number,
    /// As text.
    Text,
}

/// How booleans are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BooleanForm {
    /// `true` and `false`.
    #[default]
    Literal,
    /// `1` and `0`.
    Number,
    /// `"true"` and `"false"`.
    Text,
}

/// How dates are written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DateForm {
    /// `2026-03-01`.
    #[default]
    Iso,
    /// A strftime pattern.
    Pattern(Pattern),
}

/// How datetimes are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DateTimeForm {
    /// RFC 3339. Without a precision as many digits as the value has.
    Rfc3339 {
        /// Digits behind the second; what is beyond them is cut.
        precision: Option<Precision>,
        /// How the offset is written.
        offset: OffsetForm,
    },
    /// A strftime pattern; without an offset in it the time is that of [`Spelling::zone`].
    Pattern(Pattern),
    /// Whole seconds since 1970 UTC.
    EpochSeconds,
    /// Whole milliseconds since 1970 UTC.
    EpochMillis,
}

impl Default for DateTimeForm {
    fn default() -> Self {
        Self::Rfc3339 {
            precision: None,
            offset: OffsetForm::Z,
        }
    }
}

/// How the offset of a datetime is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OffsetForm {
    /// In UTC, as `Z`.
    #[default]
    Z,
    /// As `+02:00`: the offset in [`Spelling::zone`], or the value's own.
    Numeric,
}

/// A checked strftime pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Box<str>);

const PATTERN_BYTES_MAX: usize = 128;

impl Pattern {
    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What was formatted with a pattern; `None` where the value has not what the pattern asks for.
    fn format(delayed: impl fmt::Display) -> Option<String> {
        let mut text = String::new();
        write!(text, "{delayed}").ok().map(|()| text)
    }
}

impl FromStr for Pattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let is_sound = text.contains('%')
            && text.len() <= PATTERN_BYTES_MAX
            && StrftimeItems::new(text).all(|item| item != Item::Error);
        is_sound.then(|| Self(text.into())).ok_or_else(|| ParseError {
            text: text.chars().take(PATTERN_BYTES_MAX).collect(),
            expected: "a strftime pattern such as `%Y-%m-%d %H:%M:%S`",
        })
    }
}

impl FromStr for DecimalForm {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "number" => Ok(Self::Number),
            "text" => Ok(Self::Text),
            _ => Err(ParseError {
                text: text.to_owned(),
                expected: "`number` or `text`",
            }),
        }
    }
}

impl FromStr for BooleanForm {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "literal" => Ok(Self::Literal),
            "number" => Ok(Self::Number),
            "text" => Ok(Self::Text),
            _ => Err(ParseError {
                text: text.to_owned(),
                expected: "`literal`, `number` or `text`",
            }),
        }
    }
}

impl FromStr for DateForm {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "iso" | "rfc3339" => Ok(Self::Iso),
            pattern => pattern.parse().map(Self::Pattern),
        }
    }
}

impl FromStr for DateTimeForm {
    type Err = ParseError;

    /// `rfc3339`, `rfc3339(s|ms|us)`, `rfc3339(ms, offset)`, `epoch_seconds`, `epoch_millis` or a strftime pattern.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let fail = || ParseError {
            text: text.chars().take(PATTERN_BYTES_MAX).collect(),
            expected: "`rfc3339`, `rfc3339(s)`, `rfc3339(ms)`, `rfc3339(us)`, `rfc3339(ms, offset)`, `epoch_seconds`, \
                       `epoch_millis` or a strftime pattern",
        };
        match text {
            "epoch_seconds" => return Ok(Self::EpochSeconds),
            "epoch_millis" => return Ok(Self::EpochMillis),
            "rfc3339" => return Ok(Self::default()),
            pattern if pattern.contains('%') => return pattern.parse().map(Self::Pattern),
            _ => {}
        }
        let options = text
            .strip_prefix("rfc3339(")
            .and_then(|rest| rest.strip_suffix(')'))
            .ok_or_else(fail)?;
        let (mut precision, mut offset) = (None, OffsetForm::Z);
        for option in options.split(',').map(str::trim) {
            match option {
                "offset" => offset = OffsetForm::Numeric,
                other => precision = Some(other.parse().map_err(|_| fail())?),
            }
        }
        Ok(Self::Rfc3339 { precision, offset })
    }
}

impl Spelling {
    /// Whether the value means null here. Not for boolean fields, see [`Spelling::empty`].
    pub(super) fn is_null(&self, value: &Value) -> bool {
        value.is_null() || self.empty.contains(value)
    }

    pub(super) fn read_date(&self, text: &str) -> Option<NaiveDate> {
        let text = text.trim();
        if let DateForm::Pattern(pattern) = &self.date
            && let Ok(date) = NaiveDate::parse_from_str(text, pattern.as_str())
        {
            return Some(date);
        }
        iso_date(text)
    }

    pub(super) fn write_date(&self, date: NaiveDate) -> String {
        match &self.date {
            DateForm::Iso => None,
            DateForm::Pattern(pattern) => Pattern::format(date.format(pattern.as_str())),
        }
        .unwrap_or_else(|| date.to_string())
    }

    /// Reads a datetime from text; the error says what is missing.
    pub(super) fn read_datetime(&self, text: &str) -> Result<DateTime<FixedOffset>, &'static str> {
        let text = text.trim();
        if let DateTimeForm::Pattern(pattern) = &self.datetime {
            if let Ok(datetime) = DateTime::parse_from_str(text, pattern.as_str()) {
                return Ok(datetime);
            }
            if let Ok(naive) = NaiveDateTime::parse_from_str(text, pattern.as_str()) {
                return self.in_zone(naive);
            }
        }
        if let Some(datetime) = rfc3339(text) {
            return Ok(datetime);
        }
        match naive(text) {
            Some(naive) => self.in_zone(naive),
            None if iso_date(text).is_some() => Err("a date is not a datetime"),
            None => Err("not written as a datetime"),
        }
    }

    /// Reads a datetime from a number, where the system counts from 1970.
    pub(super) fn read_epoch(&self, count: i64) -> Result<DateTime<FixedOffset>, &'static str> {
        let datetime = match self.datetime {
            DateTimeForm::EpochSeconds => DateTime::from_timestamp(count, 0),
            DateTimeForm::EpochMillis => DateTime::from_timestamp_millis(count),
            _ => return Err("the system is not declared to count seconds or milliseconds"),
        };
        datetime.map(|utc| utc.fixed_offset()).ok_or("out of range")
    }

    pub(super) fn write_datetime(&self, datetime: &DateTime<FixedOffset>) -> Value {
        match &self.datetime {
            DateTimeForm::EpochSeconds => Value::Int(datetime.timestamp()),
            DateTimeForm::EpochMillis => Value::Int(datetime.timestamp_millis()),
            DateTimeForm::Rfc3339 { precision, offset } => {
                Value::Text(self.write_rfc3339(datetime, *precision, *offset))
            }
            DateTimeForm::Pattern(pattern) => {
                let zone = self.zone.unwrap_or(Tz::UTC);
                let written = Pattern::format(datetime.with_timezone(&zone).format(pattern.as_str()));
                Value::Text(written.unwrap_or_else(|| datetime.to_rfc3339()))
            }
        }
    }

    fn write_rfc3339(&self, at: &DateTime<FixedOffset>, precision: Option<Precision>, offset: OffsetForm) -> String {
        let digits = match precision {
            None => SecondsFormat::AutoSi,
            Some(Precision::Seconds) => SecondsFormat::Secs,
            Some(Precision::Millis) => SecondsFormat::Millis,
            Some(Precision::Micros) => SecondsFormat::Micros,
        };
        match (offset, self.zone) {
            (OffsetForm::Z, _) => at.with_timezone(&Utc).to_rfc3339_opts(digits, true),
            (OffsetForm::Numeric, Some(zone)) => at.with_timezone(&zone).to_rfc3339_opts(digits, false),
            (OffsetForm::Numeric, None) => at.to_rfc3339_opts(digits, false),
        }
    }

    /// The instant of a wall clock time: the earlier one in the hour that comes twice in autumn.
    fn in_zone(&self, naive: NaiveDateTime) -> Result<DateTime<FixedOffset>, &'static str> {
        let zone = self
            .zone
            .ok_or("it has no offset, and the system has no zone declared")?;
        let local = zone.from_local_datetime(&naive).earliest();
        local
            .map(|datetime| datetime.fixed_offset())
            .ok_or("the clocks of the declared zone skipped this hour")
    }
}

/// RFC 3339, also with a space for the `T` and an offset without a colon.
fn rfc3339(text: &str) -> Option<DateTime<FixedOffset>> {
    let is_four_digit_year = text.as_bytes().get(4) == Some(&b'-');
    let parsed = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z"))
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"));
    parsed.ok().filter(|_| is_four_digit_year)
}

fn naive(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
        .ok()
        .filter(|datetime| datetime.nanosecond() < 1_000_000_000)
}

/// `2026-03-01`, with all its digits and nothing else.
pub(crate) fn iso_date(text: &str) -> Option<NaiveDate> {
    let is_complete = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (is_complete && (0..=9999).contains(&date.year())).then_some(date)
}
