//! Sign-ins: one for all tasks that wait for it, and one node at a time where what it is renewed by is used up.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::json;
use shuttle::future::{spawn, yield_now};
use syncline::{
    client::{Kept, Pending, Saved, Token, TokenStore, Turn},
    clock::Clock,
    seam::{Answer, Request},
};

use super::{NOWHERE, Sky, all, every_schedule, json, let_time_pass, steps, within};
use crate::{
    client::{Sample, account, get},
    support::database::start_of_test,
};

fn bearer(request: &Request) -> String {
    let found = request.headers.iter().find(|(name, _)| name == "authorization");
    found.map_or_else(String::new, |(_, value)| String::from_utf8(value.clone()).unwrap())
}

/// Three ask, one of which gives up, and on the way everything that was given out is revoked once.
async fn shared(lies: bool) {
    let (given, revoked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (issued, barred) = (Arc::clone(&given), Arc::clone(&revoked));
    let sky = Sky::new(None, move |request: &Request| -> Answer {
        if request.url.ends_with("/token") {
            let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
            return json(200, &json!({ "access_token": number.to_string(), "expires_in": 3600 }));
        }
        let bearer = bearer(request);
        let number: usize = bearer.strip_prefix("Bearer ").unwrap().parse().unwrap();
        let is_good = number > barred.load(Ordering::SeqCst);
        if is_good {
            json(200, &account(7))
        } else {
            json(401, &json!({}))
        }
    });
    let _simulated = sky.simulate();
    let system = || {
        let auth = json!({ "grant": "client_credentials", "token_url": "{{ settings.base_url }}/token" });
        Sample::new()
            .with(json!({ "auth": { "oauth2": auth } }))
            .credential("client_id", "client")
            .credential("client_secret", "canary-of-the-client")
            .at_url(NOWHERE)
    };
    let one = system();
    let mut tasks: Vec<_> = [Some(6), None, None]
        .map(|turns| {
            // Each for itself they sign in as often as they are.
            let system = if lies { system() } else { one.clone() };
            spawn(async move {
                match turns {
                    Some(turns) => drop(within(turns, get(&system)).await),
                    None => assert!(get(&system).await.unwrap().is_some()),
                }
            })
        })
        .into();
    let known = Arc::clone(&given);
    tasks.push(spawn(async move {
        steps(8).await;
        revoked.store(known.load(Ordering::SeqCst), Ordering::SeqCst);
    }));
    all(tasks).await;
    // One more for the one that gave up in the middle of a sign-in.
    let given = given.load(Ordering::SeqCst);
    assert!(
        (1..=3).contains(&given),
        "{given} sign-ins for two tokens and one that was cut off"
    );
    assert!(get(&one).await.unwrap().is_some());
}

#[test]
fn tasks_that_need_a_token_at_once_share_one_sign_in() {
    every_schedule("one sign-in for all", 10, |lies| Box::pin(shared(lies)));
}

/// A store that nodes share, and that takes its time.
#[derive(Default)]
struct Shelf {
    kept: Mutex<Option<Kept>>,
    turn: Mutex<(bool, i64)>,
    lies: bool,
}

impl TokenStore for Shelf {
    fn load<'a>(&'a self, _: &'a str) -> Pending<'a, Option<Kept>> {
        Box::pin(async move {
            yield_now().await;
            self.kept.lock().unwrap().clone()
        })
    }

    fn save<'a>(&'a self, _: &'a str, token: &'a Token, replaces: Option<i64>) -> Pending<'a, Saved> {
        Box::pin(async move {
            yield_now().await;
            let mut kept = self.kept.lock().unwrap();
            let current = kept.as_ref().map(|kept| kept.version);
            if current != replaces {
                return Saved::Overtaken;
            }
            let version = current.unwrap_or_default() + 1;
            *kept = Some(Kept {
                token: token.clone(),
                version,
            });
            Saved::As(version)
        })
    }

    fn take_turn<'a>(&'a self, _: &'a str) -> Pending<'a, Turn> {
        Box::pin(async move {
            yield_now().await;
            let mut turn = self.turn.lock().unwrap();
            if turn.0 && !self.lies {
                return Turn::Theirs;
            }
            *turn = (true, turn.1 + 1);
            Turn::Ours(turn.1)
        })
    }

    fn end_turn<'a>(&'a self, _: &'a str, turn: i64) -> Pending<'a, ()> {
        Box::pin(async move {
            yield_now().await;
            let mut current = self.turn.lock().unwrap();
            if current.1 == turn {
                current.0 = false;
            }
        })
    }
}

/// Two nodes with two tasks each renew a token whose refresh token works once: a second use revokes everything.
async fn rotated(lies: bool) {
    let state = Arc::new(Mutex::new((0_usize, false)));
    let known = Arc::clone(&state);
    let sky = Sky::new(None, move |request: &Request| -> Answer {
        let mut state = known.lock().unwrap();
        if request.url.ends_with("/token") {
            let form: String = String::from_utf8(request.body.clone()).unwrap();
            let used = format!("refresh_token=refresh-{}", state.0);
            if state.1 || !form.split('&').any(|pair| pair == used) {
                state.1 = true;
                return json(400, &json!({ "error": "invalid_grant" }));
            }
            state.0 += 1;
            let number = state.0;
            let tokens = json!({
                "access_token": number.to_string(), "refresh_token": format!("refresh-{number}"), "expires_in": 60,
            });
            return json(200, &tokens);
        }
        let is_good = !state.1 && bearer(request) == format!("Bearer {}", state.0);
        if is_good {
            json(200, &account(7))
        } else {
            json(401, &json!({}))
        }
    });
    let _simulated = sky.simulate();
    let_time_pass();
    let shelf = Arc::new(Shelf {
        lies,
        ..Shelf::default()
    });
    let clock = Clock::manual(start_of_test());
    let nodes = [0, 1].map(|_| {
        let mut sample = Sample::new()
            .with(json!({ "auth": { "oauth2": {
                "grant": "refresh_token", "token_url": "{{ settings.base_url }}/token", "client_auth": "post",
            } } }))
            .credential("client_id", "client")
            .credential("client_secret", "canary-of-the-client")
            .credential("refresh_token", "refresh-0");
        sample.tokens = shelf.clone();
        sample.clock = clock.clone();
        sample.at_url(NOWHERE)
    });
    let tasks = (0..4).map(|number| {
        let system = nodes[number % 2].clone();
        spawn(async move { assert!(get(&system).await.unwrap().is_some()) })
    });
    all(tasks.collect()).await;
    let (renewals, is_revoked) = *state.lock().unwrap();
    assert!(!is_revoked, "a refresh token was used twice");
    assert_eq!(renewals, 1, "one node renewed, and all go on with what it got");
}

#[test]
fn a_refresh_token_that_works_once_is_used_once_by_all_nodes() {
    every_schedule("one renewal for all nodes", 6, |lies| Box::pin(rotated(lies)));
}
