//! A person signs in: the page's address, and everything that can come back from it.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use syncline::client::{LoggedOut, Login, StandingState, System};
use url::Url;

use super::{Sample, account, get, oauth2::Shelf};
use crate::support::loopback::{Loopback, Reply, Seen};

const REDIRECT: &str = "http://127.0.0.1:1/callback";

fn answer(seen: &Seen) -> Reply {
    let url = format!("http://{}", seen.header("host").unwrap());
    match seen.path() {
        "/.well-known/openid-configuration" => Reply::json(
            200,
            &json!({
                "issuer": url, "token_endpoint": format!("{url}/token"), "authorization_endpoint": format!("{url}/sign-in?a=1"),
                "authorization_response_iss_parameter_supported": true,
            }),
        ),
        "/token" => Reply::json(
            200,
            &json!({ "access_token": "abc", "refresh_token": "def", "expires_in": 60 }),
        ),
        _ if seen.header("authorization") == Some("Bearer abc") => Reply::json(200, &account(7)),
        _ => Reply::status(401),
    }
}

fn system(shelf: &Arc<Shelf>, server: &Loopback) -> System {
    let mut sample = Sample::new()
        .with(json!({ "auth": { "oauth2": {
            "grant": "authorization_code", "issuer": "{{ settings.base_url }}", "scopes": ["read", "offline_access"],
            "authorize_params": { "prompt": "consent" },
        } } }))
        .credential("client_id", "public client");
    sample.tokens = shelf.clone();
    sample.at(server)
}

/// What the page's address carries.
fn asked(login: &Login) -> BTreeMap<String, String> {
    login.address.query_pairs().into_owned().collect()
}

fn back(pairs: &[(&str, &str)]) -> Url {
    Url::parse_with_params(REDIRECT, pairs).unwrap()
}

async fn begun(server: &Loopback, shelf: &Arc<Shelf>) -> (System, Login, BTreeMap<String, String>) {
    let system = system(shelf, server);
    let login = system.begin_login(&REDIRECT.parse().unwrap()).await.unwrap();
    let asked = asked(&login);
    (system, login, asked)
}

#[tokio::test]
async fn a_person_signs_in_once_and_a_daemon_takes_it_over() {
    let (server, shelf) = (Loopback::start(answer).await, Arc::new(Shelf::default()));
    let daemon = system(&shelf, &server);
    let fault = get(&daemon).await.unwrap_err();
    assert_eq!(fault.code, "AU010", "{fault}");
    assert!(fault.hint.unwrap().contains("syncline auth login crm"));
    assert_eq!(daemon.standing().await.state, StandingState::NeedsLogin);
    let (command, login, asked) = begun(&server, &shelf).await;
    assert!(
        login
            .address
            .as_str()
            .starts_with(&format!("{}/sign-in?a=1&", server.url()))
    );
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "public client"),
        ("redirect_uri", REDIRECT),
        ("scope", "read offline_access"),
        ("prompt", "consent"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(asked[name], value, "{name}");
    }
    let issuer = server.url();
    let answer = back(&[("code", "the code"), ("state", &asked["state"]), ("iss", &issuer)]);
    assert!(command.finish_login(login, &answer).await.unwrap());
    let form = server
        .seen()
        .into_iter()
        .find(|seen| seen.path() == "/token")
        .unwrap()
        .form();
    assert_eq!(
        (form["code"].as_str(), form["redirect_uri"].as_str()),
        ("the code", REDIRECT)
    );
    assert_eq!(
        form["client_id"], "public client",
        "without a secret the id goes in the form"
    );
    let challenge = base64::Engine::encode(
        &base64::prelude::BASE64_URL_SAFE_NO_PAD,
        Sha256::digest(&form["code_verifier"]),
    );
    assert_eq!(challenge, asked["code_challenge"]);
    assert!(get(&daemon).await.unwrap().is_some(), "the daemon needs no restart");
    assert_eq!(daemon.standing().await.state, StandingState::SignedIn);
    assert!(matches!(command.log_out().await, LoggedOut::Forgotten));
    assert_eq!(command.standing().await.state, StandingState::NeedsLogin);
}

#[tokio::test]
async fn every_answer_that_is_not_the_wanted_one_is_refused_and_nothing_is_asked_for() {
    let server = Loopback::start(answer).await;
    let issuer = server.url();
    let cases: [(&str, Vec<(&str, &str)>); 5] = [
        (
            "belongs to another sign-in",
            vec![("code", "x"), ("state", "other"), ("iss", &issuer)],
        ),
        ("belongs to another sign-in", vec![("code", "x"), ("iss", &issuer)]),
        (
            "another issuer",
            vec![("code", "x"), ("state", "own"), ("iss", "https://evil.example")],
        ),
        ("another issuer", vec![("code", "x"), ("state", "own")]),
        (
            "access_denied not today",
            vec![
                ("error", "access_denied"),
                ("error_description", "not today"),
                ("state", "own"),
                ("iss", &issuer),
            ],
        ),
    ];
    for (expected, pairs) in cases {
        let shelf = Arc::new(Shelf::default());
        let (system, login, asked) = begun(&server, &shelf).await;
        let own =
            |(name, value): (&'static str, String)| (name, if value == "own" { asked["state"].clone() } else { value });
        let pairs: Vec<_> = pairs
            .into_iter()
            .map(|(name, value)| own((Box::leak(name.to_owned().into_boxed_str()), value.to_owned())))
            .collect();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let fault = system.finish_login(login, &back(&pairs)).await.unwrap_err();
        assert_eq!(fault.code, "AU013");
        assert!(fault.to_string().contains(expected), "{fault}");
        assert!(fault.hint.is_some());
    }
    assert_eq!(server.count("/token"), 0);
}

#[tokio::test]
async fn nobody_signs_in_by_hand_where_the_connector_has_another_way() {
    let server = Loopback::start(answer).await;
    let fault = Sample::new()
        .at(&server)
        .begin_login(&REDIRECT.parse().unwrap())
        .await
        .unwrap_err();
    assert_eq!(fault.code, "AU013");
}

/// The same provider, with an endpoint that takes tokens back, or says that it cannot.
fn revoking(status: u16) -> impl Fn(&Seen) -> Reply + Send + Sync + 'static {
    move |seen| {
        let url = format!("http://{}", seen.header("host").unwrap());
        match seen.path() {
            "/.well-known/openid-configuration" => Reply::json(
                200,
                &json!({
                    "issuer": url, "token_endpoint": format!("{url}/token"), "authorization_endpoint": format!("{url}/sign-in"),
                    "revocation_endpoint": format!("{url}/revoke"),
                }),
            ),
            "/revoke" => Reply::status(status),
            _ => answer(seen),
        }
    }
}

#[tokio::test]
async fn signing_out_takes_the_refresh_token_back_at_the_provider_and_forgets_it_in_any_case() {
    for (status, is_revoked) in [(200, true), (400, false)] {
        let (server, shelf) = (Loopback::start(revoking(status)).await, Arc::new(Shelf::default()));
        let (command, login, asked) = begun(&server, &shelf).await;
        let issuer = server.url();
        let answer = back(&[("code", "the code"), ("state", &asked["state"]), ("iss", &issuer)]);
        command.finish_login(login, &answer).await.unwrap();
        match command.log_out().await {
            LoggedOut::Revoked => assert!(is_revoked),
            LoggedOut::NotRevoked(fault) => {
                assert!(!is_revoked);
                assert_eq!(fault.code, "AU014");
                assert!(!format!("{fault} {fault:?}").contains("def"), "{fault}");
            }
            other => panic!("{other:?}"),
        }
        let form = server
            .seen()
            .into_iter()
            .find(|seen| seen.path() == "/revoke")
            .unwrap()
            .form();
        assert_eq!(
            (
                form["token"].as_str(),
                form["token_type_hint"].as_str(),
                form["client_id"].as_str()
            ),
            ("def", "refresh_token", "public client")
        );
        assert_eq!(command.standing().await.state, StandingState::NeedsLogin);
        assert!(
            matches!(command.log_out().await, LoggedOut::Nothing),
            "there is no token any more"
        );
    }
}
