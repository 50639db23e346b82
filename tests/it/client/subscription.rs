//! Subscriptions to pushes, asked for and kept in order through real requests.

use std::time::Duration;

use serde_json::json;
use syncline::{
    client::{Callback, System},
    core::connector::subscription::Step,
    store::Store,
    worker::subscription::{Error, Tended, look, tend},
};

use super::Sample;
use crate::support::{
    database::{Database, start_of_test},
    hooks::{self, Hooks},
    loopback::{Loopback, Reply},
};

const URL: &str = "https://sync.example/webhooks/crm";

fn callback() -> Callback {
    Callback {
        url: URL.to_owned(),
        secret: Some("canary of the hook".into()),
    }
}

fn sample(more: serde_json::Value) -> Sample {
    Sample::new()
        .with(json!({ "base_url": "{{ settings.base_url }}", "webhooks": hooks::form() }))
        .with(more)
}

async fn tended(store: &Store, system: &System) -> Tended {
    tend(store, system, &callback(), |object| object == "account")
        .await
        .unwrap()
}

#[tokio::test]
async fn each_topic_is_there_once_after_every_disorder_and_others_are_left_alone() {
    let (hooks, database) = (Hooks::default(), Database::sqlite());
    let (server, store) = (hooks.start().await, database.open().await);
    let sample = sample(json!({}));
    let clock = sample.clock.clone();
    let system = sample.at(&server);
    hooks.add(json!({ "url": "https://other.example", "topic": "account.updated" }));
    assert_eq!(tended(&store, &system).await.done.len(), 2);
    assert_eq!(hooks.all()[1]["secret"], "canary of the hook");
    assert_eq!(hooks.all()[1]["ends"], "2026-03-05T09:00:00Z");
    assert_eq!(
        tended(&store, &system).await.done.len(),
        0,
        "a second time there is nothing to do"
    );
    // Doubled, on the second page too; switched off; of a topic that nobody wants.
    for topic in ["account.updated", "account.updated", "invoice.paid"] {
        hooks.add(json!({ "url": URL, "topic": topic, "ends": "2026-03-04T09:00:00Z" }));
    }
    hooks.change(|hook| {
        if hook["topic"] == "account.created" {
            hook["off"] = json!(true);
        }
    });
    let after = tended(&store, &system).await;
    assert_eq!(after.done.len(), 5, "{:?}", after.done);
    let topics: Vec<String> = hooks
        .all()
        .iter()
        .map(|hook| hook["topic"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        topics,
        ["account.updated", "account.updated", "account.created"],
        "the first is somebody else's"
    );
    // A third of three days before the end.
    clock.set(start_of_test() + Duration::from_hours(50));
    let renewed = tended(&store, &system).await;
    assert!(renewed.done.iter().all(|(_, done)| done.is_ok()) && renewed.done.len() == 2);
    assert_eq!(hooks.all()[1]["ends"], "2026-03-07T11:00:00Z");
    let none = tend(&store, &system, &callback(), |_| false).await.unwrap();
    assert_eq!((none.done.len(), none.ours.len(), none.others), (2, 0, 1));
    assert_eq!(hooks.all().len(), 1);
    assert_eq!(store.subscriptions("crm").await.unwrap(), []);
}

#[tokio::test]
async fn where_a_system_has_no_list_what_was_made_is_remembered() {
    let (hooks, database) = (Hooks::default(), Database::sqlite());
    let (server, store) = (hooks.start().await, database.open().await);
    let without = json!({ "webhooks": { "subscriptions": { "list": null } } });
    let system = sample(without.clone()).at(&server);
    assert_eq!(tended(&store, &system).await.done.len(), 2);
    let restarted = sample(without).at(&server);
    assert_eq!(tended(&store, &restarted).await.done.len(), 0);
    assert_eq!(look(&store, &restarted, &callback()).await.unwrap().ours.len(), 2);
    assert_eq!(hooks.all().len(), 2);
}

#[tokio::test]
async fn what_a_system_refuses_is_told_and_nothing_is_done_that_could_double() {
    let database = Database::sqlite();
    let store = database.open().await;
    let listed = |hooks: serde_json::Value| Reply::json(200, &json!({ "data": hooks, "next": null }));
    let server = Loopback::answering([
        listed(json!([])),
        Reply::json(403, &json!({ "message": "canary of the hook" })),
    ])
    .await;
    let refused = tended(&store, &sample(json!({})).at(&server)).await;
    let fault = refused.done[0].1.as_ref().unwrap_err();
    assert_eq!(fault.code, "AU002");
    assert!(!fault.to_string().contains("canary"), "{fault}");
    for reply in [
        listed(json!([{ "url": URL, "topic": "account.updated" }])),
        Reply::json(200, &json!({})),
        Reply::html(200),
    ] {
        let server = Loopback::answering([reply]).await;
        let system = sample(json!({})).at(&server);
        let error = tend(&store, &system, &callback(), |_| true).await.unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. } | Error::System(_)), "{error}");
        assert_eq!(server.seen().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_subscription_that_was_made_without_showing_its_id_is_told_with_the_place_of_the_id() {
    let database = Database::sqlite();
    let store = database.open().await;
    let none = Reply::json(200, &json!({ "data": [], "next": null }));
    let server = Loopback::answering([none, Reply::json(201, &json!({ "ok": true }))]).await;
    let made = tended(&store, &sample(json!({})).at(&server)).await;
    let fault = made.done[0].1.as_ref().unwrap_err();
    assert_eq!(fault.code, "RQ032");
    assert!(
        fault
            .message
            .contains("the subscription was made, but its id is not at `"),
        "{fault}"
    );
}

/// The system makes a secret for each, and shows it when it is made.
fn making() -> serde_json::Value {
    json!({ "webhooks": { "subscriptions": { "secret": "{{ subscription.key }}" } } })
}

#[tokio::test]
async fn a_secret_that_a_system_makes_is_kept_and_one_that_nobody_knows_is_made_anew() {
    let (hooks, database) = (Hooks::default(), Database::sqlite());
    hooks.make_keys();
    let (server, store) = (hooks.start().await, database.open().await);
    let system = sample(making()).at(&server);
    // Made before its secret was kept.
    hooks.add(json!({ "url": URL, "topic": "account.updated", "ends": "2026-03-05T09:00:00Z" }));
    let first = tended(&store, &system).await;
    let done: Vec<&str> = first
        .done
        .iter()
        .map(|(step, done)| {
            assert!(done.is_ok(), "{done:?}");
            match step {
                Step::Delete(_, reason) => reason.as_str(),
                Step::Create(topic) => topic,
                Step::Renew(_) => "renewed",
            }
        })
        .collect();
    assert_eq!(done, ["secretless", "account.updated", "account.created"]);
    let secrets = async || {
        let kept = store.subscriptions("crm").await.unwrap().into_iter();
        kept.map(|kept| kept.secret.unwrap()).collect::<Vec<_>>()
    };
    let made = secrets().await;
    assert_eq!(made.len(), 2);
    assert_ne!(made[0], made[1]);
    assert!(!format!("{made:?}").contains("canary"), "{made:?}");
    // The list does not show them: what is kept stays, also through a renewal.
    assert_eq!(tended(&store, &system).await.done.len(), 0);
    assert_eq!(secrets().await, made);
    let restarted = sample(making());
    restarted.clock.set(start_of_test() + Duration::from_hours(50));
    assert_eq!(tended(&store, &restarted.at(&server)).await.done.len(), 2, "renewed");
    assert_eq!(secrets().await, made);
}

#[tokio::test]
async fn a_subscription_that_was_made_without_showing_its_secret_is_told() {
    let (hooks, database) = (Hooks::default(), Database::sqlite());
    let (server, store) = (hooks.start().await, database.open().await);
    let made = tended(&store, &sample(making()).at(&server)).await;
    let fault = made.done[0].1.as_ref().unwrap_err();
    assert_eq!(fault.code, "RQ032");
    assert!(fault.message.contains("`secret:`"), "{fault}");
}
