//! What bodies are in, and what XML and CSV look like.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What bodies are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FormatForm {
    /// JSON.
    Json,
    /// XML, read and written as structure.
    Xml,
    /// XML-RPC: `body` is `{ method, params }`, answers are `{ result }` or `{ fault }`.
    XmlRpc,
    /// Answers are CSV with a head.
    Csv,
    /// Answers are JSON Lines.
    Jsonl,
}

/// What XML looks like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct XmlForm {
    /// Namespaces by the prefix that names have in this file; `default` stands for names without one.
    #[serde(default)]
    pub namespaces: BTreeMap<String, String>,
}

impl XmlForm {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.namespaces.is_empty()
    }

    /// The prefixes that stand for no namespace.
    pub fn wrong_prefixes(&self) -> impl Iterator<Item = &str> {
        let is_wrong = |prefix: &str, namespace: &str| {
            let is_prefix = prefix.starts_with(|c: char| c.is_ascii_alphabetic())
                && prefix
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
            !is_prefix || prefix.starts_with("xml") || namespace.is_empty()
        };
        let wrong = self
            .namespaces
            .iter()
            .filter(move |(prefix, namespace)| is_wrong(prefix, namespace));
        wrong.map(|(prefix, _)| prefix.as_str())
    }
}

/// How a prefix of XML is written.
pub const PREFIX_HINT: &str = "a prefix is a short name, such as `soap`, and stands for an address or `urn:`";

/// What CSV looks like.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CsvForm {
    /// What stands between two cells (default `,`).
    #[serde(default)]
    pub delimiter: Option<String>,
}
