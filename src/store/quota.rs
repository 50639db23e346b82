//! Requests spent from a system's daily quota, counted for all nodes and across restarts.

use chrono::NaiveDate;

use super::{
    Store,
    engine::{Durability, Number, args, int},
    error::Error,
};

impl Store {
    /// Adds `requests` to what was spent on a day; the new sum. Add in portions: every call is a write.
    pub async fn spend_quota(&self, system: &str, day: NaiveDate, requests: u64) -> Result<u64, Error> {
        let sql = "insert into quota (system, day, spent) values ($1, $2, $3) \
             on conflict (system, day) do update set spent = quota.spent + excluded.spent \
             returning spent as number";
        let mut tx = self.engine().begin(Durability::Relaxed).await?;
        let sums = tx
            .rows::<Number>(sql, args![system, day.to_string(), int(requests)])
            .await?;
        tx.commit().await?;
        Ok(sums.first().map_or(0, |sum| sum.0.unsigned_abs()))
    }

    /// What was spent on a day.
    pub async fn quota_spent(&self, system: &str, day: NaiveDate) -> Result<u64, Error> {
        let sql = "select spent as number from quota where system = $1 and day = $2";
        self.engine().count(sql, args![system, day.to_string()]).await
    }
}
