//! Keeps room for the work on other systems while one that hangs, or has much to do, takes most of it.

use std::{collections::HashMap, sync::Arc};

use crate::core::{mapping::Mapping, status::Side};

/// A system takes most of the room from so many fourths of it on.
const FOURTHS: usize = 3;

/// Who may crowd out whom: a system that no mapping can do without keeps nobody waiting, since nothing could go on meanwhile.
#[derive(Debug)]
pub(super) struct Crowd {
    /// Changes worked on at once.
    room: usize,
    /// The mappings of every system that some mapping does without, those of few mappings first.
    systems: Vec<Vec<Arc<str>>>,
    /// How many mappings there are.
    mappings: usize,
}

impl Crowd {
    pub(super) fn new<'a>(mappings: impl Iterator<Item = &'a Arc<Mapping>>, room: usize) -> Self {
        let pairs = mappings.map(|mapping| {
            let systems = [Side::Left, Side::Right].map(|side| mapping.end(side).system.as_str());
            (Arc::from(mapping.name.as_str()), systems)
        });
        Self::of(&pairs.collect::<Vec<_>>(), room)
    }

    fn of(pairs: &[(Arc<str>, [&str; 2])], room: usize) -> Self {
        let mut systems: HashMap<&str, Vec<Arc<str>>> = HashMap::new();
        for (mapping, [left, right]) in pairs {
            systems.entry(left).or_default().push(Arc::clone(mapping));
            if left != right {
                systems.entry(right).or_default().push(Arc::clone(mapping));
            }
        }
        systems.retain(|_, mappings| mappings.len() < pairs.len());
        let mut systems: Vec<_> = systems.into_values().collect();
        systems.sort_by_key(Vec::len);
        Self {
            room,
            systems,
            mappings: pairs.len(),
        }
    }

    /// Mappings whose further work has to wait, with the work on `at_work` in flight. A second system is measured by what the
    /// first has left, and one mapping at least never waits.
    pub(super) fn crowded<'a>(&self, at_work: impl ExactSizeIterator<Item = &'a Arc<str>>) -> Vec<Arc<str>> {
        if self.systems.is_empty() || at_work.len() < most(self.room) {
            return Vec::new();
        }
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for mapping in at_work {
            *counts.entry(mapping).or_default() += 1;
        }
        let mut crowded: Vec<Arc<str>> = Vec::new();
        let mut left = self.room;
        loop {
            let taken = self.systems.iter().find_map(|system| {
                let fresh: Vec<_> = system.iter().filter(|mapping| !crowded.contains(*mapping)).collect();
                let count = fresh.iter().filter_map(|mapping| counts.get(&***mapping)).sum();
                let is_all = crowded.len() + fresh.len() == self.mappings;
                (count >= most(left) && !is_all).then_some((fresh, count))
            });
            let Some((fresh, count)) = taken else {
                return crowded;
            };
            let fresh: Vec<_> = fresh.into_iter().map(Arc::clone).collect();
            crowded.extend(fresh);
            left = left.saturating_sub(count);
        }
    }
}

fn most(room: usize) -> usize {
    (room / 4 * FOURTHS).max(1)
}

#[cfg(test)]
mod tests {
    use super::{Arc, Crowd};

    /// Mappings, named by the letters of their two systems.
    type Mappings = &'static [&'static str];
    /// How many changes of a mapping are in flight.
    type AtWork = &'static [(&'static str, usize)];

    fn crowded(mappings: Mappings, at_work: AtWork) -> Vec<String> {
        let pair = |name: &&'static str| (Arc::from(*name), [&name[..1], &name[1..]]);
        let crowd = Crowd::of(&mappings.iter().map(pair).collect::<Vec<_>>(), 64);
        let changes = |(mapping, count): &(&str, usize)| std::iter::repeat_n(Arc::from(*mapping), *count);
        let at_work: Vec<Arc<str>> = at_work.iter().flat_map(changes).collect();
        let mut names: Vec<_> = crowd.crowded(at_work.iter()).iter().map(ToString::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn a_system_that_takes_most_of_the_room_lets_the_others_in() {
        let cases: &[(Mappings, AtWork, Mappings)] = &[
            // Two systems that have nothing to do with one another.
            (&["ab", "cd"], &[("ab", 48)], &["ab"]),
            (&["ab", "cd"], &[("ab", 47), ("cd", 16)], &[]),
            // Many systems around one.
            (&["ah", "bh", "ch"], &[("ah", 48)], &["ah"]),
            (&["ah", "bh", "ch"], &[("ah", 48), ("bh", 12)], &["ah", "bh"]),
            (&["ah", "bh", "ch"], &[("ah", 48), ("bh", 11)], &["ah"]),
            (&["ah", "bh", "ch"], &[("ah", 30), ("bh", 30)], &[]),
            // The one around which they stand is not to blame, even where somebody does without it.
            (&["ah", "bh", "cd"], &[("ah", 50)], &["ah"]),
            (&["ah", "bh", "cd"], &[("ah", 25), ("bh", 25)], &["ah", "bh"]),
        ];
        for (mappings, at_work, expected) in cases {
            assert_eq!(crowded(mappings, at_work), *expected, "{mappings:?} with {at_work:?}");
        }
    }

    #[test]
    fn nobody_waits_where_nothing_else_could_go_on() {
        let cases: &[(Mappings, AtWork)] = &[
            (&["ab"], &[("ab", 64)]),
            (&["ab", "ab"], &[("ab", 64)]),
            (&["ah", "bh"], &[("ah", 0), ("bh", 47)]),
        ];
        for (mappings, at_work) in cases {
            assert!(crowded(mappings, at_work).is_empty(), "{mappings:?} with {at_work:?}");
        }
        let last = crowded(&["ah", "bh"], &[("ah", 48), ("bh", 16)]);
        assert_eq!(last, ["ah"], "the last one has all that is left");
    }
}
