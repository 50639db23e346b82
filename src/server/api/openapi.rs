//! The description of the API for programs (OpenAPI 3.1), made of the very table that the router is made of; what a route is for is
//! read from `docs/api.md`. `docs/openapi.json` is the same, for those who have no daemon at hand.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map as JsonMap, Value as Json, json};

use super::{Described, Endpoint, Gives, MOUNT, endpoints};
use crate::{core::status::Role, server::page::LIMIT_MAX};

/// What people read about the same routes.
const GUIDE: &str = include_str!("../../../docs/api.md");

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
});

/// The description, as text.
#[must_use]
pub fn text() -> &'static str {
    &TEXT
}

/// `GET /openapi.json`
pub(in crate::server) async fn get() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], text()).into_response()
}

/// What makes the schemas: of what is sent to us, and of what we send.
struct Generators {
    given: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Generators {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self {
            given: settings.clone().into_generator(),
            answers: settings.for_serialize().into_generator(),
        }
    }

    /// Every schema that has a name.
    fn definitions(&mut self) -> JsonMap<String, Json> {
        let mut schemas = self.given.take_definitions(true);
        for (name, answer) in self.answers.take_definitions(true) {
            // What goes both ways looks the same both ways; a test sees that it does.
            let is_same = schemas.get(&name).is_none_or(|given| *given == answer);
            let name = if is_same { name } else { format!("{name}{AMBIGUOUS}") };
            schemas.insert(name, answer);
        }
        schemas
    }
}

/// The end of a name that two schemas want: nobody may see it.
const AMBIGUOUS: &str = "Ambiguous";

fn document() -> Json {
    let mut generators = Generators::new();
    let mut paths: BTreeMap<String, JsonMap<String, Json>> = BTreeMap::new();
    for endpoint in endpoints() {
        let path = format!("{MOUNT}{}", endpoint.path);
        let operation = operation(&endpoint, &path, &mut generators);
        let methods = paths.entry(path).or_default();
        methods.insert(endpoint.method.to_lowercase(), operation);
    }
    let mut schemas = generators.definitions();
    schemas.insert("Problem".to_owned(), problem());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Syncline",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Everything that a person decides can be asked for over HTTP. docs/api.md tells it in full, with an example of every route.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "`syncline token create NAME --role ROLE` makes one" },
            },
            "schemas": schemas,
            "responses": { "Problem": {
                "description": "It was not done; the problem says why (RFC 9457)",
                "headers": headers(),
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
            } },
        },
    })
}

fn problem() -> Json {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "code", "detail", "request_id"],
        "properties": {
            "type": { "type": "string", "format": "uri" },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "code": { "type": "string" },
            "detail": { "type": "string" },
            "request_id": { "type": "string" },
        },
    })
}

fn operation(endpoint: &Endpoint, path: &str, Generators { given, answers }: &mut Generators) -> Json {
    let mut parameters = in_path(path);
    if let Some(query) = endpoint.query {
        parameters.extend(in_query(query, given));
    }
    if endpoint.method != "GET" {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Sent again with the same key it is not done again",
            "schema": { "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$" },
        }));
    }
    let role = endpoint.demand.role;
    let mut operation = json!({
        "operationId": id(endpoint),
        "tags": [endpoint.path.split('/').nth(1).unwrap_or_default()],
        "summary": summary(endpoint.method, path),
        "description": format!("Needs the role `{role}` or one above it; counts for {} of the token's rate.", endpoint.demand.cost),
        "x-role": role,
        "parameters": parameters,
        "responses": responses(endpoint, path, answers),
    });
    if let (Some(body), Some(operation)) = (endpoint.body, operation.as_object_mut()) {
        let schema = plain(body(given).to_value());
        let is_required = schema.get("required").is_some();
        operation.insert(
            "requestBody".to_owned(),
            json!({ "required": is_required, "content": { "application/json": { "schema": schema } } }),
        );
    }
    operation
}

/// A name for programs that are generated: `get_runs_by_id`.
fn id(endpoint: &Endpoint) -> String {
    let steps = endpoint.path.split('/').filter(|step| !step.is_empty());
    let steps = steps.map(|step| match step.strip_prefix('{') {
        Some(name) => format!("by_{}", name.trim_end_matches('}')),
        None => step.replace('.', "_"),
    });
    let words: Vec<String> = std::iter::once(endpoint.method.to_lowercase()).chain(steps).collect();
    words.join("_")
}

/// The first line that the guide says about a route.
fn summary(method: &str, path: &str) -> &'static str {
    let lines = GUIDE
        .lines()
        .skip_while(|line| !line.starts_with(&format!("### `{method} {path}`")));
    let text = lines.skip(1).find(|line| !line.trim().is_empty()).unwrap_or_default();
    text.split_once(". ")
        .map_or(text, |(first, _)| first)
        .trim_end_matches('.')
}

fn in_path(path: &str) -> Vec<Json> {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    let is_record = path.contains("/records/");
    names
        .map(|(name, _)| {
            let schema = match name {
                "id" if !is_record => json!({ "type": "integer", "format": "int64" }),
                _ => json!({ "type": "string", "minLength": 1 }),
            };
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect()
}

fn in_query(described: Described, generator: &mut SchemaGenerator) -> Vec<Json> {
    let schema = described(generator).to_value();
    let required = schema
        .get("required")
        .and_then(Json::as_array)
        .cloned()
        .unwrap_or_default();
    let properties = schema
        .get("properties")
        .and_then(Json::as_object)
        .cloned()
        .unwrap_or_default();
    properties
        .into_iter()
        .map(|(name, schema)| {
            let mut schema = plain(schema);
            if let (true, Some(schema)) = (name == "limit", schema.as_object_mut()) {
                schema.insert("minimum".to_owned(), 1.into());
                schema.entry("maximum").or_insert_with(|| LIMIT_MAX.into());
            }
            let is_required = required.iter().any(|one| *one == name);
            json!({ "name": name, "in": "query", "required": is_required, "schema": schema })
        })
        .collect()
}

/// A schema without the null that stands for what is not sent.
fn plain(schema: Json) -> Json {
    let Json::Object(mut schema) = schema else {
        return schema;
    };
    let is_null = |schema: &Json| schema.get("type").is_some_and(|kind| kind == "null");
    if let Some(Json::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| !is_null(choice));
        if let [only] = choices.as_slice() {
            return only.clone();
        }
    }
    if let Some(Json::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    schema.remove("default");
    schema.remove("title");
    Json::Object(schema)
}

fn headers() -> Json {
    let text = |said: &str| json!({ "description": said, "schema": { "type": "string" } });
    json!({
        "X-Request-Id": text("stands in the log beside everything that the request did"),
        "RateLimit": text("how the rates of this token stand"),
        "RateLimit-Policy": text("what its rates are"),
    })
}

fn responses(endpoint: &Endpoint, path: &str, answers: &mut SchemaGenerator) -> Json {
    let mut responses = JsonMap::new();
    let as_json = |schema: Json| json!({ "application/json": { "schema": schema } });
    let content = match endpoint.answer {
        Gives::Answer(described) => described.map(|described| as_json(described(answers).to_value())),
        Gives::Document => Some(as_json(json!({ "type": "object" }))),
        Gives::File => Some(files()),
        Gives::Markdown => Some(json!({ "text/markdown": { "schema": { "type": "string" } } })),
    };
    for status in endpoint.gives {
        let reason = status.canonical_reason().unwrap_or_default();
        let mut response = json!({ "description": reason, "headers": headers() });
        if let (Some(content), Some(response)) = (&content, response.as_object_mut()) {
            response.insert("content".to_owned(), content.clone());
        }
        responses.insert(status.as_str().to_owned(), response);
    }
    for status in refusals(endpoint, path) {
        responses.insert(status.to_string(), json!({ "$ref": "#/components/responses/Problem" }));
    }
    Json::Object(responses)
}

fn files() -> Json {
    let types = ["text/csv", "application/x-ndjson", "text/html"];
    let sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    let types = types.into_iter().chain([sheet]);
    Json::Object(types.map(|kind| (kind.to_owned(), json!({}))).collect())
}

/// Every status that a route may refuse with.
fn refusals(endpoint: &Endpoint, path: &str) -> Vec<u16> {
    let is_action = endpoint.method != "GET";
    let when = |condition: bool, statuses: &[u16]| if condition { statuses.to_vec() } else { Vec::new() };
    [
        vec![401, 429, 500, 503],
        when(endpoint.demand.role > Role::Viewer, &[403]),
        when(path.contains('{'), &[404]),
        // The id of a record is a text that may be none.
        when(
            endpoint.query.is_some() || endpoint.body.is_some() || path.contains("{side}"),
            &[422],
        ),
        when(is_action, &[400, 404, 408, 409, 413, 422, 502]),
        when(endpoint.body.is_some(), &[415]),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_both_ways_looks_the_same_both_ways() {
        let document = document();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let ambiguous: Vec<&String> = schemas.keys().filter(|name| name.ends_with(AMBIGUOUS)).collect();
        assert!(ambiguous.is_empty(), "{ambiguous:?} need names of their own");
    }
}
