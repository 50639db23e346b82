//! The API, `/api/v1`: one file a noun. `docs/api.md` shows every route with an example.
//!
//! A route says which role it asks for where it is mounted, and [`guard`](super::auth) keeps the door: no handler can
//! forget to ask.

pub mod audit;
pub mod conflict;
pub mod delete;
pub mod drift;
pub mod event;
pub mod export;
pub mod failure;
pub mod ignore;
pub mod link;
pub mod mapping;
pub mod me;
pub mod notice;
pub mod record;
pub mod run;
pub mod suggestion;
pub mod system;

use axum::{
    Router,
    handler::Handler,
    http::StatusCode,
    middleware,
    routing::{self, MethodRouter},
};

use super::{
    auth::{self, Demand},
    error::{Problem, Result},
    settling::Decided,
    state::App,
};
use crate::core::status::Role::{self, Admin, Operator, Viewer};

/// Where the API is mounted.
const MOUNT: &str = "/api/v1";
/// What a look costs of a token's rate.
const LOOK: u32 = 1;
/// What an action costs.
const ACT: u32 = 2;
/// What an action on many records, a report, or a look into other systems costs.
const HEAVY: u32 = 5;

/// One route as its callers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// The path, with `{…}` where something stands in.
    pub path: String,
    /// The least role that may use it.
    pub role: Role,
    /// How many requests it counts for in the rate of a token.
    pub cost: u32,
}

/// Every route of the API: what the documentation and the tests of roles are compared with.
#[must_use]
pub fn routes() -> Vec<Route> {
    let route = |endpoint: Endpoint| Route {
        method: endpoint.method,
        path: format!("{MOUNT}{}", endpoint.path),
        role: endpoint.demand.role,
        cost: endpoint.demand.cost,
    };
    endpoints().into_iter().map(route).collect()
}

/// One route.
struct Endpoint {
    method: &'static str,
    path: &'static str,
    demand: Demand,
    handler: MethodRouter<App>,
}

fn look<H: Handler<T, App>, T: 'static>(role: Role, cost: u32, path: &'static str, handler: H) -> Endpoint {
    Endpoint {
        method: "GET",
        path,
        demand: Demand { role, cost },
        handler: routing::get(handler),
    }
}

fn act<H: Handler<T, App>, T: 'static>(role: Role, cost: u32, path: &'static str, handler: H) -> Endpoint {
    Endpoint {
        method: "POST",
        path,
        demand: Demand { role, cost },
        handler: routing::post(handler),
    }
}

fn remove<H: Handler<T, App>, T: 'static>(role: Role, cost: u32, path: &'static str, handler: H) -> Endpoint {
    Endpoint {
        method: "DELETE",
        path,
        demand: Demand { role, cost },
        handler: routing::delete(handler),
    }
}

#[rustfmt::skip]
fn endpoints() -> Vec<Endpoint> {
    vec![
        look(Viewer, LOOK, "/me", me::get),
        look(Viewer, LOOK, "/systems", system::list),
        look(Viewer, LOOK, "/mappings", mapping::list),
        act(Operator, HEAVY, "/mappings/{name}/reconcile", mapping::reconcile),
        act(Viewer, HEAVY, "/mappings/{name}/records/{side}/{id}/plan", record::plan),
        act(Operator, ACT, "/mappings/{name}/records/{side}/{id}/sync", record::sync),
        look(Viewer, HEAVY, "/mappings/{name}/records/{side}/{id}/story", record::story),
        look(Viewer, LOOK, "/runs", run::list),
        look(Viewer, LOOK, "/runs/{id}", run::get),
        act(Admin, HEAVY, "/runs/{id}/release", run::release),
        act(Admin, ACT, "/runs/{id}/discard", run::discard),
        look(Viewer, LOOK, "/failures", failure::list),
        act(Admin, HEAVY, "/failures/reprocess", failure::reprocess_all),
        look(Viewer, HEAVY, "/failures/groups", failure::groups),
        look(Viewer, LOOK, "/failures/{id}", failure::get),
        act(Operator, ACT, "/failures/{id}/ignore", failure::ignore),
        act(Admin, ACT, "/failures/{id}/reprocess", failure::reprocess),
        look(Viewer, LOOK, "/events", event::list),
        look(Viewer, LOOK, "/events/{id}", event::get),
        act(Admin, ACT, "/events/{id}/reprocess", event::reprocess),
        look(Viewer, LOOK, "/drift", drift::list),
        look(Viewer, LOOK, "/drift/{id}", drift::get),
        look(Viewer, HEAVY, "/drift/{id}/items", drift::items),
        look(Viewer, HEAVY, "/drift/{id}/export", export::get),
        look(Viewer, LOOK, "/drift/trend", drift::trend),
        look(Viewer, LOOK, "/links", link::list),
        look(Viewer, LOOK, "/links/{id}", link::get),
        remove(Operator, ACT, "/links/{id}", link::end),
        act(Operator, HEAVY, "/links/import", link::import),
        act(Operator, ACT, "/links/relink", link::relink),
        act(Operator, ACT, "/links/merge", link::merge),
        look(Viewer, LOOK, "/suggestions", suggestion::list),
        look(Viewer, LOOK, "/suggestions/{id}", suggestion::get),
        act(Operator, ACT, "/suggestions/{id}/accept", suggestion::accept),
        act(Operator, ACT, "/suggestions/{id}/reject", suggestion::reject),
        look(Viewer, LOOK, "/conflicts", conflict::list),
        look(Viewer, LOOK, "/conflicts/{id}", conflict::get),
        act(Operator, ACT, "/conflicts/{id}/resolve", conflict::resolve),
        act(Operator, ACT, "/conflicts/{id}/ignore", conflict::ignore),
        look(Viewer, LOOK, "/deletes", delete::list),
        act(Admin, ACT, "/deletes/{id}/unlink", delete::unlink),
        act(Admin, ACT, "/deletes/{id}/confirm", delete::confirm),
        act(Admin, ACT, "/deletes/{id}/recreate", delete::recreate),
        act(Admin, ACT, "/deletes/{id}/keep", delete::keep),
        look(Viewer, LOOK, "/ignore", ignore::list),
        act(Operator, ACT, "/ignore", ignore::add),
        remove(Operator, ACT, "/ignore/{id}", ignore::remove),
        look(Viewer, LOOK, "/notices", notice::list),
        look(Viewer, LOOK, "/notices/{id}", notice::get),
        act(Admin, ACT, "/notices/{id}/resend", notice::resend),
        look(Admin, LOOK, "/audit", audit::list),
    ]
}

/// Every route of the API, each behind its guard.
pub(super) fn router(app: &App) -> Router<App> {
    let routes = endpoints().into_iter().fold(Router::new(), |router, endpoint| {
        let guard = middleware::from_fn_with_state((app.clone(), endpoint.demand), auth::guard);
        // Only the method that is there is guarded: what is not there is told to everybody alike.
        router.route(endpoint.path, endpoint.handler.route_layer(guard))
    });
    Router::new().nest(MOUNT, routes)
}

/// The answer to a decision about `what`.
fn decided(outcome: impl Into<Decided>, made: StatusCode, what: &str) -> Result<StatusCode> {
    match outcome.into() {
        Decided::Made => Ok(made),
        Decided::Unknown => Err(Problem::not_found(format!("there is no {what}"))),
        Decided::Settled => Err(Problem::conflict(format!("{what} is settled already"))),
        Decided::Changed => Err(Problem::conflict(format!(
            "{what} has changed since you looked: read it again, and decide about what it says now"
        ))),
        Decided::Refused(why) => Err(Problem::conflict(why)),
    }
}
