//! Tax numbers: country in front, no signs.
//!
//! Brazilian CNPJ (also those with letters, as they are given out since July 2026) and CPF are known by their check digits,
//! so that a system which keeps them as numbers, without the zeros in front, has the same key.

use super::country::Country;

/// Countries whose numbers are written with the country in front: the European Union, its neighbours, Brazil.
const PREFIXES: &[&str] = &[
    "AT", "BE", "BG", "BR", "CH", "CY", "CZ", "DE", "DK", "EE", "EL", "ES", "FI", "FR", "GB", "GR", "HR", "HU", "IE",
    "IT", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK", "XI",
];

/// What people write before the number.
const LABELS: &[&str] = &["CNPJ", "CPF", "VAT"];

/// A tax number in one spelling: country, then letters and digits. Nothing where there is no digit but zeros.
pub(super) fn normal(text: &str, country: Option<Country>) -> String {
    let all: String = text
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let mut number = all.as_str();
    while let Some(rest) = LABELS.iter().find_map(|label| number.strip_prefix(label)) {
        number = rest;
    }
    if !has_number(number) {
        return String::new();
    }
    let default = country.map(Country::code);
    let (prefix, rest) = match number.split_at_checked(2) {
        Some((prefix, rest)) if has_number(rest) && (PREFIXES.contains(&prefix) || default == Some(prefix)) => {
            (Some(prefix), rest)
        }
        _ => (None, number),
    };
    let place = match prefix.or(default) {
        Some("EL") => Some("GR"),
        Some("XI") => Some("GB"),
        other => other,
    };
    if matches!(place, None | Some("BR"))
        && let Some(known) = brazilian(rest, place.is_some())
    {
        return format!("BR{known}");
    }
    let tails: &[&str] = match place {
        Some("CH") => &["MWST", "TVA", "IVA"],
        Some("NO") => &["MVA"],
        _ => &[],
    };
    let mut rest = rest;
    while let Some(shorter) = tails.iter().find_map(|tail| rest.strip_suffix(tail)) {
        rest = shorter;
    }
    format!("{}{rest}", place.unwrap_or_default())
}

fn has_number(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
}

/// A CNPJ or CPF with right check digits, at its full length. Zeros in front are only added where the number is known to be
/// Brazilian: elsewhere a shorter one may be anything.
fn brazilian(number: &str, is_known: bool) -> Option<String> {
    let length = number.len();
    let padded = |full: usize, least: usize| {
        let may_be = length == full || (is_known && (least..full).contains(&length));
        may_be.then(|| format!("{number:0>full$}"))
    };
    padded(11, 9)
        .filter(|number| is_cpf(number))
        .or_else(|| padded(14, 12).filter(|number| is_cnpj(number)))
}

fn is_cpf(number: &str) -> bool {
    let digits: Option<Vec<u32>> = number.chars().map(|c| c.to_digit(10)).collect();
    let Some(digits) = digits else { return false };
    // 111.111.111-11 has the right check digits and is nobody's.
    let is_varied = digits.iter().any(|digit| Some(digit) != digits.first());
    is_varied && [9, 10].into_iter().all(|at| checks(&digits, at, 12))
}

fn is_cnpj(number: &str) -> bool {
    let values: Vec<u32> = number.bytes().map(|byte| u32::from(byte).saturating_sub(48)).collect();
    let ends_in_digits = values.iter().rev().take(2).all(|value| *value < 10);
    ends_in_digits && [12, 13].into_iter().all(|at| checks(&values, at, 10))
}

/// Whether the value at `at` is the check digit, modulo 11, of those before it. From the last one on, weights go from 2 up
/// to below `limit` and begin again.
fn checks(values: &[u32], at: usize, limit: u32) -> bool {
    let (Some(before), Some(digit)) = (values.get(..at), values.get(at)) else {
        return false;
    };
    let weights = (2..limit).cycle();
    let sum: u32 = before
        .iter()
        .rev()
        .zip(weights)
        .map(|(value, weight)| value * weight)
        .sum();
    let expected = match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    *digit == expected
}

/// How else a number is written: without its country, and as a Brazilian authority prints it.
pub(super) fn spellings(normal: &str) -> Vec<String> {
    let Some((prefix, number)) = normal.split_at_checked(2) else {
        return Vec::new();
    };
    let is_country = prefix.bytes().all(|byte| byte.is_ascii_uppercase());
    if !is_country {
        return Vec::new();
    }
    let mut spellings = vec![number.to_owned()];
    let part = |from: usize, to: usize| number.get(from..to).unwrap_or_default();
    match (prefix, number.len()) {
        ("BR", 14) => spellings.push(format!(
            "{}.{}.{}/{}-{}",
            part(0, 2),
            part(2, 5),
            part(5, 8),
            part(8, 12),
            part(12, 14)
        )),
        ("BR", 11) => spellings.push(format!("{}.{}.{}-{}", part(0, 3), part(3, 6), part(6, 9), part(9, 11))),
        _ => {}
    }
    spellings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_country(code: &str) -> Option<Country> {
        Country::parse(code)
    }

    #[test]
    fn signs_country_and_zeros_in_front_make_no_difference() {
        let brazil = in_country("BR");
        for text in [
            "BR 11.222.333/0001-81",
            "11222333000181",
            "CNPJ: 11.222.333/0001-81",
            "br11222333000181",
        ] {
            assert_eq!(normal(text, brazil), "BR11222333000181", "{text}");
            assert_eq!(
                normal(text, None),
                "BR11222333000181",
                "{text}, known by its check digits"
            );
        }
        assert_eq!(normal("191", brazil), "BR191");
        assert_eq!(normal("00.000.000/0001-91", brazil), "BR00000000000191");
        assert_eq!(normal("529.982.247-25", None), "BR52998224725");
        assert_eq!(normal("5299822472 5", brazil), "BR52998224725");
        assert_eq!(
            normal("12.ABC.345/01DE-35", None),
            "BR12ABC34501DE35",
            "with letters, as since 2026"
        );
        assert_eq!(
            normal("12.345.678/0001-00", None),
            "12345678000100",
            "wrong check digits prove nothing"
        );
    }

    #[test]
    fn european_numbers_have_their_country_in_front() {
        assert_eq!(normal("DE 123.456.789", None), "DE123456789");
        assert_eq!(normal("123456789", in_country("DE")), "DE123456789");
        assert_eq!(normal("123456789", None), "123456789", "of no country that we know");
        assert_eq!(normal("EL123456789", None), normal("GR 123456789", None));
        assert_eq!(normal("ESB12345678", None), normal("B-12345678", in_country("ES")));
        assert_eq!(normal("CHE-123.456.788 MWST", None), "CHE123456788");
        assert_eq!(normal("NO 974 760 673 MVA", None), "NO974760673");
        assert_ne!(
            normal("DE123456789", None),
            normal("EE123456789", None),
            "the same digits of two countries"
        );
    }

    #[test]
    fn what_holds_no_number_matches_nothing() {
        for text in ["", "n/a", "isento", "000.000.000-00", "VAT", "BR"] {
            assert_eq!(normal(text, in_country("BR")), "", "{text}");
        }
    }
}
