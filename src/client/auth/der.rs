//! The little of DER (X.690) that is needed: when a certificate ends, and a signature in the form that tokens want.

use chrono::{DateTime, NaiveDateTime, Utc};

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0]`: the version of a certificate.
const VERSION: u8 = 0xa0;

/// The first element: its tag and content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        let length = digits
            .iter()
            .fold(0_usize, |length, digit| length << 8 | usize::from(*digit));
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(bytes).and_then(|(found, content, rest)| (found == tag).then_some((content, rest)))
}

/// When a certificate (RFC 5280) ends.
pub(super) fn ends_at(certificate: &[u8]) -> Option<DateTime<Utc>> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (signed, _) = expect(certificate, SEQUENCE)?;
    let after_version = expect(signed, VERSION).map_or(signed, |(_, rest)| rest);
    let (_, rest) = expect(after_version, INTEGER)?;
    let (_, rest) = expect(rest, SEQUENCE)?;
    let (_, rest) = expect(rest, SEQUENCE)?;
    let (validity, _) = expect(rest, SEQUENCE)?;
    let (_, _, rest) = element(validity)?;
    let (tag, text, _) = element(rest)?;
    let text = std::str::from_utf8(text).ok()?;
    let text = match tag {
        // RFC 5280, section 4.1.2.5.1: two digits from 50 on are of the last century.
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    NaiveDateTime::parse_from_str(&text, "%Y%m%d%H%M%SZ")
        .ok()
        .map(|at| at.and_utc())
}

/// An ECDSA signature of P-256 (RFC 3279) as the two numbers of fixed length that RFC 7518 wants.
pub(super) fn fixed_signature(signature: &[u8]) -> Option<[u8; 64]> {
    let (numbers, _) = expect(signature, SEQUENCE)?;
    let (r, rest) = expect(numbers, INTEGER)?;
    let (s, _) = expect(rest, INTEGER)?;
    let mut fixed = [0; 64];
    for (number, place) in [r, s].into_iter().zip(fixed.chunks_exact_mut(32)) {
        let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
        let digits = number.get(start..)?;
        let free = place.len().checked_sub(digits.len())?;
        place.get_mut(free..)?.copy_from_slice(digits);
    }
    Some(fixed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_of_a_signature_are_filled_up_and_their_sign_is_taken_away() {
        let mut der = vec![0x30, 0x26, 0x02, 0x01, 0x07, 0x02, 0x21, 0x00];
        der.extend([0xff; 32]);
        let fixed = fixed_signature(&der).unwrap();
        assert_eq!((fixed[30], fixed[31], fixed[32], fixed[63]), (0, 7, 0xff, 0xff));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = (ends_at(&bytes), fixed_signature(&bytes));
        }
    }
}
