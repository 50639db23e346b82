//! The API over a real socket: who may do what, what refusals look like, and that no secret leaves.

use std::fmt::Write as _;

use serde_json::json;
use syncline::{
    core::{
        drift::Summary,
        fault::Fault,
        record::RecordKey,
        status::{
            Cause, DriftOutcome, FailureClass, FailureStatus, Role, RunKind, RunStatus, Side, Sides, Situation, Stage,
            Trigger,
        },
    },
    server::auth,
    store::{
        Op,
        conflict::NewConflict,
        drift::NewDrift,
        failure::NewFailure,
        link::{Agreement, NewLink},
        run::NewRun,
    },
};

use crate::support::app::{CANARIES, TestApp};

pub mod action;
mod decision;
mod drift;
mod openapi;
pub mod operation;
mod role;
mod search;
mod system;

#[tokio::test]
async fn a_refusal_is_a_problem_with_the_id_of_its_request() {
    let app = TestApp::start().await;
    let viewer = app.token(Role::Viewer).await;
    for (method, path, token, body, status, code) in [
        ("GET", "/api/v1/runs", "", "", 401, "unauthenticated"),
        ("GET", "/api/v1/runs", "syncline_x", "", 401, "unauthenticated"),
        ("GET", "/api/v1/audit", &*viewer, "", 403, "forbidden"),
        ("GET", "/api/v1/runs/9", &viewer, "", 404, "not_found"),
        ("GET", "/api/v1/runs/nine", &viewer, "", 404, "not_found"),
        ("GET", "/api/v1/nothing", &viewer, "", 404, "not_found"),
        ("GET", "/nothing", "", "", 404, "not_found"),
        ("PUT", "/api/v1/runs", &viewer, "", 405, "method_not_allowed"),
        ("GET", "/api/v1/runs?limit=0", &viewer, "", 422, "invalid"),
        ("GET", "/api/v1/runs?staus=held", &viewer, "", 422, "invalid"),
        ("GET", "/api/v1/runs?status=hled", &viewer, "", 422, "invalid"),
        ("GET", "/api/v1/runs?cursor=x", &viewer, "", 422, "invalid"),
    ] {
        let answer = app.call(method, path, token, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{path}"
        );
        let problem = answer.json();
        assert_eq!(problem["code"], code, "{path}");
        assert_eq!(problem["status"], status, "{path}");
        assert_eq!(problem["type"], format!("urn:syncline:problem:{code}"), "{path}");
        assert_eq!(problem["request_id"].as_str(), answer.header("x-request-id"), "{path}");
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401, "{path}");
    }
}

#[tokio::test]
async fn a_token_is_shown_once_and_kept_as_a_hash() {
    let app = TestApp::start().await;
    let issued = auth::issue(&app.store, "ops", Role::Viewer, None).await.unwrap();
    let token = secrecy::ExposeSecret::expose_secret(&issued.token).to_owned();
    assert_eq!(
        app.get("/api/v1/me", &token).await.json(),
        json!({ "name": "ops", "role": "viewer", "tenants": null })
    );
    assert!(!format!("{issued:?}").contains(&token));
    let kept = app.store.api_tokens().await.unwrap();
    assert!(!format!("{kept:?}").contains(&token));
    assert!(kept[0].last_used_at.is_some());
}

#[tokio::test]
async fn a_token_that_asks_too_much_is_told_when_to_come_back() {
    let app = TestApp::start_with("[server]\napi_rate = \"1/h\"\napi_burst = 2").await;
    let token = app.token(Role::Viewer).await;
    for remaining in ["1;t=3600", "0;t=7200"] {
        let answer = app.get("/api/v1/me", &token).await;
        let limit = format!("\"requests\";r={remaining}");
        assert_eq!((answer.status, answer.header("ratelimit")), (200, Some(limit.as_str())));
        assert_eq!(answer.header("ratelimit-policy"), Some("\"requests\";q=2;w=7200"));
    }
    let answer = app.get("/api/v1/me", &token).await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.json()["code"], "too_many_requests");
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    let other = app.token(Role::Operator).await;
    assert_eq!(app.get("/api/v1/me", &other).await.status, 200);
}

#[tokio::test]
async fn exports_and_searches_have_a_lower_rate_that_takes_nothing_from_looks() {
    let app = TestApp::start_with("[server]\napi_heavy_rate = \"1/h\"\napi_heavy_burst = 1").await;
    let token = app.token(Role::Viewer).await;
    let heavy = "/api/v1/drift/1/export?format=csv";
    let answer = app.get(heavy, &token).await;
    assert_eq!(answer.status, 404);
    let policy = answer.header("ratelimit-policy").unwrap();
    assert_eq!(policy, "\"requests\";q=60;w=3, \"heavy\";q=1;w=3600");
    let refused = app.get(heavy, &token).await;
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (429, Some("too_many_requests"))
    );
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    assert_eq!(app.get("/api/v1/me", &token).await.status, 200);
    let other = app.token(Role::Viewer).await;
    assert_eq!(app.get(heavy, &other).await.status, 404, "each token has its own");
}

#[tokio::test]
async fn a_body_that_is_too_large_or_no_json_is_refused() {
    let app = TestApp::start_with("[server]\napi_body_bytes_max = 100").await;
    let token = app.token(Role::Operator).await;
    let path = "/api/v1/conflicts/1/resolve";
    let large = format!("{{\"winner\":\"{}\"}}", "x".repeat(200));
    for (body, status) in [(large.as_str(), 413), ("{", 400), ("{\"loser\":1}", 422), ("", 422)] {
        assert_eq!(app.call("POST", path, &token, body).await.status, status, "{body}");
    }
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "text/plain")];
    let answer = crate::support::http::send(&app.address, "POST", path, &headers, b"{}").await;
    assert_eq!(answer.status, 415);
}

#[tokio::test]
async fn every_answer_carries_a_request_id_and_headers_that_keep_browsers_safe() {
    let app = TestApp::start().await;
    let answer =
        crate::support::http::send(&app.address, "GET", "/api/v1/me", &[("X-Request-Id", "mine-1")], b"").await;
    assert_eq!(answer.header("x-request-id"), Some("mine-1"));
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/me",
        "/nothing",
        "/webhooks/crm",
        "/webhooks/other",
    ] {
        let answer = app.get(path, "").await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert!(
            answer
                .header("content-security-policy")
                .unwrap()
                .contains("default-src 'none'"),
            "{path}"
        );
        assert!(answer.header("x-request-id").is_some(), "{path}");
    }
}

#[tokio::test]
async fn a_process_that_stops_is_alive_and_not_ready() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/readyz", "").await.status, 200);
    app.app.stop();
    let answer = app.get("/readyz", "").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["reasons"], json!(["this process is stopping"]));
    assert_eq!(app.get("/healthz", "").await.status, 200);
}

#[tokio::test]
async fn lists_come_in_pages_that_lead_to_each_other_and_end() {
    let app = TestApp::start().await;
    for _ in 0..5 {
        start_run(&app).await;
    }
    let token = app.token(Role::Viewer).await;
    let mut path = "/api/v1/runs?limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = app.get(&path, &token).await.json();
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|run| run["run_id"].as_i64().unwrap()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/runs?limit=2&cursor={next}");
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
}

async fn start_run(app: &TestApp) -> i64 {
    let run = NewRun {
        kind: RunKind::Reconcile,
        mapping: Some("customer-account".into()),
        trigger: Trigger::Person,
        note: None,
        job_key: None,
    };
    app.store.start_run(&run).await.unwrap()
}

#[tokio::test]
async fn a_failure_is_listed_counted_and_ignored_once() {
    let app = TestApp::start().await;
    let failure = NewFailure {
        run_id: None,
        key: RecordKey::new("customer-account", Side::Left, "7"),
        left_id: Some("7".into()),
        right_id: None,
        fault: Fault::new("RQ004", FailureClass::Rejected, Stage::Write, "the name is too long"),
        status: FailureStatus::Parked,
        next_attempt_at: None,
        event_id: None,
    };
    app.store.commit(vec![Op::Fail(failure)]).await.unwrap();
    let token = app.token(Role::Operator).await;
    let page = app.get("/api/v1/failures?class=rejected", &token).await.json();
    assert_eq!(page["items"][0]["record_id"], "7");
    assert_eq!(page["items"][0]["message"], "the name is too long");
    let groups = app.get("/api/v1/failures/groups?by=code", &token).await.json();
    assert_eq!((&groups[0]["name"], &groups[0]["count"]), (&json!("RQ004"), &json!(1)));
    assert!(
        groups[0]["next"].as_str().unwrap().contains("smaller pages"),
        "{groups}"
    );
    let path = format!("/api/v1/failures/{}/ignore", page["items"][0]["failure_id"]);
    assert_eq!(app.call("POST", &path, &token, "").await.status, 204);
    assert_eq!(app.call("POST", &path, &token, "").await.status, 409);
    assert_eq!(app.get("/api/v1/failures", &token).await.json()["items"], json!([]));
}

#[tokio::test]
async fn ending_a_link_and_deciding_a_conflict_stand_in_the_audit() {
    let app = TestApp::start().await;
    let link = NewLink {
        mapping: "customer-account".into(),
        left_id: "7".into(),
        right_id: "ACC-7".into(),
        agreement: Agreement::default(),
    };
    let conflict = NewConflict {
        mapping: "customer-account".into(),
        left_id: "7".into(),
        right_id: "ACC-7".into(),
        field: "name".into(),
        left_value: Some("Ana".into()),
        right_value: Some("Bia".into()),
        hashes: Sides { left: 1, right: 2 },
        sensitive: true,
        run_id: None,
    };
    app.store
        .commit(vec![Op::PutLink(link), Op::OpenConflict(conflict)])
        .await
        .unwrap();
    let (viewer, admin) = (app.token(Role::Viewer).await, app.token(Role::Admin).await);

    let seen = app.get("/api/v1/conflicts/1", &viewer).await.json();
    assert_eq!(
        (&seen["left_value"], &seen["right_value"]),
        (&json!("•••"), &json!("•••"))
    );
    assert_eq!(app.get("/api/v1/conflicts/1", &admin).await.json()["left_value"], "Ana");

    let resolve = "/api/v1/conflicts/1/resolve";
    assert_eq!(
        app.call("POST", resolve, &admin, "{\"winner\":\"nobody\"}")
            .await
            .status,
        422
    );
    assert_eq!(
        app.call("POST", resolve, &admin, "{\"winner\":\"left\"}").await.status,
        202
    );
    assert_eq!(
        app.call("POST", resolve, &admin, "{\"winner\":\"left\"}").await.status,
        409
    );
    assert_eq!(app.store.queue_stats().await.unwrap().depth, 1);

    let found = app
        .get(
            "/api/v1/links?mapping=customer-account&side=right&record_id=ACC-7",
            &viewer,
        )
        .await
        .json();
    assert_eq!(found["items"][0]["link_id"], 1);
    assert_eq!(app.call("DELETE", "/api/v1/links/1", &admin, "").await.status, 204);
    assert_eq!(app.call("DELETE", "/api/v1/links/1", &admin, "").await.status, 409);

    let audit = app.get("/api/v1/audit", &admin).await.json();
    let actions: Vec<_> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["action"])
        .collect();
    assert_eq!(actions, ["link.end", "conflict.resolve"]);
    assert_eq!(audit["items"][0]["actor"], "token:admin");
}

#[tokio::test]
async fn personal_data_in_drift_is_masked_for_those_who_only_look() {
    let app = TestApp::start().await;
    let run_id = start_run(&app).await;
    let item = NewDrift {
        run_id,
        mapping: "customer-account".into(),
        situation: Situation::Differs,
        cause: Cause::EventMissed,
        field: Some("phone".into()),
        left_id: Some("7".into()),
        right_id: Some("ACC-7".into()),
        left_value: Some("+55 11".into()),
        right_value: None,
        sensitive: true,
        first_seen_at: None,
        age_runs: 1,
        last_changed_side: Some(Side::Left),
        outcome: DriftOutcome::Repaired,
        note: None,
        failure_id: None,
        event_id: None,
    };
    let mut summary = Summary {
        cells: 4,
        cells_equal: 3,
        ..Summary::default()
    };
    summary.situations.insert(Situation::Differs, 1);
    app.store.commit(vec![Op::AddDrift(item)]).await.unwrap();
    app.store
        .save_drift_summary(run_id, "customer-account", &serde_json::to_string(&summary).unwrap())
        .await
        .unwrap();
    app.store.finish_run(run_id, RunStatus::Succeeded, None).await.unwrap();
    let (viewer, operator) = (app.token(Role::Viewer).await, app.token(Role::Operator).await);
    let path = format!("/api/v1/drift/{run_id}/items?cause=event_missed");
    let masked = &app.get(&path, &viewer).await.json()["items"][0];
    assert_eq!(
        (&masked["left_value"], &masked["right_value"]),
        (&json!("•••"), &json!(null))
    );
    assert_eq!(
        app.get(&path, &operator).await.json()["items"][0]["left_value"],
        "+55 11"
    );
    let reports = app.get("/api/v1/drift?mapping=customer-account", &viewer).await.json();
    assert_eq!(reports[0]["match_percent"], 75.0);
    assert_eq!(reports[0]["drifted"], 1);
    assert_eq!(reports[0]["summary"]["situations"], json!({ "differs": 1 }));
}

#[tokio::test]
async fn no_secret_is_in_any_answer() {
    let app = TestApp::start_with("[server]\napi_burst = 1000\napi_heavy_burst = 1000").await;
    let admin = app.token(Role::Admin).await;
    let mut everything = format!("{:?} {:?}", app.app, app.store);
    for row in role::ROWS {
        let answer = app.call(row.0, row.2, &admin, "{}").await;
        write!(everything, "{:?} {}", answer.headers, answer.text()).unwrap();
    }
    for path in ["/metrics", "/readyz", "/healthz", "/webhooks/crm"] {
        everything.push_str(&app.get(path, "").await.text());
    }
    for secret in CANARIES.iter().copied().chain([admin.as_str()]) {
        assert!(!everything.contains(secret), "{secret}");
    }
    let systems = app.get("/api/v1/systems", &admin).await.json();
    assert_eq!(systems[0]["webhook_url"], "http://127.0.0.1:8320/webhooks/crm");
    assert_eq!(systems[0]["secret_owner"], "it@example.com");
}
