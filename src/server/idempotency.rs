//! Actions that are sent twice and done once: `Idempotency-Key`.
//!
//! An action with a key is noted before it is done, and its answer is kept for a day. The same action with the same key gets
//! that answer; another action with it is refused. A refusal changes nothing, so it keeps no key.

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use std::time::Duration;

use super::{
    auth::{Caller, Proof},
    error::{Problem, Result},
    extract,
    state::App,
};
use crate::store::api_request::{Answered, ApiRequest, Begun};

/// The header that names an action.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key.
const KEY_BYTES_MAX: usize = 128;
/// The longest answer that is kept; those of actions are far shorter.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// When to ask again for an action that is being worked on.
const AGAIN: Duration = Duration::from_secs(2);

/// Does an action, once where it has a key. Begun, it is done to its end even if the caller hangs up.
pub(super) async fn once(app: &App, caller: &Caller, request: Request, next: Next) -> Response {
    match (key(request.headers()), caller.proof) {
        (Ok(Some(key)), Proof::Token(api_token_id)) => with_key(app, api_token_id, key, request, next)
            .await
            .unwrap_or_else(IntoResponse::into_response),
        (Ok(_), _) => app.to_the_end(next.run(request)).await,
        (Err(problem), _) => problem.into_response(),
    }
}

/// The key of a request, without the quotation marks that it may stand in.
fn key(headers: &HeaderMap) -> Result<Option<String>> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let text = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let is_good = (1..=KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_good || values.next().is_some() {
        return Err(Problem::malformed(format!(
            "`Idempotency-Key` is one word of at most {KEY_BYTES_MAX} letters, digits and signs"
        )));
    }
    Ok(Some(text.to_owned()))
}

/// Hash of what is asked for: method, address and body.
fn hash(request: &Request, body: &Bytes) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [
        request.method().as_str().as_bytes(),
        request.uri().to_string().as_bytes(),
        body,
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

async fn with_key(app: &App, api_token_id: i64, key: String, request: Request, next: Next) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let body = extract::whole(body, app.api_body_bytes_max()).await?;
    let request = Request::from_parts(parts, Body::from(body.clone()));
    let hash = hash(&request, &body);
    let known = ApiRequest {
        api_token_id,
        key: &key,
        hash: &hash,
    };
    match app.store().begin_api_request(known).await? {
        Begun::Other => Err(Problem::invalid("this `Idempotency-Key` belongs to another action")),
        Begun::AtWork => {
            Err(Problem::conflict("the action with this `Idempotency-Key` is being worked on").after(AGAIN))
        }
        Begun::Answered(answered) => Ok(replay(answered)),
        Begun::New => {
            let work = app.clone();
            let done = async move {
                let response = next.run(request).await;
                let known = ApiRequest {
                    api_token_id,
                    key: &key,
                    hash: &hash,
                };
                keep(&work, known, response).await
            };
            Ok(app.to_the_end(done).await)
        }
    }
}

/// Keeps the answer to an action that was done, and forgets one that was refused.
async fn keep(app: &App, known: ApiRequest<'_>, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    if !parts.status.is_success() {
        if let Err(error) = app.store().forget_api_request(known).await {
            tracing::warn!(%error, "an idempotency key is not free yet: its action was refused and could not be forgotten");
        }
        return Response::from_parts(parts, body);
    }
    let Ok(bytes) = to_bytes(body, ANSWER_BYTES_MAX).await else {
        return Problem::internal("the answer is too long; the action is done").into_response();
    };
    let location = parts.headers.get(header::LOCATION);
    let answered = Answered {
        status: parts.status.as_u16(),
        location: location.and_then(|value| value.to_str().ok()).map(str::to_owned),
        body: String::from_utf8_lossy(&bytes).into_owned(),
    };
    if let Err(error) = app.store().answer_api_request(known, &answered).await {
        tracing::warn!(%error, "the answer to an action could not be kept for its idempotency key");
    }
    Response::from_parts(parts, Body::from(bytes))
}

fn replay(answered: Answered) -> Response {
    let status = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::OK);
    let is_json = !answered.body.is_empty();
    let mut response = (status, answered.body).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    if is_json {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(location) = answered.location.and_then(|location| location.parse().ok()) {
        headers.insert(header::LOCATION, location);
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_word_with_or_without_quotation_marks() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(KEY, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            key(&headers).map_err(|problem| problem.status().as_u16())
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["8e03978e-40d5"]), Ok(Some("8e03978e-40d5".into())));
        assert_eq!(of(&["\"8e03\""]), Ok(Some("8e03".into())));
        let long = "x".repeat(KEY_BYTES_MAX + 1);
        for bad in [&[""][..], &["\"\""], &["a b"], &["é"], &[&long], &["a", "a"]] {
            assert_eq!(of(bad), Err(400), "{bad:?}");
        }
    }

    #[test]
    fn method_address_and_body_make_an_action() {
        let of = |method: &str, uri: &str, body: &'static str| {
            let request = axum::http::Request::builder().method(method).uri(uri);
            hash(
                &request.body(Body::empty()).unwrap(),
                &Bytes::from_static(body.as_bytes()),
            )
        };
        let first = of("POST", "/a", "{}");
        assert_eq!(of("POST", "/a", "{}"), first);
        for other in [of("PUT", "/a", "{}"), of("POST", "/a{", "}"), of("POST", "/a", "{} ")] {
            assert_ne!(other, first);
        }
    }
}
