//! Numbers from their digits, without binary floating point on the way.

use rust_decimal::Decimal;

use super::Value;

/// A number taken apart: `sign digits × 10^exponent`, exactly as written.
struct Parts<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: &'a str,
}

/// Reads a JSON number (RFC 8259, section 6). A number without a fractional part becomes an integer where it fits,
/// also when it is spelled with an exponent; `-0` is 0.
pub(super) fn parse(text: &str) -> Option<Value> {
    let parts = split(text)?;
    Some(exact(&parts).unwrap_or_else(|| Value::Number(text.into())))
}

fn split(text: &str) -> Option<Parts<'_>> {
    let (is_negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => {
            let (mantissa, exponent) = rest.split_at(at);
            let exponent = exponent.get(1..)?;
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            is_digits(digits).then_some((mantissa, exponent))?
        }
        None => (rest, ""),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, is_digits(fraction).then_some(fraction)?),
        None => (mantissa, ""),
    };
    let starts_well = whole == "0" || !whole.starts_with('0');
    (is_digits(whole) && starts_well).then_some(Parts {
        is_negative,
        whole,
        fraction,
        exponent,
    })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn exact(parts: &Parts<'_>) -> Option<Value> {
    if parts.fraction.is_empty()
        && parts.exponent.is_empty()
        && let Some(int) = whole_number(parts)
    {
        return Some(Value::Int(int));
    }
    let mut mantissa: i128 = 0;
    for digit in parts.whole.bytes().chain(parts.fraction.bytes()) {
        mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    let exponent: i64 = match parts.exponent {
        "" => 0,
        written if mantissa == 0 => written.parse().unwrap_or(0),
        written => written.parse().ok()?,
    };
    let mut scale = i64::try_from(parts.fraction.len()).ok()?.checked_sub(exponent)?;
    if mantissa == 0 {
        scale = scale.clamp(0, i64::from(Decimal::MAX_SCALE));
    }
    while scale > i64::from(Decimal::MAX_SCALE) && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    while scale < 0 {
        mantissa = mantissa.checked_mul(10)?;
        scale += 1;
    }
    let signed = if parts.is_negative { -mantissa } else { mantissa };
    if scale == 0
        && let Ok(int) = i64::try_from(signed)
    {
        return Some(Value::Int(int));
    }
    Decimal::try_from_i128_with_scale(signed, u32::try_from(scale).ok()?)
        .ok()
        .map(Value::Decimal)
}

fn whole_number(parts: &Parts<'_>) -> Option<i64> {
    let magnitude: i128 = parts.whole.parse().ok()?;
    i64::try_from(if parts.is_negative { -magnitude } else { magnitude }).ok()
}

/// The one form of a number that neither an integer nor a decimal can hold: significant digits and a power of ten.
pub(super) fn canonical(text: &str) -> String {
    let Some(parts) = split(text) else {
        return text.to_owned();
    };
    let written: Option<i128> = match parts.exponent {
        "" => Some(0),
        exponent => exponent.parse().ok(),
    };
    let digits = format!("{}{}", parts.whole, parts.fraction);
    let significant = digits.trim_start_matches('0');
    let stripped = significant.trim_end_matches('0');
    let Some(written) = written else {
        return text.to_owned();
    };
    let shift = significant.len().abs_diff(stripped.len());
    let exponent = i128::try_from(shift).ok().and_then(|shift| {
        let fraction = i128::try_from(parts.fraction.len()).ok()?;
        written.checked_add(shift)?.checked_sub(fraction)
    });
    match exponent {
        Some(exponent) => format!("{}{stripped}e{exponent}", if parts.is_negative { "-" } else { "" }),
        None => text.to_owned(),
    }
}

/// The one form of a decimal: an integer where it is whole and fits, else without trailing zeros.
pub(super) fn canonical_decimal(decimal: Decimal) -> Value {
    let decimal = decimal.normalize();
    match i64::try_from(decimal.mantissa()) {
        Ok(int) if decimal.scale() == 0 => Value::Int(int),
        _ => Value::Decimal(decimal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(mantissa: i128, scale: u32) -> Value {
        Value::Decimal(Decimal::from_i128_with_scale(mantissa, scale))
    }

    #[test]
    fn numbers_are_read_exactly() {
        for (text, expected) in [
            ("0", Value::Int(0)),
            ("-0", Value::Int(0)),
            ("9007199254740993", Value::Int(9_007_199_254_740_993)),
            ("9223372036854775807", Value::Int(i64::MAX)),
            ("-9223372036854775808", Value::Int(i64::MIN)),
            ("9223372036854775808", decimal(9_223_372_036_854_775_808, 0)),
            ("0.10", decimal(10, 2)),
            ("1e2", Value::Int(100)),
            ("1.5E+1", Value::Int(15)),
            ("1.5e-3", decimal(15, 4)),
            ("0.00", decimal(0, 2)),
            ("0e999999999999", Value::Int(0)),
            ("1e400", Value::Number("1e400".into())),
            ("1e99999999999999999999", Value::Number("1e99999999999999999999".into())),
            (
                "0.1234567890123456789012345678901",
                Value::Number("0.1234567890123456789012345678901".into()),
            ),
        ] {
            assert_eq!(parse(text).as_ref(), Some(&expected), "{text}");
            if let (Some(Value::Decimal(read)), Value::Decimal(expected)) = (parse(text), expected) {
                assert_eq!(read.scale(), expected.scale(), "{text}");
            }
        }
    }

    #[test]
    fn what_json_does_not_call_a_number_is_none() {
        for text in [
            "", "-", "01", "+1", "1.", ".5", "1e", "1e+", "0x1", "NaN", "1 ", "1_0", "--1", "1.5.2",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn equal_numbers_beyond_all_types_have_one_form() {
        for (text, form) in [("1e400", "1e400"), ("10.0e399", "1e400"), ("-0.010e402", "-1e400")] {
            assert_eq!(canonical(text), form, "{text}");
        }
    }
}
