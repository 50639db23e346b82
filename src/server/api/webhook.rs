//! Webhooks: what whoever sends them to us keeps to, and what those get that we send to. Made of the definitions that the daemon
//! works by, so that it cannot say anything else.

use std::fmt::Write as _;

use axum::{
    Json,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    core::status::NoticeCondition,
    server::{
        error::{Problem, Result},
        extract::{State, Within},
        state::App,
        webhook::Hook,
    },
    settings::{self, Settings},
};

/// One thing that is agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Fact {
    /// What it is about.
    pub what: String,
    /// What is so.
    pub says: String,
}

/// What two sides of a webhook keep to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Webhook")]
pub struct Contract {
    /// The system that sends, or the target that is sent to.
    pub name: String,
    /// `incoming` or `outgoing`.
    pub direction: &'static str,
    /// Where it is sent to.
    pub address: String,
    /// What proves who sends.
    pub signature: Vec<Fact>,
    /// Which events there are.
    pub events: Vec<Fact>,
    /// What they carry.
    pub fields: Vec<Fact>,
    /// What is answered, when it is sent again, and how one is known that comes twice.
    pub delivery: Vec<Fact>,
    /// How a secret is replaced.
    pub rotation: Vec<Fact>,
}

/// `GET /webhooks`
pub(in crate::server) async fn list(State(app): State<App>) -> Json<Vec<Contract>> {
    Json(contracts(&app))
}

/// `GET /webhooks/incoming/{system}`
pub(in crate::server) async fn incoming(
    State(app): State<App>,
    Within(system): Within<String>,
) -> Result<Json<Contract>> {
    let hook = app.hook(&system).filter(|_| app.sees_system(&system));
    let contract = hook.map(|hook| Json(from(&app, &system, hook)));
    contract.ok_or_else(|| Problem::not_found(format!("no system `{system}` sends webhooks here")))
}

/// `GET /webhooks/incoming/{system}/markdown`
pub(in crate::server) async fn incoming_text(app: State<App>, system: Within<String>) -> Result<Response> {
    let Json(contract) = incoming(app, system).await?;
    Ok(text(&contract.name, std::slice::from_ref(&contract)))
}

/// `GET /webhooks/outgoing/{target}`
pub(in crate::server) async fn outgoing(
    State(app): State<App>,
    Within(target): Within<String>,
) -> Result<Json<Contract>> {
    let settings = app.settings();
    let found = settings.notify.webhooks.get(&target);
    let contract = found.map(|found| Json(to(settings, &target, found)));
    contract.ok_or_else(|| Problem::not_found(format!("no webhook is sent to a target `{target}`")))
}

/// `GET /webhooks/outgoing/{target}/markdown`
pub(in crate::server) async fn outgoing_text(app: State<App>, target: Within<String>) -> Result<Response> {
    let Json(contract) = outgoing(app, target).await?;
    Ok(text(&contract.name, std::slice::from_ref(&contract)))
}

/// A file to hand over.
pub(in crate::server) fn text(name: &str, contracts: &[Contract]) -> Response {
    let kind = HeaderValue::from_static("text/markdown; charset=utf-8");
    // Names are letters, digits and a few signs: what does not fit a header has no name.
    let file = HeaderValue::from_str(&format!("attachment; filename=\"webhook-{name}.md\""));
    let file = file.unwrap_or_else(|_| HeaderValue::from_static("attachment"));
    let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, file)];
    (headers, markdown(contracts)).into_response()
}

/// Every webhook that comes in or goes out. Those that go out tell of everything, so that they are the whole house's.
pub(in crate::server) fn contracts(app: &App) -> Vec<Contract> {
    let settings = app.settings();
    let incoming = app.hooks().map(|(name, hook)| from(app, name, hook));
    let outgoing = settings.notify.webhooks.iter().filter(|_| app.is_house());
    incoming
        .chain(outgoing.map(|(name, target)| to(settings, name, target)))
        .collect()
}

fn fact(what: impl Into<String>, says: impl Into<String>) -> Fact {
    Fact {
        what: what.into(),
        says: says.into(),
    }
}

fn from(app: &App, name: &str, hook: &Hook) -> Contract {
    let (definition, server) = (hook.definition(), &app.settings().server);
    let fields = if definition.is_complete() {
        "the whole record, with its version: nothing has to be read again"
    } else {
        "what has changed: the record itself is read from its system"
    };
    let told = definition.recipe().told().into_iter();
    Contract {
        name: name.to_owned(),
        direction: "incoming",
        address: app.public_address(&format!("/webhooks/{name}")),
        signature: told.map(|(what, says)| fact(what, says)).collect(),
        events: events(hook),
        fields: vec![
            fact("carries", fields),
            fact("body", format!("at most {} bytes", server.webhook_body_bytes_max)),
        ],
        delivery: delivery(app, hook),
        rotation: rotation(app.settings(), name, hook),
    }
}

fn events(hook: &Hook) -> Vec<Fact> {
    let definition = hook.definition();
    let objects = definition.objects().iter();
    let kinds = definition.kinds().iter();
    let asked = hook.objects();
    let asked = if asked.is_empty() {
        "nothing yet: no mapping has an object of this system".to_owned()
    } else {
        asked.join(", ")
    };
    objects
        .map(|(word, object)| fact(format!("object `{word}`"), object))
        .chain(kinds.map(|(word, kind)| fact(format!("kind `{word}`"), kind.as_str())))
        .chain([fact("asked for", asked)])
        .collect()
}

fn delivery(app: &App, hook: &Hook) -> Vec<Fact> {
    let definition = hook.definition();
    let answer = definition.answer();
    let twice = if definition.has_event_ids() {
        "an event of the same id is taken once, for as long as `retention.events`"
    } else {
        "events have no id: one that comes twice leads to one more look, which changes nothing"
    };
    vec![
        fact(
            "taken",
            format!("{}: every event is stored durably before", answer.accepted),
        ),
        fact("not signed well", format!("{}: it is not looked at", answer.rejected)),
        fact(
            "send again",
            format!(
                "after any other answer, {} with `Retry-After` among them; order does not matter",
                answer.busy
            ),
        ),
        fact(
            "time-out",
            format!("the body has {} to arrive", app.settings().server.body_timeout),
        ),
        fact("twice", twice),
    ]
}

fn rotation(settings: &Settings, name: &str, hook: &Hook) -> Vec<Fact> {
    let system = settings.systems.get(name);
    let secrets = system.map_or(0, |system| system.webhook_secrets.len());
    let owner = system.and_then(|system| system.secret_owner.as_deref());
    let steps = format!(
        "add the new one to `systems.{name}.webhook_secrets`, give the old one a `not_after`, change the sender, take the old one out"
    );
    let accepted = if hook.has_made_secrets() {
        format!("the secret that the system made for the subscription, and {secrets} secret(s) of the settings")
    } else {
        format!("{secrets} secret(s): any of them may have signed")
    };
    vec![
        fact("accepted now", accepted),
        fact("replace one", steps),
        fact("ask", owner.unwrap_or("nobody is named: `secret_owner`")),
    ]
}

fn to(settings: &Settings, name: &str, target: &settings::Webhook) -> Contract {
    let conditions = NoticeCondition::ALL.iter();
    let events = conditions.map(|condition| {
        fact(
            format!("`{condition}.raised`, `{condition}.well`"),
            condition.as_str().replace('_', " "),
        )
    });
    let chosen = if target.events.is_empty() {
        "all of them".to_owned()
    } else {
        let filters: Vec<String> = target.events.iter().map(|filter| format!("`{filter}`")).collect();
        filters.join(", ")
    };
    Contract {
        name: name.to_owned(),
        direction: "outgoing",
        address: format!("`notify.webhooks.{name}.url` of the settings"),
        signature: vec![
            fact(
                "scheme",
                "Standard Webhooks: HMAC-SHA256 over `webhook-id`, `webhook-timestamp` and the body, with dots between them",
            ),
            fact(
                "header",
                "`webhook-signature`: entries `v1,base64` with spaces between them, one for each secret that is valid",
            ),
            fact(
                "time",
                "`webhook-timestamp`, in seconds since 1970: refuse what is older than five minutes",
            ),
        ],
        events: events.chain([fact("this target gets", chosen)]).collect(),
        fields: vec![
            fact(
                "body",
                "JSON by `schemas/notice.schema.json`: `schemaVersion`, `eventId`, `type`, `occurredAt`, `severity`, `environment`, `title`, `summary`, `next`",
            ),
            fact("never", "a value of a record"),
        ],
        delivery: vec![
            fact("taken", "any 2xx; a redirect is none"),
            fact(
                "send again",
                format!(
                    "with growing waits from seconds to hours, for {}; `Retry-After` is kept to; 410 gives this one up",
                    settings.notify.retry_for
                ),
            ),
            fact("time-out", settings.notify.timeout.to_string()),
            fact(
                "twice",
                "at least once: `eventId` and `webhook-id` stay the same, so keep those you have seen",
            ),
        ],
        rotation: vec![
            fact("signed with now", format!("{} secret(s)", target.secrets.len())),
            fact(
                "replace one",
                format!(
                    "put the new one first in `notify.webhooks.{name}.secrets`, give the old one a `not_after`, give the receiver the new one, take the old one out"
                ),
            ),
        ],
    }
}

impl Contract {
    /// Where the console shows it.
    pub fn page(&self) -> String {
        format!("/console/webhooks/{}/{}", self.direction, self.name)
    }

    /// The parts, with a word for each.
    pub fn parts(&self) -> [(&'static str, &[Fact]); 5] {
        [
            ("signature", &self.signature),
            ("events", &self.events),
            ("fields", &self.fields),
            ("delivery", &self.delivery),
            ("rotation", &self.rotation),
        ]
    }
}

/// The contracts as a document to hand over.
fn markdown(contracts: &[Contract]) -> String {
    let mut text = String::from("# Webhooks\n");
    for contract in contracts {
        // Writing to a text does not fail.
        let _ = write!(
            text,
            "\n## {} ({})\n\n{}\n",
            contract.name, contract.direction, contract.address
        );
        for (part, facts) in contract.parts() {
            let _ = write!(text, "\n### {part}\n\n| | |\n|---|---|\n");
            for fact in facts {
                let cell = |text: &str| text.replace('|', "\\|").replace(['\n', '\r'], " ");
                let _ = writeln!(text, "| {} | {} |", cell(&fact.what), cell(&fact.says));
            }
        }
    }
    text
}
