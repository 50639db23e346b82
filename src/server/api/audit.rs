//! The audit: who did what.

use axum::Json;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    server::{
        auth::{Caller, Proof},
        error::Result,
        extract::{Asked, State},
        page::{Page, Wanted},
        state::App,
    },
    store::audit::Audit,
};

/// An entry.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
pub struct View {
    /// Its id.
    pub audit_id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: String,
    /// What, as noun and verb.
    pub action: String,
    /// To what.
    pub subject: String,
    /// More, as JSON.
    pub detail: Option<String>,
}

impl From<Audit> for View {
    fn from(audit: Audit) -> Self {
        Self {
            audit_id: audit.audit_id,
            at: audit.at,
            actor: audit.entry.actor,
            action: audit.entry.action,
            subject: audit.entry.subject,
            detail: audit.entry.detail,
        }
    }
}

/// Which entries are asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
}

/// `GET /audit`
pub(in crate::server) async fn list(State(app): State<App>, Asked(query): Asked<Query>) -> Result<Json<Page<View>>> {
    let wanted = Wanted::of(query.limit, query.cursor.as_deref())?;
    let found = app.store().audits(wanted.page()).await?;
    Ok(Json(wanted.of_items(found, |audit| audit.audit_id, View::from)))
}

/// What a caller is called in the audit.
pub(in crate::server) fn actor(caller: &Caller) -> String {
    match caller.proof {
        Proof::Token(_) => format!("token:{}", caller.name),
        Proof::Session(_) => format!("console:{}", caller.name),
    }
}
