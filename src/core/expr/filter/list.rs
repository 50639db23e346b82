//! Filters on lists and maps.

use super::{super::OUTPUT_BYTES_MAX, Call, Outcome, Refusal, plain_text, refuse};
use crate::core::{
    expr::{engine, operator},
    path::Path,
    value::{Map, Redacted, Value},
};

fn items_of<'a>(call: &'a Call<'_>) -> Result<&'a [Value], Refusal> {
    let value = call.input()?;
    value
        .as_list()
        .ok_or_else(|| refuse(format!("{} is not a list", Redacted(value))))
}

fn members_of<'a>(call: &'a Call<'_>) -> Result<&'a Map, Refusal> {
    let value = call.input()?;
    value
        .as_map()
        .ok_or_else(|| refuse(format!("{} is not a map", Redacted(value))))
}

/// Items of a list, members of a map, characters of a text; null has none.
pub(super) fn length(call: &Call<'_>) -> Outcome {
    let length = match call.input()? {
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        _ => call.input_text()?.chars().count(),
    };
    Ok(Some(Value::Int(i64::try_from(length).unwrap_or(i64::MAX))))
}

pub(super) fn first(call: &Call<'_>) -> Outcome {
    Ok(items_of(call)?.first().cloned())
}

pub(super) fn last(call: &Call<'_>) -> Outcome {
    Ok(items_of(call)?.last().cloned())
}

pub(super) fn join(call: &Call<'_>) -> Outcome {
    let separator = if call.has(0) { call.text(0)? } else { "".into() };
    let mut text = String::new();
    for (at, item) in items_of(call)?.iter().enumerate() {
        if at > 0 {
            text.push_str(&separator);
        }
        text.push_str(&plain_text(item)?);
        if text.len() > OUTPUT_BYTES_MAX {
            return Err(Refusal::Size);
        }
    }
    Ok(Some(Value::Text(text)))
}

fn path(call: &Call<'_>) -> Result<Path, Refusal> {
    Path::parse(&call.text(0)?).map_err(|error| refuse(error.to_string()))
}

/// The same member of every item; items without it are left out.
pub(super) fn pluck(call: &Call<'_>) -> Outcome {
    let path = path(call)?;
    let mut budget = OUTPUT_BYTES_MAX;
    let mut list = Vec::new();
    for value in items_of(call)?.iter().filter_map(|item| path.get(item)) {
        engine::weigh(value, &mut budget).map_err(|_| Refusal::Size)?;
        list.push(value.clone());
    }
    Ok(Some(Value::List(list)))
}

/// The first item whose member is the given value.
pub(super) fn find(call: &Call<'_>) -> Outcome {
    let (path, wanted) = (path(call)?, call.argument(1)?);
    let mut items = items_of(call)?.iter();
    Ok(items
        .find(|item| path.get(item).is_some_and(|value| operator::same(value, wanted)))
        .cloned())
}

pub(super) fn keys(call: &Call<'_>) -> Outcome {
    let keys = members_of(call)?.keys().map(|key| Value::from(key.as_str()));
    Ok(Some(Value::List(keys.collect())))
}

/// The members of a map as a list of `{key, value}`.
pub(super) fn items(call: &Call<'_>) -> Outcome {
    let mut budget = OUTPUT_BYTES_MAX;
    engine::weigh(call.input()?, &mut budget).map_err(|_| Refusal::Size)?;
    let items = members_of(call)?.iter().map(|(key, value)| {
        Value::Map(Map::from([
            ("key".to_owned(), Value::from(key.as_str())),
            ("value".to_owned(), value.clone()),
        ]))
    });
    Ok(Some(Value::List(items.collect())))
}

/// A map with the members of another; where both have one, that of the other counts.
pub(super) fn merge(call: &Call<'_>) -> Outcome {
    let other = call.argument(0)?;
    let other = other
        .as_map()
        .ok_or_else(|| refuse(format!("{} is not a map", Redacted(other))))?;
    let mut budget = OUTPUT_BYTES_MAX;
    for map in [call.input()?, call.argument(0)?] {
        engine::weigh(map, &mut budget).map_err(|_| Refusal::Size)?;
    }
    let mut merged = members_of(call)?.clone();
    merged.extend(other.iter().map(|(key, value)| (key.clone(), value.clone())));
    Ok(Some(Value::Map(merged)))
}

/// A map without the members of these names.
pub(super) fn omit(call: &Call<'_>) -> Outcome {
    let mut budget = OUTPUT_BYTES_MAX;
    engine::weigh(call.input()?, &mut budget).map_err(|_| Refusal::Size)?;
    let mut left = members_of(call)?.clone();
    for at in 0..call.args.len() {
        left.remove(call.text(at)?.as_ref());
    }
    Ok(Some(Value::Map(left)))
}
