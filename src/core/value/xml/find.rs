//! One text out of a document that nobody has vouched for yet, without building the rest of it.

use quick_xml::{NsReader, events::BytesStart};

use super::{Error, Namespaces, Sink, decode, walk};
use crate::core::value::json::Limits;

/// The text of the element at `path` (names of nested elements, the document's first); `None` if it is not there. An error if the
/// bytes are no XML, if the element holds others, or if there are two of it.
pub fn find(bytes: &[u8], namespaces: &Namespaces, path: &[String], limits: &Limits) -> Result<Option<String>, Error> {
    if bytes.len() > limits.bytes {
        return Err(Error::Limit("bytes"));
    }
    let mut finder = Finder {
        namespaces,
        path,
        limits,
        depth: 0,
        on_way: 0,
        elements: 0,
        found: None,
    };
    walk(&decode(bytes)?, &mut finder)?;
    if finder.depth > 0 {
        return Err(Error::Cut { element: String::new() });
    }
    Ok(finder.found)
}

struct Finder<'a> {
    namespaces: &'a Namespaces,
    path: &'a [String],
    limits: &'a Limits,
    /// Elements that are open.
    depth: usize,
    /// How many of them, from the outermost, are those of the path.
    on_way: usize,
    elements: usize,
    found: Option<String>,
}

impl Finder<'_> {
    /// Whether the innermost open element is the wanted one.
    const fn is_there(&self) -> bool {
        self.on_way == self.path.len() && self.depth == self.on_way
    }
}

impl Sink for Finder<'_> {
    fn start(&mut self, reader: &NsReader<&[u8]>, start: &BytesStart<'_>, offset: u64) -> Result<(), Error> {
        let refuse = |reason: &str| Error::Syntax {
            offset,
            reason: reason.to_owned(),
        };
        if self.is_there() {
            return Err(refuse("an element where a text was expected"));
        }
        if self.depth >= self.limits.depth / 2 {
            return Err(Error::Limit("depth"));
        }
        self.elements += 1;
        if self.elements > self.limits.nodes {
            return Err(Error::Limit("elements"));
        }
        self.depth += 1;
        let wanted = self.path.get(self.on_way).filter(|_| self.on_way + 1 == self.depth);
        if let Some(wanted) = wanted {
            let (namespace, local) = reader.resolver().resolve_element(start.name());
            let name = self.namespaces.spelled(&namespace, local.into_inner(), offset)?;
            self.on_way += usize::from(name == *wanted);
        }
        if self.is_there() && self.found.replace(String::new()).is_some() {
            return Err(refuse("the element occurs twice"));
        }
        Ok(())
    }

    fn end(&mut self) {
        self.on_way = self.on_way.min(self.depth.saturating_sub(1));
        self.depth = self.depth.saturating_sub(1);
    }

    fn text(&mut self, text: &str, _: u64) -> Result<(), Error> {
        if !self.is_there() {
            return Ok(());
        }
        let found = self.found.get_or_insert_default();
        if found.len().saturating_add(text.len()) > self.limits.text_bytes {
            return Err(Error::Limit("text"));
        }
        found.push_str(text);
        Ok(())
    }
}
