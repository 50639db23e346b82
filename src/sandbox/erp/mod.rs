//! Nordwind ERP: customers, contacts, products and orders behind an API key. The shapes stand in [`super`].

mod api;
mod contact;
mod customer;
mod order;
mod product;
mod seed;
mod webhook;

use std::net::{Ipv4Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use subtle::ConstantTimeEq;

use contact::Contact;
use customer::Customer;
use order::Order;
use product::Product;

use super::admin::unknown_object;
use super::clock::Clock;
use super::edge::json;
use super::handle;
use super::limit::Rate;
use super::office::{Act, Office, Snapshot, System, Terms, act};
use super::refusal::{Reason, Refusal};
use super::seed::Plan;
use super::table::{Entity, Table};
use super::webhook::Delivering;

/// A running ERP.
pub type Handle = handle::Handle<Nordwind>;

/// How the ERP is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub bind: SocketAddr,
    /// The key that callers send as `X-Api-Key`.
    pub api_key: SecretString,
    /// The user behind that key: its writes carry the actor `key:<user>`.
    pub api_user: String,
    /// Decides what faults strike and in which order; equal seeds give equal runs.
    pub seed: u64,
    /// The records it starts with.
    pub plan: Plan,
    /// The rate limit; none means no limit.
    pub rate: Option<Rate>,
    /// The largest page; larger wishes are cut silently.
    pub page_max: usize,
    /// How many requests, commits and webhooks the history holds before requests are refused.
    pub history_max: usize,
    /// How webhooks are sent.
    pub delivering: Delivering,
    /// Its time.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            api_key: "nw_sandbox_key".into(),
            api_user: "integration".to_owned(),
            seed: 1,
            plan: Plan::default(),
            rate: None,
            page_max: 500,
            history_max: 1_000_000,
            delivering: Delivering::default(),
            clock: Clock::wall(),
        }
    }
}

/// Starts an ERP.
pub async fn start(options: Options) -> std::io::Result<Handle> {
    let bind = options.bind;
    handle::Handle::start(bind, office(options), api::routes()).await
}

/// An ERP without a door, which believes to be at `base_url`: see [`Handle::ask`]. Within a runtime.
pub fn quiet(options: Options, base_url: &str) -> Handle {
    handle::Handle::quiet(base_url.to_owned(), office(options), api::routes())
}

fn office(options: Options) -> Office<Nordwind> {
    let terms = Terms {
        clock: options.clock,
        seed: options.seed,
        rate: options.rate,
        page_max: options.page_max,
        history_max: options.history_max,
        delivering: options.delivering,
    };
    let mut books = Books::default();
    seed::fill(&mut books, &options.plan, &terms.clock);
    let system = Nordwind {
        api_key: options.api_key,
        actor: format!("key:{}", options.api_user),
    };
    Office::new(system, books, terms, webhook::DIALECT)
}

impl Handle {
    /// The key that callers send as `X-Api-Key`.
    pub fn api_key(&self) -> &SecretString {
        &self.office.system.api_key
    }

    /// The actor in the events of writes with that key.
    pub fn api_actor(&self) -> &str {
        &self.office.system.actor
    }
}

/// What makes the ERP the ERP.
#[derive(Debug)]
pub struct Nordwind {
    api_key: SecretString,
    actor: String,
}

/// The ERP's records.
#[derive(Debug, Default)]
pub struct Books {
    customers: Table<Customer>,
    contacts: Table<Contact>,
    products: Table<Product>,
    orders: Table<Order>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorDetail<'a>,
}

#[derive(Serialize)]
struct ErrorDetail<'a> {
    code: &'a str,
    message: &'a str,
    field: Option<&'a str>,
}

impl<'a> ErrorDetail<'a> {
    fn of(refusal: &'a Refusal) -> Self {
        Self {
            code: spelling(&refusal.reason).1,
            message: &refusal.message,
            field: refusal.field.as_deref(),
        }
    }
}

impl System for Nordwind {
    type Books = Books;
    const TITLE: &'static str = "Nordwind ERP";
    const PAGE: &'static str = include_str!("../page.html");
    const OBJECTS: &'static [&'static str] = &[Customer::OBJECT, Contact::OBJECT, Product::OBJECT, Order::OBJECT];

    fn answer(refusal: &Refusal) -> Response {
        let (status, _) = spelling(&refusal.reason);
        let body = ErrorBody {
            error: ErrorDetail::of(refusal),
        };
        let body = serde_json::to_string(&body).unwrap_or_default();
        json(
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            body,
        )
    }

    async fn authorise(&self, headers: &HeaderMap, _clock: &Clock) -> Result<String, Refusal> {
        let sent = headers.get("x-api-key").map(HeaderValue::as_bytes).unwrap_or_default();
        if bool::from(sent.ct_eq(self.api_key.expose_secret().as_bytes())) {
            return Ok(self.actor.clone());
        }
        Err(Refusal::new(
            Reason::Unauthorized,
            "the header X-Api-Key is missing or wrong",
        ))
    }

    fn is_open(_path: &str) -> bool {
        false
    }

    fn act(office: &Office<Self>, object: &str, what: Act<'_>) -> Result<Vec<Snapshot>, Refusal> {
        match object {
            Customer::OBJECT => act::<Customer>(office, what),
            Contact::OBJECT => act::<Contact>(office, what),
            Product::OBJECT => act::<Product>(office, what),
            Order::OBJECT => act::<Order>(office, what),
            _ => Err(unknown_object::<Self>(object)),
        }
    }
}

/// Status and code of a refusal.
fn spelling(reason: &Reason) -> (u16, &str) {
    match reason {
        Reason::MalformedJson => (400, "malformed_json"),
        Reason::Invalid | Reason::UnknownParameter | Reason::InvalidCursor => (422, "invalid_value"),
        Reason::Required => (422, "required"),
        Reason::TooLong => (422, "too_long"),
        Reason::UnknownField => (422, "unknown_field"),
        Reason::UnknownReference => (422, "unknown_reference"),
        Reason::Duplicate | Reason::IdempotencyMismatch => (409, "duplicate"),
        Reason::InUse => (409, "in_use"),
        Reason::NotFound | Reason::Merged(_) => (404, "not_found"),
        Reason::Stale => (412, "stale"),
        Reason::IfMatchRequired => (428, "if_match_required"),
        Reason::TooLarge => (413, "too_large"),
        Reason::Unauthorized => (401, "unauthorized"),
        Reason::Ordered {
            status,
            code: Some(code),
        } => (*status, code),
        Reason::RateLimited | Reason::Ordered { status: 429, .. } => (429, "rate_limited"),
        Reason::Ordered { status, .. } => (*status, "unavailable"),
        Reason::HistoryFull => (507, "sandbox_history_full"),
    }
}

/// The parts of [`Entity`] that every record of the ERP has alike.
macro_rules! kept_in {
    ($table:ident) => {
        type System = $crate::sandbox::erp::Nordwind;

        fn table(books: &$crate::sandbox::erp::Books) -> &$crate::sandbox::table::Table<Self> {
            &books.$table
        }
        fn table_mut(books: &mut $crate::sandbox::erp::Books) -> &mut $crate::sandbox::table::Table<Self> {
            &mut books.$table
        }
        fn number(&self) -> u64 {
            self.id
        }
        fn id(number: u64) -> String {
            number.to_string()
        }
        fn parse_id(id: &str) -> Option<u64> {
            id.parse().ok()
        }
        fn updated(&self) -> chrono::DateTime<chrono::Utc> {
            self.updated
        }
        fn touch(&mut self, at: chrono::DateTime<chrono::Utc>) {
            self.updated = at;
        }
        fn json(&self) -> String {
            serde_json::to_string(self).unwrap_or_default()
        }
    };
}
use kept_in;

/// ISO 8601 with offset and microseconds.
fn timestamp(at: &DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, false)
}

fn write_timestamp<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&timestamp(at))
}

/// Money as a JSON number with its own scale: 0.10 stays 0.10.
#[derive(Clone, Copy, Debug, Default)]
struct Money(Decimal);

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.0.to_string()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// The refusal for a reference to nothing.
fn unknown_reference(field: &str, object: &str, number: u64) -> Refusal {
    Refusal::field(
        Reason::UnknownReference,
        field,
        format!("there is no {object} {number}"),
    )
}
