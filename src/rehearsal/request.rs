//! The request that a case expects, against the one that was made.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value as Json;
use url::Url;

use super::{Misses, ask::header};
use crate::core::{
    connector::{case::RequestForm, request::Call},
    value::{Value, json},
};

/// Compares them, whatever the order of parameters and members; `what` is the word for it.
pub(super) fn compare(place: &str, what: &str, expected: &RequestForm, call: &Call, base: &Url, misses: &mut Misses) {
    let Some((method, address)) = line(expected) else {
        return misses.refuse(
            place,
            "the request has no method",
            "write one of `get`, `post`, `put`, `patch`, `delete`",
        );
    };
    let Some(url) = whole(address, &expected.query, base) else {
        return misses.refuse(
            place,
            format!("`{address}` is no address"),
            "write it as `/accounts?limit=3`",
        );
    };
    let found = call.method.key().to_uppercase();
    let wanted = format!("{method} {}{}", url.origin().ascii_serialization(), url.path());
    let sent = format!("{found} {}{}", call.url.origin().ascii_serialization(), call.url.path());
    if wanted != sent {
        misses.miss(place, what, Some(wanted), Some(sent));
    }
    let mut differ = |name: &str, wanted: Option<String>, sent: Option<String>| {
        if wanted != sent {
            misses.miss(place, &format!("{what}: {name}"), wanted, sent);
        }
    };
    let (wanted, sent) = (by_name(url.query_pairs()), by_name(call.url.query_pairs()));
    several("parameter", &wanted, &sent, &mut differ);
    for (name, value) in &expected.headers {
        let sent = header(&call.headers, name).map(str::to_owned);
        differ(&format!("header `{name}`"), Some(value.clone()), sent);
    }
    body(expected, call, differ);
}

fn body(expected: &RequestForm, call: &Call, mut differ: impl FnMut(&str, Option<String>, Option<String>)) {
    let sent = call.body.as_deref().unwrap_or_default();
    if let Some(fields) = &expected.form {
        let wanted = fields
            .iter()
            .map(|(name, value)| (name.clone(), texts(value)))
            .collect();
        several(
            "form field",
            &wanted,
            &by_name(url::form_urlencoded::parse(sent)),
            differ,
        );
        return;
    }
    let shown = || String::from_utf8_lossy(sent).into_owned();
    if let Some(text) = &expected.text {
        return differ(
            "body",
            Some(text.trim_end().to_owned()),
            Some(shown().trim_end().to_owned()),
        );
    }
    match &expected.body {
        Some(wanted) => {
            let wanted = Value::from(wanted);
            let found = json::parse(sent, &json::Limits::default()).ok();
            if found.as_ref() != Some(&wanted) {
                let found = found.map_or_else(shown, |found| json::to_string(&found));
                differ("body", Some(json::to_string(&wanted)), Some(found));
            }
        }
        None if sent.is_empty() => {}
        None => differ("body", None, Some(shown())),
    }
}

fn line(form: &RequestForm) -> Option<(&'static str, &str)> {
    let all = [
        ("GET", &form.get),
        ("POST", &form.post),
        ("PUT", &form.put),
        ("PATCH", &form.patch),
        ("DELETE", &form.delete),
    ];
    let mut given = all
        .into_iter()
        .filter_map(|(method, address)| Some((method, address.as_deref()?)));
    given.next().filter(|_| given.next().is_none())
}

/// The whole address, with these parameters beside those it has.
fn whole(address: &str, query: &serde_json::Map<String, Json>, base: &Url) -> Option<Url> {
    let mut url = if address.contains("://") {
        Url::parse(address).ok()?
    } else {
        let base = base.as_str().trim_end_matches('/');
        Url::parse(&format!("{base}{address}")).ok()?
    };
    for (name, value) in query {
        for value in texts(value) {
            url.query_pairs_mut().append_pair(name, &value);
        }
    }
    Some(url)
}

fn texts(value: &Json) -> Vec<String> {
    match value {
        Json::Array(items) => items.iter().map(super::ask::text).collect(),
        single => vec![super::ask::text(single)],
    }
}

/// Values by the name they are sent with, in their order.
type ByName = BTreeMap<String, Vec<String>>;

fn by_name<'p>(pairs: impl Iterator<Item = (Cow<'p, str>, Cow<'p, str>)>) -> ByName {
    let mut found = ByName::new();
    for (name, value) in pairs {
        found.entry(name.into_owned()).or_default().push(value.into_owned());
    }
    found
}

/// Compares what is wanted with what was sent, name by name; `what` is the word for one of them.
fn several(what: &str, wanted: &ByName, sent: &ByName, mut differ: impl FnMut(&str, Option<String>, Option<String>)) {
    let unwanted = sent.keys().filter(|name| !wanted.contains_key(*name));
    for name in wanted.keys().chain(unwanted) {
        let shown = |all: &ByName| all.get(name).map(|values| values.join(" and "));
        differ(&format!("{what} `{name}`"), shown(wanted), shown(sent));
    }
}
