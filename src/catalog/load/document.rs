//! One definition on its way from bytes to something that can be used.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;

use super::file::File;
use crate::{
    catalog::{
        decode::{Decoded, decode_rest},
        diagnostic::Diagnostic,
        overlay::{self, Applied, Kind},
        yaml::{Content, Document, Layer, Tree},
    },
    core::{
        connector::form::ConnectorForm,
        mapping::form::{CaseForm, MappingForm},
        problem::{Problem, Problems, Severity},
    },
};

/// The form of a file.
pub(super) trait Form: DeserializeOwned {
    /// The parts that other parts of the same file refer to: without them, whatever else is wrong may be a consequence.
    const REFERRED_TO: &'static [&'static str];

    /// Which kind of definition it is, where overlays may be laid over it.
    const KIND: Option<Kind>;

    /// Where the name stands in the file, and the name, if it has one: it must be that of the file, so that a name leads
    /// there.
    fn name(&self) -> Option<(&'static str, &str)>;

    /// Whether the name can stand in an address and on a command line, where compiling does not look at that.
    fn has_right_name(&self) -> bool {
        true
    }
}

impl Form for ConnectorForm {
    const REFERRED_TO: &'static [&'static str] = &["/settings", "/credentials", "/auth"];

    const KIND: Option<Kind> = Some(Kind::Connector);

    fn name(&self) -> Option<(&'static str, &str)> {
        Some(("/connector", &self.connector))
    }
}

impl Form for MappingForm {
    const REFERRED_TO: &'static [&'static str] = &["/between", "/direction"];

    const KIND: Option<Kind> = Some(Kind::Mapping);

    fn name(&self) -> Option<(&'static str, &str)> {
        Some(("/mapping", &self.mapping))
    }

    fn has_right_name(&self) -> bool {
        is_name(&self.mapping)
    }
}

impl Form for Vec<CaseForm> {
    const REFERRED_TO: &'static [&'static str] = &[];

    const KIND: Option<Kind> = None;

    fn name(&self) -> Option<(&'static str, &str)> {
        None
    }
}

/// A file, what it says, and what is wrong with it.
#[derive(Debug)]
pub(super) struct Definition<T> {
    path: String,
    /// The file of what was laid over it.
    overlay: Option<String>,
    tree: Option<Tree>,
    /// What it says, less what is wrong.
    pub(super) form: Option<T>,
    pruned: Vec<String>,
    problems: Vec<Problem>,
    /// What is wrong with the YAML itself, in its place already.
    flaws: Vec<Diagnostic>,
}

impl<T: Form> Definition<T> {
    /// Reads a file, and what is laid over it.
    pub(super) fn read(file: &File, overlay: Option<&File>) -> Self {
        let mut definition = Self {
            path: file.path.clone(),
            overlay: overlay.map(|overlay| overlay.path.clone()),
            tree: None,
            form: None,
            pruned: Vec::new(),
            problems: Vec::new(),
            flaws: Vec::new(),
        };
        let tree = definition.document(file);
        let over = overlay.and_then(|overlay| Some((overlay, definition.document(overlay)?)));
        let Some(mut tree) = tree else { return definition };
        if let (Some((overlay, over)), Some(kind)) = (over, T::KIND) {
            tree = definition.lay(tree, over, overlay, (kind, &file.name));
        }
        let mut problems = Problems::new();
        let Decoded { form, pruned } = decode_rest(&tree, &mut problems);
        definition.form = form;
        definition.pruned = pruned;
        definition.problems = problems.into_vec();
        definition.tree = Some(tree);
        definition.check_name(&file.name);
        definition
    }

    /// The YAML of a file; what is wrong with it is kept.
    fn document(&mut self, file: &File) -> Option<Tree> {
        let document = Document::read(&file.bytes);
        let source = match &document.body {
            Ok(tree) => tree.source(),
            Err(source) => source,
        };
        let flaws = document.flaws.into_iter();
        self.flaws
            .extend(flaws.map(|flaw| Diagnostic::of_flaw(&file.path, source, flaw)));
        document.body.ok()
    }

    fn lay(&mut self, base: Tree, over: Tree, overlay: &File, (kind, name): (Kind, &str)) -> Tree {
        let Applied { root, problems } = overlay::apply(&base, &over, kind, name);
        let told = problems.into_iter();
        self.flaws
            .extend(told.map(|problem| Diagnostic::in_tree(&overlay.path, &over, problem)));
        let layer = Layer {
            file: overlay.path.clone(),
            source: over.into_source(),
        };
        base.overlaid(layer, root)
    }

    fn check_name(&mut self, name: &str) {
        let Some(form) = &self.form else { return };
        let Some((place, written)) = form.name() else { return };
        if !form.has_right_name() {
            let problem = Problem::error("CT007", place, format!("`{written}` is no name"));
            self.problems
                .push(problem.with_hint("use lower-case letters, digits, `-` and `_`, at most 64 of them"));
        } else if written != name {
            let problem = Problem::error(
                "CT006",
                place,
                format!("the file is named `{name}`, and this `{written}`"),
            );
            self.problems.push(problem.with_hint("give both the same name"));
        }
    }

    /// Checks what the form means; what comes of it is kept only where nothing at all is wrong.
    pub(super) fn compile<C>(&mut self, compile: impl FnOnce(&T, &mut Problems) -> Option<C>) -> Option<C> {
        let form = self.form.as_ref()?;
        let is_top_level = |pruned: &String| pruned.matches('/').count() <= 1;
        let is_referred_to = |pruned: &String| T::REFERRED_TO.iter().any(|part| pruned.starts_with(part));
        if self
            .pruned
            .iter()
            .any(|pruned| is_top_level(pruned) || is_referred_to(pruned))
        {
            return None;
        }
        let mut problems = Problems::new();
        let compiled = compile(form, &mut problems);
        let told = problems.into_vec().into_iter().filter(|problem| !self.follows(problem));
        let told: Vec<Problem> = told.collect();
        self.problems.extend(told);
        compiled.filter(|_| self.is_sound())
    }

    /// Whether a problem is about a part that was set aside, or about what holds it.
    fn follows(&self, problem: &Problem) -> bool {
        let within = |inner: &str, outer: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let place = problem.pointer.as_str();
        self.pruned
            .iter()
            .any(|pruned| within(pruned, place) || within(place, pruned))
    }

    /// Whether nothing is wrong.
    pub(super) fn is_sound(&self) -> bool {
        self.form.is_some()
            && self.pruned.is_empty()
            && !self.flaws.iter().any(Diagnostic::is_error)
            && !self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Adds a problem found by looking at several files.
    pub(super) fn add(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Everything that is wrong, in its place.
    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.into_parts().1
    }

    /// The document, and everything that is wrong, in its place.
    pub(super) fn into_parts(self) -> (Option<Tree>, Vec<Diagnostic>) {
        let Self {
            path,
            overlay,
            tree,
            problems,
            mut flaws,
            ..
        } = self;
        flaws.extend(problems.into_iter().map(|problem| {
            let told = match &tree {
                Some(tree) => Diagnostic::in_tree(&path, tree, problem),
                None => Diagnostic::of_file(&path, problem),
            };
            match &overlay {
                // What is wrong may have come by what the overlay took away or changed elsewhere.
                Some(overlay) if told.file == path => told.beside(overlay),
                _ => told,
            }
        }));
        (tree, flaws)
    }
}

impl Definition<MappingForm> {
    /// Drops what is said about links to mappings that could not be read: nothing is known of them.
    pub(super) fn forget_links_to(&mut self, unreadable: &BTreeSet<String>) {
        let Some(tree) = &self.tree else { return };
        let named = |problem: &Problem| {
            let (id, _) = tree.find(&problem.pointer);
            match &tree.node(id).content {
                Content::Scalar { text, .. } => unreadable.contains(text),
                _ => false,
            }
        };
        self.problems
            .retain(|problem| !(problem.pointer.ends_with("/link") && named(problem)));
    }
}

const NAME_CHARS_MAX: usize = 64;

/// Whether a text can name a mapping everywhere: in files, addresses and on a command line.
fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= NAME_CHARS_MAX && text.bytes().all(is_part) && !text.starts_with(['-', '_'])
}
