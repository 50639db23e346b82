//! What a scalar means by the core schema of YAML 1.2 (section 10.3.2): `no` and `02:00` are texts.

/// A scalar's meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar<'a> {
    /// Nothing: empty, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that fits.
    Integer(i64),
    /// A whole number beyond [`Scalar::Integer`].
    Unsigned(u64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// A number that none of these keeps exactly.
    Inexact(&'a str),
    /// A text.
    Text(&'a str),
}

/// The most significant digits that a binary floating-point number is sure to keep.
const DIGITS_KEPT: usize = 15;

impl<'a> Scalar<'a> {
    /// The meaning of a plain scalar.
    #[must_use]
    pub fn resolve(text: &'a str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Null,
            "true" | "True" | "TRUE" => return Self::Bool(true),
            "false" | "False" | "FALSE" => return Self::Bool(false),
            _ => {}
        }
        if let Some(number) = based(text) {
            return number;
        }
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return whole(text);
        }
        if is_float(digits) {
            float(text)
        } else {
            Self::Text(text)
        }
    }
}

/// `0o17` and `0x1f`.
fn based(text: &str) -> Option<Scalar<'_>> {
    let (digits, radix) = text
        .strip_prefix("0o")
        .map(|digits| (digits, 8))
        .or_else(|| text.strip_prefix("0x").map(|digits| (digits, 16)))?;
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let number = i64::from_str_radix(digits, radix).map(Scalar::Integer);
    Some(number.unwrap_or(Scalar::Inexact(text)))
}

fn whole(text: &str) -> Scalar<'_> {
    let signed = text.parse().map(Scalar::Integer);
    signed
        .or_else(|_| text.parse().map(Scalar::Unsigned))
        .unwrap_or(Scalar::Inexact(text))
}

/// Whether an unsigned text is a float of the core schema: `1.5`, `.5`, `1.`, `1e9`.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_exponent = |text: &str| {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        !digits.is_empty() && is_digits(digits)
    };
    is_digits(before)
        && is_digits(after)
        && !(before.is_empty() && after.is_empty())
        && exponent.is_none_or(is_exponent)
}

fn float(text: &str) -> Scalar<'_> {
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    let digits = mantissa
        .bytes()
        .filter(u8::is_ascii_digit)
        .skip_while(|digit| *digit == b'0')
        .count();
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && digits <= DIGITS_KEPT => Scalar::Float(number),
        _ => Scalar::Inexact(text),
    }
}
