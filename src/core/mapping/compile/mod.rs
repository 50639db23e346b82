//! From a mapping as written to a checked one.

mod archive;
mod convert;
mod field;
mod lines;
mod matching;
mod record;

use serde_json::{Map as JsonMap, Value as Json};

use super::{
    Breaker, End, Flow, Mapping, Policy, Walk, WrongSide,
    form::{MappingForm, PairForm, WrongSideForm},
    known::Known,
};
use crate::core::{
    path::Path,
    period::Period,
    problem::{Focus, Problem, Problems, nearest, pointer},
    status::{Side, Sides},
    tenant,
};

impl Mapping {
    /// Checks a mapping against what it refers to. Every problem found is added to `problems`; the mapping is returned
    /// where it has no error.
    pub fn compile(form: &MappingForm, known: &Known, problems: &mut Problems) -> Option<Self> {
        let before = problems.len();
        let ends = ends(form, known, problems)?;
        let mut compiler = Compiler {
            form,
            known,
            ends: &ends,
            problems,
        };
        let direction = compiler.direction(form.direction.as_deref(), "/direction");
        let prefer = compiler.prefer(direction);
        let conflict = compiler
            .policy(form.conflict.as_deref(), "/conflict")
            .unwrap_or(Policy::Manual);
        let rules = compiler.rules();
        let fields = compiler.fields(direction, conflict);
        let suggest = compiler.suggest(&fields);
        let filters = compiler.filters();
        let create = compiler.create(&fields);
        let poll = compiler.poll();
        let actions = compiler.actions(&form.situations);
        let archive = compiler.archive(actions);
        let reconcile = compiler.reconcile(&form.reconcile);
        compiler.operations(&fields);
        let failed = problems.has_errors_since(before);
        let written = serde_json::to_vec(form).unwrap_or_default();
        (!failed).then(|| Self {
            name: form.mapping.clone(),
            title: form.title.clone().unwrap_or_else(|| form.mapping.clone()),
            owner: form.owner.clone(),
            ends,
            rules,
            suggest,
            walks: Sides::of(|side| Walk::to(fields.iter().map(|field| field.paths.get(side).as_ref()))),
            fields,
            filters,
            prefer: prefer.unwrap_or(Side::Left),
            create,
            actions,
            archive,
            wrong_side: match form.wrong_side {
                Some(WrongSideForm::Report) => WrongSide::Report,
                Some(WrongSideForm::Repair) | None => WrongSide::Repair,
            },
            reconcile,
            poll,
            breaker: Breaker {
                writes: form.breaker.writes.unwrap_or(10),
                within: form.breaker.within.unwrap_or(Period::from_secs(300)),
            },
            version: definition_hash(&written),
        })
    }
}

fn ends(form: &MappingForm, known: &Known, problems: &mut Problems) -> Option<Sides<End>> {
    let mut ends = Vec::new();
    for (system, object) in &form.between {
        let Json::String(object) = object else {
            problems.error(
                "MP001",
                pointer("/between", system),
                format!("the object of `{system}` must be a name"),
            );
            continue;
        };
        let end = End {
            system: system.clone(),
            object: object.clone(),
        };
        check_end(&end, known, problems);
        ends.push(end);
    }
    let both: Result<[End; 2], _> = ends.try_into();
    let Ok([left, right]) = both else {
        problems.push(
            Problem::error("MP002", "/between", "a mapping is between two systems")
                .with_hint("write `between: { erp: customer, crm: account }`"),
        );
        return None;
    };
    let tenants = Sides {
        left: known.tenant_of(&left.system),
        right: known.tenant_of(&right.system),
    };
    if let (Err(torn), Some(one), Some(other)) = (
        tenant::of_mapping(tenants.left, tenants.right),
        tenants.left,
        tenants.right,
    ) {
        let (left, right) = (&left.system, &right.system);
        let message = format!("the mapping is nobody's, since {torn}: `{left}` to `{one}`, `{right}` to `{other}`");
        problems.push(
            Problem::error("MP048", "/between", message)
                .with_hint("give both systems the same `tenant` in the configuration, or leave it out of one of them"),
        );
    }
    Some(Sides { left, right })
}

fn check_end(end: &End, known: &Known, problems: &mut Problems) {
    if known.systems.is_empty() {
        return;
    }
    let place = pointer("/between", &end.system);
    let Some(system) = known.systems.get(&end.system) else {
        let names = known.systems.keys().map(String::as_str);
        let problem = Problem::error("MP003", place, format!("unknown system `{}`", end.system)).on_key();
        problems.push(match nearest(&end.system, names) {
            Some(name) => problem.with_hint(format!("did you mean `{name}`?")),
            None => problem.with_hint("systems are declared under `[systems.<name>]` in the configuration"),
        });
        return;
    };
    let Some(objects) = &system.objects else { return };
    if !objects.contains_key(&end.object) {
        let problem = Problem::error(
            "MP004",
            place,
            format!("connector `{}` has no object `{}`", system.connector, end.object),
        );
        problems.push(match nearest(&end.object, objects.keys().map(String::as_str)) {
            Some(name) => problem.with_hint(format!("did you mean `{name}`?")),
            None => problem.with_hint(format!(
                "its objects are: {}",
                objects.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
            )),
        });
    }
}

struct Compiler<'a> {
    form: &'a MappingForm,
    known: &'a Known,
    ends: &'a Sides<End>,
    problems: &'a mut Problems,
}

impl Compiler<'_> {
    fn system(&self, side: Side) -> &str {
        &self.ends.get(side).system
    }

    /// The side that `name` names, or a problem at `place`.
    fn named(&mut self, name: &str, place: &str, others: &[&str]) -> Option<Side> {
        self.named_at(name, place, others, Focus::Value)
    }

    /// The side that the key `name` at `place` names, or a problem.
    fn named_by_key(&mut self, name: &str, place: &str) -> Option<Side> {
        self.named_at(name, place, &[], Focus::Key)
    }

    fn named_at(&mut self, name: &str, place: &str, others: &[&str], focus: Focus) -> Option<Side> {
        let side = self.ends.side_of_system(name);
        if side.is_none() {
            let (left, right) = (self.system(Side::Left), self.system(Side::Right));
            let candidates: Vec<&str> = [left, right].into_iter().chain(others.iter().copied()).collect();
            let problem = Problem::error("MP005", place, format!("`{name}` is none of {}", list(&candidates)));
            let problem = match nearest(name, candidates.iter().copied()) {
                Some(candidate) => problem.with_hint(format!("did you mean `{candidate}`?")),
                None => problem,
            };
            self.problems.push(Problem { focus, ..problem });
        }
        side
    }

    fn direction(&mut self, text: Option<&str>, place: &str) -> Flow {
        let Some(text) = text else { return Flow::Both };
        if text.trim() == "both" {
            return Flow::Both;
        }
        let Some((from, to)) = text.split_once("->") else {
            let example = format!("{} -> {}", self.system(Side::Left), self.system(Side::Right));
            self.problems.push(
                Problem::error("MP006", place, format!("`{text}` is no direction"))
                    .with_hint(format!("write `both` or one way, as in `{example}`")),
            );
            return Flow::Both;
        };
        let from = self.named(from.trim(), place, &[]);
        let to = self.named(to.trim(), place, &[]);
        match (from, to) {
            (Some(from), Some(to)) if from != to => Flow::To(to),
            (Some(_), Some(_)) => {
                self.problems
                    .error("MP006", place, format!("`{text}` leads from a system to itself"));
                Flow::Both
            }
            _ => Flow::Both,
        }
    }

    fn policy(&mut self, text: Option<&str>, place: &str) -> Option<Policy> {
        match text? {
            "newest" => Some(Policy::Newest),
            "manual" => Some(Policy::Manual),
            name => self.named(name, place, &["newest", "manual"]).map(Policy::Side),
        }
    }

    fn prefer(&mut self, direction: Flow) -> Option<Side> {
        if let Some(name) = &self.form.prefer {
            return self.named(name, "/prefer", &[]);
        }
        match direction {
            Flow::To(side) => Some(side.other()),
            Flow::Both => {
                let hint = format!("add `prefer: {}`", self.system(Side::Left));
                self.problems.push(
                    Problem::error(
                        "MP007",
                        "",
                        "fields go both ways, but nothing says who wins at the first match",
                    )
                    .with_hint(hint),
                );
                None
            }
        }
    }

    /// Splits `sides` into the two paths; keys that name no system become problems.
    fn paths(&mut self, sides: &JsonMap<String, Json>, place: &str, keys: &[&str]) -> Sides<Option<Path>> {
        let mut paths = Sides {
            left: None,
            right: None,
        };
        for (system, path) in sides {
            let place = pointer(place, system);
            let Some(side) = self.ends.side_of_system(system) else {
                let systems = [self.system(Side::Left), self.system(Side::Right)];
                let candidates = systems.into_iter().chain(keys.iter().copied());
                let problem = Problem::error("MP008", place, format!("unknown key `{system}`")).on_key();
                let problem = match nearest(system, candidates) {
                    Some(candidate) => problem.with_hint(format!("did you mean `{candidate}`?")),
                    None => problem.with_hint(format!("this mapping is between {}", list(&systems))),
                };
                self.problems.push(problem);
                continue;
            };
            let Json::String(path) = path else {
                self.problems.error("MP009", place, "a field is named by a text");
                continue;
            };
            match Path::parse(path) {
                Ok(path) => *paths.get_mut(side) = Some(path),
                Err(error) => self
                    .problems
                    .error("MP009", place, format!("`{path}` is no field path: {error}")),
            }
        }
        paths
    }
}

/// Fingerprint of a definition as it was written.
fn definition_hash(written: &[u8]) -> u64 {
    let hash = blake3::hash(written);
    hash.as_bytes()
        .iter()
        .take(8)
        .fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// Fingerprint of what makes two definitions of a field the same field.
fn definition(form: &PairForm) -> u64 {
    definition_hash(&serde_json::to_vec(form).unwrap_or_default())
}

fn list(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
