//! What real systems put on the wire (`connectors/*/fixtures/`), run through the pure part of their connectors: the request
//! that a definition makes is the recorded one, and the recorded answer is understood.

mod exchange;
mod odata;
mod tryton;

use std::{collections::BTreeSet, fs, path::PathBuf, sync::Arc};

use serde_json::{Value as Json, json};
use syncline::core::{
    connector::{
        Connector, Object,
        answer::{Answer, Content, Meaning, Purpose, Verdict},
        request::parse_base,
    },
    expr::Scope,
    value::{Map, Value, json::Limits},
};
use url::Url;

use crate::support;

pub use exchange::Ask;

/// A connector beside what was recorded with a system of its kind.
pub struct Bench {
    pub connector: Connector,
    settings: Arc<Value>,
    base: Url,
}

/// One recorded request and its answer.
pub struct Fixture {
    name: String,
    request: Json,
    pub status: u16,
    pub headers: Map,
    pub body: Value,
    is_html: bool,
}

impl Bench {
    pub fn new(name: &str, settings: &Json) -> Self {
        let connector = connector(name);
        let settings = Value::from(settings);
        let base = connector
            .base_url
            .eval(&Scope::new().with("settings", settings.clone()));
        Self {
            base: parse_base(base.unwrap().as_str().unwrap()).unwrap(),
            settings: Arc::new(settings),
            connector,
        }
    }

    /// The object that everything recorded is about: the one that others belong to, where there is one.
    pub fn object(&self) -> &Object {
        let mut objects = self.connector.objects.values();
        let first = objects.next().unwrap();
        objects.find(|object| !object.parts.is_empty()).unwrap_or(first)
    }

    pub fn fixture(&self, name: &str) -> Fixture {
        Fixture::read(&self.connector.name, name)
    }

    pub fn judge(&self, fixture: &Fixture, purpose: Purpose) -> Verdict {
        let answer = Answer {
            purpose,
            status: fixture.status,
            headers: &fixture.headers,
            body: &fixture.body,
            is_html: fixture.is_html,
        };
        self.connector.judge(&answer, &self.settings)
    }

    /// Runs a table: what each fixture asked for, where the connector can ask for it, and what its answer means. Every
    /// fixture in the folder has its line.
    pub fn check(&self, table: &[(&str, Ask, Meaning)]) {
        let known: BTreeSet<&str> = table.iter().map(|(name, ..)| *name).collect();
        let recorded = fixtures(&self.connector.name);
        let recorded: BTreeSet<&str> = recorded.iter().map(String::as_str).collect();
        assert_eq!(recorded, known, "the table names the recorded fixtures");
        for (name, ask, meaning) in table {
            let fixture = self.fixture(name);
            if let Some(call) = self.call(ask) {
                fixture.assert_asked_by(&call);
            }
            let verdict = self.judge(&fixture, ask.purpose());
            assert_eq!(verdict.meaning, *meaning, "{name}: {verdict:?}");
        }
    }
}

impl Fixture {
    fn read(connector: &str, name: &str) -> Self {
        let path = folder(connector).join(format!("{name}.json"));
        let mut recorded: Json = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let answer = recorded["answer"].take();
        let bytes = match &answer["text"] {
            Json::String(text) => text.clone().into_bytes(),
            _ => serde_json::to_vec(&answer["body"]).unwrap(),
        };
        let content = Content::of(&bytes, &Limits::default()).unwrap();
        let Value::Map(headers) = Value::from(&answer["headers"]) else {
            panic!("{name} has no headers");
        };
        Self {
            name: name.to_owned(),
            request: recorded["request"].take(),
            status: answer["status"]
                .as_u64()
                .and_then(|status| status.try_into().ok())
                .unwrap(),
            headers,
            is_html: content == Content::Html,
            body: content.into_value(),
        }
    }
}

/// A connector of this repository.
pub fn connector(name: &str) -> Connector {
    let file = root().join(format!("connectors/{name}.yaml"));
    support::system::connector(&fs::read_to_string(file).unwrap())
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn folder(connector: &str) -> PathBuf {
    root().join(format!("connectors/{connector}/fixtures"))
}

fn fixtures(connector: &str) -> BTreeSet<String> {
    let files = fs::read_dir(folder(connector)).unwrap();
    let name = |file: fs::DirEntry| file.path().file_stem().unwrap().to_string_lossy().into_owned();
    files.map(|file| name(file.unwrap())).collect()
}

/// Settings of a system that nobody calls.
pub fn settings(more: &Json) -> Json {
    let mut settings = json!({ "base_url": "http://127.0.0.1:8000" });
    let own = settings.as_object_mut().unwrap();
    own.extend(more.as_object().unwrap().clone());
    settings
}
