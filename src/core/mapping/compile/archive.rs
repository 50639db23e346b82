//! What is written to a record that is archived because its partner is gone.

use serde_json::Value as Json;

use super::{
    super::{Actions, Missing},
    Compiler, list,
};
use crate::core::{
    connector::form::Access,
    path::Path,
    problem::{Problem, pointer},
    status::{Side, Sides},
    value::Value,
};

impl Compiler<'_> {
    /// The values by side; none for a side where such a record is only reported.
    pub(super) fn archive(&mut self, actions: Actions) -> Sides<Vec<(Path, Value)>> {
        let form = self.form;
        let mut archive = Sides {
            left: Vec::new(),
            right: Vec::new(),
        };
        for (system, values) in &form.archive {
            let place = pointer("/archive", system);
            let Some(side) = self.named_by_key(system, &place) else {
                continue;
            };
            match values {
                Json::Object(values) if !values.is_empty() => {
                    for (field, value) in values {
                        let value = self.archived(side, field, value, &pointer(&place, field));
                        archive.get_mut(side).extend(value);
                    }
                }
                _ => {
                    let example = "name the fields and their values, as in `archive: { erp: { status: closed } }`";
                    self.problems.error("MP041", place, example);
                }
            }
        }
        if (actions.missing == Missing::Archive) == form.archive.is_empty() {
            let systems = [Side::Left, Side::Right].map(|side| self.system(side));
            let problem = Problem::error(
                "MP042",
                if form.archive.is_empty() {
                    "/situations/missing"
                } else {
                    "/archive"
                },
                "`situations: { missing: archive }` and `archive:` belong together",
            );
            let hint = format!("say what is written to an archived record of {}", list(&systems));
            self.problems.push(problem.with_hint(hint));
        }
        archive
    }

    fn archived(&mut self, side: Side, field: &str, value: &Json, place: &str) -> Option<(Path, Value)> {
        let path = match Path::parse(field) {
            Ok(path) => path,
            Err(error) => {
                let message = format!("`{field}` is no field path: {error}");
                self.problems.error("MP009", place, message);
                return None;
            }
        };
        self.check_used(side, &path, place);
        let access = self.declared(side, &path).map(|declared| declared.access);
        if access.is_some_and(|access| access != Access::ReadWrite) {
            let message = format!("`{path}` cannot be changed in `{}`", self.system(side));
            self.problems.error("MP041", place, message);
        }
        Some((path, Value::from(value.clone())))
    }
}
