//! Notices: what people and programs were told, and what became of it.

use axum::{Extension, Json, http::StatusCode};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::audit;
use crate::{
    core::{
        notice::type_of,
        status::{DeliveryStatus, NoticeCondition},
    },
    server::{
        auth::Caller,
        decision,
        error::{Problem, Result},
        extract::{Asked, Id, State},
        page::{Page, Wanted},
        state::App,
    },
    store::notice::{Delivery, Notice, NoticeFilter},
};

/// A notice.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Notice")]
pub struct View {
    /// Its id here.
    pub notice_id: i64,
    /// Its id for those who were told.
    pub event_id: String,
    /// `drift.raised`, `drift.well`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The condition.
    pub condition: NoticeCondition,
    /// The mapping or system.
    pub subject: String,
    /// When the change was seen.
    pub occurred_at: DateTime<Utc>,
    /// One sentence.
    pub title: String,
    /// What to do next.
    pub next: String,
    /// The document that is sent.
    pub payload: Value,
    /// How it stands with each target.
    pub deliveries: Vec<DeliveryView>,
}

/// How a notice stands with one target.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
pub struct DeliveryView {
    /// The target's name.
    pub target: String,
    /// How it stands.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: u64,
    /// When it is tried next.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When it was last tried.
    pub last_attempt_at: Option<DateTime<Utc>>,
    /// Why that did not go well.
    pub last_error: Option<String>,
    /// When it was taken or given up.
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let is_pending = delivery.status == DeliveryStatus::Pending;
        Self {
            target: delivery.target,
            status: delivery.status,
            attempts: delivery.attempts,
            next_attempt_at: Some(delivery.next_attempt_at).filter(|_| is_pending),
            last_attempt_at: delivery.last_attempt_at,
            last_error: delivery.last_error,
            ended_at: delivery.ended_at,
        }
    }
}

impl View {
    /// A notice with its deliveries.
    #[must_use]
    pub fn of(notice: Notice, deliveries: Vec<Delivery>) -> Self {
        let payload: Value = serde_json::from_str(&notice.payload).unwrap_or_default();
        let text = |key: &str| payload.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            notice_id: notice.notice_id,
            event_id: notice.event_id,
            kind: type_of(notice.condition, notice.state),
            condition: notice.condition,
            subject: notice.subject,
            occurred_at: notice.occurred_at,
            title: text("title"),
            next: text("next"),
            payload,
            deliveries: deliveries.into_iter().map(DeliveryView::from).collect(),
        }
    }
}

/// Which notices are asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    condition: Option<NoticeCondition>,
    subject: Option<String>,
    status: Option<DeliveryStatus>,
}

/// `GET /notices`
pub(in crate::server) async fn list(State(app): State<App>, Asked(query): Asked<Query>) -> Result<Json<Page<View>>> {
    let wanted = Wanted::of(query.limit, query.cursor.as_deref())?;
    let filter = NoticeFilter {
        condition: query.condition,
        subject: query.subject,
        delivery: query.status,
    };
    let mut found = Vec::new();
    for notice in app.store().notices(&filter, wanted.page()).await? {
        let deliveries = app.store().notice_deliveries(notice.notice_id).await?;
        found.push(View::of(notice, deliveries));
    }
    Ok(Json(wanted.of_items(found, |notice| notice.notice_id, |view| view)))
}

/// `GET /notices/{id}`
pub(in crate::server) async fn get(State(app): State<App>, Id(id): Id) -> Result<Json<View>> {
    let notice = app.store().notice(id).await?.ok_or_else(|| unknown(id))?;
    Ok(Json(View::of(notice, app.store().notice_deliveries(id).await?)))
}

/// `POST /notices/{id}/resend`: to the targets that did not get it.
pub(in crate::server) async fn resend(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<StatusCode> {
    if app.store().notice(id).await?.is_none() {
        return Err(unknown(id));
    }
    let kept = app.settings().notify.retry_for.duration();
    match decision::resend_notices(app.store(), Some(id), None, kept, &audit::actor(&caller)).await? {
        0 => Err(Problem::conflict(format!("no delivery of notice {id} was given up"))),
        _ => Ok(StatusCode::ACCEPTED),
    }
}

fn unknown(id: i64) -> Problem {
    Problem::not_found(format!("there is no notice {id}"))
}
