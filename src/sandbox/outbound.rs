//! The requests a system makes itself: webhooks, and asking an issuer about a token. Plain HTTP, everything bounded.

use std::time::Duration;

use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::Url;

/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Sends `POST` requests; clones share the connections.
#[derive(Clone, Debug)]
pub(crate) struct Poster {
    client: Client<HttpConnector, Full<Bytes>>,
    timeout: Duration,
}

/// The answer to a [`Poster::post`].
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the request cannot be built")]
    Request(#[from] axum::http::Error),
    #[error("no answer came")]
    Send(#[from] hyper_util::client::legacy::Error),
    #[error("the answer took longer than {0:?}")]
    TimedOut(Duration),
}

impl Poster {
    pub(crate) fn new(timeout: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(timeout));
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(20))
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self { client, timeout }
    }

    /// Posts a body with these headers. An answer that is too large or breaks off counts by its status alone.
    pub(crate) async fn post(&self, url: &Url, headers: HeaderMap, body: Bytes) -> Result<Reply, Error> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(url.as_str())
            .header(header::USER_AGENT, "Syncline-Sandbox")
            .body(Full::new(body))?;
        request.headers_mut().extend(headers);
        let exchange = async {
            let (parts, body) = self.client.request(request).await?.into_parts();
            let read = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            Ok(Reply {
                status: parts.status,
                headers: parts.headers,
                body: read.map(http_body_util::Collected::to_bytes).unwrap_or_default(),
            })
        };
        let outcome = tokio::time::timeout(self.timeout, exchange).await;
        outcome.unwrap_or(Err(Error::TimedOut(self.timeout)))
    }
}
