//! The HTTP side of Syncline: webhooks, the API and the pages, behind one listener.
//!
//! Types of axum and hyper stay in here.

pub mod listen;

mod webhook;

pub mod api;
pub mod auth;
mod charge;
pub mod code;
pub mod console;
pub mod decision;
mod extract;
mod hour;
mod idempotency;
pub mod linking;
mod page;
mod rate;
pub mod settling;
pub mod tenancy;

mod error;
mod health;
mod request;
mod secret;
mod state;

use axum::{Router, middleware, routing};

pub use error::Problem;
pub use health::Readiness;
pub use page::Page;
pub use state::{App, Parts, Pause};
pub use webhook::Hook;

/// Everything that is served.
pub fn router(app: App) -> Router {
    let rimmed = Router::new()
        .route("/healthz", routing::get(health::live))
        .route("/readyz", routing::get(health::ready))
        .route("/metrics", routing::get(health::metrics))
        .merge(api::router(&app))
        .merge(console::router(&app))
        .fallback(extract::no_route)
        .method_not_allowed_fallback(extract::no_method)
        .layer(middleware::from_fn_with_state(app.clone(), request::rim));
    Router::new()
        .route(webhook::ROUTE, routing::any(webhook::receive))
        .merge(rimmed)
        .with_state(app)
}
