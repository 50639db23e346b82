//! What all the tests of webhooks share: the recipes of the page, and requests that can be bent.

mod hostile;
mod recipe;
mod secret;
mod vector;
mod verify;

use std::{collections::BTreeMap, sync::LazyLock};

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

use super::{form::VerifyForm, *};
use crate::core::problem::Problems;

/// The recipes of `docs/webhook-recipes.md`, by the id in their heading.
static PAGE: LazyLock<BTreeMap<String, Recipe>> = LazyLock::new(|| {
    let page = include_str!("../../../../docs/webhook-recipes.md");
    let mut recipes = BTreeMap::new();
    let (page, _) = page.split_once("\n# Reading events\n").unwrap();
    for section in page.split("\n## ").skip(1) {
        let Some((_, block)) = section.split_once("```yaml\n") else {
            continue;
        };
        let heading = section.lines().next().unwrap();
        let id = heading.split("(`").nth(1).unwrap().trim_end_matches("`)");
        let yaml = block.split("```").next().unwrap();
        assert!(recipes.insert(id.to_owned(), connector_recipe(yaml)).is_none(), "{id}");
    }
    recipes
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Snippet {
    webhooks: Webhooks,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Webhooks {
    verify: VerifyForm,
}

fn connector_recipe(yaml: &str) -> Recipe {
    let snippet: Snippet = serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}\n{error}"));
    let mut problems = Problems::new();
    let recipe = Recipe::compile(&snippet.webhooks.verify, "/webhooks/verify", &mut problems);
    assert!(problems.is_empty(), "{yaml}\n{problems:?}");
    recipe.unwrap()
}

fn recipe(yaml: &str) -> Recipe {
    let form: VerifyForm = serde_saphyr::from_str(yaml).unwrap();
    Recipe::compile(&form, "", &mut Problems::new()).unwrap_or_else(|| panic!("{yaml}"))
}

fn secret(recipe: &Recipe, text: &str) -> Secret {
    Secret::parse(recipe, &text.into()).unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

const NOW: i64 = 1_700_000_000;

/// An owned request, so that tests can bend it.
#[derive(Debug, Clone)]
struct Request {
    method: String,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Request {
    fn new(body: &[u8]) -> Self {
        Self {
            method: "POST".to_owned(),
            url: "https://hooks.example.com/hooks/crm".to_owned(),
            headers: Vec::new(),
            body: body.to_vec(),
        }
    }

    fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    fn verify(&self, recipe: &Recipe, secrets: &[Secret], now: DateTime<Utc>) -> Result<Verified, Rejection> {
        let headers: Vec<(&str, &[u8])> = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_slice())).collect();
        let incoming = Incoming {
            method: &self.method,
            url: &self.url,
            headers: &headers,
            body: &self.body,
        };
        verify(recipe, secrets, &incoming, now)
    }
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A request as the short recipe of the page wants it.
fn signed(key: &str, sent_at: &str, body: &[u8]) -> Request {
    let message = [sent_at.as_bytes(), b".", body].concat();
    let signature = hex::encode(hmac_sha256(key.as_bytes(), &message));
    Request::new(body)
        .with("x-acme-time", sent_at)
        .with("x-acme-signature", format!("sha256={signature}"))
}
