//! Records, the links between them and the base both sides last agreed on.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};

use super::{
    status::{LinkStatus, MissingDecision, Side},
    value::Map,
};

/// One instance of an object, as read from its system.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The record's id in its own system, as text; parts of a composite key are joined by the connector.
    pub id: String,
    /// The record's members, as the system sent them (values not yet converted to the mapping's kinds).
    pub fields: Map,
    /// What the system calls this state of the record (an ETag, a version number), for optimistic writes.
    pub version: Option<String>,
    /// When the system says the record last changed.
    pub updated_at: Option<DateTime<Utc>>,
}

/// Names one record in one mapping: the unit of work, of failure and of locking.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// The mapping's name.
    pub mapping: Arc<str>,
    /// The side the record is on.
    pub side: Side,
    /// The record's id in its own system.
    pub record_id: String,
}

impl RecordKey {
    /// The record `record_id` on `side` of `mapping`.
    pub fn new(mapping: impl Into<Arc<str>>, side: Side, record_id: impl Into<String>) -> Self {
        Self {
            mapping: mapping.into(),
            side,
            record_id: record_id.into(),
        }
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.mapping, self.side, self.record_id)
    }
}

/// What is known about one side of a pair at the time of planning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Seen<'a> {
    /// The record was read.
    Record(&'a Record),
    /// A direct read or a complete listing says that there is none.
    Gone,
    /// No record of this side is known (nothing linked, nothing matched yet).
    Unknown,
}

impl<'a> Seen<'a> {
    /// The record, where one was read.
    #[must_use]
    pub const fn record(self) -> Option<&'a Record> {
        match self {
            Self::Record(record) => Some(record),
            Self::Gone | Self::Unknown => None,
        }
    }
}

/// A pair of record ids known to be the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Our id of the link.
    pub link_id: i64,
    /// Id of the left record.
    pub left_id: String,
    /// Id of the right record.
    pub right_id: String,
    /// What both sides agreed on when last in sync.
    pub base: Base,
    /// How the link stands.
    pub status: LinkStatus,
    /// What a person has decided about the pending delete, and the side whose record was gone then.
    pub decided: Option<(Side, MissingDecision)>,
}

impl Link {
    /// The record id of one side.
    #[must_use]
    pub fn id(&self, side: Side) -> &str {
        match side {
            Side::Left => &self.left_id,
            Side::Right => &self.right_id,
        }
    }
}

/// What both sides agreed on: one keyed hash a field and side, so that no personal data is kept.
///
/// Each side is hashed in its own form. So a side is unchanged exactly when its own hash is unchanged, however the other
/// side rounds, cuts or spells the same value, and a pair a person left as it is stays settled until one side moves.
/// An entry belongs to the *definition* of its field: when the mapping changes the field, `definition` no longer fits
/// and the field has no base any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Base(Vec<BaseField>);

/// The base of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BaseField {
    /// Fingerprint of the field's name and definition.
    pub definition: u64,
    /// Keyed hash of the left value at the time of agreement.
    pub left: u64,
    /// Keyed hash of the right value at the time of agreement.
    pub right: u64,
}

impl BaseField {
    /// The mark of an agreement that is lost: nobody knows which side has changed since, until somebody decides.
    #[must_use]
    pub const fn lost(definition: u64) -> Self {
        Self {
            definition,
            left: 0,
            right: 0,
        }
    }

    /// Whether this is the mark of a lost agreement.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        self.left == 0 && self.right == 0
    }

    /// The hash of one side.
    #[must_use]
    pub const fn hash(&self, side: Side) -> u64 {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }
}

/// A stored base that cannot be read; treated as no base, never as agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored base of {bytes} bytes is no whole number of entries")]
pub struct BaseError {
    bytes: usize,
}

const ENTRY_BYTES: usize = 24;

impl Base {
    /// A base of these entries.
    #[must_use]
    pub fn new(fields: Vec<BaseField>) -> Self {
        Self(fields)
    }

    /// The agreement on the field with this definition, if there is one.
    #[must_use]
    pub fn field(&self, definition: u64) -> Option<BaseField> {
        self.0.iter().find(|field| field.definition == definition).copied()
    }

    /// Whether nothing was ever agreed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries.
    #[must_use]
    pub fn fields(&self) -> &[BaseField] {
        &self.0
    }

    /// The stored form: 24 bytes an entry, the three numbers big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let parts = |field: &BaseField| {
            [
                field.definition.to_be_bytes(),
                field.left.to_be_bytes(),
                field.right.to_be_bytes(),
            ]
        };
        self.0.iter().flat_map(parts).flatten().collect()
    }

    /// Reads the stored form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BaseError> {
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() {
            return Err(BaseError { bytes: bytes.len() });
        }
        let number = |entry: &[u8; ENTRY_BYTES], from: usize| {
            entry
                .iter()
                .skip(from)
                .take(8)
                .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte))
        };
        let field = |entry: &[u8; ENTRY_BYTES]| BaseField {
            definition: number(entry, 0),
            left: number(entry, 8),
            right: number(entry, 16),
        };
        Ok(Self(entries.iter().map(field).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_survives_its_stored_form() {
        let base = Base::new(vec![
            BaseField {
                definition: 1,
                left: u64::MAX,
                right: 3,
            },
            BaseField {
                definition: 0xdead_beef_0000_0001,
                left: 7,
                right: 0,
            },
        ]);
        assert_eq!(Base::from_bytes(&base.to_bytes()), Ok(base.clone()));
        assert_eq!(base.field(1).map(|field| field.hash(Side::Left)), Some(u64::MAX));
        assert_eq!(base.field(2), None);
    }

    #[test]
    fn a_cut_base_is_an_error_and_not_an_agreement() {
        assert!(Base::from_bytes(&[0; 25]).is_err());
    }
}
