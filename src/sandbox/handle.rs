//! A system that runs: its address, and everything a test or a demo does behind its API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use secrecy::SecretString;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::Clock;
use super::edge;
use super::fault::Faults;
use super::history::{Commit, History};
use super::office::{Act, Edit, Office, Snapshot, System};
use super::refusal::Refusal;
use super::webhook::{Message, SubscribeError};

/// How many connections one system holds.
const CONNECTIONS_MAX: usize = 1024;
/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests under way may take when the system stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A running system. Dropping it stops the system without waiting; [`Handle::stop`] waits.
pub struct Handle<S: System> {
    pub(crate) office: Arc<Office<S>>,
    base_url: String,
    router: Router,
    stopping: CancellationToken,
    connections: TaskTracker,
}

impl<S: System> Handle<S> {
    /// Binds the address and serves until stopped.
    pub(crate) async fn start(bind: SocketAddr, office: Office<S>, routes: Router<Arc<Office<S>>>) -> io::Result<Self> {
        let listener = TcpListener::bind(bind).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let handle = Self::quiet(base_url, office, routes);
        let server = Server {
            office: Arc::clone(&handle.office),
            router: handle.router.clone(),
            stopping: handle.stopping.clone(),
            connections: handle.connections.clone(),
        };
        handle.connections.spawn(server.accept(listener));
        Ok(handle)
    }

    /// A system without a door: it is asked by [`Handle::ask`] alone, and believes to be at `base_url`.
    pub(crate) fn quiet(base_url: String, office: Office<S>, routes: Router<Arc<Office<S>>>) -> Self {
        let office = Arc::new(office);
        Self {
            router: routes.with_state(Arc::clone(&office)),
            office,
            base_url,
            stopping: CancellationToken::new(),
            connections: TaskTracker::new(),
        }
    }

    /// Asks the system past any network, with everything that a request meets on its way in; none where a fault drops the
    /// connection.
    pub async fn ask(&self, request: Request<Body>) -> Option<Response> {
        let asked = edge::serve(Arc::clone(&self.office), self.router.clone(), request).await;
        asked.ok()
    }

    /// The webhook that tells of a commit, with the headers that prove where it comes from now.
    pub fn message(&self, commit: &Commit, secret: &SecretString) -> Option<Message> {
        self.office.webhooks.message(commit, secret)
    }

    /// Such as `http://127.0.0.1:40123`, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Where faults are ordered.
    pub fn faults(&self) -> &Faults {
        &self.office.faults
    }

    pub(super) fn office(&self) -> &Office<S> {
        &self.office
    }

    /// What was asked, committed and sent.
    pub fn history(&self) -> &History {
        &self.office.history
    }

    /// The system's time.
    pub fn clock(&self) -> &Clock {
        &self.office.clock
    }

    /// Sends webhooks to `url` (plain `http://`), signed with `secret`. Subscribing an address again changes its secret.
    pub fn subscribe(&self, url: &str, secret: &SecretString) -> Result<(), SubscribeError> {
        self.office.webhooks.subscribe(url, secret)
    }

    /// Sends no more webhooks to `url`; false when it was not subscribed.
    pub fn unsubscribe(&self, url: &str) -> bool {
        self.office.webhooks.unsubscribe(url)
    }

    /// Waits until every webhook was taken, lost or given up.
    pub async fn webhooks_settled(&self) {
        self.office.webhooks.settled().await;
    }

    /// Makes a record behind the API; `json` is an object in the system's own spelling.
    pub fn create(&self, object: &str, json: &str, edit: &Edit) -> Result<Snapshot, Refusal> {
        self.one(object, Act::Create(json, edit))
    }

    /// Changes the named fields of a record behind the API.
    pub fn patch(&self, object: &str, id: &str, json: &str, edit: &Edit) -> Result<Snapshot, Refusal> {
        self.one(object, Act::Patch(id, json, edit))
    }

    /// Deletes a record behind the API.
    pub fn delete(&self, object: &str, id: &str, edit: &Edit) -> Result<(), Refusal> {
        S::act(&self.office, object, Act::Delete(id, edit)).map(drop)
    }

    /// A record as it stands.
    pub fn read(&self, object: &str, id: &str) -> Result<Snapshot, Refusal> {
        self.one(object, Act::Read(id))
    }

    /// The records found by one of the listing's filters.
    pub fn find(&self, object: &str, filter: &str, value: &str) -> Result<Vec<Snapshot>, Refusal> {
        S::act(&self.office, object, Act::Find(filter, value))
    }

    /// Every record of an object, by id.
    pub fn all(&self, object: &str) -> Result<Vec<Snapshot>, Refusal> {
        S::act(&self.office, object, Act::All)
    }

    fn one(&self, object: &str, act: Act<'_>) -> Result<Snapshot, Refusal> {
        let mut found = S::act(&self.office, object, act)?;
        found.pop().ok_or_else(|| Refusal::not_found(object, ""))
    }

    /// Takes no more requests, lets those under way end within five seconds, and stops sending webhooks.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.connections.close();
        let _ = tokio::time::timeout(STOP_TIMEOUT, self.connections.wait()).await;
        self.office.webhooks.stop().await;
    }
}

impl<S: System> fmt::Debug for Handle<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct(S::TITLE)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

impl<S: System> Drop for Handle<S> {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.office.webhooks.cancel();
    }
}

/// The part of a system that listens.
struct Server<S: System> {
    office: Arc<Office<S>>,
    router: Router,
    stopping: CancellationToken,
    connections: TaskTracker,
}

impl<S: System> Server<S> {
    async fn accept(self, listener: TcpListener) {
        let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(seat) = Arc::clone(&seats).acquire_owned().await else {
                return;
            };
            let accepted = tokio::select! {
                () = self.stopping.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                // Out of file handles, most likely: let others finish.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let connection = self.connection(stream);
            self.connections.spawn(async move {
                connection.await;
                drop(seat);
            });
        }
    }

    /// Serves one connection until either side closes it, or a fault drops it.
    fn connection(&self, stream: TcpStream) -> impl Future<Output = ()> + Send + 'static {
        let _ = stream.set_nodelay(true);
        let office = Arc::clone(&self.office);
        let router = self.router.clone();
        let stopping = self.stopping.clone();
        async move {
            let service = service_fn(move |request| edge::serve(Arc::clone(&office), router.clone(), request));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            tokio::pin!(connection);
            // An error here is a caller who left or a fault to order; both are in the history.
            tokio::select! {
                _ = connection.as_mut() => return,
                () = stopping.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        }
    }
}
