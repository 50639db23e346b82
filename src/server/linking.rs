//! Links that people make: taken over from a list, made anew between other records, moved to the record that one lives on as.
//!
//! Nothing is written to a system here. What the two records hold is compared by the next look at them, under the guard rails.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde_json::json;

use super::decision::entry;
use crate::{
    core::status::{LinkStatus, Side},
    store::{
        Error, Op, Store,
        link::{Agreement, NewLink, StoredLink},
    },
};

/// Two records that are the same thing, somebody says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Id of the left record.
    pub left_id: String,
    /// Id of the right record.
    pub right_id: String,
}

/// What became of one pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is linked now.
    Linked,
    /// It was linked before.
    Known,
    /// It cannot be linked; why.
    Refused(String),
}

/// Takes over links from a list, portion by portion.
#[derive(Debug)]
pub struct Import<'a> {
    store: &'a Store,
    mapping: Arc<str>,
    actor: &'a str,
    is_dry: bool,
    left: HashSet<String>,
    right: HashSet<String>,
}

/// The longest id that any system has.
const ID_BYTES_MAX: usize = 512;

impl<'a> Import<'a> {
    /// Begins; with `is_dry` nothing is stored.
    #[must_use]
    pub fn new(store: &'a Store, mapping: &str, actor: &'a str, is_dry: bool) -> Self {
        Self {
            store,
            mapping: Arc::from(mapping),
            actor,
            is_dry,
            left: HashSet::new(),
            right: HashSet::new(),
        }
    }

    /// Links what can be linked of these pairs; what became of each, in their order.
    pub async fn take(&mut self, pairs: &[Pair]) -> Result<Vec<Verdict>, Error> {
        let known = [
            self.known(Side::Left, pairs.iter().map(|pair| pair.left_id.as_str()))
                .await?,
            self.known(Side::Right, pairs.iter().map(|pair| pair.right_id.as_str()))
                .await?,
        ];
        let mut verdicts = Vec::with_capacity(pairs.len());
        let mut fresh = Vec::new();
        for (place, pair) in pairs.iter().enumerate() {
            let verdict = self.judge(pair, &known);
            if verdict == Verdict::Linked {
                fresh.push(place);
            }
            verdicts.push(verdict);
        }
        if self.is_dry || fresh.is_empty() {
            return Ok(verdicts);
        }
        let ops = fresh
            .iter()
            .filter_map(|place| pairs.get(*place))
            .flat_map(|pair| self.ops(pair));
        match self.store.commit(ops.collect()).await {
            Ok(()) => return Ok(verdicts),
            Err(Error::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
        // Somebody linked one of these records this moment: the others are linked one by one.
        for place in fresh {
            let Some(pair) = pairs.get(place) else { continue };
            let made = self.store.commit(self.ops(pair).into()).await;
            if let (Err(Error::Conflict { .. }), Some(verdict)) = (&made, verdicts.get_mut(place)) {
                *verdict = Verdict::Refused("somebody linked one of the records this moment".to_owned());
            } else {
                made?;
            }
        }
        Ok(verdicts)
    }

    async fn known(&self, side: Side, ids: impl Iterator<Item = &str>) -> Result<HashMap<String, StoredLink>, Error> {
        let ids: Vec<&str> = ids.collect();
        let links = self.store.links_by(&self.mapping, side, &ids).await?;
        Ok(links
            .into_iter()
            .map(|stored| (stored.link.id(side).to_owned(), stored))
            .collect())
    }

    fn judge(&mut self, pair: &Pair, [left, right]: &[HashMap<String, StoredLink>; 2]) -> Verdict {
        for (side, id) in [(Side::Left, &pair.left_id), (Side::Right, &pair.right_id)] {
            if id.is_empty() || id.len() > ID_BYTES_MAX || id.contains(char::is_control) {
                return Verdict::Refused(format!("the {side} id is empty, too long, or has invisible characters"));
            }
        }
        for (side, id, links) in [(Side::Left, &pair.left_id, left), (Side::Right, &pair.right_id, right)] {
            let Some(stored) = links.get(id) else { continue };
            if stored.link.left_id == pair.left_id && stored.link.right_id == pair.right_id {
                return Verdict::Known;
            }
            let (link_id, partner) = (stored.link.link_id, stored.link.id(side.other()));
            return Verdict::Refused(format!("{side} {id} is linked to {partner} already (link {link_id})"));
        }
        let is_new = (
            self.left.insert(pair.left_id.clone()),
            self.right.insert(pair.right_id.clone()),
        );
        match is_new {
            (true, true) => Verdict::Linked,
            (false, _) => Verdict::Refused(format!("left {} stands in this list before", pair.left_id)),
            (true, false) => Verdict::Refused(format!("right {} stands in this list before", pair.right_id)),
        }
    }

    fn ops(&self, pair: &Pair) -> [Op; 2] {
        let subject = subject(&self.mapping, pair);
        [
            put(&self.mapping, pair),
            Op::Audit(entry(self.actor, "link.import", subject, None)),
        ]
    }
}

fn put(mapping: &Arc<str>, pair: &Pair) -> Op {
    // Without a base nobody knows who changed what: a difference is a conflict, unless one side owns the field or has nothing.
    Op::PutLink(NewLink {
        mapping: Arc::clone(mapping),
        left_id: pair.left_id.clone(),
        right_id: pair.right_id.clone(),
        agreement: Agreement::default(),
    })
}

fn subject(mapping: &str, pair: &Pair) -> String {
    format!("link/{mapping}/{}/{}", pair.left_id, pair.right_id)
}

/// What became of a link that was to be made between other records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relinked {
    /// It is made; the links that ended for it.
    Made(Vec<i64>),
    /// The very pair was linked before.
    Known(i64),
}

/// Links a pair, whatever its records were linked to before: those links end.
pub async fn relink(store: &Store, mapping: &str, pair: &Pair, actor: &str) -> Result<Relinked, Error> {
    let mut ended = Vec::new();
    for (side, id) in [(Side::Left, &pair.left_id), (Side::Right, &pair.right_id)] {
        let Some(stored) = store.link_by(mapping, side, id).await? else {
            continue;
        };
        if stored.link.left_id == pair.left_id && stored.link.right_id == pair.right_id {
            return Ok(Relinked::Known(stored.link.link_id));
        }
        ended.push(stored.link.link_id);
    }
    let mapping: Arc<str> = Arc::from(mapping);
    let detail = json!({ "ended": ended }).to_string();
    let mut ops: Vec<Op> = ended.iter().map(|link_id| Op::EndLink { link_id: *link_id }).collect();
    ops.push(put(&mapping, pair));
    ops.push(Op::Audit(entry(
        actor,
        "link.relink",
        subject(&mapping, pair),
        Some(detail),
    )));
    store.commit(ops).await?;
    Ok(Relinked::Made(ended))
}

/// What became of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// The link moved.
    Moved(i64),
    /// The record that is gone was in no link.
    Unlinked,
    /// The record that lives on is in another link.
    Elsewhere {
        /// That link.
        link_id: i64,
        /// The partner it has there.
        partner: String,
    },
}

/// Moves the link of the record `from` to `into`, the record that it lives on as.
pub async fn merge(
    store: &Store,
    mapping: &str,
    side: Side,
    (from, into): (&str, &str),
    actor: &str,
) -> Result<Merged, Error> {
    let Some(stored) = store.link_by(mapping, side, from).await? else {
        return Ok(Merged::Unlinked);
    };
    if let Some(other) = store.link_by(mapping, side, into).await? {
        return Ok(Merged::Elsewhere {
            link_id: other.link.link_id,
            partner: other.link.id(side.other()).to_owned(),
        });
    }
    let link_id = stored.link.link_id;
    let detail = json!({ "side": side, "from": from, "into": into }).to_string();
    let mut ops = vec![Op::MoveLink {
        link_id,
        side,
        record_id: into.to_owned(),
    }];
    if stored.link.status == LinkStatus::PendingDelete {
        ops.push(Op::ClearMissing { link_id });
    }
    ops.push(Op::Audit(entry(
        actor,
        "link.merge",
        format!("link/{link_id}"),
        Some(detail),
    )));
    store.commit(ops).await?;
    Ok(Merged::Moved(link_id))
}
