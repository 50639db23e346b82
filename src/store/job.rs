//! Scheduled jobs: a job runs once a local date, whatever the clock, daylight saving or a second node does.

use chrono::NaiveDate;

use super::{
    Store,
    engine::{FromRow, Row, Unread, args},
    error::Error,
};

struct Date(NaiveDate);

impl FromRow for Date {
    const TABLE: &'static str = "job";
    const KEY: &'static str = "local_date";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        let text: String = row.get("local_date")?;
        text.parse()
            .map(Self)
            .map_err(|_| Unread::new("local_date", "it is no date"))
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

    /// The last date a job was claimed for: tells what was missed while nobody ran.
    pub async fn last_job_date(&self, name: &str) -> Result<Option<NaiveDate>, Error> {
        let sql = "select local_date from job where name = $1 order by local_date desc limit 1";
        Ok(self.engine().row::<Date>(sql, args![name]).await?.map(|date| date.0))
    }
}
