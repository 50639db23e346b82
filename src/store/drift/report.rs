//! The stored report of a reconciliation: its summary, and the numbers of its finished list.

use chrono::{DateTime, Utc};

use crate::{
    core::{
        drift::{Group, Known, Oldest, Report, Since, Summary},
        status::{DriftOutcome, Side},
    },
    store::{
        Page, Store,
        bulk::Filter,
        engine::{Durability, FromRow, Number, Row, Unread, args},
        error::Error,
        scope::newest,
    },
};

/// How many of the oldest items a report names.
const OLDEST_MAX: i64 = 20;

/// The stored report of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftSummary {
    /// The run.
    pub run_id: i64,
    /// The mapping.
    pub mapping: String,
    /// The summary, as JSON of the report's own form.
    pub summary: String,
    /// What the finished list of differences says, as JSON of [`Report`]; none where an older Syncline stored it.
    pub report: Option<String>,
    /// When the run ended its comparison.
    pub created_at: DateTime<Utc>,
}

/// Reports of everything: one of what changed alone says nothing about what it did not look at.
pub(super) const WHOLE: &str = "is_whole";

const SELECT: &str = "select run_id, mapping, summary, report, created_at from drift_summary";

impl FromRow for DriftSummary {
    const TABLE: &'static str = "drift_summary";
    const KEY: &'static str = "run_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            run_id: row.get("run_id")?,
            mapping: row.get("mapping")?,
            summary: row.get("summary")?,
            report: row.get("report")?,
            created_at: row.time("created_at")?,
        })
    }
}

/// A group as a row.
struct Counted(Group);

impl FromRow for Counted {
    const TABLE: &'static str = "drift";
    const KEY: &'static str = "situation";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self(Group {
            situation: row.get("situation")?,
            cause: row.get("cause")?,
            outcome: row.get("outcome")?,
            changed: row.get::<Option<Side>>("last_changed_side")?,
            field: row.get("field")?,
            has_left: row.get::<i64>("has_left")? > 0,
            has_right: row.get::<i64>("has_right")? > 0,
            items: row.count("number")?,
        }))
    }
}

/// An old item as a row.
struct Old(Oldest);

impl FromRow for Old {
    const TABLE: &'static str = "drift";
    const KEY: &'static str = "drift_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self(Oldest {
            drift_id: row.get("drift_id")?,
            situation: row.get("situation")?,
            cause: row.get("cause")?,
            field: row.get("field")?,
            left_id: row.get("left_id")?,
            right_id: row.get("right_id")?,
            first_seen_at: row.time("first_seen_at")?,
            age_runs: u32::try_from(row.get::<i64>("age_runs")?).unwrap_or(u32::MAX),
        }))
    }
}

/// Items of two reports that are the same difference.
struct Common {
    still: u64,
    returned: u64,
}

impl FromRow for Common {
    const TABLE: &'static str = "drift";
    const KEY: &'static str = "still";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            still: row.count("still")?,
            returned: row.count("returned")?,
        })
    }
}

impl Store {
    /// Stores or replaces a run's summary, and with it what the list of differences says now that it is finished.
    pub async fn save_drift_summary(&self, run_id: i64, mapping: &str, summary: &str) -> Result<(), Error> {
        self.explain_drift(run_id).await?;
        // The list is finished: nobody changes it between these reads and the write.
        let report = self.drift_report(run_id, mapping, summary).await?;
        let report = serde_json::to_string(&report).unwrap_or_default();
        let sql = "insert into drift_summary (run_id, mapping, summary, report, created_at, is_whole) \
             values ($1, $2, $3, $4, $5, \
             not exists (select 1 from run as r where r.run_id = $1 and r.kind = 'incremental')) \
             on conflict (run_id) do update set summary = excluded.summary, report = excluded.report, \
             created_at = excluded.created_at";
        self.engine()
            .execute(sql, args![run_id, mapping, summary, &report, self.now()])
            .await
            .map(drop)
    }

    /// A run's summary.
    pub async fn drift_summary(&self, run_id: i64) -> Result<Option<DriftSummary>, Error> {
        let sql = format!("{SELECT} where run_id = $1");
        let found = self.engine().row::<DriftSummary>(sql, args![run_id]).await?;
        Ok(found.filter(|report| self.sees_mapping(Some(&report.mapping))))
    }

    /// The last reports of a mapping (of all mappings if none is given), newest first, also those of what changed alone.
    pub async fn drift_reports(&self, mapping: Option<&str>, page: Page) -> Result<Vec<DriftSummary>, Error> {
        let mut found = Vec::new();
        for mapping in self.asked_mappings(mapping) {
            let mut filter = Filter::new();
            filter.maybe("mapping =", mapping);
            let (sql, args) = filter.page(SELECT, "run_id", page);
            found.extend(self.engine().rows::<DriftSummary>(sql, args).await?);
        }
        Ok(newest(found, page, |report| report.run_id))
    }

    /// The last summaries of a mapping (of all mappings if none is given), newest first: the trend. Comparisons of what changed
    /// alone do not stand in it.
    pub async fn drift_trend(&self, mapping: Option<&str>, limit: u32) -> Result<Vec<DriftSummary>, Error> {
        self.drift_trend_before(mapping, None, limit).await
    }

    /// As [`Store::drift_trend`], of runs before `run_id` only.
    pub async fn drift_trend_before(
        &self,
        mapping: Option<&str>,
        run_id: Option<i64>,
        limit: u32,
    ) -> Result<Vec<DriftSummary>, Error> {
        let page = Page { before: run_id, limit };
        let mut found = Vec::new();
        for mapping in self.asked_mappings(mapping) {
            let mut filter = Filter::new();
            filter.maybe("mapping =", mapping);
            filter.raw(WHOLE);
            let (sql, args) = filter.page(SELECT, "run_id", page);
            found.extend(self.engine().rows::<DriftSummary>(sql, args).await?);
        }
        Ok(newest(found, page, |report| report.run_id))
    }

    /// Copies to the items of a run what the failures behind them know, since failures go before reports do; and finds the
    /// failures of those whose repair has just failed.
    async fn explain_drift(&self, run_id: i64) -> Result<(), Error> {
        let open = "select f.failure_id from failure as f where f.mapping = drift.mapping \
             and f.status in ('retrying', 'open', 'parked')";
        let failed = format!(
            "update drift set failure_id = coalesce(\
             ({open} and f.side = 'left' and f.record_id = drift.left_id), \
             ({open} and f.side = 'right' and f.record_id = drift.right_id)) \
             where run_id = $1 and failure_id is null and outcome = 'failed'"
        );
        let explained = "update drift set \
             event_id = coalesce(event_id, (select f.event_id from failure as f where f.failure_id = drift.failure_id)), \
             cause_run_id = (select f.run_id from failure as f where f.failure_id = drift.failure_id) \
             where run_id = $1 and failure_id is not null";
        let mut tx = self.engine().begin(Durability::Durable).await?;
        tx.execute(failed, args![run_id]).await?;
        tx.execute(explained, args![run_id]).await?;
        tx.commit().await
    }

    /// What the list of differences of a run says; counted by the database, whatever its length.
    async fn drift_report(&self, run_id: i64, mapping: &str, summary: &str) -> Result<Report, Error> {
        let sql = "select situation, cause, outcome, last_changed_side, field, \
             cast(case when left_id is null then 0 else 1 end as bigint) as has_left, \
             cast(case when right_id is null then 0 else 1 end as bigint) as has_right, count(*) as number \
             from drift where run_id = $1 \
             group by situation, cause, outcome, last_changed_side, field, \
             case when left_id is null then 0 else 1 end, case when right_id is null then 0 else 1 end";
        let counted = self.engine().rows::<Counted>(sql, args![run_id]).await?;
        let groups: Vec<Group> = counted.into_iter().map(|Counted(group)| group).collect();
        let listed = groups.iter().filter(|group| group.outcome != DriftOutcome::Ignored);
        let items = listed.map(|group| group.items).sum();
        let sql = "select drift_id, situation, cause, field, left_id, right_id, first_seen_at, age_runs from drift \
             where run_id = $1 and outcome <> 'ignored' order by first_seen_at, drift_id limit $2";
        let oldest = self.engine().rows::<Old>(sql, args![run_id, OLDEST_MAX]).await?;
        let ignored = "select count(*) as number from conflict where mapping = $1 and status = 'ignored'";
        let known = Known {
            ignored: self.engine().count(ignored, args![mapping]).await?,
            since: self.drift_since(run_id, mapping, items).await?,
            oldest: oldest.into_iter().map(|Old(item)| item).collect(),
        };
        // A summary that a newer Syncline wrote is left as it is.
        let summary: Summary = serde_json::from_str(summary).unwrap_or_default();
        Ok(Report::of(&summary, &groups, known))
    }

    /// What changed since the report of everything before, in the `items` of a run.
    async fn drift_since(&self, run_id: i64, mapping: &str, items: u64) -> Result<Option<Since>, Error> {
        let last = format!(
            "select run_id as number from drift_summary where mapping = $1 and run_id < $2 and {WHOLE} \
             order by run_id desc limit 1"
        );
        let Some(Number(before)) = self.engine().row(last, args![mapping, run_id]).await? else {
            return Ok(None);
        };
        let count = "select count(*) as number from drift where run_id = $1 and outcome <> 'ignored'";
        let items_before = self.engine().count(count, args![before]).await?;
        let (mut still, mut returned) = (0, 0);
        for by in [
            "p.left_id = d.left_id and coalesce(p.right_id, '') = coalesce(d.right_id, '') where d.run_id = $2",
            "p.left_id is null and p.right_id = d.right_id where d.run_id = $2 and d.left_id is null",
        ] {
            let sql = format!(
                "select coalesce(sum(case when p.outcome = 'repaired' then 0 else 1 end), 0) as still, \
                 coalesce(sum(case when p.outcome = 'repaired' then 1 else 0 end), 0) as returned \
                 from drift as d join drift as p on p.run_id = $1 and coalesce(p.field, '') = coalesce(d.field, '') \
                 and p.outcome <> 'ignored' and d.outcome <> 'ignored' and {by}"
            );
            if let Some(common) = self.engine().row::<Common>(sql, args![before, run_id]).await? {
                still += common.still;
                returned += common.returned;
            }
        }
        Ok(Some(Since {
            run_id: before,
            new: items.saturating_sub(still + returned),
            still,
            returned,
            gone: items_before.saturating_sub(still + returned),
        }))
    }
}
