//! A draft as the text of its file: the keys in the order in which people read them, what is short in one line, and every note
//! as a comment at its place.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Map, Value as Json};

use super::{Draft, Error};
use crate::{
    catalog::yaml::{Document, Scalar},
    core::problem::pointer,
};

/// Lines are not longer than this where they can be broken.
const WIDTH: usize = 120;
/// Where trailing comments begin, if the line is not longer.
const COMMENT_COLUMN: usize = 44;

/// The keys of the file in the order of their appearance, for notes.
const ORDER: [&str; 15] = [
    "connector",
    "title",
    "docs",
    "settings",
    "credentials",
    "base_url",
    "headers",
    "format",
    "auth",
    "limits",
    "errors",
    "types",
    "discover",
    "objects",
    "webhooks",
];

/// Where a note stands among others.
pub(super) fn rank(place: &str) -> (usize, String) {
    let top = place.split('/').nth(1).unwrap_or_default();
    let at = ORDER.iter().position(|key| *key == top).map_or(0, |at| at + 1);
    (at, place.to_owned())
}

impl Draft {
    /// The text of `connectors/<name>.yaml`.
    pub fn yaml(&self) -> Result<String, Error> {
        let form = serde_json::to_value(&self.form).map_err(|error| Error::Unsound(error.to_string()))?;
        let mut pen = Pen::new(self);
        pen.out
            .push_str("# yaml-language-server: $schema=../schemas/connector.schema.json\n");
        pen.comments("", 0);
        if let Json::Object(members) = tidy(&form) {
            for key in ORDER {
                if matches!(key, "base_url" | "objects") {
                    pen.out.push('\n');
                }
                match members.get(key) {
                    Some(value) => pen.member(key, value, "", 0),
                    None => pen.comments(&pointer("", key), 0),
                }
            }
        }
        // A note about something that is not in the file is better at its end than nowhere.
        let left: Vec<&str> = pen.open.keys().copied().collect();
        for place in left {
            pen.comments(place, 0);
        }
        let text = pen.out;
        match Document::read(text.as_bytes()).flaws.first() {
            None => Ok(text),
            Some(flaw) => Err(Error::Unsound(flaw.problem.message.clone())),
        }
    }

    /// The text of `connectors/<name>.test.yaml`, where there are cases.
    #[must_use]
    pub fn cases_yaml(&self) -> Option<String> {
        let empty = Self::default();
        let mut pen = Pen::new(&empty);
        pen.out
            .push_str("# yaml-language-server: $schema=../schemas/connector-test.schema.json\n");
        for (key, value) in self.cases.as_ref()?.as_object()? {
            pen.member(key, value, "", 0);
        }
        Some(pen.out)
    }
}

/// Objects of a file, as the text of the part that stands under `objects:` of one.
#[must_use]
pub fn fragment(fields: &Map<String, Json>, indent: usize) -> String {
    let empty = Draft::default();
    let mut pen = Pen::new(&empty);
    for (key, value) in fields {
        pen.member(key, value, "", indent);
    }
    pen.out
}

/// Keys whose value is the author's own structure: what looks empty in it may be meant.
const OPAQUE: [&str; 6] = ["body", "form", "write", "claims", "default", "null"];

/// The form without what says nothing: null, no, and empty maps and lists; a field that only has a type is that type.
fn tidy(value: &Json) -> Json {
    match value {
        Json::Object(members) => {
            let kept = members.iter().filter_map(|(key, value)| {
                let value = if OPAQUE.contains(&key.as_str()) {
                    value.clone()
                } else {
                    tidy(value)
                };
                let says_nothing = match &value {
                    Json::Null | Json::Bool(false) => true,
                    Json::Array(items) => items.is_empty(),
                    Json::Object(members) => members.is_empty(),
                    Json::String(text) => {
                        matches!(
                            (key.as_str(), text.as_str()),
                            ("access", "read_write") | ("client_auth", "basic")
                        ) || (key == "base_url" && text.is_empty())
                    }
                    Json::Bool(true) | Json::Number(_) => false,
                };
                (!says_nothing).then(|| (key.clone(), collapsed(key, value)))
            });
            Json::Object(kept.collect())
        }
        other => other.clone(),
    }
}

/// Under `fields`, a description with a type alone is the type.
fn collapsed(key: &str, value: Json) -> Json {
    let Json::Object(members) = value else { return value };
    if key != "fields" {
        return Json::Object(members);
    }
    let short = members.into_iter().map(|(name, field)| {
        let kind = field
            .get("type")
            .filter(|_| field.as_object().is_some_and(|field| field.len() == 1));
        let kind = kind.cloned();
        (name, kind.unwrap_or(field))
    });
    Json::Object(short.collect())
}

struct Pen<'a> {
    out: String,
    open: BTreeMap<&'a str, Vec<&'a str>>,
    beside: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Pen<'a> {
    fn new(draft: &'a Draft) -> Self {
        let mut pen = Self {
            out: String::new(),
            open: BTreeMap::new(),
            beside: BTreeMap::new(),
        };
        for note in &draft.notes {
            let notes = if note.is_open || note.place.is_empty() {
                &mut pen.open
            } else {
                &mut pen.beside
            };
            notes.entry(note.place.as_str()).or_default().push(note.text.as_str());
        }
        pen
    }

    /// What has to be looked at, above its place.
    fn comments(&mut self, place: &str, indent: usize) {
        for text in self.open.remove(place).unwrap_or_default() {
            let word = if place.is_empty() { "" } else { "CHECK: " };
            let _ = writeln!(self.out, "{:indent$}# {word}{text}", "");
        }
    }

    fn line_end(&mut self, place: &str, start: usize) {
        if let Some(texts) = self.beside.remove(place) {
            let width = self.out.get(start..).map_or(0, |line| line.chars().count());
            let _ = write!(
                self.out,
                "{:pad$} # {}",
                "",
                texts.join("; "),
                pad = COMMENT_COLUMN.saturating_sub(width + 1)
            );
        }
        self.out.push('\n');
    }

    fn has_notes_below(&self, place: &str) -> bool {
        let below = |notes: &BTreeMap<&str, Vec<&str>>| {
            let inside = format!("{place}/");
            notes.keys().any(|key| key.starts_with(&inside))
        };
        below(&self.open) || below(&self.beside)
    }

    fn member(&mut self, key: &str, value: &Json, above: &str, indent: usize) {
        let place = pointer(above, key);
        // What is said of keys that are not there stands at their place all the same.
        self.comments(&place, indent);
        let start = self.out.len();
        let _ = write!(self.out, "{:indent$}{}:", "", scalar(key, false));
        self.value(value, &place, indent, start);
    }

    fn value(&mut self, value: &Json, place: &str, indent: usize, start: usize) {
        let is_structure = matches!(value, Json::Array(items) if !items.is_empty())
            || matches!(value, Json::Object(members) if !members.is_empty());
        let flow = flow(value);
        let width = self.out.get(start..).map_or(0, |line| line.chars().count());
        let fits = width + 1 + flow.chars().count() <= WIDTH;
        if !is_structure || (fits && !is_block(place) && !self.has_notes_below(place)) {
            let _ = write!(self.out, " {flow}");
            self.line_end(place, start);
            return;
        }
        self.line_end(place, start);
        match value {
            Json::Object(members) => {
                for (key, value) in members {
                    self.member(key, value, place, indent + 2);
                }
                self.missing(place, members, indent + 2);
            }
            Json::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.item(item, &pointer(place, index), indent + 2);
                }
            }
            _ => {}
        }
    }

    /// Notes about keys that a map does not have.
    fn missing(&mut self, place: &str, members: &Map<String, Json>, indent: usize) {
        let inside = format!("{place}/");
        let about: Vec<&str> = self
            .open
            .keys()
            .copied()
            .filter(|key| {
                key.strip_prefix(&inside)
                    .is_some_and(|rest| !rest.contains('/') && !members.contains_key(rest))
            })
            .collect();
        for place in about {
            self.comments(place, indent);
        }
    }

    fn item(&mut self, item: &Json, place: &str, indent: usize) {
        self.comments(place, indent);
        let start = self.out.len();
        let _ = write!(self.out, "{:indent$}-", "");
        let text = flow(item);
        let members = item.as_object().filter(|members| !members.is_empty());
        match members {
            Some(members) if indent + 2 + text.chars().count() > WIDTH || is_block(place) => {
                for (nth, (key, value)) in members.iter().enumerate() {
                    let start = if nth == 0 { start } else { self.out.len() };
                    let lead = if nth == 0 { 1 } else { indent + 2 };
                    let _ = write!(self.out, "{:lead$}{}:", "", scalar(key, false));
                    self.value(value, &pointer(place, key), indent + 2, start);
                }
            }
            _ => {
                let _ = write!(self.out, " {text}");
                self.line_end(place, start);
            }
        }
    }
}

/// Maps that always stand in lines of their own.
fn is_block(place: &str) -> bool {
    let steps: Vec<&str> = place.split('/').skip(1).collect();
    matches!(
        steps.as_slice(),
        ["settings" | "objects" | "errors" | "types" | "cases"] | ["objects" | "cases", _] | ["objects", _, "fields"]
    )
}

/// A value in one line.
fn flow(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(truth) => truth.to_string(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => scalar(text, true),
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::Object(members) if members.is_empty() => "{}".to_owned(),
        Json::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| format!("{}: {}", scalar(key, true), flow(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A text that means itself: bare where that is certain, in quotes otherwise.
fn scalar(text: &str, is_inside: bool) -> String {
    let is_word = |c: char| {
        let is_plain = c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '$' | ' ' | '(' | ')');
        is_plain || (matches!(c, '[' | ']') && !is_inside)
    };
    let is_bare = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '/' | '$'))
        && !text.ends_with(' ')
        && text.chars().all(is_word)
        && Scalar::resolve(text) == Scalar::Text(text)
        && !["yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if is_bare { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
