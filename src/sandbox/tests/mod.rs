//! Both systems over real HTTP, as their callers see them.

mod crm;
mod erp;
mod fault;
mod fixture;
mod webhook;

use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::seed::Plan;

/// A caller with credentials.
#[derive(Clone)]
struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    base_url: String,
    headers: Vec<(&'static str, String)>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Caller {
    fn new(base_url: &str) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new())
                .retry_canceled_requests(false)
                .build_http(),
            base_url: base_url.to_owned(),
            headers: Vec::new(),
        }
    }

    fn with(&self, name: &'static str, value: &str) -> Self {
        let mut caller = self.clone();
        caller.headers.retain(|(known, _)| *known != name);
        caller.headers.push((name, value.to_owned()));
        caller
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        self.try_send(method, path, body).await.unwrap()
    }

    /// The answer, or none when the connection broke before or while it came.
    async fn try_send(&self, method: &str, path: &str, body: &str) -> Option<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base_url));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = request
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .unwrap();
        let response = self.client.request(request).await.ok()?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.ok()?.to_bytes();
        Some(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        })
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, body).await
    }

    async fn patch(&self, path: &str, body: &str) -> Answer {
        self.send("PATCH", path, body).await
    }
}

fn erp_caller(erp: &super::erp::Handle) -> Caller {
    Caller::new(erp.base_url()).with("x-api-key", erp.api_key().expose_secret())
}

/// A caller with a fresh token.
async fn crm_caller(crm: &super::crm::Handle) -> Caller {
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        crm.client_id(),
        crm.client_secret().expose_secret()
    );
    let caller = Caller::new(crm.base_url());
    let answer = caller.post("/oauth/token", &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    caller.with("authorization", &format!("Bearer {token}"))
}

/// Somebody who takes webhooks and answers what the test says.
#[derive(Clone)]
struct Receiver {
    url: String,
    taken: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    answers: Arc<Mutex<Vec<u16>>>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            url: format!("http://{}/hook", listener.local_addr().unwrap()),
            taken: Arc::default(),
            answers: Arc::default(),
        };
        let state = receiver.clone();
        let take = move |headers: HeaderMap, body: String| async move {
            state.taken.lock().unwrap().push((headers, body));
            let status = state.answers.lock().unwrap().pop().unwrap_or(200);
            StatusCode::from_u16(status).unwrap()
        };
        let router = axum::Router::new().route("/hook", axum::routing::post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// Answers these, the first one first, and 200 from then on.
    fn answer_first(&self, statuses: &[u16]) {
        *self.answers.lock().unwrap() = statuses.iter().rev().copied().collect();
    }

    fn taken(&self) -> Vec<(HeaderMap, Value)> {
        let taken = self.taken.lock().unwrap();
        taken
            .iter()
            .map(|(headers, body)| (headers.clone(), serde_json::from_str(body).unwrap()))
            .collect()
    }

    /// The record ids of the ERP's events, in the order they came.
    fn object_ids(&self) -> Vec<u64> {
        self.taken()
            .iter()
            .map(|(_, body)| body["object_id"].as_u64().unwrap())
            .collect()
    }
}

fn plan(companies: u32) -> Plan {
    Plan {
        companies,
        overlap: 0.8,
        crm_only: 3,
        contacts: 1,
        products: 5,
        deals: 1,
        ..Plan::default()
    }
}
