//! Credentials that are the same in every request, and sessions.

use serde_json::json;
use syncline::client::{Road, System};

use super::{Sample, get};
use crate::support::loopback::{Loopback, Reply};

fn records() -> Reply {
    Reply::json(200, &super::account(7))
}

async fn served() -> Loopback {
    Loopback::answering([records()]).await
}

#[tokio::test]
async fn without_auth_nothing_is_sent() {
    let server = served().await;
    assert!(get(&Sample::new().at(&server)).await.unwrap().is_some());
    assert_eq!(server.seen()[0].header("authorization"), None);
}

#[tokio::test]
async fn basic_sends_user_and_password_in_every_request() {
    let server = served().await;
    let system = Sample::new()
        .with(json!({
            "credentials": ["user", "password"],
            "auth": { "basic": { "user": "{{ credentials.user }}", "password": "{{ credentials.password }}" } },
        }))
        .credential("user", "ana")
        .credential("password", "p:ä")
        .at(&server);
    for _ in 0..2 {
        get(&system).await.unwrap();
    }
    for seen in server.seen() {
        assert_eq!(seen.header("authorization"), Some("Basic YW5hOnA6w6Q="));
    }
}

#[tokio::test]
async fn bearer_sends_the_fixed_token() {
    let server = served().await;
    let system = Sample::new()
        .with(json!({ "credentials": ["token"], "auth": { "bearer": { "token": "{{ credentials.token }}" } } }))
        .credential("token", "abc")
        .at(&server);
    get(&system).await.unwrap();
    assert_eq!(server.seen()[0].header("authorization"), Some("Bearer abc"));
}

fn keyed(place: &str, server: &Loopback) -> System {
    let mut key = json!({ "value": "{{ credentials.key }}" });
    key[place] = json!("X-Key");
    Sample::new()
        .with(json!({ "credentials": ["key"], "auth": { "api_key": key } }))
        .credential("key", "k&y 1")
        .at(server)
}

#[tokio::test]
async fn an_api_key_goes_into_its_header() {
    let server = served().await;
    get(&keyed("header", &server)).await.unwrap();
    assert_eq!(server.seen()[0].header("x-key"), Some("k&y 1"));
}

#[tokio::test]
async fn an_api_key_goes_into_the_query_once_even_where_the_next_link_repeats_it() {
    let server = Loopback::start(|seen| match seen.param("page") {
        None => Reply::json(
            200,
            &json!({ "items": [super::account(1)], "next": format!("{}&page=2", seen.target) }),
        ),
        Some(_) => Reply::json(200, &json!({ "items": [super::account(2)] })),
    })
    .await;
    let mut key = json!({ "credentials": ["key"], "auth": { "api_key": { "query": "X-Key", "value": "{{ credentials.key }}" } } });
    key["objects"] = json!({ "account": { "list": { "page": { "next_url": "next" } } } });
    let system = Sample::new().with(key).credential("key", "k&y 1").at(&server);
    let mut lister = system.list("account", syncline::client::Listing::default(), Road::Poll);
    let first = lister.next().await.unwrap().unwrap();
    assert_eq!(first.resume, None, "the key is not stored");
    assert!(lister.next().await.unwrap().is_some());
    for seen in server.seen() {
        assert_eq!(seen.query().matches("X-Key=").count(), 1, "{}", seen.target);
        assert_eq!(seen.param("X-Key").as_deref(), Some("k&y 1"));
    }
}

/// A system with a session: a cookie and a token of the login's answer.
fn session(server: &Loopback) -> System {
    Sample::new()
        .with(json!({
            "credentials": ["user", "password"],
            "auth": { "session": {
                "login": { "post": "/login", "body": { "user": "{{ credentials.user }}", "password": "{{ credentials.password }}" } },
                "headers": { "Cookie": "sid={{ cookies.sid }}", "X-Token": "{{ answer.token }}" },
            } },
        }))
        .credential("user", "ana")
        .credential("password", "secret-password")
        .at(server)
}

#[tokio::test]
async fn a_login_opens_a_session_that_later_requests_carry_and_a_lost_one_is_opened_again() {
    let server = Loopback::start({
        let logins = std::sync::atomic::AtomicUsize::new(0);
        move |seen| {
            if seen.path() == "/api/login" {
                let number = logins.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                let reply = Reply::json(200, &json!({ "token": format!("token-{number}") }));
                return reply.with("set-cookie", format!("sid=s{number}; HttpOnly; Path=/"));
            }
            if seen.header("x-token") == Some("token-1") && seen.method == "DELETE" {
                return Reply::status(401);
            }
            records()
        }
    })
    .await;
    let system = session(&server);
    get(&system).await.unwrap();
    system.delete("account", "7", None, "key", Road::Event).await.unwrap();
    let paths: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| format!("{} {}", seen.method, seen.path()))
        .collect();
    assert_eq!(
        paths,
        [
            "POST /api/login",
            "GET /api/accounts/7",
            "DELETE /api/accounts/7",
            "POST /api/login",
            "DELETE /api/accounts/7"
        ]
    );
    assert_eq!(server.seen()[4].header("cookie"), Some("sid=s2"));
    assert_eq!(server.seen()[4].header("x-token"), Some("token-2"));
}

#[tokio::test]
async fn a_refused_login_is_told_and_not_tried_again_at_once() {
    let server = Loopback::answering([Reply::json(401, &json!({ "message": "wrong secret-password" }))]).await;
    let system = session(&server);
    for _ in 0..5 {
        let fault = get(&system).await.unwrap_err();
        assert_eq!(fault.code, "AU001");
        assert!(!fault.to_string().contains("secret-password"), "{fault}");
    }
    assert_eq!(
        server.count("/api/login"),
        1,
        "accounts are locked by repeated attempts"
    );
}

#[tokio::test]
async fn a_login_answer_without_a_session_names_what_is_missing() {
    let server = Loopback::answering([Reply::json(200, &json!({ "token": "t" }))]).await;
    let fault = get(&session(&server)).await.unwrap_err();
    assert_eq!(fault.code, "AU005", "{fault}");
    assert_eq!(server.seen().len(), 1);
}
