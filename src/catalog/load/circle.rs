//! The order of mappings by their links, and circles among them.

use std::collections::{BTreeMap, BTreeSet};

use super::document::Definition;
use crate::core::{
    mapping::form::{MappingForm, PairForm},
    problem::Problem,
};

/// A link from a mapping to another, and the place of the pair that has it.
type Edge = (String, String);

/// The mappings, each after those it refers to. Circles are added to the problems of the mapping where they begin.
///
/// A mapping that refers to itself is no circle: a record waits for its parent, which is in the same mapping.
pub(super) fn check(mappings: &mut BTreeMap<String, Definition<MappingForm>>) -> Vec<String> {
    let edges: BTreeMap<String, Vec<Edge>> = mappings
        .iter()
        .map(|(name, mapping)| (name.clone(), edges(name, mapping)))
        .collect();
    let mut walk = Walk {
        edges: &edges,
        done: BTreeSet::new(),
        path: Vec::new(),
        order: Vec::new(),
        circles: Vec::new(),
    };
    for name in edges.keys() {
        walk.visit(name);
    }
    let Walk { order, circles, .. } = walk;
    for Circle { mapping, pair, names } in circles {
        let place = format!("{pair}/link");
        let message = format!("the links of mappings form a circle: {}", names.join(" → "));
        let hint = "records of each would wait for the next for ever: leave one of these links out";
        if let Some(mapping) = mappings.get_mut(&mapping) {
            mapping.add(Problem::error("CT009", place, message).with_hint(hint));
        }
    }
    order
}

fn edges(name: &str, mapping: &Definition<MappingForm>) -> Vec<Edge> {
    let pairs = mapping.form.iter().flat_map(|form| placed("", &form.fields));
    let all = pairs.flat_map(|(place, pair)| {
        let inner = placed(&place, &pair.fields).collect::<Vec<_>>();
        std::iter::once((place, pair)).chain(inner)
    });
    all.filter_map(|(place, pair)| Some((place, pair.link.clone()?)))
        .filter(|(_, other)| other != name)
        .collect()
}

/// Pairs with their places in the file.
fn placed<'f>(at: &str, pairs: &'f [PairForm]) -> impl Iterator<Item = (String, &'f PairForm)> {
    pairs
        .iter()
        .enumerate()
        .map(move |(index, pair)| (format!("{at}/fields/{index}"), pair))
}

struct Circle {
    mapping: String,
    /// The place of the pair.
    pair: String,
    names: Vec<String>,
}

struct Walk<'a> {
    edges: &'a BTreeMap<String, Vec<Edge>>,
    done: BTreeSet<&'a str>,
    path: Vec<&'a str>,
    order: Vec<String>,
    circles: Vec<Circle>,
}

impl<'a> Walk<'a> {
    /// Depth first; the number of mappings (at most 1,000) bounds the depth.
    fn visit(&mut self, name: &'a str) {
        if self.done.contains(name) {
            return;
        }
        self.path.push(name);
        let edges = self.edges.get(name).map(Vec::as_slice).unwrap_or_default();
        for (pair, other) in edges {
            match self.path.iter().position(|above| above == other) {
                Some(start) => self.circles.push(Circle {
                    mapping: name.to_owned(),
                    pair: pair.clone(),
                    names: self
                        .path
                        .iter()
                        .skip(start)
                        .chain([&other.as_str()])
                        .map(|name| (*name).to_owned())
                        .collect(),
                }),
                None if self.edges.contains_key(other) => self.visit(other),
                None => {}
            }
        }
        self.path.pop();
        self.done.insert(name);
        self.order.push(name.to_owned());
    }
}
