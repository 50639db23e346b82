//! An answer of success that holds the old value: a refusal, whatever its status says.

use crate::{
    core::{
        diff,
        fault::Fault,
        mapping::{Convert, Field, Mapping},
        plan::Write,
        record::Record,
        status::{FailureClass, Side, Stage, WriteKind},
        value::{
            Value,
            compare::{self, Compare},
            fingerprint::Key,
            kind::Kind,
        },
    },
    sync::Engine,
};

/// The fields that were sent and that the answer shows as they were before, by their places in the mapping. What is the old value
/// in another spelling, or the new one rounded, is a normal form of what was sent, and no refusal.
pub(super) fn kept(engine: &Engine, mapping: &Mapping, write: &Write, before: &Record, shown: &Record) -> Vec<usize> {
    if write.kind != WriteKind::Update {
        return Vec::new();
    }
    let fields = mapping.fields.iter().enumerate();
    fields
        .filter(|(_, field)| is_kept(engine.key(), field, write, before, shown))
        .map(|(index, _)| index)
        .collect()
}

fn is_kept(key: &Key, field: &Field, write: &Write, before: &Record, shown: &Record) -> bool {
    let side = write.to;
    let Some(path) = field.paths.get(side) else {
        return false;
    };
    // What the answer does not tell may have been taken all the same.
    if path.get_in(&write.fields).is_none() || path.get_in(&shown.fields).is_none() {
        return false;
    }
    let read = |fields| field.read(side, fields);
    let (Ok(sent), Ok(was), Ok(is)) = (read(&write.fields), read(&before.fields), read(&shown.fields)) else {
        return false;
    };
    let hash = |value: &Option<Value>| diff::hash(key, field, side, value.as_ref());
    if hash(&is) != hash(&was) || hash(&is) == hash(&sent) {
        return false;
    }
    match (sent, is) {
        (Some(sent), Some(is)) => !is_form(field, side, &sent, &is),
        _ => true,
    }
}

/// As [`is_form_of`], of a list line by line.
fn is_form(field: &Field, side: Side, sent: &Value, shown: &Value) -> bool {
    let of =
        |field: &Field, sent: &Value, shown: &Value| is_form_of(sent, shown, *field.kinds.get(side), field.compare);
    match &field.convert {
        Convert::Lines(lines) => lines.all(side, sent, shown, of),
        _ => of(field, sent, shown),
    }
}

/// Whether a system that was sent the one value may show it as the other one.
fn is_form_of(sent: &Value, shown: &Value, kind: Kind, how: Compare) -> bool {
    match (sent, shown) {
        (Value::Text(sent), Value::Text(shown)) => {
            let counts = |text: &str| Compare::Alphanumeric.text(text).into_owned();
            !counts(shown).is_empty() && counts(sent) == counts(shown)
        }
        (Value::Decimal(sent), Value::Decimal(shown)) => {
            // No system cuts off more than what is below the hundredth without showing it.
            let scale = shown.scale().max(2);
            sent.round_dp(scale) == *shown || sent.trunc_with_scale(scale) == *shown
        }
        (Value::Decimal(sent), Value::Int(shown)) => {
            let shown = (*shown).into();
            sent.round_dp(2) == shown || sent.trunc_with_scale(2) == shown
        }
        _ => compare::equal(sent, shown, kind, how),
    }
}

/// What is told of the fields that were kept.
pub(super) fn fault(mapping: &Mapping, to: Side, kept: &[usize]) -> Option<Fault> {
    let fields: Vec<&Field> = kept.iter().filter_map(|index| mapping.fields.get(*index)).collect();
    let first = fields.first()?;
    let paths = fields.iter().filter_map(|field| field.paths.get(to).as_ref());
    let paths: Vec<String> = paths.map(|path| format!("`{path}`")).collect();
    let system = &mapping.end(to).system;
    let message = format!(
        "system `{system}` answered with success, but kept the old value of {}",
        paths.join(", ")
    );
    let fault = Fault::new("SY014", FailureClass::Rejected, Stage::Write, message).with_hint(format!(
        "look in {system} at why the value cannot be changed: a rule, a closed record, a right of the integration user, or a field \
         that is read only or computed, which the mapping must not write"
    ));
    Some(fault.with_field(first.name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_spelling_and_a_rounded_number_are_forms_of_what_was_sent_and_another_value_is_none() {
        let text = |text: &str| Value::from(text);
        let decimal = |text: &str| Value::Decimal(text.parse().unwrap());
        for (sent, shown, is_form) in [
            (text("11-222"), text("11222"), true),
            (text("ana "), text("ANA"), true),
            (text("Ana Lima"), text("Ana"), false),
            (text("-"), text("+"), false),
            (text("active"), text("closed"), false),
            (decimal("100.004"), decimal("100.00"), true),
            (decimal("100.009"), decimal("100.00"), true),
            (decimal("100.001"), Value::Int(100), true),
            (decimal("100.40"), decimal("100.00"), false),
            (decimal("100.4"), Value::Int(100), false),
            (Value::Bool(true), Value::Bool(false), false),
            (Value::Null, text("x"), false),
        ] {
            assert_eq!(
                is_form_of(&sent, &shown, Kind::Any, Compare::Exact),
                is_form,
                "{sent:?} {shown:?}"
            );
        }
    }
}
