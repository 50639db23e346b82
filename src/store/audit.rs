//! The audit trail: what people did, only ever added to.

use chrono::{DateTime, Utc};

use super::{
    Context, Page, Store,
    bulk::{Bulk, Filter},
    engine::{FromRow, Row, Tx, Unread, args},
    error::Error,
};

/// Something a person did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAudit {
    /// Who: the name of an API token, of a person at the console, or of a user of this machine.
    pub actor: String,
    /// What, as noun and verb: `failure.reprocess`.
    pub action: String,
    /// To what: `run/17`.
    pub subject: String,
    /// More, as JSON, without personal data.
    pub detail: Option<String>,
}

/// An entry of the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Our id of it.
    pub audit_id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// What was done.
    pub entry: NewAudit,
}

impl FromRow for Audit {
    const TABLE: &'static str = "audit";
    const KEY: &'static str = "audit_id";

    fn from_row(row: &Row) -> Result<Self, Unread> {
        Ok(Self {
            audit_id: row.get("audit_id")?,
            at: row.time("at")?,
            entry: NewAudit {
                actor: row.get("actor")?,
                action: row.get("action")?,
                subject: row.get("subject")?,
                detail: row.get("detail")?,
            },
        })
    }
}

impl Store {
    /// The trail, newest first. It is the whole house's: in a part of it nobody sees any of it.
    pub async fn audits(&self, page: Page) -> Result<Vec<Audit>, Error> {
        if !self.sees_all() {
            return Ok(Vec::new());
        }
        let select = "select audit_id, at, actor, action, subject, detail from audit";
        let (sql, args) = Filter::new().page(select, "audit_id", page);
        self.engine().rows(sql, args).await
    }
}

/// Adds entries.
pub(super) async fn add(tx: &mut Tx, context: &Context<'_>, entries: &[&NewAudit]) -> Result<(), Error> {
    const ADD: Bulk = Bulk {
        head: "insert into audit (at, actor, action, subject, detail)",
        tail: "",
    };
    let rows = entries
        .iter()
        .map(|entry| args![context.now, &entry.actor, &entry.action, &entry.subject, &entry.detail]);
    ADD.execute(tx, rows.collect()).await?;
    Ok(())
}
