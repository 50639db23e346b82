//! The last step of a draft: it passes the check of every connector. What does not is taken out and said.

use super::{Draft, Error, at};
use crate::core::{
    connector::{
        Connector,
        form::{ConnectorForm, ObjectForm},
    },
    problem::{Problem, Problems, Severity},
};

/// How often something is taken out.
const ROUNDS_MAX: usize = 500;

impl Draft {
    /// Takes out what a connector may not say, each time with a note, until the rest can be used.
    pub fn settle(mut self) -> Result<Self, Error> {
        for _ in 0..ROUNDS_MAX {
            let mut problems = Problems::new();
            let compiled = Connector::compile(&self.form, &mut problems);
            if compiled.is_some() {
                self.notes.retain(|note| is_there(&self.form, &note.place));
                return Ok(self);
            }
            let errors = problems
                .into_vec()
                .into_iter()
                .filter(|problem| problem.severity == Severity::Error);
            let errors: Vec<Problem> = errors.collect();
            let mut has_changed = false;
            for error in &errors {
                has_changed |= self.take_out(error);
            }
            if !has_changed {
                let told = errors.first().map(ToString::to_string);
                return Err(Error::Unsound(told.unwrap_or_default()));
            }
            if self.form.objects.is_empty() {
                let told = errors.first().map_or_else(String::new, |error| format!(" ({error})"));
                return Err(Error::Nothing(told));
            }
        }
        Err(Error::Unsound("too much of it is wrong".to_owned()))
    }

    fn take_out(&mut self, error: &Problem) -> bool {
        let steps: Vec<String> = error.pointer.split('/').skip(1).map(unescaped).collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        match steps.as_slice() {
            ["objects", object, "fields", field, ..] => {
                let form = self.form.objects.get_mut(*object);
                form.is_some_and(|form| form.fields.remove(*field).is_some())
            }
            ["objects", object, key, ..] => {
                let Some(form) = self.form.objects.get_mut(*object) else {
                    return false;
                };
                if without(form, key) {
                    let text = format!("`{key}:` was left out: {}", error.message);
                    self.check(at(object, key), text);
                    return true;
                }
                self.leave_out(object, &error.message)
            }
            ["objects", object] => self.leave_out(object, &error.message),
            ["auth", ..] => {
                self.form.auth = crate::core::connector::form::AuthForm::default();
                self.check("/auth", format!("how to sign in could not be said: {}", error.message));
                true
            }
            ["errors", ..] if !self.form.errors.is_empty() => {
                self.form.errors.clear();
                self.check("/errors", format!("the rules were left out: {}", error.message));
                true
            }
            ["headers", name, ..] => self.form.headers.remove(*name).is_some(),
            ["settings", name, ..] => self.form.settings.remove(*name).is_some(),
            _ => false,
        }
    }

    fn leave_out(&mut self, object: &str, why: &str) -> bool {
        let is_out = self.form.objects.remove(object).is_some();
        if is_out {
            self.check("/objects", format!("`{object}` was left out: {why}"));
        }
        is_out
    }
}

fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// Takes a key out of an object that it can do without.
fn without(form: &mut ObjectForm, key: &str) -> bool {
    match key {
        "updated_at" => form.updated_at.take().is_some(),
        "version" => form.version.take().is_some(),
        "list" => form.list.take().is_some(),
        "changed" => form.changed.take().is_some(),
        "find" => form.find.take().is_some(),
        "get" => form.get.take().is_some(),
        "create" => form.create.take().is_some(),
        "update" => form.update.take().is_some(),
        "delete" => form.delete.take().is_some(),
        _ => false,
    }
}

/// Whether the object that a note is about is still there.
fn is_there(form: &ConnectorForm, place: &str) -> bool {
    let mut steps = place.split('/').skip(1);
    match (steps.next(), steps.next()) {
        (Some("objects"), Some(object)) => form.objects.contains_key(&unescaped(object)),
        _ => true,
    }
}
