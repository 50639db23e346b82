//! Records of other objects that belong to a record.

use super::Compiler;
use crate::core::{
    connector::{
        Connector, List,
        form::{ConnectorForm, ListForm, ObjectForm, PartForm},
        part::Part,
    },
    path::Path,
    problem::{Problem, nearest, pointer},
};

impl Compiler<'_> {
    /// A listing of the records that belong to some records of another object.
    pub(super) fn of_parents(&mut self, form: &ListForm, place: &str) -> List {
        let list = self.listing(form, place, &["settings", "ids", "page"]);
        if !list.request.uses("ids") {
            let hint = "use `{{ ids }}` in its query or body";
            self.error("CN032", place, "the request does not say whose records are meant", hint);
        }
        list
    }

    pub(super) fn parts(&mut self, form: &ObjectForm, place: &str) -> Vec<Part> {
        if self.engine.is_some() && !form.parts.is_empty() {
            let hint = "give the database a view that has both in one row";
            self.error("CN032", place, "a database has no `parts:`", hint);
        }
        let parts = form.parts.iter();
        parts
            .map(|(name, part)| self.part(name, part, form, &pointer(place, name)))
            .collect()
    }

    fn part(&mut self, name: &str, form: &PartForm, object: &ObjectForm, place: &str) -> Part {
        self.name(name, place, "part");
        let path = Path::of_key(name);
        let is_field = |field: &String| Path::parse(field).is_ok_and(|field| field == path);
        if object.fields.keys().any(is_field) {
            let message = format!("`{name}` is a field of the object already");
            self.error("CN032", place, &message, "call one of them otherwise");
        }
        let parent = self.path(&form.parent, &pointer(place, "parent"));
        if parent.is_whole() {
            self.error(
                "CN002",
                &pointer(place, "parent"),
                "the parent's id is not a whole record",
                "name the member that holds it",
            );
        }
        let needs = form.needs.as_ref();
        Part {
            name: name.to_owned(),
            path,
            object: form.object.clone(),
            parent,
            needs: needs.map(|needs| self.path(needs, &pointer(place, "needs"))),
        }
    }

    /// What only shows once all objects are known.
    pub(super) fn check_parts(&mut self, form: &ConnectorForm, connector: &Connector) {
        for (name, object) in &connector.objects {
            let place = pointer(&pointer("/objects", name), "parts");
            for part in &object.parts {
                let place = pointer(&place, &part.name);
                if let Some(problem) = unfit(part, form, connector, &place) {
                    self.problems.push(problem);
                }
            }
        }
    }
}

/// What keeps a part from being read.
fn unfit(part: &Part, form: &ConnectorForm, connector: &Connector, place: &str) -> Option<Problem> {
    let wrong = |key: &str, message: String| Problem::error("CN032", pointer(place, key), message);
    let Some(object) = connector.objects.get(&part.object) else {
        let problem = wrong("object", format!("there is no object `{}`", part.object));
        return Some(match nearest(&part.object, form.objects.keys().map(String::as_str)) {
            Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
            None => problem,
        });
    };
    if object.of_parents.is_none() {
        let message = format!("`{}` cannot be read by the records it belongs to", part.object);
        let hint = "give that object `of_parents:`, a listing whose request knows `ids`";
        return Some(wrong("object", message).with_hint(hint));
    }
    if !object.parts.is_empty() {
        let message = format!("`{}` has parts of its own, and parts do not have parts", part.object);
        return Some(wrong("object", message));
    }
    for (key, path) in [("parent", Some(&part.parent)), ("needs", part.needs.as_ref())] {
        if let Some(path) = path.filter(|path| object.is_closed && object.field_at(path).is_none()) {
            let near = nearest(&path.to_string(), object.fields.iter().map(|field| field.name.as_str()));
            let problem = wrong(key, format!("`{}` has no field `{path}`", part.object));
            return Some(match near {
                Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
    }
    None
}
