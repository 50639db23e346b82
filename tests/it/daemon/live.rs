//! What the daemon does with events while it runs.

use syncline::sandbox::Edit;

use super::site::{Site, customer, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_one_system_reaches_the_other_through_its_webhook() {
    let site = Site::new().await;
    let daemon = site.start();
    site.subscribe(&daemon);
    site.systems
        .erp
        .create("customer", &customer(1), &Edit::by("user:ana"))
        .unwrap();
    site.accounts_made(1).await;
    until("the write is counted", async || {
        let metrics = crate::support::http::send(&daemon.address, "GET", "/metrics", &[], b"")
            .await
            .text();
        let line = "syncline_writes_total{system=\"crm\",kind=\"create\",result=\"succeeded\"} 1";
        metrics.contains(line).then_some(())
    })
    .await;
    until("the event is done", async || {
        let events = site.json(&["events"]);
        events
            .iter()
            .any(|event| event["status"] == "done" && event["attempts"] == 1)
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_of_an_object_that_nothing_maps_is_ignored_and_not_left_open() {
    let site = Site::new().await;
    let daemon = site.start();
    site.subscribe(&daemon);
    let product = r#"{"sku":"X-1","name":"Screw","price":1.00,"currency":"EUR","active":true}"#;
    site.systems
        .erp
        .create("product", product, &Edit::by("user:ana"))
        .unwrap();
    until("the event is ignored", async || {
        let events = site.json(&["events"]);
        (events.len() == 1 && events[0]["status"] == "ignored").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_came_before_its_mapping_is_worked_through_at_the_next_start() {
    let site = Site::new().await;
    let mapping = std::fs::read(site.path("mappings/customer-account.yaml")).unwrap();
    std::fs::remove_file(site.path("mappings/customer-account.yaml")).unwrap();
    let daemon = site.start();
    site.subscribe(&daemon);
    site.systems
        .erp
        .create("customer", &customer(1), &Edit::by("user:ana"))
        .unwrap();
    site.systems.webhooks_settled().await;
    // Killed before anybody looked at what it stored, or after: the state is put back to where it was before.
    daemon.kill().await;
    site.sql("update event set status = 'received', processed_at = null")
        .await;
    std::fs::write(site.path("mappings/customer-account.yaml"), mapping).unwrap();
    let _daemon = site.start();
    site.accounts_made(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_says_read_again_brings_a_reconciliation_of_its_mapping() {
    let site = Site::new().await;
    let daemon = site.start();
    site.sql(
        "insert into event (system, external_id, object, kind, own, status, received_at, request_id) \
         values ('erp', 'e-1', 'customer', 'reread', 0, 'received', 1, 'r-1')",
    )
    .await;
    until("everything is read again", async || {
        let runs = site.json(&["runs"]);
        let is_run = |run: &serde_json::Value| run["kind"] == "reconcile" && run["trigger"] == "webhook";
        runs.iter()
            .any(|run| is_run(run) && run["status"] != "running")
            .then_some(())
    })
    .await;
    until("the event is done", async || {
        (site.json(&["events"])[0]["status"] == "done").then_some(())
    })
    .await;
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_system_pauses_its_mapping_and_nothing_fails_or_is_lost() {
    use syncline::sandbox::fault::{Fault, Order};
    let site = Site::with("[limits]\nretry_first = \"100ms\"\nretry_longest = \"1s\"").await;
    let mut daemon = site.start();
    site.subscribe(&daemon);
    site.systems
        .crm
        .faults()
        .order(Order::share(1.0, Fault::status(503)))
        .unwrap();
    for number in 1..=30 {
        site.systems
            .erp
            .create("customer", &customer(number), &Edit::by("user:ana"))
            .unwrap();
    }
    let paused = daemon.wait_for("paused");
    assert_eq!(paused["mapping"], "customer-account");
    let metrics = crate::support::http::send(&daemon.address, "GET", "/metrics", &[], b"")
        .await
        .text();
    assert!(
        metrics.contains("syncline_paused{mapping=\"customer-account\"}"),
        "{metrics}"
    );
    site.systems.crm.faults().clear();
    site.accounts_made(30).await;
    daemon.wait_for("goes on after a pause");
    until("no failure is left", async || {
        let open = site.json(&["failures"]);
        open.iter().all(|failure| failure["status"] == "resolved").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_pause_the_mapping_instead_of_failing_its_records() {
    let site = Site::new().await;
    let settings = std::fs::read_to_string(site.path("config/dev.toml")).unwrap();
    let wrong = settings.replace("acme_sandbox_secret", "not-the-secret");
    assert_ne!(wrong, settings);
    std::fs::write(site.path("config/dev.toml"), wrong).unwrap();
    let mut daemon = site.start();
    site.subscribe(&daemon);
    for number in 1..=10 {
        site.systems
            .erp
            .create("customer", &customer(number), &Edit::by("user:ana"))
            .unwrap();
    }
    let paused = daemon.wait_for("paused");
    assert!(paused["reason"].as_str().unwrap().contains("crm"), "{paused}");
    site.systems.webhooks_settled().await;
    assert!(site.json(&["failures"]).is_empty());
    daemon.signal("TERM");
    daemon.end().await;
    std::fs::write(site.path("config/dev.toml"), settings).unwrap();
    let _daemon = site.start();
    site.accounts_made(10).await;
}
