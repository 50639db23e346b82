//! Nodes to forms: every problem of a document in one go, each with its place.
//!
//! serde stops at the first error. So the wrong node is set aside (or the map that lacks a key) and the document is read
//! again, until nothing is wrong any more. What only follows from something set aside is not reported.

mod deserializer;
mod error;

use std::collections::HashSet;

use serde::de::DeserializeOwned;

use self::{
    deserializer::View,
    error::{Error, Kind},
};
use crate::{
    catalog::yaml::{NodeId, Tree},
    core::problem::{Problem, Problems, nearest},
};

/// How many problems of one document are reported.
pub const PROBLEMS_MAX: usize = 50;

/// The field of a form that holds the entries whose keys are names of systems, or misspelt.
///
/// A form that has such a field gets every entry under it whose key is none of the form's other fields.
pub const SIDES: &str = "sides";

/// What was read of a document.
#[derive(Debug)]
pub struct Decoded<T> {
    /// The form without what is wrong in it, if enough is right.
    pub form: Option<T>,
    /// The places of what was left out.
    pub pruned: Vec<String>,
}

/// Reads a form; `None` if anything is wrong, with the reasons in `problems`.
pub fn decode<T: DeserializeOwned>(tree: &Tree, problems: &mut Problems) -> Option<T> {
    let Decoded { form, pruned } = decode_rest(tree, problems);
    form.filter(|_| pruned.is_empty())
}

/// Reads what can be read of a form, so that the rest of it can be checked further.
pub fn decode_rest<T: DeserializeOwned>(tree: &Tree, problems: &mut Problems) -> Decoded<T> {
    let mut search = Search {
        tree,
        pruned: HashSet::new(),
        order: Vec::new(),
        reported: 0,
    };
    let form = search.run(problems);
    Decoded {
        form,
        pruned: search.order.into_iter().map(|id| tree.pointer(id)).collect(),
    }
}

struct Search<'t> {
    tree: &'t Tree,
    pruned: HashSet<NodeId>,
    /// What was pruned because it is wrong itself.
    order: Vec<NodeId>,
    reported: usize,
}

impl Search<'_> {
    fn run<T: DeserializeOwned>(&mut self, problems: &mut Problems) -> Option<T> {
        loop {
            let view = View {
                tree: self.tree,
                pruned: &self.pruned,
            };
            let error = match T::deserialize(view.node(NodeId::ROOT)) {
                Ok(form) => return Some(form),
                Err(error) => error,
            };
            let error = self.blamed(error);
            let node = error.node.unwrap_or(NodeId::ROOT);
            if !self.is_consequence(&error, node) {
                if self.reported == PROBLEMS_MAX {
                    let message = format!("there are more than the {PROBLEMS_MAX} problems shown");
                    problems.push(Problem::error("FM005", "", message).with_hint("mend these and check again"));
                    return None;
                }
                self.reported += 1;
                problems.push(error.problem(self.tree, node));
                self.order.push(node);
            }
            // A node that is pruned already can come up again only by a fault in a form's own code; then nothing is gained by
            // going on.
            if node == NodeId::ROOT || !self.pruned.insert(node) {
                return None;
            }
        }
    }

    /// Where keys may be names of systems, a misspelt key shows only as a missing one: the misspelt key is to blame.
    fn blamed(&self, error: Error) -> Error {
        let (Kind::Missing { key }, Some(node)) = (&error.kind, error.node) else {
            return error;
        };
        let misspelt = self.tree.children(node).iter().copied().find(|child| {
            let found = self.tree.node(*child).key.as_ref();
            !self.pruned.contains(child) && found.is_some_and(|found| nearest(&found.text, [*key]).is_some())
        });
        match misspelt {
            Some(child) => Error::misspelt(key).at(child),
            None => error,
        }
    }

    /// Whether a missing key was there, but wrong, or is one that was misspelt.
    fn is_consequence(&self, error: &Error, node: NodeId) -> bool {
        let key = match error.kind {
            Kind::Missing { key } => key,
            Kind::Follows => return true,
            _ => return false,
        };
        let children = self.tree.children(node).iter();
        children.filter(|child| self.pruned.contains(child)).any(|child| {
            let found = self.tree.node(*child).key.as_ref().map_or("", |key| key.text.as_str());
            found == key || nearest(found, [key]).is_some()
        })
    }
}

#[cfg(test)]
mod tests;
