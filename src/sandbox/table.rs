//! Records in memory with the indices that listing and searching need.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::fields::{Field, Fields};
use super::office::{Edit, Office, System};
use super::ranked::Ranked;
use super::refusal::Refusal;

/// The books of the system that keeps an entity.
pub(crate) type BooksOf<E> = <<E as Entity>::System as System>::Books;

/// One kind of record of a system.
pub(crate) trait Entity: Clone + Send + Sync + Sized + 'static {
    /// Whose it is.
    type System: System;
    /// Its name in events and history, such as `customer`.
    const OBJECT: &'static str;
    /// Its name in paths, such as `customers`.
    const PATH: &'static str;
    /// What listings can be searched by.
    const FILTERS: &'static [&'static str];

    fn table(books: &BooksOf<Self>) -> &Table<Self>;
    fn table_mut(books: &mut BooksOf<Self>) -> &mut Table<Self>;

    /// A record with nothing in it yet.
    fn blank(books: &BooksOf<Self>, number: u64, at: DateTime<Utc>) -> Self;
    /// Puts in what the caller sent for one field.
    fn set(&mut self, field: &Field<'_>) -> Result<(), Refusal>;
    /// What must hold between fields and records before a commit.
    fn check(&self, books: &BooksOf<Self>) -> Result<(), Refusal>;
    /// What happens to the records that refer to one that goes: a refusal, or edits of their own.
    fn release(
        _office: &Office<Self::System>,
        _books: &mut BooksOf<Self>,
        _number: u64,
        _edit: &Edit,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    /// The refusal for a number that has no record.
    fn missing(_books: &BooksOf<Self>, number: u64) -> Refusal {
        Refusal::not_found(Self::OBJECT, &Self::id(number))
    }

    fn number(&self) -> u64;
    /// The id as the system writes it.
    fn id(number: u64) -> String;
    fn parse_id(id: &str) -> Option<u64>;
    fn updated(&self) -> DateTime<Utc>;
    /// Notes that a commit was made at this time.
    fn touch(&mut self, at: DateTime<Utc>);
    /// The values it is found by, each under the name of a filter, already in the form of [`Entity::normal`].
    fn keys(&self) -> Vec<(&'static str, String)>;
    /// A value to search for, in the form it is kept in the index.
    fn normal(filter: &str, value: &str) -> String;
    fn json(&self) -> String;
}

/// A record and its JSON, made once a commit and served from then on.
#[derive(Debug)]
pub(crate) struct Row<E> {
    pub(crate) entity: E,
    pub(crate) json: Arc<str>,
}

/// The records of one object.
#[derive(Debug)]
pub(crate) struct Table<E> {
    rows: HashMap<u64, Arc<Row<E>>>,
    ids: Ranked<u64>,
    updates: Ranked<(i64, u64)>,
    keys: HashMap<(&'static str, String), BTreeSet<u64>>,
    last_number: u64,
}

impl<E> Default for Table<E> {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
            ids: Ranked::default(),
            updates: Ranked::default(),
            keys: HashMap::new(),
            last_number: 0,
        }
    }
}

/// Which records a listing covers and in which order; see [`Table::select`].
pub(crate) enum Selection {
    /// All, by id.
    All,
    /// Those updated at or after this time (microseconds), by time.
    Since(i64),
    /// These, by id.
    Found(Vec<u64>),
}

impl<E: Entity> Table<E> {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Arc<Row<E>>> {
        self.rows.get(&number)
    }

    /// A number no record has had.
    pub(crate) fn next_number(&self) -> u64 {
        self.last_number + 1
    }

    /// The records with this value (in the form of [`Entity::normal`]) under a filter's name, by id.
    pub(crate) fn find(&self, filter: &'static str, value: &str) -> Vec<u64> {
        let found = self.keys.get(&(filter, value.to_owned()));
        found
            .map(|numbers| numbers.iter().copied().collect())
            .unwrap_or_default()
    }

    /// As [`Self::find`], of a search as it stands in a request: of ids there may be several, with commas between.
    fn find_any(&self, filter: &'static str, value: &str) -> Vec<u64> {
        if !filter.ends_with("_id") {
            return self.find(filter, &E::normal(filter, value));
        }
        let each = value
            .split(',')
            .flat_map(|one| self.find(filter, &E::normal(filter, one)));
        each.collect::<BTreeSet<u64>>().into_iter().collect()
    }

    /// What a listing with these searches and this lower bound of time covers.
    pub(crate) fn select(&self, filters: &[(&'static str, String)], since: Option<i64>) -> Selection {
        let Some(((first, value), rest)) = filters.split_first() else {
            return since.map_or(Selection::All, Selection::Since);
        };
        let mut found = self.find_any(first, value);
        found.retain(|number| {
            let Some(row) = self.get(*number) else {
                return false;
            };
            let keys = row.entity.keys();
            rest.iter()
                .all(|(name, value)| keys.contains(&(*name, E::normal(name, value))))
                && since.is_none_or(|since| row.entity.updated().timestamp_micros() >= since)
        });
        Selection::Found(found)
    }

    /// How many records a selection covers.
    pub(crate) fn count(&self, selection: &Selection) -> usize {
        match selection {
            Selection::All => self.ids.len(),
            Selection::Since(since) => self.updates.len() - self.updates.rank((*since, 0)),
            Selection::Found(found) => found.len(),
        }
    }

    /// Up to `limit` records of a selection from position `offset` on.
    pub(crate) fn page(&self, selection: &Selection, offset: usize, limit: usize) -> Vec<Arc<Row<E>>> {
        match selection {
            Selection::All => self.rows_of(self.ids.iter_at(offset).take(limit)),
            Selection::Since(since) => {
                let first = self.updates.rank((*since, 0)).saturating_add(offset);
                self.rows_of(self.updates.iter_at(first).map(|(_, number)| number).take(limit))
            }
            Selection::Found(found) => self.rows_of(found.iter().copied().skip(offset).take(limit)),
        }
    }

    /// The position of the first record of a selection that comes after a place in its order.
    pub(crate) fn position_after(&self, selection: &Selection, micros: i64, number: u64) -> usize {
        match selection {
            Selection::All => self.ids.rank(number.saturating_add(1)),
            Selection::Since(since) => {
                let next = self.updates.rank((micros, number.saturating_add(1)));
                next.saturating_sub(self.updates.rank((*since, 0)))
            }
            Selection::Found(found) => found.partition_point(|other| *other <= number),
        }
    }

    fn rows_of(&self, numbers: impl Iterator<Item = u64>) -> Vec<Arc<Row<E>>> {
        numbers.filter_map(|number| self.rows.get(&number).cloned()).collect()
    }

    /// Puts a record in, in place of an older state of it.
    pub(crate) fn put(&mut self, entity: E) -> Arc<Row<E>> {
        let number = entity.number();
        self.remove(number);
        self.last_number = self.last_number.max(number);
        self.ids.insert(number);
        self.updates.insert((entity.updated().timestamp_micros(), number));
        for key in entity.keys() {
            self.keys.entry(key).or_default().insert(number);
        }
        let json = Arc::from(entity.json());
        let row = Arc::new(Row { entity, json });
        self.rows.insert(number, Arc::clone(&row));
        row
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<Arc<Row<E>>> {
        let row = self.rows.remove(&number)?;
        self.ids.remove(number);
        self.updates.remove((row.entity.updated().timestamp_micros(), number));
        for key in row.entity.keys() {
            if let Some(numbers) = self.keys.get_mut(&key) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.keys.remove(&key);
                }
            }
        }
        Some(row)
    }
}

/// Puts every field of the caller into a record.
pub(crate) fn fill<E: Entity>(entity: &mut E, fields: &Fields<'_>) -> Result<(), Refusal> {
    fields.iter().try_for_each(|field| entity.set(&field))
}

/// Letters and digits alone, in capitals: how tax ids are compared by people.
pub(crate) fn alphanumeric(value: &str) -> String {
    value
        .chars()
        .filter(|char| char.is_alphanumeric())
        .flat_map(char::to_uppercase)
        .collect()
}

/// Without case and outer blanks: how e-mail addresses are compared by people.
pub(crate) fn caseless(value: &str) -> String {
    value.trim().to_lowercase()
}
