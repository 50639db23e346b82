//! The JSON Schemas of the files people write, so that editors complete and check them.
//!
//! They are made from the forms the files are read into, then turned into what a file looks like: keys named after systems
//! instead of `sides`, `yes` and `no` beside true and false. `schemas/` holds them; a test keeps the two the same.

mod overlay;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map as JsonMap, Value as Json, json};

use super::decode::SIDES;
use crate::core::{
    connector::{case::CasesForm, form::ConnectorForm},
    mapping::form::{CaseForm, MappingForm},
};

/// Every schema of the catalog: file name and content.
#[must_use]
pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("connector.schema.json", connector()),
        ("connector-test.schema.json", connector_test()),
        ("mapping.schema.json", mapping()),
        ("mapping-test.schema.json", mapping_test()),
        ("connector-overlay.schema.json", connector_overlay()),
        ("mapping-overlay.schema.json", mapping_overlay()),
    ]
}

/// The schema of `connectors/*.yaml`.
#[must_use]
pub fn connector() -> String {
    print(&written::<ConnectorForm>("A kind of system"))
}

/// The schema of `connectors/*.test.yaml`.
#[must_use]
pub fn connector_test() -> String {
    print(&written::<CasesForm>("Cases of a connector"))
}

/// The schema of `mappings/*.yaml`.
#[must_use]
pub fn mapping() -> String {
    print(&of_mapping())
}

fn of_mapping() -> Json {
    let mut schema = written::<MappingForm>("A mapping");
    for (key, value) in [
        ("between", json!({ "type": "string" })),
        ("filter", json!({ "type": "string" })),
        ("create", truth()),
        ("poll", json!({ "type": "string", "pattern": r"^\d+(ms|s|m|h|d)$" })),
    ] {
        if let Some(Json::Object(property)) = schema.pointer_mut(&format!("/properties/{key}")) {
            property.insert("additionalProperties".to_owned(), value);
        }
    }
    schema
}

/// The schema of `connectors/*.overlay.yaml`.
#[must_use]
pub fn connector_overlay() -> String {
    let schema = written::<ConnectorForm>("A kind of system");
    print(&overlay::of(schema, "connector", "What is laid over a connector"))
}

/// The schema of `mappings/*.overlay.yaml`.
#[must_use]
pub fn mapping_overlay() -> String {
    print(&overlay::of(of_mapping(), "mapping", "What is laid over a mapping"))
}

/// The schema of `mappings/*.test.yaml`.
#[must_use]
pub fn mapping_test() -> String {
    print(&written::<Vec<CaseForm>>("Cases of a mapping"))
}

/// The schema of `T` as it is written in a file.
fn written<T: JsonSchema>(title: &str) -> Json {
    // Draft 7 is what editors know best.
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    rewrite(&mut schema);
    if let Json::Object(root) = &mut schema {
        root.insert("title".to_owned(), json!(title));
    }
    schema
}

/// `yes` and `no` are texts in YAML 1.2, and truth values to us.
fn truth() -> Json {
    json!({ "enum": [true, false, "yes", "no"] })
}

fn rewrite(schema: &mut Json) {
    match schema {
        Json::Object(members) => {
            rewrite_truth(members);
            rewrite_sides(members);
            members.values_mut().for_each(rewrite);
        }
        Json::Array(items) => items.iter_mut().for_each(rewrite),
        _ => {}
    }
}

fn rewrite_truth(members: &mut JsonMap<String, Json>) {
    let names = match members.get("type") {
        Some(Json::String(name)) if name == "boolean" => json!([true, false, "yes", "no"]),
        Some(Json::Array(names)) if *names == ["boolean", "null"] => json!([true, false, "yes", "no", null]),
        _ => return,
    };
    members.remove("type");
    members.insert("enum".to_owned(), names);
}

/// Systems' names stand where the form has `sides`: fields (text) in mappings, records (maps) in cases.
fn rewrite_sides(members: &mut JsonMap<String, Json>) {
    let Some(Json::Object(properties)) = members.get_mut("properties") else {
        return;
    };
    if properties.shift_remove(SIDES).is_none() {
        return;
    }
    let is_case = properties.contains_key("expect") || properties.contains_key("situation");
    let kind = if is_case { "object" } else { "string" };
    members.insert("additionalProperties".to_owned(), json!({ "type": kind }));
}

fn print(schema: &Json) -> String {
    let mut text = serde_json::to_string_pretty(schema).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
