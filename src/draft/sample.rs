//! A draft from answers that a system really gave: what they look like is taken for what it always answers.

use serde_json::{Map, Value as Json, json};

use super::{
    Draft, Error, Wanted,
    address::{self, Address},
    at, guess,
    guess::List,
    listing, name,
    name::folded,
    object::{self, Call, Parameter, Place, Resource},
    openapi,
    schema::Schemas,
};
use crate::core::{
    connector::form::{Method, SpellingForm},
    path::Path,
    value::{Value, kind::Kind},
};

/// So many records of a listing are looked at.
const RECORDS_MAX: usize = 200;
/// Lists and maps within one another.
const DEPTH_MAX: usize = 20;
/// So many records stand in a case.
const CASE_RECORDS_MAX: usize = 2;

/// One answer.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The name of its file, without the ending: the object is called so where nothing says otherwise.
    pub stem: String,
    /// The answer.
    pub body: Json,
}

/// A draft from answers, each of one object; `wanted.objects` names them, in the same order.
pub fn draft(samples: &[Sample], wanted: &Wanted<'_>) -> Result<Draft, Error> {
    let mut draft = Draft::new(wanted.name);
    openapi::base(&mut draft);
    draft.check("/auth", "an answer does not show how to sign in: `auth:` is missing");
    draft.check(
        "/limits",
        "how much the system allows is not known: `limits: { concurrency: 4, rate: 5/s }` after its documentation",
    );
    draft.check(
        "/webhooks",
        "whether it pushes changes is not known: without `webhooks:`, say `poll:` in the mapping",
    );
    let mut drawn = Vec::new();
    for (index, sample) in samples.iter().enumerate() {
        let (name, address) = one(&mut draft, sample, wanted.objects.get(index).map(String::as_str))?;
        drawn.push((name, sample, address.and_then(|address| address.origin)));
    }
    draft.remark("", "Drafted from a sample answer. What is marked CHECK could not be known from it: settle it, and remove the comment.");
    let mut draft = draft.settle()?;
    let cases: Vec<Json> = drawn
        .iter()
        .filter_map(|(name, sample, origin)| case(&draft, name, &masked(&sample.body, "", origin.as_deref())))
        .collect();
    if !cases.is_empty() {
        draft.cases = Some(json!({ "settings": { "base_url": address::STAND_IN }, "cases": cases }));
    }
    Ok(draft)
}

fn one(draft: &mut Draft, sample: &Sample, named: Option<&str>) -> Result<(String, Option<Address>), Error> {
    let mut times = Times::default();
    let schema = infer(&[&sample.body], "", 0, &mut times);
    if !sample.body.is_object() && !sample.body.is_array() {
        return Err(Error::Another {
            expected: "answer with records (a JSON object or list)",
        });
    }
    let list = json!({ "type": "array", "items": schema });
    let schemas = Schemas::new(&Json::Null);
    let own = named.unwrap_or(&sample.stem);
    let listed = listing::read(&schemas, &schema, own);
    let records = listed.as_ref().and_then(|listed| listed.records.clone());
    let key = records
        .as_deref()
        .and_then(|path| path.rsplit('.').next())
        .filter(|key| guess::rank(List::Records, key).is_none());
    let collection = named.or(key).unwrap_or(&sample.stem).to_owned();
    let is_list = listed.is_some();
    let address = listed
        .as_ref()
        .and_then(|listed| Address::of(&sample.body, &listed.hints));
    drop(listed);
    let name = name::object(&collection);
    spell_times(draft, &times);
    let call = |path: String, parameters, answer| Call {
        method: Method::Get,
        path,
        parameters,
        answer: Some(answer),
        answer_headers: Vec::new(),
        sent: None,
    };
    let path = match &address {
        Some(address) => address.path.clone(),
        None => format!("/{}", path_of(&collection, named.is_none())),
    };
    let parameters = address.iter().flat_map(|address| &address.parameters);
    let parameters = parameters.map(|name| Parameter {
        name: name.clone(),
        place: Place::Query,
        is_required: false,
        schema: &Json::Null,
    });
    let resource = Resource {
        name: name.clone(),
        collection,
        key: Some("id".to_owned()),
        list: Some(call(
            path.clone(),
            parameters.collect(),
            if is_list { &schema } else { &list },
        )),
        get: Some(call(
            Address::of_one(&path),
            Vec::new(),
            if is_list { &Json::Null } else { &schema },
        )),
        create: None,
        update: None,
        delete: None,
    };
    object::add(draft, &schemas, &resource);
    check_guesses(draft, &name, &path, (address.is_some(), is_list));
    Ok((name, address))
}

/// Marks what a sample cannot tell: the path, unless its answer `is_told` where it was from, and all that is written.
fn check_guesses(draft: &mut Draft, name: &str, path: &str, (is_told, is_list): (bool, bool)) {
    if !is_told {
        draft.check(
            at(name, "list"),
            format!("the path `{path}` is a guess, and so are parameters: paging, and a filter by time of change (a page that others follow tells the path, where its answer has the next one's address)"),
        );
    }
    let one = Address::of_one(path).replace("{id}", "{{ id }}");
    draft.check(at(name, "get"), format!("the path `{one}` is a guess"));
    if !is_list {
        draft.check(
            at(name, "list"),
            "the sample is one record: that a listing answers a bare list of these is a guess (`records:`)",
        );
    }
    draft.check(
        at(name, "create"),
        "writes are not in a sample: `create:`, `update:` and `delete:` are missing",
    );
}

/// Says how times are spelled, where that is not RFC 3339.
fn spell_times(draft: &mut Draft, times: &Times) {
    let Some(format) = times.form else {
        return;
    };
    draft.form.types.datetime = Some(SpellingForm {
        format: Some(format.to_owned()),
        ..SpellingForm::default()
    });
    if !format.starts_with("epoch") && draft.form.types.zone.is_none() {
        draft.form.types.zone = Some("UTC".to_owned());
        draft.check("/types/zone", "times are without a zone in the sample: UTC is a guess");
    }
}

/// The collection as an address has it.
fn path_of(collection: &str, is_theirs: bool) -> String {
    let path: String = collection
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .collect();
    if is_theirs || path.ends_with('s') {
        path
    } else {
        format!("{path}s")
    }
}

/// How times are spelled, where that is not RFC 3339.
#[derive(Default)]
struct Times {
    form: Option<&'static str>,
}

/// A schema that all of these values have.
fn infer(values: &[&Json], name: &str, depth: usize, times: &mut Times) -> Json {
    let values: Vec<&Json> = values.iter().copied().filter(|value| !value.is_null()).collect();
    if values.is_empty() || depth > DEPTH_MAX {
        return json!({});
    }
    if values.iter().all(|value| value.is_object()) {
        return members(&values, depth, times);
    }
    if values.iter().all(|value| value.is_array()) {
        let items: Vec<&Json> = values
            .iter()
            .filter_map(|value| value.as_array())
            .flatten()
            .take(RECORDS_MAX)
            .collect();
        return json!({ "type": "array", "items": infer(&items, name, depth + 1, times) });
    }
    if values.iter().all(|value| value.is_boolean()) {
        return json!({ "type": "boolean" });
    }
    if values.iter().all(|value| value.is_number()) {
        return numbers(&values, name, times);
    }
    let texts: Vec<&str> = values.iter().filter_map(|value| value.as_str()).collect();
    if texts.len() < values.len() {
        return json!({});
    }
    let filled: Vec<&str> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    match form(&filled) {
        Some(Form::Date) => json!({ "type": "string", "format": "date" }),
        Some(Form::Time(form)) => {
            times.form = times.form.or(form);
            json!({ "type": "string", "format": "date-time" })
        }
        Some(Form::Address) => json!({ "type": "string", "format": "uri" }),
        None => json!({ "type": "string" }),
    }
}

fn members(values: &[&Json], depth: usize, times: &mut Times) -> Json {
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in values.iter().filter_map(|value| value.as_object()).flatten() {
        if names.len() < 1_000 && !names.contains(&name) {
            names.push(name);
        }
    }
    let properties = names.into_iter().map(|name| {
        let own: Vec<&Json> = values.iter().filter_map(|value| value.get(name)).collect();
        (name.clone(), infer(&own, name, depth + 1, times))
    });
    json!({ "type": "object", "properties": properties.collect::<Map<String, Json>>() })
}

fn numbers(values: &[&Json], name: &str, times: &mut Times) -> Json {
    let whole: Vec<i64> = values.iter().filter_map(|value| value.as_i64()).collect();
    if whole.len() < values.len() {
        return json!({ "type": "number" });
    }
    let is_between = |low: i64, high: i64| whole.iter().all(|number| (low..high).contains(number));
    if guess::rank(List::Changed, name).is_some() || folded(name).starts_with("created") {
        // From 2001 to 2286 in seconds, and the same in thousandths.
        if is_between(1_000_000_000, 10_000_000_000) {
            times.form = times.form.or(Some("epoch_seconds"));
            return json!({ "type": "integer", "format": "unix-time" });
        }
        if is_between(1_000_000_000_000, 10_000_000_000_000) {
            times.form = times.form.or(Some("epoch_millis"));
            return json!({ "type": "integer", "format": "unix-time" });
        }
    }
    json!({ "type": "integer" })
}

enum Form {
    Date,
    /// The pattern, where it is not RFC 3339.
    Time(Option<&'static str>),
    Address,
}

/// The form that all of these texts have.
fn form(texts: &[&str]) -> Option<Form> {
    if texts.is_empty() {
        return None;
    }
    let all = |fits: &dyn Fn(&str) -> bool| texts.iter().all(|text| fits(text));
    let is_naive = |pattern: &str, text: &str| chrono::NaiveDateTime::parse_from_str(text, pattern).is_ok();
    if all(&|text| text.len() == 10 && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()) {
        return Some(Form::Date);
    }
    if all(&|text| chrono::DateTime::parse_from_rfc3339(text).is_ok()) {
        return Some(Form::Time(None));
    }
    for pattern in [
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
    ] {
        if all(&|text| is_naive(pattern, text)) {
            return Some(Form::Time(Some(pattern)));
        }
    }
    all(&|text| text.starts_with("https://") || text.starts_with("http://")).then_some(Form::Address)
}

/// The case of a first page, of an answer whose personal data is replaced.
fn case(draft: &Draft, name: &str, body: &Json) -> Option<Json> {
    let object = draft.form.objects.get(name)?;
    let list = object.list.as_ref()?;
    let mut body = body.clone();
    let records = match &list.records {
        Some(path) => pointer_of(path).and_then(|pointer| body.pointer_mut(&pointer)),
        None => Some(&mut body),
    };
    let Some(Json::Array(records)) = records else {
        // One record: read by its id.
        let get = object.get.as_ref()?;
        let record = get
            .record
            .as_deref()
            .and_then(pointer_of)
            .map_or(Some(&body), |pointer| body.pointer(&pointer))?;
        let expected = expected(object, record)?;
        let id = expected.get("id").cloned()?;
        return Some(
            json!({ "name": "one record", "object": name, "get": id, "answer": { "body": body }, "expect": { "records": [expected] } }),
        );
    };
    records.truncate(CASE_RECORDS_MAX);
    let inner = list.record.as_deref().and_then(pointer_of);
    let expected: Option<Vec<Json>> = records
        .iter()
        .map(|record| {
            let record = inner.as_ref().map_or(Some(record), |pointer| record.pointer(pointer))?;
            expected(object, record)
        })
        .collect();
    Some(
        json!({ "name": "the first page", "object": name, "list": {}, "answer": { "body": body }, "expect": { "records": expected? } }),
    )
}

/// The JSON pointer of a path, where it leads through maps alone.
pub(super) fn pointer_of(path: &str) -> Option<String> {
    let path = Path::parse(path).ok()?;
    let mut pointer = String::new();
    for segment in path.segments() {
        let crate::core::path::Segment::Key(key) = segment else {
            return None;
        };
        pointer = crate::core::problem::pointer(&pointer, key);
    }
    Some(pointer)
}

/// What a record must come to: its id, and a few plain fields.
fn expected(object: &crate::core::connector::form::ObjectForm, record: &Json) -> Option<Json> {
    let id = record.pointer(&pointer_of(&object.id)?)?;
    let id = Value::from(id).to_text().filter(|text| !text.is_empty())?;
    let plain = object.fields.iter().filter(|(path, field)| {
        let kind = field.kind.as_deref().unwrap_or_default().parse().unwrap_or(Kind::Any);
        **path != object.id && matches!(kind, Kind::Text | Kind::Integer | Kind::Boolean)
    });
    let told = plain.filter_map(|(path, _)| {
        let value = record.get(path)?;
        let is_plain = !value.is_null() && value.as_str() != Some("");
        is_plain.then(|| (path.clone(), value.clone()))
    });
    let fields: Map<String, Json> = told.take(3).collect();
    Some(if fields.is_empty() {
        json!({ "id": id })
    } else {
        json!({ "id": id, "fields": fields })
    })
}

/// The same answer without what most likely is personal: cases go into a repository.
fn masked(value: &Json, name: &str, origin: Option<&str>) -> Json {
    match value {
        Json::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), masked(member, name, origin)))
            .collect::<Map<String, Json>>()
            .into(),
        Json::Array(items) => items.iter().map(|item| masked(item, name, origin)).collect(),
        Json::String(text) if text.contains('@') && text.contains('.') => "ana@example.com".into(),
        Json::String(text) if !text.is_empty() && (guess::is_personal(name) || folded(name).ends_with("name")) => {
            stand_in(name, text)
        }
        Json::String(text) => address::masked(text, origin).map_or_else(|| value.clone(), Json::String),
        other => other.clone(),
    }
}

/// Something of the same kind in place of a personal text.
fn stand_in(name: &str, text: &str) -> Json {
    let folded = folded(name);
    if folded.contains("phone") || folded.contains("mobile") || folded.contains("fax") {
        return "+00 000 0000".into();
    }
    if form(&[text]).is_some() {
        return "2000-01-01".into();
    }
    if folded.ends_with("name") {
        "Ana".into()
    } else {
        "Example".into()
    }
}
