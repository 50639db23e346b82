//! Ignore rules: differences that a person has chosen to leave, until a date.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    Op, Page, Store,
    bulk::Filter,
    engine::{FromRow, Row, Unread, args},
    error::Error,
    scope::newest,
};
use crate::core::{
    settled::Ignored,
    status::{Side, Situation},
};

/// What is to be left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIgnoreRule {
    /// The mapping.
    pub mapping: Arc<str>,
    /// The record and its side; none for all.
    pub record: Option<(Side, String)>,
    /// The field; none for all, and for records as a whole.
    pub field: Option<String>,
    /// The situation; none for all.
    pub situation: Option<Situation>,
    /// When it ends by itself.
    pub until: DateTime<Utc>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
}

/// A stored rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoreRule {
    /// Our id of it.
    pub ignore_rule_id: i64,
    /// What it says.
    pub rule: NewIgnoreRule,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was taken away before its end.
    pub removed_at: Option<DateTime<Utc>>,
    /// Who took it away.
    pub removed_by: Option<String>,
}

impl IgnoreRule {
    /// Whether it is in force.
    #[must_use]
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        self.removed_at.is_none() && self.rule.until > now
    }

    /// Whether it concerns a pair with these ids.
    #[must_use]
    pub fn concerns(&self, left_id: Option<&str>, right_id: Option<&str>) -> bool {
        match &self.rule.record {
            None => true,
            Some((Side::Left, id)) => left_id == Some(id),
            Some((Side::Right, id)) => right_id == Some(id),
        }
    }

    /// As the planner takes it.
    #[must_use]
    pub fn ignored(&self) -> Ignored {
        Ignored {
            rule_id: self.ignore_rule_id,
            field: self.rule.field.clone(),
            situation: self.rule.situation,
        }
    }
}

/// Which rules to list.
#[derive(Debug, Clone, Default)]
pub struct IgnoreFilter {
    /// Of this mapping.
    pub mapping: Option<String>,
    /// Also those that have ended.
    pub with_ended: bool,
}

const SELECT: &str = "select ignore_rule_id, mapping, side, record_id, field, situation, until, reason, owner, created_at, \
     removed_at, removed_by from ignore_rule";

impl FromRow for IgnoreRule {
    const TABLE: &'static str = "ignore_rule";
    const KEY: &'static str = "ignore_rule_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            ignore_rule_id: row.get("ignore_rule_id")?,
            rule: NewIgnoreRule {
                mapping: row.shared("mapping")?,
                record: row.get::<Option<Side>>("side")?.zip(row.get("record_id")?),
                field: row.get("field")?,
                situation: row.get("situation")?,
                until: row.time("until")?,
                reason: row.get("reason")?,
                owner: row.get("owner")?,
            },
            created_at: row.time("created_at")?,
            removed_at: row.maybe_time("removed_at")?,
            removed_by: row.get("removed_by")?,
        })
    }
}

impl Store {
    /// Makes a rule; its id. `with` says what goes with the rule of this id.
    pub async fn add_ignore_rule(
        &self,
        rule: &NewIgnoreRule,
        with: impl FnOnce(i64) -> Vec<Op> + Send,
    ) -> Result<i64, Error> {
        let sql = "insert into ignore_rule (mapping, side, record_id, field, situation, until, reason, owner, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning ignore_rule_id as number";
        let (side, record_id) = rule.record.clone().unzip();
        let args = args![
            &rule.mapping,
            side,
            &record_id,
            &rule.field,
            rule.situation,
            rule.until.timestamp_millis(),
            &rule.reason,
            &rule.owner,
            self.now(),
        ];
        self.made(sql, args, with).await
    }

    /// One rule.
    pub async fn ignore_rule(&self, ignore_rule_id: i64) -> Result<Option<IgnoreRule>, Error> {
        let sql = format!("{SELECT} where ignore_rule_id = $1");
        let found = self.engine().row::<IgnoreRule>(sql, args![ignore_rule_id]).await?;
        Ok(found.filter(|rule| self.sees_mapping(Some(&rule.rule.mapping))))
    }

    /// Rules that fit `filter`, newest first.
    pub async fn ignore_rules(&self, filter: &IgnoreFilter, page: Page) -> Result<Vec<IgnoreRule>, Error> {
        let mut found = Vec::new();
        for mapping in self.asked_mappings(filter.mapping.as_deref()) {
            let mut wanted = Filter::new();
            wanted.maybe("mapping =", mapping);
            if !filter.with_ended {
                wanted.raw("removed_at is null");
                wanted.and("until >", self.now());
            }
            let (sql, args) = wanted.page(SELECT, "ignore_rule_id", page);
            found.extend(self.engine().rows::<IgnoreRule>(sql, args).await?);
        }
        Ok(newest(found, page, |rule| rule.ignore_rule_id))
    }

    /// The rules of a mapping that are in force.
    pub async fn active_ignore_rules(&self, mapping: &str) -> Result<Vec<IgnoreRule>, Error> {
        let sql = format!("{SELECT} where mapping = $1 and removed_at is null and until > $2 order by ignore_rule_id");
        self.engine().rows(sql, args![mapping, self.now()]).await
    }

    /// Takes a rule away before its end, together with what goes with it; whether it was in force.
    pub async fn remove_ignore_rule(&self, ignore_rule_id: i64, by: &str, with: Vec<Op>) -> Result<bool, Error> {
        let sql = "update ignore_rule set removed_at = $2, removed_by = $3 \
             where ignore_rule_id = $1 and removed_at is null and until > $2";
        let args = args![ignore_rule_id, self.now(), by];
        Ok(self.decide(sql, args, |_| with).await? > 0)
    }
}
