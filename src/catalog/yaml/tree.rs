//! A parsed document whose every node knows where it stands.

use std::{fmt::Write as _, ops::Range};

use super::Scalar;

/// A parsed YAML document.
#[derive(Debug)]
pub struct Tree {
    source: Source,
    nodes: Vec<Node>,
    overlay: Option<Layer>,
}

/// A second document that was laid over a first one.
#[derive(Debug)]
pub struct Layer {
    /// Its file, as people know it.
    pub file: String,
    /// Its text.
    pub source: Source,
}

/// A node of a [`Tree`]; an id has a meaning in its own tree only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

impl NodeId {
    /// The node that holds all others.
    pub const ROOT: Self = Self(0);
}

/// A value in the document.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it stands, in bytes of the source. An alias stands where `*name` is, its children where the anchor is.
    pub span: Range<usize>,
    /// Its key, where the node above is a map.
    pub key: Option<Key>,
    /// What it is.
    pub content: Content,
    /// Whether it comes from the document that was laid over the first one.
    pub is_overlaid: bool,
    pub(super) parent: Option<NodeId>,
    pub(super) index: usize,
}

/// A key of a map.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key itself; keys are always text.
    pub text: String,
    /// Where it stands, in bytes of the source.
    pub span: Range<usize>,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum Content {
    /// A single value, as written.
    Scalar {
        /// The text, escapes resolved.
        text: String,
        /// Whether it was written without quotes, so that it may be a number, a truth value or nothing.
        is_plain: bool,
    },
    /// Items in order.
    List(Vec<NodeId>),
    /// Entries in order; each child has a [`Node::key`], all different.
    Map(Vec<NodeId>),
}

/// A place in a text as people count: from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// A text and where its lines begin.
#[derive(Debug)]
pub struct Source {
    text: String,
    starts: Vec<usize>,
}

impl Source {
    /// Counts the lines of `text`.
    #[must_use]
    pub fn new(text: String) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The place of a byte; one behind the end counts as the end.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        Position {
            line,
            column: column + 1,
        }
    }

    /// The bytes of a line, counted from 1, without its end.
    #[must_use]
    pub fn line(&self, line: usize) -> Range<usize> {
        let start = |line: usize| self.starts.get(line).copied();
        let from = line.checked_sub(1).and_then(start).unwrap_or(self.text.len());
        let end = start(line).map_or(self.text.len(), |next| next.saturating_sub(1));
        let end = end.max(from);
        let content = self.text.get(from..end).unwrap_or_default();
        from..from + content.strip_suffix('\r').unwrap_or(content).len()
    }
}

static NOTHING: Node = Node {
    span: 0..0,
    key: None,
    content: Content::List(Vec::new()),
    is_overlaid: false,
    parent: None,
    index: 0,
};

/// A node with all that is under it, apart from any tree: what trees are put together from.
#[derive(Debug, Clone)]
pub struct Branch {
    /// Where it stands, in bytes of its own source.
    pub span: Range<usize>,
    /// Its key, where it stands in a map.
    pub key: Option<Key>,
    /// Whether its source is that of the document that is laid over the first one.
    pub is_overlaid: bool,
    /// What it is.
    pub content: Grown,
}

/// What a [`Branch`] is.
#[derive(Debug, Clone)]
pub enum Grown {
    /// A single value, as written.
    Scalar {
        /// The text, escapes resolved.
        text: String,
        /// Whether it was written without quotes.
        is_plain: bool,
    },
    /// Items in order.
    List(Vec<Branch>),
    /// Entries in order; each has a key, all different.
    Map(Vec<Branch>),
}

impl Branch {
    /// The key's text; empty where it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.key.as_ref().map_or("", |key| key.text.as_str())
    }

    /// The entry of a map under `key`.
    #[must_use]
    pub fn child(&self, key: &str) -> Option<&Self> {
        match &self.content {
            Grown::Map(entries) => entries.iter().find(|entry| entry.name() == key),
            Grown::Scalar { .. } | Grown::List(_) => None,
        }
    }

    /// What the value means, where it is a single one.
    #[must_use]
    pub fn scalar(&self) -> Option<Scalar<'_>> {
        match &self.content {
            Grown::Scalar { text, is_plain: true } => Some(Scalar::resolve(text)),
            Grown::Scalar { text, is_plain: false } => Some(Scalar::Text(text)),
            Grown::List(_) | Grown::Map(_) => None,
        }
    }
}

impl Tree {
    pub(super) fn new(source: Source, nodes: Vec<Node>) -> Self {
        Self {
            source,
            nodes,
            overlay: None,
        }
    }

    /// This tree's document with `overlay` laid over it: `root` is what came of both.
    #[must_use]
    pub fn overlaid(self, overlay: Layer, root: Branch) -> Self {
        let mut nodes = Vec::new();
        plant(&mut nodes, root, None, 0);
        Self {
            source: self.source,
            nodes,
            overlay: Some(overlay),
        }
    }

    /// The text the tree was read from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The text that a node was read from.
    #[must_use]
    pub fn source_of(&self, id: NodeId) -> &Source {
        match &self.overlay {
            Some(overlay) if self.node(id).is_overlaid => &overlay.source,
            _ => &self.source,
        }
    }

    /// The file of the overlay, where a node comes from it.
    #[must_use]
    pub fn overlay_of(&self, id: NodeId) -> Option<&str> {
        let overlay = self.overlay.as_ref().filter(|_| self.node(id).is_overlaid)?;
        Some(&overlay.file)
    }

    /// A node with all that is under it, as part of the first document or of the one that is laid over it.
    #[must_use]
    pub fn branch(&self, id: NodeId, is_overlaid: bool) -> Branch {
        let node = self.node(id);
        let under = |children: &[NodeId]| children.iter().map(|child| self.branch(*child, is_overlaid)).collect();
        Branch {
            span: node.span.clone(),
            key: node.key.clone(),
            is_overlaid,
            content: match &node.content {
                Content::Scalar { text, is_plain } => Grown::Scalar {
                    text: text.clone(),
                    is_plain: *is_plain,
                },
                Content::List(children) => Grown::List(under(children)),
                Content::Map(children) => Grown::Map(under(children)),
            },
        }
    }

    /// The text that a document was read from, given back.
    #[must_use]
    pub fn into_source(self) -> Source {
        self.source
    }

    /// The node `id`; the id of another tree reads as an empty list rather than as a panic.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id.0 as usize).unwrap_or(&NOTHING)
    }

    /// The nodes right under `id`.
    #[must_use]
    pub fn children(&self, id: NodeId) -> &[NodeId] {
        match &self.node(id).content {
            Content::Scalar { .. } => &[],
            Content::List(children) | Content::Map(children) => children,
        }
    }

    /// The node right above `id`.
    #[must_use]
    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.node(id).parent
    }

    /// The child of the map `id` under `key`.
    #[must_use]
    pub fn child(&self, id: NodeId, key: &str) -> Option<NodeId> {
        let named = |child: &&NodeId| self.node(**child).key.as_ref().is_some_and(|found| found.text == key);
        self.children(id).iter().find(named).copied()
    }

    /// The JSON pointer (RFC 6901) of a node.
    #[must_use]
    pub fn pointer(&self, id: NodeId) -> String {
        let mut steps = Vec::new();
        let mut at = id;
        while let Some(parent) = self.parent(at) {
            steps.push(at);
            at = parent;
        }
        let mut pointer = String::new();
        for step in steps.into_iter().rev() {
            let node = self.node(step);
            match &node.key {
                Some(key) => pointer = crate::core::problem::pointer(&pointer, &key.text),
                // Writing to a text cannot fail.
                None => drop(write!(pointer, "/{}", node.index)),
            }
        }
        pointer
    }

    /// The node at a JSON pointer, or the last one on the way there, and whether it was reached.
    #[must_use]
    pub fn find(&self, pointer: &str) -> (NodeId, Reach) {
        let mut at = NodeId::ROOT;
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            let next = match &self.node(at).content {
                Content::Scalar { .. } => None,
                Content::Map(_) => self.child(at, &step),
                Content::List(items) => step.parse().ok().and_then(|index: usize| items.get(index)).copied(),
            };
            let Some(next) = next else {
                return (at, Reach::Above);
            };
            at = next;
        }
        (at, Reach::Exact)
    }
}

/// How far a pointer led.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To the node it names.
    Exact,
    /// Only to one above it: what it names is not there.
    Above,
}

/// Adds a branch to the nodes of a tree, the upper ones first.
fn plant(nodes: &mut Vec<Node>, branch: Branch, parent: Option<NodeId>, index: usize) -> NodeId {
    let own = id(nodes);
    let Branch {
        span,
        key,
        is_overlaid,
        content,
    } = branch;
    nodes.push(Node {
        span,
        key,
        content: Content::List(Vec::new()),
        is_overlaid,
        parent,
        index,
    });
    let mut under = |branches: Vec<Branch>| {
        let planted = branches.into_iter().enumerate();
        planted
            .map(|(index, branch)| plant(nodes, branch, Some(own), index))
            .collect()
    };
    let content = match content {
        Grown::Scalar { text, is_plain } => Content::Scalar { text, is_plain },
        Grown::List(branches) => Content::List(under(branches)),
        Grown::Map(branches) => Content::Map(under(branches)),
    };
    if let Some(node) = get_mut(nodes, own) {
        node.content = content;
    }
    own
}

pub(super) fn id(nodes: &[Node]) -> NodeId {
    NodeId(u32::try_from(nodes.len()).unwrap_or(u32::MAX))
}

pub(super) fn get_mut(nodes: &mut [Node], id: NodeId) -> Option<&mut Node> {
    nodes.get_mut(id.0 as usize)
}

pub(super) fn get(nodes: &[Node], id: NodeId) -> Option<&Node> {
    nodes.get(id.0 as usize)
}
