//! Ignore rules: differences that people have chosen to leave, until a date.

use std::sync::Arc;

use axum::{Extension, Json, http::StatusCode};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{audit, decided};
use crate::{
    core::status::{Side, Situation},
    server::{
        auth::Caller,
        error::{Problem, Result},
        extract::{Asked, Body, Id, State},
        page::{Page, Wanted},
        settling,
        state::App,
    },
    store::ignore::{IgnoreFilter, IgnoreRule, NewIgnoreRule},
};

/// Days before its end from which on a rule is shown as ending soon.
const SOON_DAYS: i64 = 7;

/// An ignore rule.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "IgnoreRule")]
pub struct View {
    /// Its id.
    pub ignore_rule_id: i64,
    /// The mapping.
    pub mapping: String,
    /// The side of the record.
    pub side: Option<Side>,
    /// The record; none for all.
    pub record_id: Option<String>,
    /// The field; none for all.
    pub field: Option<String>,
    /// The situation; none for all.
    pub situation: Option<Situation>,
    /// When it ends by itself.
    pub until: DateTime<Utc>,
    /// `active`, `ends_soon`, `ended` or `removed`.
    pub state: &'static str,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was taken away before its end.
    pub removed_at: Option<DateTime<Utc>>,
    /// Who took it away.
    pub removed_by: Option<String>,
}

impl View {
    /// A rule as it stands now.
    #[must_use]
    pub fn of(stored: IgnoreRule, now: DateTime<Utc>) -> Self {
        let state = match stored.rule.until - now {
            _ if stored.removed_at.is_some() => "removed",
            _ if !stored.is_active(now) => "ended",
            rest if rest <= chrono::TimeDelta::days(SOON_DAYS) => "ends_soon",
            _ => "active",
        };
        let (side, record_id) = stored.rule.record.unzip();
        Self {
            ignore_rule_id: stored.ignore_rule_id,
            mapping: stored.rule.mapping.to_string(),
            side,
            record_id,
            field: stored.rule.field,
            situation: stored.rule.situation,
            until: stored.rule.until,
            state,
            reason: stored.rule.reason,
            owner: stored.rule.owner,
            created_at: stored.created_at,
            removed_at: stored.removed_at,
            removed_by: stored.removed_by,
        }
    }
}

/// Which rules are asked for: those in force, where nothing is said.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    mapping: Option<String>,
    all: bool,
}

/// `GET /ignore`
pub(in crate::server) async fn list(State(app): State<App>, Asked(query): Asked<Query>) -> Result<Json<Page<View>>> {
    let wanted = Wanted::of(query.limit, query.cursor.as_deref())?;
    let filter = IgnoreFilter {
        mapping: query.mapping,
        with_ended: query.all,
    };
    let now = app.clock().now();
    let found = app.store().ignore_rules(&filter, wanted.page()).await?;
    Ok(Json(wanted.of_items(
        found,
        |rule| rule.ignore_rule_id,
        |rule| View::of(rule, now),
    )))
}

/// What is to be left alone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct Wish {
    mapping: String,
    /// `left`, `right` or the name of the record's system.
    side: Option<String>,
    record_id: Option<String>,
    field: Option<String>,
    situation: Option<Situation>,
    /// A date (through its end, in UTC) or a time.
    until: String,
    reason: String,
}

/// `POST /ignore`
pub(in crate::server) async fn add(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Json<View>)> {
    let known = app
        .mapping(&wish.mapping)
        .ok_or_else(|| Problem::invalid(format!("there is no mapping `{}`", wish.mapping)))?;
    let record = match (wish.side, wish.record_id) {
        (None, None) => None,
        (Some(word), Some(id)) => {
            let side = known
                .side_named(&word)
                .ok_or_else(|| Problem::invalid(format!("`{word}` is no side of mapping `{}`", known.name)))?;
            Some((side, id))
        }
        _ => return Err(Problem::invalid("`record_id` and `side` stand together")),
    };
    if let Some(field) = &wish.field
        && known.fields.iter().all(|known| known.name != *field)
    {
        let message = format!("mapping `{}` has no field `{field}`", known.name);
        return Err(Problem::invalid(message));
    }
    let rule = NewIgnoreRule {
        mapping: Arc::from(known.name.as_str()),
        record,
        field: wish.field,
        situation: wish.situation,
        until: settling::until(&wish.until).map_err(Problem::invalid)?,
        reason: wish.reason,
        owner: audit::actor(&caller),
    };
    let now = app.clock().now();
    let id = settling::ignore(app.store(), &rule, now)
        .await?
        .map_err(Problem::invalid)?;
    let stored = app.store().ignore_rule(id).await?;
    let stored = stored.ok_or_else(|| Problem::internal("the rule is not there"))?;
    Ok((StatusCode::CREATED, Json(View::of(stored, now))))
}

/// `DELETE /ignore/{id}`
pub(in crate::server) async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<StatusCode> {
    let outcome = settling::stop_ignoring(app.store(), id, &audit::actor(&caller)).await?;
    decided(outcome, StatusCode::NO_CONTENT, &format!("ignore rule {id}"))
}
