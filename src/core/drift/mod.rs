//! Drift: what reconciliation found different, since when, and why.

mod report;
mod summary;

use std::cmp::Ordering;

use chrono::{DateTime, Utc};

pub use report::{FieldCount, Group, Known, Numbers, Oldest, Report, Since};
pub use summary::{Planned, Summary};

use crate::core::{
    diff::{Changed, Decision, Reason, Verdict},
    mapping::Mapping,
    plan::{LinkStep, Plan},
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
    /// When each record changed last, as its system says.
    pub updated_at: Sides<Option<DateTime<Utc>>>,
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

    /// The side whose record is the newer one, by the times of both systems.
    fn newest(self) -> Option<Side> {
        let (left, right) = self.updated_at.left.zip(self.updated_at.right)?;
        match left.cmp(&right) {
            Ordering::Less => Some(Side::Right),
            Ordering::Equal => None,
            Ordering::Greater => Some(Side::Left),
        }
    }

    /// The event behind this change: one whose work failed, or that brought the failure up.
    fn event_id(self, changed: Changed) -> Option<i64> {
        match self.told(changed) {
            Told::Failed(event_id) => Some(event_id),
            _ => self.failure.and_then(|failure| failure.event_id),
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
            | Reason::Decided(_)
            | Reason::DecidedValue,
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
    /// The event that tells of the change, where one came.
    pub event_id: Option<i64>,
    /// Why it was decided as it was.
    pub note: String,
    /// Whether it is left as it is, as a person has decided; counted apart.
    pub is_ignored: bool,
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
            event_id: evidence.event_id(Changed::Neither),
            note: plan.reason.clone(),
            is_ignored: plan.is_left_alone,
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
            Changed::Both | Changed::NoBase => evidence.newest(),
            Changed::Neither => None,
        },
        event_id: evidence.event_id(decision.changed),
        note: decision.reason.describe(mapping),
        is_ignored: decision.verdict == Verdict::Ignored,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_both_sides_changed_the_newer_record_says_which_was_last() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0);
        let newest = |left, right| {
            let evidence = Evidence {
                updated_at: Sides { left, right },
                ..Evidence::default()
            };
            evidence.newest()
        };
        assert_eq!(newest(at(2), at(1)), Some(Side::Left));
        assert_eq!(newest(at(1), at(2)), Some(Side::Right));
        assert_eq!(newest(at(1), at(1)), None);
        assert_eq!(newest(at(1), None), None);
    }

    #[test]
    fn the_event_behind_a_change_is_that_of_its_side_else_of_the_failure() {
        let failure = Some(Failed {
            failure_id: 1,
            class: FailureClass::Rejected,
            event_id: Some(7),
        });
        let evidence = Evidence {
            told: Sides {
                left: Told::Failed(9),
                right: Told::Nothing,
            },
            failure,
            ..Evidence::default()
        };
        assert_eq!(evidence.event_id(Changed::One(Side::Left)), Some(9));
        assert_eq!(evidence.event_id(Changed::One(Side::Right)), Some(7));
        assert_eq!(Evidence::default().event_id(Changed::Both), None);
    }
}
