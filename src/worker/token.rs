//! The client's tokens in our own store, sealed, and whose turn it is to renew one.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::{
    client::{Kept, Pending, Saved, Token, TokenStore, Turn},
    store::Store,
};

/// How long a turn lasts at most: a renewal that takes longer was cut off.
const TURN: Duration = Duration::from_mins(2);

/// Keeps tokens in our own store, for all nodes.
pub(super) struct Tokens(Store);

impl Tokens {
    /// In this store.
    pub(super) const fn new(store: Store) -> Self {
        Self(store)
    }
}

/// A token as it is sealed.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Sealed {
    headers: Vec<(String, String)>,
    got_with: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_ends_at: Option<DateTime<Utc>>,
}

impl Sealed {
    fn of(token: &Token) -> Self {
        let headers = token.headers.iter();
        Self {
            headers: headers
                .map(|(name, value)| (name.clone(), value.expose_secret().to_owned()))
                .collect(),
            got_with: token.got_with.clone(),
            ends_at: token.ends_at,
            refresh: token.refresh.as_ref().map(|refresh| refresh.expose_secret().to_owned()),
            refresh_ends_at: token.refresh_ends_at,
        }
    }

    fn token(self, renew_at: Option<DateTime<Utc>>) -> Token {
        let headers = self.headers.into_iter();
        Token {
            headers: headers.map(|(name, value)| (name, SecretString::from(value))).collect(),
            renew_at,
            ends_at: self.ends_at,
            got_with: self.got_with,
            refresh: self.refresh.map(SecretString::from),
            refresh_ends_at: self.refresh_ends_at,
        }
    }
}

/// The lease that is whose turn it is.
fn lease(system: &str) -> String {
    format!("token/{system}")
}

impl TokenStore for Tokens {
    fn load<'a>(&'a self, system: &'a str) -> Pending<'a, Option<Kept>> {
        Box::pin(async move {
            let stored = self.0.load_token(system).await;
            let stored = stored
                .inspect_err(|error| tracing::warn!(%error, system, "cannot read a stored token"))
                .ok()??;
            // One of another form is nobody's token, but has a version that the next one replaces.
            let sealed: Sealed = serde_json::from_str(stored.secret.expose_secret()).unwrap_or_default();
            Some(Kept {
                token: sealed.token(stored.expires_at),
                version: stored.version,
            })
        })
    }

    fn save<'a>(&'a self, system: &'a str, token: &'a Token, replaces: Option<i64>) -> Pending<'a, Saved> {
        Box::pin(async move {
            let secret = SecretString::from(serde_json::to_string(&Sealed::of(token)).unwrap_or_default());
            match self.0.save_token(system, &secret, token.renew_at, replaces).await {
                Ok(Some(version)) => Saved::As(version),
                Ok(None) => Saved::Overtaken,
                Err(error) => {
                    tracing::warn!(%error, system, "cannot keep a token");
                    Saved::Failed
                }
            }
        })
    }

    fn take_turn<'a>(&'a self, system: &'a str) -> Pending<'a, Turn> {
        Box::pin(async move {
            match self.0.acquire_free_lease(&lease(system), TURN).await {
                Ok(Some(epoch)) => Turn::Ours(epoch),
                Ok(None) => Turn::Theirs,
                Err(error) => {
                    tracing::warn!(%error, system, "cannot take the turn to renew a token");
                    Turn::Failed
                }
            }
        })
    }

    fn end_turn<'a>(&'a self, system: &'a str, turn: i64) -> Pending<'a, ()> {
        Box::pin(async move {
            if let Err(error) = self.0.release_lease(&lease(system), turn).await {
                tracing::warn!(%error, system, "cannot give back the turn to renew a token");
            }
        })
    }
}
