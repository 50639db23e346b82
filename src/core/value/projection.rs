//! Which members of a document are wanted: a prefix tree of paths.

use std::collections::BTreeMap;

use crate::core::path::{Path, Segment};

/// The wanted parts of a document. A list, and everything behind one of its items, is wanted whole: paths lead through maps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Projection {
    is_whole: bool,
    members: BTreeMap<Box<str>, Projection>,
}

impl Projection {
    /// The whole document.
    #[must_use]
    pub fn all() -> Self {
        Self {
            is_whole: true,
            members: BTreeMap::new(),
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
                Segment::Key(key) => node = node.members.entry(key.clone()).or_default(),
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
            self.members.get(key)
        }
    }
}
