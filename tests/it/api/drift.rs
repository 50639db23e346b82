//! Drift reports over the API: the trend, the files, and the story of a record.

use std::io::Cursor;

use calamine::{Reader as _, Xlsx};
use serde_json::json;
use syncline::{
    core::{
        drift::Summary,
        status::{Cause, DriftOutcome, Role, Side, Situation},
    },
    sandbox::pair,
    store::{Op, drift::NewDrift},
};

use super::start_run;
use crate::support::app::{Setup, TestApp};

/// A report with so many differences, each with a sensitive value.
async fn report(app: &TestApp, items: u32) -> i64 {
    let run_id = start_run(app).await;
    let item = |number: u32| NewDrift {
        run_id,
        mapping: "customer-account".into(),
        situation: Situation::Differs,
        cause: if number.is_multiple_of(2) {
            Cause::EventMissed
        } else {
            Cause::Conflict
        },
        field: Some("phone".into()),
        left_id: Some(number.to_string()),
        right_id: Some(format!("ACC-{number}")),
        left_value: Some(format!("=canary{number}")),
        right_value: None,
        sensitive: true,
        first_seen_at: None,
        age_runs: 1,
        last_changed_side: Some(if number == 0 { Side::Right } else { Side::Left }),
        outcome: DriftOutcome::Reported,
        note: None,
        failure_id: None,
        event_id: None,
    };
    app.store
        .commit((0..items).map(item).map(Op::AddDrift).collect())
        .await
        .unwrap();
    let mut summary = Summary::default();
    summary.situations.insert(Situation::Differs, u64::from(items));
    let summary = serde_json::to_string(&summary).unwrap();
    app.store
        .save_drift_summary(run_id, "customer-account", &summary)
        .await
        .unwrap();
    run_id
}

#[tokio::test]
async fn a_trend_tells_what_is_new_and_what_has_gone() {
    let app = TestApp::start().await;
    report(&app, 2).await;
    let last = report(&app, 3).await;
    let token = app.token(Role::Viewer).await;
    let trend = app
        .get("/api/v1/drift/trend?mapping=customer-account", &token)
        .await
        .json();
    assert_eq!(trend.as_array().unwrap().len(), 2);
    assert_eq!(
        (&trend[0]["run_id"], &trend[0]["new"], &trend[0]["gone"]),
        (&json!(last), &json!(1), &json!(0))
    );
    assert_eq!((&trend[1]["new"], &trend[1]["drifted"]), (&json!(null), &json!(2)));
    let one = app.get(&format!("/api/v1/drift/{last}"), &token).await.json();
    assert_eq!(one["report"]["since"]["still"], 2);
    assert_eq!(one["report"]["numbers"]["conflicts"], 1);
    assert_eq!(app.get("/api/v1/drift/trend?limit=0", &token).await.status, 422);
}

#[tokio::test]
async fn an_export_is_a_file_with_a_safe_name_its_type_and_only_what_the_role_may_see() {
    let app = TestApp::start_with("[server]\napi_burst = 1000\napi_heavy_burst = 1000").await;
    let run_id = report(&app, 1_500).await;
    let (viewer, operator) = (app.token(Role::Viewer).await, app.token(Role::Operator).await);
    for (format, media) in [
        ("jsonl", "application/x-ndjson"),
        ("csv", "text/csv; charset=utf-8; header=present"),
        ("html", "text/html; charset=utf-8"),
        (
            "xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ),
    ] {
        let path = format!("/api/v1/drift/{run_id}/export?format={format}");
        let answer = app.get(&path, &viewer).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media)));
        let name = format!("attachment; filename=\"drift-customer-account-{run_id}.{format}\"");
        assert_eq!(answer.header("content-disposition"), Some(name.as_str()));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("content-length").unwrap(), answer.body.len().to_string());
        if format != "xlsx" {
            assert!(
                !answer.text().contains("canary") && answer.text().contains("•••"),
                "{format}"
            );
            assert!(app.get(&path, &operator).await.text().contains("=canary"), "{format}");
        }
    }
    let book = app
        .get(&format!("/api/v1/drift/{run_id}/export?format=xlsx"), &operator)
        .await;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(book.body.clone())).unwrap();
    assert_eq!(book.worksheet_range("Items").unwrap().rows().count(), 1_501);
    let filtered = format!("/api/v1/drift/{run_id}/export?format=jsonl&cause=event_missed&side=right");
    assert_eq!(app.get(&filtered, &viewer).await.text().lines().count(), 1);
}

#[tokio::test]
async fn an_export_in_no_known_form_or_of_no_report_is_refused() {
    let app = TestApp::start().await;
    let run_id = report(&app, 1).await;
    let token = app.token(Role::Viewer).await;
    for (path, status) in [
        (format!("/api/v1/drift/{run_id}/export"), 422),
        (format!("/api/v1/drift/{run_id}/export?format=pdf"), 422),
        (format!("/api/v1/drift/{run_id}/export?format=csv&forced=1"), 422),
        ("/api/v1/drift/99/export?format=csv".to_owned(), 404),
    ] {
        assert_eq!(app.get(&path, &token).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn items_are_filtered_by_the_side_that_changed_and_by_age() {
    let app = TestApp::start().await;
    let run_id = report(&app, 3).await;
    let token = app.token(Role::Viewer).await;
    let items = |query: &str| format!("/api/v1/drift/{run_id}/items?{query}");
    for (query, count) in [
        ("side=right", 1),
        ("side=left", 2),
        ("first_seen_until=2000-01-01T00:00:00Z", 0),
    ] {
        let found = app.get(&items(query), &token).await.json();
        assert_eq!(found["items"].as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test]
async fn the_story_of_a_record_is_told_by_either_id() {
    let systems = pair::start(pair::Options::default()).await.unwrap();
    let app = Setup::between(&systems).start().await;
    report(&app, 1).await;
    let token = app.token(Role::Viewer).await;
    for record in ["left/0", "erp/0", "right/ACC-0", "crm/ACC-0"] {
        let path = format!("/api/v1/mappings/customer-account/records/{record}/story");
        let story = app.get(&path, &token).await.json();
        assert_eq!(story["right"]["id"], "ACC-0", "{record}: {story}");
        let last = story["entries"].as_array().unwrap().last().unwrap();
        assert_eq!((&last["kind"], &last["left_value"]), (&json!("drift"), &json!("•••")));
    }
    let unknown = "/api/v1/mappings/customer-account/records/erp/77/story";
    assert_eq!(app.get(unknown, &token).await.status, 404);
}
