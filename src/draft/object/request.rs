//! One call of a description, and its path with templates in place of parameters.

use serde_json::{Value as Json, json};

use super::super::{Draft, name, schema::Schemas};
use crate::core::connector::form::{Method, SettingForm, SettingKind};

/// One call of a description.
#[derive(Debug)]
pub(in crate::draft) struct Call<'a> {
    pub(in crate::draft) method: Method,
    /// With `{parameters}`.
    pub(in crate::draft) path: String,
    pub(in crate::draft) parameters: Vec<Parameter<'a>>,
    /// The schema of what is answered.
    pub(in crate::draft) answer: Option<&'a Json>,
    /// The names of headers that answers have.
    pub(in crate::draft) answer_headers: Vec<&'a str>,
    pub(in crate::draft) sent: Option<Sent<'a>>,
}

/// What a call carries.
#[derive(Debug)]
pub(in crate::draft) struct Sent<'a> {
    pub(in crate::draft) schema: &'a Json,
    pub(in crate::draft) is_form: bool,
}

/// One parameter.
#[derive(Debug)]
pub(in crate::draft) struct Parameter<'a> {
    pub(in crate::draft) name: String,
    pub(in crate::draft) place: Place,
    pub(in crate::draft) is_required: bool,
    pub(in crate::draft) schema: &'a Json,
}

/// Where a parameter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::draft) enum Place {
    Query,
    Header,
    Path,
}

impl<'a> Call<'a> {
    pub(in crate::draft) fn query(&self) -> impl Iterator<Item = &Parameter<'a>> {
        self.parameters
            .iter()
            .filter(|parameter| parameter.place == Place::Query)
    }

    /// The name of a header that it takes, as the description spells it.
    pub(super) fn header(&self, folded: &[&str]) -> Option<&str> {
        let mut headers = self
            .parameters
            .iter()
            .filter(|parameter| parameter.place == Place::Header);
        let found = headers.find(|parameter| folded.contains(&name::folded(&parameter.name).as_str()));
        found.map(|parameter| parameter.name.as_str())
    }

    pub(super) fn answers_with(&self, folded: &str) -> bool {
        self.answer_headers.iter().any(|header| name::folded(header) == folded)
    }
}

/// A path as a connector says it.
pub(super) struct Written {
    pub(super) text: String,
    /// The settings that it needs.
    pub(super) settings: Vec<String>,
}

/// The path with `{{ id }}` in place of `key`, and settings in place of all other parameters.
pub(super) fn path(draft: &mut Draft, call: &Call<'_>, key: Option<&str>) -> Written {
    let mut text = String::new();
    let mut settings = Vec::new();
    let mut rest = call.path.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(&plain(before));
        let Some((parameter, behind)) = after.split_once('}') else {
            rest = "";
            break;
        };
        if Some(parameter) == key {
            text.push_str("{{ id }}");
        } else {
            let word = name::word(parameter);
            declare(draft, &word, parameter);
            text.push_str("{{ settings.");
            text.push_str(&word);
            text.push_str(" }}");
            settings.push(word);
        }
        rest = behind;
    }
    text.push_str(&plain(rest));
    Written { text, settings }
}

/// A part of a path that stands for itself.
fn plain(text: &str) -> String {
    text.replace(['{', '}'], "")
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// A setting that a person has to give.
pub(super) fn declare(draft: &mut Draft, word: &str, title: &str) {
    draft
        .form
        .settings
        .entry(word.to_owned())
        .or_insert_with(|| SettingForm {
            kind: SettingKind::Text,
            default: None,
            title: Some(super::super::one_line(title)),
        });
}

/// The value of a parameter that can only have one, or has a default.
pub(super) fn fixed(schemas: &Schemas<'_>, parameter: &Parameter<'_>) -> Option<String> {
    let look = schemas.look(parameter.schema);
    let text = |value: &Json| match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        _ => None,
    };
    let value = match (look.default, look.options.as_slice()) {
        (Some(default), _) => text(default)?,
        (None, [only]) => only.clone(),
        _ => return None,
    };
    // Foreign braces are never expressions of ours.
    (!value.contains("{{") && !value.contains("{%") && !value.contains("{#")).then_some(value)
}

/// A body with the record inside of a wrapper.
pub(super) fn wrapped(path: &str, value: String) -> Json {
    path.rsplit('.')
        .fold(Json::String(value), |inner, key| json!({ key: inner }))
}
