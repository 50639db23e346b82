//! Which parts of a mapping its cases touch: fields in each direction, entries of `values`, conditions both ways, filters.
//!
//! A part is touched where a case brings it to the planner, whatever the case expects of it: coverage finds what no case is
//! about, not what cases forget to look at.

use serde::Serialize;

use super::Case;
use crate::{
    catalog::case::Report,
    core::{
        expr::{Expr, Names, Scope},
        mapping::{Convert, Field, Mapping, Unmapped, form::CaseForm},
        plan::{self, Plan},
        problem::Problems,
        record::Record,
        status::{Side, Sides, WriteKind},
        value::Value,
    },
};

/// How much of a mapping its cases touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// How many parts there are.
    pub parts: usize,
    /// How many of them a case touches.
    pub touched: usize,
    /// The others, in the order of the mapping.
    pub untouched: Vec<String>,
}

impl Coverage {
    /// The share of parts that are touched, in percent, rounded down; all of nothing is everything.
    #[must_use]
    pub fn percent(&self) -> usize {
        (self.touched * 100).checked_div(self.parts).unwrap_or(100)
    }
}

/// What the cases of these files touch of `mapping`. Cases that cannot be read touch nothing.
#[must_use]
pub fn of<'f>(mapping: &Mapping, files: impl Iterator<Item = &'f [u8]>) -> Coverage {
    let mut parts = parts(mapping);
    for bytes in files {
        let Some((_, forms)) = Report::new("").open::<Vec<CaseForm>>(bytes) else {
            continue;
        };
        for (index, form) in forms.iter().enumerate() {
            let case = Case::new(mapping, form, index);
            let mut problems = Problems::new();
            case.check_names(&mut problems);
            let records = Sides::of(|side| case.record(side));
            let base = case.base(&mut problems);
            if problems.has_errors() {
                continue;
            }
            let plan = case.plan(&records, base);
            let seen = Seen { mapping, records, plan };
            for part in &mut parts {
                part.is_touched = part.is_touched || seen.touches(&part.what);
            }
        }
    }
    let untouched = parts.iter().filter(|part| !part.is_touched);
    let untouched: Vec<String> = untouched.map(|part| part.what.describe(mapping)).collect();
    Coverage {
        parts: parts.len(),
        touched: parts.len() - untouched.len(),
        untouched,
    }
}

struct Part {
    what: What,
    is_touched: bool,
}

/// A pair: its place in the mapping, and its place among the pairs of a line where it is one of these.
#[derive(Clone, Copy)]
struct Spot {
    field: usize,
    inner: Option<usize>,
}

impl Spot {
    fn pair(self, mapping: &Mapping) -> Option<&Field> {
        let field = mapping.fields.get(self.field)?;
        match self.inner {
            None => Some(field),
            Some(inner) => field.inner().get(inner),
        }
    }

    fn describe(self, mapping: &Mapping) -> String {
        let name = |pair: Option<&Field>| pair.map_or_else(|| "?".to_owned(), |field| format!("`{}`", field.name));
        match self.inner {
            None => name(self.pair(mapping)),
            Some(_) => format!(
                "{} in {}",
                name(self.pair(mapping)),
                name(mapping.fields.get(self.field))
            ),
        }
    }
}

/// One part of a mapping.
enum What {
    /// A field's value on its way to a side.
    Way(Spot, Side),
    /// An entry of `values`: the value on this side.
    Entry(Spot, Side, String),
    /// A value on this side that `values` does not name, where the mapping says what to do about it.
    Unmapped(Spot, Side),
    /// A condition in the template of a field, with the side whose record it looks at, and what it comes to.
    Condition(Spot, Side, Expr, bool),
    /// A record of this side that passes the filter, or does not.
    Filter(Side, bool),
}

fn parts(mapping: &Mapping) -> Vec<Part> {
    let mut found = Vec::new();
    for side in [Side::Left, Side::Right] {
        if mapping.filters.get(side).is_some() {
            found.extend([true, false].map(|passes| What::Filter(side, passes)));
        }
    }
    for (index, field) in mapping.fields.iter().enumerate() {
        for to in [Side::Right, Side::Left] {
            let of_lines = (0..field.inner().len()).map(Some);
            for inner in std::iter::once(None).chain(of_lines) {
                let spot = Spot { field: index, inner };
                let Some(pair) = spot.pair(mapping) else { continue };
                if pair.flow.reaches(to) && pair.paths.get(to).is_some() {
                    found.push(What::Way(spot, to));
                    found.extend(of_way(mapping, spot, pair, to));
                }
            }
        }
    }
    let part = |what| Part {
        what,
        is_touched: false,
    };
    found.into_iter().map(part).collect()
}

/// What there is on the way of one field to one side.
fn of_way(mapping: &Mapping, spot: Spot, field: &Field, to: Side) -> Vec<What> {
    let from = to.other();
    match &field.convert {
        Convert::Values { tables, unmapped } => {
            let entries = tables.get(from).keys();
            let entries = entries.map(|entry| What::Entry(spot, from, entry.clone()));
            let other = (*unmapped != Unmapped::Error).then_some(What::Unmapped(spot, from));
            entries.chain(other).collect()
        }
        Convert::From { source, template, .. } => {
            let names = Names::new([Side::Left, Side::Right].map(|side| mapping.end(side).system.clone()));
            let conditions = template.conditions(&names).into_iter();
            let both = conditions.flat_map(|condition| {
                let again = Expr::parse(condition.source(), &names).ok();
                let no = again.map(|again| What::Condition(spot, *source, again, false));
                [Some(What::Condition(spot, *source, condition, true)), no]
            });
            both.flatten().collect()
        }
        Convert::Copy | Convert::Link { .. } | Convert::Lines(_) => Vec::new(),
    }
}

impl What {
    fn describe(&self, mapping: &Mapping) -> String {
        let system = |side: Side| mapping.end(side).system.as_str();
        match self {
            Self::Way(spot, to) => format!("{} towards {}", spot.describe(mapping), system(*to)),
            Self::Entry(spot, from, value) => {
                format!("{}: the value `{value}` of {}", spot.describe(mapping), system(*from))
            }
            Self::Unmapped(spot, from) => {
                let (pair, system) = (spot.describe(mapping), system(*from));
                format!("{pair}: a value of {system} that `values` does not name")
            }
            Self::Condition(spot, _, condition, truth) => {
                let word = if *truth { "holds" } else { "does not hold" };
                format!("{}: where `{}` {word}", spot.describe(mapping), condition.source())
            }
            Self::Filter(side, true) => format!("`filter`: a record of {} that passes", system(*side)),
            Self::Filter(side, false) => format!("`filter`: a record of {} that does not pass", system(*side)),
        }
    }
}

/// A case, as the planner has it.
struct Seen<'a> {
    mapping: &'a Mapping,
    records: Sides<Option<Record>>,
    plan: Plan,
}

impl Seen<'_> {
    fn touches(&self, what: &What) -> bool {
        match what {
            What::Way(spot, to) => self.travels(*spot, *to),
            What::Entry(spot, from, entry) => {
                self.is_planned(*spot, from.other()) && self.keys(*spot, *from).any(|key| key == *entry)
            }
            What::Unmapped(spot, from) => {
                self.is_planned(*spot, from.other())
                    && self.keys(*spot, *from).any(|key| !self.is_named(*spot, *from, &key))
            }
            What::Condition(spot, source, condition, truth) => {
                self.is_planned(*spot, source.other()) && self.holds(*source, condition) == Some(*truth)
            }
            What::Filter(side, passes) => {
                let record = self.records.get(*side).as_ref();
                record.is_some_and(|record| plan::passes(self.mapping, *side, record) == Ok(*passes))
            }
        }
    }

    /// Whether the planner came to decide about the field towards a side.
    fn is_planned(&self, spot: Spot, to: Side) -> bool {
        let Some(field) = self.mapping.fields.get(spot.field) else {
            return false;
        };
        let is_decided = self.plan.decisions.iter().any(|decision| decision.field == spot.field);
        let is_made = self
            .plan
            .writes
            .iter()
            .any(|write| write.to == to && write.kind == WriteKind::Create);
        let is_refused = self
            .plan
            .faults
            .iter()
            .any(|fault| fault.field.as_deref() == Some(field.name.as_str()));
        is_decided || is_made || is_refused
    }

    /// Whether a case gives the field's value to the planner.
    fn travels(&self, spot: Spot, to: Side) -> bool {
        let Some(field) = spot.pair(self.mapping).filter(|_| self.is_planned(spot, to)) else {
            return false;
        };
        let from = to.other();
        match &field.convert {
            Convert::From { template, names, .. } => self.records.get(from).as_ref().is_some_and(|record| {
                let paths = template.paths_of(names.get(from));
                template.uses_whole(names.get(from))
                    || paths.is_empty()
                    || paths.iter().any(|path| path.get_in(&record.fields).is_some())
            }),
            _ => !self.values(spot, from).is_empty(),
        }
    }

    /// The values of a pair: of one within lines, each line's.
    fn values(&self, spot: Spot, side: Side) -> Vec<&Value> {
        let path_of = |field: Option<&'_ Field>| field.and_then(|field| field.paths.get(side).clone());
        let field = self.mapping.fields.get(spot.field);
        let (Some(path), Some(record)) = (path_of(field), self.records.get(side)) else {
            return Vec::new();
        };
        let value = path.get_in(&record.fields);
        if spot.inner.is_none() {
            return value.into_iter().collect();
        }
        let Some(path) = path_of(spot.pair(self.mapping)) else {
            return Vec::new();
        };
        let lines = value.and_then(Value::as_list).unwrap_or_default().iter();
        lines.filter_map(|line| path.get(line)).collect()
    }

    /// The values as `values` names them.
    fn keys(&self, spot: Spot, side: Side) -> impl Iterator<Item = String> {
        let values = self.values(spot, side).into_iter().filter(|value| !value.is_null());
        values.filter_map(Value::to_text)
    }

    fn is_named(&self, spot: Spot, side: Side, key: &str) -> bool {
        let convert = spot.pair(self.mapping).map(|field| &field.convert);
        matches!(convert, Some(Convert::Values { tables, .. }) if tables.get(side).contains_key(key))
    }

    /// What a condition comes to for the record of a side.
    fn holds(&self, side: Side, condition: &Expr) -> Option<bool> {
        let record = self.records.get(side).as_ref()?;
        let mut scope = Scope::new();
        let whole = Value::Map(record.fields.clone());
        scope.set(&self.mapping.end(side).system, std::sync::Arc::new(whole));
        condition.holds(&scope).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::mapping::{form::MappingForm, known::Known};

    fn mapping() -> Mapping {
        let form = serde_json::json!({
            "mapping": "m", "between": { "erp": "customer", "crm": "account" }, "prefer": "erp", "create": { "crm": true },
            "filter": { "erp": "{{ erp.kind == 'customer' }}" },
            "fields": [
                { "sides": { "erp": "name", "crm": "Name" } },
                { "sides": { "erp": "status", "crm": "Status" }, "values": { "a": "Active", "b": "Blocked" },
                  "direction": "erp -> crm", "on_unmapped": "keep" },
                { "sides": { "crm": "Note" }, "from": "{{ 'big' if erp.size > 5 else 'small' }}" },
            ],
        });
        let form: MappingForm = serde_json::from_value(form).unwrap();
        let mut problems = Problems::new();
        let mapping = Mapping::compile(&form, &Known::default(), &mut problems);
        mapping.unwrap_or_else(|| panic!("{:?}", problems.into_vec()))
    }

    fn covered(cases: &str) -> Coverage {
        of(&mapping(), [cases.as_bytes()].into_iter())
    }

    #[test]
    fn what_no_case_is_about_is_named() {
        let found = covered(
            "
- name: a new customer
  erp: { kind: customer, name: Ana, status: a, size: 9 }
  expect: { crm: { Name: Ana, Status: Active, Note: big } }
",
        );
        assert_eq!(
            found.untouched,
            [
                "`filter`: a record of erp that does not pass",
                "`name` towards erp",
                "`status`: the value `b` of erp",
                "`status`: a value of erp that `values` does not name",
                "`Note`: where `erp.size > 5` does not hold",
            ]
        );
        assert_eq!((found.parts, found.touched, found.percent()), (11, 6, 54));
    }

    #[test]
    fn cases_that_touch_everything_leave_nothing() {
        let found = covered(
            "
- { name: a, erp: { kind: other }, expect: { situation: filtered } }
- { name: b, erp: { kind: customer, name: A, status: b, size: 1 }, crm: { Name: B }, expect: { nothing: no } }
- { name: c, erp: { kind: customer, status: zzz, size: 9 }, expect: { situation: absent } }
- { name: d, erp: { kind: customer, status: a, size: 9 }, expect: { situation: absent } }
",
        );
        assert_eq!(found.untouched, Vec::<String>::new());
        assert_eq!(found.percent(), 100);
        assert_eq!(covered("- nonsense").touched, 0);
    }
}
