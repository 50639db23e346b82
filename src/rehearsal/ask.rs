//! What a case asks of a system, carried out.

use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json};

use super::{Misses, Stage, request, scripted};
use crate::{
    client::{BatchItem, Listing, Outcome, Road, Script, Scripted, System, WriteFault, Written},
    core::{
        connector::{
            Object,
            case::{AnswerForm, CaseForm, ChangeForm, ListForm, OutcomeForm},
            page::{Page as Turned, Pager},
        },
        fault::Fault,
        record::Record,
        status::WriteKind,
        value::{Map, Value},
    },
};

/// The idempotency key of every write of a case.
const KEY: &str = "KEY";

/// What came of what was asked.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) fault: Option<(OutcomeForm, String)>,
    pub(super) records: Vec<Record>,
    pub(super) written: Option<(String, Option<String>)>,
    pub(super) results: Vec<Result<String, String>>,
    /// Whether the listing goes on, and with which request.
    pub(super) next: Option<crate::core::connector::request::Call>,
}

impl Stage<'_> {
    pub(super) async fn play(&self, case: &CaseForm, misses: &mut Misses) {
        let asked = asked(case);
        let [only] = asked.as_slice() else {
            let hint = "one of `list`, `find`, `get`, `create`, `update`, `delete`, `batch_create`, `batch_update`, \
                        `discover`, `login`, `webhook`";
            let message = match asked.len() {
                0 => "the case asks for nothing".to_owned(),
                _ => format!("the case asks for several things: {}", asked.join(", ")),
            };
            return misses.refuse("", message, hint);
        };
        match *only {
            "webhook" => self.push(case, misses),
            "login" => self.login(case, misses).await,
            asked => {
                let Some(object) = self.object(case, misses) else {
                    return;
                };
                if asked == "discover" {
                    self.describe(case, object, misses).await;
                } else {
                    self.operation(case, object, misses).await;
                }
            }
        }
    }

    async fn operation(&self, case: &CaseForm, object: &Object, misses: &mut Misses) {
        if self.connector.database.is_some() {
            return self.statement(case, object, misses).await;
        }
        let before = case.list.as_ref().and_then(|list| list.after_answer.clone());
        let before = before.map(|body| scripted(&AnswerForm::of(body)));
        let mut answers: Vec<Scripted> = before.into_iter().collect();
        let skipped = answers.len();
        answers.extend(case.answer.as_ref().map(scripted));
        let (system, script) = match self.system(answers, None) {
            Ok(made) => made,
            Err(error) => return misses.refuse("", error.to_string(), "correct `settings:`"),
        };
        let Some(heard) = carry_out(&system, &script, case, object, skipped, misses).await else {
            return;
        };
        if let Some(expected) = &case.request {
            match script.sent().get(skipped) {
                Some(call) => request::compare("/request", "request", expected, call, system.base(), misses),
                None => misses.miss("/request", "request", Some("a request".to_owned()), told(&heard)),
            }
        }
        if case.answer.is_some() {
            super::expect::compare(case, object, heard, system.base(), misses);
        } else if let Some((_, message)) = heard.fault.filter(|_| script.sent().len() <= skipped) {
            misses.miss("", "request", Some("a request".to_owned()), Some(message));
        }
    }

    /// What is asked of a database, which answers by itself.
    async fn statement(&self, case: &CaseForm, object: &Object, misses: &mut Misses) {
        let foreign = [
            ("/request", case.request.is_some()),
            ("/answer", case.answer.is_some()),
            ("/expect/next", case.expect.next.is_some()),
        ];
        for (place, _) in foreign.into_iter().filter(|(_, is_given)| *is_given) {
            let hint = "leave it out: the rows stand under `rows:`, and the page behind a row is `list: { after: … }`";
            misses.refuse(place, "a database is asked by statements that Syncline writes", hint);
        }
        let system = match self.database().await {
            Ok(system) => system,
            Err(error) => return misses.refuse("", error.to_string(), "correct `rows:`"),
        };
        let script = Arc::new(Script::new(self.login.clone(), []));
        if let Some(heard) = carry_out(&system, &script, case, object, 0, misses).await {
            super::expect::compare(case, object, heard, system.base(), misses);
        }
    }

    async fn login(&self, case: &CaseForm, misses: &mut Misses) {
        let Some(object) = self.connector.objects.values().next() else {
            return;
        };
        let nothing = scripted(&AnswerForm::of(Json::Object(JsonMap::new())));
        let (system, script) = match self.system(vec![nothing], case.answer.as_ref().map(scripted)) {
            Ok(made) => made,
            Err(error) => return misses.refuse("", error.to_string(), "correct `settings:`"),
        };
        // Whatever is asked, signing in comes first.
        let read = system.get(&object.name, "1", Road::Manual).await;
        let logins = script.logins();
        let Some(login) = logins.first() else {
            return misses.refuse(
                "/login",
                "the connector signs in without a request of its own",
                "drop the case",
            );
        };
        if let Some(expected) = &case.request {
            request::compare("/request", "request", expected, login, system.base(), misses);
        }
        let sent = script.sent();
        let heard = Heard {
            fault: read.err().filter(|_| sent.is_empty()).map(|fault| of_fault(&fault)),
            ..Heard::default()
        };
        super::expect::outcome(case, &heard, misses);
        for (name, value) in &case.expect.headers {
            let carried = sent.first().and_then(|call| header(&call.headers, name));
            if carried != Some(value.as_str()) {
                let place = format!("/expect/headers/{name}");
                misses.miss(
                    &place,
                    &format!("header `{name}`"),
                    Some(value.clone()),
                    carried.map(str::to_owned),
                );
            }
        }
    }
}

pub(super) fn header<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    let found = headers.iter().rfind(|(sent, _)| sent.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

fn asked(case: &CaseForm) -> Vec<&'static str> {
    let all = [
        ("list", case.list.is_some()),
        ("find", case.find.is_some()),
        ("get", case.get.is_some()),
        ("create", case.create.is_some()),
        ("update", case.update.is_some()),
        ("delete", case.delete.is_some()),
        ("batch_create", case.batch_create.is_some()),
        ("batch_update", case.batch_update.is_some()),
        ("discover", case.discover.is_some()),
        ("login", case.login.is_some()),
        ("webhook", case.webhook.is_some()),
    ];
    all.into_iter()
        .filter(|(_, is_asked)| *is_asked)
        .map(|(name, _)| name)
        .collect()
}

fn told(heard: &Heard) -> Option<String> {
    heard.fault.as_ref().map(|(_, message)| message.clone())
}

pub(super) async fn carry_out(
    system: &System,
    script: &Arc<Script>,
    case: &CaseForm,
    object: &Object,
    skipped: usize,
    misses: &mut Misses,
) -> Option<Heard> {
    let name = object.name.as_str();
    let road = Road::Manual;
    if let Some(list) = &case.list {
        return listing(system, script, object, list, skipped, misses).await;
    }
    if let Some(wanted) = &case.find {
        let mut fields = wanted.iter();
        let (Some((field, value)), None) = (fields.next(), fields.next()) else {
            misses.refuse("/find", "a search is by one field", "write `find: { field: value }`");
            return None;
        };
        if !system.can_find(name, field) {
            misses.refuse(
                "/find",
                format!("`{name}` cannot be searched by `{field}`"),
                "add it to `find: fields:`",
            );
            return None;
        }
        return Some(match system.find(name, field, &Value::from(value), road).await {
            Ok(records) => Heard {
                records,
                ..Heard::default()
            },
            Err(fault) => failed(&fault),
        });
    }
    if let Some(id) = &case.get {
        return Some(match system.get(name, &text(id), road).await {
            Ok(Some(record)) => Heard {
                records: vec![record],
                ..Heard::default()
            },
            Ok(None) => Heard {
                fault: Some((OutcomeForm::Missing, "there is no such record".to_owned())),
                ..Heard::default()
            },
            Err(fault) => failed(&fault),
        });
    }
    if let Some(fields) = &case.create {
        return Some(written(system.create(name, &map(fields), KEY, road).await));
    }
    if let Some(change) = &case.update {
        let change = Item::of(change);
        return Some(written(system.update(name, change.write(), road).await));
    }
    if let Some(ChangeForm { id, version, .. }) = &case.delete {
        return Some(
            match system.delete(name, &text(id), version.as_deref(), KEY, road).await {
                Ok(()) => Heard::default(),
                Err(error) => refused(&error),
            },
        );
    }
    Some(batch(system, case, name).await)
}

async fn listing(
    system: &System,
    script: &Arc<Script>,
    object: &Object,
    form: &ListForm,
    skipped: usize,
    misses: &mut Misses,
) -> Option<Heard> {
    let Ok(since) = form.since.as_deref().map(str::parse).transpose() else {
        misses.refuse("/list/since", "this is no time", "write it as 2026-01-02T03:04:05Z");
        return None;
    };
    let resume = match &form.after {
        Some(after) => Some(behind(system, object, since.is_some(), &map(after), misses)?),
        None => None,
    };
    let wanted = Listing {
        since,
        resume,
        ..Listing::default()
    };
    let mut lister = system.list(&object.name, wanted, Road::Manual);
    let mut heard = Heard::default();
    for number in 0..=skipped {
        match lister.next().await {
            Ok(Some(page)) if number == skipped => heard.records = page.records,
            Ok(Some(_)) => {}
            Ok(None) => {
                misses.refuse(
                    "/list/after_answer",
                    "nothing follows this page",
                    "give the answer of a page that is not the last",
                );
                return None;
            }
            Err(fault) => return Some(failed(&fault)),
        }
    }
    // The request of the next page is made while this one is looked at; it has no answer.
    let _ = lister.next().await;
    heard.next = script.sent().into_iter().nth(skipped + 1);
    Some(heard)
}

/// Where a listing stands behind `last`.
fn behind(system: &System, object: &Object, is_incremental: bool, last: &Map, misses: &mut Misses) -> Option<String> {
    let list = object.listing(is_incremental)?;
    let mut pager = Pager::new(list.paging.clone(), Some(1), u32::MAX, system.base().clone());
    let page = Turned {
        rest: &Value::Null,
        headers: &Map::new(),
        url: system.base(),
        count: 1,
        last: Some(last),
        print: 1,
    };
    let turned = pager.turn(&page);
    let resume = pager.resume().filter(|_| turned.is_ok());
    if resume.is_none() {
        misses.refuse(
            "/list/after",
            "the listing does not go on by the values of a record",
            "give the page before as `after_answer:`",
        );
    }
    resume
}

/// One write of a batch.
#[derive(Default)]
struct Item {
    id: Option<String>,
    version: Option<String>,
    fields: Map,
    current: Option<Map>,
}

impl Item {
    fn of(change: &ChangeForm) -> Self {
        Self {
            id: Some(text(&change.id)),
            version: change.version.clone(),
            fields: map(&change.changes),
            current: change.current.as_ref().map(map),
        }
    }

    fn write(&self) -> BatchItem<'_> {
        BatchItem {
            id: self.id.as_deref(),
            version: self.version.as_deref(),
            fields: &self.fields,
            key: KEY,
            current: self.current.as_ref(),
        }
    }
}

async fn batch(system: &System, case: &CaseForm, name: &str) -> Heard {
    let created = case.batch_create.iter().flatten().map(|fields| Item {
        fields: map(fields),
        ..Item::default()
    });
    let changed = case.batch_update.iter().flatten().map(Item::of);
    let kind = if case.batch_create.is_some() {
        WriteKind::Create
    } else {
        WriteKind::Update
    };
    let records: Vec<Item> = created.chain(changed).collect();
    let items: Vec<BatchItem<'_>> = records.iter().map(Item::write).collect();
    let outcomes = system.write_batch(name, kind, &items, Road::Manual).await;
    let is_refused_whole = outcomes.iter().all(Result::is_err);
    let fault = match outcomes.first() {
        Some(Err(error)) if is_refused_whole => Some(of_write(error)),
        _ => None,
    };
    let results = outcomes
        .into_iter()
        .map(|outcome| outcome.map(|written| written.id).map_err(|error| error.fault.message));
    Heard {
        results: results.collect(),
        fault,
        ..Heard::default()
    }
}

pub(super) fn map(fields: &JsonMap<String, Json>) -> Map {
    fields
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value)))
        .collect()
}

/// An id as it is known: texts as they are, numbers as their digits.
pub(super) fn text(value: &Json) -> String {
    Value::from(value).to_text().unwrap_or_default()
}

fn written(outcome: Result<Written, WriteFault>) -> Heard {
    match outcome {
        Ok(written) => Heard {
            records: written.record.into_iter().collect(),
            written: Some((written.id, written.version)),
            ..Heard::default()
        },
        Err(error) => refused(&error),
    }
}

fn refused(error: &WriteFault) -> Heard {
    Heard {
        fault: Some(of_write(error)),
        ..Heard::default()
    }
}

pub(super) fn failed(fault: &Fault) -> Heard {
    Heard {
        fault: Some(of_fault(fault)),
        ..Heard::default()
    }
}

fn of_write(error: &WriteFault) -> (OutcomeForm, String) {
    let (by_code, message) = of_fault(&error.fault);
    let outcome = match error.outcome {
        Outcome::Exists => OutcomeForm::Exists,
        Outcome::Stale => OutcomeForm::Stale,
        Outcome::Missing => OutcomeForm::Missing,
        Outcome::NotWritten | Outcome::Unknown => by_code,
    };
    (outcome, message)
}

/// What a fault of the client means, in the words of `errors:`.
fn of_fault(fault: &Fault) -> (OutcomeForm, String) {
    let outcome = match fault.code {
        "RQ020" => OutcomeForm::Throttle,
        "RQ021" | "AU006" => OutcomeForm::Retry,
        "RQ022" => OutcomeForm::Exists,
        "RQ023" => OutcomeForm::Missing,
        "RQ024" => OutcomeForm::Stale,
        "AU001" => OutcomeForm::Reauthenticate,
        "AU002" | "AU004" => OutcomeForm::Denied,
        "RQ025" => OutcomeForm::Redirect,
        "RQ026" => OutcomeForm::Reject,
        "RQ008" => OutcomeForm::Page,
        _ => OutcomeForm::Unreadable,
    };
    (outcome, fault.message.clone())
}
