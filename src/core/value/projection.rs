//! Which members of a document are wanted: a prefix tree of paths.

use std::cmp::Ordering;

use crate::core::path::{Path, Segment};

/// The wanted parts of a document. A list, and everything behind one of its items, is wanted whole: paths lead through maps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Projection {
    is_whole: bool,
    /// In the order of [`order`]: most keys of most records are told apart by their lengths alone.
    members: Vec<(Box<str>, Projection)>,
}

fn order(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

impl Projection {
    /// The whole document.
    #[must_use]
    pub fn all() -> Self {
        Self {
            is_whole: true,
            members: Vec::new(),
        }
    }

    /// What these paths lead to, and nothing else.
    #[must_use]
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut projection = Self::default();
        for path in paths {
            projection.add(path);
        }
        projection
    }

    /// Wants also what `path` leads to.
    pub fn add(&mut self, path: &Path) {
        let mut node = self;
        for segment in path.segments() {
            match segment {
                Segment::Key(_) if node.is_whole => return,
                Segment::Key(key) => match node.entry(key) {
                    Some(member) => node = member,
                    None => return,
                },
                Segment::Index(_) | Segment::Item { .. } => break,
            }
        }
        *node = Self::all();
    }

    /// Whether everything is wanted.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether anything is wanted of what `path` leads to.
    #[must_use]
    pub fn touches(&self, path: &Path) -> bool {
        let mut node = self;
        for segment in path.segments() {
            match segment {
                Segment::Key(key) => match node.member(key) {
                    Some(inner) => node = inner,
                    None => return false,
                },
                Segment::Index(_) | Segment::Item { .. } => return true,
            }
        }
        true
    }

    /// What is wanted of the member `key`; `None` where nothing is.
    #[must_use]
    pub fn member(&self, key: &str) -> Option<&Self> {
        if self.is_whole {
            Some(self)
        } else {
            let place = self.members.binary_search_by(|(own, _)| order(own, key)).ok()?;
            self.members.get(place).map(|(_, member)| member)
        }
    }

    /// The member `key`, put there where it was not wanted before.
    fn entry(&mut self, key: &str) -> Option<&mut Self> {
        let found = self.members.binary_search_by(|(own, _)| order(own, key));
        let place = found.unwrap_or_else(|place| {
            self.members.insert(place, (key.into(), Self::default()));
            place
        });
        self.members.get_mut(place).map(|(_, member)| member)
    }
}
