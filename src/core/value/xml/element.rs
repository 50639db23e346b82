//! Writing an element that was read: the same order, attributes and nothing-values, with the prefixes that are known here.

use std::fmt::Write as _;

use super::{DEFAULT, Element, INSTANCE, Namespaces, WriteError, Writer, attribute};

impl Element {
    /// The document with this element.
    pub fn write(&self, namespaces: &Namespaces) -> Result<Vec<u8>, WriteError> {
        let mut writer = Writer {
            out: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned(),
            namespaces,
        };
        writer.again(self, true)?;
        Ok(writer.out.into_bytes())
    }

    fn has_nil(&self) -> bool {
        self.is_nil || self.children.iter().any(Self::has_nil)
    }
}

impl Writer<'_> {
    fn again(&mut self, element: &Element, is_root: bool) -> Result<(), WriteError> {
        let name = element.name.as_str();
        self.check_name(name)?;
        let _ = write!(self.out, "<{name}");
        if is_root {
            self.declare();
            if element.has_nil() {
                let _ = write!(self.out, " xmlns:{NIL_PREFIX}=\"{INSTANCE}\"");
            }
        }
        for (key, text) in &element.attributes {
            self.check_name(key)?;
            let _ = write!(self.out, " {key}=\"{}\"", attribute(text));
        }
        if element.is_nil {
            let _ = write!(self.out, " {NIL_PREFIX}:nil=\"true\"");
        }
        self.out.push('>');
        // What stands between elements alone is layout.
        if element.children.is_empty() || !element.text.trim().is_empty() {
            self.text(name, &element.text)?;
        }
        element.children.iter().try_for_each(|child| self.again(child, false))?;
        let _ = write!(self.out, "</{name}>");
        Ok(())
    }

    /// Declares the namespaces within a start tag.
    pub(super) fn declare(&mut self) {
        for (prefix, namespace) in &self.namespaces.0 {
            let colon = if prefix == DEFAULT {
                String::new()
            } else {
                format!(":{prefix}")
            };
            let _ = write!(self.out, " xmlns{colon}=\"{}\"", attribute(namespace));
        }
    }
}

/// The prefix of what says that an element is nothing; a connector would hardly choose it.
const NIL_PREFIX: &str = "syncline-nil";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::value::{
        json::{self, Limits},
        xml::parse,
    };

    #[test]
    fn what_is_written_reads_as_what_was_read() {
        let namespaces = Namespaces([("soap".to_owned(), "urn:soap".to_owned())].into());
        for text in [
            "<e:Envelope xmlns:e='urn:soap'><e:Body><r xmlns='urn:m' k='\"1&#10;'>a &lt; b</r><r/></e:Body></e:Envelope>",
            "<a xmlns:i='http://www.w3.org/2001/XMLSchema-instance'><c>1</c><b i:nil='true'/><c> 2 </c></a>",
            "<a>x<b/>y<![CDATA[<z>]]></a>",
        ] {
            let read = |bytes: &[u8]| parse(bytes, &namespaces, &Limits::default()).unwrap();
            let first = read(text.as_bytes());
            let written = first.write(&namespaces).unwrap();
            let shown = |element: Element| json::to_string(&element.into_document());
            assert_eq!(shown(read(&written)), shown(first), "{text}");
        }
    }

    #[test]
    fn comments_and_layout_are_left_behind() {
        let read = parse(
            b"<a>\n <!-- Ana --><b>1</b>\n</a>",
            &Namespaces::default(),
            &Limits::default(),
        )
        .unwrap();
        let written = String::from_utf8(read.write(&Namespaces::default()).unwrap()).unwrap();
        assert_eq!(written, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a><b>1</b></a>");
    }
}
