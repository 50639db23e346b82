//! What happens to the link once every write of a plan has succeeded.

use std::sync::Arc;

use super::{Course, Done, Work};
use crate::{
    core::{
        diff::{self, Context, Decision, Verdict},
        mapping::{Field, Flow, Mapping, convert::Source},
        plan::LinkStep,
        record::{Base, BaseField, Record, RecordKey},
        settled::UNSETTLED,
        status::{Side, Sides, WriteKind},
        value::fingerprint,
    },
    seam::{self, Bug},
    store::{
        Op,
        link::{Agreement, NewLink, RebasedLink, StoredLink, SyncedLink},
        suggestion::LinkedPair,
        write::Origin,
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
                Some(link_id) if is_same => {
                    done.ops.push(Op::SyncLink(SyncedLink { link_id, agreement }));
                    // Linked ahead, it was never whole before.
                    if stored.is_some_and(is_unversioned) {
                        wake(engine, mapping, Sides { left, right }, done);
                    }
                }
                known => {
                    done.ops.extend(known.map(|link_id| Op::EndLink { link_id }));
                    put(engine, mapping, Sides { left, right }, agreement, done);
                }
            }
        }
    }
}

/// What becomes of the link of a plan that came to an end early: the fields that were written are agreed, those of which nobody
/// knows whether they were are as [`ahead`] has them, the others, and those that were not taken over, as they were.
pub(super) fn settle_part(engine: &Engine, mapping: &Mapping, work: &Work<'_>, course: &Course) -> Option<Op> {
    let Course {
        after,
        changed,
        unknown,
        kept,
        ..
    } = course;
    let stored = work.fetched.link.as_ref();
    if work.plan.writes.is_empty() || seam::has_bug(Bug::PartNotAgreed) {
        return None;
    }
    // A pair that was just matched is linked since before the first write, as long as nothing came of that.
    if stored.is_none() && changed.is_empty() {
        return None;
    }
    let before = match stored {
        Some(stored) => stored.link.base.clone(),
        None => base_ahead(engine, mapping, work)?,
    };
    let (left, right) = (after.left.as_ref()?, after.right.as_ref()?);
    let mut decisions = work.plan.decisions.clone();
    for decision in &mut decisions {
        let is_taken = |side: Side| changed.contains(&side) && !kept.contains(&(side, decision.field));
        let is_due = |side: Side| decision.verdict.written(side).is_some() && !is_taken(side);
        let open: Vec<Side> = [Side::Left, Side::Right]
            .into_iter()
            .filter(|side| is_due(*side))
            .collect();
        if open.is_empty() {
            continue;
        }
        decision.agreed = match open.as_slice() {
            [to] if unknown.contains(to) => due(mapping, decision, *to),
            _ => None,
        };
        decision.verdict = Verdict::Report;
    }
    let base = diff::rebase(context(engine, mapping, work), left, right, &decisions, Some(&before));
    let Some(stored) = stored else {
        return Some(Op::PutLink(unversioned(mapping, left, right, base)));
    };
    let link_id = stored.link.link_id;
    if changed.is_empty() {
        return Some(Op::RebaseLink(RebasedLink { link_id, base }));
    }
    Some(Op::SyncLink(SyncedLink {
        link_id,
        agreement: Agreement {
            base,
            left_version: stored.left_version.clone(),
            right_version: stored.right_version.clone(),
            left_updated_at: stored.left_updated_at,
            right_updated_at: stored.right_updated_at,
        },
    }))
}

/// How the link of a pair stands while it is being written, to be stored before the first write is sent. Whoever comes after a
/// crash would else take what we wrote ourselves for what a person changed: in a pair that was just matched it would win over
/// everything that was done since.
///
/// In a field that is to be written, the side it comes from counts as changed since, the other one does not.
pub(super) fn ahead(engine: &Engine, mapping: &Mapping, work: &Work<'_>) -> Option<Op> {
    let base = base_ahead(engine, mapping, work)?;
    let records = &work.fetched.records;
    let (left, right) = (records.left.record()?, records.right.record()?);
    let Some(stored) = &work.fetched.link else {
        return Some(Op::PutLink(unversioned(mapping, left, right, base)));
    };
    let link = &stored.link;
    let is_same = link.left_id == left.id && link.right_id == right.id;
    is_same.then_some(Op::RebaseLink(RebasedLink {
        link_id: link.link_id,
        base,
    }))
}

/// The link of a pair one of whose records was found where a create has no outcome: it was made from the other one as that was `then`.
/// What differs from that was changed since, on the side where it differs; matched anew, what we made would win over it.
pub(super) fn made(engine: &Engine, mapping: &Mapping, work: &Work<'_>, (from, then): (Side, &Origin)) -> Option<Op> {
    let is_found = work.plan.link == LinkStep::Put && work.fetched.link.is_none() && then.version == mapping.version;
    if !is_found || seam::has_bug(Bug::LinkedAfterWrites) {
        return None;
    }
    let records = &work.fetched.records;
    let (left, right) = (records.left.record()?, records.right.record()?);
    let key = engine.key();
    let hashes = |side, record| diff::hashes(key, mapping, side, record).collect::<Vec<_>>();
    let now = Sides {
        left: hashes(Side::Left, left),
        right: hashes(Side::Right, right),
    };
    let to = from.other();
    let source = Source::new(&records.get(from).record()?.fields);
    let fields = mapping.fields.iter().enumerate().filter_map(|(place, field)| {
        let at = |side: Side| now.get(side).get(place).copied().flatten();
        let (was, here, there) = (then.hashes.get(place).copied().flatten()?, at(from)?, at(to)?);
        // What was empty was not sent: what stands there is the system's or somebody's, as in any pair that is matched.
        if !field.flow.reaches(to) || was == diff::hash(key, field, from, None) {
            return None;
        }
        let offered = field.offer(mapping, from, &source, &*work.fetched.references);
        let sent = offered.ok().flatten().filter(|_| was == here);
        let sent = sent.map_or(there, |sent| diff::hash(key, field, to, Some(&sent)));
        let half = |side: Side| if side == from { was } else { sent };
        Some(BaseField {
            definition: field.definition,
            left: half(Side::Left),
            right: half(Side::Right),
        })
    });
    let base = Base::new(fields.collect());
    (!base.is_empty()).then(|| Op::PutLink(unversioned(mapping, left, right, base)))
}

/// The base that [`ahead`] gives the link; none where it stores nothing.
fn base_ahead(engine: &Engine, mapping: &Mapping, work: &Work<'_>) -> Option<Base> {
    let is_due = work.plan.link == LinkStep::Put && !work.plan.writes.is_empty() && !work.plan.decisions.is_empty();
    if !is_due || seam::has_bug(Bug::LinkedAfterWrites) {
        return None;
    }
    let records = &work.fetched.records;
    let (left, right) = (records.left.record()?, records.right.record()?);
    let mut decisions = work.plan.decisions.clone();
    for decision in &mut decisions {
        if let Verdict::Write { to, .. } = decision.verdict {
            decision.agreed = due(mapping, decision, to);
            decision.verdict = Verdict::Report;
        }
    }
    let before = work.fetched.link.as_ref().map(|stored| &stored.link.base);
    let context = context(engine, mapping, work);
    Some(diff::rebase(context, left, right, &decisions, before))
}

/// The link of a pair whose versions are not those that were agreed on.
fn unversioned(mapping: &Mapping, left: &Record, right: &Record, base: Base) -> NewLink {
    NewLink {
        mapping: Arc::from(mapping.name.as_str()),
        left_id: left.id.clone(),
        right_id: right.id.clone(),
        agreement: Agreement {
            base,
            left_version: None,
            right_version: None,
            left_updated_at: None,
            right_updated_at: None,
        },
    }
}

/// Whether a link is one of those that [`unversioned`] makes, or of systems that tell neither versions nor times.
const fn is_unversioned(stored: &StoredLink) -> bool {
    stored.left_version.is_none()
        && stored.right_version.is_none()
        && stored.left_updated_at.is_none()
        && stored.right_updated_at.is_none()
}

/// What a field that is yet to be written to `to` has for its base; none where a change on the side it comes from would not win.
fn due(mapping: &Mapping, decision: &Decision, to: Side) -> Option<BaseField> {
    let field = mapping.fields.get(decision.field)?;
    let owner = match field.flow {
        Flow::To(target) => Some(target.other()),
        Flow::Both => field.wins,
    };
    let hash = |side: Side| {
        let now = *decision.hashes.get(side);
        if side == to { now } else { !now }
    };
    owner.is_none_or(|owner| owner == to.other()).then(|| BaseField {
        definition: field.definition,
        left: hash(Side::Left),
        right: hash(Side::Right),
    })
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
    wake(engine, mapping, records, done);
}

/// Wakes what waits for this pair.
fn wake(engine: &Engine, mapping: &Mapping, records: Sides<&Record>, done: &mut Done) {
    if !engine.is_parent(&mapping.name) {
        return;
    }
    let name: Arc<str> = Arc::from(mapping.name.as_str());
    for side in [Side::Left, Side::Right] {
        let parent = RecordKey::new(Arc::clone(&name), side, records.get(side).id.clone());
        done.ops.push(Op::WakeWaiting(parent));
    }
}

fn agreement(engine: &Engine, mapping: &Mapping, work: &Work<'_>, left: &Record, right: &Record) -> Agreement {
    let before = work.fetched.link.as_ref().map(|stored| &stored.link.base);
    let base = if work.plan.decisions.is_empty() {
        let made = work.plan.writes.iter().find(|write| write.kind == WriteKind::Create);
        created_base(engine.key(), mapping, left, right, made.map(|write| write.to))
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

/// The base of a pair one of whose records was just `made` from the other. What belongs to it is yet to be made: there the side that
/// it comes from counts as changed.
fn created_base(key: &fingerprint::Key, mapping: &Mapping, left: &Record, right: &Record, made: Option<Side>) -> Base {
    let hashes = diff::hashes(key, mapping, Side::Left, left).zip(diff::hashes(key, mapping, Side::Right, right));
    let fields = mapping.fields.iter().zip(hashes).filter_map(|(field, (left, right))| {
        let (left, right) = (left?, right?);
        let to = made.filter(|to| is_due(field, *to));
        Some(BaseField {
            definition: field.definition,
            left: if to == Some(Side::Right) { !left } else { left },
            right: if to == Some(Side::Left) { !right } else { right },
        })
    });
    Base::new(fields.collect())
}

/// Whether a field of a record that was just made on this side is written after it.
fn is_due(field: &Field, to: Side) -> bool {
    field.parts.get(to).is_some() && field.flow.reaches(to)
}

/// Whether something that belongs to a record that was just made is yet to be made.
pub(super) fn has_more(mapping: &Mapping, work: &Work<'_>, after: &Sides<Option<Record>>) -> bool {
    let mut made = work.plan.writes.iter().filter(|write| write.kind == WriteKind::Create);
    made.any(|write| {
        let Some(from) = after.get(write.to.other()) else {
            return false;
        };
        let is_given = |field: &&Field| match field.read(write.to.other(), &from.fields) {
            Ok(value) => value.is_some_and(|value| !value.is_empty()) || field.paths.get(write.to.other()).is_none(),
            Err(_) => false,
        };
        let mut due = mapping.fields.iter().filter(|field| is_due(field, write.to));
        due.any(|field| is_given(&field))
    })
}
