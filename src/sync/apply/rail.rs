//! The guard rail of deletes that no reconciliation has weighed as a whole: a system that says of every record that it is not
//! there must not empty the other one, event by event.

use chrono::TimeDelta;

use super::{Due, Work};
use crate::{
    core::{
        fault::Fault,
        mapping::Mapping,
        status::{FailureClass, MissingDecision, Side, Stage, WriteKind},
    },
    store,
    sync::Engine,
};

/// A delete that went beyond the rail.
const CODE: &str = "SY007";

/// The time between two daily reconciliations.
const WITHIN: TimeDelta = TimeDelta::days(1);

/// Who has weighed the deletes of a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletes {
    /// A reconciliation, against all records; or a person, who asked for this record.
    Weighed,
    /// Nobody: so many a day are let through.
    Counted,
    /// Nobody, unless the record was stopped here before: then a person has said that it is to be done.
    Reprocessed,
}

/// Which of the writes are deletes that nobody has weighed, as places in their list.
pub(super) async fn unweighed(
    engine: &Engine,
    works: &[Work<'_>],
    due: &[Due<'_>],
    deletes: Deletes,
) -> Result<Vec<usize>, store::Error> {
    let mut found = Vec::new();
    if deletes == Deletes::Weighed {
        return Ok(found);
    }
    for (at, one) in due.iter().enumerate() {
        if one.write.kind == WriteKind::Delete
            && let Some(work) = works.get(one.at)
            && !is_decided(engine, work, deletes).await?
        {
            found.push(at);
        }
    }
    Ok(found)
}

/// Whether a person wants this one deleted.
async fn is_decided(engine: &Engine, work: &Work<'_>, deletes: Deletes) -> Result<bool, store::Error> {
    let link = work.fetched.link.as_ref().map(|stored| &stored.link);
    if link.is_some_and(|link| matches!(link.decided, Some((_, MissingDecision::Delete)))) {
        return Ok(true);
    }
    if deletes != Deletes::Reprocessed {
        return Ok(false);
    }
    let failure = engine.store().open_failure(work.key).await?;
    Ok(failure.is_some_and(|failure| failure.code == CODE))
}

/// Says what is wrong where an unweighed delete is one too many. Its intent is stored already, so that whoever comes at the same
/// time, on this node or another, counts it: at most so many pass, whatever comes first.
pub(super) async fn beyond(
    engine: &Engine,
    mapping: &Mapping,
    to: Side,
    write_id: i64,
) -> Result<Option<Fault>, store::Error> {
    let store = engine.store();
    let since = engine.clock().now() - WITHIN;
    let place = store.unweighed_deletes(&mapping.name, since, write_id).await?;
    let guard = mapping.reconcile.guard;
    // Pairs are only counted where it depends on them.
    if place <= guard.deletes_a_day(0) {
        return Ok(None);
    }
    let pairs = if guard.deletes_a_day(0) == guard.deletes_a_day(u64::MAX) {
        0
    } else {
        let filter = store::link::LinkFilter {
            mapping: Some(mapping.name.clone()),
            ..store::link::LinkFilter::default()
        };
        store.link_count(&filter).await?
    };
    let max = guard.deletes_a_day(pairs);
    if place <= max {
        return Ok(None);
    }
    let (here, there) = (&mapping.end(to).system, &mapping.end(to.other()).system);
    let message = format!(
        "`{there}` says that the record is gone, and so it has said of more than {max} within a day: it is kept in `{here}`"
    );
    let hint = format!(
        "if they are really gone in `{there}`, reprocess this failure, or let the next reconciliation weigh them all; \
         else find out what hides them there. `reconcile.limits.delete` in the mapping sets the limit"
    );
    let fault = Fault::new(CODE, FailureClass::Held, Stage::Write, message);
    Ok(Some(fault.with_hint(hint)))
}
