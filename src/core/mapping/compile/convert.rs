//! How a pair's value gets from one side to the other: computed, through a table, or through another mapping's links.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{
    super::{Convert, Flow, Unmapped, form::PairForm},
    Compiler, list,
};
use crate::core::{
    expr::{Names, Template},
    problem::{Problem, nearest, pointer},
    status::{Side, Sides},
    value::Value,
};

impl Compiler<'_> {
    pub(super) fn convert(&mut self, form: &PairForm, flow: Flow, place: &str) -> Option<Convert> {
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

    pub(super) fn computed(&mut self, source: &str, flow: Flow, place: &str) -> Option<Convert> {
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

    pub(super) fn reference(&mut self, other: &str, place: &str) -> Option<Convert> {
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

    pub(super) fn table(&mut self, form: &PairForm, flow: Flow, place: &str) -> Convert {
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

    pub(super) fn unmapped(&mut self, form: Option<&Json>, place: &str) -> Unmapped {
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
}
