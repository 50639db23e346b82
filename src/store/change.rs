//! The dirty set: records that have to be looked at, one row a record, however often they came up.
//!
//! ```text
//!             enqueue                claim (lock)              complete, generation unchanged
//!   (nothing) ───────▶ due ────────────────────────▶ at work ─────────────────────────────────▶ (nothing)
//!                       ▲ ▲                             │ │ complete, generation moved; release; lease ran out
//!                       │ └─────────────────────────────┘ │
//!                       │ wake, enqueue                   │ retry: due later;   wait: until the parent links
//!                       └──────────────── waiting ◀───────┘
//! ```

use std::{collections::HashMap, fmt::Write as _, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::{
    Context, Store,
    bulk::{Bulk, without_repeats},
    engine::{Args, Durability, FromRow, Number, Row, Tx, Unread, args, int},
    error::Error,
    lock::{self, Guard},
};
use crate::{
    core::{
        record::RecordKey,
        status::{ChangeOrigin, EventKind, Side},
    },
    seam::{self, Bug},
};

/// A record to be looked at.
#[derive(Debug, Clone)]
pub struct NewChange {
    /// The record.
    pub key: RecordKey,
    /// What brought it up.
    pub origin: ChangeOrigin,
    /// What is said to have happened to it.
    pub kind: EventKind,
    /// The record it lives on as, after a merge.
    pub merged_into: Option<String>,
    /// Smaller is sooner; live events are 0.
    pub priority: i64,
    /// Not looked at before this time; none for at once.
    pub not_before: Option<DateTime<Utc>>,
    /// The run that brought it up.
    pub run_id: Option<i64>,
    /// The event that brought it up; set by the store for changes of a [`super::event::NewEvent`].
    pub event_id: Option<i64>,
}

impl NewChange {
    /// A change to be looked at at once.
    #[must_use]
    pub const fn new(key: RecordKey, origin: ChangeOrigin, kind: EventKind) -> Self {
        Self {
            key,
            origin,
            kind,
            merged_into: None,
            priority: 0,
            not_before: None,
            run_id: None,
            event_id: None,
        }
    }
}

/// A claimed change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The record.
    pub key: RecordKey,
    /// What brought it up last.
    pub origin: ChangeOrigin,
    /// What is said to have happened to it.
    pub kind: EventKind,
    /// The record it lives on as, after a merge.
    pub merged_into: Option<String>,
    /// How often it came up since it was last completed.
    pub generation: i64,
    /// Smaller is sooner.
    pub priority: i64,
    /// Tries that failed.
    pub attempts: u32,
    /// The run that brought it up last.
    pub run_id: Option<i64>,
    /// The newest event that brought it up.
    pub event_id: Option<i64>,
    /// When it first came up.
    pub first_at: DateTime<Utc>,
    /// Ids of the pair (left, right) if the record is linked; both records are locked then.
    pub pair: Option<(String, String)>,
    /// The lease on the record and on its partner.
    pub guard: Guard,
}

impl Change {
    /// What is needed to end the work on it.
    #[must_use]
    pub fn claim(&self) -> Claim {
        Claim {
            key: self.key.clone(),
            generation: self.generation,
            guard: self.guard.clone(),
        }
    }
}

/// The right to end the work on a change; every way to end it gives the lease back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The record.
    pub key: RecordKey,
    /// The generation that was looked at.
    pub generation: i64,
    /// The lease.
    pub guard: Guard,
}

/// Which changes to claim.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// The most changes wanted.
    pub limit: u32,
    /// How long the lease lasts.
    pub ttl: Duration,
    /// Mappings to leave alone, because a system of theirs is paused.
    pub paused: Vec<Arc<str>>,
}

/// How the queue stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Changes there are.
    pub depth: u64,
    /// Those that wait for a parent.
    pub waiting: u64,
    /// Those that are due, whether at work or not.
    pub due: u64,
    /// When the oldest came up.
    pub oldest_at: Option<DateTime<Utc>>,
}

impl FromRow for QueueStats {
    const TABLE: &'static str = "change";
    const KEY: &'static str = "depth";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            depth: row.count("depth")?,
            waiting: row.count("waiting")?,
            due: row.count("due")?,
            oldest_at: row.maybe_time("oldest_at")?,
        })
    }
}

/// A candidate or claimed row; `guard` is filled in by the claim.
struct Due {
    change: Change,
}

impl FromRow for Due {
    const TABLE: &'static str = "change";
    const KEY: &'static str = "record_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        let left: Option<String> = row.get("left_id")?;
        let right: Option<String> = row.get("right_id")?;
        Ok(Self {
            change: Change {
                key: row.key()?,
                origin: row.get("origin")?,
                kind: row.get("kind")?,
                merged_into: row.get("merged_into")?,
                generation: row.get("generation")?,
                priority: row.get("priority")?,
                attempts: u32::try_from(row.get::<i64>("attempts")?).unwrap_or(u32::MAX),
                run_id: row.get("run_id")?,
                event_id: row.get("event_id")?,
                first_at: row.time("first_at")?,
                pair: left.zip(right),
                guard: Guard::none(),
            },
        })
    }
}

/// A change with its pair, whichever side it is on.
const SELECT: &str = "select c.mapping, c.side, c.record_id, c.origin, c.kind, c.merged_into, c.generation, \
     c.priority, c.attempts, c.run_id, c.event_id, c.first_at, \
     coalesce(l.left_id, r.left_id) as left_id, coalesce(l.right_id, r.right_id) as right_id \
     from change as c \
     left join link as l on c.side = 'left' and l.mapping = c.mapping and l.left_id = c.record_id \
     and l.status <> 'ended' \
     left join link as r on c.side = 'right' and r.mapping = c.mapping and r.right_id = c.record_id \
     and r.status <> 'ended'";

const FREE: &str = "not exists (select 1 from lock as k where k.mapping = c.mapping and k.side = c.side \
     and k.record_id = c.record_id and k.until > $1 and k.until <= $1 + 1800000)";

impl Store {
    /// Claims due changes whose records nobody works on. A linked record is locked together with its partner, so that
    /// one link is never worked on by two.
    pub async fn claim_changes(&self, request: &ClaimRequest) -> Result<Vec<Change>, Error> {
        let now = self.now();
        let candidates = self.candidates(request, now).await?;
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.engine().begin(Durability::Relaxed).await?;
        lock::drop_expired(&mut tx, now).await?;
        let guards = self.lock_candidates(&mut tx, &candidates, now, request.ttl).await?;
        let claimed = self.read_claimed(&mut tx, guards, now).await?;
        tx.commit().await?;
        Ok(claimed)
    }

    /// Priority by priority, so that each look is a walk along `change_due` from its start to its limit: asked for all at
    /// once, SQLite may sort everything that is due, and would pass everything that is put off.
    async fn candidates(&self, request: &ClaimRequest, now: i64) -> Result<Vec<Change>, Error> {
        let mut sql =
            format!("{SELECT} where c.priority = $3 and c.not_before <= $1 and c.waiting_mapping is null and {FREE}");
        let mut paused = Vec::with_capacity(request.paused.len());
        for (number, mapping) in (4..).zip(&request.paused) {
            paused.push(mapping.into());
            // Writing to a String cannot fail.
            let _ = write!(sql, " and c.mapping <> ${number}");
        }
        sql.push_str(" order by c.not_before limit $2");
        let limit = request.limit as usize;
        let mut found: Vec<Change> = Vec::new();
        let mut after = i64::MIN;
        while found.len() < limit {
            let Some(priority) = self.next_priority(after).await? else {
                break;
            };
            let mut args = args![now, int(limit - found.len()), priority];
            args.extend(paused.iter().cloned());
            let rows = self.engine().rows::<Due>(sql.clone(), args).await?;
            found.extend(rows.into_iter().map(|due| due.change));
            after = priority;
        }
        Ok(found)
    }

    async fn next_priority(&self, after: i64) -> Result<Option<i64>, Error> {
        let sql = "select priority as number from change where waiting_mapping is null and priority > $1 \
             order by priority limit 1";
        let next = self.engine().row::<Number>(sql, args![after]).await?;
        Ok(next.map(|priority| priority.0))
    }

    async fn lock_candidates(
        &self,
        tx: &mut Tx,
        candidates: &[Change],
        now: i64,
        ttl: Duration,
    ) -> Result<Vec<(Guard, RecordKey)>, Error> {
        let wanted = candidates
            .iter()
            .map(|change| (Guard::new(records(change), self.next_epoch()), change.key.clone()))
            .collect::<Vec<_>>();
        let guards = wanted.iter().map(|(guard, _)| guard.clone()).collect();
        let until = lock::until(now, ttl);
        let got = lock::acquire(tx, &self.inner.holder, guards, until).await?;
        Ok(wanted
            .into_iter()
            .filter(|(guard, _)| got.contains(&guard.epoch()))
            .collect())
    }

    /// Reads what was locked, once more: a change may be done, put off, or linked elsewhere by now.
    async fn read_claimed(&self, tx: &mut Tx, guards: Vec<(Guard, RecordKey)>, now: i64) -> Result<Vec<Change>, Error> {
        let read = Bulk {
            head: READ_HEAD,
            tail: ")",
        };
        let keys = guards.iter().map(|(_, key)| key_args(key)).collect();
        let mut found = read
            .rows::<ReadDue>(tx, keys)
            .await?
            .into_iter()
            .filter(|row| row.not_before <= now)
            .map(|row| (row.change.key.clone(), row.change))
            .collect::<HashMap<_, _>>();
        let (mut claimed, mut idle) = (Vec::new(), Vec::new());
        for (guard, key) in guards {
            match found.remove(&key) {
                Some(change) if records(&change) == guard.records() => claimed.push(Change { guard, ..change }),
                _ => idle.push(guard),
            }
        }
        lock::release(tx, &self.inner.holder, &idle.iter().collect::<Vec<_>>()).await?;
        Ok(claimed)
    }

    /// When the next free change is due; none when there is none.
    pub async fn next_change_at(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let sql = format!(
            "select c.not_before as number from change as c where c.waiting_mapping is null and {FREE} \
             order by c.not_before limit 1"
        );
        let next = self.engine().row::<Number>(sql, args![self.now()]).await?;
        Ok(next.and_then(|millis| DateTime::from_timestamp_millis(millis.0)))
    }

    /// Takes the changes of a mapping out of the dirty set without looking at them, when the mapping was removed; how
    /// many.
    pub async fn drop_changes(&self, mapping: &str) -> Result<u64, Error> {
        let sql = "delete from change where mapping = $1";
        self.engine().execute(sql, args![mapping]).await
    }

    /// How the queue stands.
    pub async fn queue_stats(&self) -> Result<QueueStats, Error> {
        let sql = "select count(*) as depth, count(waiting_mapping) as waiting, \
             coalesce(sum(case when waiting_mapping is null and not_before <= $1 then 1 else 0 end), 0) as due, \
             min(first_at) as oldest_at from change";
        let stats = self.engine().row::<QueueStats>(sql, args![self.now()]).await?;
        Ok(stats.unwrap_or_default())
    }
}

/// The records that the work on a change concerns.
fn records(change: &Change) -> Vec<RecordKey> {
    match &change.pair {
        Some((left, right)) => vec![
            RecordKey::new(Arc::clone(&change.key.mapping), Side::Left, left.clone()),
            RecordKey::new(Arc::clone(&change.key.mapping), Side::Right, right.clone()),
        ],
        None => vec![change.key.clone()],
    }
}

const READ_HEAD: &str = "select c.mapping, c.side, c.record_id, c.origin, c.kind, c.merged_into, c.generation, \
     c.priority, c.attempts, c.run_id, c.event_id, c.first_at, c.not_before, \
     coalesce(l.left_id, r.left_id) as left_id, coalesce(l.right_id, r.right_id) as right_id \
     from change as c \
     left join link as l on c.side = 'left' and l.mapping = c.mapping and l.left_id = c.record_id \
     and l.status <> 'ended' \
     left join link as r on c.side = 'right' and r.mapping = c.mapping and r.right_id = c.record_id \
     and r.status <> 'ended' \
     where c.waiting_mapping is null and (c.mapping, c.side, c.record_id) in (";

struct ReadDue {
    change: Change,
    not_before: i64,
}

impl FromRow for ReadDue {
    const TABLE: &'static str = "change";
    const KEY: &'static str = "record_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            change: Due::from_row(row)?.change,
            not_before: row.get("not_before")?,
        })
    }
}

pub(super) fn key_args(key: &RecordKey) -> Args<'_> {
    args![&key.mapping, key.side, &key.record_id]
}

/// Puts records into the dirty set, or moves those that are there on to the next generation.
pub(super) async fn enqueue(tx: &mut Tx, context: &Context<'_>, changes: &[&NewChange]) -> Result<(), Error> {
    const ENQUEUE: Bulk = Bulk {
        head: "insert into change (mapping, side, record_id, origin, kind, merged_into, priority, not_before, \
               run_id, event_id, first_at, updated_at)",
        tail: "on conflict (mapping, side, record_id) do update set generation = change.generation + 1, \
               origin = excluded.origin, \
               kind = case when change.kind = 'merged' then change.kind else excluded.kind end, \
               merged_into = coalesce(excluded.merged_into, change.merged_into), \
               priority = case when excluded.priority < change.priority then excluded.priority \
               else change.priority end, \
               not_before = case when excluded.not_before < change.not_before then excluded.not_before \
               else change.not_before end, \
               attempts = 0, waiting_mapping = null, waiting_side = null, waiting_record_id = null, \
               run_id = coalesce(excluded.run_id, change.run_id), \
               event_id = coalesce(excluded.event_id, change.event_id), updated_at = excluded.updated_at",
    };
    for group in without_repeats(changes, |change| &change.key) {
        let rows = group.into_iter().map(|change| {
            args![
                &change.key.mapping,
                change.key.side,
                &change.key.record_id,
                change.origin,
                change.kind,
                &change.merged_into,
                change.priority,
                change.not_before.map_or(context.now, |time| time.timestamp_millis()),
                change.run_id,
                change.event_id,
                context.now,
                context.now,
            ]
        });
        ENQUEUE.execute(tx, rows.collect()).await?;
    }
    Ok(())
}

/// Puts records into the dirty set that wait for their parents, except where the parent has linked meanwhile.
pub(super) async fn enqueue_waiting(
    tx: &mut Tx,
    context: &Context<'_>,
    changes: &[(&NewChange, &RecordKey)],
) -> Result<(), Error> {
    const ENQUEUE: Bulk = Bulk {
        head: "insert into change (mapping, side, record_id, origin, kind, priority, not_before, run_id, first_at, \
               updated_at, waiting_mapping, waiting_side, waiting_record_id)",
        tail: "on conflict (mapping, side, record_id) do nothing",
    };
    const RELEASE: Bulk = Bulk {
        head: "update change set waiting_mapping = null, waiting_side = null, waiting_record_id = null from (",
        tail: ") as v where change.mapping = v.column1 and change.side = v.column2 and change.record_id = v.column3 \
               and exists (select 1 from link where link.mapping = change.waiting_mapping and link.status <> 'ended' \
               and ((change.waiting_side = 'left' and link.left_id = change.waiting_record_id) \
               or (change.waiting_side = 'right' and link.right_id = change.waiting_record_id)))",
    };
    let rows = changes.iter().map(|(change, parent)| {
        let mut args = key_args(&change.key);
        let not_before = change.not_before.map_or(context.now, |time| time.timestamp_millis());
        args.extend(args![
            change.origin,
            change.kind,
            change.priority,
            not_before,
            change.run_id,
            context.now,
            context.now
        ]);
        args.extend(key_args(parent));
        args
    });
    ENQUEUE.execute(tx, rows.collect()).await?;
    let rows = changes.iter().map(|(change, _)| key_args(&change.key));
    RELEASE.execute(tx, rows.collect()).await?;
    Ok(())
}

/// Takes finished changes out of the dirty set, unless they came up again meanwhile.
pub(super) async fn complete(tx: &mut Tx, claims: &[&Claim]) -> Result<(), Error> {
    const COMPLETE: Bulk = Bulk {
        head: "delete from change where (mapping, side, record_id, generation) in (",
        tail: ")",
    };
    let rows = claims.iter().map(|claim| {
        let mut args = key_args(&claim.key);
        args.push(claim.generation.into());
        args
    });
    if seam::has_bug(Bug::GenerationIgnored) {
        let any = Bulk {
            head: "delete from change where (mapping, side, record_id) in (select column1, column2, column3 from (",
            tail: "))",
        };
        return any.execute(tx, rows.collect()).await.map(drop);
    }
    COMPLETE.execute(tx, rows.collect()).await?;
    Ok(())
}

/// Puts changes off after a failed try; one that came up again meanwhile keeps its time.
pub(super) async fn retry(
    tx: &mut Tx,
    context: &Context<'_>,
    retries: &[(&Claim, DateTime<Utc>)],
) -> Result<(), Error> {
    const RETRY: Bulk = Bulk {
        head: "update change set attempts = change.attempts + 1, not_before = v.column5, updated_at = v.column6 \
               from (",
        tail: ") as v where change.mapping = v.column1 and change.side = v.column2 \
               and change.record_id = v.column3 and change.generation = v.column4",
    };
    let rows = retries.iter().map(|(claim, not_before)| {
        let mut args = key_args(&claim.key);
        args.extend(args![claim.generation, *not_before, context.now]);
        args
    });
    RETRY.execute(tx, rows.collect()).await?;
    Ok(())
}

/// Lets changes wait for their parents, except where the parent has linked meanwhile.
pub(super) async fn wait(tx: &mut Tx, context: &Context<'_>, waits: &[(&Claim, &RecordKey)]) -> Result<(), Error> {
    const WAIT: Bulk = Bulk {
        head: "update change set waiting_mapping = v.column5, waiting_side = v.column6, \
               waiting_record_id = v.column7, updated_at = v.column8 from (",
        tail: ") as v where change.mapping = v.column1 and change.side = v.column2 \
               and change.record_id = v.column3 and change.generation = v.column4 \
               and not exists (select 1 from link where link.mapping = v.column5 and link.status <> 'ended' \
               and ((v.column6 = 'left' and link.left_id = v.column7) \
               or (v.column6 = 'right' and link.right_id = v.column7)))",
    };
    let rows = waits.iter().map(|(claim, parent)| {
        let mut args = key_args(&claim.key);
        args.push(claim.generation.into());
        args.extend(key_args(parent));
        args.push(context.now.into());
        args
    });
    WAIT.execute(tx, rows.collect()).await?;
    Ok(())
}

/// Releases the changes that wait for these parents.
pub(super) async fn wake(tx: &mut Tx, context: &Context<'_>, parents: &[&RecordKey]) -> Result<(), Error> {
    const WAKE: Bulk = Bulk {
        head: "update change set waiting_mapping = null, waiting_side = null, waiting_record_id = null, \
               origin = 'parent', generation = change.generation + 1, not_before = v.column4, \
               updated_at = v.column4 from (",
        tail: ") as v where change.waiting_mapping = v.column1 and change.waiting_side = v.column2 \
               and change.waiting_record_id = v.column3",
    };
    let rows = parents.iter().map(|parent| {
        let mut args = key_args(parent);
        args.push(context.now.into());
        args
    });
    WAKE.execute(tx, rows.collect()).await?;
    Ok(())
}

/// On PostgreSQL, keeps a wait and the link it waits for from passing each other unseen: both take a lock on the
/// parent's name for the length of the transaction. SQLite has one writer anyway.
pub(super) async fn serialize_parents(tx: &mut Tx, parents: &[&RecordKey]) -> Result<(), Error> {
    if parents.is_empty() || matches!(tx, Tx::Sqlite(_)) {
        return Ok(());
    }
    let mut names = parents.iter().map(ToString::to_string).collect::<Vec<_>>();
    names.sort();
    names.dedup();
    for name in names {
        let sql = "select pg_advisory_xact_lock(hashtextextended($1, 0))";
        tx.execute(sql, args![name]).await?;
    }
    Ok(())
}
