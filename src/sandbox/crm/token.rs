//! OAuth2 client credentials: giving tokens (RFC 6749, 4.4), knowing them again, and asking another issuer (RFC 7662).

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use url::{Url, form_urlencoded};
use uuid::Uuid;

use super::Acme;
use crate::sandbox::clock::Clock;
use crate::sandbox::edge::json;
use crate::sandbox::office::Office;
use crate::sandbox::outbound::Poster;
use crate::sandbox::refusal::{Reason, Refusal};

/// Where tokens are given.
pub(super) const PATH: &str = "/oauth/token";
/// How many tokens are known at once.
const TOKENS_MAX: usize = 10_000;
/// How long another issuer's word is taken for granted.
const TRUST_MICROS: i64 = 10_000_000;

/// What becomes of a client's older tokens when it gets a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// They live on until they expire.
    #[default]
    Many,
    /// They are revoked at once.
    LatestOnly,
}

/// Another issuer, and how this system proves itself there (RFC 7662).
#[derive(Clone, Debug)]
pub struct Introspection {
    /// Its introspection endpoint, plain `http://`.
    pub url: Url,
    /// This system's client id there.
    pub client_id: String,
    /// This system's secret there.
    pub client_secret: SecretString,
}

/// Gives tokens to the one client, and knows those it gave.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) client_id: String,
    pub(super) client_secret: SecretString,
    life: Duration,
    policy: Policy,
    /// When each token expires, in microseconds since 1970.
    tokens: Mutex<HashMap<String, i64>>,
    issued: AtomicUsize,
}

impl Issuer {
    pub(super) fn new(client_id: String, client_secret: SecretString, life: Duration, policy: Policy) -> Self {
        Self {
            client_id,
            client_secret,
            life,
            policy,
            tokens: Mutex::default(),
            issued: AtomicUsize::new(0),
        }
    }

    pub(super) fn issued(&self) -> usize {
        self.issued.load(Ordering::SeqCst)
    }

    pub(super) fn revoke(&self) {
        self.tokens().clear();
    }

    pub(super) fn knows(&self, token: &str, clock: &Clock) -> bool {
        self.tokens()
            .get(token)
            .is_some_and(|expires| clock.micros() < *expires)
    }

    fn issue(&self, clock: &Clock) -> String {
        let token = format!("tok_{}", Uuid::new_v4().simple());
        let now = clock.micros();
        let life = i64::try_from(self.life.as_micros()).unwrap_or(i64::MAX);
        let mut tokens = self.tokens();
        if self.policy == Policy::LatestOnly {
            tokens.clear();
        }
        if tokens.len() >= TOKENS_MAX {
            tokens.retain(|_, expires| now < *expires);
        }
        if tokens.len() >= TOKENS_MAX {
            tokens.clear();
        }
        tokens.insert(token.clone(), now.saturating_add(life));
        self.issued.fetch_add(1, Ordering::SeqCst);
        token
    }

    fn is_client(&self, id: &str, secret: &str) -> bool {
        let is_secret = secret.as_bytes().ct_eq(self.client_secret.expose_secret().as_bytes());
        id == self.client_id && bool::from(is_secret)
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<String, i64>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token a request carries.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

pub(super) fn refused(message: &str) -> Refusal {
    Refusal::new(Reason::Unauthorized, message)
}

#[derive(Serialize)]
struct Granted {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// `POST /oauth/token`.
pub(super) async fn grant(State(office): State<Arc<Office<Acme>>>, headers: HeaderMap, body: Bytes) -> Response {
    let form: HashMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let sent = |name: &str| form.get(name).cloned();
    let in_form = sent("client_id").zip(sent("client_secret"));
    let issuer = &office.system.issuer;
    let is_client = basic(&headers)
        .or(in_form)
        .is_some_and(|(id, secret)| issuer.is_client(&id, &secret));
    if !is_client {
        let mut response = oauth_error(StatusCode::UNAUTHORIZED, "invalid_client");
        let challenge = HeaderValue::from_static("Basic realm=\"acme\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        return response;
    }
    if form.get("grant_type").map(String::as_str) != Some("client_credentials") {
        return oauth_error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    let granted = Granted {
        access_token: issuer.issue(&office.clock),
        token_type: "Bearer",
        expires_in: issuer.life.as_secs(),
        scope: sent("scope"),
    };
    let mut response = json(StatusCode::OK, serde_json::to_string(&granted).unwrap_or_default());
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn oauth_error(status: StatusCode, error: &str) -> Response {
    json(status, serde_json::json!({ "error": error }).to_string())
}

/// Client id and secret from `Authorization: Basic`, each form-encoded first (RFC 6749, 2.3.1).
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((form_decoded(id), form_decoded(secret)))
}

fn form_decoded(text: &str) -> String {
    let pair = form_urlencoded::parse(text.as_bytes()).next();
    pair.map(|(name, _)| name.into_owned()).unwrap_or_default()
}

/// Asks another issuer whether a token is good.
#[derive(Debug)]
pub(super) struct Introspector {
    issuer: Introspection,
    poster: Poster,
    /// The client behind each token that was good, and how long that is believed.
    trusted: Mutex<HashMap<String, (String, i64)>>,
}

#[derive(Deserialize)]
struct Word {
    active: bool,
    client_id: Option<String>,
    sub: Option<String>,
}

impl Introspector {
    pub(super) fn new(issuer: Introspection) -> Self {
        Self {
            issuer,
            poster: Poster::new(Duration::from_secs(5)),
            trusted: Mutex::default(),
        }
    }

    /// The client behind a token, or the refusal when the issuer does not vouch for it.
    pub(super) async fn ask(&self, token: &str, clock: &Clock) -> Result<String, Refusal> {
        let now = clock.micros();
        if let Some((client, until)) = self.trusted().get(token)
            && now < *until
        {
            return Ok(client.clone());
        }
        let word = self
            .word(token)
            .await
            .ok_or_else(|| refused("the issuer of the token cannot be asked"))?;
        if !word.active {
            return Err(refused("the token is unknown or has expired"));
        }
        let client = word.client_id.or(word.sub).unwrap_or_else(|| "unknown".to_owned());
        let mut trusted = self.trusted();
        if trusted.len() >= TOKENS_MAX {
            trusted.clear();
        }
        trusted.insert(token.to_owned(), (client.clone(), now.saturating_add(TRUST_MICROS)));
        Ok(client)
    }

    async fn word(&self, token: &str) -> Option<Word> {
        let secret = self.issuer.client_secret.expose_secret();
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encode(&self.issuer.client_id), encode(secret));
        let basic = format!("Basic {}", STANDARD.encode(pair));
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .finish();
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::try_from(basic).ok()?);
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form_type);
        let reply = self
            .poster
            .post(&self.issuer.url, headers, Bytes::from(form))
            .await
            .ok()?;
        reply
            .status
            .is_success()
            .then(|| serde_json::from_slice(&reply.body).ok())?
    }

    fn trusted(&self) -> MutexGuard<'_, HashMap<String, (String, i64)>> {
        self.trusted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
