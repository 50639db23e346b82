//! What becomes of stored events, each step for many at once.

use super::{FinishedEvent, QueuedEvent, receive::expect};
use crate::{
    core::status::EventStatus,
    store::{
        Context,
        bulk::{Bulk, without_repeats},
        engine::{Tx, args, int},
        error::Error,
    },
};

/// Stores which changes received events have turned into.
pub(in crate::store) async fn queue(tx: &mut Tx, events: &[&QueuedEvent]) -> Result<(), Error> {
    const QUEUE: Bulk = Bulk {
        head: "update event set status = 'queued' where status = 'received' and event_id in (",
        tail: ")",
    };
    let several = events.iter().filter(|event| event.ends.len() > 1);
    let ends = several.flat_map(|event| {
        let ends = event.ends.iter();
        ends.map(|(mapping, side)| (event.event_id, &**mapping, *side))
    });
    expect(tx, ends.collect()).await?;
    QUEUE
        .execute(tx, events.iter().map(|event| args![event.event_id]).collect())
        .await?;
    Ok(())
}

/// Puts events back into the queue because a person says so; what went wrong before stays on record until then.
pub(in crate::store) async fn requeue(tx: &mut Tx, event_ids: &[i64]) -> Result<(), Error> {
    const REQUEUE: Bulk = Bulk {
        head: "update event set status = 'queued' where status in ('received', 'failed') and event_id in (",
        tail: ")",
    };
    REQUEUE
        .execute(tx, event_ids.iter().map(|event_id| args![*event_id]).collect())
        .await?;
    Ok(())
}

/// Stores outcomes.
pub(in crate::store) async fn finish(
    tx: &mut Tx,
    context: &Context<'_>,
    outcomes: &[&FinishedEvent],
) -> Result<(), Error> {
    const CHANGE: Bulk = Bulk {
        head: "update event_change set status = v.column2 from (",
        tail: ") as v join event_change as own on own.event_id = v.column1 and own.mapping = v.column3 \
               and own.side = v.column4 \
               join event as last on last.event_id = v.column1 \
               join event as e on e.system = last.system and e.object = last.object \
               and e.record_id = last.record_id and (e.event_id = last.event_id \
               or (e.event_id < last.event_id and e.status = 'queued')) \
               where event_change.event_id = e.event_id and event_change.mapping = v.column3 \
               and event_change.side = v.column4",
    };
    // Of the statuses that a change leaves, the last in the alphabet is that of the whole: done, failed, queued.
    const EVENT: Bulk = Bulk {
        head: "update event set attempts = event.attempts + 1, processed_at = v.column4, processing_ms = v.column5, \
               status = coalesce((select max(c.status) from event_change as c where c.event_id = event.event_id), \
               v.column2), last_error = case when v.column3 is null and exists (select 1 from event_change as c \
               where c.event_id = event.event_id and c.status <> 'done') then event.last_error else v.column3 end \
               from (",
        tail: ") as v where event.event_id = v.column1",
    };
    const EARLIER: Bulk = Bulk {
        head: "update event set attempts = event.attempts + 1, processed_at = v.column4, processing_ms = v.column5, \
               status = coalesce((select max(c.status) from event_change as c where c.event_id = event.event_id), \
               v.column2), last_error = case when v.column3 is null and exists (select 1 from event_change as c \
               where c.event_id = event.event_id and c.status <> 'done') then event.last_error else v.column3 end \
               from (",
        tail: ") as v join event as last on last.event_id = v.column1 \
               where event.system = last.system and event.object = last.object and event.record_id = last.record_id \
               and event.event_id < last.event_id and event.status = 'queued'",
    };
    let of_changes = outcomes.iter().filter_map(|outcome| {
        let key = outcome.change.as_ref()?;
        // For the event as a whole, a change that needed nothing is one that is done.
        let status = match outcome.status {
            EventStatus::Ignored => EventStatus::Done,
            other => other,
        };
        Some(args![outcome.event_id, status, &key.mapping, key.side])
    });
    CHANGE.execute(tx, of_changes.collect()).await?;
    // One statement touches an event once, however many of its changes end in this submission.
    for group in without_repeats(outcomes, |outcome| outcome.event_id) {
        let rows = || {
            group
                .iter()
                .map(|outcome| {
                    args![
                        outcome.event_id,
                        outcome.status,
                        &outcome.last_error,
                        context.now,
                        int(outcome.processing_ms),
                    ]
                })
                .collect::<Vec<_>>()
        };
        EVENT.execute(tx, rows()).await?;
        EARLIER.execute(tx, rows()).await?;
    }
    Ok(())
}
