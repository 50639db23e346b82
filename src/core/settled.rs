//! What people have decided about a pair: conflicts that are settled, and differences that are left alone for a time.

use std::collections::BTreeMap;

use super::status::{Side, Sides, Situation};

/// Everything decided about one pair.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settled {
    /// Decisions about fields in conflict, by the field's name.
    pub fields: BTreeMap<String, Settlement>,
    /// Ignore rules in force that concern the pair.
    pub ignored: Vec<Ignored>,
}

/// No decisions of anybody.
pub const UNSETTLED: &Settled = &Settled {
    fields: BTreeMap::new(),
    ignored: Vec::new(),
};

/// A decision about one field in conflict.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// What is to be.
    pub choice: Choice,
    /// Hashes of both values as the person saw them: of other values it says nothing. None where an older Syncline noted
    /// no hashes.
    pub seen: Option<Sides<u64>>,
}

/// What is to be of a field in conflict.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// This side's value is taken.
    Take(Side),
    /// This text is the value of both, in the form of the left side.
    Set(String),
    /// Both sides stay as they are until one of them changes again.
    Accept,
}

/// An ignore rule in force: what it covers is left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// The rule.
    pub rule_id: i64,
    /// The field; none for all, and for records as a whole.
    pub field: Option<String>,
    /// The situation; none for all.
    pub situation: Option<Situation>,
}

impl Ignored {
    fn covers(&self, situation: Situation, field: Option<&str>) -> bool {
        let is_field = match (&self.field, field) {
            (None, _) => true,
            (Some(own), Some(field)) => own == field,
            (Some(_), None) => false,
        };
        is_field && self.situation.is_none_or(|own| own == situation)
    }
}

impl Settled {
    /// The rule that leaves a field alone, or a record as a whole where none is named.
    #[must_use]
    pub fn ignoring(&self, situation: Situation, field: Option<&str>) -> Option<&Ignored> {
        self.ignored.iter().find(|rule| rule.covers(situation, field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_covers_what_it_names_and_everything_where_it_names_nothing() {
        let settled = |field: Option<&str>, situation| Settled {
            ignored: vec![Ignored {
                rule_id: 1,
                field: field.map(ToOwned::to_owned),
                situation,
            }],
            ..Settled::default()
        };
        let differs = Situation::Differs;
        assert!(settled(None, None).ignoring(differs, None).is_some());
        assert!(settled(None, None).ignoring(differs, Some("name")).is_some());
        assert!(settled(Some("name"), None).ignoring(differs, Some("name")).is_some());
        assert!(settled(Some("name"), None).ignoring(differs, Some("city")).is_none());
        assert!(settled(Some("name"), None).ignoring(Situation::Absent, None).is_none());
        assert!(
            settled(None, Some(Situation::Absent))
                .ignoring(differs, Some("name"))
                .is_none()
        );
    }
}
