//! What a system was asked, what it committed and what it sent: the evidence that tests look at.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::refusal::{Reason, Refusal};

/// The append-only record of one system; clones share it.
#[derive(Clone, Debug)]
pub struct History {
    log: Arc<Mutex<Log>>,
    entries_max: usize,
}

#[derive(Debug, Default)]
struct Log {
    requests: Vec<Request>,
    commits: Vec<Commit>,
    deliveries: Vec<Delivery>,
}

/// One request that reached the system.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// Its number, from 0.
    pub number: usize,
    /// When it came.
    pub at: DateTime<Utc>,
    /// `GET`, `POST`, …
    pub method: String,
    /// Without the query.
    pub path: String,
    /// What stood after the `?`.
    pub query: Option<String>,
    /// Who asked; none before it was known.
    pub actor: Option<String>,
    /// The status that was answered; none if the caller got no answer.
    pub status: Option<u16>,
    /// How many commits it made.
    pub commits: usize,
    /// The ordered fault that hit it, by its kind.
    pub fault: Option<&'static str>,
}

/// What a commit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The record is new.
    Created,
    /// The record was written, changed or not.
    Updated,
    /// The record is gone.
    Deleted,
    /// The record is gone and another stands for it.
    Merged,
}

/// One write that took effect.
#[derive(Clone, Debug, Serialize)]
pub struct Commit {
    /// Its number, from 0, in the order of the commits.
    pub number: usize,
    /// The time that the record carries since.
    pub at: DateTime<Utc>,
    /// The object, such as `customer`.
    pub object: &'static str,
    /// The record's id as the system writes it.
    pub id: String,
    /// What happened.
    pub kind: Kind,
    /// The record before.
    pub before: Option<Json>,
    /// The record after.
    pub after: Option<Json>,
    /// Who did it: `key:…`, `client:…` or `user:…`.
    pub actor: String,
    /// The request that made it; none for an edit behind the API.
    pub request: Option<usize>,
}

/// What became of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The receiver answered 2xx.
    Delivered,
    /// Lost to order.
    Lost,
    /// Every attempt failed, or the receiver is gone.
    GaveUp,
    /// The queue of waiting events was full.
    Overflow,
}

/// One event on its way to one receiver.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    /// The event's id as the receiver sees it.
    pub event_id: String,
    /// The object the event is about.
    pub object: &'static str,
    /// The record the event is about.
    pub record_id: String,
    /// Where it went.
    pub url: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The last status of the receiver, if it answered at all.
    pub status: Option<u16>,
    /// How often it was tried.
    pub attempts: u32,
}

/// How much of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests that came in.
    pub requests: usize,
    /// Commits of all kinds.
    pub commits: usize,
    /// Records created.
    pub created: usize,
    /// Records written again.
    pub updated: usize,
    /// Records deleted.
    pub deleted: usize,
    /// Records merged away.
    pub merged: usize,
    /// Events that a receiver took.
    pub webhooks_delivered: usize,
    /// Events lost to order, given up or overflowed.
    pub webhooks_lost: usize,
}

/// The JSON text of a record, with every digit; it derefs to `str`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(pub(crate) Arc<str>);

impl Deref for Json {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl History {
    pub(crate) fn new(entries_max: usize) -> Self {
        Self {
            log: Arc::default(),
            entries_max,
        }
    }

    /// Every request, in the order they came.
    pub fn requests(&self) -> Vec<Request> {
        self.log().requests.clone()
    }

    /// The requests with this method whose path starts so.
    pub fn requests_to(&self, method: &str, path: &str) -> Vec<Request> {
        let log = self.log();
        let wanted = |request: &&Request| request.method == method && request.path.starts_with(path);
        log.requests.iter().filter(wanted).cloned().collect()
    }

    /// Every commit, in order.
    pub fn commits(&self) -> Vec<Commit> {
        self.log().commits.clone()
    }

    /// The commits that a predicate picks, without copying the others.
    pub fn commits_where(&self, mut wanted: impl FnMut(&Commit) -> bool) -> Vec<Commit> {
        self.log()
            .commits
            .iter()
            .filter(|commit| wanted(commit))
            .cloned()
            .collect()
    }

    /// Every write to records of `object`.
    pub fn writes_to(&self, object: &str) -> Vec<Commit> {
        self.commits_where(|commit| commit.object == object)
    }

    /// Every write to one record.
    pub fn writes_to_record(&self, object: &str, id: &str) -> Vec<Commit> {
        self.commits_where(|commit| commit.object == object && commit.id == id)
    }

    /// Every record of `object` that was created.
    pub fn creates_of(&self, object: &str) -> Vec<Commit> {
        self.commits_where(|commit| commit.object == object && commit.kind == Kind::Created)
    }

    /// Every write by `actor`.
    pub fn commits_by(&self, actor: &str) -> Vec<Commit> {
        self.commits_where(|commit| commit.actor == actor)
    }

    /// Every event sent, lost or given up, in the order they ended.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.log().deliveries.clone()
    }

    /// How much of everything there is.
    pub fn counts(&self) -> Counts {
        let log = self.log();
        let kinds = |kind| log.commits.iter().filter(|commit| commit.kind == kind).count();
        let delivered = |delivery: &&Delivery| delivery.outcome == Outcome::Delivered;
        let webhooks_delivered = log.deliveries.iter().filter(delivered).count();
        Counts {
            requests: log.requests.len(),
            commits: log.commits.len(),
            created: kinds(Kind::Created),
            updated: kinds(Kind::Updated),
            deleted: kinds(Kind::Deleted),
            merged: kinds(Kind::Merged),
            webhooks_delivered,
            webhooks_lost: log.deliveries.len() - webhooks_delivered,
        }
    }

    /// Forgets everything; requests that are still open are not recorded.
    pub fn clear(&self) {
        *self.log() = Log::default();
    }

    /// Notes a request that has just come and gives its number; refused when the history is full.
    pub(crate) fn open(
        &self,
        at: DateTime<Utc>,
        method: &str,
        path: &str,
        query: Option<&str>,
    ) -> Result<usize, Refusal> {
        let mut log = self.log();
        self.room(&log)?;
        let number = log.requests.len();
        log.requests.push(Request {
            number,
            at,
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.map(str::to_owned),
            actor: None,
            status: None,
            commits: 0,
            fault: None,
        });
        Ok(number)
    }

    pub(crate) fn note(&self, number: usize, change: impl FnOnce(&mut Request)) {
        if let Some(request) = self.log().requests.get_mut(number) {
            change(request);
        }
    }

    /// Whether one more commit fits; asked before it is made.
    pub(crate) fn check_room(&self) -> Result<(), Refusal> {
        self.room(&self.log())
    }

    pub(crate) fn commit(&self, mut commit: Commit) {
        let mut log = self.log();
        commit.number = log.commits.len();
        if let Some(request) = commit.request.and_then(|number| log.requests.get_mut(number)) {
            request.commits += 1;
        }
        log.commits.push(commit);
    }

    /// Notes how an event ended. A full history drops it: it is the requests that are refused.
    pub(crate) fn deliver(&self, delivery: Delivery) {
        let mut log = self.log();
        if self.room(&log).is_ok() {
            log.deliveries.push(delivery);
        }
    }

    fn room(&self, log: &Log) -> Result<(), Refusal> {
        let entries = log.requests.len() + log.commits.len() + log.deliveries.len();
        if entries < self.entries_max {
            return Ok(());
        }
        let message = format!(
            "the history of this sandbox holds its {} entries: raise history_max or clear it",
            self.entries_max
        );
        Err(Refusal::new(Reason::HistoryFull, message))
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
