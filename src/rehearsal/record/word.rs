//! What a value is taken for, by its key and its look.

use std::fmt;

use serde::Serialize;

/// What is done to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Treatment {
    /// Nothing: it says nothing about a person.
    Kept,
    /// It is replaced as an e-mail address.
    Email,
    /// Its digits are replaced: a telephone or tax number.
    Number,
    /// It is replaced by another day.
    Birthday,
    /// Its words and digits are replaced.
    Text,
}

impl fmt::Display for Treatment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "kept",
            Self::Email => "e-mail address",
            Self::Number => "number",
            Self::Birthday => "birthday",
            Self::Text => "text",
        })
    }
}

/// Words of keys whose numbers are about a person.
const NUMBERS: [&str; 24] = [
    "phone",
    "telephone",
    "tel",
    "mobile",
    "cell",
    "fax",
    "vat",
    "tax",
    "cnpj",
    "cpf",
    "ssn",
    "iban",
    "bank",
    "card",
    "passport",
    "zip",
    "postal",
    "postcode",
    "plz",
    "latitude",
    "longitude",
    "lat",
    "lng",
    "lon",
];
/// Words of keys whose numbers say where somebody lives.
const COORDINATES: [&str; 5] = ["latitude", "longitude", "lat", "lng", "lon"];
/// Words of keys whose texts are free, whatever else the key says.
const FREE: [&str; 12] = [
    "name",
    "title",
    "text",
    "note",
    "notes",
    "comment",
    "description",
    "message",
    "subject",
    "body",
    "street",
    "login",
];
/// Words of keys whose short texts come from a list.
const CHOSEN: [&str; 32] = [
    "status",
    "state",
    "type",
    "kind",
    "stage",
    "currency",
    "country",
    "language",
    "lang",
    "locale",
    "timezone",
    "zone",
    "unit",
    "uom",
    "category",
    "class",
    "model",
    "object",
    "format",
    "method",
    "level",
    "priority",
    "role",
    "action",
    "event",
    "entity",
    "operation",
    "scope",
    "source",
    "region",
    "industry",
    "lifecycle",
];
/// Words of keys whose texts name a thing.
const IDS: [&str; 20] = [
    "id",
    "ids",
    "uuid",
    "guid",
    "key",
    "ref",
    "reference",
    "code",
    "number",
    "no",
    "sku",
    "ean",
    "barcode",
    "etag",
    "version",
    "rev",
    "hash",
    "cursor",
    "after",
    "token",
];
/// Words of keys whose days are about a person.
const BIRTHDAYS: [&str; 4] = ["birth", "birthday", "birthdate", "dob"];
/// A text from a list is no longer than this.
const CHOSEN_MAX: usize = 32;

/// What a text under this key is taken for.
pub(super) fn treatment(key: &str, text: &str) -> Treatment {
    let trimmed = text.trim();
    if trimmed.chars().count() <= 1
        || key.starts_with('@') && !text.contains(char::is_whitespace) && !text.contains('@')
    {
        return Treatment::Kept;
    }
    let words = words(key);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if is_email(trimmed) {
        return Treatment::Email;
    }
    if has(&BIRTHDAYS) && is_moment(trimmed) {
        return Treatment::Birthday;
    }
    if has(&NUMBERS) && trimmed.contains(|found: char| found.is_ascii_digit()) {
        return Treatment::Number;
    }
    if is_plain(trimmed) {
        return if has(&NUMBERS) {
            Treatment::Number
        } else {
            Treatment::Kept
        };
    }
    let is_one_word = !trimmed.contains(char::is_whitespace);
    let is_id = has(&IDS) && is_one_word && looks_like_id(trimmed);
    if is_id && !has(&["user", "login", "mail"]) {
        return Treatment::Kept;
    }
    if has(&CHOSEN) && !has(&FREE) && trimmed.len() <= CHOSEN_MAX && trimmed.split_whitespace().count() <= 3 {
        return Treatment::Kept;
    }
    if is_one_word && is_opaque(trimmed) {
        return Treatment::Kept;
    }
    Treatment::Text
}

/// What a text that is personal data looks like.
pub(super) fn shape(text: &str) -> Treatment {
    let trimmed = text.trim();
    let digits = trimmed.chars().filter(char::is_ascii_digit).count();
    let letters = trimmed.chars().filter(|found| found.is_alphabetic()).count();
    if is_email(trimmed) {
        Treatment::Email
    } else if is_moment(trimmed) && trimmed.len() == 10 {
        Treatment::Birthday
    } else if digits > letters && letters <= 2 {
        Treatment::Number
    } else if trimmed.is_empty() {
        Treatment::Kept
    } else {
        Treatment::Text
    }
}

/// Whether numbers under this key are about a person: whole ones, as a telephone number may be written, and places on the globe. A
/// tax rate or amount has digits behind the point.
pub(super) fn is_personal_number(key: &str, is_whole: bool) -> bool {
    let known: &[&str] = if is_whole { &NUMBERS } else { &COORDINATES };
    words(key).iter().any(|word| known.contains(&word.as_str()))
}

/// Whether a day under this key is about a person.
pub(super) fn is_birthday(key: &str) -> bool {
    words(key).iter().any(|word| BIRTHDAYS.contains(&word.as_str()))
}

/// The words of a key: `billingPostalCode`, `billing_postal_code`, `Billing Postal-Code`.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for found in key.chars() {
        let begins = !found.is_alphanumeric() || (found.is_uppercase() && was_lower);
        if begins {
            words.push(String::new());
        }
        if found.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(found.to_lowercase());
        }
        was_lower = found.is_lowercase() || found.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_email(text: &str) -> bool {
    text.split_whitespace().any(|word| {
        let parts = word.split_once('@');
        parts.is_some_and(|(local, domain)| !local.is_empty() && domain.len() > 2 && !domain.contains('@'))
    })
}

/// A date, with or without a time.
fn is_moment(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let is_sign = |at: usize| bytes.get(at).is_some_and(|byte| *byte == b'-' || *byte == b'/');
    bytes.len() >= 10
        && [0, 1, 2, 3, 5, 6, 8, 9].into_iter().all(is_digit)
        && is_sign(4)
        && is_sign(7)
        && text
            .chars()
            .skip(10)
            .all(|found| found.is_ascii_digit() || " T:.+-Z".contains(found))
}

/// A number, a time or a truth value, written as text.
fn is_plain(text: &str) -> bool {
    let is_number = text.parse::<f64>().is_ok_and(f64::is_finite);
    let is_clock = text.len() >= 4 && text.chars().all(|found| found.is_ascii_digit() || found == ':');
    is_number
        || is_clock
        || is_moment(text)
        || text.starts_with("/Date(")
        || matches!(text, "true" | "false" | "yes" | "no" | "null")
}

/// Whether one word is more likely an id than a name: it has a digit, or no lower-case letter.
fn looks_like_id(word: &str) -> bool {
    word.contains(|found: char| found.is_ascii_digit()) || !word.contains(char::is_lowercase)
}

/// A UUID, a hash, or a long mixture as only machines make it.
fn is_opaque(word: &str) -> bool {
    let is_hex = |found: char| found.is_ascii_hexdigit() || found == '-';
    let digits = word.chars().filter(char::is_ascii_digit).count();
    word.len() >= 16 && word.chars().all(is_hex) && digits >= 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_for_what_its_key_and_look_say() {
        for (key, text, expected) in [
            ("Status", "In progress", Treatment::Kept),
            ("accountName", "ACME", Treatment::Text),
            ("customer_id", "C-0001", Treatment::Kept),
            ("owner_id", "ana", Treatment::Text),
            ("user_id", "ana99", Treatment::Text),
            ("BillingPostalCode", "04538-133", Treatment::Number),
            ("vatNumber", "DE123456789", Treatment::Number),
            ("whatever", "ana@example.com", Treatment::Email),
            ("total", "12.50", Treatment::Kept),
            ("createdAt", "2026-01-02 03:04:05", Treatment::Kept),
            ("DateOfBirth", "1984-05-06", Treatment::Birthday),
            ("x", "0f8fad5b-d9cb-469f-a165-70867728950e", Treatment::Kept),
            ("anything", "somebody wrote this", Treatment::Text),
            ("country", "BR", Treatment::Kept),
        ] {
            assert_eq!(treatment(key, text), expected, "{key}: {text}");
        }
    }

    #[test]
    fn keys_are_words_in_every_spelling() {
        for key in [
            "billingPostalCode",
            "billing_postal_code",
            "Billing Postal-Code",
            "billing.postal.code",
        ] {
            assert_eq!(words(key), ["billing", "postal", "code"]);
        }
    }
}
