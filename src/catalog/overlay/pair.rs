//! Field pairs and match rules of an overlay: an item is the one of the mapping that names the same fields.

use super::{Branch, Grown, Kind, Laying, NodeId, Scalar, Tree};
use crate::core::problem::pointer;

/// The key of an item that takes the mapping's own away.
const REMOVE: &str = "remove";

/// Whether a list holds pairs of fields: of a mapping, or of the lines of one of its pairs.
pub(super) fn is_list(at: &str) -> bool {
    let of_lines = at.strip_prefix("/fields/").and_then(|at| at.strip_suffix("/fields"));
    matches!(at, "/fields" | "/match" | "/suggest/fields") || of_lines.is_some_and(|pair| pair.parse::<usize>().is_ok())
}

/// The names of both systems, which are keys of every pair.
pub(super) fn systems(base: &Tree, kind: Kind) -> Vec<String> {
    if kind != Kind::Mapping {
        return Vec::new();
    }
    let between = base.child(NodeId::ROOT, "between");
    let names = between.into_iter().flat_map(|between| base.children(between));
    names
        .filter_map(|name| Some(base.node(*name).key.as_ref()?.text.clone()))
        .collect()
}

impl Laying<'_> {
    /// The items of both: those that name the same fields are merged, the others stand behind.
    pub(super) fn pairs(&mut self, mut items: Vec<Branch>, more: Vec<Branch>, at: &str) -> Vec<Branch> {
        // What was added does not count as there: two new pairs may have a field in common.
        let own = items.len();
        let mut removed: Vec<usize> = Vec::new();
        for (index, mut change) in more.into_iter().enumerate() {
            let place = pointer(at, index);
            let found: Vec<usize> = (0..own)
                .filter(|at| items.get(*at).is_some_and(|item| self.is_same(item, &change)))
                .collect();
            let takes_away = takes_away(&change);
            if let Grown::Map(entries) = &mut change.content {
                entries.retain(|entry| entry.name() != REMOVE);
            }
            match found.as_slice() {
                [only] if takes_away => removed.push(*only),
                [only] => {
                    if let Some(slot) = items.get_mut(*only) {
                        let below = slot.clone();
                        *slot = self.lay(below, change, &place);
                    }
                }
                [] if takes_away || !self.is_whole(&change) => self.no_pair(&change, &place),
                [] => items.push(change),
                _ => {
                    let message = format!("{} of mapping `{}` name these fields", found.len(), self.name);
                    let hint = "say both fields, so that one is left".to_owned();
                    self.problem("CT014", &place, message, Some(hint));
                }
            }
        }
        let mut index = 0;
        items.retain(|_| {
            index += 1;
            !removed.contains(&(index - 1))
        });
        items
    }

    /// Whether both name a field of one system in common, and no two different ones.
    fn is_same(&self, item: &Branch, change: &Branch) -> bool {
        let both = self
            .systems
            .iter()
            .filter_map(|system| Some((field(item, system)?, field(change, system)?)));
        let equal: Vec<bool> = both.map(|(own, other)| own == other).collect();
        !equal.is_empty() && equal.into_iter().all(|is_equal| is_equal)
    }

    /// Whether a pair says enough to be a new one.
    fn is_whole(&self, change: &Branch) -> bool {
        let named = self.systems.iter().filter(|system| field(change, system).is_some());
        change.child("from").is_some() || named.count() == self.systems.len()
    }

    fn no_pair(&mut self, change: &Branch, at: &str) {
        let named = self
            .systems
            .iter()
            .filter_map(|system| Some(format!("`{system}: {}`", field(change, system)?)));
        let named: Vec<String> = named.collect();
        let what = if named.is_empty() {
            "this, which names no field of a system".to_owned()
        } else {
            named.join(" and ")
        };
        let message = format!("mapping `{}` has no pair or rule with {what}", self.name);
        let hint = format!(
            "look at what has changed in `{}`; a new pair names a field of both systems, or one and `from:`",
            self.name
        );
        self.problem("CT013", at, message, Some(hint));
    }
}

/// The field of a system that a pair names.
fn field<'b>(pair: &'b Branch, system: &str) -> Option<&'b str> {
    match &pair.child(system)?.content {
        Grown::Scalar { text, .. } => Some(text),
        Grown::List(_) | Grown::Map(_) => None,
    }
}

fn takes_away(change: &Branch) -> bool {
    let said = change.child(REMOVE).and_then(Branch::scalar);
    matches!(said, Some(Scalar::Bool(true) | Scalar::Text("yes" | "Yes" | "YES")))
}
