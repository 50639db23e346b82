//! Lists of lines: the pairs of one line, and what tells lines apart.

use super::{
    super::{
        Convert, Empty, Field, Flow, Policy,
        form::{ByForm, EmptyForm, OthersForm, PairForm},
        law,
        lines::{Lines, Others},
    },
    Compiler, definition,
};
use crate::core::{
    path::{Path, Segment},
    problem::{Problem, pointer},
    status::{Side, Sides},
    value::{compare::Compare, kind::Kind},
};

/// The keys of a pair within lines beside the two systems' names.
const LINE_KEYS: &[&str] = &[
    "type",
    "values",
    "on_unmapped",
    "link",
    "compare",
    "empty",
    "sensitive",
    "create_only",
    "direction",
];

/// A list on its way to its lines.
#[derive(Clone, Copy)]
pub(super) struct List<'a> {
    pub(super) form: &'a PairForm,
    pub(super) paths: &'a Sides<Option<Path>>,
    pub(super) place: &'a str,
    pub(super) flow: Flow,
    pub(super) is_sensitive: bool,
}

impl Compiler<'_> {
    /// Keys that only a pair of lists of lines has, and those that it cannot have.
    pub(super) fn check_list(&mut self, form: &PairForm, kinds: &Sides<Kind>, place: &str) {
        if form.fields.is_empty() {
            for (key, is_there) in [("by", form.by.is_some()), ("others", form.others.is_some())] {
                if is_there {
                    let hint = "say under `fields:` how their lines are mapped";
                    self.stray(place, key, "is for lists of lines", hint);
                }
            }
            return;
        }
        let strays = [
            ("from", form.from.is_some()),
            ("type", form.kind.is_some()),
            ("values", !form.values.is_empty()),
            ("on_unmapped", form.on_unmapped.is_some()),
            ("link", form.link.is_some()),
            ("compare", form.compare.is_some()),
        ];
        for (key, _) in strays.into_iter().filter(|(_, is_there)| *is_there) {
            let hint = "write it at the pairs within `fields:`";
            self.stray(place, key, "says nothing about a list of lines", hint);
        }
        for side in [Side::Left, Side::Right] {
            let kind = *kinds.get(side);
            if !matches!(kind, Kind::Any | Kind::List) {
                let system = self.system(side).to_owned();
                let message = format!("the field of `{system}` is declared as {kind}, and lines are a list");
                self.problems.push(
                    Problem::error("MP051", pointer(place, &system), message)
                        .with_hint("name the list itself, or declare the field as `list` in the connector"),
                );
            }
        }
    }

    /// How the lines of two lists are mapped.
    pub(super) fn lines(&mut self, list: List<'_>) -> Option<Convert> {
        let List { form, place, .. } = list;
        self.check_removal(list);
        let mut fields: Vec<Field> = Vec::with_capacity(form.fields.len());
        let mut targets: Vec<(Side, Path)> = Vec::new();
        for (index, pair) in form.fields.iter().enumerate() {
            let place = pointer(&pointer(place, "fields"), index);
            let Some(mut field) = self.line_field(list, pair, &place) else {
                continue;
            };
            self.check_targets(&field, &mut targets, &place);
            if let Some(right) = &field.paths.right
                && fields.iter().any(|other| other.name == field.name)
            {
                field.name = format!("{} -> {right}", field.name);
            }
            fields.push(field);
        }
        if fields.len() < form.fields.len() {
            return None;
        }
        let by = self.told_apart_by(form, &fields, place)?;
        let lines = Lines {
            fields,
            by,
            others: match form.others {
                Some(OthersForm::Keep) => Others::Keep,
                Some(OthersForm::Remove) | None => Others::Remove,
            },
            systems: Sides::of(|side| self.system(side).to_owned()),
        };
        Some(Convert::Lines(Box::new(lines)))
    }

    /// One pair within lines. Who wins is decided for the list as a whole.
    fn line_field(&mut self, list: List<'_>, form: &PairForm, place: &str) -> Option<Field> {
        let strays = [
            ("from", form.from.is_some(), "map a field of the line"),
            ("wins", form.wins.is_some(), "write it at the list"),
            ("conflict", form.conflict.is_some(), "write it at the list"),
            (
                "fields",
                !form.fields.is_empty(),
                "lines have no lines of their own here",
            ),
            ("by", form.by.is_some(), "lines have no lines of their own here"),
            ("others", form.others.is_some(), "write it at the list"),
            (
                "direction",
                form.direction.is_some() && !form.create_only,
                "lines go the way of their list; `create_only: yes` is for values of new lines alone",
            ),
        ];
        let strays: Vec<_> = strays.into_iter().filter(|(_, is_there, _)| *is_there).collect();
        for (key, _, hint) in &strays {
            self.stray(place, key, "has no meaning within lines", hint);
        }
        let paths = self.paths(&form.sides, place, LINE_KEYS);
        if !strays.is_empty() {
            return None;
        }
        let declared = Sides::of(|side| self.in_part(side, list, paths.get(side).as_ref()?));
        let kinds = Sides::of(|side| {
            let path = declared.get(side).as_ref();
            path.map_or(Kind::Any, |path| self.field_kind(side, path, place))
        });
        let is_sensitive = [Side::Left, Side::Right].into_iter().any(|side| {
            let path = declared.get(side).as_ref();
            path.and_then(|path| self.declared(side, path))
                .is_some_and(|field| field.sensitive)
        });
        let flow = self.flow(form, &paths, list.flow, place)?;
        let kind = self.kind(form, &kinds, place);
        let convert = self.convert(form, flow, place)?;
        let field = Field {
            name: paths.left.as_ref().or(paths.right.as_ref()).map(ToString::to_string)?,
            flow,
            kind,
            kinds,
            compare: form.compare.unwrap_or(Compare::Exact),
            convert,
            wins: None,
            conflict: Policy::Manual,
            empty: if form.empty == Some(EmptyForm::Clear) {
                Empty::Clear
            } else {
                Empty::Keep
            },
            sensitive: form.sensitive || list.is_sensitive || is_sensitive,
            create_only: form.create_only,
            definition: definition(form),
            parts: Sides::default(),
            paths,
        };
        self.check_access(&field, &declared, place);
        for problem in law::check(&field, place) {
            self.problems.push(problem);
        }
        Some(field)
    }

    /// The path by which the connector knows a field of a line, where the lines are records that belong to the record.
    fn in_part(&self, side: Side, list: List<'_>, path: &Path) -> Option<Path> {
        let list = list.paths.get(side).as_ref()?;
        self.known.object(self.ends.get(side))?.part_of(list)?;
        let steps = list.segments().iter().cloned();
        let steps = steps.chain([Segment::Index(0)]).chain(path.segments().iter().cloned());
        Some(Path::of(steps.collect()))
    }

    /// Lines that are records of their own can be removed only where these can be deleted.
    fn check_removal(&mut self, list: List<'_>) {
        if list.form.others == Some(OthersForm::Keep) {
            return;
        }
        for side in [Side::Left, Side::Right] {
            let Some(path) = list.paths.get(side).as_ref().filter(|_| list.flow.reaches(side)) else {
                continue;
            };
            let known = self.known.object(self.ends.get(side));
            let Some((_, part)) = known.and_then(|known| known.part_of(path)) else {
                continue;
            };
            if !part.can.delete {
                let object = &part.object;
                let message = format!("lines of `{path}` cannot be removed: object `{object}` has no `delete:`");
                let place = pointer(list.place, self.system(side));
                self.problems.push(
                    Problem::error("MP060", place, message)
                        .with_hint("add it to the connector, or keep such lines: `others: keep`"),
                );
            }
        }
    }

    /// The places of the pairs that tell lines apart.
    fn told_apart_by(&mut self, form: &PairForm, fields: &[Field], place: &str) -> Option<Vec<usize>> {
        let by = form.by.as_ref().map_or(&[][..], ByForm::all);
        let at = pointer(place, "by");
        let mut places = Vec::with_capacity(by.len());
        for (index, sides) in by.iter().enumerate() {
            let at = if by.len() > 1 { pointer(&at, index) } else { at.clone() };
            let paths = self.paths(sides, &at, &[]);
            let is_it = |field: &Field| {
                [Side::Left, Side::Right].into_iter().all(|side| {
                    let named = paths.get(side).as_ref();
                    named.is_none() || named == field.paths.get(side).as_ref()
                })
            };
            let is_named = paths.left.is_some() || paths.right.is_some();
            let found = fields.iter().position(is_it).filter(|_| is_named);
            let hint = "name the fields of one of the pairs within `fields:`, as they stand there";
            match found.and_then(|place| Some((place, fields.get(place)?))) {
                None => {
                    let message = "no pair within the lines has these fields";
                    self.problems.push(Problem::error("MP052", at, message).with_hint(hint));
                }
                Some((_, field)) if field.create_only => {
                    let message = "what is written with new lines only does not tell lines apart";
                    self.problems.push(Problem::error("MP052", at, message).with_hint(hint));
                }
                Some((place, _)) => places.push(place),
            }
        }
        (places.len() == by.len()).then_some(places)
    }

    fn stray(&mut self, place: &str, key: &str, why: &str, hint: &str) {
        let problem = Problem::error("MP051", pointer(place, key), format!("`{key}` {why}"));
        self.problems.push(problem.with_hint(hint).on_key());
    }
}
