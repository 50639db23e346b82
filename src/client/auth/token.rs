//! Tokens as they are kept, and what keeps them.

use std::{future::Future, pin::Pin};

use chrono::{DateTime, Utc};
use secrecy::SecretString;

/// A token or session as it is kept between requests and starts.
#[derive(Clone, Default)]
pub struct Token {
    /// Headers that prove who we are, by name.
    pub headers: Vec<(String, SecretString)>,
    /// When it has to be renewed; never, as far as is known, where nothing is said.
    pub renew_at: Option<DateTime<Utc>>,
    /// When it ends.
    pub ends_at: Option<DateTime<Utc>>,
    /// A fingerprint of the credentials and the address it was got with: other ones never use it.
    pub got_with: String,
    /// What it is renewed by, where that is not the credentials.
    pub refresh: Option<SecretString>,
    /// When that ends, where it is said.
    pub refresh_ends_at: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("renew_at", &self.renew_at)
            .finish_non_exhaustive()
    }
}

impl Token {
    pub(super) fn is_usable(&self, now: DateTime<Utc>) -> bool {
        !self.headers.is_empty() && self.renew_at.is_none_or(|at| now < at)
    }
}

/// A token of the store.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The token.
    pub token: Token,
    /// Grows with every replacement, whoever replaces it.
    pub version: i64,
}

/// What became of a token that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It is kept, with this version.
    As(i64),
    /// Somebody else was quicker: theirs is kept.
    Overtaken,
    /// The store does not answer.
    Failed,
}

/// Whether we alone renew a token now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// We do; the number gives the turn back.
    Ours(i64),
    /// Another process does.
    Theirs,
    /// The store does not answer.
    Failed,
}

/// A future that a [`TokenStore`] answers with.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keeps tokens between starts, for all processes. A store that fails costs another sign-in; what is renewed by a refresh
/// token, which is used up by that, waits until it answers again.
pub trait TokenStore: Send + Sync {
    /// The kept token of a system.
    fn load<'a>(&'a self, system: &'a str) -> Pending<'a, Option<Kept>>;
    /// Keeps a token in place of the one with version `replaces` (none: there is none yet).
    fn save<'a>(&'a self, system: &'a str, token: &'a Token, replaces: Option<i64>) -> Pending<'a, Saved>;
    /// Asks to be the only one, of all processes, that renews the token of a system. Without other processes, it always is so.
    fn take_turn<'a>(&'a self, _system: &'a str) -> Pending<'a, Turn> {
        Box::pin(std::future::ready(Turn::Ours(0)))
    }
    /// Lets others have their turn.
    fn end_turn<'a>(&'a self, _system: &'a str, _turn: i64) -> Pending<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTokens;

impl TokenStore for NoTokens {
    fn load<'a>(&'a self, _: &'a str) -> Pending<'a, Option<Kept>> {
        Box::pin(std::future::ready(None))
    }

    fn save<'a>(&'a self, _: &'a str, _: &'a Token, _: Option<i64>) -> Pending<'a, Saved> {
        Box::pin(std::future::ready(Saved::As(0)))
    }
}
