//! The inbox and the group commit.

use std::sync::Arc;

use futures_util::future::join_all;
use syncline::{
    core::{
        record::RecordKey,
        status::{EventStatus, Side},
    },
    store::{
        Error, Op, Options, Page, Store,
        event::{EventFilter, FinishedEvent, LastEvent, NewEvent, QueuedEvent, Received},
        link::{Agreement, NewLink},
    },
};

use super::{left, mapping, new_change, new_event};
use crate::support::database::Database;

on_both!(
    a_received_event_survives_reopening,
    the_same_event_sent_many_times_at_once_is_stored_once,
    two_equal_events_in_one_request_are_one,
    a_large_batch_is_answered_in_its_order,
    an_event_brings_its_changes_once,
    events_that_come_alone_or_with_other_work_leave_the_same,
    the_outcome_of_an_event_covers_earlier_ones_of_its_record,
    an_event_of_two_mappings_is_done_when_both_are,
    an_event_is_failed_as_long_as_one_of_its_mappings_is,
    a_received_event_is_queued_later_with_its_changes,
    a_payload_is_kept_sealed_and_opens_again,
    a_full_queue_answers_busy_and_loses_nothing,
    a_refused_submission_does_not_take_the_others_with_it,
    events_are_paged_and_filtered,
    a_nul_in_a_text_is_replaced_on_both_databases,
);

async fn a_received_event_survives_reopening(database: Database) {
    let store = database.open().await;
    let received = store.receive(vec![new_event("e-1")]).await.unwrap();
    let [Received::Stored(event_id)] = received[..] else {
        panic!("{received:?}");
    };
    store.close().await;
    drop(store);
    let store = database.open().await;
    let event = store.event(event_id).await.unwrap().unwrap();
    assert_eq!(event.external_id, "e-1");
    assert_eq!(event.status, EventStatus::Received);
    assert_eq!(event.received_at, database.clock().now());
    assert_eq!(store.events_received(10).await.unwrap(), [event]);
}

async fn the_same_event_sent_many_times_at_once_is_stored_once(database: Database) {
    let store = database.open().await;
    let answers = join_all((0..40).map(|_| store.receive(vec![new_event("e-1")]))).await;
    let answers = answers.into_iter().flat_map(Result::unwrap).collect::<Vec<_>>();
    let stored = answers
        .iter()
        .filter(|answer| matches!(answer, Received::Stored(_)))
        .count();
    assert_eq!(stored, 1);
    let id = |answer: &Received| match *answer {
        Received::Stored(id) | Received::Duplicate(id) => id,
    };
    assert!(answers.iter().all(|answer| id(answer) == id(&answers[0])));
}

async fn two_equal_events_in_one_request_are_one(database: Database) {
    let store = database.open().await;
    let events = vec![new_event("e-1"), new_event("e-2"), new_event("e-1")];
    let answers = store.receive(events).await.unwrap();
    let [Received::Stored(first), Received::Stored(_), Received::Duplicate(again)] = answers[..] else {
        panic!("{answers:?}");
    };
    assert_eq!(first, again);
}

async fn a_large_batch_is_answered_in_its_order(database: Database) {
    let store = database.open().await;
    store.receive(vec![new_event(70)]).await.unwrap();
    let answers = store.receive((0..150).map(new_event).collect()).await.unwrap();
    for (number, answer) in answers.into_iter().enumerate() {
        let (id, is_duplicate) = match answer {
            Received::Stored(id) => (id, false),
            Received::Duplicate(id) => (id, true),
        };
        assert_eq!(is_duplicate, number == 70);
        let event = store.event(id).await.unwrap().unwrap();
        assert_eq!(event.external_id, number.to_string());
    }
}

async fn an_event_brings_its_changes_once(database: Database) {
    let store = database.open().await;
    let mut event = new_event("e-1");
    event.changes = vec![new_change(left("A-1"))];
    let answers = store.receive(vec![event.clone()]).await.unwrap();
    let [Received::Stored(event_id)] = answers[..] else {
        panic!("{answers:?}");
    };
    store.receive(vec![event]).await.unwrap();
    let claimed = super::claim(&store, 10).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].generation, 1);
    assert_eq!(claimed[0].event_id, Some(event_id));
    let stored = store.event(event_id).await.unwrap().unwrap();
    assert_eq!(stored.status, EventStatus::Queued);
}

/// PostgreSQL takes events whose records differ in one statement, and all others in several.
async fn events_that_come_alone_or_with_other_work_leave_the_same(database: Database) {
    let store = database.open().await;
    let event = |id: &str, record: &str| {
        let mut event = new_event(id);
        event.changes = vec![new_change(left(record))];
        event
    };
    let own = NewEvent {
        own: true,
        ..new_event("own")
    };
    let distinct = vec![event("e-1", "A-1"), event("e-2", "A-2"), own, new_event("bare")];
    let of_one_record = vec![event("e-3", "A-3"), event("e-4", "A-3")];
    let first = store.receive(distinct.clone()).await.unwrap();
    store.receive(of_one_record).await.unwrap();
    // Among those that are known, one that is new: for a record that waits already.
    let mut again = distinct;
    again.insert(2, event("e-5", "A-1"));
    let mut answers = store.receive(again).await.unwrap();
    assert!(matches!(answers.remove(2), Received::Stored(_)));
    let ids = |answers: &[Received]| {
        answers
            .iter()
            .map(|answer| match *answer {
                Received::Stored(id) | Received::Duplicate(id) => id,
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&answers), ids(&first));
    assert!(
        answers.iter().all(|answer| matches!(answer, Received::Duplicate(_))),
        "{answers:?}"
    );

    let mut statuses = Vec::new();
    for id in ids(&first) {
        statuses.push(store.event(id).await.unwrap().unwrap().status);
    }
    let (queued, ignored) = (EventStatus::Queued, EventStatus::Ignored);
    assert_eq!(statuses, [queued, queued, ignored, EventStatus::Received]);
    let mut changes = super::claim(&store, 10).await;
    changes.sort_by(|a, b| a.key.record_id.cmp(&b.key.record_id));
    let seen: Vec<_> = changes
        .iter()
        .map(|change| (change.key.record_id.as_str(), change.generation))
        .collect();
    assert_eq!(seen, [("A-1", 2), ("A-2", 1), ("A-3", 2)]);
}

async fn the_outcome_of_an_event_covers_earlier_ones_of_its_record(database: Database) {
    let store = database.open().await;
    let mut events = [new_event("e-1"), new_event("e-2"), new_event("other"), new_event("e-3")];
    events[2].record_id = Some("A-2".into());
    for event in &mut events {
        event.changes = vec![new_change(left(event.record_id.clone().unwrap()))];
    }
    let ids = store
        .receive(events.to_vec())
        .await
        .unwrap()
        .into_iter()
        .map(|answer| match answer {
            Received::Stored(id) | Received::Duplicate(id) => id,
        })
        .collect::<Vec<_>>();
    let outcome = FinishedEvent {
        event_id: ids[1],
        change: None,
        status: EventStatus::Done,
        last_error: None,
        processing_ms: 12,
    };
    store.commit(vec![Op::FinishEvent(outcome)]).await.unwrap();
    let mut standing = Vec::new();
    for id in ids {
        let event = store.event(id).await.unwrap().unwrap();
        standing.push((event.status, event.attempts, event.processing_ms));
    }
    let done = (EventStatus::Done, 1, Some(12));
    let queued = (EventStatus::Queued, 0, None);
    assert_eq!(standing, [done, done, queued, queued]);
}

fn of_contact(id: impl ToString) -> RecordKey {
    RecordKey::new("contact", Side::Left, id.to_string())
}

/// An event about A-1 that two mappings are concerned with; its id.
async fn receive_for_two(store: &Store, external_id: &str) -> i64 {
    let mut event = new_event(external_id);
    event.changes = vec![new_change(left("A-1")), new_change(of_contact("A-1"))];
    match store.receive(vec![event]).await.unwrap()[..] {
        [Received::Stored(id)] => id,
        ref other => panic!("{other:?}"),
    }
}

fn ended(event_id: i64, key: RecordKey, status: EventStatus, error: Option<&str>) -> Op {
    Op::FinishEvent(FinishedEvent {
        event_id,
        change: Some(key),
        status,
        last_error: error.map(str::to_owned),
        processing_ms: 1,
    })
}

async fn standing(store: &Store, event_id: i64) -> (EventStatus, Option<String>) {
    let event = store.event(event_id).await.unwrap().unwrap();
    (event.status, event.last_error)
}

async fn an_event_of_two_mappings_is_done_when_both_are(database: Database) {
    let store = database.open().await;
    let first = receive_for_two(&store, "e-1").await;
    // One mapping looks at the record while the first event is the newest, and once more after the second one.
    store
        .commit(vec![ended(first, left("A-1"), EventStatus::Done, None)])
        .await
        .unwrap();
    assert_eq!(standing(&store, first).await.0, EventStatus::Queued);
    let second = receive_for_two(&store, "e-2").await;
    store
        .commit(vec![ended(second, left("A-1"), EventStatus::Done, None)])
        .await
        .unwrap();
    for event_id in [first, second] {
        assert_eq!(standing(&store, event_id).await.0, EventStatus::Queued, "{event_id}");
    }
    store
        .commit(vec![ended(second, of_contact("A-1"), EventStatus::Done, None)])
        .await
        .unwrap();
    for event_id in [first, second] {
        assert_eq!(standing(&store, event_id).await.0, EventStatus::Done, "{event_id}");
    }
}

async fn an_event_is_failed_as_long_as_one_of_its_mappings_is(database: Database) {
    let store = database.open().await;
    let event_id = receive_for_two(&store, "e-1").await;
    let failed = ended(event_id, left("A-1"), EventStatus::Failed, Some("no"));
    let done = ended(event_id, of_contact("A-1"), EventStatus::Done, None);
    store.commit(vec![failed, done]).await.unwrap();
    assert_eq!(
        standing(&store, event_id).await,
        (EventStatus::Failed, Some("no".to_owned()))
    );
    store
        .commit(vec![ended(event_id, left("A-1"), EventStatus::Done, None)])
        .await
        .unwrap();
    assert_eq!(standing(&store, event_id).await, (EventStatus::Done, None));
}

async fn a_received_event_is_queued_later_with_its_changes(database: Database) {
    let store = database.open().await;
    let answers = store.receive(vec![new_event("e-1")]).await.unwrap();
    let [Received::Stored(event_id)] = answers[..] else {
        panic!("{answers:?}");
    };
    let enqueue = |key: RecordKey| {
        let mut change = new_change(key);
        change.event_id = Some(event_id);
        Op::Enqueue(change)
    };
    let queued = Op::QueueEvent(QueuedEvent {
        event_id,
        ends: vec![(mapping(), Side::Left), (Arc::from("contact"), Side::Left)],
    });
    store
        .commit(vec![enqueue(left("A-1")), enqueue(of_contact("A-1")), queued])
        .await
        .unwrap();
    assert!(store.events_received(10).await.unwrap().is_empty());
    assert_eq!(super::claim(&store, 10).await.len(), 2);
    store
        .commit(vec![ended(event_id, left("A-1"), EventStatus::Done, None)])
        .await
        .unwrap();
    assert_eq!(standing(&store, event_id).await.0, EventStatus::Queued);
}

async fn a_payload_is_kept_sealed_and_opens_again(database: Database) {
    let store = database.open().await;
    let mut event = new_event("e-1");
    event.payload = Some(b"ana@example.com owes 12.50".to_vec());
    let answers = store.receive(vec![event]).await.unwrap();
    let [Received::Stored(event_id)] = answers[..] else {
        panic!("{answers:?}");
    };
    let opened = store.event_payload(event_id).await.unwrap().unwrap();
    assert_eq!(opened, b"ana@example.com owes 12.50");
    let kept = match database.path() {
        Some(path) => {
            store.close().await;
            std::fs::read(path).unwrap()
        }
        None => database
            .raw_text("select encode(payload, 'escape') from event")
            .await
            .unwrap()
            .into_bytes(),
    };
    assert!(
        !kept.windows(3).any(|part| part == b"ana"),
        "the payload stands there in clear"
    );
}

async fn a_full_queue_answers_busy_and_loses_nothing(database: Database) {
    let options = Options {
        queue_max: 2,
        ..database.options()
    };
    let store = Store::open(&options).await.unwrap();
    store.receive(vec![new_event("first")]).await.unwrap();
    let blocked = database.block().await;
    // The writer takes some before it waits, and two wait in the queue. Whoever comes then is told at once, while the database
    // still is blocked.
    let mut waiting = Vec::new();
    while !waiting.iter().any(tokio::task::JoinHandle::is_finished) {
        let (store, event) = (store.clone(), new_event(waiting.len()));
        waiting.push(tokio::spawn(async move { store.receive(vec![event]).await }));
        tokio::task::yield_now().await;
    }
    drop(blocked);
    let answers = join_all(waiting).await.into_iter().map(Result::unwrap);
    let (taken, refused): (Vec<_>, Vec<_>) = answers.partition(Result::is_ok);
    assert!(!taken.is_empty() && !refused.is_empty());
    assert!(
        refused.iter().all(|answer| matches!(answer, Err(Error::Busy { .. }))),
        "{refused:?}"
    );
    let stored = store.events(&EventFilter::default(), Page::first(100)).await.unwrap();
    assert_eq!(stored.len(), taken.len() + 1);
}

async fn a_refused_submission_does_not_take_the_others_with_it(database: Database) {
    let store = database.open().await;
    let link = |left_id: usize, right_id: usize| {
        Op::PutLink(NewLink {
            mapping: mapping(),
            left_id: left_id.to_string(),
            right_id: right_id.to_string(),
            agreement: Agreement::default(),
        })
    };
    store.commit(vec![link(0, 0)]).await.unwrap();
    let blocked = database.block().await;
    let waiting = (1..40_usize).map(|number| {
        let (store, op) = (store.clone(), link(number, if number == 13 { 0 } else { number }));
        let enqueue = Op::Enqueue(new_change(left(number)));
        tokio::spawn(async move { store.commit(vec![enqueue, op]).await })
    });
    let waiting = waiting.collect::<Vec<_>>();
    tokio::task::yield_now().await;
    drop(blocked);
    for (number, task) in (1..40_usize).zip(waiting) {
        let answer = task.await.unwrap();
        if number == 13 {
            assert!(matches!(answer, Err(Error::Conflict { .. })), "{answer:?}");
        } else {
            assert_eq!(answer, Ok(()), "{number}");
        }
    }
    // Nothing of the refused submission is there, everything of the others is.
    assert_eq!(store.queue_stats().await.unwrap().depth, 38);
}

async fn events_are_paged_and_filtered(database: Database) {
    let store = database.open().await;
    store.receive((0..5).map(new_event).collect()).await.unwrap();
    let mut other = new_event("other");
    other.system = "erp".into();
    store.receive(vec![other]).await.unwrap();
    let filter = EventFilter {
        system: Some("crm".into()),
        ..EventFilter::default()
    };
    let first = store.events(&filter, Page::first(3)).await.unwrap();
    let page = Page {
        before: first.last().map(|event| event.event_id),
        limit: 3,
    };
    let second = store.events(&filter, page).await.unwrap();
    let names = |events: &[syncline::store::event::Event]| {
        events.iter().map(|event| event.external_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&first), ["4", "3", "2"]);
    assert_eq!(names(&second), ["1", "0"]);
    let since = database.clock().now();
    assert_eq!(store.event_count("crm", "account", "A-1", since).await.unwrap(), 5);
    let last = store.last_events("crm", "account", &["A-1", "A-2"]).await.unwrap();
    let newest = first.first().unwrap();
    let newest = LastEvent {
        event_id: newest.event_id,
        status: newest.status,
        received_at: since,
    };
    assert_eq!(last.into_iter().collect::<Vec<_>>(), [("A-1".to_owned(), newest)]);
}

async fn a_nul_in_a_text_is_replaced_on_both_databases(database: Database) {
    let store = database.open().await;
    let answers = store.receive(vec![new_event("a\0b")]).await.unwrap();
    let again = store.receive(vec![new_event("a\0b")]).await.unwrap();
    let ([Received::Stored(first)], [Received::Duplicate(second)]) = (&answers[..], &again[..]) else {
        panic!("{answers:?} {again:?}");
    };
    assert_eq!(first, second);
    let event = store.event(*first).await.unwrap().unwrap();
    assert_eq!(event.external_id, "a\u{fffd}b");
}
