//! Credentials that are the same in every request, made once and put into each call; and signatures of each call.

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
            auth::Auth,
            request::{Call, append_query, remove_query},
            sign::Moment,
        },
        expr::{Scope, Template},
    },
};

/// What proves who we are.
pub(super) enum Signature {
    /// The same in every request.
    Fixed {
        /// By header.
        headers: Vec<(String, SecretString)>,
        /// By query parameter.
        query: Vec<(String, SecretString)>,
    },
    /// Another one for each request.
    Each,
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
        let authorization = |value: String| Self::Fixed {
            headers: vec![("authorization".to_owned(), SecretString::from(value))],
            query: Vec::new(),
        };
        let all = |named: &[(String, Template)]| {
            let named = named.iter();
            named
                .map(|(name, template)| Ok((name.clone(), SecretString::from(text(template)?))))
                .collect::<Result<Vec<_>, Refused>>()
        };
        Ok(match &exchange.connector.auth {
            Auth::None | Auth::OAuth2(_) | Auth::Session(_) => Self::Fixed {
                headers: Vec::new(),
                query: Vec::new(),
            },
            Auth::OAuth1(_) | Auth::Signed(_) => Self::Each,
            Auth::Basic { user, password } => authorization(basic(&text(user)?, &text(password)?)),
            Auth::Bearer { token } => authorization(format!("Bearer {}", text(token)?)),
            Auth::ApiKey { headers, query } => Self::Fixed {
                headers: all(headers)?,
                query: all(query)?,
            },
        })
    }

    /// Its value is a secret.
    pub(super) fn note(&self, secrets: &Secrets) {
        let Self::Fixed { headers, query } = self else { return };
        for (_, value) in headers.iter().chain(query) {
            let value = value.expose_secret();
            secrets.add(value.split_once(' ').map_or(value, |(_, bare)| bare));
        }
    }

    /// Puts it into a call.
    pub(super) fn put(
        &self,
        exchange: &Exchange,
        scope: &Scope,
        call: &mut Call,
        moment: Moment<'_>,
    ) -> Result<(), Refused> {
        let Self::Fixed { headers, query } = self else {
            let signed = match &exchange.connector.auth {
                Auth::OAuth1(oauth1) => oauth1.sign(call, scope, moment),
                Auth::Signed(signed) => signed.sign(call, scope, moment),
                _ => Ok(()),
            };
            return signed.map_err(|error| {
                let message = format!("system `{}`: the request cannot be signed: {error}", exchange.name);
                refused(
                    "AU003",
                    message,
                    "correct `auth:` of the connector, or give the credentials it uses",
                )
            });
        };
        let headers = headers.iter();
        call.headers
            .extend(headers.map(|(name, value)| (name.clone(), value.expose_secret().to_owned())));
        for (name, value) in query {
            // Some systems repeat the key in the address of the next page.
            remove_query(&mut call.url, name);
            append_query(&mut call.url, name, value.expose_secret());
        }
        Ok(())
    }
}

/// User and password (RFC 7617).
fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

/// A client's id and secret (RFC 6749, section 2.3.1): both are encoded first.
pub(super) fn basic_of_client(id: &str, secret: &str) -> String {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    basic(&encoded(id), &encoded(secret))
}
