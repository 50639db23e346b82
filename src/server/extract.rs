//! What handlers take from a request: query, body and ids, each refused with a problem that names what is wrong.

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, header, request::Parts},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::{
    error::{Problem, Result},
    state::App,
};

/// The server, as far as whoever asks may see it: the door has put it there. Handlers behind a door take this one; axum's own
/// `State` is the whole house, for those that nobody has to pass a door for.
pub struct State<T>(pub T);

impl FromRequestParts<App> for State<App> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let seen = parts.extensions.get::<App>().cloned();
        seen.map(Self)
            .ok_or_else(|| Problem::internal("the door was not passed"))
    }
}

/// The query, read as `T`; `T` refuses parameters it does not know.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(rejection) => Err(Problem::invalid(rejection.body_text())),
        }
    }
}

/// The id at the end of a path.
pub struct Id(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match Path::<i64>::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => Err(Problem::not_found("an id is a whole number")),
        }
    }
}

/// What stands in the `{…}` of a path, decoded.
pub struct Within<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Within<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(parts)) => Ok(Self(parts)),
            Err(_) => Err(Problem::not_found("the path names nothing that can be")),
        }
    }
}

/// A JSON body, read as `T`; no body counts as `{}`.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        let is_json = request.headers().get(header::CONTENT_TYPE).is_none_or(|value| {
            let essence = value
                .to_str()
                .unwrap_or_default()
                .split(';')
                .next()
                .unwrap_or_default()
                .trim();
            essence.eq_ignore_ascii_case("application/json")
        });
        if !is_json {
            return Err(Problem::unsupported_media_type("the body must be `application/json`"));
        }
        let bytes = whole(request.into_body(), app.api_body_bytes_max()).await?;
        let bytes = if bytes.is_empty() { &b"{}"[..] } else { &bytes };
        serde_json::from_slice(bytes)
            .map(Self)
            .map_err(|error| match error.classify() {
                serde_json::error::Category::Data => Problem::invalid(error.to_string()),
                _ => Problem::malformed(format!("the body is not JSON: {error}")),
            })
    }
}

/// A whole body of at most `bytes_max` bytes.
pub(super) async fn whole(body: axum::body::Body, bytes_max: usize) -> Result<Bytes> {
    match Limited::new(body, bytes_max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Problem::too_large(format!("the body is larger than {bytes_max} bytes")))
        }
        Err(_) => Err(Problem::malformed("the body did not arrive whole")),
    }
}

/// What is answered to a path that nobody serves.
pub(super) async fn no_route() -> Problem {
    Problem::not_found("nothing is served at this path")
}

/// What is answered to a method that a path does not have.
pub(super) async fn no_method() -> (StatusCode, Problem) {
    (
        StatusCode::METHOD_NOT_ALLOWED,
        Problem::method_not_allowed("this path does not have this method; the header `Allow` names those it has"),
    )
}
