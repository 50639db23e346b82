//! What is told is delivered: at least once, under one id, in order, until it is taken or given up.

use syncline::core::status::{DeliveryStatus, RunStatus};

use super::{CUSTOMER, HOUR, MINUTE, Node, receiver, types};
use crate::support::{database::Database, loopback::Reply};

/// A held run that nobody knows of yet.
async fn hold(node: &Node) -> i64 {
    let run_id = node.run("contact").await;
    node.store.finish_run(run_id, RunStatus::Held, None).await.unwrap();
    run_id
}

/// How the only delivery of the notice stands.
async fn stands(node: &Node, index: usize) -> (DeliveryStatus, u64, Option<String>) {
    let notice = node.notices().await.remove(index);
    let delivery = node.store.notice_deliveries(notice.notice_id).await.unwrap().remove(0);
    (delivery.status, delivery.attempts, delivery.last_error)
}

#[tokio::test]
async fn a_change_reaches_the_receiver_once() {
    let database = Database::sqlite();
    let (receiver, target) = receiver([Reply::status(204)]).await;
    let node = Node::start(&database, &target).await;
    node.report(CUSTOMER, 30, 1_000).await;
    node.watch().await;
    assert_eq!(node.deliver().await, 1);
    assert_eq!(node.deliver().await, 0);
    let seen = receiver.seen();
    assert_eq!(types(&seen), ["drift.raised"]);
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!(seen[0].header("webhook-id"), seen[0].json()["eventId"].as_str());
    assert_eq!(stands(&node, 0).await, (DeliveryStatus::Sent, 1, None));
}

#[tokio::test]
async fn a_crash_between_storing_and_sending_loses_nothing() {
    let database = Database::sqlite();
    let (receiver, target) = receiver([Reply::status(200)]).await;
    let node = Node::start(&database, &target).await;
    hold(&node).await;
    node.watch().await;
    node.store.close().await;
    drop(node);
    let node = Node::start(&database, &target).await;
    assert_eq!((node.watch().await, node.deliver().await), (0, 1));
    assert_eq!(types(&receiver.seen()), ["held.raised"]);
}

#[tokio::test]
async fn a_crash_between_sending_and_storing_sends_it_again_under_the_same_id() {
    let database = Database::sqlite();
    let (receiver, target) = receiver([Reply::status(200)]).await;
    let node = Node::start(&database, &target).await;
    hold(&node).await;
    node.watch().await;
    // Another node claims it, sends it, and is gone before it has stored what became of it.
    let south = Node::beside(&database, "south", &target).await;
    let claimed = south.store.claim_notices(10, MINUTE).await.unwrap();
    assert_eq!((claimed.len(), node.deliver().await), (1, 0));
    database.advance(MINUTE * 2);
    assert_eq!(node.deliver().await, 1);
    assert_eq!(
        receiver.seen()[0].header("webhook-id"),
        Some(claimed[0].event_id.as_str())
    );
}

#[tokio::test]
async fn what_is_not_taken_is_tried_again_under_the_same_id_at_another_time() {
    let database = Database::sqlite();
    let replies = [
        Reply::status(503),
        Reply::hang_up(),
        Reply::status(302),
        Reply::status(200),
    ];
    let (receiver, target) = receiver(replies).await;
    let node = Node::start(&database, &target).await;
    hold(&node).await;
    node.watch().await;
    for tries in 1..=4 {
        node.deliver().await;
        assert_eq!(receiver.seen().len(), tries);
        // Never at once.
        assert_eq!(node.deliver().await, 0);
        database.advance(HOUR);
    }
    let seen = receiver.seen();
    let ids: Vec<_> = seen.iter().map(|seen| seen.header("webhook-id").unwrap()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
    let times: Vec<i64> = seen
        .iter()
        .map(|seen| seen.header("webhook-timestamp").unwrap().parse().unwrap())
        .collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    assert_eq!(stands(&node, 0).await, (DeliveryStatus::Sent, 4, None));
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_rest_is_given_it() {
    let database = Database::sqlite();
    let (receiver, target) = receiver([Reply::status(429).with("retry-after", "7200"), Reply::status(200)]).await;
    let node = Node::start(&database, &target).await;
    hold(&node).await;
    node.watch().await;
    node.deliver().await;
    database.advance(HOUR);
    assert_eq!(node.deliver().await, 0);
    database.advance(HOUR);
    assert_eq!(node.deliver().await, 1);
    assert_eq!(receiver.seen().len(), 2);
}

#[tokio::test]
async fn what_nobody_takes_for_days_is_given_up_and_sent_again_when_a_person_says_so() {
    let database = Database::sqlite();
    let (receiver, target) = receiver([Reply::status(500)]).await;
    let node = Node::start(&database, &target).await;
    hold(&node).await;
    node.watch().await;
    for _ in 0..100 {
        node.deliver().await;
        database.advance(HOUR);
    }
    let (status, attempts, error) = stands(&node, 0).await;
    assert_eq!(
        (status, error.as_deref()),
        (DeliveryStatus::Dead, Some("[NT004] answered 500"))
    );
    assert_eq!(attempts, receiver.seen().len() as u64);
    assert!((10..=60).contains(&attempts), "{attempts}");
    assert_eq!(
        node.store
            .resend_notices(None, None, HOUR * 72, |_| Vec::new())
            .await
            .unwrap(),
        1
    );
    node.deliver().await;
    let seen = receiver.seen();
    assert_eq!(seen.last().unwrap().header("webhook-id"), seen[0].header("webhook-id"));
}

#[tokio::test]
async fn a_receiver_that_says_gone_gets_this_one_no_more_and_the_next_one_all_the_same() {
    let database = Database::sqlite();
    let (receiver, target) = receiver([Reply::status(410)]).await;
    let node = Node::start(&database, &target).await;
    let run_id = hold(&node).await;
    node.watch().await;
    node.deliver().await;
    assert_eq!(stands(&node, 0).await.0, DeliveryStatus::Dead);
    node.store.discard_run(run_id, "ana", Vec::new()).await.unwrap();
    node.watch().await;
    node.deliver().await;
    assert_eq!(types(&receiver.seen()), ["held.raised", "held.well"]);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_private_address_is_not_entered() {
    let database = Database::sqlite();
    let (trap, _) = receiver([Reply::status(200)]).await;
    let elsewhere = Reply::status(307).with("location", format!("{}/trap", trap.url()));
    let (receiver, target) = receiver([elsewhere]).await;
    let target = format!(
        "{target}\n[notify.webhooks.inside]\nurl = \"{}/trap\"\nsecrets = [{{ env = \"NEW\" }}]",
        trap.url()
    );
    let node = Node::start(&database, &target).await;
    hold(&node).await;
    node.watch().await;
    assert_eq!(node.deliver().await, 2);
    assert_eq!((receiver.seen().len(), trap.connects()), (1, 0));
    let notice = node.notices().await.remove(0);
    let deliveries = node.store.notice_deliveries(notice.notice_id).await.unwrap();
    let errors: Vec<_> = deliveries
        .iter()
        .map(|delivery| delivery.last_error.clone().unwrap())
        .collect();
    assert!(
        errors[0].contains("loopback") && errors[0].contains("allow_networks"),
        "{errors:?}"
    );
    assert_eq!(errors[1], "[NT004] answered 307");
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let database = Database::sqlite();
    let endless = Reply::new(200, "text/plain", vec![b'x'; 1 << 20]).stalled();
    let (_receiver, target) = receiver([endless]).await;
    let node = Node::start(&database, &target).await;
    hold(&node).await;
    node.watch().await;
    node.deliver().await;
    assert_eq!(stands(&node, 0).await.0, DeliveryStatus::Sent);
}

#[tokio::test]
async fn raised_comes_before_well_whatever_the_first_try_came_to() {
    let database = Database::sqlite();
    let (receiver, target) = receiver([Reply::status(503), Reply::status(200)]).await;
    let node = Node::start(&database, &target).await;
    let run_id = hold(&node).await;
    node.watch().await;
    node.deliver().await;
    node.store.discard_run(run_id, "ana", Vec::new()).await.unwrap();
    node.watch().await;
    assert_eq!(node.deliver().await, 0, "the first one is not taken yet");
    database.advance(HOUR);
    node.deliver().await;
    assert_eq!(types(&receiver.seen()), ["held.raised", "held.raised", "held.well"]);
}

#[tokio::test]
async fn two_nodes_send_each_message_once() {
    let database = Database::sqlite();
    let (receiver, target) = receiver([Reply::status(200)]).await;
    let north = Node::start(&database, &target).await;
    let south = Node::beside(&database, "south", &target).await;
    hold(&north).await;
    north.report(CUSTOMER, 30, 1_000).await;
    tokio::join!(north.watch(), south.watch());
    tokio::join!(north.deliver(), south.deliver());
    let mut types = types(&receiver.seen());
    types.sort();
    assert_eq!(types, ["drift.raised", "held.raised"]);
}

#[tokio::test]
async fn a_target_gets_what_it_asked_for_and_one_that_is_taken_out_is_given_up() {
    let database = Database::sqlite();
    let (receiver, target) = receiver([Reply::status(200)]).await;
    let wants = format!("{target}\nevents = [\"held.*\"]");
    let node = Node::start(&database, &wants).await;
    node.report(CUSTOMER, 30, 1_000).await;
    hold(&node).await;
    assert_eq!(node.watch().await, 2);
    node.deliver().await;
    assert_eq!(types(&receiver.seen()), ["held.raised"]);
    let run_id = node.run(CUSTOMER).await;
    node.store.finish_run(run_id, RunStatus::Held, None).await.unwrap();
    node.watch().await;
    node.store.close().await;
    drop(node);
    let node = Node::start(&database, "").await;
    node.deliver().await;
    let (status, _, error) = stands(&node, 2).await;
    assert_eq!(status, DeliveryStatus::Dead);
    assert!(error.unwrap().contains("NT007"));
}
