//! A problem with its place in a file, and how it is shown.

use std::{borrow::Cow, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};
use serde::Serialize;

use super::yaml::{Content, Flaw, Node, NodeId, Position, Reach, Source, Tree};
use crate::core::problem::{Focus, Problem, Severity};

/// Something wrong in a file, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The file, as it was named to the catalog.
    pub file: String,
    /// Where in the file; none where the problem is that of the whole file.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// Whether the file can be used all the same.
    pub severity: Severity,
    /// Stable, searchable code; `docs/errors/` explains it.
    pub code: &'static str,
    /// JSON pointer (RFC 6901) into the document.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it, where that is known.
    pub hint: Option<String>,
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The place behind the last character.
    pub end: Position,
    /// The line itself; left out where it is longer than a screen could show.
    pub source: Option<String>,
}

/// How a diagnostic is shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Text alone.
    Plain,
    /// With the escapes of a terminal.
    Coloured,
}

/// The longest line that is shown, in bytes.
const LINE_BYTES_MAX: usize = 2_000;

impl Diagnostic {
    /// A problem of the whole of `file`.
    #[must_use]
    pub fn of_file(file: impl Into<String>, problem: Problem) -> Self {
        Self {
            file: file.into(),
            place: None,
            severity: problem.severity,
            code: problem.code,
            pointer: problem.pointer,
            message: problem.message,
            hint: problem.hint,
        }
    }

    /// A problem inside the document `tree`, which was read from `file`, or from what was laid over it.
    #[must_use]
    pub fn in_tree(file: &str, tree: &Tree, problem: Problem) -> Self {
        let (id, span) = span(tree, &problem);
        let place = Place::of(tree.source_of(id), span);
        Self {
            place: Some(place),
            ..Self::of_file(tree.overlay_of(id).unwrap_or(file), problem)
        }
    }

    /// A flaw of the YAML itself.
    #[must_use]
    pub fn of_flaw(file: &str, source: &Source, flaw: Flaw) -> Self {
        let place = (!source.text().is_empty()).then(|| Place::of(source, flaw.span));
        Self {
            place,
            ..Self::of_file(file, flaw.problem)
        }
    }

    /// The same of a file that `overlay` is laid over.
    #[must_use]
    pub fn beside(mut self, overlay: &str) -> Self {
        let note = format!("`{overlay}` is laid over this file");
        self.hint = Some(match self.hint {
            Some(hint) => format!("{hint}; {note}"),
            None => note,
        });
        self
    }

    /// Whether the file cannot be used.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// As text for people, with the line itself; ends with a line break.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(self.message.as_str()).id(self.code));
        group = match &self.place {
            Some(Place {
                line,
                source: Some(source),
                ..
            }) => group.element(
                Snippet::source(source.as_str())
                    .line_start(*line)
                    .path(self.file.as_str())
                    .annotation(AnnotationKind::Primary.span(self.columns(source))),
            ),
            Some(place) => group.element(
                Origin::path(self.file.as_str())
                    .line(place.line)
                    .char_column(place.column),
            ),
            None => group.element(Origin::path(self.file.as_str())),
        };
        if !self.pointer.is_empty() {
            let pointer = normalize_untrusted_str(&self.pointer);
            group = group.element(Level::NOTE.with_name("at").message(pointer));
        }
        if let Some(hint) = &self.hint {
            let hint = normalize_untrusted_str(hint);
            group = group.element(Level::HELP.with_name("hint").message(hint));
        }
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Coloured => Renderer::styled(),
        };
        let mut text = renderer.render(&[group]);
        text.push('\n');
        text
    }

    /// As one line of JSON, with a line break.
    #[must_use]
    pub fn to_json_line(&self) -> String {
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }

    /// The bytes of the source line that are marked.
    fn columns(&self, source: &str) -> Range<usize> {
        let Some(place) = &self.place else { return 0..0 };
        let byte = |column: usize| {
            let at = column.saturating_sub(1);
            source.char_indices().nth(at).map_or(source.len(), |(byte, _)| byte)
        };
        let start = byte(place.column);
        let end = if place.end.line == place.line {
            byte(place.end.column)
        } else {
            source.len()
        };
        start..end.max(start)
    }
}

/// Errors before warnings of one place, files and places in order: what a person reads from top to bottom.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    let line = |diagnostic: &Diagnostic| diagnostic.place.as_ref().map(|place| (place.line, place.column));
    diagnostics.sort_by(|one, other| {
        let one_key = (&one.file, line(one), one.severity, one.code);
        one_key.cmp(&(&other.file, line(other), other.severity, other.code))
    });
}

impl Place {
    fn of(source: &Source, span: Range<usize>) -> Self {
        let start = source.position(span.start);
        let line = source.line(start.line);
        // What goes over several lines is marked in the first.
        let end = source.position(span.end.min(line.end).max(span.start));
        let text = source.text().get(line).filter(|line| line.len() <= LINE_BYTES_MAX);
        Self {
            line: start.line,
            column: start.column,
            end,
            source: text.map(str::to_owned),
        }
    }
}

/// The bytes that a problem is about, and a node of the source that they are in.
fn span(tree: &Tree, problem: &Problem) -> (NodeId, Range<usize>) {
    let (id, reach) = tree.find(&problem.pointer);
    let node = tree.node(id);
    let is_scalar = matches!(node.content, Content::Scalar { .. });
    // A map or list goes over many lines; its key says as much.
    let wants_key = reach == Reach::Above || problem.focus == Focus::Key || !is_scalar;
    match &node.key {
        Some(key) if wants_key => (id, key.span.clone()),
        _ if is_scalar => {
            let inner = problem
                .range
                .as_ref()
                .and_then(|range| inner(tree.source_of(id), node, range));
            (id, inner.unwrap_or_else(|| node.span.clone()))
        }
        _ => first_key(tree, id),
    }
}

/// The first key of a map without a key of its own: the first entry of a document, or of an item.
fn first_key(tree: &Tree, id: NodeId) -> (NodeId, Range<usize>) {
    let node = tree.node(id);
    let first = match &node.content {
        Content::Map(children) => children.first().copied(),
        _ => None,
    };
    let key = first.and_then(|child| Some((child, tree.node(child).key.as_ref()?.span.clone())));
    key.unwrap_or_else(|| (id, node.span.clone()))
}

/// The bytes of the source behind a byte range of a scalar's text.
fn inner(source: &Source, node: &Node, range: &Range<usize>) -> Option<Range<usize>> {
    let Content::Scalar { text, .. } = &node.content else {
        return None;
    };
    let written = source.text().get(node.span.clone())?;
    if let Some(at) = written.find(text.trim_end_matches('\n')) {
        let start = node.span.start + at + range.start;
        let end = (node.span.start + at + range.end).min(node.span.end);
        return (start < end).then_some(start..end);
    }
    // A block or escapes: the text's lines stand indented in the source, one by one.
    let before = text.get(..range.start)?;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(line_start..)?.lines().next()?;
    let part = text
        .get(range.clone())
        .filter(|part| !part.is_empty() && !part.contains('\n'))?;
    let start = match written.find(line) {
        Some(at) if !line.is_empty() => node.span.start + at + (range.start - line_start),
        // Folded lines: the part itself, where it can be no other.
        _ if written.matches(part).count() == 1 => node.span.start + written.find(part)?,
        _ => return None,
    };
    Some(start..start + part.len())
}

/// All diagnostics as text for people.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], style: Style) -> String {
    let rendered: Vec<Cow<'_, str>> = diagnostics.iter().map(|one| one.render(style).into()).collect();
    rendered.join("\n")
}

/// All diagnostics as JSON Lines.
#[must_use]
pub fn to_json_lines(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(Diagnostic::to_json_line).collect()
}

#[cfg(test)]
mod tests;
