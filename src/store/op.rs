//! What a submission may do: one named operation for each legal step of our data.
//!
//! All operations of one submission are stored together or not at all. Operations on different tables do not see each
//! other; those on one table are carried out in the order given.

use chrono::{DateTime, Utc};

use super::{
    Context,
    audit::{self, NewAudit},
    change::{self, Claim, NewChange},
    conflict::{self, ClosedConflicts, NewConflict},
    cursor::{self, MovedCursor},
    drift::{self, NewDrift, SettledDrift},
    engine::Tx,
    error::Error,
    event::{self, FinishedEvent, QueuedEvent},
    failure::{self, NewFailure},
    link::{self, NewLink, RebasedLink, SyncedLink},
    lock::{self, Guard},
    moved,
    run::{self, Counters},
    suggestion::{self, LinkedPair},
    write::{self, FinishedWrite},
};
use crate::core::{record::RecordKey, status::Side};

/// One step.
#[derive(Debug, Clone)]
pub enum Op {
    /// Links a pair, or renews the agreement of the very pair.
    PutLink(NewLink),
    /// Renews the agreement of a known link.
    SyncLink(SyncedLink),
    /// Renews what a known link's fields were agreed on, and nothing else of it.
    RebaseLink(RebasedLink),
    /// Moves one side of a link to the record that the old one lives on as; the id that it had is remembered.
    MoveLink {
        /// The link.
        link_id: i64,
        /// The side that moves.
        side: Side,
        /// Id of the surviving record.
        record_id: String,
    },
    /// Ends a link.
    EndLink {
        /// The link.
        link_id: i64,
    },
    /// One record of a link is gone: a decision is pending.
    MarkMissing {
        /// The link.
        link_id: i64,
        /// The side whose record is gone.
        side: Side,
    },
    /// The record is there again.
    ClearMissing {
        /// The link.
        link_id: i64,
    },
    /// Stores the outcome of a write.
    FinishWrite(FinishedWrite),
    /// Makes sure that a lease is still ours; the whole submission is refused if not.
    Hold(Guard),
    /// Gives a lease back, if it is still ours; the whole submission is refused if not.
    Unlock(Guard),
    /// Puts a record into the dirty set.
    Enqueue(NewChange),
    /// Puts a record into the dirty set that waits until its parent links; nothing where it is in there already.
    EnqueueWaiting {
        /// The record.
        change: NewChange,
        /// The parent.
        parent: RecordKey,
    },
    /// The claimed change is done.
    CompleteChange(Claim),
    /// The claimed change failed and is tried again; costs an attempt.
    RetryChange {
        /// The claimed change.
        claim: Claim,
        /// When.
        not_before: DateTime<Utc>,
    },
    /// The claimed change is given back untouched, such as at shutdown; costs no attempt.
    ReleaseChange(Claim),
    /// The claimed change waits until the parent links.
    WaitChange {
        /// The claimed change.
        claim: Claim,
        /// The parent.
        parent: RecordKey,
    },
    /// A record has linked: what waits for it is due.
    WakeWaiting(RecordKey),
    /// A try failed.
    Fail(NewFailure),
    /// A record succeeded: its unresolved failure is resolved.
    Resolve(RecordKey),
    /// A received event turns into changes.
    QueueEvent(QueuedEvent),
    /// Stores the outcome of an event.
    FinishEvent(FinishedEvent),
    /// An event that failed, or that nobody has looked at, is worked on again.
    RequeueEvent {
        /// The event.
        event_id: i64,
    },
    /// A conflict was found.
    OpenConflict(NewConflict),
    /// A pair agrees again.
    CloseConflicts(ClosedConflicts),
    /// A pair was linked: suggestions for its records are settled.
    SettleSuggestions(LinkedPair),
    /// A difference was found.
    AddDrift(NewDrift),
    /// What became of a pair's differences.
    SettleDrift(SettledDrift),
    /// Moves a cursor.
    SetCursor(MovedCursor),
    /// Adds to a run's counters.
    AddCounters {
        /// The run.
        run_id: i64,
        /// What is added.
        counters: Counters,
    },
    /// Adds to the audit trail.
    Audit(NewAudit),
}

/// The order in which tables are written, the same in every transaction, so that two nodes do not wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Table {
    Lock,
    Link,
    Write,
    Failure,
    Conflict,
    Suggestion,
    Drift,
    Change,
    Event,
    Cursor,
    Run,
    Audit,
}

impl Op {
    const fn table(&self) -> Table {
        match self {
            Self::Hold(_) | Self::Unlock(_) => Table::Lock,
            Self::PutLink(_)
            | Self::SyncLink(_)
            | Self::RebaseLink(_)
            | Self::MoveLink { .. }
            | Self::EndLink { .. }
            | Self::MarkMissing { .. }
            | Self::ClearMissing { .. } => Table::Link,
            Self::FinishWrite(_) => Table::Write,
            Self::Fail(_) | Self::Resolve(_) => Table::Failure,
            Self::OpenConflict(_) | Self::CloseConflicts(_) => Table::Conflict,
            Self::SettleSuggestions(_) => Table::Suggestion,
            Self::AddDrift(_) | Self::SettleDrift(_) => Table::Drift,
            Self::Enqueue(_)
            | Self::EnqueueWaiting { .. }
            | Self::CompleteChange(_)
            | Self::RetryChange { .. }
            | Self::ReleaseChange(_)
            | Self::WaitChange { .. }
            | Self::WakeWaiting(_) => Table::Change,
            Self::QueueEvent(_) | Self::FinishEvent(_) | Self::RequeueEvent { .. } => Table::Event,
            Self::SetCursor(_) => Table::Cursor,
            Self::AddCounters { .. } => Table::Run,
            Self::Audit(_) => Table::Audit,
        }
    }

    /// The lease that this step ends.
    const fn released(&self) -> Option<&Guard> {
        match self {
            Self::Unlock(guard) => Some(guard),
            Self::CompleteChange(claim)
            | Self::RetryChange { claim, .. }
            | Self::ReleaseChange(claim)
            | Self::WaitChange { claim, .. } => Some(&claim.guard),
            _ => None,
        }
    }

    const fn held(&self) -> Option<&Guard> {
        match self {
            Self::Hold(guard) => Some(guard),
            _ => None,
        }
    }

    const fn parent(&self) -> Option<&RecordKey> {
        match self {
            Self::WaitChange { parent, .. } | Self::EnqueueWaiting { parent, .. } | Self::WakeWaiting(parent) => {
                Some(parent)
            }
            _ => None,
        }
    }

    /// Whether it makes a change due.
    pub(super) const fn is_waking(&self) -> bool {
        matches!(
            self,
            Self::Enqueue(_)
                | Self::EnqueueWaiting { .. }
                | Self::WakeWaiting(_)
                | Self::ReleaseChange(_)
                | Self::CompleteChange(_)
                | Self::Unlock(_)
        )
    }
}

/// Carries out the operations of one or many submissions.
pub(super) async fn carry_out(tx: &mut Tx, context: &Context<'_>, ops: &[&Op]) -> Result<(), Error> {
    leases(tx, context, ops).await?;
    let mut ops = ops.to_vec();
    ops.sort_by_key(|op| op.table());
    let parents = ops.iter().filter_map(|op| op.parent()).collect::<Vec<_>>();
    change::serialize_parents(tx, &parents).await?;
    for group in ops.chunk_by(|a, b| std::mem::discriminant(*a) == std::mem::discriminant(*b)) {
        if let Some(first) = group.first() {
            group_of(tx, context, first, group).await?;
        }
    }
    Ok(())
}

/// Checks every lease named, and ends those whose work ends.
async fn leases(tx: &mut Tx, context: &Context<'_>, ops: &[&Op]) -> Result<(), Error> {
    let held = ops.iter().filter_map(|op| op.held()).collect::<Vec<_>>();
    let counts = lock::hold(tx, context.holder, &held, None).await?;
    lock::check(&held, &counts)?;
    let released = ops.iter().filter_map(|op| op.released()).collect::<Vec<_>>();
    let counts = lock::release(tx, context.holder, &released).await?;
    lock::check(&released, &counts)
}

/// Picks what each operation of a group carries.
macro_rules! each {
    ($group:expr, $pattern:pat => $value:expr) => {
        &$group
            .iter()
            .filter_map(|op| match op {
                $pattern => Some($value),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
}

/// Carries out operations of one kind.
async fn group_of(tx: &mut Tx, context: &Context<'_>, first: &Op, group: &[&Op]) -> Result<(), Error> {
    match first {
        Op::Hold(_) | Op::Unlock(_) | Op::ReleaseChange(_) => Ok(()),
        Op::PutLink(_)
        | Op::SyncLink(_)
        | Op::RebaseLink(_)
        | Op::MoveLink { .. }
        | Op::EndLink { .. }
        | Op::MarkMissing { .. }
        | Op::ClearMissing { .. } => links(tx, context, first, group).await,
        Op::Enqueue(_)
        | Op::EnqueueWaiting { .. }
        | Op::CompleteChange(_)
        | Op::RetryChange { .. }
        | Op::WaitChange { .. }
        | Op::WakeWaiting(_) => changes(tx, context, first, group).await,
        Op::FinishWrite(_) => write::finish(tx, context, each!(group, Op::FinishWrite(outcome) => outcome)).await,
        Op::Fail(_) => failure::fail(tx, context, each!(group, Op::Fail(failure) => failure)).await,
        Op::Resolve(_) => failure::resolve(tx, context, each!(group, Op::Resolve(key) => key)).await,
        Op::QueueEvent(_) => event::queue(tx, each!(group, Op::QueueEvent(event) => event)).await,
        Op::FinishEvent(_) => event::finish(tx, context, each!(group, Op::FinishEvent(outcome) => outcome)).await,
        Op::RequeueEvent { .. } => event::requeue(tx, each!(group, Op::RequeueEvent { event_id } => *event_id)).await,
        Op::OpenConflict(_) => conflict::open(tx, context, each!(group, Op::OpenConflict(found) => found)).await,
        Op::CloseConflicts(_) => conflict::close(tx, context, each!(group, Op::CloseConflicts(pair) => pair)).await,
        Op::SettleSuggestions(_) => suggestion::settle(tx, each!(group, Op::SettleSuggestions(pair) => pair)).await,
        Op::AddDrift(_) => drift::add(tx, context, each!(group, Op::AddDrift(item) => item)).await,
        Op::SettleDrift(_) => drift::settle(tx, each!(group, Op::SettleDrift(item) => item)).await,
        Op::SetCursor(_) => cursor::set(tx, context, each!(group, Op::SetCursor(cursor) => cursor)).await,
        Op::AddCounters { .. } => {
            let counts = each!(group, Op::AddCounters { run_id, counters } => (*run_id, counters));
            run::add_counters(tx, counts).await
        }
        Op::Audit(_) => audit::add(tx, context, each!(group, Op::Audit(entry) => entry)).await,
    }
}

async fn links(tx: &mut Tx, context: &Context<'_>, first: &Op, group: &[&Op]) -> Result<(), Error> {
    match first {
        Op::PutLink(_) => link::put(tx, context, each!(group, Op::PutLink(link) => link)).await,
        Op::SyncLink(_) => link::sync(tx, context, each!(group, Op::SyncLink(link) => link)).await,
        Op::RebaseLink(_) => link::rebase(tx, each!(group, Op::RebaseLink(link) => link)).await,
        Op::EndLink { .. } => link::end(tx, context, each!(group, Op::EndLink { link_id } => *link_id)).await,
        Op::MarkMissing { .. } => {
            let marks = each!(group, Op::MarkMissing { link_id, side } => (*link_id, *side));
            link::mark_missing(tx, context, marks).await
        }
        Op::ClearMissing { .. } => {
            link::clear_missing(tx, context, each!(group, Op::ClearMissing { link_id } => *link_id)).await
        }
        _ => {
            for op in group {
                if let Op::MoveLink {
                    link_id,
                    side,
                    record_id,
                } = op
                {
                    moved::move_to(tx, context, *link_id, *side, record_id).await?;
                }
            }
            Ok(())
        }
    }
}

async fn changes(tx: &mut Tx, context: &Context<'_>, first: &Op, group: &[&Op]) -> Result<(), Error> {
    match first {
        Op::Enqueue(_) => change::enqueue(tx, context, each!(group, Op::Enqueue(change) => change)).await,
        Op::EnqueueWaiting { .. } => {
            let waiting = each!(group, Op::EnqueueWaiting { change, parent } => (change, parent));
            change::enqueue_waiting(tx, context, waiting).await
        }
        Op::CompleteChange(_) => change::complete(tx, each!(group, Op::CompleteChange(claim) => claim)).await,
        Op::RetryChange { .. } => {
            let retries = each!(group, Op::RetryChange { claim, not_before } => (claim, *not_before));
            change::retry(tx, context, retries).await
        }
        Op::WaitChange { .. } => {
            let waits = each!(group, Op::WaitChange { claim, parent } => (claim, parent));
            change::wait(tx, context, waits).await
        }
        _ => change::wake(tx, context, each!(group, Op::WakeWaiting(parent) => parent)).await,
    }
}
