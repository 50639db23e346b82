//! One field of an event: what its template yields, as what it is meant to be.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::{EVENTS_MAX, Malformed, NAME_BYTES_MAX};
use crate::core::{
    expr::{Fault, Scope, Template},
    value::{Map, Value},
};

/// What a template yields; `None` where it is made from something that the request does not have.
pub(super) fn find(field: &'static str, template: &Template, scope: &Scope) -> Result<Option<Value>, Malformed> {
    match template.find(scope) {
        Err(Fault::Absent { .. }) => Ok(None),
        found => found.map_err(|source| Malformed::Template { field, source }),
    }
}

pub(super) fn flag(field: &'static str, template: &Template, scope: &Scope) -> Result<bool, Malformed> {
    match find(field, template, scope)? {
        Some(Value::Bool(flag)) => Ok(flag),
        Some(Value::Null) | None => Ok(false),
        Some(other) => Err(Malformed::Type {
            field,
            found: other.type_name(),
            expected: "true or false",
        }),
    }
}

/// An id or a name: a text or a number that is not empty; `None` where there is none.
pub(super) fn name(
    field: &'static str,
    template: Option<&Template>,
    scope: &Scope,
) -> Result<Option<String>, Malformed> {
    let value = match template {
        Some(template) => find(field, template, scope)?,
        None => None,
    };
    match value {
        Some(value) => text(field, &value),
        None => Ok(None),
    }
}

/// The records that an event speaks of: one, or those of a list, in which a list stands for its items; each once.
pub(super) fn names(field: &'static str, template: Option<&Template>, scope: &Scope) -> Result<Vec<String>, Malformed> {
    let value = match template {
        Some(template) => find(field, template, scope)?,
        None => None,
    };
    let (mut names, mut seen) = (Vec::new(), HashSet::new());
    for item in items(value.unwrap_or_default()).flat_map(items) {
        let Some(name) = text(field, &item)? else { continue };
        if seen.insert(name.clone()) {
            names.push(name);
        }
        if names.len() > EVENTS_MAX {
            return Err(Malformed::TooMany { count: names.len() });
        }
    }
    Ok(names)
}

fn items(value: Value) -> impl Iterator<Item = Value> {
    match value {
        Value::List(items) => items,
        one => vec![one],
    }
    .into_iter()
}

fn text(field: &'static str, value: &Value) -> Result<Option<String>, Malformed> {
    if value.is_null() {
        return Ok(None);
    }
    if value.is_structure() || value.as_bool().is_some() {
        return Err(Malformed::Type {
            field,
            found: value.type_name(),
            expected: "a text or a number",
        });
    }
    let text = value.to_text().unwrap_or_default();
    if text.trim().is_empty() {
        return Ok(None);
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(Malformed::TooLong {
            field,
            bytes: text.len(),
        });
    }
    Ok(Some(text))
}

pub(super) fn record(template: &Template, scope: &Scope) -> Result<Option<Map>, Malformed> {
    match find("record", template, scope)? {
        Some(Value::Map(record)) => Ok(Some(record)),
        Some(Value::Null) | None => Ok(None),
        Some(other) => Err(Malformed::Type {
            field: "record",
            found: other.type_name(),
            expected: "an object",
        }),
    }
}

/// The moment that a value names: RFC 3339, or seconds or milliseconds since 1970, told apart by size (milliseconds
/// begin in 1973, seconds end in 5138). A time without a zone names no moment.
pub(in crate::core) fn moment(value: &Value) -> Option<DateTime<Utc>> {
    const MILLIS_MIN: i64 = 100_000_000_000;

    let text = value.to_text()?;
    let whole = text.split_once('.').map_or(text.as_str(), |(whole, _)| whole);
    match whole.parse::<i64>() {
        Ok(millis) if millis >= MILLIS_MIN => DateTime::from_timestamp_millis(millis),
        Ok(seconds) => DateTime::from_timestamp(seconds, 0),
        Err(_) => DateTime::parse_from_rfc3339(&text).ok().map(|moment| moment.to_utc()),
    }
}
