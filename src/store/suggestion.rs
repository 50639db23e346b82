//! Suggestions: pairs of unlinked records that are similar, where a person says whether they are the same thing.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Op, Page, Store,
    bulk::{Bulk, Filter, LIST_MAX, without_repeats},
    engine::{Durability, FromRow, Row, Tx, Unread, args},
    error::Error,
    scope::newest,
    seal::{Place, Sealer},
};
use crate::core::status::{Side, Sides, SuggestionStatus};

/// The values of one field that two records were compared by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// The field, by its name on the left side.
    pub field: String,
    /// The left value.
    pub left: String,
    /// The right value.
    pub right: String,
}

/// Two records that are similar.
#[derive(Debug, Clone)]
pub struct NewSuggestion {
    /// The mapping.
    pub mapping: Arc<str>,
    /// Id of the left record.
    pub left_id: String,
    /// Id of the right record.
    pub right_id: String,
    /// How similar they are, in thousandths.
    pub score: u16,
    /// What they were compared by.
    pub compared: Vec<Compared>,
    /// Whether the values are kept sealed and shown by role.
    pub sensitive: bool,
    /// Hashes of what of the values counts: a decision holds until one of them changes.
    pub hashes: Sides<u64>,
    /// The run that found it.
    pub run_id: i64,
}

/// A pair that was linked, whoever said so.
#[derive(Debug, Clone)]
pub struct LinkedPair {
    /// The mapping.
    pub mapping: Arc<str>,
    /// Id of the left record.
    pub left_id: String,
    /// Id of the right record.
    pub right_id: String,
}

/// A stored suggestion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Our id of it.
    pub suggestion_id: i64,
    /// The mapping.
    pub mapping: Arc<str>,
    /// Id of the left record.
    pub left_id: String,
    /// Id of the right record.
    pub right_id: String,
    /// How similar they are, in thousandths.
    pub score: u16,
    /// What they were compared by.
    pub compared: Vec<Compared>,
    /// Whether the values may be shown only to some roles.
    pub sensitive: bool,
    /// How it stands.
    pub status: SuggestionStatus,
    /// The run that found it last.
    pub run_id: i64,
    /// When it was found first.
    pub created_at: DateTime<Utc>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// Who decided it.
    pub decided_by: Option<String>,
}

impl Suggestion {
    /// The record of one side.
    #[must_use]
    pub fn id(&self, side: Side) -> &str {
        match side {
            Side::Left => &self.left_id,
            Side::Right => &self.right_id,
        }
    }
}

/// Which suggestions to list.
#[derive(Debug, Clone, Default)]
pub struct SuggestionFilter {
    /// Of this mapping.
    pub mapping: Option<String>,
    /// That stand so.
    pub status: Option<SuggestionStatus>,
    /// Of this record, on either side.
    pub record_id: Option<String>,
}

const SELECT: &str = "select suggestion_id, mapping, left_id, right_id, score, compared, compared_sealed, sensitive, status, \
     run_id, created_at, decided_at, decided_by from suggestion";

/// Whether what was decided about a stored suggestion still holds for the values that were found anew.
macro_rules! still_decided {
    () => {
        "(suggestion.status = 'accepted' or (suggestion.status in ('rejected', 'linked') \
         and suggestion.left_hash = excluded.left_hash and suggestion.right_hash = excluded.right_hash))"
    };
}

/// A suggestion whose sealed values are not opened yet.
struct Closed {
    suggestion: Suggestion,
    compared: Option<String>,
    sealed: Option<Vec<u8>>,
}

impl FromRow for Closed {
    const TABLE: &'static str = "suggestion";
    const KEY: &'static str = "suggestion_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            suggestion: Suggestion {
                suggestion_id: row.get("suggestion_id")?,
                mapping: row.shared("mapping")?,
                left_id: row.get("left_id")?,
                right_id: row.get("right_id")?,
                score: u16::try_from(row.get::<i64>("score")?).unwrap_or_default(),
                compared: Vec::new(),
                sensitive: row.get("sensitive")?,
                status: row.get("status")?,
                run_id: row.get("run_id")?,
                created_at: row.time("created_at")?,
                decided_at: row.maybe_time("decided_at")?,
                decided_by: row.get("decided_by")?,
            },
            compared: row.get("compared")?,
            sealed: row.get("compared_sealed")?,
        })
    }
}

impl Closed {
    fn open(mut self, sealer: &Sealer) -> Result<Suggestion, Error> {
        let suggestion = &self.suggestion;
        let row = place_row(&suggestion.mapping, &suggestion.left_id, &suggestion.right_id);
        let text = match self.compared {
            Some(text) => Some(text),
            None => sealer.open_text(place(&row), self.sealed.as_deref())?,
        };
        self.suggestion.compared = text
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        Ok(self.suggestion)
    }
}

const fn place(row: &str) -> Place<'_> {
    Place {
        table: "suggestion",
        column: "compared_sealed",
        row,
    }
}

fn place_row(mapping: &str, left_id: &str, right_id: &str) -> String {
    format!("{mapping}/{left_id}/{right_id}")
}

impl Store {
    /// Suggestions that fit `filter`, newest first.
    pub async fn suggestions(&self, filter: &SuggestionFilter, page: Page) -> Result<Vec<Suggestion>, Error> {
        let mut found = Vec::new();
        for mapping in self.asked_mappings(filter.mapping.as_deref()) {
            let (sql, args) = wanted(mapping, filter).page(SELECT, "suggestion_id", page);
            found.extend(self.opened_suggestions(sql, args).await?);
        }
        Ok(newest(found, page, |suggestion| suggestion.suggestion_id))
    }

    /// How many suggestions fit `filter`.
    pub async fn suggestion_count(&self, filter: &SuggestionFilter) -> Result<u64, Error> {
        let mut count = 0;
        for mapping in self.asked_mappings(filter.mapping.as_deref()) {
            let wanted = wanted(mapping, filter);
            let sql = format!("select count(*) as number from suggestion{}", wanted.clause());
            count += self.engine().count(sql, wanted.args).await?;
        }
        Ok(count)
    }

    /// One suggestion.
    pub async fn suggestion(&self, suggestion_id: i64) -> Result<Option<Suggestion>, Error> {
        let sql = format!("{SELECT} where suggestion_id = $1");
        let found = self
            .opened_suggestions(sql, args![suggestion_id])
            .await?
            .into_iter()
            .next();
        Ok(found.filter(|suggestion| self.sees_mapping(Some(&suggestion.mapping))))
    }

    /// Open and accepted suggestions for records of one side, the best first.
    pub async fn suggestions_for(
        &self,
        mapping: &str,
        side: Side,
        record_ids: &[&str],
    ) -> Result<Vec<Suggestion>, Error> {
        let column = match side {
            Side::Left => "left_id",
            Side::Right => "right_id",
        };
        let mut found = Vec::new();
        for ids in record_ids.chunks(LIST_MAX) {
            let mut args = args![mapping];
            let list = self.engine().in_list(ids, &mut args);
            let sql = format!(
                "{SELECT} where mapping = $1 and {column} in {list} and status in ('open', 'accepted') \
                 order by score desc, suggestion_id"
            );
            found.extend(self.opened_suggestions(sql, args).await?);
        }
        Ok(found)
    }

    async fn opened_suggestions(&self, sql: String, args: super::engine::Args<'_>) -> Result<Vec<Suggestion>, Error> {
        let found = self.engine().rows::<Closed>(sql, args).await?;
        found.into_iter().map(|one| one.open(self.sealer())).collect()
    }

    /// Stores what a run has found. A pair that was rejected, or linked and parted again, stays so while the values that count
    /// are the same. Open ones that this run did not find are gone.
    pub async fn put_suggestions(&self, mapping: &str, run_id: i64, found: &[NewSuggestion]) -> Result<(), Error> {
        const PUT: Bulk = Bulk {
            head: "insert into suggestion (mapping, left_id, right_id, score, compared, compared_sealed, sensitive, \
                   left_hash, right_hash, status, run_id, created_at, seen_at)",
            tail: concat!(
                "on conflict (mapping, left_id, right_id) do update set score = excluded.score, \
                 compared = excluded.compared, compared_sealed = excluded.compared_sealed, \
                 sensitive = excluded.sensitive, run_id = excluded.run_id, seen_at = excluded.seen_at, \
                 left_hash = excluded.left_hash, right_hash = excluded.right_hash, status = case when ",
                still_decided!(),
                " then suggestion.status else 'open' end, decided_at = case when ",
                still_decided!(),
                " then suggestion.decided_at end, decided_by = case when ",
                still_decided!(),
                " then suggestion.decided_by end"
            ),
        };
        let now = self.now();
        let mut tx = self.engine().begin(Durability::Relaxed).await?;
        let refs: Vec<&NewSuggestion> = found.iter().collect();
        for group in without_repeats(&refs, |one| (&one.left_id, &one.right_id)) {
            let mut rows = Vec::with_capacity(group.len());
            for one in group {
                let text = serde_json::to_string(&one.compared).unwrap_or_default();
                let row = place_row(&one.mapping, &one.left_id, &one.right_id);
                let (shown, sealed) = if one.sensitive {
                    (None, self.sealer().seal_text(place(&row), Some(&text))?)
                } else {
                    (Some(text), None)
                };
                rows.push(args![
                    &one.mapping,
                    &one.left_id,
                    &one.right_id,
                    i64::from(one.score),
                    shown,
                    sealed,
                    one.sensitive,
                    one.hashes.left.cast_signed(),
                    one.hashes.right.cast_signed(),
                    SuggestionStatus::Open,
                    run_id,
                    now,
                    now,
                ]);
            }
            PUT.execute(&mut tx, rows).await?;
        }
        let stale = "delete from suggestion where mapping = $1 and status = 'open' and run_id <> $2";
        tx.execute(stale, args![mapping, run_id]).await?;
        tx.commit().await
    }

    /// Decides an open suggestion, together with what goes with it; whether it was open.
    pub async fn decide_suggestion(
        &self,
        suggestion_id: i64,
        status: SuggestionStatus,
        by: &str,
        with: Vec<Op>,
    ) -> Result<bool, Error> {
        let sql = "update suggestion set status = $2, decided_by = $3, decided_at = $4 \
             where suggestion_id = $1 and status = 'open'";
        let args = args![suggestion_id, status, by, self.now()];
        Ok(self.decide(sql, args, |_| with).await? > 0)
    }
}

fn wanted<'a>(mapping: Option<&'a str>, filter: &'a SuggestionFilter) -> Filter<'a> {
    Filter::of_pairs(mapping, filter.status, filter.record_id.as_deref())
}

/// Records that were linked need no suggestion any more; the one that said so is done.
pub(super) async fn settle(tx: &mut Tx, pairs: &[&LinkedPair]) -> Result<(), Error> {
    const DONE: Bulk = Bulk {
        head: "update suggestion set status = 'linked' from (",
        tail: ") as v where suggestion.mapping = v.column1 and suggestion.left_id = v.column2 \
               and suggestion.right_id = v.column3 and suggestion.status in ('open', 'accepted')",
    };
    const LEFT: Bulk = Bulk {
        head: "delete from suggestion where (mapping, left_id) in (",
        tail: ") and status in ('open', 'accepted')",
    };
    const RIGHT: Bulk = Bulk {
        head: "delete from suggestion where (mapping, right_id) in (",
        tail: ") and status in ('open', 'accepted')",
    };
    let all = pairs
        .iter()
        .map(|pair| args![&pair.mapping, &pair.left_id, &pair.right_id]);
    DONE.execute(tx, all.collect()).await?;
    let left = pairs.iter().map(|pair| args![&pair.mapping, &pair.left_id]);
    LEFT.execute(tx, left.collect()).await?;
    let right = pairs.iter().map(|pair| args![&pair.mapping, &pair.right_id]);
    RIGHT.execute(tx, right.collect()).await?;
    Ok(())
}
