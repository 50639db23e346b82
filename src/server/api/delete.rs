//! Pending deletes: links whose one record is gone, where a person decides what follows.

use axum::{Extension, Json, http::StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{audit, decided, link::View};
use crate::{
    core::status::{LinkStatus, MissingDecision, Sides},
    server::{
        auth::Caller,
        decision,
        error::{Problem, Result},
        extract::{Asked, Id, State},
        page::{Page, Wanted},
        settling,
        state::App,
    },
    store::link::LinkFilter,
};

/// Which pending deletes are asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::server) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    mapping: Option<String>,
    /// Also those that a person has decided to keep.
    all: bool,
}

/// `GET /deletes`
pub(in crate::server) async fn list(State(app): State<App>, Asked(query): Asked<Query>) -> Result<Json<Page<View>>> {
    let wanted = Wanted::of(query.limit, query.cursor.as_deref())?;
    let filter = LinkFilter {
        mapping: query.mapping,
        status: Some(LinkStatus::PendingDelete),
        is_undecided: !query.all,
    };
    let found = app.store().links(&filter, wanted.page()).await?;
    Ok(Json(wanted.of_items(found, |link| link.link.link_id, View::from)))
}

/// `POST /deletes/{id}/unlink`: the record that is left stays, and no longer belongs to the one that is gone.
pub(in crate::server) async fn unlink(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<StatusCode> {
    let link = app.store().link(id).await?;
    if link.is_some_and(|link| link.link.status == LinkStatus::Linked) {
        return Err(Problem::conflict(format!("link {id} is no pending delete")));
    }
    let outcome = decision::end_link(app.store(), id, &audit::actor(&caller)).await?;
    decided(outcome, StatusCode::NO_CONTENT, &format!("pending delete {id}"))
}

/// `POST /deletes/{id}/confirm`: the record that is left is deleted, too.
pub(in crate::server) async fn confirm(app: State<App>, caller: Extension<Caller>, id: Id) -> Result<StatusCode> {
    decide(app, caller, id, MissingDecision::Delete).await
}

/// `POST /deletes/{id}/recreate`: the record that is gone is made again.
pub(in crate::server) async fn recreate(app: State<App>, caller: Extension<Caller>, id: Id) -> Result<StatusCode> {
    decide(app, caller, id, MissingDecision::Recreate).await
}

/// `POST /deletes/{id}/keep`: the record that is left stays, without a partner.
pub(in crate::server) async fn keep(app: State<App>, caller: Extension<Caller>, id: Id) -> Result<StatusCode> {
    decide(app, caller, id, MissingDecision::Keep).await
}

async fn decide(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    decision: MissingDecision,
) -> Result<StatusCode> {
    let mapping = app
        .store()
        .link(id)
        .await?
        .and_then(|link| app.mapping(&link.mapping).cloned());
    let connector = |side| {
        let mapping = mapping.as_ref()?;
        Some(app.engine().end(mapping, side).ok()?.connector().clone())
    };
    let connectors = Sides::of(connector);
    let objects = Sides::of(|side| {
        let name = &mapping.as_ref()?.end(side).object;
        connectors.get(side).as_ref()?.objects.get(name)
    });
    let outcome = settling::decide_missing(app.store(), objects, id, decision, &audit::actor(&caller)).await?;
    decided(outcome, StatusCode::ACCEPTED, &format!("pending delete {id}"))
}
