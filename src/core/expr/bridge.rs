//! Values on their way into the engine and back, without losing a digit.
//!
//! A decimal of up to 15 digits enters as a float: such floats compare and print exactly. What comes back as a float is
//! taken by its shortest form, and refused where that has more digits, since only rounding makes such numbers.

use std::{fmt, sync::Arc};

use minijinja::value::{Enumerator, Object, ObjectRepr, Value as Engine, ValueKind};
use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::{Fault, OUTPUT_MAX};
use crate::core::value::Value;

/// Digits that binary floating point keeps exactly.
const EXACT_DIGITS: usize = 15;
/// Levels of nesting a result may have.
const DEPTH_MAX: usize = 64;

/// A member of a map or an item of a list.
pub(super) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_map()?.get(name)
}

/// A map or list, seen by the engine where it lies.
#[derive(Debug)]
struct Shared(Arc<Value>);

/// A value the engine hands around but does not understand: long numbers, dates, datetimes.
#[derive(Debug)]
pub(super) struct Opaque(pub Value);

pub(super) fn to_engine_shared(value: &Arc<Value>) -> Engine {
    if value.is_structure() {
        Engine::from_object(Shared(Arc::clone(value)))
    } else {
        to_engine(value)
    }
}

pub(super) fn to_engine(value: &Value) -> Engine {
    match value {
        Value::Null => Engine::from(()),
        Value::Bool(truth) => Engine::from(*truth),
        Value::Int(int) => Engine::from(*int),
        Value::Decimal(decimal) => float(*decimal).map_or_else(|| opaque(value), Engine::from),
        Value::Text(text) => Engine::from(text.as_str()),
        Value::Number(_) | Value::Date(_) | Value::DateTime(_) => opaque(value),
        Value::List(_) | Value::Map(_) => Engine::from_object(Shared(Arc::new(value.clone()))),
    }
}

fn opaque(value: &Value) -> Engine {
    Engine::from_object(Opaque(value.clone()))
}

fn float(decimal: Decimal) -> Option<f64> {
    let digits = decimal.mantissa().unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    if digits > EXACT_DIGITS { None } else { decimal.to_f64() }
}

impl Object for Shared {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        if matches!(*self.0, Value::List(_)) {
            ObjectRepr::Seq
        } else {
            ObjectRepr::Map
        }
    }

    fn get_value(self: &Arc<Self>, key: &Engine) -> Option<Engine> {
        match &*self.0 {
            Value::List(list) => list.get(key.as_usize()?).map(to_engine),
            _ => self.get_value_by_str(key.as_str()?),
        }
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Engine> {
        member(&self.0, key).map(to_engine)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match &*self.0 {
            Value::List(list) => Enumerator::Seq(list.len()),
            Value::Map(map) => Enumerator::Values(map.keys().map(|key| Engine::from(key.as_str())).collect()),
            _ => Enumerator::NonEnumerable,
        }
    }
}

impl Object for Opaque {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn custom_cmp(self: &Arc<Self>, other: &minijinja::value::DynObject) -> Option<std::cmp::Ordering> {
        let other = other.downcast_ref::<Self>()?;
        match (&self.0, &other.0) {
            (Value::Decimal(one), Value::Decimal(two)) => Some(one.cmp(two)),
            (Value::Date(one), Value::Date(two)) => Some(one.cmp(two)),
            (Value::DateTime(one), Value::DateTime(two)) => Some(one.cmp(two)),
            (Value::Number(one), Value::Number(two)) if one == two => Some(std::cmp::Ordering::Equal),
            _ => None,
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_text().unwrap_or_default())
    }
}

/// A result of the engine as a value; `None` where it is undefined.
pub(super) fn from_engine(result: &Engine) -> Result<Option<Value>, Fault> {
    let mut budget = OUTPUT_MAX;
    convert(result, 0, &mut budget)
}

fn convert(result: &Engine, depth: usize, budget: &mut usize) -> Result<Option<Value>, Fault> {
    if depth > DEPTH_MAX {
        return Err(Fault::Size);
    }
    let size = 1 + result.as_str().map_or(0, str::len);
    *budget = budget.checked_sub(size).ok_or(Fault::Size)?;
    if let Some(shared) = result.downcast_object_ref::<Shared>() {
        return Ok(Some((*shared.0).clone()));
    }
    if let Some(opaque) = result.downcast_object_ref::<Opaque>() {
        return Ok(Some(opaque.0.clone()));
    }
    Ok(Some(match result.kind() {
        ValueKind::Undefined => return Ok(None),
        ValueKind::None => Value::Null,
        ValueKind::Bool => Value::Bool(result.is_true()),
        ValueKind::Number => number(result)?,
        ValueKind::String => Value::Text(result.as_str().unwrap_or_default().to_owned()),
        ValueKind::Seq | ValueKind::Iterable => {
            let items = result
                .try_iter()
                .map_err(|error| Fault::Evaluation(error.to_string()))?;
            let mut list = Vec::new();
            for item in items {
                list.push(convert(&item, depth + 1, budget)?.unwrap_or(Value::Null));
            }
            Value::List(list)
        }
        ValueKind::Map => {
            let keys = result
                .try_iter()
                .map_err(|error| Fault::Evaluation(error.to_string()))?;
            let mut map = crate::core::value::Map::new();
            for key in keys {
                let item = result
                    .get_item(&key)
                    .map_err(|error| Fault::Evaluation(error.to_string()))?;
                if let Some(value) = convert(&item, depth + 1, budget)? {
                    map.insert(key.to_string(), value);
                }
            }
            Value::Map(map)
        }
        kind => return Err(Fault::Evaluation(format!("a {kind} is no value"))),
    }))
}

/// A number of the engine, exactly.
fn number(result: &Engine) -> Result<Value, Fault> {
    if let Some(int) = result.as_i64().filter(|_| result.is_integer()) {
        return Ok(Value::Int(int));
    }
    let text = result.to_string();
    let digits =
        text.bytes().filter(u8::is_ascii_digit).count() - usize::from(text.trim_start_matches('-').starts_with("0."));
    if !result.is_integer() && digits > EXACT_DIGITS + usize::from(text.ends_with(".0")) {
        return Err(Fault::Inexact);
    }
    let text = text.strip_suffix(".0").unwrap_or(&text);
    Value::number(text).ok_or(Fault::Inexact)
}
