//! What a case expects to be understood, against what was.

use serde_json::Value as Json;
use url::Url;

use super::{
    Misses,
    ask::{Heard, text},
    request,
};
use crate::core::{
    connector::{
        Object,
        case::{CaseForm, OutcomeForm, RecordForm, RequestForm, ResultForm},
    },
    path::Path,
    record::Record,
    value::{
        Value,
        compare::{self, Compare},
        json,
        kind::Kind,
        spelling::Spelling,
    },
};

pub(super) fn compare(case: &CaseForm, object: &Object, heard: Heard, base: &Url, misses: &mut Misses) {
    let is_batch = case.batch_create.is_some() || case.batch_update.is_some();
    if !is_batch || case.expect.results.is_none() {
        outcome(case, &heard, misses);
    }
    let expect = &case.expect;
    if let Some(wanted) = &expect.records {
        records(object, wanted, &heard.records, misses);
    }
    if let Some(wanted) = &expect.record {
        match heard.records.first() {
            Some(found) => record("/expect/record", "record", object, wanted, found, misses),
            None => misses.miss("/expect/record", "record", Some("a record".to_owned()), None),
        }
    }
    next(case, &heard, base, misses);
    let (id, version) = heard.written.unzip();
    if let Some(wanted) = expect
        .id
        .as_ref()
        .map(text)
        .filter(|wanted| id.as_ref() != Some(wanted))
    {
        misses.miss("/expect/id", "id", Some(wanted), id);
    }
    if let Some(wanted) = &expect.version {
        let found = version.flatten();
        if found.as_ref() != Some(wanted) {
            misses.miss("/expect/version", "version", Some(wanted.clone()), found);
        }
    }
    if let Some(wanted) = &expect.results {
        results(wanted, &heard.results, misses);
    }
}

/// What the answer means, and what people are told.
pub(super) fn outcome(case: &CaseForm, heard: &Heard, misses: &mut Misses) {
    let wanted = case.expect.outcome.unwrap_or(OutcomeForm::Ok);
    let found = heard.fault.as_ref().map_or(OutcomeForm::Ok, |(outcome, _)| *outcome);
    let message = heard.fault.as_ref().map(|(_, message)| message.as_str());
    if wanted != found {
        let place = if case.expect.outcome.is_some() {
            "/expect/outcome"
        } else {
            ""
        };
        let told = message.map_or_else(String::new, |message| format!(" ({message})"));
        misses.miss(
            place,
            "outcome",
            Some(word(wanted)),
            Some(format!("{}{told}", word(found))),
        );
    }
    if let Some(wanted) = &case.expect.message
        && !message.is_some_and(|message| message.contains(wanted))
    {
        misses.miss(
            "/expect/message",
            "message",
            Some(wanted.clone()),
            message.map(str::to_owned),
        );
    }
}

fn word(outcome: OutcomeForm) -> String {
    let word = serde_json::to_value(outcome).ok();
    word.as_ref().and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn next(case: &CaseForm, heard: &Heard, base: &Url, misses: &mut Misses) {
    let Some(wanted) = &case.expect.next else { return };
    let place = "/expect/next";
    if matches!(wanted, Json::String(word) if word == "none") {
        if let Some(found) = &heard.next {
            misses.miss(
                place,
                "next page",
                None,
                Some(format!("{} {}", found.method.key(), found.url.path())),
            );
        }
        return;
    }
    let form = match serde_json::from_value::<RequestForm>(wanted.clone()) {
        Ok(form) => form,
        Err(error) => {
            return misses.refuse(
                place,
                format!("this is no request: {error}"),
                "write it as under `request:`, or `none`",
            );
        }
    };
    match &heard.next {
        Some(found) => {
            // Only what leads on is looked at where the case says no more.
            let body = form.body.is_some() || form.form.is_some() || form.text.is_some();
            let mut found = found.clone();
            if !body {
                found.body = None;
            }
            request::compare(place, "next page", &form, &found, base, misses);
        }
        None => misses.miss(place, "next page", Some("a request".to_owned()), None),
    }
}

fn records(object: &Object, wanted: &[RecordForm], found: &[Record], misses: &mut Misses) {
    if wanted.len() != found.len() {
        let count = |count: usize| Some(format!("{count}"));
        misses.miss(
            "/expect/records",
            "number of records",
            count(wanted.len()),
            count(found.len()),
        );
    }
    for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
        record(
            &format!("/expect/records/{index}"),
            &format!("record {}", index + 1),
            object,
            wanted,
            found,
            misses,
        );
    }
}

fn record(place: &str, what: &str, object: &Object, wanted: &RecordForm, found: &Record, misses: &mut Misses) {
    if let Some(id) = wanted.id.as_ref().map(text).filter(|id| *id != found.id) {
        misses.miss(
            &format!("{place}/id"),
            &format!("{what}: id"),
            Some(id),
            Some(found.id.clone()),
        );
    }
    if wanted.version.is_some() && wanted.version != found.version {
        misses.miss(
            &format!("{place}/version"),
            &format!("{what}: version"),
            wanted.version.clone(),
            found.version.clone(),
        );
    }
    if let Some(wanted) = &wanted.updated_at {
        let is_same = super::push::time(wanted).is_some_and(|wanted| found.updated_at == Some(wanted));
        if !is_same {
            let found = found.updated_at.map(|at| at.to_rfc3339());
            misses.miss(
                &format!("{place}/updated_at"),
                &format!("{what}: updated_at"),
                Some(wanted.clone()),
                found,
            );
        }
    }
    for (name, value) in &wanted.fields {
        let path = Path::parse(name).unwrap_or_else(|_| Path::of_key(name));
        let kind = object.kind(&path);
        let found = path.get_in(&found.fields).cloned();
        if !is_same(kind, value, found.as_ref()) {
            let found = found.as_ref().map(json::to_string);
            let wanted = Some(json::to_string(&Value::from(value)));
            misses.miss(
                &format!("{place}/fields/{name}"),
                &format!("{what}: `{name}`"),
                wanted,
                found,
            );
        }
    }
}

/// Whether a plain value of a case is the one that was read.
fn is_same(kind: Kind, wanted: &Json, found: Option<&Value>) -> bool {
    let wanted = Value::from(wanted);
    let Some(found) = found else {
        return wanted == Value::Null;
    };
    let wanted = kind.read(&wanted, &Spelling::default()).unwrap_or(wanted);
    compare::equal(&wanted, found, kind, Compare::Exact)
}

fn results(wanted: &[ResultForm], found: &[Result<String, String>], misses: &mut Misses) {
    if wanted.len() != found.len() {
        let count = |count: usize| Some(format!("{count}"));
        misses.miss(
            "/expect/results",
            "number of results",
            count(wanted.len()),
            count(found.len()),
        );
    }
    for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
        let what = format!("result {}", index + 1);
        let place = format!("/expect/results/{index}");
        let shown = match found {
            Ok(id) => format!("written as `{id}`"),
            Err(message) => format!("not written: {message}"),
        };
        let id = wanted.id.as_ref().map(text);
        let is_right = match found {
            Ok(found) => wanted.ok && id.as_ref().is_none_or(|id| id == found),
            Err(message) => !wanted.ok && wanted.message.as_ref().is_none_or(|wanted| message.contains(wanted)),
        };
        if !is_right {
            let expected = match (wanted.ok, id, &wanted.message) {
                (true, Some(id), _) => format!("written as `{id}`"),
                (true, None, _) => "written".to_owned(),
                (false, _, Some(message)) => format!("not written: {message}"),
                (false, _, None) => "not written".to_owned(),
            };
            misses.miss(&place, &what, Some(expected), Some(shown));
        }
    }
}
