//! Which of the fields that a mapping reads records have, from one reconciliation to the next: a field that is gone, or whose
//! values are of another kind, stops the mapping before anything is written from what is missing.
//!
//! Many systems leave out what is empty. So a field counts as gone only where no record of a whole listing has it and many had
//! it before; one that few records had says nothing when it is missing.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use serde::{Deserialize, Serialize};

use super::{
    connector::Object,
    mapping::Mapping,
    path::Path,
    record::Record,
    status::{Side, Sides},
    value::{kind::Kind, spelling::Spelling},
};

/// So many records that have a field are many, however many there are.
const MANY: u64 = 10;
/// From so many records on that show a field as it should be, further ones are not looked at.
const ENOUGH: u64 = 1_000;

/// What was seen of the fields of one side, by path.
pub type Shape = BTreeMap<String, FieldShape>;

/// What was seen of one field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FieldShape {
    /// Records that were looked at.
    pub records: u64,
    /// Records that had it, empty or not.
    pub had: u64,
    /// Records whose value was not empty.
    pub filled: u64,
    /// Records whose value was of the kind that the connector says.
    pub fitted: u64,
}

impl FieldShape {
    /// Whether a number of these records is so many that none of them is a sign.
    const fn is_many(self, number: u64) -> bool {
        number >= MANY || (number > 0 && number.saturating_mul(2) >= self.records)
    }

    /// Whether so few records were looked at, against an earlier time, that they say nothing.
    const fn says_nothing_against(self, before: Self) -> bool {
        self.records == 0 || (self.records < MANY && self.records.saturating_mul(2) < before.records)
    }
}

/// Looks at the records of one listing.
#[derive(Debug)]
pub struct Looker {
    fields: Vec<Looked>,
}

/// One field that is looked at.
#[derive(Debug)]
struct Looked {
    path: Path,
    name: String,
    kind: Kind,
    /// Whether enough was seen of it.
    is_settled: AtomicBool,
}

impl Looker {
    /// Looks at the fields that a mapping takes over from one side.
    #[must_use]
    pub fn new(mapping: &Mapping, side: Side, object: Option<&Object>) -> Self {
        let mut fields: Vec<Looked> = Vec::new();
        for path in mapping.fields.iter().filter_map(|field| field.paths.get(side).as_ref()) {
            if fields.iter().all(|known| known.path != *path) {
                fields.push(Looked {
                    path: path.clone(),
                    name: path.to_string(),
                    kind: object.map_or(Kind::Any, |object| object.kind(path)),
                    is_settled: AtomicBool::new(false),
                });
            }
        }
        Self { fields }
    }

    /// What the records of a page show of the fields of which not enough was seen yet. Pages may be looked at in any order.
    #[must_use]
    pub fn look(&self, records: &[Record]) -> Shape {
        let open = self
            .fields
            .iter()
            .filter(|field| !field.is_settled.load(Ordering::Relaxed));
        open.map(|field| (field.name.clone(), field.look(records))).collect()
    }

    /// Adds what a page of so many records showed. Pages are added in their order, so that the sum does not depend on when each of
    /// them was looked at: once enough is seen of a field, a page counts with its number of records alone.
    pub fn add(&self, shape: &mut Shape, records: u64, page: &Shape) {
        for field in &self.fields {
            let seen = shape.entry(field.name.clone()).or_default();
            seen.records += records;
            if let Some(page) = page.get(&field.name).filter(|_| seen.fitted < ENOUGH) {
                seen.had += page.had;
                seen.filled += page.filled;
                seen.fitted += page.fitted;
            }
            if seen.fitted >= ENOUGH {
                field.is_settled.store(true, Ordering::Relaxed);
            }
        }
    }
}

impl Looked {
    fn look(&self, records: &[Record]) -> FieldShape {
        let mut seen = FieldShape::default();
        for record in records {
            if seen.fitted >= ENOUGH {
                break;
            }
            let Some(value) = self.path.get_in(&record.fields) else {
                continue;
            };
            seen.had += 1;
            if !value.is_null() {
                seen.filled += 1;
                // Where no kind is said, every value is of it.
                let fits = self.kind == Kind::Any || self.kind.read(value, &Spelling::default()).is_ok();
                seen.fitted += u64::from(fits);
            }
        }
        seen
    }
}

/// What became of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// No record has it any more.
    Gone,
    /// No value is of its kind any more.
    Retyped,
}

/// A field that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its path.
    pub field: String,
    /// What became of it.
    pub fate: Fate,
    /// What was seen of it before.
    pub before: FieldShape,
    /// What is seen of it now.
    pub now: FieldShape,
}

/// The fields of a whole listing that are not what they were.
#[must_use]
pub fn changes(before: &Shape, now: &Shape) -> Vec<Change> {
    let both = now
        .iter()
        .filter_map(|(field, now)| Some((field, *before.get(field)?, *now)));
    let told = both.filter_map(|(field, before, now)| {
        Some(Change {
            field: field.clone(),
            fate: fate(before, now)?,
            before,
            now,
        })
    });
    told.collect()
}

fn fate(before: FieldShape, now: FieldShape) -> Option<Fate> {
    if now.says_nothing_against(before) {
        return None;
    }
    if now.had == 0 && before.is_many(before.had) {
        return Some(Fate::Gone);
    }
    let was_of_its_kind = before.is_many(before.fitted);
    (now.fitted == 0 && now.is_many(now.filled) && was_of_its_kind).then_some(Fate::Retyped)
}

/// What is remembered behind a listing: what was seen now, and of fields that are not what they were, what was seen before, so
/// that the next one judges them by the same.
#[must_use]
pub fn remembered(before: &Shape, now: &Shape, changes: &[Change]) -> Shape {
    let own = now.iter().map(|(field, now)| {
        let is_changed = changes.iter().any(|change| change.field == *field);
        let earlier = before
            .get(field)
            .filter(|before| is_changed || now.says_nothing_against(**before));
        (field.clone(), *earlier.unwrap_or(now))
    });
    own.collect()
}

/// Why a mapping is stopped, and what to do; none where every field is what it was.
#[must_use]
pub fn reason(mapping: &Mapping, changes: &Sides<Vec<Change>>) -> Option<String> {
    let told = [Side::Left, Side::Right].into_iter().flat_map(|side| {
        let end = mapping.end(side);
        changes.get(side).iter().map(move |change| (end, change))
    });
    let mut parts = Vec::new();
    let mut look = None;
    for (end, change) in told {
        let Change { field, before, now, .. } = change;
        let (system, object) = (&end.system, &end.object);
        parts.push(match change.fate {
            Fate::Gone => format!(
                "field `{field}` of {system} {object} is gone: none of {} records has it, {} of {} had it before",
                now.records, before.had, before.records
            ),
            Fate::Retyped => format!(
                "field `{field}` of {system} {object} is of another type: none of {} values is of the type that the connector says, {} were before",
                now.filled, before.fitted
            ),
        });
        look.get_or_insert_with(|| format!("`syncline connector discover {system} {object}`"));
    }
    let look = look?;
    Some(format!(
        "[SY060] {}; the mapping is stopped and nothing was written. {look} shows what the system has now: correct connector and mapping, \
         or the rights of the integration user, then `syncline reconcile {name}`; if it is meant to be so, `syncline reconcile {name} --full`",
        parts.join("; "),
        name = mapping.name,
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn shape(records: u64, had: u64, filled: u64, fitted: u64) -> FieldShape {
        FieldShape {
            records,
            had,
            filled,
            fitted,
        }
    }

    fn found(before: FieldShape, now: FieldShape) -> Option<Fate> {
        let of = |shape| Shape::from([("x".to_owned(), shape)]);
        changes(&of(before), &of(now)).first().map(|change| change.fate)
    }

    #[test]
    fn a_field_that_many_had_and_none_has_is_gone() {
        assert_eq!(
            found(shape(1_000, 1_000, 900, 900), shape(1_000, 0, 0, 0)),
            Some(Fate::Gone)
        );
        assert_eq!(found(shape(1_000, 12, 12, 12), shape(1_000, 0, 0, 0)), Some(Fate::Gone));
        assert_eq!(found(shape(3, 3, 3, 3), shape(3, 0, 0, 0)), Some(Fate::Gone));
    }

    #[test]
    fn what_few_records_had_may_be_missing_in_all() {
        assert_eq!(found(shape(1_000, 3, 3, 3), shape(1_000, 0, 0, 0)), None);
        assert_eq!(
            found(shape(1_000, 900, 900, 900), shape(1_000, 1, 0, 0)),
            None,
            "one that has it, empty, is enough"
        );
    }

    #[test]
    fn a_listing_of_next_to_nothing_proves_nothing() {
        assert_eq!(found(shape(1_000, 1_000, 900, 900), shape(0, 0, 0, 0)), None);
        assert_eq!(found(shape(1_000, 1_000, 900, 900), shape(2, 0, 0, 0)), None);
    }

    #[test]
    fn a_field_whose_values_are_all_of_another_kind_has_changed() {
        assert_eq!(
            found(shape(100, 100, 90, 90), shape(100, 100, 90, 0)),
            Some(Fate::Retyped)
        );
        assert_eq!(
            found(shape(100, 100, 90, 90), shape(100, 100, 90, 1)),
            None,
            "one bad record is that record's failure"
        );
        assert_eq!(
            found(shape(100, 100, 90, 90), shape(100, 100, 0, 0)),
            None,
            "empty in all is no other kind"
        );
        assert_eq!(
            found(shape(100, 100, 90, 0), shape(100, 100, 90, 0)),
            None,
            "it never was"
        );
    }

    #[test]
    fn what_changed_is_judged_by_the_same_the_next_time() {
        let of = |shape| Shape::from([("x".to_owned(), shape)]);
        let (before, now) = (of(shape(100, 100, 90, 90)), of(shape(100, 0, 0, 0)));
        let kept = remembered(&before, &now, &changes(&before, &now));
        assert_eq!(kept, before);
        let well = of(shape(120, 120, 100, 100));
        assert_eq!(remembered(&kept, &well, &[]), well);
    }

    proptest! {
        #[test]
        fn a_system_that_leaves_out_what_is_empty_is_believed_while_one_record_has_the_field(
            records in 1_u64..5_000, had in 0_u64..5_000, now_had in 1_u64..5_000,
        ) {
            let before = shape(records, had.min(records), had.min(records), had.min(records));
            let has = now_had.min(records);
            prop_assert_eq!(found(before, shape(records, has, has, has)), None);
        }
    }
}
