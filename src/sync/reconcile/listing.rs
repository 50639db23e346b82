//! Both listings and the links on their way into the scratch files.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Context, LINKED};
use crate::{
    client::{Listing, Road},
    core::{
        diff,
        mapping::Mapping,
        newcomer::Named,
        plan,
        record::{BaseField, Link, Record},
        shape::{Looker, Shape},
        status::{LinkStatus, Side, Sides},
        value::{Value, fingerprint::Key},
    },
    seam::{self, Bug},
    store::scan::{Listed, Pair, Row, Sieve, Sifted},
    sync::Error,
};

/// Links read at once.
const LINKS: u32 = 1_000;
/// How often a listing is saved, so that it can be gone on with; more often where much comes.
const SAVE: Duration = Duration::from_secs(20);

/// Reads one listing into the scratch files, on a task of its own; says whether it came to its end.
pub(super) async fn list(context: &Context, side: Side) -> Result<bool, Error> {
    let own = context.clone();
    let task = tokio::spawn(context.task(async move { read(&own, side).await }));
    task.await.map_err(|_| Error::Broken)?
}

async fn read(context: &Context, side: Side) -> Result<bool, Error> {
    let mut listed = context.scan.listed(side).await?;
    note(context, side, listed.records);
    if listed.is_ended {
        return Ok(listed.is_complete);
    }
    if listed.resume.is_none() {
        context.scan.restart(side).await?;
    }
    let read = pages(context, side, &mut listed).await;
    if read.is_err() && listed.resume.is_some() {
        // Where even that fails, the first failure is what counts.
        let _ = context.scan.save_listed(side, listed).await;
    }
    read
}

/// Reads the pages that are left.
async fn pages(context: &Context, side: Side, listed: &mut Listed) -> Result<bool, Error> {
    let mapping = &context.mapping;
    let system = context.engine.end(mapping, side)?;
    let object = &mapping.end(side).object;
    let known = system.connector().objects.get(object);
    let listing = Listing {
        projection: Some(mapping.wanted(side)),
        resume: listed.resume.clone(),
        names: Some(Named::of(mapping, side, known).own().clone()),
        ..Listing::default()
    };
    let looker = Arc::new(Looker::new(mapping, side, known));
    // Of what an earlier process saw enough, no more is looked at.
    looker.add(&mut listed.shape, 0, &Shape::new());
    let compact = compact(context, side, context.scan.sieve(side).await?, Arc::clone(&looker));
    let mut lister = system.list_as(object, listing, Road::Reconcile, compact);
    let mut saved = Instant::now();
    while let Some(page) = lister.next().await? {
        context.go_on()?;
        let (shape, rows) = page.records;
        looker.add(&mut listed.shape, page.count, &shape);
        listed.names.extend(page.names);
        let is_filling = context.scan.add(rows).await?;
        listed.records += page.count;
        listed.pages += 1;
        listed.resume = page.resume;
        note(context, side, listed.records);
        if listed.resume.is_some() && (is_filling || saved.elapsed() >= SAVE) {
            context.scan.save_listed(side, listed.clone()).await?;
            saved = Instant::now();
        }
    }
    listed.names.extend(system.columns(object).await);
    let is_complete = lister.is_complete() || seam::has_bug(Bug::ShortListingBelieved);
    let ended = Listed {
        resume: None,
        is_ended: true,
        is_complete,
        ..listed.clone()
    };
    context.scan.save_listed(side, ended).await?;
    Ok(is_complete)
}

/// Makes rows of the records of a page, and says what the page shows of the fields.
fn compact(
    context: &Context,
    side: Side,
    sieve: Sieve,
    looker: Arc<Looker>,
) -> impl Fn(Vec<Record>) -> (Shape, Sifted) + use<> {
    let own = context.clone();
    move |records| {
        let shape = looker.look(&records);
        let rows = records.into_iter();
        let rows = rows.map(|record| row(own.engine.key(), &own.mapping, side, record));
        (shape, sieve.sift(rows))
    }
}

pub(super) fn note(context: &Context, side: Side, records: u64) {
    context.progress.note(|progress| match side {
        Side::Left => progress.left_read = records,
        Side::Right => progress.right_read = records,
    });
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

fn row(key: &Key, mapping: &Mapping, side: Side, record: Record) -> Row {
    let match_keys = mapping.rules.iter().map(|rule| {
        let match_key = rule.key(rule.value(side, &record.fields)?)?;
        Some(match &match_key {
            Value::Text(text) => half(key.print(text)),
            other => key.field("match", Some(other)),
        })
    });
    Row {
        print: key.print(&record.id),
        digest: digest(key, mapping, side, &record),
        // A record whose filter fails is looked at again, so that its failure is on record.
        is_outside: !plan::passes(mapping, side, &record).unwrap_or(true),
        match_keys: match_keys.collect(),
        record,
    }
}

/// The first half of a hash.
fn half(hash: u128) -> u64 {
    u64::from_be_bytes(hash.to_be_bytes().first_chunk().copied().unwrap_or_default())
}

/// Puts every link into the scratch files: the older half and the newer half side by side.
pub(super) async fn links(context: &Context) -> Result<(), Error> {
    if context.scan.saved::<u64>(LINKED).await?.is_some() {
        return Ok(());
    }
    let middle = context.engine.store().middle_link(&context.name).await?;
    let (older, newer) = tokio::try_join!(span(context, 0, middle), span(context, middle, i64::MAX))?;
    context.scan.save_links().await?;
    Ok(context.scan.save(LINKED, older + newer).await?)
}

/// The links after one and up to another; how many of them wait for a decision. The next ones are read while some are hashed.
async fn span(context: &Context, after: i64, until: i64) -> Result<u64, Error> {
    let store = context.engine.store();
    let read = |after| store.agreed_between(&context.name, after, until, LINKS);
    let mut links = read(after).await?;
    let mut pending = 0;
    while let Some(last) = links.last() {
        context.go_on()?;
        let after = last.link_id;
        pending += links.iter().filter(|link| link.status != LinkStatus::Linked).count() as u64;
        context.progress.note(|progress| progress.pairs += links.len() as u64);
        let own = context.clone();
        let pairs = move || {
            links
                .iter()
                .map(|link| pair(own.engine.key(), &own.mapping, link))
                .collect()
        };
        let (next, added) = tokio::join!(read(after), context.scan.add_pairs(pairs));
        added?;
        links = next?;
    }
    Ok(pending)
}

fn pair(key: &Key, mapping: &Mapping, link: &Link) -> Pair {
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
        prints: Sides::of(|side| key.print(link.id(side))),
        agreed: Sides::of(agreed),
    }
}
