//! Both listings and the links on their way into the scratch file.

use super::{Context, bytes};
use crate::{
    client::{Listing, Road},
    core::{
        diff,
        mapping::Mapping,
        plan,
        record::{BaseField, Record},
        status::{LinkStatus, Side},
        value::fingerprint::Key,
    },
    seam::{self, Bug},
    store::{
        link::StoredLink,
        scan::{Pair, Row},
    },
    sync::Error,
};

/// Links read at once.
const LINKS: u32 = 1_000;

/// Reads one listing into the scratch file, on a task of its own; says whether it came to its end.
pub(super) async fn list(context: &Context, side: Side) -> Result<bool, Error> {
    let own = context.clone();
    let task = tokio::spawn(context.task(async move { read(&own, side).await }));
    task.await.map_err(|_| Error::Broken)?
}

async fn read(context: &Context, side: Side) -> Result<bool, Error> {
    let mapping = &context.mapping;
    let system = context.engine.end(mapping, side)?;
    let listing = Listing {
        projection: Some(mapping.wanted(side)),
        ..Listing::default()
    };
    let mut lister = system.list(&mapping.end(side).object, listing, Road::Reconcile);
    while let Some(page) = lister.next().await? {
        context.go_on()?;
        let key = context.engine.key();
        let rows = page.records.into_iter().map(|record| row(key, mapping, side, record));
        context.scan.add(side, rows.collect()).await?;
    }
    Ok(lister.is_complete() || seam::has_bug(Bug::ShortListingBelieved))
}

/// The hashes of a record's fields, where all can be read.
pub(super) fn hashes(key: &Key, mapping: &Mapping, side: Side, record: &Record) -> Option<Vec<u8>> {
    let hashes: Option<Vec<u64>> = diff::hashes(key, mapping, side, record).collect();
    hashes.map(|hashes| bytes(&hashes))
}

fn row(key: &Key, mapping: &Mapping, side: Side, record: Record) -> Row {
    let match_keys = mapping.rules.iter().map(|rule| {
        let match_key = rule.key(rule.value(side, &record.fields)?)?;
        Some(key.field("match", Some(&match_key)))
    });
    Row {
        hashes: hashes(key, mapping, side, &record),
        // A record whose filter fails is looked at again, so that its failure is on record.
        is_outside: !plan::passes(mapping, side, &record).unwrap_or(true),
        match_keys: match_keys.collect(),
        record,
    }
}

/// Puts every link into the scratch file.
pub(super) async fn links(context: &Context) -> Result<(), Error> {
    let mut after = 0;
    loop {
        context.go_on()?;
        let links = context.engine.store().links_after(&context.name, after, LINKS).await?;
        let Some(last) = links.last() else { return Ok(()) };
        after = last.link.link_id;
        let pairs = links.iter().map(|stored| pair(&context.mapping, stored));
        context.scan.add_pairs(pairs.collect()).await?;
    }
}

fn pair(mapping: &Mapping, stored: &StoredLink) -> Pair {
    let link = &stored.link;
    let fields: Option<Vec<BaseField>> = mapping
        .fields
        .iter()
        .map(|field| link.base.field(field.definition))
        .collect();
    // A pending delete is looked at every time: the record may be there again.
    let fields = fields.filter(|_| link.status == LinkStatus::Linked);
    let agreed = |side: Side| {
        let hashes = |fields: &Vec<BaseField>| bytes(&fields.iter().map(|field| field.hash(side)).collect::<Vec<_>>());
        fields.as_ref().map(hashes)
    };
    Pair {
        link_id: link.link_id,
        left_id: link.left_id.clone(),
        right_id: link.right_id.clone(),
        left_agreed: agreed(Side::Left),
        right_agreed: agreed(Side::Right),
    }
}
