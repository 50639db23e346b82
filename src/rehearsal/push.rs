//! A push of a case: verified by the connector's recipe, and read.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{Misses, Stage, ask::text, content, moment};
use crate::core::{
    connector::case::{CaseForm, EventForm, PushForm},
    value::{Value, json},
    webhook::{
        self, Incoming, Secret,
        event::{Arrival, Definition, Pushed, Reply},
    },
};

/// A time as people write it (RFC 3339).
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
}

impl Stage<'_> {
    pub(super) fn push(&self, case: &CaseForm, misses: &mut Misses) {
        let Some(form) = &case.webhook else { return };
        let Some(definition) = &self.connector.webhooks else {
            return misses.refuse(
                "/webhook",
                "the connector has no `webhooks:`",
                "add them, or drop the case",
            );
        };
        let Some(now) = form.at.as_deref().map_or_else(|| Some(moment()), time) else {
            return misses.refuse("/webhook/at", "this is no time", "write it as 2026-01-02T03:04:05Z");
        };
        let Some(secrets) = self.secrets(definition, misses) else {
            return;
        };
        let given = |name: &str| self.form.settings.get(name).map(Value::from);
        let settings = match self.connector.settings_of(given) {
            Ok(settings) => Arc::new(Value::Map(settings)),
            Err(missing) => {
                return misses.refuse(
                    "",
                    format!("setting `{missing}` is missing"),
                    "give it under `settings:`",
                );
            }
        };
        let request = Push::new(form, &self.connector.name);
        let mut headers = request.headers();
        let signed = if form.sign {
            let signed = secrets
                .first()
                .and_then(|secret| webhook::sign(definition.recipe(), secret, &request.incoming(&headers), now));
            let Some(signed) = signed else {
                let hint = "give `secrets:`; where the secret is no part of a header, or there is a private key, give what the sender sends";
                return misses.refuse("/webhook/sign", "the push cannot be signed", hint);
            };
            signed
        } else {
            Vec::new()
        };
        headers.extend(signed.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
        let incoming = request.incoming(&headers);
        match definition.receive(&incoming, &secrets, &settings, now, &json::Limits::default()) {
            Ok(Arrival::Events(events)) => self::events(case, &events, misses),
            Ok(Arrival::Handshake(answer)) => reply(case, &answer, misses),
            Err(_) if case.expect.refused => {}
            Err(reason) => misses.miss(
                "",
                "push",
                Some("a push that is taken".to_owned()),
                Some(reason.to_string()),
            ),
        }
    }

    fn secrets(&self, definition: &Definition, misses: &mut Misses) -> Option<Vec<Secret>> {
        let given = self.form.secrets.iter().map(|text| (text, None));
        let made = &self.form.subscription_secrets;
        let made = made.iter().map(|(subscription, text)| (text, Some(subscription)));
        let mut secrets = Vec::new();
        for (index, (text, subscription)) in given.chain(made).enumerate() {
            match Secret::parse(definition.recipe(), &SecretString::from(text.as_str())) {
                Ok(secret) => secrets.push(match subscription {
                    Some(subscription) => secret.of(subscription),
                    None => secret,
                }),
                Err(error) => {
                    let message = format!("secret {}: {error}", index + 1);
                    misses.refuse("/webhook", message, "correct `secrets:` or `subscription_secrets:`");
                    return None;
                }
            }
        }
        Some(secrets)
    }
}

/// A push as it is sent.
struct Push<'a> {
    form: &'a PushForm,
    method: &'a str,
    url: String,
    body: Vec<u8>,
}

impl<'a> Push<'a> {
    fn new(form: &'a PushForm, system: &str) -> Self {
        let mut url = form
            .url
            .clone()
            .unwrap_or_else(|| format!("https://syncline.example.com/webhooks/{system}"));
        if !form.query.is_empty() {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(&form.query);
            url = format!("{url}?{}", query.finish());
        }
        Self {
            form,
            method: form.method.as_deref().unwrap_or("POST"),
            url,
            body: content(form.text.as_deref(), form.body.as_ref())
                .unwrap_or_default()
                .into_bytes(),
        }
    }

    fn headers(&self) -> Vec<(&str, &[u8])> {
        let given = self.form.headers.iter();
        given.map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
    }

    fn incoming<'s>(&'s self, headers: &'s [(&'s str, &'s [u8])]) -> Incoming<'s> {
        Incoming {
            method: self.method,
            url: &self.url,
            headers,
            body: &self.body,
        }
    }
}

fn events(case: &CaseForm, found: &[Pushed], misses: &mut Misses) {
    if case.expect.refused {
        return misses.miss(
            "/expect/refused",
            "push",
            Some("a push that is refused".to_owned()),
            Some("a push that is taken".to_owned()),
        );
    }
    let Some(wanted) = &case.expect.events else { return };
    if wanted.len() != found.len() {
        let count = |count: usize| Some(format!("{count}"));
        misses.miss(
            "/expect/events",
            "number of events",
            count(wanted.len()),
            count(found.len()),
        );
    }
    for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
        for (key, wanted, found) in sides(wanted, found) {
            if wanted.is_some() && wanted != found {
                let place = format!("/expect/events/{index}/{key}");
                misses.miss(&place, &format!("event {}: {key}", index + 1), wanted, found);
            }
        }
    }
}

/// What is expected of an event beside what was read, by key.
fn sides(wanted: &EventForm, found: &Pushed) -> [(&'static str, Option<String>, Option<String>); 8] {
    let moment = |text: &String| time(text).map_or_else(|| text.clone(), |at| at.to_rfc3339());
    [
        ("id", wanted.id.as_ref().map(text), found.event_id.clone()),
        ("object", wanted.object.clone(), Some(found.object.clone())),
        (
            "record_id",
            wanted.record_id.as_ref().map(text),
            found.record_id.clone(),
        ),
        ("kind", wanted.kind.clone(), Some(found.kind.as_str().to_owned())),
        (
            "occurred_at",
            wanted.occurred_at.as_ref().map(moment),
            found.occurred_at.map(|at| at.to_rfc3339()),
        ),
        (
            "own",
            wanted.own.map(|own| own.to_string()),
            Some(found.own.to_string()),
        ),
        ("version", wanted.version.clone(), found.version.clone()),
        (
            "merged_into",
            wanted.merged_into.as_ref().map(text),
            found.merged_into.clone(),
        ),
    ]
}

fn reply(case: &CaseForm, found: &Reply, misses: &mut Misses) {
    let Some(wanted) = &case.expect.reply else {
        return misses.miss("", "push", Some("events".to_owned()), Some("a handshake".to_owned()));
    };
    if wanted.status != found.status {
        let status = |status: u16| Some(status.to_string());
        misses.miss(
            "/expect/reply/status",
            "status of the reply",
            status(wanted.status),
            status(found.status),
        );
    }
    let body = found.body.as_ref().map(|body| match body {
        Value::Text(text) => text.clone(),
        other => json::to_string(other),
    });
    let expected = content(wanted.text.as_deref(), wanted.body.as_ref());
    if expected.is_some() && expected != body {
        misses.miss("/expect/reply/body", "body of the reply", expected, body);
    }
}
