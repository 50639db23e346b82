//! Published vectors, and every small change to them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{Kind, PAGE, Recipe, Rejection, Request, Secret, at, secret};

#[derive(Deserialize)]
struct VectorFile {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    scheme: String,
    secret: Option<String>,
    public_key: Option<String>,
    user: Option<String>,
    password: Option<String>,
    method: Option<String>,
    url: Option<String>,
    headers: BTreeMap<String, String>,
    now: Option<i64>,
    body: Option<String>,
    expect: String,
    reject: Option<String>,
}

impl Vector {
    fn recipe(&self) -> &'static Recipe {
        PAGE.get(&self.scheme)
            .unwrap_or_else(|| panic!("the page has no recipe for {}", self.scheme))
    }

    fn secrets(&self) -> Vec<Secret> {
        let basic = self
            .user
            .as_ref()
            .zip(self.password.as_ref())
            .map(|(user, password)| format!("{user}:{password}"));
        let text = self.secret.clone().or(self.public_key.clone()).or(basic).unwrap();
        vec![secret(self.recipe(), &text)]
    }

    fn request(&self) -> Request {
        let mut request = Request::new(self.body.as_deref().unwrap_or_default().as_bytes());
        request.method = self.method.clone().unwrap_or(request.method);
        request.url = self.url.clone().unwrap_or(request.url);
        self.headers
            .iter()
            .fold(request, |request, (name, value)| request.with(name, value))
    }

    fn now(&self) -> DateTime<Utc> {
        at(self.now.unwrap_or(1_700_000_000))
    }
}

fn vectors() -> Vec<Vector> {
    let file: VectorFile = serde_json::from_str(include_str!("../../../../tests/data/webhook_vectors.json")).unwrap();
    file.vectors
}

#[test]
fn every_published_vector_gets_its_verdict_from_the_recipes_of_the_page() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 32, "a vector was lost");
    for vector in vectors {
        let verdict = vector
            .request()
            .verify(vector.recipe(), &vector.secrets(), vector.now());
        let kind = verdict.err().map(|rejection| rejection.kind().as_str());
        assert_eq!(kind.is_none(), vector.expect == "valid", "{}", vector.id);
        assert_eq!(kind, vector.reject.as_deref(), "{}", vector.id);
    }
}

/// Two spellings of the same bytes: hexadecimal digits, and the scheme name of `Authorization`.
fn is_same_but_for_case(scheme: &str, position: usize, old: u8, new: u8) -> bool {
    let is_case_free = match scheme {
        "stripe-v1" => position > "t=1533204620,v1=".len() - 1,
        "github-sha256" => position > "sha256=".len() - 1,
        "slack-v0" => position > "v0=".len() - 1,
        "http-basic" => position < "Basic".len(),
        _ => false,
    };
    is_case_free && old.eq_ignore_ascii_case(&new)
}

#[test]
fn no_single_bit_of_a_valid_request_may_change() {
    for vector in vectors().into_iter().filter(|vector| vector.expect == "valid") {
        let (recipe, secrets, now) = (vector.recipe(), vector.secrets(), vector.now());
        let original = vector.request();
        // An entry that does not count may change: these headers carry such entries.
        let has_idle_entries = vector
            .headers
            .values()
            .any(|value| value.contains(' ') || value.matches(',').count() > 1);
        let is_list = has_idle_entries && vector.scheme != "http-basic";
        // Where a check is dear (a curve, a long body), every bit in turn of every third byte: it is the same code for all.
        let is_dear = vector.public_key.is_some() || original.body.len() > 100;
        let step = if is_dear { 25 } else { 1 };
        for (index, (name, value)) in original.headers.iter().enumerate() {
            if is_list && name.to_lowercase().ends_with("signature") {
                continue;
            }
            for bit in (0..value.len() * 8).step_by(step) {
                let mut request = original.clone();
                let byte = &mut request.headers[index].1[bit / 8];
                let old = std::mem::replace(byte, *byte ^ 1 << (bit % 8));
                if is_same_but_for_case(&vector.scheme, bit / 8, old, *byte) {
                    continue;
                }
                let changed = String::from_utf8_lossy(&request.headers[index].1).into_owned();
                assert!(
                    request.verify(recipe, &secrets, now).is_err(),
                    "{} {name}: {changed}",
                    vector.id
                );
            }
        }
        for bit in (0..original.body.len() * 8).step_by(step) {
            let mut request = original.clone();
            request.body[bit / 8] ^= 1 << (bit % 8);
            let is_body_signed = vector.scheme != "http-basic";
            assert_eq!(
                request.verify(recipe, &secrets, now).is_err(),
                is_body_signed,
                "{}",
                vector.id
            );
        }
    }
}

#[test]
fn a_signature_that_is_cut_or_extended_is_rejected() {
    for vector in vectors().into_iter().filter(|vector| vector.expect == "valid") {
        let original = vector.request();
        let Some(index) = original.headers.iter().position(|(name, value)| {
            let is_one = value.iter().filter(|byte| matches!(byte, b',' | b' ')).count() < 2;
            is_one && name.to_lowercase().contains("signature") || name.to_lowercase().contains("hmac")
        }) else {
            continue;
        };
        let (recipe, secrets, now) = (vector.recipe(), vector.secrets(), vector.now());
        let whole = original.headers[index].1.clone();
        for length in 0..whole.len() {
            let mut request = original.clone();
            request.headers[index].1.truncate(length);
            assert!(request.verify(recipe, &secrets, now).is_err(), "{}", vector.id);
        }
        for tail in ["0", "00", "=", "A", "AAAA", "\0", "é"] {
            let mut request = original.clone();
            request.headers[index].1.extend_from_slice(tail.as_bytes());
            let verdict = request.verify(recipe, &secrets, now);
            assert!(verdict.is_err(), "{} {tail:?}", vector.id);
        }
    }
}

/// The position of the header with the signatures, and what parts one from the next.
fn list_of(vector: &Vector, request: &Request) -> Option<(usize, &'static str)> {
    let parted = match vector.scheme.as_str() {
        "standard-webhooks-v1" | "standard-webhooks-v1a" | "svix-v1" => " ",
        "stripe-v1" => ",",
        _ => return None,
    };
    let is_signature = |name: &str| name.to_lowercase().ends_with("signature");
    let index = request.headers.iter().position(|(name, _)| is_signature(name))?;
    Some((index, parted))
}

#[test]
fn a_good_signature_counts_wherever_it_stands_among_bad_ones() {
    let mut tried = 0;
    for vector in vectors().into_iter().filter(|vector| vector.expect == "valid") {
        let original = vector.request();
        let Some((index, parted)) = list_of(&vector, &original) else {
            continue;
        };
        let text = String::from_utf8(original.headers[index].1.clone()).unwrap();
        let good = text.split(parted).map(str::to_owned).collect::<Vec<_>>();
        // What is not laid out as told at all is refused, and so not among these.
        let bad = match parted {
            "," => ["v1=00", "v1=", "v0=zz", "v9=x"],
            _ => ["v1,AAAA", "v1,", "v9,xx", "v1a,===="],
        };
        let bad = bad.map(str::to_owned);
        for (place, junk) in (0..=good.len()).flat_map(|place| bad.iter().map(move |junk| (place, junk))) {
            let mut entries = good.clone();
            entries.insert(place, junk.clone());
            for entries in [entries.clone(), entries.into_iter().rev().collect()] {
                let mut request = original.clone();
                request.headers[index].1 = entries.join(parted).into_bytes();
                let verdict = request.verify(vector.recipe(), &vector.secrets(), vector.now());
                assert!(verdict.is_ok(), "{}: {}", vector.id, entries.join(parted));
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn a_signature_under_another_tag_does_not_count() {
    for vector in vectors().into_iter().filter(|vector| vector.expect == "valid") {
        let original = vector.request();
        let Some((index, parted)) = list_of(&vector, &original) else {
            continue;
        };
        let text = String::from_utf8(original.headers[index].1.clone()).unwrap();
        for (from, to) in [
            ("v1,", "v2,"),
            ("v1,", "v,"),
            ("v1a,", "v1,"),
            ("v1=", "v0="),
            ("v1=", "V1="),
        ] {
            let swapped = text
                .split(parted)
                .map(|entry| {
                    if entry.starts_with(from) {
                        entry.replacen(from, to, 1)
                    } else {
                        entry.to_owned()
                    }
                })
                .collect::<Vec<_>>()
                .join(parted);
            if swapped == text {
                continue;
            }
            let mut request = original.clone();
            request.headers[index].1 = swapped.clone().into_bytes();
            let verdict = request.verify(vector.recipe(), &vector.secrets(), vector.now());
            assert!(verdict.is_err(), "{}: {swapped}", vector.id);
        }
    }
}

#[test]
fn base64_whose_unused_bits_are_set_is_no_signature() {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut tried = 0;
    for vector in vectors().into_iter().filter(|vector| vector.expect == "valid") {
        let original = vector.request();
        for (index, (_, value)) in original.headers.iter().enumerate() {
            // The last digit before the padding holds two or four bits that say nothing.
            let padding = value.iter().rev().take_while(|byte| **byte == b'=').count();
            if padding == 0 || value.contains(&b' ') {
                continue;
            }
            let at = value.len() - padding - 1;
            let digit = ALPHABET.iter().position(|letter| *letter == value[at]).unwrap();
            for bits in 1..1 << (2 * padding) {
                let mut request = original.clone();
                request.headers[index].1[at] = ALPHABET[digit ^ bits];
                let verdict = request.verify(vector.recipe(), &vector.secrets(), vector.now());
                assert!(verdict.is_err(), "{}", vector.id);
                tried += 1;
            }
        }
    }
    assert!(tried > 0);
}

#[test]
fn a_secret_read_for_another_recipe_never_matches() {
    let (hmac, ed25519) = (&PAGE["standard-webhooks-v1"], &PAGE["standard-webhooks-v1a"]);
    let vector = vectors().into_iter().find(|vector| vector.id == "sw-js-1").unwrap();
    let public = secret(ed25519, "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=");
    assert_eq!(
        vector.request().verify(hmac, &[public], vector.now()),
        Err(Rejection::Signature)
    );
}

#[test]
fn more_signatures_than_any_rotation_needs_are_refused() {
    let vector = vectors().into_iter().find(|vector| vector.id == "svix-v1a").unwrap();
    let mut request = vector.request();
    let (_, value) = request
        .headers
        .iter_mut()
        .find(|(name, _)| name == "webhook-signature")
        .unwrap();
    let signature = String::from_utf8(value.clone()).unwrap();
    *value = vec![signature.as_str(); 16].join(" ").into_bytes();
    assert!(request.verify(vector.recipe(), &vector.secrets(), vector.now()).is_ok());
    let (_, value) = request
        .headers
        .iter_mut()
        .find(|(name, _)| name == "webhook-signature")
        .unwrap();
    *value = vec![signature.as_str(); 17].join(" ").into_bytes();
    let verdict = request.verify(vector.recipe(), &vector.secrets(), vector.now());
    assert_eq!(verdict.unwrap_err().kind(), Kind::Header);
}
