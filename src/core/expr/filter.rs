//! The filters: everything an expression can do with a value beside comparing and choosing.
//!
//! `docs/expressions.md` lists them with examples that are run as tests.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, FixedOffset, NaiveDate};
use minijinja::{
    Environment, Error, ErrorKind, tests,
    value::{Rest, Value as Engine},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rust_decimal::{Decimal, RoundingStrategy};
use sha2::{Digest, Sha256};

use super::{OUTPUT_MAX, bridge};
use crate::core::value::{Value, json, kind::Kind, spelling::Spelling};

/// Every filter's name.
pub(super) const NAMES: &[&str] = &[
    "title",
    "upper",
    "lower",
    "trim",
    "replace",
    "split",
    "join",
    "first",
    "last",
    "length",
    "default",
    "text",
    "integer",
    "decimal",
    "boolean",
    "date",
    "datetime",
    "add",
    "sub",
    "mul",
    "div",
    "round",
    "b64encode",
    "b64decode",
    "urlencode",
    "json",
    "from_json",
    "sha256",
    "digits",
    "alphanumeric",
    "strip_prefix",
    "strip_suffix",
    "lookup",
    "keys",
    "slice",
];

/// Unreserved characters of RFC 3986 stay as they are.
const URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

type Outcome = Result<Engine, Error>;

fn fail(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// The argument as a value; something that is not there is refused.
fn read(value: &Engine) -> Result<Value, Error> {
    bridge::from_engine(value)
        .map_err(|fault| fail(fault.to_string()))?
        .ok_or_else(|| Error::new(ErrorKind::UndefinedError, "the value is not there"))
}

fn text(value: &Engine) -> Result<String, Error> {
    let value = read(value)?;
    value
        .to_text()
        .ok_or_else(|| fail(format!("a {} is no text", value.type_name())))
}

fn give(value: &Value) -> Engine {
    bridge::to_engine(value)
}

fn given(text: String) -> Outcome {
    if text.len() > OUTPUT_MAX {
        Err(fail("the result is too large"))
    } else {
        Ok(Engine::from(text))
    }
}

fn number(value: &Engine) -> Result<Decimal, Error> {
    match cast(value, Kind::Decimal { scale: None })? {
        Value::Decimal(decimal) => Ok(decimal),
        Value::Int(int) => Ok(Decimal::from(int)),
        other => Err(fail(format!(
            "a {} is no number that fits 28 digits",
            other.type_name()
        ))),
    }
}

fn cast(value: &Engine, kind: Kind) -> Result<Value, Error> {
    kind.read(&read(value)?, &Spelling::default())
        .map_err(|mismatch| fail(mismatch.to_string()))
}

fn exact(result: Option<Decimal>) -> Outcome {
    let decimal = result.ok_or_else(|| fail("the result does not fit 28 digits"))?;
    Ok(give(&Value::Decimal(decimal)))
}

pub(super) fn register(engine: &mut Environment<'static>) {
    register_tests(engine);
    register_texts(engine);
    register_kinds(engine);
    register_numbers(engine);
    register_codes(engine);
    register_structures(engine);
}

fn register_tests(engine: &mut Environment<'static>) {
    engine.add_test("defined", tests::is_defined);
    engine.add_test("undefined", tests::is_undefined);
    engine.add_test("none", tests::is_none);
    engine.add_test("in", tests::is_in);
    engine.add_test("boolean", tests::is_boolean);
    engine.add_test("number", tests::is_number);
    engine.add_test("integer", tests::is_integer);
    engine.add_test("string", tests::is_string);
    engine.add_test("sequence", tests::is_sequence);
    engine.add_test("mapping", tests::is_mapping);
    engine.add_test("startingwith", tests::is_startingwith);
    engine.add_test("endingwith", tests::is_endingwith);
    engine.add_test("empty", |value: &Engine| {
        bridge::from_engine(value).is_ok_and(|value| value.is_none_or(|value| value.is_empty()))
    });
}

fn register_texts(engine: &mut Environment<'static>) {
    engine.add_filter("upper", |value: &Engine| given(text(value)?.to_uppercase()));
    engine.add_filter("lower", |value: &Engine| given(text(value)?.to_lowercase()));
    engine.add_filter("trim", |value: &Engine| given(text(value)?.trim().to_owned()));
    engine.add_filter("title", |value: &Engine| given(title(&text(value)?)));
    engine.add_filter("replace", |value: &Engine, from: &str, to: &str| {
        let text = text(value)?;
        let growth = text.len().saturating_mul(to.len().max(1));
        if from.is_empty() || growth > OUTPUT_MAX {
            return Err(fail("nothing to replace, or the result is too large"));
        }
        given(text.replace(from, to))
    });
    engine.add_filter("strip_prefix", |value: &Engine, prefix: &str| {
        let text = text(value)?;
        given(text.strip_prefix(prefix).unwrap_or(&text).to_owned())
    });
    engine.add_filter("strip_suffix", |value: &Engine, suffix: &str| {
        let text = text(value)?;
        given(text.strip_suffix(suffix).unwrap_or(&text).to_owned())
    });
    engine.add_filter("digits", |value: &Engine| {
        given(text(value)?.chars().filter(char::is_ascii_digit).collect())
    });
    engine.add_filter("alphanumeric", |value: &Engine| {
        given(
            text(value)?
                .chars()
                .filter(|c| c.is_alphanumeric())
                .flat_map(char::to_uppercase)
                .collect(),
        )
    });
    engine.add_filter("slice", |value: &Engine, from: usize, count: Option<usize>| {
        given(
            text(value)?
                .chars()
                .skip(from)
                .take(count.unwrap_or(usize::MAX))
                .collect(),
        )
    });
    engine.add_filter("split", |value: &Engine, separator: &str| {
        let text = text(value)?;
        if separator.is_empty() {
            return Err(fail("a separator is missing"));
        }
        Ok(give(&Value::List(text.split(separator).map(Value::from).collect())))
    });
}

fn title(text: &str) -> String {
    let mut start = true;
    text.chars()
        .flat_map(|c| {
            let cased: Vec<char> = if start {
                c.to_uppercase().collect()
            } else {
                c.to_lowercase().collect()
            };
            start = !c.is_alphanumeric();
            cased
        })
        .collect()
}

fn register_kinds(engine: &mut Environment<'static>) {
    engine.add_filter("default", |value: &Engine, default: &Engine| {
        if value.is_undefined() || value.is_none() {
            default.clone()
        } else {
            value.clone()
        }
    });
    engine.add_filter("text", |value: &Engine| given(text(value)?));
    engine.add_filter("integer", |value: &Engine| {
        cast(value, Kind::Integer).map(|value| give(&value))
    });
    engine.add_filter("boolean", |value: &Engine| {
        cast(value, Kind::Boolean).map(|value| give(&value))
    });
    engine.add_filter("decimal", |value: &Engine| {
        number(value).map(|decimal| give(&Value::Decimal(decimal)))
    });
    engine.add_filter("date", |value: &Engine, pattern: Option<&str>| {
        let date = day(&read(value)?)?;
        match pattern {
            None => Ok(give(&Value::Date(date))),
            Some(pattern) => written(date.and_time(chrono::NaiveTime::MIN).and_utc().fixed_offset(), pattern),
        }
    });
    engine.add_filter("datetime", |value: &Engine, pattern: Option<&str>| {
        let Value::DateTime(instant) = cast(value, Kind::DateTime { precision: None })? else {
            return Err(fail("not a datetime"));
        };
        pattern.map_or_else(
            || Ok(give(&Value::DateTime(instant))),
            |pattern| written(instant, pattern),
        )
    });
}

/// The date of a date, a datetime, or a text that begins with one.
fn day(value: &Value) -> Result<NaiveDate, Error> {
    match value {
        Value::Date(date) => Ok(*date),
        Value::DateTime(instant) => Ok(instant.date_naive()),
        Value::Text(text) => text
            .get(..10)
            .and_then(|start| start.parse().ok())
            .ok_or_else(|| fail("the text does not begin with a date such as 2026-03-01")),
        other => Err(fail(format!("a {} is no date", other.type_name()))),
    }
}

fn written(instant: DateTime<FixedOffset>, pattern: &str) -> Outcome {
    use std::fmt::Write as _;
    let mut text = String::new();
    if pattern.len() > 64 || write!(text, "{}", instant.format(pattern)).is_err() {
        return Err(fail(format!("`{pattern}` is no strftime pattern")));
    }
    given(text)
}

fn register_numbers(engine: &mut Environment<'static>) {
    engine.add_filter("add", |one: &Engine, two: &Engine| {
        exact(number(one)?.checked_add(number(two)?))
    });
    engine.add_filter("sub", |one: &Engine, two: &Engine| {
        exact(number(one)?.checked_sub(number(two)?))
    });
    engine.add_filter("mul", |one: &Engine, two: &Engine| {
        exact(number(one)?.checked_mul(number(two)?))
    });
    engine.add_filter("div", |one: &Engine, two: &Engine, scale: u32| {
        let result = number(one)?.checked_div(number(two)?);
        exact(result.map(|result| result.round_dp_with_strategy(scale, RoundingStrategy::MidpointNearestEven)))
    });
    engine.add_filter("round", |value: &Engine, scale: Option<u32>| {
        let strategy = RoundingStrategy::MidpointNearestEven;
        exact(Some(
            number(value)?.round_dp_with_strategy(scale.unwrap_or(0), strategy),
        ))
    });
}

fn register_codes(engine: &mut Environment<'static>) {
    engine.add_filter("b64encode", |value: &Engine| {
        given(BASE64_STANDARD.encode(text(value)?))
    });
    engine.add_filter("b64decode", |value: &Engine| {
        let bytes = BASE64_STANDARD.decode(text(value)?).map_err(|_| fail("not base64"))?;
        given(String::from_utf8(bytes).map_err(|_| fail("the decoded bytes are no UTF-8 text"))?)
    });
    engine.add_filter("urlencode", |value: &Engine| {
        given(utf8_percent_encode(&text(value)?, URL).to_string())
    });
    engine.add_filter("sha256", |value: &Engine| {
        given(hex::encode(Sha256::digest(text(value)?)))
    });
    engine.add_filter("json", |value: &Engine| given(json::to_string(&read(value)?)));
    engine.add_filter("from_json", |value: &Engine| {
        let parsed = json::parse(text(value)?.as_bytes(), &json::Limits::default());
        parsed
            .map(|value| give(&value))
            .map_err(|error| fail(error.to_string()))
    });
}

fn register_structures(engine: &mut Environment<'static>) {
    engine.add_filter("length", |value: &Engine| match read(value)? {
        Value::List(list) => Ok(Engine::from(list.len())),
        Value::Map(map) => Ok(Engine::from(map.len())),
        other => Ok(Engine::from(other.to_text().unwrap_or_default().chars().count())),
    });
    engine.add_filter("first", |value: &Engine| edge(&read(value)?, <[Value]>::first));
    engine.add_filter("last", |value: &Engine| edge(&read(value)?, <[Value]>::last));
    engine.add_filter("join", |value: &Engine, separator: Option<&str>| {
        let Value::List(list) = read(value)? else {
            return Err(fail("only a list can be joined"));
        };
        let texts: Option<Vec<String>> = list.iter().map(Value::to_text).collect();
        given(
            texts
                .ok_or_else(|| fail("a list of structures cannot be joined"))?
                .join(separator.unwrap_or("")),
        )
    });
    engine.add_filter("keys", |value: &Engine| match read(value)? {
        Value::Map(map) => Ok(give(&Value::List(map.into_keys().map(Value::from).collect()))),
        other => Err(fail(format!("a {} has no keys", other.type_name()))),
    });
    engine.add_filter("lookup", |value: &Engine, table: &Engine, rest: Rest<Engine>| {
        let (key, Value::Map(map)) = (text(value)?, read(table)?) else {
            return Err(fail("`lookup` needs a table"));
        };
        match (map.get(&key), rest.first()) {
            (Some(found), _) => Ok(give(found)),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(fail("the table does not name this value, and there is no default")),
        }
    });
}

fn edge(value: &Value, pick: impl Fn(&[Value]) -> Option<&Value>) -> Outcome {
    match value {
        Value::List(list) => Ok(pick(list).map_or(Engine::UNDEFINED, give)),
        other => Err(fail(format!("a {} has no items", other.type_name()))),
    }
}
