//! What the last poll of each end brought: the overlap brings it again, and most of it has not changed since.
//!
//! Kept in memory alone: after a restart, or where there is more than is kept, records are looked at once more than needed.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::core::{
    record::Record,
    status::Side,
    value::{Value, fingerprint::Key},
};

/// So many records of one end are remembered: 32 bytes each.
const RECORDS_MAX: usize = 50_000;

/// Records in the state in which they were put into the dirty set.
#[derive(Debug, Default)]
pub(super) struct States(HashMap<u128, u128>);

impl States {
    /// Whether the record came in this very state.
    pub(super) fn has(&self, state: &State) -> bool {
        self.0.get(&state.id) == Some(&state.whole)
    }

    pub(super) fn note(&mut self, state: State) {
        if self.0.len() < RECORDS_MAX || self.0.contains_key(&state.id) {
            self.0.insert(state.id, state.whole);
        }
    }
}

/// A record's state, as hashes.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    id: u128,
    whole: u128,
}

impl State {
    pub(super) fn of(key: &Key, record: Record) -> Self {
        let Record {
            id,
            fields,
            version,
            updated_at,
        } = record;
        let fields = key.field("polled", Some(&Value::Map(fields)));
        let whole = format!("{fields:x} {updated_at:?} {version:?}");
        Self {
            id: key.print(&id),
            whole: key.print(&whole),
        }
    }
}

/// What the last poll of each end brought. A poll takes it, and puts back what it has brought itself.
#[derive(Debug, Default)]
pub struct LastPolls(Mutex<HashMap<(String, Side), States>>);

impl LastPolls {
    pub(super) fn take(&self, mapping: &str, side: Side) -> States {
        let mut polls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        polls.remove(&(mapping.to_owned(), side)).unwrap_or_default()
    }

    pub(super) fn put(&self, mapping: &str, side: Side, states: States) {
        let mut polls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        polls.insert((mapping.to_owned(), side), states);
    }
}
