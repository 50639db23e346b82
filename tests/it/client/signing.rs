//! Keys in several places, signatures of each request, and assertions for a token.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value as Json, json};
use syncline::core::status::FailureClass;

use super::{Sample, account, get};
use crate::support::loopback::{Loopback, Reply, Seen};

const RSA: &str = include_str!("pem/rsa.pem");
const EC: &str = include_str!("pem/ec.pem");

/// What one read of a record sends.
async fn sent(sample: Sample) -> Seen {
    let server = Loopback::answering([Reply::json(200, &account(7))]).await;
    get(&sample.at(&server)).await.unwrap();
    server.seen()[0].clone()
}

#[tokio::test]
async fn several_keys_go_into_headers_and_the_query() {
    let api_key = json!({
        "headers": { "X-Key": "{{ credentials.key }}", "X-App": "{{ credentials.app }}" },
        "query": { "company": "{{ credentials.app }}" },
    });
    let sample = Sample::new()
        .with(json!({ "credentials": ["key", "app"], "auth": { "api_key": api_key } }))
        .credential("key", "k1")
        .credential("app", "a 1");
    let seen = sent(sample).await;
    assert_eq!((seen.header("x-key"), seen.header("x-app")), (Some("k1"), Some("a 1")));
    assert_eq!(seen.param("company").unwrap(), "a 1");
}

#[tokio::test]
async fn every_request_has_a_signature_of_its_own() {
    let signed = json!({
        "hmac": "sha256", "key": "{{ credentials.key }}", "encoding": "base64",
        "text": "{{ request.method }}{{ request.path }}{{ timestamp }}{{ nonce }}",
        "headers": { "X-Time": "{{ timestamp }}", "X-Nonce": "{{ nonce }}", "X-Signature": "{{ signature }}" },
    });
    let server = Loopback::answering([Reply::json(200, &account(7))]).await;
    let system = Sample::new()
        .with(json!({ "credentials": ["key"], "auth": { "signed": signed } }))
        .credential("key", "k1")
        .at(&server);
    for _ in 0..2 {
        get(&system).await.unwrap();
    }
    let seen = server.seen();
    assert_eq!(seen[0].header("x-time"), Some("1772442000"));
    assert_ne!(seen[0].header("x-nonce"), seen[1].header("x-nonce"));
    assert_ne!(seen[0].header("x-signature"), seen[1].header("x-signature"));
}

#[tokio::test]
async fn a_token_of_oauth1_signs_with_sha256_and_names_its_realm() {
    let oauth1 = json!({
        "consumer_key": "{{ credentials.ck }}", "consumer_secret": "{{ credentials.cs }}",
        "token": "{{ credentials.t }}", "token_secret": "{{ credentials.ts }}", "realm": "123_SB1",
    });
    let mut sample =
        Sample::new().with(json!({ "credentials": ["ck", "cs", "t", "ts"], "auth": { "oauth1": oauth1 } }));
    for name in ["ck", "cs", "t", "ts"] {
        sample = sample.credential(name, name);
    }
    let seen = sent(sample).await;
    let header = seen.header("authorization").unwrap();
    for part in [
        "OAuth realm=\"123_SB1\"",
        "oauth_signature_method=\"HMAC-SHA256\"",
        "oauth_consumer_key=\"ck\"",
        "oauth_signature=\"",
    ] {
        assert!(header.contains(part), "{part}: {header}");
    }
}

fn by_assertion(algorithm: &str, key: &str) -> Sample {
    let jwt = json!({
        "algorithm": algorithm, "key": "{{ credentials.private_key }}", "key_id": "k7", "issuer": "{{ credentials.client_id }}",
        "subject": "sync@example.com", "claims": { "scope": ["a", "b"] },
    });
    Sample::new()
        .with(
            json!({ "credentials": ["private_key", "client_id"], "auth": { "oauth2": {
            "grant": "jwt_bearer", "token_url": "{{ settings.base_url }}/token", "jwt": jwt,
        } } }),
        )
        .credential("private_key", key)
        .credential("client_id", "c1")
}

fn issuer(seen: &Seen) -> Reply {
    match seen.path() {
        "/token" => Reply::json(200, &json!({ "access_token": "abc", "expires_in": 60 })),
        _ => Reply::json(200, &account(7)),
    }
}

#[tokio::test]
async fn an_assertion_carries_its_claims_and_is_signed_by_the_algorithm_that_was_said() {
    for (algorithm, key, bytes) in [("RS256", RSA, 256), ("PS256", RSA, 256), ("ES256", EC, 64)] {
        // A variable of the environment holds a key in one line.
        for key in [key.to_owned(), key.replace('\n', "\\n")] {
            let server = Loopback::start(issuer).await;
            get(&by_assertion(algorithm, &key).at(&server)).await.unwrap();
            let form = server.seen()[0].form();
            assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
            let parts: Vec<Vec<u8>> = form["assertion"]
                .split('.')
                .map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap())
                .collect();
            let header: Json = serde_json::from_slice(&parts[0]).unwrap();
            assert_eq!(header, json!({ "alg": algorithm, "typ": "JWT", "kid": "k7" }));
            let claims: Json = serde_json::from_slice(&parts[1]).unwrap();
            assert_eq!(claims["iss"], "c1");
            assert_eq!(claims["sub"], "sync@example.com");
            assert_eq!(claims["aud"], format!("{}/token", server.url()));
            assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 180);
            assert_eq!(claims["scope"], json!(["a", "b"]));
            assert_eq!(parts[2].len(), bytes);
        }
    }
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_told_and_none_of_it_is_shown() {
    for (algorithm, key) in [
        ("RS256", EC),
        ("ES256", RSA),
        ("RS256", "canary, no key"),
        ("RS256", ""),
    ] {
        let server = Loopback::start(issuer).await;
        let fault = get(&by_assertion(algorithm, key).at(&server)).await.unwrap_err();
        assert_eq!((fault.code, fault.class), ("AU011", FailureClass::Auth), "{fault}");
        assert!(!format!("{fault} {fault:?}").contains("canary"), "{fault}");
        assert!(server.seen().is_empty());
    }
}

#[tokio::test]
async fn a_client_with_a_key_proves_itself_by_an_assertion_and_sends_no_secret() {
    let client_jwt = json!({ "algorithm": "ES256", "key": "{{ credentials.private_key }}", "key_id": "k7" });
    let server = Loopback::start(issuer).await;
    let system = Sample::new()
        .with(json!({ "credentials": ["private_key"], "auth": { "oauth2": {
            "grant": "client_credentials", "token_url": "{{ settings.base_url }}/token", "scopes": ["read"],
            "client_auth": "private_key_jwt", "client_jwt": client_jwt,
        } } }))
        .credential("private_key", EC)
        .credential("client_id", "c1")
        .at(&server);
    get(&system).await.unwrap();
    let seen = server.seen();
    let form = seen[0].form();
    assert_eq!(seen[0].header("authorization"), None);
    assert_eq!(
        (form["grant_type"].as_str(), form["client_id"].as_str()),
        ("client_credentials", "c1")
    );
    assert_eq!(
        form["client_assertion_type"],
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    assert!(!form.contains_key("client_secret"));
    let claims = form["client_assertion"].split('.').nth(1).unwrap();
    let claims: Json = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("c1"), &json!("c1")));
    assert_eq!(claims["aud"], format!("{}/token", server.url()));
    assert!(claims["jti"].is_string(), "each is used once: {claims}");
}
