//! What people decide: conflicts and their values, pending deletes, suggestions, ignore rules.

use syncline::{
    core::status::{ConflictStatus, LinkStatus, MissingDecision, Side, Sides, Situation, SuggestionStatus},
    store::{
        Op, Page, Store,
        conflict::{ClosedConflicts, Conflict, ConflictFilter, NewConflict, Resolution},
        ignore::{IgnoreFilter, NewIgnoreRule},
        link::{Agreement, LinkFilter, NewLink},
        suggestion::{Compared, LinkedPair, NewSuggestion, SuggestionFilter},
    },
};

use super::{MINUTE, mapping, start_run};
use crate::support::database::Database;

on_both!(
    a_decision_about_values_that_changed_is_taken_back,
    what_is_ignored_stays_so_until_the_sides_agree_or_change,
    a_set_value_is_kept_sealed_where_it_is_sensitive,
    a_decision_about_a_pending_delete_is_forgotten_when_the_record_is_back,
    a_suggestion_is_asked_about_once_until_its_values_change,
    a_pair_that_is_linked_needs_no_suggestion,
    values_of_a_sensitive_suggestion_are_sealed,
    an_ignore_rule_is_in_force_until_it_ends_or_is_removed,
);

fn conflict(hashes: (u64, u64), sensitive: bool) -> Op {
    Op::OpenConflict(NewConflict {
        mapping: mapping(),
        left_id: "1".into(),
        right_id: "A".into(),
        field: "name".into(),
        left_value: Some(format!("left {}", hashes.0)),
        right_value: Some(format!("right {}", hashes.1)),
        hashes: Sides {
            left: hashes.0,
            right: hashes.1,
        },
        sensitive,
        run_id: None,
    })
}

async fn only(store: &Store) -> Conflict {
    let all = store
        .conflicts(&ConflictFilter::default(), Page::first(10))
        .await
        .unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    all.into_iter().next().unwrap()
}

async fn a_decision_about_values_that_changed_is_taken_back(database: Database) {
    let store = database.open().await;
    store.commit(vec![conflict((1, u64::MAX), false)]).await.unwrap();
    let seen = only(&store).await;
    assert_eq!(
        seen.hashes,
        Some(Sides {
            left: 1,
            right: u64::MAX
        })
    );
    // It changes between the look and the decision.
    store.commit(vec![conflict((2, u64::MAX), false)]).await.unwrap();
    let now = only(&store).await;
    assert_ne!(now.seen(), seen.seen());
    let take = Resolution::Take(Side::Left);
    assert!(!store.resolve_conflict(&seen, &take, "ana", Vec::new()).await.unwrap());
    assert!(store.resolve_conflict(&now, &take, "ana", Vec::new()).await.unwrap());
    // It changes between the decision and the look that would have carried it out.
    store.commit(vec![conflict((3, 9), false)]).await.unwrap();
    let again = only(&store).await;
    assert_eq!(
        (again.status, again.winner, again.resolved_by.clone()),
        (ConflictStatus::Open, None, None)
    );
    assert_eq!(again.left_value.as_deref(), Some("left 3"));
    assert_eq!(again.conflict_id, seen.conflict_id);
}

async fn what_is_ignored_stays_so_until_the_sides_agree_or_change(database: Database) {
    let store = database.open().await;
    let close = |is_accepted| {
        Op::CloseConflicts(ClosedConflicts {
            mapping: mapping(),
            left_id: "1".into(),
            right_id: "A".into(),
            field: Some("name".into()),
            is_accepted,
        })
    };
    store.commit(vec![conflict((1, 2), false)]).await.unwrap();
    let open = only(&store).await;
    assert!(
        store
            .resolve_conflict(&open, &Resolution::Ignore, "ana", Vec::new())
            .await
            .unwrap()
    );
    store.commit(vec![close(true)]).await.unwrap();
    store.commit(vec![close(true)]).await.unwrap();
    let ignored = only(&store).await;
    assert_eq!(ignored.status, ConflictStatus::Ignored);
    assert!(ignored.applied_at.is_some());
    assert!(
        store
            .conflicts_of("customer-account", "1", "A")
            .await
            .unwrap()
            .is_empty()
    );
    store.commit(vec![close(false)]).await.unwrap();
    assert_eq!(only(&store).await.status, ConflictStatus::Resolved);
}

async fn a_set_value_is_kept_sealed_where_it_is_sensitive(database: Database) {
    let store = database.open().await;
    store.commit(vec![conflict((1, 2), true)]).await.unwrap();
    let open = only(&store).await;
    let set = Resolution::Set("Ana Ltda".to_owned());
    assert!(store.resolve_conflict(&open, &set, "ana", Vec::new()).await.unwrap());
    let decided = only(&store).await;
    assert_eq!((decided.status, decided.winner), (ConflictStatus::Resolved, None));
    assert_eq!(decided.decided_value.as_deref(), Some("Ana Ltda"));
    let clear = database
        .raw_text("select coalesce(decided_value, 'none') from conflict")
        .await;
    assert_eq!(clear.as_deref(), Some("none"));
}

async fn a_decision_about_a_pending_delete_is_forgotten_when_the_record_is_back(database: Database) {
    let store = database.open().await;
    let link = NewLink {
        mapping: mapping(),
        left_id: "1".into(),
        right_id: "A".into(),
        agreement: Agreement::default(),
    };
    store.commit(vec![Op::PutLink(link)]).await.unwrap();
    let link_id = store
        .link_by("customer-account", Side::Left, "1")
        .await
        .unwrap()
        .unwrap()
        .link
        .link_id;
    assert_eq!(store.left_ids(&[link_id]).await.unwrap()[&link_id], "1");
    assert!(
        !store
            .decide_missing(link_id, MissingDecision::Keep, "ana", Vec::new())
            .await
            .unwrap(),
        "it is no pending delete"
    );
    let gone = |side| Op::MarkMissing { link_id, side };
    store.commit(vec![gone(Side::Right)]).await.unwrap();
    assert!(
        store
            .decide_missing(link_id, MissingDecision::Keep, "ana", Vec::new())
            .await
            .unwrap()
    );
    store.commit(vec![gone(Side::Right)]).await.unwrap();
    let stored = store.link(link_id).await.unwrap().unwrap();
    assert_eq!(stored.link.decided, Some((Side::Right, MissingDecision::Keep)));
    assert!(
        store.pending_deletes(None, Page::first(10)).await.unwrap().is_empty(),
        "nobody has to decide"
    );
    let all = LinkFilter {
        status: Some(LinkStatus::PendingDelete),
        ..LinkFilter::default()
    };
    assert_eq!(store.link_count(&all).await.unwrap(), 1);
    // Now the other record is gone: the decision was not about that.
    store.commit(vec![gone(Side::Left)]).await.unwrap();
    assert_eq!(store.link(link_id).await.unwrap().unwrap().link.decided, None);
    assert!(
        store
            .decide_missing(link_id, MissingDecision::Delete, "ana", Vec::new())
            .await
            .unwrap()
    );
    store.commit(vec![Op::ClearMissing { link_id }]).await.unwrap();
    let back = store.link(link_id).await.unwrap().unwrap();
    assert_eq!((back.link.status, back.link.decided), (LinkStatus::Linked, None));
}

fn suggestion(left_id: &str, right_id: &str, hashes: (u64, u64), run_id: i64) -> NewSuggestion {
    NewSuggestion {
        mapping: mapping(),
        left_id: left_id.into(),
        right_id: right_id.into(),
        score: 950,
        compared: vec![Compared {
            field: "name".into(),
            left: "Zeder Druck GmbH".into(),
            right: "Zeder Durck".into(),
        }],
        sensitive: false,
        hashes: Sides {
            left: hashes.0,
            right: hashes.1,
        },
        run_id,
    }
}

async fn statuses(store: &Store) -> Vec<(String, String, SuggestionStatus)> {
    let mut all = store
        .suggestions(&SuggestionFilter::default(), Page::first(10))
        .await
        .unwrap();
    all.reverse();
    all.into_iter()
        .map(|one| (one.left_id, one.right_id, one.status))
        .collect()
}

async fn a_suggestion_is_asked_about_once_until_its_values_change(database: Database) {
    let store = database.open().await;
    let first = start_run(&store).await;
    let found = [suggestion("1", "A", (1, 2), first), suggestion("1", "B", (1, 3), first)];
    store.put_suggestions("customer-account", first, &found).await.unwrap();
    let open = SuggestionFilter {
        mapping: Some("customer-account".into()),
        status: Some(SuggestionStatus::Open),
        record_id: Some("1".into()),
    };
    assert_eq!(store.suggestion_count(&open).await.unwrap(), 2);
    let for_record = store
        .suggestions_for("customer-account", Side::Left, &["1", "2"])
        .await
        .unwrap();
    assert_eq!(for_record.len(), 2);
    let one = store.suggestion(for_record[0].suggestion_id).await.unwrap().unwrap();
    assert_eq!((one.score, one.compared[0].right.as_str()), (950, "Zeder Durck"));
    let rejected = SuggestionStatus::Rejected;
    assert!(
        store
            .decide_suggestion(one.suggestion_id, rejected, "ana", Vec::new())
            .await
            .unwrap()
    );
    assert!(
        !store
            .decide_suggestion(one.suggestion_id, rejected, "ben", Vec::new())
            .await
            .unwrap()
    );
    // The next run finds the rejected pair again, and the other no more.
    let second = start_run(&store).await;
    let same = [suggestion("1", "A", (1, 2), second)];
    store.put_suggestions("customer-account", second, &same).await.unwrap();
    assert_eq!(statuses(&store).await, [("1".into(), "A".into(), rejected)]);
    let kept = store.suggestion(one.suggestion_id).await.unwrap().unwrap();
    assert_eq!((kept.decided_by.as_deref(), kept.run_id), (Some("ana"), second));
    // One of the records changes in what they were compared by.
    let third = start_run(&store).await;
    let changed = [suggestion("1", "A", (1, 9), third)];
    store
        .put_suggestions("customer-account", third, &changed)
        .await
        .unwrap();
    assert_eq!(
        statuses(&store).await,
        [("1".into(), "A".into(), SuggestionStatus::Open)]
    );
    assert_eq!(
        store.suggestion(one.suggestion_id).await.unwrap().unwrap().decided_by,
        None
    );
}

async fn a_pair_that_is_linked_needs_no_suggestion(database: Database) {
    let store = database.open().await;
    let run = start_run(&store).await;
    let found = [
        suggestion("1", "A", (1, 2), run),
        suggestion("1", "B", (1, 3), run),
        suggestion("2", "A", (4, 2), run),
        suggestion("2", "C", (4, 5), run),
    ];
    store.put_suggestions("customer-account", run, &found).await.unwrap();
    let pair = LinkedPair {
        mapping: mapping(),
        left_id: "1".into(),
        right_id: "A".into(),
    };
    store.commit(vec![Op::SettleSuggestions(pair)]).await.unwrap();
    assert_eq!(
        statuses(&store).await,
        [
            ("1".into(), "A".into(), SuggestionStatus::Linked),
            ("2".into(), "C".into(), SuggestionStatus::Open)
        ]
    );
    // Parted again, it is not asked about while the values are the same.
    let next = start_run(&store).await;
    let same = [suggestion("1", "A", (1, 2), next)];
    store.put_suggestions("customer-account", next, &same).await.unwrap();
    assert_eq!(
        statuses(&store).await,
        [("1".into(), "A".into(), SuggestionStatus::Linked)]
    );
}

async fn values_of_a_sensitive_suggestion_are_sealed(database: Database) {
    let store = database.open().await;
    let run = start_run(&store).await;
    let found = NewSuggestion {
        sensitive: true,
        ..suggestion("1", "A", (1, 2), run)
    };
    store.put_suggestions("customer-account", run, &[found]).await.unwrap();
    let clear = database
        .raw_text("select coalesce(compared, 'none') from suggestion")
        .await;
    assert_eq!(clear.as_deref(), Some("none"));
    let opened = store.suggestion(1).await.unwrap().unwrap();
    assert_eq!(opened.compared[0].left, "Zeder Druck GmbH");
}

async fn an_ignore_rule_is_in_force_until_it_ends_or_is_removed(database: Database) {
    let store = database.open().await;
    let rule = |field: &str| NewIgnoreRule {
        mapping: mapping(),
        record: Some((Side::Left, "1".into())),
        field: Some(field.to_owned()),
        situation: Some(Situation::Differs),
        until: database.clock().now() + MINUTE * 2,
        reason: "the merger".into(),
        owner: "user:ana".into(),
    };
    let first = store.add_ignore_rule(&rule("name"), |_| Vec::new()).await.unwrap();
    let second = store.add_ignore_rule(&rule("city"), |_| Vec::new()).await.unwrap();
    let stored = store.ignore_rule(first).await.unwrap().unwrap();
    assert_eq!(stored.rule, rule("name"));
    assert!(stored.is_active(database.clock().now()));
    assert!(stored.concerns(Some("1"), None) && !stored.concerns(Some("2"), Some("1")));
    assert_eq!(store.active_ignore_rules("customer-account").await.unwrap().len(), 2);
    assert!(store.active_ignore_rules("other").await.unwrap().is_empty());
    assert!(store.remove_ignore_rule(second, "ben", Vec::new()).await.unwrap());
    assert!(!store.remove_ignore_rule(second, "ben", Vec::new()).await.unwrap());
    let filter = IgnoreFilter {
        mapping: Some("customer-account".into()),
        with_ended: false,
    };
    let listed = store.ignore_rules(&filter, Page::first(10)).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.ignore_rule_id).collect::<Vec<_>>(), [first]);
    database.advance(MINUTE * 2);
    assert!(store.active_ignore_rules("customer-account").await.unwrap().is_empty());
    assert!(store.ignore_rules(&filter, Page::first(10)).await.unwrap().is_empty());
    let all = IgnoreFilter {
        with_ended: true,
        ..filter
    };
    let ended = store.ignore_rules(&all, Page::first(10)).await.unwrap();
    assert_eq!(ended[0].removed_by.as_deref(), Some("ben"));
}
