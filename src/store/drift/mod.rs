//! Drift: what a reconciliation found, item by item, and one summary a run.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};

mod put;
mod report;

pub use put::{NewDrift, SettledDrift};
pub(super) use put::{add, settle};
pub use report::DriftSummary;

use super::{
    Page, Store,
    bulk::{Filter, LIST_MAX},
    engine::{Arg, Args, FromRow, Number, Row, Unread, args},
    error::Error,
    seal::{Place, Sealer},
};
use crate::core::status::{Cause, DriftOutcome, Side, Situation};

/// A stored drift item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Our id of it.
    pub drift_id: i64,
    /// The run that found it.
    pub run_id: i64,
    /// The mapping.
    pub mapping: Arc<str>,
    /// What was found.
    pub situation: Situation,
    /// Why.
    pub cause: Cause,
    /// The field that differs.
    pub field: Option<String>,
    /// Id of the left record.
    pub left_id: Option<String>,
    /// Id of the right record.
    pub right_id: Option<String>,
    /// The left value.
    pub left_value: Option<String>,
    /// The right value.
    pub right_value: Option<String>,
    /// Whether the values may be shown only to some roles.
    pub sensitive: bool,
    /// When it was first seen.
    pub first_seen_at: DateTime<Utc>,
    /// How many runs in a row have found it.
    pub age_runs: u32,
    /// The side that changed last.
    pub last_changed_side: Option<Side>,
    /// What became of it.
    pub outcome: DriftOutcome,
    /// A remark.
    pub note: Option<String>,
    /// The failure that explains it.
    pub failure_id: Option<i64>,
    /// The event that tells of the change, or brought the failure up.
    pub event_id: Option<i64>,
    /// The run in which the failure happened last.
    pub cause_run_id: Option<i64>,
}

/// Names a difference across runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DriftKey {
    /// Id of the left record.
    pub left_id: Option<String>,
    /// Id of the right record.
    pub right_id: Option<String>,
    /// The field.
    pub field: Option<String>,
}

/// What the run before knew of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriftPast {
    /// When it was first seen.
    pub first_seen_at: DateTime<Utc>,
    /// How many runs in a row had found it.
    pub age_runs: u32,
}

/// Which items of a run to list.
#[derive(Debug, Clone, Default)]
pub struct DriftFilter {
    /// With this situation.
    pub situation: Option<Situation>,
    /// With this cause.
    pub cause: Option<Cause>,
    /// Of this field.
    pub field: Option<String>,
    /// With this outcome.
    pub outcome: Option<DriftOutcome>,
    /// Of this record, on either side.
    pub record_id: Option<String>,
    /// Where this side changed last.
    pub side: Option<Side>,
    /// First seen at this time or before.
    pub first_seen_by: Option<DateTime<Utc>>,
}

const SELECT: &str = "select drift_id, run_id, mapping, situation, cause, field, left_id, right_id, left_value, \
     right_value, left_sealed, right_sealed, sensitive, first_seen_at, age_runs, last_changed_side, outcome, note, \
     failure_id, event_id, cause_run_id from drift";

/// An item whose sealed values are not opened yet.
struct Closed {
    item: Drift,
    left: Option<Vec<u8>>,
    right: Option<Vec<u8>>,
}

impl FromRow for Closed {
    const TABLE: &'static str = "drift";
    const KEY: &'static str = "drift_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            item: Drift {
                drift_id: row.get("drift_id")?,
                run_id: row.get("run_id")?,
                mapping: row.shared("mapping")?,
                situation: row.get("situation")?,
                cause: row.get("cause")?,
                field: row.get("field")?,
                left_id: row.get("left_id")?,
                right_id: row.get("right_id")?,
                left_value: row.get("left_value")?,
                right_value: row.get("right_value")?,
                sensitive: row.get("sensitive")?,
                first_seen_at: row.time("first_seen_at")?,
                age_runs: u32::try_from(row.get::<i64>("age_runs")?).unwrap_or(u32::MAX),
                last_changed_side: row.get("last_changed_side")?,
                outcome: row.get("outcome")?,
                note: row.get("note")?,
                failure_id: row.get("failure_id")?,
                event_id: row.get("event_id")?,
                cause_run_id: row.get("cause_run_id")?,
            },
            left: row.get("left_sealed")?,
            right: row.get("right_sealed")?,
        })
    }
}

impl Closed {
    fn open(mut self, sealer: &Sealer) -> Result<Drift, Error> {
        if self.item.sensitive {
            let item = &self.item;
            let row = place_row(
                item.run_id,
                item.left_id.as_deref(),
                item.right_id.as_deref(),
                item.field.as_deref(),
            );
            let left = sealer.open_text(place("left_sealed", &row), self.left.as_deref())?;
            let right = sealer.open_text(place("right_sealed", &row), self.right.as_deref())?;
            self.item.left_value = left;
            self.item.right_value = right;
        }
        Ok(self.item)
    }
}

const fn place<'a>(column: &'static str, row: &'a str) -> Place<'a> {
    Place {
        table: "drift",
        column,
        row,
    }
}

fn place_row(run_id: i64, left: Option<&str>, right: Option<&str>, field: Option<&str>) -> String {
    let [left, right, field] = [left, right, field].map(Option::unwrap_or_default);
    format!("{run_id}/{left}/{right}/{field}")
}

struct Past(DriftKey, DriftPast);

impl FromRow for Past {
    const TABLE: &'static str = "drift";
    const KEY: &'static str = "left_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        let key = DriftKey {
            left_id: row.get("left_id")?,
            right_id: row.get("right_id")?,
            field: row.get("field")?,
        };
        let past = DriftPast {
            first_seen_at: row.time("first_seen_at")?,
            age_runs: u32::try_from(row.get::<i64>("age_runs")?).unwrap_or(u32::MAX),
        };
        Ok(Self(key, past))
    }
}

impl Store {
    /// Items of a run that fit `filter`, newest first.
    pub async fn drift(&self, run_id: i64, filter: &DriftFilter, page: Page) -> Result<Vec<Drift>, Error> {
        let (sql, args) = self.wanted_drift(run_id, filter).page(SELECT, "drift_id", page);
        let found = self.engine().rows::<Closed>(sql, args).await?;
        found.into_iter().map(|item| item.open(self.sealer())).collect()
    }

    /// Items of a run that fit `filter`, in the order in which they were found, after the item `after`: for whoever goes
    /// through all of them.
    pub async fn drift_after(
        &self,
        run_id: i64,
        filter: &DriftFilter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Drift>, Error> {
        let mut wanted = self.wanted_drift(run_id, filter);
        wanted.and("drift_id >", after);
        let mut args: Args<'_> = wanted.args.clone();
        args.push(Arg::from(i64::from(limit)));
        let sql = format!("{SELECT}{} order by drift_id limit ${}", wanted.clause(), args.len());
        let found = self.engine().rows::<Closed>(sql, args).await?;
        found.into_iter().map(|item| item.open(self.sealer())).collect()
    }

    /// Items of a record in the reports of a mapping, newest first, whichever side its id is of.
    pub async fn drift_of(&self, mapping: &str, side: Side, record_id: &str, limit: u32) -> Result<Vec<Drift>, Error> {
        let column = match side {
            Side::Left => "left_id",
            Side::Right => "right_id",
        };
        let sql = format!(
            "{SELECT} where run_id in (select run_id from drift_summary where mapping = $1) and {column} = $2 \
             order by drift_id desc limit $3"
        );
        let found = self
            .engine()
            .rows::<Closed>(sql, args![mapping, record_id, i64::from(limit)])
            .await?;
        found.into_iter().map(|item| item.open(self.sealer())).collect()
    }

    /// Items of a mapping's last report that show this very value on a side, newest first. Sensitive values are sealed and not
    /// found.
    pub async fn drift_showing(&self, mapping: &str, value: &str, limit: u32) -> Result<Vec<Drift>, Error> {
        let sql = format!(
            "{SELECT} where run_id = (select max(run_id) from drift_summary where mapping = $1 and {}) \
             and (left_value = $2 or right_value = $2) order by drift_id desc limit $3",
            report::WHOLE
        );
        let found = self
            .engine()
            .rows::<Closed>(sql, args![mapping, value, i64::from(limit)])
            .await?;
        found.into_iter().map(|item| item.open(self.sealer())).collect()
    }

    /// How many items of a run fit `filter`.
    pub async fn drift_count(&self, run_id: i64, filter: &DriftFilter) -> Result<u64, Error> {
        let wanted = self.wanted_drift(run_id, filter);
        let sql = format!("select count(*) as number from drift{}", wanted.clause());
        self.engine().count(sql, wanted.args).await
    }

    /// What the last reconciliation before `run_id` knew of the differences of these records. Give the ids of one
    /// side; an item without that id is found by the other side's.
    pub async fn drift_history(
        &self,
        mapping: &str,
        run_id: i64,
        keys: &[DriftKey],
    ) -> Result<HashMap<DriftKey, DriftPast>, Error> {
        let last = format!(
            "select run_id as number from drift_summary where mapping = $1 and run_id < $2 and {} \
             order by run_id desc limit 1",
            report::WHOLE
        );
        let Some(Number(before)) = self.engine().row(last, args![mapping, run_id]).await? else {
            return Ok(HashMap::new());
        };
        let left = keys.iter().filter_map(|key| key.left_id.as_deref()).collect::<Vec<_>>();
        let right = keys
            .iter()
            .filter(|key| key.left_id.is_none())
            .filter_map(|key| key.right_id.as_deref())
            .collect::<Vec<_>>();
        let mut found = HashMap::new();
        for (column, ids) in [("left_id", left), ("right_id", right)] {
            for ids in ids.chunks(LIST_MAX) {
                let mut args = args![before];
                let list = self.engine().in_list(ids, &mut args);
                let sql = format!(
                    "select left_id, right_id, field, first_seen_at, age_runs from drift \
                     where run_id = $1 and {column} in {list}"
                );
                let rows = self.engine().rows::<Past>(sql, args).await?;
                found.extend(rows.into_iter().map(|Past(key, past)| (key, past)));
            }
        }
        let wanted = keys.iter().collect::<HashSet<_>>();
        found.retain(|key, _| wanted.contains(key));
        Ok(found)
    }

    /// Forgets the items of a run that is gone through anew.
    pub async fn clear_drift(&self, run_id: i64) -> Result<(), Error> {
        let sql = "delete from drift where run_id = $1";
        self.engine().execute(sql, args![run_id]).await.map(drop)
    }

    fn wanted_drift<'a>(&'a self, run_id: i64, filter: &'a DriftFilter) -> Filter<'a> {
        let mut wanted = wanted(run_id, filter);
        if let Some(scope) = &self.scope {
            wanted.among("mapping", scope.mappings.iter().map(String::as_str));
        }
        wanted
    }
}

fn wanted(run_id: i64, filter: &DriftFilter) -> Filter<'_> {
    let mut wanted = Filter::new();
    wanted.and("run_id =", run_id);
    wanted.maybe("situation =", filter.situation);
    wanted.maybe("cause =", filter.cause);
    wanted.maybe("field =", filter.field.as_deref());
    wanted.maybe("outcome =", filter.outcome);
    wanted.maybe("last_changed_side =", filter.side);
    wanted.maybe("first_seen_at <=", filter.first_seen_by);
    if let Some(record_id) = &filter.record_id {
        wanted.either(&["left_id =", "right_id ="], record_id);
    }
    wanted
}
