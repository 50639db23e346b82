//! OAuth 2.0 client credentials: one sign-in for all, renewal, and token endpoints that say odd things.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value as Json, json};
use syncline::{
    client::{Kept, Pending, Saved, System, Token, TokenStore},
    core::status::FailureClass,
};

use super::{Sample, get};
use crate::support::loopback::{Loopback, Reply, Seen};

const SECRET: &str = "canary+secret/1";

fn sample() -> Sample {
    Sample::new()
        .with(json!({ "auth": { "oauth2": {
            "grant": "client_credentials", "token_url": "{{ settings.base_url }}/token", "scopes": ["read", "write"],
        } } }))
        .credential("client_id", "svc odd:1")
        .credential("client_secret", SECRET)
}

/// A server that knows only the newest token it gave.
async fn issuer() -> Loopback {
    let issued = Arc::new(AtomicUsize::new(0));
    Loopback::start(move |seen| answer(seen, &issued)).await
}

fn answer(seen: &Seen, issued: &AtomicUsize) -> Reply {
    if seen.path() == "/token" {
        let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
        return Reply::json(
            200,
            &json!({ "access_token": format!("token-{number}"), "token_type": "Bearer", "expires_in": 60 }),
        );
    }
    if seen.path() == "/revoke" {
        issued.fetch_add(1, Ordering::SeqCst);
        return Reply::status(204);
    }
    let newest = format!("Bearer token-{}", issued.load(Ordering::SeqCst));
    if seen.header("authorization") == Some(&newest) {
        Reply::json(200, &super::account(7))
    } else {
        Reply::json(401, &json!({ "error": "invalid_token" }))
            .with("www-authenticate", "Bearer error=\"invalid_token\"")
    }
}

#[tokio::test]
async fn the_client_proves_itself_by_basic_or_in_the_form() {
    for way in ["basic", "post"] {
        let server = issuer().await;
        let system = sample()
            .with(json!({ "auth": { "oauth2": { "client_auth": way } } }))
            .at(&server);
        get(&system).await.unwrap();
        let token = server.seen()[0].clone();
        assert_eq!((token.method.as_str(), token.path()), ("POST", "/token"));
        let form = token.form();
        assert_eq!(form["grant_type"], "client_credentials");
        assert_eq!(form["scope"], "read write");
        if way == "basic" {
            // RFC 6749, section 2.3.1: both are form-encoded first.
            assert_eq!(
                token.header("authorization"),
                Some("Basic c3ZjK29kZCUzQTE6Y2FuYXJ5JTJCc2VjcmV0JTJGMQ==")
            );
            assert!(!form.contains_key("client_secret"));
        } else {
            assert_eq!(token.header("authorization"), None);
            assert_eq!(
                (form["client_id"].as_str(), form["client_secret"].as_str()),
                ("svc odd:1", SECRET)
            );
        }
    }
}

#[tokio::test]
async fn a_token_is_used_until_it_nears_its_end_and_then_renewed() {
    let server = issuer().await;
    let sample = sample();
    let clock = sample.clock.clone();
    let system = sample.at(&server);
    for (seconds, tokens) in [(0, 1), (42, 1), (54, 2)] {
        clock.set(crate::support::database::start_of_test() + Duration::from_secs(seconds));
        get(&system).await.unwrap();
        assert_eq!(server.count("/token"), tokens, "after {seconds} s of 60");
    }
}

#[tokio::test]
async fn many_tasks_whose_token_is_refused_share_one_sign_in_and_each_tries_once_more() {
    let server = issuer().await;
    let system = sample().limited(json!({ "concurrency": 32 })).at(&server);
    get(&system).await.unwrap();
    crate::support::http::send(&server.address().to_string(), "POST", "/revoke", &[], b"").await;
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let system = system.clone();
            tokio::spawn(async move { get(&system).await })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().unwrap().is_some());
    }
    assert_eq!(server.count("/token"), 2, "the first sign-in, and one more for all");
    assert!(
        server.count("/api/accounts/7") <= 1 + 2 * 32,
        "no task tries a third time"
    );
}

#[tokio::test]
async fn a_token_that_is_never_accepted_is_renewed_once_and_then_told() {
    let server = Loopback::start(|seen| match seen.path() {
        "/token" => Reply::json(200, &json!({ "access_token": "abc", "token_type": "bearer" })),
        _ => Reply::status(401),
    })
    .await;
    let fault = get(&sample().at(&server)).await.unwrap_err();
    assert_eq!(
        (fault.code, fault.class, fault.status),
        ("AU001", FailureClass::Auth, Some(401))
    );
    assert_eq!((server.count("/token"), server.count("/api/accounts/7")), (2, 2));
}

#[tokio::test]
async fn many_tasks_share_one_refused_sign_in() {
    let server = Loopback::answering([Reply::json(401, &json!({ "error": "invalid_client" }))]).await;
    let system = sample().at(&server);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let system = system.clone();
            tokio::spawn(async move { get(&system).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap_err().code, "AU004");
    }
    assert_eq!(server.seen().len(), 1);
}

/// What a token endpoint says, and what comes of it: a code, or a token that is used.
async fn told(reply: Reply) -> Result<usize, (&'static str, FailureClass, String)> {
    let server = Loopback::start(move |seen| match seen.path() {
        "/token" => reply.clone(),
        _ => Reply::json(200, &super::account(7)),
    })
    .await;
    let system = sample()
        .limited(json!({ "timeout": "300ms", "idle_timeout": "200ms" }))
        .at(&server);
    for _ in 0..3 {
        match get(&system).await {
            Ok(_) => {}
            Err(fault) => {
                let text = format!("{fault} {:?} {:?}", fault.hint, fault);
                return Err((fault.code, fault.class, text));
            }
        }
    }
    Ok(server.count("/token"))
}

#[tokio::test]
async fn every_odd_lifetime_gives_a_token_that_is_used_until_it_is_refused() {
    for life in [
        json!(0),
        json!(-1),
        json!("60"),
        json!(1e18),
        json!(null),
        json!("soon"),
        json!([]),
        json!(1e300),
    ] {
        let token = json!({ "access_token": "abc", "token_type": "Bearer", "expires_in": life });
        assert_eq!(told(Reply::json(200, &token)).await, Ok(1), "{token}");
    }
    for token in [
        json!({ "access_token": "abc" }),
        json!({ "access_token": "abc", "token_type": "bearer", "scope": ["read"] }),
    ] {
        assert_eq!(told(Reply::json(200, &token)).await, Ok(1), "{token}");
    }
    let plain = Reply::new(200, "text/plain", r#"{"access_token":"abc","token_type":"bearer"}"#);
    assert_eq!(told(plain).await, Ok(1), "the content type is not believed");
}

#[tokio::test]
async fn every_answer_without_a_token_is_told_and_none_of_it_holds_the_secret() {
    let echo = |status| {
        Reply::json(
            status,
            &json!({ "error": "invalid_grant", "error_description": format!("bad {SECRET}") }),
        )
    };
    for (reply, code, class) in [
        (echo(400), "AU004", FailureClass::Auth),
        (echo(401), "AU004", FailureClass::Auth),
        (echo(200), "AU004", FailureClass::Auth),
        (Reply::html(200), "AU007", FailureClass::Auth),
        (Reply::html(404), "AU007", FailureClass::Auth),
        (Reply::status(200), "AU007", FailureClass::Auth),
        (
            Reply::new(200, "application/json", r#"{"access_token":"#),
            "AU007",
            FailureClass::Auth,
        ),
        (
            Reply::new(200, "application/json", "[".repeat(100_000)),
            "AU007",
            FailureClass::Auth,
        ),
        (
            Reply::json(200, &json!({ "access_token": "a\r\nX-Evil: 1" })),
            "AU007",
            FailureClass::Auth,
        ),
        (
            Reply::json(200, &json!({ "access_token": "" })),
            "AU007",
            FailureClass::Auth,
        ),
        (
            Reply::json(302, &json!({})).with("location", "http://127.0.0.1:1/"),
            "AU007",
            FailureClass::Auth,
        ),
        (Reply::html(500), "AU006", FailureClass::Transient),
        (
            Reply::json(503, &json!({})).with("retry-after", "3600"),
            "AU006",
            FailureClass::Transient,
        ),
        (
            Reply::status(429).with("retry-after", "3600"),
            "AU006",
            FailureClass::Transient,
        ),
        (Reply::hang_up(), "RQ006", FailureClass::Transient),
        (Reply::silence(), "RQ005", FailureClass::Transient),
        (Reply::json(200, &json!({})).cut(), "RQ006", FailureClass::Transient),
    ] {
        let about = format!("{reply:?}");
        let (got, got_class, text) = told(reply).await.unwrap_err();
        assert_eq!((got, got_class), (code, class), "{about}: {text}");
        assert!(!text.contains(SECRET) && !text.contains("secret%2F"), "{text}");
    }
}

#[tokio::test]
async fn sign_in_requests_count_and_a_rest_the_endpoint_asks_for_holds_for_the_system() {
    let server = Loopback::answering([Reply::status(429).with("retry-after", "3600")]).await;
    let system = sample().at(&server);
    let fault = get(&system).await.unwrap_err();
    assert!(fault.retry_after >= Some(Duration::from_secs(3_600)), "{fault:?}");
    let usage = system.usage();
    assert_eq!((usage.requests, usage.throttled), (1, 1));
    assert!(usage.paused_for.is_some());
}

/// A store that several systems share, as several processes share a database.
#[derive(Default)]
pub struct Shelf(Mutex<Option<Kept>>);

impl TokenStore for Shelf {
    fn load<'a>(&'a self, _: &'a str) -> Pending<'a, Option<Kept>> {
        Box::pin(async move { self.0.lock().unwrap().clone() })
    }

    fn save<'a>(&'a self, _: &'a str, token: &'a Token, replaces: Option<i64>) -> Pending<'a, Saved> {
        Box::pin(async move {
            let mut kept = self.0.lock().unwrap();
            if kept.as_ref().map(|kept| kept.version) != replaces {
                return Saved::Overtaken;
            }
            let version = replaces.unwrap_or(0) + 1;
            *kept = Some(Kept {
                token: token.clone(),
                version,
            });
            Saved::As(version)
        })
    }
}

fn sharing(shelf: &Arc<Shelf>, server: &Loopback) -> System {
    let mut sample = sample();
    sample.tokens = shelf.clone();
    sample.at(server)
}

#[tokio::test]
async fn a_token_that_another_process_renewed_is_used_before_signing_in_again() {
    let server = issuer().await;
    let shelf = Arc::new(Shelf::default());
    let (north, south) = (sharing(&shelf, &server), sharing(&shelf, &server));
    get(&north).await.unwrap();
    get(&south).await.unwrap();
    assert_eq!(server.count("/token"), 1, "the second process takes the kept token");
    crate::support::http::send(&server.address().to_string(), "POST", "/revoke", &[], b"").await;
    get(&north).await.unwrap();
    get(&south).await.unwrap();
    assert_eq!(server.count("/token"), 2, "the second process takes the renewed token");
}

#[tokio::test]
async fn a_kept_token_of_other_credentials_is_never_used() {
    let server = issuer().await;
    let shelf = Arc::new(Shelf::default());
    get(&sharing(&shelf, &server)).await.unwrap();
    let mut other = sample().credential("client_id", "somebody else");
    other.tokens = shelf.clone();
    get(&other.at(&server)).await.unwrap();
    assert_eq!(server.count("/token"), 2);
    let kept: Json = json!(shelf.0.lock().unwrap().as_ref().unwrap().version);
    assert_eq!(kept, 2, "the new one takes its place");
}

#[tokio::test]
async fn a_token_endpoint_that_is_not_there_is_told_as_such_and_not_as_wrong_credentials() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let server = issuer().await;
    for host in [closed.to_string(), "no-such-host.invalid".to_owned()] {
        let oauth2 = json!({ "token_url": format!("http://{host}/token") });
        let system = sample().with(json!({ "auth": { "oauth2": oauth2 } })).at(&server);
        let fault = get(&system).await.unwrap_err();
        assert_eq!((fault.code, fault.class), ("AU008", FailureClass::Transient), "{fault}");
        let hint = fault.hint.unwrap();
        assert!(hint.contains("`token_url`") && !hint.contains("client id"), "{hint}");
    }
    assert!(server.seen().is_empty());
}
