//! People at the console and their sessions.

use std::time::Duration;

use syncline::{
    core::{status::Role, tenant::Reach},
    store::{Error, prune::Retention, session::NewSession},
};

use super::MINUTE;
use crate::support::{app::within, database::Database};

on_both!(
    a_person_has_one_name_and_a_password_that_only_checks_see,
    a_link_is_used_once_and_ends_every_session,
    a_session_lives_until_its_end_its_rest_or_its_person_goes,
    sessions_that_have_ended_are_pruned,
    a_person_of_a_provider_is_known_by_their_subject_and_takes_nobodys_name,
    a_session_sees_as_far_as_its_person_may_now,
);

const HOUR: Duration = Duration::from_hours(1);

async fn a_person_has_one_name_and_a_password_that_only_checks_see(database: Database) {
    let store = database.open().await;
    let id = store
        .add_user("ana", Role::Analyst, &Reach::House, Vec::new())
        .await
        .unwrap();
    let twice = store.add_user("ana", Role::Admin, &Reach::House, Vec::new()).await;
    assert!(matches!(twice, Err(Error::Conflict { .. })), "{twice:?}");
    let ana = store.user("ana").await.unwrap().unwrap();
    assert_eq!(
        (ana.console_user_id, ana.role, ana.has_password),
        (id, Role::Analyst, false)
    );
    assert_eq!(store.user_password(id).await.unwrap(), None);
    store.set_user_password(id, "$argon2id$x", Vec::new()).await.unwrap();
    assert_eq!(store.user_password(id).await.unwrap().as_deref(), Some("$argon2id$x"));
    store
        .add_user("bia", Role::Viewer, &Reach::House, Vec::new())
        .await
        .unwrap();
    let everybody = store.users().await.unwrap();
    let names: Vec<_> = everybody
        .iter()
        .map(|user| (user.name.as_str(), user.has_password))
        .collect();
    assert_eq!(names, [("ana", true), ("bia", false)]);
    assert!(!format!("{everybody:?}").contains("argon2id"));
    assert!(store.remove_user("ana", Vec::new()).await.unwrap());
    assert!(!store.remove_user("ana", Vec::new()).await.unwrap());
    assert!(store.user("ana").await.unwrap().is_none());
}

async fn a_link_is_used_once_and_ends_every_session(database: Database) {
    let store = database.open().await;
    let id = store
        .add_user("ana", Role::Viewer, &Reach::House, Vec::new())
        .await
        .unwrap();
    let until = database.clock().now() + MINUTE;
    store.set_user_link(id, &[1; 32], until, Vec::new()).await.unwrap();
    store.set_user_link(id, &[2; 32], until, Vec::new()).await.unwrap();
    assert!(
        store.user_by_link(&[1; 32]).await.unwrap().is_none(),
        "the second took its place"
    );
    assert_eq!(
        store.user_by_link(&[2; 32]).await.unwrap().unwrap().link_until,
        Some(until)
    );
    begin(&store, id, [9; 32], until).await;
    assert!(
        store
            .redeem_user_link(&[1; 32], "x", |_| Vec::new())
            .await
            .unwrap()
            .is_none()
    );
    let ana = store
        .redeem_user_link(&[2; 32], "hash", |_| Vec::new())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ana.name, "ana");
    assert!(
        store
            .redeem_user_link(&[2; 32], "other", |_| Vec::new())
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(store.user_password(id).await.unwrap().as_deref(), Some("hash"));
    assert!(store.session(&[9; 32], HOUR).await.unwrap().is_none());

    store.set_user_link(id, &[3; 32], until, Vec::new()).await.unwrap();
    database.clock().set(until);
    assert!(
        store
            .redeem_user_link(&[3; 32], "late", |_| Vec::new())
            .await
            .unwrap()
            .is_none(),
        "it has ended"
    );
}

async fn begin(store: &syncline::store::Store, id: i64, hash: [u8; 32], ends_at: chrono::DateTime<chrono::Utc>) {
    let session = NewSession {
        hash: &hash,
        console_user_id: id,
        ends_at,
    };
    store.begin_session(session, Vec::new()).await.unwrap();
}

async fn a_session_lives_until_its_end_its_rest_or_its_person_goes(database: Database) {
    let store = database.open().await;
    let clock = database.clock();
    let start = clock.now();
    let id = store
        .add_user("ana", Role::Operator, &Reach::House, Vec::new())
        .await
        .unwrap();
    begin(&store, id, [1; 32], start + HOUR * 3).await;
    assert_eq!(store.user("ana").await.unwrap().unwrap().signed_in_at, Some(start));
    let session = store.session(&[1; 32], HOUR).await.unwrap().unwrap();
    assert_eq!(
        (session.name.as_str(), session.role, session.seen_at),
        ("ana", Role::Operator, start)
    );
    clock.set(start + MINUTE * 59);
    store.touch_session(&[1; 32], &session).await.unwrap();
    clock.set(start + MINUTE * 100);
    let used = store.session(&[1; 32], HOUR).await.unwrap().unwrap();
    assert_eq!(used.seen_at, start + MINUTE * 59);
    clock.set(start + MINUTE * 120);
    assert!(
        store.session(&[1; 32], HOUR).await.unwrap().is_none(),
        "it rests for too long"
    );
    assert!(store.session(&[1; 32], HOUR * 9).await.unwrap().is_some());
    clock.set(start + HOUR * 3);
    assert!(
        store.session(&[1; 32], HOUR * 9).await.unwrap().is_none(),
        "it has ended"
    );

    let end = clock.now() + HOUR;
    begin(&store, id, [2; 32], end).await;
    begin(&store, id, [3; 32], end).await;
    begin(&store, id, [4; 32], end).await;
    assert!(store.end_session(&[2; 32]).await.unwrap());
    assert!(!store.end_session(&[2; 32]).await.unwrap());
    assert!(store.session(&[3; 32], HOUR).await.unwrap().is_some());
    store.end_sessions_of(id).await.unwrap();
    assert!(store.session(&[3; 32], HOUR).await.unwrap().is_none());
    begin(&store, id, [5; 32], end).await;
    store.remove_user("ana", Vec::new()).await.unwrap();
    assert!(store.session(&[5; 32], HOUR).await.unwrap().is_none());
}

async fn sessions_that_have_ended_are_pruned(database: Database) {
    let store = database.open().await;
    let now = database.clock().now();
    let id = store
        .add_user("ana", Role::Viewer, &Reach::House, Vec::new())
        .await
        .unwrap();
    begin(&store, id, [1; 32], now + MINUTE).await;
    begin(&store, id, [2; 32], now + HOUR).await;
    database.clock().set(now + MINUTE * 2);
    assert_eq!(store.prune(&Retention::default()).await.unwrap(), 1);
    assert!(store.session(&[2; 32], HOUR).await.unwrap().is_some());
}

async fn a_person_of_a_provider_is_known_by_their_subject_and_takes_nobodys_name(database: Database) {
    let store = database.open().await;
    store
        .add_user("ana", Role::Viewer, &Reach::House, Vec::new())
        .await
        .unwrap();
    let taken = store
        .add_user_of("https://id.example 1", "ana", (Role::Admin, &Reach::House), Vec::new())
        .await;
    assert!(matches!(taken, Err(Error::Conflict { .. })), "{taken:?}");
    let id = store
        .add_user_of(
            "https://id.example 1",
            "ana.b",
            (Role::Viewer, &Reach::House),
            Vec::new(),
        )
        .await
        .unwrap();
    let twice = store
        .add_user_of(
            "https://id.example 1",
            "other",
            (Role::Admin, &Reach::House),
            Vec::new(),
        )
        .await;
    assert!(matches!(twice, Err(Error::Conflict { .. })), "{twice:?}");
    store
        .set_user_rights(id, Role::Operator, &within(&["abc"]), Vec::new())
        .await
        .unwrap();
    let found = store.user_of("https://id.example 1").await.unwrap().unwrap();
    assert_eq!(
        (found.name.as_str(), found.role, found.reach, found.has_password),
        ("ana.b", Role::Operator, within(&["abc"]), false)
    );
    assert!(store.user_of("https://id.example 2").await.unwrap().is_none());
}

async fn a_session_sees_as_far_as_its_person_may_now(database: Database) {
    let store = database.open().await;
    let end = database.clock().now() + HOUR;
    let id = store
        .add_user("ana", Role::Admin, &within(&["abc"]), Vec::new())
        .await
        .unwrap();
    begin(&store, id, [1; 32], end).await;
    let seen = || async { store.session(&[1; 32], HOUR).await.unwrap().unwrap() };
    assert_eq!(
        (seen().await.reach, seen().await.is_of_provider),
        (within(&["abc"]), false)
    );
    for reach in [within(&["abc", "abcdef"]), within(&[]), Reach::House] {
        store.set_user_reach(id, &reach, Vec::new()).await.unwrap();
        assert_eq!(seen().await.reach, reach);
        assert_eq!(store.user("ana").await.unwrap().unwrap().reach, reach);
    }
    // Somebody has changed it by hand: it is no freedom.
    database.raw("update console_user set tenants = '*'").await;
    assert!(matches!(store.session(&[1; 32], HOUR).await, Err(Error::Value { .. })));
}
