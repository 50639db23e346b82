//! The CRM's REST API: the same requests for each object, and the merge of accounts.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Extension, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::account::{Account, merge};
use super::contact::Contact;
use super::idempotency::{self, Answer, etag};
use super::opportunity::Opportunity;
use super::page::{Page, Wanted};
use super::{Acme, Books, IfMatch, Versioned, batch, token};
use crate::sandbox::admin;
use crate::sandbox::edge::{Caller, json};
use crate::sandbox::fault::Fault;
use crate::sandbox::fields::Fields;
use crate::sandbox::office::{Edit, Office, System, find, parse_id};
use crate::sandbox::refusal::{Reason, Refusal};
use crate::sandbox::table::Row;

pub(super) type Desk = State<Arc<Office<Acme>>>;

pub(super) fn routes() -> Router<Arc<Office<Acme>>> {
    Router::new()
        .route(token::PATH, post(token::grant))
        .merge(object::<Account>())
        .merge(object::<Contact>())
        .merge(object::<Opportunity>())
        .route("/api/v2/accounts/{id}/merge", post(merge_into))
        .merge(admin::routes())
        .fallback(|| async { Acme::answer(&Refusal::new(Reason::NotFound, "there is no such path")) })
        .layer(DefaultBodyLimit::disable())
}

fn object<E: Versioned>() -> Router<Arc<Office<Acme>>> {
    let path = format!("/api/v2/{}", E::PATH);
    Router::new()
        .route(&path, get(list::<E>).post(create::<E>))
        .route(&format!("{path}/batch"), post(batch::run::<E>))
        .route(&format!("{path}/by-external-key/{{key}}"), put(upsert::<E>))
        .route(
            &format!("{path}/{{id}}"),
            get(read::<E>).patch(update::<E>).delete(delete::<E>),
        )
}

async fn list<E: Versioned>(
    State(office): Desk,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Response {
    let wanted = match Wanted::parse::<E>(query, office.page_max) {
        Ok(wanted) => wanted,
        Err(refusal) => return Acme::answer(&refusal),
    };
    let mut page = Page::of(E::table(&office.books()), &wanted);
    match caller.fault {
        Some(Fault::RepeatPage) => page.repeat(),
        Some(Fault::CutListing) => page.cut(|length| length / 2),
        Some(Fault::EmptyListing) => page.cut(|_| 0),
        _ => {}
    }
    json(StatusCode::OK, page.json())
}

async fn read<E: Versioned>(State(office): Desk, Path(id): Path<String>) -> Response {
    let books = office.books();
    let row = parse_id::<E>(&id).and_then(|number| find::<E>(&books, number));
    answer(row.map(|row| shown(row, StatusCode::OK)))
}

async fn create<E: Versioned>(
    State(office): Desk,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut books = office.books();
    let created = once(&mut books, &headers, uri.path(), &body, |books| {
        let row = office.create::<E>(books, &Fields::parse(text(&body)?)?, &caller.edit())?;
        Ok(shown(&row, StatusCode::CREATED))
    });
    answer(created)
}

async fn update<E: Versioned>(
    State(office): Desk,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let updated = parse_id::<E>(&id).and_then(|number| {
        let mut books = office.books();
        once(&mut books, &headers, uri.path(), &body, |books| {
            check_version::<E>(&office, books, number, &headers)?;
            let fields = Fields::parse(text(&body)?)?;
            if caller.fault == Some(Fault::KeepRecord) {
                return Ok(shown(find::<E>(books, number)?, StatusCode::OK));
            }
            let row = office.update::<E>(books, number, &fields, &caller.edit())?;
            Ok(shown(&row, StatusCode::OK))
        })
    });
    answer(updated)
}

async fn delete<E: Versioned>(
    State(office): Desk,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let deleted = parse_id::<E>(&id).and_then(|number| {
        let mut books = office.books();
        check_version::<E>(&office, &books, number, &headers)?;
        office.delete::<E>(&mut books, number, &caller.edit())
    });
    match deleted {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => Acme::answer(&refusal),
    }
}

async fn upsert<E: Versioned>(
    State(office): Desk,
    Extension(caller): Extension<Caller>,
    Path(key): Path<String>,
    body: Bytes,
) -> Response {
    let mut books = office.books();
    let put = raw_text(&key).and_then(|key| {
        let mut fields = Fields::parse(text(&body)?)?;
        fields.put("ExternalKey", &key);
        put_by_key::<E>(&office, &mut books, &fields, &caller.edit())
    });
    answer(put.map(|(row, status)| shown(&row, status)))
}

/// Updates the record that has the fields' external key, or makes it.
pub(super) fn put_by_key<E: Versioned>(
    office: &Office<Acme>,
    books: &mut Books,
    fields: &Fields<'_>,
    edit: &Edit,
) -> Result<(Arc<Row<E>>, StatusCode), Refusal> {
    let key = fields
        .get("ExternalKey")
        .map(|field| field.required_text(100))
        .transpose()?;
    let key = key.ok_or_else(|| Refusal::field(Reason::Required, "ExternalKey", "an upsert needs an ExternalKey"))?;
    let known = E::table(books).find("ExternalKey", &E::normal("ExternalKey", &key));
    if let Some(number) = known.first() {
        let row = office.update::<E>(books, *number, fields, edit)?;
        return Ok((row, StatusCode::OK));
    }
    let row = office.create::<E>(books, fields, edit)?;
    Ok((row, StatusCode::CREATED))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Merge {
    into: String,
}

async fn merge_into(
    State(office): Desk,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let mut books = office.books();
    let merged = parse_id::<Account>(&id).and_then(|from| {
        let wanted: Merge =
            serde_json::from_slice(&body).map_err(|error| Refusal::new(Reason::MalformedJson, error.to_string()))?;
        let into = parse_id::<Account>(&wanted.into)?;
        merge(&office, &mut books, from, into, &caller.edit())?;
        find::<Account>(&books, into).cloned()
    });
    answer(merged.map(|row| shown(&row, StatusCode::OK)))
}

/// Does work once for an idempotency key, whatever becomes of the answer.
pub(super) fn once(
    books: &mut Books,
    headers: &HeaderMap,
    path: &str,
    body: &Bytes,
    work: impl FnOnce(&mut Books) -> Result<Answer, Refusal>,
) -> Result<Answer, Refusal> {
    let Some(key) = idempotency::key(headers) else {
        return work(books);
    };
    if let Some(answer) = books.remembered.recall(&key, path, body)? {
        return Ok(answer);
    }
    let answer = work(books)?;
    books
        .remembered
        .keep(key, path.to_owned(), body.clone(), answer.clone());
    Ok(answer)
}

/// Refuses a write to another version than the caller has seen (RFC 9110, 13.1.1).
fn check_version<E: Versioned>(
    office: &Office<Acme>,
    books: &Books,
    number: u64,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let current = find::<E>(books, number)?.entity.version();
    let Some(wanted) = headers.get(header::IF_MATCH) else {
        let is_required = office.system.if_match == IfMatch::Required;
        let refusal = Refusal::new(Reason::IfMatchRequired, "the header If-Match is missing");
        return if is_required { Err(refusal) } else { Ok(()) };
    };
    let tags = wanted.to_str().unwrap_or_default().split(',').map(str::trim);
    if tags.into_iter().any(|tag| tag == "*" || tag == etag(current)) {
        return Ok(());
    }
    let message = format!("{} is at version {current} by now", E::id(number));
    Err(Refusal::new(Reason::Stale, message))
}

/// A text as JSON.
fn raw_text(text: &str) -> Result<Box<RawValue>, Refusal> {
    serde_json::value::to_raw_value(text).map_err(|error| Refusal::new(Reason::MalformedJson, error.to_string()))
}

fn shown<E: Versioned>(row: &Row<E>, status: StatusCode) -> Answer {
    let id = E::id(row.entity.number());
    Answer {
        status,
        body: row.json.to_string(),
        version: Some(row.entity.version()),
        location: (status == StatusCode::CREATED).then(|| format!("/api/v2/{}/{id}", E::PATH)),
    }
}

pub(super) fn text(body: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(body).map_err(|_| Refusal::new(Reason::MalformedJson, "the body is not UTF-8"))
}

pub(super) fn answer(outcome: Result<Answer, Refusal>) -> Response {
    match outcome {
        Ok(answer) => answer.into_response(),
        Err(refusal) => Acme::answer(&refusal),
    }
}
