//! XML as structure, in both directions. No document type, no entities but the five of the language, and limits on depth and
//! size, so that no document grows while it is read.
//!
//! An element that holds text alone is that text. Any other one is a map: its children by name (several of one name are a
//! list), its attributes as `@name`, text between children as `#text`. A document is a map of its one element. Names carry
//! the prefix that the reader gives their namespace, whatever the document calls it; without one, they carry none.

mod element;
mod find;

use std::{borrow::Cow, collections::BTreeMap, fmt::Write as _};

use quick_xml::{
    NsReader, XmlVersion,
    escape::{partial_escape, resolve_predefined_entity},
    events::{BytesStart, Event},
    name::{Namespace, ResolveResult},
};

pub use find::find;

use super::{Map, Value, json::Limits};

/// The namespace of `nil` and `type` (XML Schema), whose attributes are about the writer and not about the value.
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// The prefix that stands for "no prefix" where namespaces are given.
pub const DEFAULT: &str = "default";

/// The namespaces that are known, by the prefix they have here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces(pub BTreeMap<String, String>);

impl Namespaces {
    fn prefix(&self, namespace: &str) -> Option<&str> {
        let found = self.0.iter().find(|(_, known)| known.as_str() == namespace);
        found
            .map(|(prefix, _)| prefix.as_str())
            .filter(|prefix| *prefix != DEFAULT)
    }

    /// A name as it is written here.
    fn spelled(&self, namespace: &ResolveResult<'_>, local: &str, offset: u64) -> Result<String, Error> {
        match namespace {
            ResolveResult::Bound(Namespace(namespace)) => Ok(match self.prefix(namespace) {
                Some(prefix) => format!("{prefix}:{local}"),
                None => local.to_owned(),
            }),
            ResolveResult::Unbound => Ok(local.to_owned()),
            ResolveResult::Unknown(prefix) => Err(Error::Syntax {
                offset,
                reason: format!("the prefix `{}` is not declared", short(prefix)),
            }),
        }
    }
}

/// One element.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name, with the prefix that its namespace has here.
    pub name: String,
    /// Its attributes.
    pub attributes: Vec<(String, String)>,
    /// The elements in it.
    pub children: Vec<Element>,
    /// All of its text.
    pub text: String,
    /// Whether it says of itself that it is nothing.
    pub is_nil: bool,
}

/// Why bytes were not taken as XML. No value is named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The grammar is broken.
    #[error("invalid XML at byte {offset}: {reason}")]
    Syntax {
        /// Where.
        offset: u64,
        /// What was expected or found.
        reason: String,
    },
    /// The document ends within an element.
    #[error("the document ends within `{element}`")]
    Cut {
        /// The element.
        element: String,
    },
    /// There is no element.
    #[error("there is no element")]
    Nothing,
    /// The bytes are not UTF-8, which they should be: the document names nothing else.
    #[error("invalid UTF-8")]
    NotUtf8,
    /// The bytes are of an encoding that is not read.
    #[error("the text is not UTF-8, and `{encoding}` is not read")]
    Encoding {
        /// What the document names.
        encoding: String,
    },
    /// A document type: it could name entities that grow, or files.
    #[error("a document type (DTD) is refused")]
    DocumentType,
    /// An entity that the language does not have.
    #[error("the entity `&{name};` is refused")]
    Entity {
        /// Its name.
        name: String,
    },
    /// Too deep, too large, or too many elements.
    #[error("the document is beyond the limits: {0}")]
    Limit(&'static str),
}

impl Error {
    /// Whether the document may come whole the next time.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Syntax { .. } | Self::Cut { .. } | Self::Nothing | Self::NotUtf8 | Self::Encoding { .. }
        )
    }
}

/// Reads a document.
pub fn parse(bytes: &[u8], namespaces: &Namespaces, limits: &Limits) -> Result<Element, Error> {
    if bytes.len() > limits.bytes {
        return Err(Error::Limit("bytes"));
    }
    let text = decode(bytes)?;
    let mut builder = Builder {
        namespaces,
        limits,
        open: Vec::new(),
        root: None,
        nodes: 0,
    };
    walk(&text, &mut builder)?;
    match (builder.open.pop(), builder.root) {
        (Some(open), _) => Err(Error::Cut {
            element: short(&open.name),
        }),
        (None, Some(root)) => Ok(root),
        (None, None) => Err(Error::Nothing),
    }
}

/// Takes a document piece by piece.
trait Sink {
    /// An element begins.
    fn start(&mut self, reader: &NsReader<&[u8]>, start: &BytesStart<'_>, offset: u64) -> Result<(), Error>;
    /// The innermost one ends.
    fn end(&mut self);
    /// A piece of the text in it, or around the document.
    fn text(&mut self, text: &str, offset: u64) -> Result<(), Error>;
}

fn walk(text: &str, sink: &mut impl Sink) -> Result<(), Error> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    loop {
        let event = reader.read_event();
        let offset = reader.buffer_position();
        let event = event.map_err(|error| syntax(offset, &error))?;
        match event {
            Event::Start(start) => sink.start(&reader, &start, offset)?,
            Event::End(_) => sink.end(),
            Event::Text(text) => sink.text(&text.xml10_content(), offset)?,
            Event::CData(text) => sink.text(&text.xml10_content(), offset)?,
            Event::GeneralRef(reference) => {
                let found = match reference.resolve_char_ref() {
                    Ok(Some(character)) => Cow::Owned(character.to_string()),
                    Ok(None) => {
                        let name = reference.xml10_content();
                        match resolve_predefined_entity(&name) {
                            Some(text) => Cow::Borrowed(text),
                            None => return Err(Error::Entity { name: short(&name) }),
                        }
                    }
                    Err(error) => return Err(syntax(offset, &error)),
                };
                sink.text(&found, offset)?;
            }
            Event::DocType(_) => return Err(Error::DocumentType),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => return Ok(()),
        }
    }
}

fn syntax(offset: u64, error: &dyn std::fmt::Display) -> Error {
    Error::Syntax {
        offset,
        reason: short(&error.to_string()),
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// The document's text: UTF-8, or Latin-1 where the document says so.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Error> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text));
    }
    let head = String::from_utf8_lossy(bytes.get(..200).unwrap_or(bytes)).to_ascii_lowercase();
    let head = head.split("?>").next().unwrap_or_default();
    let named = head
        .split_once("encoding=")
        .map(|(_, rest)| rest.trim_start_matches(['"', '\'']));
    let named = named.and_then(|rest| rest.split(['"', '\'']).next()).unwrap_or("utf-8");
    match named {
        // Its bytes are the first 256 characters.
        "iso-8859-1" | "latin1" => Ok(Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect())),
        "utf-8" => Err(Error::NotUtf8),
        other => Err(Error::Encoding { encoding: short(other) }),
    }
}

struct Builder<'a> {
    namespaces: &'a Namespaces,
    limits: &'a Limits,
    open: Vec<Element>,
    root: Option<Element>,
    nodes: usize,
}

impl Sink for Builder<'_> {
    fn start(&mut self, reader: &NsReader<&[u8]>, start: &BytesStart<'_>, offset: u64) -> Result<(), Error> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(Error::Syntax {
                offset,
                reason: "a second element after the end of the document".to_owned(),
            });
        }
        if self.open.len() >= self.limits.depth / 2 {
            return Err(Error::Limit("depth"));
        }
        let resolver = reader.resolver();
        let (namespace, local) = resolver.resolve_element(start.name());
        let mut element = Element {
            name: self.namespaces.spelled(&namespace, local.into_inner(), offset)?,
            ..Element::default()
        };
        self.count(1)?;
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| syntax(offset, &error))?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| syntax(offset, &error))?;
            let (namespace, local) = resolver.resolve_attribute(attribute.key);
            let name = self.namespaces.spelled(&namespace, local.into_inner(), offset)?;
            if namespace == ResolveResult::Bound(Namespace(INSTANCE)) && !name.contains(':') {
                element.is_nil |= local.into_inner() == "nil" && matches!(&*value, "true" | "1");
                continue;
            }
            self.count(1)?;
            element.attributes.push((name, value.into_owned()));
        }
        self.open.push(element);
        Ok(())
    }

    fn end(&mut self) {
        let Some(element) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: &str, offset: u64) -> Result<(), Error> {
        let max = self.limits.text_bytes;
        match self.open.last_mut() {
            Some(open) if open.text.len().saturating_add(text.len()) > max => Err(Error::Limit("text")),
            Some(open) => {
                open.text.push_str(text);
                Ok(())
            }
            None if text.trim().is_empty() => Ok(()),
            None => Err(Error::Syntax {
                offset,
                reason: "text outside of the document's element".to_owned(),
            }),
        }
    }
}

impl Builder<'_> {
    fn count(&mut self, more: usize) -> Result<(), Error> {
        self.nodes += more;
        if self.nodes > self.limits.nodes {
            return Err(Error::Limit("elements"));
        }
        Ok(())
    }
}

impl Element {
    /// The document with this element, as structure.
    #[must_use]
    pub fn into_document(self) -> Value {
        let name = self.name.clone();
        Value::Map(Map::from_iter([(name, self.into_value())]))
    }

    /// The element, as structure.
    #[must_use]
    pub fn into_value(self) -> Value {
        if self.is_nil {
            return Value::Null;
        }
        if self.attributes.is_empty() && self.children.is_empty() {
            return Value::Text(self.text);
        }
        let mut map = Map::new();
        for (name, value) in self.attributes {
            map.insert(format!("@{name}"), Value::Text(value));
        }
        let text = if self.children.is_empty() {
            self.text.as_str()
        } else {
            self.text.trim()
        };
        if !text.is_empty() {
            map.insert("#text".to_owned(), Value::from(text));
        }
        let mut lists: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for child in self.children {
            lists.entry(child.name.clone()).or_default().push(child.into_value());
        }
        for (name, mut values) in lists {
            let value = if values.len() == 1 {
                values.pop().unwrap_or_default()
            } else {
                Value::List(values)
            };
            map.insert(name, value);
        }
        Value::Map(map)
    }
}

/// A structure whose members stand in an order, as XML wants it.
#[derive(Debug, Clone, PartialEq)]
pub enum Ordered {
    /// A value of which nothing but the order is open: a map of it is ordered by its names.
    Value(Value),
    /// Items.
    List(Vec<Ordered>),
    /// Members.
    Map(Vec<(String, Ordered)>),
}

impl From<Value> for Ordered {
    fn from(value: Value) -> Self {
        match value {
            Value::Map(map) => Self::Map(map.into_iter().map(|(key, value)| (key, value.into())).collect()),
            Value::List(list) => Self::List(list.into_iter().map(Into::into).collect()),
            plain => Self::Value(plain),
        }
    }
}

/// Why a structure is no XML. No value is named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// There is not exactly one outermost element.
    #[error("a document of XML has one outermost element")]
    Root,
    /// An element or attribute cannot have this name.
    #[error("`{name}` is no name of an element or attribute")]
    Name {
        /// The name.
        name: String,
    },
    /// The prefix of a name stands for nothing.
    #[error("the prefix of `{name}` is not among the namespaces")]
    Prefix {
        /// The name.
        name: String,
    },
    /// XML has no way to write it.
    #[error("`{element}` holds a control character")]
    Character {
        /// Where.
        element: String,
    },
    /// Attributes and text hold one plain value.
    #[error("`{name}` holds a {found} in place of a text")]
    Kind {
        /// Where.
        name: String,
        /// What.
        found: &'static str,
    },
}

/// Writes a document. All namespaces are declared at its outermost element.
pub fn write(document: &Ordered, namespaces: &Namespaces) -> Result<Vec<u8>, WriteError> {
    let Ordered::Map(members) = document else {
        return Err(WriteError::Root);
    };
    let [(name, content)] = members.as_slice() else {
        return Err(WriteError::Root);
    };
    if matches!(content, Ordered::List(_)) {
        return Err(WriteError::Root);
    }
    let mut writer = Writer {
        out: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned(),
        namespaces,
    };
    writer.element(name, content, true)?;
    Ok(writer.out.into_bytes())
}

struct Writer<'a> {
    out: String,
    namespaces: &'a Namespaces,
}

impl Writer<'_> {
    fn element(&mut self, name: &str, content: &Ordered, is_root: bool) -> Result<(), WriteError> {
        if let Ordered::List(items) = content {
            return items.iter().try_for_each(|item| self.element(name, item, is_root));
        }
        self.check_name(name)?;
        self.out.push('<');
        self.out.push_str(name);
        if is_root {
            self.declare();
        }
        let members = match content {
            Ordered::Map(members) => members.as_slice(),
            _ => &[],
        };
        for (key, value) in members {
            if let Some(key) = key.strip_prefix('@') {
                self.check_name(key)?;
                let text = plain(key, value)?;
                let _ = write!(self.out, " {key}=\"{}\"", attribute(&text));
            }
        }
        self.out.push('>');
        if let Ordered::Value(value) = content {
            self.text(name, &plain_text(name, value)?)?;
        }
        for (key, value) in members {
            match key.as_str() {
                "#text" => self.text(name, &plain(name, value)?)?,
                key if key.starts_with('@') => {}
                key => self.element(key, value, false)?,
            }
        }
        let _ = write!(self.out, "</{name}>");
        Ok(())
    }

    fn text(&mut self, element: &str, text: &str) -> Result<(), WriteError> {
        if text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}'))
        {
            return Err(WriteError::Character {
                element: short(element),
            });
        }
        self.out.push_str(&partial_escape(text));
        Ok(())
    }

    fn check_name(&self, name: &str) -> Result<(), WriteError> {
        let (prefix, local) = name.split_once(':').unwrap_or((DEFAULT, name));
        let is_name = |part: &str| {
            part.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && part
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
        };
        if !is_name(prefix) || !is_name(local) {
            return Err(WriteError::Name { name: short(name) });
        }
        let is_known = prefix == DEFAULT || prefix == "xml" || self.namespaces.0.contains_key(prefix);
        if is_known {
            Ok(())
        } else {
            Err(WriteError::Prefix { name: short(name) })
        }
    }
}

fn attribute(text: &str) -> String {
    let escaped = partial_escape(text).replace('"', "&quot;");
    escaped.replace('\n', "&#10;").replace('\t', "&#9;")
}

fn plain(name: &str, value: &Ordered) -> Result<String, WriteError> {
    let found = match value {
        Ordered::Value(value) => return plain_text(name, value),
        Ordered::List(_) => "list",
        Ordered::Map(_) => "map",
    };
    Err(WriteError::Kind {
        name: short(name),
        found,
    })
}

fn plain_text(name: &str, value: &Value) -> Result<String, WriteError> {
    if value.is_null() {
        return Ok(String::new());
    }
    value.to_text().ok_or_else(|| WriteError::Kind {
        name: short(name),
        found: value.type_name(),
    })
}

#[cfg(test)]
mod tests;
