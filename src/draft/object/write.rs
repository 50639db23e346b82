//! The writes of an object: what they carry, and what their answers name.

use serde_json::Value as Json;

use super::{Call, Drawer, guess, listing, name, request};
use crate::core::connector::form::{Method, OperationForm};

impl<'a> Drawer<'_, 'a> {
    pub(super) fn writes(&mut self) {
        let resource = self.resource;
        if let Some(call) = &resource.create {
            let form = self.operation(call, "create");
            let mut form = self.with_body(call, form, "create", "record");
            self.answer_of_create(call, &mut form);
            form.idempotency = call
                .header(&["idempotencykey", "xidempotencykey", "idempotencytoken"])
                .map(|name| format!("header:{name}"));
            self.form.create = Some(form);
        }
        if let Some(call) = &resource.update {
            let form = self.operation(call, "update");
            let what = if call.method == Method::Put {
                "current"
            } else {
                "changes"
            };
            if call.method == Method::Put {
                let place = self.place("update");
                self.draft
                    .remark(place, "a PUT replaces the record: all of it is sent, with the changes");
            }
            let mut form = self.with_body(call, form, "update", what);
            self.version(call, &mut form);
            self.form.update = Some(form);
        }
        if let Some(call) = &resource.delete {
            let mut form = self.operation(call, "delete");
            self.version(call, &mut form);
            self.form.delete = Some(form);
        }
    }

    fn with_body(&mut self, call: &Call<'a>, mut form: OperationForm, key: &str, what: &str) -> OperationForm {
        let value = format!("{{{{ {what} }}}}");
        let wrapper = call
            .sent
            .as_ref()
            .and_then(|sent| listing::unwrapped(self.schemas, sent.schema, &self.resource.collection).1);
        match (&call.sent, wrapper) {
            (Some(sent), _) if sent.is_form => form.form = Some(value.into()),
            (_, Some(path)) => form.body = Some(request::wrapped(&path, value)),
            (Some(_), None) => form.body = Some(value.into()),
            (None, None) => {
                form.body = Some(value.into());
                self.check(
                    key,
                    "what the request carries is not described: the bare record is a guess",
                );
            }
        }
        form
    }

    fn answer_of_create(&mut self, call: &Call<'a>, form: &mut OperationForm) {
        let answer = call
            .answer
            .map(|schema| listing::unwrapped(self.schemas, schema, &self.resource.collection));
        let names = |schema: &'a Json| -> Vec<&'a str> {
            self.schemas
                .look(schema)
                .properties
                .iter()
                .map(|(name, _)| *name)
                .collect()
        };
        match answer {
            Some((schema, path)) if names(schema).contains(&self.form.id.as_str()) => form.record = path,
            Some((schema, path)) => match guess::id(&self.resource.collection, None, &names(schema)) {
                Some(id) => form.id = Some(path.map_or_else(|| id.to_owned(), |path| format!("{path}.{id}"))),
                None if call.answers_with("location") => form.id = Some("header:Location".to_owned()),
                None => self.check(
                    "create",
                    "where the answer names the new record's id is not described (`id:`)",
                ),
            },
            None if call.answers_with("location") => form.id = Some("header:Location".to_owned()),
            None => self.check(
                "create",
                "where the answer names the new record's id is not described (`id:`)",
            ),
        }
    }

    /// The version that goes along with a write, where the system asks for it.
    fn version(&mut self, call: &Call<'a>, form: &mut OperationForm) {
        let Some(header) = call.header(&["ifmatch"]) else {
            return;
        };
        if self.form.version.is_none() {
            let known = self.top().into_iter().find(|name| {
                ["etag", "version", "rowversion", "lockversion", "revision"].contains(&name::folded(name).as_str())
            });
            self.form.version = Some(known.map_or_else(|| "header:ETag".to_owned(), str::to_owned));
        }
        form.if_match = Some(header.to_owned());
    }
}
