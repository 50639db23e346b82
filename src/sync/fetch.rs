//! Reading everything a plan depends on: both records, the link, the partner of an unlinked record, references.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};

use super::Engine;
use crate::{
    client::Road,
    core::{
        diff::{Context, Settlement},
        fault::Fault,
        mapping::{Convert, Mapping, Rule},
        plan::{self, Matched, Plan},
        record::{Record, RecordKey, Seen},
        status::{ConflictStatus, FailureClass, Side, Sides, Stage},
        value::{Value, compare, spelling::Spelling},
    },
    seam::{self, Bug},
    store::{self, link::StoredLink, scan::Candidates},
};

/// What a direct read of one side found.
#[derive(Debug, Clone, PartialEq)]
pub enum Looked {
    /// The record.
    Record(Record),
    /// The system says that there is none.
    Gone,
    /// Nobody asked: no record of this side is known.
    Unknown,
}

impl Looked {
    /// As the planner takes it.
    #[must_use]
    pub const fn seen(&self) -> Seen<'_> {
        match self {
            Self::Record(record) => Seen::Record(record),
            Self::Gone => Seen::Gone,
            Self::Unknown => Seen::Unknown,
        }
    }

    /// The record, where there is one.
    #[must_use]
    pub const fn record(&self) -> Option<&Record> {
        match self {
            Self::Record(record) => Some(record),
            Self::Gone | Self::Unknown => None,
        }
    }
}

impl From<Option<Record>> for Looked {
    fn from(found: Option<Record>) -> Self {
        found.map_or(Self::Gone, Self::Record)
    }
}

/// What the search for a partner found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partner {
    /// Nothing, or the one partner, which stands among the records.
    Settled,
    /// Several fit.
    Several(Vec<String>),
    /// The only one belongs to another link.
    Elsewhere(String),
    /// The only one fits these other records of the own side as well.
    Shared(String, Vec<String>),
}

/// One record to be looked at.
#[derive(Debug, Clone)]
pub struct Look {
    /// The record.
    pub key: RecordKey,
    /// What complete listings have for it; none: it is read, and the other system is searched.
    pub listed: Option<Listed>,
}

impl Look {
    /// A record that nothing is known of yet.
    #[must_use]
    pub const fn at(key: RecordKey) -> Self {
        Self { key, listed: None }
    }
}

/// What complete listings have for an unlinked record.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its partners.
    pub candidates: Candidates,
    /// The record as it was listed; none: it is read.
    pub record: Option<Record>,
    /// The one partner as it was listed; none: it is read.
    pub partner: Option<Record>,
    /// Whether the listings prove that it has no partner where they show none.
    pub is_proof: bool,
}

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
    /// What persons decided about the pair's conflicts.
    pub settled: BTreeMap<String, Settlement>,
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
            },
        }
    }

    /// What is to be done about it.
    #[must_use]
    pub fn plan(&self, engine: &Engine, mapping: &Mapping) -> Plan {
        let context = Context {
            mapping,
            key: engine.key(),
            references: &*self.references,
            settled: &self.settled,
        };
        plan::build(context, self.input())
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
    let mut work: Vec<BoxFuture<'_, Result<Fetched, Error>>> = Vec::with_capacity(looks.len());
    for look in looks {
        let link = links.remove(&(look.key.side, look.key.record_id.clone()));
        let is_taken = taken.contains(&(look.key.side.other(), partner_of(look).unwrap_or_default().to_owned()));
        work.push(one_pair(engine, mapping, look, link, is_taken, road).boxed());
    }
    let found: Vec<Result<Fetched, Error>> = stream::iter(work).buffered(engine.limits().in_flight).collect().await;
    let mut fetched = Vec::with_capacity(found.len());
    for one in found {
        fetched.push(match one {
            Ok(one) => Ok(one),
            Err(Error::Fault(fault)) => Err(fault),
            Err(Error::Store(error)) => return Err(error),
        });
    }
    let references = Arc::new(references(engine, mapping, &fetched).await?);
    let mut settled = settlements(engine, mapping, &fetched).await?;
    for one in fetched.iter_mut().flatten() {
        one.references = Arc::clone(&references);
        if let Some(stored) = &one.link {
            let pair = (stored.link.left_id.clone(), stored.link.right_id.clone());
            one.settled = settled.remove(&pair).unwrap_or_default();
        }
    }
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
        settled: BTreeMap::new(),
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

enum Found {
    Nothing,
    One(Record),
    Not(Partner),
}

/// What a listing has for an unlinked record; a partner that no longer fits, or that is gone, is none.
async fn partner_listed(
    engine: &Engine,
    mapping: &Mapping,
    side: Side,
    record: &Record,
    listed: &Listed,
    is_taken: bool,
    road: Road,
) -> Result<Found, Error> {
    let id = match &listed.candidates {
        Candidates::None => return Ok(Found::Nothing),
        Candidates::Several(ids) => return Ok(Found::Not(Partner::Several(ids.clone()))),
        Candidates::Elsewhere(id) => return Ok(Found::Not(Partner::Elsewhere(id.clone()))),
        Candidates::Shared(id, rivals) => return Ok(Found::Not(Partner::Shared(id.clone(), rivals.clone()))),
        Candidates::One(id) if is_taken => return Ok(Found::Not(Partner::Elsewhere(id.clone()))),
        Candidates::One(id) => id,
    };
    if let Some(partner) = &listed.partner {
        return Ok(Found::One(partner.clone()));
    }
    let Looked::Record(partner) = one(engine, mapping, side.other(), id, road).await? else {
        return Ok(Found::Nothing);
    };
    let fits = mapping.rules.iter().any(|rule| {
        let own = rule
            .paths
            .get(side)
            .get_in(&record.fields)
            .filter(|value| !value.is_empty());
        let other = rule.paths.get(side.other()).get_in(&partner.fields);
        own.zip(other).is_some_and(|(own, other)| is_match(own, other, rule))
    });
    Ok(if fits { Found::One(partner) } else { Found::Nothing })
}

/// Looks for the partner of an unlinked record: the first rule with exactly one partner wins.
async fn search(
    engine: &Engine,
    mapping: &Mapping,
    side: Side,
    record: &Record,
    road: Road,
) -> Result<(Found, bool), Error> {
    if seam::has_bug(Bug::PartnerNotSearched) {
        return Ok((Found::Nothing, true));
    }
    let mut first = None;
    let mut searched = false;
    let mut has_values = false;
    for rule in &mapping.rules {
        let own = rule
            .paths
            .get(side)
            .get_in(&record.fields)
            .filter(|value| !value.is_empty());
        let Some(own) = own else { continue };
        has_values = true;
        let Some(mut fitting) = fitting(engine, mapping, rule, side.other(), own, road).await? else {
            continue;
        };
        searched = true;
        let partner = match (fitting.pop(), fitting.is_empty()) {
            (None, _) => continue,
            (Some(last), false) => {
                let ids = fitting.into_iter().chain([last]).map(|candidate| candidate.id);
                first.get_or_insert(Partner::Several(ids.collect()));
                continue;
            }
            (Some(only), true) => only,
        };
        let linked = engine.store().link_by(&mapping.name, side.other(), &partner.id).await?;
        if linked.is_some() {
            return Ok((Found::Not(Partner::Elsewhere(partner.id)), true));
        }
        let rivals = rivals(engine, mapping, rule, side, record, own, road).await?;
        if rivals.is_empty() {
            return Ok((Found::One(partner), true));
        }
        first.get_or_insert(Partner::Shared(partner.id, rivals));
    }
    match first {
        Some(why) => Ok((Found::Not(why), true)),
        None if searched || !has_values => Ok((Found::Nothing, searched)),
        None => Err(unsearchable(mapping, side.other()).into()),
    }
}

/// The records of one side that a rule couples with `value`; `None` where the system cannot be searched by the rule's field.
async fn fitting(
    engine: &Engine,
    mapping: &Mapping,
    rule: &Rule,
    side: Side,
    value: &Value,
    road: Road,
) -> Result<Option<Vec<Record>>, Error> {
    let system = engine.end(mapping, side)?;
    let (object, path) = (&mapping.end(side).object, rule.paths.get(side));
    let name = path.to_string();
    if !system.can_find(object, &name) {
        return Ok(None);
    }
    let found = system.find(object, &name, value, road).await?;
    let fits = |candidate: &Record| {
        path.get_in(&candidate.fields)
            .is_some_and(|other| is_match(value, other, rule))
    };
    Ok(Some(found.into_iter().filter(fits).collect()))
}

/// Other records of the own side that are in no link and fit the same partner: which of them is meant, nobody can tell.
async fn rivals(
    engine: &Engine,
    mapping: &Mapping,
    rule: &Rule,
    side: Side,
    record: &Record,
    value: &Value,
    road: Road,
) -> Result<Vec<String>, Error> {
    let others = fitting(engine, mapping, rule, side, value, road)
        .await?
        .unwrap_or_default();
    let mut ids = Vec::new();
    for other in others {
        if other.id != record.id && plan::passes(mapping, side, &other).unwrap_or(false) {
            ids.push(other.id);
        }
    }
    let known: Vec<&str> = ids.iter().map(String::as_str).collect();
    let linked = engine.store().links_by(&mapping.name, side, &known).await?;
    ids.retain(|id| linked.iter().all(|stored| stored.link.id(side) != id));
    Ok(ids)
}

fn is_match(own: &Value, other: &Value, rule: &Rule) -> bool {
    let spelling = Spelling::default();
    match (rule.kind.read(own, &spelling), rule.kind.read(other, &spelling)) {
        (Ok(own), Ok(other)) => !other.is_empty() && compare::equal(&own, &other, rule.kind, rule.compare),
        _ => false,
    }
}

fn unsearchable(mapping: &Mapping, side: Side) -> Fault {
    let end = mapping.end(side);
    let message = format!(
        "`{}` of `{}` cannot be searched by any match field",
        end.object, end.system
    );
    Fault::new("SY002", FailureClass::Waiting, Stage::Match, message)
        .with_hint("give the object a `find:` operation in its connector, or let the next reconciliation match it")
}

/// Looks up the links that the records refer to.
async fn references(
    engine: &Engine,
    mapping: &Mapping,
    fetched: &[Result<Fetched, Fault>],
) -> Result<Across, store::Error> {
    let mut wanted: BTreeMap<(&String, Side), HashSet<String>> = BTreeMap::new();
    for field in &mapping.fields {
        let Convert::Link { mapping: other, sides } = &field.convert else {
            continue;
        };
        for side in [Side::Left, Side::Right] {
            let Some(path) = field.paths.get(side) else { continue };
            let of_side = fetched
                .iter()
                .flatten()
                .filter_map(|one| one.records.get(side).record());
            let ids = of_side
                .filter_map(|record| path.get_in(&record.fields).and_then(Value::to_text))
                .filter(|id| !id.is_empty());
            wanted.entry((other, *sides.get(side))).or_default().extend(ids);
        }
    }
    let mut found = Across::new();
    for ((other, across), ids) in wanted {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for stored in engine.store().links_by(other, across, &ids).await? {
            let (own, partner) = (stored.link.id(across), stored.link.id(across.other()));
            found.insert((other.clone(), across, own.to_owned()), partner.to_owned());
        }
    }
    Ok(found)
}

/// What persons decided about conflicts, by pair.
async fn settlements(
    engine: &Engine,
    mapping: &Mapping,
    fetched: &[Result<Fetched, Fault>],
) -> Result<HashMap<(String, String), BTreeMap<String, Settlement>>, store::Error> {
    let linked = fetched.iter().flatten().filter_map(|one| one.link.as_ref());
    let left_ids: Vec<&str> = linked.map(|stored| stored.link.left_id.as_str()).collect();
    let mut found: HashMap<_, BTreeMap<_, _>> = HashMap::new();
    for conflict in engine.store().conflicts_of_all(&mapping.name, &left_ids).await? {
        let settlement = match (conflict.status, conflict.winner) {
            _ if seam::has_bug(Bug::ConflictTakesLeft) => Settlement::Take(Side::Left),
            (ConflictStatus::Resolved, Some(side)) => Settlement::Take(side),
            (ConflictStatus::Ignored, _) => Settlement::Accept,
            _ => continue,
        };
        let pair = (conflict.left_id, conflict.right_id);
        found.entry(pair).or_default().insert(conflict.field, settlement);
    }
    Ok(found)
}
