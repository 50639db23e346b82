//! The numbers that a reconciliation gathers while it plans.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Item;
use crate::core::{
    diff::{Decision, Verdict},
    newcomer::{Known, NewFields},
    plan::Plan,
    shape::Shape,
    status::{Cause, Side, Situation, WriteKind},
};

/// What the plans of a reconciliation would do, in records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Planned {
    /// Records that would be made.
    pub creates: u64,
    /// Records that would be changed.
    pub updates: u64,
    /// Records that would be deleted.
    pub deletes: u64,
}

impl Planned {
    /// Adds the writes of one plan.
    pub fn add(&mut self, plan: &Plan) {
        for write in &plan.writes {
            *(match write.kind {
                WriteKind::Create => &mut self.creates,
                WriteKind::Update => &mut self.updates,
                WriteKind::Delete => &mut self.deletes,
            }) += 1;
        }
    }
}

/// The numbers of one drift report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "DriftSummary")]
pub struct Summary {
    /// Records of the left side that were read.
    pub left_records: u64,
    /// Records of the right side that were read.
    pub right_records: u64,
    /// Pairs that were compared.
    pub pairs: u64,
    /// Field pairs that were compared.
    pub cells: u64,
    /// Field pairs that agreed.
    pub cells_equal: u64,
    /// Records by situation.
    pub situations: BTreeMap<Situation, u64>,
    /// Drift items by field.
    pub fields: BTreeMap<String, u64>,
    /// Drift items by cause.
    pub causes: BTreeMap<Cause, u64>,
    /// Values that a table does not name, by field and value, with how often they came.
    pub unmapped: BTreeMap<String, u64>,
    /// Whether both listings were complete.
    pub complete: bool,
    /// What changed at this time or later was compared and nothing else; none where everything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// What the plans would do: what a person who releases a held run agrees to.
    #[serde(default)]
    pub planned: Planned,
    /// Pairs that looked changed in the listings and agreed when they were read again: changes in flight, and edits that
    /// both sides made alike.
    #[serde(default)]
    pub in_flux: u64,
    /// Why the mapping is stopped: a field that it reads is gone, or of another type. None where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// What was seen of the fields of the left side; the next report is judged by it.
    #[serde(default, skip_serializing_if = "Shape::is_empty")]
    pub left_shape: Shape,
    /// What was seen of the fields of the right side.
    #[serde(default, skip_serializing_if = "Shape::is_empty")]
    pub right_shape: Shape,
    /// Fields that a system newly answers and nothing names; told in one report alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_fields: Vec<NewFields>,
    /// Which fields of the left side were ever seen, so that the next report tells new ones.
    #[serde(default, skip_serializing_if = "Known::is_empty")]
    pub left_known: Known,
    /// Which fields of the right side were ever seen.
    #[serde(default, skip_serializing_if = "Known::is_empty")]
    pub right_known: Known,
}

/// The most unmapped values a report names: a column of free text in a `values` table must not fill it.
const UNMAPPED_MAX: usize = 1_000;

impl Summary {
    /// The share of agreeing cells, in hundredths of a percent; 10,000 where nothing was compared.
    #[must_use]
    pub fn match_score(&self) -> u64 {
        let score = u128::from(self.cells_equal) * 10_000;
        score
            .checked_div(u128::from(self.cells))
            .and_then(|score| u64::try_from(score).ok())
            .unwrap_or(10_000)
    }

    /// What was seen of the fields of one side.
    #[must_use]
    pub const fn shape(&self, side: Side) -> &Shape {
        match side {
            Side::Left => &self.left_shape,
            Side::Right => &self.right_shape,
        }
    }

    /// Which fields of one side were ever seen.
    #[must_use]
    pub const fn known(&self, side: Side) -> &Known {
        match side {
            Side::Left => &self.left_known,
            Side::Right => &self.right_known,
        }
    }

    /// How many records are in a situation other than in sync.
    #[must_use]
    pub fn drifted(&self) -> u64 {
        let settled = [Situation::InSync, Situation::Filtered];
        self.situations
            .iter()
            .filter(|(situation, _)| !settled.contains(situation))
            .map(|(_, count)| count)
            .sum()
    }

    /// Adds the numbers of a part of the same report.
    pub fn absorb(&mut self, part: Self) {
        self.pairs += part.pairs;
        self.cells += part.cells;
        self.cells_equal += part.cells_equal;
        for (situation, count) in part.situations {
            *self.situations.entry(situation).or_default() += count;
        }
        for (field, count) in part.fields {
            *self.fields.entry(field).or_default() += count;
        }
        for (cause, count) in part.causes {
            *self.causes.entry(cause).or_default() += count;
        }
        for (value, count) in part.unmapped {
            if self.unmapped.len() < UNMAPPED_MAX || self.unmapped.contains_key(&value) {
                *self.unmapped.entry(value).or_default() += count;
            }
        }
        self.in_flux += part.in_flux;
        self.planned.creates += part.planned.creates;
        self.planned.updates += part.planned.updates;
        self.planned.deletes += part.planned.deletes;
    }

    /// Counts pairs that were found unchanged without reading them again.
    pub fn add_unchanged(&mut self, pairs: u64, fields: u64) {
        self.pairs += pairs;
        self.cells += pairs * fields;
        self.cells_equal += pairs * fields;
        *self.situations.entry(Situation::InSync).or_default() += pairs;
    }

    /// Counts one planned record and its items.
    pub fn add(&mut self, plan: &Plan, items: &[Item]) {
        // A record that is left alone as a whole is not compared; a pair that differs only in what is left alone is in step.
        let situation = if plan.situation == Situation::Differs && plan.is_ignored() {
            Situation::InSync
        } else {
            plan.situation
        };
        if !plan.is_left_alone {
            *self.situations.entry(situation).or_default() += 1;
        }
        self.planned.add(plan);
        if !plan.decisions.is_empty() {
            let agreeing = plan.decisions.iter().filter(|decision| is_settled(decision)).count() as u64;
            self.pairs += 1;
            self.cells += plan.decisions.len() as u64;
            self.cells_equal += agreeing;
        }
        if plan.situation == Situation::InSync {
            self.in_flux += 1;
        }
        for item in items.iter().filter(|item| !item.is_ignored) {
            *self.causes.entry(item.cause).or_default() += 1;
            if let Some(field) = &item.field {
                *self.fields.entry(field.clone()).or_default() += 1;
            }
        }
        for fault in plan.faults.iter().filter(|fault| fault.code == "MP103") {
            if self.unmapped.len() < UNMAPPED_MAX {
                *self.unmapped.entry(fault.message.clone()).or_default() += 1;
            }
        }
    }
}

fn is_settled(decision: &Decision) -> bool {
    matches!(decision.verdict, Verdict::Equal | Verdict::Kept | Verdict::Ignored)
}
