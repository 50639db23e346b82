//! What would have to be done: every pair that is not as it was agreed, and every record without a link.

use std::collections::{HashMap, HashSet};

use super::{
    AT_ONCE, Chunks, Context, Tally,
    evidence::{self, Case},
    repair::{self, Drift, Hidden, Unshown},
    silence::{self, Silence},
};
use crate::{
    client::Road,
    core::{
        fault::Fault,
        plan::LinkStep,
        record::RecordKey,
        status::{DriftOutcome, FailureStatus, Side, Sides, Situation},
    },
    store::scan::{Candidates, NewTodo, Suspect, Unlinked},
    sync::{
        Error,
        fetch::{Listed, Look},
        record::{self, Planned},
    },
};

/// What is done with a chunk of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It is planned, and what has to be done is remembered.
    Plan,
    /// It is planned and carried out at once.
    Settle(Drift),
}

impl Then {
    fn chunks(self, context: &Context, complete: Sides<bool>) -> Chunks {
        match self {
            Self::Plan => Chunks::new(context),
            Self::Settle(_) => Chunks::saving(context, AT_ONCE, complete),
        }
    }
}

/// Plans every pair that is not as it was agreed, and does what is wanted then. A pair that a listing did not show and that is
/// there all the same means that the listing was short.
pub(super) async fn pairs(
    context: &Context,
    tally: &mut Tally,
    complete: &mut Sides<bool>,
    then: Then,
) -> Result<(), Error> {
    let mut chunks = then.chunks(context, *complete);
    let result = begin_pairs(context, tally, complete, then, &mut chunks).await;
    chunks.end(tally, result).await?;
    tally.believe(complete);
    Ok(())
}

async fn begin_pairs(
    context: &Context,
    tally: &mut Tally,
    complete: &Sides<bool>,
    then: Then,
    chunks: &mut Chunks,
) -> Result<(), Error> {
    let mut after = 0;
    loop {
        context.go_on()?;
        let suspects = context.scan.suspects(after, context.chunk()).await?;
        let Some(last) = suspects.last() else { return Ok(()) };
        after = last.link_id;
        let is_believed = |one: &Suspect| (one.has_left || complete.left) && (one.has_right || complete.right);
        let believed: Vec<Suspect> = suspects.into_iter().filter(is_believed).collect();
        context
            .progress
            .note(|progress| progress.compared += believed.len() as u64);
        let own = context.clone();
        chunks
            .begin(context, tally, async move {
                let link_ids: Vec<i64> = believed.iter().map(|one| one.link_id).collect();
                let (looks, unshown) = looks(&own, believed).await?;
                match then {
                    Then::Plan => plan_pairs(&own, looks, &unshown).await,
                    Then::Settle(drift) => {
                        let mut tally = repair::settle(&own, looks, drift, &unshown).await?;
                        tally.done.pairs = link_ids;
                        Ok(tally)
                    }
                }
            })
            .await?;
    }
}

/// What to look at for these pairs, and which of their records a listing has not shown.
async fn looks(context: &Context, suspects: Vec<Suspect>) -> Result<(Vec<Look>, Unshown), Error> {
    let link_ids: Vec<i64> = suspects.iter().map(|one| one.link_id).collect();
    let mut left_ids = context.engine.store().left_ids(&link_ids).await?;
    let (mut looks, mut unshown) = (Vec::with_capacity(suspects.len()), Unshown::new());
    for suspect in suspects {
        let Some(id) = left_ids.remove(&suspect.link_id) else {
            continue;
        };
        let key = RecordKey::new(context.name.clone(), Side::Left, id);
        if !suspect.has_left || !suspect.has_right {
            let hidden = Hidden {
                sides: Sides {
                    left: !suspect.has_left,
                    right: !suspect.has_right,
                },
                is_linked: true,
            };
            unshown.insert(key.clone(), hidden);
        }
        looks.push(Look::at(key));
    }
    Ok((looks, unshown))
}

async fn plan_pairs(context: &Context, looks: Vec<Look>, unshown: &Unshown) -> Result<Tally, Error> {
    let planned = record::plan_all(&context.engine, &context.mapping, &looks, Road::Reconcile).await?;
    let pairs = looks.iter().zip(&planned);
    let seen = pairs.filter_map(|(look, planned)| Some((&look.key, &planned.as_ref().ok()?.pair)));
    let short = repair::short(unshown, seen);
    let mut tally = note_all(context, &looks, planned).await?;
    tally.short = short;
    Ok(tally)
}

/// Plans every record that is in no link, and does what is wanted then. A partner that a search finds and a listing did not show
/// means that the listing was short.
pub(super) async fn unlinked(
    context: &Context,
    tally: &mut Tally,
    complete: &mut Sides<bool>,
    then: Then,
) -> Result<(), Error> {
    for side in [Side::Left, Side::Right] {
        let mut chunks = then.chunks(context, *complete);
        let result = Box::pin(begin_unlinked(context, tally, side, complete, then, &mut chunks)).await;
        chunks.end(tally, result).await?;
        tally.believe(complete);
    }
    Ok(())
}

async fn begin_unlinked(
    context: &Context,
    tally: &mut Tally,
    side: Side,
    complete: &mut Sides<bool>,
    then: Then,
    chunks: &mut Chunks,
) -> Result<(), Error> {
    let mut silence = Silence::of(context, side);
    let first = silence.first(context, *complete).await?;
    for looks in first.chunks(usize::try_from(context.chunk()).unwrap_or(1)) {
        context.go_on()?;
        let tested = looks.iter().map(silence::unshown).collect();
        begin_chunk(context, tally, chunks, then, (looks.to_vec(), tested)).await?;
    }
    chunks.drain(tally).await?;
    let mut after = String::new();
    loop {
        context.go_on()?;
        tally.believe(complete);
        let found = context.scan.unlinked(side, &after, context.chunk()).await?;
        let Some(last) = found.last() else { return Ok(()) };
        after.clone_from(&last.id);
        // A pair is planned from its left record.
        let is_due = |one: &Unlinked| {
            let is_twin = side == Side::Right && matches!(one.candidates, Candidates::One(_));
            !is_twin && !silence.was_first(&one.id)
        };
        let mut looks: Vec<Look> = found
            .into_iter()
            .filter(is_due)
            .map(|one| look(context, side, one, *complete))
            .collect();
        let tested = silence.test(&mut looks);
        begin_chunk(context, tally, chunks, then, (looks, tested)).await?;
    }
}

/// Begins with a chunk of records, of which some test a listing.
async fn begin_chunk(
    context: &Context,
    tally: &mut Tally,
    chunks: &mut Chunks,
    then: Then,
    (looks, unshown): (Vec<Look>, Unshown),
) -> Result<(), Error> {
    if looks.is_empty() {
        return Ok(());
    }
    let own = context.clone();
    context
        .progress
        .note(|progress| progress.compared += looks.len() as u64);
    let work = async move {
        match then {
            Then::Plan => plan_unlinked(&own, looks, &unshown).await,
            Then::Settle(drift) => settle_unlinked(&own, looks, drift, &unshown).await,
        }
    };
    chunks.begin(context, tally, work).await
}

/// A record without a link, with what the listings have for it. Where the other listing was short, that it shows no
/// partner means nothing: the other system is searched.
pub(super) fn look(context: &Context, side: Side, found: Unlinked, complete: Sides<bool>) -> Look {
    // What was listed before the run was cut off is too old to prove that nobody has made a partner since.
    let is_complete = *complete.get(side.other()) && context.progress.now().continued == 0;
    let key = RecordKey::new(context.name.clone(), side, found.id);
    let is_known = found.is_listed && (is_complete || found.candidates != Candidates::None);
    Look {
        key,
        listed: is_known.then_some(Listed {
            candidates: found.candidates,
            record: found.record,
            partner: found.partner,
            is_proof: is_complete && found.has_keys,
        }),
        pushed: None,
    }
}

async fn settle_unlinked(context: &Context, looks: Vec<Look>, drift: Drift, unshown: &Unshown) -> Result<Tally, Error> {
    let records = looks
        .iter()
        .map(|look| (look.key.side, look.key.record_id.clone()))
        .collect();
    let mut tally = repair::settle(context, looks, drift, unshown).await?;
    tally.done.records = records;
    Ok(tally)
}

async fn plan_unlinked(context: &Context, looks: Vec<Look>, unshown: &Unshown) -> Result<Tally, Error> {
    let planned = record::plan_all(&context.engine, &context.mapping, &looks, Road::Reconcile).await?;
    let pairs = looks.iter().zip(&planned);
    let seen = pairs.filter_map(|(look, planned)| Some((&look.key, &planned.as_ref().ok()?.pair)));
    let short = repair::short(unshown, seen);
    let told = planned_already(context, &looks, &planned).await?;
    let both = looks.into_iter().zip(planned);
    let (looks, planned): (Vec<Look>, Vec<_>) = both.filter(|(look, _)| !told.contains(&look.key.record_id)).unzip();
    let mut tally = note_all(context, &looks, planned).await?;
    tally.short = short;
    Ok(tally)
}

/// The right records that a search has found a partner for which has been planned itself, by its own search.
async fn planned_already(
    context: &Context,
    looks: &[Look],
    planned: &[Result<Planned, Fault>],
) -> Result<HashSet<String>, Error> {
    let found = looks.iter().zip(planned).filter_map(|(look, planned)| {
        let planned = planned.as_ref().ok()?;
        let is_match = look.key.side == Side::Right && planned.plan.situation == Situation::UnlinkedMatch;
        let left_id = planned.pair.ids.left.clone().filter(|_| is_match)?;
        Some((left_id, look.key.record_id.clone()))
    });
    let found: Vec<(String, String)> = found.collect();
    let left_ids = found.iter().map(|(left_id, _)| left_id.clone()).collect();
    let listed = context.scan.are_unlinked(Side::Left, left_ids).await?;
    Ok(found
        .into_iter()
        .filter_map(|(left_id, right_id)| listed.contains(&left_id).then_some(right_id))
        .collect())
}

/// Puts plans into the numbers and the report, and remembers what has to be done.
async fn note_all(context: &Context, looks: &[Look], planned: Vec<Result<Planned, Fault>>) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    let mut ops = Vec::new();
    let mut good: Vec<(&Look, Planned)> = Vec::with_capacity(planned.len());
    for (look, planned) in looks.iter().zip(planned) {
        match planned {
            Ok(planned) => good.push((look, planned)),
            Err(fault) => {
                tally.counters.failed += 1;
                let before = HashMap::new();
                repair::fail(context, &look.key, Sides::default(), fault, &before, &mut ops);
            }
        }
    }
    let cases: Vec<Case<'_>> = good
        .iter()
        .map(|(look, planned)| Case::of(&look.key, planned))
        .collect();
    let known = evidence::gather(context, &cases).await?;
    let items = known.items(context, &cases).await?;
    let mut todos = Vec::new();
    for (((look, planned), case), (items, is_parked)) in good.iter().zip(&cases).zip(items) {
        tally.summary.add(&planned.plan, &items.found);
        let outcome = if is_parked {
            DriftOutcome::Failed
        } else {
            DriftOutcome::Reported
        };
        ops.extend(items.into_ops(context, outcome));
        if planned.plan.link == LinkStep::Keep && planned.plan.is_quiet() {
            tally.counters.unchanged += 1;
            ops.extend(known.resolved(case));
        } else if is_parked {
            tally.counters.skipped += 1;
        } else {
            todos.push(NewTodo {
                side: look.key.side,
                id: look.key.record_id.clone(),
                acts: planned.plan.acts(),
            });
        }
    }
    context.progress.note(|progress| progress.planned += todos.len() as u64);
    context.scan.add_todos(todos).await?;
    context.engine.store().commit(ops).await?;
    Ok(tally)
}

/// Whether a record waits for a person: it was refused twice in a row.
pub(super) fn is_parked(status: Option<FailureStatus>) -> bool {
    status == Some(FailureStatus::Parked)
}
