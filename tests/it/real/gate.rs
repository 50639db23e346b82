//! A gate between the daemon and a system, on the wire: it counts writes, keeps answers back, and changes a record just
//! before a write to it arrives. What passes is the real system's, byte for byte.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderName, Response, header},
};
use serde_json::Value as Json;
use tokio::{net::TcpListener, sync::watch};

use super::system;

/// The longest body that is passed on.
const BODY_BYTES_MAX: usize = 16 << 20;
/// Writes pass until somebody says otherwise.
const ALL: i64 = i64::MAX;

/// What has to happen to a record before the write in this request arrives.
pub type Disturb = fn(path: &str, body: &Json) -> Option<(reqwest::Method, String, Json)>;

/// An open gate. Its address stands for that of the system.
pub struct Gate {
    pub url: String,
    inner: Arc<Inner>,
    task: tokio::task::JoinHandle<()>,
}

struct Inner {
    target: String,
    http: reqwest::Client,
    disturb: Disturb,
    is_disturbing: AtomicBool,
    disturbed: AtomicU64,
    /// Writes that arrived.
    writes: AtomicU64,
    /// The codes of the records that were to be made.
    created: Mutex<Vec<String>>,
    /// Writes whose answers may pass.
    passing: AtomicI64,
    /// Writes that the system carried out and whose answers are kept back.
    held: watch::Sender<u64>,
}

impl Gate {
    pub async fn open(target: &str, disturb: Disturb) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            target: target.to_owned(),
            http: system::http(),
            disturb,
            is_disturbing: AtomicBool::new(false),
            disturbed: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            created: Mutex::default(),
            passing: AtomicI64::new(ALL),
            held: watch::Sender::new(0),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&inner));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inner, task }
    }

    /// Writes that arrived so far.
    pub fn writes(&self) -> u64 {
        self.inner.writes.load(Ordering::SeqCst)
    }

    /// The codes of the records that were asked to be made, as often as they were.
    pub fn created(&self) -> Vec<String> {
        self.inner.created.lock().unwrap().clone()
    }

    /// Lets `count` more writes through; the system still carries out those after them, but nobody hears of it.
    pub fn hold_after(&self, count: i64) {
        self.inner.held.send_replace(0);
        self.inner.passing.store(count, Ordering::SeqCst);
    }

    /// Waits until the system carried out writes whose answers are kept back.
    pub async fn held(&self, limit: Duration) {
        let mut held = self.inner.held.subscribe();
        let waited = tokio::time::timeout(limit, held.wait_for(|held| *held > 0)).await;
        drop(waited.expect("no write arrived in time").unwrap());
    }

    /// Lets everything pass again.
    pub fn release(&self) {
        self.inner.passing.store(ALL, Ordering::SeqCst);
    }

    /// Lets somebody else change the record of the next write just before it arrives.
    pub fn disturb_next_write(&self) {
        self.inner.is_disturbing.store(true, Ordering::SeqCst);
    }

    /// How many writes came too late since then.
    pub fn disturbed(&self) -> u64 {
        self.inner.disturbed.load(Ordering::SeqCst)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(State(gate): State<Arc<Inner>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap();
    let content: Json = serde_json::from_slice(&body).unwrap_or_default();
    let path = head.uri.path_and_query().unwrap().to_string();
    let is_write = is_write(&head.method, &content);
    let mut headers = head.headers;
    for own in [
        header::HOST,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ] {
        headers.remove(own);
    }
    if is_write {
        gate.writes.fetch_add(1, Ordering::SeqCst);
        gate.created.lock().unwrap().extend(created(&head.method, &content));
        gate.disturb(&path, &content, &headers).await;
    }
    let call = gate
        .http
        .request(head.method, format!("{}{path}", gate.target))
        .headers(headers)
        .body(body);
    let answer = call.send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if !is_of_the_connection(name) {
            response = response.header(name, value);
        }
    }
    let body = system::body(answer).await;
    if is_write && gate.passing.fetch_sub(1, Ordering::SeqCst) <= 0 {
        gate.held.send_modify(|held| *held += 1);
        std::future::pending::<()>().await;
    }
    response.body(Body::from(body)).unwrap()
}

impl Inner {
    async fn disturb(&self, path: &str, content: &Json, headers: &header::HeaderMap) {
        let Some((method, path, body)) = (self.disturb)(path, content) else {
            return;
        };
        if !self.is_disturbing.swap(false, Ordering::SeqCst) {
            return;
        }
        let mut headers = headers.clone();
        headers.insert(header::IF_MATCH, header::HeaderValue::from_static("*"));
        headers.insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("application/json"),
        );
        let call = self
            .http
            .request(method, format!("{}{path}", self.target))
            .headers(headers)
            .body(body.to_string());
        let answer = call.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        self.disturbed.fetch_add(1, Ordering::SeqCst);
    }
}

/// The code of the record that a request makes: by JSON-RPC among the parameters, else in the body.
fn created(method: &reqwest::Method, content: &Json) -> Option<String> {
    let record = match content["method"].as_str() {
        Some(procedure) if procedure.ends_with(".create") => &content["params"][0][0],
        None if method == reqwest::Method::POST => content,
        _ => return None,
    };
    record["code"].as_str().map(ToOwned::to_owned)
}

/// Whether a request changes something: by its method, or where everything is a POST, by the procedure it calls.
fn is_write(method: &reqwest::Method, content: &Json) -> bool {
    match content["method"].as_str() {
        Some(procedure) => [".create", ".write", ".delete"]
            .iter()
            .any(|verb| procedure.ends_with(verb)),
        None => !method.is_safe(),
    }
}

fn is_of_the_connection(name: &HeaderName) -> bool {
    [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(name)
        || name.as_str() == "keep-alive"
}
