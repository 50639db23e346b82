//! Runs that take longer than `limits.run_time_max`: they end, say so, and lose nothing of what they did.

use std::fs;

use serde_json::Value as Json;
use syncline::sandbox::{
    Edit,
    fault::{Fault, Order},
};

use super::site::{Site, customer, until};

/// One record at a time, and no time.
const HURRY: &str = "[limits]\nrun_time_max = \"3s\"\nchunk_records = 1\nchunks_in_flight_max = 1";
/// New customers of a site, whose accounts take longer than a run may.
const NEW: u32 = 8;

fn quietly() -> Edit {
    Edit::by("user:ana").silently()
}

/// Systems that agree but for some new customers, in a CRM that is slow to make accounts; what it had made before.
async fn site() -> (Site, usize) {
    let site = Site::new().await;
    let (status, _, stderr) = site.run(&["reconcile", "customer-account"]);
    assert!(status.success(), "{stderr}");
    for number in 0..NEW {
        site.systems
            .erp
            .create("customer", &customer(number), &quietly())
            .unwrap();
    }
    let slow = Order::share(1.0, Fault::SlowAnswer { ms: 1_500 });
    let slow = slow.on("POST", "/api/v2/accounts");
    site.systems.crm.faults().order(slow).unwrap();
    site.configure(HURRY);
    let made = made(&site);
    (site, made)
}

fn made(site: &Site) -> usize {
    site.systems.crm.history().creates_of("account").len()
}

/// The last reconciliation.
fn last(site: &Site) -> Json {
    site.json(&["runs", "--kind", "reconcile"]).swap_remove(0)
}

/// The run has ended for want of time, says what to do, and part of the work is done.
fn check(site: &Site, before: usize) {
    let run = last(site);
    assert_eq!(run["status"], "failed", "{run}");
    let note = run["note"].as_str().unwrap();
    for part in ["limits.run_time_max", "what it did stands", "the next one goes on"] {
        assert!(note.contains(part), "no `{part}` in `{note}`");
    }
    let done = made(site) - before;
    assert!((1..NEW as usize).contains(&done), "{done} accounts were made in time");
}

/// The same run has come to its end, and nothing was made twice.
fn check_end(site: &Site, run: &Json, before: usize) {
    let ended = last(site);
    assert_eq!(
        (&ended["run_id"], ended["status"].as_str()),
        (&run["run_id"], Some("succeeded")),
        "{ended}"
    );
    assert_eq!(made(site) - before, NEW as usize);
    for number in 0..NEW {
        let vat = format!("BR{number:014}");
        let accounts = site.systems.crm.all("account").unwrap();
        let count = accounts.iter().filter(|account| account.json.contains(&vat)).count();
        assert_eq!(count, 1, "customer {number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconciliation_without_time_ends_failed_keeps_what_it_did_and_the_next_one_goes_on_with_it() {
    let (site, before) = site().await;
    let (status, _, stderr) = site.run(&["reconcile", "customer-account"]);
    assert!(!status.success(), "{stderr}");
    assert!(stderr.contains("limits.run_time_max"), "{stderr}");
    check(&site, before);
    let run = last(&site);
    site.systems.crm.faults().clear();
    site.configure("");
    let (status, _, stderr) = site.run(&["reconcile", "customer-account"]);
    assert!(status.success(), "{stderr}");
    check_end(&site, &run, before);
}

/// Has the daemon reconcile, by an event that says that everything is to be read again.
async fn ask(site: &Site, event: &str) {
    site.sql(&format!(
        "insert into event (system, external_id, object, kind, own, status, received_at, request_id) \
         values ('erp', '{event}', 'customer', 'reread', 0, 'received', 1, 'r-1')"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconciliation_of_the_daemon_without_time_says_so_and_not_that_the_daemon_was_ended() {
    let (site, before) = site().await;
    let daemon = site.start();
    let runs = site.json(&["runs", "--kind", "reconcile"]).len();
    ask(&site, "e-1").await;
    until("the reconciliation has ended", async || {
        let all = site.json(&["runs", "--kind", "reconcile"]);
        (all.len() > runs && all[0]["status"] != "running").then_some(())
    })
    .await;
    check(&site, before);
    let run = last(&site);
    daemon.kill().await;
    site.systems.crm.faults().clear();
    site.configure("");
    let _daemon = site.start();
    ask(&site, "e-2").await;
    until("the reconciliation has come to its end", async || {
        (last(&site)["status"] == "succeeded").then_some(())
    })
    .await;
    check_end(&site, &run, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_without_time_is_a_failed_run_and_the_next_one_brings_what_it_did_not() {
    let site = Site::with("[limits]\nrun_time_max = \"1s\"").await;
    let path = site.path("mappings/customer-account.yaml");
    let mapping = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{mapping}poll: {{ erp: 1s }}\n")).unwrap();
    let slow = Order::share(1.0, Fault::SlowStart { ms: 20_000 });
    let slow = slow.on("GET", "/api/customers");
    site.systems.erp.faults().order(slow).unwrap();
    let _daemon = site.start();
    site.systems.erp.create("customer", &customer(1), &quietly()).unwrap();
    let polls = || site.json(&["runs", "--kind", "poll"]);
    let failed = until("a poll has ended for want of time", async || {
        polls().into_iter().find(|run| run["status"] == "failed")
    })
    .await;
    let note = failed["note"].as_str().unwrap();
    assert!(note.contains("limits.run_time_max"), "{note}");
    site.systems.erp.faults().clear();
    site.accounts_made(1).await;
    let running = polls().iter().filter(|run| run["status"] == "running").count();
    assert!(running <= 1, "runs that nobody ends are left: {:?}", polls());
}
