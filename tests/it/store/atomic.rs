//! A decision, its entry in the audit and the look that it brings are stored together or not at all.

use std::time::Duration;

use syncline::{
    core::{
        fault::Fault,
        status::{FailureClass, FailureStatus, MissingDecision, Role, RunStatus, Side, Sides, Stage},
        tenant::Reach,
    },
    server::{
        auth,
        console::user,
        decision::{self, Outcome},
        settling::{self, Decided},
    },
    store::{
        Error, Op, Page, Store,
        audit::NewAudit,
        conflict::{NewConflict, Resolution},
        failure::NewFailure,
        ignore::NewIgnoreRule,
        link::{Agreement, NewLink},
        session::NewSession,
        suggestion::NewSuggestion,
    },
};

use super::{MINUTE, left, mapping, start_run};
use crate::support::database::Database;

on_both!(
    a_decision_whose_entry_cannot_be_stored_is_not_made,
    what_is_done_for_people_and_tokens_is_not_done_where_its_entry_cannot_be_stored,
);

const ANA: &str = "user:ana";

/// What there is to decide about.
struct Open {
    released: i64,
    discarded: i64,
    link_id: i64,
    rule: NewIgnoreRule,
    removed: i64,
}

fn rule(store: &Store) -> NewIgnoreRule {
    NewIgnoreRule {
        mapping: mapping(),
        record: None,
        field: Some("name".into()),
        situation: None,
        until: store.clock().now() + MINUTE,
        reason: "the merger".into(),
        owner: ANA.into(),
    }
}

async fn fill(store: &Store, database: &Database) -> Open {
    let held = async || {
        let run_id = start_run(store).await;
        store.finish_run(run_id, RunStatus::Held, None).await.unwrap();
        run_id
    };
    let (released, discarded) = (held().await, held().await);
    let fault = Fault::new("RQ004", FailureClass::Rejected, Stage::Write, "no".to_owned());
    let conflict = NewConflict {
        mapping: mapping(),
        left_id: "1".into(),
        right_id: "A".into(),
        field: "name".into(),
        left_value: None,
        right_value: None,
        hashes: Sides { left: 1, right: 2 },
        sensitive: false,
        run_id: None,
    };
    let link = NewLink {
        mapping: mapping(),
        left_id: "2".into(),
        right_id: "B".into(),
        agreement: Agreement::default(),
    };
    let failure = NewFailure {
        run_id: None,
        key: left(3),
        left_id: Some("3".into()),
        right_id: None,
        fault,
        status: FailureStatus::Parked,
        next_attempt_at: None,
        event_id: None,
    };
    let ops = vec![Op::Fail(failure), Op::OpenConflict(conflict), Op::PutLink(link)];
    store.commit(ops).await.unwrap();
    let link = store.link_by(&mapping(), Side::Left, "2").await.unwrap().unwrap();
    let link_id = link.link.link_id;
    let side = Side::Right;
    store.commit(vec![Op::MarkMissing { link_id, side }]).await.unwrap();
    let suggestion = |left_id: &str| NewSuggestion {
        mapping: mapping(),
        left_id: left_id.into(),
        right_id: format!("R{left_id}"),
        score: 900,
        compared: Vec::new(),
        sensitive: false,
        hashes: Sides { left: 1, right: 2 },
        run_id: released,
    };
    let suggestions = [suggestion("4"), suggestion("5")];
    store.put_suggestions(&mapping(), released, &suggestions).await.unwrap();
    super::notice::raise(store, "crm", "n-1", &["ops"]).await;
    database.raw("update notice_delivery set status = 'dead'").await;
    let rule = rule(store);
    let removed = store.add_ignore_rule(&rule, |_| Vec::new()).await.unwrap();
    Open {
        released,
        discarded,
        link_id,
        rule,
        removed,
    }
}

/// Everything that can be decided, decided: by the name of its entry, whether it was.
async fn decide(store: &Store, open: &Open) -> Vec<(&'static str, Result<bool, Error>)> {
    let made = |outcome: Result<Outcome, Error>| outcome.map(|outcome| outcome == Outcome::Made);
    let decided = |outcome: Result<Decided, Error>| outcome.map(|outcome| outcome == Decided::Made);
    let released = NewAudit {
        actor: ANA.into(),
        action: "run.release".into(),
        subject: format!("run {}", open.released),
        detail: None,
    };
    let take = (&Resolution::Take(Side::Left), None);
    let kept = Duration::from_secs(3_600);
    vec![
        ("failure.ignore", made(decision::ignore_failure(store, 1, ANA).await)),
        (
            "run.discard",
            made(decision::discard_run(store, open.discarded, ANA).await),
        ),
        (
            "run.release",
            store.release_run(open.released, ANA, vec![Op::Audit(released)]).await,
        ),
        (
            "notice.resend",
            decision::resend_notices(store, None, None, kept, ANA)
                .await
                .map(|count| count == 1),
        ),
        (
            "conflict.resolve",
            decided(settling::resolve_conflict(store, None, 1, take, ANA).await),
        ),
        (
            "delete.decide",
            decided(settling::decide_missing(store, Sides::default(), open.link_id, MissingDecision::Keep, ANA).await),
        ),
        (
            "suggestion.accept",
            decided(settling::accept_suggestion(store, 1, ANA).await),
        ),
        (
            "suggestion.reject",
            made(settling::reject_suggestion(store, 2, ANA).await),
        ),
        (
            "ignore.add",
            settling::ignore(store, &open.rule, store.clock().now())
                .await
                .map(|id| id.is_ok()),
        ),
        (
            "ignore.remove",
            made(settling::stop_ignoring(store, open.removed, ANA).await),
        ),
    ]
}

/// How everything stands that was decided about.
async fn standing(database: &Database) -> Option<String> {
    let each = [
        "select status from failure",
        "select max(status) from run",
        "select min(status) from run",
        "select status from notice_delivery",
        "select status from conflict",
        "select coalesce(missing_decision, 'none') from link",
        "select max(status) from suggestion",
        "select min(status) from suggestion",
        "select cast(count(*) as text) from ignore_rule where removed_at is null",
        "select cast(count(*) as text) from ignore_rule",
        "select cast(count(*) as text) from change",
    ];
    let each: Vec<String> = each.iter().map(|sql| format!("({sql})")).collect();
    database.raw_text(format!("select {}", each.join(" || ' ' || "))).await
}

async fn a_decision_whose_entry_cannot_be_stored_is_not_made(database: Database) {
    let store = database.open().await;
    let open = fill(&store, &database).await;
    let before = standing(&database).await;
    assert_eq!(
        before.as_deref(),
        Some("parked held held dead open none open open 1 1 0")
    );
    database.raw("alter table audit rename to audit_elsewhere").await;
    for (name, outcome) in decide(&store, &open).await {
        assert!(outcome.is_err(), "{name}: {outcome:?}");
    }
    assert_eq!(standing(&database).await, before, "nothing was decided");
    database.raw("alter table audit_elsewhere rename to audit").await;
    let decided = decide(&store, &open).await;
    for (name, outcome) in &decided {
        assert!(outcome.as_ref().unwrap(), "{name}");
    }
    let after = standing(&database).await;
    let expected = "ignored running cancelled pending resolved keep rejected accepted 1 2 4";
    assert_eq!(after.as_deref(), Some(expected), "a look for each of four pairs");
    let mut entries = store.audits(Page::first(50)).await.unwrap();
    entries.reverse();
    let told: Vec<&str> = entries.iter().map(|audit| audit.entry.action.as_str()).collect();
    let names: Vec<&str> = decided.iter().map(|(name, _)| *name).collect();
    assert_eq!(told, names);
}

/// Everything that is done for people and tokens; whether it was.
async fn look_after(store: &Store, name: &str) -> Vec<bool> {
    let told = |id: i64| {
        vec![Op::Audit(NewAudit {
            actor: ANA.into(),
            action: "token.create".into(),
            subject: format!("token/{id}"),
            detail: None,
        })]
    };
    let abc = Reach::Tenants(["abc".parse().unwrap()].into());
    let now = store.clock().now();
    let known = store.user("bia").await.unwrap().unwrap().console_user_id;
    let session = NewSession {
        hash: &[7; 32],
        console_user_id: known,
        ends_at: now + MINUTE,
    };
    vec![
        user::add(store, name, Role::Viewer, ANA).await.is_ok(),
        user::limit(store, "bia", &abc, ANA).await.is_ok(),
        user::set_password(store, "bia", "correct horse battery".into(), ANA)
            .await
            .is_ok(),
        store
            .set_user_link(known, &[1; 32], now + MINUTE, told(0))
            .await
            .is_ok(),
        matches!(store.redeem_user_link(&[1; 32], "hash", |_| told(0)).await, Ok(Some(_))),
        store
            .set_user_rights(known, Role::Admin, &Reach::House, told(0))
            .await
            .is_ok(),
        store.begin_session(session, told(0)).await.is_ok(),
        auth::issue_within(store, name, (Role::Viewer, &Reach::House), None, told)
            .await
            .is_ok(),
        store.revoke_api_token(1, told(1)).await.is_ok(),
        user::remove(store, "caio", ANA).await.is_ok(),
    ]
}

async fn what_is_done_for_people_and_tokens_is_not_done_where_its_entry_cannot_be_stored(database: Database) {
    let store = database.open().await;
    for name in ["bia", "caio"] {
        user::add(&store, name, Role::Viewer, "start").await.unwrap();
    }
    auth::issue(&store, "ops", Role::Viewer, None).await.unwrap();
    let standing = async || {
        let bia = "select role || coalesce(tenants, '-') || coalesce(password, '-') || \
             case when link_hash is null then '-' else '+' end from console_user where name = 'bia'";
        let people = "select cast(count(*) as text) from console_user";
        let tokens = "select cast(count(*) as text) || '/' || cast(count(revoked_at) as text) from api_token";
        let sessions = "select cast(count(*) as text) from session";
        database
            .raw_text(format!(
                "select ({bia}) || ' ' || ({people}) || ' ' || ({tokens}) || ' ' || ({sessions})"
            ))
            .await
    };
    let before = standing().await;
    database.raw("alter table audit rename to audit_elsewhere").await;
    for (index, is_done) in look_after(&store, "davi").await.into_iter().enumerate() {
        assert!(!is_done, "{index}");
    }
    assert_eq!(standing().await, before, "nothing was done");
    database.raw("alter table audit_elsewhere rename to audit").await;
    let done = look_after(&store, "davi").await;
    assert!(done.iter().all(|is_done| *is_done), "{done:?}");
    let entries = store.audits(Page::first(50)).await.unwrap();
    assert_eq!(entries.len(), 2 + done.len(), "each with its entry");
}
