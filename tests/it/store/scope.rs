//! A store within a scope reads as if nothing else was there.

use std::sync::Arc;

use syncline::{
    core::{
        fault::Fault,
        record::RecordKey,
        status::{FailureClass, FailureStatus, RunKind, Side, Stage, Trigger},
    },
    store::{
        Op, Page, Scope, Store,
        drift::DriftFilter,
        event::{EventFilter, Received},
        failure::{FailureFilter, FailureGroup, NewFailure},
        link::{Agreement, LinkFilter, NewLink},
        run::{NewRun, RunFilter},
    },
};

use super::{new_change, new_event};
use crate::support::database::Database;

on_both!(
    a_store_within_a_scope_lists_and_finds_what_is_in_it_alone,
    pages_of_several_mappings_are_one_list_newest_first,
    a_scope_of_nothing_sees_nothing,
);

fn scope(mappings: &[&str], systems: &[&str]) -> Arc<Scope> {
    Arc::new(Scope {
        mappings: mappings.iter().map(|name| (*name).to_owned()).collect(),
        systems: systems.iter().map(|name| (*name).to_owned()).collect(),
    })
}

async fn run(store: &Store, mapping: Option<&str>) -> i64 {
    let run = NewRun {
        kind: RunKind::Reconcile,
        mapping: mapping.map(Arc::from),
        trigger: Trigger::Schedule,
        note: None,
        job_key: None,
    };
    store.start_run(&run).await.unwrap()
}

/// A link, a failure, a change and a report of a mapping; its run.
async fn fill(store: &Store, mapping: &str) -> i64 {
    let run_id = run(store, Some(mapping)).await;
    let key = RecordKey::new(mapping, Side::Left, "7");
    let fault = Fault::new("RQ004", FailureClass::Rejected, Stage::Write, "no".to_owned());
    let ops = vec![
        Op::PutLink(NewLink {
            mapping: mapping.into(),
            left_id: "7".into(),
            right_id: "A-7".into(),
            agreement: Agreement::default(),
        }),
        Op::Fail(NewFailure {
            run_id: Some(run_id),
            key: key.clone(),
            left_id: Some("7".into()),
            right_id: None,
            fault,
            status: FailureStatus::Open,
            next_attempt_at: None,
            event_id: None,
        }),
        Op::Enqueue(new_change(key)),
    ];
    store.commit(ops).await.unwrap();
    store.save_drift_summary(run_id, mapping, "{}").await.unwrap();
    run_id
}

async fn a_store_within_a_scope_lists_and_finds_what_is_in_it_alone(database: Database) {
    let store = database.open().await;
    let (own, other) = (fill(&store, "abc").await, fill(&store, "abcdef").await);
    let of_nobody = run(&store, None).await;
    let mut events = Vec::new();
    for system in ["crm", "crm-2"] {
        let mut event = new_event(system);
        event.system = system.into();
        let Received::Stored(event_id) = store.receive(vec![event]).await.unwrap()[0] else {
            panic!("it is new");
        };
        events.push(event_id);
    }
    let within = store.within(scope(&["abc", "ABCDEF", "abcde", "ab"], &["crm"]));
    let ids = |runs: Vec<syncline::store::run::Run>| runs.into_iter().map(|run| run.run_id).collect::<Vec<_>>();
    let page = Page::first(10);
    assert_eq!(ids(within.runs(&RunFilter::default(), page).await.unwrap()), [own]);
    assert!(within.run(own).await.unwrap().is_some());
    for hidden in [other, of_nobody] {
        assert!(within.run(hidden).await.unwrap().is_none());
        assert!(store.run(hidden).await.unwrap().is_some());
    }
    for mapping in ["abcdef", "ABCDEF", "a"] {
        let named = RunFilter {
            mapping: Some(mapping.to_owned()),
            ..RunFilter::default()
        };
        assert!(within.runs(&named, page).await.unwrap().is_empty(), "{mapping}");
        assert!(within.link_by(mapping, Side::Left, "7").await.unwrap().is_none());
        assert!(within.drift_trend(Some(mapping), 5).await.unwrap().is_empty());
    }
    let failures = FailureFilter::default();
    assert_eq!(within.failures(&failures, page).await.unwrap().len(), 1);
    assert_eq!(within.failure_count(&failures).await.unwrap(), 1);
    let groups = within.failure_groups(&failures, FailureGroup::Mapping).await.unwrap();
    assert_eq!(groups, [("abc".to_owned(), 1)]);
    assert_eq!(within.links(&LinkFilter::default(), page).await.unwrap().len(), 1);
    assert_eq!(within.link_count(&LinkFilter::default()).await.unwrap(), 1);
    assert_eq!(within.drift_trend(None, 5).await.unwrap().len(), 1);
    assert!(within.drift_summary(other).await.unwrap().is_none());
    assert!(
        within
            .drift(other, &DriftFilter::default(), page)
            .await
            .unwrap()
            .is_empty()
    );
    let seen = within.events(&EventFilter::default(), page).await.unwrap();
    assert_eq!(seen.iter().map(|event| event.event_id).collect::<Vec<_>>(), [events[0]]);
    assert!(within.event(events[1]).await.unwrap().is_none());
    assert_eq!(
        (
            within.queue_stats().await.unwrap().depth,
            store.queue_stats().await.unwrap().depth
        ),
        (1, 2)
    );
}

async fn pages_of_several_mappings_are_one_list_newest_first(database: Database) {
    let store = database.open().await;
    let mut runs = Vec::new();
    for number in 0..12 {
        runs.push(run(&store, Some(["a", "b", "c"][number % 3])).await);
    }
    let within = store.within(scope(&["a", "c"], &[]));
    let expected: Vec<i64> = runs
        .iter()
        .enumerate()
        .filter(|(number, _)| number % 3 != 1)
        .map(|(_, id)| *id)
        .rev()
        .collect();
    let mut seen = Vec::new();
    let mut page = Page::first(3);
    loop {
        let found = within.runs(&RunFilter::default(), page).await.unwrap();
        let Some(last) = found.last() else { break };
        assert!(found.len() <= 3);
        page.before = Some(last.run_id);
        seen.extend(found.iter().map(|run| run.run_id));
    }
    assert_eq!(seen, expected);
}

async fn a_scope_of_nothing_sees_nothing(database: Database) {
    let store = database.open().await;
    let run_id = fill(&store, "abc").await;
    let within = store.within(scope(&[], &[]));
    let page = Page::first(10);
    assert!(within.runs(&RunFilter::default(), page).await.unwrap().is_empty());
    assert!(within.run(run_id).await.unwrap().is_none());
    assert_eq!(within.failure_count(&FailureFilter::default()).await.unwrap(), 0);
    assert!(
        within
            .drift(run_id, &DriftFilter::default(), page)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(within.drift_count(run_id, &DriftFilter::default()).await.unwrap(), 0);
    assert!(within.audits(page).await.unwrap().is_empty());
}
