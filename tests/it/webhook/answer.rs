//! Status codes that a connector sets, for senders that drop a subscription over a plain 400.

use std::collections::BTreeMap;

use serde_json::json;
use syncline::server::Hook;

use super::{definition, events, hook, push, push_raw, sign};
use crate::support::app::Setup;

/// The tests' webhooks, answered otherwise.
fn answering() -> Hook {
    let definition = definition(&json!({
        "kind": "{{ event.type }}",
        "answer": { "accepted": 202, "duplicate": 201, "rejected": 403, "malformed": 422, "busy": 429 },
    }));
    let definition = definition.unwrap_or_else(|problems| panic!("{:?}", problems.into_vec()));
    hook(definition, &BTreeMap::new())
}

#[tokio::test]
async fn every_answer_has_the_status_that_the_connector_sets() {
    let mut setup = Setup::new("");
    setup.hooks.insert("crm".to_owned(), answering());
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
