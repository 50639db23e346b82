//! From parser events to the tree, within the budget.

use std::{collections::HashMap, ops::Range};

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span, StructureStyle, Tag};

use super::{
    ALIASES_MAX, Bounds, Document, Flaw,
    tree::{self, Content, Key, Node, NodeId, Source, Tree},
};
use crate::core::problem::{Problem, pointer};

/// Reads the one document of `source`.
pub(super) fn read(source: Source, bounds: Bounds) -> Document {
    let mut reader = Reader::new(source.text(), bounds);
    let outcome = reader.run();
    let Reader {
        nodes,
        mut flaws,
        events,
        ..
    } = reader;
    let body = match outcome {
        Ok(()) if !nodes.is_empty() => Ok(Tree::new(source, nodes)),
        Ok(()) => {
            let problem = Problem::error("YM004", "", "the file is empty");
            flaws.push(Flaw { problem, span: 0..0 });
            Err(source)
        }
        Err(Stop(flaw)) => {
            flaws.push(*flaw);
            Err(source)
        }
    };
    Document { body, flaws, events }
}

/// Why reading cannot go on.
struct Stop(Box<Flaw>);

struct Reader<'s> {
    text: &'s str,
    bounds: Bounds,
    nodes: Vec<Node>,
    open: Vec<Open>,
    /// Nodes by anchor; `None` while the node is still open.
    anchors: HashMap<usize, Option<NodeId>>,
    flaws: Vec<Flaw>,
    events: usize,
    /// Keys and values so far.
    count: usize,
    aliases: usize,
    documents: usize,
}

/// A map or list that is not closed yet.
struct Open {
    id: NodeId,
    anchor: usize,
    is_flow: bool,
    /// Only for maps: the keys so far and where they stand.
    keys: Option<HashMap<String, Range<usize>>>,
    /// Only for maps: the key whose value comes next.
    pending: Option<Pending>,
}

struct Pending {
    key: Key,
    /// A key that may not stand here: its value is read and dropped.
    is_refused: bool,
}

type Step = Result<(), Stop>;

impl<'s> Reader<'s> {
    fn new(text: &'s str, bounds: Bounds) -> Self {
        Self {
            text,
            bounds,
            nodes: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            flaws: Vec::new(),
            events: 0,
            count: 0,
            aliases: 0,
            documents: 0,
        }
    }

    fn run(&mut self) -> Step {
        let mut options = Options::default();
        options.set_emit_comments(false);
        options.disallow_directives = true;
        options.emit_unresolved_aliases = true;
        options.flow_nesting_limit = self.bounds.depth;
        options.block_nesting_limit = self.bounds.depth;
        for event in Parser::new_from_str_with_options(self.text, options) {
            self.events += 1;
            let (event, span) = event.map_err(|error| self.unreadable(&error))?;
            self.take(event, &span)?;
        }
        Ok(())
    }

    fn take(&mut self, event: Event<'_>, span: &Span) -> Step {
        let place = span.byte_range().unwrap_or(0..0);
        check_tag(event.tag(), span)?;
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return stop(
                        "YM005",
                        place,
                        "a second document begins here",
                        "write one document a file",
                    );
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = match tag.as_deref().and_then(Tag::core_suffix) {
                    Some(kind) => kind != "str",
                    None => style == ScalarStyle::Plain,
                };
                self.scalar(text.into_owned(), is_plain, anchor, place)
            }
            Event::SequenceStart(style, anchor, _) => self.open(style, anchor, place, None),
            Event::MappingStart(style, anchor, _) => self.open(style, anchor, place, Some(HashMap::new())),
            Event::SequenceEnd | Event::MappingEnd => {
                self.close(&place);
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, place),
            Event::UnresolvedAlias(name) => {
                let message = format!("nothing above is marked `&{name}`");
                stop(
                    "YM006",
                    place,
                    message,
                    "put the text in quotes if the `*` belongs to it",
                )
            }
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, text: String, is_plain: bool, anchor: usize, place: Range<usize>) -> Step {
        self.count_one(&place)?;
        if self.awaits_key() {
            self.key(text, is_plain, place);
            return Ok(());
        }
        let id = self.place(Content::Scalar { text, is_plain }, place);
        self.remember(anchor, Some(id));
        Ok(())
    }

    /// Whether the next node is a key.
    fn awaits_key(&self) -> bool {
        self.open
            .last()
            .is_some_and(|open| open.keys.is_some() && open.pending.is_none())
    }

    fn key(&mut self, text: String, is_plain: bool, place: Range<usize>) {
        let refusal = self.refusal(&text, is_plain);
        let is_refused = refusal.is_some();
        if let Some(mut problem) = refusal {
            problem.pointer = pointer(&self.pointer_of_open(), &text);
            let span = place.clone();
            self.flaws.push(Flaw { problem, span });
        }
        let Some(open) = self.open.last_mut() else { return };
        if !is_refused && let Some(keys) = &mut open.keys {
            keys.insert(text.clone(), place.clone());
        }
        let key = Key { text, span: place };
        open.pending = Some(Pending { key, is_refused });
    }

    /// Why a key may not stand in the map that is open.
    fn refusal(&self, text: &str, is_plain: bool) -> Option<Problem> {
        if is_plain && text == "<<" {
            let problem = Problem::error("YM009", "", "merge keys (`<<`) are not read");
            return Some(problem.with_hint("write the entries out"));
        }
        let first = self.open.last()?.keys.as_ref()?.get(text)?;
        let line = self.text.get(..first.start)?.matches('\n').count() + 1;
        let problem = Problem::error("YM008", "", format!("the key `{text}` stands twice in one map"));
        Some(problem.with_hint(format!("it stands in line {line} already; keep one of the two")))
    }

    fn open(
        &mut self,
        style: StructureStyle,
        anchor: usize,
        place: Range<usize>,
        keys: Option<HashMap<String, Range<usize>>>,
    ) -> Step {
        self.count_one(&place)?;
        if self.awaits_key() {
            return stop("YM010", place, "a key must be a text, not a map or list", TEMPLATE_HINT);
        }
        if self.open.len() >= self.bounds.depth {
            return Err(self.too_deep(place));
        }
        let content = match keys {
            Some(_) => Content::Map(Vec::new()),
            None => Content::List(Vec::new()),
        };
        let id = self.place(content, place);
        self.remember(anchor, None);
        self.open.push(Open {
            id,
            anchor,
            is_flow: style == StructureStyle::Flow,
            keys,
            pending: None,
        });
        Ok(())
    }

    fn close(&mut self, end: &Range<usize>) {
        let Some(open) = self.open.pop() else { return };
        self.remember(open.anchor, Some(open.id));
        let last = match tree::get(&self.nodes, open.id).map(|node| &node.content) {
            Some(Content::List(children) | Content::Map(children)) => children.last().copied(),
            _ => None,
        };
        let last_end = last
            .and_then(|last| tree::get(&self.nodes, last))
            .map(|node| node.span.end);
        if let Some(node) = tree::get_mut(&mut self.nodes, open.id) {
            // A block ends where its last value does; the parser's own mark stands behind the white space after it.
            let end = if open.is_flow {
                end.end
            } else {
                last_end.unwrap_or(node.span.end)
            };
            node.span.end = end.max(node.span.start);
        }
    }

    fn alias(&mut self, anchor: usize, place: Range<usize>) -> Step {
        self.aliases += 1;
        if self.aliases > ALIASES_MAX {
            let message = format!("the file has more than {ALIASES_MAX} aliases");
            return stop("YM013", place, message, "write the entries out");
        }
        if self.awaits_key() {
            return stop(
                "YM010",
                place,
                "a key must be a text, not an alias",
                "write the key out",
            );
        }
        let Some(target) = self.anchors.get(&anchor).copied().flatten() else {
            return stop(
                "YM006",
                place,
                "the alias stands inside what it refers to",
                "write the entries out",
            );
        };
        let content = self.copy(target, &place, self.open.len())?;
        self.place(content, place);
        Ok(())
    }

    /// Copies what is under `from`, so that an alias reads like what it stands for.
    fn copy(&mut self, from: NodeId, place: &Range<usize>, depth: usize) -> Result<Content, Stop> {
        self.count_one(place)?;
        let content = tree::get(&self.nodes, from).map(|node| node.content.clone());
        let (children, is_map) = match content {
            Some(Content::List(children)) => (children, false),
            Some(Content::Map(children)) => (children, true),
            Some(scalar @ Content::Scalar { .. }) => return Ok(scalar),
            None => return Ok(Content::List(Vec::new())),
        };
        if depth >= self.bounds.depth {
            return Err(self.too_deep(place.clone()));
        }
        let mut copies = Vec::with_capacity(children.len());
        for child in children {
            let Some(original) = tree::get(&self.nodes, child).map(|node| Node {
                content: Content::List(Vec::new()),
                ..node.clone()
            }) else {
                continue;
            };
            let content = self.copy(child, place, depth + 1)?;
            copies.push(self.add(Node { content, ..original }));
        }
        Ok(if is_map {
            Content::Map(copies)
        } else {
            Content::List(copies)
        })
    }

    /// Puts a value where the next one belongs.
    fn place(&mut self, content: Content, span: Range<usize>) -> NodeId {
        let mut node = Node {
            span,
            key: None,
            content,
            is_overlaid: false,
            parent: None,
            index: 0,
        };
        let Some(open) = self.open.last_mut() else {
            return self.add(node);
        };
        node.parent = Some(open.id);
        let parent = open.id;
        let is_refused = match open.pending.take() {
            Some(pending) => {
                node.key = Some(pending.key);
                pending.is_refused
            }
            None => false,
        };
        if let Some(Content::List(siblings)) = tree::get(&self.nodes, parent).map(|node| &node.content) {
            node.index = siblings.len();
        }
        let id = self.add(node);
        if !is_refused
            && let Some(Content::List(siblings) | Content::Map(siblings)) =
                tree::get_mut(&mut self.nodes, parent).map(|node| &mut node.content)
        {
            siblings.push(id);
        }
        id
    }

    /// Adds a node and tells its children who is above them.
    fn add(&mut self, node: Node) -> NodeId {
        let id = tree::id(&self.nodes);
        if let Content::List(children) | Content::Map(children) = &node.content {
            for child in children.clone() {
                if let Some(child) = tree::get_mut(&mut self.nodes, child) {
                    child.parent = Some(id);
                }
            }
        }
        self.nodes.push(node);
        id
    }

    fn remember(&mut self, anchor: usize, id: Option<NodeId>) {
        // The parser numbers anchors from 1; 0 means none.
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
    }

    fn count_one(&mut self, place: &Range<usize>) -> Step {
        self.count += 1;
        if self.count > self.bounds.nodes {
            let message = format!("the file has more than {} keys and values", self.bounds.nodes);
            return stop("YM012", place.clone(), message, "cut it into several files");
        }
        Ok(())
    }

    fn pointer_of_open(&self) -> String {
        let mut pointed = String::new();
        for open in self.open.iter().skip(1) {
            let Some(node) = tree::get(&self.nodes, open.id) else {
                continue;
            };
            pointed = match &node.key {
                Some(key) => pointer(&pointed, &key.text),
                None => pointer(&pointed, node.index),
            };
        }
        pointed
    }

    fn too_deep(&self, span: Range<usize>) -> Stop {
        let message = format!(
            "maps and lists stand more than {} deep in each other",
            self.bounds.depth
        );
        flaw("YM014", span, message, "nothing that is read here needs such depth")
    }

    fn unreadable(&self, error: &ScanError) -> Stop {
        let at = error.marker().byte_offset().unwrap_or(0).min(self.text.len());
        if *error.kind() == ErrorKind::RecursionLimitExceeded {
            return self.too_deep(at..at);
        }
        let at = if *error.kind() == ErrorKind::TabInPlainScalar {
            // The text that the tab ends is told, which may begin a line above.
            self.text
                .get(at..)
                .and_then(|rest| rest.find('\t'))
                .map_or(at, |tab| at + tab)
        } else {
            at
        };
        let problem = Problem::error("YM011", self.pointer_of_open(), message(error.kind()));
        let hint = if has_bare_template(self.text, at) {
            Some(TEMPLATE_HINT)
        } else {
            hint(error.kind())
        };
        let problem = match hint {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        };
        Stop(Box::new(Flaw { problem, span: at..at }))
    }
}

fn check_tag(tag: Option<&Tag>, span: &Span) -> Step {
    let Some(tag) = tag.filter(|tag| tag.is_custom()) else {
        return Ok(());
    };
    let place = span.tag_span().and_then(|span| span.byte_range());
    let place = place.or_else(|| span.byte_range()).unwrap_or(0..0);
    let message = format!("the tag `{}` has no meaning here", tag.original());
    let hint = "leave it out, or put the text in quotes if the `!` belongs to it";
    stop("YM007", place, message, hint)
}

const TEMPLATE_HINT: &str = "a text with `{{ … }}` must be in quotes: \"{{ … }}\"";

fn flaw(code: &'static str, span: Range<usize>, message: impl Into<String>, hint: &str) -> Stop {
    let problem = Problem::error(code, "", message).with_hint(hint);
    Stop(Box::new(Flaw { problem, span }))
}

fn stop(code: &'static str, span: Range<usize>, message: impl Into<String>, hint: &str) -> Step {
    Err(flaw(code, span, message, hint))
}

/// The parser's words, where ours do not say it better.
fn message(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::MappingValueNotAllowed => "a `:` may not stand here".to_owned(),
        kind if is_about_a_tab(kind) => "a tab may not stand here".to_owned(),
        ErrorKind::DirectiveDisallowed => "directives (`%`) are not read".to_owned(),
        ErrorKind::InvalidIndentation => "the line begins at a column that fits nothing above".to_owned(),
        ErrorKind::UnclosedQuotedScalar => "the quote that begins here is never closed".to_owned(),
        ErrorKind::SimpleKeyExpected => "this line has no `:`".to_owned(),
        ErrorKind::UnclosedFlowCollection { open } => format!("the `{open}` that begins here is never closed"),
        ErrorKind::ExpectedFlowMappingSeparator => "a `,` or `}` is missing before this".to_owned(),
        ErrorKind::ExpectedFlowSequenceSeparator => "a `,` or `]` is missing before this".to_owned(),
        other => other.to_string(),
    }
}

fn hint(kind: &ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::MappingValueNotAllowed => {
            Some("put a text with `: ` in it in quotes; otherwise look at the indentation")
        }
        kind if is_about_a_tab(kind) => Some("indent with spaces"),
        ErrorKind::InvalidIndentation | ErrorKind::ExpectedBlockMappingKey => {
            Some("entries of one map begin at the same column")
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => Some("write `key: value`"),
        ErrorKind::UnexpectedCharacter { .. } => Some("put a text that begins with this character in quotes"),
        _ => None,
    }
}

const fn is_about_a_tab(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabInIndentation
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabNotAllowed
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar
    )
}

/// Whether a template without quotes stands in the line of `at`: the braces then read as maps.
fn has_bare_template(text: &str, at: usize) -> bool {
    let before = text.get(..text.floor_char_boundary(at)).unwrap_or_default();
    let line = before.len() - before.rsplit('\n').next().unwrap_or_default().len();
    let line = text
        .get(line..)
        .and_then(|rest| rest.lines().next())
        .unwrap_or_default();
    let mut quote = None;
    let mut before = ' ';
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '{' && before == '{' => return true,
            // An apostrophe inside of a word opens nothing.
            None if matches!(c, '"' | '\'') && !before.is_alphanumeric() => quote = Some(c),
            Some(_) | None => {}
        }
        before = c;
    }
    false
}
