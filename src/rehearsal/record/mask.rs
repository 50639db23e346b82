//! Personal data out of what a real system answered: replaced by made-up values of the same shape.
//!
//! A text is kept only where something says that it is harmless; everything else is replaced. Equal words are replaced by equal words,
//! so that what belongs together still does. The key of the replacement is made for one recording and thrown away.

use std::collections::BTreeMap;

use super::{
    maker::Maker,
    word::{self, Treatment},
};
use crate::core::{
    connector::{Moment, Object, Source},
    path::{Path, Segment},
    value::{Map, Value, kind::Kind},
};

/// What is known of a field beside its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hint {
    /// The connector says that it is personal data.
    Sensitive,
    /// An id, a version, a time of change, or of a type that holds no text.
    Harmless,
}

/// What was done to the values at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// What kind of value it was taken for.
    pub treatment: Treatment,
    /// How many there were.
    pub values: usize,
}

/// Replaces personal data.
pub struct Mask {
    maker: Maker,
    /// Real origins, and what stands for them.
    origins: Vec<(String, String)>,
    hints: Vec<(Vec<String>, Hint)>,
    done: BTreeMap<String, Done>,
}

impl std::fmt::Debug for Mask {
    /// The key would undo it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mask").field("done", &self.done).finish_non_exhaustive()
    }
}

impl Mask {
    /// A mask of this key; texts with an origin of `origins` get the other one.
    #[must_use]
    pub const fn new(key: [u8; 32], origins: Vec<(String, String)>) -> Self {
        Self {
            maker: Maker::new(key),
            origins,
            hints: Vec::new(),
            done: BTreeMap::new(),
        }
    }

    /// From now on values are those of this object.
    pub fn about(&mut self, object: &Object) {
        let ids = object.id.iter().cloned();
        let moments = match &object.updated_at {
            Moment::Paths(paths) => paths.clone(),
            Moment::Template(_) => Vec::new(),
        };
        let version = match &object.version {
            Some(Source::Path(path)) => Some(path.clone()),
            Some(Source::Header(_)) | None => None,
        };
        let known = ids.chain(moments).chain(version).map(|path| (path, Hint::Harmless));
        let fields = object.fields.iter().filter_map(|field| {
            let is_text = matches!(field.kind, Kind::Any | Kind::Text | Kind::List | Kind::Map);
            match (field.is_sensitive, is_text) {
                (true, _) => Some((field.path.clone(), Hint::Sensitive)),
                (false, false) => Some((field.path.clone(), Hint::Harmless)),
                (false, true) => None,
            }
        });
        // What is said to be personal data is, whatever else is said about it.
        let mut hints: Vec<_> = fields.chain(known).map(|(path, hint)| (keys(&path), hint)).collect();
        hints.sort_by_key(|(_, hint)| *hint != Hint::Sensitive);
        self.hints = hints;
    }

    /// What was done, by place, in the order of places.
    #[must_use]
    pub const fn done(&self) -> &BTreeMap<String, Done> {
        &self.done
    }

    /// A value without personal data.
    #[must_use]
    pub fn value(&mut self, value: &Value) -> Value {
        self.inside(value, &mut Vec::new())
    }

    /// Members without personal data.
    #[must_use]
    pub fn map(&mut self, map: &Map) -> Map {
        let mut at = Vec::new();
        self.members(map, &mut at)
    }

    /// A text with the real origins replaced: an address, or a header.
    #[must_use]
    pub fn address(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (real, stand_in) in &self.origins {
            text = text.replace(real, stand_in);
        }
        text
    }

    fn members(&mut self, map: &Map, at: &mut Vec<String>) -> Map {
        let one = |(name, member): (&String, &Value)| {
            at.push(name.clone());
            let masked = self.inside(member, at);
            at.pop();
            (name.clone(), masked)
        };
        map.iter().map(one).collect()
    }

    fn inside(&mut self, value: &Value, at: &mut Vec<String>) -> Value {
        match value {
            Value::Map(map) => Value::Map(self.members(map, at)),
            Value::List(items) => Value::List(items.iter().map(|item| self.inside(item, at)).collect()),
            Value::Text(text) => Value::Text(self.text(text, at)),
            Value::Int(_) | Value::Decimal(_) | Value::Number(_) => self.number(value, at),
            Value::Null | Value::Bool(_) | Value::Date(_) | Value::DateTime(_) => value.clone(),
        }
    }

    /// What the connector says of the longest path that the place ends with.
    fn hint(&self, at: &[String]) -> Option<Hint> {
        // The text beside the attributes of an element of XML is the element's value.
        let own = self.known(at);
        match at.split_last() {
            Some((last, element)) if own.is_none() && last == "#text" => self.known(element),
            _ => own,
        }
    }

    fn known(&self, at: &[String]) -> Option<Hint> {
        let fitting = self.hints.iter().filter(|(path, _)| at.ends_with(path));
        fitting
            .max_by_key(|(path, hint)| (path.len(), *hint == Hint::Sensitive))
            .map(|(_, hint)| *hint)
    }

    fn text(&mut self, text: &str, at: &[String]) -> String {
        self.text_of(text, at, at.last().map_or("", String::as_str))
    }

    /// A text without personal data; `key` is the name that it goes by, where that is not the last of the place.
    pub(super) fn text_of(&mut self, text: &str, at: &[String], key: &str) -> String {
        let own = self.address(text);
        if own != text && !text.trim().contains(char::is_whitespace) {
            return own;
        }
        let treatment = match self.hint(at) {
            Some(Hint::Sensitive) => word::shape(text),
            Some(Hint::Harmless) if !text.contains('@') => Treatment::Kept,
            _ => word::treatment(key, text),
        };
        self.note(at, treatment);
        match treatment {
            Treatment::Kept => own,
            Treatment::Email => self.maker.email(&own),
            Treatment::Number => self.maker.digits(&own),
            Treatment::Birthday => self.maker.day(&own),
            Treatment::Text => self.maker.words(&own),
        }
    }

    /// A time of a kind that the format itself names: another day where it is somebody's, or the connector says so.
    pub(super) fn time_of(&mut self, text: &str, at: &[String]) -> String {
        let key = at.last().map_or("", String::as_str);
        let is_personal = self.hint(at) == Some(Hint::Sensitive) || word::is_birthday(key);
        let treatment = if is_personal {
            Treatment::Birthday
        } else {
            Treatment::Kept
        };
        self.note(at, treatment);
        if is_personal {
            self.maker.day(text)
        } else {
            text.to_owned()
        }
    }

    /// Bytes in Base64.
    pub(super) fn bytes_of(&mut self, text: &str, at: &[String]) -> String {
        self.note(at, Treatment::Text);
        self.maker.bytes(text)
    }

    /// A number written as text.
    pub(super) fn number_of(&mut self, text: &str, at: &[String]) -> String {
        let Some(value) = Value::number(text.trim()) else {
            return "0".to_owned();
        };
        let masked = self.number(&value, at);
        if masked == value {
            return text.trim().to_owned();
        }
        masked.to_text().unwrap_or_default()
    }

    fn number(&mut self, value: &Value, at: &[String]) -> Value {
        let key = at.last().map_or("", String::as_str);
        let is_whole = matches!(value, Value::Int(_));
        let is_personal = self.hint(at) == Some(Hint::Sensitive) || word::is_personal_number(key, is_whole);
        if !is_personal {
            return value.clone();
        }
        self.note(at, Treatment::Number);
        let masked = self.maker.digits(&value.to_text().unwrap_or_default());
        Value::number(&masked).unwrap_or(Value::Int(0))
    }

    fn note(&mut self, at: &[String], treatment: Treatment) {
        if at.is_empty() {
            return;
        }
        let done = self.done.entry(at.join(".")).or_insert(Done { treatment, values: 0 });
        // One value that was replaced makes the place one where values are.
        if done.treatment == Treatment::Kept && treatment != Treatment::Kept {
            *done = Done { treatment, values: 0 };
        }
        done.values += usize::from(treatment == done.treatment);
    }
}

/// The members that a path leads through; places in lists make no difference.
fn keys(path: &Path) -> Vec<String> {
    let key = |segment: &Segment| match segment {
        Segment::Key(key) => Some(key.to_string()),
        Segment::Index(_) | Segment::Item { .. } => None,
    };
    path.segments().iter().filter_map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask() -> Mask {
        let origins = vec![(
            "https://acme.crm.test".to_owned(),
            "https://recorded.example".to_owned(),
        )];
        Mask::new([7; 32], origins)
    }

    fn masked(mask: &mut Mask, json: &str) -> Value {
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        mask.value(&Value::from(value))
    }

    fn text<'v>(value: &'v Value, key: &str) -> &'v str {
        let Value::Map(map) = value else { panic!("{value:?}") };
        map[key].as_str().unwrap()
    }

    #[test]
    fn nothing_of_a_person_is_left_and_shapes_and_ids_are() {
        let mut mask = mask();
        let real = r#"{"id": "A-17", "name": "Ana Müller Ltda", "email": "Ana.Mueller@acme.com.br", "phone": "+55 (11) 98765-4321",
            "tax_id": "12.345.678/0001-95", "notes": "Call Ana at noon", "status": "active", "country": "BR",
            "changed": "2026-01-02T03:04:05Z", "birth_date": "1984-05-06", "amount": 12.5, "mobile": 11987654321,
            "url": "https://acme.crm.test/accounts/A-17", "site": "https://www.ana-mueller.com", "owner_id": [7, "Ana"]}"#;
        let value = masked(&mut mask, real);
        let shown = crate::core::value::json::to_string(&value);
        for gone in [
            "Ana",
            "ana",
            "Müller",
            "ueller",
            "acme",
            "98765",
            "345.678",
            "noon",
            "1984",
            "987654321",
        ] {
            assert!(!shown.contains(gone), "{gone} in {shown}");
        }
        for (key, kept) in [
            ("id", "A-17"),
            ("status", "active"),
            ("country", "BR"),
            ("changed", "2026-01-02T03:04:05Z"),
            ("url", "https://recorded.example/accounts/A-17"),
        ] {
            assert_eq!(text(&value, key), kept);
        }
        assert!(text(&value, "name").ends_with(" Ltda") && text(&value, "name").starts_with(char::is_uppercase));
        assert_eq!(text(&value, "name").chars().count(), "Ana Müller Ltda".chars().count());
        assert!(text(&value, "email").ends_with(".example"));
        assert!(text(&value, "phone").starts_with('+') && text(&value, "phone").contains(" ("));
        assert_eq!(mask.done()["status"].treatment, Treatment::Kept);
        assert_eq!(
            mask.done()["email"],
            Done {
                treatment: Treatment::Email,
                values: 1
            }
        );
    }

    #[test]
    fn equal_values_stay_equal_in_every_spelling_and_another_key_gives_others() {
        let mut mask = mask();
        let value = masked(
            &mut mask,
            r#"{"name": "Ana Souza", "full_name": "ANA SOUZA", "phone": "+55 11 98765-4321", "fax": "5511987654321"}"#,
        );
        assert_eq!(text(&value, "name").to_uppercase(), text(&value, "full_name"));
        let digits = |key: &str| {
            text(&value, key)
                .chars()
                .filter(char::is_ascii_digit)
                .collect::<String>()
        };
        assert_eq!(digits("phone"), digits("fax"));
        let other = Mask::new([8; 32], Vec::new()).value(&Value::from(serde_json::json!({ "name": "Ana Souza" })));
        assert_ne!(text(&value, "name"), text(&other, "name"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd(text in "\\PC{0,60}", key in "[a-zA-Z_]{0,12}") {
            let mut mask = mask();
            let map = Map::from([(key, Value::Text(text.clone()))]);
            let once = mask.map(&map);
            proptest::prop_assert_eq!(once, mask.map(&map));
        }
    }
}
