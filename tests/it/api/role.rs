//! Who may do what: every route of the API, for everybody, with every method.

use std::collections::BTreeSet;

use secrecy::ExposeSecret as _;
use syncline::{core::status::Role, server::api, server::auth};

use crate::support::app::TestApp;

/// Method, route, a request to it, and what a viewer, an analyst, an operator and an administrator get: on an empty store most things
/// are not found. Everybody else gets 401.
pub(super) type Row = (&'static str, &'static str, &'static str, [u16; 4]);

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    ("GET", "/api/v1/openapi.json", "/api/v1/openapi.json", [200, 200, 200, 200]),
    ("GET", "/api/v1/me", "/api/v1/me", [200, 200, 200, 200]),
    ("GET", "/api/v1/systems", "/api/v1/systems", [200, 200, 200, 200]),
    ("GET", "/api/v1/operations", "/api/v1/operations", [200, 200, 200, 200]),
    ("GET", "/api/v1/mappings", "/api/v1/mappings", [200, 200, 200, 200]),
    ("POST", "/api/v1/mappings/{name}/reconcile", "/api/v1/mappings/none/reconcile", [403, 403, 404, 404]),
    ("POST", "/api/v1/mappings/{name}/records/{side}/{id}/plan", "/api/v1/mappings/none/records/left/7/plan", [404, 404, 404, 404]),
    ("POST", "/api/v1/mappings/{name}/records/{side}/{id}/sync", "/api/v1/mappings/none/records/left/7/sync", [403, 403, 404, 404]),
    ("GET", "/api/v1/mappings/{name}/records/{side}/{id}/story", "/api/v1/mappings/none/records/left/7/story", [404, 404, 404, 404]),
    ("POST", "/api/v1/mappings/{name}/records/{side}/{id}/show", "/api/v1/mappings/none/records/left/7/show", [403, 422, 422, 422]),
    ("GET", "/api/v1/records", "/api/v1/records?q=7&ask=true", [200, 200, 200, 200]),
    ("GET", "/api/v1/runs", "/api/v1/runs", [200, 200, 200, 200]),
    ("GET", "/api/v1/runs/{id}", "/api/v1/runs/1", [404, 404, 404, 404]),
    ("POST", "/api/v1/runs/{id}/release", "/api/v1/runs/1/release", [403, 403, 403, 404]),
    ("POST", "/api/v1/runs/{id}/discard", "/api/v1/runs/1/discard", [403, 403, 403, 404]),
    ("GET", "/api/v1/failures", "/api/v1/failures", [200, 200, 200, 200]),
    ("POST", "/api/v1/failures/reprocess", "/api/v1/failures/reprocess", [403, 403, 403, 200]),
    ("GET", "/api/v1/failures/reprocess", "/api/v1/failures/reprocess", [200, 200, 200, 200]),
    ("GET", "/api/v1/failures/groups", "/api/v1/failures/groups", [200, 200, 200, 200]),
    ("GET", "/api/v1/failures/{id}", "/api/v1/failures/1", [404, 404, 404, 404]),
    ("POST", "/api/v1/failures/{id}/ignore", "/api/v1/failures/1/ignore", [403, 403, 404, 404]),
    ("POST", "/api/v1/failures/{id}/reprocess", "/api/v1/failures/1/reprocess", [403, 403, 403, 404]),
    ("GET", "/api/v1/events", "/api/v1/events", [200, 200, 200, 200]),
    ("GET", "/api/v1/events/{id}", "/api/v1/events/1", [404, 404, 404, 404]),
    ("POST", "/api/v1/events/{id}/reprocess", "/api/v1/events/1/reprocess", [403, 403, 403, 404]),
    ("GET", "/api/v1/drift", "/api/v1/drift", [200, 200, 200, 200]),
    ("GET", "/api/v1/drift/{id}", "/api/v1/drift/1", [404, 404, 404, 404]),
    ("GET", "/api/v1/drift/{id}/items", "/api/v1/drift/1/items", [404, 404, 404, 404]),
    ("GET", "/api/v1/drift/{id}/export", "/api/v1/drift/1/export?format=csv", [404, 404, 404, 404]),
    ("GET", "/api/v1/drift/trend", "/api/v1/drift/trend", [200, 200, 200, 200]),
    ("GET", "/api/v1/links", "/api/v1/links", [200, 200, 200, 200]),
    ("GET", "/api/v1/links/{id}", "/api/v1/links/1", [404, 404, 404, 404]),
    ("DELETE", "/api/v1/links/{id}", "/api/v1/links/1", [403, 403, 404, 404]),
    ("POST", "/api/v1/links/import", "/api/v1/links/import", [403, 403, 422, 422]),
    ("POST", "/api/v1/links/relink", "/api/v1/links/relink", [403, 403, 422, 422]),
    ("POST", "/api/v1/links/merge", "/api/v1/links/merge", [403, 403, 422, 422]),
    ("GET", "/api/v1/suggestions", "/api/v1/suggestions", [200, 200, 200, 200]),
    ("GET", "/api/v1/suggestions/{id}", "/api/v1/suggestions/1", [404, 404, 404, 404]),
    ("POST", "/api/v1/suggestions/{id}/accept", "/api/v1/suggestions/1/accept", [403, 403, 404, 404]),
    ("POST", "/api/v1/suggestions/{id}/reject", "/api/v1/suggestions/1/reject", [403, 403, 404, 404]),
    ("GET", "/api/v1/conflicts", "/api/v1/conflicts", [200, 200, 200, 200]),
    ("GET", "/api/v1/conflicts/{id}", "/api/v1/conflicts/1", [404, 404, 404, 404]),
    ("POST", "/api/v1/conflicts/{id}/resolve", "/api/v1/conflicts/1/resolve", [403, 403, 422, 422]),
    ("POST", "/api/v1/conflicts/{id}/ignore", "/api/v1/conflicts/1/ignore", [403, 403, 404, 404]),
    ("GET", "/api/v1/deletes", "/api/v1/deletes", [200, 200, 200, 200]),
    ("POST", "/api/v1/deletes/{id}/unlink", "/api/v1/deletes/1/unlink", [403, 403, 403, 404]),
    ("POST", "/api/v1/deletes/{id}/confirm", "/api/v1/deletes/1/confirm", [403, 403, 403, 404]),
    ("POST", "/api/v1/deletes/{id}/recreate", "/api/v1/deletes/1/recreate", [403, 403, 403, 404]),
    ("POST", "/api/v1/deletes/{id}/keep", "/api/v1/deletes/1/keep", [403, 403, 403, 404]),
    ("GET", "/api/v1/ignore", "/api/v1/ignore", [200, 200, 200, 200]),
    ("POST", "/api/v1/ignore", "/api/v1/ignore", [403, 403, 422, 422]),
    ("DELETE", "/api/v1/ignore/{id}", "/api/v1/ignore/1", [403, 403, 404, 404]),
    ("GET", "/api/v1/notices", "/api/v1/notices", [200, 200, 200, 200]),
    ("GET", "/api/v1/notices/{id}", "/api/v1/notices/1", [404, 404, 404, 404]),
    ("POST", "/api/v1/notices/{id}/resend", "/api/v1/notices/1/resend", [403, 403, 403, 404]),
    ("GET", "/api/v1/webhooks", "/api/v1/webhooks", [200, 200, 200, 200]),
    ("GET", "/api/v1/webhooks/incoming/{system}", "/api/v1/webhooks/incoming/none", [404, 404, 404, 404]),
    ("GET", "/api/v1/webhooks/incoming/{system}/markdown", "/api/v1/webhooks/incoming/none/markdown", [404, 404, 404, 404]),
    ("GET", "/api/v1/webhooks/outgoing/{target}", "/api/v1/webhooks/outgoing/none", [404, 404, 404, 404]),
    ("GET", "/api/v1/webhooks/outgoing/{target}/markdown", "/api/v1/webhooks/outgoing/none/markdown", [404, 404, 404, 404]),
    ("GET", "/api/v1/audit", "/api/v1/audit", [403, 403, 403, 200]),
    ("GET", "/api/v1/settings", "/api/v1/settings", [403, 403, 403, 200]),
];

const PATIENT: &str = "[server]\napi_burst = 100000\napi_heavy_burst = 100000\nauth_failure_burst = 100000\n\
    api_tenant_burst = 100000\napi_tenant_heavy_burst = 100000";

#[test]
fn every_route_has_a_row_that_says_who_may_use_it() {
    let rows: BTreeSet<_> = ROWS
        .iter()
        .map(|(method, route, ..)| ((*method).to_owned(), (*route).to_owned()))
        .collect();
    assert_eq!(rows.len(), ROWS.len(), "a row stands twice");
    let routes: BTreeSet<_> = api::routes()
        .into_iter()
        .map(|route| (route.method.to_owned(), route.path))
        .collect();
    assert_eq!(rows, routes);
}

#[test]
fn what_a_row_forbids_is_what_the_route_asks_for() {
    for route in api::routes() {
        let (.., codes) = ROWS
            .iter()
            .find(|row| (row.0, row.1) == (route.method, route.path.as_str()))
            .unwrap();
        for (role, code) in Role::ALL.iter().zip(codes) {
            assert_eq!(
                *code == 403,
                *role < route.role,
                "{} {} as {role}",
                route.method,
                route.path
            );
        }
    }
}

#[tokio::test]
async fn every_route_lets_in_its_role_and_those_above_and_nobody_else() {
    let app = TestApp::start_with(PATIENT).await;
    let past = app.clock.now() - chrono::TimeDelta::seconds(1);
    let ended = auth::issue(&app.store, "ended", Role::Admin, Some(past)).await.unwrap();
    let revoked = auth::issue(&app.store, "revoked", Role::Admin, None).await.unwrap();
    assert!(
        app.store
            .revoke_api_token(revoked.api_token_id, Vec::new())
            .await
            .unwrap()
    );
    let unknown = format!("syncline_{}", "A".repeat(43));
    let strangers = [
        "",
        "x",
        &unknown,
        ended.token.expose_secret(),
        revoked.token.expose_secret(),
    ];
    let (mut tokens, mut limited) = (Vec::new(), Vec::new());
    for role in Role::ALL {
        tokens.push(app.token(*role).await);
        limited.push(app.token_within(*role, &["acme"]).await);
    }
    let of_house: BTreeSet<_> = api::routes()
        .into_iter()
        .filter(|route| route.is_of_house)
        .map(|route| route.path)
        .collect();
    for (method, route, path, codes) in ROWS {
        for (token, code) in limited.iter().zip(codes) {
            let code = if of_house.contains(*route) { 403 } else { *code };
            let answer = app.call(method, path, token, "{}").await;
            assert_eq!(answer.status, code, "{method} {path}, limited: {}", answer.text());
        }
        for stranger in strangers {
            let answer = app.call(method, path, stranger, "{}").await;
            assert_eq!(answer.status, 401, "{method} {path}");
            assert_eq!(
                answer.header("www-authenticate"),
                Some("Bearer realm=\"syncline\""),
                "{path}"
            );
            assert_eq!(answer.json()["code"], "unauthenticated", "{path}");
        }
        for (token, code) in tokens.iter().zip(codes) {
            let answer = app.call(method, path, token, "{}").await;
            assert_eq!(answer.status, *code, "{method} {path}: {}", answer.text());
            assert!(answer.header("ratelimit").is_some(), "{method} {path}");
            if *method == "GET" {
                let head = app.call("HEAD", path, token, "").await;
                assert_eq!((head.status, head.body.len()), (*code, 0), "HEAD {path}");
            }
        }
    }
    let failures = app.store.audits(syncline::store::Page::first(10)).await.unwrap();
    assert!(failures.is_empty(), "nothing was done: {failures:?}");
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_named_a_problem_with_those_it_has() {
    let app = TestApp::start_with(PATIENT).await;
    let admin = app.token(Role::Admin).await;
    for (_, route, path, _) in ROWS {
        let has = |method: &str| ROWS.iter().any(|row| row.0 == method && row.1 == *route);
        for method in ["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            if has(method) {
                continue;
            }
            for token in ["", &admin] {
                let answer = app.call(method, path, token, "").await;
                assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text());
                assert_eq!(answer.json()["code"], "method_not_allowed", "{method} {path}");
                let allow = answer.header("allow").unwrap_or_default();
                for known in ["GET", "POST", "DELETE"] {
                    assert_eq!(allow.contains(known), has(known), "{method} {path}: allow: {allow}");
                }
            }
        }
    }
}
