//! Time-outs, rests, retries, the circuit breaker and the counts of the budget.

use std::time::Duration;

use serde_json::{Value as Json, json};
use syncline::{
    client::{BatchItem, Road},
    core::status::FailureClass,
};

use super::{Sample, account, ana, get};
use crate::support::{
    database::start_of_test,
    loopback::{Loopback, Reply},
};

fn found() -> Reply {
    Reply::json(200, &account(7))
}

async fn code(limits: Json, replies: Vec<Reply>) -> (&'static str, usize) {
    let server = Loopback::answering(replies).await;
    let fault = get(&Sample::new().limited(limits).at(&server)).await.unwrap_err();
    assert_eq!(fault.class, FailureClass::Transient, "{fault}");
    (fault.code, server.seen().len())
}

#[tokio::test]
async fn an_answer_that_does_not_come_or_stands_still_is_given_up() {
    let limits = json!({ "timeout": "150ms", "idle_timeout": "100ms" });
    assert_eq!(code(limits.clone(), vec![Reply::silence()]).await, ("RQ005", 4));
    assert_eq!(code(limits, vec![found().stalled()]).await, ("RQ005", 4));
    let total = json!({ "timeout": "100ms", "idle_timeout": "1h" });
    assert_eq!(code(total, vec![found().stalled()]).await, ("RQ005", 4));
}

#[tokio::test]
async fn a_connection_that_breaks_is_told_and_a_read_is_tried_again() {
    assert_eq!(code(json!({}), vec![Reply::hang_up()]).await, ("RQ006", 4));
    assert_eq!(code(json!({}), vec![found().cut()]).await, ("RQ006", 4));
    let server = Loopback::answering([Reply::hang_up(), found()]).await;
    assert!(get(&Sample::new().at(&server)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_system_that_does_not_run_is_named_with_what_to_look_at() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let system = Sample::new().at_url(&format!("http://127.0.0.1:{port}"));
    let fault = get(&system).await.unwrap_err();
    assert_eq!((fault.code, fault.class), ("RQ002", FailureClass::Transient), "{fault}");
    assert!(fault.message.contains("system `crm`") && fault.hint.is_some());
    assert!(fault.message.contains(&format!("127.0.0.1:{port}")), "{fault}");
}

#[tokio::test]
async fn a_rest_in_seconds_or_as_a_date_holds_for_the_whole_system_and_is_passed_on() {
    let date = httpdate::fmt_http_date((start_of_test() + Duration::from_secs(90)).into());
    for (status, retry_after, seconds) in [
        (429, "90", 90),
        (503, "90", 90),
        (429, date.as_str(), 90),
        (429, "99999999999", 86_400),
    ] {
        let server = Loopback::answering([Reply::status(status).with("retry-after", retry_after), found()]).await;
        let system = Sample::new().at(&server);
        let fault = get(&system).await.unwrap_err();
        let waits = fault.retry_after.unwrap();
        assert!(
            waits >= Duration::from_secs(seconds) && waits < Duration::from_secs(seconds + 11),
            "{waits:?}"
        );
        let held = system.create("account", &ana(), "key", Road::Event).await.unwrap_err();
        assert_eq!(held.fault.code, "RQ011");
        assert_eq!(server.seen().len(), 1, "nothing is sent while it rests");
    }
}

#[tokio::test]
async fn a_rest_that_is_no_number_and_no_date_is_not_believed() {
    for odd in ["-5", "inf", "1e30", "1.5", "soon", ""] {
        let server = Loopback::answering([Reply::status(503).with("retry-after", odd), found()]).await;
        assert!(get(&Sample::new().at(&server)).await.unwrap().is_some(), "{odd}");
    }
}

#[tokio::test]
async fn too_many_requests_halve_the_concurrency_and_are_tried_again() {
    let server = Loopback::answering([Reply::status(429), found()]).await;
    let system = Sample::new().limited(json!({ "concurrency": 8 })).at(&server);
    assert!(get(&system).await.unwrap().is_some());
    let usage = system.usage();
    assert_eq!(
        (usage.requests, usage.retries, usage.throttled, usage.in_flight),
        (2, 1, 1, 0)
    );
    assert_eq!(usage.concurrency, 4);
}

#[tokio::test]
async fn a_dead_system_is_left_alone() {
    let server = Loopback::answering([Reply::status(500)]).await;
    let system = Sample::new().at(&server);
    for _ in 0..20 {
        get(&system).await.unwrap_err();
    }
    assert!(system.usage().circuit.is_open());
    assert_eq!(get(&system).await.unwrap_err().code, "RQ010");
    assert!(server.seen().len() < 10, "{} requests", server.seen().len());
}

#[tokio::test]
async fn refused_addresses_and_refusals_by_rule_say_nothing_about_its_health() {
    let rule = json!({ "errors": [{ "when": "{{ status == 500 }}", "then": "reject" }] });
    let server = Loopback::answering([Reply::json(500, &json!({ "message": "locked" }))]).await;
    let system = Sample::new().with(rule).at(&server);
    for _ in 0..10 {
        assert_eq!(get(&system).await.unwrap_err().code, "RQ026");
    }
    assert!(!system.usage().circuit.is_open());
}

#[tokio::test]
async fn the_daily_quota_ends_with_what_it_says_and_goes_on_the_next_day() {
    let server = Loopback::answering([found()]).await;
    let sample = Sample::new().limited(json!({ "daily": 3 }));
    let clock = sample.clock.clone();
    let system = sample.at(&server);
    for _ in 0..3 {
        get(&system).await.unwrap();
    }
    let fault = get(&system).await.unwrap_err();
    assert_eq!((fault.code, server.seen().len()), ("RQ012", 3));
    clock.set(clock.now() + fault.retry_after.unwrap());
    get(&system).await.unwrap();
}

#[tokio::test]
async fn a_write_leaves_the_reserve_of_the_quota_to_live_events_unless_it_is_one() {
    let server = Loopback::answering([Reply::json(201, &account(7))]).await;
    let system = Sample::new()
        .limited(json!({ "daily": 10, "reserve": "50%" }))
        .at(&server);
    for _ in 0..5 {
        system.create("account", &ana(), "key", Road::Reconcile).await.unwrap();
    }
    let fields = ana();
    let refused = [
        system.create("account", &fields, "key", Road::Reconcile).await.err(),
        system
            .update("account", BatchItem::of("7", &fields, "key"), Road::Poll)
            .await
            .err(),
        system.delete("account", "7", None, "key", Road::Manual).await.err(),
    ];
    for write in refused {
        assert_eq!(write.unwrap().fault.code, "RQ012");
    }
    system
        .update("account", BatchItem::of("7", &fields, "key"), Road::Event)
        .await
        .unwrap();
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn the_bounds_of_the_settings_hold_where_a_connector_says_nothing_and_its_own_go_over_them() {
    let mut once = Sample::new();
    once.defaults.attempts_max = 1;
    let server = Loopback::answering([Reply::hang_up()]).await;
    get(&once.at(&server)).await.unwrap_err();
    assert_eq!(server.seen().len(), 1);

    let mut shallow = Sample::new();
    shallow.defaults.depth_max = 3;
    let deep = Loopback::answering([Reply::json(200, &json!({ "id": 7, "a": [[[[1]]]] }))]).await;
    let fault = get(&shallow.at(&deep)).await.unwrap_err();
    assert_eq!(fault.code, "RQ007", "{fault}");

    for (connector, code) in [
        (json!({}), Some("RQ004")),
        (json!({ "limits": { "body_bytes_max": 1_000_000 } }), None),
    ] {
        let mut small = Sample::new().with(connector);
        small.defaults.body_bytes_max = 10;
        let server = Loopback::answering([found()]).await;
        let fault = get(&small.at(&server)).await.err().map(|fault| fault.code);
        assert_eq!(fault, code);
    }
}
