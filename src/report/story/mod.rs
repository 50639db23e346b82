//! The whole story of one record, in order of time: what was told of it, what was tried, what was found, what was decided.

mod find;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

pub use self::find::find;
use self::find::{events_of, failures_of, is_about};
use super::{item::mask, words};
use crate::{
    core::{
        mapping::Mapping,
        status::{DriftOutcome, EventStatus, LinkStatus, Role, Side, Sides},
    },
    store::{
        Error, Page, Store,
        conflict::{Conflict, ConflictFilter},
        drift::Drift,
        event::Event,
        failure::Failure,
        link::StoredLink,
        run::Run,
        write::Write,
    },
};

/// The most of anything that is told of one record: the newest.
const EACH_MAX: u32 = 200;
/// The most runs that are told.
const RUNS_MAX: usize = 50;
/// Tells entries of moves from others of links.
const MOVED: u8 = 3;
/// The most earlier ids of a pair under which is looked: the newest.
const MOVES_MAX: u32 = 10;

/// One record with its partner, and all that is on record about them.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Story {
    /// The mapping.
    pub mapping: String,
    /// The left record.
    pub left: Subject,
    /// The right record.
    pub right: Subject,
    /// How their link stands; null where they are not linked.
    pub link: Option<LinkStatus>,
    /// When both were last in sync.
    pub last_synced_at: Option<DateTime<Utc>>,
    /// What happened, oldest first.
    pub entries: Vec<Entry>,
}

impl Story {
    /// What is still to be done: what the last findings say. Nothing where the pair was in sync after them.
    #[must_use]
    pub fn next_step(&self) -> Option<&str> {
        let is_finding = |entry: &&Entry| !matches!(entry.kind, Kind::Event | Kind::Run | Kind::Write);
        let last = self.entries.iter().rev().find(is_finding)?.at;
        let mut newest = self
            .entries
            .iter()
            .rev()
            .filter(is_finding)
            .take_while(|entry| entry.at == last);
        newest.find_map(|entry| entry.next.as_deref())
    }
}

/// One of the two records.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "StorySubject")]
pub struct Subject {
    /// Its system.
    pub system: String,
    /// Its object.
    pub object: String,
    /// Its id; null where no partner is known.
    pub id: Option<String>,
}

/// What an entry tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "StoryKind")]
pub enum Kind {
    /// The pair was linked, found without its partner, or last in sync.
    Link,
    /// A system told of a change.
    Event,
    /// A run that worked on the record.
    Run,
    /// A write to a system.
    Write,
    /// Something went wrong, or came right again.
    Failure,
    /// A conflict, or the decision about it.
    Conflict,
    /// A drift report found a difference.
    Drift,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Event => "event",
            Self::Run => "run",
            Self::Write => "write",
            Self::Failure => "failure",
            Self::Conflict => "conflict",
            Self::Drift => "drift",
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "StoryEntry")]
pub struct Entry {
    /// When.
    pub at: DateTime<Utc>,
    /// What it tells of.
    pub kind: Kind,
    /// The id of that.
    pub id: i64,
    /// The run it belongs to.
    pub run_id: Option<i64>,
    /// What happened.
    pub text: String,
    /// The left value then; masked for viewers where it is sensitive.
    pub left_value: Option<String>,
    /// The right value then; masked for viewers where it is sensitive.
    pub right_value: Option<String>,
    /// What to do about it.
    pub next: Option<String>,
}

impl Entry {
    fn new(at: DateTime<Utc>, kind: Kind, id: i64, text: String) -> Self {
        Self {
            at,
            kind,
            id,
            run_id: None,
            text,
            left_value: None,
            right_value: None,
            next: None,
        }
    }

    fn of_run(mut self, run_id: Option<i64>) -> Self {
        self.run_id = run_id;
        self
    }

    fn with_values(mut self, left: Option<String>, right: Option<String>) -> Self {
        (self.left_value, self.right_value) = (left, right);
        self
    }

    fn with_next(mut self, next: Option<String>) -> Self {
        self.next = next;
        self
    }
}

/// Gathers the story of a record as `role` may see it.
pub async fn tell(store: &Store, mapping: &Mapping, side: Side, id: &str, role: Role) -> Result<Story, Error> {
    let link = store.link_by(&mapping.name, side, id).await?;
    let own_drift = store.drift_of(&mapping.name, side, id, EACH_MAX).await?;
    let ids = ids(link.as_ref(), &own_drift, side, id);
    let mut gathered = Gathered::default();
    gathered.link(link.as_ref());
    gathered.drift(own_drift, role);
    if let Some(partner) = ids.get(side.other()) {
        let drift = store.drift_of(&mapping.name, side.other(), partner, EACH_MAX).await?;
        gathered.drift(drift, role);
    }
    for side in [Side::Left, Side::Right] {
        if let Some(id) = ids.get(side) {
            gathered.side(store, mapping, side, id, role).await?;
        }
    }
    if let Some(stored) = &link {
        gathered.moves(store, mapping, stored.link.link_id, role).await?;
    }
    gathered.runs(store).await?;
    let subject = |side: Side| {
        let end = mapping.end(side);
        Subject {
            system: end.system.clone(),
            object: end.object.clone(),
            id: ids.get(side).clone(),
        }
    };
    Ok(Story {
        mapping: mapping.name.clone(),
        left: subject(Side::Left),
        right: subject(Side::Right),
        link: link.as_ref().map(|stored| stored.link.status),
        last_synced_at: link.and_then(|stored| stored.last_synced_at),
        entries: gathered.in_order(),
    })
}

/// Both ids, by the link, else by the last report that knew both.
fn ids(link: Option<&StoredLink>, drift: &[Drift], side: Side, id: &str) -> Sides<Option<String>> {
    let partner = link.map(|stored| stored.link.id(side.other()).to_owned()).or_else(|| {
        drift.iter().find_map(|item| match side {
            Side::Left => item.right_id.clone(),
            Side::Right => item.left_id.clone(),
        })
    });
    let mut ids = Sides::default();
    *ids.get_mut(side) = Some(id.to_owned());
    *ids.get_mut(side.other()) = partner;
    ids
}

/// Entries by what they tell of, so that what both records have in common stands there once.
#[derive(Default)]
struct Gathered {
    entries: BTreeMap<(Kind, i64, u8), Entry>,
}

impl Gathered {
    /// `part` tells several entries about one thing apart.
    fn add(&mut self, part: u8, entry: Entry) {
        self.entries.entry((entry.kind, entry.id, part)).or_insert(entry);
    }

    fn in_order(self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.entries.into_values().collect();
        entries.sort_by_key(|entry| (entry.at, entry.kind, entry.id));
        entries
    }

    async fn side(&mut self, store: &Store, mapping: &Mapping, side: Side, id: &str, role: Role) -> Result<(), Error> {
        let first = Page::first(EACH_MAX);
        for event in store.events(&events_of(mapping, side, id), first).await? {
            self.event(&event);
        }
        for write in store.writes_of(&mapping.name, side, id, EACH_MAX).await? {
            self.write(mapping, &write);
        }
        let failures = store.failures(&failures_of(mapping, id), first).await?;
        for failure in failures.into_iter().filter(|failure| is_about(failure, side, id)) {
            self.failure(failure);
        }
        let conflicts = ConflictFilter {
            mapping: Some(mapping.name.clone()),
            record_id: Some(id.to_owned()),
            ..ConflictFilter::default()
        };
        for conflict in store.conflicts(&conflicts, first).await? {
            let own = match side {
                Side::Left => &conflict.left_id,
                Side::Right => &conflict.right_id,
            };
            if own == id {
                self.conflict(mapping, conflict, role);
            }
        }
        Ok(())
    }

    fn link(&mut self, link: Option<&StoredLink>) {
        let Some(stored) = link else { return };
        let id = stored.link.link_id;
        let entry = |at, text: &str| Entry::new(at, Kind::Link, id, text.to_owned());
        self.add(0, entry(stored.created_at, "linked"));
        if let Some(at) = stored.last_synced_at {
            self.add(1, entry(at, "last in sync"));
        }
        if let Some((side, since)) = stored.missing {
            let text = format!("the {side} record was found to be gone; the link is a pending delete");
            let next = Some("decide with `syncline deletes`".to_owned());
            self.add(2, entry(since, &text).with_next(next));
        }
    }

    /// What is on record of the pair under the ids that its records had before.
    async fn moves(&mut self, store: &Store, mapping: &Mapping, link_id: i64, role: Role) -> Result<(), Error> {
        for one in store.link_moves(link_id, MOVES_MAX).await? {
            let (side, from, to) = (one.side, &one.from_id, &one.to_id);
            let text = format!("the {side} record `{from}` lives on as `{to}`, and the link went along");
            let entry = Entry::new(one.moved_at, Kind::Link, link_id, text);
            self.entries.insert((Kind::Link, one.link_move_id, MOVED), entry);
            let drift = store.drift_of(&mapping.name, side, from, EACH_MAX).await?;
            self.drift(drift, role);
            self.side(store, mapping, side, from, role).await?;
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) {
        let own = if event.own { ", our own write" } else { "" };
        let ended = match (&event.last_error, event.status) {
            (Some(error), status @ (EventStatus::Failed | EventStatus::Ignored)) => format!("{status}: {error}"),
            (_, status) => status.to_string(),
        };
        let to = event
            .merged_into
            .as_ref()
            .map(|to| format!(", now `{to}`"))
            .unwrap_or_default();
        let text = format!(
            "{} told: {} {}{to}{own}; {ended}",
            event.system, event.object, event.kind
        );
        self.add(0, Entry::new(event.received_at, Kind::Event, event.event_id, text));
    }

    fn write(&mut self, mapping: &Mapping, write: &Write) {
        let system = &mapping.end(write.side).system;
        let record = write.record_id.as_deref().unwrap_or("a new record");
        let answer = write
            .http_status
            .map(|status| format!(" (HTTP {status})"))
            .unwrap_or_default();
        let text = format!("{} {record} in {system}: {}{answer}", write.kind, write.status);
        self.add(
            0,
            Entry::new(write.started_at, Kind::Write, write.write_id, text).of_run(write.run_id),
        );
    }

    fn failure(&mut self, failure: Failure) {
        let id = failure.failure_id;
        let tries = match failure.attempts {
            0 | 1 => String::new(),
            tries => format!(", {tries} tries until {}", failure.last_at.format("%FT%TZ")),
        };
        let text = format!(
            "[{}] {} at {}: {} ({}{tries})",
            failure.code, failure.class, failure.stage, failure.message, failure.status
        );
        let entry = Entry::new(failure.first_at, Kind::Failure, id, text);
        self.add(0, entry.of_run(failure.run_id).with_next(failure.hint));
        if let Some(at) = failure.resolved_at {
            self.add(
                1,
                Entry::new(at, Kind::Failure, id, format!("{} since then", failure.status)),
            );
        }
    }

    fn conflict(&mut self, mapping: &Mapping, conflict: Conflict, role: Role) {
        let id = conflict.conflict_id;
        let shown = |value| mask(value, conflict.sensitive, role);
        let text = format!("both sides changed `{}` ({})", conflict.field, conflict.status);
        let entry = Entry::new(conflict.created_at, Kind::Conflict, id, text);
        let (left, right) = (shown(conflict.left_value), shown(conflict.right_value));
        self.add(0, entry.of_run(conflict.run_id).with_values(left, right));
        if let Some(at) = conflict.resolved_at {
            let by = conflict.resolved_by.as_deref().unwrap_or("both sides agreeing");
            let text = match conflict.winner {
                Some(side) => format!("`{}` decided for {} by {by}", conflict.field, mapping.end(side).system),
                None => format!("`{}` {} by {by}", conflict.field, conflict.status),
            };
            self.add(1, Entry::new(at, Kind::Conflict, id, text));
        }
    }

    fn drift(&mut self, items: Vec<Drift>, role: Role) {
        for item in items {
            let what = match &item.field {
                Some(field) => format!("`{field}` {}", item.situation),
                None => item.situation.to_string(),
            };
            let evidence = [
                ("event", item.event_id),
                ("failure", item.failure_id),
                ("run", item.cause_run_id),
            ];
            let evidence = match words::evidence(&evidence).as_str() {
                "" => String::new(),
                told => format!(" ({told})"),
            };
            let text = format!(
                "report {}: {what}, {}: {}{evidence}; {}",
                item.run_id,
                item.cause,
                words::cause(item.cause),
                words::outcome(item.outcome)
            );
            // The time of a report is that of its run, which stands among the runs.
            let entry = Entry::new(item.first_seen_at, Kind::Drift, item.drift_id, text);
            let shown = |value| mask(value, item.sensitive, role);
            let (left, right) = (shown(item.left_value), shown(item.right_value));
            let is_open = item.outcome != DriftOutcome::Repaired;
            let next = is_open.then(|| words::next_step(item.cause).to_owned());
            self.add(
                0,
                entry.of_run(Some(item.run_id)).with_values(left, right).with_next(next),
            );
        }
    }

    /// Adds the runs of all entries, and gives what a report found the time of its run.
    async fn runs(&mut self, store: &Store) -> Result<(), Error> {
        let ids: BTreeSet<i64> = self.entries.values().filter_map(|entry| entry.run_id).collect();
        for id in ids.into_iter().rev().take(RUNS_MAX) {
            let Some(run) = store.run(id).await? else { continue };
            let at = run.ended_at.unwrap_or(run.started_at);
            for entry in self.entries.values_mut() {
                if entry.kind == Kind::Drift && entry.run_id == Some(id) {
                    entry.at = at;
                }
            }
            self.run(&run);
        }
        Ok(())
    }

    fn run(&mut self, run: &Run) {
        let note = run.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        let text = format!("{} by {}, {}{note}", run.kind, run.trigger, run.status);
        self.add(
            0,
            Entry::new(run.started_at, Kind::Run, run.run_id, text).of_run(Some(run.run_id)),
        );
    }
}
