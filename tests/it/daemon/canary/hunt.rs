//! Looks for secrets where none may stand, in every spelling that programs give a text on its way into a log or a file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use crate::support::rig::Chance;

/// So much of a secret stands nowhere by chance. Its beginning and its end are looked for, so that one that was cut is found, too.
const PART_BYTES: usize = 12;
/// What each way of writing escapes in its own manner.
const ODD: [char; 8] = ['"', '\\', '+', '&', '<', '%', '/', '='];
const PLAIN: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";

/// Makes the secrets, each for one slot, and finds them again.
pub struct Hunt {
    chance: Chance,
    needles: Vec<Needle>,
    /// Which of them begin with these two bytes.
    by_start: BTreeMap<(u8, u8), Vec<usize>>,
    is_start: Vec<bool>,
}

struct Needle {
    slot: String,
    spelling: &'static str,
    bytes: Vec<u8>,
}

impl Hunt {
    pub fn new(chance: Chance) -> Self {
        Self {
            chance,
            needles: Vec::new(),
            by_start: BTreeMap::new(),
            is_start: vec![false; 1 << 16],
        }
    }

    /// How many slots there are.
    pub fn slots(&self) -> usize {
        let slots: BTreeSet<&str> = self.needles.iter().map(|needle| needle.slot.as_str()).collect();
        slots.len()
    }

    /// A new secret of letters and digits, which is also Base64 of 24 bytes.
    pub fn plain(&mut self, slot: &str) -> String {
        let secret: String = (0..32).map(|_| char::from(*self.chance.pick(PLAIN))).collect();
        self.add(slot, secret.as_bytes());
        secret
    }

    /// A new secret with characters that are escaped wherever a text is put into another one.
    pub fn odd(&mut self, slot: &str) -> String {
        let letter = |at: usize, chance: &mut Chance| match at % 4 {
            2 => ODD[(at / 4) % ODD.len()],
            _ => char::from(*chance.pick(PLAIN)),
        };
        let secret: String = (0..40).map(|at| letter(at, &mut self.chance)).collect();
        self.add(slot, secret.as_bytes());
        secret
    }

    /// Looks for this secret from now on.
    pub fn add(&mut self, slot: &str, secret: &[u8]) {
        assert!(
            secret.len() >= 2 * PART_BYTES,
            "`{slot}` is too short to be told from chance"
        );
        for part in [&secret[..PART_BYTES], &secret[secret.len() - PART_BYTES..]] {
            for (spelling, bytes) in spellings(part) {
                let start = (bytes[0], bytes[1]);
                self.by_start.entry(start).or_default().push(self.needles.len());
                self.is_start[pair(start.0, start.1)] = true;
                self.needles.push(Needle {
                    slot: slot.to_owned(),
                    spelling,
                    bytes,
                });
            }
        }
    }

    /// Every secret that stands in these bytes: whose it is, how it is written, and what stands around it.
    pub fn find(&self, bytes: &[u8]) -> Vec<String> {
        let mut found = BTreeMap::new();
        for (at, two) in bytes.windows(2).enumerate() {
            if !self.is_start[pair(two[0], two[1])] {
                continue;
            }
            for index in &self.by_start[&(two[0], two[1])] {
                let needle = &self.needles[*index];
                if bytes[at..].starts_with(&needle.bytes) {
                    let around = &bytes[at.saturating_sub(300)..(at + 100).min(bytes.len())];
                    found
                        .entry((needle.slot.as_str(), needle.spelling))
                        .or_insert_with(|| String::from_utf8_lossy(around).into_owned());
                }
            }
        }
        let told = |((slot, spelling), around): (_, String)| format!("`{slot}`, {spelling}: …{around}…");
        found.into_iter().map(told).collect()
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// The part as programs write it.
fn spellings(part: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let escaped = |form: fn(&mut String, u8)| {
        let mut text = String::new();
        for byte in part {
            form(&mut text, *byte);
        }
        text
    };
    let numbers: Vec<String> = part.iter().map(u8::to_string).collect();
    let mut all = vec![
        ("in hexadecimal", hex::encode(part)),
        ("in hexadecimal capitals", hex::encode_upper(part)),
        ("percent-encoded", percent_encode(part, NON_ALPHANUMERIC).to_string()),
        (
            "percent-encoded as a whole",
            escaped(|text, byte| write!(text, "%{byte:02X}").unwrap()),
        ),
        ("in a form", url::form_urlencoded::byte_serialize(part).collect()),
        (
            "in JSON as a whole",
            escaped(|text, byte| write!(text, "\\u{byte:04x}").unwrap()),
        ),
        ("as numbers", numbers.join(", ")),
        ("as numbers of JSON", numbers.join(",")),
    ];
    for offset in 0..3 {
        all.push(("in Base64", in_base64(part, offset, &BASE64_STANDARD_NO_PAD)));
        all.push((
            "in Base64 for addresses",
            in_base64(part, offset, &BASE64_URL_SAFE_NO_PAD),
        ));
    }
    if let Ok(text) = std::str::from_utf8(part) {
        let json = |text: &str| {
            let json = serde_json::to_string(text).unwrap();
            json[1..json.len() - 1].to_owned()
        };
        all.push(("in JSON", json(text)));
        all.push(("in JSON in JSON", json(&json(text))));
        all.push(("in HTML", syncline::report::markup::escape(text)));
        all.push(("in UTF-16", text.chars().flat_map(|c| [c, '\0']).collect()));
    }
    let mut all: Vec<_> = all
        .into_iter()
        .map(|(spelling, text)| (spelling, text.into_bytes()))
        .collect();
    all.push(("as it is", part.to_vec()));
    // The plainest name of those that are the same.
    all.reverse();
    let mut seen = BTreeSet::new();
    all.retain(|(_, bytes)| seen.insert(bytes.clone()));
    all
}

/// The characters of Base64 that depend on the part alone, where `offset` bytes more than a multiple of three stand before it.
fn in_base64(part: &[u8], offset: usize, engine: &impl base64::Engine) -> String {
    let whole = engine.encode([&[0_u8, 0][..offset], part].concat());
    whole[(offset * 8).div_ceil(6)..(offset + part.len()) * 8 / 6].to_owned()
}

/// A search that finds nothing proves nothing, unless it would have found what is there.
#[test]
fn a_secret_is_found_in_every_spelling_at_every_place_and_also_in_part() {
    let budget = crate::support::rig::Budget::new(1, 1);
    for round in 0..20 {
        let mut hunt = Hunt::new(Chance::new(budget.chance().next() ^ round));
        let secret = if round % 2 == 0 {
            hunt.odd("slot")
        } else {
            hunt.plain("slot")
        };
        hunt.plain("another");
        for before in 0..7 {
            let text = format!("{}{secret}, and more", "x".repeat(before));
            let json = serde_json::json!({ "a": text }).to_string();
            let written: [(&str, Vec<u8>); 12] = [
                ("raw", text.clone().into_bytes()),
                ("cut", text[..text.len() - 30].into()),
                ("cut before", secret.as_bytes()[secret.len() - PART_BYTES..].to_vec()),
                ("json", json.clone().into_bytes()),
                ("json in json", serde_json::json!([json]).to_string().into_bytes()),
                ("hex", hex::encode(&text).into_bytes()),
                ("base64", base64::prelude::BASE64_STANDARD.encode(&text).into_bytes()),
                ("base64url", BASE64_URL_SAFE_NO_PAD.encode(&text).into_bytes()),
                (
                    "percent",
                    percent_encode(text.as_bytes(), NON_ALPHANUMERIC)
                        .to_string()
                        .into_bytes(),
                ),
                (
                    "form",
                    url::form_urlencoded::byte_serialize(text.as_bytes())
                        .collect::<String>()
                        .into_bytes(),
                ),
                ("debug", format!("{:?}", text.as_bytes()).into_bytes()),
                ("html", syncline::report::markup::escape(&text).into_bytes()),
            ];
            for (name, bytes) in written {
                let found = hunt.find(&bytes);
                assert!(!found.is_empty(), "{name} of {secret:?} behind {before} others");
                assert!(found.iter().all(|one| one.starts_with("`slot`")), "{found:?}");
            }
        }
        let other = Hunt::new(Chance::new(round + 1_000)).odd("other");
        assert!(
            hunt.find(other.as_bytes()).is_empty(),
            "another secret is not taken for it"
        );
    }
}
