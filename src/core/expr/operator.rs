//! The operators, exact on every number. Authors write `+`; [`super::lower`] writes the names used here.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::filter::{Call, Filter, Null, Outcome, Refusal, refuse};
use crate::core::value::{
    Redacted, Value,
    compare::{self, Compare},
    kind::Kind,
    spelling::Spelling,
};

/// The operators by the names they are lowered to.
pub(super) const ALL: &[Filter] = &[
    operator("__add", 1, |call| arithmetic(call, add)),
    operator("__sub", 1, |call| arithmetic(call, |left, right| add(left, -right))),
    operator("__mul", 1, |call| arithmetic(call, multiply)),
    operator("__neg", 0, |call| Ok(Some(narrow(-number(call.input()?)?)))),
    operator("__concat", 1, |call| {
        let (left, right) = (call.input_text()?, call.text(0)?);
        Ok(Some(Value::Text(format!("{left}{right}"))))
    }),
    operator("__eq", 1, |call| truth(are_equal(call))),
    operator("__ne", 1, |call| truth(!are_equal(call))),
    operator("__lt", 1, |call| truth(order(call)?.is_lt())),
    operator("__le", 1, |call| truth(order(call)?.is_le())),
    operator("__gt", 1, |call| truth(order(call)?.is_gt())),
    operator("__ge", 1, |call| truth(order(call)?.is_ge())),
    operator("__in", 1, |call| truth(is_in(call)?)),
    operator("__not_in", 1, |call| truth(!is_in(call)?)),
    operator("__item", 1, item),
    operator("__slice", 2, slice),
];

const fn operator(name: &'static str, arguments: usize, run: fn(&Call<'_>) -> Outcome) -> Filter {
    Filter {
        name,
        arguments: arguments..=arguments,
        null: Null::Given,
        run,
    }
}

/// The operator as an author writes it.
pub(super) fn shown(name: &'static str) -> &'static str {
    match name {
        "__add" => "+",
        "__sub" | "__neg" => "-",
        "__mul" => "*",
        "__concat" => "~",
        "__eq" => "==",
        "__ne" => "!=",
        "__lt" => "<",
        "__le" => "<=",
        "__gt" => ">",
        "__ge" => ">=",
        "__in" => "in",
        "__not_in" => "not in",
        "__item" => "[…]",
        "__slice" => "[…:…]",
        filter => filter,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every operator has the one shape")]
const fn truth(truth: bool) -> Outcome {
    Ok(Some(Value::Bool(truth)))
}

/// A number as a decimal. Text is no number: whoever means it says `| decimal`.
pub(super) fn number(value: &Value) -> Result<Decimal, Refusal> {
    match value {
        Value::Int(int) => Ok(Decimal::from(*int)),
        Value::Decimal(decimal) => Ok(*decimal),
        Value::Number(_) => Err(refuse("the number has more than 28 digits")),
        Value::Text(_) => Err(refuse(format!(
            "{} is not a number; `| decimal` reads it as one, and `~` joins texts",
            Redacted(value)
        ))),
        other => Err(refuse(format!("{} is not a number", Redacted(other)))),
    }
}

/// A whole result is an integer where it has no digits behind the point.
pub(super) fn narrow(decimal: Decimal) -> Value {
    match i64::try_from(decimal.mantissa()) {
        Ok(int) if decimal.scale() == 0 => Value::Int(int),
        _ => Value::Decimal(decimal),
    }
}

fn arithmetic(call: &Call<'_>, run: fn(Decimal, Decimal) -> Option<Decimal>) -> Outcome {
    let (left, right) = (number(call.input()?)?, number(call.argument(0)?)?);
    let result =
        run(left, right).ok_or_else(|| refuse("the exact result has more than 28 digits; `| round(2)` first"))?;
    Ok(Some(narrow(result)))
}

/// The exact sum; `rust_decimal` would round one that does not fit.
pub(super) fn add(left: Decimal, right: Decimal) -> Option<Decimal> {
    let scale = left.scale().max(right.scale());
    let aligned = |number: Decimal| {
        let factor = 10_i128.checked_pow(scale - number.scale())?;
        number.mantissa().checked_mul(factor)
    };
    exact(aligned(left)?.checked_add(aligned(right)?)?, scale)
}

/// The exact product.
pub(super) fn multiply(left: Decimal, right: Decimal) -> Option<Decimal> {
    let product = |left: Decimal, right: Decimal| {
        let mantissa = left.mantissa().checked_mul(right.mantissa())?;
        exact(mantissa, left.scale() + right.scale())
    };
    product(left, right).or_else(|| product(left.normalize(), right.normalize()))
}

fn exact(mut mantissa: i128, mut scale: u32) -> Option<Decimal> {
    loop {
        if let Ok(decimal) = Decimal::try_from_i128_with_scale(mantissa, scale) {
            return Some(decimal);
        }
        if scale == 0 || mantissa % 10 != 0 {
            return None;
        }
        mantissa /= 10;
        scale -= 1;
    }
}

fn are_equal(call: &Call<'_>) -> bool {
    match (call.input.as_deref(), call.args.first().and_then(Option::as_deref)) {
        (Some(left), Some(right)) => same(left, right),
        (None, None) => true,
        _ => false,
    }
}

/// Whether two values mean the same. A date or datetime is also compared with the text of one.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    match (dated(left, right), dated(right, left)) {
        (Some(left), _) => compare::equal(&left, right, Kind::Any, Compare::Exact),
        (_, Some(right)) => compare::equal(left, &right, Kind::Any, Compare::Exact),
        _ => compare::equal(left, right, Kind::Any, Compare::Exact),
    }
}

/// `value` as what `like` is, where `value` is the text of a date or datetime and `like` is one.
fn dated(value: &Value, like: &Value) -> Option<Value> {
    let kind = match (value, like) {
        (Value::Text(_), Value::Date(_)) => Kind::Date,
        (Value::Text(_), Value::DateTime(_)) => Kind::DateTime { precision: None },
        _ => return None,
    };
    kind.read(value, &Spelling::default()).ok()
}

fn order(call: &Call<'_>) -> Result<Ordering, Refusal> {
    let (left, right) = (call.input()?, call.argument(0)?);
    let (as_right, as_left) = (dated(left, right), dated(right, left));
    let (left, right) = (as_right.as_ref().unwrap_or(left), as_left.as_ref().unwrap_or(right));
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Ok(left.cmp(right)),
        (Value::Int(_) | Value::Decimal(_), Value::Int(_) | Value::Decimal(_)) => {
            Ok(number(left)?.cmp(&number(right)?))
        }
        (Value::Text(left), Value::Text(right)) => Ok(left.cmp(right)),
        (Value::Date(left), Value::Date(right)) => Ok(left.cmp(right)),
        (Value::DateTime(left), Value::DateTime(right)) => Ok(left.cmp(right)),
        _ => Err(refuse(format!(
            "{} and {} have no order",
            Redacted(left),
            Redacted(right)
        ))),
    }
}

fn is_in(call: &Call<'_>) -> Result<bool, Refusal> {
    let Some(container) = call.args.first().and_then(Option::as_deref) else {
        return Ok(false);
    };
    let Some(value) = call.input.as_deref() else {
        return Ok(false);
    };
    match (container, value) {
        (Value::Null, _) => Ok(false),
        (Value::List(list), value) => Ok(list.iter().any(|item| same(item, value))),
        (Value::Map(map), Value::Text(key)) => Ok(map.contains_key(key)),
        (Value::Text(text), Value::Text(part)) => Ok(text.contains(part.as_str())),
        (container, value) => Err(refuse(format!(
            "{} cannot be in {}",
            Redacted(value),
            Redacted(container)
        ))),
    }
}

/// The member or item; nothing where there is none. A negative index counts from the end.
fn item(call: &Call<'_>) -> Outcome {
    let Some(container) = call.input.as_deref() else {
        return Ok(None);
    };
    Ok(match (container, call.argument(0)?) {
        (Value::Map(map), Value::Text(key)) => map.get(key).cloned(),
        (Value::List(list), Value::Int(index)) => {
            let at = if *index < 0 {
                from_end(list.len(), *index)
            } else {
                usize::try_from(*index).ok()
            };
            at.and_then(|at| list.get(at)).cloned()
        }
        _ => None,
    })
}

fn from_end(length: usize, index: i64) -> Option<usize> {
    length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
}

fn slice(call: &Call<'_>) -> Outcome {
    let bounds = |length: usize| -> Result<(usize, usize), Refusal> {
        let bound = |at: usize, open: usize| match call.argument(at)? {
            Value::Null => Ok(open),
            Value::Int(index) if *index < 0 => Ok(from_end(length, *index).unwrap_or(0)),
            Value::Int(index) => Ok(usize::try_from(*index).unwrap_or(usize::MAX).min(length)),
            other => Err(refuse(format!("{} is not a whole number", Redacted(other)))),
        };
        let start = bound(0, 0)?;
        Ok((start, bound(1, length)?.saturating_sub(start)))
    };
    Ok(Some(match call.input()? {
        Value::Null => Value::Null,
        Value::List(list) => {
            let (start, count) = bounds(list.len())?;
            Value::List(list.iter().skip(start).take(count).cloned().collect())
        }
        _ => {
            let text = call.input_text()?;
            let (start, count) = bounds(text.chars().count())?;
            Value::Text(text.chars().skip(start).take(count).collect())
        }
    }))
}
