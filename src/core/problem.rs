//! Everything that is wrong with what a person wrote: a connector, a mapping, a setting.
//!
//! Problems are collected, never thrown: a check shows all of them at once. The core knows *where inside the document*
//! a problem is (a JSON pointer); the catalog turns that into file, line and column.

use std::fmt;

use serde::Serialize;

/// How bad a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used; something in it deserves a look.
    Warning,
}

/// Which part of the place a [`Problem`] names is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Focus {
    /// What stands there.
    #[default]
    Value,
    /// The key itself: it is misspelt, or does not belong there.
    Key,
}

/// One thing that is wrong in a user's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Stable, searchable code such as `MP012`; `docs/errors.md` lists them.
    pub code: &'static str,
    /// Whether the file can still be used.
    pub severity: Severity,
    /// JSON pointer (RFC 6901) to the place inside the document, `""` for the whole of it.
    pub pointer: String,
    /// Byte range inside the scalar at `pointer`, where only a part of it is wrong (an expression, say).
    #[serde(skip)]
    pub range: Option<std::ops::Range<usize>>,
    /// Whether the value or the key at `pointer` is wrong.
    #[serde(skip)]
    pub focus: Focus,
    /// What is wrong: a lowercase fragment that names the thing and the value.
    pub message: String,
    /// How to mend it, where that is known.
    pub hint: Option<String>,
}

impl Problem {
    /// An error at `pointer`.
    pub fn error(code: &'static str, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            pointer: pointer.into(),
            range: None,
            focus: Focus::Value,
            message: message.into(),
            hint: None,
        }
    }

    /// A warning at `pointer`.
    pub fn warning(code: &'static str, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, pointer, message)
        }
    }

    /// The same problem with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same problem, about the key rather than its value.
    #[must_use]
    pub fn on_key(mut self) -> Self {
        self.focus = Focus::Key;
        self
    }

    /// The same problem, narrowed to a byte range inside the scalar.
    #[must_use]
    pub fn with_range(mut self, range: std::ops::Range<usize>) -> Self {
        self.range = Some(range);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}: {}", self.code, self.pointer, self.message)
    }
}

/// Collects problems while a definition is compiled.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// An empty collection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one problem.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Adds an error at `pointer`.
    pub fn error(&mut self, code: &'static str, pointer: impl Into<String>, message: impl Into<String>) {
        self.push(Problem::error(code, pointer, message));
    }

    /// Whether any problem makes the file unusable.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Whether any of the problems added after the first `count` makes the file unusable.
    #[must_use]
    pub fn has_errors_since(&self, count: usize) -> bool {
        self.0
            .iter()
            .skip(count)
            .any(|problem| problem.severity == Severity::Error)
    }

    /// How many problems there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no problem at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The problems found, in the order of finding.
    #[must_use]
    pub fn into_vec(self) -> Vec<Problem> {
        self.0
    }
}

/// The candidate most like `word`, for "did you mean"; `None` where nothing comes close.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count().max(3) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Appends `part` to a JSON pointer, escaped as RFC 6901 asks.
#[must_use]
pub fn pointer(base: &str, part: impl fmt::Display) -> String {
    let part = part.to_string().replace('~', "~0").replace('/', "~1");
    format!("{base}/{part}")
}
