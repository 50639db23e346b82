//! Acme CRM: accounts, contacts and opportunities behind OAuth2. The shapes stand in [`super`].

mod account;
mod api;
mod batch;
mod contact;
mod error;
mod idempotency;
mod opportunity;
mod page;
mod seed;
mod token;
mod webhook;

use std::collections::HashMap;
use std::fmt::Debug;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde::{Serialize, Serializer};

use account::Account;
use contact::Contact;
use idempotency::Remembered;
use opportunity::Opportunity;
pub use token::{Introspection, Policy};

use super::admin::unknown_object;
use super::clock::Clock;
use super::fields::Field;
use super::handle;
use super::limit::Rate;
use super::office::{Act, Edit, Office, Snapshot, System, Terms, act, parse_id};
use super::refusal::{Reason, Refusal};
use super::seed::Plan;
use super::table::{BooksOf, Entity, Table};
use super::webhook::Delivering;

/// A running CRM.
pub type Handle = handle::Handle<Acme>;

/// How an account shows where bills go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Billing {
    /// `BillingCity` and `BillingCountry`.
    #[default]
    Flat,
    /// `Billing: {City, Country}`.
    Nested,
}

/// Whether writes must name the version they change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfMatch {
    /// They may; a stale version is refused with 412.
    #[default]
    Optional,
    /// They must; without `If-Match` they are refused with 428.
    Required,
}

/// How the CRM is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub bind: SocketAddr,
    /// The OAuth2 client; its writes carry the actor `client:<client_id>`.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: SecretString,
    /// How long a token lives.
    pub token_life: Duration,
    /// What becomes of a client's older tokens.
    pub token_policy: Policy,
    /// Another issuer whose tokens count too.
    pub introspection: Option<Introspection>,
    /// How accounts show where bills go.
    pub billing: Billing,
    /// Whether writes must name the version they change.
    pub if_match: IfMatch,
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
            client_id: "syncline".to_owned(),
            client_secret: "acme_sandbox_secret".into(),
            token_life: Duration::from_hours(1),
            token_policy: Policy::Many,
            introspection: None,
            billing: Billing::Flat,
            if_match: IfMatch::Optional,
            seed: 1,
            plan: Plan::default(),
            rate: None,
            page_max: 200,
            history_max: 1_000_000,
            delivering: Delivering::default(),
            clock: Clock::wall(),
        }
    }
}

/// Starts a CRM.
pub async fn start(options: Options) -> std::io::Result<Handle> {
    let bind = options.bind;
    handle::Handle::start(bind, office(options), api::routes()).await
}

/// A CRM without a door, which believes to be at `base_url`: see [`Handle::ask`]. Within a runtime.
pub fn quiet(options: Options, base_url: &str) -> Handle {
    handle::Handle::quiet(base_url.to_owned(), office(options), api::routes())
}

fn office(options: Options) -> Office<Acme> {
    let terms = Terms {
        clock: options.clock,
        seed: options.seed,
        rate: options.rate,
        page_max: options.page_max,
        history_max: options.history_max,
        delivering: options.delivering,
    };
    let mut books = Books {
        billing: options.billing,
        ..Books::default()
    };
    seed::fill(&mut books, &options.plan, &terms.clock);
    let issuer = token::Issuer::new(
        options.client_id,
        options.client_secret,
        options.token_life,
        options.token_policy,
    );
    let system = Acme {
        issuer,
        introspector: options.introspection.map(token::Introspector::new),
        if_match: options.if_match,
    };
    Office::new(system, books, terms, webhook::DIALECT)
}

impl Handle {
    /// Where tokens are given.
    pub fn token_url(&self) -> String {
        format!("{}{}", self.base_url(), token::PATH)
    }

    /// The OAuth2 client's id.
    pub fn client_id(&self) -> &str {
        &self.office.system.issuer.client_id
    }

    /// The OAuth2 client's secret.
    pub fn client_secret(&self) -> &SecretString {
        &self.office.system.issuer.client_secret
    }

    /// The actor in the events of that client's writes.
    pub fn client_actor(&self) -> String {
        actor(self.client_id())
    }

    /// How many tokens were given so far.
    pub fn tokens_issued(&self) -> usize {
        self.office.system.issuer.issued()
    }

    /// Makes every token given so far an old one.
    pub fn revoke_tokens(&self) {
        self.office.system.issuer.revoke();
    }
}

fn actor(client_id: &str) -> String {
    format!("client:{client_id}")
}

/// What makes the CRM the CRM.
#[derive(Debug)]
pub struct Acme {
    issuer: token::Issuer,
    introspector: Option<token::Introspector>,
    if_match: IfMatch,
}

/// The CRM's records.
#[derive(Debug, Default)]
pub struct Books {
    accounts: Table<Account>,
    contacts: Table<Contact>,
    opportunities: Table<Opportunity>,
    /// Accounts that were merged, and the one that stands for each.
    merged: HashMap<u64, u64>,
    billing: Billing,
    remembered: Remembered,
}

impl System for Acme {
    type Books = Books;
    const TITLE: &'static str = "Acme CRM";
    const PAGE: &'static str = include_str!("../page.html");
    const OBJECTS: &'static [&'static str] = &[Account::OBJECT, Contact::OBJECT, Opportunity::OBJECT];

    fn answer(refusal: &Refusal) -> Response {
        error::answer(refusal)
    }

    async fn authorise(&self, headers: &HeaderMap, clock: &Clock) -> Result<String, Refusal> {
        let token = token::bearer(headers).ok_or_else(|| token::refused("there is no bearer token"))?;
        if self.issuer.knows(token, clock) {
            return Ok(actor(&self.issuer.client_id));
        }
        let Some(introspector) = &self.introspector else {
            return Err(token::refused("the token is unknown or has expired"));
        };
        introspector.ask(token, clock).await.map(|client| actor(&client))
    }

    fn is_open(path: &str) -> bool {
        path == token::PATH
    }

    fn act(office: &Office<Self>, object: &str, what: Act<'_>) -> Result<Vec<Snapshot>, Refusal> {
        match object {
            Account::OBJECT => act::<Account>(office, what),
            Contact::OBJECT => act::<Contact>(office, what),
            Opportunity::OBJECT => act::<Opportunity>(office, what),
            _ => Err(unknown_object::<Self>(object)),
        }
    }
}

impl handle::Handle<Acme> {
    /// Makes the account `from` live on as `into`, behind the API.
    pub fn merge(&self, from: &str, into: &str, edit: &Edit) -> Result<(), Refusal> {
        let (from, into) = (parse_id::<Account>(from)?, parse_id::<Account>(into)?);
        account::merge(self.office(), &mut self.office().books(), from, into, edit)
    }
}

/// The parts of [`Entity`] that every record of the CRM has alike.
macro_rules! kept_in {
    ($table:ident, $prefix:literal) => {
        type System = $crate::sandbox::crm::Acme;

        fn table(books: &$crate::sandbox::crm::Books) -> &$crate::sandbox::table::Table<Self> {
            &books.$table
        }
        fn table_mut(books: &mut $crate::sandbox::crm::Books) -> &mut $crate::sandbox::table::Table<Self> {
            &mut books.$table
        }
        fn number(&self) -> u64 {
            self.number
        }
        fn id(number: u64) -> String {
            format!(concat!($prefix, "-{:06}"), number)
        }
        fn parse_id(id: &str) -> Option<u64> {
            let number = id.strip_prefix(concat!($prefix, "-"))?.parse().ok()?;
            (Self::id(number) == id).then_some(number)
        }
        fn updated(&self) -> chrono::DateTime<chrono::Utc> {
            self.modified_at
        }
        fn touch(&mut self, at: chrono::DateTime<chrono::Utc>) {
            self.modified_at = at;
            self.version += 1;
        }
        fn json(&self) -> String {
            serde_json::to_string(&self.shown()).unwrap_or_default()
        }
    };
}
use kept_in;

/// A record of the CRM, with what all of them have.
trait Versioned: Entity<System = Acme> {
    /// How often it was written, from 1.
    fn version(&self) -> u64;
}

/// UTC with milliseconds; what is kept is finer.
fn timestamp(at: &DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn write_timestamp<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&timestamp(at))
}

/// Money as text with its own scale.
#[derive(Clone, Copy, Debug)]
struct Money(Decimal);

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Reads an e-mail address.
fn email(field: &Field<'_>) -> Result<Option<String>, Refusal> {
    let email = field.text(200)?;
    if email.as_deref().is_some_and(|email| !email.trim().contains('@')) {
        return Err(Refusal::field(
            Reason::Invalid,
            field.name,
            "an e-mail address has an @",
        ));
    }
    Ok(email)
}

/// Reads the id of an account.
fn account_number(field: &Field<'_>) -> Result<Option<u64>, Refusal> {
    let Some(id) = field.text(40)? else {
        return Ok(None);
    };
    let number = Account::parse_id(&id);
    number.map(Some).ok_or_else(|| {
        let message = format!("there is no {} {id}", Account::OBJECT);
        Refusal::field(Reason::UnknownReference, field.name, message)
    })
}

fn check_account(books: &Books, number: Option<u64>) -> Result<(), Refusal> {
    let Some(number) = number.filter(|number| books.accounts.get(*number).is_none()) else {
        return Ok(());
    };
    let message = format!("there is no {} {}", Account::OBJECT, Account::id(number));
    Err(Refusal::field(Reason::UnknownReference, "AccountId", message))
}

/// Refuses an external key that another record of the object has.
fn check_external_key<E: Entity>(books: &BooksOf<E>, number: u64, key: Option<&str>) -> Result<(), Refusal> {
    let Some(key) = key else {
        return Ok(());
    };
    let same = E::table(books).find("ExternalKey", &E::normal("ExternalKey", key));
    let Some(other) = same.into_iter().find(|other| *other != number) else {
        return Ok(());
    };
    let message = format!("{} has the external key {key}", E::id(other));
    Err(Refusal::field(Reason::Duplicate, "ExternalKey", message))
}
