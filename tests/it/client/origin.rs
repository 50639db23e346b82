//! Credentials go to the configured origin and to no other, whatever an answer says.

use std::net::TcpListener;

use serde_json::{Value as Json, json};
use syncline::{client::Road, core::status::FailureClass};

use super::{Sample, account, ana, get, list};
use crate::support::loopback::{Loopback, Reply};

/// Every way of proving who we are, with credentials that must not travel.
fn ways() -> Vec<Sample> {
    let token_url = "{{ settings.base_url }}/token";
    let auths = [
        json!({ "basic": { "user": "svc", "password": "{{ credentials.canary }}" } }),
        json!({ "bearer": { "token": "{{ credentials.canary }}" } }),
        json!({ "api_key": { "header": "X-Api-Key", "value": "{{ credentials.canary }}" } }),
        json!({ "api_key": { "query": "key", "value": "{{ credentials.canary }}" } }),
        json!({ "oauth2": { "grant": "client_credentials", "token_url": token_url } }),
    ];
    let sample = |auth: Json| {
        Sample::new()
            .with(json!({ "auth": auth, "credentials": ["canary", "client_id", "client_secret"] }))
            .credential("canary", "canary")
            .credential("client_id", "svc")
            .credential("client_secret", "canary")
    };
    auths.into_iter().map(sample).collect()
}

/// Addresses that are not `server`, each in something: scheme, host, port, or who is named in it.
fn elsewhere(server: &Loopback, trap: &Loopback, other_host: &str) -> Vec<String> {
    let (port, trapped) = (server.address().port(), trap.address().port());
    vec![
        format!("http://127.0.0.1:{trapped}/leak"),
        format!("https://127.0.0.1:{port}/leak"),
        format!("http://localhost:{port}/leak"),
        format!("http://localhost:{trapped}/leak"),
        format!("http://{other_host}/leak"),
        format!("//127.0.0.1:{trapped}/leak"),
        format!("\\\\127.0.0.1:{trapped}\\leak"),
        format!("http://127.0.0.1:{port}@127.0.0.1:{trapped}/leak"),
        format!("http://svc:canary@127.0.0.1:{port}/leak"),
        format!("HTTP://127.0.0.1:{trapped}/leak"),
        format!("http://[::ffff:127.0.0.1]:{port}/leak"),
        "ftp://127.0.0.1/leak".to_owned(),
        "file:///leak".to_owned(),
    ]
}

#[tokio::test]
async fn no_credential_follows_a_next_page_or_a_redirect_to_another_origin() {
    let trap = Loopback::answering([Reply::json(200, &account(7))]).await;
    let mut cases = 0;
    for way in 0..ways().len() {
        for at in 0..13 {
            for means in ["next", "link", "301", "302", "303", "307", "308"] {
                cases += attempt(&trap, way, at, means).await;
            }
        }
    }
    assert!(cases >= 500, "{cases}");
    assert_eq!(trap.connects(), 0);
}

/// One way of signing in, one address, one means of leading there; how many requests were tried.
async fn attempt(trap: &Loopback, way: usize, at: usize, means: &'static str) -> usize {
    let target: std::sync::Arc<std::sync::OnceLock<String>> = std::sync::Arc::default();
    let known = std::sync::Arc::clone(&target);
    let server = Loopback::start(move |seen| {
        let url = known.get().unwrap();
        match (seen.path(), means) {
            ("/token", _) => Reply::json(200, &json!({ "access_token": "canary-token" })),
            (_, "next") => Reply::json(200, &json!({ "items": [account(1)], "next": url })),
            (_, "link") => {
                Reply::json(200, &json!({ "items": [account(1)] })).with("link", format!("<{url}>; rel=\"next\""))
            }
            (_, status) => Reply::status(status.parse().unwrap()).with("location", url.clone()),
        }
    })
    .await;
    let other = TcpListener::bind(("127.0.0.2", server.address().port()));
    let other_host = format!("127.0.0.2:{}", server.address().port());
    let url = elsewhere(&server, trap, &other_host)[at].clone();
    target.set(url.clone()).unwrap();
    let page = match means {
        "link" => json!({ "link_header": "next" }),
        _ => json!({ "next_url": "next" }),
    };
    let sample = ways().remove(way);
    let system = sample
        .with(json!({ "objects": { "account": { "list": { "page": page } } } }))
        .at(&server);
    let fault = list(&system).await.unwrap_err();
    assert_eq!(fault.class, FailureClass::Rejected, "{url} by {means}: {fault}");
    assert!(!fault.to_string().contains("canary"), "{fault}");
    let mut tried = 1;
    if !matches!(means, "next" | "link") {
        get(&system).await.unwrap_err();
        system.create("account", &ana(), "key", Road::Event).await.unwrap_err();
        tried = 3;
    }
    let leaked = server.seen().iter().any(|seen| seen.target.contains("leak"));
    assert!(!leaked, "{url} by {means}");
    if let Ok(other) = other {
        other.set_nonblocking(true).unwrap();
        assert!(other.accept().is_err(), "{url} by {means} reached another host");
    }
    tried
}

#[tokio::test]
async fn a_token_endpoint_that_leads_elsewhere_gets_no_second_request() {
    let trap = Loopback::answering([Reply::json(200, &json!({ "access_token": "a" }))]).await;
    for status in [301, 302, 303, 307, 308] {
        let server =
            Loopback::answering([Reply::status(status).with("location", format!("{}/token", trap.url()))]).await;
        let oauth2 = json!({ "grant": "client_credentials", "token_url": "{{ settings.base_url }}/token" });
        let system = Sample::new()
            .with(json!({ "auth": { "oauth2": oauth2 } }))
            .credential("client_id", "svc")
            .credential("client_secret", "canary")
            .at(&server);
        assert_eq!(get(&system).await.unwrap_err().code, "AU007");
        assert_eq!(server.seen().len(), 1);
    }
    assert_eq!(trap.connects(), 0);
}
