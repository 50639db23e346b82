//! Reading what was made and not shown by any answer, as batches mostly do not: systems round, cut, spell and fill in what
//! they are sent, and the base must say what is there. They are read one by one, or by one more listing where that takes fewer
//! requests.
//!
//! Between making and reading lies the rest of a first sync, or the time that a node was down. What a person changed in it is a change,
//! and not what the system made of what it was sent.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Context, listing};
use crate::{
    client::{Listing, Road},
    core::{
        diff,
        record::{Base, BaseField, Record},
        status::Side,
    },
    store::{
        Op,
        link::{Agreement, StoredLink, SyncedLink},
    },
    sync::Error,
};

/// Up to so many records are read one by one in any case.
const SINGLES: u64 = 100;
/// What is read so soon after it was made is as the system made it; and so much later than ours a system's clock may say that it was.
const SOON: TimeDelta = TimeDelta::seconds(5);

/// Reads what was made on both sides.
pub(super) async fn all(context: &Context) -> Result<(), Error> {
    for side in [Side::Left, Side::Right] {
        let listed = context.scan.listed(side).await?;
        // Where nothing was listed, nobody knows how many pages there are.
        let is_fewer = listed.is_ended && context.scan.made_count(side).await? > listed.pages.max(SINGLES);
        if is_fewer {
            list(context, side).await?;
        } else {
            singles(context, side).await?;
        }
    }
    Ok(())
}

async fn singles(context: &Context, side: Side) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        context.go_on()?;
        let made = context.scan.made(side, &after, context.chunk()).await?;
        let Some(last) = made.last() else { return Ok(()) };
        after.clone_from(last);
        read(context, side, made).await?;
    }
}

async fn read(context: &Context, side: Side, ids: Vec<String>) -> Result<(), Error> {
    let read = context.get(side, &ids).await?;
    // What cannot be read now is looked at by the next reconciliation.
    let records = read.into_iter().filter_map(|read| read.ok().flatten());
    compare(context, side, records.collect()).await
}

async fn list(context: &Context, side: Side) -> Result<(), Error> {
    let system = context.engine.end(&context.mapping, side)?;
    let object = &context.mapping.end(side).object;
    let listing = Listing {
        projection: Some(context.mapping.wanted(side)),
        ..Listing::default()
    };
    let mut lister = system.list(object, listing, Road::Reconcile);
    while let Some(page) = lister.next().await? {
        context.go_on()?;
        compare(context, side, page.records).await?;
    }
    Ok(())
}

/// Corrects the bases of pairs whose made record looks otherwise than it was sent.
async fn compare(context: &Context, side: Side, records: Vec<Record>) -> Result<(), Error> {
    let key = context.engine.key();
    let read = records.iter().map(|record| {
        let digest = listing::digest(key, &context.mapping, side, record);
        (record.id.clone(), digest)
    });
    let unlike = context.scan.unlike_sent(side, read.collect()).await?;
    let unlike: Vec<&Record> = unlike.into_iter().filter_map(|place| records.get(place)).collect();
    let ids: Vec<&str> = unlike.iter().map(|record| record.id.as_str()).collect();
    let links = context.engine.store().links_by(&context.name, side, &ids).await?;
    let now = context.engine.clock().now();
    let corrected = links.iter().filter_map(|stored| {
        let record = unlike.iter().find(|record| record.id == stored.link.id(side))?;
        if is_edited(stored, record, now) {
            return None;
        }
        Some(Op::SyncLink(SyncedLink {
            link_id: stored.link.link_id,
            agreement: corrected(context, side, stored, record),
        }))
    });
    Ok(context.engine.store().commit(corrected.collect()).await?)
}

/// Whether a made record was changed after it was linked: it differs from its base then, and is compared as any other.
fn is_edited(stored: &StoredLink, record: &Record, now: DateTime<Utc>) -> bool {
    let times = record.updated_at.zip(stored.last_synced_at);
    times.is_some_and(|(updated, linked)| now > linked + SOON && updated > linked + SOON)
}

fn corrected(context: &Context, side: Side, stored: &StoredLink, record: &Record) -> Agreement {
    let hashes: Vec<Option<u64>> = diff::hashes(context.engine.key(), &context.mapping, side, record).collect();
    let fields = context.mapping.fields.iter().zip(hashes).filter_map(|(field, hash)| {
        let known = stored.link.base.field(field.definition)?;
        let hash = hash?;
        Some(match side {
            Side::Left => BaseField { left: hash, ..known },
            Side::Right => BaseField { right: hash, ..known },
        })
    });
    let mut agreement = Agreement {
        base: Base::new(fields.collect()),
        left_version: stored.left_version.clone(),
        right_version: stored.right_version.clone(),
        left_updated_at: stored.left_updated_at,
        right_updated_at: stored.right_updated_at,
    };
    match side {
        Side::Left => {
            agreement.left_version.clone_from(&record.version);
            agreement.left_updated_at = record.updated_at;
        }
        Side::Right => {
            agreement.right_version.clone_from(&record.version);
            agreement.right_updated_at = record.updated_at;
        }
    }
    agreement
}
