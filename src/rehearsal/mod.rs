//! The cases beside connectors, played through the real client with answers that were written down beforehand.
//!
//! What a case shows is what happens: the request is the one that the client would send, and the answer goes through the
//! connector's rules, paths and types as any other. Only the network is missing.

mod ask;
mod describe;
mod expect;
mod observe;
mod push;
pub mod record;
mod request;

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde_json::{Map as JsonMap, Value as Json};

pub use self::describe::described;
use crate::{
    catalog::{
        case::{Difference, Report},
        load::{self, Catalog},
    },
    client::{Config, ConfigError, NoTokens, OwnQuota, Script, Scripted, System, guard::Policy},
    clock::Clock,
    core::{
        connector::{
            Connector, Limits, Object,
            auth::Auth,
            case::{AnswerForm, CaseForm, CasesForm},
            form::LimitsForm,
        },
        problem::{Problem, Problems, nearest, pointer},
        value::{Value, json},
    },
};

/// Plays the cases of one connector, or of every connector that has any. Of a connector that is wrong none can be played: only
/// what is wrong with how its cases are written is told.
pub async fn run(catalog: &Catalog, only: Option<&str>) -> Vec<(String, Report)> {
    let chosen = catalog
        .connector_cases()
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| only == load::definition_of(name)));
    let mut reports = Vec::new();
    for (name, cases) in chosen {
        let report = if let Some(connector) = catalog.connector_of_cases(name) {
            play(&cases.file, &cases.bytes, connector).await
        } else {
            let mut report = Report::new(&cases.file);
            let _ = report.open::<CasesForm>(&cases.bytes);
            report
        };
        reports.push((name.clone(), report));
    }
    reports
}

/// Plays the cases that `bytes`, read from `file`, hold against `connector`.
pub async fn play(file: &str, bytes: &[u8], connector: &Arc<Connector>) -> Report {
    let mut report = Report::new(file);
    let Some((tree, form)) = report.open::<CasesForm>(bytes) else {
        return report;
    };
    let stage = Stage::new(connector, &form);
    let tried = if connector.database.is_some() {
        stage.database().await.map(drop)
    } else {
        stage.system(Vec::new(), None).map(drop)
    };
    if let Err(error) = tried {
        let mut problems = Problems::new();
        let (place, hint) = if connector.database.is_some() {
            ("/rows", "give the rows by object, each column as the database has it")
        } else {
            ("/settings", "give the settings that have no default")
        };
        let problem = Problem::error("TS006", place, format!("no system can be made of it: {error}"));
        problems.push(problem.with_hint(hint));
        report.refuse(&tree, problems);
        return report;
    }
    for (index, case) in form.cases.iter().enumerate() {
        let mut misses = Misses::new(pointer("/cases", index));
        stage.play(case, &mut misses).await;
        report.add(&tree, &case.name, misses.problems, misses.differences);
    }
    report
}

/// What came otherwise than expected in one case.
struct Misses {
    at: String,
    problems: Problems,
    differences: Vec<Difference>,
}

impl Misses {
    fn new(at: String) -> Self {
        Self {
            at,
            problems: Problems::new(),
            differences: Vec::new(),
        }
    }

    /// The case cannot be played.
    fn refuse(&mut self, place: &str, message: impl Into<String>, hint: impl Into<String>) {
        let problem = Problem::error("TS006", format!("{}{place}", self.at), message);
        self.problems.push(problem.with_hint(hint));
    }

    /// Something else came than the case expects.
    fn miss(&mut self, place: &str, what: &str, expected: Option<String>, found: Option<String>) {
        let told = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".to_owned());
        let message = format!("{what}: expected {}, found {}", told(&expected), told(&found));
        self.problems
            .push(Problem::error("TS005", format!("{}{place}", self.at), message));
        self.differences.push(Difference {
            what: what.to_owned(),
            expected,
            found,
        });
    }
}

/// One connector and what its cases have in common.
struct Stage<'a> {
    connector: &'a Arc<Connector>,
    form: &'a CasesForm,
    login: Scripted,
}

impl<'a> Stage<'a> {
    fn new(connector: &'a Arc<Connector>, form: &'a CasesForm) -> Self {
        let told = form.cases.iter().find(|case| case.login.is_some());
        let login = told.and_then(|case| case.answer.as_ref()).map(scripted);
        Self {
            connector,
            form,
            login: login.unwrap_or_else(token),
        }
    }

    /// The system that a case talks to, and the script it follows.
    fn system(&self, answers: Vec<Scripted>, login: Option<Scripted>) -> Result<(System, Arc<Script>), ConfigError> {
        let script = Arc::new(Script::new(login.unwrap_or_else(|| self.login.clone()), answers));
        Ok((System::scripted(self.config(), Arc::clone(&script))?, script))
    }

    /// The database that a case talks to, with the rows of the file in it.
    async fn database(&self) -> Result<System, ConfigError> {
        let plain = |row: &JsonMap<String, Json>| ask::map(row);
        let rows = self.form.rows.iter();
        let rows = rows.map(|(object, rows)| (object.clone(), rows.iter().map(plain).collect()));
        System::with_rows(self.config(), &rows.collect()).await
    }

    fn config(&self) -> Config {
        let clock = Clock::manual(moment());
        let mut credentials: BTreeMap<String, _> = self.made_up();
        for (name, secret) in &self.form.credentials {
            credentials.insert(name.clone(), secret.as_str().into());
        }
        let settings = self.form.settings.iter();
        Config {
            name: self.connector.name.clone(),
            connector: Arc::clone(self.connector),
            settings: settings
                .map(|(name, value)| (name.clone(), Value::from(value)))
                .collect(),
            credentials,
            // What is tried again by itself would need an answer for every attempt.
            defaults: Limits {
                attempts_max: 1,
                ..Limits::default()
            },
            limits: LimitsForm::default(),
            unwanted_parts: std::collections::BTreeSet::new(),
            network: Policy::default(),
            tokens: Arc::new(NoTokens),
            quota: Arc::new(OwnQuota::new(clock.clone())),
            clock,
        }
    }

    /// Credentials that stand for those that the cases do not care about.
    fn made_up(&self) -> BTreeMap<String, secrecy::SecretString> {
        let mut names: Vec<&str> = self.connector.credentials.iter().map(String::as_str).collect();
        if matches!(self.connector.auth, Auth::OAuth2(_)) {
            names.extend(["client_id", "client_secret", "refresh_token"]);
        }
        let made_up = |name: &str| (name.to_owned(), format!("test-{name}").into());
        names.into_iter().map(made_up).collect()
    }

    /// The object that a case is about.
    fn object(&self, case: &CaseForm, misses: &mut Misses) -> Option<&'a Object> {
        let objects = &self.connector.objects;
        let Some(name) = &case.object else {
            let mut all = objects.values();
            let only = all.next().filter(|_| all.next().is_none());
            if only.is_none() {
                misses.refuse("", "the case does not say which object it is about", "add `object:`");
            }
            return only;
        };
        let found = objects.get(name);
        if found.is_none() {
            let hint = match nearest(name, objects.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the objects are {}", list(objects.keys())),
            };
            misses.refuse("/object", format!("the connector has no object `{name}`"), hint);
        }
        found
    }
}

fn list<'n>(names: impl Iterator<Item = &'n String>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The clock of cases that say nothing about it.
fn moment() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default()
}

/// An answer that any token request takes.
fn token() -> Scripted {
    Scripted {
        status: 200,
        headers: Vec::new(),
        body: br#"{"access_token":"test-token","token_type":"Bearer","expires_in":3600}"#.to_vec(),
    }
}

fn scripted(form: &AnswerForm) -> Scripted {
    let mut headers: Vec<(String, String)> = form
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let is_typed = form
        .headers
        .keys()
        .any(|name| name.eq_ignore_ascii_case("content-type"));
    if form.text.is_none() && form.body.is_some() && !is_typed {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    Scripted {
        status: form.status,
        headers,
        body: content(form.text.as_deref(), form.body.as_ref())
            .unwrap_or_default()
            .into_bytes(),
    }
}

/// A body as it goes over the wire: its exact text, or JSON.
fn content(text: Option<&str>, body: Option<&Json>) -> Option<String> {
    let json = || body.map(|body| json::to_string(&Value::from(body)));
    text.map(str::to_owned).or_else(json)
}
