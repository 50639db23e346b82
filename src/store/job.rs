//! Scheduled jobs: a job runs once a local date, whatever the clock, daylight saving or a second node does.

use chrono::NaiveDate;

use super::{
    Store,
    engine::{FromRow, Row, Unread, args},
    error::Error,
};

/// A run of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// The date it is for, in the job's own time zone.
    pub date: NaiveDate,
    /// Whether it came to its end; if not, it is at work or was cut off.
    pub is_ended: bool,
}

impl FromRow for Job {
    const TABLE: &'static str = "job";
    const KEY: &'static str = "local_date";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        let text: String = row.get("local_date")?;
        let date = text.parse();
        Ok(Self {
            date: date.map_err(|_| Unread::new("local_date", "it is no date"))?,
            is_ended: row.maybe_time("ended_at")?.is_some(),
        })
    }
}

impl Store {
    /// Claims the run of a job for a date in the job's own time zone; whether it was still free.
    pub async fn claim_job(&self, name: &str, local_date: NaiveDate) -> Result<bool, Error> {
        let sql = "insert into job (name, local_date, node, claimed_at) values ($1, $2, $3, $4) \
             on conflict (name, local_date) do nothing";
        let args = args![name, local_date.to_string(), self.node(), self.now()];
        Ok(self.engine().execute(sql, args).await? > 0)
    }

    /// Gives a claimed run back, when it could not begin.
    pub async fn unclaim_job(&self, name: &str, local_date: NaiveDate) -> Result<(), Error> {
        let sql = "delete from job where name = $1 and local_date = $2";
        self.engine()
            .execute(sql, args![name, local_date.to_string()])
            .await
            .map(drop)
    }

    /// Counts a date as done that nothing is run for: in one step, so that no node takes it for a run that was cut off.
    pub async fn skip_job(&self, name: &str, local_date: NaiveDate) -> Result<(), Error> {
        let sql = "insert into job (name, local_date, node, claimed_at, ended_at) values ($1, $2, $3, $4, $4) \
             on conflict (name, local_date) do update set ended_at = excluded.ended_at";
        let args = args![name, local_date.to_string(), self.node(), self.now()];
        self.engine().execute(sql, args).await.map(drop)
    }

    /// The claimed run of a job has come to its end.
    pub async fn finish_job(&self, name: &str, local_date: NaiveDate) -> Result<(), Error> {
        let sql = "update job set ended_at = $3 where name = $1 and local_date = $2";
        let args = args![name, local_date.to_string(), self.now()];
        self.engine().execute(sql, args).await.map(drop)
    }

    /// The last run of a job that was claimed: tells what was missed while nobody ran, and what was cut off.
    pub async fn last_job(&self, name: &str) -> Result<Option<Job>, Error> {
        let sql = "select local_date, ended_at from job where name = $1 order by local_date desc limit 1";
        self.engine().row(sql, args![name]).await
    }
}
