//! Cases out of what a real system answers: pages and records with personal data replaced, and what the connector makes of
//! them. What is written is played like any other case, so that a connector that is changed later still reads what this
//! system really sends.

mod body;
mod maker;
mod mask;
mod word;

use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json, json};

pub(super) use self::body::Body;
use self::body::Cut;
pub use self::{
    mask::{Done, Mask},
    word::Treatment,
};
use super::observe;
use crate::{
    catalog::{
        decode::decode,
        yaml::{Document, write},
    },
    client::{ConfigError, Exchanged, Recording, System, Wanted},
    core::{
        connector::{
            Connector, Object,
            auth::Auth,
            case::{CaseForm, CasesForm, ListForm},
            form::SettingKind,
            format::Format,
        },
        fault::Fault,
        path::Path,
        problem::Problems,
        record::Record,
        value::Map,
    },
};

/// The host that stands for the real one.
const STAND_IN: &str = "https://recorded.example";
/// Headers of an answer that connectors may read; others say nothing, or too much.
const HEADERS: [&str; 6] = [
    "content-type",
    "etag",
    "link",
    "location",
    "last-modified",
    "odata-version",
];

/// Why nothing could be recorded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// What was recorded cannot be played.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The texts of the answer cannot be told apart.
    #[error("the answer to `{request}` is no {format}, so that nothing in it can be masked safely")]
    Unreadable {
        /// The request.
        request: String,
        /// What the answer should be in.
        format: &'static str,
    },
    /// There is nothing to record.
    #[error("`{0}` has no `list:`, so there is nothing to begin with")]
    NoList(String),
    /// A session begins with an answer that is nothing but secrets.
    #[error("the connector signs in by a session, and no case shows the answer to `login:`")]
    NoLogin,
}

/// What was recorded of one system.
#[derive(Debug)]
pub struct Recorded {
    /// The cases.
    pub form: CasesForm,
    /// What was done to the values.
    pub mask: Mask,
}

/// Begins a recording: settings with stand-ins for addresses. `known` are the cases that the connector has: a session's `login:` is
/// taken from them.
pub fn begin(connector: &Connector, settings: &Map, known: Option<&[u8]>, key: [u8; 32]) -> Result<Recorded, Error> {
    let mut origins = Vec::new();
    let mut told = JsonMap::new();
    for (name, setting) in &connector.settings {
        let Some(value) = settings.get(name) else { continue };
        let address = value.as_str().filter(|_| setting.kind == SettingKind::Url);
        let shown = match address.and_then(|address| url::Url::parse(address).ok()) {
            Some(address) => {
                let stand_in = match origins.len() {
                    0 => STAND_IN.to_owned(),
                    count => format!("{STAND_IN}:{}", 443 + count),
                };
                let origin = address.origin().ascii_serialization();
                let shown = address.as_str().replacen(&origin, &stand_in, 1);
                origins.push((origin, stand_in));
                Json::from(shown.trim_end_matches('/'))
            }
            None => Json::from(value),
        };
        told.insert(name.clone(), shown);
    }
    let mut form = CasesForm {
        settings: told,
        ..CasesForm::default()
    };
    if matches!(connector.auth, Auth::Session(_)) {
        form.cases.push(login(known).ok_or(Error::NoLogin)?);
    }
    Ok(Recorded {
        form,
        mask: Mask::new(key, origins),
    })
}

/// The case that signs in, of the cases that there are.
fn login(known: Option<&[u8]>) -> Option<CaseForm> {
    let tree = Document::read(known?).body.ok()?;
    let form: CasesForm = decode(&tree, &mut Problems::new())?;
    form.cases.into_iter().find(|case| case.login.is_some())
}

impl Recorded {
    /// Records one object: its first page, the first record by itself, and one search by each field that can be searched by.
    pub async fn object(&mut self, system: &System, object: &Object, records_max: usize) -> Result<(), Error> {
        let list = object.list.as_ref().ok_or_else(|| Error::NoList(object.name.clone()))?;
        self.mask.about(object);
        let connector = system.connector();
        let name = &object.name;
        let recording = Box::pin(system.recorded(name, Wanted::Page)).await;
        let real = match &recording.records {
            Ok(records) => records.first().cloned(),
            Err(fault) => return Err(fault.clone().into()),
        };
        if connector.database.is_some() {
            let rows = recording.records.iter().flatten().take(records_max);
            let rows = rows.map(|record| plain(&self.mask.map(&record.fields))).collect();
            self.form.rows.insert(name.clone(), rows);
        }
        let page = CaseForm {
            name: format!("the first page of {name}"),
            list: Some(ListForm::default()),
            ..case_of(name)
        };
        let shown = self
            .add(
                connector,
                page,
                &recording,
                (&list.request.format, Some((&list.records, records_max))),
            )
            .await?;
        let (Some(real), Some(shown)) = (real, shown.first()) else {
            return Ok(());
        };
        if let Some(get) = &object.get {
            let recording = Box::pin(system.recorded(name, Wanted::Record(&real.id))).await;
            let case = CaseForm {
                name: format!("one record of {name}"),
                get: Some(Json::from(real.id.as_str())),
                ..case_of(name)
            };
            self.add_if_read(connector, case, &recording, (&get.request.format, None))
                .await?;
        }
        let Some(find) = &object.find else { return Ok(()) };
        for field in &find.fields {
            let path = Path::parse(field).unwrap_or_else(|_| Path::of_key(field));
            let value = |record: &Record| path.get_in(&record.fields).filter(|value| !value.is_empty()).cloned();
            let (Some(asked), Some(shown)) = (value(&real), value(shown)) else {
                continue;
            };
            let recording = Box::pin(system.recorded(name, Wanted::Found(field, &asked))).await;
            let case = CaseForm {
                name: format!("{name} by {field}"),
                find: Some(JsonMap::from_iter([(field.clone(), Json::from(&shown))])),
                ..case_of(name)
            };
            let form = (&find.request.format, Some((&find.records, records_max)));
            self.add_if_read(connector, case, &recording, form).await?;
        }
        Ok(())
    }

    /// As [`Recorded::add`]; what the system refused to read is left out.
    async fn add_if_read(
        &mut self,
        connector: &Arc<Connector>,
        case: CaseForm,
        recording: &Recording,
        form: (&Format, Cut<'_>),
    ) -> Result<(), Error> {
        if recording.records.is_ok() {
            self.add(connector, case, recording, form).await?;
        }
        Ok(())
    }

    /// Adds a case with the recorded answer, and what the connector makes of it; the records that were read.
    async fn add(
        &mut self,
        connector: &Arc<Connector>,
        mut case: CaseForm,
        recording: &Recording,
        form: (&Format, Cut<'_>),
    ) -> Result<Vec<Record>, Error> {
        if connector.database.is_none() {
            let Some(exchanged) = &recording.answer else {
                return Ok(Vec::new());
            };
            let body = self.body(exchanged, form)?;
            case.answer = Some(observe::answer(exchanged.status, self.headers(exchanged), body));
        }
        self.form.cases.push(case);
        let index = self.form.cases.len() - 1;
        let (case, records) = Box::pin(observe::complete(connector, &self.form, index)).await?;
        if let Some(slot) = self.form.cases.get_mut(index) {
            *slot = case;
        }
        Ok(records)
    }

    fn body(&mut self, exchanged: &Exchanged, (format, cut): (&Format, Cut<'_>)) -> Result<Body, Error> {
        body::masked(&mut self.mask, format, &exchanged.answer.text, cut).map_err(|_| {
            let address = exchanged.url.split('?').next().unwrap_or_default();
            Error::Unreadable {
                request: format!("{} {}", exchanged.method, self.mask.address(address)),
                format: format.name(),
            }
        })
    }

    fn headers(&self, exchanged: &Exchanged) -> Vec<(String, String)> {
        let told = exchanged.answer_headers.iter();
        told.filter(|(name, _)| HEADERS.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), self.mask.address(value)))
            .collect()
    }

    /// The cases as a file.
    #[must_use]
    pub fn file(&self, title: &str) -> String {
        let cases = self.form.cases.iter();
        let cases: Vec<Json> = cases
            .map(|case| observe::sparse(serde_json::to_value(case).unwrap_or_default()))
            .collect();
        let rows = &self.form.rows;
        let mut whole = JsonMap::new();
        whole.insert("settings".to_owned(), Json::Object(self.form.settings.clone()));
        if !rows.is_empty() {
            whole.insert("rows".to_owned(), json!(rows));
        }
        whole.insert("cases".to_owned(), Json::Array(cases));
        let head = "# yaml-language-server: $schema=../schemas/connector-test.schema.json\n";
        let document = Document::read(Json::Object(whole).to_string().as_bytes());
        let lines = document.body.map(|tree| write::lines(&tree)).unwrap_or_default();
        let body: String = lines.into_iter().map(|line| line.text + "\n").collect();
        format!("{head}# {title}\n{body}")
    }
}

fn case_of(object: &str) -> CaseForm {
    CaseForm {
        object: Some(object.to_owned()),
        ..CaseForm::default()
    }
}

fn plain(map: &Map) -> JsonMap<String, Json> {
    map.iter()
        .map(|(name, value)| (name.clone(), Json::from(value)))
        .collect()
}
