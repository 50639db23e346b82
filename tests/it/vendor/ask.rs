//! A request as a simulator sees it, what it answers, and what may befall either.

use std::{collections::BTreeMap, sync::Mutex};

use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

use crate::support::loopback::{Reply, Seen};

/// A request.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: String,
    /// The parts of the path, decoded.
    pub path: Vec<String>,
    /// What came several times is one text with commas between.
    pub query: BTreeMap<String, String>,
    /// By names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Null where there is none, or where it is no JSON.
    pub body: Json,
}

impl Ask {
    /// A request for an address without its origin.
    pub fn new(method: &str, target: &str, headers: BTreeMap<String, String>, body: Json) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let mut values = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()).into_owned() {
            values.entry(name).or_default().push(value);
        }
        Self {
            method: method.to_owned(),
            path: path.split('/').filter(|part| !part.is_empty()).map(decoded).collect(),
            query: values
                .into_iter()
                .map(|(name, values)| (name, values.join(",")))
                .collect(),
            headers,
            body,
        }
    }

    pub fn of(seen: &Seen) -> Self {
        let headers = seen.headers.iter().cloned().collect();
        let body = serde_json::from_slice(&seen.body).unwrap_or_default();
        Self::new(&seen.method, &seen.target, headers, body)
    }

    pub fn parts(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
}

/// An answer in JSON, or without a body.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Option<Json>,
}

impl Answer {
    pub fn new(status: u16, body: Json) -> Self {
        Self {
            status,
            body: Some(body),
        }
    }

    pub fn ok(body: Json) -> Self {
        Self::new(200, body)
    }

    pub fn empty(status: u16) -> Self {
        Self { status, body: None }
    }

    pub fn reply(self) -> Reply {
        match self.body {
            Some(body) => Reply::json(self.status, &body),
            None => Reply::status(self.status),
        }
    }
}

/// What befalls a request.
#[derive(Debug, Clone)]
pub enum Mishap {
    /// It is carried out, and its answer is lost.
    AnswerLost,
    /// It is refused in this way.
    Refused(Reply),
}

/// What is going to befall requests: each mishap comes over the next request of this method whose address has this in it, or ends
/// with it where a `$` stands behind it.
#[derive(Debug, Default)]
pub struct Weather(Mutex<Vec<(&'static str, &'static str, Mishap)>>);

impl Weather {
    pub fn next(&self, method: &'static str, part: &'static str, mishap: Mishap) {
        self.0.lock().unwrap().push((method, part, mishap));
    }

    /// How many have not come yet.
    pub fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn of(&self, seen: &Seen) -> Option<Mishap> {
        let mut coming = self.0.lock().unwrap();
        let is_of = |(method, part, _): &(&str, &str, Mishap)| {
            let fits = match part.strip_suffix('$') {
                Some(end) => seen.target.ends_with(end),
                None => seen.target.contains(part),
            };
            seen.method == *method && fits
        };
        let at = coming.iter().position(is_of)?;
        Some(coming.remove(at).2)
    }

    /// Answers a request by `answer`, but for what befalls it.
    pub fn over(&self, seen: &Seen, answer: impl FnOnce() -> Reply) -> Reply {
        match self.of(seen) {
            Some(Mishap::Refused(reply)) => reply,
            Some(Mishap::AnswerLost) => {
                answer();
                Reply::hang_up()
            }
            None => answer(),
        }
    }
}
