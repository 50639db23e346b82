//! Overlays: what a customer adds to a connector or mapping and changes of it, without a copy of the file.
//!
//! `connectors/<name>.overlay.yaml` is laid over `connectors/<name>.yaml` before anything of it is decoded, so that whatever comes
//! later knows one definition; each part of it still knows the file and line that it comes from. The rules are few: maps are
//! merged, field pairs and match rules by the fields that they name, `null` takes away, `{ add: … }` adds to a text or list, and
//! anything else is replaced. What an overlay names and finds gone is an error, since a change that changes nothing would go
//! unnoticed.

mod pair;

use std::path::{Path, PathBuf};

use super::yaml::{Branch, Grown, NodeId, Scalar, Tree};
use crate::core::problem::{Problem, nearest, pointer};

/// What ends the name of an overlay's file, before `.yaml`.
pub const ENDING: &str = ".overlay";

/// The key by which an overlay says what it is laid over.
pub const EXTENDS: &str = "extends";

/// The key of a map that stands for a text or list and adds to it.
pub const ADD: &str = "add";

/// Which kind of definition is overlaid: some lists have rules of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A connector.
    Connector,
    /// A mapping.
    Mapping,
}

impl Kind {
    /// The kind in a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Connector => "connector",
            Self::Mapping => "mapping",
        }
    }
}

/// Whether a file, by its name without `.yaml`, is an overlay, and of what.
#[must_use]
pub fn of(name: &str) -> Option<&str> {
    name.strip_suffix(ENDING)
}

/// The names of the definitions in a folder, as their files say them; nothing of them is read.
#[must_use]
pub fn definitions(folder: &Path) -> Vec<String> {
    let names = names(folder);
    names
        .filter(|name| name.strip_suffix(".test").is_none() && of(name).is_none())
        .collect()
}

/// The overlays in a folder, each with the file that it is laid over.
#[must_use]
pub fn files(folder: &Path) -> Vec<(PathBuf, PathBuf)> {
    let file = |name: &str| folder.join(format!("{name}.yaml"));
    let pairs = names(folder).filter_map(|name| Some((file(&name), file(of(&name)?))));
    let mut found: Vec<_> = pairs.filter(|(_, definition)| definition.exists()).collect();
    found.sort();
    found
}

/// The names of the YAML files in a folder, without `.yaml`.
fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".yaml")?.to_owned()))
}

/// What came of an overlay.
#[derive(Debug)]
pub struct Applied {
    /// Both documents in one, for [`Tree::overlaid`].
    pub root: Branch,
    /// What the overlay names and does not find. Places are those of the overlay.
    pub problems: Vec<Problem>,
}

/// Lays the document of an overlay over that of the definition named `name`.
#[must_use]
pub fn apply(base: &Tree, over: &Tree, kind: Kind, name: &str) -> Applied {
    let mut laying = Laying {
        kind,
        name,
        is_database: base.child(NodeId::ROOT, "database").is_some(),
        systems: pair::systems(base, kind),
        problems: Vec::new(),
    };
    let below = base.branch(NodeId::ROOT, false);
    let mut above = over.branch(NodeId::ROOT, true);
    laying.check_extends(&above);
    if let Grown::Map(entries) = &mut above.content {
        entries.retain(|entry| entry.name() != EXTENDS);
    }
    let root = if matches!(above.content, Grown::Map(_)) {
        laying.lay(below, above, "")
    } else {
        laying.problem("CT012", "", "an overlay is a map, as its definition is", None);
        below
    };
    Applied {
        root,
        problems: laying.problems,
    }
}

/// An overlay on its way into a definition.
struct Laying<'a> {
    kind: Kind,
    name: &'a str,
    /// Whether a connector is for a database, whose objects have no requests.
    is_database: bool,
    /// The names of both systems of a mapping.
    systems: Vec<String>,
    problems: Vec<Problem>,
}

impl Laying<'_> {
    fn check_extends(&mut self, above: &Branch) {
        let said = above.child(EXTENDS).map(Branch::scalar);
        if said == Some(Some(Scalar::Text(self.name))) {
            return;
        }
        let (place, message) = match said {
            None => ("", "the overlay does not say what it extends".to_owned()),
            Some(_) => (
                "/extends",
                format!(
                    "the file is an overlay of `{}`, and this says something else",
                    self.name
                ),
            ),
        };
        let hint = format!("write `{EXTENDS}: {}`", self.name);
        self.problem("CT012", place, message, Some(hint));
    }

    fn problem(&mut self, code: &'static str, at: &str, message: impl Into<String>, hint: Option<String>) {
        let problem = Problem::error(code, at, message);
        self.problems.push(match hint {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        });
    }

    /// What comes of something that both have; `at` is its place in the overlay.
    fn lay(&mut self, below: Branch, above: Branch, at: &str) -> Branch {
        let (mut below, mut above) = if self.is_field(at) {
            (typed(below), typed(above))
        } else {
            (below, above)
        };
        let there = take(&mut below);
        if let Some(more) = addition(&above) {
            return match (there, more) {
                (Grown::List(items), Grown::List(more)) => list(below, items.into_iter().chain(more).collect()),
                (Grown::Scalar { text, .. }, Grown::Scalar { text: more, .. }) => text_of(above, text + &more),
                (Grown::Map(entries), _) => self.merge(below, entries, take(&mut above), at),
                _ => {
                    let hint = "to a text a text is added, to a list a list".to_owned();
                    self.problem("CT013", at, "this cannot be added to what is there", Some(hint));
                    above
                }
            };
        }
        match (there, take(&mut above)) {
            (Grown::Map(entries), changes @ Grown::Map(_)) => self.merge(below, entries, changes, at),
            (Grown::List(items), Grown::List(more)) if self.kind == Kind::Mapping && pair::is_list(at) => {
                let laid = self.pairs(items, more, at);
                list(below, laid)
            }
            // The first rule that holds decides: those of the overlay are asked first.
            (Grown::List(items), Grown::List(more)) if self.kind == Kind::Connector && at == "/errors" => {
                list(below, more.into_iter().chain(items).collect())
            }
            (_, content) => Branch { content, ..above },
        }
    }

    /// Lays changes over the entries of a map, which `whole` is without.
    fn merge(&mut self, whole: Branch, mut entries: Vec<Branch>, changes: Grown, at: &str) -> Branch {
        let Grown::Map(changes) = changes else { return whole };
        for change in changes {
            let place = pointer(at, change.name());
            let found = entries.iter().position(|entry| entry.name() == change.name());
            let takes_away = change.scalar() == Some(Scalar::Null);
            match found {
                Some(index) if takes_away => drop(entries.remove(index)),
                Some(index) => {
                    let Some(slot) = entries.get_mut(index) else { continue };
                    let below = slot.clone();
                    *slot = self.lay(below, change, &place);
                }
                None => {
                    let names: Vec<String> = entries.iter().map(|entry| entry.name().to_owned()).collect();
                    if takes_away {
                        self.gone(&place, change.name(), &names, "there is nothing here to take away");
                    } else if let Some(lacks) = self.lacks(&place, &change) {
                        let hint = format!("it has no `{lacks}`, so it is no new one");
                        self.gone(&place, change.name(), &names, &hint);
                    } else {
                        entries.push(change);
                    }
                }
            }
        }
        map(whole, entries)
    }

    /// Says that what the overlay changes is not there.
    fn gone(&mut self, at: &str, key: &str, there: &[String], why: &str) {
        let what = self.what(at);
        let (kind, name) = (self.kind.word(), self.name);
        let message = format!("{kind} `{name}` has no {what}`{key}`: {why}");
        let hint = match nearest(key, there.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("look at what has changed in `{name}`, and leave this out or give all of it"),
        };
        let problem = Problem::error("CT013", at, message).with_hint(hint).on_key();
        self.problems.push(problem);
    }

    /// What a place holds, in a word and a space; nothing where no word says it.
    fn what(&self, at: &str) -> &'static str {
        let steps: Vec<&str> = at.split('/').skip(1).collect();
        match (self.kind, steps.as_slice()) {
            (Kind::Connector, ["settings", _]) => "setting ",
            (Kind::Connector, ["objects", _]) => "object ",
            (Kind::Connector, ["objects", _, "fields", _]) => "field ",
            (Kind::Connector, ["objects", _, operation]) if !self.is_database && OPERATIONS.contains(operation) => {
                "request "
            }
            _ => "",
        }
    }

    /// The key without which something new means nothing: then it was meant as a change of what is gone.
    fn lacks(&self, at: &str, new: &Branch) -> Option<&'static str> {
        let needed: &[&'static str] = match self.what(at) {
            "object " => &["id"],
            "setting " => &["type"],
            "field " => &["type", "read", "write"],
            "request " => &["get", "post", "put", "patch", "delete"],
            _ => return None,
        };
        let is_map = matches!(new.content, Grown::Map(_));
        let has_one = needed.iter().any(|key| new.child(key).is_some());
        needed.first().copied().filter(|_| is_map && !has_one)
    }

    /// Whether a place is that of a field of an object, where a bare text is its type.
    fn is_field(&self, at: &str) -> bool {
        self.what(at) == "field "
    }
}

/// The parts of an object that are requests.
const OPERATIONS: [&str; 6] = ["list", "changed", "get", "create", "update", "delete"];

/// A field in its long form: a bare text is its type.
fn typed(field: Branch) -> Branch {
    if !matches!(field.content, Grown::Scalar { .. }) {
        return field;
    }
    let mut kind = field.clone();
    if let Some(key) = &mut kind.key {
        "type".clone_into(&mut key.text);
    }
    map(field, vec![kind])
}

/// What a branch is, taken out of it.
fn take(branch: &mut Branch) -> Grown {
    std::mem::replace(&mut branch.content, Grown::List(Vec::new()))
}

/// What is added, where an overlay's value is `{ add: … }`.
fn addition(above: &Branch) -> Option<Grown> {
    match &above.content {
        Grown::Map(entries) => match entries.as_slice() {
            [only] if only.name() == ADD => Some(only.content.clone()),
            _ => None,
        },
        Grown::Scalar { .. } | Grown::List(_) => None,
    }
}

fn map(branch: Branch, entries: Vec<Branch>) -> Branch {
    Branch {
        content: Grown::Map(entries),
        ..branch
    }
}

fn list(branch: Branch, items: Vec<Branch>) -> Branch {
    Branch {
        content: Grown::List(items),
        ..branch
    }
}

fn text_of(branch: Branch, text: String) -> Branch {
    Branch {
        content: Grown::Scalar { text, is_plain: false },
        ..branch
    }
}

#[cfg(test)]
mod tests;
