//! An org of Salesforce, as its REST API shows it: OAuth tokens, SOQL with pages, single records, upserts by an external
//! id, collections, composite requests, and errors as lists with codes.

mod route;
mod schema;
mod soql;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value as Json, json};
use syncline::clock::Clock;

use self::schema::Object;
use super::ask::{Answer, Ask, Weather};
use crate::support::loopback::{Loopback, Reply, Seen};

pub const CLIENT_ID: &str = "3MVG9syncline";
pub const CLIENT_SECRET: &str = "salesforce-secret";
const ORG_ID: &str = "00Dxx0000000001AAA";
const USER_ID: &str = "005xx0000000001AAA";
/// Requests in 24 hours.
const DAILY: u64 = 15_000;

/// A running org.
pub struct Salesforce {
    pub server: Loopback,
    org: Arc<Mutex<Org>>,
    pub weather: Arc<Weather>,
}

#[derive(Default)]
struct Org {
    records: BTreeMap<String, Row>,
    tokens: BTreeSet<String>,
    tokens_given: u64,
    requests: u64,
    made: u64,
    /// What queries go on with, by locator.
    cursors: BTreeMap<String, Vec<Json>>,
    url: String,
}

#[derive(Clone)]
struct Row {
    object: Object,
    fields: Map<String, Json>,
    is_deleted: bool,
}

impl Salesforce {
    pub async fn start() -> Self {
        let org = Arc::new(Mutex::new(Org::default()));
        let weather = Arc::new(Weather::default());
        let (answering, over) = (Arc::clone(&org), Arc::clone(&weather));
        let server = Loopback::start(move |seen| over.over(seen, || answering.lock().unwrap().answer(seen))).await;
        org.lock().unwrap().url = server.url();
        Self { server, org, weather }
    }

    /// Every record of an object, by id.
    pub fn all(&self, object: &str) -> BTreeMap<String, Map<String, Json>> {
        let org = self.org.lock().unwrap();
        let rows = org
            .records
            .iter()
            .filter(|(_, row)| row.object.name == object && !row.is_deleted);
        rows.map(|(id, row)| (id.clone(), row.fields.clone())).collect()
    }

    /// The only record of an object whose field has this value.
    pub fn by(&self, object: &str, field: &str, value: &str) -> Option<(String, Map<String, Json>)> {
        let mut found = self
            .all(object)
            .into_iter()
            .filter(|(_, fields)| fields[field] == value);
        let first = found.next();
        assert!(found.next().is_none(), "two of `{object}` have `{value}` in {field}");
        first
    }

    /// A person makes a record.
    pub fn make(&self, object: &str, fields: &Json) -> String {
        let answer = self.org.lock().unwrap().create(object, fields, now());
        answer.body.unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// A person changes a record, a while after anybody else did: within one second nobody could tell them apart.
    pub fn edit(&self, object: &str, id: &str, fields: &Json) {
        let mut org = self.org.lock().unwrap();
        let before = org.records[id].fields["SystemModstamp"].as_str().map(instant);
        let later = before.unwrap() + TimeDelta::seconds(1);
        let answer = org.update(object, id, fields, None, now().max(later));
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    pub fn delete(&self, object: &str, id: &str) {
        assert_eq!(self.org.lock().unwrap().delete(object, id).status, 204);
    }

    /// Ends every session.
    pub fn forget_sessions(&self) {
        self.org.lock().unwrap().tokens.clear();
    }

    /// How many tokens were given.
    pub fn tokens_given(&self) -> u64 {
        self.org.lock().unwrap().tokens_given
    }
}

fn now() -> DateTime<Utc> {
    Clock::system().now()
}

/// Salesforce stores whole seconds.
fn stamp(time: DateTime<Utc>) -> Json {
    json!(time.format("%Y-%m-%dT%H:%M:%S.000+0000").to_string())
}

fn instant(stamp: &str) -> DateTime<Utc> {
    DateTime::parse_from_str(stamp, "%Y-%m-%dT%H:%M:%S%.f%z")
        .unwrap()
        .to_utc()
}

/// An error is a list of one.
fn refused(status: u16, code: &str, message: &str) -> Answer {
    Answer::new(status, json!([{ "message": message, "errorCode": code }]))
}

/// One that names fields.
fn refused_for(code: &str, message: &str, fields: &[&str]) -> Answer {
    Answer::new(
        400,
        json!([{ "message": message, "errorCode": code, "fields": fields }]),
    )
}

impl Org {
    fn answer(&mut self, seen: &Seen) -> Reply {
        if seen.path() == "/services/oauth2/token" {
            return self.token(seen).reply();
        }
        let ask = Ask::of(seen);
        let has_token = ask
            .header("authorization")
            .and_then(|header| header.strip_prefix("Bearer ").or_else(|| header.strip_prefix("OAuth ")))
            .is_some_and(|token| self.tokens.contains(token));
        // The versions are told to everybody.
        let is_open = ask.parts() == ["services", "data"];
        self.requests += 1;
        let answer = if has_token || is_open {
            self.route(&ask)
        } else {
            refused(401, "INVALID_SESSION_ID", "Session expired or invalid")
        };
        let usage = format!("api-usage={}/{DAILY}", self.requests);
        answer.reply().with("sforce-limit-info", usage)
    }

    /// A token by the client credentials flow. Nothing says how long it lasts.
    fn token(&mut self, seen: &Seen) -> Answer {
        let form = seen.form();
        let basic = seen
            .header("authorization")
            .and_then(|header| header.strip_prefix("Basic "));
        let basic = basic.map(|text| {
            use base64::{Engine as _, prelude::BASE64_STANDARD};
            let text = String::from_utf8(BASE64_STANDARD.decode(text).unwrap()).unwrap();
            let (id, secret) = text.split_once(':').unwrap();
            (id.to_owned(), secret.to_owned())
        });
        let in_form = || Some((form.get("client_id")?.clone(), form.get("client_secret")?.clone()));
        let error = |code: &str, why: &str| Answer::new(400, json!({ "error": code, "error_description": why }));
        if form.get("grant_type").map(String::as_str) != Some("client_credentials") {
            return error("unsupported_grant_type", "grant type not supported");
        }
        match basic.or_else(in_form) {
            Some((id, _)) if id != CLIENT_ID => error("invalid_client_id", "client identifier invalid"),
            Some((_, secret)) if secret == CLIENT_SECRET => {
                self.tokens_given += 1;
                let token = format!("00Dxx!{}", self.tokens_given);
                self.tokens.insert(token.clone());
                Answer::ok(json!({
                    "access_token": token, "signature": "c2lnbmVk", "scope": "api", "instance_url": self.url,
                    "id": format!("{}/id/{ORG_ID}/{USER_ID}", self.url), "token_type": "Bearer",
                    "issued_at": now().timestamp_millis().to_string(),
                }))
            }
            _ => error("invalid_client", "invalid client credentials"),
        }
    }

    /// An id of 18 characters.
    fn next_id(&mut self, prefix: &str) -> String {
        self.made += 1;
        let short = format!("{prefix}xx{:010}", self.made);
        let check = short.as_bytes().chunks(5).map(|five| {
            let upper = five
                .iter()
                .rev()
                .fold(0, |bits, byte| bits * 2 + usize::from(byte.is_ascii_uppercase()));
            char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[upper])
        });
        let check: String = check.collect();
        short + &check
    }

    /// A record that is there, by its id of 18 or 15 characters.
    fn row(&self, object: Object, id: &str) -> Result<&Row, Answer> {
        let mut found = self
            .records
            .iter()
            .filter(|(known, _)| known.as_str() == id || (id.len() == 15 && known.starts_with(id)));
        match found.next().map(|(_, row)| row) {
            Some(row) if row.object.name == object.name && row.is_deleted => {
                Err(refused(404, "ENTITY_IS_DELETED", "entity is deleted"))
            }
            Some(row) if row.object.name == object.name => Ok(row),
            _ if id.len() != 15 && id.len() != 18 => Err(refused(
                404,
                "NOT_FOUND",
                &format!("Provided external ID field does not exist or is not accessible: {id}"),
            )),
            _ => Err(refused(404, "NOT_FOUND", "The requested resource does not exist")),
        }
    }
}

/// A record as it is answered: what was asked for, with where it is.
fn shown(row: &Row, fields: &[String]) -> Json {
    let id = row.fields["Id"].as_str().unwrap();
    let name = row.object.name;
    let mut told = Map::new();
    told.insert(
        "attributes".into(),
        json!({ "type": name, "url": format!("/services/data/v62.0/sobjects/{name}/{id}") }),
    );
    if fields.is_empty() {
        told.extend(row.fields.clone());
    }
    for field in fields {
        let known = row.object.field(field).unwrap().name;
        told.insert(known.to_owned(), row.fields[known].clone());
    }
    Json::Object(told)
}
