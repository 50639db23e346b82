//! A description as it was found: JSON or YAML, within bounds.

use serde_json::{Map, Value as Json};

use super::{Error, one_line};
use crate::catalog::yaml::{Bounds, Content, Document, NodeId, Scalar, Tree};

/// The largest description, in bytes. Those of whole product lines have some 10 MiB.
pub const BYTES_MAX: usize = 32 << 20;

/// What YAML may hold. Its nodes take more memory than JSON's.
const YAML: Bounds = Bounds {
    bytes: BYTES_MAX,
    depth: 100,
    nodes: 1_500_000,
};

/// The content of a file that is JSON or YAML.
pub fn read(bytes: &[u8]) -> Result<Json, Error> {
    if bytes.len() > BYTES_MAX {
        return Err(Error::TooLarge { max: BYTES_MAX });
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        Some(b'{' | b'[') => serde_json::from_slice(bytes).or_else(|error| {
            // YAML may begin with a brace as well; what is said is about JSON, which it most likely is.
            yaml(bytes).map_err(|_| Error::Unreadable(one_line(&error.to_string())))
        }),
        Some(b'<') => Err(Error::Unreadable("it is HTML or XML, and no JSON or YAML".to_owned())),
        _ => yaml(bytes),
    }
}

fn yaml(bytes: &[u8]) -> Result<Json, Error> {
    let document = Document::read_within(bytes, YAML);
    if let Some(flaw) = document
        .flaws
        .iter()
        .find(|flaw| flaw.problem.severity == crate::core::problem::Severity::Error)
    {
        let source = match &document.body {
            Ok(tree) => tree.source(),
            Err(source) => source,
        };
        let line = source.position(flaw.span.start).line;
        return Err(Error::Unreadable(format!(
            "line {line}: {}",
            one_line(&flaw.problem.message)
        )));
    }
    match document.body {
        Ok(tree) => Ok(value(&tree, NodeId::ROOT)),
        Err(_) => Err(Error::Unreadable("it is empty".to_owned())),
    }
}

/// Depth is bounded by what was read.
fn value(tree: &Tree, id: NodeId) -> Json {
    let node = tree.node(id);
    match &node.content {
        Content::Scalar { text, is_plain: false } => Json::String(text.clone()),
        Content::Scalar { text, is_plain: true } => match Scalar::resolve(text) {
            Scalar::Null => Json::Null,
            Scalar::Bool(truth) => Json::Bool(truth),
            Scalar::Integer(number) => number.into(),
            Scalar::Unsigned(number) => number.into(),
            Scalar::Float(number) => number.into(),
            Scalar::Inexact(text) | Scalar::Text(text) => text.into(),
        },
        Content::List(items) => items.iter().map(|item| value(tree, *item)).collect(),
        Content::Map(members) => {
            let named = members.iter().filter_map(|member| {
                let key = tree.node(*member).key.as_ref()?;
                Some((key.text.clone(), value(tree, *member)))
            });
            Json::Object(named.collect::<Map<String, Json>>())
        }
    }
}
