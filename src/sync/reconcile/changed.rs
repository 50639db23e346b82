//! What changed since the last comparison, in place of whole listings: each of these records is compared with its partner.
//!
//! Such a look proves nothing about what it does not show. A record is gone only where its own system says so when it is asked
//! for that record, and one that has no link yet gets a partner only after the other system was searched for it.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::{Context, listing};
use crate::{
    client::{Listing, Road},
    core::{
        connector::part::Part,
        fault::Fault,
        mapping::Mapping,
        plan,
        record::Record,
        status::{RunKind, Side, Sides},
    },
    store::{self, scan::Row},
    sync::{Engine, Error, poll::PASSES_MAX},
};

/// What was read.
#[derive(Debug)]
pub(super) struct Changed {
    /// What changed at this time or later was asked for.
    pub(super) since: DateTime<Utc>,
    /// How many records came; none of a system that cannot tell what changed.
    pub(super) records: Sides<Option<u64>>,
}

impl Changed {
    /// What was compared, in a line for people.
    pub(super) fn note(&self, context: &Context) -> String {
        let told = |side: Side| {
            let system = &context.mapping.end(side).system;
            match self.records.get(side) {
                Some(count) => format!("{count} of `{system}`"),
                None => format!("`{system}` cannot tell"),
            }
        };
        format!(
            "incremental: only records changed since {} were compared ({}, {}); deleted ones are found by a comparison of everything",
            self.since.to_rfc3339_opts(SecondsFormat::Secs, true),
            told(Side::Left),
            told(Side::Right)
        )
    }
}

/// When the last comparison of a mapping began that came to its end, whether of everything or of what had changed.
pub async fn last_compared(engine: &Engine, mapping: &Mapping) -> Result<Option<DateTime<Utc>>, store::Error> {
    let mut last = None;
    for kind in [RunKind::Full, RunKind::Reconcile, RunKind::Incremental] {
        let run = engine.store().last_good_run(&mapping.name, kind).await?;
        last = last.max(run.map(|run| run.started_at));
    }
    Ok(last)
}

/// Reads what changed on both sides into the scratch files.
pub(super) async fn list(context: &Context) -> Result<Changed, Error> {
    let refuse = |why| Error::NotIncremental(why, context.mapping.name.clone());
    let last = last_compared(&context.engine, &context.mapping).await?;
    let since = last.ok_or_else(|| refuse("there was no comparison yet"))?;
    let (left, right) = tokio::join!(read(context, Side::Left, since), read(context, Side::Right, since));
    let records = Sides {
        left: left?,
        right: right?,
    };
    if records.left.is_none() && records.right.is_none() {
        return Err(refuse("neither system can tell what changed"));
    }
    context.scan.join().await?;
    Ok(Changed { since, records })
}

async fn read(context: &Context, side: Side, since: DateTime<Utc>) -> Result<Option<u64>, Error> {
    let (mapping, store) = (&context.mapping, context.engine.store());
    let (system, object) = (context.engine.end(mapping, side)?, &mapping.end(side).object);
    let known = system.connector().objects.get(object);
    let Some(list) = known
        .filter(|known| known.lists_changes())
        .and_then(|known| known.listing(true))
    else {
        return Ok(None);
    };
    let overlap = |period| TimeDelta::from_std(period).unwrap_or(TimeDelta::minutes(2));
    let since = since - overlap(list.overlap);
    if let Some(reaches) = list.reaches
        && context.engine.clock().now() - since > overlap(reaches.duration())
    {
        let why = "the last comparison is longer ago than a system's list of changes reaches back";
        return Err(Error::NotIncremental(why, mapping.name.clone()));
    }
    if store.cursor(&mapping.name, side).await?.is_none() {
        // Nobody has tried the filter by time out yet: one that is ignored in silence would be believed.
        system.check_since(object, Road::Reconcile).await?;
    }
    let parts = system.parts_that_change(object);
    for _ in 0..PASSES_MAX {
        let (mut count, mut is_whole) = pass(context, side, since).await?;
        for part in &parts {
            let (more, is_part_whole) = pass_part(context, side, since, part).await?;
            count += more;
            is_whole &= is_part_whole;
        }
        if is_whole {
            return Ok(Some(count));
        }
    }
    Err(Error::Shifted(mapping.end(side).system.clone()))
}

/// One pass over the pages of what changed: how many records came, and whether surely none was passed over.
async fn pass(context: &Context, side: Side, since: DateTime<Utc>) -> Result<(u64, bool), Error> {
    let end = context.mapping.end(side);
    let listing = Listing {
        since: Some(since),
        projection: Some(context.mapping.wanted(side)),
        ..Listing::default()
    };
    let system = context.engine.end(&context.mapping, side)?;
    let mut lister = system.list(&end.object, listing, Road::Reconcile);
    let mut count = 0;
    while let Some(page) = lister.next().await? {
        context.go_on()?;
        count += page.records.len() as u64;
        listing::note(context, side, count);
        keep(context, side, page.records).await?;
    }
    Ok((count, !lister.is_shifted()))
}

/// The same of records that belong to the mapping's: those are read whose parts changed.
async fn pass_part(context: &Context, side: Side, since: DateTime<Utc>, part: &Part) -> Result<(u64, bool), Error> {
    let listing = Listing {
        since: Some(since),
        ..Listing::default()
    };
    let system = context.engine.end(&context.mapping, side)?;
    let mut lister = system.list(&part.object, listing, Road::Reconcile);
    let mut count = 0;
    while let Some(page) = lister.next().await? {
        context.go_on()?;
        let parent = |child: &Record| part.parent.get_in(&child.fields)?.to_text();
        let parents: BTreeSet<String> = page.records.iter().filter_map(parent).collect();
        let parents: Vec<String> = parents.into_iter().collect();
        let read: Result<Vec<Option<Record>>, Fault> = context.get(side, &parents).await?.into_iter().collect();
        let records: Vec<Record> = read?.into_iter().flatten().collect();
        count += records.len() as u64;
        keep(context, side, records).await?;
    }
    Ok((count, !lister.is_shifted()))
}

/// Remembers what has to be looked at: the pairs of records that are linked, and the others that pass the filter.
async fn keep(context: &Context, side: Side, records: Vec<Record>) -> Result<(), Error> {
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let links = context.engine.store().links_by(&context.name, side, &ids).await?;
    let linked: Vec<i64> = links.iter().map(|stored| stored.link.link_id).collect();
    let known: HashSet<&str> = links.iter().map(|stored| stored.link.id(side)).collect();
    let unlinked: Vec<Record> = records
        .into_iter()
        .filter(|record| !known.contains(record.id.as_str()))
        .collect();
    context.scan.add_suspects(linked).await?;
    let row = |record: Record| Row {
        print: context.engine.key().print(&record.id),
        digest: None,
        is_outside: !plan::passes(&context.mapping, side, &record).unwrap_or(true),
        // A partner among what changed is no proof that it is the only one: the other system is searched.
        match_keys: Vec::new(),
        record,
    };
    let rows = context.scan.sieve(side).await?.sift(unlinked.into_iter().map(row));
    context.scan.add(rows).await?;
    Ok(())
}
