//! Which changes a verified request speaks of.
//!
//! Everything a sender writes here is a hint where to look, so a gap is filled with the safe reading: an event of an
//! unknown kind is an update (the record is read), one without an id is new. What cannot be a hint at all, an event
//! without an object or a record, is [`Malformed`].

mod compile;
mod field;
pub mod form;
mod receive;
mod told;

#[cfg(test)]
mod tests;

pub use receive::{Arrival, Refusal};

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};

pub(in crate::core) use self::field::moment;
use self::{
    field::{find, flag, name},
    form::AnswerForm,
};
use super::{Incoming, Recipe};
use crate::core::{
    expr::{Fault, Scope, Structure, Template},
    status::EventKind,
    value::{Map, Value, xml::Namespaces},
};

/// The most events in one request.
pub const EVENTS_MAX: usize = 1_000;
/// The longest id, object name or version, in bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// The most headers and query parameters that templates get to see.
const REQUEST_PARTS_MAX: usize = 200;

/// A checked `webhooks:` block.
#[derive(Debug)]
pub struct Definition {
    recipe: Recipe,
    body: BodyFormat,
    events: Option<Template>,
    fields: Fields,
    objects: BTreeMap<String, String>,
    kinds: BTreeMap<String, EventKind>,
    is_complete: bool,
    settle: Duration,
    handshake: Option<Handshake>,
    answer: AnswerForm,
    uses: Uses,
}

/// What bodies are in.
#[derive(Debug)]
enum BodyFormat {
    Json,
    Xml(Namespaces),
}

/// Which parts of a request, beside its body, any template names.
#[derive(Debug, Clone, Copy)]
struct Uses {
    headers: bool,
    query: bool,
}

/// What is read from each event.
#[derive(Debug)]
struct Fields {
    id: Option<Template>,
    occurred_at: Option<Template>,
    object: Template,
    record_id: Option<Template>,
    kind: Option<Template>,
    own: Option<Template>,
    record: Option<Template>,
    version: Option<Template>,
    merged_into: Option<Template>,
    renamed_from: Option<Template>,
}

#[derive(Debug)]
struct Handshake {
    when: Template,
    is_unsigned: bool,
    status: u16,
    headers: Vec<(String, Template)>,
    body: Option<Structure>,
}

/// One event of a request, as its sender tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pushed {
    /// The sender's id of the event, unique within the system; without one the event is always new.
    pub event_id: Option<String>,
    /// What happened.
    pub kind: EventKind,
    /// The sender's own word for what happened, where it is none that we know; the event is then taken as an update.
    pub unknown_kind: Option<String>,
    /// The object's name. It may be none of the connector's: such an event is ignored.
    pub object: String,
    /// The record; `None` only where everything is to be read again.
    pub record_id: Option<String>,
    /// When it happened, if the sender says so in a way that names one moment.
    pub occurred_at: Option<DateTime<Utc>>,
    /// Whether our own integration user did it.
    pub own: bool,
    /// The record as the event carries it.
    pub record: Option<Map>,
    /// The version of that record.
    pub version: Option<String>,
    /// Which record this one became: another one by a merge, the same one under its new id by a rename.
    pub merged_into: Option<String>,
}

/// What a handshake is answered with.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Headers; the values are what the request made them, so the shell has to refuse what no header may hold.
    pub headers: Vec<(String, String)>,
    /// A text is sent as plain text, anything else as JSON.
    pub body: Option<Value>,
}

/// Why a request cannot be read as events. The sender is known by then, so this is for its people too.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A template cannot be evaluated for this request.
    #[error("cannot evaluate `{field}`")]
    Template {
        /// The key of the definition.
        field: &'static str,
        /// Why.
        #[source]
        source: Fault,
    },
    /// A template yields something that its key cannot be.
    #[error("`{field}` yields {found} instead of {expected}")]
    Type {
        /// The key of the definition.
        field: &'static str,
        /// What it yields.
        found: &'static str,
        /// What it should.
        expected: &'static str,
    },
    /// The request has nothing where its events should be.
    #[error("the request has no `events`")]
    NoEvents,
    /// An event lacks what it cannot be without.
    #[error("event {index} has no `{field}`")]
    Missing {
        /// The key of the definition.
        field: &'static str,
        /// Which event of the request, from 0.
        index: usize,
    },
    /// A text is longer than allowed.
    #[error("`{field}` has {bytes} bytes, more than {NAME_BYTES_MAX}")]
    TooLong {
        /// The key of the definition.
        field: &'static str,
        /// How long it is.
        bytes: usize,
    },
    /// There are too many events.
    #[error("the request has {count} events, more than {EVENTS_MAX}")]
    TooMany {
        /// How many there are.
        count: usize,
    },
}

impl Definition {
    /// What proves where a request comes from.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// What the sender's words for kinds mean.
    #[must_use]
    pub fn kinds(&self) -> &BTreeMap<String, EventKind> {
        &self.kinds
    }

    /// What the sender's words for objects mean.
    #[must_use]
    pub fn objects(&self) -> &BTreeMap<String, String> {
        &self.objects
    }

    /// Whether events have an id of their sender, by which one that comes twice is known.
    #[must_use]
    pub fn has_event_ids(&self) -> bool {
        self.fields.id.is_some()
    }

    /// What to answer.
    #[must_use]
    pub fn answer(&self) -> &AnswerForm {
        &self.answer
    }

    /// Whether the record that an event carries is all there is, and has a version.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// How long a record is left alone after an event, because its sender may not have committed by then.
    #[must_use]
    pub const fn settle(&self) -> Duration {
        self.settle
    }

    /// Whether handshakes come without a signature and are to be answered before verifying.
    #[must_use]
    pub fn has_unsigned_handshake(&self) -> bool {
        self.handshake.as_ref().is_some_and(|handshake| handshake.is_unsigned)
    }

    /// Whether handshakes come with a signature, as events do.
    #[must_use]
    pub fn has_signed_handshake(&self) -> bool {
        self.handshake.as_ref().is_some_and(|handshake| !handshake.is_unsigned)
    }

    /// The answer to `request`, if it is a handshake. `body` is its body, parsed, or null if it has none.
    pub fn handshake(
        &self,
        request: &Incoming<'_>,
        body: &Arc<Value>,
        settings: &Arc<Value>,
    ) -> Result<Option<Reply>, Malformed> {
        let Some(handshake) = &self.handshake else {
            return Ok(None);
        };
        let scope = self.scope(request, body, settings);
        if !flag("when", &handshake.when, &scope)? {
            return Ok(None);
        }
        let mut headers = Vec::with_capacity(handshake.headers.len());
        for (header, template) in &handshake.headers {
            if let Some(text) = name("headers", Some(template), &scope)? {
                headers.push((header.clone(), text));
            }
        }
        let body = match &handshake.body {
            Some(body) => body
                .find(&scope)
                .map_err(|source| Malformed::Template { field: "body", source })?,
            None => None,
        };
        Ok(Some(Reply {
            status: handshake.status,
            headers,
            body,
        }))
    }

    /// The events of a verified `request`, in its order. An empty list of events is no mistake.
    pub fn read(
        &self,
        request: &Incoming<'_>,
        body: &Arc<Value>,
        settings: &Arc<Value>,
    ) -> Result<Vec<Pushed>, Malformed> {
        let mut scope = self.scope(request, body, settings);
        let events = match &self.events {
            Some(template) => find("events", template, &scope)?,
            None => Some(Value::clone(body)),
        };
        let events = match events {
            Some(Value::List(events)) => events,
            // Not the same as an empty list: taken for one, a sender that renames a key would lose every event.
            Some(Value::Null) | None => return Err(Malformed::NoEvents),
            Some(event) => vec![event],
        };
        if events.len() > EVENTS_MAX {
            return Err(Malformed::TooMany { count: events.len() });
        }
        let mut seen = HashSet::new();
        let mut pushed = Vec::with_capacity(events.len());
        for (index, event) in events.into_iter().enumerate() {
            scope.set("event", Arc::new(event));
            for mut event in self.told(index, &scope)? {
                event.event_id = event.event_id.map(|id| unique(id, index, &mut seen)).transpose()?;
                pushed.push(event);
            }
            if pushed.len() > EVENTS_MAX {
                return Err(Malformed::TooMany { count: pushed.len() });
            }
        }
        Ok(pushed)
    }

    /// What templates know about a request. Headers and query are taken apart only for templates that name them.
    fn scope(&self, request: &Incoming<'_>, body: &Arc<Value>, settings: &Arc<Value>) -> Scope {
        let mut scope = Scope::new();
        scope.set("body", Arc::clone(body));
        scope.set("settings", Arc::clone(settings));
        scope.set("method", Arc::new(Value::from(request.method)));
        if self.uses.headers {
            scope.set("headers", Arc::new(Value::Map(headers(request))));
        }
        if self.uses.query {
            scope.set("query", Arc::new(Value::Map(parameters(request))));
        }
        scope
    }
}

/// Events of one request that share an id (that of the request, say) are still different events. Their place in the
/// request tells them apart, and stays the same when the sender tries again.
fn unique(id: String, index: usize, seen: &mut HashSet<String>) -> Result<String, Malformed> {
    if seen.insert(id.clone()) {
        return Ok(id);
    }
    let id = format!("{id}#{index}");
    if id.len() > NAME_BYTES_MAX {
        return Err(Malformed::TooLong {
            field: "id",
            bytes: id.len(),
        });
    }
    Ok(id)
}

/// The headers by lower-case name, the first of each that is text.
fn headers(request: &Incoming<'_>) -> Map {
    let mut headers = Map::new();
    for (name, value) in request.headers.iter().take(REQUEST_PARTS_MAX) {
        if let Ok(text) = std::str::from_utf8(value) {
            headers
                .entry(name.to_ascii_lowercase())
                .or_insert_with(|| Value::from(text));
        }
    }
    headers
}

/// The query parameters by name, the first of each.
fn parameters(request: &Incoming<'_>) -> Map {
    let mut parameters = Map::new();
    for (name, value) in request.query().take(REQUEST_PARTS_MAX) {
        parameters
            .entry(name.into_owned())
            .or_insert_with(|| Value::from(value.into_owned()));
    }
    parameters
}
