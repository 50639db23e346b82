//! Who may do what: every route of the console, for everybody, with every method.

use syncline::{core::status::Role, server::console, store::Page};

use crate::support::{app::TestApp, visitor::Visitor};

const PATIENT: &str = "[server]\napi_burst = 100000\napi_heavy_burst = 100000\nauth_failure_burst = 100000\n\
    api_tenant_burst = 100000\napi_tenant_heavy_burst = 100000";

/// A path in which something stands in every place.
fn filled(path: &str) -> String {
    let filled = path
        .replace("{*rest}", "nowhere")
        .replace("{id}", "999")
        .replace("{side}", "left");
    let filled = filled
        .replace("{decision}", "keep")
        .replace("{token}", "x")
        .replace("{name}", "none");
    let filled = filled.replace("{system}", "none").replace("{target}", "none");
    filled.replace("{mapping}", "none")
}

#[tokio::test]
async fn every_route_lets_in_its_role_and_those_above_and_nobody_else() {
    let app = TestApp::start_with(PATIENT).await;
    let mut visitors = vec![(None, false, Visitor::new(&app))];
    visitors[0].2.get("/console").await;
    for role in Role::ALL {
        visitors.push((Some(*role), false, Visitor::signed_in(&app, *role).await));
        let limited = Visitor::signed_in_within(&app, *role, &["acme"]).await;
        visitors.push((Some(*role), true, limited));
    }
    let before = app.store.audits(Page::first(1)).await.unwrap();
    let routes = console::routes();
    assert!(routes.len() > 45, "the routes are found");
    for route in &routes {
        let path = filled(&route.path);
        let is_known = |method: &str| {
            routes
                .iter()
                .any(|other| other.path == route.path && other.method == method)
        };
        for (role, is_limited, visitor) in &mut visitors {
            // Signing out would end the session that the next routes need.
            if route.path.ends_with("/sign-out") && role.is_some() {
                continue;
            }
            // Whoever has signed out has no form to send any more.
            if visitor.cookies.is_empty() {
                visitor.get("/console").await;
            }
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                let exists = is_known(method) || (method == "HEAD" && is_known("GET"));
                if exists && method != route.method && !(method == "HEAD" && route.method == "GET") {
                    continue;
                }
                let answer = match method {
                    "POST" => visitor.post(&path, &[]).await,
                    method => visitor.send(method, &path, &[], b"").await,
                };
                let what = format!("{method} {path} as {role:?}: {}", answer.status);
                if !exists {
                    assert_eq!(answer.status, 405, "{what}");
                    continue;
                }
                match (route.role, *role) {
                    (None, _) => assert!(![403, 500].contains(&answer.status), "{what}"),
                    (Some(_), None) => assert_eq!(answer.status, 401, "{what}"),
                    (Some(needed), Some(role)) if role < needed => assert_eq!(answer.status, 403, "{what}"),
                    _ if *is_limited && route.is_of_house => assert_eq!(answer.status, 403, "{what}"),
                    _ => assert!(
                        [200, 303, 404, 422].contains(&answer.status),
                        "{what}: {}",
                        answer.text()
                    ),
                }
            }
        }
    }
    let after = app.store.audits(Page::first(1)).await.unwrap();
    assert_eq!(before, after, "nothing was done");
}

#[tokio::test]
async fn a_menu_shows_only_what_its_reader_may_see() {
    let app = TestApp::start().await;
    for (role, is_shown) in [(Role::Operator, false), (Role::Admin, true)] {
        let mut visitor = Visitor::signed_in(&app, role).await;
        let page = visitor.get("/console").await.text();
        assert_eq!(page.contains("href=\"/console/audit\""), is_shown, "{role}");
    }
    let mut limited = Visitor::signed_in_within(&app, Role::Admin, &["acme", "umbra"]).await;
    let page = limited.get("/console").await.text();
    assert!(
        page.contains("acme, umbra") && !page.contains("href=\"/console/audit\""),
        "{page}"
    );
}
