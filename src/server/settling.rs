//! What people decide about differences: conflicts, pending deletes, suggestions, ignore rules. Each decision stands in the audit,
//! and takes effect on the normal roads: here nothing is written to a system.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::decision::{Outcome, entry};
use crate::{
    core::{
        connector::Object,
        mapping::Mapping,
        record::RecordKey,
        status::{ChangeOrigin, ConflictStatus, EventKind, LinkStatus, MissingDecision, Side, Sides, SuggestionStatus},
    },
    store::{
        Error, Op, Store,
        audit::NewAudit,
        change::NewChange,
        conflict::{Conflict, Resolution},
        ignore::NewIgnoreRule,
        link::StoredLink,
        suggestion::Suggestion,
    },
};

/// What became of a decision that is about what a person has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// It is made.
    Made,
    /// There is no such thing to decide about.
    Unknown,
    /// It was decided before.
    Settled,
    /// It is another thing by now than the person saw.
    Changed,
    /// It cannot be done; why, and what can.
    Refused(String),
}

impl From<Outcome> for Decided {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Made => Self::Made,
            Outcome::Unknown => Self::Unknown,
            Outcome::Settled => Self::Settled,
        }
    }
}

/// What goes with a decision about a pair: its entry in the audit, and a look at the pair, when the decision takes effect.
fn taking_effect(mapping: &Arc<str>, left_id: &str, entry: NewAudit) -> Vec<Op> {
    let key = RecordKey::new(Arc::clone(mapping), Side::Left, left_id);
    let look = NewChange::new(key, ChangeOrigin::Manual, EventKind::Updated);
    vec![Op::Enqueue(look), Op::Audit(entry)]
}

/// Decides a conflict, if it still is as `seen` says, and has the pair looked at.
pub async fn resolve_conflict(
    store: &Store,
    mapping: Option<&Mapping>,
    conflict_id: i64,
    (resolution, seen): (&Resolution, Option<&str>),
    actor: &str,
) -> Result<Decided, Error> {
    let Some(conflict) = store.conflict(conflict_id).await? else {
        return Ok(Decided::Unknown);
    };
    if conflict.status != ConflictStatus::Open {
        return Ok(Decided::Settled);
    }
    if seen.is_some_and(|seen| seen != conflict.seen()) {
        return Ok(Decided::Changed);
    }
    if let Some(why) = mapping.and_then(|mapping| impossible(mapping, &conflict, resolution)) {
        return Ok(Decided::Refused(why));
    }
    let (action, detail) = match resolution {
        Resolution::Take(winner) => ("conflict.resolve", Some(json!({ "winner": winner }))),
        // The value may be personal data.
        Resolution::Set(_) => ("conflict.resolve", Some(json!({ "set": true }))),
        Resolution::Ignore => ("conflict.ignore", None),
    };
    let subject = format!("conflict/{conflict_id}");
    let entry = entry(actor, action, subject, detail.map(|detail| detail.to_string()));
    // One more look also settles the failure that the conflict left.
    let with = taking_effect(&conflict.mapping, &conflict.left_id, entry);
    if !store.resolve_conflict(&conflict, resolution, actor, with).await? {
        return Ok(Decided::Changed);
    }
    Ok(Decided::Made)
}

/// Why a decision could never take effect.
fn impossible(mapping: &Mapping, conflict: &Conflict, resolution: &Resolution) -> Option<String> {
    let field = mapping.fields.iter().find(|field| field.name == conflict.field)?;
    match resolution {
        Resolution::Take(winner) if !field.flow.reaches(winner.other()) => {
            let (own, other) = (mapping.end(*winner), mapping.end(winner.other()));
            Some(format!(
                "`{}` does not go from {} to {}: take {}",
                field.name, own.system, other.system, other.system
            ))
        }
        Resolution::Set(text) => {
            let one_way = [Side::Left, Side::Right]
                .into_iter()
                .find(|side| !field.flow.reaches(*side));
            if let Some(side) = one_way {
                let system = &mapping.end(side).system;
                return Some(format!("`{}` is never written in {system}: take {system}", field.name));
            }
            let refusal = field.set(mapping, text, &Sides::default()).err()?;
            Some(match refusal {
                crate::core::mapping::convert::Refusal::Fault(fault) => fault.message,
                crate::core::mapping::convert::Refusal::Awaited(awaited) => {
                    format!("`{}` is not linked yet", awaited.id)
                }
            })
        }
        Resolution::Take(_) | Resolution::Ignore => None,
    }
}

/// Decides what follows for a link whose one record is gone, and has the pair looked at. `objects` say what the connectors can.
pub async fn decide_missing(
    store: &Store,
    objects: Sides<Option<&Object>>,
    link_id: i64,
    decision: MissingDecision,
    actor: &str,
) -> Result<Decided, Error> {
    let Some(stored) = store.link(link_id).await? else {
        return Ok(Decided::Unknown);
    };
    let Some((gone, _)) = stored
        .missing
        .filter(|_| stored.link.status == LinkStatus::PendingDelete)
    else {
        return Ok(Decided::Refused(format!("link {link_id} is no pending delete")));
    };
    if let Some(why) = unable(objects, &stored, gone, decision) {
        return Ok(Decided::Refused(why));
    }
    let detail = json!({ "mapping": &*stored.mapping, "gone": gone, "decision": decision }).to_string();
    let entry = entry(actor, "delete.decide", format!("link/{link_id}"), Some(detail));
    let with = taking_effect(&stored.mapping, &stored.link.left_id, entry);
    if !store.decide_missing(link_id, decision, actor, with).await? {
        return Ok(Decided::Changed);
    }
    Ok(Decided::Made)
}

fn unable(
    objects: Sides<Option<&Object>>,
    stored: &StoredLink,
    gone: Side,
    decision: MissingDecision,
) -> Option<String> {
    let (side, what) = match decision {
        MissingDecision::Delete => (gone.other(), "delete"),
        MissingDecision::Recreate => (gone, "create"),
        MissingDecision::Keep => return None,
    };
    let object = (*objects.get(side))?;
    let can = match decision {
        MissingDecision::Delete => object.delete.is_some(),
        _ => object.create.is_some() || object.batch_create.is_some(),
    };
    let id = stored.link.id(side);
    (!can).then(|| {
        format!(
            "the connector has no `{what}:` for `{}` (record {id}): do it in that system by hand",
            object.name
        )
    })
}

/// Says that two similar records are the same thing, and has them linked and compared.
pub async fn accept_suggestion(store: &Store, suggestion_id: i64, actor: &str) -> Result<Decided, Error> {
    let Some(suggestion) = store.suggestion(suggestion_id).await? else {
        return Ok(Decided::Unknown);
    };
    if suggestion.status != SuggestionStatus::Open {
        return Ok(Decided::Settled);
    }
    for side in [Side::Left, Side::Right] {
        let id = suggestion.id(side);
        if let Some(stored) = store.link_by(&suggestion.mapping, side, id).await? {
            let (link_id, partner) = (stored.link.link_id, stored.link.id(side.other()));
            return Ok(Decided::Refused(format!(
                "{side} {id} is linked to {partner} already (link {link_id})"
            )));
        }
        let known = store.suggestions_for(&suggestion.mapping, side, &[id]).await?;
        if let Some(other) = known.iter().find(|one| one.status == SuggestionStatus::Accepted) {
            return Ok(Decided::Refused(format!(
                "{side} {id} is to be linked to {} (suggestion {})",
                other.id(side.other()),
                other.suggestion_id
            )));
        }
    }
    let decided = (SuggestionStatus::Accepted, "suggestion.accept");
    Ok(decide_suggestion(store, &suggestion, decided, actor).await?.into())
}

/// Says that two similar records are not the same thing; it is not asked again until one of them changes in what they were
/// compared by.
pub async fn reject_suggestion(store: &Store, suggestion_id: i64, actor: &str) -> Result<Outcome, Error> {
    let Some(suggestion) = store.suggestion(suggestion_id).await? else {
        return Ok(Outcome::Unknown);
    };
    // A record that waited for the answer gets its partner now, where the mapping makes them.
    let decided = (SuggestionStatus::Rejected, "suggestion.reject");
    decide_suggestion(store, &suggestion, decided, actor).await
}

async fn decide_suggestion(
    store: &Store,
    suggestion: &Suggestion,
    (status, action): (SuggestionStatus, &str),
    actor: &str,
) -> Result<Outcome, Error> {
    let id = suggestion.suggestion_id;
    let entry = entry(actor, action, format!("suggestion/{id}"), Some(pair(suggestion)));
    let with = taking_effect(&suggestion.mapping, &suggestion.left_id, entry);
    Ok(Outcome::of(store.decide_suggestion(id, status, actor, with).await?))
}

/// What the audit keeps of a suggestion.
fn pair(suggestion: &Suggestion) -> String {
    let (mapping, left_id, right_id) = (&*suggestion.mapping, &suggestion.left_id, &suggestion.right_id);
    json!({ "mapping": mapping, "left_id": left_id, "right_id": right_id }).to_string()
}

/// The longest reason of an ignore rule.
const REASON_CHARS_MAX: usize = 500;

/// Has differences left alone until a time; the id of the rule, or why there is none.
pub async fn ignore(store: &Store, rule: &NewIgnoreRule, now: DateTime<Utc>) -> Result<Result<i64, String>, Error> {
    if rule.until <= now {
        return Ok(Err("it would have ended already: name a date in the future".to_owned()));
    }
    if rule.reason.trim().is_empty() || rule.reason.chars().count() > REASON_CHARS_MAX {
        return Ok(Err(format!(
            "say why, in at most {REASON_CHARS_MAX} characters: somebody will read it when the rule ends"
        )));
    }
    if rule.record.is_none() && rule.field.is_none() && rule.situation.is_none() {
        return Ok(Err(
            "it would leave the whole mapping alone: name a record, a field or a situation".to_owned(),
        ));
    }
    let record = rule.record.as_ref().map(|(side, id)| format!("{side}/{id}"));
    let detail = json!({
        "mapping": &*rule.mapping, "record": record, "field": rule.field, "situation": rule.situation,
        "until": rule.until.to_rfc3339(),
    });
    let told = |id| {
        let detail = Some(detail.to_string());
        vec![Op::Audit(entry(
            &rule.owner,
            "ignore.add",
            format!("ignore/{id}"),
            detail,
        ))]
    };
    Ok(Ok(store.add_ignore_rule(rule, told).await?))
}

/// Takes an ignore rule away: what it left alone is drift again from the next reconciliation on.
pub async fn stop_ignoring(store: &Store, ignore_rule_id: i64, actor: &str) -> Result<Outcome, Error> {
    if store.ignore_rule(ignore_rule_id).await?.is_none() {
        return Ok(Outcome::Unknown);
    }
    let entry = entry(actor, "ignore.remove", format!("ignore/{ignore_rule_id}"), None);
    let with = vec![Op::Audit(entry)];
    let is_made = store.remove_ignore_rule(ignore_rule_id, actor, with).await?;
    Ok(Outcome::of(is_made))
}

/// The end of a rule as a person writes it: the end of a day in UTC, or a time.
pub fn until(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = text.parse::<chrono::NaiveDate>() {
        let end = day.succ_opt().and_then(|next| next.and_hms_opt(0, 0, 0));
        return end
            .map(|end| end.and_utc())
            .ok_or_else(|| format!("`{text}` is too late"));
    }
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .map_err(|_| format!("`{text}` is neither a date as in `2026-12-31` nor a time as in `2026-12-31T12:00:00Z`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_lasts_through_the_day_that_it_names() {
        assert_eq!(until("2026-12-31").unwrap().to_rfc3339(), "2027-01-01T00:00:00+00:00");
        assert_eq!(
            until("2026-12-31T12:00:00+01:00").unwrap().to_rfc3339(),
            "2026-12-31T11:00:00+00:00"
        );
        for bad in ["", "tomorrow", "31.12.2026", "2026-13-01"] {
            assert!(until(bad).is_err(), "{bad}");
        }
    }
}
