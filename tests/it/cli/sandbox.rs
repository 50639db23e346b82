//! `syncline sandbox`: what it serves is what it says.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::Value as Json;

use super::Place;
use crate::support::http;

/// A running `syncline sandbox`, ended with the test.
pub struct Sandbox(Child);

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn start(place: &Place, args: &[&str], lines: usize) -> (Sandbox, Vec<Json>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .current_dir(place.path())
        .args(["sandbox", "--json", "--port", "0"])
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let sandbox = Sandbox(child);
    let views = out
        .lines()
        .take(lines)
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    (sandbox, views)
}

#[tokio::test]
async fn the_addresses_and_credentials_it_prints_are_those_it_serves() {
    let place = Place::empty();
    let (_sandbox, views) = start(&place, &["--companies", "20"], 2);
    let [erp, crm] = &views[..] else { panic!("{views:?}") };
    assert_eq!((&erp["system"], &crm["system"]), (&"erp".into(), &"crm".into()));
    let address = erp["base_url"].as_str().unwrap().strip_prefix("http://").unwrap();
    let key = erp["credentials"]["api_key"].as_str().unwrap();
    let answer = http::send(address, "GET", "/api/customers?limit=1", &[("X-Api-Key", key)], b"").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["total"], 20);
}

#[tokio::test]
async fn a_fault_ordered_at_the_start_strikes() {
    let place = Place::empty();
    let (_sandbox, views) = start(
        &place,
        &[
            "erp",
            "--companies",
            "1",
            "--no-webhooks",
            "--faults",
            "erp.status=503:100%",
        ],
        1,
    );
    assert_eq!(views[0]["webhooks_to"], Json::Null);
    let address = views[0]["base_url"].as_str().unwrap().strip_prefix("http://").unwrap();
    let answer = http::send(address, "GET", "/api/customers", &[], b"").await;
    assert_eq!(answer.status, 503);
}

#[test]
fn a_fault_that_is_none_and_a_taken_port_are_told() {
    let place = Place::empty();
    place.run(&["sandbox", "--faults", "htlm"]).code(2);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let done = place.run(&["sandbox", "erp", "--port", &port]).code(3);
    assert!(super::stderr(&done).contains("--port"), "{}", super::stderr(&done));
}
