//! One call to its end: admitted by the budget, signed, sent, judged, and repeated where that can do no harm.

use std::{sync::Arc, time::Duration};

use reqwest::header::RETRY_AFTER;
use url::Url;

use super::{
    auth::Authenticator,
    budget::{Budget, Hold, Road},
    meter, redact,
    system::Outcome,
    transport::{Raw, SendError, Transport},
};
use crate::{
    clock::Clock,
    core::{
        connector::{
            Connector,
            answer::{Answer, Content, Meaning, Purpose, Verdict},
            request::Call,
        },
        fault::Fault,
        path::Path,
        retry,
        status::{FailureClass, Stage},
        value::{Map, Value, json},
    },
};

/// How often one call is sent at most.
const ATTEMPTS_MAX: u32 = 4;
/// The first wait between two attempts.
const BACKOFF_BASE: Duration = Duration::from_millis(200);
/// The longest wait between two attempts that the other side did not ask for.
const BACKOFF_CAP: Duration = Duration::from_secs(10);
/// The rest given to a system that has too much to do and does not say for how long.
const PAUSE: Duration = Duration::from_secs(2);

/// What all calls of one system share.
pub(super) struct Exchange {
    pub(super) name: String,
    pub(super) connector: Arc<Connector>,
    /// The address that paths are appended to.
    pub(super) base: Url,
    pub(super) settings: Arc<Value>,
    pub(super) transport: Transport,
    pub(super) budget: Arc<Budget>,
    pub(super) auth: Authenticator,
    pub(super) clock: Clock,
}

/// What a call is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Errand<'a> {
    pub(super) purpose: Purpose,
    pub(super) object: &'a str,
    pub(super) road: Road,
    /// Where a list of records is that must not be built as a tree.
    pub(super) records: Option<&'a Path>,
}

/// An answer that is what was asked for.
pub(super) struct Reply {
    pub(super) raw: Raw,
    pub(super) headers: Map,
    /// The body, without the list of records where the errand names one.
    pub(super) body: Value,
    /// Where it was read from.
    pub(super) url: Url,
}

/// Why a call came to nothing.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) fault: Fault,
    pub(super) outcome: Outcome,
}

/// What follows from one attempt.
enum Next {
    Done(Box<Reply>),
    /// Sent again after this wait, if attempts are left.
    Again(Duration, Refused),
    /// The token was refused: sign in and send again, once.
    SignIn(Refused),
    Refused(Refused),
}

impl Exchange {
    /// Carries out one call.
    pub(super) async fn call(&self, errand: Errand<'_>, call: Call) -> Result<Reply, Refused> {
        self.budget.earn_retries();
        let mut has_signed_in = false;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let refused = match self.attempt(errand, &call, attempt).await {
                Next::Done(reply) => return Ok(*reply),
                Next::Refused(refused) => return Err(refused),
                Next::SignIn(refused) if has_signed_in => return Err(refused),
                Next::SignIn(_) => {
                    has_signed_in = true;
                    self.auth.renew(self, errand.road).await?;
                    continue;
                }
                Next::Again(wait, refused) => {
                    if attempt >= ATTEMPTS_MAX || wait > errand.road.patience() || !self.budget.may_retry() {
                        return Err(refused);
                    }
                    tokio::time::sleep(wait).await;
                    refused
                }
            };
            tracing::debug!(system = self.name, fault = %refused.fault, attempt, "trying again");
        }
    }

    async fn attempt(&self, errand: Errand<'_>, call: &Call, attempt: u32) -> Next {
        let mut signed = call.clone();
        if errand.purpose != Purpose::Login
            && let Err(refused) = self.auth.sign(self, &mut signed, errand.road).await
        {
            return Next::Refused(refused);
        }
        let permit = match self.budget.admit(errand.road).await {
            Ok(permit) => permit,
            Err(hold) => return Next::Refused(self.held(errand, hold)),
        };
        meter::count_request();
        let sent = self.transport.send(&signed).await;
        let backoff = retry::delay(attempt, BACKOFF_BASE, BACKOFF_CAP, rand::random());
        let raw = match sent {
            Ok(raw) => raw,
            Err(error) => {
                permit.dead();
                return self.unanswered(errand, call, &error, backoff);
            }
        };
        meter::count_bytes(raw.body.len());
        self.budget
            .count_bytes(call.body.as_ref().map_or(0, Vec::len), raw.body.len());
        let headers = headers(&raw);
        let (body, is_html) = match body(&raw, errand.records) {
            Ok(read) => read,
            Err(error) => {
                permit.alive();
                return self.unreadable(errand, call, &raw, &error, backoff);
            }
        };
        let answer = Answer {
            purpose: errand.purpose,
            status: raw.status,
            headers: &headers,
            body: &body,
            is_html,
        };
        let verdict = self.connector.judge(&answer, &self.settings);
        let asked = raw
            .header(&RETRY_AFTER)
            .and_then(|text| retry::parse_retry_after(&text, self.clock.now()));
        match verdict.meaning {
            Meaning::Throttle => permit.throttled(),
            Meaning::Retry if raw.status >= 500 => permit.dead(),
            _ => permit.alive(),
        }
        if verdict.meaning == Meaning::Ok && is_html {
            return self.page_for_people(errand, &raw);
        }
        if verdict.meaning == Meaning::Ok {
            return Next::Done(Box::new(Reply {
                url: signed.url,
                raw,
                headers,
                body,
            }));
        }
        self.refused(
            errand,
            call,
            &raw,
            &verdict,
            is_html,
            asked.map_or(backoff, |asked| asked.max(backoff)),
        )
    }

    /// A login page or a proxy answers 200: never taken for "no such record", nor for a write that went through.
    fn page_for_people(&self, errand: Errand<'_>, raw: &Raw) -> Next {
        let (code, class, message, hint) = words(Meaning::Ok, true);
        let fault = self
            .fault(errand, code, class, message)
            .with_status(raw.status)
            .with_hint(hint);
        Next::Refused(Refused {
            fault,
            outcome: Outcome::Unknown,
        })
    }

    fn fault(&self, errand: Errand<'_>, code: &'static str, class: FailureClass, message: &str) -> Fault {
        let stage = match errand.purpose {
            Purpose::Create | Purpose::Update | Purpose::Delete | Purpose::Batch => Stage::Write,
            Purpose::Find => Stage::Match,
            Purpose::List | Purpose::Get | Purpose::Login => Stage::Fetch,
        };
        let what = errand.purpose.as_str();
        Fault::new(
            code,
            class,
            stage,
            format!("system `{}`, {what} `{}`: {message}", self.name, errand.object),
        )
    }

    fn held(&self, errand: Errand<'_>, hold: Hold) -> Refused {
        let (code, message, hint) = match hold {
            Hold::Circuit(_) => (
                "RQ010",
                "it does not answer and is left alone for a while",
                "nothing is lost: work goes on when it answers again",
            ),
            Hold::Paused(_) => (
                "RQ011",
                "it asked for a rest",
                "lower `limits:` of the connector or of the system if this is frequent",
            ),
            Hold::Daily(_) => (
                "RQ012",
                "the daily quota is used up, or the rest of it is kept for live events",
                "raise the quota with the vendor, or poll and reconcile less often",
            ),
        };
        let mut fault = self
            .fault(errand, code, FailureClass::Transient, message)
            .with_hint(hint);
        fault.retry_after = Some(hold.wait());
        Refused {
            fault,
            outcome: Outcome::NotWritten,
        }
    }

    fn unanswered(&self, errand: Errand<'_>, call: &Call, error: &SendError, backoff: Duration) -> Next {
        let message = error.to_string();
        let (code, class, hint) = match error {
            SendError::Refused(_) => (
                "RQ001",
                FailureClass::Rejected,
                "add the network to `allow_networks` of the system if this is meant",
            ),
            SendError::Connect { .. } => (
                "RQ002",
                FailureClass::Transient,
                "is the address right, and does the system run?",
            ),
            SendError::Unsendable { .. } => ("RQ003", FailureClass::Rejected, "correct the connector or the value"),
            SendError::TooLarge { .. } => (
                "RQ004",
                FailureClass::Rejected,
                "ask for smaller pages, or raise `limits: body_bytes_max`",
            ),
            SendError::TimedOut => (
                "RQ005",
                FailureClass::Transient,
                "raise `limits: timeout` if the system is slow by nature",
            ),
            SendError::Broken { .. } | SendError::Encoding => (
                "RQ006",
                FailureClass::Transient,
                "the network or the system broke off; it is tried again",
            ),
        };
        let fault = self.fault(errand, code, class, &message).with_hint(hint);
        let is_safe = error.is_unsent() || call.is_repeatable;
        let outcome = if error.is_unsent() {
            Outcome::NotWritten
        } else {
            Outcome::Unknown
        };
        let refused = Refused { fault, outcome };
        if is_safe && class == FailureClass::Transient {
            Next::Again(backoff, refused)
        } else {
            Next::Refused(refused)
        }
    }

    /// An answer that is broken JSON: for a write, nobody knows what became of it.
    fn unreadable(&self, errand: Errand<'_>, call: &Call, raw: &Raw, error: &json::Error, backoff: Duration) -> Next {
        let message = format!("the answer is broken JSON: {error}");
        let fault = self
            .fault(errand, "RQ007", FailureClass::Transient, &message)
            .with_status(raw.status)
            .with_hint("if it stays so, look at the system's answer with its own tools");
        let refused = Refused {
            fault,
            outcome: Outcome::Unknown,
        };
        if call.is_repeatable {
            Next::Again(backoff, refused)
        } else {
            Next::Refused(refused)
        }
    }

    fn refused(
        &self,
        errand: Errand<'_>,
        call: &Call,
        raw: &Raw,
        verdict: &Verdict,
        is_html: bool,
        wait: Duration,
    ) -> Next {
        let says = verdict
            .message
            .as_deref()
            .map(|message| redact::excerpt(message, self.auth.secrets()));
        let says = says
            .filter(|says| !says.is_empty())
            .map_or_else(String::new, |says| format!(": {says}"));
        let (code, class, words, hint) = words(verdict.meaning, is_html);
        let mut fault = self
            .fault(errand, code, class, &format!("{words}{says}"))
            .with_status(raw.status)
            .with_hint(hint);
        let outcome = match verdict.meaning {
            Meaning::Exists => Outcome::Exists,
            Meaning::Stale => Outcome::Stale,
            Meaning::Missing => Outcome::Missing,
            Meaning::Retry if !verdict.is_by_rule && !call.is_repeatable => Outcome::Unknown,
            _ => Outcome::NotWritten,
        };
        match verdict.meaning {
            Meaning::Throttle => {
                self.budget.pause(wait.max(PAUSE.min(wait * 4)));
                fault.retry_after = Some(wait);
                Next::Again(wait, Refused { fault, outcome })
            }
            Meaning::Retry if verdict.is_by_rule || call.is_repeatable => Next::Again(wait, Refused { fault, outcome }),
            Meaning::Reauthenticate if errand.purpose != Purpose::Login && Authenticator::can_renew(self) => {
                Next::SignIn(Refused { fault, outcome })
            }
            _ => Next::Refused(Refused { fault, outcome }),
        }
    }
}

/// Code, class, words and advice for what an answer means.
const fn words(meaning: Meaning, is_html: bool) -> (&'static str, FailureClass, &'static str, &'static str) {
    if is_html {
        let hint = "is `base_url` right? is there a login page or a proxy in front?";
        return ("RQ008", FailureClass::Rejected, "answered HTML instead of JSON", hint);
    }
    match meaning {
        Meaning::Throttle => (
            "RQ020",
            FailureClass::Transient,
            "too many requests",
            "lower `limits:` if this is frequent",
        ),
        Meaning::Retry => (
            "RQ021",
            FailureClass::Transient,
            "the system is not well",
            "it is tried again by itself",
        ),
        Meaning::Exists => (
            "RQ022",
            FailureClass::Rejected,
            "the record exists already",
            "link the two records, or correct the key",
        ),
        Meaning::Missing => (
            "RQ023",
            FailureClass::Rejected,
            "there is no such record",
            "it was deleted, or the path in the connector is wrong",
        ),
        Meaning::Stale => (
            "RQ024",
            FailureClass::Transient,
            "the record changed in between",
            "it is read and planned again",
        ),
        Meaning::Reauthenticate => (
            "AU001",
            FailureClass::Auth,
            "the credentials are not accepted",
            "check the credentials of the system; have they been replaced?",
        ),
        Meaning::Denied => (
            "AU002",
            FailureClass::Auth,
            "access is denied",
            "give the integration user the rights or scopes for this object",
        ),
        Meaning::Redirect => (
            "RQ025",
            FailureClass::Rejected,
            "the answer leads elsewhere, and redirects are not followed",
            "use the final address as `base_url`",
        ),
        Meaning::Ok | Meaning::Reject => (
            "RQ026",
            FailureClass::Rejected,
            "the system says no",
            "correct the record or the mapping, then reprocess",
        ),
    }
}

fn headers(raw: &Raw) -> Map {
    let mut headers = Map::new();
    for (name, value) in &raw.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.entry(name.as_str().to_owned()).or_insert(Value::Text(value));
    }
    headers
}

/// The body as rules see it, and whether it is a page for people.
fn body(raw: &Raw, records: Option<&Path>) -> Result<(Value, bool), json::Error> {
    let limits = json::Limits {
        bytes: raw.body.len().max(1),
        ..json::Limits::default()
    };
    if let (Some(path), 200..=299, false) = (records, raw.status, Content::is_html(&raw.body)) {
        return Ok((json::split(&raw.body, path, &limits)?.rest, false));
    }
    let content = Content::of(&raw.body, &limits)?;
    let is_html = matches!(content, Content::Html);
    Ok((content.into_value(), is_html))
}
