//! What the system holds, and how it is read and written.

use std::collections::BTreeSet;

use super::Compiler;
use crate::core::{
    connector::{
        Batch, Field, Find, List, Moment, Object, Operation, Source,
        answer::Purpose,
        form::{BatchForm, FieldForm, FindForm, ListForm, ObjectForm, OperationForm},
        page::Paging,
    },
    path::Path,
    period::Period,
    problem::{nearest, pointer},
};

/// How far an incremental read goes back where nothing is said.
const OVERLAP_DEFAULT: Period = Period::from_secs(120);
/// The most records in one request.
const BATCH_SIZE_MAX: u32 = 10_000;

impl Compiler<'_> {
    pub(super) fn object(&mut self, name: &str, form: &ObjectForm) -> Object {
        let place = pointer("/objects", name);
        self.name(name, &place, "object");
        let at = |key: &str| pointer(&place, key);
        let form = &*self.object_form(name, form, &place);
        let fields = self.fields(form, &at("fields"));
        let version = form
            .version
            .as_ref()
            .map(|version| self.source(version, &at("version")));
        let object = Object {
            name: name.to_owned(),
            title: form.title.clone(),
            id: self.paths(&form.id, &at("id")),
            updated_at: self.updated_at(form.updated_at.as_deref(), &at("updated_at")),
            version,
            is_closed: form.closed,
            wholes: fields
                .iter()
                .filter(|field| form.fields.get(&field.name).is_some_and(|form| form.whole))
                .map(|field| field.path.clone())
                .collect(),
            list: form.list.as_ref().map(|list| self.list(list, &at("list"))),
            changed: form.changed.as_ref().map(|list| self.list(list, &at("changed"))),
            of_parents: form
                .of_parents
                .as_ref()
                .map(|list| self.of_parents(list, &at("of_parents"))),
            parts: self.parts(form, &at("parts")),
            find: form
                .find
                .as_ref()
                .map(|find| self.find(find, form, &fields, &at("find"))),
            get: form
                .get
                .as_ref()
                .map(|get| self.operation(get, Purpose::Get, form, &at("get"))),
            create: form
                .create
                .as_ref()
                .map(|create| self.operation(create, Purpose::Create, form, &at("create"))),
            update: form
                .update
                .as_ref()
                .map(|update| self.operation(update, Purpose::Update, form, &at("update"))),
            delete: form
                .delete
                .as_ref()
                .map(|delete| self.operation(delete, Purpose::Delete, form, &at("delete"))),
            batch_create: form
                .batch
                .create
                .as_ref()
                .map(|batch| self.batch(batch, &pointer(&at("batch"), "create"))),
            batch_update: form
                .batch
                .update
                .as_ref()
                .map(|batch| self.batch(batch, &pointer(&at("batch"), "update"))),
            fields,
        };
        self.check_object(&object, &place);
        object
    }

    fn updated_at(&mut self, text: Option<&str>, place: &str) -> Moment {
        match text {
            None => Moment::Paths(Vec::new()),
            Some(text) if text.contains("{{") => Moment::Template(self.template(text, place, &["raw"])),
            Some(paths) => Moment::Paths(self.paths(paths, place)),
        }
    }

    fn check_object(&mut self, object: &Object, place: &str) {
        if object.id.iter().any(Path::is_whole) {
            self.error(
                "CN002",
                &pointer(place, "id"),
                "the id is not a whole record",
                "name the member that holds it",
            );
        }
        let is_read =
            object.list.is_some() || object.get.is_some() || object.find.is_some() || object.of_parents.is_some();
        if !is_read {
            let hint = "add `list:` (reconciliation needs it) and `get:`";
            self.error(
                "CN013",
                place,
                &format!("object `{}` cannot be read", object.name),
                hint,
            );
        }
        let is_changed_bounded = object
            .changed
            .as_ref()
            .is_none_or(|changed| changed.request.uses("since"));
        if !is_changed_bounded {
            self.error(
                "CN014",
                &pointer(place, "changed"),
                "`changed` does not use `since`, so it reads everything",
                "use `{{ since }}` in its query or body",
            );
        }
    }

    fn fields(&mut self, form: &ObjectForm, place: &str) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::with_capacity(form.fields.len());
        for (name, field) in &form.fields {
            let field = self.field(name, field, &pointer(place, name));
            if fields.iter().any(|other| other.path == field.path) {
                self.error(
                    "CN008",
                    &pointer(place, name),
                    &format!("field `{name}` is described twice"),
                    "keep one of them",
                );
            }
            fields.push(field);
        }
        fields
    }

    fn field(&mut self, name: &str, form: &FieldForm, place: &str) -> Field {
        let path = self.path(name, place);
        if path.is_whole() {
            self.error("CN002", place, "a field is not a whole record", "name a member");
        }
        let kind = form.kind.as_ref().map(|kind| self.kind(kind, place));
        let kind = kind.unwrap_or_default();
        Field {
            name: name.to_owned(),
            path,
            kind,
            access: form.access,
            is_sensitive: form.sensitive,
            wrapper: self.wrapper(form.read.as_deref(), form.write.as_ref(), place, kind),
        }
    }

    /// A path, or `header:Name`.
    pub(super) fn source(&mut self, text: &str, place: &str) -> Source {
        match text.strip_prefix("header:").map(str::trim) {
            Some(name) => {
                self.header_name(name, place);
                Source::Header(name.to_ascii_lowercase())
            }
            None => Source::Path(self.path(text, place)),
        }
    }

    fn list(&mut self, form: &ListForm, place: &str) -> List {
        self.listing(form, place, &["settings", "since", "page"])
    }

    /// A listing whose request knows these names.
    pub(super) fn listing(&mut self, form: &ListForm, place: &str, names: &[&str]) -> List {
        let request = self.request(&form.request(), place, names);
        let (paging, page_size) = match &form.page {
            Some(page) => self.paging(page, &pointer(place, "page"), &request),
            None => (Paging::SINGLE, None),
        };
        let since_form = form.since_format.as_ref().and_then(|format| {
            let parsed = format.parse();
            parsed
                .map_err(|error: crate::core::value::spelling::ParseError| {
                    self.error("CN011", &pointer(place, "since_format"), &error.to_string(), "");
                })
                .ok()
        });
        List {
            request,
            records: self.path_or_whole(form.records.as_ref(), &pointer(place, "records")),
            record: self.path_or_whole(form.record.as_ref(), &pointer(place, "record")),
            may_lack_records: form.empty,
            paging,
            page_size,
            overlap: form.overlap.unwrap_or(OVERLAP_DEFAULT).duration(),
            reaches: form.reaches,
            since_form,
        }
    }

    fn find(&mut self, form: &FindForm, object: &ObjectForm, known: &[Field], place: &str) -> Find {
        if form.fields.is_empty() {
            self.error(
                "CN015",
                &pointer(place, "fields"),
                "no field to search for is named",
                "",
            );
        }
        let ids: BTreeSet<&str> = object.id.split(',').map(str::trim).collect();
        for (index, name) in form.fields.iter().enumerate() {
            let is_known = known.iter().any(|field| field.name == *name) || ids.contains(name.as_str());
            if object.closed && !is_known {
                let near = nearest(name, known.iter().map(|field| field.name.as_str()));
                let hint = near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
                let place = pointer(&pointer(place, "fields"), index);
                self.error("CN015", &place, &format!("the object has no field `{name}`"), &hint);
            }
        }
        let request = self.request(&form.request(), place, &["settings", "field", "value"]);
        if !request.uses("value") {
            let hint = "use `{{ value }}` in its query or body";
            self.error(
                "CN015",
                place,
                "the request does not say which value is searched for",
                hint,
            );
        }
        Find {
            request,
            fields: form.fields.clone(),
            records: self.path_or_whole(form.records.as_ref(), &pointer(place, "records")),
            record: self.path_or_whole(form.record.as_ref(), &pointer(place, "record")),
            may_lack_records: form.empty,
        }
    }

    fn operation(&mut self, form: &OperationForm, purpose: Purpose, object: &ObjectForm, place: &str) -> Operation {
        let names: &[&str] = match purpose {
            Purpose::Get => &["settings", "id", "ids"],
            Purpose::Create => &["settings", "record", "key"],
            Purpose::Update => &[
                "settings", "id", "ids", "version", "key", "changes", "record", "current",
            ],
            _ => &["settings", "id", "ids", "version", "key"],
        };
        let request = self.request(&form.request(), place, names);
        if purpose != Purpose::Create && !request.uses("id") && !request.uses("ids") {
            let hint = "use `{{ id }}` in its path, query or body";
            self.error("CN017", place, "the request does not say which record is meant", hint);
        }
        let idempotency = form.idempotency.as_ref();
        let idempotency = idempotency.and_then(|text| self.single_place(text, &pointer(place, "idempotency")));
        if let Some(name) = &form.if_match {
            self.header_name(
                name.strip_prefix("header:").unwrap_or(name),
                &pointer(place, "if_match"),
            );
            if object.version.is_none() {
                let hint = "say under the object's `version:` where a record's version is";
                self.error("CN023", &pointer(place, "if_match"), "`if_match` needs a version", hint);
            }
        }
        Operation {
            record: self.path_or_whole(form.record.as_ref(), &pointer(place, "record")),
            id: form.id.as_ref().map(|id| self.source(id, &pointer(place, "id"))),
            idempotency,
            if_match: form
                .if_match
                .as_ref()
                .map(|name| name.strip_prefix("header:").unwrap_or(name).to_owned()),
            is_upsert: form.upsert_by.is_some(),
            repeatable: form.repeatable,
            request,
        }
    }

    fn batch(&mut self, form: &BatchForm, place: &str) -> Batch {
        const RESULT: [&str; 2] = ["settings", "result"];
        if !(1..=BATCH_SIZE_MAX).contains(&form.size) {
            let message = format!("a batch of {} records", form.size);
            self.error(
                "CN021",
                &pointer(place, "size"),
                &message,
                "a batch has 1 to 10,000 records",
            );
        }
        let request = self.request(&form.request(), place, &["settings", "records"]);
        if !request.uses("records") {
            self.error(
                "CN021",
                place,
                "the request does not carry the records",
                "use `{{ records }}` in its body",
            );
        }
        let at = |key: &str| pointer(place, key);
        let mut optional =
            |text: &Option<String>, key: &str| text.as_ref().map(|text| self.template(text, &at(key), &RESULT));
        let (index, id, message) = (
            optional(&form.index, "index"),
            optional(&form.id, "id"),
            optional(&form.message, "message"),
        );
        Batch {
            request,
            item: form
                .item
                .as_ref()
                .map(|item| self.structure(item, &at("item"), &["settings", "item"])),
            size: usize::try_from(form.size).unwrap_or(usize::MAX),
            results: self.path(&form.results, &at("results")),
            ok: self.condition(&form.ok, &at("ok"), &RESULT),
            index,
            id,
            message,
            repeatable: form.repeatable,
        }
    }
}
