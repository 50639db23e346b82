//! The way in: every request is noted, limited, authorised, and hit by the faults that were ordered.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower::ServiceExt;

use super::fault::Fault;
use super::office::{Edit, Notice, Office, System};
use super::refusal::{Reason, Refusal};

/// How large a request may be.
const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How much of an answer a fault rewrites.
const REWRITE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The unit that enormous answers are made of.
static PADDING: [u8; 64 * 1024] = [b'x'; 64 * 1024];

/// A body as it comes in, by a connection or by hand.
pub(crate) trait Carried:
    hyper::body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static
{
}

impl<B> Carried for B where
    B: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static
{
}

/// The connection is closed instead of answering.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection is dropped to order")]
pub(crate) struct Dropped;

/// Who asks, and the number of the request in the history.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) actor: String,
    pub(crate) request: usize,
    /// A fault that a listing, an update or a batch has to carry out itself.
    pub(crate) fault: Option<Fault>,
}

impl Caller {
    pub(crate) fn edit(&self) -> Edit {
        Edit {
            actor: self.actor.clone(),
            notice: Notice::Event,
            request: Some(self.request),
        }
    }
}

/// Answers one request, or drops the connection.
pub(crate) async fn serve<S: System, B: Carried>(
    office: Arc<Office<S>>,
    router: Router,
    request: Request<B>,
) -> Result<Response, Dropped> {
    let path = request.uri().path();
    if path == "/" || path.starts_with("/_sandbox") {
        return Ok(serve_operator::<S, B>(&router, request).await);
    }
    let method = request.method().as_str();
    let opened = office
        .history
        .open(office.clock.now(), method, path, request.uri().query());
    let number = match opened {
        Ok(number) => number,
        Err(full) => return Ok(S::answer(&full)),
    };
    let outcome = serve_caller(&office, router, request, number).await;
    let status = outcome.as_ref().ok().map(|response| response.status().as_u16());
    office.history.note(number, |request| request.status = status);
    outcome
}

/// The people who run the sandbox: no faults, no limits, no history.
async fn serve_operator<S: System, B: Carried>(router: &Router, request: Request<B>) -> Response {
    // A page from elsewhere must not steer the sandbox through its visitor's browser.
    let is_foreign = request
        .headers()
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none");
    if is_foreign && request.method() != Method::GET {
        return StatusCode::FORBIDDEN.into_response();
    }
    match limited::<S, B>(request).await {
        Ok(request) => run(router.clone(), request).await,
        Err(response) => response,
    }
}

async fn serve_caller<S: System, B: Carried>(
    office: &Arc<Office<S>>,
    router: Router,
    request: Request<B>,
    number: usize,
) -> Result<Response, Dropped> {
    if let Err(retry_after) = office.limit.take(&office.clock) {
        let refusal = Refusal::new(Reason::RateLimited, "too many requests");
        return Ok(with_retry_after(S::answer(&refusal), retry_after));
    }
    let path = request.uri().path().to_owned();
    let fault = office.faults.draw_request(request.method().as_str(), &path);
    if let Some(fault) = &fault {
        office
            .history
            .note(number, |request| request.fault = Some(fault.kind()));
        if let Some(outcome) = instead::<S>(fault).await {
            return outcome;
        }
    }
    let actor = if S::is_open(&path) {
        String::new()
    } else {
        match office.system.authorise(request.headers(), &office.clock).await {
            Ok(actor) => actor,
            Err(refusal) => return Ok(S::answer(&refusal)),
        }
    };
    office
        .history
        .note(number, |request| request.actor = Some(actor.clone()));
    let mut request = match limited::<S, B>(request).await {
        Ok(request) => request,
        Err(response) => return Ok(response),
    };
    request.extensions_mut().insert(Caller {
        actor,
        request: number,
        fault: fault.clone(),
    });
    let response = run(router, request).await;
    match fault {
        Some(fault) => afterwards(&fault, response).await,
        None => Ok(response),
    }
}

async fn run(router: Router, request: Request<Body>) -> Response {
    let answered: Result<Response, Infallible> = router.oneshot(request).await;
    match answered {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Reads the whole body, up to the limit.
async fn limited<S: System, B: Carried>(request: Request<B>) -> Result<Request<Body>, Response> {
    let (parts, body) = request.into_parts();
    match Limited::new(body, REQUEST_BYTES_MAX).collect().await {
        Ok(body) => Ok(Request::from_parts(parts, Body::from(body.to_bytes()))),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("a request may have {REQUEST_BYTES_MAX} bytes");
            Err(S::answer(&Refusal::new(Reason::TooLarge, message)))
        }
        Err(_) => Err(S::answer(&Refusal::new(Reason::MalformedJson, "the body broke off"))),
    }
}

/// Faults that take the place of the work; none when the work goes on.
async fn instead<S: System>(fault: &Fault) -> Option<Result<Response, Dropped>> {
    let response = match fault {
        Fault::Status {
            status,
            retry_after_s,
            code,
        } => {
            let reason = Reason::Ordered {
                status: *status,
                code: code.clone(),
            };
            let refusal = Refusal::new(reason, "this answer was ordered");
            with_retry_after(S::answer(&refusal), retry_after_s.map(|seconds| seconds.to_string()))
        }
        Fault::Unauthorized => S::answer(&Refusal::new(Reason::Unauthorized, "the credentials have expired")),
        Fault::DropBeforeCommit => return Some(Err(Dropped)),
        Fault::Html => {
            let page = "<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>";
            ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
        }
        Fault::EnormousBody { bytes } => enormous(*bytes),
        Fault::DeepJson { depth } => deep(*depth),
        Fault::SlowStart { ms } => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            return None;
        }
        _ => return None,
    };
    Some(Ok(response))
}

/// Faults that spoil the answer after the work is done.
async fn afterwards(fault: &Fault, response: Response) -> Result<Response, Dropped> {
    match fault {
        Fault::DropAnswer => Err(Dropped),
        Fault::SlowAnswer { ms } => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            Ok(response)
        }
        Fault::TruncatedJson => {
            let (parts, half) = first_half(response).await;
            Ok(rebuilt(parts, Body::from(half)))
        }
        Fault::CutBody => {
            let (parts, half) = first_half(response).await;
            let broken = stream::iter([Ok(half), Err(Dropped)]);
            Ok(rebuilt(parts, Body::from_stream(broken)))
        }
        Fault::WrongContentType => {
            let mut response = response;
            let plain = HeaderValue::from_static("text/plain");
            response.headers_mut().insert(header::CONTENT_TYPE, plain);
            Ok(response)
        }
        _ => Ok(response),
    }
}

async fn first_half(response: Response) -> (axum::http::response::Parts, Bytes) {
    let (parts, body) = response.into_parts();
    let whole = Limited::new(body, REWRITE_BYTES_MAX).collect().await;
    let whole = whole.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    (parts, whole.slice(..whole.len() / 2))
}

fn rebuilt(mut parts: axum::http::response::Parts, body: Body) -> Response {
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, body)
}

/// `{"padding":"xxx…"}`, made while it is sent.
fn enormous(bytes: u64) -> Response {
    let units = bytes.div_ceil(PADDING.len() as u64);
    let unit = Bytes::from_static(&PADDING);
    let middle = (0..units).map(move |_| Ok(unit.clone()));
    streamed("{\"padding\":\"", middle, "\"}")
}

/// `[[[…]]]`, made while it is sent.
fn deep(depth: u64) -> Response {
    let depth = usize::try_from(depth.min(50_000_000)).unwrap_or_default();
    let middle = [Ok(Bytes::from("[".repeat(depth))), Ok(Bytes::from("]".repeat(depth)))];
    streamed("", middle.into_iter(), "")
}

fn streamed(
    start: &'static str,
    middle: impl Iterator<Item = Result<Bytes, Infallible>> + Send + 'static,
    end: &'static str,
) -> Response {
    let edge = |text: &'static str| std::iter::once(Ok(Bytes::from_static(text.as_bytes())));
    let body = Body::from_stream(stream::iter(edge(start).chain(middle).chain(edge(end))));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn with_retry_after(mut response: Response, retry_after: Option<String>) -> Response {
    let value = retry_after.and_then(|value| HeaderValue::try_from(value).ok());
    if let Some(value) = value {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

/// An answer of JSON text.
pub(crate) fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}
