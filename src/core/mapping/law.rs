//! The law of a field pair: going there and back loses nothing.
//!
//! A pair that goes both ways is tried on sample values of the kinds its ends declare; a value that does not come back is
//! a problem of the mapping, found when it is loaded and not at night.

use super::{Convert, Field, Flow};
use crate::core::{
    problem::{Problem, pointer},
    status::Side,
    value::{Value, compare, kind::Kind, spelling::Spelling},
};

/// Sample values of a kind, chosen at its edges.
fn samples(kind: Kind) -> Vec<Value> {
    let texts: &[&str] = match kind {
        Kind::Any | Kind::List | Kind::Map => return Vec::new(),
        Kind::Text => &[
            "",
            "a",
            "Ana Ltda",
            "  two  words ",
            "ÄÖÜ ß ſ",
            "0012",
            "1.50",
            "true",
            "2026-03-01",
        ],
        Kind::Integer => &["0", "-1", "9007199254740993", "9223372036854775807"],
        Kind::Decimal { .. } => &["0", "0.1", "-12.34", "1234567.89", "0.005"],
        Kind::Boolean => return vec![Value::Bool(true), Value::Bool(false)],
        Kind::Date => &["2026-03-01", "1970-01-01", "2024-02-29"],
        Kind::DateTime { .. } => &[
            "2026-03-01T00:00:00Z",
            "2026-03-29T02:30:00+01:00",
            "2026-03-01T12:00:00.123456Z",
        ],
    };
    texts
        .iter()
        .filter_map(|text| kind.read(&Value::Text((*text).to_owned()), &Spelling::default()).ok())
        .collect()
}

/// The problems of a pair that goes both ways but loses something on the way.
#[must_use]
pub fn check(field: &Field, place: &str) -> Vec<Problem> {
    if field.flow != Flow::Both || !matches!(field.convert, Convert::Copy) {
        return Vec::new();
    }
    [Side::Left, Side::Right]
        .into_iter()
        .find_map(|from| lost(field, from))
        .map_or_else(Vec::new, |(from, value)| {
            let other = from.other();
            let message = format!(
                "`{}` does not come back from the {other} side: {} is {}, {} is {}",
                value.to_text().unwrap_or_default(),
                from,
                field.kinds.get(from),
                other,
                field.kinds.get(other),
            );
            let hint = "declare a `type:` that both sides can hold, or let the pair go one way by `direction:`";
            vec![Problem::error("MP040", pointer(place, "type"), message).with_hint(hint)]
        })
}

fn lost(field: &Field, from: Side) -> Option<(Side, Value)> {
    let spelling = Spelling::default();
    samples(*field.kinds.get(from)).into_iter().find_map(|value| {
        // Values the pair's own kind refuses are failures of their records, told when they occur.
        let common = field.kind.read(&value, &spelling).ok()?;
        let back = field
            .kinds
            .get(from.other())
            .read(&common, &spelling)
            .and_then(|there| field.kind.read(&there, &spelling))
            .and_then(|there| field.kinds.get(from).read(&there, &spelling));
        let kept = back.is_ok_and(|back| compare::equal(&back, &value, field.kind, field.compare));
        (!kept).then_some((from, value))
    })
}
