//! Records that live on under another id: what becomes of their links, before anything else is looked at.

use std::{collections::HashSet, sync::Arc};

use crate::{
    client::Road,
    core::{
        fault::Fault,
        mapping::Mapping,
        record::RecordKey,
        status::{EventKind, LinkStatus, Side},
    },
    store::{
        self, Op, Page,
        change::{Change, NewChange},
        event::EventFilter,
        link::StoredLink,
    },
    sync::Engine,
};

/// How many times a record may be renamed while nobody looks.
const RENAMES_MAX: usize = 16;
/// The most events of one record that are searched for its next name.
const EVENTS_MAX: u32 = 50;

/// What has become of the link of a record that is said to live on as another.
#[derive(Debug)]
pub(super) enum Moved {
    /// It moved, or ended; these are to be stored, and the change is done.
    Settled(Vec<Op>),
    /// Nothing: the record is looked at like any other.
    Look,
    /// Whether the record has its new id could not be found out.
    Unread(Fault),
}

/// Lets a link follow its record, where an event says that this lives on as another.
pub(super) async fn moved(engine: &Engine, mapping: &Mapping, change: &Change) -> Result<Moved, store::Error> {
    let Some(to) = &change.merged_into else {
        return Ok(Moved::Look);
    };
    match change.kind {
        EventKind::Merged => merged(engine, mapping, change, to).await,
        EventKind::Renamed => renamed(engine, mapping, change, to).await,
        _ => Ok(Moved::Look),
    }
}

/// Moves the link of a merged record to the one it lives on as.
async fn merged(engine: &Engine, mapping: &Mapping, change: &Change, survivor: &str) -> Result<Moved, store::Error> {
    let side = change.key.side;
    let Some(stored) = own_link(engine, mapping, change).await? else {
        return Ok(Moved::Look);
    };
    if engine.store().link_by(&mapping.name, side, survivor).await?.is_none() {
        return Ok(Moved::Settled(follow(change, &stored, survivor)));
    }
    // Both partners stand for one record now: the survivor keeps its own, the other is looked at anew.
    let link_id = stored.link.link_id;
    let mut ops = vec![Op::EndLink { link_id }];
    ops.extend(look_at_both(change, &stored, survivor));
    Ok(Moved::Settled(ops))
}

/// Moves the link of a renamed record to its new id, where that is a record in no link. An event that is told twice or late, or
/// whose record was renamed again meanwhile, does no harm so; where the new id belongs to another link, nothing moves, and a
/// person decides about the old one.
async fn renamed(engine: &Engine, mapping: &Mapping, change: &Change, to: &str) -> Result<Moved, store::Error> {
    let Some(stored) = own_link(engine, mapping, change).await? else {
        engine.store().commit(vec![again(change, change.key.side, to)]).await?;
        return Ok(Moved::Look);
    };
    match living(engine, mapping, change, to).await? {
        Ok(Some(id)) => Ok(Moved::Settled(follow(change, &stored, &id))),
        Ok(None) => {
            engine.store().commit(vec![again(change, change.key.side, to)]).await?;
            Ok(Moved::Look)
        }
        Err(fault) => Ok(Moved::Unread(fault)),
    }
}

/// The id that a renamed record has now, in no link of anybody else. Events come in any order: where nothing has the new id any
/// more, what is told of that id says what came after it.
async fn living(
    engine: &Engine,
    mapping: &Mapping,
    change: &Change,
    to: &str,
) -> Result<Result<Option<String>, Fault>, store::Error> {
    let (side, end) = (change.key.side, mapping.end(change.key.side));
    let (mut id, mut seen) = (to.to_owned(), HashSet::from([change.key.record_id.clone()]));
    while seen.len() <= RENAMES_MAX && seen.insert(id.clone()) {
        if engine.store().link_by(&mapping.name, side, &id).await?.is_some() {
            return Ok(Ok(None));
        }
        let read = match engine.end(mapping, side) {
            Ok(system) => system.get(&end.object, &id, Road::Event).await,
            Err(fault) => Err(fault),
        };
        match read {
            Ok(Some(_)) => return Ok(Ok(Some(id))),
            Ok(None) => match next_id(engine, mapping, side, &id).await? {
                Some(next) => id = next,
                None => return Ok(Ok(None)),
            },
            Err(fault) => return Ok(Err(fault)),
        }
    }
    Ok(Ok(None))
}

/// What the newest event that says so calls a record.
async fn next_id(engine: &Engine, mapping: &Mapping, side: Side, id: &str) -> Result<Option<String>, store::Error> {
    let end = mapping.end(side);
    let filter = EventFilter {
        system: Some(end.system.clone()),
        object: Some(end.object.clone()),
        record_id: Some(id.to_owned()),
        ..EventFilter::default()
    };
    let events = engine.store().events(&filter, Page::first(EVENTS_MAX)).await?;
    Ok(events.into_iter().find_map(|event| event.merged_into))
}

async fn own_link(engine: &Engine, mapping: &Mapping, change: &Change) -> Result<Option<StoredLink>, store::Error> {
    let key = &change.key;
    engine.store().link_by(&mapping.name, key.side, &key.record_id).await
}

/// The link goes to `id`, and both records are looked at.
fn follow(change: &Change, stored: &StoredLink, id: &str) -> Vec<Op> {
    let link_id = stored.link.link_id;
    let mut ops = vec![Op::MoveLink {
        link_id,
        side: change.key.side,
        record_id: id.to_owned(),
    }];
    if stored.link.status == LinkStatus::PendingDelete {
        ops.push(Op::ClearMissing { link_id });
    }
    ops.extend(look_at_both(change, stored, id));
    ops
}

fn look_at_both(change: &Change, stored: &StoredLink, id: &str) -> [Op; 2] {
    let other = change.key.side.other();
    [
        again(change, change.key.side, id),
        again(change, other, stored.link.id(other)),
    ]
}

fn again(change: &Change, side: Side, id: &str) -> Op {
    let key = RecordKey::new(Arc::clone(&change.key.mapping), side, id);
    Op::Enqueue(NewChange::new(key, change.origin, EventKind::Updated))
}
