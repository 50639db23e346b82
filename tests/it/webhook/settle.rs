//! Senders that push before they have committed: their records are read a moment later.

use std::time::Duration;

use chrono::DateTime;
use serde_json::json;
use syncline::{
    clock::Clock,
    core::{problem::Problems, webhook::event::Definition},
    sandbox::pair,
};

use super::{definition, events, hook, push};
use crate::support::app::{Setup, TestApp};

fn compiled(settle: &str) -> Result<Definition, Problems> {
    definition(&json!({ "settle": settle }))
}

/// How many changes there are, and how many of them are due.
async fn queue(app: &TestApp) -> (u64, u64) {
    let stats = app.store.queue_stats().await.unwrap();
    (stats.depth, stats.due)
}

#[tokio::test]
async fn a_record_whose_sender_may_not_have_committed_is_due_later_and_a_second_event_does_not_put_it_off() {
    let systems = pair::start(pair::Options::default()).await.unwrap();
    let mut setup = Setup::between(&systems);
    let definition = compiled("5s").unwrap();
    let hook = hook(definition, &setup.catalog.as_ref().unwrap().mappings);
    setup.hooks.insert("crm".to_owned(), hook);
    let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    setup.clock = Clock::manual(start);
    let app = setup.start().await;
    let at = |seconds: u64| app.clock.set(start + Duration::from_secs(seconds));
    assert_eq!(push(&app, &events(1)).await.status, 200);
    assert_eq!(queue(&app).await, (1, 0));
    at(4);
    // The same record again.
    assert_eq!(push(&app, &events(2)).await.status, 200);
    assert_eq!(queue(&app).await, (1, 0));
    at(5);
    assert_eq!(queue(&app).await, (1, 1));
}

#[test]
fn a_record_is_left_alone_for_ten_minutes_at_most() {
    assert!(compiled("10m").is_ok());
    let problems = compiled("11m").unwrap_err().into_vec();
    assert_eq!(
        (problems[0].code, problems[0].pointer.as_str()),
        ("WH025", "/webhooks/settle")
    );
}
