//! Personal data out of what a real system answered: replaced by made-up values of the same shape.
//!
//! A text is kept only where something says that it is harmless; everything else is replaced. Equal words are replaced by equal words,
//! so that what belongs together still does. The key of the replacement is made for one recording and thrown away.

use std::collections::BTreeMap;

use super::word::{self, Treatment};
use crate::core::{
    connector::{Moment, Object, Source},
    path::{Path, Segment},
    value::{Map, Value, kind::Kind},
};

/// Letters of made-up words, in turn.
const CONSONANTS: &[u8] = b"bdfgklmnprstvz";
const VOWELS: &[u8] = b"aeiou";
/// Letters for letters with accents.
const ACCENTED: [char; 6] = ['á', 'é', 'í', 'ó', 'ú', 'ç'];
/// Ends of companies' names: no secret, and mappings know them.
const KEPT_WORDS: [&str; 14] = [
    "ltda", "gmbh", "inc", "ltd", "llc", "sa", "ag", "kg", "co", "bv", "ab", "spa", "srl", "plc",
];

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
    key: [u8; 32],
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
            key,
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

    /// The longest path of the object that the place ends with.
    fn hint(&self, at: &[String]) -> Option<Hint> {
        let fitting = self.hints.iter().filter(|(path, _)| at.ends_with(path));
        fitting
            .max_by_key(|(path, hint)| (path.len(), *hint == Hint::Sensitive))
            .map(|(_, hint)| *hint)
    }

    fn text(&mut self, text: &str, at: &[String]) -> String {
        let own = self.address(text);
        if own != text && !text.trim().contains(char::is_whitespace) {
            return own;
        }
        let key = at.last().map_or("", String::as_str);
        let treatment = match self.hint(at) {
            Some(Hint::Sensitive) => word::shape(text),
            Some(Hint::Harmless) if !text.contains('@') => Treatment::Kept,
            _ => word::treatment(key, text),
        };
        self.note(at, treatment);
        match treatment {
            Treatment::Kept => own,
            Treatment::Email => self.email(&own),
            Treatment::Number => self.digits(&own),
            Treatment::Birthday => self.day(&own),
            Treatment::Text => self.words(&own),
        }
    }

    fn number(&mut self, value: &Value, at: &[String]) -> Value {
        let key = at.last().map_or("", String::as_str);
        let is_whole = matches!(value, Value::Int(_));
        let is_personal = self.hint(at) == Some(Hint::Sensitive) || word::is_personal_number(key, is_whole);
        if !is_personal {
            return value.clone();
        }
        self.note(at, Treatment::Number);
        let masked = self.digits(&value.to_text().unwrap_or_default());
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

    /// As many bytes as are asked for, the same for the same text.
    fn stream(&self, text: &str, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new_keyed(&self.key)
            .update(text.to_lowercase().as_bytes())
            .finalize_xof()
            .fill(&mut bytes);
        bytes
    }

    /// Words for words, digits for digits, and everything else as it is.
    fn words(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        // How an address is reached is no secret.
        let scheme = text.find("://").filter(|at| *at <= 5).map_or(0, |at| at + 3);
        let (scheme, mut rest) = text.split_at(scheme);
        masked.push_str(scheme);
        while let Some(first) = rest.chars().next() {
            let kind = |found: char| (found.is_alphabetic(), found.is_numeric());
            let end = rest.find(|found| kind(found) != kind(first)).unwrap_or(rest.len());
            let (run, behind) = rest.split_at(end);
            rest = behind;
            match kind(first) {
                (true, _) => masked.push_str(&self.word(run)),
                (_, true) => masked.push_str(&self.digits(run)),
                _ => masked.push_str(run),
            }
        }
        masked
    }

    fn word(&self, word: &str) -> String {
        let folded = word.to_lowercase();
        if KEPT_WORDS.contains(&folded.as_str()) {
            return word.to_owned();
        }
        let bytes = self.stream(&folded, word.chars().count());
        let letter = |(index, (own, byte)): (usize, (char, u8))| {
            let made_up = if own.is_ascii() {
                let letters = if index % 2 == 0 { CONSONANTS } else { VOWELS };
                char::from(pick(letters, byte))
            } else {
                pick(&ACCENTED, byte)
            };
            if own.is_uppercase() {
                made_up.to_uppercase().next().unwrap_or(made_up)
            } else {
                made_up
            }
        };
        word.chars().zip(bytes).enumerate().map(letter).collect()
    }

    /// Digits for digits, whatever stands between them: the same number in another spelling stays the same number.
    fn digits(&self, text: &str) -> String {
        let own: String = text.chars().filter(char::is_ascii_digit).collect();
        let mut bytes = self.stream(&own, own.len()).into_iter();
        let digit = |found: char| {
            if !found.is_ascii_digit() {
                return found;
            }
            let byte = bytes.next().unwrap_or_default();
            // No zero where there was none: it would be lost in front of a number.
            char::from(if found == '0' {
                b'0' + byte % 10
            } else {
                b'1' + byte % 9
            })
        };
        text.chars().map(digit).collect()
    }

    /// An address that leads nowhere.
    fn email(&self, text: &str) -> String {
        let part = |one: &str| match one.split_once('@') {
            Some((local, domain)) => {
                let house = domain.rsplit_once('.').map_or(domain, |(house, _)| house);
                format!("{}@{}.example", self.words(local), self.words(house))
            }
            None => self.words(one),
        };
        text.split_inclusive(char::is_whitespace).map(part).collect()
    }

    /// A day of some other year.
    fn day(&self, text: &str) -> String {
        let byte = self.stream(text, 2);
        let (year, day) = (byte.first().copied().unwrap_or(0), byte.last().copied().unwrap_or(0));
        let made_up = format!("19{:02}-01-{:02}", 50 + year % 50, 1 + day % 28);
        made_up + text.get(10..).unwrap_or_default()
    }
}

/// One of several, by a byte.
fn pick<T: Copy + Default>(from: &[T], byte: u8) -> T {
    let count = from.len().max(1);
    from.get(usize::from(byte) % count).copied().unwrap_or_default()
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
