//! The stored report of a reconciliation, its views, and the way through the list.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use syncline::{
    core::{
        drift::{Report, Since, Summary},
        fault::Fault,
        status::{
            Cause, DriftOutcome, FailureClass, FailureStatus, RunKind, Side, Sides, Situation, Stage, Trigger,
            WriteKind,
        },
    },
    store::{
        Op, Page, Store,
        conflict::{NewConflict, Resolution},
        drift::{DriftFilter, DriftSummary, NewDrift},
        failure::NewFailure,
        run::NewRun,
        write::NewWrite,
    },
};

use super::{left, mapping, start_run};
use crate::support::database::Database;

on_both!(
    a_report_agrees_with_an_independent_count_of_its_list,
    a_report_stays_what_it_was_when_the_next_one_comes,
    a_report_of_what_changed_alone_is_listed_and_stands_in_no_trend,
    the_views_tell_the_same_as_the_report,
    a_cause_keeps_its_evidence_when_the_failure_has_gone,
    a_list_is_gone_through_once_in_the_order_it_was_found,
    items_are_filtered_by_side_and_age,
    the_items_and_writes_of_one_record_are_found_by_either_id,
);

fn item(run_id: i64) -> NewDrift {
    NewDrift {
        run_id,
        mapping: mapping(),
        situation: Situation::Differs,
        cause: Cause::EventMissed,
        field: Some("name".into()),
        left_id: Some("1".into()),
        right_id: Some("A".into()),
        left_value: Some("Ana".into()),
        right_value: Some("Bia".into()),
        sensitive: false,
        first_seen_at: None,
        age_runs: 1,
        last_changed_side: None,
        outcome: DriftOutcome::Reported,
        note: None,
        failure_id: None,
        event_id: None,
    }
}

async fn add(store: &Store, items: impl IntoIterator<Item = NewDrift>) {
    store
        .commit(items.into_iter().map(Op::AddDrift).collect())
        .await
        .unwrap();
}

/// Ends a run's comparison; the report that is stored then.
async fn close(store: &Store, run_id: i64, summary: &Summary) -> Report {
    let text = serde_json::to_string(summary).unwrap();
    store.save_drift_summary(run_id, &mapping(), &text).await.unwrap();
    read(store, run_id).await
}

async fn read(store: &Store, run_id: i64) -> Report {
    let stored = store.drift_summary(run_id).await.unwrap().unwrap();
    serde_json::from_str(&stored.report.unwrap()).unwrap()
}

type Key = (Option<String>, Option<String>, Option<String>);

fn key(item: &NewDrift) -> Key {
    (item.left_id.clone(), item.right_id.clone(), item.field.clone())
}

/// Any list of differences: every difference once, in any state.
fn lists() -> impl Strategy<Value = Vec<NewDrift>> {
    let id = |prefix: &'static str| proptest::option::of((0..5_u8).prop_map(move |id| format!("{prefix}{id}")));
    let field = proptest::option::of(prop::sample::select(vec![
        "name".to_owned(),
        "city".to_owned(),
        "tax".to_owned(),
    ]));
    let one = (
        (id("L"), id("R"), field),
        prop::sample::select(Situation::ALL),
        prop::sample::select(Cause::ALL),
        prop::sample::select(DriftOutcome::ALL),
        proptest::option::of(prop::sample::select(Side::ALL)),
        0..100_i64,
    );
    let one = one.prop_map(
        |((left_id, right_id, field), situation, cause, outcome, side, age)| NewDrift {
            situation,
            cause,
            outcome,
            field,
            left_id,
            right_id,
            last_changed_side: side,
            first_seen_at: chrono::DateTime::from_timestamp(1_760_000_000 + age, 0),
            ..item(0)
        },
    );
    proptest::collection::vec(one, 0..40).prop_map(|mut items| {
        let mut seen = HashSet::new();
        items.retain(|item| (item.left_id.is_some() || item.right_id.is_some()) && seen.insert(key(item)));
        items
    })
}

/// What the report has to say, counted item by item.
fn expected(before: Option<(i64, &[NewDrift])>, items: &[NewDrift]) -> Report {
    let mut report = Report::default();
    let numbers = &mut report.numbers;
    let mut fields: BTreeMap<String, BTreeMap<Cause, u64>> = BTreeMap::new();
    numbers.match_score = 10_000;
    for item in items {
        numbers.items += 1;
        numbers.conflicts += u64::from(item.cause == Cause::Conflict);
        numbers.repaired += u64::from(item.outcome == DriftOutcome::Repaired);
        numbers.failed += u64::from(item.outcome == DriftOutcome::Failed);
        let gone = (item.situation == Situation::Missing)
            .then_some(item.last_changed_side)
            .flatten();
        let alone = item.situation == Situation::Absent;
        numbers.missing_left += u64::from(gone == Some(Side::Left) || (alone && item.left_id.is_none()));
        numbers.missing_right += u64::from(gone == Some(Side::Right) || (alone && item.right_id.is_none()));
        *report.outcomes.entry(item.outcome).or_default() += 1;
        if let Some(side) = item.last_changed_side {
            *report.changed.entry(side).or_default() += 1;
        }
        if let Some(field) = &item.field {
            *fields.entry(field.clone()).or_default().entry(item.cause).or_default() += 1;
        }
    }
    report.since = before.map(|(run_id, before)| {
        let outcomes: HashMap<Key, DriftOutcome> = before.iter().map(|item| (key(item), item.outcome)).collect();
        let now: HashSet<Key> = items.iter().map(key).collect();
        let both: Vec<DriftOutcome> = now.iter().filter_map(|key| outcomes.get(key).copied()).collect();
        let returned = both
            .iter()
            .filter(|outcome| **outcome == DriftOutcome::Repaired)
            .count() as u64;
        Since {
            run_id,
            new: (now.len() - both.len()) as u64,
            still: both.len() as u64 - returned,
            returned,
            gone: (outcomes.len() - both.len()) as u64,
        }
    });
    for (field, causes) in fields {
        let most = causes.values().max().unwrap();
        let main_cause = *causes.iter().find(|(_, items)| *items == most).unwrap().0;
        report.fields.push(syncline::core::drift::FieldCount {
            field,
            items: causes.values().sum(),
            main_cause,
        });
    }
    report.fields.sort_by_key(|one| std::cmp::Reverse(one.items));
    report
}

async fn a_report_agrees_with_an_independent_count_of_its_list(database: Database) {
    let store = database.open().await;
    let mut runner = TestRunner::deterministic();
    let mut before: Option<(i64, Vec<NewDrift>)> = None;
    for _ in 0..25 {
        let run_id = start_run(&store).await;
        let mut items = lists().new_tree(&mut runner).unwrap().current();
        for item in &mut items {
            item.run_id = run_id;
        }
        add(&store, items.clone()).await;
        let mut report = close(&store, run_id, &Summary::default()).await;
        let oldest = std::mem::take(&mut report.oldest);
        // What is left alone is counted apart.
        let ignored = items
            .iter()
            .filter(|item| item.outcome == DriftOutcome::Ignored)
            .count() as u64;
        assert_eq!(std::mem::take(&mut report.numbers.ignored), ignored);
        assert_eq!(
            report.outcomes.remove(&DriftOutcome::Ignored).unwrap_or_default(),
            ignored
        );
        items.retain(|item| item.outcome != DriftOutcome::Ignored);
        let known = before.as_ref().map(|(run_id, items)| (*run_id, items.as_slice()));
        assert_eq!(report, expected(known, &items));
        let mut times: Vec<_> = items.iter().filter_map(|item| item.first_seen_at).collect();
        times.sort_unstable();
        times.truncate(20);
        assert_eq!(oldest.iter().map(|item| item.first_seen_at).collect::<Vec<_>>(), times);
        before = Some((run_id, items));
    }
}

async fn a_report_stays_what_it_was_when_the_next_one_comes(database: Database) {
    let store = database.open().await;
    let first = start_run(&store).await;
    add(&store, [item(first)]).await;
    let conflict = NewConflict {
        mapping: mapping(),
        left_id: "9".into(),
        right_id: "Z".into(),
        field: "name".into(),
        left_value: None,
        right_value: None,
        hashes: Sides { left: 1, right: 2 },
        sensitive: false,
        run_id: Some(first),
    };
    store.commit(vec![Op::OpenConflict(conflict)]).await.unwrap();
    let conflict = store.conflict(1).await.unwrap().unwrap();
    assert!(
        store
            .resolve_conflict(&conflict, &Resolution::Ignore, "ana", Vec::new())
            .await
            .unwrap()
    );
    let report = close(&store, first, &Summary::default()).await;
    assert_eq!((report.since, report.numbers.ignored), (None, 1));
    let second = start_run(&store).await;
    let other = NewDrift {
        left_id: Some("2".into()),
        ..item(second)
    };
    add(&store, [item(second), other]).await;
    let next = close(&store, second, &Summary::default()).await;
    let since = next.since.unwrap();
    assert_eq!((since.run_id, since.new, since.still, since.gone), (first, 1, 1, 0));
    assert_eq!(read(&store, first).await, report);
    let before = store
        .drift_trend_before(Some("customer-account"), Some(second), 5)
        .await
        .unwrap();
    assert_eq!(before.iter().map(|one| one.run_id).collect::<Vec<_>>(), [first]);
}

async fn a_report_of_what_changed_alone_is_listed_and_stands_in_no_trend(database: Database) {
    let store = database.open().await;
    let first = start_run(&store).await;
    add(&store, [item(first)]).await;
    close(&store, first, &Summary::default()).await;
    let of_changes = NewRun {
        kind: RunKind::Incremental,
        mapping: Some(mapping()),
        trigger: Trigger::Schedule,
        note: None,
        job_key: None,
    };
    let changed = store.start_run(&of_changes).await.unwrap();
    let report = close(&store, changed, &Summary::default()).await;
    assert_eq!(report.since.unwrap().run_id, first);
    let last = start_run(&store).await;
    add(&store, [item(last)]).await;
    let since = close(&store, last, &Summary::default()).await.since.unwrap();
    assert_eq!(
        (since.run_id, since.new, since.still),
        (first, 0, 1),
        "not seen is not gone"
    );
    let ids = |reports: Vec<DriftSummary>| reports.into_iter().map(|one| one.run_id).collect::<Vec<_>>();
    let name = Some("customer-account");
    assert_eq!(ids(store.drift_trend(name, 5).await.unwrap()), [last, first]);
    let all = store.drift_reports(name, Page::first(5)).await.unwrap();
    assert_eq!(ids(all), [last, changed, first]);
    let newest = store.start_run(&of_changes).await.unwrap();
    add(&store, [item(newest)]).await;
    close(&store, newest, &Summary::default()).await;
    assert_eq!(ids(store.drift_trend(None, 5).await.unwrap()), [last, first]);
    for view in ["drift_report_v", "drift_item_v"] {
        let is_last = format!("select cast(run_id as text) from {view} where is_last");
        assert_eq!(database.raw_text(is_last).await, Some(last.to_string()), "{view}");
    }
    let found = store.drift_showing("customer-account", "Ana", 9).await.unwrap();
    assert_eq!(found.iter().map(|item| item.run_id).collect::<Vec<_>>(), [last]);
}

async fn the_views_tell_the_same_as_the_report(database: Database) {
    let store = database.open().await;
    let first = start_run(&store).await;
    close(&store, first, &Summary::default()).await;
    let run_id = start_run(&store).await;
    let secret = NewDrift {
        field: Some("phone".into()),
        sensitive: true,
        ..item(run_id)
    };
    add(&store, [item(run_id), secret]).await;
    let mut summary = Summary {
        left_records: 10,
        right_records: 11,
        cells: 8,
        cells_equal: 6,
        complete: true,
        ..Summary::default()
    };
    summary.situations.insert(Situation::InSync, 3);
    summary.situations.insert(Situation::Differs, 1);
    close(&store, run_id, &summary).await;
    let head = "select mapping || '/' || kind || '/' || compared || '/' || in_step || '/' || drifted || '/' || items || '/' \
        || new_items || '/' || gone_items || '/' || left_records || '/' || right_records || '/' || reported_at \
        from drift_report_v where is_last and is_complete and match_percent = 75";
    assert_eq!(
        database.raw_text(head).await.as_deref(),
        Some("customer-account/reconcile/4/3/1/2/2/0/10/11/2026-03-02T09:00:00Z")
    );
    let all = "select cast(count(*) as text) from drift_report_v";
    assert_eq!(database.raw_text(all).await.as_deref(), Some("2"));
    let items = "select field || '/' || cause || '/' || left_value || '/' || first_seen_at || '/' || age_runs \
        from drift_item_v where is_last and field = 'name' and age_days = 0";
    assert_eq!(
        database.raw_text(items).await.as_deref(),
        Some("name/event_missed/Ana/2026-03-02T09:00:00Z/1")
    );
    let sealed = "select coalesce(left_value, 'sealed') from drift_item_v where is_sensitive";
    assert_eq!(database.raw_text(sealed).await.as_deref(), Some("sealed"));
}

async fn a_cause_keeps_its_evidence_when_the_failure_has_gone(database: Database) {
    let store = database.open().await;
    let run_id = start_run(&store).await;
    let failure = NewFailure {
        run_id: Some(7),
        key: left(1),
        left_id: Some("1".into()),
        right_id: None,
        fault: Fault::new("RQ001", FailureClass::Rejected, Stage::Write, "no"),
        status: FailureStatus::Parked,
        next_attempt_at: None,
        event_id: Some(901),
    };
    store.commit(vec![Op::Fail(failure)]).await.unwrap();
    let failure_id = store.open_failure(&left(1)).await.unwrap().unwrap().failure_id;
    let known = NewDrift {
        cause: Cause::EventFailed,
        failure_id: Some(failure_id),
        ..item(run_id)
    };
    // The repair of this one has just failed: nobody knew the failure when the item was stored.
    let new = NewDrift {
        field: None,
        outcome: DriftOutcome::Failed,
        ..item(run_id)
    };
    add(&store, [known, new]).await;
    close(&store, run_id, &Summary::default()).await;
    database.raw("delete from failure").await;
    let found = store
        .drift(run_id, &DriftFilter::default(), Page::first(10))
        .await
        .unwrap();
    assert_eq!(found.len(), 2);
    for item in found {
        let evidence = (item.failure_id, item.event_id, item.cause_run_id);
        assert_eq!(evidence, (Some(failure_id), Some(901), Some(7)));
    }
}

async fn a_list_is_gone_through_once_in_the_order_it_was_found(database: Database) {
    let store = database.open().await;
    let run_id = start_run(&store).await;
    let items = (0..25).map(|number| NewDrift {
        left_id: Some(number.to_string()),
        ..item(run_id)
    });
    add(&store, items).await;
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = store
            .drift_after(run_id, &DriftFilter::default(), after, 10)
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        after = last.drift_id;
        seen.extend(page.into_iter().map(|item| item.left_id.unwrap()));
    }
    assert_eq!(seen, (0..25).map(|number| number.to_string()).collect::<Vec<_>>());
}

async fn items_are_filtered_by_side_and_age(database: Database) {
    let store = database.open().await;
    let run_id = start_run(&store).await;
    let old = database.clock().now() - chrono::TimeDelta::days(10);
    let items = [(Side::Left, Some(old)), (Side::Right, Some(old)), (Side::Left, None)];
    add(
        &store,
        items
            .into_iter()
            .zip(1..)
            .map(|((side, first_seen_at), number)| NewDrift {
                left_id: Some(number.to_string()),
                last_changed_side: Some(side),
                first_seen_at,
                ..item(run_id)
            }),
    )
    .await;
    let filter = DriftFilter {
        side: Some(Side::Left),
        first_seen_by: Some(database.clock().now() - chrono::TimeDelta::days(7)),
        ..DriftFilter::default()
    };
    let found = store.drift(run_id, &filter, Page::first(10)).await.unwrap();
    assert_eq!(
        found
            .iter()
            .filter_map(|item| item.left_id.as_deref())
            .collect::<Vec<_>>(),
        ["1"]
    );
}

async fn the_items_and_writes_of_one_record_are_found_by_either_id(database: Database) {
    let store = database.open().await;
    let run_id = start_run(&store).await;
    add(&store, [item(run_id)]).await;
    close(&store, run_id, &Summary::default()).await;
    for (side, id, count) in [(Side::Left, "1", 1), (Side::Right, "A", 1), (Side::Right, "1", 0)] {
        let found = store.drift_of("customer-account", side, id, 10).await.unwrap();
        assert_eq!(found.len(), count, "{side} {id}");
    }
    for (value, count) in [("Ana", 1), ("Bia", 1), ("Cid", 0)] {
        let found = store.drift_showing("customer-account", value, 10).await.unwrap();
        assert_eq!(found.len(), count, "{value}");
    }
    let write = NewWrite {
        run_id: Some(run_id),
        mapping: mapping(),
        side: Side::Right,
        kind: WriteKind::Update,
        record_id: Some("A".into()),
        partner_id: "1".into(),
        idempotency_key: "k".into(),
        values_hash: 1,
        origin: None,
        is_unweighed: false,
    };
    store.intend(vec![write]).await.unwrap();
    for (side, id, count) in [(Side::Left, "1", 1), (Side::Right, "A", 1), (Side::Left, "A", 0)] {
        let found = store.writes_of("customer-account", side, id, 10).await.unwrap();
        assert_eq!(found.len(), count, "{side} {id}");
    }
}
