//! Looking at records again because a person says so: single ones, and failures by filter.

use std::sync::Arc;

use super::{Engine, Error};
use crate::{
    core::{
        mapping::Mapping,
        record::RecordKey,
        status::{ChangeOrigin, EventKind, Side},
    },
    store::{
        Op, Page, Store,
        audit::NewAudit,
        change::NewChange,
        failure::{Failure, FailureFilter},
    },
};

/// Failures put back into the dirty set in one submission.
const BATCH: u32 = 500;
/// Behind live events, before reconciliations.
pub const PRIORITY: i64 = 5;

/// How many failures a filter selects: shown to a person before [`reprocess`].
pub async fn count(store: &Store, filter: &FailureFilter) -> Result<u64, Error> {
    Ok(store.failure_count(filter).await?)
}

/// Puts the records of failures back into the dirty set; the same planner looks at them as on every other road. Returns how
/// many there were.
pub async fn reprocess(store: &Store, filter: &FailureFilter, actor: &str) -> Result<u64, Error> {
    let entry = NewAudit {
        actor: actor.to_owned(),
        action: "failure.reprocess".to_owned(),
        subject: format!("{} failures", count(store, filter).await?),
        detail: None,
    };
    // Stands in the audit together with the first of what it brings about.
    let mut ops = vec![Op::Audit(entry)];
    let mut page = Page::first(BATCH);
    let mut reprocessed = 0;
    loop {
        let failures = store.failures(filter, page).await?;
        let Some(last) = failures.last() else { break };
        page.before = Some(last.failure_id);
        reprocessed += failures.len() as u64;
        ops.extend(failures.iter().map(again));
        store.commit(std::mem::take(&mut ops)).await?;
    }
    if !ops.is_empty() {
        store.commit(ops).await?;
    }
    Ok(reprocessed)
}

/// Puts the record of one failure back into the dirty set.
#[must_use]
pub fn again(failure: &Failure) -> Op {
    let change = NewChange::new(failure.key.clone(), ChangeOrigin::Reprocess, EventKind::Updated);
    Op::Enqueue(NewChange {
        priority: PRIORITY,
        event_id: failure.event_id,
        ..change
    })
}

/// Puts one record into the dirty set because a person asks for it.
pub async fn look_at(
    engine: &Engine,
    mapping: &Mapping,
    side: Side,
    record_id: &str,
    actor: &str,
) -> Result<(), Error> {
    let key = RecordKey::new(Arc::<str>::from(mapping.name.as_str()), side, record_id);
    let entry = NewAudit {
        actor: actor.to_owned(),
        action: "record.sync".to_owned(),
        subject: key.to_string(),
        detail: None,
    };
    let change = NewChange::new(key, ChangeOrigin::Manual, EventKind::Updated);
    engine
        .store()
        .commit(vec![Op::Enqueue(change), Op::Audit(entry)])
        .await?;
    Ok(())
}
