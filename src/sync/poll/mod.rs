//! Asking a system what changed: for sides that push nothing.
//!
//! The cursor is the start of the last read that went well, moved back by an overlap: records that are committed late or
//! stamped by another clock come again rather than never. It moves only after everything read is in the dirty set.
//!
//! Before there is a cursor, the system is tried out: one that ignores the question would be believed for ever.
//!
//! What the overlap brings again unchanged is not looked at again: neither what is as it was agreed, nor what the last poll brought
//! in the same state.
//!
//! Where pages are told by places, a record that changes while they are read moves to the end, and another one slips from a page
//! that is to come to one that was read. Then everything is read again.

mod seen;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

pub use self::seen::LastPolls;
use self::seen::{State, States};
use super::{Engine, Error, record::is_same_time};
use crate::{
    client::{Listing, Meter, Road},
    core::{
        connector::part::Part,
        diff,
        mapping::Mapping,
        plan,
        record::{BaseField, Record, RecordKey},
        status::{ChangeOrigin, EventKind, LinkStatus, RunKind, RunStatus, Side, Trigger},
        value::Value,
    },
    seam::{self, Bug},
    store::{
        Op,
        change::NewChange,
        cursor::MovedCursor,
        link::StoredLink,
        run::{Counters, NewRun},
    },
};

/// How far a first poll looks back: a full reconciliation has seen everything older.
const FIRST_LOOK: TimeDelta = TimeDelta::hours(1);
/// Changes that stand behind live events.
const PRIORITY: i64 = 10;
/// How often a listing is read whose records change places.
pub(super) const PASSES_MAX: u32 = 4;

/// Asks one side of a mapping what changed, and puts it into the dirty set. Returns how many records came.
pub async fn poll(engine: &Engine, mapping: &Mapping, side: Side, trigger: Trigger) -> Result<u64, Error> {
    let name: Arc<str> = Arc::from(mapping.name.as_str());
    let started = engine.clock().now();
    let run = NewRun {
        kind: RunKind::Poll,
        mapping: Some(Arc::clone(&name)),
        trigger,
        note: Some(format!("{} asked what changed", mapping.end(side).system)),
        job_key: None,
    };
    let run_id = engine.store().start_run(&run).await?;
    // What cannot be found out here fails in the read, and is told there.
    let gap = gap(engine, mapping, side).await.unwrap_or_default();
    let meter: Arc<Meter> = Arc::default();
    // Whoever asks wants what came to be looked at once more.
    let before = Some(engine.last_polls().take(&mapping.name, side)).filter(|_| trigger != Trigger::Person);
    let mut brought = Brought {
        before: before.unwrap_or_default(),
        now: States::default(),
    };
    // Here and not by whoever asks, so that the run that is cut off is closed and says why.
    let longest = engine.limits().run_time_max;
    let work = meter.measure(read(engine, mapping, &name, side, run_id, &mut brought));
    let result = tokio::time::timeout(longest, work)
        .await
        .unwrap_or(Err(Error::OutOfTime(longest)));
    let (requests, bytes) = meter.take();
    let mut ops = vec![Op::AddCounters {
        run_id,
        counters: Counters {
            requests,
            bytes,
            ..Counters::default()
        },
    }];
    let (status, note) = match &result {
        Ok(_) => (RunStatus::Succeeded, gap),
        Err(error) => (RunStatus::Failed, Some(error.to_string())),
    };
    if result.is_ok() {
        engine.last_polls().put(&mapping.name, side, brought.now);
        let value = started.to_rfc3339_opts(SecondsFormat::Millis, true);
        ops.push(Op::SetCursor(MovedCursor {
            mapping: name,
            side,
            value,
        }));
    }
    engine.store().commit(ops).await?;
    engine.store().finish_run(run_id, status, note.as_deref()).await?;
    result
}

/// Where the next read begins.
async fn since(engine: &Engine, mapping: &Mapping, side: Side) -> Result<DateTime<Utc>, Error> {
    let stored = engine.store().cursor(&mapping.name, side).await?;
    let last = stored.and_then(|cursor| cursor.value.parse().ok());
    let overlap = engine.end(mapping, side)?.overlap(&mapping.end(side).object);
    let overlap = TimeDelta::from_std(overlap).unwrap_or(TimeDelta::minutes(2));
    Ok(last.unwrap_or_else(|| engine.clock().now() - FIRST_LOOK) - overlap)
}

/// What is to be told where the last poll is longer ago than the list of changes reaches back: what changed before that it does not
/// show, and it says nothing of it.
async fn gap(engine: &Engine, mapping: &Mapping, side: Side) -> Result<Option<String>, Error> {
    let end = mapping.end(side);
    let system = engine.end(mapping, side)?;
    let object = system.connector().objects.get(&end.object);
    let reaches = object.and_then(|object| object.listing(true)?.reaches);
    let (Some(reaches), Some(_)) = (reaches, engine.store().cursor(&mapping.name, side).await?) else {
        return Ok(None);
    };
    let asked_for = engine.clock().now() - since(engine, mapping, side).await?;
    let is_short = TimeDelta::from_std(reaches.duration()).is_ok_and(|reaches| asked_for > reaches);
    Ok(is_short.then(|| {
        format!(
            "{} asked what changed; its list of changes reaches back {reaches}, and the last poll is longer ago: what changed before \
             that is found by `syncline reconcile {}`",
            end.system, mapping.name
        )
    }))
}

/// What polls have brought: the last one, and this one.
struct Brought {
    before: States,
    now: States,
}

async fn read(
    engine: &Engine,
    mapping: &Mapping,
    name: &Arc<str>,
    side: Side,
    run_id: i64,
    brought: &mut Brought,
) -> Result<u64, Error> {
    let since = since(engine, mapping, side).await?;
    let system = engine.end(mapping, side)?;
    let parts = system.parts_that_change(&mapping.end(side).object);
    if engine.store().cursor(&mapping.name, side).await?.is_none() {
        system.check_since(&mapping.end(side).object, Road::Poll).await?;
        for part in &parts {
            system.check_since(&part.object, Road::Poll).await?;
        }
    }
    let mut count = 0;
    for _ in 0..PASSES_MAX {
        let pass = Pass {
            engine,
            mapping,
            name,
            side,
            run_id,
            since,
        };
        let (read, mut is_whole) = pass.read(brought).await?;
        count += read;
        for part in &parts {
            let (read, is_part_whole) = pass.read_part(part, brought).await?;
            count += read;
            is_whole &= is_part_whole;
        }
        if is_whole {
            return Ok(count);
        }
        tracing::debug!(mapping = mapping.name, %side, "records changed places while they were read: once more");
    }
    Err(Error::Shifted(mapping.end(side).system.clone()))
}

/// One pass over the pages of what changed.
struct Pass<'a> {
    engine: &'a Engine,
    mapping: &'a Mapping,
    name: &'a Arc<str>,
    side: Side,
    run_id: i64,
    since: DateTime<Utc>,
}

impl Pass<'_> {
    /// How many records came, and whether surely none was passed over.
    async fn read(&self, brought: &mut Brought) -> Result<(u64, bool), Error> {
        let listing = Listing {
            since: Some(self.since),
            ..Listing::default()
        };
        let object = &self.mapping.end(self.side).object;
        let mut lister = self
            .engine
            .end(self.mapping, self.side)?
            .list(object, listing, Road::Poll);
        let mut count = 0;
        while let Some(page) = lister.next().await? {
            count += page.records.len() as u64;
            self.take(page.records, brought).await?;
            if seam::has_bug(Bug::PollForgetsPages) {
                break;
            }
        }
        Ok((count, !lister.is_shifted()))
    }

    /// As [`Pass::read`], of records that belong to the mapping's: the ones they belong to are looked at.
    async fn read_part(&self, part: &Part, brought: &mut Brought) -> Result<(u64, bool), Error> {
        let listing = Listing {
            since: Some(self.since),
            ..Listing::default()
        };
        let system = self.engine.end(self.mapping, self.side)?;
        let mut lister = system.list(&part.object, listing, Road::Poll);
        let mut count = 0;
        while let Some(page) = lister.next().await? {
            count += page.records.len() as u64;
            self.take_parents(part, page.records, brought).await?;
        }
        Ok((count, !lister.is_shifted()))
    }

    async fn take_parents(&self, part: &Part, children: Vec<Record>, brought: &mut Brought) -> Result<(), Error> {
        let read = children.len() as u64;
        let mut parents = BTreeSet::new();
        for child in children {
            let parent = part.parent.get_in(&child.fields).and_then(Value::to_text);
            let is_told = child.version.is_some() || child.updated_at.is_some();
            // Its id may be that of a record of the mapping.
            let id = format!("{}\n{}", part.name, child.id);
            let state = State::of(self.engine.key(), Record { id, ..child });
            if !(is_told && (brought.before.has(&state) || brought.now.has(&state))) {
                parents.extend(parent);
            }
            brought.now.note(state);
        }
        let mut ops: Vec<Op> = parents.iter().map(|parent| self.look_at(parent)).collect();
        ops.push(self.count(read));
        Ok(self.engine.store().commit(ops).await?)
    }

    fn look_at(&self, record_id: &str) -> Op {
        let key = RecordKey::new(Arc::clone(self.name), self.side, record_id);
        Op::Enqueue(NewChange {
            priority: PRIORITY,
            run_id: Some(self.run_id),
            ..NewChange::new(key, ChangeOrigin::Poll, EventKind::Updated)
        })
    }

    fn count(&self, read: u64) -> Op {
        Op::AddCounters {
            run_id: self.run_id,
            counters: Counters {
                read,
                ..Counters::default()
            },
        }
    }

    /// Puts one page into the dirty set.
    async fn take(&self, records: Vec<Record>, brought: &mut Brought) -> Result<(), Error> {
        let read = records.len() as u64;
        let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
        let links = self.engine.store().links_by(self.name, self.side, &ids).await?;
        let links: HashMap<&str, &StoredLink> =
            links.iter().map(|stored| (stored.link.id(self.side), stored)).collect();
        let mut states = Vec::new();
        let mut ops = Vec::new();
        for record in records {
            let link = links.get(record.id.as_str()).copied();
            if link.is_some_and(|link| self.is_agreed(link, &record)) {
                continue;
            }
            // What is linked may have been in another state in between, and this one would be news again: unless it tells when.
            let is_told = link.is_none() || record.version.is_some() || record.updated_at.is_some();
            let look = self.look_at(&record.id);
            let state = State::of(self.engine.key(), record);
            if is_told && (brought.before.has(&state) || brought.now.has(&state)) {
                states.push(state);
                continue;
            }
            states.push(state);
            ops.push(look);
        }
        ops.push(self.count(read));
        self.engine.store().commit(ops).await?;
        for state in states {
            brought.now.note(state);
        }
        Ok(())
    }

    /// Whether the record is as its link knows it: by its version, and where it has none, by everything that counts.
    fn is_agreed(&self, stored: &StoredLink, record: &Record) -> bool {
        let (version, updated_at) = match self.side {
            Side::Left => (&stored.left_version, stored.left_updated_at),
            Side::Right => (&stored.right_version, stored.right_updated_at),
        };
        if record.version.is_some() {
            return record.version == *version;
        }
        let fields = self.mapping.fields.iter();
        let agreed = fields.map(|field| {
            let base = stored.link.base.field(field.definition)?;
            Some(base).filter(|base| !BaseField::is_lost(base))
        });
        stored.link.status == LinkStatus::Linked
            && is_same_time(updated_at, record.updated_at)
            && plan::passes(self.mapping, self.side, record).unwrap_or(false)
            && diff::hashes(self.engine.key(), self.mapping, self.side, record)
                .zip(agreed)
                .all(|(hash, agreed)| hash.is_some() && hash == agreed.map(|base| base.hash(self.side)))
    }
}
