//! Sessions: a login request whose answer gives the headers of every later request.

use std::time::Duration;

use secrecy::SecretString;

use super::{Authenticator, refused};
use crate::{
    client::{
        budget::Road,
        exchange::{Errand, Exchange, Refused},
    },
    core::{
        connector::{answer::Purpose, auth::Session, request::build_headers},
        period::Period,
        value::{Map, Value},
    },
};

impl Authenticator {
    /// Logs in: the session's headers, and how long it lasts where the connector says so.
    pub(super) async fn session(
        &self,
        exchange: &Exchange,
        session: &Session,
        road: Road,
    ) -> Result<(Vec<(String, SecretString)>, Option<Duration>), Refused> {
        let scope = self.scope(exchange);
        let mut call = session.login.build(&exchange.base, scope).map_err(|error| {
            refused(
                "AU005",
                format!("system `{}`: the login cannot be built: {error}", exchange.name),
                "correct `auth: session:`",
            )
        })?;
        // A session too many ends by itself.
        call.is_repeatable = true;
        let errand = Errand {
            purpose: Purpose::Login,
            object: "session",
            road,
            records: None,
        };
        let reply = Box::pin(exchange.call(errand, call)).await?;
        let cookies = cookies(&reply.raw.headers);
        let scope = scope
            .clone()
            .with("answer", reply.body)
            .with("answer_headers", reply.headers)
            .with("cookies", cookies);
        let nothing = |reason: &str| {
            let message = format!(
                "system `{}`: the login's answer does not give a session: {reason}",
                exchange.name
            );
            refused(
                "AU005",
                message,
                "correct `auth: session: headers:`, or check user and password",
            )
        };
        let headers = build_headers(&session.headers, &scope).map_err(|error| nothing(&error.to_string()))?;
        // A header that comes to nothing is left out elsewhere; here it is what proves who we are.
        if headers.len() < session.headers.len() {
            return Err(nothing("a header of the session comes to nothing"));
        }
        let headers = headers
            .into_iter()
            .map(|(name, value)| (name, SecretString::from(value)))
            .collect();
        let life = session.expires_after.map(Period::duration);
        Ok((headers, life))
    }
}

/// The cookies an answer sets, by name.
fn cookies(headers: &reqwest::header::HeaderMap) -> Map {
    let pairs = headers.get_all(reqwest::header::SET_COOKIE).iter().filter_map(|value| {
        let (name, value) = value.to_str().ok()?.split(';').next()?.split_once('=')?;
        Some((name.trim().to_owned(), Value::from(value.trim())))
    });
    pairs.collect()
}
