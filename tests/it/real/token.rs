//! Bad answers of a token endpoint for real: oauth2-mock-server, told by the client's id how to answer.

use std::sync::Arc;

use serde_json::json;
use syncline::client::{NoTokens, Road};

use super::system::Server;
use crate::support::{
    loopback::{Loopback, Reply},
    system::system,
};

fn connector(token_url: &str) -> String {
    format!(
        r#"
connector: mocked
settings: {{ base_url: {{ type: url }} }}
base_url: "{{{{ settings.base_url }}}}"
auth: {{ oauth2: {{ grant: client_credentials, token_url: "{token_url}", client_auth: post }} }}
objects: {{ account: {{ id: id, list: {{ get: /accounts }}, get: {{ get: "/accounts/{{{{ id }}}}" }} }} }}
"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_answer_of_a_token_endpoint_has_its_name_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_path_buf();
    let started = tokio::task::spawn_blocking(move || Server::start("oauth2-mock", &path)).await;
    let Some(provider) = started.unwrap() else { return };
    let crm = Loopback::start(|seen| {
        let has_token = seen
            .header("authorization")
            .is_some_and(|header| header.starts_with("Bearer ey"));
        if has_token {
            Reply::json(200, &json!({ "id": 7 }))
        } else {
            Reply::status(401)
        }
    })
    .await;
    let mut wrong = Vec::new();
    for (client, expected) in [
        ("good", None),
        ("no-refresh", None),
        ("ended-at-once", None),
        ("odd-lifetime", None),
        ("no-token", Some("AU007")),
        ("empty-token", Some("AU007")),
        ("a-number", Some("AU007")),
        ("a-list", Some("AU007")),
        ("a-text", Some("AU007")),
        ("refused-in-200", Some("AU004")),
        ("refused", Some("AU004")),
        ("unwell", Some("AU006")),
        ("too-many", Some("AU006")),
    ] {
        let credentials = [("client_id", client), ("client_secret", "secret")];
        let text = connector(&format!("{}/token", provider.url));
        let system = system(&text, &crm.url(), &credentials, Arc::new(NoTokens));
        let told = system.get("account", "7", Road::Manual).await.err();
        let is_told = match (&told, expected) {
            (None, None) => true,
            (Some(fault), Some(code)) => fault.code == code && fault.hint.is_some(),
            _ => false,
        };
        if !is_told {
            wrong.push(format!("{client}: {expected:?} was expected, not {told:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
