//! Many writes in one request, each with its own result.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::api::{Desk, answer, once, put_by_key};
use super::error::{ErrorBody, spelling};
use super::idempotency::Answer;
use super::{Acme, Books, Versioned};
use crate::sandbox::edge::Caller;
use crate::sandbox::fault::Fault;
use crate::sandbox::fields::{Field, Fields, choice};
use crate::sandbox::office::{Edit, Office, parse_id};
use crate::sandbox::refusal::{Reason, Refusal};

/// How many items a batch has at most.
const ITEMS_MAX: usize = 200;

choice! {
    /// What an item asks for.
    Op { Create => "create", Update => "update", Upsert => "upsert", Delete => "delete" }
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
    id: Option<&'a str>,
    error: Option<ErrorBody<'a>>,
}

/// What became of one item: its id where it has one, and the status or the refusal.
struct Done {
    id: Option<String>,
    outcome: Result<StatusCode, Refusal>,
}

/// `POST /api/v2/{object}/batch`.
pub(super) async fn run<E: Versioned>(
    State(office): Desk,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut books = office.books();
    let done = once(&mut books, &headers, uri.path(), &body, |books| {
        let batch: Batch<'_> =
            serde_json::from_slice(&body).map_err(|error| Refusal::new(Reason::MalformedJson, error.to_string()))?;
        if batch.items.len() > ITEMS_MAX {
            let message = format!("{} items where {ITEMS_MAX} are allowed", batch.items.len());
            return Err(Refusal::new(Reason::TooLarge, message));
        }
        let edit = caller.edit();
        let done: Vec<Done> = batch
            .items
            .iter()
            .map(|raw| item::<E>(&office, books, raw, &edit))
            .collect();
        let mut results: Vec<ItemResult<'_>> = done.iter().enumerate().map(result).collect();
        if caller.fault == Some(Fault::ShuffleBatch) {
            office.faults.shuffle(&mut results);
        }
        Ok(Answer {
            status: StatusCode::OK,
            body: serde_json::to_string(&Results { results }).unwrap_or_default(),
            version: None,
            location: None,
        })
    });
    answer(done)
}

fn item<E: Versioned>(office: &Office<Acme>, books: &mut Books, raw: &RawValue, edit: &Edit) -> Done {
    let mut id = None;
    let outcome = Fields::of(raw).and_then(|mut fields| {
        let op = fields.take("op");
        id = fields.get("Id").map(|field| field.text(40)).transpose()?.flatten();
        let op = op.map(|raw| Field::named("op", raw).choice::<Op>()).transpose()?;
        let op = op.unwrap_or(if id.is_some() { Op::Update } else { Op::Create });
        let number = || {
            let id = id
                .as_deref()
                .ok_or_else(|| Refusal::field(Reason::Required, "Id", "the item needs an Id"))?;
            parse_id::<E>(id)
        };
        let (row, status) = match op {
            Op::Create => (office.create::<E>(books, &fields, edit)?, StatusCode::CREATED),
            Op::Update => (office.update::<E>(books, number()?, &fields, edit)?, StatusCode::OK),
            Op::Upsert => put_by_key::<E>(office, books, &fields, edit)?,
            Op::Delete => {
                office.delete::<E>(books, number()?, edit)?;
                return Ok(StatusCode::NO_CONTENT);
            }
        };
        id = Some(E::id(row.entity.number()));
        Ok(status)
    });
    Done { id, outcome }
}

fn result((index, done): (usize, &Done)) -> ItemResult<'_> {
    let refusal = done.outcome.as_ref().err();
    ItemResult {
        index,
        status: done
            .outcome
            .as_ref()
            .map_or_else(|refusal| spelling(refusal).0, StatusCode::as_u16),
        id: done.id.as_deref(),
        error: refusal.map(ErrorBody::of),
    }
}
