//! The answer of a listing: where the records are, and what says how it goes on.

use serde_json::Value as Json;

use super::{
    guess::{self, List},
    name::folded,
    schema::Schemas,
};
use crate::core::path::{Path, Segment};

/// How deep the list of records may stand in an answer.
const DEPTH_MAX: usize = 3;

/// An answer with records in it.
pub(super) struct Listed<'a> {
    /// Where the records are; none where the answer is the list.
    pub(super) records: Option<String>,
    /// Where the record is in each.
    pub(super) record: Option<String>,
    /// The schema of one record.
    pub(super) item: &'a Json,
    pub(super) hints: Hints,
}

/// What an answer says beside its records, as paths.
#[derive(Debug, Default, Clone)]
pub(super) struct Hints {
    pub(super) cursor: Option<String>,
    pub(super) next_url: Option<String>,
    /// `next` without a word of what it is: a cursor or an address.
    pub(super) next: Option<String>,
    pub(super) total: Option<String>,
    pub(super) more: Option<String>,
}

/// Reads an answer as a listing; none where it has no list of records.
pub(super) fn read<'a>(schemas: &Schemas<'a>, answer: &'a Json, collection: &str) -> Option<Listed<'a>> {
    let look = schemas.look(answer);
    if look.is_list() {
        let (item, record) = unwrapped(schemas, look.items?, collection);
        return Some(Listed {
            records: None,
            record,
            item,
            hints: Hints::default(),
        });
    }
    let mut found = Vec::new();
    lists(schemas, answer, &mut Vec::new(), collection, &mut found);
    let (rank, path, items) = found.into_iter().min_by_key(|(rank, ..)| *rank)?;
    let names: Vec<&str> = look.properties.iter().map(|(name, _)| *name).collect();
    // A record that has a list of its own is no listing.
    if rank >= UNKNOWN && guess::id(collection, None, &names).is_some() {
        return None;
    }
    let mut hints = Vec::new();
    beside(schemas, answer, &mut Vec::new(), &path, &mut hints);
    let (item, record) = unwrapped(schemas, items, collection);
    Some(Listed {
        records: Some(Path::of(path).to_string()),
        record,
        item,
        hints: Hints::of(&hints),
    })
}

/// The rank of a list whose name says nothing.
const UNKNOWN: usize = 100;

type Found<'a> = (usize, Vec<Segment>, &'a Json);

fn lists<'a>(
    schemas: &Schemas<'a>,
    node: &'a Json,
    above: &mut Vec<Segment>,
    collection: &str,
    found: &mut Vec<Found<'a>>,
) {
    for (name, property) in schemas.look(node).properties {
        let look = schemas.look(property);
        above.push(Segment::Key(name.into()));
        if look.is_list() {
            let items = look.items.unwrap_or(&Json::Null);
            let item = schemas.look(items);
            if item.is_map() || (item.kind.is_none() && items.is_object()) {
                let own = if folded(name) == folded(collection) {
                    Some(0)
                } else {
                    guess::rank(List::Records, name).map(|rank| rank + 1)
                };
                let rank = own.unwrap_or(UNKNOWN) + (above.len() - 1) * 2;
                found.push((rank, above.clone(), items));
            }
        } else if look.is_map() && above.len() < DEPTH_MAX {
            lists(schemas, property, above, collection, found);
        }
        above.pop();
    }
}

/// The record inside of a wrapper that holds nothing else: `{ customer: { … } }`.
pub(super) fn unwrapped<'a>(schemas: &Schemas<'a>, node: &'a Json, object: &str) -> (&'a Json, Option<String>) {
    let look = schemas.look(node);
    let names: Vec<&str> = look.properties.iter().map(|(name, _)| *name).collect();
    if guess::id(object, None, &names).is_some() {
        return (node, None);
    }
    let own = folded(&super::name::object(object));
    let mut inner = look.properties.iter().filter(|(name, property)| {
        let is_known = ["data", "result", "record", "item", "object", "value", "attributes", "d"]
            .contains(&folded(name).as_str())
            || folded(name) == own
            || folded(name) == folded(object);
        (is_known || look.properties.len() == 1) && !schemas.look(property).properties.is_empty()
    });
    match (inner.next(), inner.next()) {
        (Some((name, property)), None) => {
            let (deeper, below) = if look.properties.len() == 1 || folded(name) == "data" {
                unwrapped_once(schemas, property, object)
            } else {
                (*property, None)
            };
            let path = Path::of_key(name).to_string();
            let path = below.map_or_else(|| path.clone(), |below| format!("{path}.{below}"));
            (deeper, Some(path))
        }
        _ => (node, None),
    }
}

/// One more wrapper: `{ data: { customer: { … } } }`.
fn unwrapped_once<'a>(schemas: &Schemas<'a>, node: &'a Json, object: &str) -> (&'a Json, Option<String>) {
    let look = schemas.look(node);
    match look.properties.as_slice() {
        [(name, property)]
            if folded(name) == folded(&super::name::object(object))
                && !schemas.look(property).properties.is_empty() =>
        {
            (*property, Some(Path::of_key(name).to_string()))
        }
        _ => (node, None),
    }
}

/// Something beside the records: its steps, its kind, and whether it is an address.
struct Beside {
    steps: Vec<String>,
    path: String,
    kind: String,
    is_address: bool,
}

fn beside<'a>(
    schemas: &Schemas<'a>,
    node: &'a Json,
    above: &mut Vec<Segment>,
    records: &[Segment],
    found: &mut Vec<Beside>,
) {
    for (name, property) in schemas.look(node).properties {
        above.push(Segment::Key(name.into()));
        let look = schemas.look(property);
        if above.as_slice() != records && !look.is_list() {
            if look.is_map() && !look.properties.is_empty() {
                if above.len() < DEPTH_MAX {
                    beside(schemas, property, above, records, found);
                }
            } else if found.len() < 200 {
                let steps = above.iter().filter_map(|step| match step {
                    Segment::Key(key) => Some(folded(key)),
                    _ => None,
                });
                found.push(Beside {
                    steps: steps.collect(),
                    path: Path::of(above.clone()).to_string(),
                    kind: look.field_kind(),
                    is_address: look
                        .format
                        .is_some_and(|format| format.starts_with("uri") || format == "url"),
                });
            }
        }
        above.pop();
    }
}

impl Beside {
    fn name(&self) -> &str {
        self.steps.last().map_or("", String::as_str)
    }

    fn parent(&self) -> &str {
        self.steps.iter().rev().nth(1).map_or("", String::as_str)
    }

    fn is_link(&self) -> bool {
        let in_links = matches!(self.parent(), "links" | "link");
        self.is_address
            || (self.name() == "next" && in_links)
            || (matches!(self.name(), "href" | "url") && self.parent() == "next")
            || matches!(
                self.name(),
                "odatanextlink" | "nextlink" | "nextpageurl" | "nexturl" | "nextpageuri"
            )
    }

    /// Whether it is about the next page and no other one.
    fn leads_on(&self) -> bool {
        let is_back = |step: &String| {
            step.starts_with("prev") || step == "first" || step == "self" || step == "last" || step == "before"
        };
        !self.steps.iter().any(is_back)
    }
}

impl Hints {
    fn of(beside: &[Beside]) -> Self {
        let best = |list: List, fits: &dyn Fn(&Beside) -> bool| {
            let ranked = beside
                .iter()
                .filter(|one| one.leads_on() && fits(one))
                .filter_map(|one| Some((guess::rank(list, one.name())?, one.steps.len(), &one.path)));
            ranked.min().map(|(_, _, path)| path.clone())
        };
        let is_text = |one: &Beside| matches!(one.kind.as_str(), "text" | "any" | "integer");
        let is_number = |one: &Beside| matches!(one.kind.as_str(), "integer" | "decimal" | "any" | "text");
        let next_url = beside.iter().find(|one| {
            one.leads_on()
                && one.is_link()
                && (guess::rank(List::NextUrl, one.name()).is_some() || one.parent() == "next")
        });
        let is_cursor = |one: &Beside| {
            is_text(one)
                && !one.is_link()
                && match one.name() {
                    // A word that also names where this page began.
                    "after" | "cursor" => matches!(
                        one.parent(),
                        "next" | "paging" | "pagination" | "meta" | "cursors" | "page" | "cursor" | ""
                    ),
                    _ => true,
                }
        };
        let next = beside
            .iter()
            .find(|one| one.name() == "next" && one.leads_on() && !one.is_link() && one.kind == "text");
        Self {
            cursor: best(List::NextCursor, &is_cursor),
            next_url: next_url.map(|one| one.path.clone()),
            next: next.map(|one| one.path.clone()),
            total: best(List::Total, &|one| is_number(one) && one.kind != "text"),
            more: best(List::More, &|one| one.kind == "boolean"),
        }
    }
}
