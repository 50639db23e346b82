//! Runs: every execution of a mapping, on record with its counters.
//!
//! ```text
//!   start ─▶ running ─▶ succeeded | partial | failed | cancelled
//!               │  ▲
//!               ▼  │ release
//!              held ─▶ cancelled (discard)
//! ```

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    Op, Page, Store,
    bulk::{Bulk, Filter},
    engine::{Args, Durability, FromRow, Number, Row, Tx, Unread, args, int},
    error::Error,
    scope::newest,
};
use crate::core::status::{DriftOutcome, RunKind, RunStatus, Trigger};

/// A run about to begin.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// What it is for.
    pub kind: RunKind,
    /// The mapping; none when it concerns several.
    pub mapping: Option<Arc<str>>,
    /// Who or what started it.
    pub trigger: Trigger,
    /// A remark.
    pub note: Option<String>,
    /// A key that lets no second run with it begin ([`Error::Conflict`]), such as job and local date.
    pub job_key: Option<String>,
}

/// What a run did, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Counters {
    /// Requests to other systems.
    pub requests: u64,
    /// Bytes received from other systems.
    pub bytes: u64,
    /// Records read.
    pub read: u64,
    /// Pairs linked.
    pub linked: u64,
    /// Records created.
    pub created: u64,
    /// Records updated.
    pub updated: u64,
    /// Records deleted.
    pub deleted: u64,
    /// Records that needed nothing.
    pub unchanged: u64,
    /// Records left out on purpose.
    pub skipped: u64,
    /// Conflicts found.
    pub conflicts: u64,
    /// Records that failed.
    pub failed: u64,
}

impl Counters {
    const COLUMNS: [&'static str; 11] = [
        "requests",
        "bytes",
        "read",
        "linked",
        "created",
        "updated",
        "deleted",
        "unchanged",
        "skipped",
        "conflicts",
        "failed",
    ];

    const fn values(&self) -> [u64; 11] {
        [
            self.requests,
            self.bytes,
            self.read,
            self.linked,
            self.created,
            self.updated,
            self.deleted,
            self.unchanged,
            self.skipped,
            self.conflicts,
            self.failed,
        ]
    }

    const fn from_values(values: [u64; 11]) -> Self {
        let [
            requests,
            bytes,
            read,
            linked,
            created,
            updated,
            deleted,
            unchanged,
            skipped,
            conflicts,
            failed,
        ] = values;
        Self {
            requests,
            bytes,
            read,
            linked,
            created,
            updated,
            deleted,
            unchanged,
            skipped,
            conflicts,
            failed,
        }
    }

    /// Adds other counts to these.
    pub fn add(&mut self, other: &Self) {
        let mut sums = self.values();
        for (sum, more) in sums.iter_mut().zip(other.values()) {
            *sum = sum.saturating_add(more);
        }
        *self = Self::from_values(sums);
    }
}

/// What a reconciliation is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The links are read.
    #[default]
    Links,
    /// Both listings are read.
    Listing,
    /// What differs is read again, and planned.
    Comparing,
    /// What was planned is carried out.
    Repairing,
    /// What was made is read.
    ReadingBack,
}

/// How far a reconciliation is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Progress {
    /// What it is at.
    pub phase: Phase,
    /// Left records that were read.
    pub left_read: u64,
    /// Right records that were read.
    pub right_read: u64,
    /// Pairs that are linked.
    pub pairs: u64,
    /// Pairs and records without a link that were looked at, since the listings did not show them as agreed.
    pub compared: u64,
    /// Records that have to be worked on.
    pub planned: u64,
    /// Records of these that were worked on.
    pub repaired: u64,
    /// How often it was stopped and gone on with.
    #[serde(default)]
    pub continued: u32,
}

/// A run that was stopped before its end, and what it left to go on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The run.
    pub run_id: i64,
    /// Where its scratch files are.
    pub scratch: String,
    /// How far it was.
    pub progress: Progress,
}

/// A stored run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Our id of it.
    pub run_id: i64,
    /// What it is for.
    pub kind: RunKind,
    /// The mapping.
    pub mapping: Option<String>,
    /// Who or what started it.
    pub trigger: Trigger,
    /// How it stands.
    pub status: RunStatus,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// The node it runs on.
    pub node: String,
    /// What it did.
    pub counters: Counters,
    /// A remark, such as why it is held.
    pub note: Option<String>,
    /// Who released or discarded it.
    pub released_by: Option<String>,
    /// The key that lets no second run with it begin.
    pub job_key: Option<String>,
    /// How far it is, or was when it ended; reconciliations alone have it.
    pub progress: Option<Progress>,
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this mapping.
    pub mapping: Option<String>,
    /// Of this kind.
    pub kind: Option<RunKind>,
    /// That stand so.
    pub status: Option<RunStatus>,
    /// Begun at this time or later.
    pub since: Option<DateTime<Utc>>,
}

const SELECT: &str = "select run_id, kind, mapping, trigger, status, started_at, ended_at, node, requests, bytes, \
     read, linked, created, updated, deleted, unchanged, skipped, conflicts, failed, note, released_by, job_key, \
     progress from run";

impl FromRow for Run {
    const TABLE: &'static str = "run";
    const KEY: &'static str = "run_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        let mut values = [0; 11];
        for (value, column) in values.iter_mut().zip(Counters::COLUMNS) {
            *value = row.count(column)?;
        }
        Ok(Self {
            run_id: row.get("run_id")?,
            kind: row.get("kind")?,
            mapping: row.get("mapping")?,
            trigger: row.get("trigger")?,
            status: row.get("status")?,
            started_at: row.time("started_at")?,
            ended_at: row.maybe_time("ended_at")?,
            node: row.get("node")?,
            counters: Counters::from_values(values),
            note: row.get("note")?,
            released_by: row.get("released_by")?,
            job_key: row.get("job_key")?,
            progress: progress(row)?,
        })
    }
}

/// How far a run is; what another version of Syncline stored is as good as nothing.
fn progress(row: &Row) -> Result<Option<Progress>, Unread> {
    let text: Option<String> = row.get("progress")?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

impl FromRow for Unfinished {
    const TABLE: &'static str = "run";
    const KEY: &'static str = "run_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            run_id: row.get("run_id")?,
            scratch: row.get("scratch")?,
            progress: progress(row)?.unwrap_or_default(),
        })
    }
}

impl Store {
    /// Stores how far a run is.
    pub async fn set_progress(&self, run_id: i64, progress: &Progress) -> Result<(), Error> {
        let text = serde_json::to_string(progress).unwrap_or_default();
        let sql = "update run set progress = $2 where run_id = $1";
        self.engine().execute(sql, args![run_id, &text]).await.map(drop)
    }

    /// Remembers where the scratch files of a run are, or that there are none any more.
    pub async fn set_scratch(&self, run_id: i64, scratch: Option<&str>) -> Result<(), Error> {
        let sql = "update run set scratch = $2 where run_id = $1";
        self.engine().execute(sql, args![run_id, scratch]).await.map(drop)
    }

    /// Reconciliations of a mapping that ended before they were done and left scratch files behind, newest first.
    pub async fn unfinished_runs(&self, mapping: &str) -> Result<Vec<Unfinished>, Error> {
        let sql = "select run_id, scratch, progress from run where mapping = $1 and scratch is not null \
             and status in ('failed', 'cancelled') order by run_id desc";
        self.engine().rows(sql, args![mapping]).await
    }

    /// Lets a run go on that ended before it was done, if it was begun at `since` or later, for the same reason, and nothing of its
    /// mapping was reconciled after it; whether it does. Its counts begin anew, but for those of requests.
    pub async fn continue_run(&self, run_id: i64, kind: RunKind, since: DateTime<Utc>) -> Result<bool, Error> {
        let sql = "update run set status = 'running', ended_at = null, note = null, node = $4, read = 0, linked = 0, created = 0, \
             updated = 0, deleted = 0, unchanged = 0, skipped = 0, conflicts = 0, failed = 0 \
             where run_id = $1 and kind = $2 and started_at >= $3 and status in ('failed', 'cancelled') and not exists \
             (select 1 from run as later where later.mapping = run.mapping and later.run_id > run.run_id \
             and later.kind in ('reconcile', 'full') and later.status <> 'cancelled')";
        let args = args![run_id, kind, since, self.node()];
        Ok(self.engine().execute(sql, args).await? > 0)
    }

    /// Begins a run; its id.
    pub async fn start_run(&self, run: &NewRun) -> Result<i64, Error> {
        let sql = "insert into run (kind, mapping, trigger, status, started_at, node, note, job_key) \
             values ($1, $2, $3, 'running', $4, $5, $6, $7) returning run_id as number";
        let args = args![
            run.kind,
            &run.mapping,
            run.trigger,
            self.now(),
            self.node(),
            &run.note,
            &run.job_key
        ];
        let ids = self.engine().write::<Number>(sql, args).await?;
        ids.first().map(|id| id.0).ok_or(Error::Closed)
    }

    /// Ends a running run as `succeeded`, `partial`, `failed`, `held` or `cancelled`; whether it was running. The note
    /// replaces an earlier one if given.
    pub async fn finish_run(&self, run_id: i64, status: RunStatus, note: Option<&str>) -> Result<bool, Error> {
        let sql = "update run set status = $2, ended_at = $3, note = coalesce($4, note) \
             where run_id = $1 and status = 'running'";
        let changed = self
            .engine()
            .execute(sql, args![run_id, status, self.now(), note])
            .await?;
        Ok(changed > 0)
    }

    /// Lets a held run go on, together with what goes with it; whether it was held.
    pub async fn release_run(&self, run_id: i64, by: &str, with: Vec<Op>) -> Result<bool, Error> {
        let sql = "update run set status = 'running', ended_at = null, released_by = $2, node = $3 \
             where run_id = $1 and status = 'held'";
        Ok(self.decide(sql, args![run_id, by, self.node()], |_| with).await? > 0)
    }

    /// Gives up a held run, together with what goes with it; whether it was held. What waited in its report for the release is
    /// only reported then.
    pub async fn discard_run(&self, run_id: i64, by: &str, with: Vec<Op>) -> Result<bool, Error> {
        let sql = "update run set status = 'cancelled', released_by = $2, ended_at = $3 \
             where run_id = $1 and status = 'held'";
        let mut tx = self.engine().begin(Durability::Durable).await?;
        let changed = tx.execute(sql, args![run_id, by, self.now()]).await?;
        if changed > 0 {
            let sql = "update drift set outcome = $2 where run_id = $1 and outcome = $3";
            let outcomes = args![run_id, DriftOutcome::Reported, DriftOutcome::Held];
            tx.execute(sql, outcomes).await?;
            self.conclude(tx, &with).await?;
        }
        Ok(changed > 0)
    }

    /// Closes as failed what a node's crash left running, with why and what to do; how many. Only the node itself may call
    /// it, at its start, or whoever knows that the process is gone.
    pub async fn close_crashed_runs(&self, node: &str, note: &str) -> Result<u64, Error> {
        let sql = "update run set status = 'failed', ended_at = $2, note = $3 where node = $1 and status = 'running'";
        self.engine().execute(sql, args![node, self.now(), note]).await
    }

    /// Runs that fit `filter`, newest first.
    pub async fn runs(&self, filter: &RunFilter, page: Page) -> Result<Vec<Run>, Error> {
        let mut found = Vec::new();
        for mapping in self.asked_mappings(filter.mapping.as_deref()) {
            let mut wanted = Filter::new();
            wanted.maybe("mapping =", mapping);
            wanted.maybe("kind =", filter.kind);
            wanted.maybe("status =", filter.status);
            wanted.maybe("started_at >=", filter.since);
            let (sql, args) = wanted.page(SELECT, "run_id", page);
            found.extend(self.engine().rows::<Run>(sql, args).await?);
        }
        Ok(newest(found, page, |run| run.run_id))
    }

    /// One run.
    pub async fn run(&self, run_id: i64) -> Result<Option<Run>, Error> {
        let sql = format!("{SELECT} where run_id = $1");
        let found = self.engine().row::<Run>(sql, args![run_id]).await?;
        Ok(found.filter(|run| self.sees_mapping(run.mapping.as_deref())))
    }

    /// The last run of these kinds that ended well (`succeeded` or `partial`), of a mapping.
    pub async fn last_good_run(&self, mapping: &str, kind: RunKind) -> Result<Option<Run>, Error> {
        let sql = format!(
            "{SELECT} where mapping = $1 and kind = $2 and status in ('succeeded', 'partial') \
             order by run_id desc limit 1"
        );
        self.engine().row(sql, args![mapping, kind]).await
    }
}

/// Adds counts to runs.
pub(super) async fn add_counters(tx: &mut Tx, counts: &[(i64, &Counters)]) -> Result<(), Error> {
    const ADD: Bulk = Bulk {
        head: "update run set requests = requests + v.column2, bytes = bytes + v.column3, read = read + v.column4, \
               linked = linked + v.column5, created = created + v.column6, updated = updated + v.column7, \
               deleted = deleted + v.column8, unchanged = unchanged + v.column9, skipped = skipped + v.column10, \
               conflicts = conflicts + v.column11, failed = failed + v.column12 from (",
        tail: ") as v where run.run_id = v.column1",
    };
    let mut sums: Vec<(i64, Counters)> = Vec::new();
    for (run_id, more) in counts {
        match sums.iter_mut().find(|(known, _)| known == run_id) {
            Some((_, sum)) => sum.add(more),
            None => sums.push((*run_id, **more)),
        }
    }
    let rows = sums.iter().map(|(run_id, sum)| {
        let mut args: Args<'_> = args![*run_id];
        args.extend(sum.values().map(|count| int(count).into()));
        args
    });
    ADD.execute(tx, rows.collect()).await?;
    Ok(())
}
