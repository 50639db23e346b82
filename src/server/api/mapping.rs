//! Mappings, as they are loaded.

use std::sync::Arc;

use axum::{
    Extension, Json,
    http::{HeaderName, StatusCode, header},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::audit;
use crate::{
    core::{
        mapping::Mapping,
        status::{RunKind, Side, Trigger},
    },
    server::{
        auth::Caller,
        decision,
        error::{Problem, Result},
        extract::{Body, State, Within},
        state::App,
    },
    store::Op,
    sync::{
        self,
        reconcile::{self, Request},
    },
};

/// A mapping.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Mapping")]
pub struct View {
    /// Its name.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The left end.
    pub left: EndView,
    /// The right end.
    pub right: EndView,
    /// The fields, by their names in reports.
    pub fields: Vec<String>,
    /// Local time of the daily reconciliation.
    pub reconcile_at: Option<String>,
    /// The zone of that time.
    pub timezone: String,
    /// Whether drift is repaired.
    pub repair: bool,
    /// Fingerprint of the definition.
    pub version: String,
}

/// One end of a mapping.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "MappingEnd")]
pub struct EndView {
    /// The system.
    pub system: String,
    /// The object.
    pub object: String,
    /// Whether records travel towards it.
    pub is_written: bool,
    /// Whether new records are made there.
    pub is_created: bool,
}

impl From<&Mapping> for View {
    fn from(mapping: &Mapping) -> Self {
        let end = |side: Side| EndView {
            system: mapping.end(side).system.clone(),
            object: mapping.end(side).object.clone(),
            is_written: mapping.writes_to(side),
            is_created: *mapping.create.get(side),
        };
        Self {
            name: mapping.name.clone(),
            title: mapping.title.clone(),
            owner: mapping.owner.clone(),
            left: end(Side::Left),
            right: end(Side::Right),
            fields: mapping.fields.iter().map(|field| field.name.clone()).collect(),
            reconcile_at: mapping.reconcile.at.map(|at| at.format("%H:%M").to_string()),
            timezone: mapping.reconcile.timezone.to_string(),
            repair: mapping.reconcile.repair,
            version: format!("{:016x}", mapping.version),
        }
    }
}

/// `GET /mappings`
pub(in crate::server) async fn list(State(app): State<App>) -> Json<Vec<View>> {
    Json(app.mappings().map(|mapping| View::from(&**mapping)).collect())
}

/// How a reconciliation is wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct Wanted {
    /// Whether drift is repaired; as the mapping says, where nothing is said.
    repair: Option<bool>,
    kind: Kind,
}

#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// Everything is compared.
    #[default]
    Reconcile,
    /// The same, as at the first time: a listing that is far shorter than the last one is believed.
    Full,
    /// Only what changed since the last comparison.
    Incremental,
}

/// A run that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "BegunRun")]
pub struct Begun {
    /// The run.
    pub run_id: i64,
    /// Where to look how it stands.
    pub url: String,
}

/// What a run that has begun is answered with.
pub(in crate::server) type Accepted = (StatusCode, [(HeaderName, String); 1], Json<Begun>);

/// The answer for a run that has begun.
pub(in crate::server) fn accepted(run_id: i64) -> Accepted {
    let url = format!("{}/runs/{run_id}", super::MOUNT);
    (
        StatusCode::ACCEPTED,
        [(header::LOCATION, url.clone())],
        Json(Begun { run_id, url }),
    )
}

/// `POST /mappings/{name}/reconcile`: begins a reconciliation, and tells where its run is.
pub(in crate::server) async fn reconcile(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Within(name): Within<String>,
    Body(wanted): Body<Wanted>,
) -> Result<Accepted> {
    let mapping = named(&app, &name)?;
    let request = Request {
        kind: match wanted.kind {
            Kind::Reconcile => RunKind::Reconcile,
            Kind::Full => RunKind::Full,
            Kind::Incremental => RunKind::Incremental,
        },
        trigger: Trigger::Person,
        repair: wanted.repair.unwrap_or(mapping.reconcile.repair),
    };
    if request.kind == RunKind::Incremental && reconcile::last_compared(app.engine(), &mapping).await?.is_none() {
        return Err(sync::Error::NotIncremental("there was no comparison yet", name).into());
    }
    let begun = reconcile::begin(app.engine(), &mapping, request).await?;
    let run_id = begun.run_id;
    let detail = serde_json::json!({ "mapping": name, "kind": request.kind, "repair": request.repair });
    let entry = decision::entry(
        &audit::actor(&caller),
        "run.start",
        format!("run/{run_id}"),
        Some(detail.to_string()),
    );
    if let Err(error) = app.store().commit(vec![Op::Audit(entry)]).await {
        reconcile::abandon(app.engine(), begun).await?;
        return Err(error.into());
    }
    let (engine, shutdown) = (app.engine().clone(), app.shutdown().clone());
    app.spawn(async move {
        told(run_id, reconcile::proceed(&engine, &mapping, begun, &shutdown).await);
    });
    Ok(accepted(run_id))
}

/// Puts the end of a run that a request has started into the log; the run itself is on record.
pub(in crate::server) fn told(run_id: i64, ended: std::result::Result<reconcile::Report, sync::Error>) {
    match ended {
        Ok(report) => tracing::info!(run_id, status = %report.status, drifted = report.summary.drifted(), "reconciled"),
        Err(error) => tracing::error!(%error, run_id, "a reconciliation failed"),
    }
}

/// The mapping of this name.
pub(in crate::server) fn named(app: &App, name: &str) -> Result<Arc<Mapping>> {
    let mapping = app.mapping(name).cloned();
    mapping.ok_or_else(|| Problem::not_found("there is no such mapping"))
}
