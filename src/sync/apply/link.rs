//! What happens to the link once every write of a plan has succeeded.

use std::sync::Arc;

use super::{Done, Work};
use crate::{
    core::{
        diff::{self, Context, Decision, Verdict},
        mapping::Mapping,
        plan::LinkStep,
        record::{Base, BaseField, Record, RecordKey},
        settled::UNSETTLED,
        status::{Side, Sides},
        value::fingerprint,
    },
    seam::{self, Bug},
    store::{
        Op,
        link::{Agreement, NewLink, SyncedLink},
        suggestion::LinkedPair,
    },
    sync::Engine,
};

/// Adds what happens to the link.
pub(super) fn settle(
    engine: &Engine,
    mapping: &Mapping,
    work: &Work<'_>,
    after: &Sides<Option<Record>>,
    done: &mut Done,
) {
    let stored = work.fetched.link.as_ref();
    let link_id = stored.map(|stored| stored.link.link_id);
    match (work.plan.link, link_id) {
        (LinkStep::Keep, _) | (LinkStep::End | LinkStep::MarkMissing(_) | LinkStep::ClearMissing, None) => {}
        (LinkStep::ClearMissing, Some(link_id)) => done.ops.push(Op::ClearMissing { link_id }),
        (LinkStep::End, Some(link_id)) => done.ops.push(Op::EndLink { link_id }),
        (LinkStep::MarkMissing(_), Some(_)) if seam::has_bug(Bug::MissingNotMarked) => {}
        (LinkStep::MarkMissing(side), Some(link_id)) => done.ops.push(Op::MarkMissing { link_id, side }),
        (LinkStep::Put, _) => {
            let (Some(left), Some(right)) = (&after.left, &after.right) else {
                return;
            };
            let agreement = agreement(engine, mapping, work, left, right);
            let is_same =
                stored.is_some_and(|stored| stored.link.left_id == left.id && stored.link.right_id == right.id);
            match link_id {
                Some(_) if is_same && seam::has_bug(Bug::BaseNotStored) => {}
                Some(link_id) if is_same => done.ops.push(Op::SyncLink(SyncedLink { link_id, agreement })),
                known => {
                    done.ops.extend(known.map(|link_id| Op::EndLink { link_id }));
                    put(engine, mapping, Sides { left, right }, agreement, done);
                }
            }
        }
    }
}

/// What becomes of the link of a plan that came to an end after only `changed` sides had been written: the fields that were
/// written there are agreed, the others are as they were.
pub(super) fn settle_part(
    engine: &Engine,
    mapping: &Mapping,
    work: &Work<'_>,
    changed: &[Side],
    after: &Sides<Option<Record>>,
) -> Option<Op> {
    let stored = work
        .fetched
        .link
        .as_ref()
        .filter(|_| !changed.is_empty() && !seam::has_bug(Bug::PartNotAgreed))?;
    let (left, right) = (after.left.as_ref()?, after.right.as_ref()?);
    let is_open = |decision: &Decision| {
        let is_due = |side: Side| decision.verdict.written(side).is_some() && !changed.contains(&side);
        is_due(Side::Left) || is_due(Side::Right)
    };
    let mut decisions = work.plan.decisions.clone();
    for decision in decisions.iter_mut().filter(|decision| is_open(decision)) {
        (decision.verdict, decision.agreed) = (Verdict::Report, None);
    }
    Some(Op::SyncLink(SyncedLink {
        link_id: stored.link.link_id,
        agreement: Agreement {
            base: diff::rebase(
                context(engine, mapping, work),
                left,
                right,
                &decisions,
                Some(&stored.link.base),
            ),
            left_version: stored.left_version.clone(),
            right_version: stored.right_version.clone(),
            left_updated_at: stored.left_updated_at,
            right_updated_at: stored.right_updated_at,
        },
    }))
}

fn context<'a>(engine: &'a Engine, mapping: &'a Mapping, work: &'a Work<'_>) -> Context<'a> {
    Context {
        mapping,
        key: engine.key(),
        references: &*work.fetched.references,
        settled: UNSETTLED,
    }
}

fn put(engine: &Engine, mapping: &Mapping, records: Sides<&Record>, agreement: Agreement, done: &mut Done) {
    let name: Arc<str> = Arc::from(mapping.name.as_str());
    done.linked += 1;
    if mapping.suggest.is_some() {
        done.ops.push(Op::SettleSuggestions(LinkedPair {
            mapping: Arc::clone(&name),
            left_id: records.left.id.clone(),
            right_id: records.right.id.clone(),
        }));
    }
    done.ops.push(Op::PutLink(NewLink {
        mapping: Arc::clone(&name),
        left_id: records.left.id.clone(),
        right_id: records.right.id.clone(),
        agreement,
    }));
    if !engine.is_parent(&mapping.name) {
        return;
    }
    for side in [Side::Left, Side::Right] {
        let parent = RecordKey::new(Arc::clone(&name), side, records.get(side).id.clone());
        done.ops.push(Op::WakeWaiting(parent));
    }
}

fn agreement(engine: &Engine, mapping: &Mapping, work: &Work<'_>, left: &Record, right: &Record) -> Agreement {
    let before = work.fetched.link.as_ref().map(|stored| &stored.link.base);
    let base = if work.plan.decisions.is_empty() {
        created_base(engine.key(), mapping, left, right)
    } else {
        diff::rebase(
            context(engine, mapping, work),
            left,
            right,
            &work.plan.decisions,
            before,
        )
    };
    Agreement {
        base,
        left_version: left.version.clone(),
        right_version: right.version.clone(),
        left_updated_at: left.updated_at,
        right_updated_at: right.updated_at,
    }
}

/// The base of a pair one of whose records was just made from the other.
fn created_base(key: &fingerprint::Key, mapping: &Mapping, left: &Record, right: &Record) -> Base {
    let hashes = diff::hashes(key, mapping, Side::Left, left).zip(diff::hashes(key, mapping, Side::Right, right));
    let fields = mapping.fields.iter().zip(hashes).filter_map(|(field, (left, right))| {
        Some(BaseField {
            definition: field.definition,
            left: left?,
            right: right?,
        })
    });
    Base::new(fields.collect())
}
