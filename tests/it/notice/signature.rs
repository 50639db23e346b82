//! Whoever checks signatures as Standard Webhooks says accepts ours: our own engine, and the published vectors.

use std::{fs, path::Path};

use chrono::DateTime;
use secrecy::SecretString;
use serde_json::Value as Json;
use syncline::core::{
    notice::signature::{Key, headers},
    problem::Problems,
    status::RunStatus,
    webhook::{Incoming, Secret, Verified, event::Definition, event::form::WebhooksForm, verify},
};

use super::{MINUTE, NEW, Node, OLD, receiver};
use crate::support::{
    database::Database,
    loopback::{Reply, Seen},
};

/// The recipe of `docs/webhook-recipes.md` for senders like us.
fn definition() -> Definition {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/webhook-recipes.md")).unwrap();
    let (_, section) = page.split_once("(`standard-webhooks-v1`)").unwrap();
    let block = section.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let mut form: Json = serde_saphyr::from_str(block).unwrap();
    let form = form["webhooks"].as_object_mut().unwrap();
    form.insert("object".into(), "account".into());
    form.insert("kind".into(), "reread".into());
    let form: WebhooksForm = serde_json::from_value(Json::Object(form.clone())).unwrap();
    let objects = std::iter::once("account").collect();
    Definition::compile(&form, "/webhooks", &objects, &mut Problems::new()).unwrap()
}

/// What a receiver with these secrets says of a request that came at `now`.
fn accepts(secrets: &[&str], seen: &Seen, now: i64) -> Result<Verified, String> {
    let definition = definition();
    let secrets: Vec<Secret> = secrets
        .iter()
        .map(|text| Secret::parse(definition.recipe(), &SecretString::from(*text)).unwrap())
        .collect();
    let headers: Vec<(&str, &[u8])> = seen
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let request = Incoming {
        method: "POST",
        url: "https://ops.example.com/hook",
        headers: &headers,
        body: &seen.body,
    };
    let now = DateTime::from_timestamp(now, 0).unwrap();
    verify(definition.recipe(), &secrets, &request, now).map_err(|rejection| format!("{rejection:?}"))
}

/// A held run as the receiver got it, with these lines in the settings of the target.
async fn sent(database: &Database, secrets: &str) -> (Node, Vec<Seen>) {
    let (receiver, target) = receiver([Reply::status(200)]).await;
    let target = target.replace(r#"secrets = [{ env = "NEW" }]"#, secrets);
    let node = Node::start(database, &target).await;
    let run_id = node.run("contact").await;
    node.store.finish_run(run_id, RunStatus::Held, None).await.unwrap();
    node.watch().await;
    node.deliver().await;
    let seen = receiver.seen();
    (node, seen)
}

#[tokio::test]
async fn our_own_engine_accepts_what_we_send_and_nothing_that_was_changed_on_the_way() {
    let database = Database::sqlite();
    let now = database.clock().now().timestamp();
    let (_node, seen) = sent(&database, r#"secrets = [{ env = "NEW" }]"#).await;
    let seen = &seen[0];
    assert!(accepts(&[NEW], seen, now).is_ok());
    assert!(accepts(&[NEW], seen, now + 299).is_ok());
    assert!(
        accepts(&[NEW], seen, now + 301).is_err(),
        "a repetition of an old request"
    );
    assert!(accepts(&[OLD], seen, now).is_err());
    for index in 0..seen.body.len() {
        let mut changed = seen.clone();
        changed.body[index] ^= 1;
        assert!(accepts(&[NEW], &changed, now).is_err(), "byte {index}");
    }
}

#[tokio::test]
async fn while_a_secret_is_replaced_a_receiver_with_either_accepts() {
    let database = Database::sqlite();
    let now = database.clock().now().timestamp();
    let both = r#"secrets = [{ env = "NEW" }, { env = "OLD", not_after = "2026-03-02T09:05:00Z" }]"#;
    let (node, seen) = sent(&database, both).await;
    assert!(accepts(&[NEW], &seen[0], now).is_ok());
    assert!(accepts(&[OLD], &seen[0], now).is_ok());
    drop(node);
    // The time of the old one is over.
    let later = Database::sqlite();
    later.advance(MINUTE * 5);
    let now = later.clock().now().timestamp();
    let (_node, seen) = sent(&later, both).await;
    assert!(accepts(&[NEW], &seen[0], now).is_ok());
    assert!(accepts(&[OLD], &seen[0], now).is_err());
}

#[tokio::test]
async fn nothing_is_sent_unsigned_when_the_time_of_every_secret_is_over() {
    let database = Database::sqlite();
    let over = r#"secrets = [{ env = "OLD", not_after = "2026-03-02T08:59:00Z" }]"#;
    let (node, seen) = sent(&database, over).await;
    assert_eq!(seen.len(), 0);
    let stats = node.store.notice_targets().await.unwrap();
    assert!(stats[0].last_error.as_deref().unwrap().contains("NT005"), "{stats:?}");
}

#[test]
fn the_published_vectors_are_signed_as_they_are_published() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/webhook_vectors.json");
    let file: Json = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut compared = 0;
    for vector in file["vectors"].as_array().unwrap() {
        if vector["scheme"] != "standard-webhooks-v1" || vector["expect"] != "valid" {
            continue;
        }
        let text = |value: &Json| value.as_str().unwrap().to_owned();
        let Ok(key) = Key::parse(&SecretString::from(text(&vector["secret"]))) else {
            continue;
        };
        let given = &vector["headers"];
        let at = DateTime::from_timestamp(text(&given["webhook-timestamp"]).parse().unwrap(), 0).unwrap();
        let body = text(&vector["body"]);
        let [_, _, (_, signature)] = headers(&[key], &text(&given["webhook-id"]), at, body.as_bytes());
        let published = text(&given["webhook-signature"]);
        assert!(published.split(' ').any(|one| one == signature), "{}", vector["id"]);
        compared += 1;
    }
    assert!(compared >= 2, "{compared} vectors");
}
