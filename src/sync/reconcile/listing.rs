//! Both listings and the links on their way into the scratch files.

use super::Context;
use crate::{
    client::{Listing, Road},
    core::{
        diff,
        mapping::Mapping,
        plan,
        record::{BaseField, Record},
        status::{LinkStatus, Side, Sides},
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

/// Reads one listing into the scratch files, on a task of its own; says whether it came to its end.
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
        let own = context.clone();
        let rows = move || {
            let key = own.engine.key();
            let rows = page
                .records
                .into_iter()
                .map(|record| row(key, &own.mapping, side, record));
            rows.collect()
        };
        context.scan.add(side, rows).await?;
    }
    Ok(lister.is_complete() || seam::has_bug(Bug::ShortListingBelieved))
}

/// A digest of a record's fields, where all can be read.
pub(super) fn digest(key: &Key, mapping: &Mapping, side: Side, record: &Record) -> Option<u64> {
    let mut is_whole = true;
    let hashes = diff::hashes(key, mapping, side, record).map_while(|hash| {
        is_whole &= hash.is_some();
        hash
    });
    let digest = diff::digest(hashes);
    is_whole.then_some(digest)
}

fn print(key: &Key, id: &str) -> u128 {
    u128::from_be_bytes(key.text(id))
}

fn row(key: &Key, mapping: &Mapping, side: Side, record: Record) -> Row {
    let match_keys = mapping.rules.iter().map(|rule| {
        let match_key = rule.key(rule.value(side, &record.fields)?)?;
        Some(key.field("match", Some(&match_key)))
    });
    Row {
        print: print(key, &record.id),
        digest: digest(key, mapping, side, &record),
        // A record whose filter fails is looked at again, so that its failure is on record.
        is_outside: !plan::passes(mapping, side, &record).unwrap_or(true),
        match_keys: match_keys.collect(),
        record,
    }
}

/// Puts every link into the scratch files.
pub(super) async fn links(context: &Context) -> Result<(), Error> {
    let mut after = 0;
    loop {
        context.go_on()?;
        let links = context.engine.store().links_after(&context.name, after, LINKS).await?;
        let Some(last) = links.last() else { return Ok(()) };
        after = last.link.link_id;
        let pairs = links
            .iter()
            .map(|stored| pair(context.engine.key(), &context.mapping, stored));
        context.scan.add_pairs(pairs.collect()).await?;
    }
}

fn pair(key: &Key, mapping: &Mapping, stored: &StoredLink) -> Pair {
    let link = &stored.link;
    let fields: Option<Vec<BaseField>> = mapping
        .fields
        .iter()
        .map(|field| link.base.field(field.definition))
        .collect();
    // A pending delete is looked at every time: the record may be there again.
    let fields = fields.filter(|_| link.status == LinkStatus::Linked);
    let agreed = |side: Side| {
        let digest = |fields: &Vec<BaseField>| diff::digest(fields.iter().map(|field| field.hash(side)));
        fields.as_ref().map(digest)
    };
    Pair {
        link_id: link.link_id,
        prints: Sides::of(|side| print(key, link.id(side))),
        agreed: Sides::of(agreed),
    }
}
