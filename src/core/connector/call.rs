//! The calls of one system: an operation of a connector and the values of one moment make a [`Call`].

use std::{borrow::Cow, sync::Arc};

use chrono::{DateTime, Utc};
use url::Url;

use super::{
    Batch, Connector, Find, List, Object, Operation, Place,
    form::Access,
    page::{Pager, Position},
    part::Part,
    request::{BuildError, Call, Request, append_query, build_headers, header_value},
    spelling::Dialect,
    split_id,
};
use crate::core::{
    expr::{Fault, Scope},
    path::Path,
    value::{Map, Value, kind::Kind, lay_over},
};

/// What all calls of one system have in common.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The kind of system.
    pub connector: &'a Connector,
    /// The system's address.
    pub base: &'a Url,
    /// The system's settings, a map.
    pub settings: &'a Arc<Value>,
    /// How it puts values.
    pub dialect: &'a Dialect<'a>,
}

/// What one call is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject<'a> {
    /// The record's id; a new record has none.
    pub id: Option<&'a str>,
    /// The version that was read.
    pub version: Option<&'a str>,
    /// The fields to write, as plain values.
    pub fields: Option<&'a Map>,
    /// The idempotency key.
    pub key: Option<&'a str>,
    /// The record as it was read, for what a system takes only as a whole.
    pub current: Option<&'a Map>,
}

impl Context<'_> {
    /// One page of a listing.
    pub fn list(&self, list: &List, since: Option<DateTime<Utc>>, pager: &Pager) -> Result<Call, BuildError> {
        let since = since.map(|since| self.dialect.write_since(list, since)).transpose();
        let since = since
            .map_err(|fault| template_error("since", fault))?
            .unwrap_or_default();
        self.list_within(list, &self.scope().with("since", since), pager)
    }

    /// A value of the member at `path`, as the system puts it.
    fn written(&self, object: &Object, path: &Path, value: &Value) -> Result<Value, Fault> {
        match object.field_at(path) {
            Some(field) => self.dialect.write_field(field, value),
            None => self.dialect.write(Kind::Any, value),
        }
    }

    /// The ids of records as their parts have them.
    pub fn parents(&self, child: &Object, part: &Part, ids: &[&str]) -> Result<Value, BuildError> {
        let written = |id: &&str| self.written(child, &part.parent, &child.typed_id(&part.parent, id));
        let ids: Result<Vec<Value>, Fault> = ids.iter().map(written).collect();
        ids.map(Value::List).map_err(|fault| template_error("ids", fault))
    }

    /// One page of the records that belong to the records with these ids.
    pub fn list_of(&self, list: &List, ids: &Value, pager: &Pager) -> Result<Call, BuildError> {
        self.list_within(list, &self.scope().with("ids", ids.clone()), pager)
    }

    /// One page of a listing that knows what `scope` does.
    pub fn list_within(&self, list: &List, scope: &Scope, pager: &Pager) -> Result<Call, BuildError> {
        let scope = scope.clone().with("page", pager.scope());
        if let Position::Url(url) = pager.position() {
            // The address stands for itself: what led to it is part of it.
            let mut call = self.build(&list.request, &scope)?;
            call.url = url.clone();
            call.list = Some(list.records.clone());
            return Ok(call);
        }
        let mut call = self.build(&list.request, &scope)?;
        match (&pager.paging().send, pager.sent()) {
            (Some(Place::Query(name)), Some(value)) => append_query(&mut call.url, name, &value),
            (Some(Place::Header(name)), Some(value)) => {
                call.headers.push((name.clone(), header_value(name, value)?));
            }
            _ => {}
        }
        call.is_repeatable = true;
        call.list = Some(list.records.clone());
        Ok(call)
    }

    /// How many records a page of this listing is asked to have.
    pub fn page_size(&self, list: &List) -> Result<Option<u64>, BuildError> {
        let Some(template) = &list.page_size else {
            return Ok(None);
        };
        let size = template
            .find(&self.scope())
            .map_err(|fault| template_error("page size", fault))?;
        Ok(size
            .and_then(|size| size.to_text()?.parse().ok())
            .filter(|size| *size > 0))
    }

    /// A search by one field's value.
    pub fn find(&self, object: &Object, find: &Find, field: &str, value: &Value) -> Result<Call, BuildError> {
        let path = Path::parse(field).unwrap_or_else(|_| Path::of_key(field));
        let value = self
            .written(object, &path, value)
            .map_err(|fault| template_error(&format!("field `{field}`"), fault))?;
        let scope = self.scope().with("field", field).with("value", value);
        let mut call = self.build(&find.request, &scope)?;
        call.is_repeatable = true;
        call.list = Some(find.records.clone());
        Ok(call)
    }

    /// A read of one record.
    pub fn get(&self, object: &Object, operation: &Operation, id: &str) -> Result<Call, BuildError> {
        let subject = Subject {
            id: Some(id),
            ..Subject::default()
        };
        let mut call = self.write(object, operation, subject)?;
        call.is_repeatable = true;
        Ok(call)
    }

    /// A write of one record.
    pub fn write(&self, object: &Object, operation: &Operation, subject: Subject<'_>) -> Result<Call, BuildError> {
        let mut scope = self.subject(subject, object);
        if let Some(fields) = subject.fields {
            let written = Arc::new(Value::Map(self.fields(object, &completed(object, subject, fields))?));
            scope.set("record", written.clone());
            scope.set("changes", written);
            if operation.request.uses("current") {
                let current = self.fields(object, &current(object, subject, fields))?;
                scope.set("current", Arc::new(Value::Map(current)));
            }
        }
        let mut call = self.build(&operation.request, &scope)?;
        match (&operation.idempotency, subject.key) {
            (Some(Place::Header(name)), Some(key)) => {
                call.headers.push((name.clone(), header_value(name, key.to_owned())?));
            }
            (Some(Place::Query(name)), Some(key)) => append_query(&mut call.url, name, key),
            _ => {}
        }
        if let (Some(name), Some(version)) = (&operation.if_match, subject.version) {
            call.headers
                .push((name.clone(), header_value(name, version.to_owned())?));
        }
        call.is_repeatable = operation.is_repeatable(subject.version.is_some());
        Ok(call)
    }

    /// Several writes in one request.
    pub fn batch(&self, object: &Object, batch: &Batch, items: &[Subject<'_>]) -> Result<Call, BuildError> {
        let mut records = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            records.push(self.item(object, batch, *item, index)?);
        }
        let scope = self.scope().with("records", Value::List(records));
        let mut call = self.build(&batch.request, &scope)?;
        call.is_repeatable = batch.repeatable.unwrap_or(batch.request.method.is_idempotent());
        call.list = Some(batch.results.clone());
        Ok(call)
    }

    fn item(&self, object: &Object, batch: &Batch, item: Subject<'_>, index: usize) -> Result<Value, BuildError> {
        let fields = match item.fields {
            Some(fields) => self.fields(object, &completed(object, item, fields))?,
            None => Map::new(),
        };
        let Some(structure) = &batch.item else {
            return Ok(Value::Map(with_id(object, fields, item.id)));
        };
        let optional = |text: Option<&str>| text.map_or(Value::Null, Value::from);
        let members = [
            ("id", optional(item.id)),
            ("ids", ids(item.id, object)),
            ("version", optional(item.version)),
            ("key", optional(item.key)),
            ("index", Value::Int(i64::try_from(index).unwrap_or(i64::MAX))),
            ("fields", Value::Map(fields)),
        ];
        let members: Map = members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let scope = self.scope().with("item", Value::Map(members));
        let value = structure.find(&scope).map_err(|fault| template_error("item", fault))?;
        Ok(value.unwrap_or_default())
    }

    fn fields(&self, object: &Object, fields: &Map) -> Result<Map, BuildError> {
        let written = self.dialect.write_fields(object, fields);
        written.map_err(|(field, fault)| template_error(&format!("field `{field}`"), fault))
    }

    fn subject(&self, subject: Subject<'_>, object: &Object) -> Scope {
        let optional = |text: Option<&str>| text.map_or(Value::Null, Value::from);
        self.scope()
            .with("id", optional(subject.id))
            .with("ids", ids(subject.id, object))
            .with("version", optional(subject.version))
            .with("key", optional(subject.key))
    }

    fn scope(&self) -> Scope {
        let mut scope = Scope::new();
        scope.set("settings", self.settings.clone());
        scope
    }

    /// A request that knows what `scope` does.
    pub fn within(&self, request: &Request, scope: &Scope) -> Result<Call, BuildError> {
        self.build(request, scope)
    }

    fn build(&self, request: &Request, scope: &Scope) -> Result<Call, BuildError> {
        let mut call = request.build(self.base, scope)?;
        // Later headers count, so that a request may say it otherwise than the whole connector.
        let mut headers = build_headers(&self.connector.headers, &self.scope())?;
        headers.append(&mut call.headers);
        call.headers = headers;
        Ok(call)
    }
}

/// The fields to write, where a part that the system replaces as a whole is among them: all of that part.
fn completed<'f>(object: &Object, subject: Subject<'_>, fields: &'f Map) -> Cow<'f, Map> {
    let Some(before) = subject.current else {
        return Cow::Borrowed(fields);
    };
    let mut completed = Cow::Borrowed(fields);
    for path in &object.wholes {
        let (Some(changed), Some(part)) = (path.get_in(fields), path.get_in(before)) else {
            continue;
        };
        let mut whole = Map::new();
        if path.set_in(&mut whole, part.clone()).is_err() {
            continue;
        }
        let mut changes = Map::new();
        if changed.as_map().is_some() && path.set_in(&mut changes, changed.clone()).is_ok() {
            lay_over(&mut whole, &changes);
        }
        // What is in an item of a list that is known by a member.
        let inner = object
            .fields
            .iter()
            .filter(|field| path.contains(&field.path) && field.path != *path);
        for field in inner {
            if let Some(value) = field.path.get_in(fields) {
                let _ = field.path.set_in(&mut whole, value.clone());
            }
        }
        if let Some(part) = path.get_in(&whole) {
            let _ = path.set_in(completed.to_mut(), part.clone());
        }
    }
    completed
}

/// The record as it was read with the changes laid over it, without what is never written.
fn current(object: &Object, subject: Subject<'_>, fields: &Map) -> Map {
    let mut current = Value::Map(subject.current.cloned().unwrap_or_default());
    for field in object.fields.iter().filter(|field| field.access != Access::ReadWrite) {
        field.path.remove(&mut current);
    }
    let Value::Map(mut current) = current else {
        return Map::new();
    };
    lay_over(&mut current, &completed(object, subject, fields));
    current
}

fn template_error(place: &str, fault: Fault) -> BuildError {
    BuildError::Template {
        place: place.to_owned(),
        fault,
    }
}

fn ids(id: Option<&str>, object: &Object) -> Value {
    let parts = id.map_or_else(Vec::new, |id| split_id(id, object.id.len()));
    Value::List(parts.into_iter().map(Value::Text).collect())
}

/// The fields with the id's parts where the object has them, unless they are there.
fn with_id(object: &Object, mut fields: Map, id: Option<&str>) -> Map {
    let Some(id) = id else { return fields };
    for (path, part) in object.id.iter().zip(split_id(id, object.id.len())) {
        if path.get_in(&fields).is_none() {
            let part = object.typed_id(path, &part);
            // Nothing is at the path, so at worst a scalar is in the way; the record then keeps what it has.
            let _ = path.set_in(&mut fields, part);
        }
    }
    fields
}
