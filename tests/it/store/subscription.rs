//! Subscriptions to other systems' pushes, as they were last seen.

use std::time::Duration;

use syncline::{core::connector::subscription::MadeSecret, store::subscription::KeptSubscription};

use crate::support::database::{Database, start_of_test};

on_both!(
    what_is_kept_of_a_system_takes_the_place_of_what_was,
    the_secret_of_a_subscription_is_sealed_and_opens_only_in_its_place,
);

async fn what_is_kept_of_a_system_takes_the_place_of_what_was(database: Database) {
    let store = database.open().await;
    let one = |id: &str, topic: &str| KeptSubscription {
        remote_id: id.to_owned(),
        topic: topic.to_owned(),
        expires_at: (id != "2").then(|| start_of_test() + Duration::from_hours(1)),
        secret: (id == "2").then(|| MadeSecret::from("canary of a subscription".to_owned())),
    };
    let (first, second) = (one("1", "b"), one("2", "a"));
    store
        .keep_subscriptions("crm", &[first.clone(), second.clone()])
        .await
        .unwrap();
    store
        .keep_subscriptions("erp", std::slice::from_ref(&first))
        .await
        .unwrap();
    assert_eq!(
        store.subscriptions("crm").await.unwrap(),
        [second.clone(), first.clone()]
    );
    // A system that names one twice has it once.
    store
        .keep_subscriptions("crm", &[second.clone(), second.clone()])
        .await
        .unwrap();
    assert_eq!(store.subscriptions("crm").await.unwrap(), [second]);
    assert_eq!(store.subscriptions("erp").await.unwrap(), [first]);
}

async fn the_secret_of_a_subscription_is_sealed_and_opens_only_in_its_place(database: Database) {
    let store = database.open().await;
    let one = |id: &str| KeptSubscription {
        remote_id: id.to_owned(),
        topic: "a".to_owned(),
        expires_at: None,
        secret: Some(MadeSecret::from(format!("canary of {id}"))),
    };
    let both = [one("1"), one("2")];
    store.keep_subscriptions("crm", &both).await.unwrap();
    assert_eq!(store.subscriptions("crm").await.unwrap(), both);
    let hex = if database.path().is_some() {
        "hex(secret)"
    } else {
        "encode(secret, 'hex')"
    };
    let readable = hex::encode("canary");
    let plain = format!("update subscription set topic = 'readable' where lower({hex}) like '%{readable}%'");
    database.raw(plain).await;
    assert_eq!(store.subscriptions("crm").await.unwrap(), both, "no secret can be read");
    let copied = "update subscription set secret = (select s.secret from subscription as s where s.remote_id = '2') \
                  where remote_id = '1'";
    database.raw(copied.to_owned()).await;
    let secrets: Vec<_> = store
        .subscriptions("crm")
        .await
        .unwrap()
        .into_iter()
        .map(|kept| kept.secret)
        .collect();
    assert_eq!(secrets, [None, both[1].secret.clone()], "one that was moved is none");
}
