//! How the daemon ends.

use syncline::sandbox::{
    Edit,
    fault::{Fault, Order},
};

use super::site::{Site, customer};

#[tokio::test]
async fn both_ending_signals_end_the_daemon_with_0() {
    let site = Site::new().await;
    for signal in ["TERM", "INT"] {
        let daemon = site.start();
        daemon.signal(signal);
        let (status, log) = daemon.end().await;
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains("\"stopped\""), "{log}");
    }
}

#[tokio::test]
async fn a_hang_up_does_not_end_the_daemon_and_is_answered() {
    let site = Site::new().await;
    let mut daemon = site.start();
    daemon.signal("HUP");
    daemon.wait_for("settings and definitions are read at the start alone");
    daemon.signal("TERM");
    let (status, log) = daemon.end().await;
    assert_eq!(status.code(), Some(0), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ended_under_load_the_daemon_gives_back_what_it_cannot_finish_and_goes_on_later() {
    let site = Site::with("[limits]\nshutdown_grace = \"1s\"").await;
    let daemon = site.start();
    site.subscribe(&daemon);
    // Slower than the grace: what is in flight cannot end in time.
    let slow = Order::next(1_000, Fault::SlowAnswer { ms: 5_000 }).on("POST", "/api/v2/accounts");
    let slow = site.systems.crm.faults().order(slow).unwrap();
    for number in 1..=40 {
        site.systems
            .erp
            .create("customer", &customer(number), &Edit::by("user:ana"))
            .unwrap();
    }
    site.systems.webhooks_settled().await;
    site.accounts_made(1).await;
    daemon.signal("TERM");
    let (status, log) = daemon.end().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("is given back"), "{log}");
    assert!(site.json(&["runs"]).iter().all(|run| run["status"] != "running"));
    assert_eq!(
        site.number("select count(*) from lock").await,
        Some(0),
        "no lease is left"
    );
    site.systems.crm.faults().cancel(slow);
    let _daemon = site.start();
    site.settled().await;
    assert_eq!(site.systems.crm.history().creates_of("account").len(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ended_gracefully_the_daemon_leaves_a_count_of_its_quota_that_is_what_it_sent() {
    let site = Site::with("[systems.erp.limits]\ndaily = 100_000").await;
    let daemon = site.start();
    site.subscribe(&daemon);
    for number in 1..=9 {
        site.systems
            .erp
            .create("customer", &customer(number), &Edit::by("user:ana"))
            .unwrap();
    }
    site.systems.webhooks_settled().await;
    site.accounts_made(9).await;
    site.settled().await;
    daemon.signal("TERM");
    let (status, log) = daemon.end().await;
    assert_eq!(status.code(), Some(0), "{log}");
    let sent = site.systems.erp.history().requests().len();
    let counted = site.number("select sum(spent) from quota where system = 'erp'").await;
    assert!(sent > 0);
    assert_eq!(counted, i64::try_from(sent).ok());
}
