//! Systems that repeat in every refusal whatever they were told, as some do.

use serde_json::{Value as Json, json};

use crate::support::loopback::{Reply, Seen};

/// What the systems answer with, that no setting holds.
pub struct Given {
    pub access: String,
    pub refresh: String,
    pub asserted: String,
    pub session: String,
    pub cookie: String,
}

/// The connectors, each with a way of its own to sign in and to prove a webhook: name, `auth`, `credentials`, `verify`.
pub fn kinds() -> [(&'static str, Json, Json, Json); 7] {
    let key = json!(["key"]);
    [
        (
            "refresher",
            json!({ "oauth2": { "grant": "refresh_token", "token_url": "{{ settings.base_url }}/token", "client_auth": "post" } }),
            json!([]),
            json!({ "hmac": "sha256", "header": "X-Signature" }),
        ),
        (
            "basic",
            json!({ "basic": { "user": "{{ credentials.user }}", "password": "{{ credentials.password }}" } }),
            json!(["user", "password"]),
            json!({ "basic": true }),
        ),
        (
            "keyed",
            json!({ "api_key": { "query": "key", "value": "{{ credentials.key }}" } }),
            key.clone(),
            json!({ "shared_secret": { "query": "token" } }),
        ),
        (
            "session",
            json!({ "session": {
                "login": { "post": "/login", "body": { "user": "{{ credentials.user }}", "password": "{{ credentials.password }}" } },
                "headers": { "Cookie": "sid={{ cookies.sid }}", "X-Token": "{{ answer.token }}" },
            } }),
            json!(["user", "password"]),
            json!({ "shared_secret": { "header": "X-Secret" } }),
        ),
        (
            "signer",
            json!({ "signed": {
                "hmac": "sha256", "key": "{{ credentials.key }}", "text": "{{ request.path }}{{ timestamp }}",
                "headers": { "X-Signature": "{{ signature }}" },
            } }),
            key.clone(),
            json!({ "shared_secret": { "body_path": "auth.token" } }),
        ),
        (
            "stamped",
            json!({ "oauth1": {
                "consumer_key": "{{ credentials.ck }}", "consumer_secret": "{{ credentials.cs }}",
                "token": "{{ credentials.t }}", "token_secret": "{{ credentials.ts }}",
            } }),
            json!(["ck", "cs", "t", "ts"]),
            Json::Null,
        ),
        (
            "asserted",
            json!({ "oauth2": {
                "grant": "client_credentials", "token_url": "{{ settings.base_url }}/token", "client_auth": "private_key_jwt",
                "client_jwt": { "algorithm": "ES256", "key": "{{ credentials.key }}" },
            } }),
            key,
            Json::Null,
        ),
    ]
}

/// Lets whoever signs in in, and refuses everything else with all that it was told, each time in another way.
pub fn answer(given: &Given, seen: &Seen) -> Reply {
    let url = format!("http://{}/oidc", seen.header("host").unwrap_or_default());
    let told = format!(
        "{} {} {:?} {}",
        seen.method,
        seen.target,
        seen.headers,
        String::from_utf8_lossy(&seen.body)
    );
    let body =
        json!({ "error": "invalid_grant", "error_description": told, "message": told, "errors": [{ "detail": told }] });
    match seen.path() {
        "/refresher/token" => Reply::json(
            200,
            &json!({ "access_token": given.access, "refresh_token": given.refresh, "expires_in": 3600 }),
        ),
        "/asserted/token" => Reply::json(200, &json!({ "access_token": given.asserted, "expires_in": 3600 })),
        "/session/login" => Reply::json(200, &json!({ "token": given.session }))
            .with("set-cookie", format!("sid={}; HttpOnly; Path=/", given.cookie)),
        "/oidc/.well-known/openid-configuration" => Reply::json(
            200,
            &json!({
                "issuer": url, "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
                "jwks_uri": format!("{url}/jwks"),
            }),
        ),
        // The path and what is asked for decide, so that each way is met whatever comes in between.
        path => match (path.len() + seen.body.len() + usize::from(seen.method == "GET")) % 5 {
            0 => Reply::json(401, &body),
            1 => Reply::json(422, &body),
            2 => Reply::json(500, &body),
            3 => Reply::json(403, &body).cut(),
            _ => Reply::new(403, "text/plain", told),
        },
    }
}
