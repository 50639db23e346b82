//! Mappings, as they are loaded.

use axum::{Json, extract::State};
use serde::Serialize;

use crate::{
    core::{mapping::Mapping, status::Side},
    server::state::App,
};

/// A mapping.
#[derive(Debug, Clone, Serialize)]
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
#[derive(Debug, Clone, Serialize)]
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
pub(super) async fn list(State(app): State<App>) -> Json<Vec<View>> {
    Json(app.mappings().values().map(|mapping| View::from(&**mapping)).collect())
}
