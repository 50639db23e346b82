//! On record first, told then: what cannot be stored is told to nobody as done, and what is stored can be done again.

use syncline::sandbox::Edit;

use super::site::{Site, customer, until};

/// Lets the database refuse one kind of row, as it does when it has no space for it.
async fn refuse(site: &Site, when: &str) {
    site.sql(&format!(
        "create trigger refuses before {when} begin select raise(abort, 'no space for this'); end"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_end_cannot_be_stored_is_told_to_nobody_as_done() {
    let site = Site::new().await;
    // The first command makes the database.
    let (status, _, stderr) = site.run(&["sync", "customer-account"]);
    assert!(status.success(), "{stderr}");
    refuse(
        &site,
        "update of status on run when new.kind = 'reconcile' and new.status <> 'running'",
    )
    .await;
    let (status, stdout, stderr) = site.run(&["--json", "reconcile", "customer-account"]);
    assert!(!status.success(), "{stdout}{stderr}");
    assert!(!stdout.contains("succeeded"), "{stdout}");
    site.sql("drop trigger refuses").await;
    let of_status = |status: &str| site.json(&["runs", "--kind", "reconcile", "--status", status]);
    assert!(of_status("succeeded").is_empty());
    // The next one finds it and says what became of it.
    let (status, _, stderr) = site.run(&["reconcile", "customer-account"]);
    assert!(status.success(), "{stderr}");
    assert_eq!(of_status("succeeded").len(), 1);
    assert!(of_status("running").is_empty(), "{:?}", of_status("running"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_cannot_be_stored_leaves_its_event_open_and_once_stored_it_can_be_replayed() {
    let site = Site::with("[limits]\nretry_first = \"100ms\"\nretry_longest = \"1s\"").await;
    let daemon = site.start();
    site.subscribe(&daemon);
    refuse(&site, "insert on failure").await;
    let bad = customer(1).replace("BR", "?");
    let made = site
        .systems
        .erp
        .create("customer", &bad, &Edit::by("user:ana"))
        .unwrap();
    let tried = || {
        let requests = site.systems.crm.history().requests_to("POST", "/api/v2/accounts");
        requests.len()
    };
    until(
        "the CRM has refused it twice, for it was not on record the first time",
        async || (tried() >= 2).then_some(()),
    )
    .await;
    let of_erp = || {
        let events = site.json(&["events"]).into_iter();
        events.filter(|event| event["system"] == "erp").collect::<Vec<_>>()
    };
    let events = of_erp();
    assert!(
        events.len() == 1 && events[0]["status"] != "failed" && events[0]["status"] != "done",
        "{events:?}"
    );
    assert!(site.json(&["failures"]).is_empty());
    site.sql("drop trigger refuses").await;
    let failure = until("the failure is on record", async || site.json(&["failures"]).pop()).await;
    assert_eq!(failure["record_id"], made.id.as_str(), "{failure}");
    // Corrected and replayed.
    let patch = r#"{"tax_id":"BR00000000000001"}"#;
    let quietly = Edit::by("user:ana").silently();
    site.systems.erp.patch("customer", &made.id, patch, &quietly).unwrap();
    let (status, _, stderr) = site.run(&["reprocess", "--all", "--yes"]);
    assert!(status.success(), "{stderr}");
    site.accounts_made(1).await;
    until("no failure is left", async || {
        site.json(&["failures"]).is_empty().then_some(())
    })
    .await;
    assert_eq!(site.systems.crm.history().creates_of("account").len(), 1);
}
