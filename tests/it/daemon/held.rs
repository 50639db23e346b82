//! A run that a guard rail holds, by the commands a person uses.

use std::fs;

use serde_json::Value as Json;
use syncline::sandbox::Edit;

use super::site::Site;

/// A place where two accounts would be deleted, more than the mapping allows; and the held run.
pub async fn held() -> (Site, Json, usize) {
    let site = Site::new().await;
    let path = site.path("mappings/customer-account.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replacen("prefer: erp", "situations: { missing: delete }\nprefer: erp", 1);
    fs::write(&path, text).unwrap();
    let (status, _, stderr) = site.run(&["reconcile", "customer-account"]);
    assert!(status.success(), "{stderr}");
    let links = site.json(&["links"]);
    let accounts = site.systems.crm.all("account").unwrap().len();
    for link in links.iter().take(2) {
        let customer = link["left_id"].as_str().unwrap();
        let quietly = Edit::by("user:ana").silently();
        site.systems.erp.delete("customer", customer, &quietly).unwrap();
    }
    site.run(&["reconcile", "customer-account"]);
    let mut held = site.json(&["runs", "--status", "held"]);
    assert_eq!(held.len(), 1, "{held:?}");
    let note = held[0]["note"].as_str().unwrap();
    assert!(
        note.contains("would delete 2 records, but the mapping allows"),
        "{note}"
    );
    assert_eq!(
        site.systems.crm.all("account").unwrap().len(),
        accounts,
        "nothing is deleted"
    );
    (site, held.swap_remove(0), accounts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releasing_a_held_run_does_what_it_announced_and_nothing_else() {
    let (site, run, accounts) = held().await;
    let id = run["run_id"].to_string();
    site.systems.crm.history().clear();
    let (status, _, stderr) = site.run(&["runs", "release", &id]);
    assert!(status.success(), "{stderr}");
    assert_eq!(site.systems.crm.all("account").unwrap().len(), accounts - 2);
    let written = site.systems.crm.history().writes_to("account");
    assert_eq!(written.len(), 2, "{written:?}");
    let again = site.run(&["runs", "release", &id]);
    assert!(!again.0.success() && again.2.contains("is not held"), "{}", again.2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discarding_a_held_run_leaves_everything_as_it_is() {
    let (site, run, accounts) = held().await;
    let id = run["run_id"].to_string();
    let (status, _, stderr) = site.run(&["runs", "discard", &id]);
    assert!(status.success(), "{stderr}");
    assert_eq!(site.systems.crm.all("account").unwrap().len(), accounts);
    let again = site.run(&["runs", "release", &id]);
    assert!(!again.0.success() && again.2.contains("is not held"), "{}", again.2);
}
