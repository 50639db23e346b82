//! Field pairs: where they lead, what they hold and how they convert.

use super::{
    super::{
        Empty, Field, Flow, Policy,
        form::{EmptyForm, PairForm},
        known, law,
    },
    Compiler, definition,
    lines::List,
    list,
};
use crate::core::{
    connector::form::Access,
    path::Path,
    problem::{Problem, nearest, pointer},
    status::{Side, Sides},
    value::{compare::Compare, kind::Kind},
};

/// The keys of a field pair beside the two systems' names.
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
    "fields",
    "by",
    "others",
];

impl Compiler<'_> {
    pub(super) fn declared(&self, side: Side, path: &Path) -> Option<&known::Field> {
        match self.known.object(self.ends.get(side))?.place(path) {
            known::Place::Field(field) => Some(field),
            _ => None,
        }
    }

    /// The kind the connector declares for a field, and a problem where the object has no such field.
    pub(super) fn field_kind(&mut self, side: Side, path: &Path, place: &str) -> Kind {
        let Some(object) = self.known.object(self.ends.get(side)) else {
            return Kind::Any;
        };
        let end = self.ends.get(side);
        let (name, fields, closed, of) = match object.place(path) {
            known::Place::Field(field) => return field.kind,
            known::Place::Part(_) => return Kind::List,
            known::Place::InPart(part, inner) => (inner, &part.fields, part.closed, &part.object),
            known::Place::Unknown => (path.to_string(), &object.fields, object.closed, &end.object),
        };
        let near = nearest(&name, fields.keys().map(String::as_str));
        let problem = match (near, closed) {
            (Some(near), true) => Some(Problem::error("MP012", "", "").with_hint(format!("did you mean `{near}`?"))),
            (None, true) => {
                let names: Vec<&str> = fields.keys().map(String::as_str).take(20).collect();
                Some(Problem::error("MP012", "", "").with_hint(format!("its fields are: {}", names.join(", "))))
            }
            (Some(near), false) if near.eq_ignore_ascii_case(&name) || near.len() > 3 => {
                Some(Problem::warning("MP013", "", "").with_hint(format!("did you mean `{near}`?")))
            }
            _ => None,
        };
        if let Some(mut problem) = problem {
            problem.pointer = pointer(place, &end.system);
            problem.message = format!("object `{of}` of system `{}` declares no field `{name}`", end.system);
            self.problems.push(problem);
        }
        Kind::Any
    }

    pub(super) fn fields(&mut self, direction: Flow, conflict: Policy) -> Vec<Field> {
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
            self.check_targets(&field, &mut targets, &format!("/fields/{index}"));
            fields.push(field);
        }
        fields
    }

    /// That no two pairs write the same field.
    pub(super) fn check_targets(&mut self, field: &Field, targets: &mut Vec<(Side, Path)>, place: &str) {
        for side in [Side::Left, Side::Right] {
            let Some(path) = field.paths.get(side).as_ref().filter(|_| field.flow.reaches(side)) else {
                continue;
            };
            let overlaps = |(at, other): &(Side, Path)| *at == side && (other.contains(path) || path.contains(other));
            if targets.iter().any(overlaps) {
                let place = pointer(place, self.system(side));
                self.problems
                    .error("MP014", place, format!("`{path}` is written by two pairs"));
            }
            targets.push((side, path.clone()));
        }
    }

    pub(super) fn field(&mut self, index: usize, form: &PairForm, direction: Flow, conflict: Policy) -> Option<Field> {
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
        self.check_list(form, &kinds, &place);
        let flow = self.flow(form, &paths, direction, &place)?;
        let is_sensitive = form.sensitive
            || [Side::Left, Side::Right].into_iter().any(|side| {
                let declared = paths.get(side).as_ref().and_then(|path| self.declared(side, path));
                declared.is_some_and(|field| field.sensitive)
            });
        let (kind, convert) = if form.fields.is_empty() {
            (self.kind(form, &kinds, &place), self.convert(form, flow, &place)?)
        } else {
            let list = List {
                form,
                paths: &paths,
                place: &place,
                flow,
                is_sensitive,
            };
            (Kind::List, self.lines(list)?)
        };
        let conflict = self
            .policy(form.conflict.as_deref(), &pointer(&place, "conflict"))
            .unwrap_or(conflict);
        let wins = form
            .wins
            .as_deref()
            .and_then(|name| self.named(name, &pointer(&place, "wins"), &[]));
        let name = paths.left.as_ref().or(paths.right.as_ref()).map(ToString::to_string)?;
        let mut field = Field {
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
            sensitive: is_sensitive,
            create_only: form.create_only,
            definition: definition(form),
            parts: Sides::of(|side| self.part(side, paths.get(side).as_ref()?)),
            paths,
        };
        // What is personal in one line is so in the list.
        field.sensitive |= field.inner().iter().any(|inner| inner.sensitive);
        self.check_access(&field, &field.paths, &place);
        self.check_parts(&field, &place);
        for problem in law::check(&field, &place) {
            self.problems.push(problem);
        }
        Some(field)
    }

    pub(super) fn flow(
        &mut self,
        form: &PairForm,
        paths: &Sides<Option<Path>>,
        direction: Flow,
        place: &str,
    ) -> Option<Flow> {
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
                if form.sides.keys().all(|key| self.ends.side_of_system(key).is_some()) {
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

    pub(super) fn kind(&mut self, form: &PairForm, kinds: &Sides<Kind>, place: &str) -> Kind {
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

    pub(super) fn expression(&mut self, error: crate::core::expr::Error, place: String) {
        let problem = Problem::error("MP021", place, error.message).with_range(error.range);
        self.problems.push(match error.hint {
            Some(hint) => problem.with_hint(hint),
            None => problem,
        });
    }

    /// A field that an expression uses: a closed object must have it.
    pub(super) fn check_used(&mut self, side: Side, path: &Path, place: &str) {
        let Some(object) = self.known.object(self.ends.get(side)) else {
            return;
        };
        let name = path.to_string();
        let fits = |field: &str| {
            field == name || field.starts_with(&format!("{name}.")) || name.starts_with(&format!("{field}."))
        };
        if !object.closed || object.part_of(path).is_some() || object.fields.keys().any(|field| fits(field)) {
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

    /// Where the part stands that a path leads to or through.
    fn part(&self, side: Side, path: &Path) -> Option<Path> {
        let object = self.known.object(self.ends.get(side))?;
        object.part_of(path).map(|(place, _)| place)
    }

    /// A field in records that belong to the record: what is written there is written after it.
    fn check_parts(&mut self, field: &Field, place: &str) {
        for side in [Side::Left, Side::Right] {
            let Some(path) = field.paths.get(side).as_ref().filter(|_| field.flow.reaches(side)) else {
                continue;
            };
            let known = self.known.object(self.ends.get(side));
            let Some((_, part)) = known.and_then(|known| known.part_of(path)) else {
                continue;
            };
            let system = self.system(side).to_owned();
            if field.create_only {
                let message =
                    format!("`{path}` is in a record that is made after its parent: it cannot be `create_only`");
                self.problems.error("MP060", pointer(place, "create_only"), message);
            }
            let missing = [("create", part.can.create), ("update", part.can.update)];
            let missing = missing.into_iter().find(|(_, can)| !can);
            if let Some((operation, _)) = missing {
                let message = format!(
                    "`{path}` cannot be written: object `{}` has no `{operation}:`",
                    part.object
                );
                let hint = format!("add it to the connector, or let the pair go one way, away from `{system}`");
                self.problems
                    .push(Problem::error("MP060", pointer(place, &system), message).with_hint(hint));
            }
        }
    }

    /// That a field is written only where the connector, which knows it by the path `known`, allows it.
    pub(super) fn check_access(&mut self, field: &Field, known: &Sides<Option<Path>>, place: &str) {
        for side in [Side::Left, Side::Right] {
            let Some(path) = field.paths.get(side).as_ref().filter(|_| field.flow.reaches(side)) else {
                continue;
            };
            let declared = known.get(side).as_ref().and_then(|known| self.declared(side, known));
            let access = declared.map_or(Access::ReadWrite, |declared| declared.access);
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
}
