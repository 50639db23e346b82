//! The laws of a field pair, on mappings drawn at random: what was put comes back, and what came back is put again
//! without a change. A computed pair goes one way; of it the law is that what was computed stands, whoever edits it.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use syncline::core::{
    diff::Verdict,
    mapping::Mapping,
    plan::Plan,
    record::{Record, Seen},
    status::Side,
};

use super::{compile, link_among, plan_among, record};
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
    /// The id of a record of another mapping.
    Reference,
    /// A list, line by line.
    Lines,
    /// What an expression makes of the other side's record.
    Computed,
}

const SHAPES: [Shape; 11] = [
    Shape::Text,
    Shape::Spaced,
    Shape::Integer,
    Shape::Decimal,
    Shape::Boolean,
    Shape::Date,
    Shape::DateTime,
    Shape::Table,
    Shape::Reference,
    Shape::Lines,
    Shape::Computed,
];

/// The links of the mapping that references go by.
type Links = BTreeMap<(String, Side, String), String>;

fn links() -> Links {
    let pair = |number: u32| {
        let (left, right) = (format!("p{number}"), format!("X-{number}"));
        [
            (("other".to_owned(), Side::Left, left.clone()), right.clone()),
            (("other".to_owned(), Side::Right, right), left),
        ]
    };
    (0..5).flat_map(pair).collect()
}

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
            Self::Reference => field["link"] = json!("other"),
            Self::Lines => {
                field["by"] = json!({ "erp": "code", "crm": "Product.Code" });
                field["fields"] = json!([
                    { "sides": { "erp": "code", "crm": "Product.Code" }, "compare": "trimmed" },
                    { "sides": { "erp": "qty", "crm": "Quantity" }, "type": "decimal(2)" },
                    { "sides": { "erp": "unit", "crm": "Unit" }, "values": { "pc": "Piece", "kg": "Kilo" } },
                ]);
                if chance.percent(30) {
                    drop(field.as_object_mut().unwrap().remove("by"));
                }
            }
            Self::Computed => {
                field["sides"] = json!({ "crm": format!("r{number}") });
                field["from"] = json!(format!("{{{{ erp.l{number} ~ '!' }}}}"));
            }
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
            Self::Reference if side == Side::Left => json!(format!("p{}", number % 5)),
            Self::Reference => json!(format!("X-{}", number % 5)),
            Self::Lines => Json::Array(lines(side, chance)),
            Self::Computed => json!(format!("computed {number}")),
        }
    }
}

/// One to four lines, each with a key of its own.
fn lines(side: Side, chance: &mut Chance) -> Vec<Json> {
    let first = chance.below(3);
    let line = |number: u64| {
        let quantity = format!("{}.{:02}", chance.below(50), chance.below(100));
        let piece = chance.percent(50);
        match side {
            Side::Left => {
                json!({ "code": format!("C{number}"), "qty": quantity, "unit": if piece { "pc" } else { "kg" }, "row": number })
            }
            Side::Right => json!({
                "Product": { "Code": format!(" C{number}"), "Title": "Bolt" }, "Quantity": quantity,
                "Unit": if piece { "Piece" } else { "Kilo" },
            }),
        }
    };
    let mut lines: Vec<Json> = (first..first + 1 + first % 4).map(line).collect();
    if side == Side::Right {
        lines.reverse();
    }
    lines
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

fn is_settled(plan: &Plan) -> bool {
    plan.writes.is_empty() && plan.decisions.iter().all(|decision| decision.verdict == Verdict::Equal)
}

/// The fields of the right side that are computed.
fn computed(shapes: &[Shape]) -> Vec<String> {
    let fields = shapes.iter().enumerate();
    fields
        .filter(|(_, shape)| **shape == Shape::Computed)
        .map(|(number, _)| format!("r{number}"))
        .collect()
}

#[test]
fn what_was_put_comes_back_and_nothing_is_put_twice() {
    let mut budget = Budget::new(3_000, 1_000_000);
    let (mut chance, links) = (budget.chance(), links());
    while budget.goes_on() {
        let shapes = (0..=chance.below(6)).map(|_| *chance.pick(&SHAPES)).collect::<Vec<_>>();
        let mapping = mapping(&shapes, &mut chance);
        let left = record("1", fields(&shapes, Side::Left, &mut chance));
        let made = plan_among(&mapping, &links, Seen::Record(&left), Seen::Gone, None);
        let right = apply(&made, Side::Right, &record("2", json!({})));
        let told = || format!("{shapes:?} {left:?} {right:?}; {}", budget.replay());
        // What was made from a record agrees with it.
        let again = plan_among(&mapping, &links, Seen::Record(&left), Seen::Record(&right), None);
        assert!(!right.fields.is_empty() && is_settled(&again), "{again:#?} {}", told());
        // An edit travels back, and after it both agree. Nothing travels back into an expression: what it says is written again.
        let link = link_among(&mapping, &links, &left, &right);
        let edited = record("2", fields(&shapes, Side::Right, &mut chance));
        let back = plan_among(
            &mapping,
            &links,
            Seen::Record(&left),
            Seen::Record(&edited),
            Some(&link),
        );
        let computed = computed(&shapes);
        let of_right = back.writes.iter().filter(|write| write.to == Side::Right);
        let mut written = of_right.flat_map(|write| write.fields.keys());
        assert!(
            back.faults.is_empty() && written.all(|name| computed.contains(name)),
            "{back:#?} {}",
            told()
        );
        let (left, edited) = (apply(&back, Side::Left, &left), apply(&back, Side::Right, &edited));
        let after = plan_among(
            &mapping,
            &links,
            Seen::Record(&left),
            Seen::Record(&edited),
            Some(&link),
        );
        assert!(is_settled(&after), "{after:#?} {}", told());
        assert!(
            computed
                .iter()
                .all(|name| edited.fields.get(name) == right.fields.get(name)),
            "{edited:?} {}",
            told()
        );
    }
}
