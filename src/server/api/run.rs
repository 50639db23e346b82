//! Runs: what was executed, and what came of it.

use axum::{Extension, Json, http::StatusCode};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    audit,
    mapping::{Accepted, accepted, told},
};
use crate::{
    core::status::{RunKind, RunStatus, Trigger},
    server::{
        auth::Caller,
        decision::{self, Outcome},
        error::{Problem, Result},
        extract::{Asked, Id, State},
        page::{Page, Wanted},
        state::App,
    },
    store::run::{Counters, Progress, Run, RunFilter},
    sync::reconcile,
};

/// A run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Run")]
pub struct View {
    /// Its id.
    pub run_id: i64,
    /// What it was started for.
    pub kind: RunKind,
    /// The mapping; null where it concerned several.
    pub mapping: Option<String>,
    /// Who or what started it.
    pub trigger: Trigger,
    /// How it stands.
    pub status: RunStatus,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// The node it ran on.
    pub node: String,
    /// What it did, in numbers.
    pub counters: Counters,
    /// A remark, such as why it is held.
    pub note: Option<String>,
    /// Who released or discarded it.
    pub released_by: Option<String>,
    /// How far a reconciliation is, or was when it ended; null for every other run.
    pub progress: Option<Progress>,
}

impl From<Run> for View {
    fn from(run: Run) -> Self {
        Self {
            run_id: run.run_id,
            kind: run.kind,
            mapping: run.mapping,
            trigger: run.trigger,
            status: run.status,
            started_at: run.started_at,
            ended_at: run.ended_at,
            node: run.node,
            counters: run.counters,
            note: run.note,
            released_by: run.released_by,
            progress: run.progress,
        }
    }
}

/// Which runs are asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    mapping: Option<String>,
    kind: Option<RunKind>,
    status: Option<RunStatus>,
    since: Option<DateTime<Utc>>,
}

/// `GET /runs`
pub(in crate::server) async fn list(State(app): State<App>, Asked(query): Asked<Query>) -> Result<Json<Page<View>>> {
    let wanted = Wanted::of(query.limit, query.cursor.as_deref())?;
    let filter = RunFilter {
        mapping: query.mapping,
        kind: query.kind,
        status: query.status,
        since: query.since,
    };
    let found = app.store().runs(&filter, wanted.page()).await?;
    Ok(Json(wanted.of_items(found, |run| run.run_id, View::from)))
}

/// `GET /runs/{id}`
pub(in crate::server) async fn get(State(app): State<App>, Id(id): Id) -> Result<Json<View>> {
    let run = app.store().run(id).await?;
    run.map(|run| Json(run.into())).ok_or_else(|| unknown(id))
}

/// `POST /runs/{id}/release`: the held run is carried out, to what it announced and no further.
pub(in crate::server) async fn release(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<Accepted> {
    let run = app.store().run(id).await?.ok_or_else(|| unknown(id))?;
    if run.status != RunStatus::Held {
        return Err(not_held(id));
    }
    let (engine, shutdown, by) = (app.engine().clone(), app.shutdown().clone(), audit::actor(&caller));
    app.spawn(async move {
        told(id, reconcile::release(&engine, id, &by, &shutdown).await);
    });
    Ok(accepted(id))
}

/// `POST /runs/{id}/discard`: what a held run would have done is not done.
pub(in crate::server) async fn discard(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<StatusCode> {
    match decision::discard_run(app.store(), id, &audit::actor(&caller)).await? {
        Outcome::Made => Ok(StatusCode::NO_CONTENT),
        Outcome::Unknown => Err(unknown(id)),
        Outcome::Settled => Err(not_held(id)),
    }
}

fn unknown(id: i64) -> Problem {
    Problem::not_found(format!("there is no run {id}"))
}

fn not_held(id: i64) -> Problem {
    Problem::conflict(format!("run {id} is not held: there is nothing to release or discard"))
}
