//! Drift: what reconciliation found different, since when, and why.

mod report;
mod summary;

pub use report::{FieldCount, Group, Known, Numbers, Oldest, Report, Since};
pub use summary::{Planned, Summary};

use crate::core::{
    diff::{Changed, Decision, Reason},
    mapping::Mapping,
    plan::{LinkStep, Plan},
    status::{Cause, FailureClass, Side, Sides, Situation, WriteKind},
    value::{Value, json},
};

/// What the inbox, the failures and the runs say about one record; gathered by the caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Whether the pair was linked before this reconciliation.
    pub was_linked: bool,
    /// Whether a system that sends events told us of this record since the pair was last in sync.
    pub event_arrived: bool,
    /// Whether the side that changed sends events at all.
    pub expects_events: bool,
    /// The open failure of this record, if there is one.
    pub failure: Option<(i64, FailureClass)>,
    /// The event that tells of the change, where one came.
    pub event_id: Option<i64>,
}

/// Why one record, or one field of it, drifted.
#[must_use]
pub fn cause(situation: Situation, decision: Option<&Decision>, evidence: Evidence) -> Cause {
    match situation {
        Situation::Missing | Situation::Gone => return Cause::Deleted,
        Situation::Filtered => return Cause::Filtered,
        _ if !evidence.was_linked => {
            return if evidence.failure.is_some() && evidence.event_arrived {
                Cause::EventFailed
            } else {
                Cause::NeverLinked
            };
        }
        _ => {}
    }
    match decision.map(|decision| decision.reason) {
        Some(Reason::MappingChanged(_)) => return Cause::MappingChanged,
        Some(Reason::WrongSide(_) | Reason::WrongSideReported(_)) => return Cause::EditedOnWrongSide,
        Some(Reason::Unsettled | Reason::NoTimes) => return Cause::Conflict,
        _ => {}
    }
    match evidence {
        Evidence {
            failure: Some((_, FailureClass::Conflict)),
            ..
        } => Cause::Conflict,
        Evidence {
            failure: Some(_),
            event_arrived: true,
            ..
        } => Cause::EventFailed,
        Evidence { failure: Some(_), .. } => Cause::WriteFailed,
        Evidence {
            event_arrived: false,
            expects_events: true,
            ..
        } => Cause::EventMissed,
        _ => Cause::Unknown,
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
    /// The event that tells of the change, where one came.
    pub event_id: Option<i64>,
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
            last_changed: gone_side(plan),
            event_id: evidence.event_id,
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
        event_id: evidence.event_id,
        note: decision.reason.describe(mapping),
    }
}

/// Of a linked pair whose one record is gone, the side that it is gone from: that side changed last.
fn gone_side(plan: &Plan) -> Option<Side> {
    if plan.situation != Situation::Missing {
        return None;
    }
    if let LinkStep::MarkMissing(side) = plan.link {
        return Some(side);
    }
    plan.writes.first().and_then(|write| match write.kind {
        WriteKind::Create => Some(write.to),
        WriteKind::Delete => Some(write.to.other()),
        WriteKind::Update => None,
    })
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
