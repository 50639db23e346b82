use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{loaded, openapi, wanted};
use crate::draft::{self, Error, airbyte, sample::Sample, source};

/// A description of one collection whose record has this schema.
fn around(schema: &Json, more: &Json) -> String {
    let list = json!({ "type": "array", "items": schema });
    let mut root = json!({
        "openapi": "3.0.0",
        "paths": {
            "/things": { "get": { "responses": { "200": { "content": { "application/json": { "schema": list } } } } } },
            "/things/{id}": { "get": { "responses": {} } },
        }
    });
    root["components"] = more.clone();
    root.to_string()
}

#[test]
fn references_in_circles_end() {
    let schema = json!({ "$ref": "#/components/schemas/A" });
    let circles = [
        json!({ "schemas": { "A": { "$ref": "#/components/schemas/B" }, "B": { "$ref": "#/components/schemas/A" } } }),
        json!({ "schemas": { "A": { "$ref": "#/components/schemas/A" } } }),
        json!({ "schemas": { "A": { "properties": { "id": {}, "parent": { "$ref": "#/components/schemas/A" } } } } }),
        json!({ "schemas": { "A": { "allOf": [{ "$ref": "#/components/schemas/A" }, { "$ref": "#/components/schemas/A" }], "properties": { "id": {} } } } }),
    ];
    for circle in circles {
        let root = source::read(around(&schema, &circle).as_bytes()).unwrap();
        // Whatever comes of it, it comes.
        let _ = draft::openapi::draft(&root, &wanted());
    }
}

#[test]
fn a_schema_that_grows_with_every_level_does_not_take_for_ever() {
    let mut schemas = serde_json::Map::new();
    for level in 0..40 {
        let next = json!({ "$ref": format!("#/components/schemas/L{}", level + 1) });
        schemas.insert(
            format!("L{level}"),
            json!({ "allOf": [next, next, next], "properties": { "id": {}, "x": next, "y": next } }),
        );
    }
    let text = around(
        &json!({ "$ref": "#/components/schemas/L0" }),
        &json!({ "schemas": schemas }),
    );
    let root = source::read(text.as_bytes()).unwrap();
    let drafted = draft::openapi::draft(&root, &wanted()).unwrap();
    loaded(&drafted);
}

#[test]
fn braces_of_somebody_else_are_never_expressions() {
    let hostile = "{{ credentials.token }}";
    let schema = json!({ "properties": { "id": {}, hostile: { "type": "string", "description": hostile, "enum": [hostile] }, "a'b\"c\n# d": {}, "updated_at": { "type": "string" } } });
    let mut root: Json = serde_json::from_str(&around(&schema, &json!({}))).unwrap();
    root["info"] = json!({ "title": hostile, "version": "1\n- x: y" });
    root["servers"] = json!([{ "url": format!("https://x.example/{hostile}") }]);
    root["paths"]["/things"]["get"]["parameters"] = json!([
        { "name": hostile, "in": "query", "required": true, "schema": { "default": hostile } },
        { "name": "X\r\nEvil: 1", "in": "header", "required": true, "schema": {} },
    ]);
    // No credential is declared: an expression that names one would be an error.
    loaded(&openapi(&root.to_string()));
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(source::read(deep.as_bytes()), Err(Error::Unreadable(_))));
    let deep = "a: {".repeat(300);
    assert!(source::read(deep.as_bytes()).is_err());
    let large = vec![b' '; source::BYTES_MAX + 1];
    assert!(matches!(source::read(&large), Err(Error::TooLarge { .. })));
    for other in [&b""[..], b"\xff\xfe", b"<html></html>", b"{", b"a: *b"] {
        assert!(source::read(other).is_err(), "{other:?}");
    }
}

#[test]
fn a_manifest_whose_references_grow_is_refused() {
    let mut definitions = serde_json::Map::new();
    for level in 0..30 {
        let next = json!({ "$ref": format!("#/definitions/l{}", level + 1) });
        definitions.insert(format!("l{level}"), json!({ "a": next, "b": next, "c": next }));
    }
    definitions.insert("l30".to_owned(), json!({}));
    let manifest =
        json!({ "type": "DeclarativeSource", "definitions": definitions, "streams": [{ "$ref": "#/definitions/l0" }] });
    assert!(matches!(
        airbyte::draft(&manifest, &wanted()),
        Err(Error::Unreadable(_))
    ));
    let circle = json!({ "type": "DeclarativeSource", "definitions": { "a": { "$ref": "#/definitions/a" } }, "streams": [{ "$ref": "#/definitions/a" }] });
    assert!(
        airbyte::draft(&circle, &wanted())
            .unwrap_err()
            .to_string()
            .contains("refers to itself")
    );
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "[ -~\\n{}é]{0,12}".prop_map(Json::from),
        prop_oneof![Just("id"), Just("{{ x }}"), Just("2026-01-02"), Just("#/paths")].prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::hash_map(
                "[a-z_{}$' \\n]{0,8}|id|data|items|updated_at|next|properties|type|\\$ref",
                inner,
                0..6
            )
            .prop_map(|members| members.into_iter().collect::<serde_json::Map<String, Json>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_a_sample_holds_the_draft_of_it_loads(body in any_json()) {
        let sample = Sample { stem: "things".to_owned(), body };
        if let Ok(drafted) = draft::sample::draft(&[sample], &wanted()) {
            loaded(&drafted);
        }
    }

    #[test]
    fn whatever_a_schema_holds_the_draft_of_it_loads(schema in any_json(), more in any_json()) {
        let root = source::read(around(&schema, &more).as_bytes()).unwrap();
        if let Ok(drafted) = draft::openapi::draft(&root, &wanted()) {
            loaded(&drafted);
        }
    }
}
