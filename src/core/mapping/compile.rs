//! From a mapping as written to a checked one.

use std::collections::BTreeMap;

use chrono::NaiveTime;
use serde_json::{Map as JsonMap, Value as Json};

use super::{
    Actions, Breaker, Choice, Convert, Empty, End, Field, Filtered, Flow, Guard, Mapping, Missing, Policy, Reconcile,
    Rule, Unmapped, WrongSide,
    form::{EmptyForm, MappingForm, PairForm, ReconcileForm, RuleForm, SituationAction, SituationsForm, WrongSideForm},
    known::{self, Known},
    law,
};
use crate::core::{
    connector::form::Access,
    expr::{Expr, Names, Template},
    path::Path,
    period::{Period, Share},
    problem::{Focus, Problem, Problems, nearest, pointer},
    status::{Side, Sides},
    value::{Value, compare::Compare, kind::Kind},
};

const PAIR_KEYS: &[&str] = &[
    "from",
    "direction",
    "type",
    "values",
    "on_unmapped",
    "wins",
    "conflict",
    "empty",
    "compare",
    "sensitive",
    "link",
    "create_only",
];

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
        let filters = compiler.filters();
        let create = compiler.create(&fields);
        let poll = compiler.poll();
        let actions = compiler.actions(&form.situations);
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
            fields,
            filters,
            prefer: prefer.unwrap_or(Side::Left),
            create,
            actions,
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

    fn side(&self, system: &str) -> Option<Side> {
        [Side::Left, Side::Right]
            .into_iter()
            .find(|side| self.system(*side) == system)
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
        let side = self.side(name);
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
            let Some(side) = self.side(system) else {
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

    fn rules(&mut self) -> Vec<Rule> {
        let rules: Vec<RuleForm> = self.form.rules.clone();
        rules
            .iter()
            .enumerate()
            .filter_map(|(index, rule)| self.rule(index, rule))
            .collect()
    }

    fn rule(&mut self, index: usize, form: &RuleForm) -> Option<Rule> {
        let place = format!("/match/{index}");
        let paths = self.paths(&form.sides, &place, &["compare"]);
        let (Some(left), Some(right)) = (paths.left, paths.right) else {
            if form.sides.keys().all(|key| self.side(key).is_some()) {
                self.problems
                    .error("MP010", place, "a match rule names one field of each system");
            }
            return None;
        };
        let left_kind = self.field_kind(Side::Left, &left, &place);
        let right_kind = self.field_kind(Side::Right, &right, &place);
        let kind = if left_kind == Kind::Any { right_kind } else { left_kind };
        let compare = form.compare.unwrap_or(Compare::Exact);
        Some(Rule {
            paths: Sides { left, right },
            kind,
            compare,
        })
    }

    fn declared(&self, side: Side, path: &Path) -> Option<&known::Field> {
        self.known.object(self.ends.get(side))?.fields.get(&path.to_string())
    }

    /// The kind the connector declares for a field, and a problem where the object has no such field.
    fn field_kind(&mut self, side: Side, path: &Path, place: &str) -> Kind {
        let name = path.to_string();
        let Some(object) = self.known.object(self.ends.get(side)) else {
            return Kind::Any;
        };
        if let Some(field) = object.fields.get(&name) {
            return field.kind;
        }
        let near = nearest(&name, object.fields.keys().map(String::as_str));
        let end = self.ends.get(side);
        let problem = match (near, object.closed) {
            (Some(near), true) => Some(Problem::error("MP012", "", "").with_hint(format!("did you mean `{near}`?"))),
            (None, true) => {
                let names: Vec<&str> = object.fields.keys().map(String::as_str).take(20).collect();
                Some(Problem::error("MP012", "", "").with_hint(format!("its fields are: {}", names.join(", "))))
            }
            (Some(near), false) if near.eq_ignore_ascii_case(&name) || near.len() > 3 => {
                Some(Problem::warning("MP013", "", "").with_hint(format!("did you mean `{near}`?")))
            }
            _ => None,
        };
        if let Some(mut problem) = problem {
            problem.pointer = pointer(place, &end.system);
            problem.message = format!(
                "object `{}` of system `{}` declares no field `{name}`",
                end.object, end.system
            );
            self.problems.push(problem);
        }
        Kind::Any
    }

    fn fields(&mut self, direction: Flow, conflict: Policy) -> Vec<Field> {
        let form = self.form;
        if form.fields.is_empty() {
            self.problems
                .error("MP011", "/fields", "a mapping needs at least one field pair");
        }
        let mut fields = Vec::with_capacity(form.fields.len());
        let mut targets: Vec<(Side, Path)> = Vec::new();
        for (index, pair) in form.fields.iter().enumerate() {
            let Some(field) = self.field(index, pair, direction, conflict) else {
                continue;
            };
            for side in [Side::Left, Side::Right] {
                let Some(path) = field.paths.get(side).as_ref().filter(|_| field.flow.reaches(side)) else {
                    continue;
                };
                let overlaps =
                    |(at, other): &(Side, Path)| *at == side && (other.contains(path) || path.contains(other));
                if targets.iter().any(overlaps) {
                    let place = pointer(&format!("/fields/{index}"), self.system(side));
                    self.problems
                        .error("MP014", place, format!("`{path}` is written by two pairs"));
                }
                targets.push((side, path.clone()));
            }
            fields.push(field);
        }
        fields
    }

    fn field(&mut self, index: usize, form: &PairForm, direction: Flow, conflict: Policy) -> Option<Field> {
        let place = format!("/fields/{index}");
        let paths = self.paths(&form.sides, &place, PAIR_KEYS);
        let kinds = Sides {
            left: paths
                .left
                .as_ref()
                .map_or(Kind::Any, |path| self.field_kind(Side::Left, path, &place)),
            right: paths
                .right
                .as_ref()
                .map_or(Kind::Any, |path| self.field_kind(Side::Right, path, &place)),
        };
        let flow = self.flow(form, &paths, direction, &place)?;
        let kind = self.kind(form, &kinds, &place);
        let convert = self.convert(form, flow, &place)?;
        let conflict = self
            .policy(form.conflict.as_deref(), &pointer(&place, "conflict"))
            .unwrap_or(conflict);
        let wins = form
            .wins
            .as_deref()
            .and_then(|name| self.named(name, &pointer(&place, "wins"), &[]));
        let name = paths.left.as_ref().or(paths.right.as_ref()).map(ToString::to_string)?;
        let sensitive = form.sensitive
            || [Side::Left, Side::Right].into_iter().any(|side| {
                paths
                    .get(side)
                    .as_ref()
                    .and_then(|path| self.declared(side, path))
                    .is_some_and(|field| field.sensitive)
            });
        let field = Field {
            name,
            flow,
            kind,
            kinds,
            compare: form.compare.unwrap_or(Compare::Exact),
            convert,
            wins,
            conflict,
            empty: if form.empty == Some(EmptyForm::Clear) {
                Empty::Clear
            } else {
                Empty::Keep
            },
            sensitive,
            create_only: form.create_only,
            definition: definition(form),
            paths,
        };
        self.check_access(&field, &place);
        for problem in law::check(&field, &place) {
            self.problems.push(problem);
        }
        Some(field)
    }

    fn flow(&mut self, form: &PairForm, paths: &Sides<Option<Path>>, direction: Flow, place: &str) -> Option<Flow> {
        let given = form
            .direction
            .as_deref()
            .map(|text| self.direction(Some(text), &pointer(place, "direction")));
        let computed = form.from.is_some();
        match (&paths.left, &paths.right) {
            (Some(_), Some(_)) if computed => {
                let hint = "name the field that is computed, and use the other system's record in `from:`";
                self.problems
                    .push(Problem::error("MP015", place, "a computed pair names one field only").with_hint(hint));
                None
            }
            (Some(_), Some(_)) => Some(given.unwrap_or(direction)),
            (Some(_), None) | (None, Some(_)) if computed => {
                let target = if paths.left.is_some() { Side::Left } else { Side::Right };
                if given.is_some_and(|given| given != Flow::To(target)) {
                    self.problems.error(
                        "MP016",
                        pointer(place, "direction"),
                        "a computed pair goes towards the field it names",
                    );
                }
                Some(Flow::To(target))
            }
            _ => {
                if form.sides.keys().all(|key| self.side(key).is_some()) {
                    let example = format!(
                        "{{ {}: name, {}: Name }}",
                        self.system(Side::Left),
                        self.system(Side::Right)
                    );
                    self.problems.push(
                        Problem::error(
                            "MP017",
                            place,
                            "a pair names one field of each system, or one field and `from:`",
                        )
                        .with_hint(format!("write `{example}`")),
                    );
                }
                None
            }
        }
    }

    fn kind(&mut self, form: &PairForm, kinds: &Sides<Kind>, place: &str) -> Kind {
        if let Some(text) = &form.kind {
            return text.parse().unwrap_or_else(|_| {
                let names = [
                    "text", "integer", "decimal", "boolean", "date", "datetime", "list", "map", "any",
                ];
                let problem = Problem::error("MP018", pointer(place, "type"), format!("`{text}` is no type"));
                self.problems.push(match nearest(text, names) {
                    Some(name) => problem.with_hint(format!("did you mean `{name}`?")),
                    None => problem.with_hint(format!("types are {}", list(&names))),
                });
                Kind::Any
            });
        }
        if kinds.left == Kind::Any {
            kinds.right
        } else {
            kinds.left
        }
    }

    fn convert(&mut self, form: &PairForm, flow: Flow, place: &str) -> Option<Convert> {
        let given = [
            ("values", !form.values.is_empty()),
            ("from", form.from.is_some()),
            ("link", form.link.is_some()),
        ];
        let given: Vec<&str> = given
            .into_iter()
            .filter(|(_, given)| *given)
            .map(|(name, _)| name)
            .collect();
        if given.len() > 1 {
            self.problems
                .error("MP019", place, format!("a pair has only one of {}", list(&given)));
            return None;
        }
        if let Some(source) = &form.from {
            return self.computed(source, flow, place);
        }
        if let Some(other) = &form.link {
            return self.reference(other, &pointer(place, "link"));
        }
        if form.values.is_empty() {
            if form.on_unmapped.is_some() {
                self.problems
                    .error("MP020", pointer(place, "on_unmapped"), "`on_unmapped` needs `values`");
            }
            return Some(Convert::Copy);
        }
        Some(self.table(form, flow, place))
    }

    fn computed(&mut self, source: &str, flow: Flow, place: &str) -> Option<Convert> {
        let Flow::To(target) = flow else { return None };
        let from = target.other();
        let place = pointer(place, "from");
        let name = self.system(from).to_owned();
        match Template::parse(source, &Names::new([name.as_str()])) {
            Ok(template) => {
                for path in template.paths_of(&name) {
                    self.check_used(from, &path, &place);
                }
                let names = Sides::of(|side| self.system(side).to_owned());
                Some(Convert::From {
                    source: from,
                    template,
                    names,
                })
            }
            Err(error) => {
                self.expression(error, place);
                None
            }
        }
    }

    fn expression(&mut self, error: crate::core::expr::Error, place: String) {
        let problem = Problem::error("MP021", place, error.message).with_range(error.range);
        self.problems.push(match error.hint {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        });
    }

    /// A field that an expression uses: a closed object must have it.
    fn check_used(&mut self, side: Side, path: &Path, place: &str) {
        let Some(object) = self.known.object(self.ends.get(side)) else {
            return;
        };
        let name = path.to_string();
        let fits = |field: &str| {
            field == name || field.starts_with(&format!("{name}.")) || name.starts_with(&format!("{field}."))
        };
        if !object.closed || object.fields.keys().any(|field| fits(field)) {
            return;
        }
        let end = self.ends.get(side);
        let problem = Problem::error(
            "MP012",
            place,
            format!(
                "object `{}` of system `{}` declares no field `{name}`",
                end.object, end.system
            ),
        );
        let problem = match nearest(&name, object.fields.keys().map(String::as_str)) {
            Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
            None => problem,
        };
        self.problems.push(problem);
    }

    fn reference(&mut self, other: &str, place: &str) -> Option<Convert> {
        if !self.known.mappings.is_empty() && !self.known.mappings.contains_key(other) {
            let problem = Problem::error("MP022", place, format!("there is no mapping `{other}`"));
            let near = nearest(other, self.known.mappings.keys().map(String::as_str));
            self.problems.push(match near {
                Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
                None => problem.with_hint("a link names the mapping that couples the records referred to"),
            });
            return None;
        }
        let side = |side: Side| self.known.side_of_system(other, self.system(side));
        match (side(Side::Left), side(Side::Right)) {
            (Some(left), Some(right)) if left != right => Some(Convert::Link {
                mapping: other.to_owned(),
                sides: Sides { left, right },
            }),
            _ if self.known.mappings.is_empty() => Some(Convert::Link {
                mapping: other.to_owned(),
                sides: Sides {
                    left: Side::Left,
                    right: Side::Right,
                },
            }),
            _ => {
                let (left, right) = (self.system(Side::Left), self.system(Side::Right));
                let message = format!("mapping `{other}` is not between `{left}` and `{right}`");
                self.problems.error("MP023", place, message);
                None
            }
        }
    }

    fn table(&mut self, form: &PairForm, flow: Flow, place: &str) -> Convert {
        let place = pointer(place, "values");
        let mut there: BTreeMap<String, Value> = BTreeMap::new();
        let mut back: BTreeMap<String, Value> = BTreeMap::new();
        for (left, right) in &form.values {
            let right_value = Value::from(right.clone());
            if matches!(right_value, Value::List(_) | Value::Map(_) | Value::Null) {
                self.problems
                    .error("MP024", pointer(&place, left), "a value corresponds to one plain value");
                continue;
            }
            let key = right_value.to_text().unwrap_or_default();
            if let Some(first) = back.get(&key).filter(|_| flow.reaches(Side::Left)) {
                let message = format!(
                    "`{left}` comes back as `{}`: both become `{key}`",
                    first.to_text().unwrap_or_default()
                );
                let hint = format!(
                    "give each value its own partner, or let the pair go one way by `direction: \"{} -> {}\"`",
                    self.system(Side::Left),
                    self.system(Side::Right)
                );
                self.problems
                    .push(Problem::error("MP025", pointer(&place, left), message).with_hint(hint));
            }
            there.insert(left.clone(), right_value);
            back.entry(key).or_insert_with(|| Value::Text(left.clone()));
        }
        let unmapped = self.unmapped(form.on_unmapped.as_ref(), &place);
        Convert::Values {
            tables: Sides {
                left: there,
                right: back,
            },
            unmapped,
        }
    }

    fn unmapped(&mut self, form: Option<&Json>, place: &str) -> Unmapped {
        match form {
            None => Unmapped::Error,
            Some(Json::String(word)) if word == "error" => Unmapped::Error,
            Some(Json::String(word)) if word == "keep" => Unmapped::Keep,
            Some(Json::String(word)) if word == "skip" => Unmapped::Skip,
            Some(Json::Object(map)) if map.len() == 1 && map.contains_key("default") => {
                Unmapped::Default(map.get("default").cloned().map_or(Value::Null, Value::from))
            }
            Some(_) => {
                let place = place.trim_end_matches("/values").to_owned();
                self.problems.push(
                    Problem::error(
                        "MP026",
                        pointer(&place, "on_unmapped"),
                        "unknown way to treat unmapped values",
                    )
                    .with_hint("write `error`, `keep`, `skip` or `{ default: … }`"),
                );
                Unmapped::Error
            }
        }
    }

    fn check_access(&mut self, field: &Field, place: &str) {
        for side in [Side::Left, Side::Right] {
            let Some(path) = field.paths.get(side).as_ref().filter(|_| field.flow.reaches(side)) else {
                continue;
            };
            let access = self
                .declared(side, path)
                .map_or(Access::ReadWrite, |declared| declared.access);
            let other = self.system(side.other()).to_owned();
            let system = self.system(side).to_owned();
            let place = pointer(place, &system);
            match access {
                Access::ReadOnly => self.problems.push(
                    Problem::error("MP027", place, format!("`{path}` cannot be written in `{system}`"))
                        .with_hint(format!("let it go one way: `direction: \"{system} -> {other}\"`")),
                ),
                Access::CreateOnly if !field.create_only => self.problems.push(
                    Problem::error(
                        "MP028",
                        place,
                        format!("`{path}` can be written only with a new record of `{system}`"),
                    )
                    .with_hint("add `create_only: true`"),
                ),
                _ => {}
            }
        }
    }

    fn filters(&mut self) -> Sides<Option<Expr>> {
        let form = self.form;
        let mut filters = Sides {
            left: None,
            right: None,
        };
        for (system, text) in &form.filter {
            let place = pointer("/filter", system);
            let Some(side) = self.named_by_key(system, &place) else {
                continue;
            };
            let Json::String(text) = text else {
                self.problems.error(
                    "MP029",
                    place,
                    "a filter is an expression, as in `\"{{ erp.kind == 'customer' }}\"`",
                );
                continue;
            };
            let inner = text
                .trim()
                .strip_prefix("{{")
                .and_then(|text| text.strip_suffix("}}"))
                .unwrap_or(text);
            match Expr::parse(inner, &Names::new([system.as_str()])) {
                Ok(expr) => {
                    for path in expr.paths_of(system) {
                        self.check_used(side, &path, &place);
                    }
                    *filters.get_mut(side) = Some(expr);
                }
                Err(error) => self.expression(error, place),
            }
        }
        filters
    }

    fn create(&mut self, fields: &[Field]) -> Sides<bool> {
        let form = self.form;
        let mut create = Sides {
            left: false,
            right: false,
        };
        for (system, answer) in &form.create {
            let place = pointer("/create", system);
            let Some(side) = self.named_by_key(system, &place) else {
                continue;
            };
            let wanted = match answer {
                Json::Bool(wanted) => *wanted,
                Json::String(word) if word == "yes" => true,
                Json::String(word) if word == "no" => false,
                _ => {
                    self.problems.error("MP030", place, "say `yes` or `no`");
                    continue;
                }
            };
            if wanted && !fields.iter().any(|field| field.flow.reaches(side)) {
                self.problems.error(
                    "MP031",
                    place.clone(),
                    format!("no field goes to `{system}`, so nothing can be created there"),
                );
            }
            let can = self
                .known
                .object(self.ends.get(side))
                .is_none_or(|object| object.can.create);
            if wanted && !can {
                let end = self.ends.get(side);
                let message = format!("the connector cannot create `{}` in `{}`", end.object, end.system);
                self.problems
                    .push(Problem::error("MP032", place, message).with_hint("give the object a `create:` operation"));
            }
            *create.get_mut(side) = wanted;
        }
        create
    }

    fn poll(&mut self) -> Sides<Option<Period>> {
        let form = self.form;
        let mut poll = Sides {
            left: None,
            right: None,
        };
        for (system, period) in &form.poll {
            let place = pointer("/poll", system);
            let Some(side) = self.named_by_key(system, &place) else {
                continue;
            };
            let text = match period {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            };
            match text.parse::<Period>() {
                Ok(period) if period.millis() >= 1_000 => *poll.get_mut(side) = Some(period),
                Ok(_) => self
                    .problems
                    .error("MP033", place.clone(), "a poll less than a second apart is no poll"),
                Err(error) => self.problems.error("MP033", place.clone(), error.to_string()),
            }
            let can = self
                .known
                .object(self.ends.get(side))
                .is_none_or(|object| object.can.changed);
            if !can {
                let end = self.ends.get(side);
                let message = format!("the connector cannot tell which `{}` changed", end.object);
                self.problems.push(
                    Problem::error("MP034", place, message)
                        .with_hint("use `since` in its `list:` request, or give the object a `changed:` listing"),
                );
            }
        }
        poll
    }

    fn actions(&mut self, form: &SituationsForm) -> Actions {
        let mut choice = |given: Option<SituationAction>, act: SituationAction, name: &str| match given {
            None => Choice::Act,
            Some(action) if action == act => Choice::Act,
            Some(SituationAction::Report) => Choice::Report,
            Some(_) => {
                let place = format!("/situations/{name}");
                self.problems
                    .error("MP035", place, format!("`{name}` can be `report` or the default"));
                Choice::Report
            }
        };
        let differs = choice(form.differs, SituationAction::Sync, "differs");
        let unlinked_match = choice(form.unlinked_match, SituationAction::Link, "unlinked_match");
        let absent = choice(form.absent, SituationAction::Create, "absent");
        let missing = match form.missing {
            None | Some(SituationAction::Report) => Missing::Report,
            Some(SituationAction::Recreate | SituationAction::Create) => Missing::Recreate,
            Some(SituationAction::Delete) => Missing::Delete,
            Some(SituationAction::Unlink) => Missing::Unlink,
            Some(_) => {
                let message = "`missing` can be `report`, `recreate`, `delete` or `unlink`";
                self.problems.error("MP035", "/situations/missing", message);
                Missing::Report
            }
        };
        let filtered = match form.filtered {
            None | Some(SituationAction::Report) => Filtered::Report,
            Some(SituationAction::Unlink) => Filtered::Unlink,
            Some(SituationAction::Sync) => Filtered::Sync,
            Some(_) => {
                let message = "`filtered` can be `report`, `sync` or `unlink`";
                self.problems.error("MP035", "/situations/filtered", message);
                Filtered::Report
            }
        };
        Actions {
            differs,
            unlinked_match,
            absent,
            missing,
            filtered,
        }
    }

    fn reconcile(&mut self, form: &ReconcileForm) -> Reconcile {
        let at = form.at.as_deref().and_then(|text| {
            let time = NaiveTime::parse_from_str(text, "%H:%M").ok();
            if time.is_none() {
                let problem = Problem::error("MP036", "/reconcile/at", format!("`{text}` is no time of day"));
                self.problems.push(problem.with_hint("write `HH:MM`, as in `02:00`"));
            }
            time
        });
        let timezone = form.timezone.as_deref().map_or(chrono_tz::UTC, |name| {
            name.parse().unwrap_or_else(|_| {
                let near = nearest(name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
                let problem = Problem::error("MP037", "/reconcile/timezone", format!("unknown time zone `{name}`"));
                self.problems.push(match near {
                    Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
                    None => problem.with_hint("use an IANA name, as in `America/Sao_Paulo`"),
                });
                chrono_tz::UTC
            })
        });
        let guard = Guard {
            delete: form.limits.delete,
            change: form.limits.change.unwrap_or(Share::Percent(25_000)),
            create: form.limits.create,
        };
        Reconcile {
            at,
            timezone,
            repair: form.repair.unwrap_or(true),
            guard,
        }
    }

    /// What the mapping asks of the connectors.
    fn operations(&mut self, fields: &[Field]) {
        for side in [Side::Left, Side::Right] {
            let end = self.ends.get(side);
            let Some(object) = self.known.object(end) else { continue };
            let can = object.can;
            let writes = fields.iter().any(|field| field.flow.reaches(side));
            let needs = [
                ("get", can.get, true),
                ("list", can.list, true),
                ("update", can.update, writes),
            ];
            for (name, can, needed) in needs {
                if needed && !can {
                    let message = format!("object `{}` of `{}` has no `{name}:` operation", end.object, end.system);
                    let hint = "the mapping needs it: add it to the connector";
                    self.problems
                        .push(Problem::error("MP038", pointer("/between", &end.system), message).with_hint(hint));
                }
            }
        }
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
