//! Where the values of a record's fields stand, found in one walk through its members. A reconciliation looks at every field of
//! millions of records; looked up one by one, each costs several comparisons of names.

use std::cmp::Ordering;

use crate::core::{
    path::Path,
    value::{Map, Value},
};

/// Fields whose places are found in a walk; those behind them are looked up.
const WALKED_MAX: usize = 32;

/// The members that the fields of one side begin in, in the order of their names, as members of records have it.
#[derive(Debug, Default)]
pub struct Walk(Vec<(Box<str>, Vec<usize>)>);

/// The members of one record that its fields begin in.
#[derive(Debug)]
pub struct Roots<'r> {
    record: &'r Map,
    members: [Option<&'r Value>; WALKED_MAX],
}

impl Walk {
    /// The walk to where these paths lead; some fields have none.
    #[must_use]
    pub fn to<'p>(paths: impl Iterator<Item = Option<&'p Path>>) -> Self {
        let mut members: Vec<(Box<str>, Vec<usize>)> = Vec::new();
        for (place, path) in paths.enumerate().take(WALKED_MAX) {
            let Some(key) = path.and_then(Path::root) else {
                continue;
            };
            let found = members.binary_search_by(|(known, _)| (**known).cmp(key));
            let at = found.unwrap_or_else(|free| {
                members.insert(free, (key.into(), Vec::new()));
                free
            });
            if let Some((_, places)) = members.get_mut(at) {
                places.push(place);
            }
        }
        Self(members)
    }

    /// Walks through a record.
    #[must_use]
    pub fn roots<'r>(&self, record: &'r Map) -> Roots<'r> {
        let mut members = [None; WALKED_MAX];
        let mut rest = record.iter();
        let mut next = rest.next();
        for (key, places) in &self.0 {
            let found = loop {
                match next.map(|(name, value)| (name.as_str().cmp(key), value)) {
                    Some((Ordering::Less, _)) => next = rest.next(),
                    Some((Ordering::Equal, value)) => break Some(value),
                    Some((Ordering::Greater, _)) | None => break None,
                }
            };
            let Some(value) = found else { continue };
            for place in places {
                if let Some(member) = members.get_mut(*place) {
                    *member = Some(value);
                }
            }
            next = rest.next();
        }
        Roots { record, members }
    }
}

impl<'r> Roots<'r> {
    /// What stands where the path of the field at `place` leads, as [`Path::get_in`] of the record has it.
    #[must_use]
    pub fn get(&self, place: usize, path: &Path) -> Option<&'r Value> {
        match self.members.get(place) {
            Some(member) => path.get_behind((*member)?),
            None => path.get_in(self.record),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_walk_finds_what_each_path_leads_to(
            record in proptest::collection::btree_map("[a-d]{1,2}", "[x-z]".prop_map(Value::Text), 0..12),
            inner in "[a-d]{1,2}",
            keys in proptest::collection::vec("[a-d]{1,2}(\\.x)?", 0..40),
        ) {
            let mut record: Map = record;
            record.insert(inner, Value::Map(Map::from([("x".to_owned(), Value::Int(1))])));
            let paths: Vec<Path> = keys.iter().map(|key| Path::parse(key).unwrap()).collect();
            let walk = Walk::to(paths.iter().map(Some));
            let roots = walk.roots(&record);
            for (place, path) in paths.iter().enumerate() {
                prop_assert_eq!(roots.get(place, path), path.get_in(&record), "{}", path);
            }
        }
    }

    #[test]
    fn a_field_without_a_path_keeps_its_place() {
        let record = Map::from([("a".to_owned(), Value::Int(1)), ("b".to_owned(), Value::Int(2))]);
        let path = Path::of_key("b");
        let walk = Walk::to([None, Some(&path), Some(&Path::default())].into_iter());
        let roots = walk.roots(&record);
        assert_eq!(roots.get(1, &path), Some(&Value::Int(2)));
        assert_eq!(roots.get(2, &Path::default()), None);
    }
}
