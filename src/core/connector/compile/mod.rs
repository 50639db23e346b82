//! From what a person wrote ([`super::form`]) to a connector that can only be used. Goes on after an error, so that all
//! are shown at once.

mod auth;
mod database;
mod discover;
mod object;
mod part;
mod request;
mod subscription;
mod types;

use std::sync::Arc;

use serde_json::Value as Json;

use super::{
    Connector, Setting,
    answer::Rule,
    database::Engine,
    form::{ConnectorForm, ErrorMeaning, LimitsForm, SettingForm, SettingKind},
    format::Format,
    request::parse_base,
};
use crate::core::{
    expr::{Error, Names, Structure, Template},
    path::Path,
    problem::{Problem, Problems, nearest, pointer},
    value::{Value, kind::Kind, xml::Namespaces},
    webhook::event,
};

/// The longest name of a connector, object or setting.
const NAME_CHARS_MAX: usize = 64;

impl Connector {
    /// Checks a connector. Everything that is wrong is added to `problems`; `None` where any of it is an error.
    #[must_use]
    pub fn compile(form: &ConnectorForm, problems: &mut Problems) -> Option<Self> {
        let mut own = Problems::new();
        let compiled = Compiler::new(form, &mut own).connector(form);
        let is_usable = !own.has_errors();
        for problem in own.into_vec() {
            problems.push(problem);
        }
        is_usable.then_some(compiled)
    }
}

/// One pass over one form.
struct Compiler<'a> {
    problems: &'a mut Problems,
    settings: Vec<&'a str>,
    credentials: Vec<&'a str>,
    namespaces: Arc<Namespaces>,
    delimiter: u8,
    /// What bodies are in where a request does not say otherwise.
    format: Format,
    /// The database that it is, in place of something that answers requests.
    engine: Option<Engine>,
    /// What stands behind the objects of a database.
    tables: database::Tables,
}

impl<'a> Compiler<'a> {
    fn new(form: &'a ConnectorForm, problems: &'a mut Problems) -> Self {
        Self {
            problems,
            settings: form.settings.keys().map(String::as_str).collect(),
            credentials: form.known_credentials(),
            namespaces: Arc::default(),
            delimiter: b',',
            format: Format::Json,
            engine: form.database,
            tables: database::Tables::new(),
        }
    }

    fn connector(&mut self, form: &'a ConnectorForm) -> Connector {
        self.name(&form.connector, "/connector", "connector");
        self.check_database(form);
        self.formats(form);
        let base_url = self.template(&form.base_url, "/base_url", &["settings"]);
        if form.database.is_none() {
            self.check_base(&base_url, &form.base_url);
        }
        if form.objects.is_empty() {
            self.error("CN013", "/objects", "a connector needs at least one object", "");
        }
        let types = self.types(&Self::types_form(form));
        let connector = Connector {
            name: form.connector.clone(),
            title: form.title.clone(),
            settings: form
                .settings
                .iter()
                .map(|(name, setting)| (name.clone(), self.setting(name, setting)))
                .collect(),
            credentials: form.needed_credentials().into_iter().map(ToOwned::to_owned).collect(),
            base_url,
            headers: self.headers(&form.headers, "/headers", &["settings"]),
            auth: self.auth(&form.auth),
            client_certificate: form
                .auth
                .client_certificate
                .as_ref()
                .map(|certificate| self.client_certificate(certificate)),
            limits: self.limits(&form.limits),
            rules: self.rules(form),
            types,
            objects: form
                .objects
                .iter()
                .map(|(name, object)| (name.clone(), self.object(name, object)))
                .collect(),
            database: self.database(form.database),
            discover: self.discover(form),
            subscriptions: form.webhooks.as_ref().and_then(|webhooks| {
                let objects: Vec<&str> = form.objects.keys().map(String::as_str).collect();
                let subscriptions = webhooks.subscriptions.as_ref()?;
                Some(self.subscriptions(subscriptions, &objects))
            }),
            webhooks: form.webhooks.as_ref().and_then(|webhooks| {
                let objects = form.objects.keys().map(String::as_str).collect();
                event::Definition::compile(webhooks, "/webhooks", &objects, self.problems).map(Arc::new)
            }),
        };
        self.check_parts(form, &connector);
        connector
    }

    fn check_base(&mut self, base: &Template, written: &str) {
        if base.is_literal() && parse_base(written).is_err() {
            self.error(
                "CN026",
                "/base_url",
                "`base_url` is not an absolute http(s) address without user, query and fragment",
                "write `base_url: \"{{ settings.base_url }}/api\"` and let config/ name the host",
            );
        }
    }

    fn setting(&mut self, name: &str, form: &SettingForm) -> Setting {
        let place = pointer("/settings", name);
        self.name(name, &place, "setting");
        let default = form.default.as_ref().map(|default| {
            let value = Value::from(default);
            if !fits_setting(form.kind, &value) {
                self.error(
                    "CN012",
                    &pointer(&place, "default"),
                    &format!("the default of setting `{name}` is a {}", value.type_name()),
                    "give a default of the setting's own `type`",
                );
            }
            value
        });
        Setting {
            kind: form.kind,
            default,
            title: form.title.clone(),
        }
    }

    fn limits(&mut self, form: &LimitsForm) -> LimitsForm {
        let zeros = [
            ("concurrency", form.concurrency == Some(0)),
            ("burst", form.burst == Some(0)),
            ("daily", form.daily == Some(0)),
            ("body_bytes_max", form.body_bytes_max == Some(0)),
            ("pages_max", form.pages_max == Some(0)),
        ];
        for (key, _) in zeros.into_iter().filter(|(_, is_zero)| *is_zero) {
            let place = pointer("/limits", key);
            self.error(
                "CN019",
                &place,
                &format!("`{key}` is 0, so nothing could ever be sent"),
                "leave it out for the default",
            );
        }
        for (key, without) in [
            ("burst", form.rate.is_none() && form.burst.is_some()),
            ("reserve", form.daily.is_none() && form.reserve.is_some()),
        ] {
            if without {
                let needed = if key == "burst" { "rate" } else { "daily" };
                let place = pointer("/limits", key);
                self.error(
                    "CN019",
                    &place,
                    &format!("`{key}` says nothing without `{needed}`"),
                    &format!("add `{needed}:` or leave `{key}` out"),
                );
            }
        }
        form.clone()
    }

    fn rules(&mut self, form: &ConnectorForm) -> Vec<Rule> {
        const NAMES: [&str; 5] = ["status", "headers", "body", "operation", "settings"];
        let mut rules = Vec::with_capacity(form.errors.len());
        for (index, rule) in form.errors.iter().enumerate() {
            let place = pointer("/errors", index);
            let when = self.condition(&rule.when, &pointer(&place, "when"), &NAMES);
            let message = rule.message.as_ref();
            rules.push(Rule {
                when,
                then: rule.then,
                message: message.map(|text| self.template(text, &pointer(&place, "message"), &NAMES)),
            });
        }
        // Both say no in a 200: without a rule that knows better, what they say so by is never taken for an answer.
        let spoken = match (&self.format, is_graphql(form)) {
            (Format::XmlRpc, _) => Some(("body.fault.faultCode is defined", "body.fault.faultString")),
            (_, true) => Some(("body.errors is defined and body.errors", "body.errors[0].message")),
            (_, false) => None,
        };
        if let Some((when, message)) = spoken {
            rules.push(Rule {
                when: self.condition(&format!("{{{{ {when} }}}}"), "/errors", &NAMES),
                then: ErrorMeaning::Reject,
                message: Some(self.template(&format!("{{{{ {message} }}}}"), "/errors", &NAMES)),
            });
        }
        if form.database.is_some() {
            // What passes by itself (a deadlock, say) was rolled back.
            rules.push(Rule {
                when: self.condition("{{ body.passes }}", "/errors", &NAMES),
                then: ErrorMeaning::Retry,
                message: None,
            });
        }
        rules
    }

    /// A name that can be used in files, addresses and tables.
    fn name(&mut self, name: &str, place: &str, what: &str) {
        let is_good = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && name.chars().count() <= NAME_CHARS_MAX;
        if !is_good {
            self.error(
                "CN018",
                place,
                &format!(
                    "`{}` is no name for a {what}",
                    name.chars().take(NAME_CHARS_MAX).collect::<String>()
                ),
                "begin with a letter and use letters, digits, `-`, `_` and `.`, at most 64 of them",
            );
        }
    }

    /// A template of a request or an answer; a broken one becomes an empty one, beside its problem.
    fn template(&mut self, text: &str, place: &str, names: &[&str]) -> Template {
        match Template::parse(text, &Names::new(names.iter().copied())) {
            Ok(template) => {
                self.check_members(&|root| template.paths_of(root), place);
                template
            }
            Err(error) => {
                self.expression_error(place, error);
                Template::literal(Value::Null)
            }
        }
    }

    /// A template that has to be one expression, since a text is never true.
    fn condition(&mut self, text: &str, place: &str, names: &[&str]) -> Template {
        let template = self.template(text, place, names);
        let trimmed = text.trim();
        if template.is_literal() || !(trimmed.starts_with("{{") && trimmed.ends_with("}}")) {
            self.error(
                "CN001",
                place,
                &format!("`{text}` is no condition"),
                "write one expression: `\"{{ … }}\"`",
            );
        }
        template
    }

    fn structure(&mut self, form: &Json, place: &str, names: &[&str]) -> Structure {
        let mut errors = Vec::new();
        let structure = Structure::parse(form, &Names::new(names.iter().copied()), place, &mut |place, error| {
            errors.push((place, error));
        });
        for (place, error) in errors {
            self.expression_error(&place, error);
        }
        self.check_texts(form, place, names);
        structure
    }

    /// Checks the members of `settings` and `credentials` in every text of a structure.
    fn check_texts(&mut self, form: &Json, place: &str, names: &[&str]) {
        match form {
            Json::String(text) => {
                if let Ok(template) = Template::parse(text, &Names::new(names.iter().copied())) {
                    self.check_members(&|root| template.paths_of(root), place);
                }
            }
            Json::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.check_texts(item, &pointer(place, index), names);
                }
            }
            Json::Object(members) => {
                for (key, member) in members {
                    self.check_texts(member, &pointer(place, key), names);
                }
            }
            _ => {}
        }
    }

    fn check_members(&mut self, paths_of: &dyn Fn(&str) -> Vec<Path>, place: &str) {
        for (root, known, key) in [
            ("settings", self.settings.clone(), "settings"),
            ("credentials", self.credentials.clone(), "credentials"),
        ] {
            for path in paths_of(root) {
                let Some(member) = path.root().filter(|member| !known.contains(member)) else {
                    continue;
                };
                let hint = match nearest(member, known.iter().copied()) {
                    Some(near) => format!("did you mean `{root}.{near}`?"),
                    None => format!("declare `{member}` under `{key}:`"),
                };
                self.error("CN024", place, &format!("`{root}.{member}` is not declared"), &hint);
            }
        }
    }

    fn expression_error(&mut self, place: &str, error: Error) {
        let mut problem = Problem::error("CN001", place, error.message).with_range(error.range);
        problem.hint = error.hint;
        self.problems.push(problem);
    }

    fn path(&mut self, text: &str, place: &str) -> Path {
        Path::parse(text).unwrap_or_else(|error| {
            let offset = error.offset();
            let problem = Problem::error("CN002", place, error.to_string())
                .with_range(offset..offset)
                .with_hint("a path looks like `meta.next` or `lines[0].sku`; `$` is the whole answer");
            self.problems.push(problem);
            Path::default()
        })
    }

    /// An optional path of an answer; without one, the whole answer.
    fn path_or_whole(&mut self, text: Option<&String>, place: &str) -> Path {
        text.map(|text| self.path(text, place)).unwrap_or_default()
    }

    /// Paths separated by commas.
    fn paths(&mut self, text: &str, place: &str) -> Vec<Path> {
        text.split(',').map(|one| self.path(one.trim(), place)).collect()
    }

    fn kind(&mut self, text: &str, place: &str) -> Kind {
        text.parse().unwrap_or_else(|_| {
            let name = text.split('(').next().unwrap_or(text);
            let hint = match nearest(name, Kind::NAMES) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", Kind::NAMES.join(", ")),
            };
            self.error("CN008", place, &format!("`{text}` is no kind of value"), &hint);
            Kind::Any
        })
    }

    /// An error; an empty hint is none.
    fn error(&mut self, code: &'static str, place: &str, message: &str, hint: &str) {
        let problem = Problem::error(code, place, message);
        self.problems.push(if hint.is_empty() {
            problem
        } else {
            problem.with_hint(hint)
        });
    }
}

/// Whether requests are made in GraphQL: a `query` stands in a body that begins as the language does.
fn is_graphql(form: &ConnectorForm) -> bool {
    fn has_query(json: &Json) -> bool {
        match json {
            Json::Object(members) => members.iter().any(|(name, value)| {
                let text = value.as_str().unwrap_or_default().trim_start();
                let is_query = name == "query"
                    && ["query", "mutation", "{ ", "{\n"]
                        .iter()
                        .any(|begin| text.starts_with(begin));
                is_query || has_query(value)
            }),
            Json::Array(elements) => elements.iter().any(has_query),
            _ => false,
        }
    }
    serde_json::to_value(&form.objects).is_ok_and(|objects| has_query(&objects))
}

/// Whether a value is one that a setting of this kind can have.
pub(super) fn fits_setting(kind: SettingKind, value: &Value) -> bool {
    match kind {
        SettingKind::Url => value.as_str().is_some_and(|text| parse_base(text).is_ok()),
        SettingKind::Text => value.as_str().is_some(),
        SettingKind::Integer => value.as_int().is_some(),
        SettingKind::Boolean => value.as_bool().is_some(),
    }
}
