//! The filters and tests: everything an expression can do beside operators and choosing.
//!
//! One table; `docs/expressions.md` describes it for authors, and a test compares the two.

mod code;
mod list;
mod number;
mod text;
mod time;

use std::{borrow::Cow, ops::RangeInclusive};

use super::operator;
use crate::core::value::{Redacted, Value, kind::Kind, spelling::Spelling};

/// A filter: `input | name(args)`.
pub(super) struct Filter {
    pub name: &'static str,
    /// How many arguments it takes.
    pub arguments: RangeInclusive<usize>,
    pub null: Null,
    pub run: fn(&Call<'_>) -> Outcome,
}

/// What a filter does with null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Null {
    /// Null stays null without the filter being run.
    Stays,
    /// The filter is given it.
    Given,
}

/// A test: `input is name(args)`.
pub(super) struct Test {
    pub name: &'static str,
    pub arguments: usize,
    pub holds: fn(&Call<'_>) -> Result<bool, Refusal>,
}

/// A test that looks at its input alone, absent or not.
const fn test(name: &'static str, holds: fn(&Call<'_>) -> Result<bool, Refusal>) -> Test {
    Test {
        name,
        arguments: 0,
        holds,
    }
}

/// What a filter yields; `None` is absent.
pub(super) type Outcome = Result<Option<Value>, Refusal>;

/// Why a filter does not take what it was given. Shows shapes, never values.
#[derive(Debug)]
pub(super) enum Refusal {
    AbsentInput,
    AbsentArgument(usize),
    Size,
    Value(String),
}

pub(super) fn refuse(message: impl Into<String>) -> Refusal {
    Refusal::Value(message.into())
}

/// What a filter is called with.
pub(super) struct Call<'a> {
    pub input: Option<Cow<'a, Value>>,
    pub args: Vec<Option<Cow<'a, Value>>>,
}

impl Call<'_> {
    pub(super) fn input(&self) -> Result<&Value, Refusal> {
        self.input.as_deref().ok_or(Refusal::AbsentInput)
    }

    /// The input as text, where it is a scalar.
    pub(super) fn input_text(&self) -> Result<Cow<'_, str>, Refusal> {
        plain_text(self.input()?)
    }

    pub(super) fn has(&self, at: usize) -> bool {
        self.args.get(at).is_some()
    }

    pub(super) fn argument(&self, at: usize) -> Result<&Value, Refusal> {
        let argument = self.args.get(at).and_then(Option::as_deref);
        argument.ok_or(Refusal::AbsentArgument(at))
    }

    pub(super) fn text(&self, at: usize) -> Result<Cow<'_, str>, Refusal> {
        plain_text(self.argument(at)?)
    }

    /// An argument that counts something, at most `max`.
    pub(super) fn count(&self, at: usize, max: u32) -> Result<u32, Refusal> {
        let count = self.argument(at)?.as_int().and_then(|int| u32::try_from(int).ok());
        count
            .filter(|count| *count <= max)
            .ok_or_else(|| refuse(format!("expected a whole number from 0 to {max}")))
    }

    fn kind(&self, kind: Kind) -> Outcome {
        let read = kind.read(self.input()?, &Spelling::default());
        read.map(Some).map_err(|mismatch| refuse(mismatch.to_string()))
    }
}

/// A scalar as text; null is empty.
fn plain_text(value: &Value) -> Result<Cow<'_, str>, Refusal> {
    match value {
        Value::Text(text) => Ok(Cow::Borrowed(text)),
        scalar => scalar
            .to_text()
            .map(Cow::Owned)
            .ok_or_else(|| refuse(format!("{} is not text; `| json` writes it as one", Redacted(scalar)))),
    }
}

impl Filter {
    /// The name as an author writes it.
    pub(super) fn shown(&self) -> &'static str {
        operator::shown(self.name)
    }
}

/// A filter that leaves null alone.
const fn on_value(name: &'static str, arguments: RangeInclusive<usize>, run: fn(&Call<'_>) -> Outcome) -> Filter {
    Filter {
        name,
        arguments,
        null: Null::Stays,
        run,
    }
}

/// A filter that is given null too.
const fn on_null(name: &'static str, arguments: RangeInclusive<usize>, run: fn(&Call<'_>) -> Outcome) -> Filter {
    Filter {
        name,
        arguments,
        null: Null::Given,
        run,
    }
}

/// All filters, in the order of the documentation.
pub(super) const ALL: &[Filter] = &[
    on_null("default", 1..=1, default),
    on_value("lookup", 1..=2, lookup),
    on_value("upper", 0..=0, text::upper),
    on_value("lower", 0..=0, text::lower),
    on_value("title", 0..=0, text::title),
    on_value("trim", 0..=0, text::trim),
    on_value("replace", 2..=2, text::replace),
    on_value("split", 1..=1, text::split),
    on_value("slice", 1..=2, text::slice),
    on_value("pad", 1..=2, text::pad),
    on_value("strip_prefix", 1..=1, text::strip_prefix),
    on_value("strip_suffix", 1..=1, text::strip_suffix),
    on_value("digits", 0..=0, text::digits),
    on_value("alphanumeric", 0..=0, text::alphanumeric),
    on_value("caseless", 0..=0, text::caseless),
    on_value("text", 0..=0, |call| {
        Ok(Some(Value::Text(call.input_text()?.into_owned())))
    }),
    on_value("integer", 0..=0, |call| call.kind(Kind::Integer)),
    on_value("decimal", 0..=0, |call| call.kind(Kind::Decimal { scale: None })),
    on_value("boolean", 0..=0, |call| call.kind(Kind::Boolean)),
    on_null("add", 1..=1, number::add),
    on_null("sub", 1..=1, number::sub),
    on_null("mul", 1..=1, number::mul),
    on_null("div", 2..=2, number::div),
    on_value("round", 0..=1, number::round),
    on_value("date", 0..=1, time::date),
    on_value("datetime", 0..=1, time::datetime),
    on_value("parse_date", 1..=1, time::parse_date),
    on_value("parse_datetime", 1..=2, time::parse_datetime),
    on_value("in_zone", 1..=1, time::in_zone),
    on_value("epoch_seconds", 0..=0, time::epoch_seconds),
    on_value("epoch_millis", 0..=0, time::epoch_millis),
    on_value("from_epoch_seconds", 0..=0, time::from_epoch_seconds),
    on_value("from_epoch_millis", 0..=0, time::from_epoch_millis),
    on_null("length", 0..=0, list::length),
    on_value("first", 0..=0, list::first),
    on_value("last", 0..=0, list::last),
    on_value("join", 0..=1, list::join),
    on_value("pluck", 1..=1, list::pluck),
    on_value("find", 2..=2, list::find),
    on_value("keys", 0..=0, list::keys),
    on_value("items", 0..=0, list::items),
    on_value("merge", 1..=1, list::merge),
    on_value("omit", 1..=8, list::omit),
    on_null("json", 0..=0, code::json),
    on_value("from_json", 0..=0, code::from_json),
    on_value("urlencode", 0..=0, code::urlencode),
    on_value("b64encode", 0..=0, code::b64encode),
    on_value("b64decode", 0..=0, code::b64decode),
    on_value("hex", 0..=0, code::hex),
    on_value("sha256", 0..=0, code::sha256),
];

/// All tests, in the order of the documentation.
pub(super) const TESTS: &[Test] = &[
    test("defined", |call| Ok(call.input.is_some())),
    test("undefined", |call| Ok(call.input.is_none())),
    test("none", |call| Ok(call.input.as_deref().is_some_and(Value::is_null))),
    test("empty", |call| Ok(call.input.as_deref().is_none_or(Value::is_empty))),
    test("text", |call| Ok(matches!(call.input.as_deref(), Some(Value::Text(_))))),
    test("number", |call| {
        let number = |value| matches!(value, &Value::Int(_) | &Value::Decimal(_) | &Value::Number(_));
        Ok(call.input.as_deref().is_some_and(number))
    }),
    test("integer", |call| {
        Ok(matches!(call.input.as_deref(), Some(Value::Int(_))))
    }),
    test("boolean", |call| {
        Ok(matches!(call.input.as_deref(), Some(Value::Bool(_))))
    }),
    test("date", |call| Ok(matches!(call.input.as_deref(), Some(Value::Date(_))))),
    test("datetime", |call| {
        Ok(matches!(call.input.as_deref(), Some(Value::DateTime(_))))
    }),
    test("list", |call| Ok(matches!(call.input.as_deref(), Some(Value::List(_))))),
    test("map", |call| Ok(matches!(call.input.as_deref(), Some(Value::Map(_))))),
    Test {
        name: "startingwith",
        arguments: 1,
        holds: |call| Ok(call.input_text()?.starts_with(&*call.text(0)?)),
    },
    Test {
        name: "endingwith",
        arguments: 1,
        holds: |call| Ok(call.input_text()?.ends_with(&*call.text(0)?)),
    },
];

/// The filter of this name.
pub(super) fn named(name: &str) -> Option<&'static Filter> {
    ALL.iter().find(|filter| filter.name == name)
}

/// The test of this name.
pub(super) fn test_named(name: &str) -> Option<&'static Test> {
    TESTS.iter().find(|test| test.name == name)
}

pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    ALL.iter().map(|filter| filter.name)
}

pub(super) fn test_names() -> impl Iterator<Item = &'static str> + Clone {
    TESTS.iter().map(|test| test.name)
}

/// What other template languages call a filter or test of ours.
pub(super) fn foreign(name: &str) -> Option<&'static str> {
    Some(match name {
        "string" | "str" => "text",
        "int" | "number" => "integer",
        "float" => "decimal",
        "bool" => "boolean",
        "mapping" | "dict" | "object" => "map",
        "sequence" | "array" | "iterable" => "list",
        "null" | "nil" => "none",
        "tojson" | "to_json" => "json",
        "fromjson" | "parse_json" => "from_json",
        "d" => "default",
        "count" | "size" => "length",
        "uppercase" => "upper",
        "lowercase" | "downcase" => "lower",
        "strip" => "trim",
        "capitalize" => "title",
        "truncate" | "substring" | "substr" => "slice",
        "strftime" | "format_date" => "date",
        "base64" | "b64" => "b64encode",
        "zfill" | "rjust" => "pad",
        "map" | "map_values" => "lookup",
        "attr" => "pluck",
        "timezone" | "astimezone" => "in_zone",
        _ => return None,
    })
}

#[expect(clippy::unnecessary_wraps, reason = "every filter has the one shape")]
fn default(call: &Call<'_>) -> Outcome {
    Ok(match call.input.as_deref() {
        None | Some(Value::Null) => call.args.first().and_then(Option::as_deref).cloned(),
        Some(value) => Some(value.clone()),
    })
}

/// The partner of a value in a table; without one, the second argument or nothing.
fn lookup(call: &Call<'_>) -> Outcome {
    let key = call.input_text()?;
    let Value::Map(table) = call.argument(0)? else {
        return Err(refuse("expected a table: `{'a': 'Active'}`"));
    };
    let fallback = || call.args.get(1).and_then(Option::as_deref);
    Ok(table.get(&*key).or_else(fallback).cloned())
}
