//! What the end of one attempt means: the words, the class and the advice of every code, and whether it is sent again.

use std::time::Duration;

use reqwest::header::LOCATION;

use super::{
    auth::Authenticator,
    budget::Hold,
    exchange::{Errand, Exchange, Next, Records, Refused},
    redact,
    transport::{Raw, SendError},
    write::Outcome,
};
use crate::{
    core::{
        connector::{
            answer::{Content, Meaning, Purpose, Verdict},
            format::{Sought, Unreadable},
            page,
            request::Call,
        },
        fault::Fault,
        newcomer::Names,
        status::{FailureClass, Stage},
        value::{
            Value,
            json::{self, ErrorKind},
        },
    },
    seam::{self, Bug},
};

/// The rest given to a system that has too much to do and does not say for how long.
const PAUSE: Duration = Duration::from_millis(500);

/// What stands in the body of an answer.
#[derive(Debug)]
pub(super) enum Nature {
    /// JSON, or nothing.
    Json,
    /// A text that is no JSON.
    Text,
    /// A page for people, or another kind of markup.
    Markup,
    /// What cannot be read.
    Broken(Unreadable),
}

impl Nature {
    /// Whether a system that speaks JSON did not say it. A proxy may have: it proves nothing about a record.
    pub(super) const fn is_foreign(&self) -> bool {
        !matches!(self, Self::Json)
    }
}

/// The body as rules see it.
pub(super) struct Body {
    /// What it says, without the list of records where there is one.
    pub(super) value: Value,
    pub(super) nature: Nature,
    /// The records, where there is a list of them.
    pub(super) elements: Option<Elements>,
}

/// The list of records in an answer.
#[derive(Debug, Default)]
pub(super) struct Elements {
    /// What is wanted of each.
    pub(super) values: Vec<Value>,
    /// A hash of them as they came.
    pub(super) print: u64,
    /// The names of their members, as far as they were looked at.
    pub(super) names: Names,
}

impl Elements {
    /// Takes them out of a document; what is left of it.
    pub(super) fn split(
        body: &[u8],
        records: Records<'_>,
        limits: &json::Limits,
    ) -> Result<(Option<Self>, Value), json::Error> {
        let split = json::split(body, records.path, records.wanted, limits)?;
        let place = body.get(split.place).unwrap_or_default();
        let mut names = Names::default();
        if let Some(look) = records.look {
            json::names(place, look, &mut |steps| names.add(steps));
        }
        let elements = split.elements.map(|values| Self {
            values,
            print: page::print_of_records(place),
            names,
        });
        Ok((elements, split.rest))
    }
}

/// The body as rules see it, and what it is.
///
/// What is in another format becomes JSON here.
pub(super) fn read(raw: &mut Raw, call: &Call, records: Option<Records<'_>>, depth: usize) -> Body {
    let limits = json::Limits {
        bytes: raw.body.len().max(1),
        depth,
        ..json::Limits::default()
    };
    let is_success = matches!(raw.status, 200..=299);
    if !raw.body.trim_ascii().is_empty() && !Content::is_html(&raw.body) {
        let sought = Sought {
            list: call.list.as_ref(),
            columns: records.map_or(&[], |records| records.columns),
        };
        match call.format.to_json(&raw.body, is_success, sought, &limits) {
            Ok(None) => {}
            Ok(Some(json)) => raw.body = json,
            Err(error) => {
                return Body {
                    value: Value::Null,
                    nature: Nature::Broken(error),
                    elements: None,
                };
            }
        }
    }
    let limits = json::Limits {
        bytes: raw.body.len().max(1),
        ..limits
    };
    let mut elements = None;
    let content = match (records, raw.status) {
        (Some(records), 200..=299) if !Content::is_html(&raw.body) && !raw.is_blank() => {
            Elements::split(&raw.body, records, &limits).map(|(found, rest)| {
                elements = found;
                Content::Json(rest)
            })
        }
        _ => Content::of(&raw.body, &limits),
    };
    let (value, nature) = match content {
        Ok(Content::Html) => (Value::Null, Nature::Markup),
        Ok(content @ Content::Text(_)) => (content.into_value(), Nature::Text),
        Ok(content) => (content.into_value(), Nature::Json),
        Err(error) => {
            // What was cut off on its way may come whole the next time; what is too deep or says a thing twice will not.
            let is_passing = matches!(
                error.kind,
                ErrorKind::Syntax { .. } | ErrorKind::Encoding | ErrorKind::Trailing
            );
            let unreadable = Unreadable {
                name: call.format.name(),
                reason: error.to_string(),
                is_passing,
            };
            (Value::Null, Nature::Broken(unreadable))
        }
    };
    Body {
        value,
        nature,
        elements,
    }
}

/// How one attempt ended, as far as it has been found out.
pub(super) struct End<'a> {
    pub(super) call: &'a Call,
    pub(super) raw: &'a Raw,
    pub(super) verdict: &'a Verdict,
    pub(super) nature: &'a Nature,
    /// What `Retry-After` says.
    pub(super) asked: Option<Duration>,
    pub(super) backoff: Duration,
    /// The version of the token it was sent with.
    pub(super) signature: u64,
}

impl Exchange {
    pub(super) fn fault(&self, errand: Errand<'_>, code: &'static str, class: FailureClass, message: &str) -> Fault {
        let stage = match errand.purpose {
            Purpose::Create | Purpose::Update | Purpose::Delete | Purpose::Batch => Stage::Write,
            Purpose::Find => Stage::Match,
            Purpose::List | Purpose::Get | Purpose::Login | Purpose::Subscribe => Stage::Fetch,
        };
        let what = errand.purpose.as_str();
        Fault::new(
            code,
            class,
            stage,
            format!("system `{}`, {what} `{}`: {message}", self.name, errand.object),
        )
    }

    /// The budget does not let it go. Nothing was sent.
    pub(super) fn held(&self, errand: Errand<'_>, hold: Hold) -> Refused {
        let out_of_time;
        let (code, message, hint) = match hold {
            Hold::OutOfTime(given) => {
                out_of_time = format!(
                    "not sent: the work on this record took longer than {} s",
                    given.as_secs()
                );
                (
                    "SY006",
                    out_of_time.as_str(),
                    "it is tried again; if it stays, see how slowly the systems answer, or raise `limits.change_time_max`",
                )
            }
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
            Hold::Uncounted(_) => (
                "RQ013",
                "nobody can say what is left of the daily quota: our own database does not answer",
                "nothing was sent; look at the database, work goes on when it answers again",
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

    /// There is no answer.
    pub(super) fn unanswered<T>(
        &self,
        errand: Errand<'_>,
        call: &Call,
        error: &SendError,
        backoff: Duration,
    ) -> Next<T> {
        let mut message = error.to_string();
        if let Some(sql) = self.transport.sql()
            && let SendError::Connect { .. } = error
        {
            message = format!("{message} (at {})", sql.place());
        } else if let (SendError::Connect { .. }, Some(host)) = (error, call.url.host_str()) {
            // No more of the address: its path and query may hold a secret.
            let port = call.url.port_or_known_default().unwrap_or_default();
            message = format!("{message} (at {host}:{port})");
        }
        let (code, class, hint) = match error {
            // The credentials were never seen, so nothing is said about them.
            SendError::Connect { .. } if errand.is_for_a_token() => {
                message = format!("the token endpoint cannot be reached: {message}");
                (
                    "AU008",
                    FailureClass::Transient,
                    "check `token_url`, and whether the sign-in server runs and can be reached; the credentials were not looked at",
                )
            }
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
            SendError::Certificate { .. } => (
                "RQ009",
                FailureClass::Transient,
                "has a certificate ended, the system's own or ours (`syncline auth status`)? does this machine trust who issued it?",
            ),
            SendError::Unfit { next, .. } => ("RQ050", FailureClass::Rejected, next.as_str()),
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
        let is_safe = error.is_unsent() || call.is_repeatable || seam::has_bug(Bug::CreateRepeated);
        let outcome = if error.is_unsent() || seam::has_bug(Bug::UnknownTakenForFailed) {
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

    /// There is an answer, and it is not what was asked for.
    pub(super) fn refused<T>(&self, errand: Errand<'_>, end: &End<'_>) -> Next<T> {
        match (end.verdict.meaning, end.nature) {
            (Meaning::Ok, Nature::Broken(error)) => self.unreadable(errand, end, error),
            // Nobody said what became of it: never taken for "no such record", nor for a write that went through.
            (Meaning::Ok, _) => Next::Refused(self.told(errand, end, Outcome::Unknown)),
            (Meaning::Throttle, _) => {
                self.budget.pause(end.asked.unwrap_or_else(|| end.backoff.max(PAUSE)));
                Next::Again(end.wait(), self.told(errand, end, Outcome::NotWritten))
            }
            (Meaning::Retry, _) if end.verdict.is_by_rule => {
                Next::Again(end.wait(), self.told(errand, end, Outcome::NotWritten))
            }
            (Meaning::Retry, _) => {
                if let Some(asked) = end.asked {
                    self.budget.pause(asked);
                }
                let refused = self.told(errand, end, Outcome::Unknown);
                if end.call.is_repeatable {
                    Next::Again(end.wait(), refused)
                } else {
                    Next::Refused(refused)
                }
            }
            (Meaning::Reauthenticate, _) if errand.purpose != Purpose::Login && Authenticator::can_renew(self) => {
                Next::SignIn(end.signature, self.told(errand, end, Outcome::NotWritten))
            }
            (Meaning::Exists, _) => Next::Refused(self.told(errand, end, Outcome::Exists)),
            (Meaning::Stale, _) => Next::Refused(self.told(errand, end, Outcome::Stale)),
            (Meaning::Missing, _) => Next::Refused(self.told(errand, end, Outcome::Missing)),
            _ => Next::Refused(self.told(errand, end, Outcome::NotWritten)),
        }
    }

    /// An answer that cannot be read: for a write, nobody knows what became of it.
    fn unreadable<T>(&self, errand: Errand<'_>, end: &End<'_>, error: &Unreadable) -> Next<T> {
        let is_passing = error.is_passing;
        let class = if is_passing {
            FailureClass::Transient
        } else {
            FailureClass::Rejected
        };
        let fault = self
            .fault(errand, "RQ007", class, &error.to_string())
            .with_status(end.raw.status)
            .with_hint("if it stays so, look at the system's answer with its own tools");
        let refused = Refused {
            fault,
            outcome: Outcome::Unknown,
        };
        if is_passing && end.call.is_repeatable {
            Next::Again(end.backoff, refused)
        } else {
            Next::Refused(refused)
        }
    }

    /// Where a redirect leads, without its query: a missing `/` at the end of a path is seen at once.
    fn place_of(&self, end: &End<'_>) -> String {
        let place = end.raw.header(&LOCATION).unwrap_or_default();
        let place = place.split(['?', '#']).next().unwrap_or_default().trim();
        if place.is_empty() {
            return String::new();
        }
        format!(" (to `{}`)", redact::excerpt(place, self.auth.secrets()))
    }

    /// The fault that tells what the answer says.
    fn told(&self, errand: Errand<'_>, end: &End<'_>, outcome: Outcome) -> Refused {
        let says = end
            .verdict
            .message
            .as_deref()
            .map(|message| redact::excerpt(message, self.auth.secrets()));
        let says = says
            .filter(|says| !says.is_empty())
            .map_or_else(String::new, |says| format!(": {says}"));
        let (code, class, words, hint) = words(end, errand.purpose);
        let place = if end.verdict.meaning == Meaning::Redirect {
            self.place_of(end)
        } else {
            String::new()
        };
        let mut fault = self
            .fault(errand, code, class, &format!("{words}{place}{says}"))
            .with_status(end.raw.status)
            .with_hint(hint);
        if end.verdict.meaning == Meaning::Throttle || end.asked.is_some() {
            fault.retry_after = Some(end.wait());
        }
        Refused { fault, outcome }
    }
}

impl End<'_> {
    /// When it may be sent again: not before the other side says, and not when all others are.
    fn wait(&self) -> Duration {
        self.asked.unwrap_or_default().saturating_add(self.backoff)
    }

    /// A page for people stands where an answer should be, and neither a rule nor the status says what it is about.
    fn is_page_for_people(&self) -> bool {
        let is_about_a_record = matches!(self.raw.status, 404 | 410);
        let is_foreign = matches!(self.nature, Nature::Markup) || (is_about_a_record && self.nature.is_foreign());
        is_foreign && !self.verdict.is_by_rule && matches!(self.verdict.meaning, Meaning::Ok | Meaning::Reject)
    }
}

/// What is said of credentials that are not accepted.
const REFUSED: (&str, FailureClass, &str, &str) = (
    "AU001",
    FailureClass::Auth,
    "the credentials are not accepted",
    "check the credentials of the system; have they been replaced?",
);

/// Code, class, words and advice for what an answer means.
fn words(end: &End<'_>, purpose: Purpose) -> (&'static str, FailureClass, &'static str, &'static str) {
    if end.is_page_for_people() {
        let hint = if matches!(end.raw.status, 404 | 410) && purpose == Purpose::Get {
            "if this is how the system says that a record is gone, say so under `errors:` of the connector; else: is `base_url` right?"
        } else {
            "is `base_url` right? is there a login page or a proxy in front?"
        };
        // It is about the system and not about a record: no record is parked for it.
        return (
            "RQ008",
            FailureClass::Transient,
            "answered a page of HTML or text instead of data",
            hint,
        );
    }
    match end.verdict.meaning {
        // Whoever may not sign in has the wrong credentials, whatever the system calls it.
        Meaning::Reauthenticate | Meaning::Denied if purpose == Purpose::Login => REFUSED,
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
        Meaning::Reauthenticate => REFUSED,
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
