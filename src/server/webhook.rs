//! Taking webhooks in: verify the raw bytes, read the events, store them durably, and only then acknowledge.
//!
//! The path is short on purpose. Nothing is looked up but the system, nothing is awaited but the body and the store, and
//! the store makes one durable transaction of what many requests bring at the same time.

use std::{
    collections::{BTreeMap, HashMap},
    error::Error,
    iter,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::{
    request::{RequestId, after_panic, dress},
    secret::{Look, Secrets},
    state::App,
};
use crate::{
    core::{
        mapping::Mapping,
        record::RecordKey,
        status::{ChangeOrigin, Side},
        value::{Value, json},
        webhook::{
            Incoming, Kind, Rejection, Secret,
            event::{Arrival, Definition, Pushed, Refusal, Reply, form::AnswerForm},
        },
    },
    metrics::IntakeResult,
    seam::{self, Bug},
    store::{
        self,
        change::NewChange,
        event::{NewEvent, Received},
    },
    sync,
};

/// Where webhooks are sent to.
pub(super) const ROUTE: &str = "/webhooks/{system}";
/// When a sender may come back that was turned away for our sake.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A system that sends webhooks.
#[derive(Debug)]
pub struct Hook {
    system: Arc<str>,
    definition: Arc<Definition>,
    secrets: Secrets,
    settings: Arc<Value>,
    /// The mappings that an object takes part in, and on which side.
    ends: HashMap<String, Vec<(Arc<str>, Side)>>,
}

impl Hook {
    /// The webhooks of `system`, signed with any of `secrets`. `settings` are those of the system, as templates see them.
    #[must_use]
    pub fn new(
        system: &str,
        definition: Arc<Definition>,
        secrets: Vec<Secret>,
        settings: Arc<Value>,
        mappings: &BTreeMap<String, Arc<Mapping>>,
    ) -> Self {
        let mut ends: HashMap<String, Vec<(Arc<str>, Side)>> = HashMap::new();
        for (mapping, side) in sync::ends(mappings.values(), system) {
            let of_object = ends.entry(mapping.end(side).object.clone()).or_default();
            of_object.push((mapping.name.as_str().into(), side));
        }
        Self {
            system: system.into(),
            definition,
            secrets: Secrets::new(secrets),
            settings,
            ends,
        }
    }

    /// The same webhooks, each signed with the secret that the system made for its subscription, or with one of those given.
    #[must_use]
    pub fn with_made_secrets(self) -> Self {
        Self {
            secrets: self.secrets.with_made(),
            ..self
        }
    }

    /// Whether the system makes a secret for each subscription.
    pub(super) const fn has_made_secrets(&self) -> bool {
        self.secrets.has_made()
    }

    /// What its sender keeps to.
    pub(super) fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The objects that any mapping asks for.
    pub(super) fn objects(&self) -> Vec<&str> {
        let mut objects: Vec<&str> = self.ends.keys().map(String::as_str).collect();
        objects.sort_unstable();
        objects
    }

    /// The event as it is stored, with the changes it brings.
    fn event(&self, pushed: Pushed, id: &RequestId, now: DateTime<Utc>) -> NewEvent {
        let own = pushed.own || seam::has_bug(Bug::OwnTooBroad);
        let changes = if own { Vec::new() } else { self.changes(&pushed, now) };
        let payload = pushed
            .record
            .filter(|_| self.definition.is_complete())
            .map(|record| json::to_string(&Value::from(record)).into_bytes());
        NewEvent {
            system: Arc::clone(&self.system),
            external_id: pushed
                .event_id
                .filter(|_| !seam::has_bug(Bug::EventIdForgotten))
                .unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
            object: pushed.object,
            record_id: pushed.record_id,
            kind: pushed.kind,
            own,
            merged_into: pushed.merged_into,
            version: pushed.version,
            occurred_at: pushed.occurred_at,
            request_id: id.0.clone(),
            payload,
            changes,
        }
    }

    fn changes(&self, pushed: &Pushed, now: DateTime<Utc>) -> Vec<NewChange> {
        let Some(record_id) = &pushed.record_id else {
            return Vec::new();
        };
        let settle = self.definition.settle();
        let not_before = (!settle.is_zero()).then(|| now + settle);
        let ends = self.ends.get(&pushed.object).into_iter().flatten();
        ends.map(|(mapping, side)| NewChange {
            merged_into: pushed.merged_into.clone(),
            not_before,
            ..NewChange::new(
                RecordKey::new(Arc::clone(mapping), *side, record_id.clone()),
                ChangeOrigin::Event,
                pushed.kind,
            )
        })
        .collect()
    }
}

/// What a request is answered with, and what it counts as.
struct Answer {
    result: IntakeResult,
    response: Response,
}

impl Answer {
    fn new(result: IntakeResult, status: StatusCode, text: impl Into<Body>) -> Self {
        Self {
            result,
            response: (
                status,
                [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
                text.into(),
            )
                .into_response(),
        }
    }

    /// A status that a connector configures.
    fn configured(result: IntakeResult, status: u16, text: impl Into<Body>) -> Self {
        Self::new(
            result,
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            text,
        )
    }
}

/// `ANY /webhooks/{system}`
pub(super) async fn receive(State(app): State<App>, Path(system): Path<String>, request: Request) -> Response {
    let id = RequestId::of(request.headers());
    let started = Instant::now();
    let hook = app.hook(&system);
    let taken = AssertUnwindSafe(take(&app, hook, &id, request)).catch_unwind().await;
    let Answer { result, mut response } = taken.unwrap_or_else(|panic| Answer {
        result: IntakeResult::Unavailable,
        response: (after_panic(&*panic).status(), "our fault\n").into_response(),
    });
    if matches!(result, IntakeResult::Unavailable) {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, RETRY_AFTER.as_secs().into());
    }
    dress(response.headers_mut(), &id);
    match hook {
        Some(hook) => app.metrics().intake(&hook.system, result, started.elapsed()),
        // What a stranger calls a system becomes no label.
        None => app.metrics().request(ROUTE, response.status().as_u16()),
    }
    response
}

/// A system that sends no webhooks is told from one that does by nobody who cannot sign: the way is the same, and so is the
/// answer.
async fn take(app: &App, hook: Option<&Hook>, id: &RequestId, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let body = match read(&parts, body, app.settings().server.webhook_body_bytes_max).await {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let Some(hook) = hook else {
        tracing::info!(request_id = %id.0, reason = "no such system sends webhooks", "webhook rejected");
        return rejected(Kind::Secret, AnswerForm::default().rejected);
    };
    let url = app.public_url(&parts.uri);
    let headers: Vec<(&str, &[u8])> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let incoming = Incoming {
        method: parts.method.as_str(),
        url: &url,
        headers: &headers,
        body: &body,
    };
    let definition = &hook.definition;
    let received = match verified(app, hook, &incoming).await {
        Ok(received) => received,
        Err(error) => {
            tracing::error!(system = %hook.system, request_id = %id.0, %error, "secrets of subscriptions cannot be looked up");
            return Answer::configured(IntakeResult::Unavailable, definition.answer().busy, "try again later\n");
        }
    };
    match received {
        Ok(Arrival::Events(events)) => store(app, hook, id, events).await,
        Ok(Arrival::Handshake(reply)) => reply_to_handshake(reply),
        Err(Refusal::Unverified(rejection)) => {
            tracing::info!(system = %hook.system, request_id = %id.0, reason = %rejection, "webhook rejected");
            rejected(rejection.kind(), definition.answer().rejected)
        }
        Err(error @ (Refusal::Json(_) | Refusal::Xml(_) | Refusal::Malformed(_))) => {
            tracing::warn!(system = %hook.system, request_id = %id.0, reason = %error, "webhook cannot be read");
            let status = definition.answer().malformed;
            Answer::configured(IntakeResult::Undecodable, status, format!("{error}\n"))
        }
    }
}

/// Reads a request that was signed with a secret of its system. A subscription may have been made a moment ago, by another node:
/// whoever signs with a secret that is not known is not refused before it was looked up.
async fn verified(app: &App, hook: &Hook, incoming: &Incoming<'_>) -> Result<Result<Arrival, Refusal>, store::Error> {
    let definition = &hook.definition;
    let of_system = (&*hook.system, definition.recipe());
    let (now, limits) = (app.clock().now(), limits(app));
    let receive = || definition.receive(incoming, &hook.secrets.known(), &hook.settings, now, &limits);
    hook.secrets.look(app.store(), of_system, Look::Usual, now).await?;
    let received = receive();
    let is_unknown = matches!(
        received,
        Err(Refusal::Unverified(
            Rejection::Signature | Rejection::Credentials | Rejection::Secret
        ))
    );
    if is_unknown && hook.secrets.look(app.store(), of_system, Look::Unknown, now).await? {
        return Ok(receive());
    }
    Ok(received)
}

/// What everybody gets who did not prove where a request comes from, whatever is wrong with it.
fn rejected(kind: Kind, status: u16) -> Answer {
    Answer::configured(IntakeResult::Rejected(kind), status, "not verified\n")
}

/// How deep and large what a request says may be.
fn limits(app: &App) -> json::Limits {
    let server = &app.settings().server;
    json::Limits {
        depth: server.webhook_depth_max,
        nodes: server.webhook_values_max,
        ..json::Limits::default()
    }
}

/// The whole body, as it came over the wire.
async fn read(parts: &Parts, body: Body, bytes_max: usize) -> Result<Bytes, Answer> {
    let is_coded = parts
        .headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_coded {
        // A signature covers the bytes that were sent; nobody says whether before or after coding.
        let text = "send the body without content-encoding\n";
        return Err(Answer::new(
            IntakeResult::Unfit,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            text,
        ));
    }
    let mut body = Limited::new(body, bytes_max);
    // Into one buffer: kept as they come, pieces of a byte each would take thirty times the bytes that are allowed.
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                if let Some(data) = frame.data_ref() {
                    whole.extend_from_slice(data);
                }
            }
            Err(error) if is_too_large(&*error) => {
                return Err(Answer::new(
                    IntakeResult::Unfit,
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "too large\n",
                ));
            }
            Err(_) => {
                return Err(Answer::new(
                    IntakeResult::Unfit,
                    StatusCode::BAD_REQUEST,
                    "the body did not arrive whole\n",
                ));
            }
        }
    }
    Ok(whole.freeze())
}

/// Whether a body was cut off at its limit: at ours, or at the listener's, which comes wrapped.
fn is_too_large(error: &(dyn Error + 'static)) -> bool {
    iter::successors(Some(error), |&error| error.source()).any(<dyn Error>::is::<LengthLimitError>)
}

fn reply_to_handshake(reply: Reply) -> Answer {
    let text = match &reply.body {
        None => String::new(),
        Some(Value::Text(text)) => text.clone(),
        Some(other) => json::to_string(other),
    };
    let is_json = reply.body.as_ref().is_some_and(|body| !matches!(body, Value::Text(_)));
    let mut answer = Answer::configured(IntakeResult::Handshake, reply.status, text);
    let headers = answer.response.headers_mut();
    if is_json {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in reply.headers {
        // A value that no header may hold was made of what the request said, and is left out.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    answer
}

/// What a sender gets whose events are stored.
fn receipt(answers: &AnswerForm, result: IntakeResult, status: u16, text: &'static str) -> Answer {
    let Some(body) = &answers.body else {
        return Answer::configured(result, status, text);
    };
    let mut answer = Answer::configured(result, status, body.clone());
    let content_type = answers.content_type.as_deref().map(HeaderValue::from_str);
    // Checked when the connector was loaded.
    if let Some(Ok(content_type)) = content_type {
        answer.response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    answer
}

async fn store(app: &App, hook: &Hook, id: &RequestId, pushed: Vec<Pushed>) -> Answer {
    let answers = hook.definition.answer();
    if app.is_full() || app.is_stopping() {
        return Answer::configured(IntakeResult::Unavailable, answers.busy, "try again later\n");
    }
    let count = pushed.len();
    let now = app.clock().now();
    let events = pushed.into_iter().map(|pushed| hook.event(pushed, id, now)).collect();
    if seam::has_bug(Bug::AckBeforeCommit) {
        let store = app.store().clone();
        drop(tokio::spawn(async move { store.receive(events).await }));
        return Answer::configured(IntakeResult::Received, answers.accepted, "stored\n");
    }
    match app.store().receive(events).await {
        Ok(received) => {
            let stored = received
                .iter()
                .filter(|received| matches!(received, Received::Stored(_)))
                .count();
            app.metrics().events_stored(&hook.system, stored as u64);
            tracing::debug!(system = %hook.system, request_id = %id.0, events = count, stored, "webhook stored");
            let (result, status, text) = if stored == 0 && count > 0 {
                (IntakeResult::Duplicate, answers.duplicate, "known\n")
            } else {
                (IntakeResult::Received, answers.accepted, "stored\n")
            };
            receipt(answers, result, status, text)
        }
        Err(error) => {
            tracing::error!(system = %hook.system, request_id = %id.0, %error, "webhook not stored, its sender has to try again");
            Answer::configured(IntakeResult::Unavailable, answers.busy, "try again later\n")
        }
    }
}
