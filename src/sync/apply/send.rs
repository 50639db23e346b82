//! Sending writes: batches where the connector has them, else many single requests in flight.

use std::collections::BTreeMap;

use futures_util::FutureExt as _;

use super::{Due, kept};
use crate::{
    client::{BatchItem, Outcome, Road, System, WriteFault, Written, flight},
    core::{
        diff,
        mapping::Mapping,
        record::Record,
        status::{Side, WriteKind},
        value::lay_over,
    },
    seam::{self, Bug},
    sync::Engine,
};

/// What came of one write.
pub(super) struct Sent {
    pub(super) outcome: Result<Option<Written>, WriteFault>,
    /// Whether nobody has seen the record since.
    pub(super) is_unread: bool,
}

/// One request, as places in the list of writes.
enum Request {
    Single(usize),
    Batch(Vec<usize>),
}

/// Sends every write; what came of each, in the order given. `keys` are the idempotency keys.
pub(super) async fn all(engine: &Engine, mapping: &Mapping, due: &[Due<'_>], keys: &[String], road: Road) -> Vec<Sent> {
    let mut sent: Vec<Option<Sent>> = due.iter().map(|_| None).collect();
    let mut requests = requests(engine, mapping, due).into_iter();
    let begin = || Some(carry_out(engine, mapping, due, keys, requests.next()?, road).boxed());
    for (at, one) in flight::all(engine.limits().in_flight, begin)
        .await
        .into_iter()
        .flatten()
    {
        if let Some(slot) = sent.get_mut(at) {
            *slot = Some(one);
        }
    }
    sent.into_iter().flatten().collect()
}

/// Says of each write whether it goes out by itself: where the connector has no batch for it, or where it would be alone in one.
pub(super) fn grouped<'a>(engine: &Engine, mapping: &Mapping, mut due: Vec<Due<'a>>) -> Vec<Due<'a>> {
    let mut counts: BTreeMap<(Side, WriteKind), usize> = BTreeMap::new();
    for one in due.iter().filter(|one| !one.is_single) {
        *counts.entry((one.write.to, one.write.kind)).or_default() += 1;
    }
    for one in &mut due {
        let (side, kind) = (one.write.to, one.write.kind);
        let is_alone = counts.get(&(side, kind)).is_none_or(|count| *count < 2);
        one.is_single |=
            is_alone || batch_size(engine, mapping, side, kind).is_none() || has_parts(engine, mapping, one);
    }
    due
}

/// Whether a write is also one of records that belong to the one written.
fn has_parts(engine: &Engine, mapping: &Mapping, due: &Due<'_>) -> bool {
    let object = &mapping.end(due.write.to).object;
    let system = engine.end(mapping, due.write.to);
    system.is_ok_and(|system| system.touches_parts(object, &due.write.fields))
}

/// How many writes of a kind go into one request, where several do.
fn batch_size(engine: &Engine, mapping: &Mapping, side: Side, kind: WriteKind) -> Option<usize> {
    let system = engine.end(mapping, side).ok()?;
    let size = system.batch_size(&mapping.end(side).object, kind)?;
    usize::try_from(size).ok().filter(|size| *size > 1)
}

/// Cuts the writes into requests: those of one side and kind that do not go out by themselves go together, as many as the
/// connector allows.
fn requests(engine: &Engine, mapping: &Mapping, due: &[Due<'_>]) -> Vec<Request> {
    let mut groups: BTreeMap<(Side, WriteKind), Vec<usize>> = BTreeMap::new();
    let mut requests = Vec::new();
    for (at, one) in due.iter().enumerate() {
        if one.is_single {
            requests.push(Request::Single(at));
        } else {
            groups.entry((one.write.to, one.write.kind)).or_default().push(at);
        }
    }
    for ((side, kind), places) in groups {
        let size = batch_size(engine, mapping, side, kind).unwrap_or(1);
        requests.extend(places.chunks(size).map(|part| Request::Batch(part.to_vec())));
    }
    requests
}

async fn carry_out(
    engine: &Engine,
    mapping: &Mapping,
    due: &[Due<'_>],
    keys: &[String],
    request: Request,
    road: Road,
) -> Vec<(usize, Sent)> {
    match request {
        Request::Single(at) => match due.get(at).zip(keys.get(at)) {
            Some((due, key)) => vec![(at, single(engine, mapping, due, key, road).await)],
            None => Vec::new(),
        },
        Request::Batch(places) => {
            let writes: Vec<(usize, &Due<'_>, &str)> = places
                .into_iter()
                .filter_map(|at| Some((at, due.get(at)?, keys.get(at)?.as_str())))
                .collect();
            batch(engine, mapping, &writes, road).await
        }
    }
}

async fn batch(
    engine: &Engine,
    mapping: &Mapping,
    writes: &[(usize, &Due<'_>, &str)],
    road: Road,
) -> Vec<(usize, Sent)> {
    let Some(first) = writes.first().map(|(_, due, _)| due.write) else {
        return Vec::new();
    };
    let object = &mapping.end(first.to).object;
    let items: Vec<BatchItem<'_>> = writes
        .iter()
        .map(|(_, due, key)| BatchItem {
            id: due.write.id.as_deref(),
            version: due.write.version.as_deref(),
            fields: &due.write.fields,
            key,
            current: due.before.map(|record| &record.fields),
        })
        .collect();
    let outcomes = match engine.end(mapping, first.to) {
        Ok(system) => {
            let mut outcomes = system.write_batch(object, first.kind, &items, road).await;
            if seam::has_bug(Bug::OutcomesSwapped) {
                outcomes.reverse();
            }
            outcomes
        }
        Err(fault) => items.iter().map(|_| Err(not_written(fault.clone()))).collect(),
    };
    let sent = |((at, ..), outcome): (&(usize, &Due<'_>, &str), Result<Written, WriteFault>)| {
        let is_unread = matches!(&outcome, Ok(written) if written.record.is_none());
        let outcome = outcome.map(Some);
        (*at, Sent { outcome, is_unread })
    };
    writes.iter().zip(outcomes).map(sent).collect()
}

async fn single(engine: &Engine, mapping: &Mapping, due: &Due<'_>, key: &str, road: Road) -> Sent {
    let write = due.write;
    let object = &mapping.end(write.to).object;
    let system = match engine.end(mapping, write.to) {
        Ok(system) => system,
        Err(fault) => {
            return Sent {
                outcome: Err(not_written(fault)),
                is_unread: false,
            };
        }
    };
    let version = write.version.as_deref().filter(|_| !seam::has_bug(Bug::VersionNotSent));
    let id = write.id.as_deref().unwrap_or_default();
    let change = BatchItem {
        version,
        current: due.before.map(|record| &record.fields),
        ..BatchItem::of(id, &write.fields, key)
    };
    let outcome = match write.kind {
        WriteKind::Create => system.create(object, &write.fields, key, road).await.map(Some),
        WriteKind::Update => system.update(object, change, road).await.map(Some),
        WriteKind::Delete => system.delete(object, id, version, key, road).await.map(|()| None),
    };
    let outcome = match outcome {
        Ok(Some(written)) => Ok(Some(shown(system, mapping, due, written, road).await)),
        other => other,
    };
    let is_unread = matches!(&outcome, Ok(Some(written)) if written.record.is_none());
    Sent { outcome, is_unread }
}

/// The record as the answer says, else as a read says, since systems round, cut and spell what they are sent.
async fn shown(system: &System, mapping: &Mapping, due: &Due<'_>, mut written: Written, road: Road) -> Written {
    let is_shown = |record: &Record| record.id == written.id && is_whole(mapping, due, record);
    if !written.record.as_ref().is_some_and(is_shown) {
        let object = &mapping.end(due.write.to).object;
        written.record = system.get(object, &written.id, road).await.ok().flatten();
    }
    written
}

/// Looks whether an update that got no answer went through all the same: what the record shows then is ours, and not an edit
/// of somebody else. What it does not show may still be under way.
pub(super) async fn look_back(engine: &Engine, mapping: &Mapping, due: &Due<'_>, road: Road, sent: &mut Sent) {
    let write = due.write;
    let (Some(id), WriteKind::Update) = (write.id.as_deref(), write.kind) else {
        return;
    };
    let Ok(system) = engine.end(mapping, write.to) else {
        return;
    };
    let Ok(Some(record)) = system.get(&mapping.end(write.to).object, id, road).await else {
        return;
    };
    let mut wanted = record.clone();
    lay_over(&mut wanted.fields, &write.fields);
    let hashes = |record: &Record| diff::hashes(engine.key(), mapping, write.to, record).collect::<Vec<_>>();
    if hashes(&record) == hashes(&wanted) {
        let (id, version) = (record.id.clone(), record.version.clone());
        sent.outcome = Ok(Some(Written {
            id,
            version,
            record: Some(record),
        }));
    }
}

/// Reads a record anew whose answer to an update shows old values, before that is taken for a refusal: some systems answer with what
/// was there before.
pub(super) async fn read_kept(engine: &Engine, mapping: &Mapping, due: &Due<'_>, road: Road, sent: &mut Sent) {
    let write = due.write;
    let (Ok(Some(written)), Some(before)) = (&mut sent.outcome, due.before) else {
        return;
    };
    let shown = written.record.as_ref();
    if shown.is_none_or(|shown| kept::kept(engine, mapping, write, before, shown).is_empty()) {
        return;
    }
    let Ok(system) = engine.end(mapping, write.to) else {
        return;
    };
    if let Ok(Some(record)) = system.get(&mapping.end(write.to).object, &written.id, road).await {
        written.record = Some(record);
    }
}

/// Whether an answer holds every mapped field that was written or was there before: many answer ids alone, or only what
/// changed, and a field that is merely not told must not be taken for empty.
fn is_whole(mapping: &Mapping, due: &Due<'_>, answered: &Record) -> bool {
    let paths = mapping
        .fields
        .iter()
        .filter_map(|field| field.paths.get(due.write.to).as_ref());
    paths
        .filter(|path| {
            let was_there = due.before.is_some_and(|record| path.get_in(&record.fields).is_some());
            was_there || path.get_in(&due.write.fields).is_some()
        })
        .all(|path| path.get_in(&answered.fields).is_some())
}

const fn not_written(fault: crate::core::fault::Fault) -> WriteFault {
    WriteFault {
        fault,
        outcome: Outcome::NotWritten,
    }
}
