//! Letters: what a mail server on loopback gets.

use syncline::core::status::{DeliveryStatus, RunStatus};

use super::{HOUR, Node};
use crate::support::{database::Database, smtp::MailServer};

fn target(server: &MailServer, query: &str) -> String {
    format!(
        r#"
        [notify.mails.team]
        smtp = "smtp://{}{query}"
        from = "syncline@example.com"
        to = ["ops@example.com", "ana@example.com"]
        events = ["*.raised"]
        "#,
        server.address()
    )
}

async fn hold(node: &Node) -> i64 {
    let run_id = node.run("contact").await;
    node.store.finish_run(run_id, RunStatus::Held, None).await.unwrap();
    node.watch().await;
    run_id
}

#[tokio::test]
async fn a_letter_says_what_happened_and_what_to_do_in_plain_text() {
    let (database, server) = (Database::sqlite(), MailServer::start().await);
    let node = Node::start(&database, &target(&server, "?tls=none")).await;
    let run_id = hold(&node).await;
    assert_eq!(node.deliver().await, 1);
    let received = server.received();
    assert_eq!(received.len(), 1);
    let letter = &received[0];
    assert_eq!(letter.from, "syncline@example.com");
    assert_eq!(letter.to, ["ops@example.com", "ana@example.com"]);
    let subject = letter.header("Subject").unwrap();
    assert!(
        subject.starts_with("[Syncline dev] contact: a run was stopped by a guard rail"),
        "{subject}"
    );
    let event_id = node.notices().await[0].event_id.clone();
    assert_eq!(
        letter.header("Message-ID").unwrap(),
        format!("<{event_id}@example.com>")
    );
    assert_eq!(letter.header("Date").unwrap(), "Mon, 02 Mar 2026 09:00:00 +0000");
    assert_eq!(letter.header("Auto-Submitted").as_deref(), Some("auto-generated"));
    assert!(letter.header("Content-Type").unwrap().starts_with("text/plain"));
    let body = letter.data.replace("=\r\n", "");
    assert!(body.contains(&format!("syncline runs release {run_id}")), "{body}");
}

#[tokio::test]
async fn a_refused_letter_is_tried_again_under_the_same_name() {
    let (database, server) = (Database::sqlite(), MailServer::start().await);
    server.refuse(Some("451 4.3.0 later"));
    let node = Node::start(&database, &target(&server, "?tls=none")).await;
    hold(&node).await;
    node.deliver().await;
    let notice = node.notices().await.remove(0);
    let delivery = node.store.notice_deliveries(notice.notice_id).await.unwrap().remove(0);
    assert_eq!(delivery.status, DeliveryStatus::Pending);
    let error = delivery.last_error.unwrap();
    assert!(error.contains("NT006") && error.contains("451"), "{error}");
    server.refuse(None);
    database.advance(HOUR);
    assert_eq!(node.deliver().await, 1);
    let received = server.received();
    assert_eq!(received.len(), 1);
    assert!(received[0].header("Message-ID").unwrap().contains(&notice.event_id));
}

#[tokio::test]
async fn a_server_without_tls_gets_nothing_unless_it_was_asked_for() {
    let (database, server) = (Database::sqlite(), MailServer::start().await);
    let node = Node::start(&database, &target(&server, "")).await;
    hold(&node).await;
    node.deliver().await;
    assert_eq!(server.received(), []);
    assert!(server.commands().iter().all(|command| !command.starts_with("MAIL")));
    let stats = node.store.notice_targets().await.unwrap();
    assert_eq!((stats[0].failing, stats[0].dead), (1, 0));
}

#[tokio::test]
async fn people_get_the_types_they_asked_for() {
    let (database, server) = (Database::sqlite(), MailServer::start().await);
    let node = Node::start(&database, &target(&server, "?tls=none")).await;
    let run_id = hold(&node).await;
    node.deliver().await;
    node.store.discard_run(run_id, "ana", Vec::new()).await.unwrap();
    assert_eq!(node.watch().await, 1);
    assert_eq!(node.deliver().await, 0);
    assert_eq!(server.received().len(), 1);
}
