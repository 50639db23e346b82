//! References (`$ref`) and parameters (`$parameters`) of a manifest put in their places, within bounds.

use serde_json::{Map, Value as Json};

use crate::draft::{Error, one_line};

/// References and levels within one another.
const DEPTH_MAX: usize = 60;
/// How many values come of one manifest: references that refer to references would make any number.
const VALUES_MAX: usize = 300_000;

pub(super) struct Expander<'a> {
    root: &'a Json,
    values: usize,
    /// The references that are being followed.
    open: Vec<String>,
}

impl<'a> Expander<'a> {
    pub(super) fn new(root: &'a Json) -> Self {
        Self {
            root,
            values: 0,
            open: Vec::new(),
        }
    }

    pub(super) fn expand(&mut self, node: &Json) -> Result<Json, Error> {
        self.value(node, &Map::new(), 0)
    }

    fn value(&mut self, node: &Json, parameters: &Map<String, Json>, depth: usize) -> Result<Json, Error> {
        self.values += 1;
        if depth > DEPTH_MAX || self.values > VALUES_MAX {
            return Err(Error::Unreadable("its references lead too far".to_owned()));
        }
        match node {
            Json::String(text) => {
                if let Some(pointer) = text.strip_prefix("#/").filter(|rest| !rest.contains(' ')) {
                    return self.reference(&format!("/{pointer}"), parameters, depth);
                }
                Ok(filled(text, parameters))
            }
            Json::Array(items) => items
                .iter()
                .map(|item| self.value(item, parameters, depth + 1))
                .collect(),
            Json::Object(members) => self.members(members, parameters, depth),
            other => Ok(other.clone()),
        }
    }

    fn members(&mut self, members: &Map<String, Json>, above: &Map<String, Json>, depth: usize) -> Result<Json, Error> {
        // What stands further out is only taken where nothing nearer says otherwise.
        let mut parameters = above.clone();
        for (name, value) in members
            .get("$parameters")
            .and_then(Json::as_object)
            .into_iter()
            .flatten()
        {
            let value = self.value(value, above, depth + 1)?;
            parameters.insert(name.clone(), value);
        }
        let mut whole = match members.get("$ref").and_then(Json::as_str) {
            Some(reference) => {
                let pointer = reference.strip_prefix('#').unwrap_or(reference);
                match self.reference(pointer, &parameters, depth)? {
                    Json::Object(members) => members,
                    other if members.len() == 1 => return Ok(other),
                    _ => Map::new(),
                }
            }
            None => Map::new(),
        };
        for (key, value) in members {
            if matches!(key.as_str(), "$ref" | "$parameters") {
                continue;
            }
            let value = self.value(value, &parameters, depth + 1)?;
            whole.insert(key.clone(), value);
        }
        // A component takes what it lacks from its parameters (`name`, `path`, `primary_key`).
        if whole.contains_key("type") {
            for key in ["name", "path", "primary_key", "url_base", "field_path", "cursor_field"] {
                if let Some(value) = parameters
                    .get(key)
                    .filter(|_| belongs(&whole, key) && !whole.contains_key(key))
                {
                    whole.insert(key.to_owned(), value.clone());
                }
            }
        }
        Ok(Json::Object(whole))
    }

    fn reference(&mut self, pointer: &str, parameters: &Map<String, Json>, depth: usize) -> Result<Json, Error> {
        let Some(target) = self.root.pointer(pointer) else {
            return Err(Error::Unreadable(format!(
                "it refers to `#{}`, which is not there",
                one_line(pointer)
            )));
        };
        if self.open.iter().any(|open| open == pointer) {
            return Err(Error::Unreadable(format!("`#{}` refers to itself", one_line(pointer))));
        }
        self.open.push(pointer.to_owned());
        let value = self.value(target, parameters, depth + 1);
        self.open.pop();
        value
    }
}

/// Whether a component of this type has this key.
fn belongs(component: &Map<String, Json>, key: &str) -> bool {
    let kind = component.get("type").and_then(Json::as_str).unwrap_or_default();
    matches!(
        (kind, key),
        ("DeclarativeStream" | "StateDelegatingStream", "name" | "primary_key")
            | ("HttpRequester", "path" | "url_base")
            | ("DpathExtractor", "field_path")
            | ("DatetimeBasedCursor", "cursor_field")
    )
}

/// A text with the parameters that it names.
fn filled(text: &str, parameters: &Map<String, Json>) -> Json {
    let mut out = text.to_owned();
    for (name, value) in parameters {
        for spelled in [
            format!("parameters['{name}']"),
            format!("parameters[\"{name}\"]"),
            format!("parameters.{name}"),
            format!("parameters.get('{name}')"),
            format!("parameters.get(\"{name}\")"),
        ] {
            for braces in [format!("{{{{ {spelled} }}}}"), format!("{{{{{spelled}}}}}")] {
                if out == braces {
                    return value.clone();
                }
                let text = match value {
                    Json::String(text) => text.clone(),
                    other => other.to_string(),
                };
                out = out.replace(&braces, &text);
            }
        }
    }
    Json::String(out)
}
