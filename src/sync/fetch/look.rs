//! What is to be looked at, what is known of it already, and what was found.

use crate::{
    core::record::{Record, RecordKey, Seen},
    store::scan::Candidates,
};

/// One record to be looked at.
#[derive(Debug, Clone)]
pub struct Look {
    /// The record.
    pub key: RecordKey,
    /// What complete listings have for it; none: it is read, and the other system is searched.
    pub listed: Option<Listed>,
    /// The record as a push carried it, whole and newer than what its link knows; none: it is read.
    pub pushed: Option<Record>,
}

impl Look {
    /// A record that nothing is known of yet.
    #[must_use]
    pub const fn at(key: RecordKey) -> Self {
        Self {
            key,
            listed: None,
            pushed: None,
        }
    }
}

/// What complete listings have for an unlinked record.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its partners.
    pub candidates: Candidates,
    /// The record as it was listed; none: it is read.
    pub record: Option<Record>,
    /// The one partner as it was listed; none: it is read.
    pub partner: Option<Record>,
    /// Whether the listings prove that it has no partner where they show none.
    pub is_proof: bool,
}

/// What a direct read of one side found.
#[derive(Debug, Clone, PartialEq)]
pub enum Looked {
    /// The record.
    Record(Record),
    /// The system says that there is none.
    Gone,
    /// Nobody asked: no record of this side is known.
    Unknown,
}

impl Looked {
    /// As the planner takes it.
    #[must_use]
    pub const fn seen(&self) -> Seen<'_> {
        match self {
            Self::Record(record) => Seen::Record(record),
            Self::Gone => Seen::Gone,
            Self::Unknown => Seen::Unknown,
        }
    }

    /// The record, where there is one.
    #[must_use]
    pub const fn record(&self) -> Option<&Record> {
        match self {
            Self::Record(record) => Some(record),
            Self::Gone | Self::Unknown => None,
        }
    }
}

impl From<Option<Record>> for Looked {
    fn from(found: Option<Record>) -> Self {
        found.map_or(Self::Gone, Self::Record)
    }
}

/// What the search for a partner found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partner {
    /// Nothing, or the one partner, which stands among the records.
    Settled,
    /// Several fit.
    Several(Vec<String>),
    /// The only one belongs to another link.
    Elsewhere(String),
    /// The only one fits these other records of the own side as well.
    Shared(String, Vec<String>),
    /// Nothing; these are similar, and a person has not said yet whether one of them is it.
    Suggested(Vec<String>),
    /// The one that stands among the records; a person has said so.
    Accepted,
}
