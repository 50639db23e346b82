//! One request: its body piece by piece, its answer in time.

use std::{
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::{HeaderValue, Request, Response, header},
};
use http_body_util::Limited;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt;

use super::connection::{Phase, Watch};
use crate::server::{error::Problem, request::RequestId};

/// When to come back after something took too long.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Answers the requests of one connection.
pub(super) struct Requests {
    pub(super) router: Router,
    pub(super) peer: SocketAddr,
    pub(super) watch: Arc<Watch>,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Reply>, Infallible>> + Send>>;

impl hyper::service::Service<Request<Incoming>> for Requests {
    type Response = Response<Reply>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        let (router, peer, watch) = (self.router.clone(), self.peer, Arc::clone(&self.watch));
        Box::pin(async move {
            watch.enter(Phase::Busy);
            let response = answer(router, peer, &watch, request).await;
            watch.enter(Phase::Responding);
            Ok(response.map(|body| Reply { body, watch }))
        })
    }
}

async fn answer(router: Router, peer: SocketAddr, watch: &Arc<Watch>, request: Request<Incoming>) -> Response<Body> {
    let body_bytes_max = watch.limits.body_bytes_max;
    let given_id = RequestId::given(request.headers());
    if request.body().size_hint().lower() > body_bytes_max as u64 {
        let detail = format!("the body is larger than {body_bytes_max} bytes");
        return refusal(Problem::too_large(detail), given_id);
    }
    let mut request = request.map(|body| {
        let watch = Arc::clone(watch);
        Body::new(Limited::new(Upload { body, watch }, body_bytes_max))
    });
    request.extensions_mut().insert(ConnectInfo(peer));

    let end = Instant::now() + watch.limits.request_timeout;
    let mut alarm = pin!(sleep_until(end));
    let mut handler = pin!(router.oneshot(request));
    poll_fn(|context| {
        if let Poll::Ready(Ok(response)) = handler.as_mut().poll(context) {
            return Poll::Ready(response);
        }
        let body_deadline = watch.body_deadline();
        let deadline = body_deadline.map_or(end, |deadline| deadline.min(end));
        if alarm.deadline() != deadline {
            alarm.as_mut().reset(deadline);
        }
        ready!(alarm.as_mut().poll(context));
        let problem = if body_deadline.is_some() {
            Problem::timed_out("the rest of the body did not arrive in time")
        } else {
            Problem::unavailable("this took too long").after(RETRY_AFTER)
        };
        Poll::Ready(refusal(problem, given_id.clone()))
    })
    .await
}

/// An answer that also ends the connection: what is left of the request is not worth reading.
fn refusal(problem: Problem, given_id: Option<RequestId>) -> Response<Body> {
    let mut response = problem.alone(&given_id.unwrap_or_else(RequestId::new));
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The body of a request, which tells the watch when the handler waits for more of it.
struct Upload {
    body: Incoming,
    watch: Arc<Watch>,
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_pending() {
            self.watch.change(Phase::Busy, Phase::Body);
        } else {
            self.watch.change(Phase::Body, Phase::Busy);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.watch.change(Phase::Body, Phase::Busy);
    }
}

/// The body of an answer, which tells the watch when it has been handed over.
pub(super) struct Reply {
    body: Body,
    watch: Arc<Watch>,
}

impl HttpBody for Reply {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.watch.change(Phase::Responding, Phase::Idle);
    }
}
