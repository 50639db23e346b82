//! The console: pages for people, under `/console`. One file a page; a page shows what the API gives, by the same functions.
//!
//! ```text
//!   request ─▶ door (session, form, role) ─▶ page ─▶ api / settling / decision ─▶ template
//!                └─ live: the same page again and again, for whoever has it open
//! ```
//!
//! Everything is rendered here and works without JavaScript. What comes from outside is text: templates escape, and no page
//! runs or loads anything that is not our own file.

pub mod user;

mod advice;
mod chart;
mod code;
mod detail;
mod door;
mod form;
mod frame;
mod key;
mod language;
mod markup;
mod openid;
mod password;
mod query;
mod refusal;
mod shown;
mod text;
mod told;
mod word;

mod asset;
mod sign;

mod overview;

mod conflict;
mod delete;
mod drift;
mod failure;
mod link;
mod mapping;
mod record;
mod run;
mod suggestion;

mod audit;
mod event;
mod ignore;
mod notice;
mod operation;
mod setting;
mod system;
mod webhook;

mod live;

pub(super) use openid::SignOn;

use axum::{
    Router,
    handler::Handler,
    middleware,
    routing::{self, MethodRouter},
};

use super::{api, auth::Demand, charge::HEAVY, state::App};
use crate::core::status::Role::{self, Admin, Analyst, Operator, Viewer};

/// What a page costs of a person's rate.
const LOOK: u32 = 1;
/// What an action costs.
const ACT: u32 = 2;

/// Where the console is mounted.
const MOUNT: &str = "/console";

/// One route as the tests of roles see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path, with `{…}` where something stands in.
    pub path: String,
    /// The least role that may use it; none: whoever comes.
    pub role: Option<Role>,
    /// Whether it concerns the whole house, so that nobody may use it who is limited to tenants.
    pub is_of_house: bool,
}

/// Every route of the console.
#[must_use]
pub fn routes() -> Vec<Route> {
    let route = |endpoint: Endpoint| Route {
        method: endpoint.method,
        path: format!("{MOUNT}{}", endpoint.path),
        role: endpoint.demand.map(|demand| demand.role),
        is_of_house: endpoint.demand.is_some_and(|demand| demand.is_of_house),
    };
    endpoints().into_iter().map(route).collect()
}

/// One route.
struct Endpoint {
    method: &'static str,
    path: &'static str,
    /// What it asks of whoever comes; none: nothing.
    demand: Option<Demand>,
    handler: MethodRouter<App>,
}

impl Endpoint {
    /// Concerns the whole house: nobody may who is limited to tenants.
    fn of_house(self) -> Self {
        let demand = self.demand.map(|demand| Demand {
            is_of_house: true,
            ..demand
        });
        Self { demand, ..self }
    }
}

fn look<H: Handler<T, App>, T: 'static>(role: Role, cost: u32, path: &'static str, handler: H) -> Endpoint {
    Endpoint {
        demand: Some(Demand {
            role,
            cost,
            is_of_house: false,
        }),
        ..open(path, handler)
    }
}

fn act<H: Handler<T, App>, T: 'static>(role: Role, cost: u32, path: &'static str, handler: H) -> Endpoint {
    Endpoint {
        demand: Some(Demand {
            role,
            cost,
            is_of_house: false,
        }),
        ..submit(path, handler)
    }
}

fn open<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Endpoint {
    Endpoint {
        method: "GET",
        path,
        demand: None,
        handler: routing::get(handler),
    }
}

fn submit<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Endpoint {
    Endpoint {
        method: "POST",
        path,
        demand: None,
        handler: routing::post(handler),
    }
}

#[rustfmt::skip]
fn endpoints() -> Vec<Endpoint> {
    vec![
        open("/asset/{name}", asset::get),
        open("/sign-in", sign::page),
        submit("/sign-in", sign::sign_in),
        open("/sign-in/openid", openid::begin),
        open("/sign-in/openid/back", openid::back),
        submit("/sign-out", sign::sign_out),
        submit("/language", sign::language),
        open("/link/{token}", sign::link),
        submit("/link/{token}", sign::redeem),
        open("/{*rest}", refusal::nowhere),
        look(Viewer, LOOK, "", overview::page),
        look(Viewer, LOOK, "/mappings/{name}", mapping::page),
        act(Operator, HEAVY, "/mappings/{name}/reconcile", mapping::reconcile),
        look(Viewer, LOOK, "/drift", drift::list),
        look(Viewer, LOOK, "/drift/{id}", drift::get),
        look(Viewer, HEAVY, "/drift/{id}/export", drift::export),
        look(Viewer, LOOK, "/conflicts", conflict::list),
        look(Viewer, LOOK, "/conflicts/{id}", conflict::get),
        act(Operator, ACT, "/conflicts/{id}/resolve", conflict::resolve),
        act(Operator, ACT, "/conflicts/{id}/ignore", conflict::ignore),
        look(Viewer, LOOK, "/deletes", delete::list),
        act(Admin, ACT, "/deletes/{id}/{decision}", delete::decide),
        look(Viewer, LOOK, "/held", run::held),
        look(Viewer, LOOK, "/suggestions", suggestion::list),
        act(Operator, ACT, "/suggestions/{id}/accept", suggestion::accept),
        act(Operator, ACT, "/suggestions/{id}/reject", suggestion::reject),
        look(Viewer, LOOK, "/failures", failure::list),
        act(Admin, HEAVY, "/failures/reprocess", failure::reprocess_all),
        look(Viewer, LOOK, "/failures/{id}", failure::get),
        act(Admin, ACT, "/failures/{id}/reprocess", failure::reprocess),
        act(Operator, ACT, "/failures/{id}/ignore", failure::ignore),
        look(Viewer, LOOK, "/links", link::list),
        act(Operator, ACT, "/links/{id}/end", link::end),
        look(Viewer, LOOK, "/runs", run::list),
        look(Viewer, LOOK, "/runs/{id}", run::get),
        act(Admin, HEAVY, "/runs/{id}/release", run::release),
        act(Admin, ACT, "/runs/{id}/discard", run::discard),
        look(Viewer, LOOK, "/events", event::list),
        look(Viewer, LOOK, "/events/{id}", event::get),
        act(Admin, ACT, "/events/{id}/reprocess", event::reprocess),
        look(Viewer, HEAVY, "/record", record::search),
        look(Viewer, HEAVY, "/records/{mapping}/{side}/{id}", record::get),
        act(Viewer, HEAVY, "/records/{mapping}/{side}/{id}/plan", record::plan),
        act(Operator, ACT, "/records/{mapping}/{side}/{id}/sync", record::sync),
        act(Analyst, HEAVY, "/records/{mapping}/{side}/{id}/show", record::show),
        look(Viewer, LOOK, "/ignore", ignore::list),
        act(Operator, ACT, "/ignore", ignore::add),
        act(Operator, ACT, "/ignore/{id}/remove", ignore::remove),
        look(Viewer, LOOK, "/notices", notice::list),
        act(Admin, ACT, "/notices/{id}/resend", notice::resend),
        look(Viewer, LOOK, "/operations", operation::page),
        look(Viewer, LOOK, "/systems", system::list),
        look(Viewer, LOOK, "/webhooks", webhook::list),
        look(Viewer, LOOK, "/webhooks.md", webhook::markdown),
        look(Viewer, LOOK, "/webhooks/incoming/{system}", webhook::incoming),
        look(Viewer, LOOK, "/webhooks/incoming/{system}/markdown", api::webhook::incoming_text),
        look(Viewer, LOOK, "/webhooks/outgoing/{target}", webhook::outgoing).of_house(),
        look(Viewer, LOOK, "/webhooks/outgoing/{target}/markdown", api::webhook::outgoing_text).of_house(),
        look(Admin, LOOK, "/audit", audit::list).of_house(),
        look(Admin, LOOK, "/settings", setting::list).of_house(),
    ]
}

/// Every route of the console, each behind its door; nothing where it is switched off.
pub(super) fn router(app: &App) -> Router<App> {
    if !app.settings().console.enabled {
        return Router::new();
    }
    endpoints().into_iter().fold(Router::new(), |router, endpoint| {
        let door = middleware::from_fn_with_state((app.clone(), endpoint.demand), door::keep);
        let path = format!("{MOUNT}{}", endpoint.path);
        router.route(&path, endpoint.handler.route_layer(door))
    })
}
