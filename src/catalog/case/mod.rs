//! The cases beside definitions: what must come of given records, and what must be understood of given answers.

pub mod mapping;

use serde::{Serialize, de::DeserializeOwned};

use super::{
    decode::decode,
    diagnostic::Diagnostic,
    yaml::{Document, Tree},
};
use crate::core::problem::Problems;

/// What came of the cases of one file.
#[derive(Debug)]
pub struct Report {
    /// The file, as it was named.
    pub file: String,
    /// The cases, in order.
    pub outcomes: Vec<Outcome>,
    /// Why the file could not be read, where it could not.
    pub problems: Vec<Diagnostic>,
}

/// What came of one case.
#[derive(Debug)]
pub struct Outcome {
    /// What the case shows.
    pub name: String,
    /// What came otherwise than expected; nothing where the case holds.
    pub misses: Vec<Diagnostic>,
    /// The same side by side, as far as it is about values.
    pub differences: Vec<Difference>,
}

/// One thing that a case expected otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it is about: a field with its system (`crm.Status`), `situation`, `request`, `records`, …
    pub what: String,
    /// What the case expects; nothing where it expects none.
    pub expected: Option<String>,
    /// What came; nothing where nothing came.
    pub found: Option<String>,
}

impl Report {
    /// The report on a file of which nothing is known yet.
    #[must_use]
    pub fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            outcomes: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Whether every case holds.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty() && self.outcomes.iter().all(|outcome| outcome.misses.is_empty())
    }

    /// What the file says. What is wrong with how it is written is in the report.
    pub fn open<T: DeserializeOwned>(&mut self, bytes: &[u8]) -> Option<(Tree, T)> {
        let Document { body, flaws, .. } = Document::read(bytes);
        let source = match &body {
            Ok(tree) => tree.source(),
            Err(source) => source,
        };
        let told = flaws
            .into_iter()
            .map(|flaw| Diagnostic::of_flaw(&self.file, source, flaw));
        self.problems.extend(told);
        let tree = body.ok()?;
        let mut problems = Problems::new();
        let form = decode(&tree, &mut problems);
        self.refuse(&tree, problems);
        Some((tree, form?))
    }

    /// Says what is wrong with the file beside its cases.
    pub fn refuse(&mut self, tree: &Tree, problems: Problems) {
        self.problems.extend(shown(&self.file, tree, problems));
    }

    /// Says what came of one case; no `problems` where it holds.
    pub fn add(&mut self, tree: &Tree, name: &str, problems: Problems, differences: Vec<Difference>) {
        self.outcomes.push(Outcome {
            name: name.to_owned(),
            misses: shown(&self.file, tree, problems),
            differences,
        });
    }
}

fn shown(file: &str, tree: &Tree, problems: Problems) -> Vec<Diagnostic> {
    let problems = problems.into_vec().into_iter();
    problems
        .map(|problem| Diagnostic::in_tree(file, tree, problem))
        .collect()
}
