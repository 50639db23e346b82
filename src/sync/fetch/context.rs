//! What plans depend on beside the records: the links of other mappings, and what persons decided.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Across, Fetched, Look, Looked, Partner};
use crate::{
    client::Road,
    core::{
        fault::Fault,
        mapping::Mapping,
        settled::{Choice, Settlement},
        status::{ConflictStatus, Side, Sides, SuggestionStatus},
    },
    seam::{self, Bug},
    store::{self, ignore::IgnoreRule, suggestion::Suggestion},
    sync::Engine,
};

/// Looks up the links that the records refer to.
pub(super) async fn references(
    engine: &Engine,
    mapping: &Mapping,
    fetched: &[Result<Fetched, Fault>],
) -> Result<Across, store::Error> {
    let mut wanted: BTreeMap<(&str, Side), HashSet<String>> = BTreeMap::new();
    for field in &mapping.fields {
        for side in [Side::Left, Side::Right] {
            let of_side = fetched
                .iter()
                .flatten()
                .filter_map(|one| one.records.get(side).record());
            for (other, across, id) in of_side.flat_map(|record| field.refers(side, &record.fields)) {
                wanted.entry((other, across)).or_default().insert(id);
            }
        }
    }
    let mut found = Across::new();
    for ((other, across), ids) in wanted {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for stored in engine.store().links_by(other, across, &ids).await? {
            let (own, partner) = (stored.link.id(across), stored.link.id(across.other()));
            found.insert((other.to_owned(), across, own.to_owned()), partner.to_owned());
        }
    }
    Ok(found)
}

/// What persons decided about conflicts, by pair.
pub(super) async fn settlements(
    engine: &Engine,
    mapping: &Mapping,
    fetched: &[Result<Fetched, Fault>],
) -> Result<HashMap<(String, String), BTreeMap<String, Settlement>>, store::Error> {
    let linked = fetched.iter().flatten().filter_map(|one| one.link.as_ref());
    let left_ids: Vec<&str> = linked.map(|stored| stored.link.left_id.as_str()).collect();
    let mut found: HashMap<_, BTreeMap<_, _>> = HashMap::new();
    for conflict in engine.store().conflicts_of_all(&mapping.name, &left_ids).await? {
        let (choice, seen) = match (conflict.status, conflict.winner, conflict.decided_value) {
            _ if seam::has_bug(Bug::ConflictTakesLeft) => (Choice::Take(Side::Left), None),
            (ConflictStatus::Resolved, Some(side), _) => (Choice::Take(side), conflict.hashes),
            (ConflictStatus::Resolved, None, Some(text)) => (Choice::Set(text), conflict.hashes),
            (ConflictStatus::Ignored, ..) => (Choice::Accept, conflict.hashes),
            _ => continue,
        };
        let pair = (conflict.left_id, conflict.right_id);
        let settlement = Settlement { choice, seen };
        found.entry(pair).or_default().insert(conflict.field, settlement);
    }
    Ok(found)
}

/// Gives each record the ignore rules that concern it.
pub(super) async fn ignored(
    engine: &Engine,
    mapping: &Mapping,
    looks: &[Look],
    fetched: &mut [Result<Fetched, Fault>],
) -> Result<(), store::Error> {
    let rules = engine.store().active_ignore_rules(&mapping.name).await?;
    if rules.is_empty() {
        return Ok(());
    }
    for (look, one) in looks.iter().zip(fetched) {
        let Ok(one) = one else { continue };
        let Sides { left, right } = one.ids(&look.key);
        let concerning = rules
            .iter()
            .filter(|rule| rule.concerns(left.as_deref(), right.as_deref()));
        one.settled.ignored = concerning.map(IgnoreRule::ignored).collect();
    }
    Ok(())
}

/// What persons were asked about records that nothing was found for, or have said: an accepted suggestion is a match that a
/// person has made, an open one keeps the record from getting a new partner.
pub(super) async fn suggested(
    engine: &Engine,
    mapping: &Mapping,
    looks: &[Look],
    fetched: &mut [Result<Fetched, Fault>],
    road: Road,
) -> Result<(), store::Error> {
    if mapping.suggest.is_none() {
        return Ok(());
    }
    for side in [Side::Left, Side::Right] {
        let is_alone = |look: &Look, one: &Fetched| {
            look.key.side == side && one.link.is_none() && one.partner == Partner::Settled && is_single(one, side)
        };
        let pairs = looks.iter().zip(&*fetched);
        let alone = pairs.filter(|(look, one)| one.as_ref().is_ok_and(|one| is_alone(look, one)));
        let ids: Vec<&str> = alone.map(|(look, _)| look.key.record_id.as_str()).collect();
        if ids.is_empty() {
            continue;
        }
        let mut known: HashMap<String, Vec<Suggestion>> = HashMap::new();
        for suggestion in engine.store().suggestions_for(&mapping.name, side, &ids).await? {
            known
                .entry(suggestion.id(side).to_owned())
                .or_default()
                .push(suggestion);
        }
        for (look, slot) in looks.iter().zip(&mut *fetched) {
            let Some(suggestions) = known.get(&look.key.record_id).filter(|_| look.key.side == side) else {
                continue;
            };
            if let Ok(one) = slot
                && is_alone(look, one)
                && let Err(fault) = suggest(engine, mapping, side, suggestions, one, road).await?
            {
                *slot = Err(fault);
            }
        }
    }
    Ok(())
}

/// Whether only the record of this side is there.
fn is_single(one: &Fetched, side: Side) -> bool {
    one.records.get(side).record().is_some() && one.records.get(side.other()).record().is_none()
}

async fn suggest(
    engine: &Engine,
    mapping: &Mapping,
    side: Side,
    suggestions: &[Suggestion],
    one: &mut Fetched,
    road: Road,
) -> Result<Result<(), Fault>, store::Error> {
    let accepted = suggestions.iter().find(|one| one.status == SuggestionStatus::Accepted);
    if let Some(accepted) = accepted {
        let partner = accepted.id(side.other());
        if engine
            .store()
            .link_by(&mapping.name, side.other(), partner)
            .await?
            .is_some()
        {
            one.partner = Partner::Elsewhere(partner.to_owned());
            return Ok(Ok(()));
        }
        match super::one(engine, mapping, side.other(), partner, road).await {
            Ok(Looked::Record(record)) => {
                *one.records.get_mut(side.other()) = Looked::Record(record);
                one.partner = Partner::Accepted;
            }
            // Gone meanwhile: it is nobody's partner.
            Ok(Looked::Gone | Looked::Unknown) => {}
            Err(fault) => return Ok(Err(fault)),
        }
        return Ok(Ok(()));
    }
    let ids = suggestions.iter().map(|one| one.id(side.other()).to_owned());
    one.partner = Partner::Suggested(ids.collect());
    Ok(Ok(()))
}
