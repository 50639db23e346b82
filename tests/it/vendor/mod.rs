//! Simulators of vendors. Each is driven by the vendor's own client library, so that it behaves as the vendor does, and then by
//! the daemon with the connectors and mappings that we ship.

mod ask;
mod bc_dataverse;
mod erpnext;
mod erpnext_hubspot;
mod hubspot;
mod library;
mod odata;
mod odoo;
mod odoo_salesforce;
mod s4;
mod s4_partner;
mod salesforce;

use serde_json::Value as Json;

use crate::support::{
    loopback::{Loopback, Seen},
    place::{Place, text_of},
};

/// The shipped connectors and mappings of a pair, with polls as often as a test wants them.
fn files(connectors: [&'static str; 2], mappings: &[&'static str]) -> Vec<(&'static str, String)> {
    let connectors = connectors.into_iter().map(|file| (file, text_of(file)));
    let mappings = mappings.iter().map(|file| {
        let text = text_of(file);
        let poll = text.lines().find(|line| line.starts_with("poll:")).unwrap();
        let fast = poll.replace("60s", "1s").replace("5m", "1s");
        (*file, text.replace(poll, &fast))
    });
    connectors.chain(mappings).collect()
}

/// How soon the daemon tries again in these tests.
const PATIENCE: &str = r#"
    [limits]
    retry_first = "100ms"
    retry_longest = "2s"
    attempts_max = 50
"#;

/// Reconciles every mapping for the first time. What goes beyond the limits, as a first comparison of other data may, a person releases;
/// what waits for it comes along then.
fn agreed(place: &Place) {
    place.ask(&["migrate"]);
    for report in place.ask(&["reconcile", "--all"]) {
        if report["status"] == "held" {
            place.ask(&["runs", "release", &report["run_id"].to_string()]);
        }
    }
    reconciled(place);
}

/// What a reconciliation of every mapping did, by mapping.
fn reconciled(place: &Place) -> Vec<Json> {
    let reports = place.ask(&["reconcile", "--all"]);
    for report in &reports {
        assert_eq!(report["status"], "succeeded", "{report:#}");
    }
    reports
}

/// How many requests were writes.
fn writes(server: &Loopback, is_write: impl Fn(&Seen) -> bool) -> usize {
    server.seen().iter().filter(|seen| is_write(seen)).count()
}
