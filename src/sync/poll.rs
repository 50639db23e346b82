//! Asking a system what changed: for sides that push nothing.
//!
//! The cursor is the start of the last read that went well, moved back by an overlap: records that are committed late or
//! stamped by another clock come again rather than never. It moves only after everything read is in the dirty set.
//!
//! Before there is a cursor, the system is tried out: one that ignores the question would be believed for ever.
//!
//! Where pages are told by places, a record that changes while they are read moves to the end, and another one slips from a page
//! that is to come to one that was read. Then everything is read again.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::{Engine, Error};
use crate::{
    client::{Listing, Meter, Road},
    core::{
        mapping::Mapping,
        record::{Record, RecordKey},
        status::{ChangeOrigin, EventKind, RunKind, RunStatus, Side, Trigger},
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
    let meter: Arc<Meter> = Arc::default();
    let result = meter.measure(read(engine, mapping, &name, side, run_id)).await;
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
        Ok(_) => (RunStatus::Succeeded, None),
        Err(error) => (RunStatus::Failed, Some(error.to_string())),
    };
    if result.is_ok() {
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

/// The versions our links know: the overlap brings records again that were looked at already.
async fn known_versions(
    engine: &Engine,
    mapping: &Mapping,
    side: Side,
    records: &[Record],
) -> Result<HashMap<String, String>, Error> {
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let links = engine.store().links_by(&mapping.name, side, &ids).await?;
    let version = |stored: StoredLink| {
        let version = match side {
            Side::Left => stored.left_version,
            Side::Right => stored.right_version,
        };
        Some((stored.link.id(side).to_owned(), version?))
    };
    Ok(links.into_iter().filter_map(version).collect())
}

async fn read(engine: &Engine, mapping: &Mapping, name: &Arc<str>, side: Side, run_id: i64) -> Result<u64, Error> {
    let since = since(engine, mapping, side).await?;
    let system = engine.end(mapping, side)?;
    if engine.store().cursor(&mapping.name, side).await?.is_none() {
        system.check_since(&mapping.end(side).object, Road::Poll).await?;
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
        let (read, is_whole) = pass.read().await?;
        count += read;
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
    async fn read(&self) -> Result<(u64, bool), Error> {
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
            self.take(page.records).await?;
            if seam::has_bug(Bug::PollForgetsPages) {
                break;
            }
        }
        Ok((count, !lister.is_shifted()))
    }

    /// Puts one page into the dirty set.
    async fn take(&self, records: Vec<Record>) -> Result<(), Error> {
        let read = records.len() as u64;
        let known = known_versions(self.engine, self.mapping, self.side, &records).await?;
        let is_news = |record: &Record| record.version.is_none() || known.get(&record.id) != record.version.as_ref();
        let changed = records.into_iter().filter(is_news).map(|record| {
            let key = RecordKey::new(Arc::clone(self.name), self.side, record.id);
            let change = NewChange::new(key, ChangeOrigin::Poll, EventKind::Updated);
            Op::Enqueue(NewChange {
                priority: PRIORITY,
                run_id: Some(self.run_id),
                ..change
            })
        });
        let mut ops: Vec<Op> = changed.collect();
        ops.push(Op::AddCounters {
            run_id: self.run_id,
            counters: Counters {
                read,
                ..Counters::default()
            },
        });
        Ok(self.engine.store().commit(ops).await?)
    }
}
