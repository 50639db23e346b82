//! Status codes that a connector sets, for senders that drop a subscription over a plain 400.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;
use syncline::{
    core::{
        problem::Problems,
        value::Value,
        webhook::{
            Secret,
            event::{Definition, form::WebhooksForm},
        },
    },
    server::Hook,
};

use super::{events, push, push_raw, sign};
use crate::support::app::Setup;

/// The tests' webhooks, answered otherwise.
fn hook() -> Hook {
    let form: WebhooksForm = serde_json::from_value(json!({
        "verify": { "hmac": "sha256", "header": "X-Signature" },
        "events": "{{ body.events }}",
        "id": "{{ event.id }}",
        "object": "{{ event.entity }}",
        "record_id": "{{ event.record }}",
        "kind": "{{ event.type }}",
        "answer": { "accepted": 202, "duplicate": 201, "rejected": 403, "malformed": 422, "busy": 429 },
    }))
    .unwrap();
    let mut problems = Problems::new();
    let objects = std::iter::once("account").collect();
    let definition = Definition::compile(&form, "/webhooks", &objects, &mut problems)
        .unwrap_or_else(|| panic!("{:?}", problems.into_vec()));
    let secret = Secret::parse(definition.recipe(), &"canary-hook-secret".into()).unwrap();
    let settings = Arc::new(Value::Null);
    Hook::new("crm", Arc::new(definition), vec![secret], settings, &BTreeMap::new())
}

#[tokio::test]
async fn every_answer_has_the_status_that_the_connector_sets() {
    let mut setup = Setup::new("");
    setup.hooks.insert("crm".to_owned(), hook());
    let app = setup.start().await;
    assert_eq!(push(&app, &events(1)).await.status, 202);
    assert_eq!(push(&app, &events(1)).await.status, 201, "a duplicate");
    assert_eq!(push_raw(&app, b"{}", "00", &[]).await.status, 403, "not signed");
    let page = b"<html>";
    let malformed = push_raw(&app, page, &sign("canary-hook-secret", page), &[]).await;
    assert_eq!(malformed.status, 422, "{}", malformed.text());
    app.app.stop();
    let busy = push(&app, &events(2)).await;
    assert_eq!((busy.status, busy.header("retry-after")), (429, Some("5")));
}
