//! Links.

use syncline::{
    core::{
        record::{Base, BaseField},
        status::{LinkStatus, Side},
    },
    store::{
        Error, Op, Page, Store,
        link::{Agreement, LinkFilter, NewLink, SyncedLink},
    },
};

use super::{MINUTE, mapping};
use crate::support::database::Database;

on_both!(
    a_link_is_found_by_either_record_with_its_base,
    linking_the_same_pair_again_renews_its_agreement,
    a_record_is_never_linked_twice,
    an_ended_link_lets_its_records_link_anew,
    many_links_are_found_at_once,
    links_are_gone_through_in_order,
    the_records_of_links_are_found_by_the_links_ids,
    links_are_listed_from_the_newest,
    a_missing_record_is_pending_until_it_reappears,
    a_merge_moves_the_link,
    a_link_that_moved_remembers_the_ids_that_its_records_had,
    a_damaged_base_counts_as_none,
);

fn base() -> Base {
    Base::new(vec![BaseField {
        definition: 1,
        left: u64::MAX,
        right: 2,
    }])
}

fn new_link(left_id: impl ToString, right_id: impl ToString) -> NewLink {
    NewLink {
        mapping: mapping(),
        left_id: left_id.to_string(),
        right_id: right_id.to_string(),
        agreement: Agreement {
            base: base(),
            left_version: Some("v1".into()),
            ..Agreement::default()
        },
    }
}

async fn link(store: &Store, left_id: &str, right_id: &str) -> i64 {
    store
        .commit(vec![Op::PutLink(new_link(left_id, right_id))])
        .await
        .unwrap();
    let found = store.link_by("customer-account", Side::Left, left_id).await.unwrap();
    found.unwrap().link.link_id
}

async fn the_records_of_links_are_found_by_the_links_ids(database: Database) {
    let store = database.open().await;
    let (one, other) = (link(&store, "1", "A").await, link(&store, "2", "B").await);
    store.commit(vec![Op::EndLink { link_id: other }]).await.unwrap();
    let found = store.left_ids(&[one, other, other + 1]).await.unwrap();
    let wanted = [(one, "1".to_owned()), (other, "2".to_owned())];
    assert_eq!(found, wanted.into_iter().collect());
}

async fn a_link_is_found_by_either_record_with_its_base(database: Database) {
    let store = database.open().await;
    link(&store, "1", "A").await;
    let by_left = store
        .link_by("customer-account", Side::Left, "1")
        .await
        .unwrap()
        .unwrap();
    let by_right = store
        .link_by("customer-account", Side::Right, "A")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(by_left, by_right);
    assert_eq!(by_left.link.base, base());
    assert_eq!(by_left.link.status, LinkStatus::Linked);
    assert_eq!(by_left.left_version.as_deref(), Some("v1"));
    assert_eq!(by_left.last_synced_at, Some(database.clock().now()));
    assert_eq!(store.link_by("customer-account", Side::Left, "A").await.unwrap(), None);
    assert_eq!(store.link_by("other", Side::Left, "1").await.unwrap(), None);
}

async fn linking_the_same_pair_again_renews_its_agreement(database: Database) {
    let store = database.open().await;
    let link_id = link(&store, "1", "A").await;
    let mut again = new_link("1", "A");
    again.agreement = Agreement::default();
    let mut third = new_link("1", "A");
    third.agreement.right_version = Some("r2".into());
    // Twice in one submission, too.
    store
        .commit(vec![Op::PutLink(again), Op::PutLink(third)])
        .await
        .unwrap();
    let found = store.link(link_id).await.unwrap().unwrap();
    assert_eq!(found.right_version.as_deref(), Some("r2"));
    let synced = SyncedLink {
        link_id,
        agreement: Agreement::default(),
    };
    database.advance(MINUTE);
    store.commit(vec![Op::SyncLink(synced)]).await.unwrap();
    let found = store.link(link_id).await.unwrap().unwrap();
    assert!(found.link.base.is_empty());
    assert_eq!(found.last_synced_at, Some(database.clock().now()));
    assert_eq!(found.created_at + MINUTE, database.clock().now());
}

async fn a_record_is_never_linked_twice(database: Database) {
    let store = database.open().await;
    link(&store, "1", "A").await;
    for (left_id, right_id) in [("1", "B"), ("2", "A")] {
        let answer = store.commit(vec![Op::PutLink(new_link(left_id, right_id))]).await;
        assert!(matches!(answer, Err(Error::Conflict { .. })), "{answer:?}");
    }
    assert_eq!(store.link_count(&LinkFilter::default()).await.unwrap(), 1);
}

async fn an_ended_link_lets_its_records_link_anew(database: Database) {
    let store = database.open().await;
    let link_id = link(&store, "1", "A").await;
    store.commit(vec![Op::EndLink { link_id }]).await.unwrap();
    assert_eq!(store.link_by("customer-account", Side::Left, "1").await.unwrap(), None);
    let again = link(&store, "1", "B").await;
    assert_ne!(link_id, again);
    let ended = LinkFilter {
        status: Some(LinkStatus::Ended),
        ..LinkFilter::default()
    };
    assert_eq!(store.link_count(&ended).await.unwrap(), 1, "the tombstone stays");
}

async fn many_links_are_found_at_once(database: Database) {
    let store = database.open().await;
    let ops = (0..700).map(|id| Op::PutLink(new_link(id, format!("A{id}"))));
    store.commit(ops.collect()).await.unwrap();
    let ids = (0..1_400).map(|id| id.to_string()).collect::<Vec<_>>();
    let ids = ids.iter().map(String::as_str).collect::<Vec<_>>();
    let found = store.links_by("customer-account", Side::Left, &ids).await.unwrap();
    assert_eq!(found.len(), 700);
    let found = store
        .links_by("customer-account", Side::Right, &["A5", "A6"])
        .await
        .unwrap();
    assert_eq!(found.len(), 2);
    assert!(
        store
            .links_by("customer-account", Side::Right, &[])
            .await
            .unwrap()
            .is_empty()
    );
}

async fn links_are_gone_through_in_order(database: Database) {
    let store = database.open().await;
    let ops = (0..10).map(|id| Op::PutLink(new_link(id, id)));
    store.commit(ops.collect()).await.unwrap();
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = store.links_after("customer-account", after, 4).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.link.link_id;
        seen.extend(page.into_iter().map(|link| link.link.left_id));
    }
    assert_eq!(seen, (0..10).map(|id| id.to_string()).collect::<Vec<_>>());
    let whole = store.links_after("customer-account", 0, 10).await.unwrap();
    let middle = store.middle_link("customer-account").await.unwrap();
    let mut agreed = Vec::new();
    for (after, until) in [(0, middle), (middle, i64::MAX)] {
        let half = store
            .agreed_between("customer-account", after, until, 10)
            .await
            .unwrap();
        assert_eq!(half.len(), 5);
        agreed.extend(half);
    }
    assert_eq!(agreed, whole.into_iter().map(|link| link.link).collect::<Vec<_>>());
    assert_eq!(store.middle_link("none").await.unwrap(), 0);
}

async fn links_are_listed_from_the_newest(database: Database) {
    let store = database.open().await;
    let ops = (0..5).map(|id| Op::PutLink(new_link(id, id)));
    store.commit(ops.collect()).await.unwrap();
    let mut other = new_link("other", "other");
    other.mapping = "contact".into();
    store.commit(vec![Op::PutLink(other)]).await.unwrap();
    let filter = LinkFilter {
        mapping: Some("customer-account".into()),
        status: Some(LinkStatus::Linked),
        ..LinkFilter::default()
    };
    let listed = store.links(&filter, Page::first(2)).await.unwrap();
    let ids = listed.into_iter().map(|link| link.link.left_id).collect::<Vec<_>>();
    assert_eq!(ids, ["4", "3"]);
}

async fn a_missing_record_is_pending_until_it_reappears(database: Database) {
    let store = database.open().await;
    let link_id = link(&store, "1", "A").await;
    let since = database.clock().now();
    let mark = Op::MarkMissing {
        link_id,
        side: Side::Right,
    };
    store.commit(vec![mark.clone()]).await.unwrap();
    database.advance(MINUTE);
    store.commit(vec![mark]).await.unwrap();
    let pending = store
        .pending_deletes(Some("customer-account"), Page::first(10))
        .await
        .unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!(
        pending[0].missing,
        Some((Side::Right, since)),
        "the first finding counts"
    );
    store.commit(vec![Op::ClearMissing { link_id }]).await.unwrap();
    assert!(store.pending_deletes(None, Page::first(10)).await.unwrap().is_empty());
    let link = store.link(link_id).await.unwrap().unwrap();
    assert_eq!((link.link.status, link.missing), (LinkStatus::Linked, None));
}

async fn a_merge_moves_the_link(database: Database) {
    let store = database.open().await;
    let link_id = link(&store, "1", "A").await;
    let taken = link(&store, "2", "B").await;
    let move_to = |record_id: &str| Op::MoveLink {
        link_id,
        side: Side::Left,
        record_id: record_id.into(),
    };
    store.commit(vec![move_to("3")]).await.unwrap();
    let moved = store
        .link_by("customer-account", Side::Left, "3")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((moved.link.link_id, moved.link.right_id.as_str()), (link_id, "A"));
    assert_eq!(moved.left_version, None, "the version was the old record's");
    let answer = store.commit(vec![move_to("2")]).await;
    assert!(matches!(answer, Err(Error::Conflict { .. })), "{answer:?}");
    assert!(store.link(taken).await.unwrap().is_some());
}

async fn a_link_that_moved_remembers_the_ids_that_its_records_had(database: Database) {
    let store = database.open().await;
    let link_id = link(&store, "1", "A").await;
    let move_to = |side, record_id: &str| Op::MoveLink {
        link_id,
        side,
        record_id: record_id.into(),
    };
    let since = database.clock().now();
    store.commit(vec![move_to(Side::Left, "2")]).await.unwrap();
    database.advance(MINUTE);
    let again = vec![move_to(Side::Left, "2"), move_to(Side::Right, "B")];
    store.commit(again).await.unwrap();
    let moves = store.link_moves(link_id, 10).await.unwrap();
    let told: Vec<_> = moves
        .iter()
        .map(|one| (one.side, one.from_id.as_str(), one.to_id.as_str()))
        .collect();
    assert_eq!(told, [(Side::Right, "A", "B"), (Side::Left, "1", "2")]);
    assert_eq!(moves[1].moved_at, since);
    assert_eq!(store.link_moves(link_id, 1).await.unwrap(), moves[..1]);
    let found = async |side, id: &str| {
        let found = store.link_moved_from("customer-account", side, id).await.unwrap();
        found.map(|stored| stored.link.link_id)
    };
    assert_eq!(found(Side::Left, "1").await, Some(link_id));
    assert_eq!(found(Side::Right, "A").await, Some(link_id));
    assert_eq!(found(Side::Right, "1").await, None, "ids of the two sides may be alike");
    assert_eq!(found(Side::Left, "2").await, None, "that is its id now");
    store.commit(vec![Op::EndLink { link_id }]).await.unwrap();
    assert_eq!(found(Side::Left, "1").await, None);
}

async fn a_damaged_base_counts_as_none(database: Database) {
    let store = database.open().await;
    let link_id = link(&store, "1", "A").await;
    let odd = if database.path().is_some() {
        "x'0102'"
    } else {
        "'\\x0102'"
    };
    database.raw(format!("update link set base = {odd}")).await;
    let link = store.link(link_id).await.unwrap().unwrap();
    assert!(link.link.base.is_empty());
}
