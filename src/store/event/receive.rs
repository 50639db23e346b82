//! Taking events in: many requests' events in one transaction, each stored once.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
};

use sqlx::{PgConnection, postgres::PgArguments};

use super::{NewEvent, Received, payload_place, payload_row};
use crate::{
    core::status::{EventStatus, Side},
    store::{
        Context,
        bulk::{Bulk, unnest},
        change::{self, NewChange},
        engine::{Args, Durability, Engine, FromRow, Row, Tx, Unread, args, postgres_returned, text},
        error::Error,
    },
};

/// An event by the key that makes it unique.
struct Identity {
    event_id: i64,
    key: (String, String),
}

impl FromRow for Identity {
    const TABLE: &'static str = "event";
    const KEY: &'static str = "event_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            event_id: row.get("event_id")?,
            key: (row.get("system")?, row.get("external_id")?),
        })
    }
}

const INSERT: Bulk = Bulk {
    head: "insert into event (system, external_id, object, record_id, kind, own, merged_into, version, status, \
           occurred_at, received_at, request_id, payload)",
    tail: "on conflict (system, external_id) do nothing",
};

const FIND: Bulk = Bulk {
    head: "select event_id, system, external_id from event where (system, external_id) in (",
    tail: ")",
};

/// Stores events and the changes they bring; the answers stand in the order of the events.
pub(in crate::store) async fn receive(
    tx: &mut Tx,
    context: &Context<'_>,
    events: &[&NewEvent],
) -> Result<Vec<Received>, Error> {
    let rows = events
        .iter()
        .map(|event| insert_args(context, event))
        .collect::<Result<Vec<_>, _>>()?;
    let answers = insert(tx, events, rows).await?;
    let mut stored = HashMap::new();
    let mut changes = Vec::new();
    for (event, answer) in events.iter().zip(&answers) {
        if let Some(event_id) = *answer {
            changes.extend(event.changes.iter().map(|change| NewChange {
                event_id: Some(event_id),
                ..change.clone()
            }));
            stored.insert(event_key(event), event_id);
        }
    }
    change::enqueue(tx, context, &changes.iter().collect::<Vec<_>>()).await?;
    expect_each(tx, &changes).await?;
    duplicates(tx, events, answers, stored).await
}

/// Stores events and the changes they bring in one statement, where that can be done: one journey to the server instead of
/// five, while which everybody who sent one of them waits. None where it cannot: each event brings one change at most, and
/// no event and no record comes twice.
pub(in crate::store) async fn receive_at_once(
    engine: &Engine,
    connection: &mut PgConnection,
    context: &Context<'_>,
    events: &[&NewEvent],
) -> Result<Option<Vec<Received>>, Error> {
    let mut keys = HashSet::new();
    let is_plain = |event: &&NewEvent| event.changes.len() <= 1 && keys.insert(event_key(event));
    let changes: Vec<(&NewEvent, &NewChange)> = events
        .iter()
        .flat_map(|event| event.changes.iter().map(|change| (*event, change)))
        .collect();
    let records: HashSet<_> = changes.iter().map(|(_, change)| &change.key).collect();
    if records.len() < changes.len() || !events.iter().all(is_plain) {
        return Ok(None);
    }
    let rows = events
        .iter()
        .map(|event| insert_args(context, event))
        .collect::<Result<Vec<_>, _>>()?;
    let mut bound = PgArguments::default();
    let inserted = unnest(rows, &mut bound)?;
    let mut sql = format!(
        "with fresh as ({} select * from {inserted} {} returning event_id, system, external_id)",
        INSERT.head, INSERT.tail
    );
    if !changes.is_empty() {
        let rows = changes.iter().map(|(event, change)| {
            let mut args = change::enqueue_args(context, change);
            args.extend(args![&event.system, &event.external_id]);
            args
        });
        let queued = unnest(rows.collect(), &mut bound)?;
        // Writing to a String cannot fail.
        let _ = write!(
            sql,
            ", queued as ({} select column1, column2, column3, column4, column5, column6, column7, column8, column9, \
             fresh.event_id, column11, column12 from {queued}, fresh \
             where fresh.system = column13 and fresh.external_id = column14 {})",
            change::ENQUEUE.head,
            change::ENQUEUE.tail
        );
    }
    sql += " select event_id, system, external_id from fresh";
    let mut fresh = by_key(postgres_returned(connection, &text(sql.into()), bound).await?);
    let answers: Vec<Option<i64>> = events.iter().map(|event| fresh.remove(&event_key(event))).collect();
    if let Some(all) = answers.iter().copied().collect::<Option<Vec<i64>>>() {
        return Ok(Some(all.into_iter().map(Received::Stored).collect()));
    }
    let mut tx = engine.begin(Durability::Relaxed).await?;
    let received = duplicates(&mut tx, events, answers, HashMap::new()).await;
    tx.rollback().await;
    received.map(Some)
}

/// Stores events; the ids of those that were new, in the order of the events. Of two with one key it is the first.
async fn insert(tx: &mut Tx, events: &[&NewEvent], rows: Vec<Args<'_>>) -> Result<Vec<Option<i64>>, Error> {
    match tx {
        Tx::Sqlite(tx) => {
            let inserted = INSERT.each(tx, rows)?.into_iter();
            Ok(inserted.map(|one| (one.rows > 0).then_some(one.id)).collect())
        }
        Tx::Postgres(tx) => {
            let inserted = INSERT.returning("event_id, system, external_id", tx, rows).await?;
            let mut fresh = by_key(inserted);
            Ok(events.iter().map(|event| fresh.remove(&event_key(event))).collect())
        }
    }
}

/// Remembers the changes of events that brought several, so that none of them speaks for the others.
async fn expect_each(tx: &mut Tx, changes: &[NewChange]) -> Result<(), Error> {
    let of_several = changes
        .chunk_by(|a, b| a.event_id == b.event_id)
        .filter(|of_one| of_one.len() > 1);
    let ends = of_several.flatten().filter_map(|change| {
        let event_id = change.event_id?;
        Some((event_id, &*change.key.mapping, change.key.side))
    });
    expect(tx, ends.collect()).await
}

/// Remembers the changes of an event: its id, the mapping and the side of each.
pub(super) async fn expect(tx: &mut Tx, ends: Vec<(i64, &str, Side)>) -> Result<(), Error> {
    const EXPECT: Bulk = Bulk {
        head: "insert into event_change (event_id, mapping, side, status)",
        tail: "on conflict (event_id, mapping, side) do nothing",
    };
    let rows = ends
        .into_iter()
        .map(|(event_id, mapping, side)| args![event_id, mapping, side, EventStatus::Queued]);
    EXPECT.execute(tx, rows.collect()).await?;
    Ok(())
}

fn insert_args<'q>(context: &Context<'_>, event: &'q NewEvent) -> Result<Args<'q>, Error> {
    let row = payload_row(&event.system, &event.external_id);
    let payload = event
        .payload
        .as_ref()
        .map(|plain| context.sealer.seal(payload_place(&row), plain))
        .transpose()?;
    let status = match (event.changes.is_empty(), event.own) {
        (false, _) => EventStatus::Queued,
        (true, true) => EventStatus::Ignored,
        (true, false) => EventStatus::Received,
    };
    Ok(args![
        &event.system,
        &event.external_id,
        &event.object,
        &event.record_id,
        event.kind,
        event.own,
        &event.merged_into,
        &event.version,
        status,
        event.occurred_at,
        context.now,
        &event.request_id,
        payload,
    ])
}

/// Fills in the ids of events that were stored before.
async fn duplicates(
    tx: &mut Tx,
    events: &[&NewEvent],
    answers: Vec<Option<i64>>,
    mut known: HashMap<(String, String), i64>,
) -> Result<Vec<Received>, Error> {
    let unknown = events
        .iter()
        .zip(&answers)
        .filter(|(event, answer)| answer.is_none() && !known.contains_key(&event_key(event)))
        .map(|(event, _)| args![&event.system, &event.external_id])
        .collect::<Vec<_>>();
    known.extend(by_key(FIND.rows::<Identity>(tx, unknown).await?));
    events
        .iter()
        .zip(answers)
        .map(|(event, answer)| {
            answer.map(Received::Stored).map_or_else(
                || {
                    known
                        .get(&event_key(event))
                        .map(|event_id| Received::Duplicate(*event_id))
                        .ok_or_else(|| Error::Busy {
                            what: "the first of two equal events is being stored or pruned".into(),
                        })
                },
                Ok,
            )
        })
        .collect()
}

fn by_key(rows: Vec<Identity>) -> HashMap<(String, String), i64> {
    rows.into_iter().map(|row| (row.key, row.event_id)).collect()
}

/// The key as it is stored.
fn event_key(event: &NewEvent) -> (String, String) {
    let stored = |text: &str| text.replace('\0', "\u{fffd}");
    (stored(&event.system), stored(&event.external_id))
}
