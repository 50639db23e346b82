//! The partner of an unlinked record: what a listing has for it, or what a search finds.

use super::{Error, Listed, Looked, Partner, one};
use crate::{
    client::Road,
    core::{
        fault::Fault,
        mapping::Mapping,
        matching::Rule,
        plan,
        record::Record,
        status::{FailureClass, Side, Stage},
        value::Value,
    },
    seam::{self, Bug},
    store::scan::Candidates,
    sync::{Engine, overtaken},
};

/// What there is for an unlinked record.
pub(super) enum Found {
    /// No partner.
    Nothing,
    /// This one.
    One(Record),
    /// None that it may be linked to.
    Not(Partner),
}

/// What a listing has for an unlinked record; a partner that no longer fits, or that is gone, is none.
pub(super) async fn partner_listed(
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
    let couples = |rule: &Rule| rule.couples(side, &record.fields, &partner.fields);
    let fits = mapping.rules.iter().any(couples);
    Ok(if fits { Found::One(partner) } else { Found::Nothing })
}

/// Looks for the partner of an unlinked record: the first rule with exactly one partner wins.
pub(super) async fn search(
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
        let own = rule.value(side, &record.fields);
        // A value of which nothing counts matches nothing, and is not searched for.
        let Some(own) = own.filter(|own| rule.key(own).is_some()) else {
            continue;
        };
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
        if let Some(linked) = linked {
            if linked.link.id(side) == record.id {
                // Its push came before the answer to our own create.
                return Err(overtaken("it was linked while it was looked at").into());
            }
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
    let mut found: Vec<Record> = Vec::new();
    // The other system knows literal values only: it is asked for each spelling, and the key decides.
    for spelling in rule.spellings(value) {
        for candidate in system.find(object, &name, &spelling, road).await? {
            let fits = path
                .get_in(&candidate.fields)
                .is_some_and(|other| rule.is_match(value, other));
            if fits && found.iter().all(|known| known.id != candidate.id) {
                found.push(candidate);
            }
        }
    }
    Ok(Some(found))
}

/// How many of the match rules a value is looked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// One after the other, until one finds something.
    UntilFound,
    /// All of them.
    All,
}

/// The ids of records of one side that have this value in a field that records are matched by: its system is asked, by those rules that
/// it `may` be asked by and whose field it can be searched by.
pub async fn with_value(
    engine: &Engine,
    mapping: &Mapping,
    (side, value): (Side, &Value),
    road: Road,
    (rules, may): (Rules, impl Fn(&Rule) -> bool),
) -> Result<Vec<String>, Error> {
    let mut ids: Vec<String> = Vec::new();
    for rule in mapping
        .rules
        .iter()
        .filter(|rule| may(rule) && rule.key(value).is_some())
    {
        if rules == Rules::UntilFound && !ids.is_empty() {
            break;
        }
        let found = fitting(engine, mapping, rule, side, value, road).await?;
        for record in found.unwrap_or_default() {
            if !ids.contains(&record.id) {
                ids.push(record.id);
            }
        }
    }
    Ok(ids)
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

fn unsearchable(mapping: &Mapping, side: Side) -> Fault {
    let end = mapping.end(side);
    let message = format!(
        "`{}` of `{}` cannot be searched by any match field",
        end.object, end.system
    );
    Fault::new("SY002", FailureClass::Waiting, Stage::Match, message)
        .with_hint("give the object a `find:` operation in its connector, or let the next reconciliation match it")
}
