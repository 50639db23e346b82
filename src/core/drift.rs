//! Drift: what reconciliation found different, since when, and why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::{
    diff::{Changed, Decision, Reason, Verdict},
    mapping::Mapping,
    plan::Plan,
    status::{Cause, FailureClass, Side, Sides, Situation, WriteKind},
    value::{Value, json},
};

/// What one side told of a record since the pair was last in sync; later ones say more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// Not known.
    #[default]
    Unknown,
    /// Nothing, and nothing of it is listened to or asked for: only reconciliation sees it.
    Unwatched,
    /// Nothing, though it pushes its changes or is asked for them.
    Nothing,
    /// It was told, or the next poll asks for it; nobody has worked on it yet.
    Pending,
    /// This event came, and the work on it failed.
    Failed(i64),
}

/// What the inbox, the failures and the runs say about one record; gathered by the caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Whether the pair was linked before this reconciliation.
    pub was_linked: bool,
    /// What each side told of it.
    pub told: Sides<Told>,
    /// The open failure of this record, if there is one.
    pub failure: Option<Failed>,
}

/// The open failure of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed {
    /// Its id.
    pub failure_id: i64,
    /// What happens next.
    pub class: FailureClass,
    /// The event that brought the record up, where it was one.
    pub event_id: Option<i64>,
}

impl Evidence {
    /// What was told of this change; where nobody knows which side it was on, what says most.
    fn told(self, changed: Changed) -> Told {
        match changed {
            Changed::One(side) => *self.told.get(side),
            Changed::Neither | Changed::Both | Changed::NoBase => self.told.left.max(self.told.right),
        }
    }
}

/// Why one record, or one field of it, drifted.
#[must_use]
pub fn cause(situation: Situation, decision: Option<&Decision>, evidence: Evidence) -> Cause {
    match situation {
        Situation::Missing | Situation::Gone => return Cause::Deleted,
        Situation::Filtered => return Cause::Filtered,
        _ if !evidence.was_linked => {
            return match evidence.failure.and_then(|failure| failure.event_id) {
                Some(_) => Cause::EventFailed,
                None => Cause::NeverLinked,
            };
        }
        _ => {}
    }
    match decision.map(|decision| decision.reason) {
        Some(Reason::MappingChanged(_)) => return Cause::MappingChanged,
        Some(Reason::WrongSide(_) | Reason::WrongSideReported(_)) => return Cause::EditedOnWrongSide,
        Some(
            Reason::Unsettled
            | Reason::BaseLost
            | Reason::NoTimes
            | Reason::PolicyWins(_)
            | Reason::NewestWins(_)
            | Reason::Decided(_),
        ) => return Cause::Conflict,
        // Without a base nobody knows what changed, so that what was told proves nothing.
        Some(Reason::FirstMatch(_) | Reason::Filled(_)) if evidence.failure.is_none() => return Cause::Unknown,
        _ => {}
    }
    let told = evidence.told(decision.map_or(Changed::Neither, |decision| decision.changed));
    match (evidence.failure, told) {
        (Some(failure), _) if failure.class == FailureClass::Conflict => Cause::Conflict,
        (_, Told::Failed(_)) => Cause::EventFailed,
        (Some(failure), _) if failure.event_id.is_some() => Cause::EventFailed,
        (Some(_), _) => Cause::WriteFailed,
        (None, Told::Pending) => Cause::Pending,
        (None, Told::Nothing) => Cause::EventMissed,
        (None, Told::Unwatched) => Cause::Unwatched,
        (None, Told::Unknown) => Cause::Unknown,
    }
}

/// One line of a drift report: a record, or one field of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The record's situation.
    pub situation: Situation,
    /// Why it drifted.
    pub cause: Cause,
    /// The field; none where the record as a whole drifted.
    pub field: Option<String>,
    /// Ids of both records, where there are such.
    pub ids: Sides<Option<String>>,
    /// Both values, as text.
    pub values: Sides<Option<String>>,
    /// Whether the values are personal data.
    pub sensitive: bool,
    /// The side that changed last, where that is known.
    pub last_changed: Option<Side>,
    /// Why it was decided as it was.
    pub note: String,
}

/// The items of one planned record; none where nothing drifted.
#[must_use]
pub fn items(mapping: &Mapping, plan: &Plan, ids: &Sides<Option<String>>, evidence: Evidence) -> Vec<Item> {
    match plan.situation {
        Situation::InSync => Vec::new(),
        Situation::Filtered if ids.left.is_none() || ids.right.is_none() => Vec::new(),
        Situation::Differs if !plan.decisions.is_empty() => plan
            .drifted()
            .map(|decision| field_item(mapping, plan.situation, decision, ids, evidence))
            .collect(),
        situation => vec![Item {
            situation,
            cause: cause(situation, None, evidence),
            field: None,
            ids: ids.clone(),
            values: Sides::default(),
            sensitive: false,
            last_changed: None,
            note: plan.reason.clone(),
        }],
    }
}

fn field_item(
    mapping: &Mapping,
    situation: Situation,
    decision: &Decision,
    ids: &Sides<Option<String>>,
    evidence: Evidence,
) -> Item {
    let field = mapping.fields.get(decision.field);
    Item {
        situation,
        cause: cause(situation, Some(decision), evidence),
        field: field.map(|field| field.name.clone()),
        ids: ids.clone(),
        values: Sides::of(|side| decision.values.get(side).as_ref().map(shown)),
        sensitive: field.is_some_and(|field| field.sensitive),
        last_changed: match decision.changed {
            Changed::One(side) => Some(side),
            Changed::Neither | Changed::Both | Changed::NoBase => None,
        },
        note: decision.reason.describe(mapping),
    }
}

/// A value as a report shows it; long ones are cut.
#[must_use]
pub fn shown(value: &Value) -> String {
    const CHARS_MAX: usize = 500;
    let text = value.to_text().unwrap_or_else(|| json::to_string(value));
    if text.chars().count() <= CHARS_MAX {
        return text;
    }
    text.chars().take(CHARS_MAX).chain(std::iter::once('…')).collect()
}

/// What the plans of a reconciliation would do, in records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What the plans would do: what a person who releases a held run agrees to.
    #[serde(default)]
    pub planned: Planned,
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
        *self.situations.entry(plan.situation).or_default() += 1;
        self.planned.add(plan);
        if !plan.decisions.is_empty() {
            let agreeing = plan.decisions.iter().filter(|decision| is_settled(decision)).count() as u64;
            self.pairs += 1;
            self.cells += plan.decisions.len() as u64;
            self.cells_equal += agreeing;
        }
        for item in items {
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
    matches!(decision.verdict, Verdict::Equal | Verdict::Kept)
}
