//! Filters on text. A number, boolean, date or datetime is taken as its text.

use super::{super::OUTPUT_BYTES_MAX, Call, Outcome, Refusal, refuse};
use crate::core::value::{Value, compare::Compare};

const PAD_MAX: u32 = 1_000;
const POSITION_MAX: u32 = 1 << 20;

fn map(call: &Call<'_>, change: impl FnOnce(&str) -> String) -> Outcome {
    Ok(Some(Value::Text(change(&call.input_text()?))))
}

pub(super) fn upper(call: &Call<'_>) -> Outcome {
    map(call, str::to_uppercase)
}

pub(super) fn lower(call: &Call<'_>) -> Outcome {
    map(call, str::to_lowercase)
}

pub(super) fn trim(call: &Call<'_>) -> Outcome {
    map(call, |text| text.trim().to_owned())
}

/// The first letter of every word is a capital, the others are not.
pub(super) fn title(call: &Call<'_>) -> Outcome {
    map(call, |text| {
        let mut changed = String::with_capacity(text.len());
        let mut is_start = true;
        for c in text.chars() {
            if is_start {
                changed.extend(c.to_uppercase());
            } else {
                changed.extend(c.to_lowercase());
            }
            is_start = !c.is_alphanumeric();
        }
        changed
    })
}

pub(super) fn replace(call: &Call<'_>) -> Outcome {
    let (text, from, to) = (call.input_text()?, call.text(0)?, call.text(1)?);
    if from.is_empty() {
        return Err(refuse("expected a text to look for"));
    }
    let growth = text.matches(&*from).count().saturating_mul(to.len());
    if text.len().saturating_add(growth) > OUTPUT_BYTES_MAX.saturating_mul(2) {
        return Err(Refusal::Size);
    }
    Ok(Some(Value::Text(text.replace(&*from, &to))))
}

pub(super) fn split(call: &Call<'_>) -> Outcome {
    let (text, separator) = (call.input_text()?, call.text(0)?);
    if separator.is_empty() {
        return Err(refuse("expected a separator"));
    }
    Ok(Some(Value::List(text.split(&*separator).map(Value::from).collect())))
}

/// Characters from a position on, as many as are asked for.
pub(super) fn slice(call: &Call<'_>) -> Outcome {
    let start = usize::try_from(call.count(0, POSITION_MAX)?).unwrap_or(usize::MAX);
    let count = if call.has(1) {
        usize::try_from(call.count(1, POSITION_MAX)?).unwrap_or(usize::MAX)
    } else {
        usize::MAX
    };
    map(call, |text| text.chars().skip(start).take(count).collect())
}

/// Fills up on the left: zeros, or the given character.
pub(super) fn pad(call: &Call<'_>) -> Outcome {
    let width = usize::try_from(call.count(0, PAD_MAX)?).unwrap_or_default();
    let filler = if call.has(1) { call.text(1)? } else { "0".into() };
    let mut filler = filler.chars();
    let (Some(filler), None) = (filler.next(), filler.next()) else {
        return Err(refuse("expected one character to fill up with"));
    };
    map(call, |text| {
        let missing = width.saturating_sub(text.chars().count());
        std::iter::repeat_n(filler, missing).chain(text.chars()).collect()
    })
}

pub(super) fn strip_prefix(call: &Call<'_>) -> Outcome {
    let prefix = call.text(0)?;
    map(call, |text| text.strip_prefix(&*prefix).unwrap_or(text).to_owned())
}

pub(super) fn strip_suffix(call: &Call<'_>) -> Outcome {
    let suffix = call.text(0)?;
    map(call, |text| text.strip_suffix(&*suffix).unwrap_or(text).to_owned())
}

pub(super) fn digits(call: &Call<'_>) -> Outcome {
    map(call, |text| Compare::Digits.text(text).into_owned())
}

pub(super) fn alphanumeric(call: &Call<'_>) -> Outcome {
    map(call, |text| Compare::Alphanumeric.text(text).into_owned())
}

pub(super) fn caseless(call: &Call<'_>) -> Outcome {
    map(call, |text| Compare::Caseless.text(text).into_owned())
}
