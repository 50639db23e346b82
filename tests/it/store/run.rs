//! Runs.

use std::time::Duration;

use futures_util::future::join_all;
use syncline::{
    core::status::{RunKind, RunStatus, Trigger},
    store::{
        Error, Op, Page,
        presence::command_name,
        prune::Retention,
        run::{Counters, NewRun, Phase, Progress, RunFilter},
    },
};

use super::{MINUTE, mapping, new_event, start_run};
use crate::support::database::Database;

on_both!(
    a_run_goes_from_running_to_its_end_once,
    counters_add_up_under_concurrency,
    a_crashed_run_is_closed_as_failed_at_the_next_start,
    what_a_dead_command_left_is_found_and_let_go_and_a_living_one_is_left_alone,
    a_held_run_is_released_or_discarded_by_a_person,
    a_run_that_was_cut_off_goes_on_once_while_nothing_came_after_it,
    a_job_key_lets_only_one_run_begin,
    runs_are_filtered,
    old_rows_are_pruned_and_young_ones_stay,
);

async fn a_run_goes_from_running_to_its_end_once(database: Database) {
    let store = database.open().await;
    let run_id = start_run(&store).await;
    let run = store.run(run_id).await.unwrap().unwrap();
    assert_eq!((run.status, run.node.as_str()), (RunStatus::Running, "north"));
    database.advance(MINUTE);
    assert!(
        store
            .finish_run(run_id, RunStatus::Partial, Some("3 failed"))
            .await
            .unwrap()
    );
    assert!(!store.finish_run(run_id, RunStatus::Succeeded, None).await.unwrap());
    let run = store.run(run_id).await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Partial);
    assert_eq!(run.note.as_deref(), Some("3 failed"));
    assert_eq!(run.ended_at, Some(run.started_at + MINUTE));
    let last = store
        .last_good_run("customer-account", RunKind::Reconcile)
        .await
        .unwrap();
    assert_eq!(last, Some(run));
}

async fn a_run_that_was_cut_off_goes_on_once_while_nothing_came_after_it(database: Database) {
    let store = database.open().await;
    let run_id = start_run(&store).await;
    let progress = Progress {
        phase: Phase::Repairing,
        planned: 9,
        repaired: 4,
        ..Progress::default()
    };
    store.set_progress(run_id, &progress).await.unwrap();
    store.set_scratch(run_id, Some("/tmp/files")).await.unwrap();
    let since = store.run(run_id).await.unwrap().unwrap().started_at;
    let left = || store.unfinished_runs("customer-account");
    assert_eq!(left().await.unwrap(), [], "it is at work");
    let counters = Counters {
        requests: 5,
        read: 2,
        ..Counters::default()
    };
    store.commit(vec![Op::AddCounters { run_id, counters }]).await.unwrap();
    store
        .finish_run(run_id, RunStatus::Cancelled, Some("stopped"))
        .await
        .unwrap();
    let found = left().await.unwrap();
    let shown: Vec<_> = found
        .iter()
        .map(|one| (one.run_id, one.scratch.as_str(), one.progress))
        .collect();
    assert_eq!(shown, [(run_id, "/tmp/files", progress)]);
    let goes_on = |kind, since| store.continue_run(run_id, kind, since);
    assert!(!goes_on(RunKind::Full, since).await.unwrap(), "for another reason");
    assert!(!goes_on(RunKind::Reconcile, since + MINUTE).await.unwrap(), "too old");
    assert!(goes_on(RunKind::Reconcile, since).await.unwrap());
    assert!(
        !goes_on(RunKind::Reconcile, since).await.unwrap(),
        "it is at work again"
    );
    let run = store.run(run_id).await.unwrap().unwrap();
    assert_eq!((run.status, run.note, run.ended_at), (RunStatus::Running, None, None));
    assert_eq!(
        (run.counters.requests, run.counters.read, run.progress),
        (5, 0, Some(progress))
    );
    store.finish_run(run_id, RunStatus::Failed, None).await.unwrap();
    start_run(&store).await;
    assert!(
        !goes_on(RunKind::Reconcile, since).await.unwrap(),
        "another one came after it"
    );
    store.set_scratch(run_id, None).await.unwrap();
    assert_eq!(left().await.unwrap(), []);
}

async fn counters_add_up_under_concurrency(database: Database) {
    let store = database.open().await;
    let run_id = start_run(&store).await;
    let counters = Counters {
        read: 2,
        failed: 1,
        ..Counters::default()
    };
    let add = || store.commit(vec![Op::AddCounters { run_id, counters }; 3]);
    for answer in join_all((0..50).map(|_| add())).await {
        answer.unwrap();
    }
    let run = store.run(run_id).await.unwrap().unwrap();
    assert_eq!(
        (run.counters.read, run.counters.failed, run.counters.created),
        (300, 150, 0)
    );
}

async fn a_crashed_run_is_closed_as_failed_at_the_next_start(database: Database) {
    let store = database.open().await;
    let crashed = start_run(&store).await;
    let south = database.open_beside("south").await;
    let elsewhere = start_run(&south).await;
    assert_eq!(store.close_crashed_runs("north", "it ended").await.unwrap(), 1);
    assert_eq!(store.run(crashed).await.unwrap().unwrap().status, RunStatus::Failed);
    assert_eq!(store.run(elsewhere).await.unwrap().unwrap().status, RunStatus::Running);
}

async fn what_a_dead_command_left_is_found_and_let_go_and_a_living_one_is_left_alone(database: Database) {
    let store = database.open().await;
    let command = database.open_beside(&command_name("north")).await;
    let run_id = start_run(&command).await;
    command
        .acquire_free_lease("reconcile/customer-account", Duration::from_mins(4))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(store.dead_commands().await.unwrap(), Vec::<String>::new());
    let name = command.node().to_owned();
    // As if its process were gone: its sign of life ends, on PostgreSQL after a while.
    command.close().await;
    drop(command);
    database.advance(Duration::from_mins(2));
    assert_eq!(store.dead_commands().await.unwrap(), [name.as_str()]);
    assert_eq!(store.close_crashed_runs(&name, "it ended").await.unwrap(), 1);
    store.bury_command(&name).await.unwrap();
    let run = store.run(run_id).await.unwrap().unwrap();
    assert_eq!((run.status, run.note.as_deref()), (RunStatus::Failed, Some("it ended")));
    assert_eq!(store.dead_commands().await.unwrap(), Vec::<String>::new());
    let lease = store
        .acquire_free_lease("reconcile/customer-account", Duration::from_mins(4))
        .await;
    assert!(lease.unwrap().is_some(), "its lease is in nobody's way");
}

async fn a_held_run_is_released_or_discarded_by_a_person(database: Database) {
    let store = database.open().await;
    let (first, second) = (start_run(&store).await, start_run(&store).await);
    assert!(
        !store.release_run(first, "ana", Vec::new()).await.unwrap(),
        "it is not held"
    );
    for run_id in [first, second] {
        store
            .finish_run(run_id, RunStatus::Held, Some("would delete 60 %"))
            .await
            .unwrap();
    }
    assert!(store.release_run(first, "ana", Vec::new()).await.unwrap());
    assert!(store.discard_run(second, "ben", Vec::new()).await.unwrap());
    let first = store.run(first).await.unwrap().unwrap();
    let second = store.run(second).await.unwrap().unwrap();
    assert_eq!(
        (first.status, first.released_by.as_deref()),
        (RunStatus::Running, Some("ana"))
    );
    assert_eq!(
        (second.status, second.released_by.as_deref()),
        (RunStatus::Cancelled, Some("ben"))
    );
}

async fn a_job_key_lets_only_one_run_begin(database: Database) {
    let store = database.open().await;
    let run = NewRun {
        kind: RunKind::Reconcile,
        mapping: Some(mapping()),
        trigger: Trigger::Schedule,
        note: None,
        job_key: Some("reconcile/2026-03-02".into()),
    };
    store.start_run(&run).await.unwrap();
    let answer = store.start_run(&run).await;
    assert!(matches!(answer, Err(Error::Conflict { .. })), "{answer:?}");
}

async fn runs_are_filtered(database: Database) {
    let store = database.open().await;
    let first = start_run(&store).await;
    database.advance(MINUTE);
    let second = start_run(&store).await;
    store.finish_run(first, RunStatus::Succeeded, None).await.unwrap();
    let ids = |filter: RunFilter| {
        let store = store.clone();
        async move {
            let runs = store.runs(&filter, Page::first(10)).await.unwrap();
            runs.into_iter().map(|run| run.run_id).collect::<Vec<_>>()
        }
    };
    assert_eq!(ids(RunFilter::default()).await, [second, first]);
    let running = RunFilter {
        status: Some(RunStatus::Running),
        mapping: Some("customer-account".into()),
        kind: Some(RunKind::Reconcile),
        ..RunFilter::default()
    };
    assert_eq!(ids(running).await, [second]);
    let recent = RunFilter {
        since: Some(database.clock().now()),
        ..RunFilter::default()
    };
    assert_eq!(ids(recent).await, [second]);
}

async fn old_rows_are_pruned_and_young_ones_stay(database: Database) {
    let store = database.open().await;
    let retention = Retention::default();
    let old = start_run(&store).await;
    store.finish_run(old, RunStatus::Succeeded, None).await.unwrap();
    store.save_drift_summary(old, "customer-account", "{}").await.unwrap();
    let mut own = new_event("old");
    own.own = true;
    store.receive(vec![own]).await.unwrap();
    database.advance(retention.runs + MINUTE);
    let running = start_run(&store).await;
    store.receive(vec![new_event("young")]).await.unwrap();
    assert_eq!(
        store.prune(&retention).await.unwrap(),
        3,
        "the run, its summary, the event"
    );
    assert!(store.run(old).await.unwrap().is_none());
    assert!(store.run(running).await.unwrap().is_some());
    assert_eq!(store.prune(&retention).await.unwrap(), 0);
}
