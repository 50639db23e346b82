//! The vectors of Project Wycheproof, which were made to find what implementations get wrong: `tests/data/wycheproof.txt`,
//! an algorithm, a key, a message, a tag and the verdict a line.

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use chrono::DateTime;
use serde_json::json;
use syncline::core::webhook::{Incoming, Recipe, Secret, verify};

use super::recipe;

/// One line of the file.
struct Vector {
    algorithm: &'static str,
    key: Vec<u8>,
    message: Vec<u8>,
    tag: Vec<u8>,
    is_valid: bool,
}

impl Vector {
    /// Whether the tag is as long as its algorithm makes it. Some HMAC vectors allow half of one; no recipe does, or a
    /// sender could be guessed at with half the work.
    fn is_whole(&self) -> bool {
        let bytes = match self.algorithm {
            "sha1" => 20,
            "sha256" => 32,
            _ => 64,
        };
        self.tag.len() == bytes
    }

    /// What a recipe says of it that reads the key and the tag in these forms.
    fn verdict(&self, recipe: &Recipe, key: &str, tag: &str) -> bool {
        let secret = Secret::parse(recipe, &key.into()).unwrap_or_else(|error| panic!("{key}: {error}"));
        let request = Incoming {
            method: "POST",
            url: "https://sync.example.com/webhooks/crm",
            headers: &[("X-Signature", tag.as_bytes())],
            body: &self.message,
        };
        verify(recipe, &[secret], &request, DateTime::UNIX_EPOCH).is_ok()
    }
}

fn vectors(is_wanted: impl Fn(&str) -> bool) -> Vec<Vector> {
    let bytes = |word: &str| hex::decode(word.trim_start_matches('-')).unwrap();
    let lines = include_str!("../../data/wycheproof.txt").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter(|words| is_wanted(words[0]))
        .map(|words| Vector {
            algorithm: words[0],
            key: bytes(words[1]),
            message: bytes(words[2]),
            tag: bytes(words[3]),
            is_valid: words[4] == "valid",
        })
        .collect()
}

/// A way to write bytes, by its name in a recipe.
type Writing = (&'static str, fn(&[u8]) -> String);

const HEX: Writing = ("hex", |bytes| hex::encode(bytes));
const BASE64: Writing = ("base64", |bytes| BASE64_STANDARD.encode(bytes));
const BASE64URL: Writing = ("base64url", |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes));

#[test]
fn every_hmac_of_wycheproof_gets_its_verdict_and_one_that_is_cut_is_refused() {
    for (algorithm, expected) in [
        ("sha1", [33, 54, 83]),
        ("sha256", [33, 54, 87]),
        ("sha512", [33, 54, 87]),
    ] {
        let vectors = vectors(|name| name == algorithm);
        for (key_form, write_key) in [HEX, BASE64] {
            for (encoding, write_tag) in [HEX, BASE64, BASE64URL] {
                let recipe = recipe(&json!({
                    "hmac": algorithm, "header": "X-Signature", "encoding": encoding, "key": key_form,
                }));
                // Accepted, refused, and refused for their length.
                let mut counts = [0; 3];
                for vector in &vectors {
                    let (key, tag) = (write_key(&vector.key), write_tag(&vector.tag));
                    let is_accepted = vector.verdict(&recipe, &key, &tag);
                    let is_right = is_accepted == (vector.is_valid && vector.is_whole());
                    assert!(is_right, "{algorithm}, key {key}, {encoding} tag {tag}: {is_accepted}");
                    counts[match (vector.is_whole(), is_accepted) {
                        (true, true) => 0,
                        (true, false) => 1,
                        (false, _) => 2,
                    }] += 1;
                }
                assert_eq!(counts, expected, "{algorithm}, {encoding}");
            }
        }
    }
}

#[test]
fn every_ed25519_signature_of_wycheproof_gets_its_verdict() {
    let recipe = recipe(&json!({
        "ed25519": true, "header": "X-Signature", "encoding": "base64", "key": "hex",
    }));
    let vectors = vectors(|name| name == "ed25519");
    let mut accepted = 0;
    for vector in &vectors {
        let (key, tag) = (hex::encode(&vector.key), BASE64_STANDARD.encode(&vector.tag));
        let is_accepted = vector.verdict(&recipe, &key, &tag);
        assert_eq!(is_accepted, vector.is_valid, "key {key}, tag {tag}");
        accepted += usize::from(is_accepted);
    }
    assert_eq!((vectors.len(), accepted), (151, 88));
}
