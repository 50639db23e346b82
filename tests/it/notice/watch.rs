//! What is seen becomes one message a change: over restarts, over nodes, and whatever flaps.

use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::Value as Json;
use syncline::core::status::{NoticeCondition, RunStatus};

use super::{CUSTOMER, HOUR, MINUTE, Node, payload, settings};
use crate::support::database::Database;

/// An hour before the daily reconciliations of the day are due, after those of the day before.
async fn quiet(database: &Database, more: &str) -> Node {
    let node = Node::start(database, more).await;
    node.report(CUSTOMER, 0, 1_000).await;
    node.report("contact", 0, 1_000).await;
    assert_eq!(node.watch().await, 0);
    node
}

#[tokio::test]
async fn drift_is_told_once_when_it_rises_and_once_when_it_is_well() {
    let database = Database::sqlite();
    let node = quiet(&database, "").await;
    let run_id = node.report(CUSTOMER, 30, 1_000).await;
    assert_eq!(node.watch().await, 1);
    for _ in 0..5 {
        node.report(CUSTOMER, 20, 1_000).await;
        assert_eq!(node.watch().await, 0);
    }
    // Below the limit, and not by far.
    node.report(CUSTOMER, 8, 1_000).await;
    assert_eq!(node.watch().await, 0);
    node.report(CUSTOMER, 5, 1_000).await;
    assert_eq!(node.watch().await, 1);
    assert_eq!(
        node.told().await,
        ["drift.raised customer-account", "drift.well customer-account"]
    );
    let told = payload(&node.notices().await[0]);
    assert_eq!(told["summary"]["runId"], run_id);
    assert_eq!(told["next"], format!("syncline drift show {run_id}"));
    assert_eq!(told["environment"], "dev");
}

#[tokio::test]
async fn the_limit_of_drift_is_that_of_the_mapping_where_it_has_one() {
    let database = Database::sqlite();
    let node = quiet(&database, "[notify.mappings.contact]\ndrift_above = 3").await;
    node.report("contact", 4, 1_000).await;
    node.report(CUSTOMER, 4, 1_000).await;
    node.watch().await;
    assert_eq!(node.told().await, ["drift.raised contact"]);
}

#[tokio::test]
async fn a_restart_tells_nothing_again_and_forgets_nothing() {
    let database = Database::sqlite();
    let node = quiet(&database, "").await;
    node.report(CUSTOMER, 30, 1_000).await;
    node.watch().await;
    node.store.close().await;
    drop(node);
    let node = Node::start(&database, "").await;
    assert_eq!(node.watch().await, 0);
    node.report(CUSTOMER, 0, 1_000).await;
    assert_eq!(node.watch().await, 1);
    assert_eq!(node.told().await.len(), 2);
}

#[tokio::test]
async fn many_nodes_that_look_at_the_same_time_tell_it_once() {
    let database = Database::sqlite();
    let north = quiet(&database, "").await;
    let south = Node::beside(&database, "south", "").await;
    let west = Node::beside(&database, "west", "").await;
    north.report(CUSTOMER, 30, 1_000).await;
    let run_id = north.run("contact").await;
    north.store.finish_run(run_id, RunStatus::Held, None).await.unwrap();
    let (one, two, three) = tokio::join!(north.watch(), south.watch(), west.watch());
    assert_eq!(one + two + three, 2);
    assert_eq!(north.told().await.len(), 2);
}

#[tokio::test]
async fn a_pause_is_told_when_it_lasts_and_its_end_when_that_lasts() {
    let database = Database::sqlite();
    let node = quiet(&database, "").await;
    node.pause("contact");
    assert_eq!(node.watch().await, 0);
    database.advance(MINUTE * 4);
    assert_eq!(node.watch().await, 0);
    database.advance(MINUTE);
    assert_eq!(node.watch().await, 1);
    assert_eq!(
        payload(&node.notices().await[0])["summary"]["reason"],
        "[AU001] system `crm`: not let in"
    );
    node.signs.pauses.resume("contact");
    assert_eq!(node.watch().await, 0);
    database.advance(MINUTE * 5);
    assert_eq!(node.watch().await, 1);
    assert_eq!(node.told().await, ["paused.raised contact", "paused.well contact"]);
}

#[tokio::test]
async fn a_pause_that_comes_and_goes_within_minutes_is_never_told() {
    let database = Database::sqlite();
    let node = quiet(&database, "").await;
    for _ in 0..20 {
        node.pause("contact");
        node.watch().await;
        database.advance(MINUTE * 2);
        node.signs.pauses.resume("contact");
        node.watch().await;
        database.advance(MINUTE * 2);
    }
    assert_eq!(node.told().await, [""; 0]);
}

#[tokio::test]
async fn a_node_that_sees_no_pause_does_not_end_that_of_another() {
    let database = Database::sqlite();
    let north = quiet(&database, "").await;
    let south = Node::beside(&database, "south", "").await;
    north.pause("contact");
    for _ in 0..30 {
        north.watch().await;
        south.watch().await;
        database.advance(MINUTE);
    }
    assert_eq!(north.told().await, ["paused.raised contact"]);
    // A node that is gone sees nothing any more.
    drop(north);
    for _ in 0..10 {
        south.watch().await;
        database.advance(MINUTE);
    }
    assert_eq!(south.told().await, ["paused.raised contact", "paused.well contact"]);
}

#[tokio::test]
async fn a_held_run_is_told_with_the_way_out_and_settled_when_a_person_decides() {
    let database = Database::sqlite();
    let node = quiet(&database, "").await;
    let run_id = node.run("contact").await;
    node.store.finish_run(run_id, RunStatus::Held, None).await.unwrap();
    assert_eq!(node.watch().await, 1);
    let told = payload(&node.notices().await[0]);
    assert!(
        told["next"]
            .as_str()
            .unwrap()
            .contains(&format!("syncline runs release {run_id}"))
    );
    assert_eq!(told["severity"], "alert");
    node.store.discard_run(run_id, "ana", Vec::new()).await.unwrap();
    node.watch().await;
    assert_eq!(node.told().await, ["held.raised contact", "held.well contact"]);
}

#[tokio::test]
async fn secrets_are_told_before_their_date_and_after_it_and_when_they_were_replaced() {
    let database = Database::sqlite();
    let due = |date: &str| format!("secret_rotate_by = {date}");
    let node = quiet(&database, &due("2026-04-02")).await;
    database.advance(HOUR * 24);
    node.report(CUSTOMER, 0, 10).await;
    node.report("contact", 0, 10).await;
    assert_eq!(node.watch().await, 1);
    database.advance(HOUR * 24 * 31);
    node.report(CUSTOMER, 0, 10).await;
    node.report("contact", 0, 10).await;
    node.watch().await;
    assert_eq!(
        node.told().await,
        ["secret_due.raised crm", "secret_overdue.raised crm"]
    );
    node.store.close().await;
    drop(node);
    let node = Node::start(&database, &due("2027-04-01")).await;
    assert_eq!(node.watch().await, 2);
    assert_eq!(payload(&node.notices().await[2])["system"], "crm");
}

#[tokio::test]
async fn a_reconciliation_that_does_not_come_is_told_and_one_that_was_never_due_is_not() {
    let database = Database::sqlite();
    let node = Node::start(&database, "").await;
    // It starts after the time of day: nothing was due since it watches.
    assert_eq!(node.watch().await, 0);
    database.advance(HOUR * 20);
    assert_eq!(node.watch().await, 0);
    database.advance(HOUR * 7);
    assert_eq!(node.watch().await, 2);
    node.report(CUSTOMER, 0, 10).await;
    assert_eq!(node.watch().await, 1);
    let told = node.told().await;
    assert_eq!(told.last().map(String::as_str), Some("overdue.well customer-account"));
}

#[tokio::test]
async fn what_is_taken_out_of_the_settings_is_settled_once() {
    let database = Database::sqlite();
    let node = Node::start(&database, "secret_rotate_by = 2026-03-05").await;
    assert_eq!(node.watch().await, 1);
    node.store.close().await;
    drop(node);
    let node = Node::start(&database, "").await;
    assert_eq!((node.watch().await, node.watch().await), (1, 0));
    assert_eq!(node.told().await, ["secret_due.raised crm", "secret_due.well crm"]);
    let title = payload(&node.notices().await[1])["title"].as_str().unwrap().to_owned();
    assert!(title.contains("is not in the settings any more"), "{title}");
    let left = node.store.notice_standings().await.unwrap();
    assert!(
        left.iter().all(|known| known.condition != NoticeCondition::SecretDue),
        "{left:?}"
    );
}

#[tokio::test]
async fn no_value_of_a_record_and_no_secret_is_in_what_is_told() {
    let database = Database::sqlite();
    let node = quiet(&database, "").await;
    node.pause("contact");
    node.report(CUSTOMER, 30, 1_000).await;
    node.watch().await;
    database.advance(MINUTE * 10);
    node.watch().await;
    let schema: Json = serde_json::from_str(&syncline::core::notice::payload::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let notices = node.notices().await;
    assert_eq!(notices.len(), 2);
    for notice in notices {
        let payload = payload(&notice);
        assert!(validator.is_valid(&payload), "{payload}");
        assert!(!notice.payload.contains("client_secret"));
    }
}

/// Whatever happens in whatever order on two nodes with restarts, each condition is told in turns, and what is told last is how
/// it stands.
#[test]
fn in_every_history_raised_and_well_take_turns() {
    let step = prop_oneof![
        (0_u64..60).prop_map(Step::Drift),
        Just(Step::Pause),
        Just(Step::Resume),
        Just(Step::Hold),
        Just(Step::Decide),
        (1_u32..10).prop_map(Step::Wait),
        Just(Step::Restart),
    ];
    let histories = proptest::collection::vec(step, 1..40);
    let config = ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&histories, |steps| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build();
            runtime.unwrap().block_on(history(&steps));
            Ok(())
        })
        .unwrap();
}

#[derive(Debug, Clone)]
enum Step {
    Drift(u64),
    Pause,
    Resume,
    Hold,
    Decide,
    Wait(u32),
    Restart,
}

async fn history(steps: &[Step]) {
    let database = Database::sqlite();
    let north = quiet(&database, "").await;
    let mut south = Node::beside(&database, "south", "").await;
    let (mut drifted, mut held) = (0, Vec::new());
    for step in steps {
        match step {
            Step::Drift(count) => {
                north.report("contact", *count, 1_000).await;
                drifted = *count;
            }
            Step::Pause => north.pause("contact"),
            Step::Resume => north.signs.pauses.resume("contact"),
            Step::Hold => {
                let run_id = north.run("contact").await;
                north.store.finish_run(run_id, RunStatus::Held, None).await.unwrap();
                held.push(run_id);
            }
            Step::Decide => {
                for run_id in held.drain(..) {
                    north.store.discard_run(run_id, "ana", Vec::new()).await.unwrap();
                }
            }
            Step::Wait(minutes) => database.advance(MINUTE * *minutes),
            Step::Restart => south = Node::of(south.store.clone(), settings(&database, "")),
        }
        tokio::join!(north.watch(), south.watch());
    }
    let told = north.notices().await;
    for condition in NoticeCondition::ALL {
        let of: Vec<_> = told
            .iter()
            .filter(|one| one.condition == *condition && one.subject == "contact")
            .collect();
        for pair in of.windows(2) {
            assert_ne!(pair[0].state, pair[1].state, "{condition} was told twice: {steps:?}");
        }
        let is_raised = of.len() % 2 == 1;
        match condition {
            NoticeCondition::Held => assert_eq!(is_raised, !held.is_empty(), "{steps:?}"),
            NoticeCondition::Drift if drifted > 10 => assert!(is_raised, "{steps:?}"),
            NoticeCondition::Drift if drifted <= 5 => assert!(!is_raised, "{steps:?}"),
            _ => {}
        }
    }
}
