//! Writes to other systems: an intent before the request, an outcome after it.
//!
//! A write without an outcome is the trace of a crash or a lost answer; the partner is read before anything is sent
//! again. Writes also tell our own echoes and loops.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};

use super::{
    Context, Store,
    bulk::{Bulk, LIST_MAX},
    engine::{FromRow, Number, Row, Tx, Unread, args},
    error::Error,
};
use crate::core::status::{Side, WriteKind, WriteStatus};

/// A write about to be sent.
#[derive(Debug, Clone)]
pub struct NewWrite {
    /// The run it belongs to.
    pub run_id: Option<i64>,
    /// The mapping.
    pub mapping: Arc<str>,
    /// The side written to.
    pub side: Side,
    /// What it does.
    pub kind: WriteKind,
    /// The record written; none for a create.
    pub record_id: Option<String>,
    /// The record on the other side that it comes from.
    pub partner_id: String,
    /// The key that lets the other side recognize a repetition.
    pub idempotency_key: String,
    /// Fingerprint of the values written, to recognize their echo.
    pub values_hash: u64,
    /// Of a create, the record that it comes from as it was then.
    pub origin: Option<Origin>,
    /// Whether it is a delete that neither a reconciliation has weighed nor a person has asked for.
    pub is_unweighed: bool,
}

/// What the record that a create comes from looked like when it was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The version of the mapping: another one has other fields.
    pub version: u64,
    /// The hash of each field on that side, in the mapping's order; none of what could not be read.
    pub hashes: Vec<Option<u64>>,
}

impl Origin {
    /// The stored form: big-endian numbers, 0 for none.
    fn to_bytes(&self) -> Vec<u8> {
        let hashes = self.hashes.iter().map(|hash| hash.unwrap_or_default());
        std::iter::once(self.version)
            .chain(hashes)
            .flat_map(u64::to_be_bytes)
            .collect()
    }

    /// Reads the stored form.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks::<8>();
        let (version, hashes) = numbers.split_first().filter(|_| rest.is_empty())?;
        let number = |bytes: &[u8; 8]| Some(u64::from_be_bytes(*bytes)).filter(|number| *number != 0);
        Some(Self {
            version: u64::from_be_bytes(*version),
            hashes: hashes.iter().map(number).collect(),
        })
    }
}

/// The outcome of a write.
#[derive(Debug, Clone)]
pub struct FinishedWrite {
    /// The write.
    pub write_id: i64,
    /// What it was to do.
    pub kind: WriteKind,
    /// How it ended.
    pub status: WriteStatus,
    /// The other side's HTTP status.
    pub http_status: Option<u16>,
    /// The record written, once it is known.
    pub record_id: Option<String>,
    /// The version the record has now.
    pub version: Option<String>,
}

impl FinishedWrite {
    /// The outcome of a write that no answer tells of.
    #[must_use]
    pub const fn without_answer(write_id: i64, kind: WriteKind, status: WriteStatus) -> Self {
        Self {
            write_id,
            kind,
            status,
            http_status: None,
            record_id: None,
            version: None,
        }
    }
}

/// A stored write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Our id of it.
    pub write_id: i64,
    /// The run it belongs to.
    pub run_id: Option<i64>,
    /// The mapping.
    pub mapping: Arc<str>,
    /// The side written to.
    pub side: Side,
    /// What it does.
    pub kind: WriteKind,
    /// The record written.
    pub record_id: Option<String>,
    /// The record on the other side that it comes from.
    pub partner_id: String,
    /// The node that sent it.
    pub node: String,
    /// The key that lets the other side recognize a repetition.
    pub idempotency_key: String,
    /// Fingerprint of the values written.
    pub values_hash: u64,
    /// Of a create, the record that it comes from as it was then.
    pub origin: Option<Origin>,
    /// The version the record had afterwards.
    pub result_version: Option<String>,
    /// How it stands.
    pub status: WriteStatus,
    /// The other side's HTTP status.
    pub http_status: Option<u16>,
    /// When the intent was stored.
    pub started_at: DateTime<Utc>,
    /// When the outcome was stored.
    pub ended_at: Option<DateTime<Utc>>,
}

const SELECT: &str = "select write_id, run_id, mapping, side, kind, record_id, partner_id, node, idempotency_key, \
     values_hash, origin, result_version, status, http_status, started_at, ended_at from write";

impl FromRow for Write {
    const TABLE: &'static str = "write";
    const KEY: &'static str = "write_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            write_id: row.get("write_id")?,
            run_id: row.get("run_id")?,
            mapping: row.shared("mapping")?,
            side: row.get("side")?,
            kind: row.get("kind")?,
            record_id: row.get("record_id")?,
            partner_id: row.get("partner_id")?,
            node: row.get("node")?,
            idempotency_key: row.get("idempotency_key")?,
            values_hash: row.get::<i64>("values_hash")?.cast_unsigned(),
            origin: row
                .get::<Option<Vec<u8>>>("origin")?
                .and_then(|bytes| Origin::from_bytes(&bytes)),
            result_version: row.get("result_version")?,
            status: row.get("status")?,
            http_status: row
                .get::<Option<i64>>("http_status")?
                .and_then(|status| u16::try_from(status).ok()),
            started_at: row.time("started_at")?,
            ended_at: row.maybe_time("ended_at")?,
        })
    }
}

/// How often a record was written.
struct Written(String, u64);

impl FromRow for Written {
    const TABLE: &'static str = "write";
    const KEY: &'static str = "record_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self(row.get("record_id")?, row.count("number")?))
    }
}

/// Writes without an outcome, in the words of their index: SQLite does not see that one status is one of two.
const OPEN: &str = "status in ('intended', 'unknown')";

impl Store {
    /// Intents of this node without an outcome: what a crash left. They are to be looked at before anything else.
    pub async fn write_intents(&self, node: &str) -> Result<Vec<Write>, Error> {
        let sql = format!("{SELECT} where {OPEN} and status = 'intended' and node = $1 order by write_id limit 1000");
        self.engine().rows(sql, args![node]).await
    }

    /// Whether a record is being made on `side` since `latest` or before: what was sent then has no outcome yet.
    pub async fn is_making(&self, mapping: &str, side: Side, latest: DateTime<Utc>) -> Result<bool, Error> {
        let sql = format!(
            "select write_id as number from write where {OPEN} and status = 'intended' and kind = 'create' and mapping = $1 \
             and side = $2 and started_at <= $3 limit 1"
        );
        let found = self.engine().row::<Number>(sql, args![mapping, side, latest]).await?;
        Ok(found.is_some())
    }

    /// Writes without an outcome that concern these records of `side`: as the record written to, or (for a create)
    /// as the record they come from.
    pub async fn open_writes(&self, mapping: &str, side: Side, record_ids: &[&str]) -> Result<Vec<Write>, Error> {
        let mut found = Vec::new();
        for ids in record_ids.chunks(LIST_MAX) {
            let mut args = args![mapping, side, side.other()];
            let list = self.engine().in_list(ids, &mut args);
            // Two searches, each along an index of its own: asked for both at once, SQLite walks through every write of
            // the mapping.
            let sql = format!(
                "{SELECT} where {OPEN} and mapping = $1 and side = $2 and record_id in {list} \
                 union {SELECT} where {OPEN} and mapping = $1 and side = $3 and partner_id in {list} order by write_id"
            );
            found.extend(self.engine().rows::<Write>(sql, args).await?);
        }
        Ok(found)
    }

    /// Writes to a record since `since`, newest first, at most 100: for echoes and loops.
    pub async fn recent_writes(
        &self,
        mapping: &str,
        side: Side,
        record_id: &str,
        since: DateTime<Utc>,
    ) -> Result<Vec<Write>, Error> {
        let sql = format!(
            "{SELECT} where mapping = $1 and side = $2 and record_id = $3 and started_at >= $4 \
             order by started_at desc, write_id desc limit 100"
        );
        self.engine().rows(sql, args![mapping, side, record_id, since]).await
    }

    /// How often each of these records was written since `since`: for loops. Records that were not are missing in the answer, and
    /// unweighed deletes that surely were not done are not counted: the rail stops them before they are sent.
    pub async fn write_counts(
        &self,
        mapping: &str,
        side: Side,
        record_ids: &[&str],
        since: DateTime<Utc>,
    ) -> Result<HashMap<String, u64>, Error> {
        let mut found = HashMap::new();
        for ids in record_ids.chunks(LIST_MAX) {
            let mut args = args![mapping, side, since];
            let list = self.engine().in_list(ids, &mut args);
            let sql = format!(
                "select record_id, count(*) as number from write where mapping = $1 and side = $2 \
                 and started_at >= $3 and record_id in {list} and not (unweighed and status = 'failed') group by record_id"
            );
            let rows = self.engine().rows::<Written>(sql, args).await?;
            found.extend(rows.into_iter().map(|Written(id, count)| (id, count)));
        }
        Ok(found)
    }

    /// How often each of these partners had a record made for it on `side`. Those without one are missing in the answer.
    pub async fn creates_made(
        &self,
        mapping: &str,
        side: Side,
        partner_ids: &[&str],
    ) -> Result<HashMap<String, u64>, Error> {
        let mut found = HashMap::new();
        for ids in partner_ids.chunks(LIST_MAX) {
            let mut args = args![mapping, side];
            let list = self.engine().in_list(ids, &mut args);
            let sql = format!(
                "select partner_id as record_id, count(*) as number from write where mapping = $1 and side = $2 \
                 and kind = 'create' and status = 'succeeded' and partner_id in {list} group by partner_id"
            );
            let rows = self.engine().rows::<Written>(sql, args).await?;
            found.extend(rows.into_iter().map(|Written(id, count)| (id, count)));
        }
        Ok(found)
    }

    /// How many records of a mapping were to be deleted unweighed since `since`, up to and with the write `until`. Those that surely
    /// were not are not counted.
    pub async fn unweighed_deletes(&self, mapping: &str, since: DateTime<Utc>, until: i64) -> Result<u64, Error> {
        let sql = "select count(*) as number from write where unweighed and mapping = $1 and write_id <= $2 \
             and started_at >= $3 and status <> 'failed'";
        self.engine().count(sql, args![mapping, until, since]).await
    }

    /// Writes that concern a record of `side`, newest first: to it, or (for a create) from it.
    pub async fn writes_of(&self, mapping: &str, side: Side, record_id: &str, limit: u32) -> Result<Vec<Write>, Error> {
        // As above: two searches instead of a walk through every write of the mapping.
        let sql = format!(
            "{SELECT} where write_id in (select write_id from write where mapping = $1 and side = $2 and record_id = $3 \
             union select write_id from write where mapping = $1 and side = $4 and partner_id = $3) \
             order by write_id desc limit $5"
        );
        let args = args![mapping, side, record_id, side.other(), i64::from(limit)];
        self.engine().rows(sql, args).await
    }

    /// The last write from a record to the other side, whatever became of it: for the cause of a drift.
    pub async fn last_write(&self, mapping: &str, side: Side, partner_id: &str) -> Result<Option<Write>, Error> {
        let sql = format!(
            "{SELECT} where mapping = $1 and side = $2 and partner_id = $3 order by started_at desc, write_id desc \
             limit 1"
        );
        self.engine().row(sql, args![mapping, side, partner_id]).await
    }
}

/// Stores intents; their ids in the order given.
pub(super) async fn intend(tx: &mut Tx, context: &Context<'_>, writes: &[&NewWrite]) -> Result<Vec<i64>, Error> {
    const INTEND: Bulk = Bulk {
        head: "insert into write (run_id, mapping, side, kind, record_id, partner_id, node, idempotency_key, \
               values_hash, origin, unweighed, status, started_at)",
        tail: "",
    };
    let rows = writes.iter().map(|write| {
        args![
            write.run_id,
            &write.mapping,
            write.side,
            write.kind,
            &write.record_id,
            &write.partner_id,
            context.node,
            &write.idempotency_key,
            write.values_hash.cast_signed(),
            write.origin.as_ref().map(Origin::to_bytes),
            write.is_unweighed,
            WriteStatus::Intended,
            context.now,
        ]
    });
    match tx {
        Tx::Sqlite(tx) => {
            let inserted = INTEND.each(tx, rows.collect())?.into_iter();
            Ok(inserted.map(|inserted| inserted.id).collect())
        }
        Tx::Postgres(tx) => {
            let ids: Vec<Number> = INTEND.returning("write_id as number", tx, rows.collect()).await?;
            let mut ids = ids.into_iter().map(|id| id.0).collect::<Vec<_>>();
            // Ids are drawn in the order of the rows; the order in which they are returned is not promised.
            ids.sort_unstable();
            Ok(ids)
        }
    }
}

/// Stores outcomes.
pub(super) async fn finish(tx: &mut Tx, context: &Context<'_>, outcomes: &[&FinishedWrite]) -> Result<(), Error> {
    const FINISH: Bulk = Bulk {
        head: "update write set status = v.column2, http_status = v.column3, \
               record_id = coalesce(v.column4, write.record_id), \
               result_version = coalesce(v.column5, write.result_version), ended_at = v.column6 from (",
        tail: ") as v where write.write_id = v.column1",
    };
    let rows = outcomes.iter().map(|outcome| {
        args![
            outcome.write_id,
            outcome.status,
            outcome.http_status.map(i64::from),
            &outcome.record_id,
            &outcome.version,
            context.now,
        ]
    });
    FINISH.execute(tx, rows.collect()).await?;
    Ok(())
}
