//! What people decide, whichever door they come through (API, command line): each decision with its entry in the audit.

use std::{sync::Arc, time::Duration};

use crate::{
    core::{
        mapping::Mapping,
        record::RecordKey,
        status::{ChangeOrigin, EventStatus, FailureStatus, LinkStatus, Side},
    },
    store::{Error, Op, Store, audit::NewAudit, change::NewChange},
    sync::{Engine, reprocess},
};

/// What became of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is made.
    Made,
    /// There is no such thing to decide about.
    Unknown,
    /// It was decided before.
    Settled,
}

impl Outcome {
    /// Of a decision about something that is there.
    pub(super) const fn of(is_made: bool) -> Self {
        if is_made { Self::Made } else { Self::Settled }
    }
}

/// An entry of the audit.
pub(super) fn entry(actor: &str, action: &str, subject: String, detail: Option<String>) -> NewAudit {
    NewAudit {
        actor: actor.to_owned(),
        action: action.to_owned(),
        subject,
        detail,
    }
}

/// Takes a failure for none.
pub async fn ignore_failure(store: &Store, failure_id: i64, actor: &str) -> Result<Outcome, Error> {
    if store.failure(failure_id).await?.is_none() {
        return Ok(Outcome::Unknown);
    }
    let entry = entry(actor, "failure.ignore", format!("failure/{failure_id}"), None);
    let is_made = store.ignore_failure(failure_id, vec![Op::Audit(entry)]).await?;
    Ok(Outcome::of(is_made))
}

/// Has the record of a failure looked at again.
pub async fn reprocess_failure(store: &Store, failure_id: i64, actor: &str) -> Result<Outcome, Error> {
    let Some(failure) = store.failure(failure_id).await? else {
        return Ok(Outcome::Unknown);
    };
    if matches!(failure.status, FailureStatus::Resolved | FailureStatus::Ignored) {
        return Ok(Outcome::Settled);
    }
    let entry = entry(actor, "failure.reprocess", format!("failure/{failure_id}"), None);
    store.commit(vec![reprocess::again(&failure), Op::Audit(entry)]).await?;
    Ok(Outcome::Made)
}

/// What became of the wish to have an event worked on again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reprocessed {
    /// It is in the queue.
    Begun,
    /// There is no such event.
    Unknown,
    /// It has no error: it stands so.
    NoError(EventStatus),
    /// It names no record, or an object that no mapping has.
    Nowhere,
}

/// Has an event with an error worked on again, if it is one that `store` sees.
pub async fn reprocess_event(engine: &Engine, store: &Store, event_id: i64, actor: &str) -> Result<Reprocessed, Error> {
    let Some(event) = store.event(event_id).await? else {
        return Ok(Reprocessed::Unknown);
    };
    if !matches!(event.status, EventStatus::Failed | EventStatus::Received) {
        return Ok(Reprocessed::NoError(event.status));
    }
    let Some(record_id) = &event.record_id else {
        return Ok(Reprocessed::Nowhere);
    };
    let again = |(mapping, side): (&Arc<Mapping>, Side)| {
        let key = RecordKey::new(mapping.name.as_str(), side, record_id.clone());
        Op::Enqueue(NewChange {
            priority: reprocess::PRIORITY,
            event_id: Some(event_id),
            merged_into: event.merged_into.clone(),
            ..NewChange::new(key, ChangeOrigin::Reprocess, event.kind)
        })
    };
    let mut ops: Vec<Op> = engine.ends_of(&event.system, &event.object).map(again).collect();
    if ops.is_empty() {
        return Ok(Reprocessed::Nowhere);
    }
    ops.push(Op::RequeueEvent { event_id });
    ops.push(Op::Audit(entry(
        actor,
        "event.reprocess",
        format!("event/{event_id}"),
        None,
    )));
    store.commit(ops).await?;
    Ok(Reprocessed::Begun)
}

/// Has what was given up sent again, for as long as `kept`: of one notice or of all, to one target or to all; how many
/// deliveries.
pub async fn resend_notices(
    store: &Store,
    notice_id: Option<i64>,
    target: Option<&str>,
    kept: Duration,
    actor: &str,
) -> Result<u64, Error> {
    let told = |count| {
        let subject = notice_id.map_or_else(|| "notice".to_owned(), |id| format!("notice/{id}"));
        let detail = serde_json::json!({ "target": target, "deliveries": count }).to_string();
        vec![Op::Audit(entry(actor, "notice.resend", subject, Some(detail)))]
    };
    store.resend_notices(notice_id, target, kept, told).await
}

/// Gives a held run up: nothing of what it would have done is done.
pub async fn discard_run(store: &Store, run_id: i64, actor: &str) -> Result<Outcome, Error> {
    if store.run(run_id).await?.is_none() {
        return Ok(Outcome::Unknown);
    }
    let entry = entry(actor, "run.discard", format!("run/{run_id}"), None);
    let is_made = store.discard_run(run_id, actor, vec![Op::Audit(entry)]).await?;
    Ok(Outcome::of(is_made))
}

/// Ends a link: the pair is no longer known to be the same thing; both records stay as they are.
pub async fn end_link(store: &Store, link_id: i64, actor: &str) -> Result<Outcome, Error> {
    let Some(link) = store.link(link_id).await? else {
        return Ok(Outcome::Unknown);
    };
    if link.link.status == LinkStatus::Ended {
        return Ok(Outcome::Settled);
    }
    let entry = entry(actor, "link.end", format!("link/{link_id}"), None);
    store.commit(vec![Op::EndLink { link_id }, Op::Audit(entry)]).await?;
    Ok(Outcome::Made)
}
