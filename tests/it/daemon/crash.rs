//! What survives when the daemon does not.

use std::process::Stdio;

use syncline::sandbox::{
    Edit,
    fault::{Fault, Order},
};

use super::site::{Site, customer, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_of_work_loses_nothing_and_doubles_nothing() {
    let site = Site::new().await;
    let daemon = site.start();
    site.subscribe(&daemon);
    let slow = Order::share(0.5, Fault::SlowAnswer { ms: 300 });
    site.systems.crm.faults().order(slow).unwrap();
    for number in 1..=40 {
        site.systems
            .erp
            .create("customer", &customer(number), &Edit::by("user:ana"))
            .unwrap();
    }
    site.systems.webhooks_settled().await;
    site.accounts_made(5).await;
    // Some writes are done whose answers are on their way.
    daemon.kill().await;
    let made = site.systems.crm.history().creates_of("account").len();
    assert!((5..40).contains(&made), "{made} accounts were made before the end");
    site.systems.crm.faults().clear();
    let daemon = site.start();
    let log = daemon.log();
    assert!(log.contains("the last process of this node left work behind"), "{log}");
    site.settled().await;
    for number in 1..=40 {
        let vat = format!("BR{number:014}");
        let found = site.systems.crm.history().commits_where(|commit| {
            let is_of_it = commit.after.as_ref().is_some_and(|after| after.contains(&vat));
            is_of_it && format!("{:?}", commit.kind) == "Created"
        });
        assert_eq!(found.len(), 1, "customer {number}");
    }
}

/// A reconciliation by command that is killed while it works.
async fn kill_a_command(site: &Site) {
    // The first command that works makes the database.
    site.run(&["sync", "customer-account"]);
    let slow = Order::share(1.0, Fault::SlowStart { ms: 60_000 });
    site.systems.crm.faults().order(slow).unwrap();
    let before = site.systems.crm.history().requests().len();
    let mut command = site.command(&["reconcile", "customer-account"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // From then on there is something to go on with: the links are saved before the systems are asked.
    until("it lists the accounts", async || {
        let requests = site.systems.crm.history().requests().len();
        (requests > before).then_some(())
    })
    .await;
    assert_eq!(
        site.number("select count(*) from run where status = 'running'").await,
        Some(1)
    );
    child.kill().unwrap();
    child.wait().unwrap();
    site.systems.crm.faults().clear();
}

fn reconciliations(site: &Site) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let runs = site.json(&["runs", "--kind", "reconcile"]);
    runs.iter()
        .map(|run| (text(&run["status"]), text(&run["note"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_was_killed_leaves_a_failed_run_that_says_what_to_do_and_nothing_that_is_in_the_way() {
    let site = Site::new().await;
    kill_a_command(&site).await;
    // What it had read is gone, as after a restart of the machine: nothing can go on with it.
    site.sql("update run set scratch = scratch || '-gone' where scratch is not null")
        .await;
    let (status, _, stderr) = site.run(&["reconcile", "customer-account"]);
    assert!(status.success(), "{stderr}");
    assert!(
        stderr.contains("an earlier command was ended in the middle"),
        "{stderr}"
    );
    let runs = reconciliations(&site);
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert_eq!(runs[0].0, "succeeded");
    assert_eq!(runs[1].0, "failed");
    assert!(runs[1].1.contains("run it again for the rest"), "{runs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_was_killed_is_gone_on_with_under_its_own_run_by_the_next_one() {
    let site = Site::new().await;
    kill_a_command(&site).await;
    let (status, _, stderr) = site.run(&["reconcile", "customer-account"]);
    assert!(status.success(), "{stderr}");
    assert!(
        stderr.contains("an earlier command was ended in the middle"),
        "{stderr}"
    );
    let runs = reconciliations(&site);
    assert_eq!((runs.len(), runs[0].0.as_str()), (1, "succeeded"), "{runs:?}");
    assert!(runs[0].1.contains("went on with listings from before"), "{runs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_closes_the_run_of_a_killed_command_and_leaves_a_living_one_alone() {
    let site = Site::new().await;
    kill_a_command(&site).await;
    let slow = Order::share(1.0, Fault::SlowStart { ms: 60_000 });
    site.systems.crm.faults().order(slow).unwrap();
    let mut command = site.command(&["sync", "customer-account"]);
    let mut living = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Its start has closed the run of the dead one; that of its own poll begins.
    until("its run has begun", async || {
        site.number("select count(*) from run where status = 'running' and kind = 'poll'")
            .await
            .filter(|count| *count > 0)
    })
    .await;
    let _daemon = site.start();
    let running = "select count(*) from run where status = 'running' and kind = 'poll'";
    assert!(
        site.number(running).await > Some(0),
        "the living command's run was closed"
    );
    assert_eq!(reconciliations(&site).last().unwrap().0, "failed");
    living.kill().unwrap();
    living.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_every_process_ends_with_is_set_aside_and_the_others_go_on() {
    let site = Site::new().await;
    let daemon = site.start();
    let made = [1, 2].map(|number| {
        site.systems
            .erp
            .create("customer", &customer(number), &Edit::by("user:ana"))
            .unwrap()
    });
    daemon.kill().await;
    for (snapshot, crashes) in made.iter().zip([3, 2]) {
        site.sql(&format!(
            "insert into change (mapping, side, record_id, origin, kind, priority, not_before, first_at, updated_at, crashes) \
             values ('customer-account', 'left', '{}', 'event', 'created', 0, 0, 1, 1, {crashes})",
            snapshot.id
        ))
        .await;
    }
    let _daemon = site.start();
    site.accounts_made(1).await;
    let failures = site.json(&["failures"]);
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0]["status"], "parked");
    assert_eq!(failures[0]["code"], "SY011");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconciliation_missed_while_down_is_made_up_for_once() {
    let site = Site::new().await;
    let daemon = site.start();
    daemon.kill().await;
    site.sql("delete from job where name like 'reconcile/%'").await;
    site.sql(
        "insert into job (name, local_date, node, claimed_at, ended_at) \
         values ('reconcile/customer-account', '2020-01-01', 'x', 1, 1)",
    )
    .await;
    let _daemon = site.start();
    until("it is made up for", async || {
        let runs = site.json(&["runs"]);
        let found = runs.iter().filter(|run| run["trigger"] == "catch_up").count();
        assert!(found < 2, "{runs:?}");
        (found == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missed_reconciliation_is_not_made_up_for_where_the_settings_say_so() {
    let site = Site::with("[schedule]\ncatch_up = false").await;
    site.start().kill().await;
    site.sql("delete from job where name like 'reconcile/%'").await;
    site.sql(
        "insert into job (name, local_date, node, claimed_at, ended_at) \
         values ('reconcile/customer-account', '2020-01-01', 'x', 1, 1)",
    )
    .await;
    let mut daemon = site.start();
    daemon.wait_for("a reconciliation fell into downtime");
    assert!(site.json(&["runs"]).iter().all(|run| run["kind"] != "reconcile"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconciliation_that_a_crash_cut_off_is_done_again() {
    let site = Site::new().await;
    let daemon = site.start();
    until("the schedule has begun to count", async || {
        site.number("select count(*) from job where name = 'reconcile/customer-account'")
            .await
            .filter(|count| *count > 0)
    })
    .await;
    daemon.kill().await;
    site.sql("update job set ended_at = null where name = 'reconcile/customer-account'")
        .await;
    let _daemon = site.start();
    until("it is done again", async || {
        let runs = site.json(&["runs"]);
        runs.iter()
            .any(|run| run["kind"] == "reconcile" && run["status"] != "running")
            .then_some(())
    })
    .await;
    until("the job has ended", async || {
        let ended = "select count(*) from job where name = 'reconcile/customer-account' and ended_at is not null";
        site.number(ended).await.filter(|count| *count == 1)
    })
    .await;
}
