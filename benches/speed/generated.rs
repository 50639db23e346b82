//! Two systems too large to be kept: every record is made when it is asked for, and only what was written is remembered.
//!
//! Of every 2,000 pairs two differ, one has no right record and was never linked, and of one linked pair the left record is
//! gone: 0.1 % different, 0.05 % missing on each side.

use std::collections::HashMap;

use bytes::Bytes;

use crate::record;

/// Pairs in which the same is repeated.
const BLOCK: usize = 2_000;
/// The pair of a block without a right record.
const NO_RIGHT: usize = 700;
/// The pair of a block whose left record is gone.
const NO_LEFT: usize = 1_100;

/// The records of one side.
pub struct Generated {
    is_left: bool,
    pairs: usize,
    /// What was written, by number.
    written: HashMap<usize, Bytes>,
    /// New records, in the order in which they were made.
    made: Vec<Bytes>,
}

/// Whether the right record of a pair differs from the left one.
const fn differs(number: usize) -> bool {
    number.is_multiple_of(BLOCK / 2)
}

/// Whether a pair was linked before.
pub const fn is_linked(number: usize) -> bool {
    number % BLOCK != NO_RIGHT
}

/// How many pairs differ or lack a record, of so many.
pub const fn differences(pairs: usize) -> usize {
    pairs / BLOCK * 4
}

impl Generated {
    /// One side of so many pairs.
    pub fn new(is_left: bool, pairs: usize) -> Self {
        Self {
            is_left,
            pairs: pairs / BLOCK * BLOCK,
            written: HashMap::new(),
            made: Vec::new(),
        }
    }

    const fn gap(&self) -> usize {
        if self.is_left { NO_LEFT } else { NO_RIGHT }
    }

    const fn generated(&self) -> usize {
        self.pairs / BLOCK * (BLOCK - 1)
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.generated() + self.made.len()
    }

    /// Appends the record at this place of the listing.
    pub fn append(&self, place: usize, out: &mut Vec<u8>) {
        if let Some(made) = place.checked_sub(self.generated()) {
            out.extend_from_slice(self.made.get(made).map_or(b"", |made| made));
            return;
        }
        let (block, at) = (place / (BLOCK - 1), place % (BLOCK - 1) + 1);
        let at = if at < self.gap() { at } else { at + 1 };
        self.append_numbered(block * BLOCK + at, out);
    }

    fn append_numbered(&self, number: usize, out: &mut Vec<u8>) {
        match self.written.get(&number) {
            Some(written) => out.extend_from_slice(written),
            None if self.is_left => record::write_left(number, "", out),
            None => record::write_right(number, if differs(number) { ", moved" } else { "" }, out),
        }
    }

    /// The record with this number.
    pub fn get(&self, number: usize) -> Option<Bytes> {
        if number > self.pairs {
            return self.made.get(number - self.pairs - 1).cloned();
        }
        if number % BLOCK == self.gap() || number == 0 {
            return None;
        }
        let mut out = Vec::with_capacity(512);
        self.append_numbered(number, &mut out);
        Some(Bytes::from(out))
    }

    /// Lays changes over a record.
    pub fn patch(&mut self, number: usize, record: Bytes) {
        self.written.insert(number, record);
    }

    /// The number of the next new record.
    pub fn next(&self) -> usize {
        self.pairs + self.made.len() + 1
    }

    /// Keeps a new record.
    pub fn push(&mut self, record: Bytes) {
        self.made.push(record);
    }
}
