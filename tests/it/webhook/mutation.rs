//! Published requests with one bit, one entry or one order changed: each is refused, unless a good signature is left whole.
//!
//! What is left whole is told by trying each entry of a list alone, so that nothing here knows how a recipe reads.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use syncline::core::webhook::{Incoming, Secret, event::Definition, verify};

use super::vector::{definitions, read, secret};
use crate::support::rig::{Budget, report};

/// A published request that its recipe accepts.
#[derive(Clone)]
struct Case {
    id: String,
    scheme: String,
    definition: Arc<Definition>,
    secrets: Vec<Secret>,
    method: String,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    now: DateTime<Utc>,
}

impl Case {
    fn new(vector: &Json, definitions: &BTreeMap<String, Arc<Definition>>) -> Self {
        let text = |name: &str, default: &str| vector[name].as_str().unwrap_or(default).to_owned();
        let headers = vector["headers"].as_object().unwrap().iter();
        let definition = Arc::clone(&definitions[vector["scheme"].as_str().unwrap()]);
        Self {
            id: text("id", ""),
            scheme: text("scheme", ""),
            secrets: vec![secret(&definition, vector)],
            definition,
            method: text("method", "POST"),
            url: text("url", "https://www.example.com/webhooks/crm"),
            headers: headers
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().into()))
                .collect(),
            body: text("body", "").into_bytes(),
            now: DateTime::from_timestamp(vector["now"].as_i64().unwrap_or(1_700_000_000), 0).unwrap(),
        }
    }

    fn is_verified(&self) -> bool {
        let headers: Vec<(&str, &[u8])> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), &**value))
            .collect();
        let request = Incoming {
            method: &self.method,
            url: &self.url,
            headers: &headers,
            body: &self.body,
        };
        verify(self.definition.recipe(), &self.secrets, &request, self.now).is_ok()
    }

    /// The same with another value of one header.
    fn with(&self, header: usize, value: &[u8]) -> Self {
        let mut case = self.clone();
        value.clone_into(&mut case.headers[header].1);
        case
    }

    /// Which header is a list of signatures, and what stands between its entries.
    fn list(&self) -> Option<(usize, char)> {
        let between = match self.scheme.as_str() {
            "standard-webhooks-v1" | "standard-webhooks-v1a" | "svix-v1" => ' ',
            "stripe-v1" => ',',
            _ => return None,
        };
        let is_list = |(name, _): &(String, Vec<u8>)| name.to_lowercase().ends_with("-signature");
        Some((self.headers.iter().position(is_list)?, between))
    }

    /// Whether a check takes long: a curve in a debug build.
    fn is_dear(&self) -> bool {
        self.scheme == "standard-webhooks-v1a"
    }
}

fn cases() -> Vec<Case> {
    let file: Json = serde_json::from_str(&read("tests/data/webhook_vectors.json")).unwrap();
    let definitions = definitions();
    let vectors = file["vectors"].as_array().unwrap().iter();
    let cases: Vec<Case> = vectors
        .filter(|vector| vector["expect"] == "valid")
        .map(|vector| Case::new(vector, &definitions))
        .collect();
    assert_eq!(cases.len(), 17, "a vector was lost");
    assert!(cases.iter().all(Case::is_verified));
    cases
}

/// An entry of a list: where it stands, and what it is worth alone.
struct Entry {
    start: usize,
    end: usize,
    is_good: bool,
    /// The time of sending is an entry, too, and never spare.
    is_time: bool,
}

/// The entries of a list. A list that has its time among them is tried with it, and each signature with nothing else.
fn entries(case: &Case, header: usize, between: char) -> Vec<Entry> {
    let text = String::from_utf8(case.headers[header].1.clone()).unwrap();
    let time = text.split(between).find(|entry| entry.starts_with("t="));
    let mut start = 0;
    text.split(between)
        .map(|entry| {
            let alone = time.map_or_else(|| entry.to_owned(), |time| format!("{time}{between}{entry}"));
            let is_time = Some(entry) == time;
            let placed = Entry {
                start,
                end: start + entry.len(),
                is_good: !is_time && case.with(header, alone.as_bytes()).is_verified(),
                is_time,
            };
            start = placed.end + 1;
            placed
        })
        .collect()
}

/// Whether a list counts in which only the byte at `at` was changed. What stands beside a good entry may be anything that is
/// laid out as an entry; a byte between two entries is part of both.
fn list_counts(case: &Case, entries: &[Entry], between: char, changed: &[u8], at: usize) -> bool {
    let is_whole = |entry: &Entry| at + 1 < entry.start || at > entry.end;
    let is_text = changed.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    let is_laid_out = between == ' ' || changed.split(|byte| *byte == b',').all(|entry| entry.contains(&b'='));
    let has_time = entries.iter().filter(|entry| entry.is_time).all(is_whole);
    let is_same = is_same(case, entries, changed, at);
    is_text && is_laid_out && has_time && (is_same || entries.iter().any(|entry| entry.is_good && is_whole(entry)))
}

/// Whether the change is one of case in a hexadecimal digit of a good entry: the same bytes.
fn is_same(case: &Case, entries: &[Entry], changed: &[u8], at: usize) -> bool {
    let is_digit = |entry: &Entry| entry.is_good && (entry.start + "v1=".len()..entry.end).contains(&at);
    case.scheme == "stripe-v1" && changed[at].is_ascii_alphabetic() && {
        let (header, _) = case.list().unwrap();
        changed[at].eq_ignore_ascii_case(&case.headers[header].1[at]) && entries.iter().any(is_digit)
    }
}

/// The same in a header that is no list; the name of a scheme of HTTP may be in either case, too.
fn is_same_in_one(case: &Case, changed: &[u8], original: &[u8], at: usize) -> bool {
    let digits = match case.scheme.as_str() {
        "github-sha256" => "sha256=".len()..original.len(),
        "slack-v0" if original.starts_with(b"v0=") => "v0=".len()..original.len(),
        "http-basic" => 0.."Basic".len(),
        _ => 0..0,
    };
    digits.contains(&at) && changed[at].eq_ignore_ascii_case(&original[at])
}

#[test]
fn any_one_bit_of_a_published_request_that_changes_has_it_refused_unless_another_signature_is_whole() {
    let budget = Budget::new(1, 1);
    let (mut refused, mut accepted) = (0_u64, 0_u64);
    for case in cases() {
        // Every seventh bit is any of the eight in turn: where a check is dear, the others are for the night.
        let (of_header, of_body) = match (budget.is_nightly(), case.is_dear()) {
            (true, _) => (1, 1),
            (false, true) => (7, 7),
            (false, false) => (1, 7),
        };
        for (header, (name, original)) in case.headers.iter().enumerate() {
            let list = case.list().filter(|(list, _)| *list == header);
            let list = list.map(|(_, between)| (entries(&case, header, between), between));
            for bit in (0..original.len() * 8).step_by(of_header) {
                let mut changed = original.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let expected = match &list {
                    Some((entries, between)) => list_counts(&case, entries, *between, &changed, bit / 8),
                    None => is_same_in_one(&case, &changed, original, bit / 8),
                };
                let is_verified = case.with(header, &changed).is_verified();
                let shown = String::from_utf8_lossy(&changed);
                assert_eq!(is_verified, expected, "{} {name}: {shown}", case.id);
                refused += u64::from(!is_verified);
                accepted += u64::from(is_verified);
            }
        }
        for bit in (0..case.body.len() * 8).step_by(of_body) {
            let mut changed = case.clone();
            changed.body[bit / 8] ^= 1 << (bit % 8);
            assert!(!changed.is_verified(), "{}: bit {bit} of the body", case.id);
            refused += 1;
        }
    }
    report(&format!(
        "{refused} requests with one changed bit refused, {accepted} with a good signature left taken"
    ));
    assert!(refused > 8_000 && accepted > 1_000, "{refused} {accepted}");
}

#[test]
fn a_signature_in_a_list_that_is_cut_or_extended_does_not_count() {
    let mut tried = 0;
    for case in cases() {
        let Some((header, between)) = case.list() else {
            continue;
        };
        let whole = case.headers[header].1.clone();
        for entry in entries(&case, header, between).iter().filter(|entry| entry.is_good) {
            let (before, rest) = whole.split_at(entry.start);
            let (good, after) = rest.split_at(entry.end - entry.start);
            let cut = (0..good.len()).map(|length| good[..length].to_vec());
            let tails = ["0", "00", "=", "A", "AAAA", "v1", "%00", "\\0"];
            let long = tails.map(|tail| [good, tail.as_bytes()].concat());
            for changed in cut.chain(long) {
                let changed = [before, &changed, after].concat();
                let shown = String::from_utf8_lossy(&changed);
                assert!(!case.with(header, &changed).is_verified(), "{}: {shown}", case.id);
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "{tried}");
}
