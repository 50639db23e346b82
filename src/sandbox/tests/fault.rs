use std::time::Duration;

use serde_json::json;

use super::*;
use crate::sandbox::fault::{Fault, Order};
use crate::sandbox::limit::{Rate, RetryAfter};
use crate::sandbox::{crm, erp, pair};

async fn start() -> (pair::Handle, Caller, Caller) {
    let options = pair::Options {
        plan: plan(40),
        ..pair::Options::default()
    };
    let pair = pair::start(options).await.unwrap();
    let (erp, crm) = (erp_caller(&pair.erp), crm_caller(&pair.crm).await);
    (pair, erp, crm)
}

#[tokio::test]
async fn an_ordered_status_is_answered_without_doing_the_work() {
    let (pair, caller, _) = start().await;
    let fault = Fault::Status {
        status: 503,
        retry_after_s: Some(2),
        code: Some("row_locked".into()),
    };
    pair.erp
        .faults()
        .order(Order::next(2, fault).on("PATCH", "/api/customers"))
        .unwrap();
    assert_eq!(caller.get("/api/customers/1").await.status, 200);
    for _ in 0..2 {
        let refused = caller.patch("/api/customers/1", r#"{"note":"x"}"#).await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, "2"));
        assert_eq!(refused.json()["error"]["code"], "row_locked");
    }
    assert_eq!(caller.patch("/api/customers/1", r#"{"note":"x"}"#).await.status, 200);
    assert_eq!(pair.erp.history().counts().commits, 1);
    let faults: Vec<_> = pair
        .erp
        .history()
        .requests()
        .iter()
        .map(|request| request.fault)
        .collect();
    assert_eq!(faults, [None, Some("status"), Some("status"), None]);
}

#[tokio::test]
async fn a_connection_dropped_before_the_commit_changes_nothing_and_one_after_it_everything() {
    let (pair, caller, _) = start().await;
    pair.erp
        .faults()
        .order(Order::next(1, Fault::DropBeforeCommit))
        .unwrap();
    assert!(
        caller
            .try_send("POST", "/api/customers", r#"{"name":"A"}"#)
            .await
            .is_none()
    );
    assert_eq!(pair.erp.history().counts().commits, 0);
    pair.erp.faults().order(Order::next(1, Fault::DropAnswer)).unwrap();
    assert!(
        caller
            .try_send("POST", "/api/customers", r#"{"name":"A"}"#)
            .await
            .is_none()
    );
    let request = pair.erp.history().requests().pop().unwrap();
    assert_eq!((request.status, request.commits), (None, 1));
    assert_eq!(caller.get("/api/customers?limit=1").await.json()["total"], 41);
}

#[tokio::test]
async fn an_answer_lost_after_the_write_is_recovered_by_the_idempotency_key() {
    let (pair, _, caller) = start().await;
    pair.crm
        .faults()
        .order(Order::next(1, Fault::DropAnswer).on("POST", "/api/v2"))
        .unwrap();
    let keyed = caller.with("idempotency-key", "k");
    assert!(
        keyed
            .try_send("POST", "/api/v2/accounts", r#"{"Name":"A"}"#)
            .await
            .is_none()
    );
    assert_eq!(keyed.post("/api/v2/accounts", r#"{"Name":"A"}"#).await.status, 201);
    assert_eq!(pair.crm.history().creates_of("account").len(), 1);
}

#[tokio::test]
async fn a_caller_who_hangs_up_on_a_slow_answer_has_written_and_on_a_slow_start_not() {
    let (pair, caller, _) = start().await;
    let history = pair.erp.history();
    for (fault, commits) in [
        (Fault::SlowStart { ms: 3_600_000 }, 0),
        (Fault::SlowAnswer { ms: 3_600_000 }, 1),
    ] {
        let kind = fault.kind();
        pair.erp.faults().order(Order::next(1, fault)).unwrap();
        let caller = caller.clone();
        let request = tokio::spawn(async move { caller.patch("/api/customers/1", r#"{"note":"x"}"#).await });
        let has_come = || {
            history
                .requests()
                .last()
                .is_some_and(|request| request.fault == Some(kind))
        };
        while !has_come() || history.counts().commits < commits {
            tokio::task::yield_now().await;
        }
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        assert_eq!(history.counts().commits, commits);
    }
}

#[tokio::test]
async fn answers_come_spoilt_in_every_ordered_way() {
    let (pair, caller, _) = start().await;
    let order = |fault| pair.erp.faults().order(Order::next(1, fault)).unwrap();
    let path = "/api/customers?limit=5";

    order(Fault::TruncatedJson);
    let truncated = caller.get(path).await;
    assert_eq!(truncated.status, 200);
    assert!(truncated.text.starts_with("{\"data\":[") && serde_json::from_str::<Value>(&truncated.text).is_err());
    order(Fault::CutBody);
    assert!(caller.try_send("GET", path, "").await.is_none());
    order(Fault::Html);
    let html = caller.get(path).await;
    assert!(html.header("content-type").starts_with("text/html") && html.text.contains("<h1>"));
    order(Fault::WrongContentType);
    let plain = caller.get(path).await;
    assert_eq!(
        (plain.header("content-type"), plain.json()["total"].clone()),
        ("text/plain", json!(40))
    );
    order(Fault::EnormousBody { bytes: 3_000_000 });
    let enormous = caller.get(path).await;
    assert!(enormous.text.len() >= 3_000_000 && enormous.json()["padding"].is_string());
    order(Fault::DeepJson { depth: 5000 });
    assert_eq!(caller.get(path).await.text.matches('[').count(), 5000);
    order(Fault::Unauthorized);
    assert_eq!(caller.get(path).await.status, 401);
    assert_eq!(caller.get(path).await.json()["data"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn listings_repeat_end_early_and_come_empty_to_order() {
    let (pair, erp, crm) = start().await;
    let both = |fault: Fault| {
        pair.erp.faults().order(Order::next(1, fault.clone())).unwrap();
        pair.crm.faults().order(Order::next(1, fault)).unwrap();
    };
    let first = crm.get("/api/v2/accounts?limit=4").await.json();
    let next = first["meta"]["next"].as_str().unwrap().to_owned();
    both(Fault::RepeatPage);
    let repeated = crm.get(&format!("/api/v2/accounts?limit=4&cursor={next}")).await.json();
    assert_eq!(repeated["meta"]["next"], next);
    let page = erp.get("/api/customers?limit=4&offset=4").await.json();
    assert_eq!(page["data"][0]["id"], 1);
    both(Fault::CutListing);
    let cut = crm.get("/api/v2/accounts?limit=4").await.json();
    assert_eq!(
        (cut["items"].as_array().unwrap().len(), &cut["meta"]["next"]),
        (2, &Value::Null)
    );
    let cut = erp.get("/api/customers?limit=4&offset=4").await.json();
    assert_eq!((cut["data"].as_array().unwrap().len(), &cut["total"]), (2, &json!(6)));
    both(Fault::EmptyListing);
    assert_eq!(
        crm.get("/api/v2/accounts").await.json(),
        json!({ "items": [], "meta": { "next": null } })
    );
    assert_eq!(
        erp.get("/api/customers").await.json(),
        json!({ "data": [], "total": 0 })
    );
}

#[tokio::test]
async fn batch_results_come_in_another_order_but_name_their_items() {
    let (pair, erp, _) = start().await;
    pair.erp.faults().order(Order::next(1, Fault::ShuffleBatch)).unwrap();
    let items: Vec<_> = (1..=20).map(|id| json!({ "id": id, "note": "x" })).collect();
    let answer = erp
        .post("/api/customers/batch", &json!({ "items": items }).to_string())
        .await
        .json();
    let mut indices: Vec<_> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["index"].as_u64().unwrap())
        .collect();
    assert_ne!(indices, (0..20).collect::<Vec<_>>());
    indices.sort_unstable();
    assert_eq!(indices, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn requests_over_the_rate_are_told_when_to_come_again_in_both_forms() {
    for (form, is_number) in [(RetryAfter::Seconds, true), (RetryAfter::Date, false)] {
        let rate = Rate {
            per_second: 1,
            burst: 2,
            retry_after: form,
        };
        let clock = crate::sandbox::clock::Clock::fixed_at(chrono::DateTime::from_timestamp(1_767_600_000, 0).unwrap());
        let options = crm::Options {
            rate: Some(rate),
            clock: clock.clone(),
            ..crm::Options::default()
        };
        let crm = crm::start(options).await.unwrap();
        let caller = crm_caller(&crm).await;
        assert_eq!(caller.get("/api/v2/accounts").await.status, 200);
        let refused = caller.get("/api/v2/accounts").await;
        assert_eq!(
            (refused.status, refused.json()["code"].as_str()),
            (429, Some("REQUEST_LIMIT"))
        );
        let retry_after = refused.header("retry-after");
        assert_eq!(retry_after.parse::<u64>().is_ok(), is_number, "{retry_after}");
        assert_eq!(
            httpdate::parse_http_date(retry_after).is_ok(),
            !is_number,
            "{retry_after}"
        );
        clock.advance(Duration::from_secs(1));
        assert_eq!(caller.get("/api/v2/accounts").await.status, 200);
    }
}

#[tokio::test]
async fn faults_edits_and_history_are_reached_by_http() {
    let (pair, caller, _) = start().await;
    let operator = Caller::new(pair.erp.base_url());
    let body = r#"{"fault":{"kind":"status","status":500},"times":1,"path":"/api/orders"}"#;
    assert_eq!(operator.post("/_sandbox/faults", body).await.status, 200);
    assert_eq!(caller.get("/api/orders").await.status, 500);
    assert_eq!(operator.get("/_sandbox/faults").await.json()[0]["hits"], 1);
    let unknown = operator
        .post("/_sandbox/faults", r#"{"fault":{"kind":"earthquake"}}"#)
        .await;
    assert!(
        unknown.status == 400 && unknown.text.contains("earthquake"),
        "{unknown:?}"
    );
    assert_eq!(operator.send("DELETE", "/_sandbox/faults", "").await.status, 204);
    assert_eq!(operator.get("/_sandbox/faults").await.json(), json!([]));

    let edit =
        r#"{"op":"patch","object":"customer","id":"7","fields":{"name":"New"},"actor":"user:anna","event":false}"#;
    assert_eq!(operator.post("/_sandbox/edit", edit).await.json()["name"], "New");
    assert_eq!(operator.get("/_sandbox/records/customer/7").await.json()["name"], "New");
    let commits = operator.get("/_sandbox/history/commits").await.json();
    assert_eq!(
        (&commits["total"], &commits["entries"][0]["after"]["name"]),
        (&json!(1), &json!("New"))
    );
    assert_eq!(operator.get("/_sandbox").await.json()["records"]["customer"], 40);
    assert!(operator.get("/").await.text.contains("<h1>"));
    let foreign = operator
        .with("sec-fetch-site", "cross-site")
        .post("/_sandbox/edit", edit)
        .await;
    assert_eq!(foreign.status, 403);
}

#[tokio::test]
async fn equal_seeds_hit_the_same_requests() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let options = erp::Options {
            seed: 42,
            plan: plan(5),
            ..erp::Options::default()
        };
        let erp = erp::start(options).await.unwrap();
        erp.faults().order(Order::share(0.4, Fault::status(500))).unwrap();
        let caller = erp_caller(&erp);
        let mut statuses = Vec::new();
        for _ in 0..30 {
            statuses.push(caller.get("/api/customers/1").await.status);
        }
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&500) && runs[0].contains(&200));
}

#[tokio::test]
async fn the_pair_overlaps_as_its_plan_says_and_stops() {
    let (pair, _, _) = start().await;
    let overlap = pair.overlap;
    assert_eq!(pair.erp.all("customer").unwrap().len(), 40);
    assert_eq!(pair.crm.all("account").unwrap().len(), overlap.accounts as usize);
    let shared = pair.erp.all("customer").unwrap().into_iter().filter(|customer| {
        let customer: Value = serde_json::from_str(&customer.json).unwrap();
        let email = customer["email"].as_str().unwrap();
        pair.crm.find("account", "Email", email).unwrap().len() == 1
    });
    assert_eq!(shared.count(), overlap.shared as usize);
    let url = format!("{}/api/customers", pair.erp.base_url());
    pair.stop().await;
    assert!(Caller::new("").try_send("GET", &url, "").await.is_none());
}
