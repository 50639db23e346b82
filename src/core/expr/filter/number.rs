//! Filters on numbers, exact like the operators.

use rust_decimal::Decimal;

use super::{Call, Outcome, refuse};
use crate::core::expr::operator::{self, narrow};

const SCALE_MAX: u32 = Decimal::MAX_SCALE;

fn two(call: &Call<'_>, run: impl FnOnce(Decimal, Decimal) -> Option<Decimal>) -> Outcome {
    let (left, right) = (operator::number(call.input()?)?, operator::number(call.argument(0)?)?);
    let result = run(left, right).ok_or_else(|| refuse("the result has more than 28 digits; `| round(2)` first"))?;
    Ok(Some(narrow(result)))
}

pub(super) fn add(call: &Call<'_>) -> Outcome {
    two(call, operator::add)
}

pub(super) fn sub(call: &Call<'_>) -> Outcome {
    two(call, |left, right| operator::add(left, -right))
}

pub(super) fn mul(call: &Call<'_>) -> Outcome {
    two(call, operator::multiply)
}

/// Divides and rounds half to even at the given number of digits behind the point.
pub(super) fn div(call: &Call<'_>) -> Outcome {
    let scale = call.count(1, SCALE_MAX)?;
    if operator::number(call.argument(0)?)?.is_zero() {
        return Err(refuse("division by zero"));
    }
    two(call, |left, right| divide(left, right, scale))
}

fn divide(left: Decimal, right: Decimal, scale: u32) -> Option<Decimal> {
    exact_quotient(left, right, scale).or_else(|| left.checked_div(right).map(|quotient| quotient.round_dp(scale)))
}

/// The quotient from whole numbers, so that a tie is a tie; `None` where they do not fit.
fn exact_quotient(left: Decimal, right: Decimal, scale: u32) -> Option<Decimal> {
    let power = |exponent: u32| 10_i128.checked_pow(exponent);
    let numerator = left.mantissa().checked_mul(power(scale.checked_add(right.scale())?)?)?;
    let denominator = right.mantissa().checked_mul(power(left.scale())?)?;
    let (quotient, remainder) = (numerator.checked_div(denominator)?, numerator.checked_rem(denominator)?);
    let twice = remainder.unsigned_abs().checked_mul(2)?;
    let is_up = match twice.cmp(&denominator.unsigned_abs()) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    let away = if (numerator < 0) == (denominator < 0) { 1 } else { -1 };
    let rounded = if is_up { quotient.checked_add(away)? } else { quotient };
    Decimal::try_from_i128_with_scale(rounded, scale).ok()
}

/// Rounds half to even; without an argument to a whole number.
pub(super) fn round(call: &Call<'_>) -> Outcome {
    let scale = if call.has(0) { call.count(0, SCALE_MAX)? } else { 0 };
    Ok(Some(narrow(operator::number(call.input()?)?.round_dp(scale))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotient_is_rounded_once_and_half_to_even() {
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        for (left, right, scale, expected) in [
            ("1", "8", 2, "0.12"),
            ("3", "8", 2, "0.38"),
            ("-1", "8", 2, "-0.12"),
            ("-3", "8", 2, "-0.38"),
            ("2", "3", 4, "0.6667"),
            ("2", "-3", 4, "-0.6667"),
            ("10", "4", 0, "2"),
            ("14", "4", 0, "4"),
            ("1.00", "3.000", 1, "0.3"),
            ("79228162514264337593543950335", "3", 1, "26409387504754779197847983445"),
        ] {
            let quotient = divide(decimal(left), decimal(right), scale);
            assert_eq!(quotient, Some(decimal(expected)), "{left} {right} {scale}");
        }
    }
}
