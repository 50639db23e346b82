//! Reading: our own walk over the tokens that `jiter` finds.

use std::{collections::btree_map::Entry, ops::Range};

use jiter::{Jiter, JiterError, JiterErrorType, JsonErrorType, Peek};

use super::{Error, ErrorKind, Limits};
use crate::core::{
    path::Segment,
    value::{Map, Value, projection::Projection},
};

const BOM: &[u8] = b"\xEF\xBB\xBF";
const KEY_SHOWN_CHARS: usize = 64;
/// How deep `jiter` skips; not ours to set.
const SKIP_DEPTH: usize = 200;

/// Checks what concerns a document as a whole, and reads it with `read`.
pub(super) fn document<'a, T>(
    bytes: &'a [u8],
    limits: &Limits,
    read: impl FnOnce(&mut Parser<'a>) -> Result<T, Error>,
) -> Result<T, Error> {
    if bytes.len() > limits.bytes {
        let kind = ErrorKind::TooLarge { max: limits.bytes };
        return Err(Error {
            offset: limits.bytes,
            kind,
        });
    }
    let start = start(bytes);
    let result = read_body(bytes.get(start..).unwrap_or_default(), limits, read);
    result.map_err(|error| Error {
        offset: error.offset + start,
        ..error
    })
}

/// Where the document starts: a byte order mark is forbidden to senders and may be ignored by receivers (RFC 8259, section 8.1).
pub(super) fn start(bytes: &[u8]) -> usize {
    if bytes.starts_with(BOM) { BOM.len() } else { 0 }
}

fn read_body<'a, T>(
    body: &'a [u8],
    limits: &Limits,
    read: impl FnOnce(&mut Parser<'a>) -> Result<T, Error>,
) -> Result<T, Error> {
    // Once for all: skipped parts are not looked at again, and raw slices are known to be text.
    if let Err(error) = std::str::from_utf8(body) {
        return Err(Error {
            offset: error.valid_up_to(),
            kind: ErrorKind::Encoding,
        });
    }
    let mut parser = Parser {
        tokens: Jiter::new(body),
        limits: Limits {
            depth: limits.depth.min(Limits::DEPTH_MAX),
            ..*limits
        },
        nodes: 0,
    };
    let result = read(&mut parser)?;
    parser.tokens.finish().map_err(syntax)?;
    Ok(result)
}

/// A list that is taken out of a document.
pub(super) struct Taken<'w> {
    /// What is wanted of each item.
    pub(super) wanted: &'w Projection,
    /// Its items; `None` as long as there is no list.
    pub(super) elements: Option<Vec<Value>>,
    /// Where they stand, in bytes behind a byte order mark.
    pub(super) place: Range<usize>,
}

/// A document being read.
pub(super) struct Parser<'a> {
    tokens: Jiter<'a>,
    limits: Limits,
    nodes: usize,
}

impl Parser<'_> {
    /// Reads the wanted parts of the next value, which stands `depth` lists and maps deep.
    pub(super) fn value(&mut self, wanted: &Projection, depth: usize) -> Result<Value, Error> {
        let peek = self.tokens.peek().map_err(syntax)?;
        self.known_value(peek, wanted, depth)
    }

    fn known_value(&mut self, peek: Peek, wanted: &Projection, depth: usize) -> Result<Value, Error> {
        self.count()?;
        match peek {
            Peek::Null => self.tokens.known_null().map(|()| Value::Null).map_err(syntax),
            Peek::True | Peek::False => self.tokens.known_bool(peek).map(Value::Bool).map_err(syntax),
            Peek::String => self.text(),
            Peek::Array => self.list(depth),
            Peek::Object => self.map(wanted, depth),
            _ => self.number(peek),
        }
    }

    fn count(&mut self) -> Result<(), Error> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            let max = self.limits.nodes;
            return Err(self.error(ErrorKind::TooManyValues { max }));
        }
        Ok(())
    }

    fn enter(&self, depth: usize) -> Result<usize, Error> {
        if depth >= self.limits.depth {
            let max = self.limits.depth;
            return Err(self.error(ErrorKind::TooDeep { max }));
        }
        Ok(depth + 1)
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error {
            offset: self.tokens.current_index(),
            kind,
        }
    }

    fn text(&mut self) -> Result<Value, Error> {
        let max = self.limits.text_bytes;
        let text = self.tokens.known_str().map_err(syntax)?;
        if text.len() > max {
            return Err(self.error(ErrorKind::TextTooLong { max }));
        }
        Ok(Value::Text(text.to_owned()))
    }

    fn number(&mut self, peek: Peek) -> Result<Value, Error> {
        let bytes = self.tokens.known_number_bytes(peek).map_err(syntax)?;
        let number = std::str::from_utf8(bytes).ok().and_then(Value::number);
        number.ok_or_else(|| {
            self.error(ErrorKind::Syntax {
                reason: "not a number".to_owned(),
            })
        })
    }

    fn list(&mut self, depth: usize) -> Result<Value, Error> {
        let depth = self.enter(depth)?;
        let mut list = Vec::new();
        let mut next = self.tokens.known_array().map_err(syntax)?;
        while let Some(peek) = next {
            list.push(self.known_value(peek, &Projection::all(), depth)?);
            next = self.tokens.array_step().map_err(syntax)?;
        }
        Ok(Value::List(list))
    }

    fn map(&mut self, wanted: &Projection, depth: usize) -> Result<Value, Error> {
        let depth = self.enter(depth)?;
        let mut map = Map::new();
        let mut place = Place::First;
        while let Some(key) = self.key(&mut place)? {
            let Some(wanted) = wanted.member(key) else {
                self.tokens.next_skip().map_err(syntax)?;
                continue;
            };
            let key = key.to_owned();
            let value = self.value(wanted, depth)?;
            self.insert(&mut map, key, value)?;
        }
        Ok(Value::Map(map))
    }

    fn key(&mut self, place: &mut Place) -> Result<Option<&str>, Error> {
        let offset = self.tokens.current_index();
        let key = match std::mem::replace(place, Place::Later) {
            Place::First => self.tokens.known_object(),
            Place::Later => self.tokens.next_key(),
        };
        let key = key.map_err(syntax)?;
        let max = self.limits.key_bytes;
        if key.is_some_and(|key| key.len() > max) {
            let kind = ErrorKind::KeyTooLong { max };
            return Err(Error { offset, kind });
        }
        Ok(key)
    }

    fn insert(&self, map: &mut Map, key: String, value: Value) -> Result<(), Error> {
        match map.entry(key) {
            Entry::Vacant(free) => {
                free.insert(value);
                Ok(())
            }
            Entry::Occupied(taken) => Err(self.duplicate(taken.key())),
        }
    }

    fn duplicate(&self, key: &str) -> Error {
        self.error(ErrorKind::DuplicateKey {
            key: key.chars().take(KEY_SHOWN_CHARS).collect(),
        })
    }

    /// Reads the next value and puts the items of the list that `taken` wants into it. What remains of the value; `None` where
    /// it was that list.
    pub(super) fn split(
        &mut self,
        path: &[Segment],
        depth: usize,
        taken: &mut Taken<'_>,
    ) -> Result<Option<Value>, Error> {
        let peek = self.tokens.peek().map_err(syntax)?;
        match (path.split_first(), peek) {
            (None, Peek::Array) => self.elements(depth, taken).map(|()| None),
            (Some((Segment::Key(key), rest)), Peek::Object) => self.split_map(key, rest, depth, taken).map(Some),
            (Some((Segment::Index(index), rest)), Peek::Array) => self.split_list(*index, rest, depth, taken).map(Some),
            _ => self.known_value(peek, &Projection::all(), depth).map(Some),
        }
    }

    /// Each item has a document's own depth and number of values, as if it came alone.
    fn elements(&mut self, depth: usize, taken: &mut Taken<'_>) -> Result<(), Error> {
        self.enter(depth)?;
        let mut elements = Vec::new();
        let mut next = self.tokens.known_array().map_err(syntax)?;
        let start = self.tokens.current_index();
        let mut end = start;
        while let Some(peek) = next {
            self.count()?;
            let before = std::mem::take(&mut self.nodes);
            elements.push(self.known_value(peek, taken.wanted, 0)?);
            self.nodes = before;
            end = self.tokens.current_index();
            next = self.tokens.array_step().map_err(syntax)?;
        }
        taken.place = start..end;
        taken.elements = Some(elements);
        Ok(())
    }

    fn split_map(
        &mut self,
        wanted: &str,
        path: &[Segment],
        depth: usize,
        taken: &mut Taken<'_>,
    ) -> Result<Value, Error> {
        let depth = self.enter(depth)?;
        let mut map = Map::new();
        let mut is_found = false;
        let mut place = Place::First;
        while let Some(key) = self.key(&mut place)? {
            let key = key.to_owned();
            if key != wanted {
                let value = self.value(&Projection::all(), depth)?;
                self.insert(&mut map, key, value)?;
                continue;
            }
            if std::mem::replace(&mut is_found, true) {
                return Err(self.duplicate(&key));
            }
            if let Some(value) = self.split(path, depth, taken)? {
                self.insert(&mut map, key, value)?;
            }
        }
        Ok(Value::Map(map))
    }

    fn split_list(
        &mut self,
        index: u32,
        path: &[Segment],
        depth: usize,
        taken: &mut Taken<'_>,
    ) -> Result<Value, Error> {
        let depth = self.enter(depth)?;
        let mut list = Vec::new();
        let mut next = self.tokens.known_array().map_err(syntax)?;
        while let Some(peek) = next {
            let is_wanted = u32::try_from(list.len()) == Ok(index);
            list.push(if is_wanted {
                self.split(path, depth, taken)?.unwrap_or_default()
            } else {
                self.known_value(peek, &Projection::all(), depth)?
            });
            next = self.tokens.array_step().map_err(syntax)?;
        }
        Ok(Value::List(list))
    }
}

/// Which key of a map comes next.
enum Place {
    First,
    Later,
}

fn syntax(error: JiterError) -> Error {
    let kind = match error.error_type {
        JiterErrorType::JsonError(JsonErrorType::TrailingCharacters) => ErrorKind::Trailing,
        JiterErrorType::JsonError(JsonErrorType::RecursionLimitExceeded) => ErrorKind::TooDeep { max: SKIP_DEPTH },
        other => ErrorKind::Syntax {
            reason: other.to_string(),
        },
    };
    Error {
        offset: error.index,
        kind,
    }
}
