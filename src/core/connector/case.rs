//! The cases beside a connector as people write them: `connectors/<name>.test.yaml`.
//!
//! A case says what is asked of a system, the request that the connector must make of it, an answer in the shape that a
//! real system gives, and what must be understood. Of a database it says what is asked of the rows that stand there, and what must
//! be understood.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map as JsonMap, Value as Json};

/// The cases of one connector.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CasesForm {
    /// The settings of the system that the cases talk to; the connector's defaults fill in the rest.
    #[serde(default)]
    pub settings: JsonMap<String, Json>,
    /// Its credentials; made up where nothing is said.
    #[serde(default)]
    pub credentials: BTreeMap<String, String>,
    /// Its webhook secrets.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// The secrets that it made for subscriptions, by its ids of them.
    #[serde(default)]
    pub subscription_secrets: BTreeMap<String, String>,
    /// The rows behind the objects of a database, by object, before each case.
    #[serde(default)]
    pub rows: BTreeMap<String, Vec<JsonMap<String, Json>>>,
    /// The cases.
    pub cases: Vec<CaseForm>,
}

/// One case: exactly one of `list`, `find`, `get`, `create`, `update`, `delete`, `batch_create`, `batch_update`, `discover`,
/// `login` and `webhook` says what is asked.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseForm {
    /// What the case shows.
    pub name: String,
    /// The object; the connector's only one where nothing is said.
    #[serde(default)]
    pub object: Option<String>,
    /// A page of records.
    #[serde(default)]
    pub list: Option<ListForm>,
    /// Records by one field's value.
    #[serde(default)]
    pub find: Option<JsonMap<String, Json>>,
    /// The record with this id.
    #[serde(default)]
    pub get: Option<Json>,
    /// A new record: its fields as plain values.
    #[serde(default)]
    pub create: Option<JsonMap<String, Json>>,
    /// Changes of a record.
    #[serde(default)]
    pub update: Option<ChangeForm>,
    /// The end of a record.
    #[serde(default)]
    pub delete: Option<ChangeForm>,
    /// New records in one request.
    #[serde(default)]
    pub batch_create: Option<Vec<JsonMap<String, Json>>>,
    /// Changes of several records in one request.
    #[serde(default)]
    pub batch_update: Option<Vec<ChangeForm>>,
    /// What the system says that the object has.
    #[serde(default)]
    pub discover: Option<NothingForm>,
    /// Signing in, by a token or session request. Its answer also signs the other cases in.
    #[serde(default)]
    pub login: Option<NothingForm>,
    /// A push.
    #[serde(default)]
    pub webhook: Option<PushForm>,
    /// The request that the connector must make; not looked at where nothing is said.
    #[serde(default)]
    pub request: Option<RequestForm>,
    /// What the system answers.
    #[serde(default)]
    pub answer: Option<AnswerForm>,
    /// What must be understood.
    #[serde(default)]
    pub expect: ExpectForm,
}

/// `{}`: there is nothing to say.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NothingForm {}

/// Which page of a listing is asked for; the first one where nothing is said.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListForm {
    /// Only what changed at this time or later (RFC 3339).
    #[serde(default)]
    pub since: Option<String>,
    /// The page behind this record, of a listing that goes on by the last record's values.
    #[serde(default)]
    pub after: Option<JsonMap<String, Json>>,
    /// The page behind the one with this answer.
    #[serde(default)]
    pub after_answer: Option<Json>,
}

/// One record and what is done to it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeForm {
    /// The record's id; parts of a composite id are joined by `|`.
    pub id: Json,
    /// The version that was read.
    #[serde(default)]
    pub version: Option<String>,
    /// The fields that change, as plain values.
    #[serde(default)]
    pub changes: JsonMap<String, Json>,
    /// The record as it was read, as plain values.
    #[serde(default)]
    pub current: Option<JsonMap<String, Json>>,
}

/// A request, whatever the order of its parameters and members.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestForm {
    /// Address of a GET, behind the base address or whole; it may have a query.
    #[serde(default)]
    pub get: Option<String>,
    /// Address of a POST.
    #[serde(default)]
    pub post: Option<String>,
    /// Address of a PUT.
    #[serde(default)]
    pub put: Option<String>,
    /// Address of a PATCH.
    #[serde(default)]
    pub patch: Option<String>,
    /// Address of a DELETE.
    #[serde(default)]
    pub delete: Option<String>,
    /// Query parameters beside those of the address; a list is one parameter several times.
    #[serde(default)]
    pub query: JsonMap<String, Json>,
    /// Headers that must be sent; others may.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The JSON body.
    #[serde(default)]
    pub body: Option<Json>,
    /// The fields of a form.
    #[serde(default)]
    pub form: Option<JsonMap<String, Json>>,
    /// The body's exact text, where it is neither.
    #[serde(default)]
    pub text: Option<String>,
}

/// An answer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerForm {
    /// The status code.
    #[serde(default = "ok")]
    pub status: u16,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The JSON body.
    #[serde(default)]
    pub body: Option<Json>,
    /// The body, where it is no JSON.
    #[serde(default)]
    pub text: Option<String>,
}

impl AnswerForm {
    /// An answer of 200 with this JSON.
    #[must_use]
    pub const fn of(body: Json) -> Self {
        Self {
            status: ok(),
            headers: BTreeMap::new(),
            body: Some(body),
            text: None,
        }
    }
}

const fn ok() -> u16 {
    200
}

/// A push.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PushForm {
    /// The method; POST where nothing is said.
    #[serde(default)]
    pub method: Option<String>,
    /// The public address it was sent to, where the sender signs it.
    #[serde(default)]
    pub url: Option<String>,
    /// Query parameters of the address.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The JSON body; it is sent without spaces, members in order.
    #[serde(default)]
    pub body: Option<Json>,
    /// The body's exact text.
    #[serde(default)]
    pub text: Option<String>,
    /// Whether it is signed with the first of `secrets` (else of `subscription_secrets`) as the recipe says, in place of headers that are given.
    #[serde(default)]
    pub sign: bool,
    /// Our clock (RFC 3339); 2026-01-01 where nothing is said.
    #[serde(default)]
    pub at: Option<String>,
}

/// What must be understood; only what is said is looked at.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectForm {
    /// What the answer means; `ok` where nothing is said.
    #[serde(default)]
    pub outcome: Option<OutcomeForm>,
    /// A part of what people are told.
    #[serde(default)]
    pub message: Option<String>,
    /// The records, in order.
    #[serde(default)]
    pub records: Option<Vec<RecordForm>>,
    /// The record.
    #[serde(default)]
    pub record: Option<RecordForm>,
    /// The request of the next page, or `none`.
    #[serde(default)]
    pub next: Option<Json>,
    /// The id of the record that was written.
    #[serde(default)]
    pub id: Option<Json>,
    /// Its version.
    #[serde(default)]
    pub version: Option<String>,
    /// What came of each record of a batch, in order.
    #[serde(default)]
    pub results: Option<Vec<ResultForm>>,
    /// The types of fields that the system describes, by path; null for what must not be a field.
    #[serde(default)]
    pub described: BTreeMap<String, Option<String>>,
    /// The headers that later requests carry.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The events of a push, in order.
    #[serde(default)]
    pub events: Option<Vec<EventForm>>,
    /// Whether a push is refused.
    #[serde(default)]
    pub refused: bool,
    /// What a handshake is answered with.
    #[serde(default)]
    pub reply: Option<AnswerForm>,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeForm {
    /// It is what was asked for.
    Ok,
    /// Too many requests.
    Throttle,
    /// The system is not well; it is tried again.
    Retry,
    /// The record exists already.
    Exists,
    /// There is no such record.
    Missing,
    /// The record changed in between.
    Stale,
    /// The token or session ended.
    Reauthenticate,
    /// Credentials or rights.
    Denied,
    /// The system says no.
    Reject,
    /// It leads elsewhere.
    Redirect,
    /// A page for people, or something else that the system itself does not say.
    Page,
    /// It cannot be read, or is not what the connector describes.
    Unreadable,
}

/// A record as it must be read; only what is said is looked at.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordForm {
    /// Its id.
    #[serde(default)]
    pub id: Option<Json>,
    /// Its version.
    #[serde(default)]
    pub version: Option<String>,
    /// The time of its last change (RFC 3339).
    #[serde(default)]
    pub updated_at: Option<String>,
    /// Fields and their plain values.
    #[serde(default)]
    pub fields: JsonMap<String, Json>,
}

/// What came of one record of a batch.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResultForm {
    /// Whether it was written.
    pub ok: bool,
    /// Its id.
    #[serde(default)]
    pub id: Option<Json>,
    /// A part of why it was not. A refused record is sent once more by itself where the connector can, and that answer
    /// tells why: then there is none here.
    #[serde(default)]
    pub message: Option<String>,
}

/// An event as it must be read; only what is said is looked at.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventForm {
    /// The sender's id of it.
    #[serde(default)]
    pub id: Option<Json>,
    /// The object.
    #[serde(default)]
    pub object: Option<String>,
    /// The record.
    #[serde(default)]
    pub record_id: Option<Json>,
    /// What happened.
    #[serde(default)]
    pub kind: Option<String>,
    /// When (RFC 3339).
    #[serde(default)]
    pub occurred_at: Option<String>,
    /// Whether our own integration user did it.
    #[serde(default)]
    pub own: Option<bool>,
    /// The version of the record it carries.
    #[serde(default)]
    pub version: Option<String>,
    /// Which record this one became.
    #[serde(default)]
    pub merged_into: Option<Json>,
}
