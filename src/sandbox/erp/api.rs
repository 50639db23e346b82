//! The ERP's REST API: the same six requests for each object.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use bytes::Bytes;
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::form_urlencoded;

use super::contact::Contact;
use super::customer::Customer;
use super::order::Order;
use super::product::Product;
use super::{Books, ErrorDetail, Nordwind, spelling, timestamp};
use crate::sandbox::admin;
use crate::sandbox::edge::{Caller, json};
use crate::sandbox::fault::Fault;
use crate::sandbox::fields::Fields;
use crate::sandbox::office::{Edit, Office, System, find, parse_id};
use crate::sandbox::refusal::{Reason, Refusal};
use crate::sandbox::table::{Entity, Row};

type Desk = State<Arc<Office<Nordwind>>>;

/// How many records a listing gives when it is not told.
const LIMIT_DEFAULT: usize = 100;
/// How many items a batch has at most.
const BATCH_MAX: usize = 200;

pub(super) fn routes() -> Router<Arc<Office<Nordwind>>> {
    Router::new()
        .merge(object::<Customer>())
        .merge(object::<Contact>())
        .merge(object::<Product>())
        .merge(object::<Order>())
        .merge(admin::routes())
        .fallback(|| async { answer(Err(Refusal::new(Reason::NotFound, "there is no such path"))) })
        .layer(DefaultBodyLimit::disable())
}

fn object<E: Entity<System = Nordwind> + Serialize>() -> Router<Arc<Office<Nordwind>>> {
    let path = format!("/api/{}", E::PATH);
    Router::new()
        .route(&path, get(list::<E>).post(create::<E>))
        .route(&format!("{path}/batch"), post(batch::<E>))
        .route(
            &format!("{path}/{{id}}"),
            get(read::<E>).patch(update::<E>).delete(delete::<E>),
        )
}

/// What a listing was asked for.
struct Wanted {
    offset: usize,
    limit: usize,
    since: Option<i64>,
    filters: Vec<(&'static str, String)>,
}

impl Wanted {
    /// Reads the query; parameters nobody knows are ignored, as this kind of system does.
    fn parse<E: Entity>(query: Option<String>, page_max: usize) -> Result<Self, Refusal> {
        let mut wanted = Self {
            offset: 0,
            limit: LIMIT_DEFAULT,
            since: None,
            filters: Vec::new(),
        };
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let invalid = |what: &str| Refusal::field(Reason::Invalid, &name, format!("`{value}` is not {what}"));
            match name.as_ref() {
                "offset" => wanted.offset = value.parse().map_err(|_| invalid("a number"))?,
                "limit" => wanted.limit = value.parse().map_err(|_| invalid("a number"))?,
                "updated_since" => {
                    let at = DateTime::parse_from_rfc3339(&value).map_err(|_| invalid("a timestamp with offset"))?;
                    wanted.since = Some(at.timestamp_micros());
                }
                other => {
                    let known = E::FILTERS.iter().find(|known| **known == other);
                    wanted.filters.extend(known.map(|known| (*known, value.into_owned())));
                }
            }
        }
        wanted.limit = wanted.limit.clamp(1, page_max);
        Ok(wanted)
    }
}

async fn list<E: Entity<System = Nordwind>>(
    State(office): Desk,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Response {
    let mut wanted = match Wanted::parse::<E>(query, office.page_max) {
        Ok(wanted) => wanted,
        Err(refusal) => return Nordwind::answer(&refusal),
    };
    if caller.fault == Some(Fault::RepeatPage) {
        wanted.offset = wanted.offset.saturating_sub(wanted.limit);
    }
    let (mut rows, mut total) = {
        let books = office.books();
        let table = E::table(&books);
        let selection = table.select(&wanted.filters, wanted.since);
        let is_shifted = caller.fault == Some(Fault::ShiftListing);
        let mut rows = table.page(&selection, wanted.offset + usize::from(is_shifted), wanted.limit);
        if is_shifted && rows.len() < wanted.limit {
            rows.extend(table.page(&selection, 0, 1));
        }
        (rows, table.count(&selection))
    };
    match caller.fault {
        Some(Fault::EmptyListing) => (rows, total) = (Vec::new(), 0),
        Some(Fault::CutListing) => {
            rows.truncate(rows.len() / 2);
            total = wanted.offset + rows.len();
        }
        _ => {}
    }
    json(StatusCode::OK, page(&rows, total))
}

/// Joins the records' texts: nothing is made anew for a page.
fn page<E>(rows: &[Arc<Row<E>>], total: usize) -> String {
    let size: usize = rows.iter().map(|row| row.json.len() + 1).sum();
    let mut text = String::with_capacity(size + 40);
    text.push_str("{\"data\":[");
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&row.json);
    }
    text.push_str("],\"total\":");
    text.push_str(&total.to_string());
    text.push('}');
    text
}

async fn read<E: Entity<System = Nordwind>>(State(office): Desk, Path(id): Path<String>) -> Response {
    let books = office.books();
    let row = parse_id::<E>(&id).and_then(|number| find::<E>(&books, number));
    answer(row.map(|row| (StatusCode::OK, row.json.to_string())))
}

async fn create<E: Entity<System = Nordwind>>(
    State(office): Desk,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response {
    let created = text(&body).and_then(Fields::parse).and_then(|fields| {
        let mut books = office.books();
        office.create::<E>(&mut books, &fields, &caller.edit())
    });
    answer(created.map(|row| (StatusCode::CREATED, row.json.to_string())))
}

async fn update<E: Entity<System = Nordwind>>(
    State(office): Desk,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let updated = parse_id::<E>(&id).and_then(|number| {
        let fields = Fields::parse(text(&body)?)?;
        let mut books = office.books();
        if caller.fault == Some(Fault::KeepRecord) {
            return find::<E>(&books, number).cloned();
        }
        office.update::<E>(&mut books, number, &fields, &caller.edit())
    });
    answer(updated.map(|row| (StatusCode::OK, row.json.to_string())))
}

async fn delete<E: Entity<System = Nordwind>>(
    State(office): Desk,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Response {
    let deleted = parse_id::<E>(&id).and_then(|number| {
        let mut books = office.books();
        office.delete::<E>(&mut books, number, &caller.edit())
    });
    match deleted {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => Nordwind::answer(&refusal),
    }
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

#[derive(Serialize)]
struct Results<'a> {
    results: Vec<ItemResult<'a>>,
}

#[derive(Serialize)]
struct ItemResult<'a> {
    index: usize,
    status: u16,
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorDetail<'a>>,
}

/// What became of one item: its id where it has one, and the record or the refusal.
struct Done<E> {
    id: Option<u64>,
    status: u16,
    outcome: Result<Arc<Row<E>>, Refusal>,
}

async fn batch<E: Entity<System = Nordwind>>(
    State(office): Desk,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response {
    let batch: Batch<'_> = match serde_json::from_slice(&body) {
        Ok(batch) => batch,
        Err(error) => return Nordwind::answer(&Refusal::new(Reason::MalformedJson, error.to_string())),
    };
    if batch.items.len() > BATCH_MAX {
        let message = format!("{} items where {BATCH_MAX} are allowed", batch.items.len());
        return Nordwind::answer(&Refusal::new(Reason::TooLarge, message));
    }
    let edit = caller.edit();
    let done: Vec<Done<E>> = {
        let mut books = office.books();
        batch
            .items
            .iter()
            .map(|raw| item(&office, &mut books, raw, &edit))
            .collect()
    };
    let mut results: Vec<ItemResult<'_>> = done
        .iter()
        .enumerate()
        .map(|(index, done)| result(index, done))
        .collect();
    if caller.fault == Some(Fault::ShuffleBatch) {
        office.faults.shuffle(&mut results);
    }
    json(
        StatusCode::OK,
        serde_json::to_string(&Results { results }).unwrap_or_default(),
    )
}

fn item<E: Entity<System = Nordwind>>(
    office: &Office<Nordwind>,
    books: &mut Books,
    raw: &RawValue,
    edit: &Edit,
) -> Done<E> {
    let parsed = Fields::of(raw).and_then(|fields| {
        let id = fields.get("id").map(|id| id.number()).transpose()?.flatten();
        Ok((id, fields))
    });
    let (id, outcome) = match parsed {
        Ok((Some(id), fields)) => (Some(id), office.update::<E>(books, id, &fields, edit)),
        Ok((None, fields)) => (None, office.create::<E>(books, &fields, edit)),
        Err(refusal) => (None, Err(refusal)),
    };
    let status = match &outcome {
        Ok(_) if id.is_some() => 200,
        Ok(_) => 201,
        Err(refusal) => spelling(&refusal.reason).0,
    };
    let id = id.or_else(|| outcome.as_ref().ok().map(|row| row.entity.number()));
    Done { id, status, outcome }
}

fn result<E: Entity>(index: usize, done: &Done<E>) -> ItemResult<'_> {
    let row = done.outcome.as_ref();
    ItemResult {
        index,
        status: done.status,
        id: done.id,
        updated: row.ok().map(|row| timestamp(&row.entity.updated())),
        error: row.err().map(ErrorDetail::of),
    }
}

fn text(body: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(body).map_err(|_| Refusal::new(Reason::MalformedJson, "the body is not UTF-8"))
}

fn answer(outcome: Result<(StatusCode, String), Refusal>) -> Response {
    match outcome {
        Ok((status, body)) => json(status, body),
        Err(refusal) => Nordwind::answer(&refusal),
    }
}
