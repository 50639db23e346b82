//! Finding what belongs together and is not linked yet.
//!
//! A [`Rule`] makes a *match key* of a record: the part of a value that counts, in one spelling. Two records match where their
//! keys are equal; a value of which nothing is left has no key and matches nothing. Every road makes its keys here: the
//! listings of a reconciliation, the check of a candidate that a search has found, and the check of a listed partner.

mod country;
mod legal;
mod normalize;
mod phone;
mod similar;
mod tax;

pub use country::Country;
pub use normalize::Normalizer;
pub use similar::{Index, Likely, Likeness, RECORDS_MAX, Similar, Suggest, compared};

use super::{
    path::Path,
    status::{Side, Sides},
    value::{
        Map, Value,
        compare::{self, Compare},
        kind::Kind,
        spelling::Spelling,
    },
};

/// A pair of fields that must be equal for two records to be the same thing.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The fields.
    pub paths: Sides<Path>,
    /// The kind both are read as.
    pub kind: Kind,
    /// What of both counts.
    pub counts: Counts,
}

/// What of a value counts.
#[derive(Debug, Clone, PartialEq)]
pub enum Counts {
    /// What this comparison takes into account.
    Compare(Compare),
    /// What these leave of its text, in their own order.
    Normalized {
        /// What is done; in order, none twice.
        normalizers: Vec<Normalizer>,
        /// Where numbers without a country are from.
        country: Option<Country>,
    },
}

impl Counts {
    /// What these normalizers leave, whatever the order and number they are given in. One that knows what a number or an
    /// address looks like stands alone: it leaves nothing to the others.
    #[must_use]
    pub fn normalized(mut normalizers: Vec<Normalizer>, country: Option<Country>) -> Self {
        normalizers.sort_unstable();
        normalizers.dedup();
        if let Some(alone) = normalizers.iter().copied().find(|one| one.stands_alone()) {
            normalizers = vec![alone];
        }
        Self::Normalized { normalizers, country }
    }

    /// The part of a text that counts, in one spelling.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        match self {
            Self::Compare(compare) => compare.text(text).into_owned(),
            Self::Normalized { normalizers, country } => {
                let mut text = text.to_owned();
                for normalizer in normalizers {
                    text = normalizer.text(&text, *country);
                }
                text
            }
        }
    }
}

impl Rule {
    /// The value that a record has for this rule, as its system sent it.
    #[must_use]
    pub fn value<'r>(&self, side: Side, fields: &'r Map) -> Option<&'r Value> {
        self.paths.get(side).get_in(fields).filter(|value| !value.is_empty())
    }

    /// The match key of a value; none where nothing of it counts.
    #[must_use]
    pub fn key(&self, value: &Value) -> Option<Value> {
        if value.is_empty() {
            return None;
        }
        let value = self.kind.read(value, &Spelling::default()).ok()?;
        let key = match &self.counts {
            Counts::Compare(compare) => compare::normalize(&value, self.kind, *compare),
            Counts::Normalized { .. } => Value::Text(self.counts.text(&value.to_text()?)),
        };
        (!key.is_empty()).then_some(key)
    }

    /// Whether two values mean the same to this rule.
    #[must_use]
    pub fn is_match(&self, own: &Value, other: &Value) -> bool {
        let (Some(own_key), Some(other_key)) = (self.key(own), self.key(other)) else {
            return false;
        };
        let Counts::Compare(compare) = self.counts else {
            return own_key == other_key;
        };
        // Keys are coarser than a comparison: a point in time keeps no part of its second.
        let spelling = Spelling::default();
        match (self.kind.read(own, &spelling), self.kind.read(other, &spelling)) {
            (Ok(own), Ok(other)) => compare::equal(&own, &other, self.kind, compare),
            _ => false,
        }
    }

    /// Whether two records mean the same to this rule.
    #[must_use]
    pub fn couples(&self, side: Side, own: &Map, other: &Map) -> bool {
        let values = self.value(side, own).zip(self.value(side.other(), other));
        values.is_some_and(|(own, other)| self.is_match(own, other))
    }

    /// The spellings by which a system that searches for literal values is asked: the value as it stands and, where it is
    /// normalized, its match key and the usual spellings of that. What is found is checked by the key; a partner in another
    /// spelling still is found by the listings of a reconciliation.
    #[must_use]
    pub fn spellings(&self, value: &Value) -> Vec<Value> {
        let mut spellings = vec![value.clone()];
        let Counts::Normalized { normalizers, country } = &self.counts else {
            return spellings;
        };
        let Some(Value::Text(key)) = self.key(value) else {
            return spellings;
        };
        let mut add = |text: String| {
            let known = |value: &Value| value.to_text().as_deref() == Some(&text);
            if !text.is_empty() && !spellings.iter().any(known) {
                spellings.push(Value::Text(text));
            }
        };
        for normalizer in normalizers {
            normalizer.spellings(&key, *country).into_iter().for_each(&mut add);
        }
        add(key);
        spellings.truncate(SPELLINGS_MAX);
        spellings
    }
}

/// A search costs at most so many requests.
const SPELLINGS_MAX: usize = 4;

#[cfg(test)]
mod tests;
