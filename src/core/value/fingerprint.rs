//! Keyed hashes of values: what is kept of a record without keeping what it says.
//!
//! The key is secret, so a short value (a name, a status) cannot be guessed from its hash. The hash is over a canonical
//! byte form in which everything has a type and a length: absent, null, an empty text and an empty list are four
//! different things, and no value can be mistaken for another by moving a boundary. Numbers have one form whatever
//! their spelling, datetimes are instants. Other differences of meaning (case, scale, precision) are removed first, by
//! [`super::compare::normalize`].

use std::{collections::btree_map, fmt, hash::Hasher as _, slice};

use blake3::Hasher;
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use zeroize::Zeroize;

use super::{Value, number};

/// The secret behind all fingerprints of one installation.
#[derive(Clone)]
pub struct Key {
    bytes: [u8; 32],
    /// For [`Key::print`].
    print: [u8; 16],
}

impl Drop for Key {
    fn drop(&mut self) {
        self.bytes.zeroize();
        self.print.zeroize();
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// The key made of these bytes, which should be random.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        let print = blake3::keyed_hash(&bytes, b"print");
        let print = print.as_bytes().first_chunk().copied().unwrap_or_default();
        Self { bytes, print }
    }

    /// Fingerprint of a field's value. Equal values have different fingerprints in different domains (the mapping and
    /// field, say), so that equal hashes tell nothing across fields. Values of any depth are taken.
    #[must_use]
    pub fn field(&self, domain: &str, value: Option<&Value>) -> u64 {
        half(&self.hash(b'v', domain, |form| match value {
            Some(value) => feed(form, value),
            None => tag(form, Tag::Absent, 0),
        }))
    }

    /// As [`Key::field`] of the [`Value::Text`] with this text.
    #[must_use]
    pub fn field_text(&self, domain: &str, text: &str) -> u64 {
        half(&self.hash(b'v', domain, |form| bytes(form, Tag::Text, text.as_bytes())))
    }

    /// Fingerprint of a text, 128 bits wide: for looking up what must not be stored (an email address, an event id).
    #[must_use]
    pub fn text(&self, text: &str) -> [u8; 16] {
        let hash = self.hash(b't', "", |form| form.update(text.as_bytes()));
        hash.as_bytes().first_chunk().copied().unwrap_or_default()
    }

    /// A hash of a text that is forgotten with the comparison it was made for: three times quicker than a fingerprint, and keyed
    /// as well, so that nobody can choose two texts of one hash.
    #[must_use]
    pub fn print(&self, text: &str) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.print);
        hasher.write(text.as_bytes());
        hasher.finish128().as_u128()
    }

    fn hash(&self, purpose: u8, domain: &str, content: impl FnOnce(&mut Form<'_>)) -> blake3::Hash {
        let mut form = Form::new(&self.bytes);
        form.update(&[purpose]);
        form.update(&length(domain.len()));
        form.update(domain.as_bytes());
        content(&mut form);
        form.finalize()
    }
}

fn half(hash: &blake3::Hash) -> u64 {
    u64::from_be_bytes(hash.as_bytes().first_chunk().copied().unwrap_or_default())
}

/// The bytes of most canonical forms; a reconciliation hashes millions of them.
const SHORT_BYTES: usize = 256;

/// A canonical form on its way into a hash. A short one is put together first and hashed at once: that takes half the time of a
/// hasher that is fed piece by piece.
struct Form<'k> {
    key: &'k [u8; 32],
    short: [u8; SHORT_BYTES],
    filled: usize,
    /// Where it has become long.
    long: Option<Box<Hasher>>,
}

impl<'k> Form<'k> {
    const fn new(key: &'k [u8; 32]) -> Self {
        Self {
            key,
            short: [0; SHORT_BYTES],
            filled: 0,
            long: None,
        }
    }

    #[inline]
    fn update(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        match self.short.get_mut(self.filled..end) {
            Some(place) if self.long.is_none() => {
                place.copy_from_slice(bytes);
                self.filled = end;
            }
            _ => self.lengthen(bytes),
        }
    }

    #[cold]
    fn lengthen(&mut self, bytes: &[u8]) {
        let begin = || {
            let mut hasher = Box::new(Hasher::new_keyed(self.key));
            hasher.update(self.short.get(..self.filled).unwrap_or_default());
            hasher
        };
        self.long.get_or_insert_with(begin).update(bytes);
    }

    fn finalize(&self) -> blake3::Hash {
        match &self.long {
            Some(hasher) => hasher.finalize(),
            None => blake3::keyed_hash(self.key, self.short.get(..self.filled).unwrap_or_default()),
        }
    }
}

/// The first byte of every value's canonical form. Stored hashes depend on these numbers: they never change.
#[derive(Clone, Copy)]
enum Tag {
    Absent = 0,
    Null = 1,
    False = 2,
    True = 3,
    Int = 4,
    Decimal = 5,
    Number = 6,
    Text = 7,
    Date = 8,
    DateTime = 9,
    List = 10,
    Map = 11,
    Key = 12,
}

enum Open<'a> {
    List(slice::Iter<'a, Value>),
    Map(btree_map::Iter<'a, String, Value>),
}

fn feed(form: &mut Form<'_>, value: &Value) {
    let mut open = Vec::new();
    begin(form, value, &mut open);
    while let Some(top) = open.last_mut() {
        let next = match top {
            Open::List(items) => items.next(),
            Open::Map(members) => members.next().map(|(key, member)| {
                bytes(form, Tag::Key, key.as_bytes());
                member
            }),
        };
        match next {
            Some(value) => begin(form, value, &mut open),
            None => {
                open.pop();
            }
        }
    }
}

fn begin<'a>(form: &mut Form<'_>, value: &'a Value, open: &mut Vec<Open<'a>>) {
    match value {
        Value::Null => tag(form, Tag::Null, 0),
        Value::Bool(false) => tag(form, Tag::False, 0),
        Value::Bool(true) => tag(form, Tag::True, 0),
        Value::Int(int) => bytes(form, Tag::Int, &int.to_be_bytes()),
        Value::Decimal(decimal) => match number::canonical_decimal(*decimal) {
            Value::Decimal(decimal) => bytes(form, Tag::Decimal, &decimal.serialize()),
            whole => begin_int(form, &whole),
        },
        Value::Number(text) => bytes(form, Tag::Number, number::canonical(text).as_bytes()),
        Value::Text(text) => bytes(form, Tag::Text, text.as_bytes()),
        Value::Date(date) => bytes(form, Tag::Date, date.to_string().as_bytes()),
        Value::DateTime(datetime) => {
            tag(form, Tag::DateTime, 12);
            form.update(&datetime.timestamp().to_be_bytes());
            form.update(&datetime.timestamp_subsec_nanos().to_be_bytes());
        }
        Value::List(list) => {
            tag(form, Tag::List, list.len());
            open.push(Open::List(list.iter()));
        }
        Value::Map(map) => {
            tag(form, Tag::Map, map.len());
            open.push(Open::Map(map.iter()));
        }
    }
}

fn begin_int(form: &mut Form<'_>, whole: &Value) {
    if let Value::Int(int) = whole {
        bytes(form, Tag::Int, &int.to_be_bytes());
    }
}

#[inline]
fn bytes(form: &mut Form<'_>, of: Tag, content: &[u8]) {
    tag(form, of, content.len());
    form.update(content);
}

#[inline]
fn tag(form: &mut Form<'_>, of: Tag, count: usize) {
    form.update(&[of as u8]);
    form.update(&length(count));
}

/// Lengths are the same eight bytes on every machine.
fn length(count: usize) -> [u8; 8] {
    u64::try_from(count).unwrap_or(u64::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::value::{
        compare::{self, Compare},
        json,
        kind::Kind,
        sample,
    };

    fn key() -> Key {
        Key::new([7; 32])
    }

    fn of(text: &str) -> u64 {
        let value = json::parse(text.as_bytes(), &json::Limits::default()).unwrap();
        key().field("f", Some(&value))
    }

    #[test]
    fn different_things_have_different_fingerprints() {
        let texts = [
            "null",
            r#""""#,
            "[]",
            "{}",
            "0",
            "false",
            "true",
            "1",
            r#""1""#,
            "[1]",
            "[[1]]",
            "[1,1]",
            r#"{"a":1}"#,
            r#"{"b":1}"#,
            r#"["a",1]"#,
            r#"["ab"]"#,
            r#"["a","b"]"#,
            r#"{"a":{},"b":1}"#,
            r#"{"a":{"b":1}}"#,
            "1.5",
            "1e400",
        ];
        let mut hashes: Vec<u64> = texts.iter().map(|text| of(text)).collect();
        hashes.push(key().field("f", None));
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), texts.len() + 1);
    }

    #[test]
    fn one_number_has_one_fingerprint_however_it_is_spelled() {
        for (left, right) in [
            ("1", "1.00"),
            ("1e2", "100"),
            ("0.50", "5e-1"),
            ("1e400", "10e399"),
            ("-0.0", "0"),
        ] {
            assert_eq!(of(left), of(right), "{left} {right}");
        }
    }

    #[test]
    fn a_form_of_any_length_has_the_hash_of_its_bytes() {
        for length in (0..600).chain([1_023, 1_024, 1_025, 70_000]) {
            let text = "x".repeat(length);
            let mut whole = vec![b't'];
            whole.extend([0; 8]);
            whole.extend(text.as_bytes());
            let wanted = blake3::keyed_hash(&[7; 32], &whole);
            assert_eq!(Some(&key().text(&text)), wanted.as_bytes().first_chunk());
            let value = Value::from(text.as_str());
            assert_eq!(key().field_text("f", &text), key().field("f", Some(&value)));
        }
    }

    #[test]
    fn key_and_domain_part_equal_values() {
        let value = Value::from("x");
        assert_ne!(key().field("a", Some(&value)), key().field("b", Some(&value)));
        assert_ne!(
            key().field("a", Some(&value)),
            Key::new([8; 32]).field("a", Some(&value))
        );
        assert_ne!(key().text("x"), key().text("y"));
    }

    #[test]
    fn a_stored_fingerprint_stays_valid() {
        // Bases in existing databases depend on these numbers.
        assert_eq!(of(r#"{"a":[1,1.5,null,true,"x"]}"#), PINNED_FIELD);
        assert_eq!(hex::encode(key().text("ana@example.com")), PINNED_TEXT);
    }

    const PINNED_FIELD: u64 = 2_012_030_097_587_500_047;
    const PINNED_TEXT: &str = "5887f494ff0a228ef5ce5b5d65645468";

    #[test]
    fn debug_does_not_show_the_key() {
        assert_eq!(format!("{:?}", Key::new([42; 32])), "Key(..)");
    }

    #[test]
    fn a_value_of_any_depth_is_hashed_written_and_compared() {
        let deep = || (0..10_000).fold(Value::Null, |inner, _| Value::List(vec![inner]));
        let (left, right) = (deep(), deep());
        assert_eq!(key().field("f", Some(&left)), key().field("f", Some(&right)));
        assert_eq!(json::to_string(&left).len(), 20_004);
        assert!(compare::equal(&left, &right, Kind::Any, Compare::Exact));
        assert!(left.is_deeper_than(9_999));
        // Dropping is the one thing that needs the stack; nothing that is read gets that deep.
        std::mem::forget((left, right));
    }

    proptest! {
        #[test]
        fn fingerprints_are_equal_exactly_where_canonical_values_are(left in sample::value(), right in sample::value()) {
            let normal = |value| compare::normalize(value, Kind::Any, Compare::Exact);
            let (l, r) = (normal(&left), normal(&right));
            prop_assert_eq!(l == r, key().field("f", Some(&l)) == key().field("f", Some(&r)));
            prop_assert_eq!(key().field("f", Some(&l)), key().field("f", Some(&normal(&l))));
        }
    }
}
