//! A decision, its entry in the audit and the look that it brings are stored together or not at all.

use std::time::Duration;

use syncline::{
    core::{
        fault::Fault,
        status::{FailureClass, FailureStatus, MissingDecision, RunStatus, Side, Sides, Stage},
    },
    server::{
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
        suggestion::NewSuggestion,
    },
};

use super::{MINUTE, left, mapping, start_run};
use crate::support::database::Database;

on_both!(a_decision_whose_entry_cannot_be_stored_is_not_made);

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
