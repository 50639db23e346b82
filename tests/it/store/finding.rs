//! Failures, drift and conflicts.

use syncline::{
    core::{
        fault::Fault,
        record::RecordKey,
        status::{
            Cause, ConflictStatus, DriftOutcome, FailureClass, FailureStatus, RunStatus, Side, Sides, Situation, Stage,
        },
    },
    store::{
        Op, Page, Store,
        conflict::{ClosedConflicts, ConflictFilter, NewConflict, Resolution},
        drift::{DriftFilter, DriftKey, NewDrift, SettledDrift},
        failure::{FailureFilter, FailureGroup, NewFailure, Standing},
    },
};

use super::{MINUTE, left, mapping, right, start_run};
use crate::support::database::Database;

on_both!(
    a_record_has_one_open_failure_that_counts_its_tries,
    a_pair_has_one_open_failure_whichever_of_its_records_failed,
    a_success_resolves_the_open_failure_and_a_new_one_opens_anew,
    failures_are_filtered_counted_and_grouped,
    an_ignored_failure_is_no_longer_open,
    a_drift_item_keeps_its_values_and_seals_sensitive_ones,
    a_difference_remembers_since_when_it_is_there,
    what_became_of_a_difference_is_stored,
    the_trend_is_the_last_summaries_of_a_mapping,
    a_conflict_is_open_once_and_settled_by_a_person,
    sides_that_agree_again_close_their_conflicts,
);

fn failure(key: RecordKey, code: &'static str) -> NewFailure {
    NewFailure {
        run_id: Some(1),
        left_id: (key.side == Side::Left).then(|| key.record_id.clone()),
        right_id: None,
        key,
        fault: Fault::new(code, FailureClass::Rejected, Stage::Write, "the other side said no")
            .with_status(422)
            .with_field("Name")
            .with_hint("correct the name"),
        status: FailureStatus::Retrying,
        next_attempt_at: None,
        event_id: None,
    }
}

async fn fail(store: &Store, failures: impl IntoIterator<Item = NewFailure>) {
    store
        .commit(failures.into_iter().map(Op::Fail).collect())
        .await
        .unwrap();
}

async fn a_record_has_one_open_failure_that_counts_its_tries(database: Database) {
    let store = database.open().await;
    fail(&store, [failure(left(1), "RQ001")]).await;
    let first = store.open_failure(&left(1)).await.unwrap().unwrap();
    database.advance(MINUTE);
    let mut again = failure(left(1), "RQ002");
    again.status = FailureStatus::Parked;
    again.right_id = Some("A".into());
    fail(&store, [failure(left(1), "RQ001"), again, failure(right(1), "RQ001")]).await;
    let open = store.open_failure(&left(1)).await.unwrap().unwrap();
    assert_eq!(open.failure_id, first.failure_id);
    assert_eq!(
        (open.attempts, open.code.as_str(), open.status),
        (3, "RQ002", FailureStatus::Parked)
    );
    assert_eq!(
        (open.left_id.as_deref(), open.right_id.as_deref()),
        (Some("1"), Some("A"))
    );
    assert_eq!((open.http_status, open.field.as_deref()), (Some(422), Some("Name")));
    assert_eq!(open.hint.as_deref(), Some("correct the name"));
    assert_eq!(open.first_at + MINUTE, open.last_at);
    let many = store
        .open_failures("customer-account", Side::Left, &["1", "2"])
        .await
        .unwrap();
    assert_eq!(many, [open]);
}

async fn a_pair_has_one_open_failure_whichever_of_its_records_failed(database: Database) {
    let store = database.open().await;
    let of_pair = |key: RecordKey| NewFailure {
        left_id: Some("1".into()),
        right_id: Some("A-1".into()),
        ..failure(key, "RQ001")
    };
    let account = RecordKey::new("customer-account", Side::Right, "A-1");
    fail(&store, [of_pair(left(1))]).await;
    let first = store.open_failure(&left(1)).await.unwrap().unwrap();
    fail(&store, [of_pair(account.clone())]).await;
    assert_eq!(store.open_failure(&left(1)).await.unwrap(), None);
    let moved = store.open_failure(&account).await.unwrap().unwrap();
    assert_eq!((moved.failure_id, moved.attempts), (first.failure_id, 2));
    // As an older version has left it: one failure a side.
    fail(&store, [failure(left(1), "RQ001")]).await;
    fail(&store, [of_pair(account.clone())]).await;
    let open = store
        .failures(&FailureFilter::default(), Page::first(10))
        .await
        .unwrap();
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0].key, account);
}

async fn a_success_resolves_the_open_failure_and_a_new_one_opens_anew(database: Database) {
    let store = database.open().await;
    fail(&store, [failure(left(1), "RQ001")]).await;
    let first = store.open_failure(&left(1)).await.unwrap().unwrap();
    store
        .commit(vec![Op::Resolve(left(1)), Op::Resolve(left(2))])
        .await
        .unwrap();
    assert_eq!(store.open_failure(&left(1)).await.unwrap(), None);
    let resolved = store.failure(first.failure_id).await.unwrap().unwrap();
    assert_eq!(resolved.status, FailureStatus::Resolved);
    assert_eq!(resolved.resolved_at, Some(database.clock().now()));
    fail(&store, [failure(left(1), "RQ001")]).await;
    let second = store.open_failure(&left(1)).await.unwrap().unwrap();
    assert_ne!(second.failure_id, first.failure_id);
    assert_eq!(second.attempts, 1);
}

async fn failures_are_filtered_counted_and_grouped(database: Database) {
    let store = database.open().await;
    fail(
        &store,
        (0..10).map(|id| failure(left(id), if id < 7 { "RQ001" } else { "MP001" })),
    )
    .await;
    let filter = FailureFilter {
        mapping: Some("customer-account".into()),
        class: Some(FailureClass::Rejected),
        stage: Some(Stage::Write),
        run_id: Some(1),
        ..FailureFilter::default()
    };
    assert_eq!(store.failure_count(&filter).await.unwrap(), 10);
    let groups = store.failure_groups(&filter, FailureGroup::Code).await.unwrap();
    assert_eq!(groups, [("RQ001".to_owned(), 7), ("MP001".to_owned(), 3)]);
    let one = FailureFilter {
        record_id: Some("8".into()),
        code: Some("MP001".into()),
        ..filter
    };
    let found = store.failures(&one, Page::first(10)).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].key, left(8));
}

async fn an_ignored_failure_is_no_longer_open(database: Database) {
    let store = database.open().await;
    fail(&store, [failure(left(1), "RQ001")]).await;
    let open = store.open_failure(&left(1)).await.unwrap().unwrap();
    assert!(store.ignore_failure(open.failure_id, Vec::new()).await.unwrap());
    assert!(!store.ignore_failure(open.failure_id, Vec::new()).await.unwrap());
    assert_eq!(store.failure_count(&FailureFilter::default()).await.unwrap(), 0);
    let ignored = FailureFilter {
        standing: Standing::Only(FailureStatus::Ignored),
        ..FailureFilter::default()
    };
    assert_eq!(store.failure_count(&ignored).await.unwrap(), 1);
}

fn drift(run_id: i64, left_id: Option<&str>, right_id: Option<&str>, field: &str) -> NewDrift {
    NewDrift {
        run_id,
        mapping: mapping(),
        situation: Situation::Differs,
        cause: Cause::EventMissed,
        field: Some(field.into()),
        left_id: left_id.map(str::to_owned),
        right_id: right_id.map(str::to_owned),
        left_value: Some("Ana Ltda".into()),
        right_value: None,
        sensitive: false,
        first_seen_at: None,
        age_runs: 1,
        last_changed_side: Some(Side::Left),
        outcome: DriftOutcome::Reported,
        note: None,
        failure_id: None,
        event_id: None,
    }
}

async fn a_drift_item_keeps_its_values_and_seals_sensitive_ones(database: Database) {
    let store = database.open().await;
    let run_id = start_run(&store).await;
    let mut phone = drift(run_id, Some("1"), Some("A"), "phone");
    phone.sensitive = true;
    phone.left_value = Some("+55 11 98765".into());
    let items = vec![
        Op::AddDrift(drift(run_id, Some("1"), Some("A"), "name")),
        Op::AddDrift(phone),
    ];
    store.commit(items).await.unwrap();
    let found = store
        .drift(run_id, &DriftFilter::default(), Page::first(10))
        .await
        .unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].left_value.as_deref(), Some("+55 11 98765"));
    assert_eq!(found[1].left_value.as_deref(), Some("Ana Ltda"));
    assert_eq!(found[1].right_value, None);
    let clear = database
        .raw_text("select left_value from drift where field = 'name'")
        .await;
    assert_eq!(clear.as_deref(), Some("Ana Ltda"));
    let sealed = database
        .raw_text("select coalesce(left_value, 'none') from drift where sensitive")
        .await;
    assert_eq!(sealed.as_deref(), Some("none"));
}

async fn a_difference_remembers_since_when_it_is_there(database: Database) {
    let store = database.open().await;
    let first = start_run(&store).await;
    let seen = database.clock().now();
    let mut one_sided = drift(first, None, Some("B"), "");
    one_sided.field = None;
    one_sided.age_runs = 4;
    let items = vec![
        Op::AddDrift(drift(first, Some("1"), Some("A"), "name")),
        Op::AddDrift(one_sided),
    ];
    store.commit(items).await.unwrap();
    store.save_drift_summary(first, "customer-account", "{}").await.unwrap();
    database.advance(MINUTE);
    let second = start_run(&store).await;
    let key = |left: Option<&str>, right: Option<&str>, field: Option<&str>| DriftKey {
        left_id: left.map(str::to_owned),
        right_id: right.map(str::to_owned),
        field: field.map(str::to_owned),
    };
    let known = [key(Some("1"), Some("A"), Some("name")), key(None, Some("B"), None)];
    let new = key(Some("1"), Some("A"), Some("city"));
    let keys = [known[0].clone(), known[1].clone(), new];
    let past = store.drift_history("customer-account", second, &keys).await.unwrap();
    assert_eq!(past.len(), 2);
    assert_eq!((past[&known[0]].first_seen_at, past[&known[0]].age_runs), (seen, 1));
    assert_eq!(past[&known[1]].age_runs, 4);
    let past = store.drift_history("customer-account", first, &keys).await.unwrap();
    assert!(past.is_empty(), "nothing came before the first run");
}

async fn what_became_of_a_difference_is_stored(database: Database) {
    let store = database.open().await;
    let run_id = start_run(&store).await;
    let items = [(Some("1"), Some("A")), (Some("2"), Some("B")), (None, Some("C"))]
        .map(|(left_id, right_id)| Op::AddDrift(drift(run_id, left_id, right_id, "name")));
    store.commit(items.to_vec()).await.unwrap();
    let settled = |left_id: Option<&str>, right_id: &str, outcome| {
        Op::SettleDrift(SettledDrift {
            run_id,
            left_id: left_id.map(str::to_owned),
            right_id: Some(right_id.into()),
            outcome,
            note: None,
        })
    };
    let ops = vec![
        settled(Some("1"), "A", DriftOutcome::Repaired),
        settled(None, "C", DriftOutcome::Failed),
    ];
    store.commit(ops).await.unwrap();
    let found = store
        .drift(run_id, &DriftFilter::default(), Page::first(10))
        .await
        .unwrap();
    let outcomes = found.into_iter().map(|item| item.outcome).collect::<Vec<_>>();
    assert_eq!(
        outcomes,
        [DriftOutcome::Failed, DriftOutcome::Reported, DriftOutcome::Repaired]
    );
    let repaired = DriftFilter {
        outcome: Some(DriftOutcome::Repaired),
        record_id: Some("A".into()),
        ..DriftFilter::default()
    };
    assert_eq!(store.drift_count(run_id, &repaired).await.unwrap(), 1);
    store.clear_drift(run_id).await.unwrap();
    assert_eq!(store.drift_count(run_id, &DriftFilter::default()).await.unwrap(), 0);
}

async fn the_trend_is_the_last_summaries_of_a_mapping(database: Database) {
    let store = database.open().await;
    for number in 0..3 {
        let run_id = start_run(&store).await;
        store.finish_run(run_id, RunStatus::Succeeded, None).await.unwrap();
        let summary = format!("{{\"items\":{number}}}");
        store
            .save_drift_summary(run_id, "customer-account", &summary)
            .await
            .unwrap();
    }
    let trend = store.drift_trend(Some("customer-account"), 2).await.unwrap();
    let summaries = trend.iter().map(|row| row.summary.as_str()).collect::<Vec<_>>();
    assert_eq!(summaries, ["{\"items\":2}", "{\"items\":1}"]);
    assert!(store.drift_trend(Some("other"), 2).await.unwrap().is_empty());
    assert_eq!(
        store.drift_summary(trend[0].run_id).await.unwrap().as_ref(),
        Some(&trend[0])
    );
}

fn conflict(field: &str, left_value: &str) -> NewConflict {
    NewConflict {
        mapping: mapping(),
        left_id: "1".into(),
        right_id: "A".into(),
        field: field.into(),
        left_value: Some(left_value.into()),
        right_value: Some("Ana SA".into()),
        hashes: Sides { left: 1, right: 2 },
        sensitive: field == "phone",
        run_id: None,
    }
}

async fn a_conflict_is_open_once_and_settled_by_a_person(database: Database) {
    let store = database.open().await;
    let ops = [
        conflict("name", "Ana"),
        conflict("name", "Ana Ltda"),
        conflict("phone", "+55"),
    ]
    .map(Op::OpenConflict);
    store.commit(ops.to_vec()).await.unwrap();
    let found = store.conflicts_of("customer-account", "1", "A").await.unwrap();
    assert_eq!(found.len(), 2);
    let many = store.conflicts_of_all("customer-account", &["1", "2"]).await.unwrap();
    assert_eq!(many, found);
    assert_eq!(found[0].left_value.as_deref(), Some("Ana Ltda"));
    assert_eq!(found[1].left_value.as_deref(), Some("+55"));
    let clear = database
        .raw_text("select coalesce(left_value, 'none') from conflict where sensitive")
        .await;
    assert_eq!(clear.as_deref(), Some("none"));
    assert!(
        store
            .resolve_conflict(&found[0], &Resolution::Take(Side::Right), "ana", Vec::new())
            .await
            .unwrap()
    );
    assert!(
        !store
            .resolve_conflict(&found[0], &Resolution::Take(Side::Left), "ben", Vec::new())
            .await
            .unwrap()
    );
    assert!(
        store
            .resolve_conflict(&found[1], &Resolution::Ignore, "ana", Vec::new())
            .await
            .unwrap()
    );
    let decided = store.conflict(found[0].conflict_id).await.unwrap().unwrap();
    assert_eq!(
        (decided.status, decided.winner),
        (ConflictStatus::Resolved, Some(Side::Right))
    );
    assert_eq!(decided.resolved_by.as_deref(), Some("ana"));
    assert_eq!(decided.applied_at, None, "the decision has not taken effect yet");
    let open = ConflictFilter {
        status: Some(ConflictStatus::Open),
        ..ConflictFilter::default()
    };
    assert_eq!(store.conflict_count(&open).await.unwrap(), 0);
}

async fn sides_that_agree_again_close_their_conflicts(database: Database) {
    let store = database.open().await;
    let ops = [conflict("name", "Ana"), conflict("city", "Recife")].map(Op::OpenConflict);
    store.commit(ops.to_vec()).await.unwrap();
    let close = |field: Option<&str>| {
        Op::CloseConflicts(ClosedConflicts {
            mapping: mapping(),
            left_id: "1".into(),
            right_id: "A".into(),
            field: field.map(str::to_owned),
            is_accepted: false,
        })
    };
    store.commit(vec![close(Some("name"))]).await.unwrap();
    let left = store.conflicts_of("customer-account", "1", "A").await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].field, "city");
    store.commit(vec![close(None)]).await.unwrap();
    assert!(
        store
            .conflicts_of("customer-account", "1", "A")
            .await
            .unwrap()
            .is_empty()
    );
    let all = store
        .conflicts(&ConflictFilter::default(), Page::first(10))
        .await
        .unwrap();
    assert!(all.iter().all(|conflict| conflict.status == ConflictStatus::Resolved));
    assert!(all.iter().all(|conflict| conflict.applied_at.is_some()));
}
