//! Signing in at an OpenID provider: who gets in, and everything that a stranger may try.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use syncline::{
    clock::Clock,
    core::{status::Role, tenant::Reach},
    server::console::user,
    store::Page,
};
use url::Url;

use crate::support::{
    app::{Setup, TestApp, settings, within},
    http::Answer,
    loopback::{Loopback, Reply, Seen},
    visitor::{PASSWORD, Visitor, person},
};

/// A key pair of the provider.
struct Pair {
    kid: String,
    pair: EcdsaKeyPair,
}

impl Pair {
    fn new(kid: &str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        let kid = kid.to_owned();
        Self { kid, pair }
    }

    fn public(&self) -> Json {
        let point = self.pair.public_key().as_ref();
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
            "x": BASE64_URL_SAFE_NO_PAD.encode(&point[1..33]), "y": BASE64_URL_SAFE_NO_PAD.encode(&point[33..]),
        })
    }

    fn sign(&self, head: &Json, claims: &Json) -> String {
        let text = unsigned(head, claims);
        let signed = self.pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signed))
    }
}

fn unsigned(head: &Json, claims: &Json) -> String {
    let part = |json: &Json| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}", part(head), part(claims))
}

/// How a token is made wrong.
type Twist = Box<dyn Fn(&Pair, Json, Json) -> String + Send>;

/// What the provider does.
struct State {
    pair: Pair,
    /// By code: nonce and challenge of the sign-in it is for.
    codes: BTreeMap<String, (String, String)>,
    twist: Option<Twist>,
    claims: Json,
    is_down: bool,
}

/// A provider on this machine, which tells what it is told to.
struct Stub {
    loopback: Loopback,
    state: Arc<Mutex<State>>,
}

impl Stub {
    async fn start() -> Self {
        let state = State {
            pair: Pair::new("one"),
            codes: BTreeMap::new(),
            twist: None,
            claims: json!({ "preferred_username": "Ana", "groups": ["staff", "sales-ops"] }),
            is_down: false,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let loopback = Loopback::start(move |seen| answer(&mut shared.lock().unwrap(), seen)).await;
        Self { loopback, state }
    }

    fn settings(&self, more: &str) -> String {
        format!(
            "[console.oidc]\nissuer = \"{}\"\nclient_id = \"syncline\"\nclient_secret = \"canary-oidc\"\n\
             allow_networks = [\"127.0.0.0/8\"]\n\
             roles = {{ \"sales-ops\" = \"operator\", \"staff\" = \"viewer\", \"boss\" = \"admin\" }}\n{more}",
            self.loopback.url()
        )
    }

    async fn app(&self) -> TestApp {
        TestApp::start_with(&self.settings("")).await
    }

    fn twist(&self, twist: impl Fn(&Pair, Json, Json) -> String + Send + 'static) {
        self.state.lock().unwrap().twist = Some(Box::new(twist));
    }

    /// What a person does at the provider's page: they come back with a code.
    fn agree(&self, address: &str) -> String {
        let url = Url::parse(address).unwrap();
        let asked: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(
            (asked["response_type"].as_str(), asked["client_id"].as_str()),
            ("code", "syncline")
        );
        assert_eq!(asked["code_challenge_method"], "S256");
        assert_eq!(
            asked["redirect_uri"],
            "http://127.0.0.1:8320/console/sign-in/openid/back"
        );
        let mut state = self.state.lock().unwrap();
        let code = format!("code-{}", state.codes.len());
        let kept = (asked["nonce"].clone(), asked["code_challenge"].clone());
        state.codes.insert(code.clone(), kept);
        let issuer = url::form_urlencoded::byte_serialize(self.loopback.url().as_bytes()).collect::<String>();
        format!(
            "/console/sign-in/openid/back?code={code}&state={}&iss={issuer}",
            asked["state"]
        )
    }

    /// A whole sign-in.
    async fn sign_in(&self, visitor: &mut Visitor) -> Answer {
        let back = self.leave(visitor, "/console/runs").await;
        visitor.get(&back).await
    }

    /// Leaves for the provider; the address that the person comes back by.
    async fn leave(&self, visitor: &mut Visitor, next: &str) -> String {
        let left = visitor.get(&format!("/console/sign-in/openid?next={next}")).await;
        assert_eq!(left.status, 303, "{}", left.text());
        self.agree(left.header("location").unwrap())
    }
}

fn answer(state: &mut State, seen: &Seen) -> Reply {
    let issuer = format!("http://{}", seen.header("host").unwrap());
    if state.is_down {
        return Reply::html(503);
    }
    match seen.path() {
        "/.well-known/openid-configuration" => Reply::json(
            200,
            &json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "jwks_uri": format!("{issuer}/jwks"),
                "end_session_endpoint": format!("{issuer}/end"),
                "authorization_response_iss_parameter_supported": true,
            }),
        ),
        "/jwks" => Reply::json(200, &json!({ "keys": [{ "kty": "odd" }, state.pair.public()] })),
        "/token" => {
            let form = seen.form();
            let basic = "Basic c3luY2xpbmU6Y2FuYXJ5LW9pZGM=";
            // A good provider takes a code once; what is tried here is what is left when it does not.
            let Some((nonce, challenge)) = state.codes.get(&form["code"]).cloned() else {
                return Reply::json(400, &json!({ "error": "invalid_grant" }));
            };
            let verifier = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(form["code_verifier"].as_bytes()));
            if verifier != challenge || seen.header("authorization") != Some(basic) {
                return Reply::json(400, &json!({ "error": "invalid_grant" }));
            }
            let now = Clock::system().now().timestamp();
            let mut claims = json!({
                "iss": issuer, "sub": "ana-1", "aud": "syncline", "exp": now + 300, "iat": now, "nonce": nonce,
            });
            let own = claims.as_object_mut().unwrap();
            own.extend(state.claims.as_object().unwrap().clone());
            let head = json!({ "alg": "ES256", "kid": state.pair.kid, "typ": "JWT" });
            let token = match &state.twist {
                Some(twist) => twist(&state.pair, head, claims),
                None => state.pair.sign(&head, &claims),
            };
            Reply::json(
                200,
                &json!({ "access_token": "opaque", "token_type": "Bearer", "id_token": token }),
            )
        }
        _ => Reply::status(404),
    }
}

#[tokio::test]
async fn whoever_their_provider_knows_gets_in_with_the_role_of_their_groups_and_nobody_by_a_password() {
    let stub = Stub::start().await;
    let app = stub.app().await;
    let mut ana = Visitor::new(&app);
    let asked = ana.get("/console/runs").await;
    assert_eq!(asked.status, 401);
    assert!(
        asked
            .text()
            .contains("href=\"/console/sign-in/openid?next=%2Fconsole%2Fruns\""),
        "{}",
        asked.text()
    );
    assert!(!asked.text().contains("type=\"password\""));
    let back = stub.sign_in(&mut ana).await;
    assert_eq!(
        (back.status, back.header("location")),
        (303, Some("/console/runs")),
        "{}",
        back.text()
    );
    assert!(
        ana.get("/console/runs")
            .await
            .text()
            .contains("<span><bdi>ana</bdi></span>")
    );
    let kept = app.store.user("ana").await.unwrap().unwrap();
    assert_eq!(
        (kept.role, kept.has_password),
        (Role::Operator, false),
        "the highest of her groups"
    );
    let audits = app.store.audits(Page::first(2)).await.unwrap();
    let told: Vec<_> = audits.iter().map(|one| one.entry.action.as_str()).collect();
    assert_eq!(told, ["session.begin", "user.add"]);

    person(&app, "bia", Role::Admin).await;
    let mut bia = Visitor::new(&app);
    bia.get("/console/sign-in").await;
    let answer = bia
        .post("/console/sign-in", &[("name", "bia"), ("password", PASSWORD)])
        .await;
    assert_eq!(answer.status, 403, "{}", answer.text());
    let refused = user::link(&app.store, &settings(&stub.settings("")), "bia", "test").await;
    assert!(refused.is_err());

    // Tomorrow she has other groups.
    stub.state.lock().unwrap().claims["groups"] = json!("boss");
    assert_eq!(stub.sign_in(&mut Visitor::new(&app)).await.status, 303);
    assert_eq!(app.store.user("ana").await.unwrap().unwrap().role, Role::Admin);
    assert_eq!(
        ana.get("/console/settings").await.status,
        200,
        "her other sessions go on with it"
    );
    stub.state.lock().unwrap().claims["groups"] = json!(["<b>none</b>"]);
    let refused = stub.sign_in(&mut Visitor::new(&app)).await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.text().contains("none of your groups") && refused.text().contains("&lt;b&gt;none"),
        "{}",
        refused.text()
    );
    assert_eq!(ana.get("/console").await.status, 401, "and nothing is open any more");
}

#[tokio::test]
async fn whoever_signs_in_is_limited_to_the_tenants_of_their_claim_and_without_one_not_let_in() {
    let stub = Stub::start().await;
    let more = "tenant_claim = \"tenants\"\nhouse_value = \"all-of-us\"\n[systems.a]\nconnector = \"acme-crm\"\ntenant = \"abc\"\n\
                [systems.b]\nconnector = \"acme-crm\"\ntenant = \"abcdef\"";
    let app = TestApp::start_with(&stub.settings(more)).await;
    let says = |tenants: Json| stub.state.lock().unwrap().claims["tenants"] = tenants;
    let mut ana = Visitor::new(&app);
    let refused = stub.sign_in(&mut ana).await;
    assert_eq!(refused.status, 403, "the claim is not there");
    assert!(app.store.user("ana").await.unwrap().is_none());

    for (claim, tenants) in [
        (json!("abc"), &["abc"][..]),
        (json!(["abcdef", "abc", "ABC", "ab", 7]), &["abc", "abcdef"]),
        (json!(["umbra", "abcdef"]), &["abcdef"]),
    ] {
        says(claim);
        assert_eq!(stub.sign_in(&mut ana).await.status, 303);
        assert_eq!(app.store.user("ana").await.unwrap().unwrap().reach, within(tenants));
    }
    let page = ana.get("/console/systems").await.text();
    assert!(page.contains("abcdef"), "{page}");
    says(json!("all-of-us"));
    assert_eq!(stub.sign_in(&mut Visitor::new(&app)).await.status, 303);
    assert_eq!(app.store.user("ana").await.unwrap().unwrap().reach, Reach::House);

    for claim in [
        json!(["<i>umbra</i>", "ABC", "abc "]),
        json!([]),
        json!(null),
        json!({ "abc": true }),
    ] {
        says(claim.clone());
        let mut visitor = Visitor::new(&app);
        let refused = stub.sign_in(&mut visitor).await;
        assert_eq!(refused.status, 403, "{claim}");
        assert!(refused.text().contains("none of the tenants") && !refused.text().contains("<i>"));
        assert_eq!(visitor.get("/console").await.status, 401);
    }
    assert_eq!(
        ana.get("/console").await.status,
        401,
        "and what was open is not any more"
    );
}

#[tokio::test]
async fn a_session_from_before_the_claim_was_asked_for_sees_nothing() {
    let stub = Stub::start().await;
    let limited = "tenant_claim = \"tenants\"\n[systems.a]\nconnector = \"acme-crm\"\ntenant = \"abc\"";
    let app = TestApp::start_with(&stub.settings(limited)).await;
    stub.state.lock().unwrap().claims["tenants"] = json!("abc");
    let mut ana = Visitor::new(&app);
    assert_eq!(stub.sign_in(&mut ana).await.status, 303);
    assert_eq!(ana.get("/console").await.status, 200);
    // As it was when she signed in before the setting was made.
    let id = app.store.user("ana").await.unwrap().unwrap().console_user_id;
    app.store.set_user_reach(id, &Reach::House, Vec::new()).await.unwrap();
    assert_eq!(ana.get("/console").await.status, 401);
}

#[tokio::test]
async fn passwords_are_a_way_in_beside_a_provider_where_the_settings_say_so_and_no_name_is_taken_over() {
    let stub = Stub::start().await;
    let app = TestApp::start_with(&stub.settings("local_users = true")).await;
    person(&app, "ana", Role::Admin).await;
    let mut ana = Visitor::new(&app);
    let page = ana.get("/console/sign-in").await.text();
    assert!(page.contains("type=\"password\"") && page.contains("/console/sign-in/openid"));
    let refused = stub.sign_in(&mut ana).await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.text().contains("Another person has your name"),
        "{}",
        refused.text()
    );
    assert_eq!(ana.sign_in("ana", PASSWORD, "/console").await.status, 303);
    let mut portuguese = Visitor::new(&app);
    portuguese.language = "pt-BR";
    let refused = stub.sign_in(&mut portuguese).await.text();
    assert!(refused.contains("Outra pessoa já tem o seu nome aqui"), "{refused}");
}

#[tokio::test]
async fn signing_out_ends_the_session_here_and_leads_to_the_provider_to_end_its_own() {
    let stub = Stub::start().await;
    let app = stub.app().await;
    let mut ana = Visitor::new(&app);
    assert_eq!(stub.sign_in(&mut ana).await.status, 303);
    ana.get("/console").await;
    let stolen = ana.cookies.clone();
    let out = ana.post("/console/sign-out", &[]).await;
    let to = format!(
        "0; url={}/end?client_id=syncline&post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A8320%2Fconsole%2Fsign-in",
        stub.loopback.url()
    );
    assert_eq!((out.status, out.header("refresh")), (200, Some(to.as_str())));
    ana.cookies = stolen;
    assert_eq!(ana.get("/console").await.status, 401);
}

/// What a token may say that it must not.
fn wrong_words() -> Vec<(&'static str, Twist)> {
    let with = |name: &'static str, value: Json| {
        move |pair: &Pair, head: Json, mut claims: Json| {
            claims[name] = value.clone();
            pair.sign(&head, &claims)
        }
    };
    let now = Clock::system().now().timestamp();
    vec![
        ("another issuer", Box::new(with("iss", json!("https://evil.example")))),
        ("another audience", Box::new(with("aud", json!("other")))),
        (
            "one audience among several, made for another",
            Box::new(with("aud", json!(["syncline", "other"]))),
        ),
        ("made for another", Box::new(with("azp", json!("other")))),
        ("ended", Box::new(with("exp", json!(now - 61)))),
        ("of the future", Box::new(with("iat", json!(now + 3600)))),
        ("not yet", Box::new(with("nbf", json!(now + 3600)))),
        ("another sign-in", Box::new(with("nonce", json!("other")))),
        ("no sign-in", Box::new(with("nonce", Json::Null))),
        ("nobody", Box::new(with("sub", json!("")))),
        ("a subject that is none", Box::new(with("sub", json!(7)))),
        ("no end", Box::new(with("exp", Json::Null))),
        ("an odd end", Box::new(with("exp", json!(1e300)))),
    ]
}

/// How a token may be signed that it must not.
fn wrong_signatures() -> Vec<(&'static str, Twist)> {
    let stranger = Pair::new("one");
    vec![
        (
            "not signed",
            Box::new(|_, mut head, claims| {
                head["alg"] = json!("none");
                format!("{}.", unsigned(&head, &claims))
            }),
        ),
        (
            "the public key as a shared secret",
            Box::new(|pair, mut head, claims| {
                head["alg"] = json!("HS256");
                let text = unsigned(&head, &claims);
                let mut mac = Hmac::<Sha256>::new_from_slice(pair.pair.public_key().as_ref()).unwrap();
                mac.update(text.as_bytes());
                format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
            }),
        ),
        (
            "the client's secret as a key",
            Box::new(|_, mut head, claims| {
                head["alg"] = json!("HS256");
                let text = unsigned(&head, &claims);
                let mut mac = Hmac::<Sha256>::new_from_slice(b"canary-oidc").unwrap();
                mac.update(text.as_bytes());
                format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
            }),
        ),
        (
            "signed by another key of the same name",
            Box::new(move |_, head, claims| stranger.sign(&head, &claims)),
        ),
        (
            "a key in the token itself",
            Box::new(|_, mut head, claims| {
                let own = Pair::new("own");
                head["kid"] = json!("own");
                head["jwk"] = own.public();
                own.sign(&head, &claims)
            }),
        ),
        (
            "rules that we do not know",
            Box::new(|pair, mut head, claims| {
                head["crit"] = json!(["b64"]);
                head["b64"] = json!(false);
                pair.sign(&head, &claims)
            }),
        ),
        (
            "changed after it was signed",
            Box::new(|pair, head, claims| {
                let signed = pair.sign(&head, &claims);
                let signature = signed.rsplit('.').next().unwrap().to_owned();
                let mut claims = claims;
                claims["groups"] = json!("boss");
                format!("{}.{signature}", unsigned(&head, &claims))
            }),
        ),
        ("no token", Box::new(|_, _, _| "x".repeat(300_000))),
        ("dots", Box::new(|_, _, _| "..".to_owned())),
    ]
}

#[tokio::test]
async fn a_token_that_is_not_of_this_provider_for_us_and_of_now_lets_nobody_in() {
    let stub = Stub::start().await;
    let app = stub.app().await;
    for (what, twist) in wrong_words().into_iter().chain(wrong_signatures()) {
        stub.state.lock().unwrap().twist = Some(twist);
        let mut ana = Visitor::new(&app);
        let refused = stub.sign_in(&mut ana).await;
        assert_eq!(refused.status, 502, "{what}: {}", refused.text());
        assert!(refused.text().contains("cannot be believed"), "{what}");
        assert!(!refused.text().contains("canary"), "{what}");
        assert_eq!(ana.get("/console").await.status, 401, "{what}");
    }
    assert!(app.store.users().await.unwrap().is_empty(), "nobody was added");
    stub.twist(|pair, head, claims| pair.sign(&head, &claims));
    assert_eq!(stub.sign_in(&mut Visitor::new(&app)).await.status, 303);
}

#[tokio::test]
async fn what_one_browser_has_begun_no_other_one_ends_and_nothing_is_ended_twice() {
    let stub = Stub::start().await;
    let app = stub.app().await;
    let (mut ana, mut eve) = (Visitor::new(&app), Visitor::new(&app));
    for visitor in [&mut ana, &mut eve] {
        visitor.get("/console/sign-in").await;
    }
    let back = stub.leave(&mut ana, "/console").await;
    // A code that somebody had another browser come back with: without a ticket, and with one of its own.
    assert_eq!(eve.get(&back).await.status, 400);
    let own = stub.leave(&mut eve, "/console").await;
    assert_eq!(eve.get(&back).await.status, 400);
    // The stranger's code under the victim's state: made for another verifier.
    let code = |address: &str| {
        address
            .split("code=")
            .nth(1)
            .unwrap()
            .split('&')
            .next()
            .unwrap()
            .to_owned()
    };
    let mixed = back.replace(&code(&back), &code(&own));
    assert_eq!(ana.get(&mixed).await.status, 403, "the code is not hers");
    assert_eq!(ana.get(&back).await.status, 400, "and her ticket is used up");

    let mut ana = Visitor::new(&app);
    let back = stub.leave(&mut ana, "/console").await;
    let before = ana.cookies.clone();
    assert_eq!(ana.get(&back).await.status, 303);
    let mut thief = Visitor::new(&app);
    thief.cookies = before;
    assert_eq!(
        thief.get(&back).await.status,
        400,
        "whoever has seen it all comes too late"
    );
    assert_eq!(ana.get(&back).await.status, 400);
    assert_eq!(ana.get("/console").await.status, 200);
    for odd in [
        "",
        "?code=x",
        "?state=x",
        "?error=access_denied&state=x",
        "?code=x&code=y&state=%00",
    ] {
        let answer = ana.get(&format!("/console/sign-in/openid/back{odd}")).await;
        assert_eq!(answer.status, 400, "{odd}");
    }
}

/// A server whose time the test sets.
async fn clocked(stub: &Stub) -> (TestApp, Clock) {
    let clock = Clock::manual(Clock::system().now());
    let setup = Setup {
        clock: clock.clone(),
        ..Setup::new(&stub.settings(""))
    };
    (setup.start().await, clock)
}

#[tokio::test]
async fn a_sign_in_ends_after_ten_minutes_and_another_issuer_or_a_refusal_ends_it_at_once() {
    let stub = Stub::start().await;
    let (app, clock) = clocked(&stub).await;
    let mut ana = Visitor::new(&app);
    let back = stub.leave(&mut ana, "/console").await;
    let evil = back.split("&iss=").next().unwrap().to_owned();
    let answer = ana.get(&format!("{evil}&iss=https%3A%2F%2Fevil.example")).await;
    assert_eq!(answer.status, 502, "{}", answer.text());

    let back = stub.leave(&mut ana, "/console").await;
    let state = back.split("state=").nth(1).unwrap();
    let refused = ana
        .get(&format!(
            "/console/sign-in/openid/back?error=access_denied&state={state}"
        ))
        .await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("did not let you in"), "{}", refused.text());

    let back = stub.leave(&mut ana, "/console").await;
    let head = ana.send("HEAD", &back, &[], b"").await;
    assert_eq!(head.status, 204, "who asks for the head alone has not come back");
    let word = ana
        .cookies
        .iter_mut()
        .find(|(name, _)| name == "syncline_openid")
        .unwrap();
    word.1 = word.1.replacen('.', ".1", 1);
    assert_eq!(ana.get(&back).await.status, 400, "nobody makes it last longer");

    let back = stub.leave(&mut ana, "/console").await;
    clock.set(clock.now() + TimeDelta::minutes(10));
    assert_eq!(ana.get(&back).await.status, 400, "it took too long");
}

#[tokio::test]
async fn nobody_is_led_to_another_site_by_signing_in() {
    let stub = Stub::start().await;
    let app = stub.app().await;
    for bad in [
        "https://evil.example",
        "//evil.example",
        "/console//evil.example",
        "%2F%5Cevil.example",
    ] {
        let mut ana = Visitor::new(&app);
        let back = stub.leave(&mut ana, bad).await;
        let answer = ana.get(&back).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, Some("/console")),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn new_keys_are_fetched_when_a_token_names_one_and_not_more_than_once_a_minute() {
    let stub = Stub::start().await;
    let (app, clock) = clocked(&stub).await;
    assert_eq!(stub.sign_in(&mut Visitor::new(&app)).await.status, 303);
    assert_eq!(stub.sign_in(&mut Visitor::new(&app)).await.status, 303);
    assert_eq!(stub.loopback.count("/jwks"), 1);
    stub.state.lock().unwrap().pair = Pair::new("two");
    for _ in 0..3 {
        assert_eq!(stub.sign_in(&mut Visitor::new(&app)).await.status, 502);
    }
    assert_eq!(
        stub.loopback.count("/jwks"),
        1,
        "within the minute nobody is asked again"
    );
    clock.set(clock.now() + TimeDelta::seconds(61));
    assert_eq!(stub.sign_in(&mut Visitor::new(&app)).await.status, 303);
    assert_eq!(stub.loopback.count("/jwks"), 2);
    assert_eq!(stub.loopback.count("/.well-known/openid-configuration"), 1);
}

#[tokio::test]
async fn a_provider_that_is_away_is_told_in_the_readers_language_and_asked_again_later() {
    let stub = Stub::start().await;
    let (app, clock) = clocked(&stub).await;
    stub.state.lock().unwrap().is_down = true;
    let mut ana = Visitor::new(&app);
    ana.language = "pt-BR";
    for _ in 0..3 {
        let answer = ana.get("/console/sign-in/openid").await;
        assert_eq!(answer.status, 502);
        assert!(answer.text().contains("não responde agora"), "{}", answer.text());
    }
    assert_eq!(
        stub.loopback.count("/.well-known/openid-configuration"),
        1,
        "a crowd is not passed on"
    );
    stub.state.lock().unwrap().is_down = false;
    clock.set(clock.now() + TimeDelta::seconds(6));
    assert_eq!(stub.sign_in(&mut ana).await.status, 303);
    for path in ["/console/sign-in/openid", "/console/sign-in/openid/back"] {
        let without = TestApp::start().await;
        assert_eq!(Visitor::new(&without).get(path).await.status, 404, "{path}");
    }
}
