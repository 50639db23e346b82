//! Paths into values: `meta.next`, `lines[0].sku`, `['odd key'].x`, `@odata.nextLink`.
//!
//! A path is keys joined by dots and indexes in brackets. A key that holds other characters than a plain name stands in
//! brackets and quotes. One rule spares OData and JSON-LD that: **a dot behind an `@` does not end the key**, so
//! `value[0].@odata.etag` and `Name@odata.type` are what they look like; what follows such a key is written in
//! brackets. `$` alone is the whole value. `Phones[Type=MOBILE].Number` leads through the first item of a list whose member
//! has that text; putting something there makes the item where there is none.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::value::{Map, Value};

const TEXT_BYTES_MAX: usize = 512;
const SEGMENTS_MAX: usize = 32;
const WHOLE: &str = "$";

/// A path into a value. The default is the path of the whole value.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String", extend("minLength" = 1, "maxLength" = 512))]
pub struct Path(Vec<Segment>);

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// To a member of a map.
    Key(Box<str>),
    /// To an item of a list, counted from 0.
    Index(u32),
    /// To the first item of a list whose member `key` has this text.
    Item {
        /// The member.
        key: Box<str>,
        /// Its text.
        text: Box<str>,
    },
}

/// A text that is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a path: {reason} at character {offset}")]
pub struct ParseError {
    text: String,
    reason: &'static str,
    /// Byte offset of the place.
    offset: usize,
}

impl ParseError {
    /// Where the text goes wrong, in bytes.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

/// A value that cannot be put where a path leads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// Something that has no members stands in the way.
    #[error("`{at}` is a {found} and cannot hold `{path}`")]
    InTheWay {
        /// The whole path.
        path: Path,
        /// The part that leads to what is in the way.
        at: Path,
        /// What stands there.
        found: &'static str,
    },
    /// The list is shorter than the index.
    #[error("`{at}` has {length} items and no place for `{path}`")]
    NoSuchItem {
        /// The whole path.
        path: Path,
        /// The part that leads to the list.
        at: Path,
        /// How long the list is.
        length: usize,
    },
}

impl Path {
    /// Reads a path.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Reader { text, at: 0 }.path()
    }

    /// The path of a member, whatever characters its key has.
    #[must_use]
    pub fn of_key(key: &str) -> Self {
        Self(vec![Segment::Key(key.into())])
    }

    /// The path of these steps.
    #[must_use]
    pub fn of(segments: Vec<Segment>) -> Self {
        Self(segments)
    }

    /// Its steps.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether it is the path of the whole value.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.0.is_empty()
    }

    /// The first key: the member of a record that the path goes through.
    #[must_use]
    pub fn root(&self) -> Option<&str> {
        match self.0.first() {
            Some(Segment::Key(key)) => Some(key),
            _ => None,
        }
    }

    /// Whether it leads to `other` or to something around it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// What stands there; `None` where nothing does.
    #[must_use]
    pub fn get<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, step)
    }

    /// What stands there, seen from the members of a record; `None` where nothing does, and for the path of the whole.
    #[must_use]
    pub fn get_in<'a>(&self, map: &'a Map) -> Option<&'a Value> {
        self.get_behind(map.get(self.root()?)?)
    }

    /// What stands there, seen from the member that the first step leads to.
    #[must_use]
    pub fn get_behind<'a>(&self, member: &'a Value) -> Option<&'a Value> {
        self.0.get(1..)?.iter().try_fold(member, step)
    }

    /// Puts `new` there. Maps on the way are made, also in place of null; an index may be one past the end of its list.
    pub fn set(&self, value: &mut Value, new: Value) -> Result<(), SetError> {
        let mut place = value;
        for (at, segment) in self.0.iter().enumerate() {
            place = self.enter(place, at, segment)?;
        }
        *place = new;
        Ok(())
    }

    /// Puts `new` there, seen from the members of a record. The path of the whole fits nowhere in one.
    pub fn set_in(&self, map: &mut Map, new: Value) -> Result<(), SetError> {
        let mut whole = Value::Map(std::mem::take(map));
        let result = if self.is_whole() {
            Err(self.in_the_way(0, "map"))
        } else {
            self.set(&mut whole, new)
        };
        if let Value::Map(filled) = whole {
            *map = filled;
        }
        result
    }

    /// Takes away what stands there; maps on the way stay. `None` where nothing did.
    pub fn remove(&self, value: &mut Value) -> Option<Value> {
        let (last, before) = self.0.split_last()?;
        let mut place = value;
        for segment in before {
            place = match (segment, place) {
                (Segment::Key(key), Value::Map(map)) => map.get_mut(&**key)?,
                (Segment::Index(index), Value::List(list)) => list.get_mut(usize::try_from(*index).ok()?)?,
                (Segment::Item { key, text }, Value::List(list)) => {
                    list.iter_mut().find(|item| has(item, key, text))?
                }
                _ => return None,
            };
        }
        match (last, place) {
            (Segment::Key(key), Value::Map(map)) => map.remove(&**key),
            (Segment::Index(index), Value::List(list)) => {
                let index = usize::try_from(*index).ok()?;
                (index < list.len()).then(|| list.remove(index))
            }
            (Segment::Item { key, text }, Value::List(list)) => {
                let index = list.iter().position(|item| has(item, key, text))?;
                Some(list.remove(index))
            }
            _ => None,
        }
    }

    fn enter<'a>(&self, place: &'a mut Value, at: usize, segment: &Segment) -> Result<&'a mut Value, SetError> {
        match segment {
            Segment::Key(key) => {
                if place.is_null() {
                    *place = Value::Map(Map::new());
                }
                match place {
                    Value::Map(map) => Ok(map.entry(key.to_string()).or_default()),
                    other => Err(self.in_the_way(at, other.type_name())),
                }
            }
            Segment::Index(index) => match place {
                Value::List(list) => {
                    let (index, length) = (usize::try_from(*index).unwrap_or(usize::MAX), list.len());
                    if index == length {
                        list.push(Value::Null);
                    }
                    list.get_mut(index).ok_or_else(|| SetError::NoSuchItem {
                        path: self.clone(),
                        at: self.until(at),
                        length,
                    })
                }
                other => Err(self.in_the_way(at, other.type_name())),
            },
            Segment::Item { key, text } => {
                if place.is_null() {
                    *place = Value::List(Vec::new());
                }
                match place {
                    Value::List(list) => {
                        let index = list.iter().position(|item| has(item, key, text)).unwrap_or_else(|| {
                            let item = Map::from([(key.to_string(), Value::from(&**text))]);
                            list.push(Value::Map(item));
                            list.len() - 1
                        });
                        let length = list.len();
                        list.get_mut(index).ok_or_else(|| SetError::NoSuchItem {
                            path: self.clone(),
                            at: self.until(at),
                            length,
                        })
                    }
                    other => Err(self.in_the_way(at, other.type_name())),
                }
            }
        }
    }

    fn in_the_way(&self, at: usize, found: &'static str) -> SetError {
        SetError::InTheWay {
            path: self.clone(),
            at: self.until(at),
            found,
        }
    }

    fn until(&self, count: usize) -> Self {
        Self(self.0.iter().take(count).cloned().collect())
    }
}

fn step<'a>(value: &'a Value, segment: &Segment) -> Option<&'a Value> {
    match (segment, value) {
        (Segment::Key(key), Value::Map(map)) => map.get(&**key),
        (Segment::Index(index), Value::List(list)) => list.get(usize::try_from(*index).ok()?),
        (Segment::Item { key, text }, Value::List(list)) => list.iter().find(|item| has(item, key, text)),
        _ => None,
    }
}

/// Whether a value is a map whose member `key` has this text.
fn has(item: &Value, key: &str, text: &str) -> bool {
    let member = item.as_map().and_then(|map| map.get(key));
    member.is_some_and(|member| match member {
        Value::Text(own) => own == text,
        other => other.to_text().is_some_and(|own| own == text),
    })
}

/// Reads the text of a path from left to right.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn path(mut self) -> Result<Path, ParseError> {
        if self.text.len() > TEXT_BYTES_MAX {
            let text = self.text.chars().take(40).chain(['…']).collect();
            return Err(ParseError {
                text,
                reason: "more than 512 bytes",
                offset: TEXT_BYTES_MAX,
            });
        }
        if self.text == WHOLE {
            return Ok(Path::default());
        }
        let mut segments = Vec::new();
        while segments.is_empty() || self.at < self.text.len() {
            if segments.len() == SEGMENTS_MAX {
                return Err(self.error("more than 32 steps"));
            }
            segments.push(self.segment(segments.is_empty())?);
        }
        Ok(Path(segments))
    }

    fn segment(&mut self, is_first: bool) -> Result<Segment, ParseError> {
        match self.rest().chars().next() {
            Some('[') => {
                self.at += 1;
                self.bracket()
            }
            Some('.') if !is_first => {
                self.at += 1;
                self.plain()
            }
            _ if is_first => self.plain(),
            _ => Err(self.error("expected `.` or `[`")),
        }
    }

    fn plain(&mut self) -> Result<Segment, ParseError> {
        let rest = self.rest();
        let mut is_annotation = false;
        let end = rest.find(|c: char| {
            is_annotation |= c == '@';
            !(is_plain(c) || (is_annotation && c == '.'))
        });
        let key = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.at += key.len();
        if key.is_empty() {
            return Err(self.error(
                "expected a key; other characters than letters, digits, `_`, `-`, `:`, `@`, `$` and `#` need ['…']",
            ));
        }
        if key.ends_with('.') {
            return Err(self.error("a key cannot end with a dot; use ['…']"));
        }
        Ok(Segment::Key(key.into()))
    }

    fn bracket(&mut self) -> Result<Segment, ParseError> {
        let segment = if let Some(key) = self.quotation()? {
            if self.equals() {
                self.item(key)?
            } else {
                Segment::Key(key.into())
            }
        } else {
            let rest = self.rest();
            let word = rest.find(|c: char| !is_plain(c)).unwrap_or(rest.len());
            let word = rest.get(..word).unwrap_or_default();
            if rest.get(word.len()..).is_some_and(|rest| rest.starts_with('=')) && !word.is_empty() {
                self.at += word.len() + 1;
                self.item(word.to_owned())?
            } else {
                let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let index = rest.get(..digits).and_then(|digits| digits.parse().ok());
                let index = index.ok_or_else(|| self.error("expected an index, a quoted key or `member=text`"))?;
                self.at += digits;
                Segment::Index(index)
            }
        };
        if !self.rest().starts_with(']') {
            return Err(self.error("expected `]`"));
        }
        self.at += 1;
        Ok(segment)
    }

    /// What stands in quotes here, if anything does.
    fn quotation(&mut self) -> Result<Option<String>, ParseError> {
        let Some(quote @ ('\'' | '"')) = self.rest().chars().next() else {
            return Ok(None);
        };
        self.at += 1;
        self.quoted(quote).map(Some)
    }

    fn equals(&mut self) -> bool {
        let is_there = self.rest().starts_with('=');
        self.at += usize::from(is_there);
        is_there
    }

    /// The text that an item's member has, behind `=`.
    fn item(&mut self, key: String) -> Result<Segment, ParseError> {
        let text = if let Some(text) = self.quotation()? {
            text
        } else {
            let rest = self.rest();
            let end = rest.find(|c: char| !is_plain(c)).unwrap_or(rest.len());
            let text = rest.get(..end).unwrap_or_default();
            if text.is_empty() {
                return Err(
                    self.error("expected a text behind `=`; other characters than those of a plain key need quotes")
                );
            }
            self.at += text.len();
            text.to_owned()
        };
        Ok(Segment::Item {
            key: key.into(),
            text: text.into(),
        })
    }

    fn quoted(&mut self, quote: char) -> Result<String, ParseError> {
        let mut key = String::new();
        let mut is_escaped = false;
        for c in self.rest().chars() {
            self.at += c.len_utf8();
            match c {
                c if std::mem::take(&mut is_escaped) => key.push(c),
                '\\' => is_escaped = true,
                c if c == quote => return Ok(key),
                c => key.push(c),
            }
        }
        Err(self.error("the quote is not closed"))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, reason: &'static str) -> ParseError {
        ParseError {
            text: self.text.to_owned(),
            reason,
            offset: self.at,
        }
    }
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '@' | '$' | '#')
}

/// Whether the key can stand in a path without brackets and mean itself.
fn is_plain_key(key: &str) -> bool {
    let (before, after) = key.split_once('@').unwrap_or((key, ""));
    !key.is_empty()
        && key != WHOLE
        && !key.ends_with('.')
        && before.chars().all(is_plain)
        && after.chars().all(|c| is_plain(c) || c == '.')
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_whole() {
            return f.write_str(WHOLE);
        }
        // A dot behind an `@` belongs to its key, so the next key needs brackets.
        let mut takes_dots = false;
        for (at, segment) in self.0.iter().enumerate() {
            let is_dotted = !std::mem::take(&mut takes_dots);
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if is_dotted && is_plain_key(key) => {
                    let dot = if at == 0 { "" } else { "." };
                    write!(f, "{dot}{key}")?;
                    takes_dots = key.contains('@');
                }
                Segment::Key(key) => write!(f, "[{}]", quote(key))?,
                Segment::Item { key, text } => {
                    let word = |text: &str| {
                        if !text.is_empty() && text.chars().all(is_plain) {
                            text.to_owned()
                        } else {
                            quote(text)
                        }
                    };
                    write!(f, "[{}={}]", word(key), word(text))?;
                }
            }
        }
        Ok(())
    }
}

impl FromStr for Path {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl Serialize for Path {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::value::json;

    fn value(text: &str) -> Value {
        json::parse(text.as_bytes(), &json::Limits::default()).unwrap()
    }

    #[test]
    fn a_path_leads_to_what_it_says() {
        let document = r#"{"meta":{"next":1},"a":{"b":[{"c":2}]},"odd key":{"x":3},"@odata.nextLink":4,"value":[{"@odata.etag":5}],"Name@odata.type":6,"x-y:z":7,"$":8,"@graph":{"id":9}}"#;
        for (path, expected) in [
            ("meta.next", Some(1)),
            ("a.b[0].c", Some(2)),
            ("['odd key'].x", Some(3)),
            ("[\"odd key\"].x", Some(3)),
            ("@odata.nextLink", Some(4)),
            ("['@odata.nextLink']", Some(4)),
            ("value[0].@odata.etag", Some(5)),
            ("Name@odata.type", Some(6)),
            ("x-y:z", Some(7)),
            ("['$']", Some(8)),
            ("@graph['id']", Some(9)),
            ("meta.none", None),
            ("a.b[1]", None),
            ("a.b.c", None),
            ("meta[0]", None),
            ("meta.next.more", None),
            ("a.b[c=2].c", Some(2)),
            ("a.b[c='2'].c", Some(2)),
            ("a.b['c'=2].c", Some(2)),
            ("a.b[c=3].c", None),
            ("meta[next=1]", None),
        ] {
            let found = Path::parse(path).unwrap().get(&value(document)).cloned();
            assert_eq!(found, expected.map(Value::Int), "{path}");
        }
    }

    #[test]
    fn the_dollar_sign_is_the_whole_value() {
        let path = Path::parse("$").unwrap();
        assert!(path.is_whole());
        assert_eq!(path.get(&Value::Int(1)), Some(&Value::Int(1)));
    }

    #[test]
    fn what_is_no_path_is_refused_with_its_place() {
        for (text, offset) in [
            ("", 0),
            (".a", 0),
            ("a.", 2),
            ("a..b", 2),
            ("a b", 1),
            ("a[", 2),
            ("a[x]", 2),
            ("a[-1]", 2),
            ("a['b]", 5),
            ("a['b'", 5),
            ("a]", 1),
            ("a[0]b", 4),
            ("a[99999999999]", 2),
            ("a[b=]", 4),
            ("a[=b]", 2),
            ("a[b=c d]", 5),
            ("@odata.", 7),
        ] {
            assert_eq!(Path::parse(text).unwrap_err().offset(), offset, "{text}");
        }
        assert!(Path::parse(&"a".repeat(513)).is_err());
        assert!(Path::parse(&"a.".repeat(33)).is_err());
    }

    #[test]
    fn setting_makes_maps_on_the_way() {
        for (before, path, after) in [
            ("{}", "a.b.c", r#"{"a":{"b":{"c":1}}}"#),
            (r#"{"a":null}"#, "a.b", r#"{"a":{"b":1}}"#),
            (r#"{"a":[{"b":2}]}"#, "a[0].b", r#"{"a":[{"b":1}]}"#),
            (r#"{"a":[]}"#, "a[0]", r#"{"a":[1]}"#),
            ("{}", "$", "1"),
            ("{}", "p[t=M].n", r#"{"p":[{"n":1,"t":"M"}]}"#),
            (r#"{"p":[{"t":"M"}]}"#, "p[t=M].n", r#"{"p":[{"n":1,"t":"M"}]}"#),
            (
                r#"{"p":[{"t":"F"}]}"#,
                "p[t=M].n",
                r#"{"p":[{"t":"F"},{"n":1,"t":"M"}]}"#,
            ),
        ] {
            let mut place = value(before);
            Path::parse(path).unwrap().set(&mut place, Value::Int(1)).unwrap();
            assert_eq!(json::to_string(&place), after, "{before} {path}");
        }
    }

    #[test]
    fn setting_through_a_scalar_is_refused_and_names_it() {
        let mut place = value(r#"{"a":{"b":"x"},"l":[]}"#);
        let error = Path::parse("a.b.c").unwrap().set(&mut place, Value::Null).unwrap_err();
        assert_eq!(error.to_string(), "`a.b` is a text and cannot hold `a.b.c`");
        let error = Path::parse("l[2]").unwrap().set(&mut place, Value::Null).unwrap_err();
        assert_eq!(error.to_string(), "`l` has 0 items and no place for `l[2]`");
    }

    #[test]
    fn removing_gives_back_what_was_there() {
        let mut place = value(r#"{"a":{"b":1,"c":[1,2]}}"#);
        assert_eq!(Path::parse("a.b").unwrap().remove(&mut place), Some(Value::Int(1)));
        assert_eq!(Path::parse("a.c[1]").unwrap().remove(&mut place), Some(Value::Int(2)));
        assert_eq!(Path::parse("a.x.y").unwrap().remove(&mut place), None);
        assert_eq!(json::to_string(&place), r#"{"a":{"c":[1]}}"#);
    }

    fn any_path() -> impl Strategy<Value = Path> {
        let segment = prop_oneof![
            "[ -~]{0,12}".prop_map(|key| Segment::Key(key.into())),
            "[a-z@.]{1,6}".prop_map(|key| Segment::Key(key.into())),
            any::<u32>().prop_map(Segment::Index),
            ("[ -~]{0,6}", "[ -~]{0,6}").prop_map(|(key, text)| Segment::Item {
                key: key.into(),
                text: text.into(),
            }),
        ];
        prop::collection::vec(segment, 0..6).prop_map(Path::of)
    }

    proptest! {
        #[test]
        fn a_written_path_reads_back_as_itself(path in any_path()) {
            prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,60}") {
            let _ = Path::parse(&text);
        }

        #[test]
        fn what_was_set_is_found(path in any_path()) {
            // Putting a number in place of an item takes away the member that it is known by.
            prop_assume!(!path.segments().iter().any(|segment| matches!(segment, Segment::Item { .. })));
            let mut place = Value::Null;
            if path.set(&mut place, Value::Int(1)).is_ok() {
                prop_assert_eq!(path.get(&place), Some(&Value::Int(1)));
            }
        }
    }
}
