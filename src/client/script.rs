//! Answers that were written down beforehand, in place of a network: for the cases beside a connector.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::transport::{Raw, SendError};
use crate::core::connector::request::Call;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scripted {
    /// The status code.
    pub status: u16,
    /// Headers by name.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What one system answers, and what was asked of it. A request that is sent once more gets the same answer; another one
/// behind the last answer gets none.
#[derive(Debug)]
pub struct Script {
    /// What answers every sign-in, however often.
    login: Scripted,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    answers: VecDeque<Scripted>,
    last: Option<Scripted>,
    sent: Vec<Call>,
    logins: Vec<Call>,
}

impl Script {
    /// A script of these answers, in order; `login` answers whoever signs in.
    #[must_use]
    pub fn new(login: Scripted, answers: impl IntoIterator<Item = Scripted>) -> Self {
        Self {
            login,
            state: Mutex::new(State {
                answers: answers.into_iter().collect(),
                ..State::default()
            }),
        }
    }

    /// The requests that were made, in order, without those that sign in. They hold credentials: never show them whole.
    #[must_use]
    pub fn sent(&self) -> Vec<Call> {
        self.state().sent.clone()
    }

    /// The requests that signed in.
    #[must_use]
    pub fn logins(&self) -> Vec<Call> {
        self.state().logins.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn answer(&self, call: &Call, is_login: bool) -> Result<Raw, SendError> {
        let mut state = self.state();
        if is_login {
            state.logins.push(call.clone());
            return Ok(raw(&self.login));
        }
        let is_again = state.sent.last().is_some_and(|last| is_same(last, call));
        if !is_again {
            state.sent.push(call.clone());
            state.last = state.answers.pop_front();
        }
        let unanswered = || SendError::Unsendable {
            reason: "the case has no answer to it".to_owned(),
        };
        state.last.as_ref().map(raw).ok_or_else(unanswered)
    }
}

/// Whether two calls ask for the same thing, whatever proves who asks.
fn is_same(one: &Call, other: &Call) -> bool {
    one.method == other.method && one.url == other.url && one.body == other.body
}

fn raw(answer: &Scripted) -> Raw {
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    Raw {
        status: answer.status,
        headers,
        body: answer.body.clone(),
    }
}
