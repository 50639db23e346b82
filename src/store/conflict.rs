//! Conflicts: fields that both sides changed and that a person has to decide.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    Context, Op, Page, Store,
    bulk::{Bulk, Filter, LIST_MAX, without_repeats},
    engine::{FromRow, Row, Tx, Unread, args},
    error::Error,
    scope::newest,
    seal::{Place, Sealer},
};
use crate::core::status::{ConflictStatus, Side, Sides};

/// A conflict found. Opens one, or renews the values of the open one.
#[derive(Debug, Clone)]
pub struct NewConflict {
    /// The mapping.
    pub mapping: Arc<str>,
    /// Id of the left record.
    pub left_id: String,
    /// Id of the right record.
    pub right_id: String,
    /// The field.
    pub field: String,
    /// The left value, as it is shown.
    pub left_value: Option<String>,
    /// The right value, as it is shown.
    pub right_value: Option<String>,
    /// Hashes of both values: a decision is about these.
    pub hashes: Sides<u64>,
    /// Whether the values are kept sealed and shown by role.
    pub sensitive: bool,
    /// The run that found it.
    pub run_id: Option<i64>,
}

/// Open conflicts and unapplied decisions of a pair that are settled: both sides agree.
#[derive(Debug, Clone)]
pub struct ClosedConflicts {
    /// The mapping.
    pub mapping: Arc<str>,
    /// Id of the left record.
    pub left_id: String,
    /// Id of the right record.
    pub right_id: String,
    /// The field; none for every field of the pair.
    pub field: Option<String>,
    /// Whether the sides still differ, as a person has accepted: what was ignored stays so.
    pub is_accepted: bool,
}

/// A stored conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Our id of it.
    pub conflict_id: i64,
    /// The mapping.
    pub mapping: Arc<str>,
    /// Id of the left record.
    pub left_id: String,
    /// Id of the right record.
    pub right_id: String,
    /// The field.
    pub field: String,
    /// The left value when it was found.
    pub left_value: Option<String>,
    /// The right value when it was found.
    pub right_value: Option<String>,
    /// Whether the values may be shown only to some roles.
    pub sensitive: bool,
    /// How it stands.
    pub status: ConflictStatus,
    /// The run that found it.
    pub run_id: Option<i64>,
    /// When it was found.
    pub created_at: DateTime<Utc>,
    /// When it was decided.
    pub resolved_at: Option<DateTime<Utc>>,
    /// Who decided it.
    pub resolved_by: Option<String>,
    /// The side whose value counts, as decided.
    pub winner: Option<Side>,
    /// The value for both sides, as decided: text in the left side's form.
    pub decided_value: Option<String>,
    /// Hashes of both values; none where an older version found it.
    pub hashes: Option<Sides<u64>>,
    /// When the decision had taken effect on both sides.
    pub applied_at: Option<DateTime<Utc>>,
}

impl Conflict {
    /// A word for the values as they stand here: whoever decides names it, so that no decision is made about others.
    #[must_use]
    pub fn seen(&self) -> String {
        match self.hashes {
            Some(Sides { left, right }) => {
                let mixed = left.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    ^ right.wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(17);
                format!("{:08x}", (mixed ^ (mixed >> 32)) & 0xffff_ffff)
            }
            None => "-".to_owned(),
        }
    }
}

/// What a person decides about a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// This side's value counts.
    Take(Side),
    /// This text is the value of both.
    Set(String),
    /// Both stay as they are until one of them changes.
    Ignore,
}

/// Which conflicts to list.
#[derive(Debug, Clone, Default)]
pub struct ConflictFilter {
    /// Of this mapping.
    pub mapping: Option<String>,
    /// That stand so.
    pub status: Option<ConflictStatus>,
    /// Of this record, on either side.
    pub record_id: Option<String>,
}

const SELECT: &str = "select conflict_id, mapping, left_id, right_id, field, left_value, right_value, left_sealed, \
     right_sealed, sensitive, status, run_id, created_at, resolved_at, resolved_by, winner, applied_at, \
     left_hash, right_hash, decided_value, decided_sealed from conflict";

/// A conflict whose sealed values are not opened yet.
struct Closed {
    conflict: Conflict,
    left: Option<Vec<u8>>,
    right: Option<Vec<u8>>,
    decided: Option<Vec<u8>>,
}

impl FromRow for Closed {
    const TABLE: &'static str = "conflict";
    const KEY: &'static str = "conflict_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        let hashes = row
            .get::<Option<i64>>("left_hash")?
            .zip(row.get::<Option<i64>>("right_hash")?);
        Ok(Self {
            conflict: Conflict {
                conflict_id: row.get("conflict_id")?,
                mapping: row.shared("mapping")?,
                left_id: row.get("left_id")?,
                right_id: row.get("right_id")?,
                field: row.get("field")?,
                left_value: row.get("left_value")?,
                right_value: row.get("right_value")?,
                sensitive: row.get("sensitive")?,
                status: row.get("status")?,
                run_id: row.get("run_id")?,
                created_at: row.time("created_at")?,
                resolved_at: row.maybe_time("resolved_at")?,
                resolved_by: row.get("resolved_by")?,
                winner: row.get("winner")?,
                applied_at: row.maybe_time("applied_at")?,
                decided_value: row.get("decided_value")?,
                hashes: hashes.map(|(left, right)| Sides {
                    left: left.cast_unsigned(),
                    right: right.cast_unsigned(),
                }),
            },
            left: row.get("left_sealed")?,
            right: row.get("right_sealed")?,
            decided: row.get("decided_sealed")?,
        })
    }
}

impl Closed {
    fn open(mut self, sealer: &Sealer) -> Result<Conflict, Error> {
        if self.conflict.sensitive {
            let conflict = &self.conflict;
            let row = place_row(
                &conflict.mapping,
                &conflict.left_id,
                &conflict.right_id,
                &conflict.field,
            );
            let left = sealer.open_text(place("left_sealed", &row), self.left.as_deref())?;
            let right = sealer.open_text(place("right_sealed", &row), self.right.as_deref())?;
            let decided = sealer.open_text(place("decided_sealed", &row), self.decided.as_deref())?;
            self.conflict.decided_value = decided;
            self.conflict.left_value = left;
            self.conflict.right_value = right;
        }
        Ok(self.conflict)
    }
}

const fn place<'a>(column: &'static str, row: &'a str) -> Place<'a> {
    Place {
        table: "conflict",
        column,
        row,
    }
}

fn place_row(mapping: &str, left_id: &str, right_id: &str, field: &str) -> String {
    format!("{mapping}/{left_id}/{right_id}/{field}")
}

impl Store {
    /// Conflicts that fit `filter`, newest first.
    pub async fn conflicts(&self, filter: &ConflictFilter, page: Page) -> Result<Vec<Conflict>, Error> {
        let mut found = Vec::new();
        for mapping in self.asked_mappings(filter.mapping.as_deref()) {
            let (sql, args) = wanted(mapping, filter).page(SELECT, "conflict_id", page);
            found.extend(self.opened(sql, args).await?);
        }
        Ok(newest(found, page, |conflict| conflict.conflict_id))
    }

    /// How many conflicts fit `filter`.
    pub async fn conflict_count(&self, filter: &ConflictFilter) -> Result<u64, Error> {
        let mut count = 0;
        for mapping in self.asked_mappings(filter.mapping.as_deref()) {
            let wanted = wanted(mapping, filter);
            let sql = format!("select count(*) as number from conflict{}", wanted.clause());
            count += self.engine().count(sql, wanted.args).await?;
        }
        Ok(count)
    }

    /// One conflict.
    pub async fn conflict(&self, conflict_id: i64) -> Result<Option<Conflict>, Error> {
        let sql = format!("{SELECT} where conflict_id = $1");
        let found = self.opened(sql, args![conflict_id]).await?.into_iter().next();
        Ok(found.filter(|conflict| self.sees_mapping(Some(&conflict.mapping))))
    }

    /// What stands about a pair: open and ignored conflicts, and decisions that have not taken effect yet.
    pub async fn conflicts_of(&self, mapping: &str, left_id: &str, right_id: &str) -> Result<Vec<Conflict>, Error> {
        let sql = format!(
            "{SELECT} where mapping = $1 and left_id = $2 and right_id = $3 and applied_at is null \
             order by conflict_id"
        );
        self.opened(sql, args![mapping, left_id, right_id]).await
    }

    /// As [`Store::conflicts_of`], of all pairs with one of these left records.
    pub async fn conflicts_of_all(&self, mapping: &str, left_ids: &[&str]) -> Result<Vec<Conflict>, Error> {
        let mut found = Vec::new();
        for ids in left_ids.chunks(LIST_MAX) {
            let mut args = args![mapping];
            let list = self.engine().in_list(ids, &mut args);
            let sql = format!(
                "{SELECT} where mapping = $1 and left_id in {list} and applied_at is null order by conflict_id"
            );
            found.extend(self.opened(sql, args).await?);
        }
        Ok(found)
    }

    async fn opened(&self, sql: String, args: super::engine::Args<'_>) -> Result<Vec<Conflict>, Error> {
        let found = self.engine().rows::<Closed>(sql, args).await?;
        found.into_iter().map(|conflict| conflict.open(self.sealer())).collect()
    }

    /// Decides an open conflict as it stands in `conflict`; whether it still stands so. The decision takes effect when the pair
    /// is next looked at; where a side has changed by then the conflict is open again. `with` goes with it.
    pub async fn resolve_conflict(
        &self,
        conflict: &Conflict,
        resolution: &Resolution,
        by: &str,
        with: Vec<Op>,
    ) -> Result<bool, Error> {
        let status = match resolution {
            Resolution::Ignore => ConflictStatus::Ignored,
            Resolution::Take(_) | Resolution::Set(_) => ConflictStatus::Resolved,
        };
        let (winner, value) = match resolution {
            Resolution::Take(side) => (Some(*side), None),
            Resolution::Set(text) => (None, Some(text.as_str())),
            Resolution::Ignore => (None, None),
        };
        let (value, sealed) = if conflict.sensitive {
            let row = place_row(
                &conflict.mapping,
                &conflict.left_id,
                &conflict.right_id,
                &conflict.field,
            );
            (None, self.sealer().seal_text(place("decided_sealed", &row), value)?)
        } else {
            (value, None)
        };
        let (left, right) = conflict.hashes.map(|hashes| (hashes.left, hashes.right)).unzip();
        let sql = "update conflict set status = $2, winner = $3, decided_value = $4, decided_sealed = $5, resolved_by = $6, \
             resolved_at = $7 where conflict_id = $1 and status = 'open' \
             and coalesce(left_hash, 0) = $8 and coalesce(right_hash, 0) = $9";
        let args = args![
            conflict.conflict_id,
            status,
            winner,
            value,
            sealed,
            by,
            self.now(),
            left.unwrap_or_default().cast_signed(),
            right.unwrap_or_default().cast_signed(),
        ];
        Ok(self.decide(sql, args, |_| with).await? > 0)
    }
}

fn wanted<'a>(mapping: Option<&'a str>, filter: &'a ConflictFilter) -> Filter<'a> {
    Filter::of_pairs(mapping, filter.status, filter.record_id.as_deref())
}

/// Opens conflicts.
pub(super) async fn open(tx: &mut Tx, context: &Context<'_>, conflicts: &[&NewConflict]) -> Result<(), Error> {
    // A decision about other values than these says nothing: it is taken back, and the conflict is open again.
    const REOPEN: Bulk = Bulk {
        head: "update conflict set status = 'open', winner = null, decided_value = null, decided_sealed = null, \
               resolved_at = null, resolved_by = null from (",
        tail: ") as v where conflict.mapping = v.column1 and conflict.left_id = v.column2 \
               and conflict.right_id = v.column3 and conflict.field = v.column4 and conflict.status <> 'open' \
               and conflict.applied_at is null and not exists (select 1 from conflict as other \
               where other.mapping = v.column1 and other.left_id = v.column2 and other.right_id = v.column3 \
               and other.field = v.column4 and other.status = 'open')",
    };
    const OPEN: Bulk = Bulk {
        head: "insert into conflict (mapping, left_id, right_id, field, left_value, right_value, left_sealed, \
               right_sealed, left_hash, right_hash, sensitive, status, run_id, created_at)",
        tail: "on conflict (mapping, left_id, right_id, field) where status = 'open' \
               do update set left_value = excluded.left_value, right_value = excluded.right_value, \
               left_sealed = excluded.left_sealed, right_sealed = excluded.right_sealed, \
               left_hash = excluded.left_hash, right_hash = excluded.right_hash, \
               sensitive = excluded.sensitive, run_id = coalesce(excluded.run_id, conflict.run_id)",
    };
    for group in without_repeats(conflicts, |one| (&one.mapping, &one.left_id, &one.right_id, &one.field)) {
        let again = group
            .iter()
            .map(|one| args![&one.mapping, &one.left_id, &one.right_id, &one.field]);
        REOPEN.execute(tx, again.collect()).await?;
        let mut rows = Vec::with_capacity(group.len());
        for one in group {
            let row = place_row(&one.mapping, &one.left_id, &one.right_id, &one.field);
            let seal = |column, value| context.sealer.seal_text(place(column, &row), value);
            let (shown, sealed) = if one.sensitive {
                let sealed = (
                    seal("left_sealed", one.left_value.as_deref())?,
                    seal("right_sealed", one.right_value.as_deref())?,
                );
                ((&None, &None), sealed)
            } else {
                ((&one.left_value, &one.right_value), (None, None))
            };
            rows.push(args![
                &one.mapping,
                &one.left_id,
                &one.right_id,
                &one.field,
                shown.0,
                shown.1,
                sealed.0,
                sealed.1,
                one.hashes.left.cast_signed(),
                one.hashes.right.cast_signed(),
                one.sensitive,
                ConflictStatus::Open,
                one.run_id,
                context.now,
            ]);
        }
        OPEN.execute(tx, rows).await?;
    }
    Ok(())
}

/// Closes what stood about pairs that agree again.
pub(super) async fn close(tx: &mut Tx, context: &Context<'_>, closed: &[&ClosedConflicts]) -> Result<(), Error> {
    const CLOSE: Bulk = Bulk {
        head: "update conflict set status = 'resolved', resolved_at = coalesce(conflict.resolved_at, v.column5), \
               applied_at = coalesce(conflict.applied_at, v.column5) from (",
        tail: ") as v where conflict.mapping = v.column1 and conflict.left_id = v.column2 \
               and conflict.right_id = v.column3 and (v.column4 is null or conflict.field = v.column4) \
               and (conflict.applied_at is null or conflict.status = 'ignored')",
    };
    // What was ignored counts as such until the sides agree or one of them changes.
    const ACCEPT: Bulk = Bulk {
        head: "update conflict set status = case when conflict.status = 'ignored' then 'ignored' else 'resolved' end, \
               resolved_at = coalesce(conflict.resolved_at, v.column5), applied_at = v.column5 from (",
        tail: ") as v where conflict.mapping = v.column1 and conflict.left_id = v.column2 \
               and conflict.right_id = v.column3 and (v.column4 is null or conflict.field = v.column4) \
               and conflict.applied_at is null",
    };
    let (accepted, closed): (Vec<&ClosedConflicts>, Vec<&ClosedConflicts>) =
        closed.iter().partition(|one| one.is_accepted);
    for (bulk, pairs) in [(CLOSE, closed), (ACCEPT, accepted)] {
        let rows = pairs
            .iter()
            .map(|one| args![&one.mapping, &one.left_id, &one.right_id, &one.field, context.now]);
        bulk.execute(tx, rows.collect()).await?;
    }
    Ok(())
}
