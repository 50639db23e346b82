//! The schema of an overlay: that of what it is laid over, with nothing required, `null` to take away and `{ add: … }` to add.

use serde_json::{Map as JsonMap, Value as Json, json};

use super::truth;
use crate::catalog::overlay::{ADD, EXTENDS};

/// Where the schema of `{ add: … }` stands.
const ADDITION: &str = "Addition";

/// The schema of what is laid over a file with this schema, in which `own` is the key of its name.
pub(super) fn of(mut schema: Json, own: &str, title: &str) -> Json {
    let Json::Object(root) = &mut schema else { return schema };
    loosen(root);
    if let Some(Json::Object(properties)) = root.get_mut("properties") {
        properties.shift_remove(own);
        let description = format!("The {own} that this is laid over, as its file is named.");
        let extends = json!({ "type": "string", "description": description });
        properties.shift_insert(0, EXTENDS.to_owned(), extends);
    }
    root.insert("title".to_owned(), json!(title));
    root.insert("required".to_owned(), json!([EXTENDS]));
    let definitions = root.entry("definitions").or_insert_with(|| json!({}));
    if let Json::Object(definitions) = definitions {
        for definition in definitions.values_mut() {
            if let Json::Object(definition) = definition {
                loosen(definition);
            }
        }
        for name in ["PairForm", "RuleForm"] {
            if let Some(Json::Object(properties)) =
                definitions.get_mut(name).and_then(|form| form.get_mut("properties"))
            {
                let mut remove = JsonMap::new();
                remove.insert(
                    "description".to_owned(),
                    json!("Takes away the item that names these fields."),
                );
                if let Json::Object(truth) = truth() {
                    remove.extend(truth);
                }
                properties.insert("remove".to_owned(), Json::Object(remove));
            }
        }
        definitions.insert(
            ADDITION.to_owned(),
            json!({
                "type": "object",
                "description": "Adds to the text or list that is there.",
                "properties": { ADD: { "description": "A text for a text, a list for a list." } },
                "required": [ADD],
                "additionalProperties": false,
            }),
        );
    }
    schema
}

/// Takes what is required out of a schema, and lets every value be taken away or added to.
fn loosen(schema: &mut JsonMap<String, Json>) {
    schema.shift_remove("required");
    // With nothing required, a value may fit several alternatives.
    if let Some(alternatives) = schema.shift_remove("oneOf") {
        schema.insert("anyOf".to_owned(), alternatives);
    }
    for key in ["anyOf", "allOf"] {
        if let Some(Json::Array(alternatives)) = schema.get_mut(key) {
            alternatives.iter_mut().for_each(loosen_one);
        }
    }
    if let Some(items) = schema.get_mut("items") {
        loosen_one(items);
    }
    if let Some(Json::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().for_each(widen);
    }
    if let Some(more @ Json::Object(_)) = schema.get_mut("additionalProperties") {
        widen(more);
    }
}

fn loosen_one(schema: &mut Json) {
    if let Json::Object(members) = schema {
        loosen(members);
    }
}

/// A value that may also be taken away or added to.
fn widen(schema: &mut Json) {
    loosen_one(schema);
    let mut own = schema.take();
    let description = own.as_object_mut().and_then(|own| own.shift_remove("description"));
    let mut widened = JsonMap::new();
    if let Some(description) = description {
        widened.insert("description".to_owned(), description);
    }
    let addition = json!({ "$ref": format!("#/definitions/{ADDITION}") });
    widened.insert("anyOf".to_owned(), json!([own, { "type": "null" }, addition]));
    *schema = Json::Object(widened);
}
