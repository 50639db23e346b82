//! The description for programs: the same as the router, and as the file in the documentation.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use syncline::{
    core::status::Role,
    server::api::{self, openapi},
};

use super::action::systems;
use crate::{
    console::scene,
    support::app::{Setup, TestApp},
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");

fn document() -> Json {
    serde_json::from_str(openapi::text()).unwrap()
}

#[test]
fn the_description_has_every_route_and_no_other_with_its_role() {
    let document = document();
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let role = operation["x-role"].as_str().unwrap().to_owned();
            described.insert((method.to_uppercase(), path.clone(), role));
            assert!(
                !operation["summary"].as_str().unwrap().is_empty(),
                "docs/api.md says nothing of {method} {path}"
            );
            let places = path.matches('{').count();
            let parameters = operation["parameters"].as_array().unwrap();
            let given = parameters.iter().filter(|parameter| parameter["in"] == "path").count();
            assert_eq!(given, places, "{method} {path}");
            let takes_key = parameters
                .iter()
                .any(|parameter| parameter["name"] == "Idempotency-Key");
            assert_eq!(takes_key, method != "get", "{method} {path}");
        }
    }
    let routes: BTreeSet<_> = api::routes()
        .into_iter()
        .map(|route| (route.method.to_owned(), route.path, route.role.to_string()))
        .collect();
    assert_eq!(described, routes);
}

#[test]
fn every_schema_that_the_description_names_is_in_it_and_every_name_stands_once() {
    let document = document();
    let text = openapi::text();
    for rest in text.split("\"$ref\": \"#").skip(1) {
        let pointer = rest.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    let operations = document["paths"].as_object().unwrap().values();
    let ids: Vec<_> = operations
        .flat_map(|methods| methods.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    let once: BTreeSet<_> = ids.iter().collect();
    assert_eq!(once.len(), ids.len());
}

#[test]
fn the_file_in_the_documentation_is_what_the_daemon_serves() {
    if std::env::var_os("UPDATE_HELP").is_some() {
        std::fs::write(FILE, openapi::text()).unwrap();
    }
    let file = std::fs::read_to_string(FILE).unwrap_or_default();
    assert_eq!(file, openapi::text(), "UPDATE_HELP=1 cargo test --test it api::openapi");
}

#[tokio::test]
async fn whoever_may_look_gets_the_description() {
    let app = TestApp::start().await;
    let token = app.token(Role::Viewer).await;
    let answer = app.get("/api/v1/openapi.json", &token).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(answer.text(), openapi::text());
}

/// The schema of what a route answers with when all is well.
fn answer_of(operation: &Json) -> Option<&Json> {
    let responses = operation["responses"].as_object().unwrap();
    let good = responses.iter().find(|(status, _)| status.starts_with('2'))?.1;
    good.pointer("/content/application~1json/schema")
}

/// A schema, or what it leads to: of a list, its items.
fn led_to<'a>(document: &'a Json, mut schema: &'a Json) -> &'a Json {
    loop {
        if let Some(pointer) = schema["$ref"].as_str() {
            schema = document.pointer(&pointer[1..]).unwrap();
        } else if schema["items"].is_object() {
            schema = &schema["items"];
        } else if schema["properties"]["next"].is_object() && schema["properties"]["items"].is_object() {
            schema = &schema["properties"]["items"];
        } else {
            return schema;
        }
    }
}

#[test]
fn every_answer_has_a_schema_that_names_its_fields_and_says_what_they_are() {
    let document = document();
    let mut count = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let Some(schema) = answer_of(operation) else {
                continue;
            };
            // The description itself is described by its own standard.
            if path.ends_with("/openapi.json") {
                continue;
            }
            let fields = led_to(&document, schema)["properties"].as_object();
            let fields = fields.unwrap_or_else(|| panic!("{method} {path} names no field: {schema}"));
            assert!(!fields.is_empty(), "{method} {path}");
            for (name, field) in fields {
                let says = field["description"].as_str().or(field["$ref"].as_str());
                let is_choice = field["anyOf"].is_array() || field["allOf"].is_array();
                assert!(
                    says.is_some() || is_choice,
                    "{method} {path}: what is `{name}`? {field}"
                );
            }
            count += 1;
        }
    }
    assert!(count > 30, "the answers are found: {count}");
}

#[tokio::test]
async fn answers_are_what_their_schemas_say() {
    let systems = systems().await;
    let mut setup = Setup::between(&systems);
    setup.settings.server.api_burst = 1_000;
    setup.settings.server.api_heavy_burst = 1_000;
    let app = setup.start().await;
    scene::fill(&app, "customer-account", 3, |row| format!("value {row}")).await;
    let admin = app.token(Role::Admin).await;
    let document = document();
    let mut checked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let (Some(operation), false) = (methods.get("get"), path.ends_with("/export")) else {
            continue;
        };
        let address = path
            .replace("{name}", "customer-account")
            .replace("{side}", "left")
            .replace("/records/left/{id}", "/records/left/L1-value%201")
            .replace("{id}", "1");
        let address = if path.ends_with("/groups") {
            format!("{address}?by=code")
        } else {
            address
        };
        let answer = app.get(&address, &admin).await;
        if answer.status == 404 {
            continue;
        }
        assert_eq!(answer.status, 200, "{address}: {}", answer.text());
        let schema = serde_json::json!({
            "allOf": [answer_of(operation).unwrap()], "components": document["components"],
        });
        let validator = jsonschema::validator_for(&schema).unwrap();
        let json = answer.json();
        let wrong: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{address}: {wrong:?} in {json}");
        checked += 1;
    }
    assert!(checked >= 25, "most routes have something to show: {checked}");
    systems.stop().await;
}
