//! How the process is, for those who watch it.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::state::App;

/// What `/readyz` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Whether requests may be sent here.
    pub is_ready: bool,
    /// Why not; empty where they may.
    pub reasons: Vec<String>,
}

/// `GET /healthz`: the process is alive and answers; nothing else is looked at, so that a store that is down restarts
/// nobody.
pub(super) async fn live() -> &'static str {
    "alive\n"
}

/// `GET /readyz`: webhooks can be stored. Whoever answers 200 here has just written to its store.
pub(super) async fn ready(State(app): State<App>) -> Response {
    let mut reasons = app.unready();
    if app.is_stopping() {
        reasons.push("this process is stopping".to_owned());
    }
    if app.is_full() {
        reasons.push("the queue has reached its limit (limits.queue_max)".to_owned());
    }
    if let Err(error) = app.store().ping().await {
        tracing::warn!(%error, "not ready: the store cannot be written to");
        reasons.push("the store cannot be written to; the log says why".to_owned());
    }
    let status = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let readiness = Readiness {
        is_ready: reasons.is_empty(),
        reasons,
    };
    (status, Json(readiness)).into_response()
}

/// `GET /metrics`: everything that is counted, for Prometheus.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    match app.metrics().encode() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
