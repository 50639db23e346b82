//! One operation of a path: its parameters, what it carries and what it answers.

use serde_json::Value as Json;

use super::Language;
use crate::{
    core::connector::form::Method,
    draft::{
        object::{Call, Parameter, Place, Sent},
        schema::Schemas,
    },
};

/// How many parameters of one operation are looked at.
const PARAMETERS_MAX: usize = 200;

/// The methods that a connector uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    const fn key(self) -> &'static str {
        self.method().key()
    }

    const fn method(self) -> Method {
        match self {
            Self::Get => Method::Get,
            Self::Post => Method::Post,
            Self::Put => Method::Put,
            Self::Patch => Method::Patch,
            Self::Delete => Method::Delete,
        }
    }
}

/// The operation, where the path has it.
pub(super) fn read<'a>(
    root: &'a Json,
    language: Language,
    schemas: &Schemas<'a>,
    path: &str,
    item: &'a Json,
    verb: Verb,
) -> Option<Call<'a>> {
    let operation = item.get(verb.key())?;
    let own = [operation.get("parameters"), item.get("parameters")];
    let listed: Vec<&'a Json> = own
        .into_iter()
        .flatten()
        .filter_map(Json::as_array)
        .flatten()
        .map(|parameter| schemas.follow(parameter))
        .take(PARAMETERS_MAX)
        .collect();
    let mut parameters: Vec<Parameter<'a>> = Vec::new();
    for node in &listed {
        if let Some(parameter) = parameter(node)
            && parameters
                .iter()
                .all(|known| known.name != parameter.name || known.place != parameter.place)
        {
            parameters.push(parameter);
        }
    }
    let (answer, answer_headers) = answer(operation, schemas, language);
    let sent = match language {
        Language::OpenApi => body(operation, schemas),
        Language::Swagger => swagger_body(root, operation, &listed),
    };
    Some(Call {
        method: verb.method(),
        path: path.to_owned(),
        parameters,
        answer,
        answer_headers,
        sent,
    })
}

fn parameter(node: &Json) -> Option<Parameter<'_>> {
    let place = match node.get("in")?.as_str()? {
        "query" => Place::Query,
        "header" => Place::Header,
        "path" => Place::Path,
        _ => return None,
    };
    let content = || {
        node.get("content")
            .and_then(Json::as_object)
            .and_then(|content| content.values().next()?.get("schema"))
    };
    Some(Parameter {
        name: node.get("name")?.as_str()?.to_owned(),
        place,
        is_required: node.get("required").and_then(Json::as_bool) == Some(true),
        // Swagger 2 says the schema of a parameter in the parameter itself.
        schema: node.get("schema").or_else(content).unwrap_or(node),
    })
}

/// The first good answer: its schema, and the names of its headers.
fn answer<'a>(operation: &'a Json, schemas: &Schemas<'a>, language: Language) -> (Option<&'a Json>, Vec<&'a str>) {
    let Some(responses) = operation.get("responses").and_then(Json::as_object) else {
        return (None, Vec::new());
    };
    let good = ["200", "201", "202", "2XX", "2xx", "203", "206", "204", "default"];
    let Some(response) = good.iter().find_map(|status| responses.get(*status)) else {
        return (None, Vec::new());
    };
    let response = schemas.follow(response);
    let headers = response
        .get("headers")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str());
    let schema = match language {
        Language::OpenApi => response
            .get("content")
            .and_then(media)
            .and_then(|(_, media)| media.get("schema")),
        Language::Swagger => response.get("schema"),
    };
    (schema, headers.collect())
}

/// What is JSON among several forms of one body, or a form.
fn media(content: &Json) -> Option<(&str, &Json)> {
    let all = content.as_object()?;
    let is = |name: &str, part: &str| name.to_ascii_lowercase().contains(part);
    let json = all.iter().find(|(name, _)| is(name, "application/json"));
    let json = json.or_else(|| all.iter().find(|(name, _)| is(name, "json")));
    let any = json.or_else(|| all.iter().find(|(name, _)| *name == "*/*"));
    let form = any.or_else(|| all.iter().find(|(name, _)| is(name, "x-www-form-urlencoded")));
    form.map(|(name, media)| (name.as_str(), media))
}

fn body<'a>(operation: &'a Json, schemas: &Schemas<'a>) -> Option<Sent<'a>> {
    let body = schemas.follow(operation.get("requestBody")?);
    let (name, media) = media(body.get("content")?)?;
    Some(Sent {
        schema: media.get("schema")?,
        is_form: name.contains("urlencoded"),
    })
}

fn swagger_body<'a>(root: &'a Json, operation: &'a Json, parameters: &[&'a Json]) -> Option<Sent<'a>> {
    let is_in = |node: &&&Json, place: &str| node.get("in").and_then(Json::as_str) == Some(place);
    if let Some(body) = parameters.iter().find(|node| is_in(node, "body")) {
        return Some(Sent {
            schema: body.get("schema")?,
            is_form: false,
        });
    }
    let consumes = operation.get("consumes").or_else(|| root.get("consumes"));
    let is_form = consumes.and_then(Json::as_array).is_some_and(|types| {
        types
            .iter()
            .filter_map(Json::as_str)
            .any(|kind| kind.contains("urlencoded"))
    });
    let has_fields = parameters.iter().any(|node| is_in(&node, "formData"));
    (is_form && has_fields).then_some(Sent {
        schema: &Json::Null,
        is_form: true,
    })
}
