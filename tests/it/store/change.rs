//! The dirty set and its claims.

use std::{collections::HashSet, time::Duration};

use syncline::{
    core::{
        record::RecordKey,
        status::{ChangeOrigin, EventKind, Side},
    },
    store::{
        Error, Op,
        change::ClaimRequest,
        link::{Agreement, LinkFilter, NewLink},
    },
};

use super::{MINUTE, claim, left, mapping, new_change, right};
use crate::support::database::Database;

on_both!(
    changes_of_one_record_coalesce,
    a_record_that_changed_while_it_was_looked_at_is_looked_at_again,
    two_nodes_never_claim_one_record_at_once,
    both_records_of_a_link_are_claimed_as_one,
    a_lease_that_ran_out_is_taken_over_and_the_old_holder_is_refused,
    a_released_change_is_claimed_again_without_an_attempt,
    a_retried_change_waits_for_its_time,
    a_change_waits_for_its_parent_and_wakes_when_it_links,
    a_wait_for_a_parent_that_has_linked_meanwhile_ends_at_once,
    a_record_that_comes_up_waiting_is_due_once_its_parent_links,
    urgent_changes_come_first_and_paused_mappings_not_at_all,
    the_next_change_is_the_earliest_that_nobody_works_on,
    a_merge_is_not_forgotten_when_changes_coalesce,
    a_waiting_worker_hears_of_a_new_change,
    the_changes_of_a_removed_mapping_are_dropped,
    what_a_crashed_node_was_at_is_free_at_its_next_start_and_counted,
    a_change_put_off_by_a_wrong_clock_is_due_again,
);

async fn enqueue(store: &syncline::store::Store, keys: impl IntoIterator<Item = RecordKey>) {
    let ops = keys.into_iter().map(|key| Op::Enqueue(new_change(key)));
    store.commit(ops.collect()).await.unwrap();
}

fn put_link(left_id: &str, right_id: &str) -> Op {
    Op::PutLink(NewLink {
        mapping: mapping(),
        left_id: left_id.into(),
        right_id: right_id.into(),
        agreement: Agreement::default(),
    })
}

async fn what_a_crashed_node_was_at_is_free_at_its_next_start_and_counted(database: Database) {
    let store = database.open().await;
    enqueue(&store, [left(1), left(2)]).await;
    for crashes in 1..=3 {
        assert_eq!(claim(&store, 1).await.len(), 1);
        // No word: the process is gone. Another one of the same node comes up, and another node is no part of it.
        let south = database.open_beside("south").await;
        assert_eq!(south.take_back_claims().await.unwrap(), 0);
        let again = database.open_beside("north").await;
        assert_eq!(again.take_back_claims().await.unwrap(), 1);
        let crashed = again.crashed_changes(crashes).await.unwrap();
        assert_eq!(crashed.len(), 1);
        assert_eq!((&crashed[0].key, crashed[0].crashes), (&left(1), crashes));
    }
    assert_eq!(claim(&store, 10).await.len(), 2, "nothing is left locked");
}

async fn a_change_put_off_by_a_wrong_clock_is_due_again(database: Database) {
    let store = database.open().await;
    let year = chrono::TimeDelta::days(365);
    let mut change = new_change(left(1));
    change.not_before = Some(database.clock().now() + year);
    store.commit(vec![Op::Enqueue(change)]).await.unwrap();
    assert!(claim(&store, 10).await.is_empty());
    let latest = database.clock().now() + chrono::TimeDelta::days(1);
    assert_eq!(store.pull_in_changes(latest).await.unwrap(), 1);
    assert_eq!(claim(&store, 10).await.len(), 1);
}

async fn changes_of_one_record_coalesce(database: Database) {
    let store = database.open().await;
    enqueue(&store, [left(1), left(1)]).await;
    database.advance(MINUTE);
    enqueue(&store, [left(1)]).await;
    let claimed = claim(&store, 10).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].generation, 3);
    let origin = claimed[0].origin;
    assert_eq!(store.change_count(origin).await.unwrap(), 1);
    assert_eq!(store.change_count(ChangeOrigin::Reprocess).await.unwrap(), 0);
    store
        .commit(vec![Op::CompleteChange(claimed[0].claim())])
        .await
        .unwrap();
    assert_eq!(store.queue_stats().await.unwrap().depth, 0);
}

async fn a_record_that_changed_while_it_was_looked_at_is_looked_at_again(database: Database) {
    let store = database.open().await;
    enqueue(&store, [left(1)]).await;
    let first = claim(&store, 10).await;
    enqueue(&store, [left(1)]).await;
    assert_eq!(claim(&store, 10).await, [], "the record is being worked on");
    store.commit(vec![Op::CompleteChange(first[0].claim())]).await.unwrap();
    let second = claim(&store, 10).await;
    assert_eq!(second[0].generation, 2);
    store.commit(vec![Op::CompleteChange(second[0].claim())]).await.unwrap();
    assert_eq!(claim(&store, 10).await, []);
}

async fn two_nodes_never_claim_one_record_at_once(database: Database) {
    let north = database.open().await;
    let south = database.open_beside("south").await;
    enqueue(&north, (0..200).map(left)).await;
    let work = |store: syncline::store::Store| async move {
        let mut got = Vec::new();
        loop {
            let claimed = claim(&store, 7).await;
            if claimed.is_empty() && store.next_change_at().await.unwrap().is_none() {
                return got;
            }
            got.extend(claimed.into_iter().map(|change| change.key));
        }
    };
    let tasks = [&north, &south, &north, &south].map(|store| tokio::spawn(work(store.clone())));
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    assert_eq!(all.len(), 200);
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), 200);
}

async fn both_records_of_a_link_are_claimed_as_one(database: Database) {
    let store = database.open().await;
    store.commit(vec![put_link("1", "A")]).await.unwrap();
    enqueue(&store, [left(1), right("A"), left(2)]).await;
    let claimed = claim(&store, 10).await;
    assert_eq!(claimed.len(), 2, "one side of the pair, and the other record");
    let of_pair = claimed.iter().find(|change| change.pair.is_some()).unwrap();
    assert_eq!(of_pair.pair, Some(("1".into(), "A".into())));
    assert_eq!(of_pair.guard.records(), [left(1), right("A")]);
    assert_eq!(store.lock(&[right("A")], MINUTE).await.unwrap(), None);
    store.commit(vec![Op::CompleteChange(of_pair.claim())]).await.unwrap();
    assert_eq!(claim(&store, 10).await.len(), 1, "the pair's other side");
}

async fn a_lease_that_ran_out_is_taken_over_and_the_old_holder_is_refused(database: Database) {
    let north = database.open().await;
    let south = database.open_beside("south").await;
    enqueue(&north, [left(1)]).await;
    let old = claim(&north, 1).await.remove(0);
    assert_eq!(claim(&south, 1).await, []);
    database.advance(MINUTE * 2);
    let new = claim(&south, 1).await.remove(0);
    assert_eq!(new.key, old.key);
    let late = vec![put_link("1", "A"), Op::CompleteChange(old.claim())];
    assert_eq!(north.commit(late).await, Err(Error::LeaseLost));
    let held = vec![put_link("1", "A"), Op::Hold(old.guard.clone())];
    assert_eq!(north.commit(held).await, Err(Error::LeaseLost));
    let links = north.link_count(&LinkFilter::default()).await.unwrap();
    assert_eq!(links, 0, "nothing of the late submissions is stored");
    let renewed = north
        .renew_locks(std::slice::from_ref(&old.guard), MINUTE)
        .await
        .unwrap();
    assert!(renewed.is_empty());
    south.commit(vec![Op::CompleteChange(new.claim())]).await.unwrap();
    assert_eq!(south.queue_stats().await.unwrap().depth, 0);
}

async fn a_released_change_is_claimed_again_without_an_attempt(database: Database) {
    let store = database.open().await;
    enqueue(&store, [left(1)]).await;
    let first = claim(&store, 1).await.remove(0);
    store.commit(vec![Op::ReleaseChange(first.claim())]).await.unwrap();
    let again = claim(&store, 1).await.remove(0);
    assert_eq!(again.attempts, 0);
    assert_eq!(again.generation, first.generation);
}

async fn a_retried_change_waits_for_its_time(database: Database) {
    let store = database.open().await;
    enqueue(&store, [left(1)]).await;
    let first = claim(&store, 1).await.remove(0);
    let not_before = database.clock().now() + Duration::from_mins(5);
    let retry = Op::RetryChange {
        claim: first.claim(),
        not_before,
    };
    store.commit(vec![retry]).await.unwrap();
    assert_eq!(claim(&store, 1).await, []);
    assert_eq!(store.next_change_at().await.unwrap(), Some(not_before));
    database.advance(Duration::from_mins(5));
    let again = claim(&store, 1).await.remove(0);
    assert_eq!(again.attempts, 1);
}

async fn a_change_waits_for_its_parent_and_wakes_when_it_links(database: Database) {
    let store = database.open().await;
    let parent = RecordKey::new("user", Side::Left, "9");
    enqueue(&store, [left(1)]).await;
    let child = claim(&store, 1).await.remove(0);
    let wait = Op::WaitChange {
        claim: child.claim(),
        parent: parent.clone(),
    };
    store.commit(vec![wait]).await.unwrap();
    assert_eq!(claim(&store, 1).await, []);
    let stats = store.queue_stats().await.unwrap();
    // What waits for its parent is no work that grows old.
    assert_eq!((stats.waiting, stats.oldest_at), (1, None));
    assert_eq!(store.next_change_at().await.unwrap(), None);
    store.commit(vec![Op::WakeWaiting(parent)]).await.unwrap();
    let woken = claim(&store, 1).await.remove(0);
    assert_eq!(woken.origin, ChangeOrigin::Parent);
}

async fn a_record_that_comes_up_waiting_is_due_once_its_parent_links(database: Database) {
    let store = database.open().await;
    let parent = RecordKey::new("user", Side::Left, "9");
    let waiting = |id: i64| Op::EnqueueWaiting {
        change: new_change(left(id)),
        parent: parent.clone(),
    };
    store.commit(vec![waiting(1)]).await.unwrap();
    assert_eq!(claim(&store, 5).await, []);
    assert_eq!(store.queue_stats().await.unwrap().waiting, 1);
    let link = NewLink {
        mapping: "user".into(),
        left_id: "9".into(),
        right_id: "U".into(),
        agreement: Agreement::default(),
    };
    store
        .commit(vec![Op::PutLink(link), Op::WakeWaiting(parent.clone())])
        .await
        .unwrap();
    assert_eq!(claim(&store, 5).await.len(), 1);
    // A parent that has linked meanwhile is not waited for.
    store.commit(vec![waiting(2)]).await.unwrap();
    assert_eq!(claim(&store, 5).await.len(), 1);
}

async fn a_wait_for_a_parent_that_has_linked_meanwhile_ends_at_once(database: Database) {
    let store = database.open().await;
    enqueue(&store, [left(1)]).await;
    let child = claim(&store, 1).await.remove(0);
    let parent = NewLink {
        mapping: "user".into(),
        left_id: "9".into(),
        right_id: "U".into(),
        agreement: Agreement::default(),
    };
    let key = RecordKey::new("user", Side::Right, "U");
    let link = vec![Op::PutLink(parent), Op::WakeWaiting(key.clone())];
    store.commit(link).await.unwrap();
    let wait = Op::WaitChange {
        claim: child.claim(),
        parent: key,
    };
    store.commit(vec![wait]).await.unwrap();
    assert_eq!(claim(&store, 1).await.len(), 1);
}

async fn urgent_changes_come_first_and_paused_mappings_not_at_all(database: Database) {
    let store = database.open().await;
    let mut slow = new_change(left(1));
    slow.priority = 10;
    let paused = new_change(RecordKey::new("paused", Side::Left, "1"));
    let ops = vec![Op::Enqueue(slow), Op::Enqueue(paused), Op::Enqueue(new_change(left(2)))];
    store.commit(ops).await.unwrap();
    let request = ClaimRequest {
        limit: 10,
        ttl: MINUTE,
        paused: vec!["paused".into(), "another".into()],
    };
    let claimed = store.claim_changes(&request).await.unwrap();
    let keys = claimed.into_iter().map(|change| change.key).collect::<Vec<_>>();
    assert_eq!(keys, [left(2), left(1)]);
}

async fn the_next_change_is_the_earliest_that_nobody_works_on(database: Database) {
    let store = database.open().await;
    assert_eq!(store.next_change_at().await.unwrap(), None);
    let mut later = new_change(left(2));
    let at = database.clock().now() + MINUTE;
    later.not_before = Some(at);
    store
        .commit(vec![Op::Enqueue(new_change(left(1))), Op::Enqueue(later)])
        .await
        .unwrap();
    assert_eq!(store.next_change_at().await.unwrap(), Some(database.clock().now()));
    assert_eq!(claim(&store, 10).await.len(), 1);
    assert_eq!(store.next_change_at().await.unwrap(), Some(at));
}

async fn a_merge_is_not_forgotten_when_changes_coalesce(database: Database) {
    let store = database.open().await;
    for kind in [EventKind::Merged, EventKind::Renamed] {
        let mut moved = new_change(left(1));
        moved.kind = kind;
        moved.merged_into = Some("2".into());
        let ops = vec![Op::Enqueue(moved), Op::Enqueue(new_change(left(1)))];
        store.commit(ops).await.unwrap();
        let change = claim(&store, 1).await.remove(0);
        assert_eq!(change.kind, kind);
        assert_eq!(change.merged_into.as_deref(), Some("2"));
        store.commit(vec![Op::CompleteChange(change.claim())]).await.unwrap();
    }
}

async fn a_waiting_worker_hears_of_a_new_change(database: Database) {
    let store = database.open().await;
    let waiter = store.clone();
    let waiting = tokio::spawn(async move { waiter.change_enqueued().await });
    enqueue(&store, [left(1)]).await;
    waiting.await.unwrap();
}

async fn the_changes_of_a_removed_mapping_are_dropped(database: Database) {
    let store = database.open().await;
    enqueue(&store, [left(1), left(2), RecordKey::new("contact", Side::Left, "1")]).await;
    assert_eq!(store.drop_changes("customer-account").await.unwrap(), 2);
    assert_eq!(store.queue_stats().await.unwrap().depth, 1);
}
