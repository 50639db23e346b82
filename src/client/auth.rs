//! Signing in: fixed credentials, OAuth 2.0 tokens and sessions, with one renewal at a time.

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use oauth2::{AuthType, ClientId, ClientSecret, Scope as OAuthScope, TokenResponse as _, TokenUrl, basic::BasicClient};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use super::{
    budget::Road,
    exchange::{Errand, Exchange, Refused},
    system::Outcome,
};
use crate::core::{
    connector::{
        Auth, OAuth2, Place, Session,
        answer::Purpose,
        form::{ClientAuth, Method},
        request::{Call, append_query, build_headers},
    },
    expr::{Scope, Template},
    fault::Fault,
    status::{FailureClass, Stage},
    value::{Map, Value},
};

/// A token or session as it is kept between requests and starts.
#[derive(Clone)]
pub struct Token {
    /// Headers that prove who we are, by name.
    pub headers: Vec<(String, SecretString)>,
    /// When it has to be renewed.
    pub renew_at: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("renew_at", &self.renew_at)
            .finish_non_exhaustive()
    }
}

/// A future that a [`TokenStore`] answers with.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keeps tokens between starts. A store that fails only costs another sign-in.
pub trait TokenStore: Send + Sync {
    /// The kept token of a system.
    fn load<'a>(&'a self, system: &'a str) -> Pending<'a, Option<Token>>;
    /// Keeps a token.
    fn save<'a>(&'a self, system: &'a str, token: &'a Token) -> Pending<'a, ()>;
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTokens;

impl TokenStore for NoTokens {
    fn load<'a>(&'a self, _: &'a str) -> Pending<'a, Option<Token>> {
        Box::pin(std::future::ready(None))
    }

    fn save<'a>(&'a self, _: &'a str, _: &'a Token) -> Pending<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// The part of a token's life after which it is renewed.
const LIFE_PERCENT: i32 = 80;

/// How one system is signed in to.
pub(super) struct Authenticator {
    credentials: BTreeMap<String, SecretString>,
    tokens: Arc<dyn TokenStore>,
    current: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// Grows with every renewal, so that tasks refused with an old token do not renew the new one.
    version: u64,
    has_looked: bool,
}

impl Authenticator {
    pub(super) fn new(credentials: BTreeMap<String, SecretString>, tokens: Arc<dyn TokenStore>) -> Self {
        Self {
            credentials,
            tokens,
            current: Mutex::default(),
        }
    }

    /// What must never be shown.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.credentials.values().map(secrecy::ExposeSecret::expose_secret)
    }

    /// Whether a refused token can be replaced.
    pub(super) fn can_renew(exchange: &Exchange) -> bool {
        matches!(exchange.connector.auth, Auth::OAuth2(_) | Auth::Session(_))
    }

    fn scope(&self, exchange: &Exchange) -> Scope {
        let credentials: Map = self
            .credentials
            .iter()
            .map(|(name, secret)| (name.clone(), Value::from(secret.expose_secret())))
            .collect();
        let mut scope = Scope::new().with("credentials", credentials);
        scope.set("settings", Arc::clone(&exchange.settings));
        scope
    }

    fn credential(&self, exchange: &Exchange, name: &str) -> Result<&SecretString, Refused> {
        self.credentials.get(name).ok_or_else(|| {
            let message = format!("system `{}`: credential `{name}` is missing", exchange.name);
            refused(
                "AU003",
                message,
                "add it under `credentials` of the system in the configuration",
            )
        })
    }

    /// Adds to a call what proves who we are.
    pub(super) async fn sign(&self, exchange: &Exchange, call: &mut Call, road: Road) -> Result<(), Refused> {
        let text = |template: &Template| {
            let found = template.text(&self.scope(exchange), |text| text);
            found.ok().flatten().ok_or_else(|| {
                let message = format!("system `{}`: the credentials do not come to a value", exchange.name);
                refused(
                    "AU003",
                    message,
                    "are all credentials of the connector given in the configuration?",
                )
            })
        };
        match &exchange.connector.auth {
            Auth::None => {}
            Auth::Basic { user, password } => {
                let pair = BASE64_STANDARD.encode(format!("{}:{}", text(user)?, text(password)?));
                call.headers.push(("authorization".to_owned(), format!("Basic {pair}")));
            }
            Auth::Bearer { token } => call
                .headers
                .push(("authorization".to_owned(), format!("Bearer {}", text(token)?))),
            Auth::ApiKey {
                place: Place::Header(name),
                value,
            } => call.headers.push((name.clone(), text(value)?)),
            Auth::ApiKey {
                place: Place::Query(name),
                value,
            } => append_query(&mut call.url, name, &text(value)?),
            Auth::OAuth2(_) | Auth::Session(_) => {
                let token = self.token(exchange, road).await?;
                let headers = token.headers.iter();
                call.headers
                    .extend(headers.map(|(name, value)| (name.clone(), value.expose_secret().to_owned())));
            }
        }
        Ok(())
    }

    /// The current token; signs in where there is none that lasts.
    async fn token(&self, exchange: &Exchange, road: Road) -> Result<Token, Refused> {
        let mut state = self.current.lock().await;
        if !state.has_looked {
            state.has_looked = true;
            state.token = self.tokens.load(&exchange.name).await;
        }
        let now = exchange.clock.now();
        if let Some(token) = state
            .token
            .as_ref()
            .filter(|token| token.renew_at.is_none_or(|at| now < at))
        {
            return Ok(token.clone());
        }
        self.sign_in(exchange, &mut state, road).await
    }

    /// Replaces a token that was refused; tasks that were refused at the same time share one renewal.
    pub(super) async fn renew(&self, exchange: &Exchange, road: Road) -> Result<(), Refused> {
        let seen = self.current.try_lock().map_or(0, |state| state.version);
        let mut state = self.current.lock().await;
        if seen != 0 && state.version != seen {
            return Ok(());
        }
        match &exchange.connector.auth {
            Auth::OAuth2(_) | Auth::Session(_) => self.sign_in(exchange, &mut state, road).await.map(drop),
            _ => {
                let message = format!("system `{}`: the credentials are not accepted", exchange.name);
                Err(refused(
                    "AU001",
                    message,
                    "check the credentials of the system; have they been replaced?",
                ))
            }
        }
    }

    async fn sign_in(&self, exchange: &Exchange, state: &mut State, road: Road) -> Result<Token, Refused> {
        let token = match &exchange.connector.auth {
            Auth::OAuth2(oauth2) => self.oauth2(exchange, oauth2).await?,
            Auth::Session(session) => Box::pin(self.session(exchange, session, road)).await?,
            _ => Token {
                headers: Vec::new(),
                renew_at: None,
            },
        };
        self.tokens.save(&exchange.name, &token).await;
        state.version += 1;
        state.token = Some(token.clone());
        Ok(token)
    }

    async fn oauth2(&self, exchange: &Exchange, oauth2: &OAuth2) -> Result<Token, Refused> {
        let fail = |message: String| {
            refused(
                "AU004",
                format!("system `{}`: {message}", exchange.name),
                "check client id, secret, scopes and token_url",
            )
        };
        let scope = self.scope(exchange);
        let url = oauth2
            .token_url
            .text(&scope, |text| text)
            .ok()
            .flatten()
            .unwrap_or_default();
        let url = TokenUrl::new(url).map_err(|_| fail("`token_url` is no address".to_owned()))?;
        let id = self.credential(exchange, "client_id")?.expose_secret().to_owned();
        let secret = self.credential(exchange, "client_secret")?.expose_secret().to_owned();
        let client = BasicClient::new(ClientId::new(id))
            .set_client_secret(ClientSecret::new(secret))
            .set_auth_type(match oauth2.client_auth {
                ClientAuth::Basic => AuthType::BasicAuth,
                ClientAuth::Post => AuthType::RequestBody,
            })
            .set_token_uri(url);
        let mut request = client.exchange_client_credentials();
        for wanted in &oauth2.scopes {
            request = request.add_scope(OAuthScope::new(wanted.clone()));
        }
        for (name, template) in &oauth2.params {
            let value = template.text(&scope, |text| text).ok().flatten().unwrap_or_default();
            request = request.add_extra_param(name.clone(), value);
        }
        let http = Endpoint(exchange);
        let answer = request.request_async(&http).await.map_err(|error| match error {
            oauth2::RequestTokenError::ServerResponse(answer) => {
                fail(format!("no token was given: {}", answer.error()))
            }
            oauth2::RequestTokenError::Request(error) => fail(error.to_string()),
            _ => fail("the token endpoint's answer is none that OAuth 2.0 knows".to_owned()),
        })?;
        let lifetime = answer.expires_in().and_then(|life| TimeDelta::from_std(life).ok());
        let bearer = SecretString::from(format!("Bearer {}", answer.access_token().secret()));
        Ok(Token {
            headers: vec![("authorization".to_owned(), bearer)],
            renew_at: lifetime.map(|life| exchange.clock.now() + life * LIFE_PERCENT / 100),
        })
    }

    async fn session(&self, exchange: &Exchange, session: &Session, road: Road) -> Result<Token, Refused> {
        let scope = self.scope(exchange);
        let mut call = session.login.build(&exchange.base, &scope).map_err(|error| {
            refused(
                "AU005",
                format!("system `{}`: the login cannot be built: {error}", exchange.name),
                "correct `auth: session:`",
            )
        })?;
        call.is_repeatable = false;
        let errand = Errand {
            purpose: Purpose::Login,
            object: "session",
            road,
            records: None,
        };
        let reply = Box::pin(exchange.call(errand, call)).await?;
        let cookies: Map = cookies(&reply.raw.headers);
        let scope = scope
            .with("answer", reply.body)
            .with("answer_headers", reply.headers)
            .with("cookies", cookies);
        let headers = build_headers(&session.headers, &scope).map_err(|error| {
            let message = format!(
                "system `{}`: the login's answer does not give a session: {error}",
                exchange.name
            );
            refused(
                "AU005",
                message,
                "correct `auth: session: headers:`, or check user and password",
            )
        })?;
        let life = session
            .expires_after
            .map(|period| TimeDelta::milliseconds(period.millis()));
        Ok(Token {
            headers: headers
                .into_iter()
                .map(|(name, value)| (name, SecretString::from(value)))
                .collect(),
            renew_at: life.map(|life| exchange.clock.now() + life * LIFE_PERCENT / 100),
        })
    }
}

/// The cookies an answer sets, by name.
fn cookies(headers: &reqwest::header::HeaderMap) -> Map {
    let pairs = headers.get_all(reqwest::header::SET_COOKIE).iter().filter_map(|value| {
        let (name, value) = value.to_str().ok()?.split(';').next()?.split_once('=')?;
        Some((name.trim().to_owned(), Value::from(value.trim())))
    });
    pairs.collect()
}

/// Why the token endpoint gave no answer; never with its address' query.
#[derive(Debug, thiserror::Error)]
#[error("the token endpoint gives no answer: {0}")]
struct NoAnswer(String);

/// The token endpoint, as the `oauth2` crate asks it.
struct Endpoint<'a>(&'a Exchange);

impl<'c> oauth2::AsyncHttpClient<'c> for Endpoint<'_> {
    type Error = NoAnswer;
    type Future = Pending<'c, Result<oauth2::HttpResponse, NoAnswer>>;

    fn call(&'c self, request: oauth2::HttpRequest) -> Self::Future {
        Box::pin(token_request(self.0, request))
    }
}

/// Sends the token request of the `oauth2` crate through our own transport, so that guard and limits hold for it too.
async fn token_request(exchange: &Exchange, request: oauth2::HttpRequest) -> Result<oauth2::HttpResponse, NoAnswer> {
    let no_answer = |reason: String| NoAnswer(reason);
    let url = url::Url::parse(&request.uri().to_string()).map_err(|error| no_answer(error.to_string()))?;
    let headers = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    let call = Call {
        method: Method::Post,
        url,
        headers: headers.collect(),
        body: Some(request.body().clone()),
        is_repeatable: true,
    };
    let mut wait = Duration::from_millis(100);
    loop {
        match exchange.transport.send(&call).await {
            Ok(raw) => {
                let mut answer = oauth2::HttpResponse::new(raw.body);
                *answer.status_mut() = raw
                    .status
                    .try_into()
                    .map_err(|_| no_answer("its status is none".to_owned()))?;
                *answer.headers_mut() = raw.headers;
                return Ok(answer);
            }
            Err(error) if wait > Duration::from_secs(1) => return Err(no_answer(error.to_string())),
            Err(_) => tokio::time::sleep(wait).await,
        }
        wait *= 4;
    }
}

fn refused(code: &'static str, message: String, hint: &str) -> Refused {
    let fault = Fault::new(code, FailureClass::Auth, Stage::Fetch, message).with_hint(hint);
    Refused {
        fault,
        outcome: Outcome::NotWritten,
    }
}
