//! What plans depend on beside the records: the links of other mappings, and what persons decided.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Across, Fetched};
use crate::{
    core::{
        diff::Settlement,
        fault::Fault,
        mapping::{Convert, Mapping},
        status::{ConflictStatus, Side},
        value::Value,
    },
    seam::{self, Bug},
    store,
    sync::Engine,
};

/// Looks up the links that the records refer to.
pub(super) async fn references(
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
pub(super) async fn settlements(
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
