//! Reading a part of our own data: what belongs to some mappings and systems, as if nothing else was there.
//!
//! [`Store::within`] gives the same store with a narrower sight. Its lists, counts and look-ups by id find what is in the
//! scope; nobody who was handed such a store has to think of it. What works on records (roads, writers, queues) has the
//! whole store, and is only given mappings that whoever asks for the work may see.

use std::{collections::BTreeSet, sync::Arc};

use super::{Page, Store};
use crate::core::{notice::Kind, status::NoticeCondition};

/// The mappings and systems whose rows are seen, by their whole names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Mappings: their links, runs, failures, reports, conflicts, suggestions, rules and changes.
    pub mappings: BTreeSet<String>,
    /// Systems: their events.
    pub systems: BTreeSet<String>,
}

impl Scope {
    /// Whether a mapping is in it.
    #[must_use]
    pub fn has_mapping(&self, name: &str) -> bool {
        self.mappings.contains(name)
    }

    /// Whether a system is in it.
    #[must_use]
    pub fn has_system(&self, name: &str) -> bool {
        self.systems.contains(name)
    }
}

/// Conditions whose subject is a mapping.
const OF_MAPPINGS: &str = "condition in ('drift', 'paused', 'held', 'overdue')";
/// Conditions whose subject is a system.
const OF_SYSTEMS: &str = "condition in ('unreachable', 'secret_due', 'secret_overdue')";

/// What notices are asked for: about this subject, or any, and under this condition, where not every one is.
pub(super) type AskedNotice<'a> = (Option<&'a str>, Option<&'static str>);

impl Store {
    /// The same store, of which nothing is seen but what is in the scope.
    #[must_use]
    pub fn within(&self, scope: Arc<Scope>) -> Self {
        Self {
            scope: Some(scope),
            ..self.clone()
        }
    }

    /// Whether rows of a mapping (none: of no single one) are seen.
    pub(super) fn sees_mapping(&self, name: Option<&str>) -> bool {
        let Some(scope) = &self.scope else { return true };
        name.is_some_and(|name| scope.has_mapping(name))
    }

    /// Whether rows of a system are seen.
    pub(super) fn sees_system(&self, name: &str) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.has_system(name))
    }

    /// Whether a notice about this is seen.
    pub(super) fn sees_notice(&self, condition: NoticeCondition, subject: &str) -> bool {
        match condition.kind() {
            Kind::Mapping => self.sees_mapping(Some(subject)),
            Kind::System => self.sees_system(subject),
        }
    }

    /// Whether everything is seen.
    pub(super) const fn sees_all(&self) -> bool {
        self.scope.is_none()
    }

    /// The mappings that a question is put for, one after another, where it was asked for `wanted`; none: for all at once.
    /// Each of them has an index that gives its rows in the order of their ids, which no list of several has.
    pub(super) fn asked_mappings<'a>(&'a self, wanted: Option<&'a str>) -> Vec<Option<&'a str>> {
        let scope = self.scope.as_ref();
        asked(scope.map(|scope| &scope.mappings), wanted)
    }

    /// The systems that a question is put for, in the same way.
    pub(super) fn asked_systems<'a>(&'a self, wanted: Option<&'a str>) -> Vec<Option<&'a str>> {
        let scope = self.scope.as_ref();
        asked(scope.map(|scope| &scope.systems), wanted)
    }

    /// The subjects that notices are looked for, in the same way. A mapping and a system may have one name.
    pub(super) fn asked_notices<'a>(&'a self, wanted: Option<&'a str>) -> Vec<AskedNotice<'a>> {
        if self.sees_all() {
            return vec![(wanted, None)];
        }
        let of_mappings = self
            .asked_mappings(wanted)
            .into_iter()
            .map(|name| (name, Some(OF_MAPPINGS)));
        let of_systems = self
            .asked_systems(wanted)
            .into_iter()
            .map(|name| (name, Some(OF_SYSTEMS)));
        of_mappings.chain(of_systems).collect()
    }
}

fn asked<'a>(seen: Option<&'a BTreeSet<String>>, wanted: Option<&'a str>) -> Vec<Option<&'a str>> {
    match (seen, wanted) {
        (None, wanted) => vec![wanted],
        (Some(seen), Some(wanted)) if seen.contains(wanted) => vec![Some(wanted)],
        (Some(_), Some(_)) => Vec::new(),
        (Some(seen), None) => seen.iter().map(|name| Some(name.as_str())).collect(),
    }
}

/// One page of what several questions found, newest first.
pub(super) fn newest<T>(mut found: Vec<T>, page: Page, id: impl Fn(&T) -> i64) -> Vec<T> {
    found.sort_by_key(|row| std::cmp::Reverse(id(row)));
    found.truncate(page.rows());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_is_looked_for_by_what_it_is_about() {
        for condition in NoticeCondition::ALL {
            let word = format!("'{condition}'");
            let is_of_mapping = condition.kind() == Kind::Mapping;
            assert_eq!(OF_MAPPINGS.contains(&word), is_of_mapping, "{condition}");
            assert_eq!(OF_SYSTEMS.contains(&word), !is_of_mapping, "{condition}");
        }
    }

    #[test]
    fn what_is_asked_for_is_never_more_than_is_seen() {
        let seen: BTreeSet<String> = ["abc", "abd"].map(str::to_owned).into();
        assert_eq!(asked(None, None), [None]);
        assert_eq!(asked(None, Some("x")), [Some("x")]);
        assert_eq!(asked(Some(&seen), None), [Some("abc"), Some("abd")]);
        assert_eq!(asked(Some(&seen), Some("abc")), [Some("abc")]);
        for other in ["abcdef", "ab", "ABC", "", "x"] {
            assert!(asked(Some(&seen), Some(other)).is_empty(), "{other}");
        }
        assert!(asked(Some(&BTreeSet::new()), None).is_empty());
    }
}
