//! The cases beside a mapping (`mappings/<name>.test.yaml`): what must come of given records.
//!
//! A case goes through the planner that the daemon uses, so what it shows is what happens.

pub mod coverage;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map as JsonMap, Value as Json};

use super::{Difference, Report};
use crate::core::{
    diff::{self, Context},
    mapping::{
        Mapping,
        convert::{Convert, Refusal, Source},
        form::CaseForm,
    },
    plan::{self, Input, Matched, Plan},
    problem::{Problem, Problems, nearest, pointer},
    record::{Base, BaseField, Link, Record, Seen},
    settled::UNSETTLED,
    status::{FailureClass, LinkStatus, Side, Sides},
    value::{
        Map, Value,
        compare::{self, Compare},
        fingerprint::Key,
        kind::Kind,
        spelling::Spelling,
    },
};

/// Runs the cases that `bytes`, read from `file`, hold against `mapping`.
#[must_use]
pub fn run(file: &str, bytes: &[u8], mapping: &Mapping) -> Report {
    let mut report = Report::new(file);
    let Some((tree, forms)) = report.open::<Vec<CaseForm>>(bytes) else {
        return report;
    };
    for (index, form) in forms.iter().enumerate() {
        let mut problems = Problems::new();
        let differences = Case::new(mapping, form, index).check(&mut problems);
        report.add(&tree, &form.name, problems, differences);
    }
    report
}

struct Case<'a> {
    mapping: &'a Mapping,
    form: &'a CaseForm,
    at: String,
    /// Hashes never leave the case, so any key does.
    key: Key,
    links: BTreeMap<(String, Side, String), String>,
}

impl<'a> Case<'a> {
    fn new(mapping: &'a Mapping, form: &'a CaseForm, index: usize) -> Self {
        let mut links = BTreeMap::new();
        for (other, pairs) in &form.links {
            for (left, right) in pairs {
                links.insert((other.clone(), Side::Left, left.clone()), right.clone());
                links.insert((other.clone(), Side::Right, right.clone()), left.clone());
            }
        }
        Self {
            mapping,
            form,
            at: pointer("", index),
            key: Key::new([0; 32]),
            links,
        }
    }

    fn check(&self, problems: &mut Problems) -> Vec<Difference> {
        self.check_names(problems);
        let records = Sides::of(|side| self.record(side));
        let base = self.base(problems);
        if problems.has_errors() {
            return Vec::new();
        }
        let plan = self.plan(&records, base);
        let misses = self.misses(&plan);
        for problem in misses.found {
            problems.push(problem);
        }
        misses.differences
    }

    fn context(&self) -> Context<'_> {
        Context {
            mapping: self.mapping,
            key: &self.key,
            references: &self.links,
            settled: UNSETTLED,
        }
    }

    fn system(&self, side: Side) -> &str {
        &self.mapping.end(side).system
    }

    /// Keys that name neither a system nor anything a case has.
    fn check_names(&self, problems: &mut Problems) {
        const CASE: [&str; 6] = ["name", "linked", "base", "links", "newer", "expect"];
        const EXPECT: [&str; 4] = ["conflict", "situation", "failure", "nothing"];
        let systems = [self.system(Side::Left), self.system(Side::Right)];
        let mut check = |names: &JsonMap<String, Json>, known: &[&'static str], at: &str| {
            for (name, value) in names {
                let place = pointer(at, name);
                if !systems.contains(&name.as_str()) {
                    let candidates = systems.into_iter().chain(known.iter().copied());
                    let problem = Problem::error("TS001", place, format!("unknown key `{name}`")).on_key();
                    problems.push(match nearest(name, candidates) {
                        Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
                        None => problem.with_hint(format!("the systems are `{}` and `{}`", systems[0], systems[1])),
                    });
                } else if !value.is_object() {
                    problems.error("TS002", place, "a record is a map of fields");
                }
            }
        };
        check(&self.form.sides, &CASE, &self.at);
        check(&self.form.expect.sides, &EXPECT, &pointer(&self.at, "expect"));
        if let Some(newer) = self.form.newer.as_deref().filter(|newer| !systems.contains(newer)) {
            let problem = Problem::error(
                "TS001",
                pointer(&self.at, "newer"),
                format!("`{newer}` is no system here"),
            );
            problems.push(problem.with_hint(format!("the systems are `{}` and `{}`", systems[0], systems[1])));
        }
    }

    fn record(&self, side: Side) -> Option<Record> {
        let fields = self.form.sides.get(self.system(side))?;
        let Value::Map(fields) = Value::from(fields.clone()) else {
            return None;
        };
        let is_newer = self.form.newer.as_deref() == Some(self.system(side));
        let later = TimeDelta::seconds(i64::from(is_newer));
        Some(Record {
            id: side.to_string(),
            fields,
            version: None,
            updated_at: self.form.newer.as_ref().map(|_| DateTime::<Utc>::UNIX_EPOCH + later),
        })
    }

    /// What both sides agreed on, as hashes.
    fn base(&self, problems: &mut Problems) -> Base {
        let at = pointer(&self.at, "base");
        let mut agreed = Vec::new();
        for (name, value) in self.form.base.iter().flatten() {
            let place = pointer(&at, name);
            let Some(field) = self.mapping.fields.iter().find(|field| field.name == *name) else {
                let names = self.mapping.fields.iter().map(|field| field.name.as_str());
                let problem = Problem::error("TS003", place, format!("the mapping has no field `{name}`")).on_key();
                problems.push(match nearest(name, names) {
                    Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
                    None => problem.with_hint("a field is named as the first system names it"),
                });
                continue;
            };
            match self.agreed(field, Value::from(value.clone())) {
                Ok(entry) => agreed.push(entry),
                Err(message) => problems.error("TS004", place, message),
            }
        }
        Base::new(agreed)
    }

    /// The agreement on one field: its left value, and what that is on the right.
    fn agreed(&self, field: &crate::core::mapping::Field, value: Value) -> Result<BaseField, String> {
        let side = if field.paths.left.is_some() {
            Side::Left
        } else {
            Side::Right
        };
        let mut record = Map::new();
        if let Some(path) = field.paths.get(side) {
            path.set_in(&mut record, value).map_err(|error| error.to_string())?;
        }
        let own = field.read(side, &record).map_err(|fault| fault.message)?;
        let other = match field.convert {
            Convert::From { .. } => own.clone(),
            _ => field
                .offer(self.mapping, side, &Source::new(&record), &self.links)
                .map_err(|refusal| match refusal {
                    Refusal::Fault(fault) => fault.message,
                    Refusal::Awaited(awaited) => format!("`{}` has no partner in `links`", awaited.id),
                })?,
        };
        let hash = |at: Side| {
            let value = if at == side { &own } else { &other };
            diff::hash(&self.key, field, at, value.as_ref())
        };
        Ok(BaseField {
            definition: field.definition,
            left: hash(Side::Left),
            right: hash(Side::Right),
        })
    }

    fn plan(&self, records: &Sides<Option<Record>>, base: Base) -> Plan {
        let is_linked = self
            .form
            .linked
            .unwrap_or(records.left.is_some() && records.right.is_some());
        let link = is_linked.then(|| Link {
            link_id: 1,
            left_id: Side::Left.to_string(),
            right_id: Side::Right.to_string(),
            base,
            status: LinkStatus::Linked,
            decided: None,
        });
        // A linked record that the case does not give is gone; without a link, none is known.
        let absent = if is_linked { Seen::Gone } else { Seen::Unknown };
        let seen = Sides::of(|side| records.get(side).as_ref().map_or(absent, Seen::Record));
        let input = Input {
            left: seen.left,
            right: seen.right,
            link: link.as_ref(),
            matched: Matched::Settled,
        };
        plan::build(self.context(), input)
    }

    /// What came otherwise than expected.
    fn misses(&self, plan: &Plan) -> Misses {
        let expect = &self.form.expect;
        let mut misses = Misses {
            at: pointer(&self.at, "expect"),
            reason: self.reason(plan),
            found: Vec::new(),
            differences: Vec::new(),
        };
        if let Some(situation) = expect.situation.filter(|situation| *situation != plan.situation) {
            misses.add(
                "/situation",
                format!("expected the situation `{situation}`, found `{}`", plan.situation),
            );
            misses.differ(
                "situation",
                Some(situation.to_string()),
                Some(plan.situation.to_string()),
            );
        }
        if expect.nothing && !plan.is_quiet() {
            misses.add(
                "/nothing",
                format!("expected nothing to be done, found {}", self.done(plan)),
            );
            misses.differ("done", None, Some(self.done(plan)));
        }
        if !expect.sides.is_empty() {
            for side in [Side::Left, Side::Right] {
                self.check_writes(side, plan, &mut misses);
            }
        }
        self.check_conflict(plan, &mut misses);
        self.check_failure(plan, &mut misses);
        let says_something = expect.nothing
            || expect.situation.is_some()
            || expect.conflict.is_some()
            || expect.failure.is_some()
            || !expect.sides.is_empty();
        if !says_something {
            misses.add("", "the case expects nothing in particular".to_owned());
        }
        misses
    }

    fn check_writes(&self, side: Side, plan: &Plan, misses: &mut Misses) {
        let system = self.system(side);
        let place = pointer("", system);
        let wanted = self.form.expect.sides.get(system).cloned().map(Value::from);
        let wanted = wanted.as_ref().and_then(Value::as_map).map(leaves).unwrap_or_default();
        let written = plan.writes.iter().find(|write| write.to == side);
        let written = written.map(|write| leaves(&write.fields)).unwrap_or_default();
        let names: BTreeSet<&String> = wanted.keys().chain(written.keys()).collect();
        for name in names {
            let (wanted, written) = (wanted.get(name), written.get(name));
            if wanted.is_none_or(|wanted| written.is_none_or(|written| !self.is_same(side, name, wanted, written))) {
                misses.differ(&format!("{system}.{name}"), wanted.map(print), written.map(print));
            }
            match (wanted, written) {
                (Some(wanted), Some(written)) if self.is_same(side, name, wanted, written) => {}
                (Some(wanted), Some(written)) => {
                    let message = format!(
                        "expected `{name}` to become {}, found {}",
                        print(wanted),
                        print(written)
                    );
                    misses.add(&pointer(&place, name), message);
                }
                (Some(wanted), None) => {
                    let message = format!("expected `{name}` to become {}, found it not written", print(wanted));
                    misses.add(&pointer(&place, name), message);
                }
                (None, Some(written)) => {
                    let message = format!("expected nothing for `{name}` of `{system}`, found {}", print(written));
                    misses.add(&place, message);
                }
                (None, None) => {}
            }
        }
    }

    fn is_same(&self, side: Side, name: &str, wanted: &Value, written: &Value) -> bool {
        let field = self.mapping.fields.iter().find(|field| {
            let path = field.paths.get(side).as_ref();
            path.is_some_and(|path| path.to_string() == name)
        });
        if let Some(Convert::Lines(lines)) = field.map(|field| &field.convert) {
            return compare::equal(&lines.typed(side, wanted), written, Kind::Any, Compare::Exact);
        }
        // Values of a table keep their own kind; everything else is in the pair's.
        let kind = field
            .filter(|field| field.is_copied())
            .map_or(Kind::Any, |field| field.kind);
        let wanted = kind.read(wanted, &Spelling::default());
        wanted.is_ok_and(|wanted| compare::equal(&wanted, written, kind, Compare::Exact))
    }

    fn check_conflict(&self, plan: &Plan, misses: &mut Misses) {
        let Some(wanted) = &self.form.expect.conflict else {
            return;
        };
        let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
        let found: BTreeSet<&str> = plan
            .conflicts()
            .filter_map(|decision| self.mapping.fields.get(decision.field))
            .map(|field| field.name.as_str())
            .collect();
        if wanted != found {
            misses.add(
                "/conflict",
                format!("expected a conflict in {}, found {}", names(&wanted), names(&found)),
            );
            misses.differ("conflict", Some(names(&wanted)), Some(names(&found)));
        }
    }

    fn check_failure(&self, plan: &Plan, misses: &mut Misses) {
        let told = |wanted: &str| plan.faults.iter().any(|fault| fault.message.contains(wanted));
        match &self.form.expect.failure {
            Some(wanted) if told(wanted) => {}
            Some(wanted) => {
                let message = format!("expected a failure that tells `{wanted}`, found {}", self.done(plan));
                misses.add("/failure", message);
                misses.differ("failure", Some(wanted.clone()), Some(self.done(plan)));
            }
            None => {
                let is_expected = |class| class == FailureClass::Conflict && self.form.expect.conflict.is_some();
                let surprises = plan.faults.iter().filter(|fault| !is_expected(fault.class));
                for fault in surprises {
                    misses.add("", format!("expected no failure, found: {}", fault.message));
                    misses.differ("failure", None, Some(fault.message.clone()));
                }
            }
        }
    }

    /// What the plan does, in a few words.
    fn done(&self, plan: &Plan) -> String {
        let writes = plan.writes.iter().map(|write| {
            let fields: Vec<String> = leaves(&write.fields)
                .iter()
                .map(|(name, value)| format!("`{name}` = {}", print(value)))
                .collect();
            format!("{} in {}: {}", write.kind, self.system(write.to), fields.join(", "))
        });
        let faults = plan.faults.iter().map(|fault| format!("a failure: {}", fault.message));
        let awaited = plan.awaited.iter().map(|_| plan.reason.clone());
        let done: Vec<String> = writes.chain(faults).chain(awaited).collect();
        if done.is_empty() {
            "nothing done".to_owned()
        } else {
            done.join("; ")
        }
    }

    /// Why the planner did what it did.
    fn reason(&self, plan: &Plan) -> String {
        let mut reasons = vec![format!("{}: {}", plan.situation, plan.reason)];
        for decision in plan.drifted() {
            let name = self.mapping.fields.get(decision.field).map_or("?", |field| &field.name);
            reasons.push(format!("`{name}`: {}", decision.reason.describe(self.mapping)));
        }
        reasons.join("; ")
    }
}

/// What came otherwise than expected in one case, each with the planner's reasons.
struct Misses {
    at: String,
    reason: String,
    found: Vec<Problem>,
    differences: Vec<Difference>,
}

impl Misses {
    fn differ(&mut self, what: &str, expected: Option<String>, found: Option<String>) {
        self.differences.push(Difference {
            what: what.to_owned(),
            expected,
            found,
        });
    }

    fn add(&mut self, place: &str, message: String) {
        let place = format!("{}{place}", self.at);
        self.found
            .push(Problem::error("TS005", place, message).with_hint(format!("the planner says: {}", self.reason)));
    }
}

/// The plain values of a structure by their paths (`address.city`).
fn leaves(map: &Map) -> BTreeMap<String, Value> {
    fn walk(prefix: &str, map: &Map, leaves: &mut BTreeMap<String, Value>) {
        for (name, value) in map {
            let name = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}.{name}")
            };
            match value {
                Value::Map(inner) if !inner.is_empty() => walk(&name, inner, leaves),
                other => drop(leaves.insert(name, other.clone())),
            }
        }
    }
    let mut leaves = BTreeMap::new();
    walk("", map, &mut leaves);
    leaves
}

fn print(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn names(names: &BTreeSet<&str>) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests;
