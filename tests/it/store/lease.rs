//! Leases by name, locks on records, jobs and quotas: what nodes share.

use chrono::NaiveDate;
use futures_util::future::join_all;
use syncline::store::{Op, presence::command_name};

use super::{MINUTE, left, right, start_run};
use crate::support::database::Database;

on_both!(
    a_lease_has_one_holder_and_passes_on_with_a_new_epoch,
    a_lease_given_back_is_free_at_once,
    leases_of_a_crashed_daemon_are_free_at_its_next_start,
    a_lease_for_one_task_is_refused_to_another_of_the_same_process,
    records_are_locked_all_or_none,
    a_lock_is_renewed_and_given_back_with_a_submission,
    a_job_runs_once_a_local_date_among_all_nodes,
    a_job_that_was_cut_off_is_told_from_one_that_ended,
    a_lease_survives_no_clock_set_back_by_an_hour,
    a_quota_counts_for_all_nodes,
    a_quota_is_never_overdrawn_by_those_who_take_at_the_same_time,
    a_quota_counts_for_a_day_to_the_hour_and_forgets_what_a_wrong_clock_counted,
    a_command_sees_the_daemon_beside_it,
    what_a_command_left_that_is_gone_is_found_and_let_go,
);

async fn a_lease_has_one_holder_and_passes_on_with_a_new_epoch(database: Database) {
    let north = database.open().await;
    let south = database.open_beside("south").await;
    let first = north.acquire_lease("scheduler", MINUTE).await.unwrap().unwrap();
    assert_eq!(north.acquire_lease("scheduler", MINUTE).await.unwrap(), Some(first));
    assert_eq!(south.acquire_lease("scheduler", MINUTE).await.unwrap(), None);
    assert!(north.renew_lease("scheduler", first, MINUTE * 3).await.unwrap());
    database.advance(MINUTE * 2);
    assert_eq!(south.acquire_lease("scheduler", MINUTE).await.unwrap(), None);
    database.advance(MINUTE * 2);
    let second = south.acquire_lease("scheduler", MINUTE).await.unwrap().unwrap();
    assert!(second > first);
    assert!(!north.renew_lease("scheduler", first, MINUTE).await.unwrap());
    north.release_lease("scheduler", first).await.unwrap();
    assert!(south.renew_lease("scheduler", second, MINUTE).await.unwrap());
}

async fn a_lease_given_back_is_free_at_once(database: Database) {
    let north = database.open().await;
    let south = database.open_beside("south").await;
    let epoch = north.acquire_lease("scheduler", MINUTE).await.unwrap().unwrap();
    north.release_lease("scheduler", epoch).await.unwrap();
    assert!(south.acquire_lease("scheduler", MINUTE).await.unwrap().is_some());
}

async fn leases_of_a_crashed_daemon_are_free_at_its_next_start(database: Database) {
    let crashed = database.open().await;
    crashed.acquire_lease("scheduler", MINUTE).await.unwrap().unwrap();
    crashed.lock(&[left(1), right("A")], MINUTE).await.unwrap().unwrap();
    crashed.close().await;
    drop(crashed);
    let command = database.open_beside("north").await;
    let south = database.open_beside("south").await;
    command.lock(&[left(2)], MINUTE).await.unwrap().unwrap();
    south.lock(&[left(3)], MINUTE).await.unwrap().unwrap();
    let again = database.open().await;
    assert_eq!(again.acquire_lease("scheduler", MINUTE).await.unwrap(), None);
    assert_eq!(again.free_crashed_leases().await.unwrap(), 2 + 1);
    assert!(again.acquire_lease("scheduler", MINUTE).await.unwrap().is_some());
    assert!(again.lock(&[left(1), right("A")], MINUTE).await.unwrap().is_some());
    for other in [left(2), left(3)] {
        let taken = again.lock(&[other], MINUTE).await.unwrap();
        assert_eq!(
            taken, None,
            "a command beside the daemon and another node keep what they hold"
        );
    }
    assert_eq!(again.free_crashed_leases().await.unwrap(), 0);
}

async fn a_lease_for_one_task_is_refused_to_another_of_the_same_process(database: Database) {
    let store = database.open().await;
    let epoch = store.acquire_free_lease("reconcile/a", MINUTE).await.unwrap().unwrap();
    assert_eq!(store.acquire_free_lease("reconcile/a", MINUTE).await.unwrap(), None);
    store.release_lease("reconcile/a", epoch).await.unwrap();
    let next = store.acquire_free_lease("reconcile/a", MINUTE).await.unwrap();
    assert!(next.is_some_and(|next| next > epoch));
}

async fn records_are_locked_all_or_none(database: Database) {
    let north = database.open().await;
    let south = database.open_beside("south").await;
    let guard = north.lock(&[left(1), right("A")], MINUTE).await.unwrap().unwrap();
    assert_eq!(south.lock(&[right("A"), left(2)], MINUTE).await.unwrap(), None);
    let free = south.lock(&[left(2)], MINUTE).await.unwrap();
    assert!(free.is_some(), "the refused lock keeps nothing");
    let sets = [vec![left(1)], vec![left(3), right("C")], vec![right("C")]];
    let got = south.lock_sets(&sets, MINUTE).await.unwrap();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].records(), [left(3), right("C")]);
    north.unlock(&[guard]).await.unwrap();
    assert!(south.lock(&[left(1), right("A")], MINUTE).await.unwrap().is_some());
}

async fn a_lock_is_renewed_and_given_back_with_a_submission(database: Database) {
    let store = database.open().await;
    let guard = store.lock(&[left(1), right("A")], MINUTE).await.unwrap().unwrap();
    let renewed = store
        .renew_locks(std::slice::from_ref(&guard), MINUTE * 5)
        .await
        .unwrap();
    assert_eq!(renewed, [guard.epoch()]);
    database.advance(MINUTE * 2);
    assert_eq!(store.lock(&[left(1)], MINUTE).await.unwrap(), None);
    store
        .commit(vec![Op::Hold(guard.clone()), Op::Hold(guard.clone())])
        .await
        .unwrap();
    store.commit(vec![Op::Unlock(guard.clone())]).await.unwrap();
    assert!(store.commit(vec![Op::Hold(guard)]).await.is_err());
    assert!(store.lock(&[left(1)], MINUTE).await.unwrap().is_some());
}

async fn a_job_runs_once_a_local_date_among_all_nodes(database: Database) {
    let north = database.open().await;
    let south = database.open_beside("south").await;
    let date = NaiveDate::from_ymd_opt(2026, 3, 2).unwrap();
    let claims = join_all([&north, &south, &north, &south].map(|store| store.claim_job("reconcile", date))).await;
    let won = claims.into_iter().filter(|claim| *claim == Ok(true)).count();
    assert_eq!(won, 1);
    assert!(north.claim_job("reconcile", date.succ_opt().unwrap()).await.unwrap());
    assert_eq!(
        south.last_job("reconcile").await.unwrap().map(|job| job.date),
        date.succ_opt()
    );
    north.unclaim_job("reconcile", date).await.unwrap();
    assert!(south.claim_job("reconcile", date).await.unwrap());
    assert_eq!(south.last_job("other").await.unwrap(), None);
}

async fn a_job_that_was_cut_off_is_told_from_one_that_ended(database: Database) {
    let store = database.open().await;
    let date = NaiveDate::from_ymd_opt(2026, 3, 2).unwrap();
    store.claim_job("reconcile", date).await.unwrap();
    let is_ended = async || store.last_job("reconcile").await.unwrap().unwrap().is_ended;
    assert!(!is_ended().await);
    store.finish_job("reconcile", date).await.unwrap();
    assert!(is_ended().await);
    store.skip_job("reconcile", date.succ_opt().unwrap()).await.unwrap();
    assert!(is_ended().await, "nothing is run for a day that is skipped");
}

async fn a_lease_survives_no_clock_set_back_by_an_hour(database: Database) {
    let north = database.open().await;
    let south = database.open_beside("south").await;
    north.acquire_lease("scheduler", MINUTE).await.unwrap().unwrap();
    let guard = north.lock(&[left(1)], MINUTE).await.unwrap().unwrap();
    database
        .clock()
        .set(database.clock().now() - chrono::TimeDelta::hours(1));
    // To those who look at the new time, it ends in an hour: nobody was ever given that.
    assert!(south.acquire_lease("scheduler", MINUTE).await.unwrap().is_some());
    assert!(south.lock(&[left(1)], MINUTE).await.unwrap().is_some());
    assert!(north.commit(vec![Op::Unlock(guard)]).await.is_err(), "the epoch tells");
}

async fn a_quota_counts_for_all_nodes(database: Database) {
    let north = database.open().await;
    let south = database.open_beside("south").await;
    let first = north.take_quota("crm", 10, 100).await.unwrap();
    assert_eq!((first.granted, first.spent), (10, 10));
    let second = south.take_quota("crm", 5, 100).await.unwrap();
    assert_eq!((second.granted, second.spent), (5, 15));
    assert_eq!(north.quota_spent("crm").await.unwrap(), 15);
    assert_eq!(north.quota_spent("erp").await.unwrap(), 0);
    south.give_back_quota("crm", second.hour, 3).await.unwrap();
    assert_eq!(north.quota_spent("crm").await.unwrap(), 12);
}

async fn a_quota_is_never_overdrawn_by_those_who_take_at_the_same_time(database: Database) {
    let nodes = [database.open().await, database.open_beside("south").await];
    let takes = (0..60).map(|at| nodes[at % 2].take_quota("crm", 7, 100));
    let taken = join_all(takes).await;
    let granted: u64 = taken.iter().map(|taken| taken.as_ref().unwrap().granted).sum();
    assert_eq!(granted, 100);
    assert_eq!(nodes[0].quota_spent("crm").await.unwrap(), 100);
    let more = nodes[1].take_quota("crm", 7, 110).await.unwrap();
    assert_eq!(more.spent - more.granted, 100, "another limit, the same count");
}

async fn a_quota_counts_for_a_day_to_the_hour_and_forgets_what_a_wrong_clock_counted(database: Database) {
    let store = database.open().await;
    store.take_quota("crm", 4, 32).await.unwrap();
    database.advance(MINUTE * 60);
    store.take_quota("crm", 3, 32).await.unwrap();
    assert_eq!(store.take_quota("crm", 1, 7).await.unwrap().frees_in_ms, 23 * 3_600_000);
    database.advance(MINUTE * 60 * 23);
    let taken = store.take_quota("crm", 1, 32).await.unwrap();
    assert_eq!(taken.spent, 3 + 1);
    // A clock that was days ahead has counted where nobody ever comes.
    database.advance(MINUTE * 60 * 72);
    store.take_quota("crm", 2, 32).await.unwrap();
    let back = chrono::TimeDelta::hours(72);
    database.clock().set(database.clock().now() - back);
    assert_eq!(store.take_quota("crm", 1, 32).await.unwrap().spent, 1);
}

async fn a_command_sees_the_daemon_beside_it(database: Database) {
    let daemon = database.open().await;
    let beside = database.open_beside("south").await;
    let lease = daemon.acquire_lease("schedule", MINUTE).await.unwrap().unwrap();
    assert!(beside.has_daemon(&database.options().url).await.unwrap());
    daemon.release_lease("schedule", lease).await.unwrap();
    daemon.close().await;
    drop(daemon);
    assert!(!beside.has_daemon(&database.options().url).await.unwrap());
}

async fn what_a_command_left_that_is_gone_is_found_and_let_go(database: Database) {
    let daemon = database.open().await;
    let name = command_name("north");
    let command = database.open_beside(&name).await;
    start_run(&command).await;
    command.lock(&[left(1)], MINUTE * 10).await.unwrap().unwrap();
    assert!(daemon.dead_commands().await.unwrap().is_empty(), "it is at work");
    drop(command);
    database.advance(MINUTE * 2);
    assert_eq!(daemon.dead_commands().await.unwrap(), [name.as_str()]);
    assert_eq!(daemon.lock(&[left(1)], MINUTE).await.unwrap(), None);
    daemon.bury_command(&name).await.unwrap();
    assert!(daemon.lock(&[left(1)], MINUTE).await.unwrap().is_some());
}
