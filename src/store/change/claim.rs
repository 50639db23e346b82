//! Claiming: due changes and the leases of their records, in one transaction.

use std::{collections::HashMap, fmt::Write as _, sync::Arc, time::Duration};

use super::{Change, ClaimRequest, key_args};
use crate::{
    core::{record::RecordKey, status::Side},
    store::{
        Store,
        bulk::Bulk,
        engine::{Durability, FromRow, Number, Row, Tx, Unread, args, int},
        error::Error,
        lock::{self, Guard},
    },
};

/// So many processes have ended with a change that is worked on apart from its like: with the next end it is set aside, and of all
/// that were in flight together only one is to blame.
const SUSPECT: u32 = 2;

/// A candidate or claimed row; `guard` is filled in by the claim.
struct Due {
    change: Change,
    is_suspect: bool,
}

impl FromRow for Due {
    const TABLE: &'static str = "change";
    const KEY: &'static str = "record_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        let left: Option<String> = row.get("left_id")?;
        let right: Option<String> = row.get("right_id")?;
        Ok(Self {
            is_suspect: row.get::<i64>("crashes")? >= SUSPECT.into(),
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
     c.priority, c.attempts, c.run_id, c.event_id, c.first_at, c.crashes, \
     coalesce(l.left_id, r.left_id) as left_id, coalesce(l.right_id, r.right_id) as right_id \
     from change as c \
     left join link as l on c.side = 'left' and l.mapping = c.mapping and l.left_id = c.record_id \
     and l.status <> 'ended' \
     left join link as r on c.side = 'right' and r.mapping = c.mapping and r.right_id = c.record_id \
     and r.status <> 'ended'";

/// A change that is no suspect, or may be worked on since this process works on none.
const ALONE: &str = "(c.crashes < $4 or not exists (select 1 from lock as h join change as s on s.mapping = h.mapping \
     and s.side = h.side and s.record_id = h.record_id where h.holder = $5 and s.crashes >= $4))";

/// A change whose record nobody works on.
pub(super) const FREE: &str = "not exists (select 1 from lock as k where k.mapping = c.mapping and k.side = c.side \
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
        let mut sql = format!(
            "{SELECT} where c.priority = $3 and c.not_before <= $1 and c.waiting_mapping is null and {ALONE} and {FREE}"
        );
        let mut paused = Vec::with_capacity(request.paused.len());
        for (number, mapping) in (6..).zip(&request.paused) {
            paused.push(mapping.into());
            // Writing to a String cannot fail.
            let _ = write!(sql, " and c.mapping <> ${number}");
        }
        sql.push_str(" order by c.not_before limit $2");
        let limit = request.limit as usize;
        let mut found: Vec<Change> = Vec::new();
        let (mut after, mut has_suspect) = (i64::MIN, false);
        while found.len() < limit {
            let Some(priority) = self.next_priority(after).await? else {
                break;
            };
            let holder = &self.inner.holder;
            let mut args = args![now, int(limit - found.len()), priority, i64::from(SUSPECT), holder];
            args.extend(paused.iter().cloned());
            let rows = self.engine().rows::<Due>(sql.clone(), args).await?;
            let taken = rows
                .into_iter()
                .filter(|due| !due.is_suspect || !std::mem::replace(&mut has_suspect, true));
            found.extend(taken.map(|due| due.change));
            after = priority;
        }
        Ok(found)
    }

    /// The priority after `after` that any change has.
    pub(super) async fn next_priority(&self, after: i64) -> Result<Option<i64>, Error> {
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
     c.priority, c.attempts, c.run_id, c.event_id, c.first_at, c.crashes, c.not_before, \
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
