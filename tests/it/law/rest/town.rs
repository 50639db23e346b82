//! What the planner is tried on: companies and people of chance on two sides, and what is done to them there.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Value as Json, json};
use syncline::core::{
    mapping::Mapping,
    record::{Link, Record},
    status::Side,
    value::{Value, lay_over},
};

use crate::{
    law::{compile, record},
    support::rig::Chance,
};

/// The links of the companies, as the mapping of people refers to them.
pub type Links = BTreeMap<(String, Side, String), String>;

/// One company or one person, as far as it is on each side, and the link between both.
#[derive(Debug, Clone, Default)]
pub struct Pair {
    pub left: Option<Record>,
    pub right: Option<Record>,
    pub link: Option<Link>,
}

impl Pair {
    pub fn get(&self, side: Side) -> Option<&Record> {
        match side {
            Side::Left => self.left.as_ref(),
            Side::Right => self.right.as_ref(),
        }
    }

    pub fn slot(&mut self, side: Side) -> &mut Option<Record> {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }
}

/// Everything there is. Of each pair, whether it is a company (0) or a person (1).
pub struct Town {
    pub chance: Chance,
    pub mappings: [Mapping; 2],
    pub pairs: Vec<(usize, Pair)>,
    /// Whether there are people. A company that somebody refers to is not deleted: what becomes of such a reference is not said.
    has_people: bool,
    /// Ids, values and times: each is given once.
    number: i64,
}

/// A mapping of companies whose policies are drawn, and one of people, who refer to them.
fn mappings(chance: &mut Chance) -> [Mapping; 2] {
    let yes = |chance: &mut Chance| chance.percent(60);
    let company = json!({
        "mapping": "company", "between": { "erp": "customer", "crm": "account" }, "prefer": "erp",
        "conflict": *chance.pick(&["erp", "crm", "newest", "manual"]),
        "create": { "crm": true, "erp": yes(chance) },
        "wrong_side": *chance.pick(&["repair", "report"]),
        "situations": { "missing": *chance.pick(&["report", "recreate", "delete", "unlink"]) },
        "fields": [
            { "sides": { "erp": "name", "crm": "Name" }, "empty": *chance.pick(&["keep", "clear"]) },
            { "sides": { "erp": "note", "crm": "Note" }, "empty": "clear", "conflict": "manual" },
            { "sides": { "erp": "status", "crm": "Status" }, "values": { "active": "Active", "blocked": "Inactive" } },
            { "sides": { "erp": "limit", "crm": "Limit" }, "type": "decimal(2)", "wins": "erp" },
            { "sides": { "erp": "tax_id", "crm": "Vat" }, "direction": "erp -> crm", "compare": "alphanumeric" },
        ],
    });
    let person = json!({
        "mapping": "person", "between": { "erp": "contact", "crm": "contact" }, "prefer": "crm",
        "conflict": *chance.pick(&["erp", "crm", "manual"]), "create": { "crm": true, "erp": true },
        "fields": [
            { "sides": { "erp": "name", "crm": "Name" } },
            { "sides": { "erp": "company", "crm": "Company" }, "link": "company" },
        ],
    });
    [compile(company).unwrap(), compile(person).unwrap()]
}

impl Town {
    pub fn found(mut chance: Chance) -> Self {
        let mut town = Self {
            mappings: mappings(&mut chance),
            pairs: Vec::new(),
            has_people: chance.percent(60),
            number: 0,
            chance,
        };
        let kinds: &[usize] = if town.has_people { &[0, 0, 1, 1] } else { &[0, 0] };
        for kind in kinds.iter().copied() {
            for _ in 0..town.chance.below(4) {
                let mut pair = Pair::default();
                let sides: &[Side] = match town.chance.below(3) {
                    0 => &[Side::Left],
                    1 => &[Side::Right],
                    _ => &[Side::Left, Side::Right],
                };
                for side in sides {
                    *pair.slot(*side) = Some(town.record(kind, *side));
                }
                town.pairs.push((kind, pair));
            }
        }
        town
    }

    /// A number that was not there before.
    pub fn fresh(&mut self) -> i64 {
        self.number += 1;
        self.number
    }

    /// A new record with values of chance.
    fn record(&mut self, kind: usize, side: Side) -> Record {
        let id = format!("{}{}", if side == Side::Left { "L" } else { "R" }, self.fresh());
        let mut record = record(&id, json!({}));
        for _ in 0..5 {
            let edit = self.edit_of(kind, side);
            self.lay(&mut record, &edit);
        }
        record
    }

    fn lay(&mut self, record: &mut Record, edit: &Json) {
        let Value::Map(changes) = Value::from(edit.clone()) else {
            panic!("an edit is an object")
        };
        lay_over(&mut record.fields, &changes);
        record.updated_at = DateTime::from_timestamp(1_700_000_000 + self.fresh(), 0);
    }

    /// What somebody may write into one field.
    fn edit_of(&mut self, kind: usize, side: Side) -> Json {
        let number = self.fresh();
        let text = match self.chance.below(8) {
            0 => Json::Null,
            1 => json!(""),
            _ => json!(format!("w{number}")),
        };
        let is_left = side == Side::Left;
        let field = |left: &'static str, right: &'static str| if is_left { left } else { right };
        if kind == 1 {
            let of_company = |(kind, pair): &(usize, Pair)| {
                let id = pair.get(side).map(|record| record.id.clone());
                id.filter(|_| *kind == 0)
            };
            let companies: Vec<String> = self.pairs.iter().filter_map(of_company).collect();
            return if companies.is_empty() || self.chance.percent(60) {
                json!({ field("name", "Name"): text })
            } else {
                json!({ field("company", "Company"): self.chance.pick(&companies) })
            };
        }
        match self.chance.below(6) {
            0 | 1 => json!({ field("name", "Name"): text }),
            2 => json!({ field("note", "Note"): text }),
            3 => {
                let active = self.chance.percent(50);
                let (left, right) = if active {
                    ("active", "Active")
                } else {
                    ("blocked", "Inactive")
                };
                json!({ field("status", "Status"): field(left, right) })
            }
            4 => json!({ field("limit", "Limit"): format!("{}.{:03}", number, self.chance.below(1000)) }),
            _ => json!({ field("tax_id", "Vat"): format!("DE {number}") }),
        }
    }

    /// People edit, delete and make records, on both sides.
    pub fn disturb(&mut self) {
        for _ in 0..=self.chance.below(8) {
            if self.pairs.is_empty() || self.chance.percent(10) {
                let kind = usize::from(self.has_people && self.chance.percent(50));
                let side = *self.chance.pick(&[Side::Left, Side::Right]);
                let mut pair = Pair::default();
                *pair.slot(side) = Some(self.record(kind, side));
                self.pairs.push((kind, pair));
                continue;
            }
            let place = usize::try_from(self.chance.below(self.pairs.len() as u64)).unwrap();
            let side = *self.chance.pick(&[Side::Left, Side::Right]);
            let kind = self.pairs[place].0;
            let may_go = kind == 1 || !self.has_people;
            let edit = self.edit_of(kind, side);
            let Some(mut record) = self.pairs[place].1.slot(side).take() else {
                continue;
            };
            if may_go && self.chance.percent(12) {
                continue;
            }
            self.lay(&mut record, &edit);
            *self.pairs[place].1.slot(side) = Some(record);
        }
    }
}
