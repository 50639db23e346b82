//! Failures: records that could not be synchronized, the dead letter. A record has one open failure at a time, and so has a
//! pair: whichever of its records came up last, the failure stands under that one.

use std::{cmp::Reverse, collections::BTreeMap};

use chrono::{DateTime, Utc};

use super::{
    Context, Op, Page, Store,
    bulk::{Bulk, Filter, LIST_MAX, without_repeats},
    change::key_args,
    engine::{FromRow, Row, Tx, Unread, args},
    error::Error,
    scope::newest,
};
use crate::core::{
    fault::Fault,
    record::RecordKey,
    status::{FailureClass, FailureStatus, Side, Stage},
};

/// A try that failed. Opens a failure of the record, or counts one up.
#[derive(Debug, Clone)]
pub struct NewFailure {
    /// The run.
    pub run_id: Option<i64>,
    /// The record; its side is where the data came from.
    pub key: RecordKey,
    /// Id of the left record, as far as it is known.
    pub left_id: Option<String>,
    /// Id of the right record, as far as it is known.
    pub right_id: Option<String>,
    /// What went wrong.
    pub fault: Fault,
    /// How the failure stands now: `Retrying`, `Open` or `Parked`.
    pub status: FailureStatus,
    /// When it is tried again by itself.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// The event that brought the record up.
    pub event_id: Option<i64>,
}

/// A stored failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Our id of it.
    pub failure_id: i64,
    /// The run that failed last.
    pub run_id: Option<i64>,
    /// The record.
    pub key: RecordKey,
    /// Id of the left record.
    pub left_id: Option<String>,
    /// Id of the right record.
    pub right_id: Option<String>,
    /// What happens next.
    pub class: FailureClass,
    /// Where on the way it failed.
    pub stage: Stage,
    /// How it stands.
    pub status: FailureStatus,
    /// The fault's code.
    pub code: String,
    /// The other side's HTTP status.
    pub http_status: Option<u16>,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The field concerned.
    pub field: Option<String>,
    /// Tries that failed.
    pub attempts: u64,
    /// When it failed first.
    pub first_at: DateTime<Utc>,
    /// When it failed last.
    pub last_at: DateTime<Utc>,
    /// When it is tried again by itself.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When it was resolved or ignored.
    pub resolved_at: Option<DateTime<Utc>>,
    /// The event that brought the record up.
    pub event_id: Option<i64>,
}

/// Which failures to list.
#[derive(Debug, Clone, Default)]
pub struct FailureFilter {
    /// Of this run.
    pub run_id: Option<i64>,
    /// Of this mapping.
    pub mapping: Option<String>,
    /// Of this record.
    pub record_id: Option<String>,
    /// Of this class.
    pub class: Option<FailureClass>,
    /// At this stage.
    pub stage: Option<Stage>,
    /// With this code.
    pub code: Option<String>,
    /// How they stand.
    pub standing: Standing,
    /// Failed last at this time or later.
    pub since: Option<DateTime<Utc>>,
}

/// How the failures to list stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// `Retrying`, `Open` or `Parked`.
    #[default]
    Unresolved,
    /// Whatever their status.
    Any,
    /// With this status.
    Only(FailureStatus),
}

/// By what failures are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureGroup {
    /// The mapping.
    Mapping,
    /// The class.
    Class,
    /// The stage.
    Stage,
    /// The fault's code.
    Code,
    /// The status.
    Status,
}

const SELECT: &str = "select failure_id, run_id, mapping, side, record_id, left_id, right_id, class, stage, status, \
     code, http_status, message, hint, field, attempts, first_at, last_at, next_attempt_at, resolved_at, event_id \
     from failure";

const UNRESOLVED: &str = "status in ('retrying', 'open', 'parked')";

impl FromRow for Failure {
    const TABLE: &'static str = "failure";
    const KEY: &'static str = "failure_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            failure_id: row.get("failure_id")?,
            run_id: row.get("run_id")?,
            key: row.key()?,
            left_id: row.get("left_id")?,
            right_id: row.get("right_id")?,
            class: row.get("class")?,
            stage: row.get("stage")?,
            status: row.get("status")?,
            code: row.get("code")?,
            http_status: row
                .get::<Option<i64>>("http_status")?
                .and_then(|status| u16::try_from(status).ok()),
            message: row.get("message")?,
            hint: row.get("hint")?,
            field: row.get("field")?,
            attempts: row.count("attempts")?,
            first_at: row.time("first_at")?,
            last_at: row.time("last_at")?,
            next_attempt_at: row.maybe_time("next_attempt_at")?,
            resolved_at: row.maybe_time("resolved_at")?,
            event_id: row.get("event_id")?,
        })
    }
}

struct Group(String, u64);

impl FromRow for Group {
    const TABLE: &'static str = "failure";
    const KEY: &'static str = "name";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self(row.get("name")?, row.count("number")?))
    }
}

impl Store {
    /// Failures that fit `filter`, newest first.
    pub async fn failures(&self, filter: &FailureFilter, page: Page) -> Result<Vec<Failure>, Error> {
        let mut found = Vec::new();
        for mapping in self.asked_mappings(filter.mapping.as_deref()) {
            let (sql, args) = wanted(mapping, filter).page(SELECT, "failure_id", page);
            found.extend(self.engine().rows::<Failure>(sql, args).await?);
        }
        Ok(newest(found, page, |failure| failure.failure_id))
    }

    /// One failure.
    pub async fn failure(&self, failure_id: i64) -> Result<Option<Failure>, Error> {
        let sql = format!("{SELECT} where failure_id = $1");
        let found = self.engine().row::<Failure>(sql, args![failure_id]).await?;
        Ok(found.filter(|failure| self.sees_mapping(Some(&failure.key.mapping))))
    }

    /// The unresolved failure of a record.
    pub async fn open_failure(&self, key: &RecordKey) -> Result<Option<Failure>, Error> {
        let sql = format!("{SELECT} where mapping = $1 and side = $2 and record_id = $3 and {UNRESOLVED}");
        self.engine().row(sql, key_args(key)).await
    }

    /// The unresolved failures of many records; those without one are missing in the answer.
    pub async fn open_failures(&self, mapping: &str, side: Side, record_ids: &[&str]) -> Result<Vec<Failure>, Error> {
        let mut found = Vec::new();
        for ids in record_ids.chunks(LIST_MAX) {
            let mut args = args![mapping, side];
            let list = self.engine().in_list(ids, &mut args);
            let sql = format!("{SELECT} where mapping = $1 and side = $2 and record_id in {list} and {UNRESOLVED}");
            found.extend(self.engine().rows::<Failure>(sql, args).await?);
        }
        Ok(found)
    }

    /// How many failures fit `filter`.
    pub async fn failure_count(&self, filter: &FailureFilter) -> Result<u64, Error> {
        let mut count = 0;
        for mapping in self.asked_mappings(filter.mapping.as_deref()) {
            let wanted = wanted(mapping, filter);
            let sql = format!("select count(*) as number from failure{}", wanted.clause());
            count += self.engine().count(sql, wanted.args).await?;
        }
        Ok(count)
    }

    /// How many failures fit `filter`, by group, the largest first.
    pub async fn failure_groups(&self, filter: &FailureFilter, by: FailureGroup) -> Result<Vec<(String, u64)>, Error> {
        let column = match by {
            FailureGroup::Mapping => "mapping",
            FailureGroup::Class => "class",
            FailureGroup::Stage => "stage",
            FailureGroup::Code => "code",
            FailureGroup::Status => "status",
        };
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for mapping in self.asked_mappings(filter.mapping.as_deref()) {
            let wanted = wanted(mapping, filter);
            let sql = format!(
                "select {column} as name, count(*) as number from failure{} group by {column}",
                wanted.clause()
            );
            for Group(name, number) in self.engine().rows::<Group>(sql, wanted.args).await? {
                *counts.entry(name).or_default() += number;
            }
        }
        let mut groups: Vec<(String, u64)> = counts.into_iter().collect();
        groups.sort_by_key(|(_, number)| Reverse(*number));
        Ok(groups)
    }

    /// Marks an unresolved failure as none, together with what goes with it; whether there was one.
    pub async fn ignore_failure(&self, failure_id: i64, with: Vec<Op>) -> Result<bool, Error> {
        let sql = "update failure set status = 'ignored', next_attempt_at = null, resolved_at = $2 \
             where failure_id = $1 and status in ('retrying', 'open', 'parked')";
        Ok(self.decide(sql, args![failure_id, self.now()], |_| with).await? > 0)
    }
}

fn wanted<'a>(mapping: Option<&'a str>, filter: &'a FailureFilter) -> Filter<'a> {
    let mut wanted = Filter::new();
    wanted.maybe("run_id =", filter.run_id);
    wanted.maybe("mapping =", mapping);
    if let Some(record_id) = &filter.record_id {
        wanted.either(&["record_id =", "left_id =", "right_id ="], record_id);
    }
    wanted.maybe("class =", filter.class);
    wanted.maybe("stage =", filter.stage);
    wanted.maybe("code =", filter.code.as_deref());
    wanted.maybe("last_at >=", filter.since);
    match filter.standing {
        Standing::Unresolved => wanted.raw(UNRESOLVED),
        Standing::Any => {}
        Standing::Only(status) => wanted.and("status =", status),
    }
    wanted
}

/// Stores failed tries.
pub(super) async fn fail(tx: &mut Tx, context: &Context<'_>, failures: &[&NewFailure]) -> Result<(), Error> {
    const FAIL: Bulk = Bulk {
        head: "insert into failure (mapping, side, record_id, run_id, left_id, right_id, class, stage, status, code, \
               http_status, message, hint, field, attempts, first_at, last_at, next_attempt_at, event_id)",
        tail: "on conflict (mapping, side, record_id) where status in ('retrying', 'open', 'parked') \
               do update set run_id = excluded.run_id, left_id = coalesce(excluded.left_id, failure.left_id), \
               right_id = coalesce(excluded.right_id, failure.right_id), class = excluded.class, \
               stage = excluded.stage, status = excluded.status, code = excluded.code, \
               http_status = excluded.http_status, message = excluded.message, hint = excluded.hint, \
               field = excluded.field, attempts = failure.attempts + 1, last_at = excluded.last_at, \
               next_attempt_at = excluded.next_attempt_at, \
               event_id = coalesce(excluded.event_id, failure.event_id)",
    };
    for group in without_repeats(failures, |failure| &failure.key) {
        one_a_pair(tx, context, &group).await?;
        let rows = group.into_iter().map(|failure| {
            let fault = &failure.fault;
            let mut args = key_args(&failure.key);
            args.extend(args![
                failure.run_id,
                &failure.left_id,
                &failure.right_id,
                fault.class,
                fault.stage,
                failure.status,
                fault.code,
                fault.status.map(i64::from),
                &fault.message,
                &fault.hint,
                &fault.field,
                1_i64,
                context.now,
                context.now,
                failure.next_attempt_at,
                failure.event_id,
            ]);
            args
        });
        FAIL.execute(tx, rows.collect()).await?;
    }
    Ok(())
}

/// Moves the unresolved failures of partners to the records that failed now, so that one difference stays one failure. Where
/// both have one (older versions left such behind), the partner's is closed.
async fn one_a_pair(tx: &mut Tx, context: &Context<'_>, failures: &[&NewFailure]) -> Result<(), Error> {
    const MOVE: Bulk = Bulk {
        head: "update failure set side = v.column4, record_id = v.column5 from (",
        tail: ") as v where failure.mapping = v.column1 and failure.side = v.column2 \
               and failure.record_id = v.column3 and failure.status in ('retrying', 'open', 'parked') \
               and not exists (select 1 from failure as own where own.mapping = v.column1 and own.side = v.column4 \
               and own.record_id = v.column5 and own.status in ('retrying', 'open', 'parked'))",
    };
    let twins: Vec<(RecordKey, &RecordKey)> = failures
        .iter()
        .filter_map(|failure| Some((partner(failure)?, &failure.key)))
        .collect();
    let rows = twins.iter().map(|(partner, own)| {
        let mut args = key_args(partner);
        args.extend(args![own.side, &own.record_id]);
        args
    });
    MOVE.execute(tx, rows.collect()).await?;
    let partners: Vec<&RecordKey> = twins.iter().map(|(partner, _)| partner).collect();
    resolve(tx, context, &partners).await
}

/// The partner of a record that failed, where both are known.
fn partner(failure: &NewFailure) -> Option<RecordKey> {
    let (left, right) = failure.left_id.as_ref().zip(failure.right_id.as_ref())?;
    let (own, other) = match failure.key.side {
        Side::Left => (left, right),
        Side::Right => (right, left),
    };
    let mapping = failure.key.mapping.clone();
    (*own == failure.key.record_id).then(|| RecordKey::new(mapping, failure.key.side.other(), other.clone()))
}

/// Resolves the unresolved failures of records that have succeeded.
pub(super) async fn resolve(tx: &mut Tx, context: &Context<'_>, keys: &[&RecordKey]) -> Result<(), Error> {
    const RESOLVE: Bulk = Bulk {
        head: "update failure set status = 'resolved', next_attempt_at = null, resolved_at = v.column4 from (",
        tail: ") as v where failure.mapping = v.column1 and failure.side = v.column2 \
               and failure.record_id = v.column3 and failure.status in ('retrying', 'open', 'parked')",
    };
    let rows = keys.iter().map(|key| {
        let mut args = key_args(key);
        args.push(context.now.into());
        args
    });
    RESOLVE.execute(tx, rows.collect()).await?;
    Ok(())
}
