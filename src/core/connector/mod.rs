//! Connectors: typed definitions of kinds of systems, and their calls described as data.
//!
//! [`form`] is what people write, [`Connector::compile`] checks it and makes the types below. From then on everything is
//! a pure function of the definition and of values: [`request`] and [`mod@call`] build a call, [`answer`] says what an answer means,
//! [`page`] where a listing goes on, [`spelling`] how values are put. Sending is the client's part.

pub mod answer;
pub mod auth;
pub mod call;
pub mod case;
pub mod database;
pub mod discover;
pub mod form;
pub mod format;
pub mod page;
pub mod part;
pub mod request;
pub mod sign;
pub mod spelling;
pub mod subscription;

mod compile;
mod link;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use self::{
    answer::Rule,
    auth::{Auth, ClientCertificate},
    database::Database,
    discover::Discover,
    form::{Access, LimitsForm, SettingKind},
    page::Paging,
    part::Part,
    request::Request,
    spelling::{Types, Wrapper},
    subscription::Subscriptions,
};
use super::{
    breaker,
    expr::{Structure, Template},
    path::Path,
    period::{Period, Rate, Share},
    value::{
        Map, Value,
        kind::Kind,
        projection::Projection,
        spelling::{DateTimeForm, Spelling},
    },
    webhook::event,
};

/// One kind of system, checked.
#[derive(Debug)]
pub struct Connector {
    /// Its name in files.
    pub name: String,
    /// Its name for people.
    pub title: Option<String>,
    /// What a system of this kind is given, by name.
    pub settings: BTreeMap<String, Setting>,
    /// Credentials that a system of this kind must be given.
    pub credentials: Vec<String>,
    /// The address that paths are appended to; nothing where it is a database.
    pub base_url: Template,
    /// Headers of every request.
    pub headers: Vec<(String, Template)>,
    /// How requests prove who they are.
    pub auth: Auth,
    /// What the connection itself shows.
    pub client_certificate: Option<ClientCertificate>,
    /// The budget towards one system.
    pub limits: LimitsForm,
    /// What answers mean; the first that fits decides.
    pub rules: Vec<Rule>,
    /// How values are spelled.
    pub types: Types,
    /// What the system holds, by name.
    pub objects: BTreeMap<String, Object>,
    /// The database that it is, in place of something that answers requests.
    pub database: Option<Database>,
    /// Where it says what its objects have.
    pub discover: Option<Discover>,
    /// The pushes it sends.
    pub webhooks: Option<std::sync::Arc<event::Definition>>,
    /// How the subscriptions to them are kept in order.
    pub subscriptions: Option<Subscriptions>,
}

impl Connector {
    /// Whether a system of this kind makes a secret for each subscription.
    #[must_use]
    pub fn makes_secrets(&self) -> bool {
        self.subscriptions.as_ref().is_some_and(Subscriptions::makes_secrets)
    }

    /// The settings of one system as templates see them: what is given, and the defaults of the rest. The error is the name of
    /// one that is missing.
    pub fn settings_of(&self, given: impl Fn(&str) -> Option<Value>) -> Result<Map, String> {
        let known = self.settings.iter();
        known
            .map(|(name, declared)| {
                let value = given(name).or_else(|| declared.default.clone());
                Ok((name.clone(), value.ok_or_else(|| name.clone())?))
            })
            .collect()
    }
}

/// One thing that a system is given in its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// What kind of value it is.
    pub kind: SettingKind,
    /// The value where none is given; without one the setting is required.
    pub default: Option<Value>,
    /// What it is for.
    pub title: Option<String>,
}

/// Where a single value goes in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Into this header.
    Header(String),
    /// Into this query parameter.
    Query(String),
}

/// The budget towards one system, with its defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Requests in flight at once.
    pub concurrency: u32,
    /// The sustained rate.
    pub rate: Option<Rate>,
    /// How many may go at once after a rest; the rate's count where nothing is said.
    pub burst: Option<u32>,
    /// Requests in 24 hours.
    pub daily: Option<u64>,
    /// The part of `daily` that only live events may use.
    pub reserve: Share,
    /// How long one request may take.
    pub timeout: Duration,
    /// How long a connection may take to stand.
    pub connect_timeout: Duration,
    /// How long an answer may stand still.
    pub idle_timeout: Duration,
    /// The largest answer, in decoded bytes.
    pub body_bytes_max: u64,
    /// Lists and maps within one another in an answer.
    pub depth_max: usize,
    /// The most pages of one listing.
    pub pages_max: u32,
    /// How often one request is sent at most.
    pub attempts_max: u32,
    /// From when on a query of a database is slow.
    pub slow_query: Duration,
    /// When a dead system is left alone.
    pub breaker: breaker::Settings,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 4,
            rate: None,
            burst: None,
            daily: None,
            reserve: Share::Percent(10_000),
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(15),
            body_bytes_max: 32 << 20,
            depth_max: 64,
            pages_max: 100_000,
            attempts_max: 4,
            slow_query: Duration::from_secs(1),
            breaker: breaker::Settings::default(),
        }
    }
}

impl Limits {
    /// These limits, with those that `form` names in their place.
    #[must_use]
    pub fn with(&self, form: &LimitsForm) -> Self {
        let period = |given: Option<Period>, own| given.map_or(own, Period::duration);
        Self {
            concurrency: form.concurrency.unwrap_or(self.concurrency).max(1),
            rate: form.rate.or(self.rate),
            burst: form.burst.or(self.burst),
            daily: form.daily.or(self.daily),
            reserve: form.reserve.unwrap_or(self.reserve),
            timeout: period(form.timeout, self.timeout),
            connect_timeout: period(form.connect_timeout, self.connect_timeout),
            idle_timeout: period(form.idle_timeout, self.idle_timeout),
            body_bytes_max: form.body_bytes_max.unwrap_or(self.body_bytes_max),
            depth_max: self.depth_max,
            pages_max: form.pages_max.unwrap_or(self.pages_max).max(1),
            attempts_max: self.attempts_max.max(1),
            slow_query: period(form.slow_query, self.slow_query),
            breaker: self.breaker,
        }
    }
}

/// An entity type of the system.
#[derive(Debug)]
pub struct Object {
    /// Its name in files.
    pub name: String,
    /// Its name for people.
    pub title: Option<String>,
    /// Where a record's id is; several parts make a composite key.
    pub id: Vec<Path>,
    /// Where the time of the last change is.
    pub updated_at: Moment,
    /// Where a record's version is.
    pub version: Option<Source>,
    /// The fields that something is known about.
    pub fields: Vec<Field>,
    /// Whether `fields` are all there are.
    pub is_closed: bool,
    /// Maps and lists that the system replaces as a whole.
    pub wholes: Vec<Path>,
    /// Reads all records.
    pub list: Option<List>,
    /// Reads changed records, where that is another request.
    pub changed: Option<List>,
    /// Reads the records that belong to some records of another object.
    pub of_parents: Option<List>,
    /// Records of other objects that stand in a record of this one.
    pub parts: Vec<Part>,
    /// Finds records by a field's value.
    pub find: Option<Find>,
    /// Reads one record.
    pub get: Option<Operation>,
    /// Makes a record.
    pub create: Option<Operation>,
    /// Changes a record.
    pub update: Option<Operation>,
    /// Removes a record.
    pub delete: Option<Operation>,
    /// Makes several records.
    pub batch_create: Option<Batch>,
    /// Changes several records.
    pub batch_update: Option<Batch>,
}

/// Where a time is in a record.
#[derive(Debug)]
pub enum Moment {
    /// At these paths: the first that is there.
    Paths(Vec<Path>),
    /// Put together from the record, known as `raw`.
    Template(Template),
}

impl Moment {
    /// The parts of a record that it is made of.
    #[must_use]
    pub fn paths(&self) -> Vec<Path> {
        match self {
            Self::Paths(paths) => paths.clone(),
            Self::Template(template) => template.paths_of("raw"),
        }
    }
}

/// One field of an object.
#[derive(Debug)]
pub struct Field {
    /// Its name as written.
    pub name: String,
    /// Where it is.
    pub path: Path,
    /// What it holds.
    pub kind: Kind,
    /// What may be done with it.
    pub access: Access,
    /// Whether it is personal data.
    pub is_sensitive: bool,
    /// The form that the system puts around this field's values alone.
    pub wrapper: Wrapper,
}

/// Where a value about a record or a page is in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// At a path.
    Path(Path),
    /// In a header (lower-case name).
    Header(String),
}

impl Source {
    /// The value, in an answer with this body and these headers.
    #[must_use]
    pub fn get<'a>(&self, body: &'a Value, headers: &'a Map) -> Option<&'a Value> {
        match self {
            Self::Path(path) => path.get(body),
            Self::Header(name) => headers.get(name),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => path.fmt(f),
            Self::Header(name) => write!(f, "header:{name}"),
        }
    }
}

/// Reads records page by page.
#[derive(Debug)]
pub struct List {
    /// The request of one page.
    pub request: Request,
    /// Where the records are in the answer.
    pub records: Path,
    /// Where the record is in each of them.
    pub record: Path,
    /// Whether an answer without a list has no records.
    pub may_lack_records: bool,
    /// How the listing goes on.
    pub paging: Paging,
    /// Records asked for in one page: a template that knows `settings`.
    pub page_size: Option<Template>,
    /// How far an incremental read goes back behind the last one.
    pub overlap: Duration,
    /// How far back the system knows what changed, where that is not for ever.
    pub reaches: Option<Period>,
    /// The form of `since`, where it is not that of every datetime.
    pub since_form: Option<DateTimeForm>,
}

/// Finds records by one field's value.
#[derive(Debug)]
pub struct Find {
    /// The request.
    pub request: Request,
    /// The fields that can be searched for.
    pub fields: Vec<String>,
    /// Where the records are in the answer.
    pub records: Path,
    /// Where the record is in each of them.
    pub record: Path,
    /// Whether an answer without a list has no records.
    pub may_lack_records: bool,
}

/// Reads or writes one record.
#[derive(Debug)]
pub struct Operation {
    /// The request.
    pub request: Request,
    /// Where the record is in the answer.
    pub record: Path,
    /// Where the record's id is in the answer, where it is not in the record.
    pub id: Option<Source>,
    /// Where the idempotency key goes.
    pub idempotency: Option<Place>,
    /// The header that carries the version that was read.
    pub if_match: Option<String>,
    /// Whether it is an upsert by a unique value.
    pub is_upsert: bool,
    /// Whether sending it twice does no harm, where the definition says so.
    pub repeatable: Option<bool>,
}

/// Writes several records.
#[derive(Debug)]
pub struct Batch {
    /// The request.
    pub request: Request,
    /// The form of one record.
    pub item: Option<Structure>,
    /// How many records one request may carry.
    pub size: usize,
    /// Where the results are in the answer.
    pub results: Path,
    /// Whether a record was written.
    pub ok: Template,
    /// Which record a result belongs to.
    pub index: Option<Template>,
    /// The record's id.
    pub id: Option<Template>,
    /// Why a record was refused.
    pub message: Option<Template>,
    /// Whether sending it twice does no harm, where the definition says so.
    pub repeatable: Option<bool>,
}

impl Operation {
    /// Whether the other side knows a write that it has seen before, by a key or a unique value.
    #[must_use]
    pub const fn recognizes_repeats(&self) -> bool {
        self.is_upsert || self.idempotency.is_some()
    }

    /// Whether sending this call twice does no harm: it is so by its method, the other side recognizes the second one,
    /// or refuses it because the version has moved on.
    #[must_use]
    pub fn is_repeatable(&self, has_version: bool) -> bool {
        let is_recognized = self.recognizes_repeats();
        let is_guarded = self.if_match.is_some() && has_version;
        self.repeatable
            .unwrap_or(self.request.method.is_idempotent() || is_recognized || is_guarded)
    }
}

impl Object {
    /// The field with this name, where something is known about it.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The field at `path`, where something is known about it.
    #[must_use]
    pub fn field_at(&self, path: &Path) -> Option<&Field> {
        self.fields.iter().find(|field| field.path == *path)
    }

    /// The kind of the value at `path`; [`Kind::Any`] where nothing is known.
    #[must_use]
    pub fn kind(&self, path: &Path) -> Kind {
        self.field_at(path).map_or(Kind::Any, |field| field.kind)
    }

    /// An id, or a part of one, as the member at `path` has it.
    #[must_use]
    pub fn typed_id(&self, path: &Path, id: &str) -> Value {
        let id = Value::Text(id.to_owned());
        self.kind(path).read(&id, &Spelling::default()).unwrap_or(id)
    }

    /// Whether changes alone can be listed.
    #[must_use]
    pub fn lists_changes(&self) -> bool {
        self.changed.is_some() || self.list.as_ref().is_some_and(|list| list.request.uses("since"))
    }

    /// The listing that reads everything, or what changed.
    #[must_use]
    pub fn listing(&self, is_incremental: bool) -> Option<&List> {
        match &self.changed {
            Some(changed) if is_incremental => Some(changed),
            _ => self.list.as_ref(),
        }
    }

    /// Whether records can be found by this field.
    #[must_use]
    pub fn can_find(&self, field: &str) -> bool {
        self.find
            .as_ref()
            .is_some_and(|find| find.fields.iter().any(|one| one == field))
    }

    /// What has to be read of each record beside `wanted`: id, version, time of change and what paging asks for.
    #[must_use]
    pub fn projection(&self, wanted: &Projection) -> Projection {
        let mut projection = wanted.clone();
        for path in self.id.iter().chain(&self.updated_at.paths()) {
            projection.add(path);
        }
        if let Some(Source::Path(path)) = &self.version {
            projection.add(path);
        }
        for path in self.wholes.iter().filter(|path| wanted.touches(path)) {
            projection.add(path);
        }
        if self
            .update
            .as_ref()
            .is_some_and(|update| update.request.uses("current"))
        {
            return Projection::all();
        }
        let listings = [&self.list, &self.changed];
        for path in listings.into_iter().flatten().flat_map(|list| list.paging.keyset()) {
            projection.add(path);
        }
        projection
    }

    /// The id of a record: the text of its parts, joined by `|`. `None` where a part is absent, empty or no scalar.
    #[must_use]
    pub fn id_of(&self, fields: &Map) -> Option<String> {
        let mut parts = Vec::with_capacity(self.id.len());
        for path in &self.id {
            let text = path.get_in(fields)?.to_text().filter(|text| !text.is_empty())?;
            parts.push(text);
        }
        Some(join_id(&parts))
    }
}

/// Joins the parts of a composite id by `|`; one part stays as it is.
fn join_id(parts: &[String]) -> String {
    if let [single] = parts {
        return single.clone();
    }
    let escaped: Vec<String> = parts
        .iter()
        .map(|part| part.replace('\\', "\\\\").replace('|', "\\|"))
        .collect();
    escaped.join("|")
}

/// Takes an id of `count` parts apart again.
#[must_use]
pub fn split_id(id: &str, count: usize) -> Vec<String> {
    if count <= 1 {
        return vec![id.to_owned()];
    }
    let mut parts = vec![String::new()];
    let mut is_escaped = false;
    for c in id.chars() {
        let is_literal = std::mem::take(&mut is_escaped);
        match c {
            '|' if !is_literal => parts.push(String::new()),
            '\\' if !is_literal => is_escaped = true,
            _ => {
                if let Some(last) = parts.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    parts
}
