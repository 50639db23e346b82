//! What a case with a recorded answer shows: the request that the connector makes of it, and what it understands.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map as JsonMap, Value as Json};
use url::Url;

use super::{Misses, Stage, ask, record::Body, scripted};
use crate::{
    client::{ConfigError, Script},
    core::{
        connector::{
            Connector, Object,
            case::{AnswerForm, CaseForm, CasesForm, ExpectForm, RecordForm, RequestForm},
            request::Call,
        },
        record::Record,
        value::{Value, json},
    },
};

/// So many fields of a record are written down where the connector describes none.
const FIELDS_MAX: usize = 40;

/// The case at this place with its request and what must be understood, as they are when it is played; what was read comes
/// along. Nothing is understood of an answer that the connector cannot read: then the case says so.
pub async fn complete(
    connector: &Arc<Connector>,
    form: &CasesForm,
    index: usize,
) -> Result<(CaseForm, Vec<Record>), ConfigError> {
    let mut case = form.cases.get(index).cloned().unwrap_or_default();
    let stage = Stage::new(connector, form);
    let mut misses = Misses::new(String::new());
    let Some(object) = stage.object(&case, &mut misses) else {
        return Ok((case, Vec::new()));
    };
    if connector.database.is_some() {
        let system = stage.database().await?;
        let script = Arc::new(Script::new(stage.login.clone(), []));
        let heard = ask::carry_out(&system, &script, &case, object, 0, &mut misses).await;
        let records = heard.map_or_else(Vec::new, |heard| heard.records);
        case.expect = understood(&case, object, &records);
        return Ok((case, records));
    }
    let (system, script) = stage.system(case.answer.as_ref().map(scripted).into_iter().collect(), None)?;
    let Some(heard) = ask::carry_out(&system, &script, &case, object, 0, &mut misses).await else {
        return Ok((case, Vec::new()));
    };
    let sent = script.sent();
    case.request = sent.first().map(|call| request(call, system.base(), true));
    case.expect = understood(&case, object, &heard.records);
    if let Some((outcome, _)) = &heard.fault {
        case.expect = ExpectForm {
            outcome: Some(*outcome),
            ..ExpectForm::default()
        };
    } else if case.list.is_some() {
        case.expect.next = Some(match &heard.next {
            // What leads on stands in the address; a body is looked at where a case wants it.
            Some(next) => plain(&request(next, system.base(), false)),
            None => Json::from("none"),
        });
    }
    Ok((case, heard.records))
}

fn understood(case: &CaseForm, object: &Object, records: &[Record]) -> ExpectForm {
    let records: Vec<RecordForm> = records.iter().map(|found| record(object, found)).collect();
    if case.get.is_some() {
        return ExpectForm {
            record: records.into_iter().next(),
            ..ExpectForm::default()
        };
    }
    ExpectForm {
        records: Some(records),
        ..ExpectForm::default()
    }
}

fn record(object: &Object, found: &Record) -> RecordForm {
    let described = object
        .fields
        .iter()
        .filter_map(|field| Some((field.name.clone(), field.path.get_in(&found.fields)?)));
    let mut fields: JsonMap<String, Json> = described
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name, Json::from(value)))
        .collect();
    if object.fields.is_empty() {
        let members = found
            .fields
            .iter()
            .filter(|(name, value)| is_single(value) && !name.contains(['.', '[', ' ']));
        fields = members
            .take(FIELDS_MAX)
            .map(|(name, value)| (name.clone(), Json::from(value)))
            .collect();
    }
    RecordForm {
        id: Some(Json::from(found.id.as_str())),
        version: found.version.clone(),
        updated_at: found.updated_at.map(|at| at.to_rfc3339()),
        fields,
    }
}

const fn is_single(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::List(_) | Value::Map(_))
}

/// A request as a case names it. Headers are left out: which of them matter, a person knows.
fn request(call: &Call, base: &Url, with_body: bool) -> RequestForm {
    let whole = call.url.as_str().split(['?', '#']).next().unwrap_or_default();
    let root = base.as_str().trim_end_matches('/');
    let address = whole
        .strip_prefix(root)
        .filter(|rest| rest.starts_with('/'))
        .unwrap_or(whole);
    let query = several(call.url.query_pairs());
    let address = Some(address.to_owned());
    let mut form = RequestForm {
        query,
        ..RequestForm::default()
    };
    match call.method.key() {
        "post" => form.post = address,
        "put" => form.put = address,
        "patch" => form.patch = address,
        "delete" => form.delete = address,
        _ => form.get = address,
    }
    if let Some(body) = call.body.as_deref().filter(|body| with_body && !body.is_empty()) {
        if is_form(call) {
            form.form = Some(several(url::form_urlencoded::parse(body)));
            return form;
        }
        match json::parse(body, &json::Limits::default()) {
            Ok(value) => form.body = Some(Json::from(&value)),
            Err(_) => form.text = Some(String::from_utf8_lossy(body).into_owned()),
        }
    }
    form
}

/// Pairs by name; several of one name are a list.
fn several<'p>(pairs: impl Iterator<Item = (Cow<'p, str>, Cow<'p, str>)>) -> JsonMap<String, Json> {
    let mut found: JsonMap<String, Json> = JsonMap::new();
    for (name, value) in pairs {
        let value = Json::from(value.into_owned());
        match found.get_mut(name.as_ref()) {
            Some(Json::Array(several)) => several.push(value),
            Some(first) => *first = Json::Array(vec![first.take(), value]),
            None => drop(found.insert(name.into_owned(), value)),
        }
    }
    found
}

fn is_form(call: &Call) -> bool {
    let kind = ask::header(&call.headers, "content-type");
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

/// Only what is said.
fn plain(form: &RequestForm) -> Json {
    sparse(serde_json::to_value(form).unwrap_or_default())
}

/// What a person wrote or a system sent: every part of it says something.
const CONTENT: [&str; 5] = ["body", "fields", "find", "form", "query"];
/// What is said by being there.
const SAID: [&str; 2] = ["list", "login"];

/// A form without what it does not say.
pub(super) fn sparse(value: Json) -> Json {
    match value {
        Json::Object(members) => {
            let said = members.into_iter().filter(|(name, member)| is_said(name, member));
            let inside = |(name, member): (String, Json)| {
                let member = if CONTENT.contains(&name.as_str()) {
                    member
                } else {
                    sparse(member)
                };
                (name, member)
            };
            Json::Object(said.map(inside).collect())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(sparse).collect()),
        other => other,
    }
}

fn is_said(name: &str, member: &Json) -> bool {
    match member {
        Json::Null | Json::Bool(false) => false,
        Json::Object(members) => !members.is_empty() || name == "body" || SAID.contains(&name),
        Json::Array(items) => !items.is_empty() || matches!(name, "body" | "records"),
        _ => true,
    }
}

/// An answer as a case gives it.
pub(super) fn answer(status: u16, headers: Vec<(String, String)>, body: Body) -> AnswerForm {
    let (body, text) = match body {
        Body::Json(value) => (Some(Json::from(&value)), None),
        Body::Text(text) => (None, Some(text)),
    };
    AnswerForm {
        status,
        headers: headers.into_iter().collect(),
        body,
        text,
    }
}
