//! Systems against their connectors: is everything given that they need, and nothing else?

use std::collections::BTreeMap;

use serde_json::Value as Json;
use url::Url;

use super::{SystemDecl, document::Definition};
use crate::{
    catalog::diagnostic::Diagnostic,
    core::{
        connector::form::{ConnectorForm, SettingForm, SettingKind},
        problem::{Problem, nearest, pointer},
    },
};

/// What is wrong with the declaration of one system.
pub(super) fn check(
    name: &str,
    declared: &SystemDecl,
    connectors: &BTreeMap<String, Definition<ConnectorForm>>,
) -> Vec<Diagnostic> {
    let at = pointer("/systems", name);
    let mut problems = Vec::new();
    match connectors.get(&declared.connector) {
        None => {
            let message = format!("system `{name}`: there is no connector `{}`", declared.connector);
            let problem = Problem::error("CF020", pointer(&at, "connector"), message);
            let names = connectors.keys().map(String::as_str);
            problems.push(suggest(problem, &declared.connector, names, "connectors"));
        }
        // What a connector asks for is known only where it is right.
        Some(connector) if !connector.is_sound() => {}
        Some(connector) => {
            if let Some(form) = &connector.form {
                let mut check = Check {
                    system: name,
                    at: &at,
                    declared,
                    problems: &mut problems,
                };
                check.settings(form);
                check.credentials(form);
                check.webhooks(form);
            }
        }
    }
    let diagnostics = problems.into_iter();
    diagnostics
        .map(|problem| Diagnostic::of_file(&declared.origin, problem))
        .collect()
}

struct Check<'a> {
    system: &'a str,
    at: &'a str,
    declared: &'a SystemDecl,
    problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    fn settings(&mut self, form: &ConnectorForm) {
        let at = pointer(self.at, "settings");
        let system = self.system;
        for (name, setting) in &form.settings {
            let problem = match self.declared.settings.get(name) {
                Some(value) => wrong(setting.kind, value).map(|expected| {
                    let message = format!("system `{system}`: setting `{name}` must be {expected}");
                    Problem::error("CF023", pointer(&at, name), message)
                }),
                None => is_required(setting).then(|| {
                    let message = format!("system `{system}`: setting `{name}` is missing");
                    let problem = Problem::error("CF021", at.clone(), message);
                    let kind = expected(setting.kind);
                    problem.with_hint(format!("connector `{}` needs it: {kind}", form.connector))
                }),
            };
            self.problems.extend(problem);
        }
        for name in self
            .declared
            .settings
            .keys()
            .filter(|name| !form.settings.contains_key(*name))
        {
            let message = format!(
                "system `{system}`: connector `{}` has no setting `{name}`",
                form.connector
            );
            let problem = Problem::error("CF022", pointer(&at, name), message);
            let names = form.settings.keys().map(String::as_str);
            self.problems.push(suggest(problem, name, names, "settings"));
        }
    }

    fn credentials(&mut self, form: &ConnectorForm) {
        let at = pointer(self.at, "credentials");
        let system = self.system;
        let needed = form.needed_credentials();
        let known = form.known_credentials();
        for name in needed.iter().filter(|name| !self.declared.credentials.contains(**name)) {
            let message = format!("system `{system}`: credential `{name}` is missing");
            let hint = format!("give it as `{name} = {{ env = \"…\" }}` or `{{ file = \"…\" }}`");
            self.problems
                .push(Problem::error("CF024", at.clone(), message).with_hint(hint));
        }
        for name in self
            .declared
            .credentials
            .iter()
            .filter(|name| !known.contains(&name.as_str()))
        {
            let message = format!(
                "system `{system}`: connector `{}` has no credential `{name}`",
                form.connector
            );
            let problem = Problem::error("CF025", pointer(&at, name), message);
            self.problems
                .push(suggest(problem, name, known.iter().copied(), "credentials"));
        }
    }

    fn webhooks(&mut self, form: &ConnectorForm) {
        let Some(webhooks) = &form.webhooks else { return };
        let is_unverified = webhooks.verify.insecure_no_verification == Some(true);
        let subscriptions = webhooks.subscriptions.as_ref();
        let makes_secrets = subscriptions.is_some_and(|subscriptions| subscriptions.secret.is_some());
        if self.declared.webhook_secrets == 0 && !is_unverified && !makes_secrets {
            let message = format!("system `{}` has no webhook secret: its pushes are refused", self.system);
            let problem = Problem::warning("CF026", pointer(self.at, "webhook_secrets"), message);
            self.problems
                .push(problem.with_hint("add `webhook_secrets = [{ env = \"…\" }]`, or let mappings poll it"));
        }
    }
}

fn is_required(setting: &SettingForm) -> bool {
    setting.default.is_none()
}

/// What a setting must be, where the value is something else.
fn wrong(kind: SettingKind, value: &Json) -> Option<&'static str> {
    let is_right = match (kind, value) {
        (SettingKind::Url, Json::String(text)) => {
            Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        }
        (SettingKind::Text, Json::String(_)) | (SettingKind::Boolean, Json::Bool(_)) => true,
        (SettingKind::Integer, Json::Number(number)) => number.is_i64() || number.is_u64(),
        _ => false,
    };
    (!is_right).then(|| expected(kind))
}

const fn expected(kind: SettingKind) -> &'static str {
    match kind {
        SettingKind::Url => "an address such as `https://erp.example.com`",
        SettingKind::Text => "a text",
        SettingKind::Integer => "a whole number",
        SettingKind::Boolean => "true or false",
    }
}

/// Adds "did you mean", or what there is.
fn suggest<'a>(problem: Problem, name: &str, names: impl Iterator<Item = &'a str> + Clone, label: &str) -> Problem {
    if let Some(near) = nearest(name, names.clone()) {
        return problem.with_hint(format!("did you mean `{near}`?"));
    }
    let names: Vec<String> = names.take(20).map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        problem.with_hint(format!("it has no {label}"))
    } else {
        problem.with_hint(format!("{label}: {}", names.join(", ")))
    }
}
