//! Intents and outcomes.

use syncline::{
    core::status::{Side, WriteKind, WriteStatus},
    store::{
        Op, Store,
        write::{FinishedWrite, NewWrite, Origin},
    },
};

use super::{MINUTE, mapping};
use crate::support::database::Database;

on_both!(
    an_intent_without_an_outcome_is_found_after_a_crash,
    intents_get_their_ids_in_the_order_given,
    a_create_without_an_outcome_is_found_by_the_record_it_comes_from,
    a_record_is_being_made_until_the_outcome_of_its_create_is_stored,
    recent_writes_tell_echoes_and_loops,
    unweighed_deletes_are_counted_up_to_one_of_them_without_those_that_were_not_done,
);

fn new_write(record_id: Option<&str>, partner_id: &str) -> NewWrite {
    NewWrite {
        run_id: None,
        mapping: mapping(),
        side: Side::Right,
        kind: if record_id.is_some() {
            WriteKind::Update
        } else {
            WriteKind::Create
        },
        record_id: record_id.map(str::to_owned),
        partner_id: partner_id.into(),
        idempotency_key: format!("key-{partner_id}"),
        values_hash: u64::MAX - 1,
        origin: record_id.is_none().then(|| Origin {
            version: u64::MAX,
            hashes: vec![Some(7), None, Some(u64::MAX)],
        }),
        is_unweighed: false,
    }
}

fn outcome(write_id: i64, status: WriteStatus) -> Op {
    Op::FinishWrite(FinishedWrite {
        write_id,
        kind: WriteKind::Create,
        status,
        http_status: Some(201),
        record_id: Some("A".into()),
        version: Some("etag-1".into()),
    })
}

async fn open_ids(store: &Store, side: Side, ids: &[&str]) -> Vec<i64> {
    let found = store.open_writes("customer-account", side, ids).await.unwrap();
    found.into_iter().map(|write| write.write_id).collect()
}

async fn an_intent_without_an_outcome_is_found_after_a_crash(database: Database) {
    let store = database.open().await;
    let ids = store
        .intend(vec![
            new_write(None, "1"),
            new_write(Some("B"), "2"),
            new_write(Some("C"), "3"),
        ])
        .await
        .unwrap();
    store
        .commit(vec![outcome(ids[1], WriteStatus::Succeeded)])
        .await
        .unwrap();
    store.commit(vec![outcome(ids[2], WriteStatus::Unknown)]).await.unwrap();
    // No close: the process is gone.
    drop(store);
    let store = database.open_beside("north").await;
    let unknown = store.write_intents("north").await.unwrap();
    let found = unknown
        .iter()
        .map(|write| (write.write_id, write.status))
        .collect::<Vec<_>>();
    assert_eq!(found, [(ids[0], WriteStatus::Intended)]);
    assert_eq!(unknown[0].values_hash, u64::MAX - 1);
    let origin = unknown[0].origin.as_ref().unwrap();
    assert_eq!(
        origin.hashes,
        [Some(7), None, Some(u64::MAX)],
        "what a create comes from is kept"
    );
    assert!(store.write_intents("south").await.unwrap().is_empty());
}

async fn intents_get_their_ids_in_the_order_given(database: Database) {
    let store = database.open().await;
    let writes = (0..200).map(|n| new_write(Some("A"), &n.to_string())).collect();
    let ids = store.intend(writes).await.unwrap();
    let stored = store.write_intents("north").await.unwrap();
    let by_id = stored
        .into_iter()
        .map(|write| (write.write_id, write.partner_id))
        .collect::<std::collections::HashMap<_, _>>();
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(by_id[id], number.to_string());
    }
}

async fn a_create_without_an_outcome_is_found_by_the_record_it_comes_from(database: Database) {
    let store = database.open().await;
    let ids = store.intend(vec![new_write(None, "1")]).await.unwrap();
    assert_eq!(open_ids(&store, Side::Left, &["0", "1"]).await, ids);
    assert!(open_ids(&store, Side::Right, &["1"]).await.is_empty());
    let last = store
        .last_write("customer-account", Side::Right, "1")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(last.write_id, ids[0]);
    let made = |store: Store| async move {
        let made = store
            .creates_made("customer-account", Side::Right, &["0", "1"])
            .await
            .unwrap();
        made.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(made(store.clone()).await, []);
    store
        .commit(vec![outcome(ids[0], WriteStatus::Succeeded)])
        .await
        .unwrap();
    assert!(open_ids(&store, Side::Left, &["1"]).await.is_empty());
    assert_eq!(made(store).await, [("1".to_owned(), 1)]);
}

async fn a_record_is_being_made_until_the_outcome_of_its_create_is_stored(database: Database) {
    let store = database.open().await;
    let before = database.clock().now() - MINUTE;
    let ids = store
        .intend(vec![new_write(None, "1"), new_write(Some("A"), "2")])
        .await
        .unwrap();
    let is_making = async |side, latest| store.is_making("customer-account", side, latest).await.unwrap();
    let now = database.clock().now();
    assert!(is_making(Side::Right, now).await);
    assert!(!is_making(Side::Left, now).await, "on the other side");
    assert!(!is_making(Side::Right, before).await, "it began later");
    store.commit(vec![outcome(ids[0], WriteStatus::Unknown)]).await.unwrap();
    assert!(!is_making(Side::Right, now).await, "an update makes nothing");
}

async fn recent_writes_tell_echoes_and_loops(database: Database) {
    let store = database.open().await;
    let since = database.clock().now();
    for _ in 0..3 {
        let ids = store.intend(vec![new_write(Some("A"), "1")]).await.unwrap();
        store
            .commit(vec![outcome(ids[0], WriteStatus::Succeeded)])
            .await
            .unwrap();
        database.advance(MINUTE);
    }
    let recent = store
        .recent_writes("customer-account", Side::Right, "A", since + MINUTE)
        .await
        .unwrap();
    assert_eq!(recent.len(), 2);
    assert_eq!(recent[0].result_version.as_deref(), Some("etag-1"));
    assert_eq!(recent[0].http_status, Some(201));
    let counts = store
        .write_counts("customer-account", Side::Right, &["A", "B"], since + MINUTE)
        .await
        .unwrap();
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [("A".to_owned(), 2)]);
    assert!(recent[0].started_at > recent[1].started_at);
}

async fn unweighed_deletes_are_counted_up_to_one_of_them_without_those_that_were_not_done(database: Database) {
    let store = database.open().await;
    let delete = |is_unweighed| NewWrite {
        kind: WriteKind::Delete,
        is_unweighed,
        ..new_write(Some("A"), "1")
    };
    let since = database.clock().now();
    let mut ids = store
        .intend(vec![
            delete(true),
            delete(false),
            new_write(Some("A"), "1"),
            delete(true),
        ])
        .await
        .unwrap();
    database.advance(MINUTE);
    ids.extend(store.intend(vec![delete(true), delete(true)]).await.unwrap());
    let ended = vec![
        outcome(ids[3], WriteStatus::Unknown),
        outcome(ids[4], WriteStatus::Failed),
    ];
    store.commit(ended).await.unwrap();
    let count = async |since, until: usize| {
        let counted = store.unweighed_deletes("customer-account", since, ids[until]);
        counted.await.unwrap()
    };
    assert_eq!((count(since, 0).await, count(since, 2).await), (1, 1));
    assert_eq!((count(since, 3).await, count(since, 4).await), (2, 2));
    assert_eq!((count(since, 5).await, count(since + MINUTE, 5).await), (3, 1));
    assert_eq!(store.unweighed_deletes("other", since, ids[5]).await.unwrap(), 0);
}
