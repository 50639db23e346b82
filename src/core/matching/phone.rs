//! Telephone numbers in the form of ITU-T E.164: `+`, country, national number.
//!
//! A table of calling numbers and trunk prefixes is enough to bring two spellings of a number together, and saves the megabytes
//! of ranges that libraries carry in order to say whether a number is given out at all.

use super::country::{COUNTRIES, Country, Dialling};

/// Digits of a number with its country; what is shorter or longer is none.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// A number as in E.164, where `country` is that of numbers without one. Nothing where the text is no number.
pub(super) fn normal(text: &str, country: Option<Country>) -> String {
    let Some(number) = number(text) else {
        return String::new();
    };
    let is_international = number.starts_with('+');
    let all: String = number.chars().filter(char::is_ascii_digit).collect();
    let full = match (is_international, country.map(Country::dialling)) {
        (true, _) => international(&all),
        (false, Some(at)) => national(&all, at),
        // Without a country only what is dialled from most of them can be read.
        (false, None) => all.strip_prefix("00").map(international).unwrap_or_default(),
    };
    let is_number = DIGITS.contains(&full.len()) && full.bytes().any(|byte| byte != b'0');
    if is_number { format!("+{full}") } else { String::new() }
}

/// The part of a text that is a number: from its first digit or `+` up to the first letter, which begins an extension.
fn number(text: &str) -> Option<&str> {
    let text = text.get(text.find(|c: char| c.is_ascii_digit() || c == '+')?..)?;
    let end = text
        .find(|c: char| c.is_alphabetic() || c == '#' || c == ',' || c == ';')
        .unwrap_or(text.len());
    text.get(..end)
}

/// Country and national number, without the trunk prefix that people leave in: `+49 (0) 30`.
fn international(digits: &str) -> String {
    let digits = digits.trim_start_matches('0');
    let at = COUNTRIES
        .iter()
        .filter(|at| digits.starts_with(at.calling))
        .max_by_key(|at| at.calling.len());
    match at.and_then(|at| Some((at, digits.strip_prefix(at.calling)?))) {
        // In Italy the zero is a part of the number.
        Some((at, rest)) if at.trunk == "0" => format!("{}{}", at.calling, rest.trim_start_matches('0')),
        _ => digits.to_owned(),
    }
}

fn national(digits: &str, at: &Dialling) -> String {
    if let Some(rest) = digits.strip_prefix(at.abroad).or_else(|| digits.strip_prefix("00")) {
        return international(rest);
    }
    let without_trunk = digits.strip_prefix(at.trunk).filter(|rest| {
        // A trunk prefix other than zero may as well be the beginning of a number.
        at.trunk == "0" || (!at.trunk.is_empty() && rest.len() == at.digits_max)
    });
    let number = match without_trunk {
        Some(rest) => brazilian_carrier(rest, at),
        // With the country, and without a sign of it.
        None if digits.len() > at.digits_max && digits.starts_with(at.calling) => return international(digits),
        None => digits,
    };
    if number.is_empty() {
        String::new()
    } else {
        format!("{}{number}", at.calling)
    }
}

/// In Brazil a carrier is chosen behind the trunk prefix: `0 15 11 98765-4321`.
fn brazilian_carrier<'d>(rest: &'d str, at: &Dialling) -> &'d str {
    let has_carrier = at.code == "BR" && (12..=13).contains(&rest.len());
    has_carrier.then(|| rest.get(2..)).flatten().unwrap_or(rest)
}

/// How else a number is written: without `+`, and as it is dialled in its country.
pub(super) fn spellings(normal: &str, country: Option<Country>) -> Vec<String> {
    let digits = normal.trim_start_matches('+');
    let national = country.and_then(|country| digits.strip_prefix(country.dialling().calling));
    let mut spellings = vec![digits.to_owned()];
    spellings.extend(national.map(ToOwned::to_owned));
    spellings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(code: &str, text: &str) -> String {
        normal(text, Country::parse(code))
    }

    #[test]
    fn every_way_to_write_a_number_has_one_form() {
        for text in [
            "+55 (11) 98765-4321",
            "+55 (011) 98765-4321",
            "0055 11 98765 4321",
            "(11) 98765-4321",
            "011 98765-4321",
            "0 15 11 98765-4321",
            "5511987654321",
            "11987654321 ramal 12",
            "tel. 11 98765.4321",
        ] {
            assert_eq!(from("BR", text), "+5511987654321", "{text}");
        }
        for text in ["+49 (0) 30 1234567", "030/1234567", "0049 30 1234567", "+49301234567"] {
            assert_eq!(from("DE", text), "+49301234567", "{text}");
        }
        for text in [
            "(212) 555-0123",
            "1-212-555-0123",
            "+1 212 555 0123 ext. 9",
            "12125550123",
        ] {
            assert_eq!(from("US", text), "+12125550123", "{text}");
        }
        assert_eq!(from("US", "011 49 30 1234567"), "+49301234567");
        assert_eq!(from("AU", "0011 49 30 1234567"), "+49301234567");
        assert_eq!(from("IT", "06 6982 1234"), "+390669821234");
        assert_eq!(from("IT", "+39 06 6982 1234"), "+390669821234");
        assert_eq!(from("RU", "8 (812) 123-45-67"), "+78121234567");
        assert_eq!(from("RU", "812 123-45-67"), "+78121234567");
    }

    #[test]
    fn what_is_no_number_matches_nothing() {
        for text in ["", "none", "0000-0000", "123", "+", "+55", "1234567890123456789"] {
            assert_eq!(from("BR", text), "", "{text}");
        }
        assert_eq!(normal("(11) 98765-4321", None), "", "of no country");
        assert_eq!(normal("00 55 11 98765 4321", None), "+5511987654321");
    }

    #[test]
    fn no_country_stands_twice_in_the_table() {
        let mut codes: Vec<_> = Country::codes().collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), COUNTRIES.len());
    }
}
