//! Tokens, the API's tokens, cursors and the audit trail.

use secrecy::{ExposeSecret as _, SecretString};
use syncline::{
    core::status::{Role, Side},
    store::{
        Error, Op, Page,
        api_request::{ABANDONED, Answered, ApiRequest, Begun, KEPT},
        api_token::NewApiToken,
        audit::NewAudit,
        cursor::MovedCursor,
    },
};

use super::{MINUTE, mapping};
use crate::support::{app::within, database::Database};

on_both!(
    a_token_is_replaced_only_by_who_knows_its_version,
    a_token_is_sealed_and_opens_only_in_its_own_row,
    an_api_token_is_found_by_its_hash_until_it_ends,
    a_cursor_moves_with_the_submission_that_moves_it,
    the_audit_trail_only_grows,
    an_action_with_a_key_is_answered_once_and_known_for_a_day,
    an_action_that_was_refused_or_abandoned_frees_its_key,
);

async fn a_token_is_replaced_only_by_who_knows_its_version(database: Database) {
    let north = database.open().await;
    let south = database.open_beside("south").await;
    assert!(north.load_token("crm").await.unwrap().is_none());
    let save = |store: &syncline::store::Store, text: &str, expected| {
        let (store, secret) = (store.clone(), SecretString::from(text));
        async move { store.save_token("crm", &secret, None, expected).await.unwrap() }
    };
    assert_eq!(save(&north, "first", None).await, Some(1));
    assert_eq!(save(&south, "other", None).await, None);
    assert_eq!(save(&south, "second", Some(1)).await, Some(2));
    assert_eq!(save(&north, "late", Some(1)).await, None);
    let token = north.load_token("crm").await.unwrap().unwrap();
    assert_eq!((token.secret.expose_secret(), token.version), ("second", 2));
    north.delete_token("crm").await.unwrap();
    assert!(south.load_token("crm").await.unwrap().is_none());
}

async fn a_token_is_sealed_and_opens_only_in_its_own_row(database: Database) {
    let store = database.open().await;
    let secret = SecretString::from("very-secret-token");
    let ends = database.clock().now() + MINUTE;
    store.save_token("crm", &secret, Some(ends), None).await.unwrap();
    let loaded = store.load_token("crm").await.unwrap().unwrap();
    assert_eq!(loaded.expires_at, Some(ends));
    assert!(!format!("{loaded:?}").contains("very-secret"));
    // Somebody who may write to the database moves it to a system whose requests he can read.
    database.raw("update token set system = 'mine'").await;
    let answer = store.load_token("mine").await;
    assert!(
        matches!(answer, Err(Error::Unsealed { table: "token", .. })),
        "{answer:?}"
    );
}

async fn an_api_token_is_found_by_its_hash_until_it_ends(database: Database) {
    let store = database.open().await;
    let new = NewApiToken {
        name: "ana".into(),
        hash: [7; 32],
        role: Role::Operator,
        reach: within(&["abc"]),
        expires_at: Some(database.clock().now() + MINUTE * 10),
    };
    let id = store.create_api_token(&new, |_| Vec::new()).await.unwrap();
    let found = store.api_token(&[7; 32]).await.unwrap().unwrap();
    assert_eq!(
        (found.api_token_id, found.role, &found.reach, found.last_used_at),
        (id, Role::Operator, &within(&["abc"]), None)
    );
    assert!(store.api_token(&[8; 32]).await.unwrap().is_none());
    store.touch_api_token(&found).await.unwrap();
    let touched = store.api_token(&[7; 32]).await.unwrap().unwrap();
    assert_eq!(touched.last_used_at, Some(database.clock().now()));
    database.advance(MINUTE * 10);
    assert!(store.api_token(&[7; 32]).await.unwrap().is_none(), "it has ended");
    assert!(store.revoke_api_token(id, Vec::new()).await.unwrap());
    assert!(!store.revoke_api_token(id, Vec::new()).await.unwrap());
    assert_eq!(store.api_tokens().await.unwrap().len(), 1);
}

async fn a_cursor_moves_with_the_submission_that_moves_it(database: Database) {
    let store = database.open().await;
    let moved = |value: &str| {
        Op::SetCursor(MovedCursor {
            mapping: mapping(),
            side: Side::Left,
            value: value.into(),
        })
    };
    assert_eq!(store.cursor("customer-account", Side::Left).await.unwrap(), None);
    store.commit(vec![moved("one"), moved("two")]).await.unwrap();
    let cursor = store.cursor("customer-account", Side::Left).await.unwrap().unwrap();
    assert_eq!(cursor.value, "two");
    assert_eq!(store.cursor("customer-account", Side::Right).await.unwrap(), None);
    store.reset_cursor("customer-account", Side::Left).await.unwrap();
    assert_eq!(store.cursor("customer-account", Side::Left).await.unwrap(), None);
}

async fn the_audit_trail_only_grows(database: Database) {
    let store = database.open().await;
    let entry = |subject: &str| NewAudit {
        actor: "ana".into(),
        action: "failure.reprocess".into(),
        subject: subject.into(),
        detail: Some("{\"count\":3}".into()),
    };
    store
        .commit(vec![Op::Audit(entry("run/1")), Op::Audit(entry("run/2"))])
        .await
        .unwrap();
    let trail = store.audits(Page::first(10)).await.unwrap();
    assert_eq!(trail.len(), 2);
    assert_eq!(trail[0].entry, entry("run/2"));
    assert_eq!(trail[0].at, database.clock().now());
}

const ACTION: ApiRequest<'_> = ApiRequest {
    api_token_id: 1,
    key: "k-1",
    hash: &[1; 32],
};

async fn an_action_with_a_key_is_answered_once_and_known_for_a_day(database: Database) {
    let store = database.open().await;
    assert_eq!(store.begin_api_request(ACTION).await.unwrap(), Begun::New);
    assert_eq!(store.begin_api_request(ACTION).await.unwrap(), Begun::AtWork);
    let answered = Answered {
        status: 202,
        location: Some("/api/v1/runs/1".into()),
        body: "{}".into(),
    };
    store.answer_api_request(ACTION, &answered).await.unwrap();
    store.forget_api_request(ACTION).await.unwrap();
    assert_eq!(
        store.begin_api_request(ACTION).await.unwrap(),
        Begun::Answered(answered)
    );
    let other = ApiRequest {
        hash: &[2; 32],
        ..ACTION
    };
    assert_eq!(store.begin_api_request(other).await.unwrap(), Begun::Other);
    let of_another_token = ApiRequest {
        api_token_id: 2,
        ..other
    };
    assert_eq!(store.begin_api_request(of_another_token).await.unwrap(), Begun::New);
    database.advance(KEPT + MINUTE);
    assert_eq!(store.begin_api_request(other).await.unwrap(), Begun::New);
    let pruned = store
        .prune(&syncline::store::prune::Retention::default())
        .await
        .unwrap();
    assert_eq!(pruned, 1, "the action of the other token");
}

async fn an_action_that_was_refused_or_abandoned_frees_its_key(database: Database) {
    let store = database.open().await;
    assert_eq!(store.begin_api_request(ACTION).await.unwrap(), Begun::New);
    store.forget_api_request(ACTION).await.unwrap();
    assert_eq!(store.begin_api_request(ACTION).await.unwrap(), Begun::New);
    database.advance(ABANDONED + MINUTE);
    assert_eq!(store.begin_api_request(ACTION).await.unwrap(), Begun::New);
}
