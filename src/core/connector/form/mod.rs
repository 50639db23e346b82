//! A connector as people write it: the shape of `connectors/*.yaml`, before it is checked and compiled.
//!
//! Texts may hold templates (`{{ … }}`, see [`crate::core::expr`]); what a template may name is said at each field.
//! Every request knows `settings` and, inside `auth`, `credentials`. Secrets never stand here.

mod auth;
mod error_rule;
mod field;
mod format;
mod limits;
mod part;
mod subscription;

use std::collections::BTreeMap;

pub use self::auth::{
    ApiKeyForm, ApiKeyQuery, AuthForm, BasicForm, BearerForm, ClientAuth, ClientCertificateForm, ClientJwtForm, Grant,
    JwtAlgorithm, JwtForm, OAuth1Form, OAuth1Signature, OAuth2Form, SessionForm, SignedForm,
};
pub use self::error_rule::{ErrorMeaning, ErrorRuleForm};
pub use self::field::{Access, FieldForm};
pub use self::format::{CsvForm, FormatForm, PREFIX_HINT, XmlForm};
pub use self::limits::LimitsForm;
pub use self::part::PartForm;
pub use self::subscription::{SubscriptionsForm, TopicsForm};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map as JsonMap, Value as Json};

use crate::core::{connector::database::Engine, period::Period, webhook::event::form::WebhooksForm};

/// One kind of system: how to sign in, what it holds, how to read and write it, what its webhooks look like.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectorForm {
    /// The connector's name, as `config/` and the file name use it.
    pub connector: String,
    /// A name for people.
    #[serde(default)]
    pub title: Option<String>,
    /// The vendor's documentation.
    #[serde(default)]
    pub docs: Option<String>,
    /// What a system of this kind must be given in `config/` (`settings.<name>` in templates).
    #[serde(default)]
    pub settings: BTreeMap<String, SettingForm>,
    /// Which credentials a system of this kind must be given (`credentials.<name>` in templates of `auth`).
    /// OAuth2 needs no entry here: `client_id`, `client_secret` and `refresh_token` are known where the grant uses them.
    #[serde(default)]
    pub credentials: Vec<String>,
    /// The database that it is, in place of something that answers requests. Its address is the credential `url`.
    #[serde(default)]
    pub database: Option<Engine>,
    /// Template of the address that every path is appended to; needed but for a database.
    #[serde(default)]
    pub base_url: String,
    /// Headers of every request (name to template).
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What bodies are in where a request does not say otherwise (default: JSON).
    #[serde(default)]
    pub format: Option<FormatForm>,
    /// What XML looks like.
    #[serde(default)]
    pub xml: XmlForm,
    /// What CSV looks like.
    #[serde(default)]
    pub csv: CsvForm,
    /// How requests prove who they are. Without it, they do not.
    #[serde(default)]
    pub auth: AuthForm,
    /// The budget towards one system of this kind; `config/` may lower it.
    #[serde(default)]
    pub limits: LimitsForm,
    /// What answers mean; the first rule that fits decides, after these come the rules of HTTP.
    #[serde(default)]
    pub errors: Vec<ErrorRuleForm>,
    /// How the system spells values in its own way.
    #[serde(default)]
    pub types: TypesForm,
    /// Where the system says what its objects have, for `syncline connector discover`.
    #[serde(default)]
    pub discover: Option<DiscoverForm>,
    /// What the system holds, by name.
    pub objects: BTreeMap<String, ObjectForm>,
    /// The pushes it sends.
    #[serde(default)]
    pub webhooks: Option<WebhooksForm>,
}

/// One thing that a system of this kind must or may be given in `config/`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingForm {
    /// What kind of value it is.
    #[serde(rename = "type")]
    pub kind: SettingKind,
    /// The value where none is given; without a default the setting is required.
    #[serde(default)]
    pub default: Option<Json>,
    /// What it is for.
    #[serde(default)]
    pub title: Option<String>,
}

/// Kinds of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettingKind {
    /// An absolute http(s) address.
    Url,
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// true or false.
    Boolean,
}

/// How the system spells values in its own way.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TypesForm {
    /// IANA zone of datetimes that carry none (template; `settings` is known).
    #[serde(default)]
    pub zone: Option<String>,
    /// Values that stand for "nothing", beside null (Odoo's `false`, an empty text).
    #[serde(default)]
    pub empty: Vec<Json>,
    /// What is written for "nothing" (default null).
    #[serde(default)]
    pub null: Option<Json>,
    /// Decimals.
    #[serde(default)]
    pub decimal: Option<SpellingForm>,
    /// Dates.
    #[serde(default)]
    pub date: Option<SpellingForm>,
    /// Datetimes.
    #[serde(default)]
    pub datetime: Option<SpellingForm>,
    /// Booleans.
    #[serde(default)]
    pub boolean: Option<SpellingForm>,
}

/// How one kind of value is spelled.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpellingForm {
    /// `number` or `text` (decimal); `rfc3339`, `epoch_seconds`, `epoch_millis` or a strftime pattern (date, datetime).
    #[serde(default)]
    pub format: Option<String>,
    /// Expression that takes the system's own form apart; `raw` is known. Yields what `format` describes.
    #[serde(default)]
    pub read: Option<String>,
    /// Structure that puts the system's own form together; `value` (text of the plain form) and, for dates and datetimes,
    /// `year month day hour minute second microsecond` are known.
    #[serde(default)]
    pub write: Option<Json>,
}

/// An entity type of the system.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectForm {
    /// A name for people.
    #[serde(default)]
    pub title: Option<String>,
    /// Path of the id in a record; several paths, separated by commas, make a composite key joined by `|`.
    pub id: String,
    /// Path of the time of the last change; several, separated by commas: the first that is there. Or a template that puts it
    /// together; the record is known as `raw`.
    #[serde(default)]
    pub updated_at: Option<String>,
    /// Where a record's version is: a path, or `header:ETag`.
    #[serde(default)]
    pub version: Option<String>,
    /// Types where JSON has none, and what may be done with a field: name (a path) to kind or to a description.
    #[serde(default)]
    pub fields: BTreeMap<String, FieldForm>,
    /// The table behind the object, of a database (`schema.name`). The columns under `fields:` are read, and those of the id.
    #[serde(default)]
    pub table: Option<String>,
    /// The view behind it.
    #[serde(default)]
    pub view: Option<String>,
    /// The query behind it: `select …`.
    #[serde(default)]
    pub query: Option<String>,
    /// Who answers for the table, view or query: a team, or an address.
    #[serde(default)]
    pub owner: Option<String>,
    /// The channel on which triggers tell the key of every row that changes (PostgreSQL, `NOTIFY`): it is looked at at once.
    #[serde(default)]
    pub notify: Option<String>,
    /// Whether the table may be written to.
    #[serde(default)]
    pub write: Option<WriteForm>,
    /// Whether `fields` lists every field, so that a mapping that names another is wrong. Otherwise unlisted fields are
    /// taken as they come.
    #[serde(default)]
    pub closed: bool,
    /// Reads all records, or those changed since a time where the request uses `since`.
    #[serde(default)]
    pub list: Option<ListForm>,
    /// Reads the records changed since a time, where that is another request than `list`.
    #[serde(default)]
    pub changed: Option<ListForm>,
    /// Reads the records that belong to some records of another object, whose ids it knows as `ids` (up to 100).
    #[serde(default)]
    pub of_parents: Option<ListForm>,
    /// Records of other objects that belong to a record of this one, by the name of the list in which they stand in it.
    #[serde(default)]
    pub parts: BTreeMap<String, PartForm>,
    /// Finds records by one field's value.
    #[serde(default)]
    pub find: Option<FindForm>,
    /// Reads one record.
    #[serde(default)]
    pub get: Option<OperationForm>,
    /// Makes a record.
    #[serde(default)]
    pub create: Option<OperationForm>,
    /// Changes fields of a record.
    #[serde(default)]
    pub update: Option<OperationForm>,
    /// Removes a record.
    #[serde(default)]
    pub delete: Option<OperationForm>,
    /// Several writes in one request.
    #[serde(default)]
    pub batch: BatchesForm,
}

/// Whether a table may be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteForm {
    /// Rows may be made, changed and removed.
    Allowed,
}

/// Defines the form of a call: the keys of a request, and beside them the keys of what is done with the answer.
macro_rules! call {
    ($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident: $kind:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// GET this path.
            #[serde(default)]
            pub get: Option<String>,
            /// POST to this path.
            #[serde(default)]
            pub post: Option<String>,
            /// PUT to this path.
            #[serde(default)]
            pub put: Option<String>,
            /// PATCH this path.
            #[serde(default)]
            pub patch: Option<String>,
            /// DELETE this path.
            #[serde(default)]
            pub delete: Option<String>,
            /// Query parameters (name to template). One is left out where its template, or an expression inside of its text,
            /// yields null, nothing or an empty text; a list is sent as the same parameter several times.
            #[serde(default)]
            pub query: JsonMap<String, Json>,
            /// Headers (name to template); left out as query parameters are.
            #[serde(default)]
            pub headers: BTreeMap<String, String>,
            /// The body: any structure of templates.
            #[serde(default)]
            pub body: Option<Json>,
            /// In place of `body`: the fields of a form (`application/x-www-form-urlencoded`): name to template, or one template
            /// that comes to a map, whose members of members are written in brackets (`address[city]`).
            #[serde(default)]
            pub form: Option<Json>,
            /// What this request's body and answer are in, where it is not what the whole connector says.
            #[serde(default)]
            pub format: Option<FormatForm>,
            $($(#[$fmeta])* pub $field: $kind),*
        }

        impl $name {
            /// The request alone.
            #[must_use]
            pub fn request(&self) -> Request<'_> {
                let methods = [
                    (Method::Get, &self.get),
                    (Method::Post, &self.post),
                    (Method::Put, &self.put),
                    (Method::Patch, &self.patch),
                    (Method::Delete, &self.delete),
                ];
                Request {
                    targets: methods.into_iter().filter_map(|(method, path)| Some((method, path.as_deref()?))).collect(),
                    query: &self.query,
                    headers: &self.headers,
                    body: self.body.as_ref(),
                    form: self.form.as_ref(),
                    format: self.format,
                }
            }
        }
    };
}

// Behind the macro that it uses.
mod discover;

pub use self::discover::DiscoverForm;

/// The HTTP methods a connector may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET: reads, safe to repeat.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH (RFC 5789).
    Patch,
    /// DELETE.
    Delete,
}

impl Method {
    /// The key that it has in a request's form.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }

    /// Whether sending it twice is the same as sending it once (RFC 9110, section 9.2.2).
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        matches!(self, Self::Get | Self::Put | Self::Delete)
    }
}

/// The part of a call that says what is sent.
#[derive(Debug)]
pub struct Request<'a> {
    /// Methods and path templates that were given; a right form has exactly one.
    pub targets: Vec<(Method, &'a str)>,
    /// Query parameters.
    pub query: &'a JsonMap<String, Json>,
    /// Headers.
    pub headers: &'a BTreeMap<String, String>,
    /// The JSON body.
    pub body: Option<&'a Json>,
    /// The fields of a form.
    pub form: Option<&'a Json>,
    /// What body and answer are in.
    pub format: Option<FormatForm>,
}

call! {
    /// A call to the system. Exactly one of the methods is given; its text is the path (template) appended to `base_url`.
    RequestForm {}
}

call! {
    /// Reads records page by page. Beside `settings`, the request knows `since` (the lower bound of an incremental read, absent
    /// otherwise) and `page`: `page.cursor`, `page.offset`, `page.number`, `page.size`, `page.last` (the last record).
    ListForm {
        /// Path of the records in the answer; without it the answer is the list.
        #[serde(default)]
        records: Option<String>,
        /// Path of the record in each item of the list, where it is not the item itself.
        #[serde(default)]
        record: Option<String>,
        /// Whether an answer without a list has no records; otherwise it is no answer.
        #[serde(default)]
        empty: bool,
        /// How the next page is reached; without it there is one page.
        #[serde(default)]
        page: Option<PageForm>,
        /// How far an incremental read goes back behind the last one (default 2m), for clocks that differ and late commits.
        #[serde(default)]
        overlap: Option<Period>,
        /// How far back the system knows what changed, where that is not for ever (`30d`).
        #[serde(default)]
        reaches: Option<Period>,
        /// The form of `since`: `rfc3339`, `epoch_seconds`, `epoch_millis` or a strftime pattern (default: as `types` says
        /// for datetimes).
        #[serde(default)]
        since_format: Option<String>,
    }
}

call! {
    /// Finds records by one field's value; the request knows `field` (its name) and `value` (as the system spells it).
    FindForm {
        /// The fields that can be searched for.
        fields: Vec<String>,
        /// Path of the records in the answer; without it the answer is the list.
        #[serde(default)]
        records: Option<String>,
        /// Path of the record in each item of the list, where it is not the item itself.
        #[serde(default)]
        record: Option<String>,
        /// Whether an answer without a list has no records; otherwise it is no answer.
        #[serde(default)]
        empty: bool,
    }
}

call! {
    /// Reads or writes one record. Beside `settings`, a create knows `record` (all fields to write) and `key` (the idempotency
    /// key); the others know `id`, `ids` (the parts of a composite id), `version` and, but for a get, `key`; an update also
    /// `changes` (only what changes) and `record` (the same).
    OperationForm {
        /// Path of the record in the answer (default: the whole answer).
        #[serde(default)]
        record: Option<String>,
        /// Path of the new record's id in the answer (default: the object's `id` in the record), or `header:Location`, whose
        /// last part is taken.
        #[serde(default)]
        id: Option<String>,
        /// Where the idempotency key goes: `header:Idempotency-Key` or `query:requestid`.
        #[serde(default)]
        idempotency: Option<String>,
        /// The header that carries the version of the record that was read (`If-Match`): a stale write is refused.
        #[serde(default)]
        if_match: Option<String>,
        /// The field whose unique value makes this an upsert: sending it twice is harmless.
        #[serde(default)]
        upsert_by: Option<String>,
        /// Whether sending it twice does no harm (default: yes for GET, PUT and DELETE, and with one of the three keys
        /// above). Only such a request is sent again where it is not known what became of it.
        #[serde(default)]
        repeatable: Option<bool>,
    }
}

call! {
    /// Registers a subscription.
    SubscribeForm {
        /// Path of its id in the answer (default `id`), or `header:Name`.
        #[serde(default)]
        id: Option<String>,
    }
}

/// Several writes in one request, by kind.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchesForm {
    /// New records.
    #[serde(default)]
    pub create: Option<BatchForm>,
    /// Changed records.
    #[serde(default)]
    pub update: Option<BatchForm>,
}

call! {
    /// Several writes of one kind in one request; the request knows `settings` and `records`, a list of what `item` makes.
    BatchForm {
        /// The form of one record in `records`; knows `item`: a map of `id`, `ids`, `fields`, `version`, `key`, `index`
        /// (from 0). Default: its fields, with the id at the object's `id`.
        #[serde(default)]
        item: Option<Json>,
        /// How many records one request may carry.
        size: u32,
        /// Path of the list of results in the answer.
        results: String,
        /// Expression that says whether one record was written (`result` is known).
        ok: String,
        /// Expression that yields which record a result belongs to (`result` is known); default: the same place in the list.
        #[serde(default)]
        index: Option<String>,
        /// Expression that yields the id of the record (`result` is known).
        #[serde(default)]
        id: Option<String>,
        /// Template of the message where a record was refused (`result` is known).
        #[serde(default)]
        message: Option<String>,
        /// Whether sending it twice does no harm (default: no).
        #[serde(default)]
        repeatable: Option<bool>,
    }
}

/// How the next page is reached: exactly one of the first six keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageForm {
    /// Path of the next cursor in the answer, or `header:Name`; absent, null or empty ends the listing.
    #[serde(default)]
    pub cursor: Option<String>,
    /// Path of the next page's address in the answer, or `header:Name`; absolute or relative; only the configured origin is followed.
    #[serde(default)]
    pub next_url: Option<String>,
    /// The relation of the `Link` header (RFC 8288) that leads on, usually `next`.
    #[serde(default)]
    pub link_header: Option<String>,
    /// Number of the first record (usually 0).
    #[serde(default)]
    pub offset: Option<u64>,
    /// Number of the first page (usually 1).
    #[serde(default)]
    pub number: Option<u64>,
    /// Paths, separated by commas, whose values in the last record lead on: the request asks for records after `page.last`.
    #[serde(default)]
    pub keyset: Option<String>,
    /// Where the value goes by itself; requests may also use `page.…` in their templates.
    #[serde(default)]
    pub send: SendForm,
    /// Records a page: a number or a template (`settings` is known). It is never believed alone: systems cap it in silence, so
    /// that a page ends an offset, number or keyset listing where it is empty or shorter than the page before it.
    #[serde(default)]
    pub size: Option<Json>,
    /// Path of the number of all records in the answer, or `header:Name`, where the system tells it: a listing that ends short of it is incomplete.
    #[serde(default)]
    pub total: Option<String>,
    /// Path of a value that says whether there is more, or `header:Name`, where the system tells it.
    #[serde(default)]
    pub more: Option<String>,
    /// How many pages may be asked for at once (2 to 16), within `limits.concurrency`; only with `offset:` or `number:` and a
    /// `total:`. Without it, one after another. A listing whose total changes meanwhile counts as incomplete.
    #[serde(default)]
    #[schemars(range(min = 1, max = 16))]
    pub parallel: Option<u32>,
}

/// Where the paging value goes by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendForm {
    /// As this query parameter.
    #[serde(default)]
    pub query: Option<String>,
    /// As this header.
    #[serde(default)]
    pub header: Option<String>,
}
