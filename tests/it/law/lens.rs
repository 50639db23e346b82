//! The laws of a field pair, on mappings drawn at random: what was put comes back, and what came back is put again
//! without a change.

use serde_json::{Map, Value as Json, json};
use syncline::core::{
    diff::{self, Verdict},
    mapping::Mapping,
    plan::Plan,
    record::{Link, Record, Seen},
    status::{LinkStatus, Side},
};

use super::{compile, context, key, plan, record};
use crate::support::rig::{Budget, Chance};

/// How a field is declared, and the values it may have on each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Spaced,
    Integer,
    Decimal,
    Boolean,
    Date,
    DateTime,
    Table,
}

const SHAPES: [Shape; 8] = [
    Shape::Text,
    Shape::Spaced,
    Shape::Integer,
    Shape::Decimal,
    Shape::Boolean,
    Shape::Date,
    Shape::DateTime,
    Shape::Table,
];

impl Shape {
    fn declaration(self, number: usize, chance: &mut Chance) -> Json {
        let mut field = json!({ "sides": { "erp": format!("l{number}"), "crm": format!("r{number}") } });
        match self {
            Self::Text => {}
            Self::Spaced => field["compare"] = json!(*chance.pick(&["trimmed", "caseless", "alphanumeric"])),
            Self::Integer => field["type"] = json!("integer"),
            Self::Decimal => field["type"] = json!("decimal(2)"),
            Self::Boolean => field["type"] = json!("boolean"),
            Self::Date => field["type"] = json!("date"),
            Self::DateTime => field["type"] = json!("datetime"),
            Self::Table => field["values"] = json!({ "active": "A", "blocked": "B", "3": "C" }),
        }
        field
    }

    fn value(self, side: Side, chance: &mut Chance) -> Json {
        let number = chance.below(1_000_000);
        match self {
            Self::Text => json!(*chance.pick(&["a", "Ana Ltda", "0012", "1.50", "true", "ß", "2026-03-01", "\u{e9}"])),
            Self::Spaced => json!(*chance.pick(&["a b", " A B ", "ab", "x-1", "X 1"])),
            Self::Decimal if number.is_multiple_of(2) => json!(format!("{}.{:02}", number / 100, number % 100)),
            Self::Integer | Self::Decimal => json!(number),
            Self::Boolean => json!(number.is_multiple_of(2)),
            Self::Date => json!(format!("2026-{:02}-{:02}", 1 + number % 12, 1 + number % 28)),
            Self::DateTime => {
                let zone = *chance.pick(&["Z", "+02:00", "-03:30"]);
                json!(format!(
                    "2026-{:02}-{:02}T{:02}:30:00{zone}",
                    1 + number % 12,
                    1 + number % 28,
                    number % 24
                ))
            }
            Self::Table if side == Side::Left => json!(*chance.pick(&["active", "blocked", "3"])),
            Self::Table => json!(*chance.pick(&["A", "B", "C"])),
        }
    }
}

fn mapping(shapes: &[Shape], chance: &mut Chance) -> Mapping {
    let fields = shapes
        .iter()
        .enumerate()
        .map(|(number, shape)| shape.declaration(number, chance))
        .collect::<Vec<_>>();
    compile(json!({
        "mapping": "m", "between": { "erp": "customer", "crm": "account" }, "prefer": "erp", "create": { "crm": true },
        "fields": fields,
    }))
    .unwrap()
}

fn fields(shapes: &[Shape], side: Side, chance: &mut Chance) -> Json {
    let letter = if side == Side::Left { 'l' } else { 'r' };
    let fields = shapes
        .iter()
        .enumerate()
        .map(|(number, shape)| (format!("{letter}{number}"), shape.value(side, chance)));
    Json::Object(fields.collect::<Map<_, _>>())
}

fn apply(plan: &Plan, side: Side, to: &Record) -> Record {
    let mut record = to.clone();
    for write in plan.writes.iter().filter(|write| write.to == side) {
        record.fields.extend(write.fields.clone());
    }
    record
}

fn link(mapping: &Mapping, left: &Record, right: &Record) -> Link {
    let key = key();
    let decisions = diff::compare(context(mapping, &key), left, right, None).unwrap();
    Link {
        link_id: 1,
        left_id: left.id.clone(),
        right_id: right.id.clone(),
        base: diff::rebase(context(mapping, &key), left, right, &decisions, None),
        status: LinkStatus::Linked,
        decided: None,
    }
}

fn is_settled(plan: &Plan) -> bool {
    plan.writes.is_empty() && plan.decisions.iter().all(|decision| decision.verdict == Verdict::Equal)
}

#[test]
fn what_was_put_comes_back_and_nothing_is_put_twice() {
    let mut budget = Budget::new(3_000, 1_000_000);
    let mut chance = budget.chance();
    while budget.goes_on() {
        let shapes = (0..=chance.below(6)).map(|_| *chance.pick(&SHAPES)).collect::<Vec<_>>();
        let mapping = mapping(&shapes, &mut chance);
        let left = record("1", fields(&shapes, Side::Left, &mut chance));
        let made = plan(&mapping, Seen::Record(&left), Seen::Gone, None);
        let right = apply(&made, Side::Right, &record("2", json!({})));
        let told = || format!("{shapes:?} {left:?} {right:?}; {}", budget.replay());
        // What was made from a record agrees with it.
        let again = plan(&mapping, Seen::Record(&left), Seen::Record(&right), None);
        assert!(!right.fields.is_empty() && is_settled(&again), "{again:#?} {}", told());
        // An edit travels back, and after it both agree.
        let link = link(&mapping, &left, &right);
        let edited = record("2", fields(&shapes, Side::Right, &mut chance));
        let back = plan(&mapping, Seen::Record(&left), Seen::Record(&edited), Some(&link));
        assert!(
            back.faults.is_empty() && back.writes.iter().all(|write| write.to == Side::Left),
            "{back:#?} {}",
            told()
        );
        let left = apply(&back, Side::Left, &left);
        let after = plan(&mapping, Seen::Record(&left), Seen::Record(&edited), Some(&link));
        assert!(is_settled(&after), "{after:#?} {}", told());
    }
}
