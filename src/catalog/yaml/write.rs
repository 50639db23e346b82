//! A document written out as YAML again: each line knows where it comes from, so that what was laid over can be told apart.

use serde::Serialize;

use super::{Content, NodeId, Scalar, Tree};

/// The longest map or list that is written in one line, in bytes.
const FLOW_MAX: usize = 90;

/// One line of a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The YAML.
    pub text: String,
    /// The file of the overlay, where the line comes from it.
    pub overlay: Option<String>,
    /// The line of its own file.
    pub line: usize,
}

/// The document of a tree, line by line; comments are not kept.
#[must_use]
pub fn lines(tree: &Tree) -> Vec<Line> {
    let mut writer = Writer {
        tree,
        lines: Vec::new(),
    };
    writer.inside(NodeId::ROOT, 0);
    writer.lines
}

struct Writer<'t> {
    tree: &'t Tree,
    lines: Vec<Line>,
}

impl Writer<'_> {
    /// What a node holds, each entry or item in lines of its own.
    fn inside(&mut self, id: NodeId, depth: usize) {
        match &self.tree.node(id).content {
            Content::Map(entries) => {
                for entry in entries {
                    let key = self.tree.node(*entry).key.as_ref().map_or("", |key| key.text.as_str());
                    self.one(*entry, depth, &format!("{}:", word(key)));
                }
            }
            Content::List(items) => items.iter().for_each(|item| self.one(*item, depth, "-")),
            Content::Scalar { text, is_plain } => self.line(id, depth, &scalar(text, *is_plain, false)),
        }
    }

    fn one(&mut self, id: NodeId, depth: usize, head: &str) {
        match self.flow(id) {
            Some(text) => self.line(id, depth, &format!("{head} {text}")),
            // An item begins in the line of its dash.
            None if head == "-" => {
                let first = self.lines.len();
                self.inside(id, depth + 1);
                if let Some(line) = self.lines.get_mut(first) {
                    let indent = 2 * depth;
                    line.text.replace_range(indent..indent + 2, "- ");
                }
            }
            None => {
                self.line(id, depth, head);
                self.inside(id, depth + 1);
            }
        }
    }

    fn line(&mut self, id: NodeId, depth: usize, text: &str) {
        let node = self.tree.node(id);
        let at = node.key.as_ref().map_or(node.span.start, |key| key.span.start);
        self.lines.push(Line {
            text: format!("{}{text}", "  ".repeat(depth)),
            overlay: self.tree.overlay_of(id).map(str::to_owned),
            line: self.tree.source_of(id).position(at).line,
        });
    }

    /// A node in one line, where it fits into one and comes from one file.
    fn flow(&self, id: NodeId) -> Option<String> {
        match &self.tree.node(id).content {
            Content::Scalar { text, is_plain } => Some(scalar(text, *is_plain, false)),
            Content::Map(entries) | Content::List(entries) if entries.is_empty() => self.part(id),
            _ => self.part(id).filter(|text| text.len() <= FLOW_MAX),
        }
    }

    fn part(&self, id: NodeId) -> Option<String> {
        let node = self.tree.node(id);
        let parts = |children: &[NodeId]| -> Option<Vec<String>> {
            let one = |child: &NodeId| {
                let under = self.tree.node(*child);
                let text = self.part(*child).filter(|_| under.is_overlaid == node.is_overlaid)?;
                Some(match &under.key {
                    Some(key) => format!("{}: {text}", word(&key.text)),
                    None => text,
                })
            };
            children.iter().map(one).collect()
        };
        Some(match &node.content {
            Content::Scalar { text, is_plain } => scalar(text, *is_plain, true),
            Content::List(items) => format!("[{}]", parts(items)?.join(", ")),
            Content::Map(entries) if entries.is_empty() => "{}".to_owned(),
            Content::Map(entries) => format!("{{ {} }}", parts(entries)?.join(", ")),
        })
    }
}

/// A value as it was meant: what had quotes has them again.
fn scalar(text: &str, is_plain: bool, is_in_flow: bool) -> String {
    let breaks = |found: char| found.is_control() || (is_in_flow && matches!(found, ',' | '[' | ']' | '{' | '}'));
    match text {
        "" if is_plain => "null".to_owned(),
        _ if is_plain && !text.contains(breaks) && !text.contains(": ") && !text.contains(" #") => text.to_owned(),
        _ => quoted(text),
    }
}

/// A key, in quotes where it could be taken for something else.
fn word(key: &str) -> String {
    let is_plain = key.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        && key
            .chars()
            .all(|found| found.is_alphanumeric() || matches!(found, '_' | '.' | '-' | '/' | '$'));
    if is_plain && matches!(Scalar::resolve(key), Scalar::Text(_)) {
        key.to_owned()
    } else {
        quoted(key)
    }
}

/// JSON's quotes are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
