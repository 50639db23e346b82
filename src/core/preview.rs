//! A pair field by field, both ways: what each value becomes on the other side, and what of it would be written.
//!
//! A plan tells what is decided; this also tells what a value would be where nothing is decided about it: towards a side that
//! it does not travel to, in a record that another field keeps from being written, without a partner.

use super::{
    diff::{Context, Verdict},
    mapping::{
        Field, Mapping,
        convert::{Convert, Refusal, Source},
    },
    plan::Plan,
    record::Record,
    status::{Side, Sides, WriteKind},
    value::Value,
};

/// One field of a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// Its name in the mapping.
    pub field: String,
    /// The value each record has, as its connector reads it; none where the record or the field is not there.
    pub values: Sides<Option<Value>>,
    /// What comes of it on each side.
    pub towards: Sides<Way>,
}

/// What comes of a field on one side.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// What the other side's record has for this one, in this side's form; none where it has nothing.
    pub mapped: Option<Value>,
    /// Why it cannot be had.
    pub refusal: Option<Refusal>,
    /// What would be written; [`Value::Null`] clears the field.
    pub written: Option<Value>,
    /// Why so, or why nothing would be.
    pub why: String,
}

/// Every field of a pair with this plan. The records are those that it was made of.
#[must_use]
pub fn fields(context: Context<'_>, records: Sides<Option<&Record>>, plan: &Plan) -> Vec<Preview> {
    let one = |(index, field): (usize, &Field)| {
        let pair = Pair {
            context,
            records,
            plan,
            index,
            field,
        };
        Preview {
            field: field.name.clone(),
            values: Sides::of(|side| pair.value(side).cloned()),
            towards: Sides::of(|side| pair.way(side)),
        }
    };
    context.mapping.fields.iter().enumerate().map(one).collect()
}

/// One field, and all that its outcome depends on.
struct Pair<'a> {
    context: Context<'a>,
    records: Sides<Option<&'a Record>>,
    plan: &'a Plan,
    index: usize,
    field: &'a Field,
}

impl<'a> Pair<'a> {
    fn mapping(&self) -> &'a Mapping {
        self.context.mapping
    }

    fn value(&self, side: Side) -> Option<&'a Value> {
        let path = self.field.paths.get(side).as_ref()?;
        path.get_in(&(*self.records.get(side))?.fields)
    }

    fn way(&self, to: Side) -> Way {
        let offered = self.offered(to);
        let (mapped, refusal) = match offered {
            None => (None, None),
            Some(Ok(value)) => (value, None),
            // Of no consequence where nothing travels.
            Some(Err(refusal)) => (None, Some(refusal).filter(|_| self.field.flow.reaches(to))),
        };
        let (written, why) = self.outcome(to, mapped.as_ref(), refusal.as_ref());
        Way {
            mapped,
            refusal,
            written,
            why,
        }
    }

    /// What the other side offers; none where it has no record, or nothing is ever made of it.
    fn offered(&self, to: Side) -> Option<Result<Option<Value>, Refusal>> {
        let record = (*self.records.get(to.other()))?;
        if matches!(self.field.convert, Convert::From { source, .. } if source == to)
            || self.field.paths.get(to).is_none()
        {
            return None;
        }
        let source = Source::new(&record.fields);
        let offered = self
            .field
            .offer(self.mapping(), to.other(), &source, self.context.references);
        Some(offered.and_then(|offered| self.as_written(to, offered)))
    }

    /// Of a list of lines, all that would be written; where that would change nothing, what is there.
    fn as_written(&self, to: Side, offered: Option<Value>) -> Result<Option<Value>, Refusal> {
        let (Some(offered), Convert::Lines(_)) = (&offered, &self.field.convert) else {
            return Ok(offered);
        };
        let there = self.records.get(to).map(|record| &record.fields);
        let written = self.field.written(to, offered.clone(), there)?;
        Ok(written.or_else(|| self.value(to).cloned()))
    }

    /// What would be written to a side, and why, or why nothing.
    fn outcome(&self, to: Side, mapped: Option<&Value>, refusal: Option<&Refusal>) -> (Option<Value>, String) {
        let name = |side: Side| self.mapping().end(side).system.as_str();
        let from = name(to.other());
        if !self.field.flow.reaches(to) {
            return (None, format!("this pair goes to {from} only"));
        }
        if self.records.get(to.other()).is_none() {
            return (None, format!("there is no record in {from}"));
        }
        match refusal {
            Some(Refusal::Fault(fault)) => return (None, fault.message.clone()),
            Some(Refusal::Awaited(awaited)) => {
                let why = format!(
                    "waits for `{}` to be linked by mapping `{}`",
                    awaited.id, awaited.mapping
                );
                return (None, why);
            }
            None => {}
        }
        let write = self.plan.writes.iter().find(|write| write.to == to);
        if let Some(write) = write.filter(|write| write.kind == WriteKind::Create) {
            let path = self.field.paths.get(to).as_ref();
            return match (path.and_then(|path| path.get_in(&write.fields)), mapped) {
                (Some(value), _) => (Some(value.clone()), "part of the new record".to_owned()),
                (None, None) => (None, format!("{from} did not send this field")),
                (None, Some(_)) => (None, "empty, and left out of a new record".to_owned()),
            };
        }
        let decision = self.plan.decisions.iter().find(|decision| decision.field == self.index);
        let Some(decision) = decision else {
            return (None, self.plan.reason.clone());
        };
        let reason = decision.reason.describe(self.mapping());
        match decision.verdict.written(to) {
            Some(value) if write.is_some() => (Some(value.clone()), reason),
            Some(_) => (None, format!("{reason}; {}", self.plan.reason)),
            None => match &decision.verdict {
                Verdict::Write { to: other, .. } => (None, format!("{reason}: {} is written", name(*other))),
                _ => (None, reason),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::core::{
        mapping::{NoReferences, form::MappingForm, known::Known},
        plan::{self, Input, Matched},
        problem::Problems,
        record::Seen,
        settled::UNSETTLED,
        status::Situation,
        value::{Map, fingerprint::Key},
    };

    fn mapping(create: bool) -> Mapping {
        let form = serde_json::json!({
            "mapping": "m", "between": { "erp": "customer", "crm": "account" }, "prefer": "erp",
            "create": { "crm": create },
            "fields": [
                { "sides": { "erp": "name", "crm": "Name" } },
                { "sides": { "erp": "status", "crm": "Status" }, "values": { "a": "Active" } },
                { "sides": { "erp": "vat", "crm": "Vat" }, "direction": "erp -> crm" },
                { "sides": { "erp": "phone", "crm": "Phone" } },
                { "sides": { "crm": "Note" }, "from": "{{ erp.name | upper }}" },
            ],
        });
        let form: MappingForm = serde_json::from_value(form).unwrap();
        let mut problems = Problems::new();
        let mapping = Mapping::compile(&form, &Known::default(), &mut problems);
        mapping.unwrap_or_else(|| panic!("{:?}", problems.into_vec()))
    }

    fn record(id: &str, fields: &[(&str, &str)]) -> Record {
        let fields = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
        Record {
            id: id.to_owned(),
            fields: fields.collect::<Map>(),
            version: None,
            updated_at: None,
        }
    }

    /// Each field: what would be written to the CRM, and why.
    fn told(create: bool, left: &Record, right: Option<&Record>) -> (Situation, BTreeMap<String, Sides<Way>>) {
        let mapping = mapping(create);
        let context = Context {
            mapping: &mapping,
            key: &Key::new([0; 32]),
            references: &NoReferences,
            settled: UNSETTLED,
        };
        let input = Input {
            left: Seen::Record(left),
            right: right.map_or(Seen::Unknown, Seen::Record),
            link: None,
            matched: Matched::Settled,
        };
        let plan = plan::build(context, input);
        let records = Sides {
            left: Some(left),
            right,
        };
        let previews = fields(context, records, &plan);
        let ways = previews.into_iter().map(|preview| (preview.field, preview.towards));
        (plan.situation, ways.collect())
    }

    #[test]
    fn a_field_that_cannot_be_converted_hides_nothing_about_the_others() {
        let left = record("1", &[("name", "Ana"), ("status", "zzz"), ("vat", "1")]);
        let right = record(
            "A",
            &[("Name", "Bea"), ("Status", "Active"), ("Vat", "1"), ("Phone", "5")],
        );
        let (_, ways) = told(true, &left, Some(&right));
        assert_eq!(ways["name"].right.mapped, Some(Value::from("Ana")));
        assert_eq!(ways["name"].right.written, None);
        assert!(
            ways["status"].right.why.contains("`zzz` has no partner"),
            "{:?}",
            ways["status"]
        );
        assert_eq!(ways["status"].left.mapped, Some(Value::from("a")));
        assert_eq!(ways["vat"].left.why, "this pair goes to crm only");
        assert_eq!(ways["Note"].right.mapped, Some(Value::from("ANA")));
    }

    #[test]
    fn what_would_be_written_is_told_with_its_reason() {
        let left = record("1", &[("name", "Ana"), ("status", "a"), ("vat", ""), ("phone", "")]);
        let right = record(
            "A",
            &[("Name", "Bea"), ("Status", "Active"), ("Vat", "1"), ("Phone", "5")],
        );
        let (situation, ways) = told(true, &left, Some(&right));
        assert_eq!(situation, Situation::UnlinkedMatch);
        assert_eq!(ways["name"].right.written, Some(Value::from("Ana")));
        assert_eq!(ways["name"].right.why, "first match; erp is preferred");
        assert_eq!(ways["status"].right.why, "both sides have the same value");
        assert_eq!(
            ways["vat"].right.why,
            "erp is empty, and empty values do not travel here"
        );
        assert_eq!(ways["phone"].left.written, Some(Value::from("5")));
        assert!(
            ways["name"].left.why.ends_with("crm is written"),
            "{:?}",
            ways["name"].left
        );
    }

    #[test]
    fn a_new_record_is_told_field_by_field_and_so_is_why_there_is_none() {
        let left = record("1", &[("name", "Ana"), ("status", "a"), ("phone", "")]);
        let (_, ways) = told(true, &left, None);
        assert_eq!(ways["status"].right.written, Some(Value::from("Active")));
        assert_eq!(ways["vat"].right.why, "erp did not send this field");
        assert_eq!(ways["phone"].right.why, "empty, and left out of a new record");
        assert_eq!(ways["name"].left.why, "there is no record in crm");
        let (_, ways) = told(false, &left, None);
        assert_eq!(ways["name"].right.mapped, Some(Value::from("Ana")));
        assert_eq!(
            ways["name"].right.why,
            "no partner in crm, and the mapping creates none there"
        );
    }
}
