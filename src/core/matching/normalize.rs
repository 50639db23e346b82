//! Normalizers: what is left of a text when two of them are to be compared.
//!
//! Each is a total function, and doing it twice does nothing more. What is left may be nothing; then the text matches nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

use super::{country::Country, legal, phone, tax};
use crate::core::value::compare::Compare;

/// What is done to a text before it is compared. They work in the order of this list, in whatever order they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalizer {
    /// Letters count without their accents: `São` is `Sao`, `Müller` is `Muller`.
    Accents,
    /// Neither upper nor lower case counts.
    Case,
    /// A legal form at the end does not count: Ltda, S.A., GmbH & Co. KG, Inc., AB.
    LegalForm,
    /// Only the digits 0 to 9 count.
    Digits,
    /// Tax numbers: no signs, the country in front (`country:` where there is none); Brazilian CNPJ and CPF, European VAT.
    TaxId,
    /// Telephone numbers in the form of E.164; `country:` is that of numbers without one.
    Phone,
    /// Email addresses: trimmed, without case; what is no address matches nothing.
    Email,
    /// White space at the ends does not count, and any in between is one space.
    Space,
}

impl Normalizer {
    /// Every normalizer, in the order in which they work.
    pub const ALL: [Self; 8] = [
        Self::Accents,
        Self::Case,
        Self::LegalForm,
        Self::Digits,
        Self::TaxId,
        Self::Phone,
        Self::Email,
        Self::Space,
    ];

    /// The name in definition files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accents => "accents",
            Self::Case => "case",
            Self::LegalForm => "legal_form",
            Self::Digits => "digits",
            Self::TaxId => "tax_id",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Space => "space",
        }
    }

    /// Whether it knows what a whole number or address looks like, so that no other one has a say.
    #[must_use]
    pub const fn stands_alone(self) -> bool {
        matches!(self, Self::TaxId | Self::Phone | Self::Email)
    }

    /// What is left of a text.
    #[must_use]
    pub fn text(self, text: &str, country: Option<Country>) -> String {
        match self {
            Self::Accents => without_accents(text),
            Self::Case => Compare::Caseless.text(text).into_owned(),
            Self::LegalForm => legal::without_form(text),
            Self::Digits => Compare::Digits.text(text).into_owned(),
            Self::TaxId => tax::normal(text, country),
            Self::Phone => phone::normal(text, country),
            Self::Email => email(text),
            Self::Space => spaced(text),
        }
    }

    /// The usual spellings of what this normalizer leaves.
    pub(super) fn spellings(self, normal: &str, country: Option<Country>) -> Vec<String> {
        match self {
            Self::TaxId => tax::spellings(normal),
            Self::Phone => phone::spellings(normal, country),
            _ => Vec::new(),
        }
    }
}

impl std::fmt::Display for Normalizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Letters without their marks; letters that are none with a mark to Unicode are spelled out as people do.
pub(super) fn without_accents(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    for c in text.nfd().filter(|c| !is_combining_mark(*c)) {
        match c {
            'ß' => plain.push_str("ss"),
            'ẞ' => plain.push_str("SS"),
            'æ' => plain.push_str("ae"),
            'Æ' => plain.push_str("AE"),
            'œ' => plain.push_str("oe"),
            'Œ' => plain.push_str("OE"),
            'ø' => plain.push('o'),
            'Ø' => plain.push('O'),
            'ł' => plain.push('l'),
            'Ł' => plain.push('L'),
            'đ' | 'ð' => plain.push('d'),
            'Đ' | 'Ð' => plain.push('D'),
            'þ' => plain.push_str("th"),
            'Þ' => plain.push_str("Th"),
            'ı' => plain.push('i'),
            c => plain.push(c),
        }
    }
    plain.nfc().collect()
}

fn spaced(text: &str) -> String {
    let mut words = text.split_whitespace();
    let mut spaced = words.next().unwrap_or_default().to_owned();
    for word in words {
        spaced.push(' ');
        spaced.push_str(word);
    }
    spaced
}

/// An address without case. No provider's own rules (dots, `+tag`) are applied: two mailboxes must never become one.
fn email(text: &str) -> String {
    let is_address = |text: &str| {
        text.split_once('@').is_some_and(|(name, domain)| {
            !name.is_empty() && !domain.is_empty() && !domain.contains('@') && !text.contains(char::is_whitespace)
        })
    };
    let folded = Compare::Email.text(text);
    if is_address(&folded) {
        folded.into_owned()
    } else {
        String::new()
    }
}
