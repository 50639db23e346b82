//! The report of a reconciliation: its numbers, taken when it ended, so that it stays what it was.
//!
//! The [`Summary`] is gathered while records are planned. What only the finished list of differences can tell (what is new,
//! what became of it, what is oldest) is summarised here from [`Group`]s: counts of items that are alike, made by the database
//! in one pass, so that nobody holds a million items in memory to count them.

use std::{cmp::Reverse, collections::BTreeMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Summary;
use crate::core::status::{Cause, DriftOutcome, Side, Situation};

/// The most fields a report ranks.
const FIELDS_MAX: usize = 100;

/// Items of one report that are alike in everything that is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Their situation.
    pub situation: Situation,
    /// Their cause.
    pub cause: Cause,
    /// What became of them.
    pub outcome: DriftOutcome,
    /// The side that changed last.
    pub changed: Option<Side>,
    /// Their field.
    pub field: Option<String>,
    /// Whether there is a left record.
    pub has_left: bool,
    /// Whether there is a right record.
    pub has_right: bool,
    /// How many they are.
    pub items: u64,
}

/// What else the database knows at the end of a reconciliation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Differences that a person has chosen to leave.
    pub ignored: u64,
    /// What changed since the report before.
    pub since: Option<Since>,
    /// The items that have been there for longest.
    pub oldest: Vec<Oldest>,
}

/// What changed since the report before; in items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "SinceLastReport")]
pub struct Since {
    /// The run of the report before.
    pub run_id: i64,
    /// Not in the report before.
    pub new: u64,
    /// In both, and not repaired then.
    pub still: u64,
    /// In both, although it was repaired then.
    pub returned: u64,
    /// In the report before, and not in this one.
    pub gone: u64,
}

/// An item that has been there for long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "OldestDifference")]
pub struct Oldest {
    /// The item.
    pub drift_id: i64,
    /// Its situation.
    pub situation: Situation,
    /// Its cause.
    pub cause: Cause,
    /// Its field.
    pub field: Option<String>,
    /// Id of the left record.
    pub left_id: Option<String>,
    /// Id of the right record.
    pub right_id: Option<String>,
    /// When it was first seen.
    pub first_seen_at: DateTime<Utc>,
    /// How many reports in a row have had it.
    pub age_runs: u32,
}

/// How often one field differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FieldCount {
    /// The field.
    pub field: String,
    /// In how many pairs it differs.
    pub items: u64,
    /// The most frequent cause.
    pub main_cause: Cause,
}

/// The numbers at the head of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Numbers {
    /// Pairs and single records that were looked at: in step, drifted and filtered together.
    pub compared: u64,
    /// Pairs that agree in every field.
    pub in_step: u64,
    /// Pairs and single records in a situation other than in step or filtered.
    pub drifted: u64,
    /// Linked, and no longer passing the filter.
    pub filtered: u64,
    /// Right records whose left partner is not there.
    pub missing_left: u64,
    /// Left records whose right partner is not there.
    pub missing_right: u64,
    /// Differences that a person decides.
    pub conflicts: u64,
    /// Differences that a person has chosen to leave.
    pub ignored: u64,
    /// Pairs that looked changed and agreed when they were read again.
    pub in_flux: u64,
    /// The share of compared cells that agree, in hundredths of a percent.
    pub match_score: u64,
    /// Differences listed one by one.
    pub items: u64,
    /// Of these, repaired in the same run.
    pub repaired: u64,
    /// Of these, those whose repair failed.
    pub failed: u64,
}

/// Everything about a report that is known once its list is complete.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
#[schemars(rename = "DriftNumbers")]
pub struct Report {
    /// The numbers at its head.
    pub numbers: Numbers,
    /// Items by what became of them.
    pub outcomes: BTreeMap<DriftOutcome, u64>,
    /// Items by the side that changed last; those where it is not known are left out.
    pub changed: BTreeMap<Side, u64>,
    /// The fields that differ most, worst first.
    pub fields: Vec<FieldCount>,
    /// What changed since the report before; none for a mapping's first report.
    pub since: Option<Since>,
    /// The items that have been there for longest, oldest first.
    pub oldest: Vec<Oldest>,
}

impl Report {
    /// Summarises a finished list of differences.
    #[must_use]
    pub fn of(summary: &Summary, groups: &[Group], known: Known) -> Self {
        let situation = |situation| summary.situations.get(&situation).copied().unwrap_or_default();
        // What is left alone is counted apart.
        let (left_alone, groups): (Vec<&Group>, Vec<&Group>) =
            groups.iter().partition(|group| group.outcome == DriftOutcome::Ignored);
        let left_alone: u64 = left_alone.iter().map(|group| group.items).sum();
        let count = |fits: &dyn Fn(&Group) -> bool| -> u64 {
            groups.iter().filter(|group| fits(group)).map(|group| group.items).sum()
        };
        let numbers = Numbers {
            compared: summary.situations.values().sum(),
            in_step: situation(Situation::InSync),
            drifted: summary.drifted(),
            filtered: situation(Situation::Filtered),
            missing_left: count(&|group| group.misses(Side::Left)),
            missing_right: count(&|group| group.misses(Side::Right)),
            conflicts: count(&|group| group.cause == Cause::Conflict),
            ignored: known.ignored + left_alone,
            in_flux: summary.in_flux,
            match_score: summary.match_score(),
            items: count(&|_| true),
            repaired: count(&|group| group.outcome == DriftOutcome::Repaired),
            failed: count(&|group| group.outcome == DriftOutcome::Failed),
        };
        let mut report = Self {
            numbers,
            fields: fields(&groups),
            since: known.since,
            oldest: known.oldest,
            ..Self::default()
        };
        if left_alone > 0 {
            report.outcomes.insert(DriftOutcome::Ignored, left_alone);
        }
        for group in groups {
            *report.outcomes.entry(group.outcome).or_default() += group.items;
            if let Some(side) = group.changed {
                *report.changed.entry(side).or_default() += group.items;
            }
        }
        report
    }
}

impl Group {
    /// Whether the record of `side` is not there.
    fn misses(&self, side: Side) -> bool {
        let has = match side {
            Side::Left => self.has_left,
            Side::Right => self.has_right,
        };
        match self.situation {
            Situation::Absent => !has,
            // Both ids are known of a linked pair: the side that changed last is the one whose record is gone.
            Situation::Missing => self.changed == Some(side),
            _ => false,
        }
    }
}

/// The fields by how often they differ.
fn fields(groups: &[&Group]) -> Vec<FieldCount> {
    let mut counts: BTreeMap<&str, BTreeMap<Cause, u64>> = BTreeMap::new();
    for group in groups {
        if let Some(field) = &group.field {
            *counts.entry(field).or_default().entry(group.cause).or_default() += group.items;
        }
    }
    let counted = counts.into_iter().filter_map(|(field, causes)| {
        // Of causes that are equally frequent the first by definition counts.
        let (main_cause, _) = causes.iter().max_by_key(|(cause, items)| (**items, Reverse(**cause)))?;
        Some(FieldCount {
            field: field.to_owned(),
            items: causes.values().sum(),
            main_cause: *main_cause,
        })
    });
    let mut fields: Vec<FieldCount> = counted.collect();
    fields.sort_by(|one, other| other.items.cmp(&one.items).then_with(|| one.field.cmp(&other.field)));
    fields.truncate(FIELDS_MAX);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(situation: Situation, cause: Cause, field: Option<&str>, items: u64) -> Group {
        Group {
            situation,
            cause,
            outcome: DriftOutcome::Reported,
            changed: None,
            field: field.map(str::to_owned),
            has_left: true,
            has_right: true,
            items,
        }
    }

    #[test]
    fn what_was_compared_is_in_step_drifted_or_filtered() {
        let mut summary = Summary::default();
        for (count, situation) in (1..).zip(Situation::ALL) {
            summary.situations.insert(*situation, count);
        }
        let numbers = Report::of(&summary, &[], Known::default()).numbers;
        assert_eq!(numbers.compared, numbers.in_step + numbers.drifted + numbers.filtered);
    }

    #[test]
    fn a_missing_record_is_counted_on_the_side_where_it_is_not() {
        let alone = Group {
            has_right: false,
            ..group(Situation::Absent, Cause::NeverLinked, None, 3)
        };
        let gone = Group {
            changed: Some(Side::Left),
            ..group(Situation::Missing, Cause::Deleted, None, 2)
        };
        let other = group(Situation::Differs, Cause::EventMissed, Some("name"), 5);
        let numbers = Report::of(&Summary::default(), &[alone, gone, other], Known::default()).numbers;
        assert_eq!((numbers.missing_left, numbers.missing_right, numbers.items), (2, 3, 10));
    }

    #[test]
    fn the_worst_field_stands_first_with_its_most_frequent_cause() {
        let groups = [
            group(Situation::Differs, Cause::EventMissed, Some("city"), 2),
            group(Situation::Differs, Cause::Conflict, Some("name"), 1),
            group(Situation::Differs, Cause::EventFailed, Some("name"), 4),
            group(Situation::Absent, Cause::NeverLinked, None, 9),
        ];
        let fields = Report::of(&Summary::default(), &groups, Known::default()).fields;
        let told: Vec<_> = fields
            .iter()
            .map(|one| (one.field.as_str(), one.items, one.main_cause))
            .collect();
        assert_eq!(told, [("name", 5, Cause::EventFailed), ("city", 2, Cause::EventMissed)]);
    }
}
