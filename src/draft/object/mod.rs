//! An object of the file, from the calls that a description has for it.

mod paging;
mod request;
mod write;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{
    Draft, at,
    field::{self, Described},
    guess::{self, List},
    listing::{self, Listed},
    name,
    schema::Schemas,
};
use crate::core::connector::form::{FindForm, ListForm, Method, ObjectForm, OperationForm, SpellingForm};

pub(super) use request::{Call, Parameter, Place, Sent};

/// What a description has about one kind of record.
pub(super) struct Resource<'a> {
    /// The object's name in the file.
    pub(super) name: String,
    /// The collection's name, as the description has it.
    pub(super) collection: String,
    /// The parameter that names one record.
    pub(super) key: Option<String>,
    pub(super) list: Option<Call<'a>>,
    pub(super) get: Option<Call<'a>>,
    pub(super) create: Option<Call<'a>>,
    pub(super) update: Option<Call<'a>>,
    pub(super) delete: Option<Call<'a>>,
}

/// Puts a resource into the draft as an object.
pub(super) fn add<'a>(draft: &mut Draft, schemas: &Schemas<'a>, resource: &Resource<'a>) {
    let mut drawer = Drawer {
        draft: &mut *draft,
        schemas,
        resource,
        form: ObjectForm::default(),
        fields: Vec::new(),
    };
    drawer.draw();
    let form = drawer.form;
    draft.form.objects.insert(resource.name.clone(), form);
}

struct Drawer<'d, 'a> {
    draft: &'d mut Draft,
    schemas: &'d Schemas<'a>,
    resource: &'d Resource<'a>,
    form: ObjectForm,
    fields: Vec<Described>,
}

impl<'a> Drawer<'_, 'a> {
    fn draw(&mut self) {
        let resource = self.resource;
        let collection = &resource.collection;
        self.form.title = Some(name::title(collection));
        let listed = resource
            .list
            .as_ref()
            .and_then(|call| listing::read(self.schemas, call.answer?, collection));
        let single = resource
            .get
            .as_ref()
            .and_then(|call| Some(listing::unwrapped(self.schemas, call.answer?, collection)));
        self.read_fields(listed.as_ref(), single.as_ref().map(|(schema, _)| *schema));
        self.id();
        self.times();
        self.list(listed.as_ref());
        self.find();
        self.get(single.as_ref().and_then(|(_, path)| path.clone()));
        self.writes();
    }

    fn place(&self, key: &str) -> String {
        at(&self.resource.name, key)
    }

    fn check(&mut self, key: &str, text: impl Into<String>) {
        let place = self.place(key);
        self.draft.check(place, text);
    }

    fn read_fields(&mut self, listed: Option<&Listed<'a>>, single: Option<&'a Json>) {
        let body = |call: &Option<Call<'a>>| {
            let sent = call.as_ref()?.sent.as_ref()?;
            Some(listing::unwrapped(self.schemas, sent.schema, &self.resource.collection).0)
        };
        let (create, update) = (body(&self.resource.create), body(&self.resource.update));
        let of_list = listed.map(|listed| listed.item);
        let mut fields = single.map_or_else(Vec::new, |record| field::read(self.schemas, record, create, update));
        let more = of_list.map_or_else(Vec::new, |record| field::read(self.schemas, record, create, update));
        for field in more {
            if fields.iter().all(|known| known.path != field.path) {
                fields.push(field);
            }
        }
        if fields.is_empty() {
            self.check("fields", "no field is described: they are taken as they come; say the type of those that are no plain JSON (dates, decimals)");
        }
        let required = create
            .map(|schema| field::read(self.schemas, schema, None, None))
            .unwrap_or_default();
        let required = required
            .iter()
            .filter(|field| field.is_required && fields.iter().all(|known| known.path != field.path));
        let unread: Vec<&str> = required.map(|field| field.path.as_str()).take(10).collect();
        if !unread.is_empty() {
            let text = format!(
                "a new record needs {}, which no record has when it is read",
                quoted(&unread)
            );
            self.check("create", text);
        }
        if fields.iter().any(|field| field.is_epoch) && self.draft.form.types.datetime.is_none() {
            self.draft.form.types.datetime = Some(SpellingForm {
                format: Some("epoch_seconds".to_owned()),
                ..SpellingForm::default()
            });
        }
        let name = self.resource.name.clone();
        field::put(self.draft, &name, &mut self.form, &fields);
        self.fields = fields;
    }

    fn top(&self) -> Vec<&str> {
        let top = self.fields.iter().map(|field| field.path.as_str());
        top.filter(|path| !path.contains(['.', '['])).collect()
    }

    fn id(&mut self) {
        let found = guess::id(&self.resource.collection, self.resource.key.as_deref(), &self.top())
            .or_else(|| guess::id(&self.resource.name, None, &self.top()));
        if let Some(id) = found.map(str::to_owned) {
            self.form.id = id;
        } else {
            "id".clone_into(&mut self.form.id);
            self.check("id", "the path of the id in a record is not known: `id` is a guess");
        }
    }

    fn times(&mut self) {
        let times = self
            .fields
            .iter()
            .filter(|field| matches!(field.kind.as_str(), "datetime" | "date" | "text" | "integer" | "any"));
        let times: Vec<&Described> = times.collect();
        let paths = times.iter().map(|field| field.path.as_str());
        // A path of two steps is known by its last one.
        let by_last = |field: &&&Described| {
            field
                .path
                .rsplit('.')
                .next()
                .and_then(|last| guess::rank(List::Changed, last))
        };
        let found = guess::best(List::Changed, paths).map(str::to_owned);
        let found = found.or_else(|| {
            let nested = times
                .iter()
                .filter(|field| field.kind == "datetime")
                .filter_map(|field| Some((by_last(&field)?, &field.path)));
            nested.min().map(|(_, path)| path.clone())
        });
        let Some(path) = found else {
            self.check("updated_at", "no field is known to be the time of the last change: without it `newest` decides nothing, and changes cannot be asked for");
            return;
        };
        let kind = field::named(&self.fields, &path).map_or_else(|| "datetime".to_owned(), |field| field.kind.clone());
        match kind.as_str() {
            "datetime" => {}
            "integer" => self.check("updated_at", format!("`{path}` is a number: if it counts since 1970, say `{path}: datetime` and `types: {{ datetime: {{ format: epoch_seconds }} }}` (or epoch_millis)")),
            "date" => self.check("updated_at", format!("`{path}` is a day: changes within one day are not told apart")),
            _ => {
                if let Some(field) = self.form.fields.get_mut(&path) {
                    field.kind = Some("datetime".to_owned());
                }
                self.check("updated_at", format!("`{path}` is a text in the description: it is taken for a time by its name"));
            }
        }
        self.form.updated_at = Some(path);
    }

    fn list(&mut self, listed: Option<&Listed<'a>>) {
        let Some(call) = &self.resource.list else {
            self.check("list", "nothing lists these records: a reconciliation needs a listing");
            return;
        };
        let mut form = ListForm::default();
        self.target(call, "list", |method, path| match method {
            Method::Post => form.post = Some(path),
            _ => form.get = Some(path),
        });
        match listed {
            Some(listed) => {
                form.records.clone_from(&listed.records);
                form.record.clone_from(&listed.record);
            }
            None => self.check("list", "where the records are in the answer is not described: without `records:` the answer itself is taken for the list"),
        }
        let hints = listed.map(|listed| listed.hints.clone()).unwrap_or_default();
        let plan = paging::plan(self.schemas, call, &hints, &self.form.id);
        form.page = plan.page;
        form.query = plan.query;
        if let Some(default) = plan.size {
            self.draft.page_size(default);
        }
        for text in plan.open {
            self.check("list", text);
        }
        self.since(call, &mut form);
        self.required(call, "list", &mut form.query, &mut form.headers);
        self.form.list = Some(form);
    }

    fn since(&mut self, call: &Call<'a>, form: &mut ListForm) {
        let names = call.query().map(|parameter| parameter.name.as_str());
        let Some(name) = guess::best(List::Since, names).map(str::to_owned) else {
            if self.form.updated_at.is_some() {
                self.check("list", "no parameter is known to ask for what changed since a time: if there is one, write `query: { its_name: \"{{ since }}\" }`; without it a poll reads everything");
            }
            return;
        };
        let look = call
            .query()
            .find(|parameter| parameter.name == name)
            .map(|parameter| self.schemas.look(parameter.schema));
        match look.as_ref().map(|look| (look.kind, look.format)) {
            Some((Some("integer" | "number"), _)) => {
                form.since_format = Some("epoch_seconds".to_owned());
                self.check(
                    "list",
                    format!("`{name}` takes a number: seconds since 1970 are a guess (or epoch_millis)"),
                );
            }
            Some((_, Some("date"))) => {
                form.since_format = Some("%Y-%m-%d".to_owned());
                form.overlap = "26h".parse().ok();
            }
            _ => {}
        }
        form.query.insert(name, "{{ since }}".into());
    }

    /// What a request cannot do without and nobody has spoken of yet.
    fn required(
        &mut self,
        call: &Call<'a>,
        key: &str,
        query: &mut Map<String, Json>,
        headers: &mut BTreeMap<String, String>,
    ) {
        for parameter in call.parameters.iter().filter(|parameter| parameter.is_required) {
            let own = match parameter.place {
                Place::Query if !query.contains_key(&parameter.name) => true,
                Place::Header => !self.is_known_header(&parameter.name),
                _ => false,
            };
            if !own {
                continue;
            }
            let value = request::fixed(self.schemas, parameter).unwrap_or_else(|| self.setting(parameter, key));
            if parameter.place == Place::Query {
                query.insert(parameter.name.clone(), value.into());
            } else {
                headers.insert(parameter.name.clone(), value);
            }
        }
    }

    /// Headers that signing in, a version or a key put there.
    fn is_known_header(&self, header: &str) -> bool {
        let folded = name::folded(header);
        let is_ours =
            ["authorization", "ifmatch", "accept", "contenttype", "idempotencykey"].contains(&folded.as_str());
        let auth = &self.draft.form.auth;
        let key = auth.api_key.as_ref();
        let is_key = key.is_some_and(|key| {
            let own = key.header.iter().chain(key.headers.keys());
            own.map(|own| name::folded(own)).any(|own| own == folded)
        });
        is_ours || is_key
    }

    /// A setting in place of a value that only the person knows.
    fn setting(&mut self, parameter: &Parameter<'a>, key: &str) -> String {
        let word = name::word(&parameter.name);
        request::declare(self.draft, &word, &parameter.name);
        self.check(
            key,
            format!("`{}` is needed by the system: it is `settings.{word}`", parameter.name),
        );
        format!("{{{{ settings.{word} }}}}")
    }

    /// Method and path of a call, with its other parameters in their places.
    fn target(&mut self, call: &Call<'a>, key: &str, mut put: impl FnMut(Method, String)) {
        let path = request::path(self.draft, call, self.resource.key.as_deref());
        let place = self.place(key);
        for word in &path.settings {
            self.draft
                .check(place.clone(), format!("the path needs `settings.{word}`"));
        }
        put(call.method, path.text);
    }

    fn find(&mut self) {
        let Some(call) = &self.resource.list else { return };
        if call.method != Method::Get {
            return;
        }
        let candidates = call
            .query()
            .filter(|parameter| !parameter.is_required)
            .filter_map(|parameter| {
                let field = field::named(&self.fields, &parameter.name)?;
                let is_scalar = matches!(field.kind.as_str(), "text" | "integer");
                let rank = guess::rank(List::Match, &field.path)?;
                (is_scalar && field.path != self.form.id).then(|| (rank, parameter.name.clone(), field.path.clone()))
            });
        let mut found: Vec<(usize, String, String)> = candidates.collect();
        found.sort();
        found.truncate(8);
        if found.is_empty() {
            self.check("find", "no parameter is known to search for a field's value: without `find:` a single record is matched by reading all");
            return;
        }
        let mut form = FindForm::default();
        if let Some(list) = &self.form.list {
            form.get.clone_from(&list.get);
            form.records.clone_from(&list.records);
            form.record.clone_from(&list.record);
            form.headers.clone_from(&list.headers);
        }
        for (_, parameter, path) in &found {
            let value = format!(
                "{{{{ value if field == '{}' else none }}}}",
                path.replace(['\'', '\\', '{', '}'], "_")
            );
            form.query.insert(parameter.clone(), value.into());
            form.fields.push(path.clone());
        }
        let mut headers = std::mem::take(&mut form.headers);
        self.required(call, "find", &mut form.query, &mut headers);
        form.headers = headers;
        self.form.find = Some(form);
    }

    fn get(&mut self, record: Option<String>) {
        let Some(call) = &self.resource.get else {
            self.check(
                "get",
                "nothing reads a single record: events and repairs need it (a search for the id serves as well)",
            );
            return;
        };
        let form = self.operation(call, "get");
        self.form.get = Some(OperationForm { record, ..form });
    }

    fn operation(&mut self, call: &Call<'a>, key: &str) -> OperationForm {
        let mut form = OperationForm::default();
        self.target(call, key, |method, path| {
            let slot = match method {
                Method::Get => &mut form.get,
                Method::Post => &mut form.post,
                Method::Put => &mut form.put,
                Method::Patch => &mut form.patch,
                Method::Delete => &mut form.delete,
            };
            *slot = Some(path);
        });
        let (mut query, mut headers) = (Map::new(), BTreeMap::new());
        self.required(call, key, &mut query, &mut headers);
        (form.query, form.headers) = (query, headers);
        form
    }
}

fn quoted(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
