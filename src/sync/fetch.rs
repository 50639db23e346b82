//! Reading everything a plan depends on: both records, the link, the partner of an unlinked record, references.

use std::collections::BTreeMap;

use super::Engine;
use crate::{
    client::Road,
    core::{
        fault::Fault,
        mapping::{Convert, Mapping},
        plan::{self, Matched},
        record::{Record, Seen},
        status::{FailureClass, Side, Sides, Stage},
        value::{Value, compare, spelling::Spelling},
    },
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
}

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
    /// Ids across, of the links of other mappings that the records refer to.
    pub references: BTreeMap<(String, Side, String), String>,
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
            },
        }
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

/// Reads a record and everything its plan depends on. `known` is what a complete listing has for an unlinked record; without
/// it the other system is searched.
pub async fn pair(
    engine: &Engine,
    mapping: &Mapping,
    side: Side,
    id: &str,
    known: Option<&Candidates>,
    road: Road,
) -> Result<Fetched, Error> {
    let link = engine.store().link_by(&mapping.name, side, id).await?;
    let origin = one(engine, mapping, side, id, road).await?;
    let mut partner = Partner::Settled;
    let mut searched = false;
    let other = match (&link, &origin) {
        (Some(link), _) => one(engine, mapping, side.other(), link.link.id(side.other()), road).await?,
        (None, Looked::Record(record)) if plan::passes(mapping, side, record)? => {
            let (found, tried) = match known {
                Some(candidates) => (listed(engine, mapping, side, record, candidates, road).await?, true),
                None => search(engine, mapping, side, record, road).await?,
            };
            searched = tried;
            match found {
                Found::Nothing => Looked::Unknown,
                Found::One(record) => Looked::Record(record),
                Found::Several(ids) => {
                    partner = Partner::Several(ids);
                    Looked::Unknown
                }
                Found::Elsewhere(id) => {
                    partner = Partner::Elsewhere(id);
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
    let references = references(engine, mapping, &records).await?;
    Ok(Fetched {
        records,
        link,
        partner,
        searched,
        references,
    })
}

async fn one(engine: &Engine, mapping: &Mapping, side: Side, id: &str, road: Road) -> Result<Looked, Fault> {
    let system = engine.end(mapping, side)?;
    Ok(system.get(&mapping.end(side).object, id, road).await?.into())
}

enum Found {
    Nothing,
    One(Record),
    Several(Vec<String>),
    Elsewhere(String),
}

/// What a listing has for an unlinked record, read again: a partner that no longer fits is none.
async fn listed(
    engine: &Engine,
    mapping: &Mapping,
    side: Side,
    record: &Record,
    candidates: &Candidates,
    road: Road,
) -> Result<Found, Error> {
    let id = match candidates {
        Candidates::None => return Ok(Found::Nothing),
        Candidates::Several(ids) => return Ok(Found::Several(ids.clone())),
        Candidates::Elsewhere(id) => return Ok(Found::Elsewhere(id.clone())),
        Candidates::One(id) => id,
    };
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
    if fits {
        settle(engine, mapping, side.other(), partner).await
    } else {
        Ok(Found::Nothing)
    }
}

/// Looks for the partner of an unlinked record: the first rule with exactly one partner wins.
async fn search(
    engine: &Engine,
    mapping: &Mapping,
    side: Side,
    record: &Record,
    road: Road,
) -> Result<(Found, bool), Error> {
    let other = side.other();
    let system = engine.end(mapping, other)?;
    let mut several = None;
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
        let path = rule.paths.get(other);
        if !system.can_find(&mapping.end(other).object, &path.to_string()) {
            continue;
        }
        searched = true;
        let found = system
            .find(&mapping.end(other).object, &path.to_string(), own, road)
            .await?;
        let fits = |candidate: &Record| {
            path.get_in(&candidate.fields)
                .is_some_and(|value| is_match(own, value, rule))
        };
        let mut fitting: Vec<Record> = found.into_iter().filter(fits).collect();
        match fitting.len() {
            0 => {}
            1 => {
                let only = fitting.swap_remove(0);
                return Ok((settle(engine, mapping, other, only).await?, true));
            }
            _ => {
                several.get_or_insert_with(|| fitting.into_iter().map(|candidate| candidate.id).collect::<Vec<_>>());
            }
        }
    }
    match several {
        Some(ids) => Ok((Found::Several(ids), true)),
        None if searched || !has_values => Ok((Found::Nothing, searched)),
        None => Err(unsearchable(mapping, other).into()),
    }
}

fn is_match(own: &Value, other: &Value, rule: &crate::core::mapping::Rule) -> bool {
    let spelling = Spelling::default();
    match (rule.kind.read(own, &spelling), rule.kind.read(other, &spelling)) {
        (Ok(own), Ok(other)) => !other.is_empty() && compare::equal(&own, &other, rule.kind, rule.compare),
        _ => false,
    }
}

async fn settle(engine: &Engine, mapping: &Mapping, side: Side, record: Record) -> Result<Found, Error> {
    let linked = engine.store().link_by(&mapping.name, side, &record.id).await?;
    Ok(if linked.is_some() {
        Found::Elsewhere(record.id)
    } else {
        Found::One(record)
    })
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
    records: &Sides<Looked>,
) -> Result<BTreeMap<(String, Side, String), String>, store::Error> {
    let mut found = BTreeMap::new();
    for field in &mapping.fields {
        let Convert::Link { mapping: other, sides } = &field.convert else {
            continue;
        };
        for side in [Side::Left, Side::Right] {
            let value = records
                .get(side)
                .record()
                .and_then(|record| field.paths.get(side).as_ref()?.get_in(&record.fields))
                .and_then(Value::to_text)
                .filter(|id| !id.is_empty());
            let Some(id) = value else { continue };
            let across = *sides.get(side);
            if let Some(link) = engine.store().link_by(other, across, &id).await? {
                found.insert((other.clone(), across, id), link.link.id(across.other()).to_owned());
            }
        }
    }
    Ok(found)
}
