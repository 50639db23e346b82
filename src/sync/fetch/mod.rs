//! Reading everything a plan depends on: both records, the link, the partner of an unlinked record, references.

mod context;
mod look;
mod partner;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use futures_util::FutureExt as _;

use self::{
    context::{ignored, references, settlements, suggested},
    partner::{Found, partner_listed, search},
};
pub use self::{
    look::{Listed, Look, Looked, Partner},
    partner::{Rules, with_value},
};
use super::Engine;
use crate::{
    client::{Road, flight},
    core::{
        diff::Context,
        fault::Fault,
        mapping::Mapping,
        plan::{self, Matched, Plan},
        record::RecordKey,
        settled::Settled,
        status::{Side, Sides},
    },
    seam::{self, Bug},
    store::{self, link::StoredLink, scan::Candidates},
};

/// Ids across, of the links of other mappings that records refer to.
pub type Across = BTreeMap<(String, Side, String), String>;

/// Everything a plan depends on.
#[derive(Debug)]
pub struct Fetched {
    /// Both records.
    pub records: Sides<Looked>,
    /// Their link.
    pub link: Option<StoredLink>,
    /// The search for a partner.
    pub partner: Partner,
    /// Whether a partner of an unlinked record was really searched for: without a search, a repeated create could make
    /// a second one.
    pub searched: bool,
    /// Whether a record is as a listing had it, some time ago.
    pub is_listed: bool,
    /// The links of other mappings that this record, and those fetched together with it, refer to.
    pub references: Arc<Across>,
    /// What people have decided about the pair.
    pub settled: Settled,
}

impl Fetched {
    /// As the planner takes it.
    #[must_use]
    pub fn input(&self) -> plan::Input<'_> {
        plan::Input {
            left: self.records.left.seen(),
            right: self.records.right.seen(),
            link: self.link.as_ref().map(|stored| &stored.link),
            matched: match &self.partner {
                Partner::Settled => Matched::Settled,
                Partner::Several(ids) => Matched::Several(ids),
                Partner::Elsewhere(id) => Matched::Elsewhere(id),
                Partner::Shared(id, rivals) => Matched::Shared(id, rivals),
                Partner::Suggested(ids) => Matched::Suggested(ids),
                Partner::Accepted => Matched::Accepted,
            },
        }
    }

    /// What is to be done about it.
    #[must_use]
    pub fn plan(&self, engine: &Engine, mapping: &Mapping) -> Plan {
        plan::build(self.context(engine, mapping), self.input())
    }

    /// What comparing both records needs beside them.
    #[must_use]
    pub fn context<'a>(&'a self, engine: &'a Engine, mapping: &'a Mapping) -> Context<'a> {
        Context {
            mapping,
            key: engine.key(),
            references: &*self.references,
            settled: &self.settled,
        }
    }

    /// Ids of both records, where they are known.
    #[must_use]
    pub fn ids(&self, key: &RecordKey) -> Sides<Option<String>> {
        Sides::of(|side| {
            let read = self.records.get(side).record().map(|record| record.id.clone());
            let linked = || self.link.as_ref().map(|stored| stored.link.id(side).to_owned());
            read.or_else(linked)
                .or_else(|| (key.side == side).then(|| key.record_id.clone()))
        })
    }
}

/// Why a record could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Our own store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A system.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Reads records and everything their plans depend on; the answers in the order of `looks`. Our own data is looked up in
/// bulk, the systems are asked with many requests in flight.
pub async fn many(
    engine: &Engine,
    mapping: &Mapping,
    looks: &[Look],
    road: Road,
) -> Result<Vec<Result<Fetched, Fault>>, store::Error> {
    let mut links = links(engine, mapping, looks).await?;
    let taken = taken(engine, mapping, looks).await?;
    let mut places = looks.iter().enumerate();
    let begin = || {
        let (place, look) = places.next()?;
        let link = links.remove(&(look.key.side, look.key.record_id.clone()));
        let is_taken = taken.contains(&(look.key.side.other(), partner_of(look).unwrap_or_default().to_owned()));
        let pair = one_pair(engine, mapping, look, link, is_taken, road);
        Some(pair.map(move |fetched| (place, fetched)).boxed())
    };
    let mut found: Vec<(usize, Result<Fetched, Error>)> = flight::all(engine.limits().in_flight, begin).await;
    found.sort_unstable_by_key(|(place, _)| *place);
    let mut fetched = Vec::with_capacity(found.len());
    for (_, one) in found {
        fetched.push(match one {
            Ok(one) => Ok(one),
            Err(Error::Fault(fault)) => Err(fault),
            Err(Error::Store(error)) => return Err(error),
        });
    }
    suggested(engine, mapping, looks, &mut fetched, road).await?;
    let references = Arc::new(references(engine, mapping, &fetched).await?);
    let mut settled = settlements(engine, mapping, &fetched).await?;
    for one in fetched.iter_mut().flatten() {
        one.references = Arc::clone(&references);
        if let Some(stored) = &one.link {
            let pair = (stored.link.left_id.clone(), stored.link.right_id.clone());
            one.settled.fields = settled.remove(&pair).unwrap_or_default();
        }
    }
    ignored(engine, mapping, looks, &mut fetched).await?;
    Ok(fetched)
}

/// The one partner that a listing has for a record.
fn partner_of(look: &Look) -> Option<&str> {
    match look.listed.as_ref().map(|listed| &listed.candidates) {
        Some(Candidates::One(id)) => Some(id),
        _ => None,
    }
}

/// The links of the records.
async fn links(
    engine: &Engine,
    mapping: &Mapping,
    looks: &[Look],
) -> Result<HashMap<(Side, String), StoredLink>, store::Error> {
    let mut found = HashMap::new();
    for side in [Side::Left, Side::Right] {
        let of_side = looks.iter().filter(|look| look.key.side == side);
        let ids: Vec<&str> = of_side.map(|look| look.key.record_id.as_str()).collect();
        for stored in engine.store().links_by(&mapping.name, side, &ids).await? {
            found.insert((side, stored.link.id(side).to_owned()), stored);
        }
    }
    Ok(found)
}

/// Which of the listed partners are in a link by now.
async fn taken(engine: &Engine, mapping: &Mapping, looks: &[Look]) -> Result<HashSet<(Side, String)>, store::Error> {
    let mut found = HashSet::new();
    for side in [Side::Left, Side::Right] {
        let of_side = looks.iter().filter(|look| look.key.side.other() == side);
        let ids: Vec<&str> = of_side.filter_map(partner_of).collect();
        for stored in engine.store().links_by(&mapping.name, side, &ids).await? {
            found.insert((side, stored.link.id(side).to_owned()));
        }
    }
    Ok(found)
}

async fn one_pair(
    engine: &Engine,
    mapping: &Mapping,
    look: &Look,
    link: Option<StoredLink>,
    is_taken: bool,
    road: Road,
) -> Result<Fetched, Error> {
    let (side, id) = (look.key.side, look.key.record_id.as_str());
    let listed = look.listed.as_ref().filter(|_| link.is_none());
    let kept = listed.and_then(|listed| listed.record.clone());
    let mut is_listed = kept.is_some();
    // Without a link nobody knows whether a push is the last word.
    let kept = kept.or_else(|| look.pushed.clone().filter(|_| link.is_some()));
    let origin = match kept {
        Some(record) => Looked::Record(record),
        None => one(engine, mapping, side, id, road).await?,
    };
    let mut partner = Partner::Settled;
    let mut searched = false;
    let other = match (&link, &origin) {
        (Some(link), _) => one(engine, mapping, side.other(), link.link.id(side.other()), road).await?,
        (None, Looked::Record(record)) if plan::passes(mapping, side, record)? => {
            let found = if let Some(listed) = listed {
                searched = listed.is_proof;
                is_listed |= listed.partner.is_some();
                partner_listed(engine, mapping, side, record, listed, is_taken, road).await?
            } else {
                let (found, tried) = search(engine, mapping, side, record, road).await?;
                searched = tried;
                found
            };
            match found {
                Found::Nothing => Looked::Unknown,
                Found::One(record) => Looked::Record(record),
                Found::Not(why) => {
                    partner = why;
                    Looked::Unknown
                }
            }
        }
        (None, _) => Looked::Unknown,
    };
    let records = match side {
        Side::Left => Sides {
            left: origin,
            right: other,
        },
        Side::Right => Sides {
            left: other,
            right: origin,
        },
    };
    Ok(Fetched {
        records,
        link,
        partner,
        searched,
        is_listed,
        references: Arc::default(),
        settled: Settled::default(),
    })
}

async fn one(engine: &Engine, mapping: &Mapping, side: Side, id: &str, road: Road) -> Result<Looked, Fault> {
    let system = engine.end(mapping, side)?;
    let read = system.get(&mapping.end(side).object, id, road).await;
    if read.is_err() && seam::has_bug(Bug::ErrorTakenForGone) {
        return Ok(Looked::Gone);
    }
    Ok(read?.into())
}
