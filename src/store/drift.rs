//! Drift: what a reconciliation found, item by item, and one summary a run.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::{
    Context, Page, Store,
    bulk::{Bulk, Filter, LIST_MAX, in_list},
    engine::{FromRow, Number, Row, Tx, Unread, args, int},
    error::Error,
    seal::{Place, Sealer},
};
use crate::core::status::{Cause, DriftOutcome, Side, Situation};

/// One difference found: a record, or a field of a pair.
#[derive(Debug, Clone)]
pub struct NewDrift {
    /// The run that found it.
    pub run_id: i64,
    /// The mapping.
    pub mapping: Arc<str>,
    /// What was found.
    pub situation: Situation,
    /// Why.
    pub cause: Cause,
    /// The field that differs; none for what concerns the whole record.
    pub field: Option<String>,
    /// Id of the left record.
    pub left_id: Option<String>,
    /// Id of the right record.
    pub right_id: Option<String>,
    /// The left value, as it is shown.
    pub left_value: Option<String>,
    /// The right value, as it is shown.
    pub right_value: Option<String>,
    /// Whether the values are kept sealed and shown by role.
    pub sensitive: bool,
    /// When it was first seen; none for now.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// How many runs in a row have found it, this one included.
    pub age_runs: u32,
    /// The side that changed last.
    pub last_changed_side: Option<Side>,
    /// What became of it.
    pub outcome: DriftOutcome,
    /// A remark.
    pub note: Option<String>,
    /// The failure that explains it.
    pub failure_id: Option<i64>,
}

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
}

/// A run's summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftSummary {
    /// The run.
    pub run_id: i64,
    /// The mapping.
    pub mapping: String,
    /// The summary, as JSON of the report's own form.
    pub summary: String,
    /// When the run ended its comparison.
    pub created_at: DateTime<Utc>,
}

const SELECT: &str = "select drift_id, run_id, mapping, situation, cause, field, left_id, right_id, left_value, \
     right_value, left_sealed, right_sealed, sensitive, first_seen_at, age_runs, last_changed_side, outcome, note, \
     failure_id from drift";

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

impl FromRow for DriftSummary {
    const TABLE: &'static str = "drift_summary";
    const KEY: &'static str = "run_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            run_id: row.get("run_id")?,
            mapping: row.get("mapping")?,
            summary: row.get("summary")?,
            created_at: row.time("created_at")?,
        })
    }
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
        let (sql, args) = wanted(run_id, filter).page(SELECT, "drift_id", page);
        let found = self.engine().rows::<Closed>(sql, args).await?;
        found.into_iter().map(|item| item.open(self.sealer())).collect()
    }

    /// How many items of a run fit `filter`.
    pub async fn drift_count(&self, run_id: i64, filter: &DriftFilter) -> Result<u64, Error> {
        let wanted = wanted(run_id, filter);
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
        let last = "select run_id as number from drift_summary where mapping = $1 and run_id < $2 \
             order by run_id desc limit 1";
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
                let list = in_list(ids, &mut args);
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

    /// Stores or replaces a run's summary.
    pub async fn save_drift_summary(&self, run_id: i64, mapping: &str, summary: &str) -> Result<(), Error> {
        let sql = "insert into drift_summary (run_id, mapping, summary, created_at) values ($1, $2, $3, $4) \
             on conflict (run_id) do update set summary = excluded.summary, created_at = excluded.created_at";
        self.engine()
            .execute(sql, args![run_id, mapping, summary, self.now()])
            .await
            .map(drop)
    }

    /// A run's summary.
    pub async fn drift_summary(&self, run_id: i64) -> Result<Option<DriftSummary>, Error> {
        let sql = "select run_id, mapping, summary, created_at from drift_summary where run_id = $1";
        self.engine().row(sql, args![run_id]).await
    }

    /// The last summaries of a mapping (of all mappings if none is given), newest first: the trend.
    pub async fn drift_trend(&self, mapping: Option<&str>, limit: u32) -> Result<Vec<DriftSummary>, Error> {
        let mut filter = Filter::new();
        filter.maybe("mapping =", mapping);
        let select = "select run_id, mapping, summary, created_at from drift_summary";
        let (sql, args) = filter.page(select, "run_id", Page::first(limit));
        self.engine().rows(sql, args).await
    }
}

fn wanted(run_id: i64, filter: &DriftFilter) -> Filter<'_> {
    let mut wanted = Filter::new();
    wanted.and("run_id =", run_id);
    wanted.maybe("situation =", filter.situation);
    wanted.maybe("cause =", filter.cause);
    wanted.maybe("field =", filter.field.as_deref());
    wanted.maybe("outcome =", filter.outcome);
    if let Some(record_id) = &filter.record_id {
        wanted.either(&["left_id =", "right_id ="], record_id);
    }
    wanted
}

/// Stores items.
pub(super) async fn add(tx: &mut Tx, context: &Context<'_>, items: &[&NewDrift]) -> Result<(), Error> {
    const ADD: Bulk = Bulk {
        head: "insert into drift (run_id, mapping, situation, cause, field, left_id, right_id, left_value, \
               right_value, left_sealed, right_sealed, sensitive, first_seen_at, age_runs, last_changed_side, \
               outcome, note, failure_id)",
        tail: "",
    };
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        let row = place_row(
            item.run_id,
            item.left_id.as_deref(),
            item.right_id.as_deref(),
            item.field.as_deref(),
        );
        let seal = |column, value| context.sealer.seal_text(place(column, &row), value);
        let (shown, sealed) = if item.sensitive {
            let sealed = (
                seal("left_sealed", item.left_value.as_deref())?,
                seal("right_sealed", item.right_value.as_deref())?,
            );
            ((&None, &None), sealed)
        } else {
            ((&item.left_value, &item.right_value), (None, None))
        };
        rows.push(args![
            item.run_id,
            &item.mapping,
            item.situation,
            item.cause,
            &item.field,
            &item.left_id,
            &item.right_id,
            shown.0,
            shown.1,
            sealed.0,
            sealed.1,
            item.sensitive,
            item.first_seen_at.map_or(context.now, |time| time.timestamp_millis()),
            int(item.age_runs),
            item.last_changed_side,
            item.outcome,
            &item.note,
            item.failure_id,
        ]);
    }
    ADD.execute(tx, rows).await?;
    Ok(())
}

/// What became of the items of a pair, once its repair was tried.
#[derive(Debug, Clone)]
pub struct SettledDrift {
    /// The run that found them.
    pub run_id: i64,
    /// Id of the left record.
    pub left_id: Option<String>,
    /// Id of the right record.
    pub right_id: Option<String>,
    /// What became of them.
    pub outcome: DriftOutcome,
    /// A remark.
    pub note: Option<String>,
}

/// Stores what became of items.
pub(super) async fn settle(tx: &mut Tx, items: &[&SettledDrift]) -> Result<(), Error> {
    const BY_LEFT: Bulk = Bulk {
        head: "update drift set outcome = v.column3, note = coalesce(v.column4, drift.note) from (",
        tail: ") as v where drift.run_id = v.column1 and drift.left_id = v.column2",
    };
    const BY_RIGHT: Bulk = Bulk {
        head: "update drift set outcome = v.column3, note = coalesce(v.column4, drift.note) from (",
        tail: ") as v where drift.run_id = v.column1 and drift.left_id is null and drift.right_id = v.column2",
    };
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for item in items {
        match (&item.left_id, &item.right_id) {
            (Some(id), _) => left.push(args![item.run_id, id, item.outcome, &item.note]),
            (None, Some(id)) => right.push(args![item.run_id, id, item.outcome, &item.note]),
            (None, None) => {}
        }
    }
    BY_LEFT.execute(tx, left).await?;
    BY_RIGHT.execute(tx, right).await?;
    Ok(())
}
