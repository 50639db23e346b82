//! What bodies are written in, and how answers are read: everything but JSON becomes JSON as soon as it comes, so that nothing
//! else has to know of it.

use std::sync::Arc;

use crate::core::{
    expr::{Fault, Scope, Structure},
    path::{Path, Segment},
    value::{
        Map, Value, json, table,
        xml::{self, Namespaces},
        xml_rpc,
    },
};

/// What bodies are written in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    #[default]
    Json,
    /// XML as structure.
    Xml(Arc<Namespaces>),
    /// XML-RPC.
    XmlRpc,
    /// Answers are CSV with this delimiter; bodies are JSON.
    Csv(u8),
    /// Answers are JSON Lines; bodies are JSON.
    JsonLines,
}

/// What an answer has to have.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sought<'a> {
    /// Where the records of a listing are: one element of XML alone, or none, are a list there too.
    pub list: Option<&'a Path>,
    /// Columns without which a table is none: a text that says something else is a head without rows.
    pub columns: &'a [String],
}

/// Why an answer was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer is broken {name}: {reason}")]
pub struct Unreadable {
    /// What it should be.
    pub name: &'static str,
    /// What is wrong. No value is named.
    pub reason: String,
    /// Whether it may come whole the next time.
    pub is_passing: bool,
}

/// Why a body cannot be written. No value is named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// XML cannot say it.
    #[error(transparent)]
    Xml(#[from] xml::WriteError),
    /// It is no call of XML-RPC.
    #[error(transparent)]
    XmlRpc(#[from] xml_rpc::WriteError),
    /// A template does not come to a value.
    #[error(transparent)]
    Template(#[from] Fault),
}

impl Format {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Xml(_) => "XML",
            Self::XmlRpc => "XML-RPC",
            Self::Csv(_) => "CSV",
            Self::JsonLines => "JSON Lines",
        }
    }

    /// What requests say they would like.
    #[must_use]
    pub const fn accepts(&self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml(_) | Self::XmlRpc => "text/xml, application/xml",
            Self::Csv(_) => "text/csv",
            Self::JsonLines => "application/x-ndjson, application/jsonl, application/json",
        }
    }

    /// The content type of bodies.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Xml(_) | Self::XmlRpc => "text/xml; charset=utf-8",
            Self::Json | Self::Csv(_) | Self::JsonLines => "application/json",
        }
    }

    /// Writes a body; none where the structure comes to nothing.
    pub fn write(&self, structure: &Structure, scope: &Scope) -> Result<Option<Vec<u8>>, WriteError> {
        match self {
            Self::Xml(namespaces) => {
                let document = structure.find_in_order(scope)?;
                Ok(document.map(|document| xml::write(&document, namespaces)).transpose()?)
            }
            Self::XmlRpc => {
                let call = structure.find(scope)?;
                Ok(call.map(|call| xml_rpc::write(&call)).transpose()?)
            }
            Self::Json | Self::Csv(_) | Self::JsonLines => Ok(structure.find(scope)?.map(|value| {
                let mut bytes = Vec::new();
                json::write(&value, &mut bytes);
                bytes
            })),
        }
    }

    /// An answer as JSON, where it is none: `None` where it stays as it is.
    pub fn to_json(
        &self,
        body: &[u8],
        is_success: bool,
        sought: Sought<'_>,
        limits: &json::Limits,
    ) -> Result<Option<Vec<u8>>, Unreadable> {
        let starts_with = |first: &[u8]| {
            let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
            body.trim_ascii_start().first().is_some_and(|byte| first.contains(byte))
        };
        let failed = |error: &dyn std::fmt::Display, is_passing| Unreadable {
            name: self.name(),
            reason: error.to_string(),
            is_passing,
        };
        match self {
            Self::Json => Ok(None),
            // What does not begin so is something else: a page, a text, JSON of a gateway.
            Self::Xml(_) | Self::XmlRpc if !starts_with(b"<") => Ok(None),
            Self::Xml(namespaces) => {
                let element =
                    xml::parse(body, namespaces, limits).map_err(|error| failed(&error, error.is_passing()))?;
                let mut document = element.into_document();
                if let Some(list) = sought.list {
                    as_list(&mut document, list);
                }
                Ok(Some(json::to_string(&document).into_bytes()))
            }
            Self::XmlRpc => {
                let answer = xml_rpc::parse(body, limits).map_err(|error| {
                    let is_passing = matches!(&error, xml_rpc::Error::Xml(error) if error.is_passing());
                    failed(&error, is_passing)
                })?;
                Ok(Some(json::to_string(&answer).into_bytes()))
            }
            // Errors are told in JSON.
            Self::Csv(_) | Self::JsonLines if !is_success => Ok(None),
            Self::Csv(_) if starts_with(b"{[") => Ok(None),
            Self::Csv(delimiter) => {
                let rows =
                    table::csv(body, *delimiter, sought.columns).map_err(|error| failed(&error, error.is_passing()))?;
                Ok(Some(rows))
            }
            Self::JsonLines => {
                let lines = table::json_lines(body).map_err(|error| failed(&error, error.is_passing()))?;
                Ok(Some(lines))
            }
        }
    }
}

/// Makes a list of what is at `path`: of the one element that is there, and of none where the element around it is there.
/// An answer that has nothing of that stays as it is: it does not say that there are no records.
fn as_list(document: &mut Value, path: &Path) {
    let Some((last, around)) = path.segments().split_last() else {
        return;
    };
    let Segment::Key(last) = last else { return };
    let mut place = document;
    for segment in around {
        let inner = match (segment, place) {
            (Segment::Key(key), Value::Map(map)) => map.get_mut(&**key),
            (Segment::Index(index), Value::List(list)) => list.get_mut(*index as usize),
            _ => None,
        };
        let Some(inner) = inner else { return };
        place = inner;
    }
    if matches!(place, Value::Null) || place.as_str().is_some_and(|text| text.trim().is_empty()) {
        *place = Value::Map(Map::new());
    }
    let Value::Map(map) = place else { return };
    let found = map.remove(&**last);
    let list = match found {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::List(list)) => list,
        Some(one) => vec![one],
    };
    map.insert(last.to_string(), Value::List(list));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> String {
        let path = Path::parse("answer.rows.row").unwrap();
        let format = Format::Xml(Arc::default());
        let sought = Sought {
            list: Some(&path),
            ..Sought::default()
        };
        let json = format.to_json(text.as_bytes(), true, sought, &json::Limits::default());
        String::from_utf8(json.unwrap().unwrap()).unwrap()
    }

    #[test]
    fn one_element_or_none_is_a_list_where_a_listing_has_its_records() {
        for (text, expected) in [
            (
                "<answer><rows><row><id>1</id></row></rows></answer>",
                r#"{"answer":{"rows":{"row":[{"id":"1"}]}}}"#,
            ),
            ("<answer><rows/></answer>", r#"{"answer":{"rows":{"row":[]}}}"#),
            ("<answer><rows> </rows></answer>", r#"{"answer":{"rows":{"row":[]}}}"#),
            (
                "<answer><rows n='0'/></answer>",
                r#"{"answer":{"rows":{"@n":"0","row":[]}}}"#,
            ),
            // Nothing says that there are none.
            ("<answer><fault>x</fault></answer>", r#"{"answer":{"fault":"x"}}"#),
        ] {
            assert_eq!(listed(text), expected, "{text}");
        }
    }

    #[test]
    fn errors_in_json_stay_json_whatever_answers_are_in() {
        let limits = json::Limits::default();
        for format in [
            Format::XmlRpc,
            Format::Csv(b','),
            Format::JsonLines,
            Format::Xml(Arc::default()),
        ] {
            assert_eq!(
                format.to_json(b"{\"error\":1}", false, Sought::default(), &limits),
                Ok(None),
                "{}",
                format.name()
            );
        }
        assert_eq!(
            Format::Csv(b',').to_json(b"{\"error\":1}", true, Sought::default(), &limits),
            Ok(None)
        );
    }
}
