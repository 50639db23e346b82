//! The token endpoint as the `oauth2` crate asks it: through our own transport and budget. Answers that are a little off are put
//! right before they are read.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Map as JsonMap, Value as Json};

use super::{LIFE_MAX, Pending, refused};
use crate::{
    client::{
        budget::Road,
        exchange::{Exchange, Refused},
        transport::Raw,
    },
    core::connector::{form::Method, format::Format, request::Call},
};

/// The largest answer of a token endpoint.
const ANSWER_BYTES_MAX: usize = 1 << 20;

pub(super) fn no_token(exchange: &Exchange, reason: &str) -> Refused {
    let message = format!(
        "system `{}`: the token endpoint's answer is no token: {reason}",
        exchange.name
    );
    refused(
        "AU007",
        message,
        "is `token_url` right? is there a login page or a proxy in front?",
    )
}

/// Why the token endpoint gave no answer that the `oauth2` crate could read.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.fault)]
pub(super) struct NoAnswer(pub(super) Box<Refused>);

/// The token endpoint, as the `oauth2` crate asks it.
pub(super) struct Endpoint<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) road: Road,
    /// Everything that the last answer said.
    pub(super) said: Mutex<Json>,
}

impl<'c> oauth2::AsyncHttpClient<'c> for Endpoint<'_> {
    type Error = NoAnswer;
    type Future = Pending<'c, Result<oauth2::HttpResponse, NoAnswer>>;

    fn call(&'c self, request: oauth2::HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answer = self.ask(request).await;
            answer.map_err(|refused| NoAnswer(Box::new(refused)))
        })
    }
}

impl Endpoint<'_> {
    async fn ask(&self, request: oauth2::HttpRequest) -> Result<oauth2::HttpResponse, Refused> {
        let url = url::Url::parse(&request.uri().to_string())
            .map_err(|_| no_token(self.exchange, "`token_url` is no address"))?;
        let headers = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        let call = Call {
            method: Method::Post,
            url,
            headers: headers.collect(),
            body: Some(request.body().clone()),
            // A token too many ends by itself.
            is_repeatable: true,
            format: Format::Json,
            list: None,
        };
        self.send(&call).await
    }

    pub(super) async fn send(&self, call: &Call) -> Result<oauth2::HttpResponse, Refused> {
        let raw = self.exchange.ask_for_token(call, self.road).await?;
        let (answer, said) = readable(&raw).map_err(|reason| no_token(self.exchange, reason))?;
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = said;
        Ok(answer)
    }
}

/// An answer as the `oauth2` crate reads it. Its content type is not believed, an error in a 200 is an error, and odd
/// members that need not be there are mended or left out.
fn readable(raw: &Raw) -> Result<(oauth2::HttpResponse, Json), &'static str> {
    if raw.body.len() > ANSWER_BYTES_MAX {
        return Err("it is too large");
    }
    let Ok(Json::Object(mut answer)) = serde_json::from_slice::<Json>(&raw.body) else {
        return Err("it is no JSON object");
    };
    let has_token = answer
        .get("access_token")
        .and_then(Json::as_str)
        .is_some_and(|token| !token.is_empty());
    let status = if has_token && (200..300).contains(&raw.status) {
        mend(&mut answer);
        200_u16
    } else if answer.get("error").is_some_and(Json::is_string) {
        for name in ["error_description", "error_uri"] {
            answer.retain(|key, value| key != name || value.is_string());
        }
        400
    } else {
        return Err("there is no `access_token` in it");
    };
    let said = Json::Object(answer);
    let body = serde_json::to_vec(&said).map_err(|_| "it cannot be read")?;
    let mut response = oauth2::HttpResponse::new(body);
    *response.status_mut() = status.try_into().map_err(|_| "it has no status")?;
    Ok((response, said))
}

/// Puts the optional members right: a lifetime that is none is left out (the token is then used until it is refused), a
/// list of scopes too, and a type that is missing is `Bearer`.
fn mend(answer: &mut JsonMap<String, Json>) {
    match answer.get("expires_in").and_then(lifetime) {
        Some(seconds) => drop(answer.insert("expires_in".to_owned(), Json::from(seconds))),
        None => drop(answer.remove("expires_in")),
    }
    for name in ["scope", "refresh_token"] {
        answer.retain(|key, value| key != name || value.is_string());
    }
    if !answer.get("token_type").is_some_and(Json::is_string) {
        answer.insert("token_type".to_owned(), Json::from("Bearer"));
    }
}

/// Seconds of a token's life: a positive number, or a text of one.
pub(super) fn lifetime(value: &Json) -> Option<u64> {
    let seconds = match value {
        Json::String(text) => text.trim().parse().ok()?,
        value => value.as_f64()?,
    };
    if !seconds.is_finite() || seconds < 1.0 {
        return None;
    }
    // `LIFE_MAX` keeps the number small, so that nothing is cut off.
    Duration::try_from_secs_f64(seconds.min(LIFE_MAX.as_secs_f64()))
        .ok()
        .map(|life| life.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_lifetimes_neither_panic_nor_are_believed() {
        for (life, expected) in [
            ("3600", Some(3600)),
            ("\"3600\"", Some(3600)),
            ("59.9", Some(59)),
            ("1e18", Some(LIFE_MAX.as_secs())),
            ("99999999999999999999999999", Some(LIFE_MAX.as_secs())),
            ("0", None),
            ("-1", None),
            ("\"\"", None),
            ("\"soon\"", None),
            ("\"inf\"", None),
            ("\"NaN\"", None),
            ("null", None),
            ("[60]", None),
            ("true", None),
        ] {
            let value: Json = serde_json::from_str(life).unwrap();
            assert_eq!(lifetime(&value), expected, "{life}");
        }
    }
}
