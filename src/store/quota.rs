//! Requests spent from a system's daily quota, counted for all nodes and across restarts.
//!
//! One row an hour. A row without an hour is what those who take at the same time wait for, so that together they never take
//! more than there is.

use chrono::{DateTime, Utc};

use super::{
    Store,
    engine::{Durability, FromRow, Row, Tx, Unread, args, int},
    error::Error,
};
use crate::core::quota;

/// What was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Requests that may be sent; none where the quota is spent.
    pub granted: u64,
    /// What is spent with them, by all nodes.
    pub spent: u64,
    /// The hour they are counted in, since 1970-01-01T00:00:00Z.
    pub hour: i64,
    /// Milliseconds until the oldest of what is spent counts no more.
    pub frees_in_ms: u64,
}

/// What was spent in an hour.
struct Hour {
    hour: i64,
    spent: u64,
}

impl FromRow for Hour {
    const TABLE: &'static str = "quota";
    const KEY: &'static str = "day";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        let text: String = row.get("day")?;
        let hour = read(&text).ok_or_else(|| Unread::new("day", "it is no hour"))?;
        Ok(Self {
            hour,
            spent: row.count("spent")?,
        })
    }
}

/// An hour as it is stored: `2026-03-02T09`, so that it sorts.
fn spell(hour: i64) -> String {
    let at = DateTime::from_timestamp(hour.saturating_mul(3_600), 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
    at.format("%Y-%m-%dT%H").to_string()
}

fn read(text: &str) -> Option<i64> {
    let at: DateTime<Utc> = format!("{text}:00:00Z").parse().ok()?;
    Some(quota::hour_of(at.timestamp_millis()))
}

impl Store {
    /// Takes up to `wanted` requests as long as no more than `max` are spent with them in 24 hours. Take in portions: every
    /// call is a write.
    pub async fn take_quota(&self, system: &str, wanted: u64, max: u64) -> Result<Taken, Error> {
        let now = self.now();
        let hour = quota::hour_of(now);
        let mut tx = self.engine().begin(Durability::Durable).await?;
        // Whoever takes at the same time waits here.
        let turn = "insert into quota (system, day, spent) values ($1, '', 0) \
             on conflict (system, day) do update set spent = 0";
        tx.execute(turn, args![system]).await?;
        let hours = counted(&mut tx, system, hour).await?;
        let spent = hours.iter().fold(0, |sum: u64, hour| sum.saturating_add(hour.spent));
        let granted = quota::portion(wanted, spent, max);
        if granted > 0 {
            let add = "insert into quota (system, day, spent) values ($1, $2, $3) \
                 on conflict (system, day) do update set spent = quota.spent + excluded.spent";
            tx.execute(add, args![system, spell(hour), int(granted)]).await?;
        }
        tx.commit().await?;
        let oldest = hours.iter().filter(|hour| hour.spent > 0).map(|hour| hour.hour).min();
        Ok(Taken {
            granted,
            spent: spent.saturating_add(granted),
            hour,
            frees_in_ms: quota::forgotten_in(oldest.unwrap_or(hour), now),
        })
    }

    /// Gives back what was taken in an hour and not sent.
    pub async fn give_back_quota(&self, system: &str, hour: i64, unused: u64) -> Result<(), Error> {
        let sql =
            "update quota set spent = case when spent > $3 then spent - $3 else 0 end where system = $1 and day = $2";
        self.engine()
            .execute(sql, args![system, spell(hour), int(unused)])
            .await?;
        Ok(())
    }

    /// What was spent in the last 24 hours, with what nodes have taken and not sent yet.
    pub async fn quota_spent(&self, system: &str) -> Result<u64, Error> {
        let hour = quota::hour_of(self.now());
        let sql = "select cast(coalesce(sum(spent), 0) as bigint) as number from quota where system = $1 and day >= $2 and day <= $3";
        let (first, last) = (spell(quota::oldest(hour)), spell(hour + quota::HOURS));
        self.engine().count(sql, args![system, first, last]).await
    }

    /// The same by the hour, since 1970-01-01T00:00:00Z, oldest first; hours in which nothing was spent are left out.
    pub async fn quota_hours(&self, system: &str) -> Result<Vec<(i64, u64)>, Error> {
        let hour = quota::hour_of(self.now());
        let sql = "select day, spent from quota where system = $1 and day >= $2 and day <= $3 order by day";
        let args = args![system, spell(quota::oldest(hour)), spell(hour + quota::HOURS)];
        let hours = self.engine().rows::<Hour>(sql, args).await?;
        Ok(hours.into_iter().map(|one| (one.hour, one.spent)).collect())
    }
}

/// The hours that count, after the others went. Hours of a day to come are nobody's: a clock was wrong.
async fn counted(tx: &mut Tx, system: &str, hour: i64) -> Result<Vec<Hour>, Error> {
    let (first, last) = (spell(quota::oldest(hour)), spell(hour + quota::HOURS));
    let forget = "delete from quota where system = $1 and day <> '' and (day < $2 or day > $3)";
    tx.execute(forget, args![system, first, last]).await?;
    tx.rows(
        "select day, spent from quota where system = $1 and day <> ''",
        args![system],
    )
    .await
}
