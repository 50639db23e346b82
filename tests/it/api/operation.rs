//! `GET /api/v1/operations`: how the last hour went, and what was used of each system's limits.

use std::time::Duration;

use serde_json::{Value, json};
use syncline::{
    clock::Clock,
    core::status::{EventKind, EventStatus, Role},
    store::{
        Op,
        event::{FinishedEvent, NewEvent, Received},
    },
};

use crate::support::{
    app::{Setup, TestApp},
    database::start_of_test,
};

/// Takes an event in and, where it is said, is done with it after so long.
pub async fn event(app: &TestApp, external_id: &str, took: Option<Duration>) {
    let new = NewEvent {
        system: "crm".into(),
        external_id: external_id.to_owned(),
        object: "account".to_owned(),
        record_id: Some(external_id.to_owned()),
        kind: EventKind::Updated,
        own: false,
        merged_into: None,
        version: None,
        occurred_at: None,
        request_id: "request".to_owned(),
        payload: None,
        changes: Vec::new(),
    };
    let received = app.store.receive(vec![new]).await.unwrap();
    let (Some(took), [Received::Stored(event_id)]) = (took, &received[..]) else {
        return;
    };
    app.clock.set(app.clock.now() + took);
    let finished = FinishedEvent {
        event_id: *event_id,
        change: None,
        status: EventStatus::Done,
        last_error: None,
        processing_ms: 6,
    };
    app.store.commit(vec![Op::FinishEvent(finished)]).await.unwrap();
}

async fn operations(app: &TestApp, token: &str) -> Value {
    let answer = app.get("/api/v1/operations", token).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// An array of sixty with these at its end.
fn ending(with: &[u64]) -> Value {
    let mut all = vec![0; 60 - with.len()];
    all.extend(with);
    json!(all)
}

#[tokio::test]
async fn the_hour_is_told_by_the_minute_with_how_long_its_events_took() {
    let mut setup = Setup::new("");
    setup.clock = Clock::manual(start_of_test());
    let app = setup.start().await;
    let token = app.token(Role::Viewer).await;
    let empty = operations(&app, &token).await;
    assert_eq!((&empty["events"], &empty["minutes"]), (&json!(0), &ending(&[])));
    assert_eq!(empty["systems"][0]["system"], "crm", "it could have sent something");
    assert_eq!(
        empty["done"],
        json!({ "count": 0, "p50_ms": null, "p95_ms": null, "p99_ms": null })
    );

    event(&app, "e-1", Some(Duration::from_millis(40))).await;
    event(&app, "e-2", None).await;
    assert_eq!(
        operations(&app, &token).await["events"],
        0,
        "a look is good for ten seconds"
    );
    app.clock.set(start_of_test() + Duration::from_secs(61));
    event(&app, "e-3", None).await;
    let seen = operations(&app, &token).await;
    assert_eq!((&seen["events"], &seen["minutes"]), (&json!(3), &ending(&[2, 1])));
    assert_eq!(seen["systems"][0]["minutes"], ending(&[2, 1]));
    assert_eq!(seen["since"], "2026-03-02T08:02:00Z");
    let done = json!({ "count": 1, "p50_ms": 50, "p95_ms": 50, "p99_ms": 50 });
    assert_eq!(seen["done"], done, "40 ms are in the bucket that ends with 50");
    assert_eq!(seen["processing"]["p50_ms"], 7);
    let latencies = seen["latencies"].as_array().unwrap();
    assert_eq!((latencies.len(), &latencies[11]["done"]), (12, &done));
    assert_eq!(latencies[11]["since"], "2026-03-02T08:57:00Z");

    app.clock.set(start_of_test() + Duration::from_secs(60 * 60));
    let later = operations(&app, &token).await;
    assert_eq!(
        (&later["events"], &later["minutes"][0]),
        (&json!(1), &json!(1)),
        "an hour is over"
    );
}

#[tokio::test]
async fn what_was_used_of_the_limits_of_each_system_is_told() {
    let systems = super::action::systems().await;
    let mut setup = Setup::between(&systems);
    let crm = setup.settings.systems.get_mut("crm").unwrap();
    crm.limits.daily = Some(1_000);
    let app = setup.start().await;
    let token = app.token(Role::Operator).await;
    let id = systems.erp.all("customer").unwrap()[0].id.clone();
    let plan = format!("/api/v1/mappings/customer-account/records/erp/{id}/plan");
    assert_eq!(app.call("POST", &plan, &token, "").await.status, 200);
    let seen = operations(&app, &token).await;
    let budgets = seen["budgets"].as_array().unwrap();
    let of = |system: &str| budgets.iter().find(|one| one["system"] == system).unwrap();
    let sum = |numbers: &Value| {
        numbers
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_u64)
            .sum::<u64>()
    };
    let (crm, erp) = (of("crm"), of("erp"));
    assert!(sum(&crm["requests"]) > 0 && sum(&erp["requests"]) > 0, "{seen}");
    assert!(crm["in_flight_max"].as_u64().unwrap() > 0);
    assert_eq!(erp["daily"], Value::Null, "it has no quota");
    let daily = &crm["daily"];
    assert_eq!((&daily["limit"], &daily["reserve"]), (&json!(1_000), &json!(100)));
    assert_eq!(daily["hours"].as_array().unwrap().len(), 24);
    assert!(
        sum(&daily["hours"]) > 0 && daily["used"] == sum(&daily["hours"]),
        "{daily}"
    );
    systems.stop().await;
}
