//! Systems, as they are configured. Secrets have dates and owners here, and nothing else.

use axum::{Json, extract::State};
use chrono::NaiveDate;
use serde::Serialize;

use crate::server::state::App;

/// A system.
#[derive(Debug, Clone, Serialize)]
pub struct View {
    /// Its name.
    pub name: String,
    /// What kind of system it is.
    pub connector: String,
    /// Whether it sends us webhooks, and where to.
    pub webhook_url: Option<String>,
    /// How many webhook secrets are accepted.
    pub webhook_secrets: usize,
    /// Who answers for the secrets.
    pub secret_owner: Option<String>,
    /// By when they are to be replaced.
    pub secret_rotate_by: Option<NaiveDate>,
    /// How many days are left until then.
    pub secret_rotation_due_days: Option<i64>,
}

/// `GET /systems`
pub(super) async fn list(State(app): State<App>) -> Json<Vec<View>> {
    let today = app.clock().now().date_naive();
    let systems = app.settings().systems.iter();
    let views = systems.map(|(name, system)| View {
        name: name.clone(),
        connector: system.connector.clone(),
        webhook_url: app.hook(name).map(|_| app.public_address(&format!("/webhooks/{name}"))),
        webhook_secrets: system.webhook_secrets.len(),
        secret_owner: system.secret_owner.clone(),
        secret_rotate_by: system.secret_rotate_by,
        secret_rotation_due_days: system.secret_rotate_by.map(|date| (date - today).num_days()),
    });
    Json(views.collect())
}
