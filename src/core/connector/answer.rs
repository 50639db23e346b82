//! What an answer means: the connector's own rules first, then those of HTTP; and what of it is the record.

use chrono::{DateTime, Utc};

use super::{Connector, Moment, Object, Operation, Source, form::ErrorMeaning, spelling::Dialect};
use crate::core::{
    expr::{Scope, Template},
    path::{Path, Segment},
    record::Record,
    value::{Map, Value, json, kind::Kind},
};

/// One rule of a connector.
#[derive(Debug)]
pub struct Rule {
    /// When it fits.
    pub when: Template,
    /// What the answer then means.
    pub then: ErrorMeaning,
    /// What to tell people.
    pub message: Option<Template>,
}

/// What a request asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A page of records.
    List,
    /// Records with a value.
    Find,
    /// One record.
    Get,
    /// A new record.
    Create,
    /// A changed record.
    Update,
    /// A removed record.
    Delete,
    /// Several writes.
    Batch,
    /// A session.
    Login,
    /// A subscription to pushes.
    Subscribe,
}

impl Purpose {
    /// Its name in rules and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Find => "find",
            Self::Get => "get",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Batch => "batch",
            Self::Login => "login",
            Self::Subscribe => "subscribe",
        }
    }

    /// Whether it asks about one record that has an id.
    const fn is_of_one(self) -> bool {
        matches!(self, Self::Get | Self::Update | Self::Delete)
    }
}

/// What a body is, whatever its content type says.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Nothing.
    Empty,
    /// JSON.
    Json(Value),
    /// A page for people: a login form, a proxy, a maintenance notice.
    Html,
    /// Something else; its start.
    Text(String),
}

/// The longest text that is kept of an answer that is not JSON.
const TEXT_CHARS_MAX: usize = 4_096;

impl Content {
    /// Whether the body is a page for people.
    #[must_use]
    pub fn is_html(body: &[u8]) -> bool {
        let start = body
            .strip_prefix("\u{feff}".as_bytes())
            .unwrap_or(body)
            .trim_ascii_start();
        let head: Vec<u8> = start.iter().take(64).map(u8::to_ascii_lowercase).collect();
        head.starts_with(b"<!doctype html")
            || head.starts_with(b"<html")
            || head.starts_with(b"<head")
            || head.starts_with(b"<body")
    }

    /// Looks into a body. The error is why it is no JSON, where it starts as such.
    pub fn of(body: &[u8], limits: &json::Limits) -> Result<Self, json::Error> {
        let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        let start = body.trim_ascii_start();
        match start.first() {
            None => Ok(Self::Empty),
            Some(_) if Self::is_html(body) => Ok(Self::Html),
            Some(_) => match json::parse(body, limits) {
                Ok(value) => Ok(Self::Json(value)),
                Err(error) if matches!(start.first(), Some(b'{' | b'[')) => Err(error),
                Err(_) => {
                    let text = String::from_utf8_lossy(start.get(..TEXT_CHARS_MAX * 4).unwrap_or(start));
                    Ok(Self::Text(text.chars().take(TEXT_CHARS_MAX).collect()))
                }
            },
        }
    }

    /// What rules see as `body`.
    #[must_use]
    pub fn into_value(self) -> Value {
        match self {
            Self::Empty | Self::Html => Value::Null,
            Self::Json(value) => value,
            Self::Text(text) => Value::Text(text),
        }
    }
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It is what was asked for.
    Ok,
    /// Too many requests; nothing was done.
    Throttle,
    /// The system is not well. Whether it did what was asked for is only known where the verdict is by a rule.
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
    /// It leads elsewhere; nobody follows.
    Redirect,
}

/// What an answer was found to mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The meaning.
    pub meaning: Meaning,
    /// What the other side says about it, unmasked.
    pub message: Option<String>,
    /// Whether a rule of the connector said so, and not the rules of HTTP.
    pub is_by_rule: bool,
}

/// An answer to be judged.
#[derive(Debug)]
pub struct Answer<'a> {
    /// What was asked for.
    pub purpose: Purpose,
    /// The status code.
    pub status: u16,
    /// Headers, lower-case names to texts.
    pub headers: &'a Map,
    /// The body; null for an empty one and for HTML.
    pub body: &'a Value,
    /// Whether the body is a page for people.
    pub is_html: bool,
}

impl Connector {
    /// What an answer means. `settings` are the system's.
    #[must_use]
    pub fn judge(&self, answer: &Answer<'_>, settings: &Value) -> Verdict {
        if !self.rules.is_empty() {
            let scope = Scope::new()
                .with("status", i64::from(answer.status))
                .with("operation", answer.purpose.as_str())
                .with("headers", answer.headers.clone())
                .with("body", answer.body.clone())
                .with("settings", settings.clone());
            for rule in &self.rules {
                // What a rule asks for and is not there makes it not fit.
                if matches!(rule.when.holds(&scope), Ok(true)) {
                    let told = rule
                        .message
                        .as_ref()
                        .and_then(|message| message.find(&scope).ok().flatten());
                    let told = told.and_then(|told| told.to_text()).filter(|told| !told.is_empty());
                    return Verdict {
                        meaning: meaning(rule.then),
                        message: told.or_else(|| message_in(answer.body)),
                        is_by_rule: true,
                    };
                }
            }
        }
        let meaning = by_status(answer);
        Verdict {
            meaning,
            message: (meaning != Meaning::Ok).then(|| message_in(answer.body)).flatten(),
            is_by_rule: false,
        }
    }
}

const fn meaning(then: ErrorMeaning) -> Meaning {
    match then {
        ErrorMeaning::Ok => Meaning::Ok,
        ErrorMeaning::Throttle => Meaning::Throttle,
        ErrorMeaning::Retry => Meaning::Retry,
        ErrorMeaning::Exists => Meaning::Exists,
        ErrorMeaning::Missing => Meaning::Missing,
        ErrorMeaning::Stale => Meaning::Stale,
        ErrorMeaning::Reauthenticate => Meaning::Reauthenticate,
        ErrorMeaning::Denied => Meaning::Denied,
        ErrorMeaning::Reject => Meaning::Reject,
    }
}

/// The rules of HTTP (RFC 9110, RFC 6585), for what was asked for.
fn by_status(answer: &Answer<'_>) -> Meaning {
    match answer.status {
        200..=299 => Meaning::Ok,
        300..=399 => Meaning::Redirect,
        401 => Meaning::Reauthenticate,
        403 | 407 => Meaning::Denied,
        // A page for people is a wrong address or a proxy, and proves nothing about a record.
        404 | 410 if answer.purpose.is_of_one() && !answer.is_html => Meaning::Missing,
        408 | 425 | 429 => Meaning::Throttle,
        409 if answer.purpose == Purpose::Create => Meaning::Exists,
        412 => Meaning::Stale,
        501 | 505 => Meaning::Reject,
        500..=599 => Meaning::Retry,
        _ => Meaning::Reject,
    }
}

/// Where APIs mostly put the text of an error.
fn message_in(body: &Value) -> Option<String> {
    const MEMBERS: [&str; 9] = [
        "message",
        "error_description",
        "detail",
        "error",
        "errors",
        "title",
        "reason",
        "description",
        "code",
    ];
    let mut body = body;
    for _ in 0..4 {
        match body {
            Value::Text(text) => return (!text.trim().is_empty()).then(|| text.clone()),
            Value::List(items) => body = items.first()?,
            Value::Map(map) => {
                body = MEMBERS
                    .iter()
                    .find_map(|name| map.get(*name).filter(|value| !value.is_empty()))?;
            }
            _ => return None,
        }
    }
    None
}

/// Why a record cannot be taken from an answer. No value is named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TakeError {
    /// It has no id.
    #[error("a record has no id at `{path}`")]
    NoId {
        /// Where it should be.
        path: String,
    },
    /// There is something else.
    #[error("at `{path}` there is {found} in place of a record")]
    NotRecord {
        /// Where.
        path: String,
        /// What.
        found: &'static str,
    },
}

/// What stands where a record should be.
#[derive(Debug, PartialEq)]
pub enum Taken {
    /// A record's members.
    Found(Map),
    /// The answer says that there is none: null, or nothing in the list it should be in.
    Nothing,
}

/// Takes the record at `path` out of an answer.
pub fn take(body: Value, path: &Path) -> Result<Taken, TakeError> {
    let mut body = body;
    if path.is_whole() {
        return match body {
            Value::Map(map) => Ok(Taken::Found(map)),
            Value::Null => Ok(Taken::Nothing),
            other => Err(not_record(path, &other)),
        };
    }
    match path.remove(&mut body) {
        Some(Value::Map(map)) => Ok(Taken::Found(map)),
        Some(Value::Null) => Ok(Taken::Nothing),
        Some(other) => Err(not_record(path, &other)),
        None if is_in_empty_list(&body, path) => Ok(Taken::Nothing),
        None => Err(TakeError::NotRecord {
            path: path.to_string(),
            found: "nothing",
        }),
    }
}

fn not_record(path: &Path, found: &Value) -> TakeError {
    TakeError::NotRecord {
        path: path.to_string(),
        found: found.type_name(),
    }
}

fn is_in_empty_list(body: &Value, path: &Path) -> bool {
    match path.segments().split_last() {
        Some((Segment::Index(_), before)) => Path::of(before.to_vec())
            .get(body)
            .and_then(Value::as_list)
            .is_some_and(<[Value]>::is_empty),
        _ => false,
    }
}

impl Object {
    /// A record of the members a system sent: with its id, version and time of change, and its values read.
    pub fn record(&self, mut fields: Map, headers: &Map, dialect: &Dialect) -> Result<Record, TakeError> {
        let id = self.id_of(&fields).ok_or_else(|| TakeError::NoId {
            path: self.id.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        })?;
        let version = self.version_of(&fields, headers);
        let updated_at = self.updated_at_of(&fields, dialect);
        dialect.read_record(self, &mut fields);
        Ok(Record {
            id,
            fields,
            version,
            updated_at,
        })
    }

    /// The version of a record that was read or written.
    #[must_use]
    pub fn version_of(&self, fields: &Map, headers: &Map) -> Option<String> {
        let version = match self.version.as_ref()? {
            Source::Path(path) => path.get_in(fields)?.to_text(),
            Source::Header(name) => headers.get(name)?.to_text(),
        };
        version.filter(|version| !version.is_empty())
    }

    fn updated_at_of(&self, fields: &Map, dialect: &Dialect) -> Option<DateTime<Utc>> {
        let read = |raw: &Value| match dialect.read(Kind::DateTime { precision: None }, raw) {
            Some(Value::DateTime(at)) => Some(at.to_utc()),
            _ => None,
        };
        match &self.updated_at {
            Moment::Paths(paths) => paths.iter().find_map(|path| read(path.get_in(fields)?)),
            Moment::Template(template) => {
                let scope = Scope::new().with("raw", fields.clone());
                read(&template.find(&scope).ok()??)
            }
        }
    }
}

impl Operation {
    /// The id of a new record, where the operation says where it is.
    #[must_use]
    pub fn new_id(&self, body: &Value, headers: &Map) -> Option<String> {
        let id = match self.id.as_ref()? {
            Source::Path(path) => path.get(body)?.to_text(),
            Source::Header(name) => {
                let value = headers.get(name)?.to_text()?;
                if name == "location" {
                    last_segment(&value)
                } else {
                    Some(value)
                }
            }
        };
        id.filter(|id| !id.is_empty())
    }
}

/// The last part of an address's path.
fn last_segment(location: &str) -> Option<String> {
    let path = location.split(['?', '#']).next()?.trim_end_matches('/');
    let last = path.rsplit('/').next()?;
    let decoded = percent_encoding::percent_decode_str(last).decode_utf8().ok()?;
    Some(decoded.into_owned())
}
