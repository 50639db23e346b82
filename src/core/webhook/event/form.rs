//! The `webhooks:` block as it is written in a connector file.
//!
//! Every template in it knows `body`, `headers` (lower-case names), `query`, `method`, `settings`, and, but for `events`
//! and `handshake`, `event`: one element of what `events` yields.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::core::{
    connector::form::{SubscriptionsForm, XmlForm},
    period::Period,
    status::EventKind,
    webhook::form::VerifyForm,
};

/// The pushes a system sends: how they prove where they come from, and what they say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhooksForm {
    /// How a request proves where it comes from.
    #[serde(default)]
    pub verify: VerifyForm,
    /// What bodies are in; JSON where nothing is said.
    #[serde(default, skip_serializing_if = "is_default")]
    pub format: BodyForm,
    /// What their XML looks like.
    #[serde(default, skip_serializing_if = "is_default")]
    pub xml: XmlForm,
    /// Template of the events in a request: a list, or one event. Without it, the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<String>,
    /// Template of the event's id, the same when the sender tries again. Without it every request is taken as new,
    /// which costs a look at the record and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Template of the time of the change: RFC 3339, or seconds or milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<String>,
    /// Template of the object's name; a fixed name where a system sends events of one object only.
    pub object: String,
    /// The system's own names of objects, where they are not ours (`contact.creation: contact`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub objects: BTreeMap<String, String>,
    /// Template of the record's id, or of a list of ids: the event then stands for one of each record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_id: Option<String>,
    /// Template of what happened: `created`, `updated`, `deleted`, `merged`, `renamed` or `reread`, alone or at the end of a
    /// dotted name (`customer.updated`). Without it, `updated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The system's own names of what happened, where they are not ours (`contact.propertyChange: updated`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, EventKind>,
    /// Template that says whether our own integration user made the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<String>,
    /// Template of the record as the event carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Template of the version of that record, which grows with every change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether that record is all there is, so that it need not be read again. Needs `record` and `version`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub complete: bool,
    /// Template of the id of the record that this one became (`merged`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    /// Template of the id that the record had before (`renamed`); `record_id` is its new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// How long the record is left alone after an event, for senders that push before they have committed (`5s`): it is read
    /// that much later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<Period>,
    /// The request by which a sender makes sure that somebody listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handshake: Option<HandshakeForm>,
    /// Status codes, for senders that are particular about them.
    #[serde(default)]
    pub answer: AnswerForm,
    /// How the subscriptions to the pushes are kept in order. Without it, people register them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<SubscriptionsForm>,
}

/// What bodies are in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BodyForm {
    /// JSON.
    #[default]
    Json,
    /// XML, read as structure; SOAP is XML.
    Xml,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A request that carries no event and wants a certain answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandshakeForm {
    /// Template that says whether a request is one.
    pub when: String,
    /// Whether it comes without a signature; it is then answered before anything is verified.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsigned: bool,
    /// What is answered.
    pub answer: HandshakeAnswerForm,
}

/// What a handshake is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandshakeAnswerForm {
    /// The status code.
    #[serde(default = "ok")]
    pub status: u16,
    /// Headers (name to template).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body, any structure of templates: a text is sent as plain text, anything else as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Json>,
}

/// What is answered, by what became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AnswerForm {
    /// Every event is stored.
    pub accepted: u16,
    /// Every event was stored before.
    pub duplicate: u16,
    /// The request does not prove where it comes from.
    pub rejected: u16,
    /// The request is from its sender and cannot be read.
    pub malformed: u16,
    /// Nothing can be stored now; the sender has to try again.
    pub busy: u16,
    /// The body for events that are stored, for senders that want to read one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// What that body is; plain text where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}

impl Default for AnswerForm {
    fn default() -> Self {
        Self {
            accepted: 200,
            duplicate: 200,
            rejected: 401,
            malformed: 400,
            busy: 503,
            body: None,
            content_type: None,
        }
    }
}

const fn ok() -> u16 {
    200
}
