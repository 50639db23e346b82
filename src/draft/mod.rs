//! Drafts of connectors: from what somebody else wrote about a system (an OpenAPI or OData description, a sample answer, a
//! manifest of another tool) to the file that a person goes on with.
//!
//! Nothing is sent and nothing is written here: bytes go in, a [`Draft`] comes out. A draft says exactly what it could not know:
//! every such thing is a [`Note`] at its place, which stands in the file as a comment and is listed on the terminal. What is read
//! is foreign and may be hostile: its size, depth and references are bounded, and whatever comes of it has to pass the same check
//! as a connector that a person wrote ([`Draft::settle`]).

pub mod airbyte;

pub mod openapi;

pub mod odata;

pub mod sample;

pub mod source;

mod address;
mod field;
mod guess;
mod listing;
mod name;
mod object;
mod schema;
mod settle;
mod write;

#[cfg(test)]
mod tests;

use serde_json::Value as Json;

pub use field::Described;
pub use guess::is_personal;
pub use write::fragment;

use crate::core::{
    connector::form::{ConnectorForm, SettingForm, SettingKind},
    problem::pointer,
};

/// The most objects that are drafted without being asked for by name.
pub const OBJECTS_MAX: usize = 40;

/// A connector on its way to a file.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// What the file says.
    pub form: ConnectorForm,
    /// What it could not say, and what is worth a comment.
    pub notes: Vec<Note>,
    /// The cases that a sample gives (`connectors/*.test.yaml`).
    pub cases: Option<Json>,
}

/// Something about a place of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// JSON pointer (RFC 6901) into the file, `""` for the whole of it.
    pub place: String,
    /// What there is to say.
    pub text: String,
    /// Whether a person has to look at it; otherwise it is only a comment.
    pub is_open: bool,
}

/// Why there is no draft.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Too many bytes.
    #[error("the file has more than {} MiB", .max >> 20)]
    TooLarge {
        /// How many there may be.
        max: usize,
    },
    /// Neither JSON nor YAML, or not XML.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// Something else than was asked for.
    #[error("this is no {expected}")]
    Another {
        /// What was expected, and how it is known.
        expected: &'static str,
    },
    /// Nothing in it can be listed and read.
    #[error("it describes nothing that can be listed and read{0}")]
    Nothing(String),
    /// An object that was asked for is not there.
    #[error("it describes no object `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// More than a person can look through.
    #[error("it describes {} objects", .0.len())]
    TooMany(Vec<String>),
    /// What came of it is larger than a connector may be.
    #[error("what came of it is no connector: {0}")]
    Unsound(String),
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let listed = |names: &[String]| {
            let shown: Vec<&str> = names.iter().take(60).map(String::as_str).collect();
            let more = if names.len() > shown.len() { ", …" } else { "" };
            format!("{}{more}", shown.join(", "))
        };
        match self {
            Self::Unknown { name, known } => {
                let near = crate::core::problem::nearest(name, known.iter().map(String::as_str));
                Some(near.map_or_else(
                    || format!("there are {}", listed(known)),
                    |near| format!("did you mean `{near}`?"),
                ))
            }
            Self::TooMany(names) => Some(format!("choose with --object, as often as needed: {}", listed(names))),
            Self::Unsound(_) => Some("draft fewer objects: choose with --object".to_owned()),
            Self::Nothing(_) => {
                Some("draft it from a sample answer: `syncline connector new NAME --sample FILE`".to_owned())
            }
            Self::TooLarge { .. } | Self::Unreadable(_) | Self::Another { .. } => None,
        }
    }
}

/// What of a draft is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'a> {
    /// The connector's name.
    pub name: &'a str,
    /// The objects, by their names or the system's; all where none is named.
    pub objects: &'a [String],
    /// Where the description was read from, where that was an address.
    pub address: Option<&'a str>,
}

impl Draft {
    /// An empty draft of a connector with this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            form: ConnectorForm {
                connector: name.to_owned(),
                ..ConnectorForm::default()
            },
            ..Self::default()
        }
    }

    /// One setting for all listings: the smallest of what they allow.
    pub(crate) fn page_size(&mut self, size: u64) {
        let known = self
            .form
            .settings
            .get("page_size")
            .and_then(|setting| setting.default.as_ref()?.as_u64());
        let setting = SettingForm {
            kind: SettingKind::Integer,
            default: Some(known.map_or(size, |known| known.min(size)).into()),
            title: Some("Records a page".to_owned()),
        };
        self.form.settings.insert("page_size".to_owned(), setting);
    }

    /// Something that a person has to look at.
    pub fn check(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.note(place.into(), &text.into(), true);
    }

    /// Something that is worth a comment.
    pub fn remark(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.note(place.into(), &text.into(), false);
    }

    fn note(&mut self, place: String, text: &str, is_open: bool) {
        let note = Note {
            place,
            text: one_line(text),
            is_open,
        };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// What a person has to look at, in the order of the file.
    #[must_use]
    pub fn open(&self) -> Vec<&Note> {
        let mut open: Vec<&Note> = self.notes.iter().filter(|note| note.is_open).collect();
        open.sort_by_key(|note| write::rank(&note.place));
        open
    }
}

/// The pointer to a key of an object.
pub(crate) fn at(object: &str, key: &str) -> String {
    let object = pointer("/objects", object);
    if key.is_empty() { object } else { pointer(&object, key) }
}

/// Foreign text as a comment or title: one line, nothing that moves a cursor, not long.
pub(crate) fn one_line(text: &str) -> String {
    const CHARS_MAX: usize = 300;
    let mut line = String::new();
    let words = text.split(|c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    });
    for word in words.filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.chars().count() > CHARS_MAX {
            line = line.chars().take(CHARS_MAX).collect();
            line.push('…');
            break;
        }
    }
    line
}
