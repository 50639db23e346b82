//! The API, `/api/v1`: one file a noun. `docs/api.md` shows every route with an example.
//!
//! A route says which role it asks for where it is mounted, and [`guard`](super::auth) keeps the door: no handler can
//! forget to ask.

pub mod audit;
pub mod conflict;
pub mod delete;
pub mod drift;
pub mod event;
pub mod failure;
pub mod link;
pub mod mapping;
pub mod me;
pub mod run;
pub mod system;

use axum::{
    Router,
    http::StatusCode,
    middleware,
    routing::{MethodRouter, delete as remove, get, post},
};

use super::{
    auth::{self, Demand},
    decision::Outcome,
    error::{Problem, Result},
    state::App,
};
use crate::core::status::Role;

/// What a look costs of a token's rate.
const LOOK: u32 = 1;
/// What an action costs.
const ACT: u32 = 2;
/// What an action on many records, or a report, costs.
const HEAVY: u32 = 5;

/// One route.
struct Endpoint {
    path: &'static str,
    demand: Demand,
    handler: MethodRouter<App>,
}

fn endpoint(role: Role, cost: u32, path: &'static str, handler: MethodRouter<App>) -> Endpoint {
    Endpoint {
        path,
        demand: Demand { role, cost },
        handler,
    }
}

fn endpoints() -> Vec<Endpoint> {
    use Role::{Admin, Operator, Viewer};
    vec![
        endpoint(Viewer, LOOK, "/me", get(me::get)),
        endpoint(Viewer, LOOK, "/systems", get(system::list)),
        endpoint(Viewer, LOOK, "/mappings", get(mapping::list)),
        endpoint(Viewer, LOOK, "/runs", get(run::list)),
        endpoint(Viewer, LOOK, "/runs/{id}", get(run::get)),
        endpoint(Viewer, LOOK, "/failures", get(failure::list)),
        endpoint(Viewer, HEAVY, "/failures/groups", get(failure::groups)),
        endpoint(Viewer, LOOK, "/failures/{id}", get(failure::get)),
        endpoint(Operator, ACT, "/failures/{id}/ignore", post(failure::ignore)),
        endpoint(Viewer, LOOK, "/events", get(event::list)),
        endpoint(Viewer, LOOK, "/events/{id}", get(event::get)),
        endpoint(Viewer, LOOK, "/drift", get(drift::list)),
        endpoint(Viewer, LOOK, "/drift/{id}", get(drift::get)),
        endpoint(Viewer, HEAVY, "/drift/{id}/items", get(drift::items)),
        endpoint(Viewer, LOOK, "/links", get(link::list)),
        endpoint(Viewer, LOOK, "/links/{id}", get(link::get)),
        endpoint(Admin, ACT, "/links/{id}", remove(link::end)),
        endpoint(Viewer, LOOK, "/conflicts", get(conflict::list)),
        endpoint(Viewer, LOOK, "/conflicts/{id}", get(conflict::get)),
        endpoint(Operator, ACT, "/conflicts/{id}/resolve", post(conflict::resolve)),
        endpoint(Operator, ACT, "/conflicts/{id}/ignore", post(conflict::ignore)),
        endpoint(Viewer, LOOK, "/deletes", get(delete::list)),
        endpoint(Admin, LOOK, "/audit", get(audit::list)),
    ]
}

/// Every route of the API, each behind its guard.
pub(super) fn router(app: &App) -> Router<App> {
    endpoints().into_iter().fold(Router::new(), |router, endpoint| {
        let guard = middleware::from_fn_with_state((app.clone(), endpoint.demand), auth::guard);
        router.route(endpoint.path, endpoint.handler.layer(guard))
    })
}

/// The answer to a decision about `what`.
fn decided(outcome: Outcome, made: StatusCode, what: &str) -> Result<StatusCode> {
    match outcome {
        Outcome::Made => Ok(made),
        Outcome::Unknown => Err(Problem::not_found(format!("there is no {what}"))),
        Outcome::Settled => Err(Problem::conflict(format!("{what} is settled already"))),
    }
}
