//! Tokens that are renewed by a refresh token: ends of processes, a store that fails, and providers that say odd things.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use secrecy::SecretString;
use serde_json::json;
use syncline::{
    client::{Kept, Pending, Saved, Token, TokenStore, Turn},
    clock::Clock,
    core::status::FailureClass,
};

use super::{Sample, account, get};
use crate::support::{
    database::start_of_test,
    loopback::{Loopback, Reply, Seen},
    rig::Budget,
};

/// A store that several systems share, as several processes share a database.
#[derive(Default)]
pub(super) struct Shelf {
    kept: Mutex<Option<Kept>>,
    is_taken: AtomicBool,
    is_dead: AtomicBool,
    refused_saves: AtomicUsize,
}

impl Shelf {
    fn put(&self, token: Token) {
        let mut kept = self.kept.lock().unwrap();
        let version = kept.as_ref().map_or(0, |kept| kept.version) + 1;
        *kept = Some(Kept { token, version });
    }

    fn token(&self) -> Token {
        self.kept.lock().unwrap().as_ref().unwrap().token.clone()
    }
}

impl TokenStore for Shelf {
    fn load<'a>(&'a self, _: &'a str) -> Pending<'a, Option<Kept>> {
        Box::pin(async move { self.kept.lock().unwrap().clone() })
    }

    fn save<'a>(&'a self, _: &'a str, token: &'a Token, replaces: Option<i64>) -> Pending<'a, Saved> {
        Box::pin(async move {
            if self.is_dead.load(Ordering::SeqCst) {
                self.refused_saves.fetch_add(1, Ordering::SeqCst);
                return Saved::Failed;
            }
            let current = self.kept.lock().unwrap().as_ref().map(|kept| kept.version);
            if current != replaces {
                return Saved::Overtaken;
            }
            self.put(token.clone());
            Saved::As(current.unwrap_or(0) + 1)
        })
    }

    fn take_turn<'a>(&'a self, _: &'a str) -> Pending<'a, Turn> {
        Box::pin(async move {
            if self.is_taken.swap(true, Ordering::SeqCst) {
                Turn::Theirs
            } else {
                Turn::Ours(1)
            }
        })
    }

    fn end_turn<'a>(&'a self, _: &'a str, _: i64) -> Pending<'a, ()> {
        Box::pin(async move { self.is_taken.store(false, Ordering::SeqCst) })
    }
}

/// A provider that gives a new refresh token every time; a used one revokes everything, as a careful one does.
#[derive(Default)]
struct Rotating(Mutex<(usize, bool)>);

impl Rotating {
    fn answer(&self, seen: &Seen) -> Reply {
        let mut state = self.0.lock().unwrap();
        if seen.path() == "/token" {
            let form = seen.form();
            assert_eq!(form["grant_type"], "refresh_token");
            let (count, is_revoked) = *state;
            if is_revoked || form["refresh_token"] != format!("refresh-{count}") {
                state.1 = true;
                return Reply::json(400, &json!({ "error": "invalid_grant" }));
            }
            state.0 += 1;
            return Reply::json(
                200,
                &json!({
                    "access_token": format!("token-{}", state.0), "refresh_token": format!("refresh-{}", state.0),
                    "expires_in": 60, "refresh_token_expires_in": 3600,
                }),
            );
        }
        let newest = format!("Bearer token-{}", state.0);
        if !state.1 && seen.header("authorization") == Some(&newest) {
            Reply::json(200, &account(7))
        } else {
            Reply::status(401)
        }
    }
}

pub(super) async fn rotating() -> Loopback {
    let provider = Rotating::default();
    Loopback::start(move |seen| provider.answer(seen)).await
}

pub(super) fn sample(shelf: &Arc<Shelf>, clock: &Clock) -> Sample {
    let mut sample = Sample::new()
        .with(json!({ "auth": { "oauth2": {
            "grant": "refresh_token", "token_url": "{{ settings.base_url }}/token", "client_auth": "post",
        } } }))
        .credential("client_id", "client")
        .credential("client_secret", "canary-of-the-client")
        .credential("refresh_token", "refresh-0")
        .limited(json!({ "concurrency": 64 }));
    sample.tokens = shelf.clone();
    sample.clock = clock.clone();
    sample
}

/// Polls a future no more often than this, and drops it then, as the end of a process does.
struct EndsAfter<F> {
    polls: u64,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for EndsAfter<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.future.as_mut().poll(context).map(Some)
    }
}

/// The one point is between the provider's answer and our store: nobody can find out there which token counts.
#[tokio::test]
async fn a_process_that_ends_at_any_step_of_a_renewal_loses_the_sign_in_at_one_point_alone() {
    let mut budget = Budget::new(40, 1_000);
    let mut chance = budget.chance();
    let (mut lost, mut kept) = (0, 0);
    while budget.goes_on() {
        let (server, shelf) = (rotating().await, Arc::new(Shelf::default()));
        let clock = Clock::manual(start_of_test());
        get(&sample(&shelf, &clock).at(&server)).await.unwrap();
        clock.set(start_of_test() + Duration::from_secs(59));
        let ending = sample(&shelf, &clock).at(&server);
        let future = Box::pin(async move { get(&ending).await });
        let polls = 1 + chance.below(12);
        EndsAfter { polls, future }.await;
        let asked = server.count("/token");
        let is_stored = shelf.kept.lock().unwrap().as_ref().unwrap().version == 2;
        // The turn of a process that is gone runs out.
        shelf.is_taken.store(false, Ordering::SeqCst);
        clock.set(start_of_test() + Duration::from_mins(10));
        let next = sample(&shelf, &clock).at(&server);
        let told = format!("after {polls} polls, stored: {is_stored}; {}", budget.replay());
        match get(&next).await {
            Ok(record) => {
                assert!(record.is_some());
                kept += 1;
            }
            Err(fault) => {
                assert!(asked == 2 && !is_stored, "{fault}; {told}");
                assert_eq!(fault.class, FailureClass::Auth, "{fault}; {told}");
                lost += 1;
            }
        }
        // Whatever happened, it asks no more than three times, also when it is asked again.
        let _again = get(&next).await;
        assert!(server.count("/token") - asked <= 3, "{told}");
    }
    assert!(
        lost > 0 && kept > 0,
        "{lost} were lost, {kept} kept: the point was not met"
    );
}

#[tokio::test]
async fn a_renewed_token_is_stored_before_it_is_used_and_survives_a_store_that_fails() {
    let (server, shelf) = (rotating().await, Arc::new(Shelf::default()));
    let clock = Clock::manual(start_of_test());
    let system = sample(&shelf, &clock).at(&server);
    shelf.is_dead.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let fault = get(&system).await.unwrap_err();
        assert_eq!((fault.code, fault.class), ("AU009", FailureClass::Transient), "{fault}");
    }
    assert_eq!((server.count("/token"), server.count("/api/accounts/7")), (1, 0));
    shelf.is_dead.store(false, Ordering::SeqCst);
    assert!(get(&system).await.unwrap().is_some());
    assert_eq!(server.count("/token"), 1, "what was renewed is not lost");
    assert!(shelf.token().refresh_ends_at.is_some());
}

#[tokio::test]
async fn a_restart_goes_on_with_the_last_refresh_token_and_not_with_the_first() {
    let (server, shelf) = (rotating().await, Arc::new(Shelf::default()));
    for round in 0..3 {
        let clock = Clock::manual(start_of_test() + Duration::from_secs(round * 100));
        let system = sample(&shelf, &clock).at(&server);
        assert!(get(&system).await.unwrap().is_some(), "start {round}");
    }
    assert_eq!(server.count("/token"), 3);
}

#[tokio::test]
async fn a_new_secret_of_the_client_keeps_the_sign_in_and_a_new_refresh_token_begins_anew() {
    let (server, shelf) = (rotating().await, Arc::new(Shelf::default()));
    let clock = Clock::manual(start_of_test());
    get(&sample(&shelf, &clock).at(&server)).await.unwrap();
    let rotated = sample(&shelf, &clock).credential("client_secret", "another");
    get(&rotated.at(&server)).await.unwrap();
    assert_eq!(server.count("/token"), 1, "the kept token is used");
    let given_anew = sample(&shelf, &clock).credential("refresh_token", "refresh-1");
    get(&given_anew.at(&server)).await.unwrap();
    assert_eq!(server.count("/token"), 2);
}

#[tokio::test]
async fn a_refused_refresh_token_is_looked_up_in_the_store_before_it_is_believed() {
    let shelf = Arc::new(Shelf::default());
    let clock = Clock::manual(start_of_test());
    let (other, asked) = (Arc::clone(&shelf), AtomicUsize::new(0));
    let server = Loopback::start(move |seen| match seen.path() {
        "/token" if asked.fetch_add(1, Ordering::SeqCst) == 0 => Reply::json(
            200,
            &json!({ "access_token": "ours", "refresh_token": "next", "expires_in": 60 }),
        ),
        "/token" => {
            // Another process, whose turn had run out, was quicker: it stored its token while ours was on its way.
            let mut token = other.token();
            token.headers = vec![("authorization".to_owned(), SecretString::from("Bearer theirs"))];
            token.renew_at = None;
            other.put(token);
            Reply::json(400, &json!({ "error": "invalid_grant" }))
        }
        _ => Reply::json(200, &account(7)),
    })
    .await;
    let system = sample(&shelf, &clock).at(&server);
    let signed = || {
        let last = server.seen().into_iter().rfind(|seen| seen.path() != "/token").unwrap();
        last.header("authorization").unwrap_or_default().to_owned()
    };
    get(&system).await.unwrap().unwrap();
    assert_eq!(signed(), "Bearer ours");
    clock.set(start_of_test() + Duration::from_secs(100));
    get(&system).await.unwrap().unwrap();
    assert_eq!(signed(), "Bearer theirs");
    assert_eq!(server.count("/token"), 2);
}

#[tokio::test]
async fn a_refresh_token_that_is_not_accepted_is_told_with_the_next_step() {
    let shelf = Arc::new(Shelf::default());
    let clock = Clock::manual(start_of_test());
    let server = Loopback::answering([Reply::json(
        400,
        &json!({ "error": "invalid_grant", "error_description": "refresh-0 was revoked" }),
    )])
    .await;
    let system = sample(&shelf, &clock).at(&server);
    let fault = get(&system).await.unwrap_err();
    assert_eq!((fault.code, fault.class), ("AU010", FailureClass::Auth), "{fault}");
    assert!(!fault.to_string().contains("refresh-0"), "{fault}");
    assert!(fault.hint.unwrap().contains("refresh_token"));
    get(&system).await.unwrap_err();
    assert_eq!(server.seen().len(), 1, "it is not tried again at once");
}

#[tokio::test]
async fn an_answer_without_a_refresh_token_leaves_the_old_one_in_force() {
    let shelf = Arc::new(Shelf::default());
    let clock = Clock::manual(start_of_test());
    let server = Loopback::start(|seen| match seen.path() {
        "/token" => {
            assert_eq!(seen.form()["refresh_token"], "refresh-0");
            Reply::json(
                200,
                &json!({ "access_token": "abc", "expires_in": 60, "refresh_token": "" }),
            )
        }
        _ => Reply::json(200, &account(7)),
    })
    .await;
    let system = sample(&shelf, &clock).at(&server);
    for round in 0..3 {
        clock.set(start_of_test() + Duration::from_secs(round * 100));
        get(&system).await.unwrap();
    }
    assert_eq!(server.count("/token"), 3);
}

#[tokio::test]
async fn a_token_without_a_life_lasts_as_the_connector_says_and_goes_into_headers_of_its_own() {
    let clock = Clock::manual(start_of_test());
    let server = Loopback::start(|seen| {
        if seen.path() == "/token" {
            return Reply::json(200, &json!({ "access_token": "abc", "tenant": "t1" }));
        }
        assert_eq!(seen.header("authorization"), Some("Zoho-oauthtoken abc"));
        assert_eq!(seen.header("x-tenant"), Some("t1"));
        Reply::json(200, &account(7))
    })
    .await;
    let headers = json!({ "Authorization": "Zoho-oauthtoken {{ token }}", "X-Tenant": "{{ answer.tenant }}" });
    let system = sample(&Arc::default(), &clock)
        .with(json!({ "auth": { "oauth2": { "expires_after": "1h", "headers": headers } } }))
        .at(&server);
    for (minutes, tokens) in [(0, 1), (40, 1), (59, 2)] {
        clock.set(start_of_test() + Duration::from_mins(minutes));
        get(&system).await.unwrap();
        assert_eq!(server.count("/token"), tokens, "after {minutes} min");
    }
}

#[tokio::test]
async fn the_issuer_names_the_addresses_and_one_that_calls_itself_otherwise_is_not_believed() {
    for (own, is_believed) in [(true, true), (false, false)] {
        let server = Loopback::start(move |seen| {
            let url = format!("http://{}", seen.header("host").unwrap());
            match seen.path() {
                "/.well-known/openid-configuration" => {
                    let issuer = if own {
                        url.clone()
                    } else {
                        "https://elsewhere.example".to_owned()
                    };
                    Reply::json(
                        200,
                        &json!({ "issuer": issuer, "token_endpoint": format!("{url}/hidden") }),
                    )
                }
                "/hidden" => Reply::json(200, &json!({ "access_token": "abc" })),
                _ => Reply::json(200, &account(7)),
            }
        })
        .await;
        let issuer = json!({ "auth": { "oauth2": { "token_url": null, "issuer": "{{ settings.base_url }}" } } });
        let clock = Clock::manual(start_of_test());
        let got = get(&sample(&Arc::default(), &clock).with(issuer).at(&server)).await;
        assert_eq!(got.is_ok(), is_believed, "{got:?}");
        if let Err(fault) = got {
            assert_eq!((fault.code, server.count("/hidden")), ("AU012", 0), "{fault}");
        }
    }
}

#[tokio::test]
async fn every_description_of_an_issuer_that_is_none_is_told() {
    for reply in [
        Reply::html(200),
        Reply::status(404),
        Reply::json(200, &json!({})),
        Reply::json(200, &json!([1])),
        Reply::new(200, "application/json", "{"),
    ] {
        let server = Loopback::answering([reply]).await;
        let issuer = json!({ "auth": { "oauth2": { "token_url": null, "issuer": "{{ settings.base_url }}" } } });
        let clock = Clock::manual(start_of_test());
        let fault = get(&sample(&Arc::default(), &clock).with(issuer).at(&server))
            .await
            .unwrap_err();
        assert_eq!(fault.code, "AU012", "{fault}");
        assert!(fault.hint.unwrap().contains("issuer"));
    }
}
