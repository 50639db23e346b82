//! What keeps the daemon from starting, and how it says so.

use std::{fs, net::TcpListener};

use super::site::Site;
use crate::support::http;

#[tokio::test]
async fn the_ready_line_names_address_environment_systems_and_mappings() {
    let site = Site::new().await;
    let mut running = site.spawn();
    let ready = running.wait_for("ready");
    assert_eq!(ready["environment"], "dev");
    assert_eq!(ready["systems"], "crm, erp");
    assert_eq!(ready["mappings"], "customer-account");
    let address = ready["address"].as_str().unwrap();
    assert_eq!(http::send(address, "GET", "/readyz", &[], b"").await.status, 200);
    assert_eq!(http::send(address, "GET", "/healthz", &[], b"").await.status, 200);
}

#[tokio::test]
async fn every_problem_of_settings_secrets_connectors_and_mappings_is_shown_and_ends_with_1() {
    let site = Site::with("[systems.shop]\nconnector = \"sandbox-crm\"\ncredentials = { client_id = \"a\", client_secret = { env = \"SHOP_SECRET\" } }").await;
    let mapping = fs::read_to_string(site.path("mappings/customer-account.yaml")).unwrap();
    fs::write(
        site.path("mappings/customer-account.yaml"),
        mapping.replace("prefer:", "prefers:"),
    )
    .unwrap();
    let (status, _, stderr) = site.run(&["run"]);
    assert_eq!(status.code(), Some(1), "{stderr}");
    for part in ["SHOP_SECRET", "prefers", "base_url", "problems"] {
        assert!(stderr.contains(part), "{part} not in\n{stderr}");
    }
    site.configure("[limits]\nnonsense = 1");
    let (status, _, stderr) = site.run(&["run"]);
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("nonsense"), "{stderr}");
}

#[tokio::test]
async fn a_port_that_is_taken_ends_with_3_and_says_so() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let site = Site::new().await;
    let mut command = site.command(&["run"]);
    command.env("SYNCLINE__SERVER__BIND", address.to_string());
    let done = command.output().unwrap();
    let stderr = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains(&address.to_string()) && stderr.contains("server.bind"),
        "{stderr}"
    );
    assert!(stderr.contains("hint: another program listens there"), "{stderr}");
}

#[tokio::test]
async fn a_second_daemon_on_one_sqlite_file_is_refused_while_commands_go_on() {
    let site = Site::new().await;
    let first = site.start();
    let (status, _, stderr) = site.run(&["run"]);
    assert_eq!(status.code(), Some(3), "{stderr}");
    for part in [
        "[ST007]",
        "is in use by process",
        &first.child.id().to_string(),
        "store.url",
    ] {
        assert!(stderr.contains(part), "{part} not in\n{stderr}");
    }
    assert!(site.json(&["failures"]).is_empty());
    let (status, _, stderr) = site.run(&["token", "create", "ops", "--role", "viewer"]);
    assert!(status.success(), "{stderr}");
}

#[tokio::test]
async fn another_data_key_than_the_first_is_refused_with_3() {
    let site = Site::new().await;
    drop(site.start());
    fs::remove_file(site.path("data/syncline.key")).unwrap();
    let (status, _, stderr) = site.run(&["run"]);
    assert_eq!(status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("[ST012]") && stderr.contains("another data key"),
        "{stderr}"
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_ends_with_3_and_names_it() {
    let site = Site::new().await;
    // A file stands where the folder should be: unlike rights, that stops root as well.
    fs::write(site.path("data"), "").unwrap();
    let (status, _, stderr) = site.run(&["run"]);
    assert_eq!(status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("data"), "{stderr}");
}

#[tokio::test]
async fn a_database_that_is_gone_ends_with_3_and_says_what_to_check() {
    let site = Site::with("[store]\nurl = \"postgres://nobody@127.0.0.1:1/none\"").await;
    let (status, _, stderr) = site.run(&["run"]);
    assert_eq!(status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("[ST003]") && stderr.contains("store.url"), "{stderr}");
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_left_as_it_is_and_said_so_with_3() {
    let site = Site::new().await;
    drop(site.start());
    site.sql(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (999, 'of a release to come', true, x'00', 0)",
    )
    .await;
    for args in [
        &["run"][..],
        &["migrate"],
        &["runs"],
        &["reconcile", "customer-account"],
    ] {
        let (status, _, stderr) = site.run(args);
        assert_eq!(status.code(), Some(3), "{args:?}: {stderr}");
        for part in ["999", "install the newer Syncline"] {
            assert!(stderr.contains(part), "{args:?}: {part} not in\n{stderr}");
        }
    }
    assert_eq!(site.number("select count(*) from run").await, Some(0));
}
