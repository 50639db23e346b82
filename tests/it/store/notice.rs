//! Notices: conditions turn once among all nodes, and what is to be sent is sent in order until it is taken or given up.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use syncline::{
    core::{
        drift::Summary,
        notice::{Letter, Standing},
        status::{DeliveryStatus, NoticeCondition, NoticeState, RunStatus},
    },
    store::{
        Page, Store,
        notice::{DueDelivery, FinishedDelivery, NewNotice, NoticeFilter, Sign, Turn},
        prune::Retention,
    },
};

use super::{MINUTE, start_run};
use crate::support::database::Database;

on_both!(
    a_condition_is_turned_by_one_of_many_nodes,
    a_notice_and_its_deliveries_are_stored_with_the_change_or_not_at_all,
    a_condition_that_only_leans_tells_nothing_and_keeps_its_time,
    a_delivery_is_claimed_by_one_node_and_again_when_the_claim_is_over,
    what_was_told_first_about_a_thing_is_sent_first,
    a_late_outcome_decides_nothing,
    what_was_given_up_is_sent_again_when_a_person_says_so,
    notices_are_filtered_and_targets_counted,
    signs_of_a_silent_node_are_forgotten,
    the_last_report_and_the_held_run_of_each_mapping_are_found,
    notices_go_when_their_time_is_over_unless_one_is_still_to_be_sent,
);

const KEPT: Duration = Duration::from_hours(72);

fn notice(store: &Store, event_id: &str, targets: &[&str]) -> NewNotice {
    let now = store.clock().now();
    NewNotice {
        event_id: event_id.to_owned(),
        occurred_at: now,
        payload: format!(r#"{{"eventId":"{event_id}"}}"#),
        letter: Letter {
            subject: event_id.to_owned(),
            body: "body".to_owned(),
        },
        targets: targets.iter().copied().map(str::to_owned).collect(),
        until: now + KEPT,
    }
}

fn turn(subject: &str, state: NoticeState, seen: Option<i64>, notice: Option<NewNotice>) -> Turn {
    Turn {
        condition: NoticeCondition::Held,
        subject: subject.to_owned(),
        standing: Standing {
            state,
            leaning_since: None,
        },
        seen,
        notice,
    }
}

/// Tells of a mapping that was well.
pub(super) async fn raise(store: &Store, subject: &str, event_id: &str, targets: &[&str]) {
    let raised = turn(
        subject,
        NoticeState::Raised,
        None,
        Some(notice(store, event_id, targets)),
    );
    assert!(store.turn_notice(&raised).await.unwrap());
}

async fn claim(store: &Store) -> Vec<DueDelivery> {
    store.claim_notices(10, MINUTE).await.unwrap()
}

fn finished(delivery: &DueDelivery, status: DeliveryStatus, store: &Store) -> FinishedDelivery {
    let failed = status != DeliveryStatus::Sent;
    FinishedDelivery {
        notice_delivery_id: delivery.notice_delivery_id,
        attempt: delivery.attempt,
        status,
        next_attempt_at: store.clock().now() + TimeDelta::minutes(5),
        last_error: failed.then(|| "[NT004] answered 503".to_owned()),
    }
}

async fn a_condition_is_turned_by_one_of_many_nodes(database: Database) {
    let north = database.open().await;
    let south = database.open_beside("south").await;
    for round in 0..4 {
        let known = north.notice_standings().await.unwrap();
        let seen = known.first().map(|known| known.version);
        let state = if round % 2 == 0 {
            NoticeState::Raised
        } else {
            NoticeState::Well
        };
        let tries = (0..8).map(|node| {
            let store = if node % 2 == 0 { &north } else { &south };
            let turn = turn(
                "contact",
                state,
                seen,
                Some(notice(store, &format!("{round}-{node}"), &["ops"])),
            );
            async move { store.turn_notice(&turn).await.unwrap() }
        });
        let turned = join_all(tries).await.into_iter().filter(|turned| *turned).count();
        assert_eq!(turned, 1, "round {round}");
    }
    let all = north.notices(&NoticeFilter::default(), Page::first(100)).await.unwrap();
    let states: Vec<_> = all.iter().rev().map(|notice| notice.state).collect();
    let alternating = [
        NoticeState::Raised,
        NoticeState::Well,
        NoticeState::Raised,
        NoticeState::Well,
    ];
    assert_eq!(states, alternating);
}

async fn a_notice_and_its_deliveries_are_stored_with_the_change_or_not_at_all(database: Database) {
    let store = database.open().await;
    raise(&store, "contact", "first", &["ops", "team"]).await;
    let stale = turn(
        "contact",
        NoticeState::Well,
        Some(7),
        Some(notice(&store, "stale", &["ops"])),
    );
    assert!(!store.turn_notice(&stale).await.unwrap());
    // An id that was given already fails the whole transaction.
    let twice = turn(
        "other",
        NoticeState::Raised,
        None,
        Some(notice(&store, "first", &["ops"])),
    );
    assert!(store.turn_notice(&twice).await.is_err());
    let standings = store.notice_standings().await.unwrap();
    assert_eq!(standings.len(), 1);
    assert_eq!(standings[0].standing.state, NoticeState::Raised);
    let all = store.notices(&NoticeFilter::default(), Page::first(10)).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(store.notice(all[0].notice_id).await.unwrap().as_ref(), Some(&all[0]));
    let deliveries = store.notice_deliveries(all[0].notice_id).await.unwrap();
    let targets: Vec<_> = deliveries.iter().map(|delivery| delivery.target.as_str()).collect();
    assert_eq!(targets, ["ops", "team"]);
}

async fn a_condition_that_only_leans_tells_nothing_and_keeps_its_time(database: Database) {
    let store = database.open().await;
    let start = store.clock().now();
    let mut leaning = turn("contact", NoticeState::Well, None, None);
    leaning.standing.leaning_since = Some(start);
    assert!(store.turn_notice(&leaning).await.unwrap());
    database.advance(MINUTE);
    let known = store.notice_standings().await.unwrap().remove(0);
    assert_eq!((known.standing.leaning_since, known.first_at), (Some(start), start));
    let raised = turn("contact", NoticeState::Raised, Some(known.version), None);
    assert!(store.turn_notice(&raised).await.unwrap());
    let known = store.notice_standings().await.unwrap().remove(0);
    assert_eq!((known.first_at, known.changed_at), (start, start + MINUTE));
    assert!(
        !store.forget_standing(&known).await.unwrap(),
        "what is raised is not forgotten"
    );
    let well = turn("contact", NoticeState::Well, Some(known.version), None);
    assert!(store.turn_notice(&well).await.unwrap());
    assert!(!store.forget_standing(&known).await.unwrap(), "it has turned since");
    let known = store.notice_standings().await.unwrap().remove(0);
    assert!(store.forget_standing(&known).await.unwrap());
    assert_eq!(store.notice_standings().await.unwrap(), []);
}

async fn a_delivery_is_claimed_by_one_node_and_again_when_the_claim_is_over(database: Database) {
    let north = database.open().await;
    let south = database.open_beside("south").await;
    for number in 0..6 {
        raise(
            &north,
            &format!("mapping-{number}"),
            &format!("event-{number}"),
            &["ops"],
        )
        .await;
    }
    let claims = join_all((0..6).map(|node| {
        let store = if node % 2 == 0 { &north } else { &south };
        async move { store.claim_notices(2, MINUTE).await.unwrap() }
    }));
    let mut ids: Vec<i64> = claims
        .await
        .into_iter()
        .flatten()
        .map(|due| due.notice_delivery_id)
        .collect();
    ids.extend(claim(&north).await.into_iter().map(|due| due.notice_delivery_id));
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((count, ids.len()), (6, 6), "each was claimed once");
    database.advance(MINUTE * 2);
    let again = claim(&south).await;
    assert_eq!(again.len(), 6);
    assert!(again.iter().all(|due| due.attempt == 2));
}

async fn what_was_told_first_about_a_thing_is_sent_first(database: Database) {
    let store = database.open().await;
    raise(&store, "contact", "raised", &["ops", "team"]).await;
    let known = store.notice_standings().await.unwrap().remove(0);
    let well = turn(
        "contact",
        NoticeState::Well,
        Some(known.version),
        Some(notice(&store, "well", &["ops", "team"])),
    );
    assert!(store.turn_notice(&well).await.unwrap());
    raise(&store, "other", "other", &["ops"]).await;
    let sent = |due: &[DueDelivery]| -> Vec<String> {
        due.iter()
            .map(|due| format!("{} to {}", due.event_id, due.target))
            .collect()
    };
    let first = claim(&store).await;
    assert_eq!(sent(&first), ["raised to ops", "raised to team", "other to ops"]);
    assert_eq!(first[0].letter.subject, "raised");
    // One target took it, the other one did not.
    store
        .finish_notice(&finished(&first[0], DeliveryStatus::Sent, &store))
        .await
        .unwrap();
    store
        .finish_notice(&finished(&first[1], DeliveryStatus::Pending, &store))
        .await
        .unwrap();
    assert_eq!(sent(&claim(&store).await), ["well to ops"]);
}

async fn a_late_outcome_decides_nothing(database: Database) {
    let store = database.open().await;
    raise(&store, "contact", "one", &["ops"]).await;
    let first = claim(&store).await.remove(0);
    database.advance(MINUTE * 2);
    let second = claim(&store).await.remove(0);
    assert!(
        !store
            .finish_notice(&finished(&first, DeliveryStatus::Dead, &store))
            .await
            .unwrap()
    );
    assert!(
        store
            .finish_notice(&finished(&second, DeliveryStatus::Sent, &store))
            .await
            .unwrap()
    );
    assert!(
        !store
            .finish_notice(&finished(&second, DeliveryStatus::Dead, &store))
            .await
            .unwrap()
    );
}

async fn what_was_given_up_is_sent_again_when_a_person_says_so(database: Database) {
    let store = database.open().await;
    raise(&store, "contact", "one", &["ops", "team"]).await;
    raise(&store, "other", "two", &["ops"]).await;
    for due in claim(&store).await {
        assert!(
            store
                .finish_notice(&finished(&due, DeliveryStatus::Dead, &store))
                .await
                .unwrap()
        );
    }
    assert_eq!(claim(&store).await, []);
    let all = store.notices(&NoticeFilter::default(), Page::first(10)).await.unwrap();
    let one = all.iter().find(|notice| notice.event_id == "one").unwrap().notice_id;
    assert_eq!(
        store
            .resend_notices(Some(one), Some("nobody"), KEPT, |_| Vec::new())
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        store
            .resend_notices(Some(one), Some("team"), KEPT, |_| Vec::new())
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        store
            .resend_notices(None, Some("ops"), KEPT, |_| Vec::new())
            .await
            .unwrap(),
        2
    );
    assert_eq!(store.resend_notices(None, None, KEPT, |_| Vec::new()).await.unwrap(), 0);
    let again = claim(&store).await;
    assert_eq!(again.len(), 3);
    assert!(
        again
            .iter()
            .all(|due| due.attempt == 1 && due.until == store.clock().now() + KEPT)
    );
}

async fn notices_are_filtered_and_targets_counted(database: Database) {
    let store = database.open().await;
    raise(&store, "contact", "one", &["ops", "team"]).await;
    raise(&store, "other", "two", &["ops"]).await;
    raise(&store, "third", "three", &[]).await;
    for due in claim(&store).await {
        let status = match (due.event_id.as_str(), due.target.as_str()) {
            ("one", "ops") => DeliveryStatus::Dead,
            ("one", _) => DeliveryStatus::Sent,
            _ => DeliveryStatus::Pending,
        };
        store.finish_notice(&finished(&due, status, &store)).await.unwrap();
    }
    let found = async |filter: NoticeFilter| -> Vec<String> {
        let found = store.notices(&filter, Page::first(10)).await.unwrap();
        found.into_iter().map(|notice| notice.event_id).collect()
    };
    let by = |delivery| NoticeFilter {
        delivery: Some(delivery),
        ..NoticeFilter::default()
    };
    assert_eq!(found(by(DeliveryStatus::Dead)).await, ["one"]);
    assert_eq!(found(by(DeliveryStatus::Sent)).await, ["one"]);
    assert_eq!(found(by(DeliveryStatus::Pending)).await, ["two"]);
    let of_other = NoticeFilter {
        condition: Some(NoticeCondition::Held),
        subject: Some("other".into()),
        delivery: None,
    };
    assert_eq!(found(of_other).await, ["two"]);
    let stats = store.notice_targets().await.unwrap();
    assert_eq!(stats.len(), 1, "`team` is owed nothing");
    let ops = &stats[0];
    assert_eq!(
        (ops.target.as_str(), ops.pending, ops.failing, ops.dead),
        ("ops", 1, 1, 1)
    );
    assert_eq!(ops.last_error.as_deref(), Some("[NT004] answered 503"));
}

async fn signs_of_a_silent_node_are_forgotten(database: Database) {
    let north = database.open().await;
    let south = database.open_beside("south").await;
    let sign = |subject: &str| Sign {
        condition: NoticeCondition::Paused,
        subject: subject.to_owned(),
        since: north.clock().now(),
        reason: Some("[AU001] not let in".to_owned()),
    };
    north
        .put_notice_signs(&[sign("contact"), sign("customer")])
        .await
        .unwrap();
    database.advance(MINUTE);
    south.put_notice_signs(&[sign("contact")]).await.unwrap();
    assert_eq!(north.notice_signs(MINUTE * 2).await.unwrap().len(), 3);
    assert_eq!(
        north.notice_signs(MINUTE).await.unwrap(),
        [sign("contact")].map(|one| Sign {
            since: one.since,
            ..one
        })
    );
    south.put_notice_signs(&[]).await.unwrap();
    assert_eq!(north.notice_signs(MINUTE * 2).await.unwrap().len(), 2);
}

async fn the_last_report_and_the_held_run_of_each_mapping_are_found(database: Database) {
    let store = database.open().await;
    assert_eq!(store.last_reports().await.unwrap(), []);
    let summary = |records| {
        serde_json::to_string(&Summary {
            left_records: records,
            ..Summary::default()
        })
        .unwrap()
    };
    let (first, second) = (start_run(&store).await, start_run(&store).await);
    store.save_drift_summary(first, "contact", &summary(1)).await.unwrap();
    store.save_drift_summary(second, "contact", &summary(2)).await.unwrap();
    let reports = store.last_reports().await.unwrap();
    assert_eq!(reports.len(), 1);
    let (mapping, report) = &reports[0];
    assert_eq!(
        (mapping.as_str(), report.run_id, report.summary.left_records),
        ("contact", second, 2)
    );
    assert_eq!(store.held_runs().await.unwrap(), []);
    store.finish_run(first, RunStatus::Held, None).await.unwrap();
    store.finish_run(second, RunStatus::Held, None).await.unwrap();
    assert_eq!(
        store.held_runs().await.unwrap(),
        [("customer-account".to_owned(), second)]
    );
}

async fn notices_go_when_their_time_is_over_unless_one_is_still_to_be_sent(database: Database) {
    let store = database.open().await;
    raise(&store, "contact", "sent", &["ops"]).await;
    raise(&store, "other", "waiting", &["ops"]).await;
    let due = claim(&store).await;
    store
        .finish_notice(&finished(&due[0], DeliveryStatus::Sent, &store))
        .await
        .unwrap();
    store
        .finish_notice(&finished(&due[1], DeliveryStatus::Pending, &store))
        .await
        .unwrap();
    let retention = Retention {
        notices: MINUTE,
        ..Retention::default()
    };
    assert_eq!(store.prune(&retention).await.unwrap(), 0);
    database.advance(MINUTE * 2);
    assert_eq!(store.prune(&retention).await.unwrap(), 1);
    let left = store.notices(&NoticeFilter::default(), Page::first(10)).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].event_id, "waiting");
    let orphans = database
        .raw_text("select cast(count(*) as text) from notice_delivery")
        .await;
    assert_eq!(orphans.as_deref(), Some("1"));
}
