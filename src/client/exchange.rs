//! One call to its end: admitted by the budget, signed, sent, judged, and repeated where that can do no harm.

use std::{sync::Arc, time::Duration};

use reqwest::header::{RETRY_AFTER, SET_COOKIE};
use url::Url;

use super::{
    auth::{Authenticator, Renewed},
    budget::{Budget, Permit, Road},
    deadline, meter, tape,
    transport::{Raw, SendError, Transport},
    verdict::{self, End},
    write::Outcome,
};
use crate::{
    clock::Clock,
    core::{
        connector::{
            Connector,
            answer::{Answer, Meaning, Purpose},
            request::Call,
        },
        fault::Fault,
        path::Path,
        retry,
        status::FailureClass,
        value::{Map, Value, json::Look, projection::Projection},
    },
    seam,
};

/// The first wait between two attempts.
const BACKOFF_BASE: Duration = Duration::from_millis(200);
/// The longest wait between two attempts that the other side did not ask for.
const BACKOFF_CAP: Duration = Duration::from_secs(10);

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
    /// How often one call is sent at most.
    pub(super) attempts_max: u32,
    /// Lists and maps within one another in an answer.
    pub(super) depth_max: usize,
}

/// What a call is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Errand<'a> {
    pub(super) purpose: Purpose,
    pub(super) object: &'a str,
    pub(super) road: Road,
    /// The list of records that is asked for.
    pub(super) records: Option<Records<'a>>,
}

/// Where a list of records is in an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Records<'a> {
    pub(super) path: &'a Path,
    /// Columns that a table has, if it is one.
    pub(super) columns: &'a [String],
    /// What is wanted of each.
    pub(super) wanted: &'a Projection,
    /// The names that are wanted of what else there is.
    pub(super) look: Option<Look<'a>>,
}

/// What a request to a token endpoint is about, in place of an object.
const TOKEN: &str = "token";

impl Errand<'_> {
    /// Whether it asks a token endpoint, which may be another server than the system.
    pub(super) fn is_for_a_token(&self) -> bool {
        self.purpose == Purpose::Login && self.object == TOKEN
    }
}

/// An answer that is what was asked for.
pub(super) struct Reply {
    pub(super) raw: Raw,
    pub(super) headers: Map,
    /// The body, without the list of records where the errand names one.
    pub(super) body: Value,
    /// The records, where the errand names a list of them and there is one.
    pub(super) elements: Option<verdict::Elements>,
    /// Where it was read from, without a key of ours.
    pub(super) url: Url,
}

/// Why a call came to nothing.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    pub(super) fault: Fault,
    pub(super) outcome: Outcome,
}

/// What follows from one attempt.
pub(super) enum Next<T> {
    Done(Box<T>),
    /// Sent again after this wait, if attempts are left.
    Again(Duration, Refused),
    /// The token of this version was refused: sign in and send again, once.
    SignIn(u64, Refused),
    Refused(Refused),
}

/// How far the attempts of one call have come.
#[derive(Default)]
struct Attempts {
    count: u32,
    has_found: bool,
    has_signed_in: bool,
    /// Nobody knows what became of an earlier attempt.
    is_uncertain: bool,
}

impl Attempts {
    /// The last word on the call. That a later attempt wrote nothing says nothing about an earlier one.
    fn last(&self, mut refused: Refused) -> Refused {
        if self.is_uncertain && refused.outcome == Outcome::NotWritten {
            refused.outcome = Outcome::Unknown;
        }
        refused
    }
}

impl Exchange {
    /// Carries out one call.
    pub(super) async fn call(&self, errand: Errand<'_>, call: Call) -> Result<Reply, Refused> {
        self.budget.earn_retries();
        let mut attempts = Attempts::default();
        loop {
            attempts.count += 1;
            match self.attempt(errand, &call, attempts.count).await {
                Next::Done(reply) => return Ok(*reply),
                Next::Refused(refused) => return Err(attempts.last(refused)),
                Next::SignIn(used, refused) => self.signed_in(errand, &mut attempts, used, refused).await?,
                Next::Again(wait, refused) => self.waited(errand, &mut attempts, wait, refused).await?,
            }
        }
    }

    /// A document of the system about itself, as it came: in whatever format, by one attempt.
    pub(super) async fn document(&self, errand: Errand<'_>, call: &Call) -> Result<Vec<u8>, Refused> {
        let mut signed = call.clone();
        self.auth.sign(self, &mut signed, errand.road).await?;
        let (permit, raw) = match self.send::<Raw>(errand, &signed, Duration::ZERO).await {
            Ok(sent) => sent,
            Err(Next::Again(_, refused) | Next::SignIn(_, refused) | Next::Refused(refused)) => return Err(refused),
            Err(Next::Done(raw)) => return Ok(raw.body),
        };
        permit.alive();
        if raw.status == 200 {
            return Ok(raw.body);
        }
        let message = format!("the description is not there (HTTP {})", raw.status);
        let fault = self
            .fault(errand, "RQ035", FailureClass::Rejected, &message)
            .with_status(raw.status)
            .with_hint("correct the path under `discover:` of the connector, or let the integration user read it");
        Err(Refused {
            fault,
            outcome: Outcome::NotWritten,
        })
    }

    /// Asks the token endpoint; any answer that is not about its health is one. Everybody who asks the system waits for it, so
    /// the deadline of one of them does not count.
    pub(super) async fn ask_for_token(&self, call: &Call, road: Road) -> Result<Raw, Refused> {
        deadline::lifted(self.token(call, road)).await
    }

    async fn token(&self, call: &Call, road: Road) -> Result<Raw, Refused> {
        let errand = Errand {
            purpose: Purpose::Login,
            object: TOKEN,
            road,
            records: None,
        };
        self.budget.earn_retries();
        let mut attempts = Attempts::default();
        loop {
            attempts.count += 1;
            match self.token_attempt(errand, call, attempts.count).await {
                Next::Done(raw) => return Ok(*raw),
                Next::Refused(refused) | Next::SignIn(_, refused) => return Err(refused),
                Next::Again(wait, refused) => self.waited(errand, &mut attempts, wait, refused).await?,
            }
        }
    }

    /// Waits for the next attempt, or gives the reason why there is none.
    async fn waited(
        &self,
        errand: Errand<'_>,
        attempts: &mut Attempts,
        wait: Duration,
        refused: Refused,
    ) -> Result<(), Refused> {
        attempts.is_uncertain |= refused.outcome == Outcome::Unknown;
        let is_late =
            wait > errand.road.patience() || deadline::current().is_some_and(|deadline| deadline.is_over_in(wait));
        if attempts.count >= self.attempts_max || is_late || !self.budget.may_retry() {
            return Err(attempts.last(refused));
        }
        tracing::debug!(system = self.name, fault = %refused.fault, attempt = attempts.count, "trying again");
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Replaces a refused token: by one that somebody else has got, once, and by signing in, once.
    async fn signed_in(
        &self,
        errand: Errand<'_>,
        attempts: &mut Attempts,
        used: u64,
        refused: Refused,
    ) -> Result<(), Refused> {
        if attempts.has_signed_in {
            return Err(attempts.last(refused));
        }
        match self.auth.renew(self, errand.road, used).await {
            Ok(Renewed::SignedIn) => attempts.has_signed_in = true,
            Ok(Renewed::Found) if !attempts.has_found => attempts.has_found = true,
            Ok(Renewed::Found) => return Err(attempts.last(refused)),
            Err(refused) => return Err(attempts.last(refused)),
        }
        Ok(())
    }

    async fn attempt(&self, errand: Errand<'_>, call: &Call, attempt: u32) -> Next<Reply> {
        let mut signed = call.clone();
        let mut signature = 0;
        if errand.purpose != Purpose::Login {
            signature = match self.auth.sign(self, &mut signed, errand.road).await {
                Ok(signature) => signature,
                Err(refused) => return Next::Refused(refused),
            };
        }
        let backoff = backoff(attempt);
        let (permit, mut raw) = match self.send(errand, &signed, backoff).await {
            Ok(sent) => sent,
            Err(next) => return next,
        };
        tape::note(call, &signed, &raw, self.auth.secrets());
        let headers = headers(&raw);
        let verdict::Body {
            value: body,
            nature,
            elements,
        } = verdict::read(&mut raw, call, errand.records, self.depth_max);
        let answer = Answer {
            purpose: errand.purpose,
            status: raw.status,
            headers: &headers,
            body: &body,
            is_html: nature.is_foreign(),
        };
        let verdict = self.connector.judge(&answer, &self.settings);
        match verdict.meaning {
            Meaning::Throttle => permit.throttled(),
            Meaning::Retry if raw.status >= 500 && !verdict.is_by_rule => permit.dead(),
            _ => permit.alive(),
        }
        let is_readable = matches!(nature, verdict::Nature::Json | verdict::Nature::Text);
        if verdict.meaning == Meaning::Ok && (is_readable || verdict.is_by_rule) {
            return Next::Done(Box::new(Reply {
                url: call.url.clone(),
                raw,
                headers,
                body,
                elements,
            }));
        }
        let end = End {
            call,
            raw: &raw,
            verdict: &verdict,
            nature: &nature,
            asked: self.asked(&raw),
            backoff,
            signature,
        };
        self.refused(errand, &end)
    }

    async fn token_attempt(&self, errand: Errand<'_>, call: &Call, attempt: u32) -> Next<Raw> {
        let backoff = backoff(attempt);
        let (permit, raw) = match self.send(errand, call, backoff).await {
            Ok(sent) => sent,
            Err(next) => return next,
        };
        let is_throttled = matches!(raw.status, 408 | 425 | 429);
        if !is_throttled && raw.status < 500 {
            permit.alive();
            return Next::Done(Box::new(raw));
        }
        let asked = self.asked(&raw);
        if is_throttled {
            permit.throttled();
            self.budget.pause(asked.unwrap_or(backoff));
        } else {
            permit.dead();
        }
        let mut fault = self
            .fault(
                errand,
                "AU006",
                FailureClass::Transient,
                "the token endpoint is not well",
            )
            .with_status(raw.status)
            .with_hint("it is asked again by itself; nothing is lost");
        fault.retry_after = asked;
        let refused = Refused {
            fault,
            outcome: Outcome::NotWritten,
        };
        Next::Again(asked.unwrap_or_default().saturating_add(backoff), refused)
    }

    /// One request and its answer, whatever that says.
    async fn send<T>(&self, errand: Errand<'_>, call: &Call, backoff: Duration) -> Result<(Permit, Raw), Next<T>> {
        let permit = match self.budget.admit(errand.road).await {
            Ok(permit) => permit,
            Err(hold) => return Err(Next::Refused(self.held(errand, hold))),
        };
        meter::count_request();
        match self.transport.send(call, errand.purpose == Purpose::Login).await {
            Ok(raw) => {
                meter::count_bytes(raw.body.len());
                self.budget
                    .count_bytes(call.body.as_ref().map_or(0, Vec::len), raw.body.len());
                Ok((permit, raw))
            }
            Err(error) => {
                match error {
                    // Nothing was sent, so nothing was learned.
                    SendError::Refused(_) | SendError::Unsendable { .. } => drop(permit),
                    SendError::TooLarge { .. } | SendError::Encoding | SendError::Unfit { .. } => permit.alive(),
                    SendError::Connect { .. }
                    | SendError::Certificate { .. }
                    | SendError::TimedOut
                    | SendError::Broken { .. } => permit.dead(),
                }
                Err(self.unanswered(errand, call, &error, backoff))
            }
        }
    }

    /// How long the other side asks us to wait.
    fn asked(&self, raw: &Raw) -> Option<Duration> {
        let text = raw.header(&RETRY_AFTER)?;
        retry::parse_retry_after(&text, self.clock.now())
    }
}

/// The wait after attempt number `attempt`, from 1: full jitter.
fn backoff(attempt: u32) -> Duration {
    retry::delay(attempt, BACKOFF_BASE, BACKOFF_CAP, seam::number())
}

/// The headers as texts. Several of one name are one list (RFC 9110, section 5.3), cookies aside.
fn headers(raw: &Raw) -> Map {
    let mut headers = Map::new();
    for name in raw.headers.keys() {
        let mut values = raw.headers.get_all(name).iter();
        let first = values
            .next()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let mut text = first.unwrap_or_default();
        for value in values.filter(|_| name != SET_COOKIE) {
            text.push_str(", ");
            text.push_str(&String::from_utf8_lossy(value.as_bytes()));
        }
        headers.insert(name.as_str().to_owned(), Value::Text(text));
    }
    headers
}
