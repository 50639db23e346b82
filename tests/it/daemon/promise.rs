//! Promises of the design that only the real daemon can show.

use syncline::sandbox::{
    Edit,
    fault::{Fault, Order},
};

use super::site::{Running, Site, customer, until};

fn quietly() -> Edit {
    Edit::by("user:ana").silently()
}

/// A daemon between two systems that agree.
async fn agreed() -> (Site, Running) {
    let site = Site::new().await;
    let daemon = site.start();
    let (status, _, stderr) = site.run(&["reconcile", "customer-account"]);
    assert!(status.success(), "{stderr}");
    (site, daemon)
}

/// Waits until a command lists nothing.
async fn nothing_in(site: &Site, args: &[&str]) {
    until("nothing is listed", async || site.json(args).is_empty().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_keeps_its_status_tries_last_error_time_and_request() {
    let site = Site::new().await;
    let daemon = site.start();
    site.subscribe(&daemon);
    let bad = customer(2).replace("BR", "?");
    for json in [customer(1), bad] {
        site.systems
            .erp
            .create("customer", &json, &Edit::by("user:ana"))
            .unwrap();
    }
    let events = until("both events are worked on", async || {
        let events = site.json(&["events"]);
        let of_erp: Vec<_> = events.into_iter().filter(|event| event["system"] == "erp").collect();
        let is_over = |event: &serde_json::Value| event["status"] == "done" || event["status"] == "failed";
        (of_erp.len() == 2 && of_erp.iter().all(is_over)).then_some(of_erp)
    })
    .await;
    for event in &events {
        assert_eq!(event["attempts"], 1, "{event}");
        assert!(event["processing_ms"].is_number(), "{event}");
        assert!(event["request_id"].as_str().is_some_and(|id| id.len() > 8), "{event}");
    }
    let failed = events.iter().find(|event| event["status"] == "failed").unwrap();
    let error = failed["last_error"].as_str().unwrap();
    assert!(error.contains("VatNumber") && !error.contains('?'), "{error}");
    let failure = &site.json(&["failures"])[0];
    assert_eq!(failure["event_id"], failed["event_id"], "{failure}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doubled_and_reordered_webhooks_end_at_the_last_state_and_write_it_once() {
    let (site, daemon) = agreed().await;
    site.subscribe(&daemon);
    let faults = site.systems.erp.faults();
    faults.order(Order::next(2, Fault::DoubleWebhook)).unwrap();
    faults.order(Order::next(1, Fault::ReorderWebhook).after(2)).unwrap();
    let links = site.json(&["links", "--limit", "1"]);
    let (left, right) = (
        links[0]["left_id"].as_str().unwrap(),
        links[0]["right_id"].as_str().unwrap(),
    );
    for name in ["One", "Two", "Three", "Four"] {
        let patch = format!(r#"{{"name":"{name}"}}"#);
        site.systems
            .erp
            .patch("customer", left, &patch, &Edit::by("user:ana"))
            .unwrap();
    }
    site.systems.webhooks_settled().await;
    site.settled().await;
    let history = site.systems.crm.history();
    let names: Vec<String> = history
        .writes_to_record("account", right)
        .iter()
        .filter(|commit| commit.actor.starts_with("client:"))
        .map(|commit| {
            let after: serde_json::Value = serde_json::from_str(commit.after.as_deref().unwrap()).unwrap();
            after["Name"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(names.last().map(String::as_str), Some("Four"), "{names:?}");
    let mut once = names.clone();
    once.dedup();
    assert_eq!(once, names, "nothing is written twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_had_reprocessed_is_a_run_that_ends_when_it_is_done() {
    let (site, _daemon) = agreed().await;
    let links = site.json(&["links", "--limit", "1"]);
    let id = links[0]["left_id"].as_str().unwrap();
    let set = |tax_id: &str| {
        let patch = format!(r#"{{"tax_id":"{tax_id}"}}"#);
        site.systems.erp.patch("customer", id, &patch, &quietly()).unwrap();
    };
    set("12");
    assert_eq!(site.run(&["reconcile", "customer-account"]).0.code(), Some(1));
    set("BR 10.000.777/0001-95");
    let (status, _, stderr) = site.run(&["reprocess", "--all", "--yes"]);
    assert!(status.success(), "{stderr}");
    nothing_in(&site, &["failures"]).await;
    until("the run has ended", async || {
        let runs = site.json(&["runs", "--kind", "reprocess"]);
        (runs.len() == 1 && runs[0]["status"] == "succeeded" && runs[0]["ended_at"].is_string()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_that_a_person_decides_or_ignores_leaves_no_failure_behind() {
    let (site, _daemon) = agreed().await;
    let links = site.json(&["links", "--limit", "2"]);
    for link in &links {
        let id = |side: &str| link[side].as_str().unwrap();
        let note = r#"{"note":"pays late"}"#;
        site.systems
            .erp
            .patch("customer", id("left_id"), note, &quietly())
            .unwrap();
        let note = r#"{"Description":"pays early"}"#;
        site.systems
            .crm
            .patch("account", id("right_id"), note, &quietly())
            .unwrap();
    }
    assert_eq!(site.run(&["reconcile", "customer-account"]).0.code(), Some(1));
    assert_eq!(site.json(&["failures"]).len(), 2);
    let conflicts = site.json(&["conflicts"]);
    let id = |at: usize| conflicts[at]["conflict_id"].to_string();
    let (status, _, stderr) = site.run(&["conflicts", "resolve", &id(0), "crm"]);
    assert!(status.success(), "{stderr}");
    let (status, _, stderr) = site.run(&["conflicts", "ignore", &id(1)]);
    assert!(status.success(), "{stderr}");
    nothing_in(&site, &["failures"]).await;
    let note = |conflict: &serde_json::Value| {
        let id = conflict["left_id"].as_str().unwrap();
        let record = site.systems.erp.read("customer", id).unwrap().json;
        serde_json::from_str::<serde_json::Value>(&record).unwrap()["note"].clone()
    };
    assert_eq!(note(&conflicts[0]), "pays early");
    assert_eq!(note(&conflicts[1]), "pays late", "it stays as it is");
}

#[tokio::test]
async fn the_log_tells_of_the_daemon_and_not_of_the_insides_of_its_parts() {
    let site = Site::new().await;
    let daemon = site.start();
    for line in daemon.log().lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let target = record["target"].as_str().unwrap();
        assert!(target.starts_with("syncline"), "{line}");
    }
}
