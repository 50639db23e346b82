//! Filters on dates and datetimes. Nothing here knows what time it is.

use std::fmt::{self, Write as _};

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;

use super::{Call, Outcome, Refusal, refuse};
use crate::core::value::{
    Redacted, Value,
    kind::Kind,
    spelling::{DateForm, DateTimeForm, Pattern, Spelling},
};

const DATETIME: Kind = Kind::DateTime { precision: None };

fn spelled(kind: Kind, value: &Value, spelling: &Spelling) -> Outcome {
    let read = kind.read(value, spelling);
    read.map(Some).map_err(|mismatch| refuse(mismatch.to_string()))
}

/// With a pattern: the date or datetime written by it. Without: the date that a text says.
pub(super) fn date(call: &Call<'_>) -> Outcome {
    if !call.has(0) {
        return spelled(Kind::Date, call.input()?, &Spelling::default());
    }
    let pattern = pattern(call, 0)?;
    let written = match call.input()? {
        Value::Date(date) => write(date.format(pattern.as_str())),
        Value::DateTime(at) => write(at.format(pattern.as_str())),
        Value::Text(text) => written(text, pattern.as_str()),
        _ => None,
    };
    written.map(|text| Some(Value::Text(text))).ok_or_else(|| {
        let found = call
            .input
            .as_deref()
            .map(|value| Redacted(value).to_string())
            .unwrap_or_default();
        refuse(format!(
            "{found} is no date or datetime with all that the pattern asks for"
        ))
    })
}

/// Writes by a pattern the date or datetime that a text says; a datetime without a zone stays without.
fn written(text: &str, pattern: &str) -> Option<String> {
    let spelling = Spelling::default();
    let value = Value::from(text);
    let date = Kind::Date.read(&value, &spelling).ok();
    if let Some(Value::Date(date)) = date {
        return write(date.format(pattern));
    }
    if let Ok(Value::DateTime(at)) = DATETIME.read(&value, &spelling) {
        return write(at.format(pattern));
    }
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .into_iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text.trim(), form).ok());
    write(naive?.format(pattern))
}

fn write(delayed: impl fmt::Display) -> Option<String> {
    let mut text = String::new();
    write!(text, "{delayed}").ok().map(|()| text)
}

/// The datetime that a text says; one without an offset is of the given zone.
pub(super) fn datetime(call: &Call<'_>) -> Outcome {
    let zone = if call.has(0) { Some(zone(call, 0)?) } else { None };
    let spelling = Spelling {
        zone,
        ..Spelling::default()
    };
    spelled(DATETIME, call.input()?, &spelling)
}

pub(super) fn parse_date(call: &Call<'_>) -> Outcome {
    let pattern = pattern(call, 0)?;
    let text = call.input_text()?;
    let date = NaiveDate::parse_from_str(text.trim(), pattern.as_str());
    date.map(|date| Some(Value::Date(date)))
        .map_err(|_| refuse("the text does not follow the pattern"))
}

pub(super) fn parse_datetime(call: &Call<'_>) -> Outcome {
    let spelling = Spelling {
        zone: if call.has(1) { Some(zone(call, 1)?) } else { None },
        date: DateForm::Iso,
        datetime: DateTimeForm::Pattern(pattern(call, 0)?),
        ..Spelling::default()
    };
    spelled(DATETIME, &Value::Text(call.input_text()?.into_owned()), &spelling)
}

/// The same instant on the clocks of another zone.
pub(super) fn in_zone(call: &Call<'_>) -> Outcome {
    let at = instant(call)?;
    Ok(Some(Value::DateTime(at.with_timezone(&zone(call, 0)?).fixed_offset())))
}

pub(super) fn epoch_seconds(call: &Call<'_>) -> Outcome {
    Ok(Some(Value::Int(instant(call)?.timestamp())))
}

pub(super) fn epoch_millis(call: &Call<'_>) -> Outcome {
    Ok(Some(Value::Int(instant(call)?.timestamp_millis())))
}

pub(super) fn from_epoch_seconds(call: &Call<'_>) -> Outcome {
    counted(call, DateTimeForm::EpochSeconds)
}

pub(super) fn from_epoch_millis(call: &Call<'_>) -> Outcome {
    counted(call, DateTimeForm::EpochMillis)
}

fn counted(call: &Call<'_>, datetime: DateTimeForm) -> Outcome {
    let count = call.kind(Kind::Integer)?.unwrap_or_default();
    let spelling = Spelling {
        datetime,
        ..Spelling::default()
    };
    spelled(DATETIME, &count, &spelling)
}

fn instant(call: &Call<'_>) -> Result<DateTime<FixedOffset>, Refusal> {
    match spelled(DATETIME, call.input()?, &Spelling::default())? {
        Some(Value::DateTime(at)) => Ok(at),
        _ => Err(refuse("expected a datetime")),
    }
}

fn pattern(call: &Call<'_>, at: usize) -> Result<Pattern, Refusal> {
    let text = call.text(at)?;
    text.parse()
        .map_err(|_| refuse("the pattern is no strftime pattern such as `%Y-%m-%d`"))
}

fn zone(call: &Call<'_>, at: usize) -> Result<Tz, Refusal> {
    let name = call.text(at)?;
    name.parse()
        .map_err(|_| refuse("there is no such time zone; zones are named like `America/Sao_Paulo`"))
}
