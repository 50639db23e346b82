//! The description for programs: the same as the router, and as the file in the documentation.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use syncline::{
    core::status::Role,
    server::api::{self, openapi},
};

use crate::support::app::TestApp;

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
