//! `GET /api/v1/systems`: how requests to each system stand, without a secret.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use syncline::{
    core::status::Role,
    sandbox::{
        fault::{Fault, Order},
        pair,
    },
    server::Pause,
};

use crate::support::app::{Setup, TestApp};

/// A server over the sandbox, with a daily quota towards the CRM.
async fn start(systems: &pair::Handle) -> TestApp {
    let mut setup = Setup::between(systems);
    if let Some(crm) = setup.settings.systems.get_mut("crm") {
        crm.limits.daily = Some(1_000);
    }
    setup.start().await
}

/// How the system is shown.
async fn seen(app: &TestApp, system: &str) -> Value {
    let viewer = app.token(Role::Viewer).await;
    let views = app.get("/api/v1/systems", &viewer).await.json();
    let found = views.as_array().unwrap().iter().find(|view| view["name"] == system);
    found.cloned().unwrap_or_else(|| panic!("{views}"))
}

/// Looks at a record on both sides.
async fn look(app: &TestApp, id: &str) -> u16 {
    let operator = app.token(Role::Operator).await;
    let path = format!("/api/v1/mappings/customer-account/records/erp/{id}/plan");
    app.call("POST", &path, &operator, "").await.status
}

#[tokio::test]
async fn a_system_shows_its_circuit_its_quota_and_when_its_token_is_renewed() {
    let systems = super::action::systems().await;
    let app = start(&systems).await;
    let fresh = seen(&app, "crm").await;
    assert_eq!(fresh["requests"]["circuit"], "closed", "{fresh}");
    assert_eq!(
        fresh["requests"]["daily"],
        json!({ "used": 0, "limit": 1_000, "reserve": 100 })
    );
    assert_eq!(
        (&fresh["requests"]["in_flight"], &fresh["paused"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(fresh["requests"]["token_renews_at"], Value::Null);
    assert_eq!(seen(&app, "erp").await["requests"]["daily"], Value::Null, "it has none");

    let id = systems.erp.all("customer").unwrap()[0].id.clone();
    assert_eq!(look(&app, &id).await, 200);
    let used = seen(&app, "crm").await;
    assert!(used["requests"]["daily"]["used"].as_u64().unwrap() > 0, "{used}");
    assert!(used["requests"]["token_renews_at"].is_string(), "{used}");
    let secret = systems.crm.client_secret();
    assert!(!used.to_string().contains(secret.expose_secret()));
    systems.stop().await;
}

#[tokio::test]
async fn a_dead_system_shows_until_when_it_is_left_alone_and_what_rests_because_of_it() {
    let systems = super::action::systems().await;
    let app = start(&systems).await;
    let dead = Fault::Status {
        status: 500,
        retry_after_s: None,
        code: None,
    };
    systems.erp.faults().order(Order::next(1_000, dead)).unwrap();
    for _ in 0..3 {
        look(&app, "1").await;
    }
    let pause = Pause {
        mapping: "customer-account".to_owned(),
        reason: "[RQ010] system `erp`: it does not answer".to_owned(),
        since: app.clock.now(),
    };
    app.app.set_pauses(vec![pause]);
    let erp = seen(&app, "erp").await;
    assert_eq!(erp["requests"]["circuit"], "open", "{erp}");
    assert!(erp["requests"]["circuit_open_until"].is_string(), "{erp}");
    assert_eq!(erp["paused"][0]["mapping"], "customer-account");
    assert!(erp["paused"][0]["reason"].as_str().unwrap().contains("RQ010"));
    systems.stop().await;
}
