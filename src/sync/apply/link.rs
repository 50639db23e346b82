//! What happens to the link once every write of a plan has succeeded.

use std::sync::Arc;

use super::{Done, Work};
use crate::{
    core::{
        diff::{self, Context},
        mapping::Mapping,
        plan::LinkStep,
        record::{Base, BaseField, Record, RecordKey},
        status::{Side, Sides},
        value::fingerprint,
    },
    store::{
        Op,
        link::{Agreement, NewLink, SyncedLink},
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
        (LinkStep::Keep, _) | (LinkStep::End | LinkStep::MarkMissing(_), None) => {}
        (LinkStep::End, Some(link_id)) => done.ops.push(Op::EndLink { link_id }),
        (LinkStep::MarkMissing(side), Some(link_id)) => done.ops.push(Op::MarkMissing { link_id, side }),
        (LinkStep::Put, _) => {
            let (Some(left), Some(right)) = (&after.left, &after.right) else {
                return;
            };
            let agreement = agreement(engine, mapping, work, left, right);
            let is_same =
                stored.is_some_and(|stored| stored.link.left_id == left.id && stored.link.right_id == right.id);
            match link_id {
                Some(link_id) if is_same => done.ops.push(Op::SyncLink(SyncedLink { link_id, agreement })),
                known => {
                    done.ops.extend(known.map(|link_id| Op::EndLink { link_id }));
                    put(engine, mapping, Sides { left, right }, agreement, done);
                }
            }
        }
    }
}

fn put(engine: &Engine, mapping: &Mapping, records: Sides<&Record>, agreement: Agreement, done: &mut Done) {
    let name: Arc<str> = Arc::from(mapping.name.as_str());
    done.linked += 1;
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
    let context = Context {
        mapping,
        key: engine.key(),
        references: &*work.fetched.references,
        settled: diff::UNSETTLED,
    };
    let before = work.fetched.link.as_ref().map(|stored| &stored.link.base);
    let base = if work.plan.decisions.is_empty() {
        created_base(engine.key(), mapping, left, right)
    } else {
        diff::rebase(context, left, right, &work.plan.decisions, before)
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
