//! The legal steps of a change, each for many at once.

use chrono::{DateTime, Utc};

use super::{Claim, NewChange, key_args};
use crate::{
    core::record::RecordKey,
    seam::{self, Bug},
    store::{
        Context,
        bulk::{Bulk, without_repeats},
        engine::{Args, Tx, args},
        error::Error,
    },
};

pub(in crate::store) const ENQUEUE: Bulk = Bulk {
    head: "insert into change (mapping, side, record_id, origin, kind, merged_into, priority, not_before, \
           run_id, event_id, first_at, updated_at)",
    tail: "on conflict (mapping, side, record_id) do update set generation = change.generation + 1, \
           origin = excluded.origin, \
           kind = case when change.kind in ('merged', 'renamed') and excluded.merged_into is null then change.kind \
           else excluded.kind end, \
           merged_into = coalesce(excluded.merged_into, change.merged_into), \
           priority = case when excluded.priority < change.priority then excluded.priority \
           else change.priority end, \
           not_before = case when excluded.not_before < change.not_before then excluded.not_before \
           else change.not_before end, \
           attempts = 0, waiting_mapping = null, waiting_side = null, waiting_record_id = null, \
           run_id = coalesce(excluded.run_id, change.run_id), \
           event_id = coalesce(excluded.event_id, change.event_id), updated_at = excluded.updated_at",
};

/// Puts records into the dirty set, or moves those that are there on to the next generation.
pub(in crate::store) async fn enqueue(tx: &mut Tx, context: &Context<'_>, changes: &[&NewChange]) -> Result<(), Error> {
    for group in without_repeats(changes, |change| &change.key) {
        let rows = group.into_iter().map(|change| enqueue_args(context, change));
        ENQUEUE.execute(tx, rows.collect()).await?;
    }
    Ok(())
}

/// The values of [`ENQUEUE`] for one change.
pub(in crate::store) fn enqueue_args<'q>(context: &Context<'_>, change: &'q NewChange) -> Args<'q> {
    args![
        &change.key.mapping,
        change.key.side,
        &change.key.record_id,
        change.origin,
        change.kind,
        &change.merged_into,
        change.priority,
        change.not_before.map_or(context.now, |time| time.timestamp_millis()),
        change.run_id,
        change.event_id,
        context.now,
        context.now,
    ]
}

/// Puts records into the dirty set that wait for their parents, except where the parent has linked meanwhile.
pub(in crate::store) async fn enqueue_waiting(
    tx: &mut Tx,
    context: &Context<'_>,
    changes: &[(&NewChange, &RecordKey)],
) -> Result<(), Error> {
    const ENQUEUE: Bulk = Bulk {
        head: "insert into change (mapping, side, record_id, origin, kind, priority, not_before, run_id, first_at, \
               updated_at, waiting_mapping, waiting_side, waiting_record_id)",
        tail: "on conflict (mapping, side, record_id) do nothing",
    };
    const RELEASE: Bulk = Bulk {
        head: "update change set waiting_mapping = null, waiting_side = null, waiting_record_id = null from (",
        tail: ") as v where change.mapping = v.column1 and change.side = v.column2 and change.record_id = v.column3 \
               and exists (select 1 from link where link.mapping = change.waiting_mapping and link.status <> 'ended' \
               and ((change.waiting_side = 'left' and link.left_id = change.waiting_record_id) \
               or (change.waiting_side = 'right' and link.right_id = change.waiting_record_id)))",
    };
    let rows = changes.iter().map(|(change, parent)| {
        let mut args = key_args(&change.key);
        let not_before = change.not_before.map_or(context.now, |time| time.timestamp_millis());
        args.extend(args![
            change.origin,
            change.kind,
            change.priority,
            not_before,
            change.run_id,
            context.now,
            context.now
        ]);
        args.extend(key_args(parent));
        args
    });
    ENQUEUE.execute(tx, rows.collect()).await?;
    let rows = changes.iter().map(|(change, _)| key_args(&change.key));
    RELEASE.execute(tx, rows.collect()).await?;
    Ok(())
}

/// Takes finished changes out of the dirty set, unless they came up again meanwhile.
pub(in crate::store) async fn complete(tx: &mut Tx, claims: &[&Claim]) -> Result<(), Error> {
    const COMPLETE: Bulk = Bulk {
        head: "delete from change where (mapping, side, record_id, generation) in (",
        tail: ")",
    };
    let rows = claims.iter().map(|claim| {
        let mut args = key_args(&claim.key);
        args.push(claim.generation.into());
        args
    });
    if seam::has_bug(Bug::GenerationIgnored) {
        let any = Bulk {
            head: "delete from change where (mapping, side, record_id) in (select column1, column2, column3 from (",
            tail: "))",
        };
        return any.execute(tx, rows.collect()).await.map(drop);
    }
    COMPLETE.execute(tx, rows.collect()).await?;
    Ok(())
}

/// Puts changes off after a failed try; one that came up again meanwhile keeps its time.
pub(in crate::store) async fn retry(
    tx: &mut Tx,
    context: &Context<'_>,
    retries: &[(&Claim, DateTime<Utc>)],
) -> Result<(), Error> {
    const RETRY: Bulk = Bulk {
        head: "update change set attempts = change.attempts + 1, not_before = v.column5, updated_at = v.column6 \
               from (",
        tail: ") as v where change.mapping = v.column1 and change.side = v.column2 \
               and change.record_id = v.column3 and change.generation = v.column4",
    };
    let rows = retries.iter().map(|(claim, not_before)| {
        let mut args = key_args(&claim.key);
        args.extend(args![claim.generation, *not_before, context.now]);
        args
    });
    RETRY.execute(tx, rows.collect()).await?;
    Ok(())
}

/// Lets changes wait for their parents, except where the parent has linked meanwhile.
pub(in crate::store) async fn wait(
    tx: &mut Tx,
    context: &Context<'_>,
    waits: &[(&Claim, &RecordKey)],
) -> Result<(), Error> {
    const WAIT: Bulk = Bulk {
        head: "update change set waiting_mapping = v.column5, waiting_side = v.column6, \
               waiting_record_id = v.column7, updated_at = v.column8 from (",
        tail: ") as v where change.mapping = v.column1 and change.side = v.column2 \
               and change.record_id = v.column3 and change.generation = v.column4 \
               and not exists (select 1 from link where link.mapping = v.column5 and link.status <> 'ended' \
               and ((v.column6 = 'left' and link.left_id = v.column7) \
               or (v.column6 = 'right' and link.right_id = v.column7)))",
    };
    let rows = waits.iter().map(|(claim, parent)| {
        let mut args = key_args(&claim.key);
        args.push(claim.generation.into());
        args.extend(key_args(parent));
        args.push(context.now.into());
        args
    });
    WAIT.execute(tx, rows.collect()).await?;
    Ok(())
}

/// Releases the changes that wait for these parents.
pub(in crate::store) async fn wake(tx: &mut Tx, context: &Context<'_>, parents: &[&RecordKey]) -> Result<(), Error> {
    const WAKE: Bulk = Bulk {
        head: "update change set waiting_mapping = null, waiting_side = null, waiting_record_id = null, \
               origin = 'parent', generation = change.generation + 1, not_before = v.column4, \
               updated_at = v.column4 from (",
        tail: ") as v where change.waiting_mapping = v.column1 and change.waiting_side = v.column2 \
               and change.waiting_record_id = v.column3",
    };
    let rows = parents.iter().map(|parent| {
        let mut args = key_args(parent);
        args.push(context.now.into());
        args
    });
    WAKE.execute(tx, rows.collect()).await?;
    Ok(())
}

/// On PostgreSQL, keeps a wait and the link it waits for from passing each other unseen: both take a lock on the
/// parent's name for the length of the transaction. SQLite has one writer anyway.
pub(in crate::store) async fn serialize_parents(tx: &mut Tx, parents: &[&RecordKey]) -> Result<(), Error> {
    if parents.is_empty() || matches!(tx, Tx::Sqlite(_)) {
        return Ok(());
    }
    let mut names = parents.iter().map(ToString::to_string).collect::<Vec<_>>();
    names.sort();
    names.dedup();
    for name in names {
        let sql = "select pg_advisory_xact_lock(hashtextextended($1, 0))";
        tx.execute(sql, args![name]).await?;
    }
    Ok(())
}
