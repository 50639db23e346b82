//! How the sign-in to a system stands: what ends when.

use chrono::{DateTime, Utc};

use super::refresh::REFRESH_TOKEN;
use crate::{
    client::system::System,
    core::connector::{auth::Auth, form::Grant},
};

/// How the sign-in to a system stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The way, as the connector says it: `basic`, `oauth2`, …
    pub way: &'static str,
    /// The grant of OAuth 2.0.
    pub grant: Option<Grant>,
    /// Whether there is anything to do.
    pub state: State,
    /// When the token is renewed by itself.
    pub renews_at: Option<DateTime<Utc>>,
    /// When the token ends.
    pub ends_at: Option<DateTime<Utc>>,
    /// When that which renews it ends, where the provider says it.
    pub refresh_ends_at: Option<DateTime<Utc>>,
    /// When the certificate ends that the connection shows.
    pub certificate_ends_at: Option<DateTime<Utc>>,
}

/// Whether there is anything to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing ends but the credentials themselves.
    Fixed,
    /// There is a token, or one that is got by itself.
    SignedIn,
    /// No token is kept yet; the first request gets one.
    NotYet,
    /// A person has to sign in.
    NeedsLogin,
    /// The certificate has ended.
    CertificateEnded,
}

impl State {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::SignedIn => "signed_in",
            Self::NotYet => "not_yet",
            Self::NeedsLogin => "needs_login",
            Self::CertificateEnded => "certificate_ended",
        }
    }

    /// Whether nothing goes before somebody does something.
    #[must_use]
    pub const fn is_in_need(self) -> bool {
        matches!(self, Self::NeedsLogin | Self::CertificateEnded)
    }
}

impl System {
    /// How the sign-in stands, by what is kept. Nothing is sent.
    pub async fn standing(&self) -> Standing {
        let inner = self.inner();
        let (exchange, now) = (&inner.exchange, self.now());
        let auth = &exchange.connector.auth;
        let kept = match auth {
            Auth::OAuth2(_) | Auth::Session(_) => exchange.auth.tokens.load(&exchange.name).await,
            _ => None,
        };
        let got_with = exchange.auth.got_with(exchange);
        let token = kept.map(|kept| kept.token).filter(|token| token.got_with == got_with);
        let has_refresh_token = exchange.auth.credentials.contains_key(REFRESH_TOKEN);
        let grant = auth.oauth2().map(|oauth2| oauth2.grant);
        let lasts = |ends_at: Option<DateTime<Utc>>| ends_at.is_none_or(|at| now < at);
        let state = match &token {
            _ if !lasts(inner.certificate_ends_at) => State::CertificateEnded,
            _ if !auth.is_got() => State::Fixed,
            Some(token) if grant == Some(Grant::AuthorizationCode) => {
                let is_renewable = token.refresh.is_some() && lasts(token.refresh_ends_at);
                if is_renewable || lasts(token.ends_at) {
                    State::SignedIn
                } else {
                    State::NeedsLogin
                }
            }
            None if grant == Some(Grant::AuthorizationCode) && !has_refresh_token => State::NeedsLogin,
            Some(_) => State::SignedIn,
            None => State::NotYet,
        };
        let time = |of: fn(&super::Token) -> Option<DateTime<Utc>>| token.as_ref().and_then(of);
        Standing {
            way: auth.as_str(),
            grant,
            state,
            renews_at: time(|token| token.renew_at),
            ends_at: time(|token| token.ends_at),
            refresh_ends_at: time(|token| token.refresh_ends_at),
            certificate_ends_at: inner.certificate_ends_at,
        }
    }
}
