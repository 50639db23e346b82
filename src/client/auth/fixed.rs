//! Credentials that are the same in every request: made once, put into each call.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret as _, SecretString};

use super::refused;
use crate::{
    client::{
        exchange::{Exchange, Refused},
        redact::Secrets,
    },
    core::{
        connector::{
            Auth, Place,
            request::{Call, append_query, remove_query},
        },
        expr::{Scope, Template},
    },
};

/// What proves who we are.
pub(super) enum Signature {
    /// Nothing.
    None,
    /// A header.
    Header(String, SecretString),
    /// A query parameter.
    Query(String, SecretString),
}

impl Signature {
    /// The signature that the connector describes. Tokens and sessions have none that is fixed.
    pub(super) fn of(exchange: &Exchange, scope: &Scope) -> Result<Self, Refused> {
        let text = |template: &Template| {
            let found = template.text(scope, |text| text);
            found.ok().flatten().ok_or_else(|| {
                let message = format!("system `{}`: the credentials do not come to a value", exchange.name);
                refused(
                    "AU003",
                    message,
                    "are all credentials of the connector given in the configuration?",
                )
            })
        };
        let authorization = |value: String| Self::Header("authorization".to_owned(), SecretString::from(value));
        Ok(match &exchange.connector.auth {
            Auth::None | Auth::OAuth2(_) | Auth::Session(_) => Self::None,
            Auth::Basic { user, password } => {
                let pair = BASE64_STANDARD.encode(format!("{}:{}", text(user)?, text(password)?));
                authorization(format!("Basic {pair}"))
            }
            Auth::Bearer { token } => authorization(format!("Bearer {}", text(token)?)),
            Auth::ApiKey { place, value } => {
                let value = SecretString::from(text(value)?);
                match place {
                    Place::Header(name) => Self::Header(name.clone(), value),
                    Place::Query(name) => Self::Query(name.clone(), value),
                }
            }
        })
    }

    /// Its value is a secret.
    pub(super) fn note(&self, secrets: &Secrets) {
        if let Self::Header(_, value) | Self::Query(_, value) = self {
            let value = value.expose_secret();
            secrets.add(value.split_once(' ').map_or(value, |(_, bare)| bare));
        }
    }

    /// Puts it into a call.
    pub(super) fn put(&self, call: &mut Call) {
        match self {
            Self::None => {}
            Self::Header(name, value) => call.headers.push((name.clone(), value.expose_secret().to_owned())),
            Self::Query(name, value) => {
                // Some systems repeat the key in the address of the next page.
                remove_query(&mut call.url, name);
                append_query(&mut call.url, name, value.expose_secret());
            }
        }
    }
}
