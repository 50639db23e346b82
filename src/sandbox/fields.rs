//! Reading what a caller sent, field by field: absent, null and value are three things, and numbers keep their digits.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::value::RawValue;

use super::refusal::{Reason, Refusal};

/// The fields of a JSON object, each still as the text it was sent as.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields<'a>(BTreeMap<String, &'a RawValue>);

/// One field and its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) name: &'a str,
    raw: &'a RawValue,
}

/// An enum of a system, known by the names it has there.
pub(crate) trait Choice: Sized + Copy {
    const NAMES: &'static [&'static str];
    fn from_name(name: &str) -> Option<Self>;
}

/// Defines an enum with the names it has on the wire.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident => $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
        pub(crate) enum $name { $($(#[$doc])* #[serde(rename = $text)] $variant),+ }

        impl $crate::sandbox::fields::Choice for $name {
            const NAMES: &'static [&'static str] = &[$($text),+];
            fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use choice;

impl<'a> Fields<'a> {
    /// Reads an object; anything else is refused.
    pub(crate) fn parse(json: &'a str) -> Result<Self, Refusal> {
        serde_json::from_str(json)
            .map(Self)
            .map_err(|error| Refusal::new(Reason::MalformedJson, format!("not a JSON object: {error}")))
    }

    pub(crate) fn of(raw: &'a RawValue) -> Result<Self, Refusal> {
        Self::parse(raw.get())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.0.iter().map(|(name, raw)| Field { name, raw })
    }

    pub(crate) fn get(&self, name: &str) -> Option<Field<'_>> {
        self.0.get_key_value(name).map(|(name, raw)| Field { name, raw })
    }

    /// Puts a field in, in place of what the caller sent under its name.
    pub(crate) fn put(&mut self, name: &str, raw: &'a RawValue) {
        self.0.insert(name.to_owned(), raw);
    }

    /// Takes a field out, so that what is left belongs to the record.
    pub(crate) fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        self.0.remove(name)
    }
}

impl<'a> Field<'a> {
    /// A value under another name, for the items of a list.
    pub(crate) fn named(name: &'a str, raw: &'a RawValue) -> Self {
        Self { name, raw }
    }

    pub(crate) fn raw(&self) -> &'a RawValue {
        self.raw
    }

    pub(crate) fn is_null(&self) -> bool {
        self.raw.get() == "null"
    }

    /// Text of up to `max` characters; null and "" are none.
    pub(crate) fn text(&self, max: usize) -> Result<Option<String>, Refusal> {
        if self.is_null() {
            return Ok(None);
        }
        let text: String = self.read("text")?;
        let length = text.chars().count();
        if length > max {
            let message = format!("{length} characters where {max} are allowed");
            return Err(Refusal::field(Reason::TooLong, self.name, message));
        }
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// Text that may not be empty.
    pub(crate) fn required_text(&self, max: usize) -> Result<String, Refusal> {
        let text = self.text(max)?.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| self.required())
    }

    pub(crate) fn number(&self) -> Result<Option<u64>, Refusal> {
        if self.is_null() {
            Ok(None)
        } else {
            self.read("a whole number").map(Some)
        }
    }

    pub(crate) fn flag(&self) -> Result<bool, Refusal> {
        self.read("true or false")
    }

    /// Money as a JSON number, kept with two decimals at least.
    pub(crate) fn money(&self) -> Result<Option<Decimal>, Refusal> {
        if self.is_null() {
            return Ok(None);
        }
        let text = self.raw.get();
        if text.starts_with('"') {
            return Err(self.invalid("a JSON number"));
        }
        self.cents(text).map(Some)
    }

    /// Money as text (`"120.50"`); a JSON number is taken too.
    pub(crate) fn money_text(&self) -> Result<Option<Decimal>, Refusal> {
        if self.is_null() || !self.raw.get().starts_with('"') {
            return self.money();
        }
        let text: String = self.read("text")?;
        if text.is_empty() {
            Ok(None)
        } else {
            self.cents(&text).map(Some)
        }
    }

    fn cents(&self, text: &str) -> Result<Decimal, Refusal> {
        let parsed = Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text));
        let mut amount = parsed.map_err(|_| self.invalid("an amount"))?;
        if amount.normalize().scale() > 2 {
            return Err(self.invalid("an amount with at most two decimals"));
        }
        amount.rescale(2);
        Ok(amount)
    }

    pub(crate) fn date(&self) -> Result<Option<NaiveDate>, Refusal> {
        let Some(text) = self.text(40)? else {
            return Ok(None);
        };
        let date = NaiveDate::parse_from_str(&text, "%Y-%m-%d");
        date.map(Some).map_err(|_| self.invalid("a date such as 2026-03-01"))
    }

    pub(crate) fn choice<T: Choice>(&self) -> Result<T, Refusal> {
        let name: String = if self.is_null() {
            return Err(self.required());
        } else {
            self.read("text")?
        };
        T::from_name(&name).ok_or_else(|| {
            let message = format!("`{name}` is not one of {}", T::NAMES.join(", "));
            Refusal::field(Reason::Invalid, self.name, message)
        })
    }

    pub(crate) fn required(&self) -> Refusal {
        Refusal::field(Reason::Required, self.name, format!("{} may not be empty", self.name))
    }

    pub(crate) fn unknown(&self, object: &str) -> Refusal {
        let message = format!("{object} has no field `{}`", self.name);
        Refusal::field(Reason::UnknownField, self.name, message)
    }

    fn read<T: serde::Deserialize<'a>>(&self, wanted: &str) -> Result<T, Refusal> {
        serde_json::from_str(self.raw.get()).map_err(|_| self.invalid(wanted))
    }

    fn invalid(&self, wanted: &str) -> Refusal {
        let shown: String = self.raw.get().chars().take(60).collect();
        Refusal::field(Reason::Invalid, self.name, format!("{shown} is not {wanted}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(json: &str) -> Result<Option<String>, Reason> {
        let fields = Fields::parse(json).unwrap();
        let amount = fields.get("amount").unwrap().money_text();
        amount
            .map(|amount| amount.map(|amount| amount.to_string()))
            .map_err(|refusal| refusal.reason)
    }

    #[test]
    fn money_keeps_its_cents_and_refuses_fractions_of_them() {
        assert_eq!(money(r#"{"amount":0.1}"#), Ok(Some("0.10".into())));
        assert_eq!(money(r#"{"amount":"120.50"}"#), Ok(Some("120.50".into())));
        assert_eq!(money(r#"{"amount":1e3}"#), Ok(Some("1000.00".into())));
        assert_eq!(
            money(r#"{"amount":90071992547409931234.00}"#),
            Ok(Some("90071992547409931234.00".into()))
        );
        assert_eq!(money(r#"{"amount":null}"#), Ok(None));
        assert_eq!(money(r#"{"amount":0.105}"#), Err(Reason::Invalid));
        assert_eq!(money(r#"{"amount":1e400}"#), Err(Reason::Invalid));
        assert_eq!(money(r#"{"amount":[]}"#), Err(Reason::Invalid));
    }

    #[test]
    fn absent_null_and_value_stay_apart() {
        let fields = Fields::parse(r#"{"a":null,"b":"x"}"#).unwrap();
        assert!(fields.get("a").unwrap().is_null());
        assert_eq!(fields.get("b").unwrap().text(5).unwrap().as_deref(), Some("x"));
        assert!(fields.get("c").is_none());
    }
}
