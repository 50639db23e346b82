//! What both systems have in common behind their APIs: records under one lock, and commits that leave a trace.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use axum::response::Response;

use super::clock::Clock;
use super::fault::Faults;
use super::fields::Fields;
use super::history::{Commit, History, Json, Kind};
use super::limit::{Limit, Rate};
use super::refusal::Refusal;
use super::table::{BooksOf, Entity, Row, fill};
use super::webhook::{Delivering, Dialect, Event, Webhooks};

/// What makes one system different from the other.
pub trait System: Send + Sync + Sized + 'static {
    /// Its records.
    type Books: Send + 'static;
    /// Its name.
    const TITLE: &'static str;
    /// The landing page.
    const PAGE: &'static str;

    /// A refusal in this system's words.
    fn answer(refusal: &Refusal) -> Response;
    /// Who is asking, by the headers; a refusal when they prove nothing.
    fn authorise(&self, headers: &HeaderMap, clock: &Clock) -> impl Future<Output = Result<String, Refusal>> + Send;
    /// Paths that are open to everybody, such as the one that gives tokens.
    fn is_open(path: &str) -> bool;
    /// Does something with the records of an object that is named at run time.
    fn act(office: &Office<Self>, object: &str, act: Act<'_>) -> Result<Vec<Snapshot>, Refusal>;
    /// The objects it keeps.
    const OBJECTS: &'static [&'static str];
}

/// Whether subscribers hear of an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// They do.
    Event,
    /// They do not, as when somebody changes the database by hand.
    Silent,
}

/// Who makes an edit, and who hears of it.
#[derive(Clone, Debug)]
pub struct Edit {
    pub(crate) actor: String,
    pub(crate) notice: Notice,
    pub(crate) request: Option<usize>,
}

impl Edit {
    /// An edit by `actor` (such as `user:anna`) that subscribers hear of.
    pub fn by(actor: impl Into<String>) -> Self {
        Self {
            actor: actor.into(),
            notice: Notice::Event,
            request: None,
        }
    }

    /// The same, but nobody is told.
    #[must_use]
    pub fn silently(mut self) -> Self {
        self.notice = Notice::Silent;
        self
    }
}

/// A record as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id, as the system writes it.
    pub id: String,
    /// The record as JSON text, with every digit.
    pub json: Arc<str>,
}

/// Something done behind the API, on an object named at run time.
#[derive(Clone, Copy, Debug)]
pub enum Act<'a> {
    /// How many there are is the length of what comes back: all, by id.
    All,
    /// The one with this id.
    Read(&'a str),
    /// Those with this value under a filter's name.
    Find(&'a str, &'a str),
    /// A new record with these fields.
    Create(&'a str, &'a Edit),
    /// These fields of the record with this id.
    Patch(&'a str, &'a str, &'a Edit),
    /// The record with this id goes.
    Delete(&'a str, &'a Edit),
}

/// One system at work.
pub struct Office<S: System> {
    pub(crate) system: S,
    books: Mutex<S::Books>,
    pub(crate) clock: Clock,
    pub(crate) history: History,
    pub(crate) faults: Faults,
    pub(crate) webhooks: Webhooks,
    pub(crate) limit: Limit,
    pub(crate) page_max: usize,
}

/// What every system is given.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) clock: Clock,
    pub(crate) seed: u64,
    pub(crate) rate: Option<Rate>,
    pub(crate) page_max: usize,
    pub(crate) history_max: usize,
    pub(crate) delivering: Delivering,
}

impl<S: System> Office<S> {
    pub(crate) fn new(system: S, books: S::Books, terms: Terms, dialect: Dialect) -> Self {
        let history = History::new(terms.history_max);
        let faults = Faults::new(terms.seed);
        let webhooks = Webhooks::new(
            dialect,
            terms.delivering,
            terms.clock.clone(),
            history.clone(),
            faults.clone(),
        );
        Self {
            system,
            books: Mutex::new(books),
            limit: Limit::new(terms.rate, &terms.clock),
            clock: terms.clock,
            history,
            faults,
            webhooks,
            page_max: terms.page_max.max(1),
        }
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, S::Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a new record of the caller's fields.
    pub(crate) fn create<E: Entity<System = S>>(
        &self,
        books: &mut S::Books,
        fields: &Fields<'_>,
        edit: &Edit,
    ) -> Result<Arc<Row<E>>, Refusal> {
        self.history.check_room()?;
        let number = E::table(books).next_number();
        let mut entity = E::blank(books, number, self.clock.stamp());
        fill(&mut entity, fields)?;
        entity.check(books)?;
        Ok(self.commit(books, Kind::Created, entity, edit))
    }

    /// Changes the fields that the caller names.
    pub(crate) fn update<E: Entity<System = S>>(
        &self,
        books: &mut S::Books,
        number: u64,
        fields: &Fields<'_>,
        edit: &Edit,
    ) -> Result<Arc<Row<E>>, Refusal> {
        self.change(books, number, edit, |entity: &mut E| fill(entity, fields))
    }

    /// Changes a record by a function, and commits it even when nothing is different: as most systems do.
    pub(crate) fn change<E: Entity<System = S>>(
        &self,
        books: &mut S::Books,
        number: u64,
        edit: &Edit,
        change: impl FnOnce(&mut E) -> Result<(), Refusal>,
    ) -> Result<Arc<Row<E>>, Refusal> {
        self.history.check_room()?;
        let mut entity = find::<E>(books, number)?.entity.clone();
        change(&mut entity)?;
        entity.check(books)?;
        entity.touch(self.clock.stamp());
        Ok(self.commit(books, Kind::Updated, entity, edit))
    }

    /// Deletes a record, after what refers to it has been released.
    pub(crate) fn delete<E: Entity<System = S>>(
        &self,
        books: &mut S::Books,
        number: u64,
        edit: &Edit,
    ) -> Result<(), Refusal> {
        self.history.check_room()?;
        find::<E>(books, number)?;
        E::release(self, books, number, edit)?;
        self.remove::<E>(books, number, Kind::Deleted, None, edit);
        Ok(())
    }

    /// Takes a record out and leaves a trace of it.
    pub(crate) fn remove<E: Entity<System = S>>(
        &self,
        books: &mut S::Books,
        number: u64,
        kind: Kind,
        into: Option<String>,
        edit: &Edit,
    ) {
        if let Some(before) = E::table_mut(books).remove(number) {
            let event = self.event::<E>(kind, number, into, edit);
            self.leave_trace(event, Some(&before.json), None, edit);
        }
    }

    fn commit<E: Entity<System = S>>(&self, books: &mut S::Books, kind: Kind, entity: E, edit: &Edit) -> Arc<Row<E>> {
        let number = entity.number();
        let at = entity.updated();
        let before = E::table(books).get(number).map(|row| Arc::clone(&row.json));
        let row = E::table_mut(books).put(entity);
        let mut event = self.event::<E>(kind, number, None, edit);
        event.at = at;
        self.leave_trace(event, before.as_ref(), Some(&row.json), edit);
        row
    }

    fn event<E: Entity<System = S>>(&self, kind: Kind, number: u64, into: Option<String>, edit: &Edit) -> Event {
        Event {
            at: if kind == Kind::Created || kind == Kind::Updated {
                self.clock.now()
            } else {
                self.clock.stamp()
            },
            kind,
            object: E::OBJECT,
            record_id: E::id(number),
            number,
            actor: edit.actor.clone(),
            into,
        }
    }

    fn leave_trace(&self, event: Event, before: Option<&Arc<str>>, after: Option<&Arc<str>>, edit: &Edit) {
        if edit.notice == Notice::Event {
            self.webhooks.publish(&event);
        }
        self.history.commit(Commit {
            number: 0,
            at: event.at,
            object: event.object,
            id: event.record_id,
            kind: event.kind,
            before: before.cloned().map(Json),
            after: after.cloned().map(Json),
            actor: event.actor,
            request: edit.request,
        });
    }
}

/// The record with this number, or the refusal that says there is none.
pub(crate) fn find<E: Entity>(books: &BooksOf<E>, number: u64) -> Result<&Arc<Row<E>>, Refusal> {
    E::table(books).get(number).ok_or_else(|| E::missing(books, number))
}

/// Reads an id of this object as callers write it.
pub(crate) fn parse_id<E: Entity>(id: &str) -> Result<u64, Refusal> {
    let shown = || id.chars().take(40).collect::<String>();
    E::parse_id(id).ok_or_else(|| Refusal::not_found(E::OBJECT, &shown()))
}

/// Carries an [`Act`] out on the records of one object.
pub(crate) fn act<E: Entity>(office: &Office<E::System>, act: Act<'_>) -> Result<Vec<Snapshot>, Refusal> {
    let snapshot = |row: &Arc<Row<E>>| Snapshot {
        id: E::id(row.entity.number()),
        json: Arc::clone(&row.json),
    };
    let mut books = office.books();
    let rows = match act {
        Act::All => {
            let table = E::table(&books);
            table.page(&super::table::Selection::All, 0, table.len())
        }
        Act::Read(id) => {
            let row = find::<E>(&books, parse_id::<E>(id)?)?;
            vec![Arc::clone(row)]
        }
        Act::Find(filter, value) => {
            let Some(filter) = E::FILTERS.iter().find(|known| **known == filter) else {
                let message = format!("{} cannot be searched by {filter}", E::PATH);
                return Err(Refusal::new(super::refusal::Reason::UnknownParameter, message));
            };
            let table = E::table(&books);
            let found = table.find(filter, &E::normal(filter, value));
            found.iter().filter_map(|number| table.get(*number).cloned()).collect()
        }
        Act::Create(json, edit) => vec![office.create::<E>(&mut books, &Fields::parse(json)?, edit)?],
        Act::Patch(id, json, edit) => {
            let number = parse_id::<E>(id)?;
            vec![office.update::<E>(&mut books, number, &Fields::parse(json)?, edit)?]
        }
        Act::Delete(id, edit) => {
            office.delete::<E>(&mut books, parse_id::<E>(id)?, edit)?;
            Vec::new()
        }
    };
    Ok(rows.iter().map(snapshot).collect())
}
