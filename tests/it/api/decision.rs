//! Decisions over the API: conflicts, suggestions, pending deletes, ignore rules, links.

use serde_json::{Value, json};
use syncline::{
    core::status::{Role, Side, Sides},
    store::{
        Op, Page,
        conflict::NewConflict,
        link::{Agreement, NewLink},
        suggestion::{Compared, NewSuggestion},
    },
};

use crate::support::{
    app::{Setup, TestApp},
    http,
};

async fn actions(app: &TestApp) -> Vec<String> {
    let audits = app.store.audits(Page::first(100)).await.unwrap();
    let mut actions: Vec<String> = audits.into_iter().map(|audit| audit.entry.action).collect();
    actions.reverse();
    actions
}

fn link(left_id: &str, right_id: &str) -> Op {
    Op::PutLink(NewLink {
        mapping: "customer-account".into(),
        left_id: left_id.into(),
        right_id: right_id.into(),
        agreement: Agreement::default(),
    })
}

async fn post(app: &TestApp, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let answer = app.call("POST", path, token, &body.to_string()).await;
    let text = answer.text();
    (answer.status, serde_json::from_str(&text).unwrap_or_default())
}

#[tokio::test]
async fn a_decision_names_what_it_is_about_and_is_refused_where_that_has_changed() {
    let app = TestApp::start().await;
    let operator = app.token(Role::Operator).await;
    let conflict = |left: u64| {
        Op::OpenConflict(NewConflict {
            mapping: "customer-account".into(),
            left_id: "7".into(),
            right_id: "ACC-7".into(),
            field: "name".into(),
            left_value: Some(format!("left {left}")),
            right_value: Some("right".into()),
            hashes: Sides { left, right: 9 },
            sensitive: false,
            run_id: None,
        })
    };
    app.store.commit(vec![conflict(1)]).await.unwrap();
    let seen = app.get("/api/v1/conflicts/1", &operator).await.json()["seen"].clone();
    app.store.commit(vec![conflict(2)]).await.unwrap();
    let path = "/api/v1/conflicts/1/resolve";
    let late = json!({ "value": "Ana", "seen": seen });
    let (status, problem) = post(&app, path, &operator, &late).await;
    assert_eq!((status, &problem["code"]), (409, &json!("conflict")));
    assert!(
        problem["detail"].as_str().unwrap().contains("changed since you looked"),
        "{problem}"
    );
    for bad in [json!({}), json!({ "winner": "left", "value": "x" })] {
        assert_eq!(post(&app, path, &operator, &bad).await.0, 422, "{bad}");
    }
    assert!(actions(&app).await.is_empty());
    let seen = app.get("/api/v1/conflicts/1", &operator).await.json()["seen"].clone();
    let now = json!({ "value": "Ana", "seen": seen });
    assert_eq!(post(&app, path, &operator, &now).await.0, 202);
    let decided = app.get("/api/v1/conflicts/1", &operator).await.json();
    assert_eq!(
        (&decided["status"], &decided["decided_value"]),
        (&json!("resolved"), &json!("Ana"))
    );
    assert_eq!(app.store.queue_stats().await.unwrap().depth, 1, "the pair is looked at");
    assert_eq!(actions(&app).await, ["conflict.resolve"]);
    let audit = app.store.audits(Page::first(1)).await.unwrap().remove(0);
    assert!(
        !audit.entry.detail.unwrap().contains("Ana"),
        "values are not for the audit"
    );
}

#[tokio::test]
async fn a_suggestion_is_looked_at_by_viewers_and_decided_by_operators_once() {
    let app = TestApp::start().await;
    let (viewer, operator) = (app.token(Role::Viewer).await, app.token(Role::Operator).await);
    let suggestion = |right_id: &str, sensitive| NewSuggestion {
        mapping: "customer-account".into(),
        left_id: "7".into(),
        right_id: right_id.into(),
        score: 961,
        compared: vec![Compared {
            field: "name".into(),
            left: "Ana".into(),
            right: String::new(),
        }],
        sensitive,
        hashes: Sides { left: 1, right: 2 },
        run_id: 1,
    };
    let found = [suggestion("ACC-7", true), suggestion("ACC-8", false)];
    app.store.put_suggestions("customer-account", 1, &found).await.unwrap();
    let list = app.get("/api/v1/suggestions?record_id=ACC-7", &viewer).await.json();
    let first = &list["items"][0];
    assert_eq!(
        (&first["score"], &first["compared"][0]["left"]),
        (&json!(0.961), &json!("•••"))
    );
    assert_eq!(first["compared"][0]["right"], json!(null));
    let seen = app.get("/api/v1/suggestions/1", &operator).await.json();
    assert_eq!(seen["compared"][0]["left"], "Ana");
    assert_eq!(
        app.call("POST", "/api/v1/suggestions/1/accept", &operator, "")
            .await
            .status,
        202
    );
    assert_eq!(
        app.call("POST", "/api/v1/suggestions/1/accept", &operator, "")
            .await
            .status,
        409
    );
    let second = app.call("POST", "/api/v1/suggestions/2/accept", &operator, "").await;
    assert_eq!(second.status, 409, "the record has a partner by now");
    assert!(second.text().contains("ACC-7"), "{}", second.text());
    assert_eq!(
        app.call("POST", "/api/v1/suggestions/2/reject", &operator, "")
            .await
            .status,
        204
    );
    assert_eq!(app.get("/api/v1/suggestions", &viewer).await.json()["items"], json!([]));
    assert_eq!(actions(&app).await, ["suggestion.accept", "suggestion.reject"]);
    assert!(
        app.store
            .links_after("customer-account", 0, 10)
            .await
            .unwrap()
            .is_empty(),
        "linked by the work on it"
    );
    assert_eq!(app.store.queue_stats().await.unwrap().depth, 1);
}

#[tokio::test]
async fn a_pending_delete_is_decided_and_leaves_the_list_where_it_is_kept() {
    let app = TestApp::start().await;
    let admin = app.token(Role::Admin).await;
    app.store.commit(vec![link("7", "ACC-7")]).await.unwrap();
    let keep = "/api/v1/deletes/1/keep";
    assert_eq!(
        app.call("POST", keep, &admin, "").await.status,
        409,
        "it is no pending delete"
    );
    let gone = Op::MarkMissing {
        link_id: 1,
        side: Side::Right,
    };
    app.store.commit(vec![gone]).await.unwrap();
    assert_eq!(app.call("POST", keep, &admin, "").await.status, 202);
    assert_eq!(app.get("/api/v1/deletes", &admin).await.json()["items"], json!([]));
    let all = app.get("/api/v1/deletes?all=true", &admin).await.json();
    assert_eq!(all["items"][0]["decision"], "keep");
    assert_eq!(
        app.call("POST", "/api/v1/deletes/1/recreate", &admin, "").await.status,
        202,
        "minds change"
    );
    let pending = app.get("/api/v1/deletes", &admin).await.json();
    assert_eq!(pending["items"][0]["decision"], "recreate");
    assert_eq!(actions(&app).await, ["delete.decide", "delete.decide"]);
}

#[tokio::test]
async fn an_ignore_rule_has_an_owner_an_end_and_a_reason() {
    let systems = super::action::systems().await;
    let app = Setup::between(&systems).start().await;
    let (viewer, operator) = (app.token(Role::Viewer).await, app.token(Role::Operator).await);
    let until = (app.clock.now() + chrono::TimeDelta::days(3)).to_rfc3339();
    let rule = json!({
        "mapping": "customer-account", "side": "left", "record_id": "7", "until": until, "reason": "the merger",
    });
    let (status, made) = post(&app, "/api/v1/ignore", &operator, &rule).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(
        (&made["owner"], &made["state"]),
        (&json!("token:operator"), &json!("ends_soon"))
    );
    for (key, bad) in [
        ("until", json!("2020-01-01")),
        ("until", json!("soon")),
        ("reason", json!(" ")),
        ("mapping", json!("none")),
        ("field", json!("no-such-field")),
        ("side", json!("elsewhere")),
        ("side", json!(null)),
    ] {
        let mut wrong = rule.clone();
        wrong[key] = bad;
        assert_eq!(post(&app, "/api/v1/ignore", &operator, &wrong).await.0, 422, "{wrong}");
    }
    let everything = json!({ "mapping": "customer-account", "until": until, "reason": "x" });
    assert_eq!(post(&app, "/api/v1/ignore", &operator, &everything).await.0, 422);
    let listed = app.get("/api/v1/ignore?mapping=customer-account", &viewer).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(app.call("DELETE", "/api/v1/ignore/1", &operator, "").await.status, 204);
    assert_eq!(app.call("DELETE", "/api/v1/ignore/1", &operator, "").await.status, 409);
    assert_eq!(app.get("/api/v1/ignore", &viewer).await.json()["items"], json!([]));
    let all = app.get("/api/v1/ignore?all=true", &viewer).await.json();
    assert_eq!(all["items"][0]["state"], "removed");
    assert_eq!(actions(&app).await, ["ignore.add", "ignore.remove"]);
}

#[tokio::test]
async fn links_are_taken_over_made_anew_and_moved_once_however_often_it_is_asked() {
    let systems = super::action::systems().await;
    let app = Setup::between(&systems).start().await;
    let operator = app.token(Role::Operator).await;
    let pairs = json!({
        "mapping": "customer-account",
        "pairs": [{ "left_id": "1", "right_id": "A" }, { "left_id": "2", "right_id": "A" }],
    });
    let mut dry = pairs.clone();
    dry["dry_run"] = json!(true);
    assert_eq!(post(&app, "/api/v1/links/import", &operator, &dry).await.0, 200);
    assert!(
        app.store
            .links_after("customer-account", 0, 10)
            .await
            .unwrap()
            .is_empty()
    );
    let bearer = format!("Bearer {operator}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "import-1"),
    ];
    let body = pairs.to_string();
    for is_again in [false, true] {
        let answer = http::send(&app.address, "POST", "/api/v1/links/import", &headers, body.as_bytes()).await;
        let told = answer.json();
        assert_eq!(
            (&told[0]["result"], &told[1]["result"]),
            (&json!("linked"), &json!("refused")),
            "{told}"
        );
        assert_eq!(answer.header("idempotency-replayed").is_some(), is_again);
    }
    let relink = json!({ "mapping": "customer-account", "left_id": "1", "right_id": "B" });
    let (status, relinked) = post(&app, "/api/v1/links/relink", &operator, &relink).await;
    assert_eq!((status, relinked), (200, json!({ "result": "linked", "ended": [1] })));
    let merge = json!({ "mapping": "customer-account", "side": "right", "from": "B", "into": "C" });
    let (status, moved) = post(&app, "/api/v1/links/merge", &operator, &merge).await;
    assert_eq!((status, &moved["right_id"]), (200, &json!("C")));
    assert_eq!(
        post(&app, "/api/v1/links/merge", &operator, &merge).await.0,
        409,
        "B is in no link any more"
    );
    assert_eq!(
        post(&app, "/api/v1/links/merge", &operator, &json!({ "mapping": "none" }))
            .await
            .0,
        422
    );
    assert_eq!(actions(&app).await, ["link.import", "link.relink", "link.merge"]);
}
