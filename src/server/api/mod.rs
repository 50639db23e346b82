//! The API, `/api/v1`: one file a noun. `docs/api.md` shows every route with an example.
//!
//! A route says which role it asks for where it is mounted, and [`guard`](super::auth) keeps the door: no handler can
//! forget to ask.

mod answer;

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
pub mod openapi;
pub mod operation;
pub mod record;
pub mod run;
pub mod search;
pub mod setting;
pub mod suggestion;
pub mod system;
pub mod webhook;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use axum::{
    Router,
    handler::Handler,
    http::StatusCode,
    middleware,
    routing::{self, MethodRouter},
};

use self::answer::Answering;
use super::{
    auth::{self, Demand},
    charge::HEAVY,
    error::{Problem, Result},
    settling::Decided,
    state::App,
};
use crate::core::status::Role::{self, Admin, Analyst, Operator, Viewer};

/// The answer to what is done.
const DONE: &[StatusCode] = &[StatusCode::NO_CONTENT];
/// The answer to what was begun.
const BEGUN: &[StatusCode] = &[StatusCode::ACCEPTED];
/// The answer that shows something.
const SHOWS: &[StatusCode] = &[StatusCode::OK];
/// The answer that shows what was made.
const MADE: &[StatusCode] = &[StatusCode::CREATED];
/// The answer before anything was done, and when it has begun.
const ASKS_OR_BEGUN: &[StatusCode] = &[StatusCode::OK, StatusCode::ACCEPTED];

/// Where the API is mounted.
const MOUNT: &str = "/api/v1";
/// What a look costs of a token's rate.
const LOOK: u32 = 1;
/// What an action costs.
const ACT: u32 = 2;

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
    /// Whether it concerns the whole house, so that nobody may use it who is limited to tenants.
    pub is_of_house: bool,
}

/// Every route of the API: what the documentation and the tests of roles are compared with.
#[must_use]
pub fn routes() -> Vec<Route> {
    let route = |endpoint: Endpoint| Route {
        method: endpoint.method,
        path: format!("{MOUNT}{}", endpoint.path),
        role: endpoint.demand.role,
        cost: endpoint.demand.cost,
        is_of_house: endpoint.demand.is_of_house,
    };
    endpoints().into_iter().map(route).collect()
}

/// One route.
struct Endpoint {
    method: &'static str,
    path: &'static str,
    demand: Demand,
    handler: MethodRouter<App>,
    /// What the query may say.
    query: Option<Described>,
    /// What the body says.
    body: Option<Described>,
    /// Every status of an answer when all is well.
    gives: &'static [StatusCode],
    answer: Gives,
}

/// The schema of what a route takes or answers with.
type Described = fn(&mut SchemaGenerator) -> Schema;

/// What a route answers with when all is well.
#[derive(Debug, Clone, Copy)]
enum Gives {
    /// JSON, of which the handler says what it is; or nothing.
    Answer(Option<Described>),
    /// JSON that is described elsewhere.
    Document,
    /// A file in one of several formats.
    File,
    /// Text for people, as Markdown.
    Markdown,
}

impl Endpoint {
    fn asks<T: JsonSchema>(self) -> Self {
        let query = Some(T::json_schema as Described);
        Self { query, ..self }
    }

    fn takes<T: JsonSchema>(self) -> Self {
        let body = Some(T::json_schema as Described);
        Self { body, ..self }
    }

    fn gives(self, gives: &'static [StatusCode]) -> Self {
        Self { gives, ..self }
    }

    /// Concerns the whole house: nobody may who is limited to tenants.
    fn of_house(self) -> Self {
        let demand = Demand {
            is_of_house: true,
            ..self.demand
        };
        Self { demand, ..self }
    }

    fn file(self) -> Self {
        let answer = Gives::File;
        Self { answer, ..self }
    }

    fn markdown(self) -> Self {
        let answer = Gives::Markdown;
        Self { answer, ..self }
    }

    fn document(self) -> Self {
        let answer = Gives::Document;
        Self { answer, ..self }
    }
}

fn route(
    method: &'static str,
    demand: Demand,
    path: &'static str,
    (handler, answer): (MethodRouter<App>, Option<Described>),
) -> Endpoint {
    Endpoint {
        method,
        path,
        demand,
        handler,
        query: None,
        body: None,
        gives: SHOWS,
        answer: Gives::Answer(answer),
    }
}

fn demand(role: Role, cost: u32) -> Demand {
    Demand {
        role,
        cost,
        is_of_house: false,
    }
}

fn look<H, T, A>(role: Role, cost: u32, path: &'static str, handler: H) -> Endpoint
where
    H: Handler<T, App> + Answering<A>,
    T: 'static,
{
    route("GET", demand(role, cost), path, (routing::get(handler), H::BODY))
}

fn act<H, T, A>(role: Role, cost: u32, path: &'static str, handler: H) -> Endpoint
where
    H: Handler<T, App> + Answering<A>,
    T: 'static,
{
    route("POST", demand(role, cost), path, (routing::post(handler), H::BODY)).gives(BEGUN)
}

fn remove<H, T, A>(role: Role, cost: u32, path: &'static str, handler: H) -> Endpoint
where
    H: Handler<T, App> + Answering<A>,
    T: 'static,
{
    route("DELETE", demand(role, cost), path, (routing::delete(handler), H::BODY)).gives(DONE)
}

#[rustfmt::skip]
fn endpoints() -> Vec<Endpoint> {
    vec![
        look(Viewer, LOOK, "/openapi.json", openapi::get).document(),
        look(Viewer, LOOK, "/me", me::get),
        look(Viewer, LOOK, "/systems", system::list),
        look(Viewer, LOOK, "/operations", operation::get),
        look(Viewer, LOOK, "/mappings", mapping::list),
        act(Operator, HEAVY, "/mappings/{name}/reconcile", mapping::reconcile).takes::<mapping::Wanted>(),
        act(Viewer, HEAVY, "/mappings/{name}/records/{side}/{id}/plan", record::plan).gives(SHOWS),
        act(Operator, ACT, "/mappings/{name}/records/{side}/{id}/sync", record::sync),
        look(Viewer, HEAVY, "/mappings/{name}/records/{side}/{id}/story", record::story),
        act(Analyst, HEAVY, "/mappings/{name}/records/{side}/{id}/show", record::show).takes::<record::Reason>().gives(SHOWS),
        look(Viewer, HEAVY, "/records", search::list).asks::<search::Query>(),
        look(Viewer, LOOK, "/runs", run::list).asks::<run::Query>(),
        look(Viewer, LOOK, "/runs/{id}", run::get),
        act(Admin, HEAVY, "/runs/{id}/release", run::release),
        act(Admin, ACT, "/runs/{id}/discard", run::discard).gives(DONE),
        look(Viewer, LOOK, "/failures", failure::list).asks::<failure::Query>(),
        act(Admin, HEAVY, "/failures/reprocess", failure::reprocess_all)
            .takes::<failure::Reprocess>()
            .gives(ASKS_OR_BEGUN),
        look(Viewer, LOOK, "/failures/reprocess", failure::reprocessing),
        look(Viewer, HEAVY, "/failures/groups", failure::groups).asks::<failure::GroupQuery>(),
        look(Viewer, LOOK, "/failures/{id}", failure::get),
        act(Operator, ACT, "/failures/{id}/ignore", failure::ignore).gives(DONE),
        act(Admin, ACT, "/failures/{id}/reprocess", failure::reprocess),
        look(Viewer, LOOK, "/events", event::list).asks::<event::Query>(),
        look(Viewer, LOOK, "/events/{id}", event::get),
        act(Admin, ACT, "/events/{id}/reprocess", event::reprocess),
        look(Viewer, LOOK, "/drift", drift::list).asks::<drift::Query>(),
        look(Viewer, LOOK, "/drift/{id}", drift::get),
        look(Viewer, HEAVY, "/drift/{id}/items", drift::items).asks::<drift::ItemQuery>(),
        look(Viewer, HEAVY, "/drift/{id}/export", export::get).asks::<export::Query>().file(),
        look(Viewer, LOOK, "/drift/trend", drift::trend).asks::<drift::Query>(),
        look(Viewer, LOOK, "/links", link::list).asks::<link::Query>(),
        look(Viewer, LOOK, "/links/{id}", link::get),
        remove(Operator, ACT, "/links/{id}", link::end),
        act(Operator, HEAVY, "/links/import", link::import).takes::<link::Import>().gives(SHOWS),
        act(Operator, ACT, "/links/relink", link::relink).takes::<link::Relink>().gives(SHOWS),
        act(Operator, ACT, "/links/merge", link::merge).takes::<link::Merge>().gives(SHOWS),
        look(Viewer, LOOK, "/suggestions", suggestion::list).asks::<suggestion::Query>(),
        look(Viewer, LOOK, "/suggestions/{id}", suggestion::get),
        act(Operator, ACT, "/suggestions/{id}/accept", suggestion::accept),
        act(Operator, ACT, "/suggestions/{id}/reject", suggestion::reject).gives(DONE),
        look(Viewer, LOOK, "/conflicts", conflict::list).asks::<conflict::Query>(),
        look(Viewer, LOOK, "/conflicts/{id}", conflict::get),
        act(Operator, ACT, "/conflicts/{id}/resolve", conflict::resolve).takes::<conflict::Decision>(),
        act(Operator, ACT, "/conflicts/{id}/ignore", conflict::ignore).takes::<conflict::Seen>().gives(DONE),
        look(Viewer, LOOK, "/deletes", delete::list).asks::<delete::Query>(),
        act(Admin, ACT, "/deletes/{id}/unlink", delete::unlink).gives(DONE),
        act(Admin, ACT, "/deletes/{id}/confirm", delete::confirm),
        act(Admin, ACT, "/deletes/{id}/recreate", delete::recreate),
        act(Admin, ACT, "/deletes/{id}/keep", delete::keep),
        look(Viewer, LOOK, "/ignore", ignore::list).asks::<ignore::Query>(),
        act(Operator, ACT, "/ignore", ignore::add).takes::<ignore::Wish>().gives(MADE),
        remove(Operator, ACT, "/ignore/{id}", ignore::remove),
        look(Viewer, LOOK, "/notices", notice::list).asks::<notice::Query>(),
        look(Viewer, LOOK, "/notices/{id}", notice::get),
        act(Admin, ACT, "/notices/{id}/resend", notice::resend),
        look(Viewer, LOOK, "/webhooks", webhook::list),
        look(Viewer, LOOK, "/webhooks/incoming/{system}", webhook::incoming),
        look(Viewer, LOOK, "/webhooks/incoming/{system}/markdown", webhook::incoming_text).markdown(),
        look(Viewer, LOOK, "/webhooks/outgoing/{target}", webhook::outgoing).of_house(),
        look(Viewer, LOOK, "/webhooks/outgoing/{target}/markdown", webhook::outgoing_text).markdown().of_house(),
        look(Admin, LOOK, "/audit", audit::list).asks::<audit::Query>().of_house(),
        look(Admin, LOOK, "/settings", setting::list).of_house(),
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
