//! Services by OData V4 in the ways of Dataverse and of Business Central: entity sets with keys, ETags, filters, pages by a next
//! link, and what differs between the two.

mod business_central;
mod dataverse;
mod query;
mod route;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json, json};
use syncline::clock::Clock;

pub use self::{business_central::HABITS as BUSINESS_CENTRAL, dataverse::HABITS as DATAVERSE};
use super::ask::{Answer, Ask, Weather};
use crate::support::loopback::{Loopback, Reply, Seen};

pub const TENANT: &str = "11111111-1111-4111-8111-111111111111";
pub const CLIENT_ID: &str = "22222222-2222-4222-8222-222222222222";
pub const CLIENT_SECRET: &str = "entra-secret";
pub const COMPANY: &str = "33333333-3333-4333-8333-333333333333";

/// A set of records: its name, the key, the name of a lookup's set by the field that holds it, and the fields with their types
/// (`-` read only).
pub struct Set {
    pub name: &'static str,
    /// What one record is called.
    pub one: &'static str,
    pub key: &'static str,
    /// Unique, where a record has it.
    pub unique: Option<&'static str>,
    pub fields: &'static str,
}

/// What one vendor does in its own way.
pub struct Habits {
    /// What addresses begin with, in parts.
    pub root: &'static [&'static str],
    pub sets: &'static [Set],
    /// Where the time of the last change is.
    pub modified: &'static str,
    /// Times have whole seconds.
    pub has_seconds: bool,
    /// Texts are empty, never null.
    pub has_blanks: bool,
    /// A PATCH without a condition makes what is not there.
    pub makes_by_patch: bool,
    /// Lookups are written as `name@odata.bind`, and read as `_name_value`.
    pub binds: bool,
    /// Status and codes of refusals.
    pub stale: (u16, &'static str),
    pub missing: &'static str,
    pub invalid: &'static str,
    pub exists: (u16, &'static str),
}

/// A running service.
pub struct Service {
    pub server: Loopback,
    data: Arc<Mutex<Data>>,
    pub weather: Arc<Weather>,
}

struct Data {
    habits: &'static Habits,
    /// By set and key.
    records: BTreeMap<(&'static str, String), Map<String, Json>>,
    made: u64,
    writes: u64,
    url: String,
}

impl Service {
    pub async fn start(habits: &'static Habits) -> Self {
        let data = Arc::new(Mutex::new(Data {
            habits,
            records: BTreeMap::new(),
            made: 0,
            writes: 0,
            url: String::new(),
        }));
        let weather = Arc::new(Weather::default());
        let (answering, over) = (Arc::clone(&data), Arc::clone(&weather));
        let server = Loopback::start(move |seen| over.over(seen, || answering.lock().unwrap().answer(seen))).await;
        data.lock().unwrap().url = server.url();
        Self { server, data, weather }
    }

    /// Every record of a set, by key.
    pub fn all(&self, set: &str) -> BTreeMap<String, Map<String, Json>> {
        let data = self.data.lock().unwrap();
        let rows = data.records.iter().filter(|((of, _), _)| *of == set);
        rows.map(|((_, key), fields)| (key.clone(), fields.clone())).collect()
    }

    /// The only record of a set whose field has this value.
    pub fn by(&self, set: &str, field: &str, value: &str) -> Option<(String, Map<String, Json>)> {
        let mut found = self.all(set).into_iter().filter(|(_, fields)| fields[field] == value);
        let first = found.next();
        assert!(found.next().is_none(), "two of `{set}` have `{value}` in {field}");
        first
    }

    /// A person makes a record. What only the service writes can be given too.
    pub fn make(&self, set: &str, fields: &Json) -> String {
        let mut data = self.data.lock().unwrap();
        let set = data.habits.set(set).unwrap();
        data.create(set, fields, true).unwrap()
    }

    /// A person changes a record.
    pub fn edit(&self, set: &str, key: &str, fields: &Json) {
        let mut data = self.data.lock().unwrap();
        let set = data.habits.set(set).unwrap();
        data.update(set, key, fields, true).unwrap();
    }

    pub fn delete(&self, set: &str, key: &str) {
        let mut data = self.data.lock().unwrap();
        let set = data.habits.set(set).unwrap().name;
        data.records.remove(&(set, key.to_owned())).unwrap();
    }
}

impl Habits {
    fn set(&self, name: &str) -> Option<&'static Set> {
        self.sets.iter().find(|set| set.name == name)
    }
}

impl Set {
    /// The type of a field and whether it is only read.
    fn field(&self, name: &str) -> Option<(&'static str, bool)> {
        let found = self.names().find(|(known, ..)| *known == name);
        found.map(|(_, kind, is_read_only)| (kind, is_read_only))
    }

    fn names(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> + use<> {
        self.fields.split_whitespace().map(|word| {
            let (word, is_read_only) = word.strip_suffix('-').map_or((word, false), |word| (word, true));
            let (name, kind) = word.split_once(':').unwrap_or((word, "text"));
            (name, kind, is_read_only)
        })
    }
}

fn refused(status: u16, code: &str, message: &str) -> Answer {
    Answer::new(status, json!({ "error": { "code": code, "message": message } }))
}

impl Data {
    fn answer(&mut self, seen: &Seen) -> Reply {
        if seen.path() == format!("/{TENANT}/oauth2/v2.0/token") {
            return token(seen).reply();
        }
        if seen.header("authorization") != Some("Bearer entra-token") {
            return Reply::json(401, &json!({ "error": { "code": "Unauthorized", "message": "" } }))
                .with("www-authenticate", "Bearer");
        }
        self.route(&Ask::of(seen)).reply()
    }

    fn next_key(&mut self) -> String {
        self.made += 1;
        // Keys do not follow the order in which they were made.
        let mixed = self.made.wrapping_mul(2_654_435_761) & 0xFFFF_FFFF;
        format!("{mixed:08x}-0000-4000-8000-{:012x}", self.made)
    }

    fn stamp(&self, time: DateTime<Utc>) -> Json {
        let format = if self.habits.has_seconds {
            "%Y-%m-%dT%H:%M:%SZ"
        } else {
            "%Y-%m-%dT%H:%M:%S%.3fZ"
        };
        json!(time.format(format).to_string())
    }

    /// A record without anything.
    fn blank(&self, set: &Set) -> Map<String, Json> {
        let value = |kind: &str| match (self.habits.has_blanks, kind) {
            (true, "text") => json!(""),
            (true, "guid") => json!("00000000-0000-0000-0000-000000000000"),
            (true, "date") => json!("0001-01-01"),
            (true, "decimal" | "int") | (_, "state") => json!(0),
            (_, "bool") => json!(false),
            _ => Json::Null,
        };
        set.names()
            .map(|(name, kind, _)| (name.to_owned(), value(kind)))
            .collect()
    }

    /// The key of a new record.
    fn create(&mut self, set: &'static Set, fields: &Json, by_person: bool) -> Result<String, Answer> {
        let given = self.taken(set, fields, by_person)?;
        self.is_free(set, &given, None)?;
        let key = self.next_key();
        let mut record = self.blank(set);
        record.extend(given);
        record.insert(set.key.to_owned(), json!(key));
        self.touch(&mut record);
        self.records.insert((set.name, key.clone()), record);
        Ok(key)
    }

    fn update(&mut self, set: &'static Set, key: &str, fields: &Json, by_person: bool) -> Result<(), Answer> {
        let given = self.taken(set, fields, by_person)?;
        self.is_free(set, &given, Some(key))?;
        let mut record = self.record(set, key)?.clone();
        record.extend(given);
        self.touch(&mut record);
        self.records.insert((set.name, key.to_owned()), record);
        Ok(())
    }

    fn touch(&mut self, record: &mut Map<String, Json>) {
        self.writes += 1;
        record.insert(
            "@odata.etag".into(),
            json!(format!("W/\"{}\"", 1_000_000 + self.writes)),
        );
        record.insert(self.habits.modified.into(), self.stamp(Clock::system().now()));
    }

    fn record(&self, set: &'static Set, key: &str) -> Result<&Map<String, Json>, Answer> {
        let found = self.records.get(&(set.name, key.to_lowercase()));
        found.ok_or_else(|| {
            refused(
                404,
                self.habits.missing,
                &format!("{} With Id = {key} Does Not Exist", set.one),
            )
        })
    }

    fn is_free(&self, set: &'static Set, given: &Map<String, Json>, own: Option<&str>) -> Result<(), Answer> {
        let Some(value) = set.unique.and_then(|unique| given.get(unique)) else {
            return Ok(());
        };
        let unique = set.unique.unwrap();
        let is_other = |((of, key), record): &(&(&'static str, String), &Map<String, Json>)| {
            *of == set.name
                && own != Some(key.as_str())
                && record[unique] == *value
                && !value.is_null()
                && *value != json!("")
        };
        if self.records.iter().any(|row| is_other(&row)) {
            let (status, code) = self.habits.exists;
            return Err(refused(status, code, &format!("a record with {unique} {value} exists")));
        }
        Ok(())
    }

    /// Values as they are kept, or what is wrong with one of them.
    fn taken(&self, set: &'static Set, fields: &Json, by_person: bool) -> Result<Map<String, Json>, Answer> {
        let invalid = |message: String| refused(400, self.habits.invalid, &message);
        let Json::Object(fields) = fields else {
            return Err(invalid("the payload is no object".to_owned()));
        };
        let mut taken = Map::new();
        for (name, value) in fields.iter().filter(|(name, _)| !name.starts_with('@')) {
            if let Some(lookup) = name.strip_suffix("@odata.bind").filter(|_| self.habits.binds) {
                let (field, key) = self.bound(set, lookup, value)?;
                taken.insert(field, json!(key));
                continue;
            }
            let Some((kind, is_read_only)) = set.field(name) else {
                return Err(invalid(format!(
                    "Invalid property '{name}' was found in entity '{}'",
                    set.one
                )));
            };
            if is_read_only && !by_person {
                return Err(invalid(format!("The property '{name}' cannot be written")));
            }
            let is_blank = value.is_null() || (self.habits.has_blanks && *value == json!(""));
            let fits = match kind {
                "text" => value.is_string(),
                "guid" => value.as_str().is_some_and(|text| text.len() == 36),
                "decimal" => value.is_number(),
                "int" | "state" => value.is_i64(),
                "bool" => value.is_boolean(),
                "date" => value.as_str().is_some_and(|text| text.len() == 10),
                other => panic!("{other}"),
            };
            let may_be_blank = is_blank && !["bool", "state"].contains(&kind);
            if !fits && !may_be_blank {
                return Err(invalid(format!(
                    "Cannot convert the literal {value} to the expected type of '{name}' ({kind})"
                )));
            }
            if is_blank {
                taken.insert(name.clone(), self.blank(set)[name].clone());
            } else {
                taken.insert(name.clone(), value.clone());
            }
        }
        Ok(taken)
    }

    /// The field behind a lookup, and the key that it is bound to.
    fn bound(&self, set: &'static Set, lookup: &str, value: &Json) -> Result<(String, String), Answer> {
        let base = lookup.split('_').next().unwrap();
        let field = format!("_{base}_value");
        let target = value.as_str().unwrap_or_default().trim_start_matches('/');
        let (other, key) = target.trim_end_matches(')').split_once('(').unwrap_or_default();
        if set.field(&field).is_none() {
            return Err(refused(
                400,
                self.habits.invalid,
                &format!("Invalid property '{lookup}'"),
            ));
        }
        // What there are no records of here is believed.
        if let Some(other) = self.habits.set(other) {
            self.record(other, key)?;
        }
        Ok((field, key.to_owned()))
    }
}

/// A token of Microsoft Entra.
fn token(seen: &Seen) -> Answer {
    let form = seen.form();
    let is_ours = form.get("client_id").is_some_and(|id| id == CLIENT_ID)
        && form.get("client_secret").is_some_and(|secret| secret == CLIENT_SECRET);
    if !is_ours || !form.get("scope").is_some_and(|scope| scope.ends_with("/.default")) {
        let why = "AADSTS7000215: Invalid client secret provided.";
        return Answer::new(
            401,
            json!({ "error": "invalid_client", "error_description": why, "error_codes": [7_000_215] }),
        );
    }
    Answer::ok(
        json!({ "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "entra-token" }),
    )
}
