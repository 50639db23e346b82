//! Subscriptions to other systems' pushes, as they were last seen.

use std::time::Duration;

use syncline::store::subscription::KeptSubscription;

use crate::support::database::{Database, start_of_test};

on_both!(what_is_kept_of_a_system_takes_the_place_of_what_was);

async fn what_is_kept_of_a_system_takes_the_place_of_what_was(database: Database) {
    let store = database.open().await;
    let one = |id: &str, topic: &str| KeptSubscription {
        remote_id: id.to_owned(),
        topic: topic.to_owned(),
        expires_at: (id != "2").then(|| start_of_test() + Duration::from_hours(1)),
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
