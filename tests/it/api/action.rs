//! What the API does: each action, what it leaves behind, and that asking twice does it once.

use serde_json::{Value, json};
use syncline::{
    core::{
        fault::Fault,
        record::RecordKey,
        status::{EventKind, EventStatus, FailureClass, FailureStatus, Role, RunKind, RunStatus, Side, Stage, Trigger},
    },
    sandbox::{pair, seed::Plan},
    store::{
        Op, Page,
        event::{FinishedEvent, NewEvent, Received},
        failure::NewFailure,
        link::{Agreement, NewLink},
        run::NewRun,
    },
};

use crate::support::{
    app::{Setup, TestApp},
    http::{self, Answer},
};

async fn fail(app: &TestApp, record_id: &str, class: FailureClass) {
    let failure = NewFailure {
        run_id: None,
        key: RecordKey::new("customer-account", Side::Left, record_id),
        left_id: Some(record_id.into()),
        right_id: None,
        fault: Fault::new("RQ004", class, Stage::Write, "the name is too long"),
        status: FailureStatus::Parked,
        next_attempt_at: None,
        event_id: None,
    };
    app.store.commit(vec![Op::Fail(failure)]).await.unwrap();
}

async fn waiting(app: &TestApp) -> u64 {
    app.store.queue_stats().await.unwrap().depth
}

async fn actions(app: &TestApp) -> Vec<(String, String, String)> {
    let audits = app.store.audits(Page::first(100)).await.unwrap();
    let entries = audits.into_iter().map(|audit| audit.entry);
    entries
        .map(|entry| (entry.actor, entry.action, entry.subject))
        .collect()
}

fn by(role: &str, action: &str, subject: &str) -> (String, String, String) {
    (format!("token:{role}"), action.to_owned(), subject.to_owned())
}

/// An action with a key.
async fn keyed(app: &TestApp, path: &str, token: &str, body: &str, key: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Content-Type", "application/json"),
        ("Authorization", bearer.as_str()),
        ("Idempotency-Key", key),
    ];
    http::send(&app.address, "POST", path, &headers, body.as_bytes()).await
}

pub async fn systems() -> pair::Handle {
    let options = pair::Options {
        plan: Plan {
            companies: 6,
            overlap: 0.5,
            crm_only: 0,
            contacts: 0,
            products: 0,
            deals: 0,
            ..Plan::default()
        },
        ..pair::Options::default()
    };
    pair::start(options).await.unwrap()
}

#[tokio::test]
async fn failures_are_reprocessed_only_after_their_count_was_seen_and_confirmed() {
    let app = TestApp::start().await;
    let admin = app.token(Role::Admin).await;
    for (id, class) in [
        ("7", FailureClass::Rejected),
        ("8", FailureClass::Rejected),
        ("9", FailureClass::Mapping),
    ] {
        fail(&app, id, class).await;
    }
    let path = "/api/v1/failures/reprocess";
    let filter = json!({ "class": "rejected" });
    let ask = |body: Value| {
        let (app, admin) = (&app, &admin);
        async move { app.call("POST", path, admin, &body.to_string()).await }
    };
    let counted = ask(json!({ "filter": filter })).await;
    assert_eq!(counted.status, 200);
    assert_eq!(counted.json(), json!({ "count": 2, "is_reprocessed": false }));
    let wrong = ask(json!({ "filter": filter, "confirm": 3 })).await;
    assert_eq!(wrong.status, 409);
    assert!(wrong.json()["detail"].as_str().unwrap().contains("now there are 2"));
    assert_eq!((waiting(&app).await, actions(&app).await), (0, Vec::new()));
    let unknown = ask(json!({ "filter": { "clas": "rejected" } })).await;
    assert_eq!(unknown.status, 422);

    let done = ask(json!({ "filter": filter, "confirm": 2 })).await;
    assert_eq!(done.status, 202);
    assert_eq!(done.json(), json!({ "count": 2, "is_reprocessed": true }));
    assert_eq!(waiting(&app).await, 2);
    assert_eq!(actions(&app).await, [by("admin", "failure.reprocess", "2 failures")]);
}

#[tokio::test]
async fn one_failure_is_reprocessed_unless_it_is_settled() {
    let app = TestApp::start().await;
    let admin = app.token(Role::Admin).await;
    fail(&app, "7", FailureClass::Rejected).await;
    let path = "/api/v1/failures/1/reprocess";
    assert_eq!(app.call("POST", path, &admin, "").await.status, 202);
    assert_eq!(waiting(&app).await, 1);
    assert_eq!(actions(&app).await, [by("admin", "failure.reprocess", "failure/1")]);
    assert!(app.store.ignore_failure(1, Vec::new()).await.unwrap());
    assert_eq!(app.call("POST", path, &admin, "").await.status, 409);
}

#[tokio::test]
async fn the_same_action_with_the_same_key_is_done_once_and_answered_alike() {
    let app = TestApp::start().await;
    let (operator, admin) = (app.token(Role::Operator).await, app.token(Role::Admin).await);
    fail(&app, "7", FailureClass::Rejected).await;
    fail(&app, "8", FailureClass::Rejected).await;
    let path = "/api/v1/failures/reprocess";
    let body = json!({ "confirm": 2 }).to_string();
    let first = keyed(&app, path, &admin, &body, "k-1").await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (202, None));
    fail(&app, "9", FailureClass::Rejected).await;
    let again = keyed(&app, path, &admin, &body, "\"k-1\"").await;
    assert_eq!((again.status, again.text()), (202, first.text()));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("content-type"), Some("application/json"));
    assert_eq!(actions(&app).await.len(), 1, "it was done once");

    let other = keyed(&app, path, &admin, "{\"confirm\":3}", "k-1").await;
    assert_eq!((other.status, &other.json()["code"]), (422, &json!("invalid")));
    let elsewhere = keyed(&app, "/api/v1/failures/1/ignore", &admin, "", "k-1").await;
    assert_eq!(elsewhere.status, 422);
    let of_somebody_else = keyed(&app, "/api/v1/failures/1/ignore", &operator, "", "k-1").await;
    assert_eq!(of_somebody_else.status, 204);

    // A refusal has changed nothing, and keeps no key.
    assert_eq!(
        keyed(&app, "/api/v1/failures/1/reprocess", &admin, "", "k-2")
            .await
            .status,
        409
    );
    assert_eq!(
        keyed(&app, "/api/v1/failures/2/reprocess", &admin, "", "k-2")
            .await
            .status,
        202
    );
    for bad in ["", "two words", "x".repeat(129).as_str()] {
        let answer = keyed(&app, path, &admin, "{}", bad).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (400, &json!("malformed")),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_held_run_is_discarded_once() {
    let app = TestApp::start().await;
    let admin = app.token(Role::Admin).await;
    let run = NewRun {
        kind: RunKind::Reconcile,
        mapping: Some("customer-account".into()),
        trigger: Trigger::Schedule,
        note: None,
        job_key: None,
    };
    let run_id = app.store.start_run(&run).await.unwrap();
    let path = format!("/api/v1/runs/{run_id}/discard");
    assert_eq!(app.call("POST", &path, &admin, "").await.status, 409, "it is running");
    app.store.finish_run(run_id, RunStatus::Held, None).await.unwrap();
    assert_eq!(app.call("POST", &path, &admin, "").await.status, 204);
    assert_eq!(app.call("POST", &path, &admin, "").await.status, 409);
    let run = app.store.run(run_id).await.unwrap().unwrap();
    assert_eq!(
        (run.status, run.released_by.as_deref()),
        (RunStatus::Cancelled, Some("token:admin"))
    );
    assert_eq!(actions(&app).await, [by("admin", "run.discard", "run/1")]);
}

#[tokio::test]
async fn a_pending_delete_is_unlinked_and_a_living_pair_is_not() {
    let app = TestApp::start().await;
    let admin = app.token(Role::Admin).await;
    let link = NewLink {
        mapping: "customer-account".into(),
        left_id: "7".into(),
        right_id: "ACC-7".into(),
        agreement: Agreement::default(),
    };
    app.store.commit(vec![Op::PutLink(link)]).await.unwrap();
    let path = "/api/v1/deletes/1/unlink";
    assert_eq!(app.call("POST", path, &admin, "").await.status, 409);
    let gone = Op::MarkMissing {
        link_id: 1,
        side: Side::Right,
    };
    app.store.commit(vec![gone]).await.unwrap();
    let pending = app.get("/api/v1/deletes", &admin).await.json();
    assert_eq!(pending["items"][0]["missing_side"], "right");
    assert_eq!(app.call("POST", path, &admin, "").await.status, 204);
    assert_eq!(app.get("/api/v1/deletes", &admin).await.json()["items"], json!([]));
    assert_eq!(actions(&app).await, [by("admin", "link.end", "link/1")]);
}

#[tokio::test]
async fn an_event_with_an_error_is_worked_on_again_and_any_other_is_not() {
    let systems = systems().await;
    let app = Setup::between(&systems).start().await;
    let admin = app.token(Role::Admin).await;
    let event = |id: &str, object: &str| NewEvent {
        system: "erp".into(),
        external_id: id.into(),
        object: object.into(),
        record_id: Some("1".into()),
        kind: EventKind::Updated,
        own: false,
        merged_into: None,
        version: None,
        occurred_at: None,
        request_id: "request-1".into(),
        payload: None,
        changes: Vec::new(),
    };
    let received = app
        .store
        .receive(vec![event("e-1", "customer"), event("e-2", "product")]);
    let [Received::Stored(known), Received::Stored(unmapped)] = received.await.unwrap()[..] else {
        panic!("both are new");
    };
    let failed = FinishedEvent {
        event_id: known,
        change: None,
        status: EventStatus::Failed,
        last_error: Some("[RQ004] the name is too long".into()),
        processing_ms: 1,
    };
    app.store.commit(vec![Op::FinishEvent(failed)]).await.unwrap();
    let path = format!("/api/v1/events/{known}/reprocess");
    assert_eq!(app.call("POST", &path, &admin, "").await.status, 202);
    assert_eq!(waiting(&app).await, 1);
    assert_eq!(
        app.store.event(known).await.unwrap().unwrap().status,
        EventStatus::Queued
    );
    assert_eq!(
        app.call("POST", &path, &admin, "").await.status,
        409,
        "it waits already"
    );
    let nowhere = app
        .call("POST", &format!("/api/v1/events/{unmapped}/reprocess"), &admin, "")
        .await;
    assert_eq!(nowhere.status, 409);
    assert_eq!(
        actions(&app).await,
        [by("admin", "event.reprocess", &format!("event/{known}"))]
    );
    systems.stop().await;
}

#[tokio::test]
async fn a_reconciliation_is_begun_and_its_run_says_how_it_ends() {
    let systems = systems().await;
    let app = Setup::between(&systems).start().await;
    let operator = app.token(Role::Operator).await;
    let path = "/api/v1/mappings/customer-account/reconcile";
    let body = "{\"repair\":false,\"kind\":\"full\"}";
    let begun = keyed(&app, path, &operator, body, "once").await;
    assert_eq!(begun.status, 202, "{}", begun.text());
    assert_eq!(begun.header("location"), begun.json()["url"].as_str());
    let again = keyed(&app, path, &operator, body, "once").await;
    assert_eq!(
        (again.text(), again.header("location")),
        (begun.text(), begun.header("location"))
    );
    app.app.finish().await;
    let run = app.get(begun.json()["url"].as_str().unwrap(), &operator).await.json();
    assert_eq!(
        (&run["status"], &run["kind"]),
        (&json!("succeeded"), &json!("full")),
        "{run}"
    );
    assert_eq!(
        (&run["trigger"], &run["counters"]["created"]),
        (&json!("person"), &json!(0))
    );
    assert_eq!(actions(&app).await, [by("operator", "run.start", "run/1")]);
    systems.stop().await;
}

#[tokio::test]
async fn what_changed_alone_is_compared_where_the_request_says_so_and_stands_in_no_trend() {
    let systems = systems().await;
    let app = Setup::between(&systems).start().await;
    let operator = app.token(Role::Operator).await;
    let path = "/api/v1/mappings/customer-account/reconcile";
    let ask = async |body: &str| {
        let begun = app.call("POST", path, &operator, body).await;
        app.app.finish().await;
        begun
    };
    let early = ask("{\"kind\":\"incremental\"}").await;
    assert_eq!(
        (early.status, &early.json()["code"]),
        (409, &json!("conflict")),
        "{}",
        early.text()
    );
    assert_eq!(ask("{\"repair\":false}").await.status, 202);
    let begun = ask("{\"repair\":false,\"kind\":\"incremental\"}").await;
    let run = app.get(begun.json()["url"].as_str().unwrap(), &operator).await.json();
    assert_eq!(
        (&run["kind"], &run["status"]),
        (&json!("incremental"), &json!("succeeded")),
        "{run}"
    );
    let runs = |reports: &Value| -> Vec<Value> {
        let reports = reports.as_array().unwrap().iter();
        reports.map(|report| report["run_id"].clone()).collect()
    };
    let trend = app
        .get("/api/v1/drift?mapping=customer-account", &operator)
        .await
        .json();
    assert_eq!(runs(&trend), [json!(1)]);
    let report = app.get("/api/v1/drift/2", &operator).await;
    assert_eq!(report.status, 200, "it is there all the same");
    systems.stop().await;
}

#[tokio::test]
async fn two_reconciliations_of_one_mapping_do_not_run_at_once() {
    let systems = systems().await;
    let app = Setup::between(&systems).start().await;
    let operator = app.token(Role::Operator).await;
    let lease = app
        .store
        .acquire_free_lease("reconcile/customer-account", std::time::Duration::from_mins(1));
    assert!(lease.await.unwrap().is_some());
    let path = "/api/v1/mappings/customer-account/reconcile";
    let answer = app.call("POST", path, &operator, "").await;
    assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("conflict")));
    assert_eq!(
        app.call("POST", path, &operator, "{\"kind\":\"event\"}").await.status,
        422
    );
    assert_eq!(actions(&app).await, []);
    systems.stop().await;
}

#[tokio::test]
async fn a_plan_touches_nothing_and_hides_personal_data_from_viewers() {
    let systems = systems().await;
    let app = Setup::between(&systems).start().await;
    let (viewer, operator) = (app.token(Role::Viewer).await, app.token(Role::Operator).await);
    let customers = systems.erp.all("customer").unwrap();
    let id = &customers[0].id;
    let path = format!("/api/v1/mappings/customer-account/records/erp/{id}/plan");
    let seen = app.call("POST", &path, &operator, "").await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    let seen = seen.json();
    assert_eq!((&seen["left_id"], &seen["synced_at"]), (&json!(id), &Value::Null));
    assert!(seen["situation"].is_string() && seen["decisions"].is_array(), "{seen}");
    let masked = app.call("POST", &path, &viewer, "").await.text();
    let personal: Vec<&str> = ["decisions", "writes"]
        .iter()
        .flat_map(|list| seen[*list].as_array().unwrap())
        .filter(|item| item["field"] == "email" && item["left_value"].is_string())
        .filter_map(|item| item["left_value"].as_str())
        .collect();
    for value in &personal {
        assert!(!masked.contains(value), "{masked}");
    }
    assert_eq!((waiting(&app).await, actions(&app).await), (0, Vec::new()));
    let runs = app.get("/api/v1/runs", &viewer).await.json();
    assert_eq!(runs["items"], json!([]));
    systems.stop().await;
}

#[tokio::test]
async fn a_record_is_put_before_the_worker_by_its_system_or_its_side() {
    let systems = systems().await;
    let app = Setup::between(&systems).start().await;
    let operator = app.token(Role::Operator).await;
    let at = |place: &str| format!("/api/v1/mappings/customer-account/records/{place}/sync");
    for (place, side, id) in [
        ("erp/7", "left", "7"),
        ("left/7", "left", "7"),
        ("crm/A%2F7%20b", "right", "A/7 b"),
    ] {
        let answer = app.call("POST", &at(place), &operator, "").await;
        assert_eq!(answer.status, 202, "{place}: {}", answer.text());
        let queued = json!({ "mapping": "customer-account", "side": side, "record_id": id });
        assert_eq!(answer.json(), queued);
    }
    assert_eq!(waiting(&app).await, 2, "one record waits once");
    assert_eq!(actions(&app).await.len(), 3);
    assert_eq!(app.call("POST", &at("shop/7"), &operator, "").await.status, 404);
    assert_eq!(app.call("POST", &at("erp/7%0a"), &operator, "").await.status, 422);
    systems.stop().await;
}

#[tokio::test]
async fn an_address_that_guesses_is_slowed_down_and_locks_no_good_token_out() {
    let app = TestApp::start_with("[server]\nauth_failure_rate = \"1/h\"\nauth_failure_burst = 3").await;
    let (known, fresh) = (app.token(Role::Viewer).await, app.token(Role::Admin).await);
    assert_eq!(app.get("/api/v1/me", &known).await.status, 200);
    let guess = |digit: usize| format!("syncline_{}", digit.to_string().repeat(43));
    for digit in 0..3 {
        assert_eq!(app.get("/api/v1/me", &guess(digit)).await.status, 401);
    }
    let refused = app.get("/api/v1/me", &guess(4)).await;
    assert_eq!(
        (refused.status, refused.header("ratelimit-policy")),
        (429, Some("\"guesses\";q=3;w=10800"))
    );
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((3_000..=3_600).contains(&seconds), "{seconds}");
    assert_eq!(app.get("/api/v1/me", &fresh).await.status, 429, "not even looked up");
    assert_eq!(app.get("/api/v1/me", &known).await.status, 200, "right a moment ago");
}
