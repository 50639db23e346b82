//! Leases on records: one link is never worked on by two at once, across tasks and nodes.
//!
//! A lease is a row with an end. Whoever ends its work within a submission names the lease, and the submission is
//! refused if somebody else has taken it over ([`Error::LeaseLost`]). Leases need not survive a power loss: after one,
//! nobody works.

use std::{collections::HashMap, time::Duration};

use super::{
    Store,
    bulk::{Bulk, without_repeats},
    change::key_args,
    engine::{Args, Durability, Number, Tx, args, int},
    error::Error,
};
use crate::{
    core::record::RecordKey,
    seam::{self, Bug},
};

/// A lease on records. `epoch` tells it from every other lease of the same holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    records: Vec<RecordKey>,
    epoch: i64,
}

impl Guard {
    pub(super) fn new(mut records: Vec<RecordKey>, epoch: i64) -> Self {
        records.sort();
        records.dedup();
        Self { records, epoch }
    }

    pub(super) const fn none() -> Self {
        Self {
            records: Vec::new(),
            epoch: 0,
        }
    }

    /// The records leased, sorted.
    #[must_use]
    pub fn records(&self) -> &[RecordKey] {
        &self.records
    }

    /// The number of this lease.
    #[must_use]
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }
}

/// No lease is as long as this: one that seems to be was given before the clock was set back, and counts as run out.
pub(super) const LENGTH_MAX: Duration = Duration::from_mins(30);

impl Store {
    /// Leases all of `records`, or none if somebody works on one of them.
    pub async fn lock(&self, records: &[RecordKey], ttl: Duration) -> Result<Option<Guard>, Error> {
        let guard = Guard::new(records.to_vec(), self.next_epoch());
        let got = self.lock_each(vec![guard], ttl).await?;
        Ok(got.into_iter().next())
    }

    /// Leases each of these sets of records that nobody works on; the sets that were had are missing in the answer.
    pub async fn lock_sets(&self, sets: &[Vec<RecordKey>], ttl: Duration) -> Result<Vec<Guard>, Error> {
        let guards = sets
            .iter()
            .map(|records| Guard::new(records.clone(), self.next_epoch()))
            .collect();
        self.lock_each(guards, ttl).await
    }

    async fn lock_each(&self, guards: Vec<Guard>, ttl: Duration) -> Result<Vec<Guard>, Error> {
        let now = self.now();
        let mut tx = self.engine().begin(Durability::Relaxed).await?;
        drop_expired(&mut tx, now).await?;
        let got = acquire(&mut tx, &self.inner.holder, guards.clone(), until(now, ttl)).await?;
        tx.commit().await?;
        Ok(guards.into_iter().filter(|guard| got.contains(&guard.epoch)).collect())
    }

    /// Gives leases back; one that was lost already is no error.
    pub async fn unlock(&self, guards: &[Guard]) -> Result<(), Error> {
        if guards.is_empty() {
            return Ok(());
        }
        let mut tx = self.engine().begin(Durability::Relaxed).await?;
        release(&mut tx, &self.inner.holder, &guards.iter().collect::<Vec<_>>()).await?;
        tx.commit().await
    }

    /// Lengthens leases; the numbers of those that still are ours.
    pub async fn renew_locks(&self, guards: &[Guard], ttl: Duration) -> Result<Vec<i64>, Error> {
        if guards.is_empty() {
            return Ok(Vec::new());
        }
        let until = until(self.now(), ttl);
        let mut tx = self.engine().begin(Durability::Relaxed).await?;
        let held = hold(
            &mut tx,
            &self.inner.holder,
            &guards.iter().collect::<Vec<_>>(),
            Some(until),
        )
        .await?;
        tx.commit().await?;
        Ok(guards
            .iter()
            .filter(|guard| is_whole(guard, &held))
            .map(|guard| guard.epoch)
            .collect())
    }
}

/// The end of a lease that begins now.
pub(super) fn until(now: i64, ttl: Duration) -> i64 {
    now.saturating_add(int(ttl.as_millis()))
}

/// Removes leases that have run out, whoever had them.
pub(super) async fn drop_expired(tx: &mut Tx, now: i64) -> Result<(), Error> {
    let sql = "delete from lock where until <= $1 or until > $2";
    tx.execute(sql, args![now, until(now, LENGTH_MAX)]).await?;
    Ok(())
}

/// Takes each lease whose records are all free; the numbers of those taken.
pub(super) async fn acquire(tx: &mut Tx, holder: &str, mut guards: Vec<Guard>, until: i64) -> Result<Vec<i64>, Error> {
    const ACQUIRE: Bulk = Bulk {
        head: "insert into lock (mapping, side, record_id, holder, epoch, until)",
        tail: "on conflict (mapping, side, record_id) do nothing",
    };
    // In one order everywhere, so that two nodes do not wait for each other.
    guards.sort_by(|a, b| a.records.cmp(&b.records));
    let rows = guards.iter().flat_map(|guard| {
        guard.records.iter().map(|key| {
            let mut args = key_args(key);
            args.extend(args![holder, guard.epoch, until]);
            args
        })
    });
    let epochs = guards
        .iter()
        .flat_map(|guard| guard.records.iter().map(|_| guard.epoch));
    let counts = counted(tx, &ACQUIRE, epochs.collect(), rows.collect()).await?;
    if seam::has_bug(Bug::LeaseIgnored) {
        return Ok(guards.iter().map(|guard| guard.epoch).collect());
    }
    let (whole, partial): (Vec<_>, Vec<_>) = guards.iter().partition(|guard| is_whole(guard, &counts));
    release(tx, holder, &partial).await?;
    Ok(whole.into_iter().map(|guard| guard.epoch).collect())
}

fn is_whole(guard: &Guard, counts: &HashMap<i64, usize>) -> bool {
    counts.get(&guard.epoch).copied().unwrap_or_default() == guard.records.len()
}

/// Gives leases back; how many of its records each still had.
pub(super) async fn release(tx: &mut Tx, holder: &str, guards: &[&Guard]) -> Result<HashMap<i64, usize>, Error> {
    const RELEASE: Bulk = Bulk {
        head: "delete from lock where (holder, epoch) in (",
        tail: ")",
    };
    let rows = guards.iter().map(|guard| args![holder, guard.epoch]);
    let epochs = guards.iter().map(|guard| guard.epoch);
    counted(tx, &RELEASE, epochs.collect(), rows.collect()).await
}

/// Makes sure that leases stay ours until the transaction ends, and lengthens them to `until` if it is given.
pub(super) async fn hold(
    tx: &mut Tx,
    holder: &str,
    guards: &[&Guard],
    until: Option<i64>,
) -> Result<HashMap<i64, usize>, Error> {
    const HOLD: Bulk = Bulk {
        head: "update lock set until = coalesce(v.column3, lock.until) from (",
        tail: ") as v where lock.holder = v.column1 and lock.epoch = v.column2",
    };
    let mut counts = HashMap::new();
    for group in without_repeats(guards, |guard| guard.epoch) {
        let rows = group.iter().map(|guard| args![holder, guard.epoch, until]);
        let epochs = group.iter().map(|guard| guard.epoch);
        counts.extend(counted(tx, &HOLD, epochs.collect(), rows.collect()).await?);
    }
    Ok(counts)
}

/// Runs a statement for rows that belong to leases, whose numbers stand in the same order; how many records of each it
/// changed.
async fn counted(
    tx: &mut Tx,
    bulk: &Bulk,
    epochs: Vec<i64>,
    rows: Vec<Args<'_>>,
) -> Result<HashMap<i64, usize>, Error> {
    let mut counts = HashMap::new();
    match tx {
        Tx::Sqlite(tx) => {
            for (epoch, changed) in epochs.into_iter().zip(bulk.each(tx, rows)?) {
                *counts.entry(epoch).or_insert(0) += usize::try_from(changed.rows).unwrap_or_default();
            }
        }
        Tx::Postgres(tx) => {
            for Number(epoch) in bulk.returning("lock.epoch as number", tx, rows).await? {
                *counts.entry(epoch).or_insert(0) += 1;
            }
        }
    }
    Ok(counts)
}

/// Whether every lease still had all its records.
pub(super) fn check(guards: &[&Guard], counts: &HashMap<i64, usize>) -> Result<(), Error> {
    if guards.iter().all(|guard| is_whole(guard, counts)) || seam::has_bug(Bug::LeaseIgnored) {
        Ok(())
    } else {
        Err(Error::LeaseLost)
    }
}
