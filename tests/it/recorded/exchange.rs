//! What can be asked of a system, as the connector's call, and how it compares with a recorded request.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use syncline::core::{
    connector::{
        answer::Purpose,
        call::{Context, Subject},
        page::{Page, Pager},
        request::Call,
    },
    expr::Scope,
    value::{Map, Value},
};

use super::{Bench, Fixture};

/// What a fixture asked for.
pub enum Ask {
    /// A page of the records changed since a time, behind the record with this key.
    List(Option<&'static str>, Option<Json>),
    /// Records by the value of a field.
    Find(&'static str, &'static str),
    /// The record with this id.
    Get(&'static str),
    /// A new record.
    Create(Json),
    /// Changes of the record with this id and version.
    Update(&'static str, Option<&'static str>, Json),
    /// The end of the record with this id and version.
    Delete(&'static str, Option<&'static str>),
    /// New records in one request.
    Batch(Vec<Json>),
    /// Something no connector asks for: only the answer is looked at.
    Other(Purpose),
}

impl Ask {
    pub const fn purpose(&self) -> Purpose {
        match self {
            Self::List(..) => Purpose::List,
            Self::Find(..) => Purpose::Find,
            Self::Get(_) => Purpose::Get,
            Self::Create(_) => Purpose::Create,
            Self::Update(..) => Purpose::Update,
            Self::Delete(..) => Purpose::Delete,
            Self::Batch(_) => Purpose::Batch,
            Self::Other(purpose) => *purpose,
        }
    }
}

impl Bench {
    /// The call that the connector makes of it.
    pub fn call(&self, ask: &Ask) -> Option<Call> {
        let scope = Scope::new().with("settings", (*self.settings).clone());
        let dialect = self
            .connector
            .types
            .dialect(self.connector.types.zone_of(&scope).unwrap());
        let context = Context {
            connector: &self.connector,
            base: &self.base,
            settings: &self.settings,
            dialect: &dialect,
        };
        let object = self.object();
        let fields = |fields: &Json| {
            let Value::Map(mut fields) = Value::from(fields) else {
                panic!("no record")
            };
            dialect.read_record(object, &mut fields);
            fields
        };
        let call = match ask {
            Ask::Other(_) => return None,
            Ask::List(since, after) => {
                let list = object.list.as_ref().unwrap();
                let since = since.map(|since| since.parse().unwrap());
                context.list(list, since, &self.pager_behind(after.as_ref()))
            }
            Ask::Find(field, value) => context.find(object, object.find.as_ref().unwrap(), field, &Value::from(*value)),
            Ask::Get(id) => context.get(object, object.get.as_ref().unwrap(), id),
            Ask::Create(record) => {
                let fields = fields(record);
                let subject = Subject {
                    fields: Some(&fields),
                    ..Subject::default()
                };
                context.write(object, object.create.as_ref().unwrap(), subject)
            }
            Ask::Update(id, version, changes) => {
                let fields = fields(changes);
                let subject = Subject {
                    id: Some(id),
                    version: *version,
                    fields: Some(&fields),
                    ..Subject::default()
                };
                context.write(object, object.update.as_ref().unwrap(), subject)
            }
            Ask::Delete(id, version) => {
                let subject = Subject {
                    id: Some(id),
                    version: *version,
                    ..Subject::default()
                };
                context.write(object, object.delete.as_ref().unwrap(), subject)
            }
            Ask::Batch(records) => {
                let records: Vec<Map> = records.iter().map(fields).collect();
                let subject = |fields| Subject {
                    fields: Some(fields),
                    ..Subject::default()
                };
                let items: Vec<Subject> = records.iter().map(subject).collect();
                context.batch(object, object.batch_create.as_ref().unwrap(), &items)
            }
        };
        Some(call.unwrap())
    }

    /// The listing at its start, or behind a record.
    fn pager_behind(&self, after: Option<&Json>) -> Pager {
        let list = self.object().list.as_ref().unwrap();
        let scope = Scope::new().with("settings", (*self.settings).clone());
        let size = list.page_size.as_ref().map(|size| size.eval(&scope).unwrap());
        let size = size.map(|size| u64::try_from(size.as_int().unwrap()).unwrap());
        let mut pager = Pager::new(list.paging.clone(), size, 10, self.base.clone());
        if let Some(Value::Map(last)) = after.map(Value::from) {
            let page = Page {
                rest: &Value::Null,
                headers: &Map::new(),
                url: &self.base,
                count: 3,
                last: Some(&last),
                print: 1,
            };
            pager.turn(&page).unwrap();
        }
        pager
    }
}

impl Fixture {
    /// Compares what was recorded with a call, whatever the order of parameters and members.
    pub fn assert_asked_by(&self, call: &Call) {
        let name = &self.name;
        assert_eq!(self.request["method"], call.method.key().to_uppercase(), "{name}");
        let base = call.url.join("/").unwrap();
        let recorded = base.join(self.request["path"].as_str().unwrap()).unwrap();
        assert_eq!(recorded.path(), call.url.path(), "{name}");
        let parameters = |url: &url::Url| url.query_pairs().into_owned().collect::<BTreeMap<_, _>>();
        assert_eq!(parameters(&recorded), parameters(&call.url), "{name}");
        assert!(!call.url.as_str().contains('+'), "{name}: a space is %20");
        for (header, value) in self.request["headers"].as_object().into_iter().flatten() {
            let sent = call.headers.iter().rfind(|(sent, _)| sent.eq_ignore_ascii_case(header));
            assert_eq!(
                sent.map(|(_, value)| value.as_str()),
                value.as_str(),
                "{name}: {header}"
            );
        }
        let sent = call
            .body
            .as_ref()
            .map(|body| serde_json::from_slice::<Json>(body).unwrap());
        assert_eq!(sent.unwrap_or_default(), self.request["body"], "{name}");
    }
}
