//! No echo: a system that keeps what is written to it in a form of its own (in capitals, rounded, trimmed, in another time zone) is
//! not taken for somebody who edits. With both directions on, as many values are written as were edited, and not one more.

use serde_json::{Map, Value as Json, json};
use syncline::core::{
    diff,
    mapping::{Mapping, NoReferences},
    record::{Link, Record, Seen},
    status::{LinkStatus, Side},
    value::{Map as Fields, Value},
};

use super::{compile, context_among, key, plan, record};
use crate::support::rig::{Budget, Chance, report};

/// What a system makes of what is written to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As it is.
    Kept,
    Capitals,
    Trimmed,
    /// Cut at ten characters.
    Cut,
    /// Digits and a leading plus.
    Digits,
    /// To whole numbers.
    Rounded,
    /// As a text of two decimals.
    Cents,
    /// In UTC, to the second.
    Utc,
    /// In a zone of its own.
    Zoned,
}

/// The kinds of fields, each with the forms that a system may keep it in.
const KINDS: [(&str, &[Form]); 4] = [
    ("text", &[Form::Kept, Form::Capitals, Form::Trimmed, Form::Cut]),
    ("phone", &[Form::Kept, Form::Digits, Form::Trimmed]),
    ("amount", &[Form::Kept, Form::Rounded, Form::Cents]),
    ("moment", &[Form::Kept, Form::Utc, Form::Zoned]),
];

impl Form {
    fn of(self, value: &Value) -> Value {
        let Some(text) = value.to_text().filter(|text| !text.is_empty()) else {
            return value.clone();
        };
        let number = || text.parse::<rust_decimal::Decimal>().unwrap();
        let moment = || chrono::DateTime::parse_from_rfc3339(&text).unwrap();
        let kept = match self {
            Self::Kept => return value.clone(),
            Self::Capitals => text.to_uppercase(),
            Self::Trimmed => text.trim().to_owned(),
            Self::Cut => text.chars().take(10).collect(),
            Self::Digits => text.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect(),
            Self::Rounded => number().round_dp(0).to_string(),
            Self::Cents => format!("{:.2}", number().round_dp(2)),
            Self::Utc => moment().to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            Self::Zoned => {
                let zone = chrono::FixedOffset::west_opt(3 * 3600).unwrap();
                moment().with_timezone(&zone).to_rfc3339()
            }
        };
        Value::from(kept)
    }
}

/// One field: its kind and the form that each side keeps it in.
#[derive(Debug, Clone, Copy)]
struct Shape {
    kind: &'static str,
    forms: [Form; 2],
}

fn shapes(chance: &mut Chance) -> Vec<Shape> {
    let one = |_| {
        let (kind, forms) = *chance.pick(&KINDS);
        // One of both keeps a form of its own: where both do, neither has what the other one was given.
        let mut forms = [*chance.pick(forms), Form::Kept];
        if chance.percent(50) {
            forms.reverse();
        }
        Shape { kind, forms }
    };
    (0..4).map(one).collect()
}

fn mapping(shapes: &[Shape], chance: &mut Chance) -> Mapping {
    let field = |(number, shape): (usize, &Shape)| {
        let mut field = json!({ "sides": { "erp": format!("f{number}"), "crm": format!("f{number}") } });
        match shape.kind {
            "amount" => field["type"] = json!("decimal(2)"),
            "moment" => field["type"] = json!("datetime"),
            "phone" => field["compare"] = json!("phone"),
            _ => field["compare"] = json!(*chance.pick(&["exact", "trimmed", "caseless"])),
        }
        field
    };
    let fields: Vec<Json> = shapes.iter().enumerate().map(field).collect();
    compile(json!({
        "mapping": "m", "between": { "erp": "customer", "crm": "account" }, "prefer": "erp", "create": { "crm": true },
        "conflict": *chance.pick(&["erp", "crm", "manual"]), "fields": fields,
    }))
    .unwrap()
}

fn drawn(kind: &str, chance: &mut Chance) -> Json {
    let number = chance.below(1_000_000);
    match kind {
        "amount" => json!(format!("{}.{:03}", number / 1000, number % 1000)),
        "moment" => json!(format!(
            "2026-{:02}-{:02}T{:02}:30:15.{:03}{}",
            1 + number % 12,
            1 + number % 28,
            number % 24,
            number % 1000,
            chance.pick(&["Z", "+02:00", "-03:30"])
        )),
        "phone" => json!(format!("+55 (0) 11 {:04}-{:04}", number % 10_000, number / 100)),
        _ => json!(format!(
            "{}Ana Ltda {number}{}",
            chance.pick(&["", " "]),
            chance.pick(&["", "  "])
        )),
    }
}

/// Both systems, each with one record, and what is agreed on.
struct Pair {
    shapes: Vec<Shape>,
    mapping: Mapping,
    records: [Record; 2],
    link: Option<Link>,
    written: u64,
    conflicts: u64,
}

impl Pair {
    /// What one system makes of fields that somebody writes, be it a person or Syncline.
    fn keep(&mut self, side: usize, fields: &Fields) {
        for (name, value) in fields {
            let at: usize = name.trim_start_matches('f').parse().unwrap();
            let kept = self.shapes[at].forms[side].of(value);
            self.records[side].fields.insert(name.clone(), kept);
        }
    }

    /// One look at the pair; whether something was written.
    fn look(&mut self) -> bool {
        let [left, right] = &self.records;
        let plan = plan(
            &self.mapping,
            Seen::Record(left),
            Seen::Record(right),
            self.link.as_ref(),
        );
        for write in &plan.writes {
            self.written += write.fields.len() as u64;
            self.keep(usize::from(write.to == Side::Right), &write.fields);
        }
        self.conflicts = plan.conflicts().count() as u64;
        let (key, base) = (key(), self.link.take().map(|link| link.base));
        let context = context_among(&self.mapping, &key, &NoReferences);
        let [left, right] = &self.records;
        // What a system answers to a write, and shows when it is read again, is how it keeps it.
        self.link = Some(Link {
            link_id: 1,
            left_id: left.id.clone(),
            right_id: right.id.clone(),
            base: diff::rebase(context, left, right, &plan.decisions, base.as_ref()),
            status: LinkStatus::Linked,
            decided: None,
        });
        !plan.writes.is_empty()
    }
}

#[test]
fn what_a_system_keeps_in_a_form_of_its_own_comes_back_as_no_edit() {
    let mut budget = Budget::new(300, 1_000_000);
    let mut chance = budget.chance();
    let (mut all_edits, mut all_writes) = (0, 0);
    while budget.goes_on() {
        let shapes = shapes(&mut chance);
        let all: Map<String, Json> = (0..4)
            .map(|at| (format!("f{at}"), drawn(shapes[at].kind, &mut chance)))
            .collect();
        let mut pair = Pair {
            mapping: mapping(&shapes, &mut chance),
            shapes,
            records: [record("1", json!({})), record("2", json!({}))],
            link: None,
            written: 0,
            conflicts: 0,
        };
        let Value::Map(all) = Value::from(Json::Object(all)) else {
            panic!("an object")
        };
        // A first match writes each field once.
        pair.keep(0, &all);
        let mut edits = 4;
        pair.look();
        for _ in 0..6 {
            let (before, conflicts) = (pair.written, pair.conflicts);
            for _ in 0..=chance.below(2) {
                let at = usize::try_from(chance.below(4)).unwrap();
                let side = usize::try_from(chance.below(2)).unwrap();
                let edit = Value::from(json!({ format!("f{at}"): drawn(pair.shapes[at].kind, &mut chance) }));
                let Value::Map(edit) = edit else { panic!("an object") };
                pair.keep(side, &edit);
                edits += 1;
            }
            let told = |pair: &Pair| format!("{:?} {:?}; {}", pair.shapes, pair.records, budget.replay());
            pair.look();
            // The system tells of our own write, and of nothing else.
            for _ in 0..3 {
                assert!(!pair.look(), "an echo of {before} and {conflicts}: {}", told(&pair));
            }
        }
        let due = edits + pair.conflicts;
        assert!(
            pair.written <= due,
            "{} writes of {edits} edits and {} conflicts: {:?}; {}",
            pair.written,
            pair.conflicts,
            pair.shapes,
            budget.replay()
        );
        all_edits += edits;
        all_writes += pair.written;
    }
    assert!(
        all_writes * 2 > all_edits,
        "most edits travel: {all_writes} of {all_edits}"
    );
    report(&format!(
        "{} histories: {all_edits} edits, {all_writes} values written",
        budget.done()
    ));
}
