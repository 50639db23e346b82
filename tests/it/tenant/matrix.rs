//! Every route of the API and of the console, for somebody who is limited to one tenant, about what is another's.

use serde_json::json;
use syncline::{
    core::status::Role,
    server::{api, console},
    store::Page,
};

use super::{Thing, World};
use crate::support::visitor::Visitor;

/// What a request about a thing says.
fn body(route: &str, thing: &Thing) -> String {
    let (mapping, record) = (thing.mapping, &thing.record);
    let body = match route.strip_prefix("/api/v1").unwrap() {
        "/conflicts/{id}/resolve" => json!({ "winner": "left" }),
        "/links/import" => json!({ "mapping": mapping, "pairs": [{ "left_id": "1", "right_id": "2" }] }),
        "/links/relink" => json!({ "mapping": mapping, "left_id": record, "right_id": "2" }),
        "/links/merge" => json!({ "mapping": mapping, "side": "left", "from": record, "into": "2" }),
        "/ignore" => json!({ "mapping": mapping, "field": "name", "until": "2999-01-01", "reason": "because" }),
        "/failures/reprocess" => json!({ "filter": { "mapping": mapping } }),
        "/mappings/{name}/records/{side}/{id}/show" => json!({ "reason": "because" }),
        _ => json!({}),
    };
    body.to_string()
}

/// What a form about a thing says.
fn form<'a>(route: &str, thing: &'a Thing) -> Vec<(&'static str, &'a str)> {
    match route.strip_prefix("/console").unwrap() {
        "/conflicts/{id}/resolve" => vec![("winner", "left")],
        "/ignore" => vec![
            ("mapping", thing.mapping),
            ("field", "name"),
            ("until", "2999-01-01"),
            ("reason", "because"),
        ],
        "/failures/reprocess" => vec![("mapping", thing.mapping)],
        "/records/{mapping}/{side}/{id}/show" => vec![("reason", "because")],
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn no_route_of_the_api_gives_or_takes_anything_of_another_tenant() {
    let world = World::start().await;
    let app = &world.app;
    let limited = app.token_within(Role::Admin, &["abc"]).await;
    let house = app.token(Role::Admin).await;
    let before = app.store.audits(Page::first(1)).await.unwrap();
    let mut seen_by_the_house = 0;
    for route in api::routes() {
        for thing in world.foreign("abc") {
            let (path, body) = (thing.path(&route.path), body(&route.path, thing));
            let answer = app.call(route.method, &path, &limited, &body).await;
            let what = format!("{} {path}: {} {}", route.method, answer.status, answer.text());
            assert!(!answer.text().contains(&thing.word), "{what}");
            if route.is_of_house {
                assert_eq!(answer.status, 403, "{what}");
            } else if route.path.contains('{') {
                assert_eq!(answer.status, 404, "{what}");
            } else if route.method == "GET" {
                assert_eq!(answer.status, 200, "{what}");
                assert!(!thing.is_in(&answer.text()), "{what}");
                let all = app.call("GET", &path, &house, "").await;
                seen_by_the_house += u32::from(thing.is_in(&all.text()));
            } else if route.path.ends_with("/failures/reprocess") {
                assert_eq!(answer.json()["count"], 0, "{what}");
            } else {
                assert_eq!(answer.status, 422, "{what}");
            }
        }
        if route.method == "GET" && !route.is_of_house {
            let path = world.of("abc").path(&route.path);
            let own = app.call("GET", &path, &limited, "").await;
            assert_eq!(own.status, 200, "{path}: {}", own.text());
        }
    }
    assert!(
        seen_by_the_house > 30,
        "there is something to hide: {seen_by_the_house}"
    );
    let after = app.store.audits(Page::first(1)).await.unwrap();
    assert_eq!(before, after, "nothing was done");
    // The same requests are right ones: whoever sees the house gets answers to them.
    for route in api::routes() {
        let thing = world.of("abcdef");
        let (path, body) = (thing.path(&route.path), body(&route.path, thing));
        let answer = app.call(route.method, &path, &house, &body).await;
        assert_ne!(answer.status, 404, "{} {path}: {}", route.method, answer.text());
    }
}

#[tokio::test]
async fn no_page_of_the_console_shows_or_changes_anything_of_another_tenant() {
    let world = World::start().await;
    let app = &world.app;
    let mut limited = Visitor::signed_in_within(app, Role::Admin, &["abc"]).await;
    let mut house = Visitor::signed_in(app, Role::Admin).await;
    let before = app.store.audits(Page::first(1)).await.unwrap();
    let mut seen_by_the_house = 0;
    for route in console::routes().into_iter().filter(|route| route.role.is_some()) {
        for thing in world.foreign("abc") {
            let path = thing.path(&route.path);
            let answer = match route.method {
                "GET" => limited.get(&path).await,
                _ => limited.post(&path, &form(&route.path, thing)).await,
            };
            let what = format!("{} {path}: {} {}", route.method, answer.status, answer.text());
            // A page says which one could not be found.
            assert!(
                path.contains(&thing.word) || !answer.text().contains(&thing.word),
                "{what}"
            );
            if route.is_of_house {
                assert_eq!(answer.status, 403, "{what}");
            } else if route.path.contains('{') {
                assert_eq!(answer.status, 404, "{what}");
            } else if route.method == "GET" {
                assert_eq!(answer.status, 200, "{what}");
                assert!(!thing.is_in(&answer.text()), "{what}");
                seen_by_the_house += u32::from(thing.is_in(&house.get(&path).await.text()));
            } else {
                // What would be done is counted, or there is no such mapping.
                assert!([200, 422].contains(&answer.status), "{what}");
            }
        }
        if route.method == "GET" && !route.is_of_house {
            let path = world.of("abc").path(&route.path);
            let own = limited.get(&path).await;
            assert_eq!(own.status, 200, "{path}: {}", own.text());
        }
    }
    assert!(
        seen_by_the_house > 30,
        "there is something to hide: {seen_by_the_house}"
    );
    let after = app.store.audits(Page::first(1)).await.unwrap();
    assert_eq!(before, after, "nothing was done");
}

#[tokio::test]
async fn whoever_is_limited_finds_sees_and_counts_what_is_theirs() {
    let world = World::start().await;
    let app = &world.app;
    let token = app.token_within(Role::Admin, &["abc"]).await;
    let me = app.get("/api/v1/me", &token).await.json();
    assert_eq!(me["tenants"], json!(["abc"]));
    let names = |list: serde_json::Value, key: &str| -> Vec<String> {
        let items = list.as_array().unwrap().iter();
        items.map(|item| item[key].as_str().unwrap().to_owned()).collect()
    };
    let mappings = app.get("/api/v1/mappings", &token).await.json();
    assert_eq!(
        names(mappings, "name"),
        ["abc", "mixed"],
        "also the one with a system of the house"
    );
    let systems = app.get("/api/v1/systems", &token).await.json();
    assert_eq!(names(systems, "name"), ["crm-abc", "erp-abc"]);
    let runs = app.get("/api/v1/runs", &token).await.json();
    assert_eq!(
        names(runs["items"].clone(), "mapping"),
        ["mixed", "abc"],
        "newest first"
    );
    let first = app.get("/api/v1/runs?limit=1", &token).await.json();
    let next = first["next"].as_str().unwrap();
    let second = app
        .get(&format!("/api/v1/runs?limit=1&cursor={next}"), &token)
        .await
        .json();
    assert_eq!(names(second["items"].clone(), "mapping"), ["abc"]);
    assert_eq!(second["next"], json!(null));
    let notices = app.get("/api/v1/notices", &token).await.json();
    assert_eq!(names(notices["items"].clone(), "subject"), ["mixed", "crm-abc", "abc"]);
    let groups = app.get("/api/v1/failures/groups?by=mapping", &token).await.json();
    assert_eq!(
        groups,
        json!([
            { "name": "abc", "count": 1, "means": null, "next": null },
            { "name": "mixed", "count": 1, "means": null, "next": null },
        ])
    );
    let counted = app.call("POST", "/api/v1/failures/reprocess", &token, "{}").await;
    assert_eq!(counted.json()["count"], 2);
    let done = app
        .call("POST", "/api/v1/failures/reprocess", &token, "{\"confirm\":2}")
        .await;
    assert_eq!(done.json(), json!({ "count": 2, "is_reprocessed": true }));
    assert_eq!(app.store.queue_stats().await.unwrap().depth, 2, "and no other's");

    let mut visitor = Visitor::signed_in_within(app, Role::Viewer, &["abc"]).await;
    let (own, other) = (world.of("abc"), world.of("abcdef"));
    let found = visitor.get(&format!("/console/record?q={}", own.record)).await;
    let story = format!("/console/records/abc/left/{}", own.record);
    assert_eq!((found.status, found.header("location")), (303, Some(story.as_str())));
    let hidden = visitor.get(&format!("/console/record?q={}", other.record)).await;
    assert_eq!(hidden.status, 200);
    assert!(!hidden.text().contains("/records/"), "{}", hidden.text());
}

#[tokio::test]
async fn a_session_follows_when_a_person_is_limited_otherwise() {
    let world = World::start().await;
    let app = &world.app;
    let mut visitor = Visitor::signed_in_within(app, Role::Viewer, &["abc"]).await;
    let is_there = async |visitor: &mut Visitor, name: &str| {
        let page = visitor.get(&format!("/console/mappings/{name}")).await;
        page.status == 200
    };
    assert!(is_there(&mut visitor, "abc").await && !is_there(&mut visitor, "abcdef").await);
    let limit = |tenants: &'static [&'static str]| {
        let store = app.store.clone();
        async move {
            let reach = crate::support::app::within(tenants);
            console::user::limit(&store, "viewer-of-abc", &reach, "test")
                .await
                .unwrap();
        }
    };
    limit(&["abcdef"]).await;
    assert!(!is_there(&mut visitor, "abc").await && is_there(&mut visitor, "abcdef").await);
    limit(&[]).await;
    assert!(!is_there(&mut visitor, "abc").await && !is_there(&mut visitor, "abcdef").await);
    let audit = app.store.audits(Page::first(1)).await.unwrap().remove(0).entry;
    assert_eq!(
        (audit.action.as_str(), audit.subject.as_str()),
        ("user.limit", "user/viewer-of-abc")
    );
}
