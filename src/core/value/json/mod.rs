//! JSON in and out, exactly: no digit, no duplicate key and no trailing byte is lost in silence.
//!
//! Everything that comes in is bounded by [`Limits`]. Two ways in: [`parse`] builds the whole tree, and [`split`] takes the
//! records of a listing out of their answer, with the wanted members of each, in one walk. What is skipped is still checked to be
//! JSON, but for duplicate keys.

mod names;
mod parser;
mod writer;

#[cfg(test)]
mod tests;

use std::ops::Range;

pub use self::names::{Look, names};
use super::{Value, projection::Projection};
use crate::core::path::Path;

/// How much a document may hold. Every bound is inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole document.
    pub bytes: usize,
    /// Lists and maps within one another; at most [`Limits::DEPTH_MAX`].
    pub depth: usize,
    /// Values built, members and items each counting one.
    pub nodes: usize,
    /// Bytes of one key.
    pub key_bytes: usize,
    /// Bytes of one text.
    pub text_bytes: usize,
}

impl Limits {
    /// The deepest nesting that may be allowed: reading uses the stack.
    pub const DEPTH_MAX: usize = 128;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            depth: 64,
            nodes: 2_000_000,
            key_bytes: 1 << 10,
            text_bytes: 16 << 20,
        }
    }
}

/// Why bytes were not taken as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct Error {
    /// Where, in bytes from the start of the document.
    pub offset: usize,
    /// What is wrong there.
    pub kind: ErrorKind,
}

/// What is wrong with a document. No value of it is named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The grammar of JSON is broken, or the document ends too early.
    #[error("invalid JSON: {reason}")]
    Syntax {
        /// What was expected or found.
        reason: String,
    },
    /// The bytes are not UTF-8.
    #[error("invalid UTF-8")]
    Encoding,
    /// Something follows the document.
    #[error("more bytes after the end of the document")]
    Trailing,
    /// A map names a member twice.
    #[error("duplicate key `{key}`")]
    DuplicateKey {
        /// The key, cut where it is long.
        key: String,
    },
    /// The document has too many bytes.
    #[error("a document of more than {max} bytes")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// The document nests too deep.
    #[error("lists and maps nested more than {max} deep")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// The document holds too many values.
    #[error("more than {max} values")]
    TooManyValues {
        /// The limit.
        max: usize,
    },
    /// A key is too long.
    #[error("a key of more than {max} bytes")]
    KeyTooLong {
        /// The limit.
        max: usize,
    },
    /// A text is too long.
    #[error("a text of more than {max} bytes")]
    TextTooLong {
        /// The limit.
        max: usize,
    },
}

/// Reads a whole document.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, Error> {
    parser::document(bytes, limits, |parser| parser.value(&Projection::all(), 0))
}

/// A document whose list of records has been taken out.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// The wanted members of every record, in order; `None` where there is no list at the path.
    pub elements: Option<Vec<Value>>,
    /// Where the records stand in the document, from the first byte of the first one to behind the last one.
    pub place: Range<usize>,
    /// The rest of the document: the list is left out of its map, and null where it was the whole document or an item
    /// of another list. What stands at the path instead of a list stays here.
    pub rest: Value,
}

/// Takes the list at `path` out of a document, with what is `wanted` of each of its items. Each item may be as deep and hold as
/// many values as `limits` allow a document.
pub fn split(bytes: &[u8], path: &Path, wanted: &Projection, limits: &Limits) -> Result<Split, Error> {
    let mut taken = parser::Taken {
        wanted,
        elements: None,
        place: 0..0,
    };
    let rest = parser::document(bytes, limits, |parser| parser.split(path.segments(), 0, &mut taken))?;
    // Places were counted behind a byte order mark.
    let start = parser::start(bytes);
    Ok(Split {
        elements: taken.elements,
        place: taken.place.start + start..taken.place.end + start,
        rest: rest.unwrap_or_default(),
    })
}

/// Appends the compact JSON of a value. Dates and datetimes are ISO 8601 text.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    writer::write(value, out);
}

/// The compact JSON of a value.
#[must_use]
pub fn to_string(value: &Value) -> String {
    let mut out = Vec::new();
    write(value, &mut out);
    // Only ASCII and the bytes of `str`s were appended, so nothing is ever replaced here.
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
