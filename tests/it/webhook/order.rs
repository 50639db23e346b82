//! Rotations: a sender signs with the old and the new secret, and a receiver that has either takes the request, in whatever
//! order the signatures stand and whatever else stands among them.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::DateTime;
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use syncline::core::webhook::{Incoming, Recipe, Secret, verify};

use super::vector::definitions;

const NOW: i64 = 1_700_000_000;
const BODY: &[u8] = br#"{"id":5}"#;

/// A request whose signatures stand in a list.
struct Rotation {
    /// The recipe's id on the page.
    recipe: &'static str,
    header: &'static str,
    /// Headers that say what is signed besides the body.
    others: &'static [(&'static str, &'static str)],
    between: &'static str,
    /// Those of the old and the new secret, and entries that count for nothing.
    entries: Vec<String>,
    old: String,
    new: String,
    other: String,
}

impl Rotation {
    fn is_verified(&self, recipe: &Recipe, order: &[usize], secrets: &[&str]) -> bool {
        let list: Vec<&str> = order.iter().map(|index| self.entries[*index].as_str()).collect();
        let list = list.join(self.between);
        let secret = |text: &&str| Secret::parse(recipe, &(*text).into()).unwrap();
        let secrets: Vec<Secret> = secrets.iter().map(secret).collect();
        let mut headers = vec![(self.header, list.as_bytes())];
        headers.extend(self.others.iter().map(|(name, value)| (*name, value.as_bytes())));
        let request = Incoming {
            method: "POST",
            url: "https://sync.example.com/webhooks/crm",
            headers: &headers,
            body: BODY,
        };
        let now = DateTime::from_timestamp(NOW, 0).unwrap();
        verify(recipe, &secrets, &request, now).is_ok()
    }

    /// Tries every order of the entries; how many there are.
    fn try_all(&self) -> usize {
        let recipe = &definitions()[self.recipe];
        let recipe = recipe.recipe();
        let (old, new, other) = (self.old.as_str(), self.new.as_str(), self.other.as_str());
        let orders = orders(self.entries.len());
        for order in &orders {
            for (secrets, expected) in [
                (&[old][..], true),
                (&[new], true),
                (&[old, new], true),
                (&[other], false),
            ] {
                let is_verified = self.is_verified(recipe, order, secrets);
                assert_eq!(is_verified, expected, "{}: {order:?} by {secrets:?}", self.recipe);
            }
        }
        orders.len()
    }
}

/// All orders of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for shorter in orders(count - 1) {
        for place in 0..=shorter.len() {
            let mut order = shorter.clone();
            order.insert(place, count - 1);
            all.push(order);
        }
    }
    all
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// What Standard Webhooks signs.
fn message() -> Vec<u8> {
    [format!("msg_1.{NOW}.").as_bytes(), BODY].concat()
}

const STANDARD: &[(&str, &str)] = &[("webhook-id", "msg_1"), ("webhook-timestamp", "1700000000")];

#[test]
fn of_standard_webhooks_every_order_counts() {
    let keys = [
        b"the old key, of 24 bytes",
        b"the new key, of 24 bytes",
        b"no key of the sender's!!",
    ];
    let sign = |key: &[u8; 24]| BASE64_STANDARD.encode(mac(key, &message()));
    let [old, new, other] = keys.map(|key| format!("whsec_{}", BASE64_STANDARD.encode(key)));
    let wrong = BASE64_STANDARD.encode(mac(keys[0], b"another message"));
    let rotation = Rotation {
        recipe: "standard-webhooks-v1",
        header: "webhook-signature",
        others: STANDARD,
        between: " ",
        entries: vec![
            format!("v1,{}", sign(keys[0])),
            format!("v1,{}", sign(keys[1])),
            format!("v1,{wrong}"),
            format!("v1a,{wrong}{wrong}"),
            "v2".to_owned(),
        ],
        old,
        new,
        other,
    };
    assert_eq!(rotation.try_all(), 120);
}

#[test]
fn of_signatures_by_public_keys_every_order_counts() {
    let keys = [[1; 32], [2; 32], [3; 32]].map(|seed| SigningKey::from_bytes(&seed));
    let sign = |key: &SigningKey, message: &[u8]| BASE64_STANDARD.encode(key.sign(message).to_bytes());
    let [old, new, other] = keys
        .each_ref()
        .map(|key| format!("whpk_{}", BASE64_STANDARD.encode(key.verifying_key().as_bytes())));
    let rotation = Rotation {
        recipe: "standard-webhooks-v1a",
        header: "webhook-signature",
        others: STANDARD,
        between: " ",
        entries: vec![
            format!("v1a,{}", sign(&keys[0], &message())),
            format!("v1a,{}", sign(&keys[1], &message())),
            format!("v1a,{}", sign(&keys[0], b"another message")),
            "v1,AAAA".to_owned(),
        ],
        old,
        new,
        other,
    };
    assert_eq!(rotation.try_all(), 24);
}

#[test]
fn of_stripe_every_order_counts_wherever_the_time_stands() {
    let [old, new, other] = ["whsec_old", "whsec_new", "whsec_other"].map(str::to_owned);
    let signed = [format!("{NOW}.").as_bytes(), BODY].concat();
    let sign = |key: &str| hex::encode(mac(key.as_bytes(), &signed));
    let rotation = Rotation {
        recipe: "stripe-v1",
        header: "Stripe-Signature",
        others: &[],
        between: ",",
        entries: vec![
            format!("t={NOW}"),
            format!("v1={}", sign(&old)),
            format!("v1={}", sign(&new)),
            format!("v1={}", sign("nobody")),
            format!("v0={}", sign(&other)),
        ],
        old,
        new,
        other,
    };
    assert_eq!(rotation.try_all(), 120);
}
