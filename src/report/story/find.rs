//! Which record a text means: by an id that it has or had, or by a value that a report shows of it.

use std::collections::BTreeSet;

use super::EACH_MAX;
use crate::{
    core::{mapping::Mapping, status::Side},
    store::{
        Error, Page, Store,
        event::EventFilter,
        failure::{Failure, FailureFilter, Standing},
    },
};

/// The records of a mapping that a text may mean: by the id on either side, else by a value that a report shows of them.
pub async fn find(store: &Store, mapping: &Mapping, text: &str) -> Result<Vec<(Side, String)>, Error> {
    let mut found = Vec::new();
    for side in [Side::Left, Side::Right] {
        if is_known(store, mapping, side, text).await? && !lives_on(store, mapping, side, text).await? {
            found.push((side, text.to_owned()));
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    // An id that a linked record had before is that record.
    for side in [Side::Left, Side::Right] {
        if let Some(stored) = store.link_moved_from(&mapping.name, side, text).await? {
            found.push((side, stored.link.id(side).to_owned()));
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let mut seen = BTreeSet::new();
    for item in store.drift_showing(&mapping.name, text, EACH_MAX).await? {
        let left = item.left_id.map(|id| (Side::Left, id));
        if let Some(record) = left.or_else(|| item.right_id.map(|id| (Side::Right, id)))
            && seen.insert(record.clone())
        {
            found.push(record);
        }
    }
    Ok(found)
}

/// Whether a linked record had this id before, and none has it now.
async fn lives_on(store: &Store, mapping: &Mapping, side: Side, id: &str) -> Result<bool, Error> {
    Ok(store.link_by(&mapping.name, side, id).await?.is_none()
        && store.link_moved_from(&mapping.name, side, id).await?.is_some())
}

/// Whether anything is on record about it.
async fn is_known(store: &Store, mapping: &Mapping, side: Side, id: &str) -> Result<bool, Error> {
    let name = &mapping.name;
    Ok(store.link_by(name, side, id).await?.is_some()
        || !store.drift_of(name, side, id, 1).await?.is_empty()
        || !store.writes_of(name, side, id, 1).await?.is_empty()
        || !store
            .events(&events_of(mapping, side, id), Page::first(1))
            .await?
            .is_empty()
        || store
            .failures(&failures_of(mapping, id), Page::first(EACH_MAX))
            .await?
            .iter()
            .any(|failure| is_about(failure, side, id)))
}

/// Ids of both systems may be alike: whether it is the record of this side that failed.
pub(super) fn is_about(failure: &Failure, side: Side, id: &str) -> bool {
    let own = failure.key.side == side && failure.key.record_id == id;
    let known = match side {
        Side::Left => failure.left_id.as_deref(),
        Side::Right => failure.right_id.as_deref(),
    };
    own || known == Some(id)
}

pub(super) fn events_of(mapping: &Mapping, side: Side, id: &str) -> EventFilter {
    let end = mapping.end(side);
    EventFilter {
        system: Some(end.system.clone()),
        object: Some(end.object.clone()),
        record_id: Some(id.to_owned()),
        ..EventFilter::default()
    }
}

pub(super) fn failures_of(mapping: &Mapping, id: &str) -> FailureFilter {
    FailureFilter {
        mapping: Some(mapping.name.clone()),
        record_id: Some(id.to_owned()),
        standing: Standing::Any,
        ..FailureFilter::default()
    }
}
