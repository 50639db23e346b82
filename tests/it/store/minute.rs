//! What came in and what was spent, counted by the minute and the hour.

use std::time::Duration;

use syncline::{
    core::{quota, status::EventStatus},
    store::{
        Op, Store,
        event::{FinishedEvent, Received, minute::EventMinute},
    },
};

use super::{MINUTE, new_event};
use crate::support::database::Database;

on_both!(
    events_are_counted_by_their_minute_and_by_how_long_they_took,
    what_was_spent_of_a_quota_is_told_by_the_hour,
);

async fn receive(store: &Store, external_id: &str) -> i64 {
    let answers = store.receive(vec![new_event(external_id)]).await.unwrap();
    let [Received::Stored(event_id)] = answers[..] else {
        panic!("{answers:?}");
    };
    event_id
}

fn finished(event_id: i64, status: EventStatus, processing_ms: u64) -> Op {
    Op::FinishEvent(FinishedEvent {
        event_id,
        change: None,
        status,
        last_error: None,
        processing_ms,
    })
}

async fn events_are_counted_by_their_minute_and_by_how_long_they_took(database: Database) {
    let store = database.open().await;
    let first = database.clock().now().timestamp() / 60;
    let done = [receive(&store, "e-1").await, receive(&store, "e-2").await];
    receive(&store, "e-3").await;
    database.advance(Duration::from_millis(40));
    let ops = done.map(|event_id| finished(event_id, EventStatus::Done, 6));
    store.commit(ops.to_vec()).await.unwrap();
    database.advance(MINUTE);
    let failed = receive(&store, "e-4").await;
    let hour = 3_600_000;
    store
        .commit(vec![finished(failed, EventStatus::Failed, hour)])
        .await
        .unwrap();
    let seen = |minute, done, processing, count| EventMinute {
        system: "crm".into(),
        minute,
        done,
        processing,
        count,
    };
    // 40 ms are more than 30 and no more than 50, 6 ms more than 5 and no more than 7.
    let expected = [seen(first, Some(9), Some(4), 2), seen(first, None, None, 1)];
    let mut found = store.event_minutes(first, first + 1).await.unwrap();
    found.sort_by_key(|one| std::cmp::Reverse(one.count));
    assert_eq!(found, expected);
    let next = store.event_minutes(first + 1, first + 2).await.unwrap();
    assert_eq!(
        next,
        [seen(first + 1, None, Some(26), 1)],
        "it failed, after longer than all bounds"
    );
    assert_eq!(store.event_minutes(first, first + 2).await.unwrap().len(), 3);
    assert!(store.event_minutes(first + 2, first + 9).await.unwrap().is_empty());
}

async fn what_was_spent_of_a_quota_is_told_by_the_hour(database: Database) {
    let store = database.open().await;
    let hour = quota::hour_of(database.clock().now().timestamp_millis());
    store.take_quota("crm", 10, 1_000).await.unwrap();
    store.take_quota("erp", 3, 1_000).await.unwrap();
    database.advance(MINUTE * 120);
    store.take_quota("crm", 4, 1_000).await.unwrap();
    assert_eq!(store.quota_hours("crm").await.unwrap(), [(hour, 10), (hour + 2, 4)]);
    assert_eq!(store.quota_spent("crm").await.unwrap(), 14);
    database.advance(MINUTE * 60 * 23);
    assert_eq!(
        store.quota_hours("crm").await.unwrap(),
        [(hour + 2, 4)],
        "a day is over"
    );
    assert!(store.quota_hours("none").await.unwrap().is_empty());
}
