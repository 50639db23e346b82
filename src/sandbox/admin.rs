//! `/_sandbox`: what people order from a running system by HTTP.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::edge::json;
use super::fault::Order;
use super::office::{Act, Edit, Office, System};
use super::refusal::{Reason, Refusal};

type Desk<S> = State<Arc<Office<S>>>;

/// The entries of a history that one answer holds.
const HISTORY_PAGE: usize = 1000;

pub(crate) fn routes<S: System>() -> Router<Arc<Office<S>>> {
    Router::new()
        .route("/", get(|| async { Html(S::PAGE) }))
        .route("/_sandbox", get(status::<S>))
        .route(
            "/_sandbox/webhooks",
            get(receivers::<S>).post(subscribe::<S>).delete(unsubscribe::<S>),
        )
        .route("/_sandbox/faults", get(faults::<S>).post(order::<S>).delete(clear::<S>))
        .route("/_sandbox/history/{what}", get(history::<S>).delete(forget::<S>))
        .route("/_sandbox/edit", post(edit::<S>))
        .route("/_sandbox/records/{object}/{id}", get(record::<S>))
}

async fn status<S: System>(State(office): Desk<S>) -> Response {
    let records: Vec<(&str, usize)> = S::OBJECTS
        .iter()
        .map(|object| (*object, S::act(&office, object, Act::All).map_or(0, |all| all.len())))
        .collect();
    let records: serde_json::Map<String, serde_json::Value> = records
        .into_iter()
        .map(|(object, count)| (object.to_owned(), count.into()))
        .collect();
    answer(&serde_json::json!({
        "system": S::TITLE,
        "records": records,
        "history": office.history.counts(),
        "faults": office.faults.standing().len(),
        "webhooks": office.webhooks.receivers(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscribe {
    url: String,
    secret: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unsubscribe {
    url: String,
}

async fn receivers<S: System>(State(office): Desk<S>) -> Response {
    answer(&serde_json::json!({ "urls": office.webhooks.receivers() }))
}

async fn subscribe<S: System>(State(office): Desk<S>, body: Bytes) -> Response {
    let wanted: Subscribe = match read(&body) {
        Ok(wanted) => wanted,
        Err(refused) => return *refused,
    };
    match office
        .webhooks
        .subscribe(&wanted.url, &SecretString::from(wanted.secret))
    {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refuse(&error.to_string()),
    }
}

async fn unsubscribe<S: System>(State(office): Desk<S>, body: Bytes) -> Response {
    match read::<Unsubscribe>(&body) {
        Ok(wanted) if office.webhooks.unsubscribe(&wanted.url) => StatusCode::NO_CONTENT.into_response(),
        Ok(_) => StatusCode::NOT_FOUND.into_response(),
        Err(refused) => *refused,
    }
}

async fn faults<S: System>(State(office): Desk<S>) -> Response {
    answer(&office.faults.standing())
}

async fn order<S: System>(State(office): Desk<S>, body: Bytes) -> Response {
    let order: Order = match read(&body) {
        Ok(order) => order,
        Err(refused) => return *refused,
    };
    match office.faults.order(order) {
        Ok(number) => answer(&serde_json::json!({ "number": number })),
        Err(error) => refuse(&error.to_string()),
    }
}

async fn clear<S: System>(State(office): Desk<S>) -> StatusCode {
    office.faults.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct From {
    /// The number of the first entry.
    #[serde(default)]
    from: usize,
}

async fn history<S: System>(
    State(office): Desk<S>,
    Path(what): Path<String>,
    Query(From { from }): Query<From>,
) -> Response {
    fn page<T: Serialize>(entries: &[T], from: usize) -> Response {
        let shown: Vec<&T> = entries.iter().skip(from).take(HISTORY_PAGE).collect();
        answer(&serde_json::json!({ "total": entries.len(), "entries": shown }))
    }
    match what.as_str() {
        "requests" => page(&office.history.requests(), from),
        "commits" => page(&office.history.commits(), from),
        "webhooks" => page(&office.history.deliveries(), from),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn forget<S: System>(State(office): Desk<S>) -> StatusCode {
    office.history.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Op {
    Create,
    Patch,
    /// A patch when there is an id, else a create.
    Upsert,
    Delete,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted<'a> {
    op: Op,
    object: String,
    #[serde(default)]
    id: String,
    #[serde(borrow, default)]
    fields: Option<&'a RawValue>,
    actor: Option<String>,
    /// False makes the edit without sending a webhook.
    #[serde(default = "yes")]
    event: bool,
}

fn yes() -> bool {
    true
}

async fn edit<S: System>(State(office): Desk<S>, body: Bytes) -> Response {
    let wanted: Wanted<'_> = match read(&body) {
        Ok(wanted) => wanted,
        Err(refused) => return *refused,
    };
    let mut edit = Edit::by(wanted.actor.as_deref().unwrap_or("user:sandbox"));
    if !wanted.event {
        edit = edit.silently();
    }
    let fields = wanted.fields.map_or("{}", RawValue::get);
    let act = match wanted.op {
        Op::Create => Act::Create(fields, &edit),
        Op::Upsert if wanted.id.is_empty() => Act::Create(fields, &edit),
        Op::Patch | Op::Upsert => Act::Patch(&wanted.id, fields, &edit),
        Op::Delete => Act::Delete(&wanted.id, &edit),
    };
    match S::act(&office, &wanted.object, act) {
        Ok(rows) => rows.first().map_or_else(
            || StatusCode::NO_CONTENT.into_response(),
            |row| json(StatusCode::OK, row.json.to_string()),
        ),
        Err(refusal) => S::answer(&refusal),
    }
}

async fn record<S: System>(State(office): Desk<S>, Path((object, id)): Path<(String, String)>) -> Response {
    match S::act(&office, &object, Act::Read(&id)) {
        Ok(rows) => {
            let text = rows.first().map(|row| row.json.to_string()).unwrap_or_default();
            json(StatusCode::OK, text)
        }
        Err(refusal) => S::answer(&refusal),
    }
}

/// The refusal for an object that the system does not keep.
pub(crate) fn unknown_object<S: System>(object: &str) -> Refusal {
    let message = format!("there is no object {object}: {}", S::OBJECTS.join(", "));
    Refusal::new(Reason::NotFound, message)
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Box<Response>> {
    serde_json::from_slice(body).map_err(|error| Box::new(refuse(&error.to_string())))
}

fn answer(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => json(StatusCode::OK, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn refuse(message: &str) -> Response {
    let body = serde_json::json!({ "error": message });
    json(StatusCode::BAD_REQUEST, body.to_string())
}
