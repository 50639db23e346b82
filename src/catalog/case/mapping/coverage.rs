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

/// One part of a mapping.
enum What {
    /// A field's value on its way to a side.
    Way(usize, Side),
    /// An entry of `values`: the value on this side.
    Entry(usize, Side, String),
    /// A value on this side that `values` does not name, where the mapping says what to do about it.
    Unmapped(usize, Side),
    /// A condition in the template of a field, with the side whose record it looks at, and what it comes to.
    Condition(usize, Side, Expr, bool),
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
            if field.flow.reaches(to) && field.paths.get(to).is_some() {
                found.push(What::Way(index, to));
                found.extend(of_way(mapping, index, field, to));
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
fn of_way(mapping: &Mapping, index: usize, field: &Field, to: Side) -> Vec<What> {
    let from = to.other();
    match &field.convert {
        Convert::Values { tables, unmapped } => {
            let entries = tables.get(from).keys();
            let entries = entries.map(|entry| What::Entry(index, from, entry.clone()));
            let other = (*unmapped != Unmapped::Error).then_some(What::Unmapped(index, from));
            entries.chain(other).collect()
        }
        Convert::From { source, template, .. } => {
            let names = Names::new([Side::Left, Side::Right].map(|side| mapping.end(side).system.clone()));
            let conditions = template.conditions(&names).into_iter();
            let both = conditions.flat_map(|condition| {
                let again = Expr::parse(condition.source(), &names).ok();
                let no = again.map(|again| What::Condition(index, *source, again, false));
                [Some(What::Condition(index, *source, condition, true)), no]
            });
            both.flatten().collect()
        }
        Convert::Copy | Convert::Link { .. } => Vec::new(),
    }
}

impl What {
    fn describe(&self, mapping: &Mapping) -> String {
        let system = |side: Side| mapping.end(side).system.as_str();
        let field = |index: &usize| mapping.fields.get(*index).map_or("?", |field| field.name.as_str());
        match self {
            Self::Way(index, to) => format!("`{}` towards {}", field(index), system(*to)),
            Self::Entry(index, from, value) => format!("`{}`: the value `{value}` of {}", field(index), system(*from)),
            Self::Unmapped(index, from) => {
                format!(
                    "`{}`: a value of {} that `values` does not name",
                    field(index),
                    system(*from)
                )
            }
            Self::Condition(index, _, condition, truth) => {
                let word = if *truth { "holds" } else { "does not hold" };
                format!("`{}`: where `{}` {word}", field(index), condition.source())
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
            What::Way(index, to) => self.travels(*index, *to),
            What::Entry(index, from, entry) => {
                self.is_planned(*index, from.other()) && self.key(*index, *from).as_ref() == Some(entry)
            }
            What::Unmapped(index, from) => {
                self.is_planned(*index, from.other())
                    && self
                        .key(*index, *from)
                        .is_some_and(|key| !self.is_named(*index, *from, &key))
            }
            What::Condition(index, source, condition, truth) => {
                self.is_planned(*index, source.other()) && self.holds(*source, condition) == Some(*truth)
            }
            What::Filter(side, passes) => {
                let record = self.records.get(*side).as_ref();
                record.is_some_and(|record| plan::passes(self.mapping, *side, record) == Ok(*passes))
            }
        }
    }

    fn field(&self, index: usize) -> Option<&Field> {
        self.mapping.fields.get(index)
    }

    /// Whether the planner came to decide about the field towards a side.
    fn is_planned(&self, index: usize, to: Side) -> bool {
        let Some(field) = self.field(index) else { return false };
        let is_decided = self.plan.decisions.iter().any(|decision| decision.field == index);
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
    fn travels(&self, index: usize, to: Side) -> bool {
        let Some(field) = self.field(index).filter(|_| self.is_planned(index, to)) else {
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
            _ => self.value(index, from).is_some(),
        }
    }

    fn value(&self, index: usize, side: Side) -> Option<&Value> {
        let path = self.field(index)?.paths.get(side).as_ref()?;
        path.get_in(&self.records.get(side).as_ref()?.fields)
    }

    /// The value as `values` names it.
    fn key(&self, index: usize, side: Side) -> Option<String> {
        self.value(index, side).filter(|value| !value.is_null())?.to_text()
    }

    fn is_named(&self, index: usize, side: Side, key: &str) -> bool {
        let convert = self.field(index).map(|field| &field.convert);
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
