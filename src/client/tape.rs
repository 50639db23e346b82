//! What was sent and what came back, for a person who looks at one record: secrets masked, and no more than fits on a screen or two.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use url::Url;

use super::{redact::Secrets, transport::Raw};
use crate::core::connector::request::Call;

/// So much of a body is told to people, in characters.
const BODY_MAX: usize = 4_000;

tokio::task_local! {
    static TAPE: Tape;
}

/// Takes down what is sent and answered.
#[derive(Debug, Clone)]
pub(super) struct Tape {
    noted: Arc<Mutex<Noted>>,
    /// So much of a body is taken down, in characters.
    body_max: usize,
}

impl Default for Tape {
    fn default() -> Self {
        Self {
            noted: Arc::default(),
            body_max: BODY_MAX,
        }
    }
}

#[derive(Debug, Default)]
struct Noted {
    exchanged: Vec<Exchanged>,
    /// What a database was asked since the last call was noted: the table, and the statement.
    statements: Vec<(String, String)>,
}

/// One request with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exchanged {
    /// The method; `SQL` where a database was asked.
    pub method: String,
    /// The whole address; the table, view or query of a database, and where it is.
    pub url: String,
    /// The headers that were sent; those that sign are masked.
    pub headers: Vec<(String, String)>,
    /// The body that was sent; the statement, without its values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Text>,
    /// The status of the answer.
    pub status: u16,
    /// What the answer said it is.
    pub content_type: Option<String>,
    /// The headers of the answer, secrets masked.
    #[serde(skip)]
    pub answer_headers: Vec<(String, String)>,
    /// The answer's body as it came.
    pub answer: Text,
}

/// A body, as far as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Text {
    /// The text.
    pub text: String,
    /// How many bytes there were.
    pub bytes: usize,
    /// Whether only a beginning is told.
    pub is_cut: bool,
}

impl Text {
    fn of(bytes: &[u8], secrets: &Secrets, max: usize) -> Self {
        // Masked before it is cut: half a secret is not found any more.
        let whole = secrets.mask(&String::from_utf8_lossy(bytes));
        let text: String = whole.chars().take(max).collect();
        Self {
            is_cut: text.len() < whole.len(),
            bytes: bytes.len(),
            text,
        }
    }
}

impl Tape {
    /// One that takes bodies down to their end.
    pub(super) fn whole() -> Self {
        Self {
            body_max: usize::MAX,
            ..Self::default()
        }
    }

    /// Carries out `work`, and takes down what it sends in this task.
    pub(super) async fn record<F: Future>(&self, work: F) -> F::Output {
        TAPE.scope(self.clone(), work).await
    }

    /// What was taken down.
    pub(super) fn take(&self) -> Vec<Exchanged> {
        std::mem::take(&mut self.noted().exchanged)
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes down one request, as it was before it was signed and as it was sent, with its answer, for whoever looks on.
pub(super) fn note(call: &Call, signed: &Call, raw: &Raw, secrets: &Secrets) {
    let _ = TAPE.try_with(|tape| {
        let mut noted = tape.noted();
        let statements = std::mem::take(&mut noted.statements);
        let of_answer = |method: String, url: String, headers: Vec<(String, String)>, body: Option<Text>| Exchanged {
            method,
            url,
            headers,
            body,
            status: raw.status,
            content_type: raw.header(&reqwest::header::CONTENT_TYPE),
            answer_headers: raw
                .headers
                .iter()
                .map(|(name, value)| {
                    (
                        name.to_string(),
                        secrets.mask(&String::from_utf8_lossy(value.as_bytes())),
                    )
                })
                .collect(),
            answer: Text::of(&raw.body, secrets, tape.body_max),
        };
        let one = match statements.first() {
            // A call of a database has an address among ourselves alone, which would tell nobody anything.
            Some((table, _)) => {
                let texts: Vec<&str> = statements.iter().map(|(_, text)| text.as_str()).collect();
                let body = Text::of(texts.join(";\n").as_bytes(), secrets, tape.body_max);
                of_answer("SQL".to_owned(), secrets.mask(table), Vec::new(), Some(body))
            }
            None => of_answer(
                signed.method.key().to_uppercase(),
                secrets.mask(address(call, signed).as_str()),
                headers(call, signed, secrets),
                signed
                    .body
                    .as_deref()
                    .map(|body| Text::of(body, secrets, tape.body_max)),
            ),
        };
        noted.exchanged.push(one);
    });
}

/// Takes down a statement of a database, for the call that it belongs to. It holds no values.
pub(super) fn statement(table: impl FnOnce() -> String, text: &str) {
    let _ = TAPE.try_with(|tape| tape.noted().statements.push((table(), text.to_owned())));
}

/// The address, without what signing has put into its query.
fn address(call: &Call, signed: &Call) -> Url {
    let mut url = signed.url.clone();
    if call.url.query() != signed.url.query() {
        let own: Vec<(String, String)> = call.url.query_pairs().into_owned().collect();
        let all: Vec<(String, String)> = signed.url.query_pairs().into_owned().collect();
        let shown = all.into_iter().map(|pair| {
            let is_own = own.contains(&pair);
            (pair.0, if is_own { pair.1 } else { "***".to_owned() })
        });
        url.query_pairs_mut().clear().extend_pairs(shown);
    }
    url
}

fn headers(call: &Call, signed: &Call, secrets: &Secrets) -> Vec<(String, String)> {
    let shown = signed.headers.iter().map(|(name, value)| {
        let is_own = call.headers.iter().any(|(own, text)| own == name && text == value);
        let value = if is_own { secrets.mask(value) } else { "***".to_owned() };
        (name.clone(), value)
    });
    shown.collect()
}
