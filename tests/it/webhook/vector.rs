//! The published vectors, over HTTP: each sender's request as it is on the wire, at the time it was sent.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use chrono::DateTime;
use serde_json::{Value as Json, json};
use syncline::{
    clock::Clock,
    core::{problem::Problems, value::Value, webhook::Secret, webhook::event::Definition},
    server::Hook,
    store::{Page, event::EventFilter},
};

use crate::support::{app::Setup, http};

pub(super) fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The blocks of the page of recipes, by the id in their heading, each completed to a definition: one event a request.
pub(super) fn definitions() -> BTreeMap<String, Arc<Definition>> {
    let page = read("docs/webhook-recipes.md");
    let (page, _) = page.split_once("\n# Reading events\n").unwrap();
    let mut definitions = BTreeMap::new();
    for section in page.split("\n## ").skip(1) {
        let Some((_, block)) = section.split_once("```yaml\n") else {
            continue;
        };
        let heading = section.lines().next().unwrap();
        let id = heading.split("(`").nth(1).unwrap().trim_end_matches("`)");
        let mut form: Json = serde_saphyr::from_str(block.split("```").next().unwrap()).unwrap();
        let form = form["webhooks"].as_object_mut().unwrap();
        form.insert("object".into(), json!("account"));
        form.insert("kind".into(), json!("reread"));
        let form = serde_json::from_value(Json::Object(form.clone())).unwrap();
        let mut problems = Problems::new();
        let objects = std::iter::once("account").collect();
        let definition = Definition::compile(&form, "/webhooks", &objects, &mut problems);
        let definition = definition.unwrap_or_else(|| panic!("{id}: {:?}", problems.into_vec()));
        definitions.insert(id.to_owned(), Arc::new(definition));
    }
    definitions
}

pub(super) fn secret(definition: &Definition, vector: &Json) -> Secret {
    let text = |name: &str| vector[name].as_str().map(str::to_owned);
    let basic = || Some(format!("{}:{}", text("user")?, text("password")?));
    let secret = text("secret").or_else(|| text("public_key")).or_else(basic).unwrap();
    Secret::parse(definition.recipe(), &secret.into()).unwrap()
}

#[tokio::test]
async fn every_published_vector_gets_its_verdict_over_http() {
    let file: Json = serde_json::from_str(&read("tests/data/webhook_vectors.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 32, "a vector was lost");
    let definitions = definitions();
    let clock = Clock::manual(DateTime::UNIX_EPOCH);
    let mut setup = Setup::new("[server]\npublic_url = \"https://www.example.com\"");
    setup.clock = clock.clone();
    for vector in vectors {
        let id = vector["id"].as_str().unwrap();
        let definition = &definitions[vector["scheme"].as_str().unwrap()];
        let secrets = vec![secret(definition, vector)];
        let settings = Arc::new(Value::Null);
        let hook = Hook::new(id, Arc::clone(definition), secrets, settings, &BTreeMap::new());
        setup.hooks.insert(id.to_owned(), hook);
    }
    let app = setup.start().await;
    let mut stored = 0;
    for vector in vectors {
        let id = vector["id"].as_str().unwrap();
        if vector["url"].is_string() {
            // Signed for the sender's own path, which is none of ours: the unit tests have it.
            continue;
        }
        let now = vector["now"].as_i64().unwrap_or(1_700_000_000);
        clock.set(DateTime::from_timestamp(now, 0).unwrap());
        let headers: Vec<(&str, &str)> = vector["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        let body = vector["body"].as_str().unwrap_or_default();
        let path = format!("/webhooks/{id}");
        let answer = http::send(&app.address, "POST", &path, &headers, body.as_bytes()).await;
        let is_json = serde_json::from_str::<Json>(body).is_ok();
        let expected = match (vector["expect"].as_str(), is_json) {
            (Some("valid"), true) => 200,
            // Verified, but Syncline reads JSON.
            (Some("valid"), false) => 400,
            _ => 401,
        };
        assert_eq!(answer.status, expected, "{id}: {}", answer.text());
        if expected == 401 {
            assert_eq!(answer.text(), "not verified\n", "{id}");
        }
        stored += usize::from(expected == 200);
    }
    let events = app
        .store
        .events(&EventFilter::default(), Page::first(100))
        .await
        .unwrap();
    assert_eq!(events.len(), stored);
    assert!(stored >= 10, "{stored}");
}
